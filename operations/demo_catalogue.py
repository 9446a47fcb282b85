"""The part of demo data that does not grow with the clients: staff, projects, products, groups, templates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from flask_babel import gettext as _

from extensions import db
from models import (
    AffiliateProgram,
    Characterization,
    ClientGroup,
    Discount,
    Feature,
    Language,
    Period,
    Product,
    ProductPrice,
    Project,
    ResponseTemplate,
    Role,
    SavedFilter,
    Staff,
    TicketCategory,
)
from operations.demo_texts import TEMPLATES
from operations.errors import OperationRefused

MONTHS = {Period.MONTH: 1, Period.QUARTER: 3, Period.HALF_YEAR: 6, Period.YEAR: 12}
FEATURES = ("abuse_handling", "affiliate", "self_registration", "phone_verification", "discounts")
FULL_NAMES = {
    "Owner": "Olga Orlova", "Manager": "Maxim Markov", "Support": "Sophie Baker",
    "Accountant": "Alla Belova", "Auditor": "Arthur Gray",
}  # fmt: skip


@dataclass(frozen=True)
class Brand:
    """A project and what it sells; products as (name, type, price of a month or, in `yearly`, of a year)."""

    name: str
    domain: str
    currency: str
    language: Language
    share: float
    countries: Mapping[str, int]
    products: tuple[tuple[str, str, str], ...]
    yearly: tuple[tuple[str, str, str], ...] = ()


BRANDS = (
    Brand(
        "Alfa Hosting", "alfa.example.com", "RUB", Language.RU, 0.38, {"RU": 80, "KZ": 8, "BY": 7, "AM": 5},
        (
            ("Хостинг «Старт»", "hosting", "190"), ("Хостинг «Бизнес»", "hosting", "490"),
            ("VPS S", "vps", "690"), ("VPS M", "vps", "1390"), ("Выделенный сервер", "dedicated", "8900"),
        ),
        (("Домен .RU", "domain", "259"), ("SSL-сертификат", "certificate", "3200")),
    ),
    Brand(
        "Beta Cloud", "beta.example.org", "EUR", Language.EN, 0.28,
        {"DE": 35, "FR": 15, "NL": 15, "ES": 10, "GB": 15, "IE": 10},
        (
            ("Cloud server 2 GB", "vps", "6.90"), ("Cloud server 8 GB", "vps", "24.50"),
            ("Managed database", "database", "39"), ("Backup 100 GB", "backup", "4.99"),
            ("Load balancer", "network", "12"),
        ),
        (("Domain .com", "domain", "13.80"),),
    ),
    Brand(
        "Gamma Net", "gamma.example.net", "USD", Language.EN, 0.20, {"US": 60, "CA": 20, "GB": 12, "IE": 8},
        (
            ("Shared hosting", "hosting", "5.95"), ("Managed WordPress", "hosting", "19"),
            ("Dedicated server", "dedicated", "129"), ("Mail hosting", "mail", "3.50"),
        ),
        (("Domain .org", "domain", "14.99"),),
    ),
    Brand(
        "Дельта Телеком", "delta.example.net", "RUB", Language.RU, 0.14, {"RU": 92, "KZ": 8},
        (
            ("Интернет 100 Мбит/с", "internet", "550"), ("Интернет 500 Мбит/с", "internet", "890"),
            ("Интернет для бизнеса", "internet", "4500"), ("IP-телефония", "telephony", "300"),
            ("Статический IP-адрес", "network", "150"),
        ),
    ),
)  # fmt: skip
GROUPS = (
    ("VIP", "Answered first, at any hour."),
    ("Resellers", "Sell our services under their own name."),
    ("Веб-студии", "Ведут сайты своих клиентов."),
    ("Online shops", "Downtime costs them money at once."),
    ("Schools", "Discount by contract."),
    ("Госучреждения", "Оплата по договору, акты на бумаге."),
    ("Legacy tariffs", "Plans that are not sold any more."),
    ("Beta testers", "Get new products first."),
)
PROGRAMS = (("Партнёр 10 %", "10"), ("Web studio 15 %", "15"), ("Agency 20 %", "20"))


@dataclass(frozen=True)
class ForSale:
    """A product with its prices in hundredths by period."""

    id: int
    name: str
    prices: tuple[tuple[Period, int], ...]


@dataclass(frozen=True)
class Shop:
    """A project with what it sells."""

    id: int
    brand: Brand
    products: tuple[ForSale, ...]


@dataclass(frozen=True)
class Catalogue:
    """Ids of everything that clients are given."""

    shops: tuple[Shop, ...]
    staff: dict[str, int]
    groups: tuple[int, ...]
    programs: tuple[int, ...]
    characterizations: dict[str, int]
    categories: tuple[int, ...]
    abuse: int
    news: int


def create(*, password_hash: str, now: datetime) -> Catalogue:
    """Make everything; `password_hash` is that of all staff.

    What the first migration has left is used: its project becomes the first one here.
    """
    staff = _staff(password_hash)
    *categories, abuse = _categories()
    catalogue = Catalogue(
        shops=tuple(_shop(brand) for brand in BRANDS),
        staff=staff,
        groups=tuple(_one(ClientGroup, name=name, description=text) for name, text in GROUPS),
        programs=tuple(_one(AffiliateProgram, name=name, percent=Decimal(percent)) for name, percent in PROGRAMS),
        characterizations=_characterizations(),
        categories=tuple(categories),
        abuse=abuse,
        news=_news_category(),
    )
    _templates(catalogue)
    _features()
    _group_discounts(catalogue, now)
    _saved_filters(catalogue)
    return catalogue


def _one(model: Any, *, match: Sequence[str] = ("name",), **values: Any) -> int:
    """The id of the row that has the same values in `match`; made when there is none."""
    conditions = [getattr(model, column) == values[column] for column in match]
    found = db.session.scalar(sa.select(model.id).where(*conditions))
    if found is not None:
        return int(found)
    row = model(**values)
    db.session.add(row)
    db.session.flush()
    return int(row.id)


def _staff(password_hash: str) -> dict[str, int]:
    """A staff member for each role of a new database, named after it, and `admin`; ids by role."""
    roles = {name: db.session.scalar(sa.select(Role.id).where(Role.name == name)) for name in FULL_NAMES}
    missing = ", ".join(name for name, role_id in roles.items() if role_id is None)
    if missing:
        raise OperationRefused(_("Demo data needs the roles of a new database: %(names)s.", names=missing))
    made = {
        name: _person(name.lower(), FULL_NAMES[name], int(role_id or 0), password_hash)
        for name, role_id in roles.items()
    }
    made["admin"] = _person("admin", "Anna Ivanova", int(roles["Owner"] or 0), password_hash)
    return made


def _person(username: str, full_name: str, role_id: int, password_hash: str) -> int:
    return _one(
        Staff,
        match=("username",),
        username=username,
        full_name=full_name,
        email=f"{username}@example.com",
        role_id=role_id,
        password_hash=password_hash,
    )


def _shop(brand: Brand) -> Shop:
    project = db.session.scalar(sa.select(Project).where(Project.name == brand.name)) or _unused_project(brand)
    project.name, project.website = brand.name, f"https://{brand.domain}"
    project.support_email, project.currency = f"support@{brand.domain}", brand.currency
    project.default_language, project.is_active = brand.language, True
    db.session.add(project)
    db.session.flush()
    monthly = [_product(project, *product, periods=MONTHS) for product in brand.products]
    yearly = [_product(project, *product, periods={Period.YEAR: 1}) for product in brand.yearly]
    return Shop(project.id, brand, (*monthly, *yearly))


def _unused_project(brand: Brand) -> Project:
    """The project that the first migration left, for the first of the brands; else a new one."""
    if brand is BRANDS[0]:
        left = db.session.scalars(sa.select(Project).order_by(Project.id).limit(2)).all()
        if len(left) == 1:
            return left[0]
    return Project()


def _product(project: Project, name: str, kind: str, price: str, *, periods: Mapping[Period, int]) -> ForSale:
    """A product; a quarter costs three months, half a year 5.7 and a year 11."""
    factors = {Period.QUARTER: Decimal(3), Period.HALF_YEAR: Decimal("5.7"), Period.YEAR: Decimal(11)}
    amounts = {
        period: (Decimal(price) * (factors.get(period, Decimal(1)) if len(periods) > 1 else 1)).quantize(
            Decimal("0.01")
        )
        for period in periods
    }
    product = db.session.scalar(sa.select(Product).where(Product.project_id == project.id, Product.name == name))
    if product is None:
        product = Product(name=name, type=kind, project_id=project.id)
        product.prices = [
            ProductPrice(period=period, currency=project.currency, price=amount) for period, amount in amounts.items()
        ]
        db.session.add(product)
        db.session.flush()
    return ForSale(product.id, name, tuple((period, int(amount.scaleb(2))) for period, amount in amounts.items()))


def _characterizations() -> dict[str, int]:
    seeded = (
        ("ordinary", "Ordinary", "user", "grey", True),
        ("good", "Good", "star", "green", False),
        ("conflict", "Conflict", "alert", "amber", False),
    )
    return {
        code: _one(
            Characterization,
            match=("code",),
            code=code,
            name=name,
            icon=icon,
            color=color,
            is_default=is_default,
        )
        for code, name, icon, color, is_default in seeded
    }


def _categories() -> list[int]:
    """The categories of questions, made when the database has none; that of violations last."""
    usual = sa.select(TicketCategory).where(TicketCategory.is_news.is_(False), TicketCategory.is_active)
    found = list(db.session.scalars(usual.order_by(TicketCategory.id)))
    if len(found) < 2:
        made = [
            TicketCategory(name={"en": "Technical support", "ru": "Техническая поддержка"}),
            TicketCategory(name={"en": "Abuse", "ru": "Нарушения"}),
        ]
        db.session.add_all(made)
        db.session.flush()
        found += made
    found.sort(key=lambda category: category.name.get("en") == "Abuse")
    return [category.id for category in found]


def _news_category() -> int:
    """The first category of news; made when there is none."""
    found = db.session.scalar(sa.select(sa.func.min(TicketCategory.id)).where(TicketCategory.is_news))
    if found is None:
        made = TicketCategory(name={"en": "News", "ru": "Новости"}, is_news=True)
        db.session.add(made)
        db.session.flush()
        found = made.id
    return int(found)


def _templates(catalogue: Catalogue) -> None:
    for name, versions in TEMPLATES:
        for language, (subject, text) in versions.items():
            _one(
                ResponseTemplate,
                match=("name", "language"),
                name=name,
                language=language,
                subject=subject,
                text=text,
                category_id=catalogue.categories[0],
            )


def _features() -> None:
    """All that there is, switched on."""
    for code in FEATURES:
        _one(Feature, match=("code",), code=code)
    for feature in db.session.scalars(sa.select(Feature)):
        feature.is_enabled = True
    db.session.flush()


def _group_discounts(catalogue: Catalogue, now: datetime) -> None:
    for group, percent in zip(catalogue.groups, (10, 15, 5), strict=False):
        values = {"group_id": group, "percent": Decimal(percent)}
        started = (now - timedelta(days=120)).date()
        _one(Discount, match=tuple(values), **values, starts_on=started, note="By contract")


def _saved_filters(catalogue: Catalogue) -> None:
    """Tabs over the client list that all staff see."""
    wanted = {
        "Good": {"characterization": str(catalogue.characterizations["good"])},
        "Conflict": {"characterization": str(catalogue.characterizations["conflict"])},
        "In debt": {"balance_below": "0"},
    }
    for name, parameters in wanted.items():
        owner = catalogue.staff["admin"]
        _one(
            SavedFilter, match=("owner_id", "name"), owner_id=owner, name=name, is_shared=True,
            parameters=parameters,
        )  # fmt: skip

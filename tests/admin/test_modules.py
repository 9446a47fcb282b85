"""Every module of the admin: its list, empty and with rows, and its records made, changed and deleted."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from extensions import db, now
from models import (
    AuditEvent,
    ClientUser,
    Feature,
    Product,
    Role,
    Setting,
    Staff,
    Ticket,
    TicketCategory,
    Violation,
)
from operations import passwords
from tests import cast as people_of
from tests import factories as make
from tests.cast import Cast, Desk
from tests.house.test_statements import LISTS
from tests.support import page as pages
from tests.support import violations
from tests.support.people import Person

# Fields of text, which come back as they were typed.
SHOWN_AGAIN = ("name", "note", "description", "text", "subject", "percent", "tax", "prices_price")
READ_ONLY = ("accounts", "services", "invoices", "payments", "expenses", "acts", "emails", "audit")


@dataclass
class Module:
    """What is made in a module: a good form, what each wrong field is told, and what is changed then."""

    name: str
    good: dict[str, Any]
    wrong: list[tuple[dict[str, Any], str, str]]
    changed: dict[str, Any]
    kept: dict[str, Any] = field(default_factory=dict)
    can_delete: bool = True

    def __str__(self) -> str:
        return self.name


EMPTY = "This field is required."
MODULES = [
    Module(
        "groups", {"name": " Retailers ", "description": "Many\nlines"},
        [({"name": ""}, "name", EMPTY), ({"name": "x" * 121}, "name", "longer than 120"), ({"name": "a\nb"}, "name", "cannot be kept"),
         ({"description": "x" * 20_001}, "description", "longer than 20000")],
        {"name": "Retail"}, {"name": "Retailers", "description": "Many\nlines"},
    ),
    Module(
        "projects",
        {"name": "Gamma", "website": "https://gamma.example", "support_email": "Desk@GAMMA.example", "currency": "RUB",
         "default_language": "ru", "credit_limit": "10,50", "is_active": "y"},
        [({"name": ""}, "name", EMPTY), ({"currency": "XXX"}, "currency", "valid choice"), ({"default_language": "de"}, "default_language", "Choose one"),
         ({"support_email": "nobody"}, "support_email", "This is no e-mail address."), ({"credit_limit": "-1"}, "credit_limit", "must not be below"),
         ({"credit_limit": "1.005"}, "credit_limit", "This is no amount"), ({"credit_limit": "１２"}, "credit_limit", "This is no amount"),
         ({"credit_limit": "NaN"}, "credit_limit", "This is no amount"), ({"credit_limit": "1e5"}, "credit_limit", "This is no amount")],
        {"name": "Gamma 2", "credit_limit": "0"},
        {"name": "Gamma", "support_email": "Desk@gamma.example", "currency": "RUB", "default_language": "ru", "credit_limit": Decimal("10.50"), "is_active": True},
    ),
    Module(
        "characterizations", {"name": "Late payer", "code": "late_payer", "icon": "clock", "color": "red"},
        [({"name": ""}, "name", EMPTY), ({"code": "Late Payer"}, "code", "Latin letters, digits and _"), ({"code": "points"}, "code", "Another badge"),
         ({"icon": "x"}, "icon", "valid choice"), ({"color": "javascript:alert(1)"}, "color", "valid choice")],
        {"name": "Pays late"}, {"code": "late_payer", "is_default": False},
    ),
    Module(
        "affiliate-programs", {"name": "Partners", "percent": "12.5", "is_active": "y"},
        [({"name": ""}, "name", EMPTY), ({"percent": "101"}, "percent", "From 0 to 100."), ({"percent": "-1"}, "percent", "must not be below"),
         ({"percent": "ten"}, "percent", "This is no amount"), ({"percent": ""}, "percent", "")],
        {"percent": "15"}, {"percent": Decimal("12.50"), "is_active": True},
    ),
    Module(
        "response-templates", {"name": "Closing", "language": "ru", "subject": "До свидания", "text": "Всего доброго, %client_person%!", "category": "1"},
        [({"name": ""}, "name", EMPTY), ({"language": "xx"}, "language", "Choose one"), ({"category": "999"}, "category", "Choose one"),
         ({"subject": "x" * 201}, "subject", "longer than 200")],
        {"subject": "Пока"}, {"language": "ru", "category_id": 1, "text": "Всего доброго, %client_person%!"},
    ),
    Module(
        "ticket-categories", {"name_en": "Sales", "name_ru": "Продажи", "responsible_role": "1", "is_news": "y", "is_active": "y"},
        [({"name_en": "", "name_ru": ""}, "name", "Give a name in one language at least."), ({"name_en": "x" * 121}, "name", "too long"),
         ({"responsible_role": "999"}, "responsible_role", "Choose one"), ({"responsible_staff": "1"}, "responsible_staff", "not both")],
        {"name_en": "Sales desk"}, {"name": {"en": "Sales", "ru": "Продажи"}, "is_news": True, "responsible_role_id": 1},
    ),
    Module(
        "payers",
        {"client": "CLIENT", "name": "ООО «Плательщик»", "legal_status": "company", "country": "RU", "tax_id": "7701234567",
         "registration_reason_code": "770101001", "postal_address": "Москва", "legal_address": "Казань", "email": "Pay@X.example", "phone": "123",
         "is_default": "y"},
        [({"client": ""}, "client", "Name one by its code."), ({"client": "999"}, "client", "There is none with this code."), ({"name": ""}, "name", EMPTY),
         ({"country": "XX"}, "country", "Choose a country"), ({"email": "nobody"}, "email", "This is no e-mail address."),
         ({"legal_status": "x"}, "legal_status", "Choose one"), ({"tax_id": "x" * 41}, "tax_id", "longer than 40")],
        {"name": "ООО «Другой»"}, {"tax_id": "7701234567", "email": "Pay@x.example", "is_default": True, "legal_status": "company"},
    ),
    Module(
        "discounts", {"client": "CLIENT", "percent": "15", "starts_on": "2026-01-01", "ends_on": "2026-12-31", "note": "loyal"},
        [({"percent": "", "amount": ""}, "percent", "one of the two"), ({"amount": "5"}, "percent", "one of the two"),
         ({"percent": "101"}, "percent", "From 0 to 100."), ({"percent": "-5"}, "percent", "must not be below"), ({"client": ""}, "client", "one of the two"),
         ({"group": "1"}, "client", "one of the two"), ({"ends_on": "2025-12-31"}, "ends_on", "It ends before it begins."),
         ({"starts_on": "tomorrow"}, "starts_on", "Not a valid date"), ({"product": "999"}, "product", "Choose one")],
        {"note": "very loyal"}, {"percent": Decimal(15), "starts_on": date(2026, 1, 1), "ends_on": date(2026, 12, 31)},
    ),
    Module(
        "products",
        {"name": "VPS", "type": "vps", "project": "1", "description": "Fast", "is_active": "y", "prices_period": ["month", "year"],
         "prices_currency": ["EUR", "EUR"], "prices_price": ["5,00", "50"]},
        [({"name": ""}, "name", EMPTY), ({"project": ""}, "project", "Choose one"), ({"project": "999"}, "project", "Choose one"),
         ({"prices_price": ["cheap", "50"]}, "prices", "This is no amount"), ({"prices_price": ["-1", "50"]}, "prices", "This is no amount"),
         ({"prices_currency": ["EUR", "XXX"]}, "prices", "Choose one"), ({"prices_period": ["month", "week"]}, "prices", "Choose one"),
         ({"prices_period": ["month", "month"]}, "prices", "There is one price for each period and currency.")],
        {"name": "VPS 2"}, {"type": "vps", "is_active": True, "description": "Fast"},
    ),
]  # fmt: skip


def filled(fields: dict[str, Any], cast: Cast) -> dict[str, Any]:
    return {name: str(cast.a.id) if text == "CLIENT" else text for name, text in fields.items()}


def newest(app: Flask, module: str) -> Any:
    model = app.extensions["desk_views"][module].model
    return db.session.scalars(sa.select(model).order_by(model.id.desc()).limit(1)).one()


# Lists


def test_every_list_opens_on_a_new_desk(app: Flask) -> None:
    with make.scene(app):
        person = Person(make.staff("olga", people_of._seeded("owner")).id)
    desk = people_of.log_in(app.test_client(), person)
    for module in LISTS:
        page = desk.page(f"/admin/{module}/")
        assert page.one("h1").text
        if not pages.row_ids(page):
            assert page.one(class_="nothing").text, module


@pytest.mark.heavy
def test_every_list_shows_its_rows_sorts_them_and_leads_to_each(app: Flask, cast: Cast, owner: Desk) -> None:
    owner.post("/admin/groups/new/", name="Audited")
    for module in LISTS:
        view = app.extensions["desk_views"][module]
        page = owner.page(f"/admin/{module}/")
        ids = pages.row_ids(page)
        assert ids, module
        assert owner.page(f"/admin/{module}/details/?id={ids[0]}").one("h1").text
        for sort in view.sortable:
            both = [owner.ids(f"/admin/{module}/?sort={direction}{sort}") for direction in ("", "-")]
            assert both[0] == both[1][::-1], (module, sort)
            assert set(both[0]) == set(ids)
        if "search" in view.known_filters:
            assert ids[0] in owner.ids(f"/admin/{module}/?search=%23{ids[0]}"), module
            assert owner.ids(f"/admin/{module}/?search=nothing+is+called+so") == []


def test_lists_of_correspondence_and_money_are_found_by_their_filters(cast: Cast, owner: Desk) -> None:
    records = cast.a.records
    queries = {
        "invoices/?status=new&issued_from=2026-03-01&issued_to=2026-03-01&search=INV": {
            records["invoices"],
            cast.b.records["invoices"],
        },
        "invoices/?status=paid": set(),
        "services/?status=active": {records["services"], cast.b.records["services"]},
        "services/?status=suspended": set(),
        "users/?owner=1&search=ann": {records["users"]},
        f"users/?client_id={cast.a.id}": {cast.a.owner.id, cast.a.limited.id},
        "accounts/?balance_above=99.99": {records["accounts"], cast.b.records["accounts"]},
        "accounts/?balance_below=100": set(),
        "violations/?status=open": {records["violations"], cast.b.records["violations"]},
        "payers/?search=PAYER+OF+ANNA": {records["payers"]},
        "payers/?legal_status=company": set(),
        "tickets/?search=ticket+of+anna": {records["tickets"]},
    }
    for query, ids in queries.items():
        assert set(owner.ids(f"/admin/{query}")) == ids, query
    for query in ("invoices/?status=late", "services/?product=999", "users/?client_id=x", "payments/?nonsense=1"):
        page = owner.page(f"/admin/{query}")
        assert pages.row_ids(page) == []
        assert pages.alerts(page)


@pytest.mark.parametrize("module", READ_ONLY)
@pytest.mark.engine("sqlite")
def test_money_letters_and_audit_are_only_read(app: Flask, cast: Cast, owner: Desk, module: str) -> None:
    number = cast.record(module)
    before = people_of.digest(app)
    page = owner.page(f"/admin/{module}/")
    links = {link["href"] for link in page.all("a", href=None)} | {
        link["data-href"] for link in page.all("a", data_href=None)
    }
    assert not any(f"/{module}/{verb}/" in link for link in links for verb in ("new", "edit", "delete"))
    for verb in ("new", "edit", "delete"):
        for answer in (
            owner.get(f"/admin/{module}/{verb}/?id={number}"),
            owner.post(f"/admin/{module}/{verb}/?id={number}", id=number),
        ):
            assert answer.status_code in {403, 404, 405}
    assert owner.post(f"/admin/{module}/ajax/update/", list_form_pk=number, amount="1").status_code == 403
    assert people_of.digest(app) == before


# Records


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_a_record_is_made_changed_and_deleted_and_what_is_wrong_is_said_beside_its_field(
    app: Flask, cast: Cast, owner: Desk, module: Module
) -> None:
    url = f"/admin/{module.name}/"
    good = filled(module.good, cast)
    before = people_of.digest(app)
    problems: list[Any] = []
    for changes, name, message in module.wrong:
        page = owner.refused(f"{url}new/", {**good, **changes})
        errors = pages.errors(page)
        if set(errors) != {name} or message not in errors[name]:
            problems.append((changes, errors))
        held = pages.values(page)
        for key, text in {**good, **changes}.items():
            typed = text if isinstance(text, list) else [text]
            shown = [value for value in held.get(key, [""]) if value or not isinstance(text, list)]
            is_lost = [value.split() for value in shown] != [value.split() for value in typed]
            if is_lost and key not in changes and key.startswith(SHOWN_AGAIN):
                problems.append((changes, "lost", key, shown))
    assert problems == []
    assert people_of.digest(app) == before

    answer = owner.post(f"{url}new/", good)
    assert answer.status_code == 302, pages.errors(pages.read(answer.text))
    assert pages.messages(owner.follow(answer))[0][0] == "success"
    with app.app_context():
        record = newest(app, module.name)
        number = record.id
        assert {name: getattr(record, name) for name in module.kept} == module.kept
        event = db.session.scalars(sa.select(AuditEvent).order_by(AuditEvent.id.desc())).first()
        assert event is not None
        assert (event.module, event.action, event.record_id, event.staff_id) == (
            module.name,
            "create",
            number,
            cast.owner.id,
        )
        assert event.client_id == getattr(record, "client_id", None)
    assert number in owner.ids(url)

    page = owner.page(f"{url}edit/?id={number}")
    fields = {**pages.values(page), **filled(module.changed, cast)}
    assert owner.post(f"{url}edit/?id={number}", fields).status_code == 302
    with app.app_context():
        event = db.session.scalars(sa.select(AuditEvent).order_by(AuditEvent.id.desc())).first()
        assert event is not None
        assert (event.module, event.action, event.record_id) == (module.name, "edit", number)
        assert set(event.before) == set(event.after) == {name.removesuffix("_en") for name in module.changed}
    late = owner.refused(f"{url}edit/?id={number}", fields)
    assert "Somebody else has changed this record meanwhile." in pages.alerts(late)

    page = owner.page(f"{url}delete/?id={number}")
    assert number in owner.ids(url)
    answer = owner.post(f"{url}delete/", pages.values(page))
    assert pages.messages(owner.follow(answer)) == [("success", "Deleted.")]
    assert number not in owner.ids(url)
    for gone in (
        owner.get(f"{url}edit/?id={number}"),
        owner.get(f"{url}details/?id={number}"),
        owner.post(f"{url}delete/", id=number),
    ):
        assert gone.status_code == 404


@pytest.mark.parametrize(
    ("module", "fields", "column", "taken"),
    [
        ("groups", {"name": "Wholesale"}, "name", "Wholesale"),
        (
            "projects",
            {"name": "Main", "currency": "EUR", "default_language": "en", "credit_limit": "0"},
            "name",
            "Main",
        ),
        ("affiliate-programs", {"name": "Friends", "percent": "1"}, "name", "Friends"),
        ("characterizations", {"name": "Good", "code": "good2", "icon": "heart", "color": "red"}, "", "Good"),
        ("response-templates", {"name": "Greeting", "language": "en"}, "name", "Greeting"),
    ],
)
def test_a_name_that_is_taken_is_told_and_makes_no_fault(
    app: Flask, cast: Cast, owner: Desk, module: str, fields: dict[str, str], column: str, taken: str
) -> None:
    before = people_of.digest(app)
    page = owner.refused(f"/admin/{module}/new/", fields)
    assert (
        "is there another with the same name?" in page.one(id="form-errors").text
        or "Already exists" in page.one(id="form-errors").text
    )
    assert pages.values(page)["name"] == [taken]
    assert people_of.digest(app) == before
    if column:
        with make.scene(app):
            other = {"groups": make.group, "projects": make.project, "affiliate-programs": make.program,
                     "response-templates": make.template}[module]("Other").id  # fmt: skip
        answer = owner.post(f"/admin/{module}/ajax/update/", {"list_form_pk": other, column: taken})
        assert answer.status_code == 400
        assert answer.mimetype == "text/plain"


def test_what_is_in_use_is_not_deleted_and_it_is_said(app: Flask, cast: Cast, owner: Desk) -> None:
    with app.app_context():
        in_use = {
            "projects": cast.project_a,
            "products": db.session.scalars(sa.select(Product.id).order_by(Product.id)).first(),
            "characterizations": make.characterization("ordinary").id,
            "ticket-categories": db.session.scalars(sa.select(TicketCategory.id).order_by(TicketCategory.id)).first(),
            "payers": cast.a.records["payers"],
            "users": cast.a.owner.id,
            "roles": people_of._seeded("support").id,
        }
    before = people_of.digest(app)
    for module, number in in_use.items():
        answer = owner.post(f"/admin/{module}/delete/", id=number)
        page = owner.follow(answer)
        assert pages.messages(page)[0][0] == "error", module
    assert people_of.digest(app) == before


def test_the_prices_of_a_product_are_kept_changed_and_taken_away(app: Flask, cast: Cast, owner: Desk) -> None:
    good = {
        "name": "VPS",
        "type": "vps",
        "project": "1",
        "prices_period": ["month", "year"],
        "prices_currency": ["EUR", "RUB"],
        "prices_price": ["5,00", "500.5"],
    }
    assert owner.post("/admin/products/new/", good).status_code == 302

    def prices() -> dict[tuple[str, str], Decimal]:
        with app.app_context():
            return {(price.period.value, price.currency): price.price for price in newest(app, "products").prices}

    assert prices() == {("month", "EUR"): Decimal("5.00"), ("year", "RUB"): Decimal("500.50")}
    with app.app_context():
        number = newest(app, "products").id
    page = owner.page(f"/admin/products/edit/?id={number}")
    held = pages.values(page)
    assert [text for text in held["prices_price"] if text] == ["5.00", "500.50"]
    held["prices_price"] = ["6.00", *[""] * (len(held["prices_price"]) - 1)]
    assert owner.post(f"/admin/products/edit/?id={number}", held).status_code == 302
    assert prices() == {("month", "EUR"): Decimal("6.00")}
    with app.app_context():
        events = db.session.scalars(
            sa.select(AuditEvent).where(AuditEvent.module == "products").order_by(AuditEvent.id)
        ).all()
        told = [(event.action, event.before.get("price"), event.after.get("price")) for event in events[-2:]]
        assert told == [("edit", "5.00", "6.00"), ("delete", "500.50", None)]
        mine = [event.record_id for event in events if event.after.get("name") != "Product of Anna Alpha"]
        assert set(mine[-5:]) == {number}, "a price is a part of its product"


# Cells


def test_cells_of_other_lists_are_edited_in_place(app: Flask, cast: Cast, owner: Desk) -> None:
    with app.app_context():
        feature = db.session.scalars(sa.select(Feature).where(Feature.code == "self_registration")).one().id

    def change(module: str, number: int, **fields: str) -> tuple[int, Any]:
        answer = owner.post(f"/admin/{module}/ajax/update/", list_form_pk=number, **fields)
        return answer.status_code, answer.json["value"] if answer.status_code == 200 else answer.text

    assert change("features", feature, is_enabled="1") == (200, "1")
    assert change("features", feature, is_enabled="0") == (200, "0")
    assert change("groups", cast.records["groups"], name="  New name ") == (200, "New name")
    assert change("groups", cast.records["groups"], name="")[0] == 400
    assert change("payers", cast.a.records["payers"], email="nobody") == (400, "This is no e-mail address.")
    assert change("payers", cast.a.records["payers"], tax_id="77") == (200, "77")
    assert change("discounts", cast.a.records["discounts"], note="x" * 301)[0] == 400
    assert change("users", cast.a.limited.id, is_active="0") == (200, "0")
    assert change("users", cast.a.limited.id, language="xx")[0] == 400
    assert change("affiliate-programs", cast.records["affiliate-programs"], percent="101") == (400, "From 0 to 100.")
    assert change("ticket-categories", 1, is_active="0") == (200, "0")
    assert change("users", cast.a.limited.id, is_owner="1")[0] == 403
    assert change("users", cast.a.limited.id, username="root")[0] == 403


def test_a_user_who_is_switched_off_is_out_at_once(app: Flask, cast: Cast, owner: Desk) -> None:
    inside = people_of.log_in(app.test_client(), cast.a.limited)
    assert inside.get("/panel/profile/").status_code == 200
    owner.post("/admin/users/ajax/update/", list_form_pk=cast.a.limited.id, is_active="0")
    assert inside.get("/panel/profile/").status_code == 302


def test_users_are_edited_and_removed_but_not_the_owner(app: Flask, cast: Cast, owner: Desk) -> None:
    url = f"/admin/users/edit/?id={cast.a.limited.id}"
    fields = pages.values(owner.page(url))
    assert "password_hash" not in fields
    assert (
        owner.post(
            url, {**fields, "email": " NEW@x.example ", "phone": "1", "is_owner": "y", "client": cast.b.id}
        ).status_code
        == 302
    )
    with app.app_context():
        user = db.session.get_one(ClientUser, cast.a.limited.id)
        assert (user.email, user.phone, user.is_owner, user.client_id) == ("new@x.example", "1", False, cast.a.id)
    taken = pages.values(owner.page(url))
    page = owner.refused(url, {**taken, "email": "anna@users.example"})
    assert page.one(id="form-errors").text
    assert pages.values(page)["email"] == ["anna@users.example"]
    owner.follow(owner.post("/admin/users/delete/", id=cast.a.limited.id))
    with app.app_context():
        assert db.session.get(ClientUser, cast.a.limited.id) is None
    page = owner.follow(owner.post("/admin/users/delete/", id=cast.a.owner.id))
    assert pages.messages(page) == [("error", "The owner user cannot be removed.")]


# Staff and roles


STRONG = "another horse battery 2"


def test_staff_are_made_and_changed(app: Flask, cast: Cast, owner: Desk) -> None:
    with app.app_context():
        support = people_of._seeded("support").id
    good = {"username": " NewComer ", "full_name": "New Comer", "email": "N@X.example", "role": str(support), "language": "ru",
            "time_zone": "Europe/Moscow", "is_active": "y", "password": STRONG}  # fmt: skip
    for changes, name, message in (
        ({"username": ""}, "username", EMPTY),
        ({"username": "нет"}, "username", "A username has Latin letters"),
        ({"email": "nobody"}, "email", "This is no e-mail address."),
        ({"role": ""}, "role", "Choose one"),
        ({"role": "999"}, "role", "Choose one"),
        ({"time_zone": "Mars/Olympus"}, "time_zone", "valid choice"),
        ({"password": ""}, "password", "Enter a password, please."),
        ({"password": "short 1"}, "password", "At least 12 characters"),
        ({"password": "only letters here"}, "password", "Latin letters and digits"),
    ):
        errors = pages.errors(owner.refused("/admin/staff/new/", {**good, **changes}))
        assert set(errors) == {name}, (changes, errors)
        assert message in errors[name]
    assert owner.post("/admin/staff/new/", good).status_code == 302
    with app.app_context():
        staff = newest(app, "staff")
        assert (staff.username, staff.email, staff.role.name, staff.must_change_password) == (
            "newcomer",
            "N@x.example",
            "Support",
            True,
        )
        assert passwords.verify(staff.password_hash, STRONG)
        number = staff.id
        events = db.session.scalars(sa.select(AuditEvent).where(AuditEvent.module == "staff")).all()
        assert STRONG not in str([(event.before, event.after) for event in events])
        assert "argon2" not in str([(event.before, event.after) for event in events])
    page = owner.refused("/admin/staff/new/", {**good, "username": "NEWCOMER"})
    assert page.one(id="form-errors").text
    assert pages.values(page)["password"] == [""]
    url = f"/admin/staff/edit/?id={number}"
    fields = {**pages.values(owner.page(url)), "full_name": "Renamed", "password": ""}
    assert owner.post(url, fields).status_code == 302
    with app.app_context():
        staff = db.session.get_one(Staff, number)
        assert passwords.verify(staff.password_hash, STRONG), "an empty password leaves it as it is"
    assert owner.get(f"/admin/staff/delete/?id={number}").status_code == 403


def test_a_password_set_by_another_ends_the_persons_sessions(
    app: Flask, cast: Cast, owner: Desk, log_in: Callable[[str], Desk]
) -> None:
    support = log_in("support")
    url = f"/admin/staff/edit/?id={cast.support.id}"
    assert owner.post(url, {**pages.values(owner.page(url)), "password": STRONG}).status_code == 302
    assert support.get("/admin/").status_code == 302
    with app.app_context():
        assert db.session.get_one(Staff, cast.support.id).must_change_password


def test_nobody_gives_a_right_that_he_has_not_nor_touches_somebody_stronger(
    app: Flask, cast: Cast, log_in: Callable[[str], Desk]
) -> None:
    with make.scene(app):
        limited = make.role(
            "Staff office", "staff.view", "staff.edit", "roles.view", "roles.edit", "roles.create", "clients.view"
        )
        clerk = Person(make.staff("clerk", limited).id)
        ids = {role.name: role.id for role in db.session.scalars(sa.select(Role))}
    desk = people_of.log_in(app.test_client(), clerk)
    before = people_of.digest(app)
    told = "This role has rights that you do not have."
    new = {"username": "friend", "language": "en", "time_zone": "UTC", "is_active": "y", "password": STRONG}
    assert pages.errors(desk.refused("/admin/staff/new/", {**new, "role": ids["Owner"]})) == {"role": told}
    own = f"/admin/staff/edit/?id={clerk.id}"
    assert pages.errors(desk.refused(own, {**pages.values(desk.page(own)), "role": ids["Owner"]})) == {"role": told}
    stronger = f"/admin/staff/edit/?id={cast.owner.id}"
    fields = pages.values(desk.page(stronger))
    for changes in (
        {"password": STRONG},
        {"role": ids["Staff office"]},
        {"is_active": ""},
        {"username": "renamed"},
        {"email": "x@x.example"},
    ):
        tried = {name: value for name, value in {**fields, **changes}.items() if value != ""}
        assert set(pages.errors(desk.refused(stronger, tried))) == {"role"}, changes
    role = f"/admin/roles/edit/?id={ids['Staff office']}"
    held = pages.values(desk.page(role))
    assert "permissions" in pages.errors(
        desk.refused(role, {**held, "permissions": [*held["permissions"], "money.post"]})
    )
    assert "permissions" in pages.errors(
        desk.refused("/admin/roles/new/", {"name": "Mine", "permissions": ["clients.delete"]})
    )
    other = f"/admin/roles/edit/?id={ids['Auditor']}"
    held = pages.values(desk.page(other))
    assert "permissions" in pages.errors(desk.refused(other, {**held, "permissions": ["clients.view"]})), (
        "nor takes one away"
    )
    assert people_of.digest(app) == before


def test_somebody_remains_who_may_edit_staff(app: Flask, cast: Cast, owner: Desk) -> None:
    url = f"/admin/staff/edit/?id={cast.owner.id}"
    fields = pages.values(owner.page(url))
    with app.app_context():
        support, owners = people_of._seeded("support").id, people_of._seeded("owner").id
    before = people_of.digest(app)
    disabled = {name: value for name, value in fields.items() if name != "is_active"}
    assert pages.errors(owner.refused(url, disabled)) == {
        "is_active": "Somebody must remain who may log in and edit staff."
    }
    assert pages.errors(owner.refused(url, {**fields, "role": support}))
    role = f"/admin/roles/edit/?id={owners}"
    held = pages.values(owner.page(role))
    held["permissions"] = [right for right in held["permissions"] if right != "staff.edit"]
    page = owner.refused(role, held)
    assert "Somebody must remain who may log in and edit staff." in page.one(id="form-errors").text
    assert people_of.digest(app) == before
    with make.scene(app):
        make.staff("second", db.session.get(Role, owners))
    assert owner.post(url, disabled).status_code == 302
    assert owner.get("/admin/").status_code == 302


@pytest.mark.timeout(120)
def test_two_who_disable_each_other_at_once_leave_one(app: Flask, cast: Cast) -> None:
    with make.scene(app):
        people = [Person(make.staff(name, people_of._seeded("owner")).id) for name in ("first", "second")]
        db.session.get_one(Staff, cast.owner.id).is_active = False
    for _round in range(4):
        with make.scene(app):
            db.session.execute(sa.update(Staff).where(Staff.id.in_([one.id for one in people])).values(is_active=True))
        desks = [people_of.log_in(app.test_client(), person) for person in people]
        urls = [f"/admin/staff/edit/?id={other.id}" for other in reversed(people)]
        left_out = {"is_active", "row_version"}
        forms = [
            {name: value for name, value in pages.values(desk.page(url)).items() if name not in left_out}
            for desk, url in zip(desks, urls, strict=True)
        ]
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda desk, url, form: desk.post(url, form), desks, urls, forms))
        with app.app_context():
            active = set(db.session.scalars(sa.select(Staff.id).where(Staff.is_active)))
        assert len(active & {one.id for one in people}) == 1


def test_roles_are_made_with_known_rights_only(app: Flask, cast: Cast, owner: Desk) -> None:
    good = {"name": "Sales", "permissions": ["clients.view", "clients.create"]}
    assert pages.errors(owner.refused("/admin/roles/new/", {**good, "name": ""}))
    assert "permissions" in pages.errors(owner.refused("/admin/roles/new/", {**good, "permissions": ["root"]}))
    assert owner.post("/admin/roles/new/", good).status_code == 302
    with app.app_context():
        role = newest(app, "roles")
        assert role.permissions == ["clients.view", "clients.create"]
        number = role.id
    url = f"/admin/roles/edit/?id={number}"
    assert pages.values(owner.page(url))["permissions"] == ["clients.view", "clients.create"]
    owner.follow(owner.post(url, {**pages.values(owner.page(url)), "permissions": []}))
    with app.app_context():
        assert db.session.get_one(Role, number).permissions == []
    assert pages.messages(owner.follow(owner.post("/admin/roles/delete/", id=number))) == [("success", "Deleted.")]


# Settings


def test_settings_are_kept_when_all_of_them_make_sense(app: Flask, cast: Cast, owner: Desk) -> None:
    held = {name: value[0] for name, value in pages.values(owner.page("/admin/settings/")).items()}
    assert (held["recall_minutes"], held["impersonation_minutes"]) == ("5", "60")
    for changes, name in (
        ({"recall_minutes": "-1"}, "recall_minutes"),
        ({"recall_minutes": "1441"}, "recall_minutes"),
        ({"impersonation_minutes": "0"}, "impersonation_minutes"),
        ({"impersonation_minutes": "an hour"}, "impersonation_minutes"),
        ({"impersonation_minutes": "٣"}, "impersonation_minutes"),
        ({"provider_name": "x" * 201}, "provider_name"),
    ):
        page = owner.refused(
            "/admin/settings/", {**held, **changes, "recall_minutes": changes.get("recall_minutes", "7")}
        )
        assert set(pages.errors(page)) == {name}, changes
        assert pages.values(page)[name] == [changes[name]]
    with app.app_context():
        assert db.session.scalar(sa.select(sa.func.count(Setting.id))) == 0
    assert (
        owner.post("/admin/settings/", {**held, "recall_minutes": "9", "provider_name": "Hosting & Co"}).status_code
        == 302
    )
    page = owner.page("/admin/settings/")
    assert pages.values(page)["recall_minutes"] == ["9"]
    with app.app_context():
        events = db.session.scalars(sa.select(AuditEvent).where(AuditEvent.module == "settings")).all()
        assert {event.after.get("code") for event in events} == {"recall_minutes", "provider_name"}


@pytest.mark.engine("sqlite")
def test_a_switch_is_turned_by_ticking_and_unticking(cast: Cast, owner: Desk) -> None:
    def held() -> dict[str, str]:
        values = pages.values(owner.page("/admin/settings/"))
        return {name: value[0] for name, value in values.items() if name != "csrf_token"}  # It holds the time.

    before = held()
    assert ("impersonation_enabled" in before, "impersonation_reason" in before) == (True, False)
    turned = {**before, "impersonation_reason": "y"}
    del turned["impersonation_enabled"]
    assert owner.post("/admin/settings/", turned).status_code == 302
    after = held()
    assert ("impersonation_enabled" in after, "impersonation_reason" in after) == (False, True)
    owner.post("/admin/settings/", before)
    assert held() == before


def test_only_who_may_changes_settings(app: Flask, cast: Cast, log_in: Callable[[str], Desk]) -> None:
    auditor = log_in("auditor")
    assert auditor.get("/admin/settings/").status_code == 200
    assert auditor.post("/admin/settings/", recall_minutes="9").status_code == 403
    assert log_in("support").get("/admin/settings/").status_code == 403


def test_the_home_page_leads_to_what_waits(app: Flask, cast: Cast, owner: Desk, log_in: Callable[[str], Desk]) -> None:
    page = owner.page("/admin/")
    tiles = {tile.one(class_="label").text: tile for tile in page.all("a", class_="tile")}
    assert tiles["Tickets waiting for staff"].one(class_="figure").text == "4"
    for tile in tiles.values():
        assert pages.alerts(owner.page(tile["href"])) == "", "its list understands the address"
    assert "Worth setting" in page.text
    assert "Worth setting" not in log_in("support").page("/admin/").text


def tiles_of(desk: Desk) -> dict[str, tuple[str, str, str]]:
    """What stands on the home page: for each label its figure, the note below it, and where it leads."""

    def text(tile: Any, name: str) -> str:
        return "".join(each.text for each in tile.all(class_=name))

    return {
        text(tile, "label"): (text(tile, "figure"), text(tile, "note"), tile["href"])
        for tile in desk.page("/admin/").all("a", class_="tile")
    }


def test_the_home_page_says_what_of_the_waiting_tickets_is_mine(app: Flask, cast: Cast, owner: Desk) -> None:
    assert tiles_of(owner)["Tickets waiting for staff"] == ("4", "", "/admin/tickets/?status=waiting_staff")
    with app.app_context():
        ticket = db.session.scalars(sa.select(Ticket).where(Ticket.status == "waiting_staff")).first()
        assert ticket is not None
        ticket.assignee = db.session.scalars(sa.select(Staff).where(Staff.username == "owner")).one()
        db.session.commit()
    assert tiles_of(owner)["Tickets waiting for staff"][:2] == ("4", "1 assigned to you")


def test_the_home_page_says_which_violations_are_due_and_which_were_answered(
    app: Flask, cast: Cast, owner: Desk, log_in: Callable[[str], Desk]
) -> None:
    with app.app_context():
        before = db.session.scalar(sa.select(sa.func.count(Violation.id)).where(Violation.status == "open")) or 0
        for hours in (23, 25):
            violations.violation(hours=hours)
        violations.violation(hours=30, status="answered")
        gone = violations.client_with_services()
        violations.violation(gone, hours=1)
        gone.deleted_at = now()
        db.session.commit()
        due = db.session.scalar(
            sa.select(sa.func.count(Violation.id)).where(
                Violation.status == "open",
                Violation.deadline <= now() + timedelta(days=1),
                Violation.client_id != gone.id,
            )
        )
    tiles = tiles_of(owner)
    assert tiles["Open violations"] == (
        str(before + 2), f"{due} due within 24 hours", "/admin/violations/?status=open&sort=deadline",
    )  # fmt: skip
    assert tiles["Violations answered"][0] == "1"
    assert "status=answered" in tiles["Violations answered"][2]
    assert len(owner.page(tiles["Open violations"][2]).all("tr", data_id=None)) == before + 2
    assert not any("iolation" in label for label in tiles_of(log_in("accountant")))
    with app.app_context():
        violations.switch(False)
    assert not any("iolation" in label for label in tiles_of(owner))


def test_the_home_page_says_that_a_mailing_is_paused(app: Flask, cast: Cast, owner: Desk) -> None:
    """The letter that tells its sender may be held up by the very fault that paused it."""
    assert "Mailings paused" not in tiles_of(owner)
    with app.app_context():
        make.mailing(make.staff("sender"), status="paused")
        db.session.commit()
    assert tiles_of(owner)["Mailings paused"] == ("1", "", "/admin/mailings/?status=paused")

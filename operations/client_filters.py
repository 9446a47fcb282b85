"""The filters of the client list: the manual page's, and what staff of a provider ask for besides."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from flask_babel import get_locale, lazy_pgettext
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from extensions import db, now
from models import (
    Characterization,
    Client,
    ClientGroup,
    Language,
    LegalStatus,
    PenaltyPoint,
    Product,
    Project,
    Service,
    ServiceStatus,
    client_group_members,
)
from operations import countries
from operations.filters import (
    Amount,
    Asked,
    Condition,
    Day,
    Filter,
    Number,
    OneOf,
    Part,
    Record,
    Yes,
    conditions,
    read,
)

# From so many characters on, a part of a word is found through the index of its triples.
TRIPLE = 3
client_search = sa.table("client_search", sa.column("rowid"), sa.column("client_search"))


def _in_search(column: str, text: str) -> Condition:
    """SQLite's full-text index: `text` as a phrase of triples in one column."""
    phrase = '{} : "{}"'.format(column, text.replace('"', '""'))
    return Client.id.in_(sa.select(client_search.c.rowid).where(client_search.c.client_search.op("MATCH")(phrase)))


def _is_sqlite() -> bool:
    return db.engine.dialect.name == "sqlite"


class NamePart(Part):
    def condition(self, value: str) -> Condition:
        if _is_sqlite() and len(value) >= TRIPLE:
            return _in_search("name", value)
        return super().condition(value)


class Search(Filter):
    """A part of code, name, username, company, contact person, e-mail or phone."""

    def clean(self, text: str) -> str:
        """The text; of a code as it stands in headings, the number alone."""
        number = super().clean(text).removeprefix("#")
        return number if number.isdigit() else text

    def condition(self, value: str) -> Condition:
        if not _is_sqlite():
            return Client.search_text.contains(value.lower(), autoescape=True)
        if len(value) >= TRIPLE:
            return _in_search("search_text", value)
        return sa.func.lower(Client.search_text).contains(value.lower(), autoescape=True)


def _with_active_product(product_id: int) -> Condition:
    return Client.id.in_(
        sa.select(Service.client_id).where(Service.product_id == product_id, Service.status == ServiceStatus.ACTIVE)
    )


def _in_group(group_id: int) -> Condition:
    return Client.id.in_(sa.select(client_group_members.c.client_id).where(client_group_members.c.group_id == group_id))


def _not_in_group(group_id: int) -> Condition:
    """Asked row by row: the others are nearly always the larger side."""
    member = client_group_members.c
    return ~sa.exists().where(member.client_id == Client.id, member.group_id == group_id).correlate(Client)


def _of_other_characterization(characterization_id: int) -> Condition:
    return sa.and_(Client.characterization_id != characterization_id)


def has_points() -> Condition:
    return Client.id.in_(sa.select(PenaltyPoint.client_id).where(PenaltyPoint.expires_at > now()))


def is_referred() -> Condition:
    return sa.or_(Client.referrer_id.is_not(None), Client.affiliate_program_id.is_not(None))


def _countries() -> list[tuple[str, str]]:
    return countries.choices(str(get_locale() or "en"))


FILTERS: dict[str, Filter] = {
    one.key: one
    for one in (
        Number("id", _l("Code"), Client.id),
        NamePart("name", _l("Name"), Client.name),
        Record("project", _l("Project"), Client.project_id, Project),
        Record("product", _l("Active product"), None, Product, _with_active_product),
        OneOf("language", _l("Interface language"), Client.language, Language),
        Day("registered_from", _l("Registered from"), Client.registered_at),
        Day("registered_to", _l("Registered to"), Client.registered_at, upper=True),
        Record("group", _l("Group"), None, ClientGroup, _in_group),
        Record("not_group", _l("Not in the group"), None, ClientGroup, _not_in_group),
        Record("characterization", _l("Characterization"), Client.characterization_id, Characterization),
        Record(
            "not_characterization", _l("Characterization is not"), None, Characterization, _of_other_characterization
        ),
        OneOf("legal_status", lazy_pgettext("customer", "Status"), Client.legal_status, LegalStatus),
        OneOf("country", _l("Country"), Client.country, _countries),
        Amount("balance_below", _l("Balance below"), Client.balance, above=False),
        Amount("balance_above", _l("Balance above"), Client.balance, above=True),
        Yes("has_points", _l("Has penalty points"), has_points),
        Yes("referred", _l("Brought by a partner"), is_referred),
        Search("search", _l("Search")),
    )
}


CHOSEN_FROM: dict[str, Any] = {
    "project": Project,
    "product": Product,
    "group": ClientGroup,
    "characterization": Characterization,
}


def choices() -> dict[str, list[tuple[str, str]]]:
    """What the filters that choose a record offer, all found with one statement."""
    parts = []
    for key, model in CHOSEN_FROM.items():
        code = model.code if model is Characterization else sa.literal("")
        parts.append(sa.select(sa.literal(key).label("key"), model.id, model.name, code.label("code")))
    rows = sa.union_all(*parts).subquery()
    found: dict[str, list[tuple[str, str]]] = {key: [] for key in CHOSEN_FROM}
    for key, number, name, code in db.session.execute(sa.select(rows).order_by(rows.c.key, rows.c.id)):
        label = named_characterization(code, name) if key == "characterization" else name
        found[key].append((str(number), label))
    return found | {f"not_{key}": found[key] for key in ("group", "characterization")}


def named_characterization(code: str, name: str) -> str:
    """The seeded characterizations are translated, the owner's own stand as he named them."""
    seeded = {
        "ordinary": ("Ordinary", _("Ordinary")),
        "good": ("Good", _("Good")),
        "conflict": ("Conflict", _("Conflict")),
    }
    original, translated = seeded.get(code, ("", ""))
    return translated if name == original else name


def understand(parameters: Iterable[tuple[str, str]], *, known: Iterable[str] = ()) -> Asked:
    """What `parameters` ask of the client list."""
    return read(parameters, FILTERS, known=known)


def client_ids(asked: Asked) -> sa.Select[Any]:
    """The ids of living clients that match."""
    return sa.select(Client.id).where(Client.deleted_at.is_(None), *conditions(asked, FILTERS))


def in_words(asked: Asked) -> list[str]:
    """The filter as a person reads it, a condition each."""
    return [f"{FILTERS[name].label}: {FILTERS[name].shown(value)}" for name, value in asked.values.items()]

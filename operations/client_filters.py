"""The filters of the client list: the manual page's, and what staff of a provider ask for besides."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from flask_babel import get_locale, lazy_pgettext
from flask_babel import lazy_gettext as _l

from extensions import db, now, plain_rows
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
from operations import countries, custom_filters, sides
from operations.bulk import among
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
    read,
)
from operations.sides import by_order, unindexed, walked

# From so many characters on, a part of a word is found through the index of its triples.
TRIPLE = 3
# So many places in which a shorter part stands are looked through in some ten milliseconds.
MANY_PLACES = 200_000
# So many hits of a part that no index helps to find are kept, so as not to look for them again.
MOST_KEPT = 10_000
client_search = sa.table("client_search", sa.column("rowid"), sa.column("client_search"))
client_search_grams = sa.table("client_search_grams", sa.column("doc"), sa.column("term"), sa.column("col"))


def _in_search(column: str, text: str) -> sa.Select[Any]:
    """The ids that SQLite's full-text index has for `text`, a phrase of triples in one column."""
    phrase = '{} : "{}"'.format(column, text.replace('"', '""'))
    return sa.select(client_search.c.rowid).where(client_search.c.client_search.op("MATCH")(phrase))


def _beginning_a_triple(column: str, text: str) -> sa.Select[Any]:
    """The ids, once for each place, where one of the index's triples begins with `text`.

    That finds all places, as what is indexed ends with two blanks.
    """
    grams, low = client_search_grams.c, text.lower()
    return sa.select(grams.doc).where(grams.term >= low, grams.term < low[:-1] + _after(low[-1]), grams.col == column)


def _after(character: str) -> str:
    """The character that follows; none lies among the halves of characters."""
    following = ord(character) + 1
    return chr(0xE000 if 0xD800 <= following < 0xE000 else min(following, 0x10FFFF))


def _in_text(column: Any, name: str, value: str) -> Condition:
    """Whether `value` is part of `column` (called `name` in the index), blind to case; for SQLite."""
    in_row = sides.part_of_row(column, value)
    if len(value) >= TRIPLE:
        return _few_or(_in_search(name, value), in_row, (name, value))
    places = _beginning_a_triple(name, value)
    # What stands in very many places is found soon by walking.
    if not sides.are_few(places, MANY_PLACES, question=("places", name, value)):
        return in_row
    return _few_or(places, in_row, ("places", name, value))


def _few_or(rows: sa.Select[Any], in_row: Condition, question: Hashable) -> Condition:
    """The clients with the ids `rows`, found from the smaller side; `in_row` says of one row whether it is one."""
    if sides.are_few(rows, question=question):
        return sides.from_few(Client.id, rows)
    return in_row if sides.knows_itself() else by_order(in_row, Client.id.in_(rows))


def _where_triples_are_known(in_row: Condition, name: str, value: str) -> Condition:
    """For PostgreSQL. It finds no index for one or two letters: rows are looked through, and only once."""
    rows = sa.select(Client.id).where(in_row)
    if len(value) >= TRIPLE:
        return _few_or(rows, in_row, (name, value))
    ids = list(db.session.scalars(rows.limit(MOST_KEPT + 1)))
    return among(db.session.connection(), Client.id, ids) if len(ids) <= MOST_KEPT else in_row


class NamePart(Part):
    def condition(self, value: str) -> Condition:
        if not sides.knows_itself():
            return _in_text(Client.name, "name", value)
        in_name = super().condition(value)
        if len(value) < TRIPLE:
            # The text of the search is in lower case already, and every name is part of it.
            in_name = sa.and_(Client.search_text.contains(value.lower(), autoescape=True), in_name)
        return _where_triples_are_known(in_name, "name", value)


class Search(Filter):
    """A part of code, name, username, company, contact person, e-mail or phone."""

    def clean(self, text: str) -> str:
        """The text; of a code as it stands in headings, the number alone."""
        number = super().clean(text).removeprefix("#")
        return number if number.isdigit() else text

    def condition(self, value: str) -> Condition:
        if sides.knows_itself():
            in_row = Client.search_text.contains(value.lower(), autoescape=True)
            return _where_triples_are_known(in_row, "search_text", value)
        return _in_text(Client.search_text, "search_text", value)


def _among(ids: sa.Select[Any], in_row: Condition, question: Hashable) -> Condition:
    """Whether the client is among `ids`, which `in_row` says of one row."""
    return sides.among(Client.id, ids, in_row, question)


def _with_active_product(product_id: int) -> Condition:
    having = sa.and_(Service.product_id == product_id, Service.status == ServiceStatus.ACTIVE)
    return _among(sa.select(Service.client_id).where(having), _has(Service.client_id, having), ("product", product_id))


def _membership(group_id: int) -> tuple[Any, Condition]:
    member = client_group_members.c
    return member.client_id, sa.and_(member.group_id == group_id)


def _in_group(group_id: int) -> Condition:
    client_id, having = _membership(group_id)
    return _among(sa.select(client_id).where(having), _has(client_id, having), ("group", group_id))


def _not_in_group(group_id: int) -> Condition:
    """Asked row by row: the others are nearly always the larger side."""
    return ~_has(*_membership(group_id))


def _has(client_id: Any, having: Condition) -> Condition:
    return sa.exists().where(client_id == Client.id, having).correlate(Client)


def _of_other_characterization(characterization_id: int) -> Condition:
    return sa.and_(Client.characterization_id != characterization_id)


def has_points() -> Condition:
    having = sa.and_(PenaltyPoint.expires_at > now())
    return _among(sa.select(PenaltyPoint.client_id).where(having), _has(PenaltyPoint.client_id, having), "points")


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


# Asked of columns that stand together in the index ix_clients_facets.
FACETS = frozenset(
    {
        "project", "language", "registered_from", "registered_to", "characterization", "not_characterization",
        "legal_status", "country", "balance_below", "balance_above", "referred",
    }
)  # fmt: skip
SEEDED = {"ordinary": _l("Ordinary"), "good": _l("Good"), "conflict": _l("Conflict")}
SEEDED_NAMES = {"ordinary": "Ordinary", "good": "Good", "conflict": "Conflict"}
CHOSEN_FROM: dict[str, Any] = {
    "project": Project,
    "product": Product,
    "group": ClientGroup,
    "characterization": Characterization,
}


def choices() -> dict[str, list[tuple[str, str]]]:
    """What the filters that choose a record offer, all found with one statement."""
    found: dict[str, list[tuple[str, str]]] = {key: [] for key in CHOSEN_FROM}
    for key, number, name, code in plain_rows(_all_choices()):
        label = named_characterization(code, name) if key == "characterization" else name
        found[key].append((str(number), label))
    return found | {f"not_{key}": found[key] for key in ("group", "characterization")}


def known_filters() -> dict[str, Filter]:
    """All filters by their keys: those of every desk, and those of this one's custom fields."""
    custom = custom_filters.known()
    return FILTERS | custom if custom else FILTERS


@lru_cache(maxsize=1)
def _all_choices() -> Any:
    parts = []
    for key, model in CHOSEN_FROM.items():
        code = model.code if model is Characterization else sa.literal("")
        parts.append(sa.select(sa.literal(key).label("key"), model.id, model.name, code.label("code")))
    rows = sa.union_all(*parts).subquery()
    return sa.select(rows).order_by(rows.c.key, rows.c.id)


def named_characterization(code: str, name: str) -> str:
    """The seeded characterizations are translated, the owner's own stand as he named them."""
    return str(SEEDED[code]) if code in SEEDED and name == SEEDED_NAMES[code] else name


def understand(parameters: Iterable[tuple[str, str]], *, known: Iterable[str] = ()) -> Asked:
    """What `parameters` ask of the client list."""
    return read(parameters, known_filters(), known=known)


def client_ids(asked: Asked) -> sa.Select[Any]:
    """The ids of living clients that match."""
    return sa.select(Client.id).where(Client.deleted_at.is_(None), *conditions(asked))


def conditions(asked: Asked) -> list[Condition]:
    """The conditions asked for, written so that few rows are looked at."""
    custom = custom_filters.known()
    # Of a field that went meanwhile nothing can be asked, and that must not widen the list.
    if asked.misunderstood or any(key not in FILTERS and key not in custom for key in asked.values):
        return [sa.false()]
    found = {key: FILTERS[key].condition(value) for key, value in asked.values.items() if key in FILTERS}
    rest = custom_filters.conditions({custom[key]: value for key, value in asked.values.items() if key in custom})
    if sides.knows_itself():
        return [*found.values(), *rest]
    facets = {key: condition for key, condition in found.items() if key in FACETS}
    question = tuple((key, asked.texts[key]) for key in facets)
    others = (condition for key, condition in found.items() if key not in FACETS)
    return [*_of_facets(facets, question), *others, *rest]


def _of_facets(facets: dict[str, Condition], question: Hashable) -> list[Condition]:
    """Conditions on columns of the client: as one set where few fulfil them all, else asked on the way."""
    if not facets:
        return []
    # One has an index of its own; else the index of all facets is looked through, and no rows.
    has_own = len(facets) == 1 and not facets.keys() & {"referred", "not_characterization"}
    finding = list(facets.values()) if has_own else [unindexed(condition) for condition in facets.values()]
    rows = sa.select(Client.id).where(Client.deleted_at.is_(None), *finding).correlate(None)
    if sides.are_few(rows, question=question):
        found = Client.id.in_(rows)
        return [by_order(walked(finding[0], found), found)] if has_own else [found]
    asked_on_the_way = [walked(condition, unindexed(condition)) for condition in facets.values()]
    return [by_order(one, other) for one, other in zip(asked_on_the_way, finding, strict=True)]


def in_words(asked: Asked) -> list[str]:
    """The filter as a person reads it, a condition each."""
    known = known_filters()
    return [f"{known[name].label}: {known[name].shown(value)}" for name, value in asked.values.items()]

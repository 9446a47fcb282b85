"""The search over everything: clients, users, services, tickets, invoices, payments, payers, by names and numbers.

What is typed is looked for as a part of a word, blind to case, through an index of triples that the database
keeps; of one or two characters, as a code, or as the beginning of a number or username.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import joinedload

from extensions import db
from models import Characterization, Client, ClientUser, Invoice, Payer, Payment, Service, Staff, Ticket
from operations import client_filters, filters, sides
from operations.client_filters import TRIPLE
from operations.filters import Condition, Part

SHOWN = 5
# Of so many newest hits on SQLite those that may be seen are shown.
LOOKED_THROUGH = 200
# The columns of each table that its index of triples holds (see the migration 0007).
INDEXED: dict[Any, tuple[str, ...]] = {
    ClientUser: ("username", "full_name", "email", "phone"),
    Payer: ("name", "tax_id", "email", "phone"),
    Service: ("name",),
    Ticket: ("subject",),
    Invoice: ("number",),
    Payment: ("number",),
}


@dataclass(frozen=True)
class Hit:
    """One record: its code, what it is called, and whose it is; of a client, how it is characterized."""

    id: int
    label: str
    note: str
    characterization: Characterization | None = None


@dataclass(frozen=True)
class Group:
    """What was found in one module; `has_more` than is shown."""

    module: str
    hits: Sequence[Hit]
    has_more: bool


@dataclass(frozen=True)
class Kind:
    """A module that is searched. `begins` are the columns whose beginning an index finds."""

    module: str
    label: Any
    icon: str
    model: Any
    shown: Callable[[Any], str]
    begins: tuple[str, ...] = ()


KINDS = (
    Kind("clients", _l("Clients"), "users", Client, lambda row: row.name),
    Kind("users", _l("Users"), "user", ClientUser, lambda row: row.username, ("username", "email")),
    Kind("services", _l("Services"), "server", Service, lambda row: row.name),
    Kind("tickets", _l("Tickets"), "message", Ticket, lambda row: row.subject),
    Kind("invoices", _l("Invoices"), "file-invoice", Invoice, lambda row: row.number, ("number",)),
    Kind("payments", _l("Payments"), "credit-card", Payment, lambda row: row.number, ("number",)),
    Kind("payers", _l("Payers"), "id", Payer, lambda row: row.name),
)


def find(text: str, *, by: Staff, scope: int | None = None) -> list[Group]:
    """What `by` may see that has `text` in it, a few of each module; with `scope`, of that client alone."""
    text = " ".join(text.split())
    if not text:
        return []
    found = [_group(kind, text, scope) for kind in KINDS if by.may(f"{kind.module}.view")]
    return [group for group in found if group.hits]


def unmarked(text: str) -> str:
    """A ticket's reference as letters show it, [#…], without its marks; any other text as it is."""
    return text[2:-1] if text.startswith("[#") and text.endswith("]") else text


def part_of(model: Any, names: Sequence[str], value: str) -> Condition:
    """Whether `value` is part of one of the columns, through the index of triples where there is one."""
    if sides.knows_itself() or len(value) < TRIPLE or not set(names) <= set(INDEXED.get(model, ())):
        return sa.or_(*(Part("", "", getattr(model, name)).condition(value) for name in names))
    return sa.and_(model.id.in_(_matches(model, names, value)))


def _matches(model: Any, names: Iterable[str], value: str) -> Any:
    name = f"{model.__tablename__}_search"
    table = sa.table(name, sa.column("rowid"), sa.column(name))
    phrase = '{{{}}} : "{}"'.format(" ".join(names), value.replace('"', '""'))
    return sa.select(table.c.rowid).where(table.c[name].op("MATCH")(phrase))


def _group(kind: Kind, text: str, scope: int | None) -> Group:
    rows = {row.id: row for row in [*_by_code(kind, text, scope), *_by_words(kind, text, scope)]}
    hits = [
        Hit(row.id, kind.shown(row), _note(kind, row), row.characterization if kind.model is Client else None)
        for row in list(rows.values())[:SHOWN]
    ]
    return Group(kind.module, hits, has_more=len(rows) > SHOWN)


def _note(kind: Kind, row: Any) -> str:
    if kind.model is Client:
        return " · ".join(filter(None, (row.owner_username, row.email)))
    return f"#{row.client.id} {row.client.name}"


def _by_code(kind: Kind, text: str, scope: int | None) -> list[Any]:
    """The record of that code; a ticket also by its whole reference."""
    named = []
    with suppress(ValueError):
        named.append(kind.model.id == filters.whole_number(text.removeprefix("#")))
    if kind.model is Ticket:
        named.append(Ticket.reference.in_([unmarked(text), unmarked(text).upper()]))
    return list(db.session.scalars(_visible(kind.model, scope).where(sa.or_(*named)))) if named else []


def _by_words(kind: Kind, text: str, scope: int | None) -> list[Any]:
    condition = _condition(kind, text, scope)
    if condition is None:
        return []
    newest = _visible(kind.model, scope).where(condition).order_by(kind.model.id.desc())
    return list(db.session.scalars(newest.limit(SHOWN + 1)))


def _visible(model: Any, scope: int | None) -> Any:
    """Rows of clients that are not deleted, with their client."""
    statement = sa.select(model).where(Client.deleted_at.is_(None))
    if model is Client:
        statement = statement.options(joinedload(Client.characterization))
    else:
        statement = statement.join(model.client).options(joinedload(model.client))
    return statement if scope is None else statement.where(Client.id == scope)


def _condition(kind: Kind, text: str, scope: int | None) -> Condition | None:
    if len(text.removeprefix("#")) < TRIPLE:
        beginnings = [_begins(getattr(kind.model, name), text) for name in kind.begins]
        return sa.or_(*beginnings) if beginnings else None
    if kind.model is Client:
        search = client_filters.FILTERS["search"]
        return search.condition(search.clean(text))
    names = INDEXED[kind.model]
    if scope is not None or sides.knows_itself():
        return sa.or_(*(Part("", "", getattr(kind.model, name)).condition(text) for name in names))
    # The index gives its newest without looking at the others, however many there are.
    rowid: Any = sa.literal_column("rowid")
    newest = _matches(kind.model, names, text).order_by(rowid.desc()).limit(LOOKED_THROUGH)
    return sa.and_(kind.model.id.in_(newest))


def _begins(column: Any, text: str) -> Condition:
    """Whether the column begins with `text`, as it is typed or in another case, by its index."""
    ways = {text, text.lower(), text.upper(), text.capitalize()}
    return sa.or_(*(sa.and_(column >= way, column < way + "\U0010ffff") for way in sorted(ways)))

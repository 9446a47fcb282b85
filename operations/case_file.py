"""A client's case file: all that happened between it and the provider, as one stream, whoever noted it where."""

from __future__ import annotations

import base64
import binascii
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import joinedload, selectinload

from extensions import UTCDateTime, db, plain_rows
from models import (
    Act,
    AuditEvent,
    ClientNote,
    Expense,
    Impersonation,
    Invoice,
    LedgerEntry,
    OutboundEmail,
    Payment,
    PenaltyPoint,
    Staff,
    TicketMessage,
    Violation,
)
from operations import filters
from operations.case_file_sources import SOURCES, Place, Question, branches

LOADED_AT_ONCE = 500
LOADS: dict[Any, tuple[Any, ...]] = {
    TicketMessage: (
        joinedload(TicketMessage.ticket), joinedload(TicketMessage.staff), joinedload(TicketMessage.client_user),
        joinedload(TicketMessage.letter), selectinload(TicketMessage.attachments),
    ),
    ClientNote: (joinedload(ClientNote.author),),
    OutboundEmail: (joinedload(OutboundEmail.mailing), joinedload(OutboundEmail.ticket)),
    LedgerEntry: (joinedload(LedgerEntry.account),),
    Payment: (joinedload(Payment.account), joinedload(Payment.invoice)),
    Invoice: (joinedload(Invoice.account), joinedload(Invoice.payer)),
    Act: (joinedload(Act.account), joinedload(Act.payer)),
    Expense: (joinedload(Expense.account), joinedload(Expense.service)),
    Violation: (joinedload(Violation.ticket),),
    Impersonation: (joinedload(Impersonation.staff), joinedload(Impersonation.client_user)),
}  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One entry: when, from which source (its code), and the record that it is about."""

    at: datetime
    source: str
    record: Any

    @property
    def is_by_day(self) -> bool:
        return next(source.is_by_day for source in SOURCES if source.code == self.source)


@dataclass(frozen=True)
class Page:
    """Some entries in order. `first` and `last` are their places; whether there are more before and after."""

    rows: Sequence[Row]
    first: Place | None
    last: Place | None
    has_previous: bool
    has_next: bool


def page(
    question: Question,
    *,
    size: int,
    oldest_first: bool = False,
    after: Place | None = None,
    before: Place | None = None,
) -> Page:
    """The entries behind `after`, or before `before`, at the beginning without either."""
    backwards = before is not None
    descending = oldest_first == backwards
    found = places(question, place=before or after, descending=descending, limit=size + 1)
    more = len(found) > size
    found = found[:size]
    if backwards:
        found.reverse()
    return Page(
        rows=_load(found),
        first=found[0] if found else None,
        last=found[-1] if found else None,
        has_previous=more if backwards else after is not None,
        has_next=True if backwards else more,
    )


def places(question: Question, *, place: Place | None = None, descending: bool, limit: int) -> list[Place]:
    """Where the entries stand, at most `limit`. Each source gives no more than so many, by its index."""
    parts = [sa.select(part.subquery()) for part in branches(question, place=place, descending=descending, limit=limit)]
    if not parts:
        return []
    stream = sa.union_all(*parts).subquery()
    at = sa.type_coerce(stream.c.at, UTCDateTime)
    order = [column.desc() if descending else column.asc() for column in (stream.c.at, stream.c.rank, stream.c.id)]
    rows = plain_rows(sa.select(at, stream.c.rank, stream.c.id).order_by(*order).limit(limit))
    return [Place(moment, rank, number) for moment, rank, number in rows]


def whole(question: Question, *, oldest_first: bool, limit: int) -> tuple[int, Iterator[Row]]:
    """How many entries there are, counted to one past `limit`, and all of them up to it."""
    found = places(question, descending=not oldest_first, limit=limit + 1)
    kept = found[:limit]
    chunks = (kept[start : start + LOADED_AT_ONCE] for start in range(0, len(kept), LOADED_AT_ONCE))
    return len(found), (row for chunk in chunks for row in _load(chunk))


def _load(found: Sequence[Place]) -> list[Row]:
    """The records at those places, one question for each source that has any; what went meanwhile is left out."""
    numbers: dict[int, list[int]] = defaultdict(list)
    for one in found:
        numbers[one.rank].append(one.id)
    records: dict[tuple[int, int], Any] = {}
    for rank, wanted in numbers.items():
        model = SOURCES[rank].model
        statement = sa.select(model).where(model.id.in_(wanted)).options(*LOADS.get(model, ()))
        records |= {(rank, record.id): record for record in db.session.scalars(statement).unique()}
    return [
        Row(one.at, SOURCES[one.rank].code, records[one.rank, one.id]) for one in found if (one.rank, one.id) in records
    ]


def staff_behind(rows: Sequence[Row]) -> dict[int, str]:
    """What the staff members are called whose ids the entries name and whom they do not bring along."""
    numbers = {row.record.author_id for row in rows if isinstance(row.record, PenaltyPoint)}
    numbers |= {row.record.staff_id for row in rows if isinstance(row.record, AuditEvent)}
    numbers.discard(None)
    if not numbers:
        return {}
    return {one.id: one.shown_name for one in db.session.scalars(sa.select(Staff).where(Staff.id.in_(numbers)))}


def encode(place: Place) -> str:
    """The place as it stands in an address."""
    plain = json.dumps([place.at.isoformat(), place.rank, place.id], separators=(",", ":"))
    return base64.urlsafe_b64encode(plain.encode()).decode().rstrip("=")


def decode(text: str) -> Place:
    """The place that `text` is; ValueError for anything else."""
    try:
        plain = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (binascii.Error, UnicodeError, json.JSONDecodeError, RecursionError) as error:
        raise ValueError(text[:60]) from error
    match plain:
        case [str(at), int(rank), int(number)] if not isinstance(rank, bool) and not isinstance(number, bool):
            moment = datetime.fromisoformat(at)
            fits = moment.tzinfo is not None and 1900 <= moment.year <= 9000
            if fits and 0 <= rank < len(SOURCES) and 0 < number <= filters.LARGEST_ID:
                return Place(moment, rank, number)
    raise ValueError(text[:60])

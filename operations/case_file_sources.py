"""Where a client's case file comes from: a branch for each table, each read in the order of time by its own index.

A branch gives (time, rank of the source, id) of rows, so that all of them can be put into one stream.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l

from extensions import UTCDateTime, db
from models import (
    Account,
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
    Service,
    Ticket,
    TicketMessage,
    Violation,
)
from operations import json_sql

Condition = sa.ColumnElement[bool]
# What the filter offers, with the picture beside the word.
KINDS: dict[str, tuple[Any, str]] = {
    "message": (_l("Messages"), "message"),
    "mailing": (_l("Mailings"), "speakerphone"),
    "letter": (_l("Letters"), "mail"),
    "note": (_l("Internal notes"), "lock"),
    "money": (_l("Money"), "coins"),
    "service": (_l("Services"), "server"),
    "violation": (_l("Violations and points"), "gavel"),
    "edit": (_l("Changes"), "pencil"),
    "login": (_l("Logins"), "login"),
    "login_as": (_l("Logins as the client"), "user-search"),
}
# What is never shown to the client whose file it is.
INTERNAL = frozenset({"note"})

LOGIN_ACTIONS = (
    "login", "login_failed", "logout", "password_changed", "password_reset", "password_reset_requested",
    "password_link_made", "email_change_requested", "sessions_ended",
)  # fmt: skip
# The stay itself tells of its beginning and its end.
OF_A_STAY = ("login_as", "login_as_return", "login_as_expired", "forced_end")
# Records that stand in the stream themselves, so that the event of their making would tell it twice.
TOLD_THEMSELVES = ("invoices", "payments", "expenses", "acts", "violations", "tickets")
# Modules whose events are about a client, and so can stand in its file.
EDITED = (
    "clients", "users", "payers", "accounts", "discounts", "invoices", "payments", "expenses", "acts", "tickets",
    "emails", "mailings", "groups", "projects",
)  # fmt: skip


@dataclass(frozen=True)
class Question:
    """What of a client's file is asked for. `since` is included, `until` is not; `may` says a person's rights.

    `kinds` are those asked for. `staff_id` or `user_id` is who must have done it. `for_client`: without what is
    internal.
    """

    client_id: int
    may: Callable[[str], bool]
    kinds: frozenset[str] = frozenset(KINDS)
    since: datetime | None = None
    until: datetime | None = None
    since_day: date | None = None
    until_day: date | None = None
    text: str = ""
    staff_id: int | None = None
    user_id: int | None = None
    for_client: bool = False


@dataclass(frozen=True)
class Place:
    """A place in the stream: the time, rank and id of a row."""

    at: datetime
    rank: int
    id: int


@dataclass(frozen=True)
class Source:
    """A table of the stream. `kinds` of entries that its rows can be; `permission` is the right to see them.

    `texts` are what a part of text is looked for in, `staff` and `user` the columns of who did it.
    """

    code: str
    model: Any
    at: Any
    kinds: tuple[str, ...]
    permission: str
    texts: Sequence[Any] = ()
    staff: Any = None
    user: Any = None
    which: Callable[[Question], Condition | None] | None = None

    @property
    def is_by_day(self) -> bool:
        return isinstance(self.at.type, sa.Date)

    def is_asked_for(self, question: Question) -> bool:
        kinds = question.kinds - INTERNAL if question.for_client else question.kinds
        if not kinds & set(self.kinds):
            return False
        if not question.may(self.permission) and self.model is not AuditEvent:
            return False
        if question.staff_id is not None:
            return self.staff is not None
        return self.user is not None if question.user_id is not None else True


def _asked_messages(question: Question) -> Condition | None:
    """What a mailing said is a message of its sender in a ticket of the mailing; answers to it are messages."""
    wanted = {"message", "mailing"} & question.kinds
    if len(wanted) == 2:
        return TicketMessage.is_internal.is_(False)
    said = sa.and_(Ticket.mailing_id.is_not(None), TicketMessage.client_user_id.is_(None))
    of_ticket = sa.exists(sa.select(Ticket.id).where(Ticket.id == TicketMessage.ticket_id, said))
    return sa.and_(TicketMessage.is_internal.is_(False), of_ticket if wanted == {"mailing"} else ~of_ticket)


def _asked_events(question: Question) -> Condition | None:
    """The events of the kinds asked for, of modules that the person may see."""
    module, action = AuditEvent.module, AuditEvent.action
    is_login = sa.and_(module == "users", action.in_(LOGIN_ACTIONS))
    is_login_as = action.like("login\\_as%", escape="\\")
    parts: list[Condition] = []
    if "service" in question.kinds and question.may("services.view"):
        parts.append(module == "services")
    if "violation" in question.kinds and question.may("violations.view"):
        parts.append(sa.and_(module == "violations", action != "create"))
    if "login" in question.kinds and question.may("users.view"):
        parts.append(is_login)
    if question.may("audit.view"):
        if "login_as" in question.kinds:
            parts.append(sa.and_(is_login_as, action.not_in(OF_A_STAY)))
        if "edit" in question.kinds:
            seen = [name for name in EDITED if question.may(f"{name}.view")]
            told = sa.and_(module.in_(TOLD_THEMSELVES), action == "create")
            is_note = sa.and_(module == "clients", action == "note_add")
            is_message = sa.and_(module == "tickets", action.in_(("reply", "note")))
            rest = (~told, ~is_note, ~is_message, ~is_login, ~is_login_as, action != "forced_end")
            parts.append(sa.and_(module.in_(seen), *rest))
    return sa.or_(*parts) if parts else None


def kind_of_event(module: str, action: str) -> str:
    """Which kind of entry an event of the audit is."""
    if module == "users" and action in LOGIN_ACTIONS:
        return "login"
    if action.startswith("login_as"):
        return "login_as"
    return {"services": "service", "violations": "violation"}.get(module, "edit")


def _of(column: Any, reference: Any) -> Any:
    """A column of the record that `reference` refers to."""
    model = column.class_
    return sa.select(column).where(model.id == reference).correlate(reference.class_).scalar_subquery()


# Their order settles which comes first of two at the same moment; it stands in cursors as a number.
SOURCES: tuple[Source, ...] = (
    Source("audit", AuditEvent, AuditEvent.at, ("service", "violation", "edit", "login", "login_as"), "audit.view",
           (AuditEvent.actor,), AuditEvent.staff_id, AuditEvent.client_user_id, _asked_events),
    Source("message", TicketMessage, TicketMessage.created_at, ("message", "mailing"), "tickets.view",
           (TicketMessage.text, _of(Ticket.subject, TicketMessage.ticket_id)),
           TicketMessage.staff_id, TicketMessage.client_user_id, _asked_messages),
    Source("internal", TicketMessage, TicketMessage.created_at, ("note",), "tickets.view",
           (TicketMessage.text, _of(Ticket.subject, TicketMessage.ticket_id)),
           TicketMessage.staff_id, None, lambda question: TicketMessage.is_internal.is_(True)),
    Source("note", ClientNote, ClientNote.created_at, ("note",), "clients.view", (ClientNote.text,),
           ClientNote.author_id),
    Source("letter", OutboundEmail, OutboundEmail.created_at, ("letter",), "emails.view",
           (OutboundEmail.recipient, OutboundEmail.last_error, _of(Ticket.subject, OutboundEmail.ticket_id))),
    Source("ledger", LedgerEntry, LedgerEntry.posted_at, ("money",), "accounts.view", (LedgerEntry.note,)),
    Source("payment", Payment, Payment.created_at, ("money",), "payments.view",
           (Payment.number, Payment.method, Payment.note)),
    Source("invoice", Invoice, Invoice.issued_on, ("money",), "invoices.view", (Invoice.number,)),
    Source("act", Act, Act.issued_on, ("money",), "acts.view", (Act.number,)),
    Source("expense", Expense, Expense.posted_at, ("money",), "expenses.view",
           (_of(Service.name, Expense.service_id),)),
    Source("violation", Violation, Violation.created_at, ("violation",), "violations.view",
           (Violation.comment, _of(Ticket.subject, Violation.ticket_id))),
    Source("points", PenaltyPoint, PenaltyPoint.created_at, ("violation",), "violations.view",
           (PenaltyPoint.comment,), PenaltyPoint.author_id),
    Source("stay", Impersonation, Impersonation.started_at, ("login_as",), "audit.view", (Impersonation.reason,),
           Impersonation.staff_id, Impersonation.client_user_id),
)  # fmt: skip
RANKS = {source.code: rank for rank, source in enumerate(SOURCES)}


def branches(question: Question, *, place: Place | None, descending: bool, limit: int) -> list[sa.Select[Any]]:
    """A statement for each source that can have something: its rows beyond `place`, in order, so many at most."""
    found: list[sa.Select[Any]] = []
    for rank, source in enumerate(SOURCES):
        if not source.is_asked_for(question):
            continue
        conditions = _conditions(source, question)
        if conditions is None:
            continue
        if place is not None:
            conditions.append(_beyond(source, rank, place, descending))
        order = [column.desc() if descending else column.asc() for column in (source.at, source.model.id)]
        found += [
            sa.select(_moment(source).label("at"), sa.literal_column(str(rank)).label("rank"), source.model.id)
            .where(of_client, *conditions)
            .order_by(*order)
            .limit(limit)
            for of_client in _of_client(source, question.client_id)
        ]
    return found


def _of_client(source: Source, client_id: int) -> list[Condition]:
    """Whose rows they are; of movements of money each account has its own, as each is in order by itself."""
    if source.model is LedgerEntry:
        accounts = db.session.scalars(sa.select(Account.id).where(Account.client_id == client_id))
        return [sa.and_(LedgerEntry.account_id == number) for number in accounts]
    return [sa.and_(source.model.client_id == client_id)]


def _conditions(source: Source, question: Question) -> list[Condition] | None:
    """What else the rows must fulfil; None where none can."""
    found: list[Condition] = []
    if source.which is not None:
        which = source.which(question)
        if which is None:
            return None
        found.append(which)
    if source.is_by_day:
        found += [source.at >= question.since_day] if question.since_day else []
        found += [source.at <= question.until_day] if question.until_day else []
    else:
        found += [source.at >= question.since] if question.since else []
        found += [source.at < question.until] if question.until else []
    if question.staff_id is not None:
        found.append(source.staff == question.staff_id)
    if question.user_id is not None:
        found.append(source.user == question.user_id)
    if question.text:
        found.append(_says(source, question.text.lower()))
    return found


def _says(source: Source, text: str) -> Condition:
    """Whether a text of the row has that part in it, blind to case."""
    parts: list[Condition] = [sa.func.lower(column).contains(text, autoescape=True) for column in source.texts]
    if source.model is AuditEvent:
        parts += [json_sql.has_value(column, text) for column in (AuditEvent.before, AuditEvent.after)]
    return sa.or_(*parts)


def _moment(source: Source) -> Any:
    """The time of a row; of one that has a day alone, the beginning of the day in UTC."""
    if not source.is_by_day:
        return source.at
    if db.engine.dialect.name == "postgresql":
        return sa.type_coerce(sa.func.timezone("UTC", sa.cast(source.at, sa.DateTime)), UTCDateTime)
    return sa.type_coerce(sa.cast(source.at, sa.Text).op("||")(" 00:00:00.000000"), UTCDateTime)


def _beyond(source: Source, rank: int, place: Place, descending: bool) -> Condition:
    """Rows that come after `place`: later or earlier; at the very same moment the rank and then the id decide."""
    bound: Any = _day_of(place.at) if source.is_by_day else place.at
    exactly = not source.is_by_day or place.at == datetime.combine(bound, time(), UTC)
    if rank == place.rank:
        row = sa.tuple_(source.at, source.model.id)
        given = sa.tuple_(sa.literal(bound, type_=source.at.type), sa.literal(place.id, type_=sa.Integer))
        return row < given if descending else row > given
    # What is later in the order of sources comes later in the stream, whichever way it runs.
    at_the_same = exactly and (rank < place.rank if descending else rank > place.rank)
    if descending:
        return sa.and_(source.at <= bound if at_the_same or not exactly else source.at < bound)
    return sa.and_(source.at >= bound if at_the_same else source.at > bound)


def _day_of(at: datetime) -> date:
    return at.astimezone(UTC).date()

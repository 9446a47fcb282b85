"""The tickets of a mailing that starts: one with its message for each client who gets it.

The database puts them together by itself, in two statements however many they are. What it cannot put together as
macros.py does (a name with a line end in a subject, very many macros) is written row by row.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from extensions import db, rows_changed
from models import (
    Client,
    Mailing,
    MailingRecipient,
    Project,
    RecipientOutcome,
    Ticket,
    TicketMessage,
    TicketStatus,
)
from operations import bulk, mailing_plan
from operations.macros import Addressee, Same, Subject, Text
from operations.mailing_plan import CLIENT_COLUMNS, WITHOUT_LETTER

CHUNK = 5_000

tickets: Any = Ticket.__table__
messages: Any = TicketMessage.__table__


def open_all(mailing: Mailing, now: datetime) -> int:
    """Insert a ticket and its message for every recipient who gets the message; returns how many."""
    subjects = {code: Subject(subject) for code, subject in mailing.subject.items()}
    texts = {code: Text(text) for code, text in mailing.text.items()}
    count = 0
    if all(text.fits_sql for text in (*subjects.values(), *texts.values())):
        count = _open_as_a_set(mailing, subjects, texts, now)
    return count + _open_the_rest(mailing, subjects, texts, now, done=count)


def new_reference() -> str:
    """What a ticket is called in letters: 16 digits and letters that nobody can guess."""
    return os.urandom(8).hex().upper()


def _reference() -> Any:
    """`new_reference`, by the database. A UUID has fixed digits in its middle: its ends are taken."""
    if db.session.get_bind().dialect.name == "sqlite":
        return sa.func.hex(sa.func.randomblob(8))
    one, other = (sa.cast(sa.func.gen_random_uuid(), sa.String) for _ in range(2))
    return sa.func.upper(sa.func.right(one, 12, type_=sa.String) + sa.func.left(other, 4, type_=sa.String))


def _open_as_a_set(mailing: Mailing, subjects: dict[str, Subject], texts: dict[str, Text], now: datetime) -> int:
    same = {code: Same(code, mailing.staff.shown_name, mailing_plan.panel_url()) for code in texts}
    of_all_tickets, of_all_messages = _of_all_tickets(mailing, now), _of_all_messages(mailing, now)
    count = _insert(
        tickets,
        ("client_id", "subject", "reference", *of_all_tickets),
        _with_clients(
            sa.select(
                MailingRecipient.client_id,
                _by_language({code: subject.column(same[code]) for code, subject in subjects.items()}),
                _reference(),
                *_literals(tickets, of_all_tickets),
            ).select_from(MailingRecipient),
            subjects,
        )
        .where(
            *_gets_it(mailing), ~_by_language({code: each.has_line_ends(same[code]) for code, each in subjects.items()})
        )
        .order_by(MailingRecipient.client_id),
    )
    _insert(
        messages,
        ("ticket_id", "client_id", "text", *of_all_messages),
        _with_clients(
            sa.select(
                Ticket.id,
                Ticket.client_id,
                _by_language({code: text.column(same[code]) for code, text in texts.items()}),
                *_literals(messages, of_all_messages),
            )
            .select_from(MailingRecipient)
            .join(Ticket, (Ticket.mailing_id == mailing.id) & (Ticket.client_id == MailingRecipient.client_id)),
            texts,
        )
        .where(MailingRecipient.mailing_id == mailing.id)
        .order_by(Ticket.id),
    )
    return count


def _insert(table: Any, names: tuple[str, ...], rows: Any) -> int:
    return rows_changed(sa.insert(table).from_select(list(names), rows, include_defaults=False))


def _with_clients(statement: Any, texts: dict[str, Any]) -> Any:
    """`statement` with the tables that the values of macros come from, where there are macros."""
    if not any(text.macros for text in texts.values()):
        return statement
    joined = statement.join(Client, Client.id == MailingRecipient.client_id)
    return joined.join(Project, Project.id == Client.project_id)


def _by_language(each: dict[str, Any]) -> Any:
    """Of these expressions that of the recipient's language."""
    if len(each) == 1:
        return next(iter(each.values()))
    return sa.case(each, value=sa.type_coerce(MailingRecipient.language, sa.String))


def _literals(table: Any, values: dict[str, Any]) -> list[Any]:
    return [sa.literal(value, table.c[name].type) for name, value in values.items()]


def _gets_it(mailing: Mailing) -> tuple[Any, ...]:
    queued = MailingRecipient.outcome == RecipientOutcome.QUEUED
    return MailingRecipient.mailing_id == mailing.id, queued | MailingRecipient.reason.in_(WITHOUT_LETTER)


def _open_the_rest(
    mailing: Mailing, subjects: dict[str, Subject], texts: dict[str, Text], now: datetime, *, done: int
) -> int:
    """A ticket and its message for those who have none yet, one after the other."""
    everybody = db.session.scalar(sa.select(sa.func.count()).select_from(MailingRecipient).where(*_gets_it(mailing)))
    if done == everybody:
        return 0
    of_all_tickets, of_all_messages = _of_all_tickets(mailing, now), _of_all_messages(mailing, now)
    staff_name, panel_url = mailing.staff.shown_name, mailing_plan.panel_url()
    connection = db.session.connection()
    count = 0
    for chunk in _without_ticket(mailing):
        ids = bulk.reserve_ids(connection, tickets, len(chunk))
        opened, written = [], []
        for ticket_id, row in zip(ids, chunk, strict=True):
            to = Addressee._make((*row[1:], str(row[0]), staff_name, panel_url))
            subject, text = subjects[to.language].for_(to), texts[to.language].for_(to)
            opened.append((ticket_id, to.client_id, subject, new_reference(), *of_all_tickets.values()))
            written.append((ticket_id, to.client_id, text, *of_all_messages.values()))
        bulk.insert(connection, tickets, ("id", "client_id", "subject", "reference", *of_all_tickets), opened)
        bulk.insert(connection, messages, ("ticket_id", "client_id", "text", *of_all_messages), written)
        count += len(chunk)
    return count


def _without_ticket(mailing: Mailing) -> Iterator[list[Any]]:
    """The recipients who have no ticket yet, by client id, in chunks of (language, *CLIENT_COLUMNS)."""
    last = 0
    has_ticket = sa.exists().where(Ticket.mailing_id == mailing.id, Ticket.client_id == MailingRecipient.client_id)
    statement = (
        sa.select(MailingRecipient.language, *CLIENT_COLUMNS)
        .join(Client, Client.id == MailingRecipient.client_id)
        .join(Project, Project.id == Client.project_id)
        .where(*_gets_it(mailing), ~has_ticket)
        .order_by(MailingRecipient.client_id)
        .limit(CHUNK)
    )
    while rows := db.session.execute(statement.where(MailingRecipient.client_id > last)).all():
        yield list(rows)
        last = rows[-1][1]


def _of_all_tickets(mailing: Mailing, now: datetime) -> dict[str, Any]:
    # Where no answer is accepted nobody waits for one.
    status = TicketStatus.CLOSED if mailing.forbid_replies else TicketStatus.WAITING_CLIENT
    return {
        "category_id": mailing.category_id,
        "status": status,
        "replies_allowed": not mailing.forbid_replies,
        "move_to_sender": mailing.move_to_sender,
        "mailing_id": mailing.id,
        "sender_id": mailing.staff_id,
        "created_at": now,
        "updated_at": now,
        "row_version": 1,
    }


def _of_all_messages(mailing: Mailing, now: datetime) -> dict[str, Any]:
    return {"staff_id": mailing.staff_id, "is_internal": False, "created_at": now}

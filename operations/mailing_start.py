"""The moment a mailing starts: a ticket with its message, and a letter in the queue, for each client at once.

All in one transaction, so that a process that is killed in the middle has done nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from extensions import db
from models import (
    Client,
    ClientUser,
    EmailStatus,
    Mailing,
    MailingRecipient,
    MailingStatus,
    OutboundEmail,
    Project,
    RecipientOutcome,
    Ticket,
    TicketMessage,
    TicketStatus,
)
from operations import audit, bulk, letters, mailing_plan, violations
from operations.macros import Addressee, Subject, Text
from operations.mailing_plan import CLIENT_COLUMNS, WITHOUT_LETTER

CHUNK = 5_000
BULK_PRIORITY = 50

tickets: Any = Ticket.__table__
messages: Any = TicketMessage.__table__


def due(*, now: datetime) -> list[int]:
    """The ids of the mailings whose time has come, the longest due first."""
    return list(
        db.session.scalars(
            sa.select(Mailing.id)
            .where(Mailing.status == MailingStatus.SCHEDULED, Mailing.starts_at <= now)
            .order_by(Mailing.starts_at)
        )
    )


def start(*, mailing_id: int, now: datetime) -> int | None:
    """Open the tickets of a due mailing and queue its letters; returns the number of tickets.

    None when it is not due, was called back, or is being started by another worker.
    """
    mailing = db.session.scalar(
        sa.select(Mailing)
        .where(Mailing.id == mailing_id, Mailing.status == MailingStatus.SCHEDULED, Mailing.starts_at <= now)
        .with_for_update(skip_locked=True, of=Mailing)
    )
    if mailing is None:
        return None
    mailing.status, mailing.started_at = MailingStatus.SENDING, now
    db.session.flush()
    _leave_out_who_changed(mailing)
    count = _open_tickets(mailing, now)
    with audit.acting(audit.actor_of(mailing.staff)):
        audit.record_many(
            "create",
            module="tickets",
            rows=sa.select(Ticket.id, Ticket.client_id).where(Ticket.mailing_id == mailing.id),
        )
        if mailing.is_violation:
            violations.create_for(mailing, now=now)
    if mailing.send_email:
        _queue_letters(mailing, now)
    else:
        _set_all(mailing, RecipientOutcome.QUEUED, outcome=RecipientOutcome.SENT)
    return count


def put_off(*, mailing_id: int, until: datetime) -> None:
    """Try a mailing that could not be started again later, so that others get their turn."""
    db.session.execute(
        sa.update(Mailing)
        .where(Mailing.id == mailing_id, Mailing.status == MailingStatus.SCHEDULED)
        .values(starts_at=until, row_version=Mailing.row_version + 1)
    )


def new_reference() -> str:
    """What a ticket is called in letters: 16 digits and letters that nobody can guess."""
    return os.urandom(8).hex().upper()


def _set_all(mailing: Mailing, having: RecipientOutcome, **values: Any) -> None:
    db.session.execute(
        sa.update(MailingRecipient)
        .where(MailingRecipient.mailing_id == mailing.id, MailingRecipient.outcome == having)
        .values(**values)
    )


def _leave_out_who_changed(mailing: Mailing) -> None:
    """Leave out who has been deleted, lost his address or unsubscribed since the confirmation."""
    _skip(mailing, "deleted", Client.deleted_at.is_not(None), also=WITHOUT_LETTER)
    if mailing.send_email:
        _skip(mailing, "no_address", Client.email == "")
    if mailing.send_email and mailing.category.is_news:
        _skip(mailing, "unsubscribed", mailing_plan.unsubscribed())


def _skip(mailing: Mailing, reason: str, condition: sa.ColumnElement[bool], *, also: tuple[str, ...] = ()) -> None:
    ids = (
        sa.select(MailingRecipient.id)
        .join(Client, Client.id == MailingRecipient.client_id)
        .outerjoin(ClientUser, (ClientUser.client_id == Client.id) & ClientUser.is_owner)
        .where(
            MailingRecipient.mailing_id == mailing.id,
            (MailingRecipient.outcome == RecipientOutcome.QUEUED) | MailingRecipient.reason.in_(also),
            condition,
        )
    )
    db.session.execute(
        sa.update(MailingRecipient)
        .where(MailingRecipient.id.in_(ids))
        .values(outcome=RecipientOutcome.SKIPPED, reason=reason)
    )


def _open_tickets(mailing: Mailing, now: datetime) -> int:
    """Insert a ticket and its message for every recipient who gets the message."""
    subjects = {code: Subject(subject) for code, subject in mailing.subject.items()}
    texts = {code: Text(text) for code, text in mailing.text.items()}
    of_all_tickets, of_all_messages = _of_all_tickets(mailing, now), _of_all_messages(mailing, now)
    staff_name, panel_url = mailing.staff.shown_name, mailing_plan.panel_url()
    connection = db.session.connection()
    count = 0
    for chunk in _recipients(mailing):
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


def _recipients(mailing: Mailing) -> Iterator[list[Any]]:
    """The recipients who get the message, by client id, in chunks of (language, *CLIENT_COLUMNS)."""
    last = 0
    statement = (
        sa.select(MailingRecipient.language, *CLIENT_COLUMNS)
        .join(Client, Client.id == MailingRecipient.client_id)
        .join(Project, Project.id == Client.project_id)
        .where(
            MailingRecipient.mailing_id == mailing.id,
            (MailingRecipient.outcome == RecipientOutcome.QUEUED) | MailingRecipient.reason.in_(WITHOUT_LETTER),
        )
        .order_by(MailingRecipient.client_id)
        .limit(CHUNK)
    )
    while rows := db.session.execute(statement.where(MailingRecipient.client_id > last)).all():
        yield list(rows)
        last = rows[-1][1]


def _queue_letters(mailing: Mailing, now: datetime) -> None:
    """Queue a letter for every recipient who gets one; its Message-ID is the ticket's, and stays."""
    rows = (
        sa.select(
            Ticket.mailing_id,
            Client.id,
            Ticket.id,
            Client.project_id,
            Client.email,
            _domain(Client.email),
            MailingRecipient.language,
            sa.literal("<", sa.String) + Ticket.reference + sa.literal(f"@{letters.host()}>", sa.String),
            sa.literal(BULK_PRIORITY),
            sa.literal(EmailStatus.QUEUED.value),
            sa.literal(now, type_=OutboundEmail.next_attempt_at.type),
            sa.literal(now, type_=OutboundEmail.created_at.type),
            sa.literal({}, type_=OutboundEmail.context.type),
        )
        .select_from(MailingRecipient)
        .join(Client, Client.id == MailingRecipient.client_id)
        .join(Ticket, (Ticket.mailing_id == MailingRecipient.mailing_id) & (Ticket.client_id == Client.id))
        .where(MailingRecipient.mailing_id == mailing.id, MailingRecipient.outcome == RecipientOutcome.QUEUED)
        .order_by(Client.id)
    )
    names = [
        "mailing_id",
        "client_id",
        "ticket_id",
        "project_id",
        "recipient",
        "domain",
        "language",
        "message_id",
        "priority",
        "status",
        "next_attempt_at",
        "created_at",
        "context",
    ]
    db.session.execute(sa.insert(OutboundEmail).from_select(names, rows, include_defaults=False))


def _domain(address: Any) -> Any:
    if db.session.get_bind().dialect.name == "sqlite":
        return sa.func.lower(sa.func.substr(address, sa.func.instr(address, "@") + 1))
    return sa.func.lower(sa.func.split_part(address, "@", 2))

"""The moment a mailing starts: a ticket with its message, and a letter in the queue, for each client at once.

All in one transaction, so that a process that is killed in the middle has done nothing.
"""

from __future__ import annotations

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
    RecipientOutcome,
    Ticket,
)
from operations import audit, desk_mark, letters, mailing_plan, mailing_tickets, violations
from operations.mailing_plan import WITHOUT_LETTER

BULK_PRIORITY = 50


def due(*, now: datetime) -> list[int]:
    """The ids of the mailings whose time has come, the longest due first."""
    return list(
        db.session.scalars(
            sa.select(Mailing.id)
            .where(Mailing.status == MailingStatus.SCHEDULED, Mailing.starts_at <= now, desk_mark.free())
            .order_by(Mailing.starts_at)
        )
    )


def start(*, mailing_id: int, now: datetime) -> int | None:
    """Open the tickets of a due mailing and queue its letters; returns the number of tickets.

    None when it is not due, was called back, or is being started by another worker, and while the desk is held.
    """
    mailing = db.session.scalar(
        sa.select(Mailing)
        .where(
            Mailing.id == mailing_id,
            Mailing.status == MailingStatus.SCHEDULED,
            Mailing.starts_at <= now,
            desk_mark.free(),
        )
        .with_for_update(skip_locked=True, of=Mailing)
    )
    if mailing is None:
        return None
    mailing.status, mailing.started_at = MailingStatus.SENDING, now
    db.session.flush()
    _leave_out_who_changed(mailing)
    count = mailing_tickets.open_all(mailing, now)
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

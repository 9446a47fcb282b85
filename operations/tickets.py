"""Tickets: opening one, and who may read what of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import joinedload, selectinload

from extensions import db
from models import (
    Attachment,
    Client,
    ClientUser,
    Impersonation,
    Staff,
    Ticket,
    TicketCategory,
    TicketMessage,
    TicketStatus,
)
from operations import attachments
from operations.attachments import StoredFile
from operations.mailing_start import new_reference


def open_ticket(
    *,
    client: Client,
    category: TicketCategory,
    subject: str,
    text: str,
    by: Staff | ClientUser,
    impersonation: Impersonation | None = None,
    files: Sequence[StoredFile] = (),
    now: datetime,
) -> Ticket:
    """Open a ticket with its first message; it waits for the side that did not write it."""
    staff = by if isinstance(by, Staff) else None
    ticket = Ticket(
        client_id=client.id,
        category_id=category.id,
        subject=subject,
        status=TicketStatus.WAITING_CLIENT if staff else TicketStatus.WAITING_STAFF,
        sender_id=staff.id if staff else None,
        reference=new_reference(),
        created_at=now,
        updated_at=now,
    )
    message = TicketMessage(
        ticket=ticket,
        staff_id=staff.id if staff else (impersonation.staff_id if impersonation else None),
        client_user_id=None if isinstance(by, Staff) else by.id,
        impersonation_id=impersonation.id if impersonation else None,
        text=text,
        created_at=now,
    )
    db.session.add_all([ticket, message])
    db.session.flush()
    attachments.attach(files, message=message)
    return ticket


def messages_of(ticket: Ticket, *, with_internal: bool) -> list[TicketMessage]:
    """The messages of a ticket, oldest first; notes among staff only with `with_internal`."""
    statement = (
        sa.select(TicketMessage)
        .where(TicketMessage.ticket_id == ticket.id)
        .options(
            joinedload(TicketMessage.staff),
            joinedload(TicketMessage.client_user),
            selectinload(TicketMessage.attachments),
        )
        .order_by(TicketMessage.id)
    )
    if not with_internal:
        statement = statement.where(TicketMessage.is_internal.is_(False))
    return list(db.session.scalars(statement).unique())


def attachment_of(ticket: Ticket, number: int, *, with_internal: bool) -> Attachment | None:
    """A file of one of the ticket's messages, or of the mailing it came from; None for any other."""
    readable = sa.select(TicketMessage.id).where(TicketMessage.ticket_id == ticket.id)
    if not with_internal:
        readable = readable.where(TicketMessage.is_internal.is_(False))
    belongs: sa.ColumnElement[bool] = Attachment.message_id.in_(readable)
    if ticket.mailing_id is not None:
        belongs = sa.or_(belongs, Attachment.mailing_id == ticket.mailing_id)
    return db.session.scalar(sa.select(Attachment).where(Attachment.id == number, belongs))

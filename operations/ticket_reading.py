"""Who may read what of a ticket, and who is at it just now."""

from __future__ import annotations

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import joinedload, selectinload

from extensions import db
from models import Attachment, Staff, Ticket, TicketMessage, TicketWriter

# A page says every few seconds that somebody is writing; silent for so long, he has stopped.
WRITING = timedelta(seconds=25)


def messages_of(ticket: Ticket, *, with_internal: bool) -> list[TicketMessage]:
    """The messages of a ticket, oldest first; notes among staff only with `with_internal`."""
    statement = (
        sa.select(TicketMessage)
        .where(TicketMessage.ticket_id == ticket.id)
        .options(
            joinedload(TicketMessage.staff),
            joinedload(TicketMessage.client_user),
            joinedload(TicketMessage.letter),
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


def newer_than(ticket: Ticket, message_id: int) -> int:
    """How many messages came after that one, whoever wrote them."""
    statement = sa.select(sa.func.count()).where(TicketMessage.ticket_id == ticket.id, TicketMessage.id > message_id)
    return db.session.scalar(statement) or 0


def note_writing(ticket: Ticket, *, by: Staff, now: datetime) -> None:
    """Note that `by` is writing an answer just now."""
    changed = sa.update(TicketWriter).where(TicketWriter.ticket_id == ticket.id, TicketWriter.staff_id == by.id)
    if not db.session.execute(changed.values(at=now).returning(TicketWriter.staff_id)).first():
        db.session.add(TicketWriter(ticket_id=ticket.id, staff_id=by.id, at=now))
    db.session.flush()


def stopped_writing(ticket: Ticket, *, by: Staff) -> None:
    """Note that `by` has sent what he wrote, or left it."""
    db.session.execute(
        sa.delete(TicketWriter).where(TicketWriter.ticket_id == ticket.id, TicketWriter.staff_id == by.id)
    )


def writers_of(ticket: Ticket, *, but: Staff, now: datetime) -> list[str]:
    """The names of the other staff members who are writing an answer to the ticket just now."""
    statement = (
        sa.select(TicketWriter)
        .where(TicketWriter.ticket_id == ticket.id, TicketWriter.staff_id != but.id, TicketWriter.at > now - WRITING)
        .options(joinedload(TicketWriter.staff))
        .order_by(TicketWriter.at)
    )
    return [writer.staff.shown_name for writer in db.session.scalars(statement)]


def forget_writers(*, now: datetime) -> None:
    """Remove what was noted of those who stopped writing."""
    db.session.execute(sa.delete(TicketWriter).where(TicketWriter.at <= now - WRITING))

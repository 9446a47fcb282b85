"""Tickets: opening one, answering it, and what staff do with it otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from flask_babel import gettext as _

from extensions import db
from models import (
    Client,
    ClientUser,
    Impersonation,
    Staff,
    Ticket,
    TicketCategory,
    TicketMessage,
    TicketStatus,
)
from operations import attachments, audit, ticket_letters, violations
from operations.attachments import StoredFile
from operations.errors import OperationRefused
from operations.mailing_tickets import new_reference

LONGEST_SUBJECT = 200
LONGEST_TEXT = 100_000


class RepliesForbidden(OperationRefused):
    """The client may not answer in this ticket."""

    def __init__(self) -> None:
        super().__init__(_("Replies to this ticket are forbidden."))


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
    """Open a ticket with its first message; it waits for the side that did not write it, which is told by letter.

    What a client opens stands among the requests of who is responsible for the category. Refuses (naming the
    field) an empty or overlong subject or text, and a category that is for news or not in use.
    """
    staff = by if isinstance(by, Staff) else None
    _refuse_bad(subject=subject, text=text)
    if staff is None and (category.is_news or not category.is_active):
        raise OperationRefused(_("Choose a category."), field="category")
    ticket = Ticket(
        client=client,
        category=category,
        subject=subject.strip(),
        status=TicketStatus.WAITING_CLIENT if staff else TicketStatus.WAITING_STAFF,
        sender_id=staff.id if staff else None,
        assignee=None if staff else _who_answers(category),
        reference=new_reference(),
        created_at=now,
        updated_at=now,
    )
    message = _message(ticket, text, by, impersonation, now)
    db.session.add_all([ticket, message])
    db.session.flush()
    attachments.attach(files, message=message)
    ticket_letters.tell(message, now=now)
    return ticket


def reply(
    ticket: Ticket,
    *,
    text: str,
    by: Staff | ClientUser,
    impersonation: Impersonation | None = None,
    files: Sequence[StoredFile] = (),
    is_internal: bool = False,
    close: bool = False,
    is_reaction: bool = True,
    now: datetime,
) -> TicketMessage:
    """Add a message to the ticket, with its files, and tell the other side by letter.

    An answer of staff waits for the client, or closes the ticket with `close`; who answers a ticket of nobody's
    has it from then on. A client's answer waits for staff, reopens what was closed, goes to who sent the message
    where that is ticked, and is the reaction to an open violation, unless it was written in a login-as or
    `is_reaction` is off. Of an internal note the client sees nothing but that the ticket is closed, if it is. Refuses a client where replies are forbidden
    (RepliesForbidden), and an empty or overlong text.
    """
    staff = by if isinstance(by, Staff) else None
    _refuse_bad(text=text)
    lock(ticket)
    if staff is None and not ticket.replies_allowed:
        raise RepliesForbidden
    if staff is not None and close:
        violations.refuse_open(ticket)
    message = _message(ticket, text, by, impersonation, now)
    message.is_internal = is_internal and staff is not None
    db.session.add(message)
    if not message.is_internal:
        _move_on(ticket, staff, close=close, now=now)
    elif close and ticket.status is not TicketStatus.CLOSED:
        ticket.status, ticket.updated_at = TicketStatus.CLOSED, now
    if staff is None and impersonation is None and is_reaction:
        violations.note_reaction(ticket)
    db.session.flush()
    attachments.attach(files, message=message)
    audit.record(
        "note" if message.is_internal else "reply",
        module="tickets",
        record_id=ticket.id,
        client_id=ticket.client_id,
    )
    if not message.is_internal:
        ticket_letters.tell(message, now=now)
    return message


def lock(ticket: Ticket) -> None:
    """Hold the ticket until the transaction ends, as it is now."""
    db.session.refresh(ticket, with_for_update={"of": Ticket})


def close(ticket: Ticket, *, now: datetime) -> None:
    """Close the ticket; it opens again when anybody answers. Refuses a closed one, and one with an open violation."""
    lock(ticket)
    if ticket.status is TicketStatus.CLOSED:
        raise OperationRefused(_("This ticket is closed already."))
    violations.refuse_open(ticket)
    ticket.status, ticket.updated_at = TicketStatus.CLOSED, now
    db.session.flush()


def reopen(ticket: Ticket, *, now: datetime) -> None:
    """Put a closed ticket back among those that wait for staff. Refuses an open one."""
    lock(ticket)
    if ticket.status is not TicketStatus.CLOSED:
        raise OperationRefused(_("This ticket is not closed."))
    ticket.status, ticket.updated_at = TicketStatus.WAITING_STAFF, now
    db.session.flush()


def _who_answers(category: TicketCategory) -> Staff | None:
    """The staff member who is responsible for the category, if he can answer."""
    found = category.responsible_staff
    return found if found is not None and found.may("tickets.edit") else None


def hand_over(ticket: Ticket, *, assignee: Staff | None, category: TicketCategory, by: Staff, now: datetime) -> None:
    """Give the ticket to a staff member (None: to nobody) and put it under a category.

    The new assignee is told by letter, unless he did it himself. Refuses one who is disabled or may not answer.
    """
    lock(ticket)
    ticket.assignee, ticket.category = assignee, category
    note_assignee(ticket, by=by, now=now)


def note_assignee(ticket: Ticket, *, by: Staff, now: datetime) -> None:
    """What `hand_over` does beyond setting the two, for a ticket whose assignee may have been set otherwise.

    To be called before the change is flushed. One who has the ticket already keeps it, whatever he may now.
    """
    assignee = ticket.assignee
    is_new = bool(sa.inspect(ticket).attrs.assignee.load_history().added)
    if is_new and assignee is not None and not assignee.may("tickets.edit"):
        raise OperationRefused(_("This staff member may not answer tickets."), field="assignee")
    db.session.flush()
    if is_new and assignee is not None and assignee.id != by.id:
        ticket_letters.tell_assignee(ticket, assignee, by=by, now=now)


def _message(
    ticket: Ticket, text: str, by: Staff | ClientUser, impersonation: Impersonation | None, now: datetime
) -> TicketMessage:
    behind = impersonation.staff_id if impersonation else None
    return TicketMessage(
        ticket=ticket,
        staff_id=by.id if isinstance(by, Staff) else behind,
        client_user_id=None if isinstance(by, Staff) else by.id,
        impersonation_id=impersonation.id if impersonation else None,
        text=text.strip(),
        is_internal=False,
        created_at=now,
    )


def _move_on(ticket: Ticket, staff: Staff | None, *, close: bool, now: datetime) -> None:
    if staff is not None or ticket.status is not TicketStatus.WAITING_STAFF:
        # Who has more to say does not lose his place among those who wait.
        ticket.updated_at = now
    if staff is not None:
        ticket.status = TicketStatus.CLOSED if close else TicketStatus.WAITING_CLIENT
        if ticket.assignee_id is None:
            ticket.assignee = staff
        return
    ticket.status = TicketStatus.WAITING_STAFF
    if ticket.move_to_sender:
        sender = db.session.get(Staff, ticket.sender_id or 0)
        if sender is not None and sender.is_active:
            ticket.assignee = sender


def _refuse_bad(*, text: str, subject: str | None = None) -> None:
    if subject is not None:
        _refuse_length("subject", subject, LONGEST_SUBJECT)
    _refuse_length("text", text, LONGEST_TEXT)


def _refuse_length(field: str, value: str, longest: int) -> None:
    if not value.strip():
        raise OperationRefused(_("This cannot be empty."), field=field)
    if len(value.strip()) > longest:
        raise OperationRefused(_("No more than %(count)s characters.", count=longest), field=field)
    if field == "subject" and any(ord(character) < 32 for character in value):
        raise OperationRefused(_("A subject is one line of text."), field=field)


def category_for_clients() -> sa.Select[Any]:
    """The categories in which a client can open a ticket: those in use, but for news."""
    return (
        sa.select(TicketCategory)
        .where(TicketCategory.is_active, TicketCategory.is_news.is_(False))
        .order_by(TicketCategory.id)
    )

"""Letters about tickets: each answer tells the other side."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from extensions import db
from models import Client, Role, Staff, Ticket, TicketMessage
from operations import letters

# Of a role that is responsible for a category, no more people than this are written to about one ticket.
MOST_TOLD = 20


def tell(message: TicketMessage, *, now: datetime) -> None:
    """Queue the letters that tell the other side of a message; an internal note tells nobody."""
    if message.is_internal:
        return
    ticket = message.ticket
    client = db.session.get_one(Client, ticket.client_id)
    if message.client_user_id is None:
        _tell_client(message, client, now)
    else:
        for person in _staff_to_tell(ticket):
            if person.id != message.staff_id:
                _tell_staff("ticket_for_staff", person, ticket, {"text": message.text}, client, now)


def tell_assignee(ticket: Ticket, assignee: Staff, *, by: Staff, now: datetime) -> None:
    """Queue the letter to who was given the ticket."""
    client = db.session.get_one(Client, ticket.client_id)
    if assignee.email:
        _tell_staff("ticket_assigned", assignee, ticket, {"by": by.shown_name}, client, now)


def _tell_client(message: TicketMessage, client: Client, now: datetime) -> None:
    if client.email and client.deleted_at is None:
        letters.queue(
            template="ticket_answer",
            to=client.email,
            language=client.language.value,
            context={
                "subject": message.ticket.subject,
                "text": message.text,
                "staff_name": message.staff.shown_name if message.staff else "",
                "ticket_url": letters.ticket_url(message.ticket_id),
                "reference": message.ticket.reference,
                "replies_allowed": message.ticket.replies_allowed,
                "files": [file.file_name for file in message.attachments],
            },
            project=client.project,
            client=client,
            ticket=message.ticket,
            now=now,
        )


def _tell_staff(
    template: str, person: Staff, ticket: Ticket, more: dict[str, str], client: Client, now: datetime
) -> None:
    letters.queue(
        template=template,
        to=person.email,
        language=person.language.value,
        context={
            "subject": ticket.subject,
            "client": client.code_and_name,
            "ticket_url": f"{letters.public_url()}/admin/tickets/details/?id={ticket.id}",
            "reference": ticket.reference,
            **more,
        },
        project=client.project,
        client=client,
        ticket=ticket,
        now=now,
    )


def _staff_to_tell(ticket: Ticket) -> list[Staff]:
    """Whom a client's message is for: its assignee, else who is responsible for the category. The disabled do not count."""
    category = ticket.category
    for person in (ticket.assignee, category.responsible_staff):
        if person is not None and person.is_active:
            return [person] if person.email else []
    if category.responsible_role_id is None:
        return []
    reachable = sa.select(Staff).where(Staff.is_active, Staff.email != "").order_by(Staff.id).limit(MOST_TOLD)
    return list(db.session.scalars(reachable.join(Role).where(Role.id == category.responsible_role_id)))

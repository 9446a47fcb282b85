"""Tickets: the client's correspondence with the provider, and its files; reading only."""

from __future__ import annotations

import sqlalchemy as sa
from flask import abort, redirect, send_file
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import joinedload

from extensions import db, now
from models import Attachment, Feature, PenaltyPoint, Ticket, Violation
from operations import attachments, letters, profiles
from operations import tickets as tickets_of_clients
from panel.blueprints import panel
from panel.frame import render
from panel.records import LARGEST_ID, one, page_of
from web.access import client_only

# The states of a ticket, and what follows a violation, in the words of the person who reads them here.
STATUS_WORDS = {
    "waiting_staff": _l("Waits for our answer"),
    "waiting_client": _l("Waits for you"),
    "closed": _l("Closed"),
}
VIOLATION_WORDS = {
    "to_active": _l("Our staff take the matter up again."),
    "suspend_services": _l("All your active services are stopped."),
    "suspend_service": _l("The service concerned is stopped."),
}


@panel.get("/tickets/")
@client_only("support")
def tickets() -> ResponseReturnValue:
    """The list, newest first."""
    page = page_of(Ticket, joinedload(Ticket.category))
    return render("panel/tickets/list.html", page=page, client_words=STATUS_WORDS)


@panel.get("/tickets/<int:number>/")
@client_only("support")
def ticket(number: int) -> ResponseReturnValue:
    """One ticket as a thread; what staff write among themselves is not in it."""
    found = one(Ticket, number, joinedload(Ticket.category), joinedload(Ticket.mailing))
    return render(
        "panel/tickets/details.html",
        ticket=found,
        messages=tickets_of_clients.messages_of(found, with_internal=False),
        html_of=letters.html_of,
        mailing_files=found.mailing.attachments if found.mailing else [],
        is_new=found.client_read_at is None or found.client_read_at < found.updated_at,
        violations=_violations(found),
        client_words=STATUS_WORDS,
        violation_words=VIOLATION_WORDS,
    )


@panel.post("/tickets/<int:number>/read")
@client_only("support")
def mark_ticket_read(number: int) -> ResponseReturnValue:
    """Note that the client has read the ticket; nobody can do that in his place."""
    found = one(Ticket, number)
    profiles.mark_read(found, now=now())
    db.session.commit()
    return redirect(f"/panel/tickets/{number}/")


@panel.get("/tickets/<int:number>/files/<int:file_number>/")
@client_only("support")
def ticket_file(number: int, file_number: int) -> ResponseReturnValue:
    """A file of the ticket, always to be saved and never shown in place."""
    found = one(Ticket, number)
    attachment = _attachment(found, file_number)
    path = attachments.path_of(attachment)
    if not path.is_file():
        abort(404)
    response = send_file(
        path,
        mimetype=attachment.content_type,
        as_attachment=True,
        download_name=attachment.file_name,
        max_age=0,
    )
    response.headers["Content-Security-Policy"] = "sandbox; default-src 'none'"
    response.headers["Cache-Control"] = "no-store"
    return response


def _attachment(found: Ticket, number: int) -> Attachment:
    """A file that the client may read; 404 for any other."""
    attachment = None
    if 0 < number <= LARGEST_ID:
        attachment = tickets_of_clients.attachment_of(found, number, with_internal=False)
    return attachment if attachment is not None else abort(404)


def _violations(found: Ticket) -> list[dict[str, object]]:
    """What the ticket demands until when, what will follow, and its points; not the comment on them."""
    if not db.session.scalar(sa.select(Feature.is_enabled).where(Feature.code == "abuse_handling")):
        return []
    statement = sa.select(Violation).where(Violation.ticket_id == found.id).order_by(Violation.id)
    return [{"record": row, "points_fade_at": _points_fade_at(row)} for row in db.session.scalars(statement)]


def _points_fade_at(violation: Violation) -> object:
    return db.session.scalar(
        sa.select(sa.func.max(PenaltyPoint.expires_at)).where(PenaltyPoint.violation_id == violation.id)
    )

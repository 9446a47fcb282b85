"""Tickets: the client's correspondence with the provider, and its files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import abort, flash, g, redirect, request, send_file
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import joinedload

from extensions import db, now
from forms.tickets import ClientAnswerForm, QuestionForm
from models import Attachment, Ticket, TicketStatus
from operations import attachments, idempotency, letters, profiles, ticket_reading
from operations import tickets as tickets_of_desk
from operations.attachments import StoredFile
from operations.errors import OperationRefused
from panel import matters
from panel.blueprints import panel
from panel.frame import render
from panel.records import LARGEST_ID, me, one, page_of
from web import uploads
from web.access import client_only

# The states of a ticket in the words of the person who reads them here.
STATUS_WORDS = {
    "waiting_staff": _l("Waits for our answer"),
    "waiting_client": _l("Waits for you"),
    "closed": _l("Closed"),
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
    form = ClientAnswerForm(formdata=None)
    form.renew_key()
    return _thread(_one(number), form)


@panel.post("/tickets/<int:number>/")
@client_only("support", impersonation="allow")
def answer_ticket(number: int) -> ResponseReturnValue:
    """Answer in the ticket."""
    found, form = _one(number), ClientAnswerForm()
    if not found.replies_allowed:
        abort(403)

    def write(files: list[StoredFile]) -> Ticket:
        who = {"by": me(), "impersonation": g.get("impersonation")}
        tickets_of_desk.reply(found, text=form.text.data or "", files=files, now=now(), **who)
        return found

    return _carry_out(form, f"answer:{number}", write, page=lambda files: _thread(found, form, files))


@panel.route("/tickets/new/", methods=["GET", "POST"])
@client_only("support", impersonation="allow")
def new_ticket() -> ResponseReturnValue:
    """Open a ticket."""
    form = QuestionForm()
    if request.method == "GET":
        form.renew_key()
        return _question(form, [])

    def write(files: list[StoredFile]) -> Ticket:
        return tickets_of_desk.open_ticket(
            client=me().client,
            category=form.category.data,
            subject=form.subject.data or "",
            text=form.text.data or "",
            by=me(),
            impersonation=g.get("impersonation"),
            files=files,
            now=now(),
        )

    return _carry_out(form, "question", write, page=lambda files: _question(form, files))


def _carry_out(
    form: Any, what: str, write: Callable[[list[StoredFile]], Ticket], *, page: Callable[[list[StoredFile]], str]
) -> ResponseReturnValue:
    """Write what was sent, once; or show the form again with what is wrong, and with its files."""
    files, refused = uploads.taken()
    valid = form.validate()
    if refused:
        form.attachments.errors = [refused]
    if not valid or refused:
        return page(files), 400
    try:
        taken = _begin(form, what)
        attachments.refuse_beyond(attachments.room_of(me().client_id) if files else None, files)
        ticket = write(files)
        taken.result_url = url = f"/panel/tickets/{ticket.id}/"
        # What the client writes himself is not news to him.
        if g.get("impersonation") is None:
            profiles.mark_read(ticket, now=now())
        db.session.commit()
    except idempotency.DoneBefore as before:
        db.session.rollback()
        return redirect(before.url)
    except tickets_of_desk.RepliesForbidden:
        db.session.rollback()
        abort(403)
    except OperationRefused as refusal:
        db.session.rollback()
        form.renew_key()
        form.refuse(refusal)
        return page(files), 400
    flash(_("Sent. You find the answer here; a letter tells you of it as well."), "success")
    return redirect(url)


def _question(form: QuestionForm, files: list[StoredFile]) -> str:
    return render("panel/tickets/new.html", form=form, files=uploads.with_tokens(files))


def _begin(form: Any, what: str) -> Any:
    """Take the key of the form, so that it has one effect however often it is sent."""
    ours = {"csrf_token", "kept_file"}
    fields = [(name, text) for name, text in request.form.items(multi=True) if name not in ours]
    return idempotency.begin(
        principal=me().get_id(),
        key=f"ticket:{what}:{form.idempotency_key.data or ''}",
        content=idempotency.fingerprint(fields),
        now=now(),
    )


def _one(number: int) -> Ticket:
    return one(Ticket, number, joinedload(Ticket.category), joinedload(Ticket.mailing))


def _thread(found: Ticket, form: ClientAnswerForm, files: list[StoredFile] | None = None) -> str:
    return render(
        "panel/tickets/details.html",
        ticket=found,
        messages=ticket_reading.messages_of(found, with_internal=False),
        html_of=letters.html_of,
        mailing_files=found.mailing.attachments if found.mailing else [],
        is_new=found.status is not TicketStatus.WAITING_STAFF
        and (found.client_read_at is None or found.client_read_at < found.updated_at),
        violations=matters.of_ticket(found),
        client_words=STATUS_WORDS,
        form=form,
        files=uploads.with_tokens(files or []),
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
        attachment = ticket_reading.attachment_of(found, number, with_internal=False)
    return attachment if attachment is not None else abort(404)

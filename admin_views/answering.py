"""What staff do with one ticket: read it as a thread, answer it, hand it over, close it."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from flask import flash, jsonify, redirect, request
from flask.typing import ResponseReturnValue
from flask_admin.base import expose
from flask_babel import format_decimal, ngettext
from flask_babel import gettext as _
from flask_login import current_user
from sqlalchemy.orm import joinedload
from werkzeug.datastructures import CombinedMultiDict

from admin_views import cells, client_badges, ready_texts, violation_pages
from admin_views.base import needs
from config import LANGUAGES
from extensions import db, now
from forms.tickets import AnswerForm, HandOverForm
from models import Client, InboundEmail, Project, ResponseTemplate, Staff, Ticket
from operations import filters, idempotency, letters, mailing_plan, ticket_reading, tickets
from operations.errors import OperationRefused
from operations.macros import Text
from web import uploads

BUTTONS = ("auto_fill", "send_and_close", "send")


def staff() -> Staff:
    return db.session.get_one(Staff, current_user.id)


def page_of(ticket: Ticket) -> str:
    return f"/admin/tickets/details/?id={ticket.id}"


class AnsweringPages:
    """Adds the thread and what can be done in it to the tickets."""

    @expose("/details/")
    def details_view(self) -> ResponseReturnValue:
        """One ticket as a thread."""
        return Answering(self, self.posted_or_404()).page()  # type: ignore[attr-defined]

    @expose("/reply/", methods=("POST",))
    @needs("tickets.edit")
    def reply_view(self) -> ResponseReturnValue:
        """Answer, or note something among staff."""
        return Answering(self, self.posted_or_404()).answer()  # type: ignore[attr-defined]

    @expose("/hand-over/", methods=("POST",))
    @needs("tickets.edit")
    def hand_over_view(self) -> ResponseReturnValue:
        """Say who answers the ticket, and under which category it stands."""
        ticket = self.posted_or_404()  # type: ignore[attr-defined]
        answering = Answering(self, ticket)
        form = answering.hand_over_form
        if not form.validate():
            return answering.page(), 400
        try:
            assignee = staff() if "take" in request.form else form.assignee.data
            tickets.hand_over(ticket, assignee=assignee, category=form.category.data, by=staff(), now=now())
        except OperationRefused as refusal:
            db.session.rollback()
            form.assignee.errors = [refusal.message]
            return answering.page(), 400
        db.session.commit()
        flash(_("Saved."), "success")
        return redirect(page_of(ticket))

    @expose("/close/", methods=("POST",))
    @needs("tickets.edit")
    def close_view(self) -> ResponseReturnValue:
        """Close the ticket."""
        return self._carry_out(tickets.close, _("The ticket is closed."))

    @expose("/reopen/", methods=("POST",))
    @needs("tickets.edit")
    def reopen_view(self) -> ResponseReturnValue:
        """Open the ticket again."""
        return self._carry_out(tickets.reopen, _("The ticket is open again."))

    def _carry_out(self, verb: Any, done: str) -> ResponseReturnValue:
        ticket = self.posted_or_404()  # type: ignore[attr-defined]
        try:
            verb(ticket, now=now())
            db.session.commit()
            flash(done, "success")
        except OperationRefused as refusal:
            db.session.rollback()
            flash(refusal.message, "warning")
        return redirect(page_of(ticket))

    @expose("/writing/", methods=("POST",))
    @needs("tickets.edit")
    def writing_view(self) -> ResponseReturnValue:
        """Note that the staff member is writing an answer; sent by the page while he does."""
        ticket_reading.note_writing(self.posted_or_404(), by=staff(), now=now())  # type: ignore[attr-defined]
        db.session.commit()
        return "", 204

    @expose("/news.json")
    @needs("tickets.view")
    def news_view(self) -> ResponseReturnValue:
        """What has come since the page was made (`after`, a message): who is writing, how many new messages."""
        ticket = self.posted_or_404()  # type: ignore[attr-defined]
        return jsonify(**news_of(ticket, request.args.get("after", "")))


def news_of(ticket: Ticket, after: str) -> dict[str, Any]:
    """The lines that tell a reader of what goes on in the ticket; empty where nothing does."""
    try:
        count = ticket_reading.newer_than(ticket, filters.whole_number(after))
    except ValueError:
        count = 0
    names = ticket_reading.writers_of(ticket, but=staff(), now=now())
    return {
        "writing": ngettext("%(names)s is writing an answer.", "%(names)s are writing an answer.", len(names), names=", ".join(names)) if names else "",
        "newer": ngettext("%(num)s new message has come meanwhile.", "%(num)s new messages have come meanwhile.", count) if count else "",
    }  # fmt: skip


def facts_of(client: Client) -> list[tuple[str, str, str]]:
    """What of the client one looks up before answering, each with where there is more, as far as one may see it."""
    facts = [
        ("accounts.view", _("Balance"), cells.in_currency(client.balance, client.project.currency),
         f"/admin/accounts/?client={client.id}"),
        ("services.view", _("Active services"), format_decimal(client.active_services),
         f"/admin/services/?client={client.id}&status=active"),
    ]  # fmt: skip
    return [(label, value, url) for permission, label, value, url in facts if current_user.may(permission)]


class Answering:
    """One request for a ticket's page: what was typed, what was pressed, and the page that answers it."""

    def __init__(self, view: Any, ticket: Ticket) -> None:
        self.view, self.ticket = view, ticket
        self.messages = ticket_reading.messages_of(ticket, with_internal=True)
        answers = request.method == "POST" and "text" in request.form
        hands_over = request.method == "POST" and "assignee" in request.form
        self.form = AnswerForm(CombinedMultiDict([request.files, request.form]) if answers else None)
        self.form.form_errors = []
        self.hand_over_form = HandOverForm(request.form if hands_over else None, obj=ticket)
        self.hand_over_form.form_errors = []
        if not answers:
            self.form.renew_key()
            self._seen_now()
        self.files: list[Any] = []

    def _seen_now(self) -> None:
        self.form.last_message.data = str(self.messages[-1].id if self.messages else 0)

    def answer(self) -> ResponseReturnValue:
        self.files, refused = uploads.taken()
        valid = self.form.validate()
        if refused:
            self.form.attachments.errors = [refused]
        pressed = next((name for name in BUTTONS if name in request.form), "send")
        if pressed == "auto_fill":
            self._auto_fill()
            return self.page()
        if not valid or refused:
            return self.page(), 400
        return self._send(close=pressed == "send_and_close")

    def _came_meanwhile(self) -> str:
        return str(news_of(self.ticket, self.form.last_message.data or "")["newer"])

    def _send(self, *, close: bool) -> ResponseReturnValue:
        writer = staff()
        try:
            taken = self._begin(writer)
            if news := self._came_meanwhile():
                db.session.rollback()
                self._seen_now()
                self.form.form_errors.append(f"{news} {_('Read what is new, then send again.')}")
                return self.page(), 409
            tickets.reply(
                self.ticket, text=self.form.text.data or "", by=writer, files=self.files,
                is_internal=self.form.is_internal.data, close=close, now=now(),
            )  # fmt: skip
            ticket_reading.stopped_writing(self.ticket, by=writer)
            taken.result_url = page_of(self.ticket)
            db.session.commit()
        except idempotency.DoneBefore as before:
            db.session.rollback()
            return redirect(before.url)
        except OperationRefused as refusal:
            db.session.rollback()
            self.form.renew_key()
            self._show(refusal)
            return self.page(), 400
        flash(_("The note is added.") if self.form.is_internal.data else _("The answer is sent."), "success")
        return redirect(page_of(self.ticket))

    def _begin(self, writer: Staff) -> Any:
        fields = [(name, text) for name, text in request.form.items(multi=True) if name not in {"csrf_token", "kept_file", "last_message"}]  # fmt: skip
        return idempotency.begin(
            principal=writer.get_id(),
            key=f"ticket:{self.form.idempotency_key.data or ''}",
            content=idempotency.fingerprint(fields),
            now=now(),
        )

    def _show(self, refusal: OperationRefused) -> None:
        if refusal.field and refusal.field in self.form:
            self.form[refusal.field].errors = [refusal.message]
        else:
            self.form.form_errors.append(refusal.message)

    def _auto_fill(self) -> None:
        """Put a ready answer, in the client's language and with its values, behind what is written."""
        chosen = ready_texts.chosen()
        if chosen is None:
            return
        self.form.text.data = "\n\n".join(filter(None, [self.form.text.data, self._filled(chosen)]))

    def _filled(self, chosen: ResponseTemplate) -> str:
        columns = db.session.execute(
            sa.select(*mailing_plan.CLIENT_COLUMNS)
            .join(Project, Project.id == Client.project_id)
            .where(Client.id == self.ticket.client_id)
        ).one()
        to = mailing_plan.addressee_from(columns, chosen.language.value, staff().shown_name)
        return Text(chosen.text).for_(to)

    def page(self) -> str:
        client = db.session.scalars(
            sa.select(Client)
            .where(Client.id == self.ticket.client_id)
            .options(joinedload(Client.characterization), joinedload(Client.project))
        ).one()
        return str(
            self.view.render(
                "admin/tickets/details.html",
                record=self.ticket,
                ticket=self.ticket,
                client=client,
                badges=client_badges.badges_of(client),
                state=self.view.state_of(self.ticket),
                messages=self.messages,
                mailing_files=self.ticket.mailing.attachments if self.ticket.mailing else [],
                as_html=letters.html_of,
                moment=cells.show,
                form=self.form,
                hand_over_form=self.hand_over_form,
                files=uploads.with_tokens(self.files),
                ready_texts=self._ready_texts(client),
                violations=violation_pages.box_of(self.ticket),
                news=news_of(self.ticket, self.form.last_message.data or ""),
                may_answer=current_user.may("tickets.edit"),
                may_see_client=current_user.may("clients.view"),
                facts=facts_of(client),
                may_see_letters=current_user.may("inbound.view"),
                letters_of=self._letters_of_messages(),
            )
        )

    def _letters_of_messages(self) -> dict[int, int]:
        """The letters that messages of this ticket came by."""
        by_letter = [message.id for message in self.messages if message.letter is not None]
        if not by_letter:
            return {}
        rows = db.session.execute(
            sa.select(InboundEmail.ticket_message_id, InboundEmail.id).where(
                InboundEmail.ticket_message_id.in_(by_letter)
            )
        )
        return {message: letter for message, letter in rows}  # noqa: C416

    def _ready_texts(self, client: Client) -> list[tuple[int, str]]:
        """The ready answers for this category or for any, in the client's language before all others."""
        rows = db.session.execute(
            sa.select(ResponseTemplate.id, ResponseTemplate.name, ResponseTemplate.language)
            .where(sa.or_(ResponseTemplate.category_id.is_(None), ResponseTemplate.category_id == self.ticket.category_id))
            .order_by(ResponseTemplate.name, ResponseTemplate.id)
        ).all()  # fmt: skip
        own = [(number, name) for number, name, language in rows if language == client.language]
        others = [(number, f"{name} ({LANGUAGES[language.value]})") for number, name, language in rows if language != client.language]  # fmt: skip
        return own + others

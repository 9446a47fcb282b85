"""Mailings, how they go on, and the letters in the queue."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from flask import abort, current_app, flash, g, jsonify, redirect, request
from flask.typing import ResponseReturnValue
from flask_admin.base import expose
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_login import current_user
from markupsafe import Markup, escape
from sqlalchemy.orm import joinedload

from admin_views import cells, files
from admin_views.base import ModuleView, needs
from admin_views.compose import ComposePages
from admin_views.recipients import RecipientPages, new_message_button, told
from config import LANGUAGES
from extensions import db, now
from models import (
    Attachment,
    EmailStatus,
    Mailing,
    MailingRecipient,
    MailingStatus,
    OutboundEmail,
    RecipientOutcome,
    TicketCategory,
)
from operations import features, filters, letters, mailing_plan, mailings
from operations.errors import OperationRefused
from operations.filters import Number, OneOf, Record
from operations.violations import Parameters
from operations.waiting import a_worker_lives

SHOWN_FAILURES = 20
RECIPIENTS_PER_PAGE = 200
COLORS = {
    "scheduled": "blue",
    "sending": "blue",
    "queued": "blue",
    "paused": "amber",
    "skipped": "amber",
    "failed": "red",
    "sent": "good",
}


def state(value: Any) -> Markup:
    """A status as a badge."""
    return cells.badge(value.value, str(value.label), color=COLORS.get(value.value, ""))


class MailingsView(ComposePages, RecipientPages, ModuleView):
    module = "mailings"
    icon = "send"
    can_create = can_edit = can_delete = False
    column_list = ("id", "subject", "category", "staff", "status", "starts_at", "recipients_count")
    column_labels = {
        "id": _l("Code"),
        "subject": _l("Subject"),
        "category": _l("Category"),
        "staff": _l("Sender"),
        "status": _l("State"),
        "starts_at": _l("Starts"),
        "recipients_count": _l("Recipients"),
    }
    column_formatters = {
        "subject": lambda view, context, row, name: str(row),
        "status": lambda view, context, row, name: state(row.status),
    }
    title_column = "subject"
    amount_columns = ("recipients_count",)
    list_filters = (
        OneOf("status", _l("State"), Mailing.status, MailingStatus),
        Record("category", _l("Category"), Mailing.category_id, TicketCategory),
    )
    loads = (joinedload(Mailing.category), joinedload(Mailing.staff))
    empty_title = _l("No message has been sent yet")
    empty_text = _l("Tick clients in the list, or filter it, and press «Send message».")
    # Which client a mailing went to stands in its recipients.
    scope_column = "id"

    def list_context(self, asked: Any, page: Any, rows: list[Any], count: int) -> dict[str, Any]:
        return super().list_context(asked, page, rows, count) | new_message_button()

    def scope_condition(self, client_id: int) -> Any:
        return Mailing.id.in_(sa.select(MailingRecipient.mailing_id).where(MailingRecipient.client_id == client_id))

    def row_title(self, row: Mailing) -> str:
        return str(row)

    def mail_is_off(self) -> bool:
        return current_app.config["SETTINGS"].mail_server is None

    # One mailing

    @expose("/details/")
    def details_view(self) -> ResponseReturnValue:
        """How a mailing goes on."""
        mailing = self.posted_or_404()
        figures = mailings.progress(mailing)
        return self.render(
            "admin/mailings/details.html",
            record=mailing,
            mailing=mailing,
            figures=figures,
            state=state(MailingStatus(figures["status"])),
            verbs=self._verbs(mailing, figures),
            lines=self._lines(mailing),
            failures=self._failures(mailing),
            trouble=self._trouble(mailing, figures),
            languages_by_code=LANGUAGES,
            as_html=letters.html_of,
            moment=cells.show,
            may_write=current_user.may("clients.message"),
            violation=Parameters.of(mailing.violation_parameters)
            if mailing.is_violation and features.abuse_handling()
            else None,
            may_see_violations=current_user.may("violations.view"),
        )

    @expose("/<int:number>/progress.json")
    @needs("mailings.view")
    def progress_view(self, number: int) -> ResponseReturnValue:
        """The figures of a mailing, for scripts."""
        return jsonify(mailings.progress(self.one_or_404(number)))

    @expose("/recipients/")
    @needs("mailings.view")
    def recipients_view(self) -> ResponseReturnValue:
        """Who got a mailing, and who did not and why."""
        mailing = self.posted_or_404()
        outcome, reason = request.args.get("outcome", ""), request.args.get("reason", "")
        if outcome not in {"", *RecipientOutcome} or reason not in {"", *mailing_plan.reasons()}:
            abort(404)
        rows, after = self._recipients(mailing, outcome, reason)
        return self.render(
            "admin/mailings/recipients.html",
            mailing=mailing,
            rows=rows,
            told=told(mailing, rows),
            after=after,
            outcome=outcome,
            reason=reason,
            outcomes=list(RecipientOutcome),
            reasons=mailing_plan.reasons(),
            state=state,
            languages_by_code=LANGUAGES,
        )

    @expose("/file/")
    @needs("mailings.view")
    def file_view(self) -> ResponseReturnValue:
        """A file of a mailing."""
        try:
            number = filters.whole_number(request.args.get("file", ""))
        except ValueError:
            abort(404)
        mailing = self.posted_or_404()
        attachment = db.session.scalar(
            sa.select(Attachment).where(Attachment.id == number, Attachment.mailing_id == mailing.id)
        )
        return files.send(attachment) if attachment is not None else abort(404)

    @expose("/call-back/", methods=("POST",))
    @needs("clients.message")
    def call_back_view(self) -> ResponseReturnValue:
        """Take a mailing back before it starts."""
        return self._do(mailings.call_back, _("The message was called back. Nobody has got it."))

    @expose("/pause/", methods=("POST",))
    @needs("clients.message")
    def pause_view(self) -> ResponseReturnValue:
        """Hold a mailing's letters back."""
        return self._do(mailings.pause, _("Paused. Letters that are just being sent still go out."))

    @expose("/resume/", methods=("POST",))
    @needs("clients.message")
    def resume_view(self) -> ResponseReturnValue:
        """Go on with a paused mailing."""
        return self._do(mailings.resume, _("The sending goes on."))

    @expose("/cancel/", methods=("POST",))
    @needs("clients.message")
    def cancel_view(self) -> ResponseReturnValue:
        """Send no more letters of a mailing."""
        said = _("Cancelled. What was sent stays sent.")
        if self.posted_or_404().is_violation and features.abuse_handling():
            # Deadlines run on, also of those whose letter was not sent: they find the matter in their panel.
            said += " " + _(
                "Its violations go on, of those who got no letter too. Cancel them in their list where they are not meant."
            )
        return self._do(lambda mailing: mailings.cancel(mailing, now=now()), said)

    @expose("/retry/", methods=("POST",))
    @needs("clients.message")
    def retry_view(self) -> ResponseReturnValue:
        """Try the failed letters of a mailing again."""
        return self._do(
            lambda mailing: mailings.retry_failed(mailing, now=now()),
            _("The failed letters are queued again."),
        )

    def _do(self, change: Callable[[Mailing], Any], said: str) -> ResponseReturnValue:
        mailing = self.posted_or_404()
        self._refuse_others(mailing)
        try:
            change(mailing)
            db.session.commit()
            flash(said, "success")
        except OperationRefused as refusal:
            db.session.rollback()
            flash(refusal.message, "error")
        return redirect(f"{self.url}/details/?id={mailing.id}")

    def _refuse_others(self, mailing: Mailing) -> None:
        """Who may write to one client only has no say over what others send to many."""
        if not self._may_steer(mailing):
            abort(403)

    def _may_steer(self, mailing: Mailing) -> bool:
        own = mailing.staff_id == current_user.id
        return current_user.may("clients.message") and (own or current_user.may("clients.message_all"))

    def _verbs(self, mailing: Mailing, figures: dict[str, Any]) -> list[dict[str, Any]]:
        """The buttons that make sense now."""
        if not self._may_steer(mailing):
            return []
        status = figures["status"]
        offered = [
            ("call-back", _("Call back"), "arrow-back-up", status == "scheduled"),
            ("pause", _("Pause"), "player-pause", status == "sending"),
            ("resume", _("Resume"), "player-play", status == "paused"),
            ("cancel", _("Cancel the rest"), "player-stop", status in {"sending", "paused"}),
            (
                "retry",
                _("Retry failed"),
                "refresh",
                bool(figures["failed"]) and status in {"sending", "paused", "sent"},
            ),
        ]
        return [{"name": name, "label": label, "icon": icon} for name, label, icon, wanted in offered if wanted]

    def _lines(self, mailing: Mailing) -> list[dict[str, Any]]:
        """How many were left out, for each reason."""
        counts = db.session.execute(
            sa.select(MailingRecipient.reason, sa.func.count())
            .where(
                MailingRecipient.mailing_id == mailing.id,
                MailingRecipient.outcome == RecipientOutcome.SKIPPED,
            )
            .group_by(MailingRecipient.reason)
        )
        words = mailing_plan.reasons()
        return [{"reason": reason, "label": words.get(reason, reason), "count": count} for reason, count in counts]

    def _failures(self, mailing: Mailing) -> list[OutboundEmail]:
        return list(
            db.session.scalars(
                sa.select(OutboundEmail)
                .where(OutboundEmail.mailing_id == mailing.id, OutboundEmail.status == EmailStatus.FAILED)
                .options(joinedload(OutboundEmail.client))
                .limit(SHOWN_FAILURES)
            )
        )

    def _trouble(self, mailing: Mailing, figures: dict[str, Any]) -> list[str]:
        """What keeps the mailing from going on, if anything does."""
        if figures["status"] not in {"scheduled", "sending"}:
            return []
        found = []
        if self.mail_is_off() and mailing.send_email:
            found.append(_("No mail server is set (SMTP_URL). The letters wait until there is one."))
        if not a_worker_lives(now=now()):
            found.append(_("No worker is running. Nothing is sent until one is started (flask --app app worker)."))
        error = db.session.scalar(
            sa.select(OutboundEmail.last_error)
            .where(OutboundEmail.mailing_id == mailing.id, OutboundEmail.status == EmailStatus.QUEUED,
                   OutboundEmail.last_error != "")
            .limit(1)
        )  # fmt: skip
        if error:
            found.append(
                _(
                    "Some letters could not be sent yet and are tried again. The last answer: %(error)s",
                    error=error,
                )
            )
        return found

    def _recipients(self, mailing: Mailing, outcome: str, reason: str) -> tuple[list[MailingRecipient], int | None]:
        """A page of recipients by client, and the code after which the next one begins."""
        try:
            after = filters.whole_number(request.args["after"]) if request.args.get("after") else 0
        except ValueError:
            abort(404)
        statement = (
            sa.select(MailingRecipient)
            .where(MailingRecipient.mailing_id == mailing.id, MailingRecipient.client_id > after)
            .options(joinedload(MailingRecipient.client))
            .order_by(MailingRecipient.client_id)
            .limit(RECIPIENTS_PER_PAGE + 1)
        )
        if outcome:
            statement = statement.where(MailingRecipient.outcome == outcome)
        if reason:
            statement = statement.where(MailingRecipient.reason == reason)
        if g.get("client_scope"):
            statement = statement.where(MailingRecipient.client_id == g.client_scope)
        rows = list(db.session.scalars(statement))
        more = len(rows) > RECIPIENTS_PER_PAGE
        rows = rows[:RECIPIENTS_PER_PAGE]
        return rows, rows[-1].client_id if more else None


class EmailsView(ModuleView):
    """The queue of letters; only looked at, as letters are the work of others."""

    module = "emails"
    icon = "mail"
    can_create = can_edit = can_delete = False
    column_list = (
        "id",
        "recipient",
        "client",
        "mailing",
        "status",
        "attempts",
        "next_attempt_at",
        "last_error",
        "sent_at",
    )
    column_details_list = (
        "recipient", "client", "mailing", "ticket", "project", "template", "language", "status", "attempts",
        "created_at", "next_attempt_at", "sent_at", "last_error", "message_id",
    )  # fmt: skip
    column_export_list = (
        "id",
        "recipient",
        "status",
        "attempts",
        "last_error",
        "created_at",
        "sent_at",
        "message_id",
    )
    column_labels = {
        "id": _l("Code"),
        "recipient": _l("Recipient"),
        "client": _l("Client"),
        "mailing": _l("Mailing"),
        "ticket": _l("Ticket"),
        "project": _l("Project"),
        "template": _l("Kind"),
        "language": _l("Language"),
        "status": _l("State"),
        "attempts": _l("Attempts"),
        "created_at": _l("Queued at"),
        "next_attempt_at": _l("Next attempt"),
        "sent_at": _l("Sent at"),
        "last_error": _l("Last answer of the server"),
        "message_id": _l("Message-ID"),
    }
    column_formatters = {
        "status": lambda view, context, row, name: state(row.status),
        "mailing": lambda view, context, row, name: _link("mailings", row.mailing_id, row.mailing),
        "ticket": lambda view, context, row, name: _link("tickets", row.ticket_id, row.ticket),
        # When the next attempt is due says nothing of a letter that gets none.
        "next_attempt_at": lambda view, context, row, name: (
            cells.show(row.next_attempt_at) if row.status is EmailStatus.QUEUED else ""
        ),
    }
    title_column = "recipient"
    amount_columns = ("attempts",)
    searched = ("recipient",)
    list_filters = (
        OneOf("status", _l("State"), OutboundEmail.status, EmailStatus),
        Number("mailing", _l("Mailing"), OutboundEmail.mailing_id),
    )
    loads = (joinedload(OutboundEmail.client), joinedload(OutboundEmail.mailing))
    empty_title = _l("No letter yet")

    def row_title(self, row: OutboundEmail) -> str:
        return row.recipient


def _link(module: str, number: int | None, record: Any) -> Markup:
    if number is None:
        return Markup("")
    return Markup('<a href="{}">{}</a>').format(f"/admin/{module}/details/?id={number}", escape(str(record)))

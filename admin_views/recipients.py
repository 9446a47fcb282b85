"""Who is to get a new message, and what became of it for those who were to get one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from flask import abort, flash, g, redirect, request
from flask.typing import ResponseReturnValue
from flask_admin.base import expose
from flask_babel import gettext as _
from flask_login import current_user

from admin_views.base import needs
from admin_views.saved_filters import address_of
from extensions import db
from models import EmailStatus, Mailing, MailingRecipient, OutboundEmail, SavedFilter, Staff, Ticket
from operations import client_filters, filters, saved_filters, selections
from operations.errors import OperationRefused

PAGE = "/admin/mailings/choose/"
ALL = "all"


class RecipientPages:
    """Adds `…/choose/` to the mailings."""

    @expose("/choose/", methods=("GET", "POST"))
    @needs("clients.message_all")
    def choose(self) -> ResponseReturnValue:
        """Choose the recipients, and go on to the message."""
        staff: Staff = current_user._get_current_object()
        if request.method == "GET":
            return self._choose_page(staff)
        chosen = request.form.get("recipients", "")
        if not chosen:
            return self._choose_page(staff, _("Choose who is to get the message.")), 400
        saved = None if chosen == ALL else _saved(chosen, staff)
        parameters = dict(saved.parameters) if saved else {}
        if g.get("client_scope") is not None:
            parameters[selections.SCOPE] = str(g.client_scope)
        try:
            selection = selections.create(
                staff=staff, module="clients", action="message", parameters=parameters,
                url=address_of(saved) if saved else PAGE,
            )  # fmt: skip
        except OperationRefused as refusal:
            db.session.rollback()
            return self._choose_page(staff, refusal.message), 400
        if not selection.count:
            db.session.rollback()
            return self._choose_page(staff, _("No client matches now.")), 400
        db.session.commit()
        return redirect(f"/admin/mailings/new/?selection={selection.id}")

    def _choose_page(self, staff: Staff, message: str = "") -> str:
        rows = []
        for saved in saved_filters.visible_to(staff):
            asked = saved_filters.understood(saved)
            rows.append({"saved": saved, "words": client_filters.in_words(asked), "faults": asked.misunderstood})
        if message:
            flash(message, "error")
        return self.render(  # type: ignore[attr-defined,no-any-return]
            "admin/mailings/choose.html",
            page_title=_("New message"),
            rows=rows,
            chosen=request.form.get("recipients", ""),
            all_clients=ALL,
        )


def _saved(text: str, staff: Staff) -> SavedFilter:
    try:
        number = filters.whole_number(text)
    except ValueError:
        abort(404)
    return saved_filters.find(number, staff=staff) or abort(404)


def new_message_button() -> dict[str, Any]:
    """What the list of mailings shows as its first button, for those who may write to many."""
    may = current_user.may("clients.message_all")
    return {"create_url": PAGE if may else None, "create_label": _("New message")}


class Told(NamedTuple):
    """What there is of recipients beside their outcome, by client: the ticket, and the letter that failed."""

    tickets: dict[int, int]
    failures: dict[int, OutboundEmail]


def told(mailing: Mailing, rows: Sequence[MailingRecipient]) -> Told:
    clients = [row.client_id for row in rows]
    tickets = db.session.execute(
        sa.select(Ticket.client_id, Ticket.id).where(Ticket.mailing_id == mailing.id, Ticket.client_id.in_(clients))
    )
    failed = db.session.scalars(
        sa.select(OutboundEmail).where(
            OutboundEmail.mailing_id == mailing.id, OutboundEmail.template == "",
            OutboundEmail.client_id.in_(clients), OutboundEmail.status == EmailStatus.FAILED,
        )
    )  # fmt: skip
    return Told(dict(tickets.all()), {letter.client_id: letter for letter in failed if letter.client_id is not None})

"""Letters that came in: what became of each, and what staff do with those that nobody could be found for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import current_app, flash, redirect, request
from flask.typing import ResponseReturnValue
from flask_admin.base import expose
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_babel import lazy_pgettext, ngettext, pgettext
from flask_login import current_user
from markupsafe import Markup, escape
from sqlalchemy.orm import joinedload

from admin_views import cells
from admin_views.base import ModuleView, needs
from admin_views.bulk import BulkAction, Chosen, Report
from admin_views.record_bulk import RecordBulk
from extensions import db, now
from forms.base import Form
from forms.fields import LookupField
from forms.tickets import OpenCategoryField
from models import Client, InboundEmail, InboundOutcome, Staff, TicketCategory
from operations import inbound, inbound_outcomes, inbound_parsing, inbound_quotes, inbound_store, letters
from operations.attachments import LARGEST_FILE
from operations.errors import OperationRefused
from operations.filters import Number, OneOf, Yes
from web.templating import size

COLORS = {
    InboundOutcome.WAITING: "blue", InboundOutcome.ANSWERED: "good", InboundOutcome.NEW_TICKET: "good",
    InboundOutcome.BOUNCED: "amber", InboundOutcome.REFUSED: "amber", InboundOutcome.FAILED: "red",
}  # fmt: skip
# What became of these can be changed by hand.
OPEN = frozenset({InboundOutcome.WAITING, InboundOutcome.IGNORED, InboundOutcome.REFUSED, InboundOutcome.FAILED})
MOST_HEADER_LINES = 200


def _put_aside(chosen: Chosen, _form: Any) -> Report:
    view = current_app.extensions["desk_views"]["inbound"]
    count = inbound.put_aside_all(view.selected(chosen.selection), now=now())
    done = ngettext("%(num)s letter is put aside.", "%(num)s letters are put aside.", count)
    left = chosen.count - count
    why = ngettext("%(num)s was handled already.", "%(num)s were handled already.", left)
    return Report(f"{done} {why}" if left else done)


PUT_ASIDE = BulkAction(
    "put_aside", _l("Put aside"), "check", "inbound.edit", run=_put_aside,
    verb=lambda n: ngettext("Put %(num)s letter aside", "Put %(num)s letters aside", n),
)  # fmt: skip


class TicketForm(Form):
    """Whose ticket a letter becomes, and under which category."""

    client = LookupField(_l("Client"), model=Client)
    category = OpenCategoryField(_l("Category"), model=TicketCategory, only_active=True)


class InboundView(RecordBulk, ModuleView):
    """The letters that came in. Nothing of them is ever shown as HTML."""

    module = "inbound"
    icon = "inbox"
    can_create = can_edit = can_delete = False
    column_list = ("id", "received_at", "sender", "subject", "outcome", "reason", "client", "ticket")
    column_details_list = (
        "received_at", "outcome", "reason", "error", "sender", "recipients", "return_path", "envelope_to", "client", "ticket", "size",
        "source", "attempts", "handled_at", "message_id",
    )  # fmt: skip
    column_export_list = (
        "id",
        "received_at",
        "sender",
        "recipients",
        "subject",
        "outcome",
        "reason",
        "error",
        "size",
        "message_id",
    )
    column_labels = {
        "id": _l("Code"), "received_at": _l("Received"), "sender": _l("Sender"), "recipients": lazy_pgettext("letter", "To"),
        "subject": _l("Subject"), "outcome": _l("What became of it"), "client": _l("Client"), "ticket": _l("Ticket"),
        "size": _l("Size"), "source": _l("Came by"), "attempts": _l("Attempts"), "error": _l("Error"),
        "handled_at": _l("Handled"), "message_id": _l("Message-ID"), "return_path": _l("Return address"),
        "envelope_to": _l("Delivered to"), "reason": _l("Reason"),
    }  # fmt: skip
    column_formatters = {
        "outcome": lambda view, context, row, name: state(row),
        "reason": lambda view, context, row, name: inbound_outcomes.label(row.reason) if row.reason else "",
        "sender": lambda view, context, row, name: row.sender or row.return_path or "—",
        "size": lambda view, context, row, name: size(row.size),
        "ticket": lambda view, context, row, name: link_to_ticket(row),
    }
    form_columns = ("client",)
    bulk_actions = (PUT_ASIDE,)
    is_dense = True
    title_column = "sender"
    amount_columns = ("size",)
    searched = ("sender", "subject")
    sortable = ("id", "received_at")
    list_filters = (
        OneOf("outcome", _l("What became of it"), InboundEmail.outcome, InboundOutcome),
        Yes("unread", _l("To look at"), inbound_store.to_look_at),
        Number("ticket", _l("Ticket"), InboundEmail.ticket_id),
    )
    loads = (joinedload(InboundEmail.client), joinedload(InboundEmail.ticket))
    details_template = "admin/inbound/details.html"
    empty_title = _l("No letter has come in")
    empty_text = _l("Letters are fetched where INBOUND_URL says.")

    def row_title(self, row: InboundEmail) -> str:
        return row.subject or _("(no subject)")

    def list_tabs(self) -> list[dict[str, Any]]:
        """All, and those that somebody should look at."""
        offered = [
            (_("All"), {}),
            (_("To look at"), {"unread": "1"}),
            (pgettext("letters", "Answers"), {"outcome": "answered"}),
            (pgettext("letters", "New tickets"), {"outcome": "new_ticket"}),
            (pgettext("letters", "Came back"), {"outcome": "bounced"}),
            (pgettext("letters", "Ignored"), {"outcome": "ignored"}),
        ]
        now_shown = {name: request.args[name] for name in ("outcome", "unread") if request.args.get(name)}
        none = {"outcome": None, "unread": None, "after": None, "before": None}
        return [
            {"label": label, "url": self.list_url(**{**none, **wanted}), "active": now_shown == wanted}
            for label, wanted in offered
        ]

    def details_context(self, record: InboundEmail) -> dict[str, Any]:
        """A letter as text, and what can be done with it."""
        context = super().details_context(record)
        may_change = self.may_change(record)
        form = TicketForm(None, client=record.client, category=inbound_category())
        form.form_errors = []
        return {
            **context,
            **self.content_of(record),
            "may_change": may_change,
            "form": form,
            "lookups": self.lookups(form),
            "as_html": letters.html_of,
            "actions": self.actions_of(record) if may_change else [],
        }

    def may_change(self, record: InboundEmail) -> bool:
        """Whether something can still be done with the letter, and this person may."""
        return record.outcome in OPEN and bool(record.stored_name) and current_user.may("inbound.edit")

    def actions_of(self, record: InboundEmail) -> list[dict[str, Any]]:
        fields = {"id": record.id}
        found = [
            {
                "label": _("Try again"),
                "icon": "refresh",
                "method": "post",
                "url": f"{self.url}/retry/",
                "fields": fields,
            }
        ]
        if record.ticket_id is not None:
            found.append({"label": _("Add to the ticket"), "icon": "message", "method": "post", "url": f"{self.url}/add/", "fields": fields})  # fmt: skip
        if record.reason != inbound_outcomes.BY_STAFF:
            found.append({"label": _("Put aside"), "icon": "check", "method": "post", "url": f"{self.url}/put-aside/", "fields": fields})  # fmt: skip
        return found

    def content_of(self, record: InboundEmail) -> dict[str, Any]:
        """What the letter says and its head, as text; and the names of its files."""
        raw = inbound_store.open_raw(record.stored_name)
        if raw is None:
            return {"said": None, "head_lines": [], "file_names": []}
        with raw:
            letter = inbound_parsing.read(raw, largest_file=LARGEST_FILE, directory=inbound_store.directory())
        return {
            "said": inbound_quotes.part(letter.text),
            "head_lines": letter.head.lines()[:MOST_HEADER_LINES],
            "file_names": letter.left_out,
            "is_cut": letter.is_cut,
        }

    @expose("/assign/", methods=("POST",))
    @needs("inbound.edit")
    def assign_view(self) -> ResponseReturnValue:
        """Make a letter a ticket of a client."""
        record = self.posted_or_404()
        form = TicketForm(request.form)
        form.form_errors = []
        if not form.validate():
            return self.render(self.details_template, **{**self.details_context(record), "form": form, "lookups": self.lookups(form)}), 400  # fmt: skip

        def make() -> str:
            ticket = inbound.make_ticket(
                record, client=form.client.data, category=form.category.data, by=me(), now=now()
            )
            return f"/admin/tickets/details/?id={ticket.id}"

        return self._do(record, make, _("The letter is a ticket now."))

    @expose("/add/", methods=("POST",))
    @needs("inbound.edit")
    def add_view(self) -> ResponseReturnValue:
        """Make a letter an answer in the ticket that it names."""
        record = self.posted_or_404()

        def add() -> str:
            return f"/admin/tickets/details/?id={inbound.add_to_ticket(record, by=me(), now=now()).id}"

        return self._do(record, add, _("The letter stands in the ticket now."))

    @expose("/retry/", methods=("POST",))
    @needs("inbound.edit")
    def retry_view(self) -> ResponseReturnValue:
        """Have a worker handle the letter once more."""
        record = self.posted_or_404()
        return self._do(
            record, lambda: inbound.try_again(record, now=now()), _("A worker handles the letter within seconds.")
        )

    @expose("/put-aside/", methods=("POST",))
    @needs("inbound.edit")
    def put_aside_view(self) -> ResponseReturnValue:
        """Note that nothing need be done."""
        record = self.posted_or_404()
        return self._do(record, lambda: inbound.put_aside(record, now=now()), _("The letter is put aside."))

    def _do(self, record: InboundEmail, verb: Callable[[], str | None], done: str) -> ResponseReturnValue:
        url = f"{self.url}/details/?id={record.id}"
        try:
            leads_to = verb()
            db.session.commit()
        except OperationRefused as refusal:
            db.session.rollback()
            flash(refusal.message, "error")
            return redirect(url)
        flash(done, "success")
        return redirect(leads_to if leads_to and current_user.may("tickets.view") else url)


def me() -> Staff:
    return db.session.get_one(Staff, current_user.id)


def inbound_category() -> Any:
    try:
        return inbound.category()
    except OperationRefused:
        return None


def state(row: InboundEmail) -> Any:
    """What became of it, as a badge."""
    return cells.badge(row.outcome.value, str(row.outcome.label), color=COLORS.get(row.outcome, ""))


def link_to_ticket(row: InboundEmail) -> Markup:
    if row.ticket is None:
        return Markup("")
    return Markup('<a href="{}">{}</a>').format(
        f"/admin/tickets/details/?id={row.ticket_id}", escape(row.ticket.subject)
    )

"""Tickets: the list, and one as a thread."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from flask import abort, request
from flask.typing import ResponseReturnValue
from flask_admin.base import expose
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_babel import pgettext
from flask_login import current_user
from sqlalchemy.orm import joinedload

from admin_views import cells, files
from admin_views.answering import AnsweringPages, staff
from admin_views.base import ModuleView, needs
from extensions import now
from models import Staff, Ticket, TicketCategory, TicketStatus
from operations import filters, ticket_reading, tickets
from operations.filters import Condition, Number, OneOf, Record

# Who has waited longest for staff is answered first.
OLDEST_FIRST = {"sort": "updated_at"}
COLORS = {"waiting_staff": "amber", "waiting_client": "blue", "closed": ""}


def state(ticket: Ticket) -> Any:
    return cells.badge(ticket.status.value, str(ticket.status.label), color=COLORS[ticket.status.value])


class TicketState(OneOf):
    """The state of a ticket, or any but closed."""

    def options(self) -> list[tuple[str, str]]:
        return [*super().options(), ("open", pgettext("tickets", "Not closed"))]

    def clean(self, text: str) -> str:
        return text if text == "open" else super().clean(text)

    def condition(self, value: str) -> Condition:
        return super().condition(value) if value != "open" else sa.and_(self.column != TicketStatus.CLOSED)


class TicketsView(AnsweringPages, ModuleView):
    module = "tickets"
    icon = "message"
    # Who goes there from the menu wants to work off what its figure counts.
    menu_parameters = {"status": "waiting_staff", **OLDEST_FIRST}
    can_create = can_delete = False
    can_edit = True
    column_list = ("id", "subject", "client", "category", "status", "assignee", "updated_at")
    column_labels = {
        "id": _l("Code"),
        "subject": _l("Subject"),
        "client": _l("Client"),
        "category": _l("Category"),
        "status": _l("State"),
        "assignee": _l("Assignee"),
        "updated_at": _l("State since"),
    }
    column_editable_list = ("category", "assignee")
    form_columns = ("subject", "category", "assignee")
    sections = (("", "", ("subject", "category", "assignee")),)
    column_formatters = {"status": lambda view, context, row, name: state(row)}
    title_column = "subject"
    searched = ("subject", "reference")
    sortable = ("id", "updated_at")
    list_filters = (
        TicketState("status", _l("State"), Ticket.status, TicketStatus),
        Record("category", _l("Category"), Ticket.category_id, TicketCategory),
        Record("assignee", _l("Assignee"), Ticket.assignee_id, Staff),
        Number("mailing", _l("Mailing"), Ticket.mailing_id),
    )
    loads = (joinedload(Ticket.client), joinedload(Ticket.category), joinedload(Ticket.assignee))
    empty_title = _l("No tickets")

    def row_title(self, row: Ticket) -> str:
        return row.subject

    def list_tabs(self) -> list[dict[str, Any]]:
        """Active requests, mine, those that wait for the client, closed ones, all."""
        offered = [
            (_("Active requests"), {"status": "waiting_staff"}),
            (_("Mine"), {"status": "open", "assignee": str(current_user.id)}),
            (pgettext("tickets", "Waiting for the client"), {"status": "waiting_client"}),
            (pgettext("tickets", "Closed"), {"status": "closed"}),
            (_("All"), {}),
        ]
        now_shown = {name: request.args[name] for name in ("status", "assignee") if request.args.get(name)}
        none = {"status": None, "assignee": None, "after": None, "before": None, "sort": None}
        return [
            {
                "label": label,
                "url": self.list_url(
                    **{**none, **wanted, **(OLDEST_FIRST if wanted.get("status") == "waiting_staff" else {})}
                ),
                "active": now_shown == wanted,
            }
            for label, wanted in offered
        ]

    def state_of(self, ticket: Ticket) -> Any:
        return state(ticket)

    def on_model_change(self, form: Any, model: Ticket, is_created: bool) -> None:
        tickets.note_assignee(model, by=staff(), now=now())

    @expose("/file/")
    @needs("tickets.view")
    def file_view(self) -> ResponseReturnValue:
        """A file of a ticket."""
        ticket = self.posted_or_404()
        try:
            number = filters.whole_number(request.args.get("file", ""))
        except ValueError:
            abort(404)
        attachment = ticket_reading.attachment_of(ticket, number, with_internal=True)
        return files.send(attachment) if attachment is not None else abort(404)

"""Violations: the list of what clients did against the rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from flask import abort, g, request
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_babel import ngettext, pgettext
from markupsafe import Markup
from sqlalchemy.orm import joinedload

from admin_views import cells
from admin_views.base import ModuleView
from admin_views.bulk import BulkAction
from admin_views.client_badges import badges_of
from admin_views.penalty_points import PointPages
from admin_views.violation_holds import HoldPages
from admin_views.violation_pages import ViolationPages
from admin_views.violation_words import deadline, state
from extensions import db, now
from models import Client, PenaltyPoint, Staff, Ticket, Violation, ViolationStatus
from operations import features
from operations.filters import Number, OneOf, Yes


class OfMailing(Number):
    """The violations that a mailing has made."""

    def condition(self, value: int) -> Any:
        return Violation.ticket_id.in_(sa.select(Ticket.id).where(Ticket.mailing_id == value))


def _many(name: str) -> Any:
    return lambda selection: f"/admin/violations/many/?selection={selection.id}&verb={name}"


class ViolationsView(ViolationPages, HoldPages, PointPages, ModuleView):
    module = "violations"
    icon = "gavel"
    can_create = can_edit = can_delete = False
    list_template = "admin/violations/list.html"
    column_list = ("id", "client", "properties", "ticket", "deadline", "action", "points", "status")
    column_export_list = ("id", "client", "ticket", "deadline", "action", "points", "status", "executed_at", "comment")
    column_labels = {
        "id": _l("Code"), "client": _l("Client"), "ticket": _l("Ticket"), "deadline": _l("Deadline"),
        "action": _l("If there is no reaction"), "points": _l("Penalty points"), "status": _l("State"),
        "executed_at": _l("Executed"), "comment": _l("Comment"), "properties": _l("Properties"),
    }  # fmt: skip
    list_filters = (
        OneOf("status", _l("State"), Violation.status, ViolationStatus),
        Yes("held", _l("Held until staff confirm"), lambda: Violation.held_at.is_not(None)),
        OfMailing("mailing", _l("Mailing"), None),
    )
    searched = ("comment",)
    sortable = ("id", "deadline", "points")
    amount_columns = ("points",)
    title_column = "id"
    loads = (
        joinedload(Violation.ticket), joinedload(Violation.client).joinedload(Client.characterization),
    )  # fmt: skip
    empty_title = _l("No violations")
    empty_text = _l("Tick «Violation» in a message to clients to give them a deadline.")
    bulk_actions = (
        BulkAction("resolve", _l("Resolve"), "check", "violations.edit", page=_many("resolve")),
        BulkAction("cancel", _l("Cancel"), "x", "violations.edit", danger=True, page=_many("cancel")),
    )

    def _handle_view(self, name: str, **more: Any) -> None:
        """Where the handling of abuse is switched off there are no such pages."""
        if not features.abuse_handling():
            abort(404)

    def base_select(self) -> sa.Select[Any]:
        living = sa.exists().where(Client.id == Violation.client_id, Client.deleted_at.is_(None))
        return super().base_select().where(living)

    def list_tabs(self) -> list[dict[str, Any]]:
        """Open ones, the next due first; then by what became of them."""
        offered: list[tuple[str, dict[str, Any]]] = [
            (_("All"), {}),
            (pgettext("violations", "Open"), {"status": "open", "sort": "deadline"}),
            (pgettext("violations", "Answered"), {"status": "answered"}),
            (pgettext("violations", "Executed"), {"status": "executed"}),
            (pgettext("violations", "Resolved"), {"status": "resolved"}),
            (pgettext("violations", "Cancelled"), {"status": "cancelled"}),
        ]
        none = dict.fromkeys(("status", "sort", "held", "after", "before"))
        shown = request.args.get("status", "")
        return [
            {"label": label, "url": self.list_url(**{**none, **wanted}), "active": shown == wanted.get("status", "")}
            for label, wanted in offered
        ]

    def fetch_rows(self, ids: Sequence[int]) -> list[Violation]:
        """The rows of a page; the points of their clients are found with one statement for all."""
        rows = super().fetch_rows(ids)
        g.points_of_clients = _points([row.client_id for row in rows])
        return rows

    def cell(self, row: Violation, name: str) -> Any:
        if name == "properties":
            points = g.points_of_clients.get(row.client_id, 0)
            found = [cells.badge_html(one) for one in badges_of(row.client, points=points)]
            return Markup('<span class="badges">{}</span>').format(Markup("").join(found)) if found else ""
        if name == "ticket":
            return Markup('<a href="/admin/tickets/details/?id={}">{}</a>').format(row.ticket_id, row.ticket.subject)
        if name == "status":
            return state(row)
        return deadline(row) if name == "deadline" else super().cell(row, name)

    def row_title(self, row: Any) -> str:
        return f"#{row.id} {row.client}"

    def details_context(self, record: Violation) -> dict[str, Any]:
        """The groups of facts on a violation's page; its services and forms are added by violation_pages."""
        g.points_of_clients = _points([record.client_id])
        sender = db.session.get(Staff, record.ticket.sender_id or 0)
        facts: list[tuple[Any, Any]] = [
            (self.label_of("client"), self.cell(record, "client") + Markup(" ") + self.cell(record, "properties")),
            (self.label_of("ticket"), self.cell(record, "ticket")),
            (_("Sender"), sender.shown_name if sender else ""),
            (_("Sent"), cells.show(record.created_at)),
        ]
        clock: list[tuple[Any, Any]] = [
            (self.label_of("deadline"), deadline(record)),
            (self.label_of("action"), record.action.label),
            (_("Reminder"), _reminder(record)),
            (self.label_of("executed_at"), cells.show(record.executed_at)),
            (self.label_of("points"), ngettext("%(num)s point", "%(num)s points", record.points) if record.points else ""),
            (self.label_of("comment"), record.comment),
        ]  # fmt: skip
        if record.limit_executed_at:
            clock.append((_("Stopped over the limit of points"), cells.show(record.limit_executed_at)))
        return {
            "record": record,
            "page_title": self.row_title(record),
            "crumb": (self.name, f"{self.url}/"),
            "groups": [
                {"title": _("What it is about"), "rows": facts},
                {"title": _("Deadline"), "rows": [one for one in clock if one[1] not in (None, "")]},
            ],
        }


def _reminder(record: Violation) -> str:
    if record.reminded_at is not None:
        return _("sent %(when)s", when=cells.show(record.reminded_at))
    if record.remind_at is not None and record.status is ViolationStatus.OPEN:
        return _("goes out %(when)s", when=cells.show(record.remind_at))
    return ""


def _points(client_ids: Sequence[int]) -> dict[int, int]:
    rows = db.session.execute(
        sa.select(PenaltyPoint.client_id, sa.func.sum(PenaltyPoint.points))
        .where(PenaltyPoint.client_id.in_(client_ids), PenaltyPoint.expires_at > now())
        .group_by(PenaltyPoint.client_id)
    )
    return {number: total for number, total in rows}  # noqa: C416

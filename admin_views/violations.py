"""Violations: what clients did against the rules."""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext as _l

from admin_views.base import ModuleView
from models import Violation, ViolationStatus
from operations.filters import OneOf


class ViolationsView(ModuleView):
    module = "violations"
    icon = "gavel"
    can_create = can_edit = can_delete = False
    column_list = ("id", "client", "ticket", "deadline", "action", "points", "status", "executed_at")
    column_labels = {
        "id": _l("Code"), "client": _l("Client"), "ticket": _l("Ticket"), "deadline": _l("Deadline"),
        "action": _l("If there is no reaction"), "points": _l("Penalty points"), "status": _l("Status"),
        "executed_at": _l("Executed"), "comment": _l("Comment"),
    }  # fmt: skip
    column_details_list = ("id", "client", "ticket", "deadline", "action", "points", "comment", "status", "executed_at")
    list_filters = (OneOf("status", _l("Status"), Violation.status, ViolationStatus),)
    searched = ("comment",)
    sortable = ("id", "deadline", "points")
    amount_columns = ("points",)

    def row_title(self, row: Any) -> str:
        return f"#{row.id} {row.client}"

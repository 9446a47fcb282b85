"""The audit: what was changed, when, by whom. Nothing here can be changed."""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext as _l
from markupsafe import Markup
from sqlalchemy.orm import joinedload

from admin_views.base import ModuleView
from models import AuditEvent, Staff
from operations.filters import Day, Number, Part, Record


class AuditView(ModuleView):
    module = "audit"
    icon = "history"
    can_create = can_edit = can_delete = False
    column_list = ("id", "at", "actor", "ip", "module", "record_id", "action", "changes")
    column_labels = {
        "id": _l("Code"), "at": _l("When"), "actor": _l("Who"), "ip": _l("IP address"), "module": _l("Module"),
        "record_id": _l("Record"), "action": _l("Action"), "changes": _l("What"),
    }  # fmt: skip
    column_export_list = ("id", "at", "actor", "ip", "module", "record_id", "client_id", "action", "before", "after")
    list_filters = (
        Part("module", _l("Module"), AuditEvent.module),
        Number("record_id", _l("Record"), AuditEvent.record_id),
        Record("staff", _l("Staff member"), AuditEvent.staff_id, Staff),
        Part("action", _l("Action"), AuditEvent.action),
        Number("bulk_change", _l("Bulk change"), AuditEvent.bulk_change_id),
        Day("at_from", _l("From"), AuditEvent.at),
        Day("at_to", _l("To"), AuditEvent.at, upper=True),
    )
    sortable = ("id", "at")
    loads = (joinedload(AuditEvent.staff),)

    def cell(self, row: Any, name: str) -> Any:
        return changes_in_words(row) if name == "changes" else super().cell(row, name)


def changes_in_words(event: AuditEvent) -> Markup:
    """The change as a person reads it: «e-mail: a@x → b@x»."""
    names = list(dict.fromkeys([*event.before, *event.after]))
    lines = [
        Markup("{}: {} → {}").format(name, short(event.before.get(name)), short(event.after.get(name)))
        if name in event.before
        else Markup("{}: {}").format(name, short(event.after.get(name)))
        for name in names
    ]
    return Markup("<br>").join(lines)


def short(value: Any) -> str:
    text = "—" if value in (None, "", [], {}) else str(value)
    return text if len(text) <= 120 else text[:119] + "…"

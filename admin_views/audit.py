"""The audit: what was changed, when, by whom, in words. Nothing here can be changed."""

from __future__ import annotations

from typing import Any

from flask import current_app, g
from flask_babel import lazy_gettext as _l
from flask_login import current_user
from markupsafe import Markup, escape
from sqlalchemy.orm import joinedload

from admin_views import audit_words
from admin_views.audit_words import Words
from admin_views.base import ModuleView
from extensions import db
from models import AuditEvent, Client, ClientUser, Impersonation, Staff
from operations.filters import Day, Number, OneOf, Part, Record


def modules() -> list[tuple[str, str]]:
    """The modules, as the menu calls them."""
    return [(module, str(view.name)) for module, view in current_app.extensions["desk_views"].items()]


def actions() -> list[tuple[str, str]]:
    """What can be done, in words."""
    return sorted(((code, str(label)) for code, label in audit_words.ACTIONS.items()), key=lambda pair: pair[1])


class AuditView(ModuleView):
    module = "audit"
    icon = "history"
    can_create = can_edit = can_delete = False
    leaves_with_client = False
    column_list = ("id", "at", "actor", "ip", "module", "record_id", "action", "changes")
    column_labels = {
        "id": _l("Code"), "at": _l("When"), "actor": _l("Who"), "ip": _l("IP address"), "module": _l("Module"),
        "record_id": _l("Record"), "action": _l("Action"), "changes": _l("What"),
    }  # fmt: skip
    column_export_list = ("id", "at", "actor", "ip", "module", "record_id", "client_id", "action", "before", "after")
    list_filters = (
        OneOf("module", _l("Module"), AuditEvent.module, modules),
        Number("record_id", _l("Record"), AuditEvent.record_id),
        Record("staff", _l("Staff member"), AuditEvent.staff_id, Staff),
        Part("actor", _l("Name of who did it"), AuditEvent.actor),
        OneOf("action", _l("Action"), AuditEvent.action, actions),
        Number("bulk_change", _l("Bulk change"), AuditEvent.bulk_change_id),
        Day("at_from", _l("From"), AuditEvent.at),
        Day("at_to", _l("To"), AuditEvent.at, upper=True),
    )
    sortable = ("id", "at")
    loads = (joinedload(AuditEvent.staff),)

    def fetch_rows(self, *arguments: Any, **more: Any) -> list[Any]:
        """The events of a page; the names that they mention are found with one statement for all."""
        rows = super().fetch_rows(*arguments, **more)
        g.audit_words = Words(rows)
        return rows

    def cell(self, row: Any, name: str) -> Any:
        words = g.get("audit_words") or Words([row])
        if name == "changes":
            return words.line(row)
        if name == "record_id":
            return words.record(row)
        if name in {"module", "action"}:
            return escape(
                (audit_words.module_name if name == "module" else audit_words.action_name)(getattr(row, name))
            )
        return super().cell(row, name)

    def details_context(self, record: AuditEvent) -> dict[str, Any]:
        """The event whole: who and where, and every field before and after, not shortened."""
        g.audit_words = words = Words([record])
        context = super().details_context(record)
        context["page_title"] = f"#{record.id} {audit_words.module_name(record.module)}: " + audit_words.action_name(
            record.action
        )
        names = ("at", "actor", "ip", "module", "record_id", "action")
        rows = [(self.label_of(name), self.cell(record, name)) for name in names]
        context["groups"] = [{"title": "", "rows": rows + self._people(record)}]
        changes = [
            (field, after if before is None else Markup("{} → {}").format(before, after))
            for field, before, after in words.changes(record)
        ]
        if changes:
            context["groups"].append({"title": self.label_of("changes"), "rows": changes})
        return context

    def _people(self, record: AuditEvent) -> list[tuple[Any, Any]]:
        """Who is behind the name, the client it is about, and the numbers that join events."""
        found = [
            (_l("Staff member"), "staff", db.session.get(Staff, record.staff_id or 0)),
            (_l("User"), "users", db.session.get(ClientUser, record.client_user_id or 0)),
            (_l("Client"), "clients", db.session.get(Client, record.client_id or 0)),
        ]
        rows: list[tuple[Any, Any]] = [(label, self._link(module, one)) for label, module, one in found if one]
        stay = db.session.get(Impersonation, record.impersonation_id or 0)
        if stay is not None:
            rows.append((_l("Reason for the login as the client"), stay.reason))
        return [*rows, (_l("Number of the request"), record.request_id)]

    def _link(self, module: str, one: Any) -> Any:
        if not current_user.may(f"{module}.view"):
            return escape(str(one))
        return Markup('<a href="/admin/{}/details/?id={}">#{} {}</a>').format(module, one.id, one.id, str(one))

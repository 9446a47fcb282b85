"""The audit: what was changed, when, by whom, in words. Nothing here can be changed."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from flask import current_app, g
from flask_babel import format_decimal
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_login import current_user
from markupsafe import Markup, escape
from sqlalchemy.orm import joinedload

from admin_views import audit_words, cells
from admin_views.audit_words import Words
from admin_views.base import ModuleView
from admin_views.listing import ListRequest
from extensions import db
from models import AuditEvent, Client, ClientUser, Impersonation, Staff
from operations import json_sql
from operations.filters import Condition, Moment, Number, OneOf, Part, Record

# What no index finds, and among how many of the newest events it is looked for.
SLOW = ("field", "value", "actor")
LOOKED_THROUGH = 50_000
# What names few enough events to look through them all.
NARROW = ("record_id", "of_client", "bulk_change")


def modules() -> list[tuple[str, str]]:
    """The modules, as the menu calls them."""
    return [(module, str(view.name)) for module, view in current_app.extensions["desk_views"].items()]


def actions() -> list[tuple[str, str]]:
    """What can be done, in words."""
    return sorted(((code, str(label)) for code, label in audit_words.ACTIONS.items()), key=lambda pair: pair[1])


def fields() -> list[tuple[str, str]]:
    """What can be changed, in words; what is called the same stands there once."""
    found: dict[str, str] = {}
    for code, label in audit_words.FIELDS.items():
        found.setdefault(str(label), code)
    return sorted(((code, label) for label, code in found.items()), key=lambda pair: pair[1].lower())


class OfRecord(Number):
    """The code of a record. There is an index of modules and their records, so all modules are named."""

    def condition(self, value: int) -> Condition:
        every = {*current_app.extensions["desk_views"], *audit_words.all_modules()}
        return sa.and_(AuditEvent.module.in_(sorted(every)), super().condition(value))


class Changed(OneOf):
    """A field that has a value before or after."""

    def condition(self, value: str) -> Condition:
        alike = [code for code, label in audit_words.FIELDS.items() if str(label) == self.shown(value)]
        columns = (AuditEvent.before, AuditEvent.after)
        names = [name for code in alike for name in (code, f"{code}_id")]
        return sa.or_(*(json_sql.has_key(column, name) for name in names for column in columns))


class Value(Part):
    """A part of a value before or after, as it is kept: of records the code, of choices their word for programs."""

    def condition(self, value: str) -> Condition:
        columns = (AuditEvent.before, AuditEvent.after)
        return sa.or_(*(json_sql.has_value(column, value.lower()) for column in columns))


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
    # In words first, then as it is kept.
    column_export_list = (
        "id", "at", "actor", "ip", "module_name", "record_name", "action_name", "said",
        "module", "record_id", "client_id", "staff_id", "client_user_id", "action", "before", "after",
    )  # fmt: skip
    default_sort = "-at"
    list_filters = (
        OneOf("module", _l("Module"), AuditEvent.module, modules),
        OfRecord("record_id", _l("Record"), AuditEvent.record_id),
        Number("of_client", _l("About the client (code, also of one deleted)"), AuditEvent.client_id),
        Record("staff", _l("Staff member, also as a client"), AuditEvent.staff_id, Staff),
        Number("user", _l("User (code), also staff as this user"), AuditEvent.client_user_id),
        OneOf("action", _l("Action"), AuditEvent.action, actions),
        Moment("at_from", _l("From"), AuditEvent.at),
        Moment("at_to", _l("To"), AuditEvent.at, upper=True),
        Changed("field", _l("What was changed"), AuditEvent.after, fields),
        Value("value", _l("Part of an old or new value"), AuditEvent.after),
        Part("actor", _l("Part of the name of who did it"), AuditEvent.actor),
        Number("bulk_change", _l("Bulk change"), AuditEvent.bulk_change_id),
    )
    sortable = ("id", "at")
    loads = (joinedload(AuditEvent.staff),)

    def list_request(self, parameters: Any = None) -> ListRequest:
        """A record's events are read by their numbers, in whose order its index has them; all others by time."""
        asked = super().list_request(parameters)
        if asked.sort == "at" and "record_id" in asked.asked.values:
            asked.sort = "id"
        return asked

    def matching(self, asked: ListRequest) -> sa.Select[Any]:
        """What no index finds is looked for among the newest events, unless something else names a few."""
        found = super().matching(asked)
        if _is_bounded(asked):
            newest = sa.select(sa.func.max(AuditEvent.id) - LOOKED_THROUGH).scalar_subquery()
            found = found.where(AuditEvent.id >= newest)
        return found

    def _chips(self, asked: ListRequest) -> list[dict[str, str]]:
        chips = super()._chips(asked)
        if not _is_bounded(asked):
            return chips
        told = _("among the newest %(count)s events", count=format_decimal(LOOKED_THROUGH))
        slow = {str(self.known_filters[key].label) for key in SLOW}
        return [{**chip, "value": f"{chip['value']} ({told})"} if chip["label"] in slow else chip for chip in chips]

    def _filter_fields(self, asked: ListRequest) -> list[dict[str, Any]]:
        """A day alone is shown as its beginning or its end, where a time can be chosen too."""
        ends = {"at_from": "T00:00", "at_to": "T23:59"}
        fields = super()._filter_fields(asked)
        for field in fields:
            if field["key"] in ends and len(field["value"]) == 10:
                field["value"] += ends[field["key"]]
        return fields

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
        if name == "record_name":
            return escape(words.named(row))
        if name == "actor":
            return escape(cells.actor(row.actor))
        if name == "said":
            return escape(words.text(row))
        name = {"module_name": "module", "action_name": "action"}.get(name, name)
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


def _is_bounded(asked: ListRequest) -> bool:
    given = asked.asked.values
    return any(key in given for key in SLOW) and asked.scope is None and not any(key in given for key in NARROW)

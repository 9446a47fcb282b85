"""Roles: sets of permissions."""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext as _l
from flask_login import current_user
from markupsafe import escape
from wtforms import SelectMultipleField
from wtforms.fields.choices import SelectChoice

from admin_views.base import ModuleView
from extensions import db
from models import Role, Staff
from operations import permissions
from operations import staff as staff_operations


class RolesView(ModuleView):
    module = "roles"
    icon = "key"
    create_label = _l("New role")
    column_list = ("id", "name", "permissions")
    column_labels = {"id": _l("Code"), "name": _l("Name"), "permissions": _l("Permissions")}
    form_columns = ("name", "permissions")
    form_extra_fields = {
        "permissions": SelectMultipleField(
            _l("Permissions"), choices=[SelectChoice(name, name) for name in permissions.EVERYTHING],
            description=_l("Nobody can give a right that he does not have himself."),
        )
    }  # fmt: skip
    sortable = ("id", "name")
    default_sort = "id"
    title_column = "name"
    sections = (("", "", ("name", "permissions")),)

    def row_title(self, row: Any) -> str:
        return str(row)

    def cell(self, row: Any, name: str) -> Any:
        if name == "name":
            return escape(str(row))
        return str(len(row.permissions)) if name == "permissions" else super().cell(row, name)

    def on_model_change(self, form: Any, model: Role, is_created: bool) -> None:
        staff_operations.check_role(model, by=db.session.get_one(Staff, current_user.id))

    def delete_record(self, record: Role) -> None:
        staff_operations.refuse_if_last_owner(record)
        super().delete_record(record)

"""Staff: who works in the admin."""

from __future__ import annotations

from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_login import current_user
from wtforms import PasswordField, SelectField
from wtforms.validators import Optional

from admin_views.base import ModuleView
from extensions import db
from forms.clients import Email
from forms.fields import LongList, time_zones
from models import Role, Staff
from operations import staff as staff_operations
from operations.filters import Record
from web.access import Policy


class StaffView(ModuleView):
    module = "staff"
    icon = "shield"
    create_label = _l("New staff member")
    column_list = ("id", "username", "full_name", "email", "role", "is_active", "last_login_at")
    column_labels = {
        "id": _l("Code"), "username": _l("Username"), "full_name": _l("Full name"), "email": _l("E-mail"),
        "role": _l("Role"), "is_active": _l("May log in"), "last_login_at": _l("Last login"),
        "language": _l("Language"), "time_zone": _l("Time zone"),
    }  # fmt: skip
    form_columns = ("username", "full_name", "email", "role", "password", "language", "time_zone", "is_active")
    form_extra_fields = {
        "password": PasswordField(
            _l("Password"), [Optional()],
            description=_l("At least 12 characters, with Latin letters and digits; good for one login. Empty: it stays as it is."),
        )
    }  # fmt: skip
    form_overrides = {"time_zone": SelectField}
    form_args = {
        "email": {"validators": [Optional(), Email()]},
        "time_zone": {
            "choices": time_zones,
            "validators": [],
            "widget": LongList(),
        },
    }
    list_filters = (Record("role", _l("Role"), Staff.role_id, Role),)
    searched = ("username", "full_name", "email")
    sortable = ("id", "username", "full_name", "last_login_at")
    title_column = "username"
    can_delete = False

    def policy_for(self, method: str) -> Policy:
        changes = method in {"create_view", "edit_view", "delete_view", "ajax_update"}
        return Policy("staff", permission="staff.edit") if changes else super().policy_for(method)

    def may(self, verb: str) -> bool:
        if verb in {"create", "edit"}:
            return bool(current_user.may("staff.edit"))
        return super().may(verb)

    def row_title(self, row: Any) -> str:
        return str(row.username)

    def on_model_change(self, form: Any, model: Staff, is_created: bool) -> None:
        staff_operations.check(model, by=db.session.get_one(Staff, current_user.id), password=form.password.data or "")

    def created_message(self, record: Any) -> str:
        return _("Staff member %(name)s created.", name=record.username)

"""Users: the logins of clients."""

from __future__ import annotations

from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from wtforms.validators import Optional

from admin_views.base import ModuleView
from forms.clients import Email
from models import ClientUser
from operations.errors import OperationRefused
from operations.filters import Number, Yes


class UsersView(ModuleView):
    module = "users"
    icon = "user"
    can_create = False
    column_list = (
        "id",
        "username",
        "client",
        "full_name",
        "email",
        "phone",
        "language",
        "is_owner",
        "is_active",
        "last_login_at",
    )
    column_labels = {
        "id": _l("Code"), "username": _l("Username"), "client": _l("Client"), "full_name": _l("Full name"),
        "email": _l("E-mail"), "phone": _l("Phone"), "language": _l("Language"), "is_owner": _l("Owner"),
        "is_active": _l("May log in"), "last_login_at": _l("Last login"), "time_zone": _l("Time zone"),
    }  # fmt: skip
    column_editable_list = ("full_name", "phone", "language", "is_active")
    form_columns = ("full_name", "email", "phone", "language", "is_active")
    form_args = {"email": {"validators": [Optional(), Email()]}}
    list_filters = (
        Number("client_id", _l("Client's code"), ClientUser.client_id),
        Yes("owner", _l("Owners only"), lambda: ClientUser.is_owner),
    )
    searched = ("username", "full_name", "email")
    sortable = ("id", "username", "full_name", "last_login_at")
    title_column = "username"

    def row_title(self, row: Any) -> str:
        return str(row.username)

    def on_model_change(self, form: Any, model: ClientUser, is_created: bool) -> None:
        model.email = (model.email or "").lower() or None

    def delete_record(self, record: ClientUser) -> None:
        if record.is_owner:
            raise OperationRefused(_("The owner user cannot be removed."))
        super().delete_record(record)

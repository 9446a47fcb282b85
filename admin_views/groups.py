"""Groups of clients."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l

from admin_views.base import ModuleView
from models import ClientGroup, client_group_members


class GroupsView(ModuleView):
    module = "groups"
    icon = "users-group"
    create_label = _l("New group")
    column_list = ("id", "name", "description")
    column_labels = {"id": _l("Code"), "name": _l("Name"), "description": _l("Description")}
    column_editable_list = ("name", "description")
    form_columns = ("name", "description")
    searched = ("name", "description")
    sortable = ("id", "name")
    title_column = "name"
    scope_column = "id"

    def row_title(self, row: Any) -> str:
        return str(row.name)

    def scope_condition(self, client_id: int) -> Any:
        members = client_group_members.c
        return ClientGroup.id.in_(sa.select(members.group_id).where(members.client_id == client_id))

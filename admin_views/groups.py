"""Groups of clients."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from admin_views.base import ModuleView
from admin_views.memberships import MembershipPages, clients_as_link
from models import ClientGroup
from operations import memberships


class GroupsView(MembershipPages, ModuleView):
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
    switch = staticmethod(memberships.switch_groups)

    def on_for(self, client_id: int) -> sa.Select[Any]:
        return memberships.groups_of(client_id)

    def row_title(self, row: Any) -> str:
        return str(row.name)

    def details_context(self, record: ClientGroup) -> dict[str, Any]:
        context = super().details_context(record)
        context["groups"][0]["rows"].append((_("Clients in it"), clients_as_link("group", record.id)))
        return context

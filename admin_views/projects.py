"""Projects: brands of the provider."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from wtforms import SelectField
from wtforms.validators import Optional

from admin_views.base import ModuleView
from admin_views.memberships import MembershipPages, clients_as_link
from forms.clients import Email
from models import Project
from operations import currencies, memberships


class ProjectsView(MembershipPages, ModuleView):
    module = "projects"
    icon = "world"
    create_label = _l("New project")
    column_list = (
        "id",
        "name",
        "website",
        "support_email",
        "currency",
        "default_language",
        "credit_limit",
        "is_active",
    )
    column_labels = {
        "id": _l("Code"), "name": _l("Name"), "website": _l("Website"), "support_email": _l("Sender of letters"),
        "currency": _l("Currency"), "default_language": _l("Default language"),
        "credit_limit": _l("Credit limit of new accounts"), "is_active": _l("Active"),
    }  # fmt: skip
    column_editable_list = ("name", "website", "support_email", "is_active")
    form_columns = ("name", "website", "support_email", "currency", "default_language", "credit_limit", "is_active")
    form_overrides = {"currency": SelectField}
    form_args = {
        "currency": {"choices": currencies.choices, "validators": []},
        "support_email": {"validators": [Optional(), Email()]},
    }
    searched = ("name", "website", "support_email")
    sortable = ("id", "name")
    title_column = "name"
    amount_columns = ("credit_limit",)
    switch = staticmethod(memberships.switch_projects)

    def row_title(self, row: Any) -> str:
        return str(row.name)

    def on_for(self, client_id: int) -> sa.Select[Any]:
        return memberships.projects_of(client_id)

    def always_on_for(self, client_id: int) -> sa.Select[Any]:
        return memberships.home_of(client_id)

    def details_context(self, record: Project) -> dict[str, Any]:
        context = super().details_context(record)
        context["groups"][0]["rows"].append((_("Clients at home in it"), clients_as_link("project", record.id)))
        return context

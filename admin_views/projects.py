"""Projects: brands of the provider."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from wtforms import SelectField
from wtforms.validators import Optional

from admin_views.base import ModuleView
from forms.clients import Email
from models import Client, Project, client_projects
from operations import currencies


class ProjectsView(ModuleView):
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
    scope_column = "id"

    def row_title(self, row: Any) -> str:
        return str(row.name)

    def scope_condition(self, client_id: int) -> Any:
        home = sa.select(Client.project_id).where(Client.id == client_id)
        others = sa.select(client_projects.c.project_id).where(client_projects.c.client_id == client_id)
        return sa.or_(Project.id.in_(home), Project.id.in_(others))

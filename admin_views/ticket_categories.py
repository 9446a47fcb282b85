"""Categories of tickets: where correspondence belongs, and who is responsible."""

from __future__ import annotations

from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from admin_views.base import ModuleView
from forms.fields import NamesField
from models import TicketCategory
from operations.errors import OperationRefused


class TicketCategoriesView(ModuleView):
    module = "ticket-categories"
    icon = "category"
    create_label = _l("New category")
    column_list = ("id", "name", "responsible_role", "responsible_staff", "is_news", "is_active")
    column_labels = {
        "id": _l("Code"), "name": _l("Name"), "responsible_role": _l("Responsible role"),
        "responsible_staff": _l("Responsible staff member"), "is_news": _l("News"), "is_active": _l("In use"),
    }  # fmt: skip
    column_editable_list = ("is_active",)
    form_columns = ("name", "responsible_role", "responsible_staff", "is_news", "is_active")
    form_extra_fields = {"name": NamesField(_l("Name"))}
    form_args = {
        "is_news": {"description": _l("Clients can unsubscribe from letters of this category, and from no other.")}
    }
    title_column = "name"
    sections = (("", "", ("name", "responsible_role", "responsible_staff", "is_news", "is_active")),)

    def cell(self, row: Any, name: str) -> Any:
        return super().cell(row, name) if name != "name" else str(row)

    def row_title(self, row: Any) -> str:
        return str(row)

    def on_model_change(self, form: Any, model: TicketCategory, is_created: bool) -> None:
        if model.responsible_role is not None and model.responsible_staff is not None:
            raise OperationRefused(_("A role or a staff member, not both."), field="responsible_staff")

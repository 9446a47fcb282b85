"""Affiliate programs: under which clients bring clients."""

from __future__ import annotations

from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from admin_views.base import ModuleView
from models import AffiliateProgram
from operations.errors import OperationRefused


class AffiliateProgramsView(ModuleView):
    module = "affiliate-programs"
    icon = "affiliate"
    create_label = _l("New program")
    column_list = ("id", "name", "percent", "is_active")
    column_labels = {"id": _l("Code"), "name": _l("Name"), "percent": _l("Percent"), "is_active": _l("Active")}
    column_editable_list = ("name", "percent", "is_active")
    form_columns = ("name", "percent", "is_active")
    searched = ("name",)
    sortable = ("id", "name")
    title_column = "name"
    amount_columns = ("percent",)

    def row_title(self, row: Any) -> str:
        return str(row.name)

    def on_model_change(self, form: Any, model: AffiliateProgram, is_created: bool) -> None:
        if not 0 <= model.percent <= 100:
            raise OperationRefused(_("From 0 to 100."), field="percent")

"""Features: capabilities switched on or off."""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext as _l
from markupsafe import escape

from admin_views.base import ModuleView
from models import Feature

NAMES = {
    "abuse_handling": _l("Handling of abuse: violations with deadlines and penalty points"),
    "affiliate": _l("Affiliate programs"),
    "self_registration": _l("Clients register by themselves"),
    "phone_verification": _l("Verification of phones"),
    "discounts": _l("Discounts"),
}


class FeaturesView(ModuleView):
    module = "features"
    icon = "toggle-left"
    can_create = can_delete = False
    can_export = False
    column_list = ("id", "code", "is_enabled")
    column_labels = {"id": _l("Code"), "code": _l("Feature"), "is_enabled": _l("On")}
    column_editable_list = ("is_enabled",)
    form_columns = ("is_enabled",)
    default_sort = "id"
    title_column = "code"

    def row_title(self, row: Feature) -> str:
        return str(NAMES.get(row.code, row.code))

    def cell(self, row: Any, name: str) -> Any:
        return escape(self.row_title(row)) if name == "code" else super().cell(row, name)

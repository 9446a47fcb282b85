"""Custom fields: what the owner keeps of clients besides."""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext as _l

from admin_views.base import ModuleView
from models import CustomField, FieldType
from operations.filters import OneOf


class CustomFieldsView(ModuleView):
    module = "custom-fields"
    icon = "forms"
    can_create = can_edit = can_delete = False
    column_list = ("id", "label", "code", "type", "is_required", "show_in_list", "show_to_client")
    column_labels = {
        "id": _l("Code"), "label": _l("Label"), "code": _l("Name in files"), "type": _l("Type"),
        "is_required": _l("Required"), "show_in_list": _l("In the list"), "show_to_client": _l("Shown to the client"),
    }  # fmt: skip
    list_filters = (OneOf("type", _l("Type"), CustomField.type, FieldType),)
    searched = ("label", "code")
    sortable = ("id", "label")
    title_column = "label"

    def row_title(self, row: Any) -> str:
        return str(row.label)

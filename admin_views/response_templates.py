"""Response templates: ready answers."""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext as _l

from admin_views.base import ModuleView
from models import Language, ResponseTemplate, TicketCategory
from operations.filters import OneOf, Record


class ResponseTemplatesView(ModuleView):
    module = "response-templates"
    icon = "template"
    create_label = _l("New template")
    column_list = ("id", "name", "category", "language", "subject")
    column_labels = {
        "id": _l("Code"), "name": _l("Name"), "category": _l("Category"), "language": _l("Language"),
        "subject": _l("Subject"), "text": _l("Text"),
    }  # fmt: skip
    column_editable_list = ("name", "subject")
    column_details_list = ("id", "name", "category", "language", "subject", "text")
    form_columns = ("name", "category", "language", "subject", "text")
    list_filters = (
        Record("category", _l("Category"), ResponseTemplate.category_id, TicketCategory),
        OneOf("language", _l("Language"), ResponseTemplate.language, Language),
    )
    searched = ("name", "subject", "text")
    sortable = ("id", "name")
    title_column = "name"

    def row_title(self, row: Any) -> str:
        return str(row.name)

"""Characterizations: what staff should know of a client at a glance."""

from __future__ import annotations

import re
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from wtforms import SelectField
from wtforms.fields.choices import SelectChoice

from admin_views import cells
from admin_views.base import ModuleView
from admin_views.client_badges import named
from models import Characterization
from operations.errors import OperationRefused

ICONS = ("user", "heart", "star", "alert-triangle", "flag", "shield", "eye", "clock", "ban")
COLORS = [
    ("secondary", _l("Grey")), ("green", _l("Green")), ("orange", _l("Amber")), ("red", _l("Red")),
    ("blue", _l("Blue")), ("violet", _l("Violet")), ("teal", _l("Teal")),
]  # fmt: skip


class CharacterizationsView(ModuleView):
    module = "characterizations"
    icon = "heart"
    create_label = _l("New characterization")
    column_list = ("id", "name", "code", "is_default")
    column_labels = {
        "id": _l("Code"), "name": _l("Name"), "code": _l("Word for badges"), "icon": _l("Icon"),
        "color": _l("Colour"), "is_default": _l("For new clients"),
    }  # fmt: skip
    form_columns = ("name", "code", "icon", "color")
    form_overrides = {"icon": SelectField, "color": SelectField}
    form_args = {
        "icon": {"choices": [SelectChoice(name, name) for name in ICONS], "validators": []},
        "color": {"choices": [SelectChoice(value, label) for value, label in COLORS], "validators": []},
        "code": {"description": _l("Latin letters, digits and _; it stays the same when the name changes.")},
    }
    searched = ("name", "code")
    sortable = ("id", "name")
    title_column = "name"

    def row_title(self, row: Any) -> str:
        return named(row)

    def cell(self, row: Any, name: str) -> Any:
        if name == "name":
            return cells.badge(row.code, named(row), icon=row.icon, color=row.color)
        return super().cell(row, name)

    def on_model_change(self, form: Any, model: Characterization, is_created: bool) -> None:
        if not re.fullmatch(r"[a-z][a-z0-9_]{0,39}", model.code or ""):
            raise OperationRefused(_("Latin letters, digits and _, beginning with a letter."), field="code")

    def delete_record(self, record: Characterization) -> None:
        if record.is_default:
            raise OperationRefused(_("New clients get this one, so it cannot be deleted."))
        super().delete_record(record)

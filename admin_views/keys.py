"""The sheet of keys: what can be done without a mouse."""

from __future__ import annotations

from typing import Any

from flask.typing import ResponseReturnValue
from flask_admin.base import expose
from flask_babel import gettext as _

Keys = tuple[tuple[str, ...], str]


class KeyPages:
    """Adds `/admin/keys/` to the home of the admin; static/js/keys.js shows it over any page."""

    @expose("/keys/")
    def keys(self) -> ResponseReturnValue:
        """What the keys do."""
        return self.render("admin/keys.html", page_title=_("Keys"), sheet=sheet())  # type: ignore[attr-defined,no-any-return]


def sheet() -> list[dict[str, Any]]:
    """The keys by where they work: static/js/frame.js, list.js, inline_edit.js and search.js."""
    return [
        {"title": _("Everywhere"), "keys": everywhere()},
        {"title": _("In a list"), "keys": in_a_list()},
        {"title": _("In a cell that can be edited"), "keys": in_a_cell()},
    ]


def everywhere() -> list[Keys]:
    return [
        (("/",), _("Search everywhere")),
        (("↓", "↑"), _("Along what was found")),
        (("Enter",), _("Open it, or show all that was found")),
        (("Esc",), _("Close what is open")),
        (("?",), _("This sheet")),
    ]


def in_a_list() -> list[Keys]:
    return [
        (("j", "k"), _("Next row, previous row")),
        (("x",), _("Tick the row")),
        (("Shift", "x"), _("Tick all rows up to this one")),
        (("a",), _("Tick all rows of the page, or none")),
        (("Esc",), _("Clear the selection")),
        (("Enter", "o"), _("Open the row")),
        (("e",), _("Edit the row in place")),
        (("m",), _("Send a message to the rows ticked, or to this one")),
        (("f",), _("Filter")),
        (("n", "p"), _("Next page, previous page")),
    ]


def in_a_cell() -> list[Keys]:
    return [
        (("←", "→", "↑", "↓"), _("To the next cell that can be edited")),
        (("Enter", "F2"), _("Edit; Enter again saves")),
        (("Tab",), _("Save, and go on to the next cell")),
        (("Esc",), _("Leave it as it was")),
    ]

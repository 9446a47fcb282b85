"""The rows of a list as HTML, written in one go: they are most of what a list page costs."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from flask_babel import gettext as _
from markupsafe import Markup, escape

special_in = re.compile("[&<>\"']").search


@dataclass(frozen=True)
class Column:
    """How the cells of a column begin, and what writes what is in them."""

    name: str
    start: str
    is_editable: bool
    is_link: bool
    write: Callable[[Any], Any]


def html_of(view: Any, rows: Sequence[Any], headings: Sequence[dict[str, Any]], *, ticks: bool) -> Markup:
    """The rows of `view`'s list; `headings` say its columns, `ticks` whether each row begins with a box."""
    columns = _columns(view, headings)
    select = escape(_("Select"))
    address = escape(f"{view.url}/details/?id=")
    parts: list[str] = []
    add = parts.append
    for row in rows:
        number, title = row.id, html(view.row_title(row))
        add(f'<tr role="row" data-id="{number}" data-version="{getattr(row, "row_version", "")}">')
        if ticks:
            add(
                '<td class="tick" role="cell"><label><input class="check" type="checkbox" name="rowid" '
                f'value="{number}" form="action-form" aria-label="{select} {title}"></label></td>'
            )
        for column in columns:
            add(column.start)
            if column.is_editable:
                raw = view.raw_value(row, column.name)
                add(f' data-edit="{column.name}" data-value="{"" if raw is None else html(raw)}"')
            if column.is_link:
                add(f'><a class="title" href="{address}{number}" title="{title}">')
                add(html(column.write(row)))
                add("</a></td>")
            else:
                add(">")
                add(html(column.write(row)))
                add("</td>")
        add("</tr>\n")
    return Markup("".join(parts))  # noqa: S704  Every part was escaped above.


def html(value: Any) -> str:
    """`value` escaped. Most texts have nothing to escape, and to see so is quicker than to escape them."""
    kind = value.__class__
    if kind is str:
        return value if special_in(value) is None else str(escape(value))
    return value if kind is Markup else str(escape(value))


def _columns(view: Any, headings: Sequence[dict[str, Any]]) -> list[Column]:
    """The first column that is a link to the row's page is the only one."""
    columns: list[Column] = []
    for heading in headings:
        is_link = bool(heading["link"]) and not any(column.is_link for column in columns)
        classes = " ".join(["end"] * (heading["align"] == "end") + ["main"] * is_link)
        attribute = f' class="{classes}"' if classes else ""
        start = f'<td role="cell" data-label="{escape(heading["label"])}"{attribute}'
        name = heading["name"]
        columns.append(Column(name, start, bool(heading["editable"]), is_link, view.cell_writer(name)))
    return columns

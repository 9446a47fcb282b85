"""Export of a list, streamed: memory does not grow with the rows."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from flask import Response, abort, flash, redirect, request, stream_with_context
from flask.typing import ResponseReturnValue
from flask_admin.base import expose

from admin_views.listing import ListRequest, address, encode_cursor, fetch_page, sort_keys
from extensions import db, now
from operations import audit

CHUNK = 1000
DANGEROUS = ("=", "+", "-", "@", "\t", "\r")


def harmless(text: str) -> str:
    """`text` so that no spreadsheet runs it as a formula."""
    return f"'{text}" if text.startswith(DANGEROUS) else text


class ExportPages:
    """Adds `…/export/csv/`. `column_export_list` names the columns, else those of the list."""

    def export_urls(self) -> list[tuple[str, str]]:
        given = {name: text for name, text in request.args.items() if name not in {"after", "before", "url"}}
        return [("CSV", address(f"{self.url}/export/csv/", given))]  # type: ignore[attr-defined]

    @expose("/export/<export_type>/")
    def export(self, export_type: str) -> ResponseReturnValue:
        """All rows that match, as a file."""
        if export_type != "csv" or not self.can_export:  # type: ignore[attr-defined]
            abort(404)
        asked = self.list_request()  # type: ignore[attr-defined]
        if asked.asked.misunderstood:
            for message in asked.asked.misunderstood:
                flash(message, "error")
            return redirect(self.get_url(".index_view"))  # type: ignore[attr-defined]
        with _Writing():
            audit.record("export", module=self.module, after={"filter": asked.asked.texts, "format": export_type})  # type: ignore[attr-defined]
        name = f"{self.module}-{now():%Y-%m-%d}.csv"  # type: ignore[attr-defined]
        return Response(
            stream_with_context(self.csv_chunks(asked)),
            mimetype="text/csv",
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )

    def export_names(self) -> list[str]:
        return list(self.column_export_list or self.column_list)  # type: ignore[attr-defined]

    def csv_chunks(self, asked: ListRequest) -> Iterator[str]:
        """The file in pieces: a byte order mark for spreadsheets, the headings, then the rows by keyset."""
        names = self.export_names()
        buffer = io.StringIO()
        writer = csv.writer(buffer)
        writer.writerow(self.export_headings(names))
        yield "\ufeff" + _taken(buffer)
        for rows in self.export_pages(asked):
            writer.writerows([[self.export_value(row, name) for name in names] for row in rows])
            yield _taken(buffer)

    def export_headings(self, names: list[str]) -> list[str]:
        return names

    def export_pages(self, asked: ListRequest) -> Iterator[list[Any]]:
        """The rows, a chunk at a time."""
        asked.page_size, asked.after, asked.before = CHUNK, "", ""
        keys = sort_keys(self.sort_column(asked.sort), self.pk)  # type: ignore[attr-defined]
        while True:
            page = fetch_page(self.matching(asked), keys, asked)  # type: ignore[attr-defined]
            yield self.fetch_rows(page.ids) if page.ids else []  # type: ignore[attr-defined]
            if not page.has_next:
                return
            asked.after = encode_cursor(page.last)

    def export_value(self, row: Any, name: str) -> Any:
        """A cell of the file: numbers as they are, text made harmless."""
        value = getattr(row, name)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        if isinstance(value, Decimal):
            return str(value)
        return harmless(self.cell_text(value))

    def cell_text(self, value: Any) -> str:
        if value is None:
            return ""
        if hasattr(value, "isoformat"):
            return str(value.isoformat())
        return str(value)


class _Writing:
    """A block whose audit is written in a transaction of its own, though the request only reads."""

    def __enter__(self) -> None:
        db.session.rollback()
        db.session.connection(execution_options={"reads_only": False})

    def __exit__(self, kind: object, *_rest: object) -> None:
        if kind is None:
            db.session.commit()
        else:
            db.session.rollback()


def _taken(buffer: io.StringIO) -> str:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text

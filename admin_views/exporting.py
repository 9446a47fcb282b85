"""Export of a list as CSV or XLSX, streamed: memory does not grow with the rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import sqlalchemy as sa
from flask import Response, abort, flash, redirect, request, stream_with_context
from flask.typing import ResponseReturnValue
from flask_admin.base import expose
from flask_babel import get_timezone

from admin_views.export_rows import ExportRows
from admin_views.listing import ListRequest, address, sort_keys
from extensions import db, now
from models import Selection
from operations import audit, selections, spreadsheets

CHUNK = 2000
KINDS = {
    "csv": "text/csv",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


class ExportPages:
    """Adds `…/export/csv/` and `…/export/xlsx/`. `column_export_list` names the columns, else those of the list."""

    def export_urls(self) -> list[tuple[str, str]]:
        given = {name: text for name, text in request.args.items() if name not in {"after", "before", "url"}}
        return [(kind.upper(), address(f"{self.url}/export/{kind}/", given)) for kind in KINDS]  # type: ignore[attr-defined]

    @expose("/export/<export_type>/")
    def export(self, export_type: str) -> ResponseReturnValue:
        """All rows that match, as a file."""
        if export_type not in KINDS or not self.can_export:  # type: ignore[attr-defined]
            abort(404)
        asked = self.list_request()  # type: ignore[attr-defined]
        if asked.asked.misunderstood:
            for message in asked.asked.misunderstood:
                flash(message, "error")
            return redirect(self.get_url(".index_view"))  # type: ignore[attr-defined]
        rows = self.matching(asked)  # type: ignore[attr-defined]
        count = db.session.scalar(sa.select(sa.func.count()).select_from(rows.with_only_columns(self.pk).subquery()))  # type: ignore[attr-defined]
        with Writing():
            self._note_export(export_type, count or 0, {"filter": asked.asked.texts})
        return self._as_file(export_type, self._in_order(rows, asked))

    def selection_as_file(self, selection: Selection, kind: str, count: int) -> Response:
        """The rows of a selection as a file, in the order of the list it was made in; who calls commits."""
        chosen = selections.client_ids(selection)
        rows = self.base_select().where(self.pk.in_(chosen))  # type: ignore[attr-defined]
        told = {"filter": selection.parameters} if selection.ids is None else {"ticked": len(selection.ids)}
        self._note_export(kind, count, {**told, "selection": selection.id})
        given = parse_qsl(urlsplit(selection.url).query)
        asked = self.list_request([pair for pair in given if pair[0] == "sort"])  # type: ignore[attr-defined]
        return self._as_file(kind, self._in_order(rows, asked))

    def _note_export(self, kind: str, count: int, more: dict[str, Any]) -> None:
        audit.record("export", module=self.module, after={**more, "format": kind, "count": count})  # type: ignore[attr-defined]

    def _in_order(self, rows: sa.Select[Any], asked: ListRequest) -> sa.Select[Any]:
        """The ids of `rows` in the order that was asked for."""
        keys = sort_keys(self.sort_column(asked.sort), self.pk)  # type: ignore[attr-defined]
        order = [key.desc() if asked.descending else key.asc() for key in keys]
        return rows.with_only_columns(self.pk).order_by(*order)  # type: ignore[attr-defined]

    def _as_file(self, kind: str, ids: sa.Select[Any]) -> Response:
        name = f"{self.module}-{now():%Y-%m-%d}.{kind}"  # type: ignore[attr-defined]
        return Response(
            stream_with_context(self._pieces(kind, ids)),
            mimetype=KINDS[kind],
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )

    def _pieces(self, kind: str, ids: sa.Select[Any]) -> Iterator[str | bytes]:
        # What the request itself has read is done with: a file may be long in being fetched.
        db.session.rollback()
        names = self.export_names()
        headings = [self.export_heading(name) for name in names]
        chunks = ExportRows(self, names).chunks(ids, CHUNK)
        if kind == "csv":
            yield from spreadsheets.csv_chunks(headings, chunks)
        else:
            yield from spreadsheets.xlsx_chunks(str(self.name), headings, chunks, zone=get_timezone())  # type: ignore[attr-defined]

    def export_names(self) -> list[str]:
        return list(self.column_export_list or self.column_list)  # type: ignore[attr-defined]

    def export_heading(self, name: str) -> str:
        """What heads a column of the file."""
        return name

    def export_column(self, name: str) -> Any:
        """A column that is none of the table: what to select for it, and what makes its cells of the values."""
        return None


class Writing:
    """A block whose audit is written in a transaction of its own, though the request only reads."""

    def __enter__(self) -> None:
        db.session.rollback()
        db.session.connection(execution_options={"reads_only": False})

    def __exit__(self, kind: object, *_rest: object) -> None:
        if kind is None:
            db.session.commit()
        else:
            db.session.rollback()

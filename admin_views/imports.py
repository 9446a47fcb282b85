"""Bringing in clients: the file, what it would change, and the confirmation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flask import abort, current_app, flash, redirect, request
from flask.typing import ResponseReturnValue
from flask_admin.base import expose
from flask_babel import format_decimal
from flask_babel import gettext as _
from flask_login import current_user
from werkzeug.datastructures import CombinedMultiDict

from admin_views import cells
from admin_views.import_undoing import UndoImportPages, batch_or_404, importer, refuse_a_scope
from extensions import db, now
from forms.imports import ConfirmImportForm, ImportForm
from models import ImportBatch, Staff
from operations import import_undoing, imports
from operations.errors import OperationRefused
from operations.import_messages import field_name, in_words, value_in_words
from operations.import_report import OUTCOMES, Line

LINES_ON_A_PAGE = 100
PAST_IMPORTS = 20
STATES = {
    imports.REHEARSED: lambda: _("Rehearsed"),
    imports.DONE: lambda: _("Brought in"),
    imports.DROPPED: lambda: _("Not confirmed"),
    import_undoing.UNDONE: lambda: _("Taken back"),
}
COLORS = {"new": "good", "changed": "blue", "unchanged": "", "refused": "red"}


def directory() -> Path:
    """Where the files wait."""
    return Path(current_app.config["SETTINGS"].data_dir) / "imports"


class ImportPages(UndoImportPages):
    """Adds `…/import/`, `…/import/N/` and `…/import/N/confirm/` to the clients' view."""

    @expose("/import/", methods=("GET", "POST"))
    @importer
    def import_file(self) -> ResponseReturnValue:
        """Ask for a file, and rehearse it."""
        _refuse_who_may_not_edit()
        given = CombinedMultiDict([request.files, request.form])
        form = ImportForm(given if request.method == "POST" else None)
        if request.method == "POST" and form.validate():
            batch_id = _rehearsed(form)
            if batch_id:
                return redirect(f"{self.url}/import/{batch_id}/")  # type: ignore[attr-defined]
        return self.render("admin/clients/import.html", **self._import_context(form))  # type: ignore[attr-defined]

    def _import_context(self, form: ImportForm) -> dict[str, Any]:
        return {
            "form": form,
            "page_title": _("Import clients"),
            "crumb": (self.name, self.get_url(".index_view")),  # type: ignore[attr-defined]
            "submit_label": _("Rehearse"),
            "cancel_url": self.get_url(".index_view"),  # type: ignore[attr-defined]
            "multipart": True,
            **self._past_imports(),
        }

    def _past_imports(self) -> dict[str, Any]:
        """A page of the list of past imports."""
        text = request.args.get("before", "")
        before = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
        found = imports.latest(PAST_IMPORTS + 1, before=before)
        shown = found[:PAST_IMPORTS]
        older = f"{self.url}/import/?before={shown[-1].id}#past" if len(found) > PAST_IMPORTS else None  # type: ignore[attr-defined]
        return {
            "past": [_past(batch, self._address(batch)) for batch in shown],
            "older_url": older,
            "newest_url": f"{self.url}/import/#past" if before is not None else None,  # type: ignore[attr-defined]
        }

    def _address(self, batch: ImportBatch) -> str:
        return f"{self.url}/import/{batch.id}/"  # type: ignore[attr-defined]

    @expose("/import/<int:batch_id>/")
    @importer
    def import_result(self, batch_id: int) -> ResponseReturnValue:
        """What becomes of each line."""
        _refuse_who_may_not_edit()
        batch = batch_or_404(batch_id)
        return self.render("admin/clients/import_result.html", **self._result_context(batch))  # type: ignore[attr-defined]

    def _result_context(self, batch: ImportBatch) -> dict[str, Any]:
        outcome = request.args.get("outcome") if request.args.get("outcome") in OUTCOMES else None
        page = _page_number()
        lines = imports.lines_of(
            batch, directory=directory(), outcome=outcome,
            skip=(page - 1) * LINES_ON_A_PAGE, count=LINES_ON_A_PAGE + 1,
        )  # fmt: skip
        here = self._address(batch)
        return {
            "batch": batch,
            "is_done": batch.status in {imports.DONE, import_undoing.UNDONE},
            **self._undo_context(batch),
            "is_waiting": imports.is_waiting(batch, directory=directory()),
            "page_title": _("Import of %(name)s", name=batch.file_name),
            "crumb": (_("Import clients"), f"{self.url}/import/"),  # type: ignore[attr-defined]
            "facts": _past(batch, here),
            "tabs": _tabs(batch, outcome, here),
            "lines": [_shown(line) for line in lines[:LINES_ON_A_PAGE]],
            "is_kept": bool(lines) or not sum(batch.counts.values()),
            "prev_url": _url(here, outcome, page - 1) if page > 1 else None,
            "next_url": _url(here, outcome, page + 1) if len(lines) > LINES_ON_A_PAGE else None,
            "good": format_decimal(batch.counts.get("new", 0) + batch.counts.get("changed", 0)),
            "refused": batch.counts.get("refused", 0),
            "form": ConfirmImportForm(),
            "confirm_url": f"{here}confirm/",
        }

    @expose("/import/<int:batch_id>/confirm/", methods=("POST",))
    @importer
    def confirm_import(self, batch_id: int) -> ResponseReturnValue:
        """Bring in what was rehearsed."""
        _refuse_who_may_not_edit()
        batch = batch_or_404(batch_id)
        back = f"{self.url}/import/{batch_id}/"  # type: ignore[attr-defined]
        skip_bad = ConfirmImportForm(request.form).skip_bad.data
        try:
            refuse_a_scope()
            counts = imports.confirm(batch, skip_bad=skip_bad, now=now(), directory=directory())
            db.session.commit()
        except imports.ImportStopped as stopped:
            db.session.rollback()
            batch_or_404(batch_id).counts = stopped.counts
            db.session.commit()
            flash(stopped.message, "error")
            return redirect(f"{back}?outcome=refused")
        except OperationRefused as refusal:
            db.session.rollback()
            flash(refusal.message, "error")
            return redirect(back)
        imports.forget_file(batch, directory=directory())
        flash(_said(counts), "success")
        return redirect(back)


def _refuse_who_may_not_edit() -> None:
    if not current_user.may("clients.edit"):
        abort(403)


def _rehearsed(form: ImportForm) -> int | None:
    """Rehearse the form's file; returns the batch's id, or None with the reason beside the field."""
    staff = db.session.get_one(Staff, current_user.id)
    wish = form.wish()
    upload = form.file.data
    try:
        _only_read()
        batch = imports.rehearse(upload.stream, upload.filename, wish=wish, by=staff, now=now(), directory=directory())
    except OperationRefused as refusal:
        db.session.rollback()
        field = form.source if refusal.field == "source" else form.file
        field.errors = [*field.errors, refusal.message]
        return None
    db.session.rollback()
    imports.remember(batch, now=now(), directory=directory())
    db.session.commit()
    return batch.id


def _only_read() -> None:
    """Let others write while a long file is gone over."""
    db.session.rollback()
    db.session.connection(execution_options={"reads_only": True})


def _page_number() -> int:
    text = request.args.get("page", "1")
    return max(int(text), 1) if text.isascii() and text.isdigit() and len(text) < 7 else 1


def _url(here: str, outcome: str | None, page: int = 1) -> str:
    asked = ([f"outcome={outcome}"] if outcome else []) + ([f"page={page}"] if page > 1 else [])
    return f"{here}?{'&'.join(asked)}" if asked else here


def _tabs(batch: ImportBatch, outcome: str | None, here: str) -> list[dict[str, Any]]:
    names: list[str | None] = [None, *OUTCOMES]
    return [
        {
            "label": imports.outcome_name(name).capitalize() if name else _("All lines"),
            "count": format_decimal(batch.counts.get(name, 0) if name else sum(batch.counts.values())),
            "url": _url(here, name),
            "active": name == outcome,
        }
        for name in names
    ]


def _shown(line: Line) -> dict[str, Any]:
    """A line as the page writes it."""
    outcome = imports.outcome_name(line.outcome)
    return {
        "number": line.number,
        "badge": {"code": line.outcome, "label": outcome, "color": COLORS[line.outcome]},
        "key": line.key,
        "name": line.name,
        "changes": [
            (field_name(name), value_in_words(name, old), value_in_words(name, new)) for name, old, new in line.changes
        ],
        "messages": [in_words(message) for message in line.messages],
    }


def _past(batch: ImportBatch, url: str) -> dict[str, Any]:
    """An import as the list of past ones has it."""
    return {
        "url": url,
        "file_name": batch.file_name,
        "source": batch.source,
        "staff": batch.staff.shown_name if batch.staff else "",
        "when": cells.show(batch.done_at or batch.created_at),
        "number": batch.id,
        "undone": cells.show(batch.undone_at) if batch.undone_at else "",
        "state": STATES.get(batch.status, lambda: batch.status)(),
        "counts": {outcome: format_decimal(batch.counts.get(outcome, 0)) for outcome in OUTCOMES},
    }


def _said(counts: dict[str, int]) -> str:
    return _(
        "Brought in: %(new)s new clients, %(changed)s changed; %(unchanged)s unchanged, %(refused)s refused.",
        **{outcome: format_decimal(count) for outcome, count in counts.items()},
    )

"""Taking an import of clients back: what that would do, and doing it."""

from __future__ import annotations

from typing import Any

from flask import abort, flash, g, redirect, request
from flask.typing import ResponseReturnValue
from flask_admin.base import expose
from flask_babel import format_decimal
from flask_babel import gettext as _
from flask_login import current_user

from extensions import db, now
from forms.base import Form
from models import ImportBatch
from operations import import_hanging, import_undoing, imports
from operations.errors import OperationRefused
from operations.import_hanging import Hanging
from operations.import_undoing import Impact, Kept

# Whoever takes an import back removes clients, and changes others.
RIGHTS = ("clients.create", "clients.edit", "clients.delete")


def importer(view: Any) -> Any:
    """Mark a page for those who may both create and edit clients: an import does both."""
    view.needs = "clients.create"
    return view


def remover(view: Any) -> Any:
    """Mark a page for those who may delete clients; it asks for the rest of RIGHTS itself."""
    view.needs = "clients.delete"
    return view


def may_undo() -> bool:
    return all(current_user.may(right) for right in RIGHTS)


def batch_or_404(batch_id: int) -> ImportBatch:
    if batch_id >= 2**31:
        abort(404)
    return db.session.get(ImportBatch, batch_id) or abort(404)


def refuse_a_scope() -> None:
    """An import is about many clients, so none is carried out or taken back in the name of one."""
    if g.get("client_scope") is not None:
        raise OperationRefused(
            _("This is for other clients too, and the filter by client is on. Remove the filter first.")
        )


class UndoImportPages:
    """Adds `…/import/N/undo/`."""

    @expose("/import/<int:batch_id>/undo/", methods=("GET", "POST"))
    @remover
    def undo_import(self, batch_id: int) -> ResponseReturnValue:
        """Say what taking the import back would do, and do it."""
        if not may_undo():
            abort(403)
        batch = batch_or_404(batch_id)
        back = f"{self.url}/import/{batch_id}/"  # type: ignore[attr-defined]
        if request.method == "POST":
            return self._undone(batch, back)
        try:
            import_undoing.refuse_unless_done(batch)
        except OperationRefused as refused:
            flash(refused.message, "error")
            return redirect(back)
        impact, hanging = import_undoing.impact(batch)
        return self.render("admin/clients/import_undo.html", **_sheet(self, batch, impact, hanging))  # type: ignore[attr-defined]

    def _undone(self, batch: ImportBatch, back: str) -> ResponseReturnValue:
        try:
            refuse_a_scope()
            import_undoing.undo(batch, now=now())
            db.session.commit()
        except import_undoing.UndoRefused as refused:
            db.session.rollback()
            flash(refused.message, "error")
            return redirect(f"{back}undo/")
        except OperationRefused as refused:
            db.session.rollback()
            flash(refused.message, "error")
            return redirect(back)
        flash(_("The import was taken back."), "success")
        return redirect(back)

    def _undo_context(self, batch: ImportBatch) -> dict[str, Any]:
        """What the page of an import has to know of taking it back."""
        can = batch.status == imports.DONE and may_undo()
        undone = (
            Impact(**batch.undone | {"kept": [Kept(**one) for one in batch.undone["kept"]]}) if batch.undone else None
        )
        return {
            "undo_url": f"{self.url}/import/{batch.id}/undo/" if can else None,  # type: ignore[attr-defined]
            "undone_lines": _done_lines(undone) if undone else [],
            "kept": _kept(self, undone.kept) if undone else [],
            "more_kept": format_decimal(undone.kept_clients - len(undone.kept)) if undone and undone.kept_clients > len(undone.kept) else None,
        }  # fmt: skip


def _sheet(view: Any, batch: ImportBatch, impact: Impact, hanging: Hanging) -> dict[str, Any]:
    here = f"{view.url}/import/{batch.id}/"
    return {
        "page_title": _("Take back the import of %(name)s", name=batch.file_name),
        "crumb": (_("Import of %(name)s", name=batch.file_name), here),
        "question": _("This cannot be undone itself. The same file can be brought in again afterwards."),
        "lines": impact.lines() or [_("Nothing: its clients are gone already, and it changed none.")],
        "form": Form(),
        "verb": _("Take back"),
        "danger": True,
        "cancel_url": here,
        "scope_note": _("The filter by client is on.") if g.get("client_scope") is not None else None,
        "kept": _kept(view, impact.kept),
        "more_kept": format_decimal(impact.kept_clients - len(impact.kept)) if impact.kept_clients > len(impact.kept) else None,
        "held_count": hanging.clients,
        "all_count": format_decimal(impact.clients),
        "reasons": [(import_hanging.label(code), format_decimal(count)) for code, count in hanging.by_reason.items()],
        "held": [
            {
                "id": one.id,
                "name": one.name,
                "url": f"{view.url}/details/?id={one.id}",
                "why": ", ".join(import_hanging.label(reason) for reason in one.reasons),
            }
            for one in hanging.first
        ],
        "more_held": format_decimal(hanging.clients - len(hanging.first)) if hanging.clients > len(hanging.first) else None,
    }  # fmt: skip


def _kept(view: Any, kept: list[Kept]) -> list[dict[str, Any]]:
    return [
        {"id": one.id, "name": one.name, "url": f"{view.url}/details/?id={one.id}", "why": import_undoing.why_kept(one)}
        for one in kept
    ]


def _said(done: Impact) -> str:
    return _(
        "Clients removed: %(clients)s; clients with their old values again: %(restored)s.",
        clients=format_decimal(done.clients),
        restored=format_decimal(done.restored),
    )


def _done_lines(done: Impact) -> list[str]:
    return [
        line
        for count, line in (
            (1, _said(done)),
            (len(done.groups), _("Groups removed: %(names)s", names=", ".join(done.groups))),
            (len(done.groups_kept), _("Groups that stay, for they are used: %(names)s", names=", ".join(done.groups_kept))),
        )
        if count
    ]  # fmt: skip

"""What was done to many clients at once, and taking it back."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from flask import abort, flash, g, redirect, request
from flask.typing import ResponseReturnValue
from flask_admin.base import expose
from flask_babel import format_decimal, ngettext
from flask_babel import gettext as _
from flask_login import current_user
from sqlalchemy.orm import joinedload

from admin_views import cells
from admin_views.client_bulk import CLIENT_ACTIONS
from extensions import db, now
from models import AuditEvent, BulkChange, Characterization, Language, Staff
from operations import audit, bulk_changes, bulk_undo, filters, selections
from operations.client_filters import named_characterization
from operations.errors import OperationRefused

SHOWN = 100
PAGE = "/admin/clients/bulk-changes/"
_ACTIONS = {action.name: action for action in CLIENT_ACTIONS}


def viewer(view: Any) -> Any:
    """Mark a page for all who see clients; taking back takes the right to the action besides."""
    view.needs = "clients.view"
    return view


class BulkChangePages:
    """Adds `…/bulk-changes/`, the list of them, and `…/bulk-changes/undo/`."""

    @expose("/bulk-changes/")
    @viewer
    def bulk_changes(self) -> ResponseReturnValue:
        """The last bulk changes: when, who, what, how many, and whether it can be undone."""
        rows = db.session.scalars(
            sa.select(BulkChange)
            .where(BulkChange.undoes_id.is_(None))
            .options(
                joinedload(BulkChange.staff),
                joinedload(BulkChange.selection),
                joinedload(BulkChange.undone_by).joinedload(BulkChange.staff),
            )
            .order_by(BulkChange.id.desc())
            .limit(SHOWN)
        )
        return self.render(  # type: ignore[attr-defined, no-any-return]
            "admin/clients/bulk_changes.html", rows=[_shown(row) for row in rows], page_title=_("Bulk changes")
        )

    @expose("/bulk-changes/undo/", methods=("GET", "POST"))
    @viewer
    def undo_bulk_change(self) -> ResponseReturnValue:
        """Say what taking it back would do, and take it back. Pressed twice it is done once."""
        change = _change_or_404()
        if not _may_undo(change):
            abort(403)
        url = request.values.get("url") or PAGE
        try:
            _refuse_beyond_scope(change)
            if request.method == "GET":
                return self.render("admin/confirm.html", **_question(change, url))  # type: ignore[attr-defined, no-any-return]
            undoing = bulk_undo.undo(change, by=db.session.get_one(Staff, current_user.id), now=now())
            db.session.commit()
            flash(bulk_changes.in_words(undoing), "success")
        except OperationRefused as refusal:
            db.session.rollback()
            flash(refusal.message, "info" if _is_undone(change) else "error")
        return redirect(url)


def _change_or_404() -> BulkChange:
    try:
        number = filters.whole_number(request.values.get("id", ""))
    except ValueError:
        abort(404)
    change = db.session.get(BulkChange, number)
    return change if change is not None and change.action in _ACTIONS else abort(404)


def _refuse_beyond_scope(change: BulkChange) -> None:
    """While the filter by client is on, nothing is done to others."""
    scope = g.get("client_scope")
    others = audit.clients_of(change.id).where(AuditEvent.client_id != scope)
    if scope is not None and db.session.scalar(sa.select(sa.exists(others))):
        raise OperationRefused(
            _("This is for other clients too, and the filter by client is on. Remove the filter first.")
        )


def _is_undone(change: BulkChange) -> bool:
    return change.undone_by is not None


def _may_undo(change: BulkChange) -> bool:
    """Whoever may do it may take it back, whoever did it."""
    return _ACTIONS[change.action].is_allowed()


def _question(change: BulkChange, url: str) -> dict[str, Any]:
    would = bulk_undo.prospect(change, now=now())
    count = ngettext("%(num)s client would be restored.", "%(num)s clients would be restored.", would.restored)
    lines = [
        _("%(what)s; %(when)s, %(who)s", what=what(change), when=cells.show(change.at), who=change.staff.shown_name)
    ]
    lines += bulk_changes.skipped_in_words(would.skipped)
    if change.action == "delete":
        lines.append(_("Letters that were stopped are not sent."))
    return {
        "page_title": _("Undo a bulk change"),
        "crumb": (_("Bulk changes"), PAGE),
        "question": count,
        "lines": lines,
        "hidden": {"id": change.id, "url": url},
        "verb": ngettext("Restore %(num)s client", "Restore %(num)s clients", would.restored),
        "danger": False,
        "cancel_url": url,
    }


def what(change: BulkChange) -> str:
    """The change in words: «Characterization: Good»."""
    label = str(_ACTIONS[change.action].label)
    return f"{label}: {_value(change)}" if change.value else label


def _value(change: BulkChange) -> str:
    if change.action == "set_language":
        return str(Language(change.value).label)
    if change.action == "set_characterization":
        record = db.session.get(Characterization, int(change.value))
        return named_characterization(record.code if record else "", change.value_name)
    return change.value_name


def _shown(change: BulkChange) -> dict[str, Any]:
    undoing = change.undone_by
    return {
        "id": change.id,
        "at": cells.show(change.at),
        "who": change.staff.shown_name,
        "what": what(change),
        "for_whom": "; ".join(selections.describe(change.selection)) if change.selection else "",
        "changed": format_decimal(change.changed),
        "skipped": [f"{format_decimal(n)}: {bulk_changes.REASONS.get(why, why)}" for why, n in change.skipped.items()],
        "audit_url": f"/admin/audit/?bulk_change={change.id}" if current_user.may("audit.view") else None,
        "undone": _undone(undoing) if undoing else "",
        "undo_url": f"{PAGE}undo/?id={change.id}" if bulk_undo.can_be_undone(change) and _may_undo(change) else None,
    }


def _undone(undoing: BulkChange) -> str:
    when, who = cells.show(undoing.at), undoing.staff.shown_name
    return _(
        "Undone on %(when)s by %(who)s: %(count)s restored", when=when, who=who, count=format_decimal(undoing.changed)
    )

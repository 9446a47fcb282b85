"""Selections: what a bulk action was asked for, kept as a record, so that forms carry one number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from flask_babel import gettext as _

from extensions import db, now, rows_changed
from models import Client, Selection, Staff
from operations import client_filters
from operations.bulk import among
from operations.errors import OperationRefused

SCOPE = "client"
MOST_TICKED = 100_000


def create(
    *,
    staff: Staff,
    module: str,
    action: str,
    ids: Sequence[int] | None = None,
    parameters: Mapping[str, str] | None = None,
    url: str = "",
) -> Selection:
    """Keep what was selected: the rows `ids`, or all that match `parameters` (a scope under `client`).

    Refuses when nothing is selected, and when a parameter is not understood.
    """
    if ids is not None and not ids:
        raise OperationRefused(_("Nothing is selected. Tick the rows first."))
    if ids is not None and len(ids) > MOST_TICKED:
        raise OperationRefused(_("Too many rows are ticked. Select all that match instead."))
    selection = Selection(
        staff=staff,
        module=module,
        action=action,
        ids=sorted(set(ids)) if ids is not None else None,
        parameters=dict(parameters or {}) if ids is None else None,
        url=url,
    )
    if module == "clients":
        if ids is None:
            _refuse_misunderstood(selection)
        selection.count = count(selection)
    db.session.add(selection)
    db.session.flush()
    return selection


def find(selection_id: int, *, staff: Staff, module: str = "clients") -> Selection | None:
    """The selection of that id, if this staff member made it."""
    selection = db.session.get(Selection, selection_id)
    if selection is None or selection.staff_id != staff.id or selection.module != module:
        return None
    return selection


def client_ids(selection: Selection) -> sa.Select[Any]:
    """One column: the ids of the living clients that the selection means now."""
    if selection.ids is not None:
        return sa.select(Client.id).where(
            Client.deleted_at.is_(None), among(db.session.connection(), Client.id, selection.ids)
        )
    parameters = dict(selection.parameters or {})
    scope = parameters.pop(SCOPE, None)
    statement = client_filters.client_ids(client_filters.understand(parameters.items()))
    return statement.where(Client.id == int(scope)) if scope else statement


def reaches_beyond(selection: Selection, client_id: int) -> bool:
    """Whether the selection means clients other than this one."""
    others = client_ids(selection).where(Client.id != client_id)
    return bool(db.session.scalar(sa.select(sa.exists(others))))


def count(selection: Selection) -> int:
    """How many clients the selection means now, exactly."""
    rows = client_ids(selection).subquery()
    return db.session.scalar(sa.select(sa.func.count()).select_from(rows)) or 0


def describe(selection: Selection) -> list[str]:
    """The selection in words, a condition each."""
    if selection.ids is not None:
        return [_("ticked in the list")]
    parameters = dict(selection.parameters or {})
    scope = parameters.pop(SCOPE, None)
    words = client_filters.in_words(client_filters.understand(parameters.items()))
    if scope:
        words.append(_("Filter by client: #%(id)s", id=scope))
    return words or [_("All clients")]


def forget_old(*, now: datetime, older_than: timedelta = timedelta(days=7)) -> None:
    """Remove selections that nobody carried out."""
    db.session.execute(sa.delete(Selection).where(Selection.created_at < now - older_than, Selection.used_at.is_(None)))


def mark_used(selection: Selection) -> None:
    """Note that the selection was carried out; a second time is refused."""
    won = rows_changed(
        sa.update(Selection).where(Selection.id == selection.id, Selection.used_at.is_(None)).values(used_at=now())
    )
    if not won:
        raise OperationRefused(_("This was done already."))


def _refuse_misunderstood(selection: Selection) -> None:
    parameters = {name: text for name, text in (selection.parameters or {}).items() if name != SCOPE}
    asked = client_filters.understand(parameters.items())
    if asked.misunderstood:
        raise OperationRefused(" ".join(asked.misunderstood))

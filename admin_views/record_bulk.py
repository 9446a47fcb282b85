"""Bulk actions on records that are not clients: what a selection of them means."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from flask_babel import gettext as _

from extensions import db
from models import Selection
from operations import filters, selections
from operations.bulk import among


class RecordBulk:
    """Goes before ModuleView, in a module whose bulk actions are for its own rows."""

    def selected(self, selection: Selection) -> sa.Select[Any]:
        """One column: the ids of the rows that the selection means now, of those that this person can see."""
        seen = self.base_select().with_only_columns(self.pk)  # type: ignore[attr-defined]
        if selection.ids is not None:
            return seen.where(among(db.session.connection(), self.pk, selection.ids))  # type: ignore[attr-defined, no-any-return]
        asked = self._asked_by(selection)
        return seen.where(*filters.conditions(asked, self.known_filters))  # type: ignore[attr-defined, no-any-return]

    def _asked_by(self, selection: Selection) -> filters.Asked:
        given = {name: text for name, text in (selection.parameters or {}).items() if name != selections.SCOPE}
        return filters.read(given.items(), self.known_filters)  # type: ignore[attr-defined]

    def selected_count(self, selection: Selection) -> int:
        rows = self.selected(selection).subquery()
        return db.session.scalar(sa.select(sa.func.count()).select_from(rows)) or 0

    def selected_in_words(self, selection: Selection) -> list[str]:
        if selection.ids is not None:
            return [_("ticked in the list")]
        asked = self._asked_by(selection)
        known = self.known_filters  # type: ignore[attr-defined]
        return [f"{known[key].label}: {known[key].shown(value)}" for key, value in asked.values.items()] or [_("all")]

    def reaches_beyond(self, selection: Selection, client_id: int) -> bool:
        """Never: what a selection means is looked for among what the filter by client shows."""
        return False

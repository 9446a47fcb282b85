"""The version of what people edit, where the row itself is not written: its groups, or the prices of a product."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm.attributes import set_committed_value
from sqlalchemy.orm.exc import StaleDataError

from extensions import db, rows_changed


def lists_changed(record: Any) -> bool:
    """Whether a list of other rows that the record holds was changed and not flushed yet, or a row in it."""
    state = sa.inspect(record)
    for relation in state.mapper.relationships:
        if not relation.uselist or relation.key not in state.dict or relation.viewonly:
            continue
        if state.attrs[relation.key].history.has_changes():
            return True
        if any(db.session.is_modified(row) for row in state.dict[relation.key]):
            return True
    return False


def step(record: Any) -> None:
    """Raise the record's version by one; StaleDataError where somebody else did since it was read."""
    table = type(record).__table__
    mine = (table.c.id == record.id, table.c.row_version == record.row_version)
    if not rows_changed(sa.update(table).where(*mine).values(row_version=table.c.row_version + 1)):
        raise StaleDataError(f"{table.name} {record.id} was changed meanwhile")
    set_committed_value(record, "row_version", record.row_version + 1)

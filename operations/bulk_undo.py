"""Taking back a bulk change, for those clients whose value is still the one that it set.

What a client had before is read from the audit events of the change. Left alone are clients that are deleted, and
those whose value was touched since, also where it is the same again: somebody has decided about it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from flask_babel import gettext as _
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import aliased

from extensions import UTCDateTime, db, rows_changed
from models import AuditEvent, BulkChange, Characterization, Client, ClientGroup, Language, Project, Staff
from operations import audit, bulk_changes, deletion, json_sql
from operations.bulk_changes import CHANGED_SINCE, GONE, OLD_VALUE_GONE
from operations.errors import OperationRefused

event = aliased(AuditEvent, name="event")
later = aliased(AuditEvent, name="later")


@dataclass(frozen=True)
class Column:
    """A column that a bulk change sets: the value that it set, and what else went along with it."""

    key: str
    read: Callable[[str], Any]
    of: type | None = None
    along: tuple[str, ...] = ()

    @property
    def attribute(self) -> Any:
        return getattr(Client, self.key)

    def old_value(self) -> Any:
        old = event.before[self.key]
        return old.as_integer() if self.of else old.as_string()


COLUMNS = {
    "set_characterization": Column(
        "characterization_id", int, Characterization,
        ("characterization_by_id", "characterization_at", "characterization_reason"),
    ),
    "set_project": Column("project_id", int, Project),
    "set_language": Column("language", Language),
}  # fmt: skip
UNDOABLE = frozenset({*COLUMNS, "add_group", "remove_group", "delete"})


@dataclass(frozen=True)
class Prospect:
    """How many clients an undoing would restore, and how many it would leave alone by reason."""

    restored: int
    skipped: dict[str, int]


def can_be_undone(change: BulkChange) -> bool:
    """Whether there is something to take back that was not taken back yet."""
    return change.action in UNDOABLE and change.changed > 0 and change.undone_by is None


def prospect(change: BulkChange, *, now: datetime) -> Prospect:
    """What `undo` would do at this moment. Refuses as it does."""
    _refuse(change, now)
    return _prospect(change, _count(_restorable(change)))


def undo(change: BulkChange, *, by: Staff, now: datetime) -> BulkChange:
    """Give each client back what it had before the change; returns the record of the undoing.

    A client is left alone that is deleted, or whose value was touched since. Refuses what was undone before,
    what cannot be undone, and a deletion of more than thirty days ago.
    """
    _refuse(change, now)
    undoing = _take(change, by, now)
    rows = _restorable(change).with_only_columns(Client.id, Client.id, *_events(change))
    restored = audit.record_many(
        "undo", module="clients", rows=rows.order_by(Client.id).with_for_update(of=Client), bulk_change_id=undoing.id
    )
    # Before the clients are changed, and with them what they are counted by.
    undoing.skipped = _prospect(change, restored).skipped
    _restore(change, undoing)
    undoing.changed = restored
    db.session.flush()
    return undoing


def _refuse(change: BulkChange, now: datetime) -> None:
    if change.undone_by is not None:
        raise OperationRefused(_("This was undone already."))
    if not can_be_undone(change):
        raise OperationRefused(_("This cannot be undone."))
    if change.action == "delete" and change.at + deletion.RESTORABLE <= now:
        raise OperationRefused(_("These clients were deleted more than 30 days ago."))
    if change.action == "remove_group" and not _is_there(ClientGroup, "groups", int(change.value), change.at):
        raise OperationRefused(_("The group is not there any more."))


def _take(change: BulkChange, by: Staff, now: datetime) -> BulkChange:
    """The record of the undoing. Of two at once one is refused: a change has one undoing."""
    undoing = BulkChange(staff_id=by.id, action="undo", undoes_id=change.id, at=now)
    try:
        with db.session.begin_nested():
            db.session.add(undoing)
    except IntegrityError:
        raise OperationRefused(_("This was undone already.")) from None
    return undoing


def _restorable(change: BulkChange) -> sa.Select[Any]:
    """The clients whose value is still the one of the change, each with the event of it."""
    statement = sa.select(Client.id).join(event, event.record_id == Client.id).where(*_is_of(change))
    if change.action == "delete":
        # A client that was restored and deleted anew has another moment.
        return statement.where(Client.deleted_at == change.at, Client.erased_at.is_(None), ~Client.merged_into.has())
    statement = statement.where(Client.deleted_at.is_(None))
    if change.action in COLUMNS:
        column = COLUMNS[change.action]
        statement = statement.where(column.attribute == column.read(change.value), ~_touched(column.key))
        return statement.where(column.old_value().in_(_values_there(change, column))) if column.of else statement
    group_id = int(change.value)
    member = bulk_changes.is_member(group_id)
    return statement.where(member if change.action == "add_group" else ~member, ~_moved(group_id))


def _is_of(change: BulkChange) -> tuple[Any, ...]:
    return event.bulk_change_id == change.id, event.module == "clients"


def _since() -> tuple[Any, ...]:
    return later.module == "clients", later.record_id == event.record_id, later.id > event.id


def _touched(key: str) -> sa.ColumnElement[bool]:
    """Whether the value was changed after the event, be it back and forth."""
    named = sa.or_(json_sql.has_key(later.before, key), json_sql.has_key(later.after, key))
    return sa.exists(sa.select(later.id).where(*_since(), named))


def _moved(group_id: int) -> sa.ColumnElement[bool]:
    """Whether the client was put into the group or taken out of it after the event."""
    was, is_now = (json_sql.holds(part, "groups", group_id) for part in (later.before, later.after))
    return sa.exists(sa.select(later.id).where(*_since(), was != is_now))


def _values_there(change: BulkChange, column: Column) -> list[int]:
    """The old values of the change's clients that are still records, and the same ones."""
    assert column.of is not None
    module = column.of.__audit__  # type: ignore[attr-defined]
    found = db.session.scalars(sa.select(column.old_value()).where(*_is_of(change)).distinct()).all()
    return [number for number in found if _is_there(column.of, module, number, change.at)]


def _is_there(model: Any, module: str, number: int, since: datetime) -> bool:
    """Whether the record is there; one that was deleted since may have left its number to another."""
    went = sa.select(AuditEvent.id).where(
        AuditEvent.module == module,
        AuditEvent.record_id == number,
        AuditEvent.action == "delete",
        AuditEvent.at >= since,
    )
    return db.session.get(model, number) is not None and db.session.scalar(went.limit(1)) is None


def _events(change: BulkChange) -> tuple[Any, ...]:
    """Old and new values as the events of the undoing tell them."""
    if change.action not in {"add_group", "remove_group"}:
        return event.after, event.before
    without, having = bulk_changes.groups_of_a_client(int(change.value))
    old, new = (having, without) if change.action == "add_group" else (without, having)
    return json_sql.document(groups=old).label("old"), json_sql.document(groups=new).label("new")


def _restore(change: BulkChange, undoing: BulkChange) -> None:
    if change.action == "add_group":
        bulk_changes.leave(undoing, int(change.value))
        bulk_changes.touch(undoing)
    elif change.action == "remove_group":
        bulk_changes.join(undoing, int(change.value))
        bulk_changes.touch(undoing)
    else:
        rows_changed(
            sa.update(Client)
            .where(Client.id == event.record_id, *_is_of(undoing))
            .values(**_old_values(change.action), row_version=Client.row_version + 1)
        )


def _old_values(action: str) -> dict[str, Any]:
    """What clients get back, out of the events of the undoing."""
    if action == "delete":
        return {"deleted_at": None}
    column = COLUMNS[action]
    return {name: _from_event(name) for name in (column.key, *column.along)}


def _from_event(name: str) -> Any:
    attribute = getattr(Client, name)
    value = event.after[name]
    if isinstance(attribute.type, sa.Integer):
        return value.as_integer()
    if isinstance(attribute.type, UTCDateTime) and json_sql.is_postgresql():
        return sa.cast(value.as_string(), sa.DateTime(timezone=True))
    # SQLite has moments as text, and the event has them as the column had.
    text = sa.type_coerce(value.as_string(), attribute.type)
    return text if attribute.nullable else sa.func.coalesce(text, "")


def _prospect(change: BulkChange, restored: int) -> Prospect:
    """What is left alone: clients that are gone; those whose old value is gone; the rest was changed since."""
    if change.action == "delete":
        return Prospect(restored, _given({CHANGED_SINCE: change.changed - restored}))
    living = sa.select(Client.id).join(event, event.record_id == Client.id).where(*_is_of(change))
    here = _count(living.where(Client.deleted_at.is_(None)))
    lost = 0
    column = COLUMNS.get(change.action)
    if column is not None and column.of:
        there = _values_there(change, column)
        lost = _count(living.where(Client.deleted_at.is_(None), column.old_value().not_in(there)))
    skipped = {GONE: change.changed - here, OLD_VALUE_GONE: lost, CHANGED_SINCE: here - lost - restored}
    return Prospect(restored, _given(skipped))


def _given(skipped: dict[str, int]) -> dict[str, int]:
    return {reason: count for reason, count in skipped.items() if count > 0}


def _count(clients: sa.Select[Any]) -> int:
    return db.session.scalar(sa.select(sa.func.count()).select_from(clients.subquery())) or 0

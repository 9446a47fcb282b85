"""The audit: what was changed, by whom, written in the transaction of the change itself.

Changes made through objects are noticed when they are flushed. Changes made by statements over many rows
are recorded by `record_many`, with one statement.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.orm import Session as OrmSession
from sqlalchemy.orm.base import NO_VALUE
from sqlalchemy.orm.interfaces import MANYTOONE

from extensions import Model, db, now, plain_rows, rows_changed
from models import AuditEvent, ClientUser, Staff

# Events of a record that change nothing in it, besides those of logging in.
NO_CHANGES = ("logout", "export", "case_file", "denied", "forced_end", "password_reset_requested", "sessions_ended")
UNRECORDED = frozenset({"row_version", "search_text", "usernames", "owner_username", "balance", "active_services",
                        "is_suspended", "last_login_at", "preferences"})  # fmt: skip


@dataclass(frozen=True)
class Actor:
    """Who acts, from where. During a login-as both people are named."""

    name: str = "system"
    staff_id: int | None = None
    client_user_id: int | None = None
    impersonation_id: int | None = None
    ip: str = ""
    request_id: str = ""


SYSTEM = Actor()
_actor: ContextVar[Actor] = ContextVar("actor", default=SYSTEM)


def current_actor() -> Actor:
    return _actor.get()


def set_actor(actor: Actor) -> None:
    """Name who acts from here on, in this request or job."""
    _actor.set(actor)


@contextmanager
def acting(actor: Actor) -> Iterator[None]:
    """Name who acts within the block."""
    token = _actor.set(actor)
    try:
        yield
    finally:
        _actor.reset(token)


def actor_of(staff: Staff | None, client_user: ClientUser | None = None, **more: Any) -> Actor:
    """The actor for a staff member, a client user, or a staff member in a client user's place."""
    names = [person.shown_name for person in (staff, client_user) if person is not None]
    return Actor(
        name=" → ".join(names)[:200] or "system",
        staff_id=staff.id if staff else None,
        client_user_id=client_user.id if client_user else None,
        **more,
    )


def record(
    action: str,
    *,
    module: str,
    record_id: int | None = None,
    client_id: int | None = None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    by: Actor | None = None,
) -> None:
    """Write one audit event. `before` and `after` are fields of the record; secrets must not be among them."""
    values = _event_values(
        action, module=module, record_id=record_id, client_id=client_id, before=before, after=after, by=by
    )
    db.session.execute(sa.insert(AuditEvent), [values])


def record_many(
    action: str,
    *,
    module: str,
    rows: Any,
    field: str | None = None,
    after: Any = None,
    bulk_change_id: int | None = None,
) -> int:
    """Write an event for each of `rows`, with one statement, before or after the change to them; how many.

    `rows` selects (record id, client id, old values as JSON, new values as JSON), the last two where there are
    any. Instead of the new values of each, `after` is the new value of `field`, the same for all. Old values
    must be selected before they are changed.
    """
    actor = current_actor()
    source = rows.subquery()
    ids, clients, *values = source.c
    same_for_all = sa.literal({field: plain(after)} if field else {}, type_=AuditEvent.after.type)
    columns = {
        "at": sa.literal(now(), type_=AuditEvent.at.type),
        "staff_id": sa.literal(actor.staff_id, type_=sa.Integer),
        "client_user_id": sa.literal(actor.client_user_id, type_=sa.Integer),
        "impersonation_id": sa.literal(actor.impersonation_id, type_=sa.Integer),
        "actor": sa.literal(actor.name),
        "ip": sa.literal(actor.ip),
        "request_id": sa.literal(actor.request_id),
        "module": sa.literal(module),
        "record_id": ids,
        "client_id": clients,
        "action": sa.literal(action),
        "before": values[0] if values else sa.literal({}, type_=AuditEvent.before.type),
        "after": values[1] if len(values) > 1 else same_for_all,
        "bulk_change_id": sa.literal(bulk_change_id, type_=sa.Integer),
    }
    chosen = sa.select(*columns.values())
    return rows_changed(sa.insert(AuditEvent).from_select(list(columns), chosen, include_defaults=False))


def last_change(*, module: str, record_id: int) -> Any:
    """When and by whom the record was changed last (`at`, `actor`); None where no event tells."""
    statement = (
        sa.select(AuditEvent.at, AuditEvent.actor)
        .where(
            AuditEvent.module == module,
            AuditEvent.record_id == record_id,
            AuditEvent.action.not_in(NO_CHANGES),
            AuditEvent.action.not_like("login%"),
        )
        .order_by(AuditEvent.id.desc())
        .limit(1)
    )
    return plain_rows(statement).first()


def clients_of(bulk_change_id: int) -> sa.Select[Any]:
    """The ids of the clients that a bulk change changed, by its events."""
    return sa.select(AuditEvent.record_id).where(
        AuditEvent.bulk_change_id == bulk_change_id, AuditEvent.module == "clients"
    )


def plain(value: Any) -> Any:
    """`value` as JSON can hold it."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    if value is None or isinstance(value, bool | int | float | dict | list):
        return value
    return str(value)


def _event_values(
    action: str,
    *,
    module: str,
    record_id: int | None,
    client_id: int | None,
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any] | None,
    by: Actor | None = None,
) -> dict[str, Any]:
    actor = by or current_actor()
    return {
        "at": now(),
        "staff_id": actor.staff_id,
        "client_user_id": actor.client_user_id,
        "impersonation_id": actor.impersonation_id,
        "actor": actor.name,
        "ip": actor.ip,
        "request_id": actor.request_id,
        "module": module,
        "record_id": record_id,
        "client_id": client_id,
        "action": action,
        "before": {key: plain(value) for key, value in (before or {}).items()},
        "after": {key: plain(value) for key, value in (after or {}).items()},
    }


# What objects change is noticed at the flush: the old values just before it, the new ids just after.


AUDIT: Any = AuditEvent.__table__


@event.listens_for(OrmSession, "before_flush")
def _notice(session: OrmSession, _context: Any, _instances: Any) -> None:
    noticed = session.info.setdefault("noticed", [])
    for row in session.new:
        if _is_audited(row):
            noticed.append((row, "create", {}, None))
    for row in session.dirty:
        if _is_audited(row) and session.is_modified(row):
            before, after = _changes(row)
            if before or after:
                noticed.append((row, "edit", before, after))
    for row in session.deleted:
        if _is_audited(row):
            noticed.append((row, "delete", _values(row), {}))
            _leave_what_goes(row)


@event.listens_for(OrmSession, "after_flush")
def _write(session: OrmSession, context: Any) -> None:
    gone = _gone_with_others(session, context)
    removed = {row for row, *_rest in gone}
    # To be taken out of what it is a part of is no change of what is removed for it.
    noticed = [each for each in session.info.pop("noticed", []) if each[0] not in removed] + gone
    events = [
        _event_values(
            # A part of a record says by its own word what was done to it: a note that is added creates no client.
            getattr(type(row), "__audit_as__", {}).get(action, action),
            module=type(row).__audit__,
            record_id=_record_of(row),
            client_id=_client_of(row),
            before=before,
            after=_values(row) if after is None else {name: _id_of(value) for name, value in after.items()},
        )
        for row, action, before, after in noticed
    ]
    if events:
        session.connection().execute(AUDIT.insert(), events)


@event.listens_for(OrmSession, "after_soft_rollback")
def _forget(session: OrmSession, _previous: Any) -> None:
    session.info.pop("noticed", None)


def _id_of(value: Any) -> Any:
    """The id of a record that a reference was set to, which a new one has only now; other values as they are."""
    return getattr(value, "id") if isinstance(value, Model) else value  # noqa: B009  Its type says nothing of ids.


def _is_audited(row: Any) -> bool:
    return getattr(type(row), "__audit__", None) is not None


def _gone_with_others(session: OrmSession, context: Any) -> list[Any]:
    """What the flush removed because it was taken out of what it is a part of: a price of a product."""
    gone = [
        state.obj() for state, (is_deleted, only_listed) in context.states.items() if is_deleted and not only_listed
    ]
    explicitly = set(session.deleted)
    return [(row, "delete", _values(row), {}) for row in gone if _is_audited(row) and row not in explicitly]


def _record_of(row: Any) -> int | None:
    """The id of the module's record that the row is, or is a part of."""
    column = getattr(type(row), "__audit_of__", "id")
    return getattr(row, column) if column else None


def _client_of(row: Any) -> int | None:
    return row.id if type(row).__tablename__ == "clients" else getattr(row, "client_id", None)


def _recorded_columns(row: Any) -> list[str]:
    mapper = sa.inspect(type(row))
    return [
        attribute.key
        for attribute in mapper.column_attrs
        if attribute.key not in UNRECORDED and not attribute.columns[0].info.get("secret")
    ]


def _values(row: Any) -> dict[str, Any]:
    """The row's recorded values that are not empty; of a reference to many, the ids."""
    state = sa.inspect(row).dict
    found = {key: state[key] for key in _recorded_columns(row) if state.get(key) not in (None, "", {}, [])}
    for key, prefix in _taken_apart(row):
        found |= {f"{prefix}{name}": value for name, value in found.pop(key, {}).items()}
    for relation in sa.inspect(type(row)).relationships:
        if relation.secondary is not None and state.get(relation.key):
            found[relation.key] = sorted(item.id for item in state[relation.key])
    return found


def _taken_apart(row: Any) -> list[tuple[str, str]]:
    """Documents whose values are fields of their own in the audit, each with what begins the fields' names."""
    columns = sa.inspect(type(row)).column_attrs
    return [(one.key, one.columns[0].info["audited_as"]) for one in columns if "audited_as" in one.columns[0].info]


def _take_changes_apart(row: Any, before: dict[str, Any], after: dict[str, Any]) -> None:
    for key, prefix in _taken_apart(row):
        old, new = before.pop(key, None) or {}, after.pop(key, None) or {}
        for name in [name for name in {**old, **new} if old.get(name) != new.get(name)]:
            before[f"{prefix}{name}"], after[f"{prefix}{name}"] = old.get(name), new.get(name)


def _leave_what_goes(row: Any) -> None:
    """Note for each record that refers to `row` as one of many that it does so no longer: a member of a group.

    The rows between the two go with it by themselves, so nothing else would tell.
    """
    for mapper in Model.registry.mappers:
        for relation in mapper.relationships:
            is_audited = hasattr(mapper.class_, "__audit__") and relation.mapper.class_ is type(row)
            if relation.secondary is None or not is_audited:
                continue
            [(_own, column)] = relation.synchronize_pairs
            [(_other, target)] = relation.secondary_synchronize_pairs or []
            old = sa.literal({relation.key: [row.id]}, type_=AuditEvent.before.type)
            client = column if mapper.class_.__tablename__ == "clients" else sa.null()
            members = sa.select(column.label("record_id"), client.label("client_id"), old.label("before"))
            record_many(
                f"remove_{relation.key.removesuffix('s')}", module=mapper.class_.__audit__,
                rows=members.where(target == row.id).order_by(column), field=relation.key, after=[],
            )  # fmt: skip


def _changes(row: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Old and new values of what is different; of a reference to many, the ids."""
    state = sa.inspect(row)
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    for key in _recorded_columns(row):
        history = state.attrs[key].load_history() if key not in state.unloaded else state.attrs[key].history
        if history.added and history.added != history.deleted:
            old = history.deleted[0] if history.deleted else None
            if old is not NO_VALUE and plain(old) != plain(history.added[0]):
                before[key], after[key] = old, history.added[0]
    _take_changes_apart(row, before, after)
    for relation in sa.inspect(type(row)).relationships:
        if relation.direction is MANYTOONE:
            _change_of_reference(state, relation, before, after)
        elif relation.secondary is not None:
            history = state.attrs[relation.key].load_history() if relation.key in state.dict else None
            if history and (history.added or history.deleted):
                kept = {item.id for item in history.unchanged}
                before[relation.key] = sorted(kept | {item.id for item in history.deleted})
                after[relation.key] = sorted(kept | {item.id for item in history.added})
    return before, after


def _change_of_reference(state: Any, relation: Any, before: dict[str, Any], after: dict[str, Any]) -> None:
    """Old and new id of a reference that was set by its object: the column itself is written in the flush only."""
    column = next(iter(relation.local_columns)).key
    history = state.attrs[relation.key].history
    if not history.has_changes() or column not in _recorded_columns(state.object):
        return
    old = state.committed_state.get(column, state.dict.get(column))
    new = history.added[0] if history.added else None
    if old is not NO_VALUE and (new is None or new.id is None or new.id != old) and (old, new) != (None, None):
        before[column], after[column] = old, new

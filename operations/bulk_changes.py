"""Changing many clients at once: sets, not loops, in the one transaction of who calls.

Each verb first writes the audit of those it is going to change, with the old value of each, and locks them; then
it changes exactly those. So what was changed is known by the events, and can be undone by them (bulk_undo).
`clients` is a select of the ids of living clients, `asked` how many it was said to mean.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from flask_babel import format_decimal, lazy_gettext, ngettext
from flask_babel import gettext as _

from extensions import db, rows_changed
from models import (
    Account,
    BulkChange,
    Characterization,
    Client,
    ClientGroup,
    Language,
    Project,
    Selection,
    Staff,
    client_group_members,
)
from operations import audit, deletion, json_sql

# Why a client was left alone.
HAD_ALREADY, IN_GROUP, NOT_IN_GROUP, GONE = "had_already", "in_group", "not_in_group", "gone"
CHANGED_SINCE, OLD_VALUE_GONE = "changed_since", "old_value_gone"
REASONS = {
    HAD_ALREADY: lazy_gettext("had it already"),
    IN_GROUP: lazy_gettext("in the group already"),
    NOT_IN_GROUP: lazy_gettext("not in the group"),
    GONE: lazy_gettext("deleted meanwhile"),
    CHANGED_SINCE: lazy_gettext("changed since"),
    OLD_VALUE_GONE: lazy_gettext("what it was before is not there any more"),
}
MEMBERS = client_group_members.c


class Asked:
    """What a bulk change is for: the clients, how many they are, who asks, and when."""

    def __init__(
        self, clients: sa.Select[Any], count: int, by: Staff, now: datetime, selection: Selection | None = None
    ):
        # By their ids, in whose order they lie: a filter may lead to them through an index in any other.
        self.clients = sa.select(Client.id).where(Client.id.in_(clients))
        self.count = count
        self.by = by
        self.now = now
        self.selection = selection

    def begin(self, action: str, value: str = "", value_name: str = "") -> BulkChange:
        """The record of the change; its id goes into the events."""
        change = BulkChange(
            staff_id=self.by.id,
            selection_id=self.selection.id if self.selection else None,
            action=action,
            value=value,
            value_name=value_name[:200],
            at=self.now,
        )
        db.session.add(change)
        db.session.flush()
        return change

    def finish(self, change: BulkChange, changed: int, otherwise: str) -> BulkChange:
        """Note how many were changed; the rest was left alone for the reason `otherwise`."""
        gone = len(self.selection.ids) - self.count if self.selection and self.selection.ids is not None else 0
        skipped = {otherwise: self.count - changed, GONE: gone}
        change.changed = changed
        change.skipped = {reason: count for reason, count in skipped.items() if count > 0}
        db.session.flush()
        return change


def set_characterization(asked: Asked, *, characterization: Characterization, reason: str) -> BulkChange:
    """Set the characterization, and note who did, when and why."""
    change = asked.begin("set_characterization", str(characterization.id), characterization.name)
    old = json_sql.given(
        json_sql.document(
            characterization_id=Client.characterization_id,
            characterization_by_id=Client.characterization_by_id,
            characterization_at=Client.characterization_at,
            characterization_reason=sa.func.nullif(Client.characterization_reason, ""),
        )
    )
    new = {"characterization_id": characterization.id}
    _record(
        change,
        asked.clients.where(Client.characterization_id != characterization.id),
        old,
        {**new, "characterization_reason": reason} if reason else new,
    )
    by = {"characterization_by_id": asked.by.id, "characterization_at": asked.now, "characterization_reason": reason}
    return asked.finish(change, _update(change, {**new, **by}), HAD_ALREADY)


def set_language(asked: Asked, *, language: Language) -> BulkChange:
    """Set the language in which clients are written to."""
    change = asked.begin("set_language", language.value)
    others = asked.clients.where(Client.language != language)
    _record(change, others, json_sql.document(language=Client.language), {"language": language.value})
    return asked.finish(change, _update(change, {"language": language}), HAD_ALREADY)


def set_project(asked: Asked, *, project: Project) -> tuple[BulkChange, int]:
    """Make `project` the home project; also returns how many accounts with it were opened.

    Who has no account with it in its currency gets one, with its credit limit. Money stays where it is: the
    balance shown is from here on that of the account with the new project.
    """
    change = asked.begin("set_project", str(project.id), project.name)
    others = asked.clients.where(Client.project_id != project.id)
    _record(change, others, json_sql.document(project_id=Client.project_id), {"project_id": project.id})
    opened = _open_accounts(change, project)
    return asked.finish(change, _update(change, {"project_id": project.id}), HAD_ALREADY), opened


def _open_accounts(change: BulkChange, project: Project) -> int:
    events = audit.clients_of(change.id).subquery()
    theirs = sa.and_(Account.project_id == project.id, Account.currency == project.currency)
    has_one = sa.exists(sa.select(Account.id).where(Account.client_id == events.c.record_id, theirs))
    last = db.session.scalar(sa.select(sa.func.coalesce(sa.func.max(Account.id), 0)))
    values = (project.id, project.currency, project.credit_limit)
    types = (Account.project_id.type, Account.currency.type, Account.credit_limit.type)
    same = [sa.literal(value, type_=kind) for value, kind in zip(values, types, strict=True)]
    opened = rows_changed(
        sa.insert(Account).from_select(
            ["client_id", "project_id", "currency", "credit_limit"],
            sa.select(events.c.record_id, *same).where(~has_one),
            include_defaults=False,
        )
    )
    new = sa.select(
        Account.id,
        Account.client_id,
        json_sql.document(),
        json_sql.document(client_id=Account.client_id, project_id=Account.project_id, currency=Account.currency),
    ).where(Account.id > last, theirs, Account.client_id.in_(audit.clients_of(change.id)))
    if opened:
        audit.record_many("create", module="accounts", rows=new, bulk_change_id=change.id)
    return opened


def add_group(asked: Asked, *, group: ClientGroup) -> BulkChange:
    """Put clients into the group."""
    change = asked.begin("add_group", str(group.id), group.name)
    _record_groups(change, asked.clients.where(~is_member(group.id)), group.id, joins=True)
    join(change, group.id)
    return asked.finish(change, touch(change), IN_GROUP)


def remove_group(asked: Asked, *, group: ClientGroup) -> BulkChange:
    """Take clients out of the group."""
    change = asked.begin("remove_group", str(group.id), group.name)
    _record_groups(change, asked.clients.where(is_member(group.id)), group.id, joins=False)
    leave(change, group.id)
    return asked.finish(change, touch(change), NOT_IN_GROUP)


def delete(asked: Asked) -> BulkChange:
    """Delete clients; they can be restored for thirty days."""
    change = asked.begin("delete")
    changed = deletion.delete(clients=asked.clients, now=asked.now, bulk_change_id=change.id)
    return asked.finish(change, changed, GONE)


def is_member(group_id: int) -> sa.ColumnElement[bool]:
    return Client.id.in_(sa.select(MEMBERS.client_id).where(MEMBERS.group_id == group_id))


def join(change: BulkChange, group_id: int) -> None:
    """Put the clients of the change's events into the group."""
    rows = audit.clients_of(change.id).add_columns(sa.literal(group_id, type_=sa.Integer))
    rows_changed(sa.insert(client_group_members).from_select(["client_id", "group_id"], rows))


def leave(change: BulkChange, group_id: int) -> None:
    """Take the clients of the change's events out of the group."""
    theirs = MEMBERS.client_id.in_(audit.clients_of(change.id))
    rows_changed(sa.delete(client_group_members).where(MEMBERS.group_id == group_id, theirs))


def touch(change: BulkChange) -> int:
    """Raise the version of the clients of the change's events: who has one's form open is told."""
    return _update(change, {})


def _record_groups(change: BulkChange, clients: sa.Select[Any], group_id: int, *, joins: bool) -> None:
    without, having = groups_of_a_client(group_id)
    old, new = (without, having) if joins else (having, without)
    _record(change, clients, json_sql.document(groups=old), json_sql.document(groups=new))


def groups_of_a_client(group_id: int) -> tuple[Any, Any]:
    """The ids of the groups of a client as lists: without that group, and with it."""
    others = (
        sa.select(json_sql.list_of(MEMBERS.group_id))
        .where(MEMBERS.client_id == Client.id, MEMBERS.group_id != group_id)
        .correlate(Client)
        .scalar_subquery()
    )
    return json_sql.nested(others), json_sql.nested(json_sql.with_number(others, group_id))


def _record(change: BulkChange, clients: sa.Select[Any], old: Any, new: Any) -> None:
    """Write the event of each client that is going to be changed, and keep everybody else from changing it."""
    after = sa.literal(new, type_=Client.custom.type) if isinstance(new, Mapping) else new
    rows = (
        clients.with_only_columns(
            Client.id.label("record_id"), Client.id.label("client_id"), old.label("old"), after.label("new")
        )
        .order_by(Client.id)
        .with_for_update(of=Client)
    )
    audit.record_many(change.action, module="clients", rows=rows, bulk_change_id=change.id)


def _update(change: BulkChange, values: Mapping[str, Any]) -> int:
    """Set `values` on the clients of the change's events; how many they are."""
    statement = sa.update(Client).where(_is_of(change)).values(**values, row_version=Client.row_version + 1)
    return rows_changed(statement)


def _is_of(change: BulkChange) -> sa.ColumnElement[bool]:
    """Whether a client is one of the change's events.

    PostgreSQL knows nothing yet of events just written, takes them for very few, and may read all clients to find
    them; as an array they are looked up one by one through the primary key.
    """
    events = audit.clients_of(change.id)
    if json_sql.is_postgresql():
        return Client.id == sa.any_(sa.func.array(events.scalar_subquery(), type_=sa.ARRAY(sa.Integer)))
    return Client.id.in_(events)


# In words

_DONE: dict[str, Callable[[int], str]] = {
    "add_group": lambda n: ngettext("%(num)s client added to the group.", "%(num)s clients added to the group.", n),
    "remove_group": lambda n: ngettext(
        "%(num)s client removed from the group.", "%(num)s clients removed from the group.", n
    ),
    "set_project": lambda n: ngettext("%(num)s client moved.", "%(num)s clients moved.", n),
    "delete": lambda n: ngettext("%(num)s client deleted.", "%(num)s clients deleted.", n),
    "undo": lambda n: ngettext("%(num)s client restored.", "%(num)s clients restored.", n),
}


def in_words(change: BulkChange) -> str:
    """What was done and what was skipped, and why."""
    done = _DONE.get(change.action)
    changed = ngettext("%(num)s client changed.", "%(num)s clients changed.", change.changed)
    return " ".join([done(change.changed) if done else changed, *skipped_in_words(change.skipped)])


def skipped_in_words(skipped: Mapping[str, int]) -> list[str]:
    """How many were left alone, a sentence for each reason."""
    return [
        _("Skipped %(count)s: %(reason)s.", count=format_decimal(count), reason=REASONS.get(reason, reason))
        for reason, count in skipped.items()
    ]

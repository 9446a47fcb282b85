"""Gives clients that an import changed their old values back, wherever nobody has changed them since."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import Any

import sqlalchemy as sa

from extensions import UTCDateTime, db
from models import Client, ClientUser, Consent, ImportBatch, ImportChange, Payer, client_group_members
from operations import audit, bulk, custom_fields, custom_values
from operations.import_keeping import CLIENT, CLOSED, CONSENT, CUSTOM, GROUPS, IDS, PAYER, USER
from operations.import_matching import NEWS, taken

SLICE = 500
MODELS: dict[str, Any] = {CLIENT: Client, USER: ClientUser, PAYER: Payer}
# What is kept beside a column that people know, and goes back with it.
COMPANIONS = frozenset({"characterization_at", "characterization_by_id", "characterization_reason"})
# Columns that people know by the name of an import's field.
FIELDS = {"full_name": "contact_person", "postal_address": "address", "characterization_id": "characterization"}


@dataclass
class Restoration:
    """One client: the values that go back, by table and column, and the fields that cannot, with the reason.

    `before` and `after` are for the audit; reasons are `changed` (by somebody since), `taken` (by another user) and
    `gone` (with what it was a part of).
    """

    client_id: int
    name: str
    values: dict[str, dict[str, Any]] = field(default_factory=dict)
    ids: dict[str, int] = field(default_factory=dict)
    groups: list[int] = field(default_factory=list)
    consent: str = ""
    reopens: bool = False
    before: dict[str, Any] = field(default_factory=dict)
    after: dict[str, Any] = field(default_factory=dict)
    kept: dict[str, str] = field(default_factory=dict)

    def note(self, name: str, new: Any, old: Any) -> None:
        self.before[name], self.after[name] = new, old


def restorations(batch: ImportBatch) -> Iterator[list[Restoration]]:
    """What goes back of each client that the import changed, some hundred at a time; writes nothing."""
    last = 0
    while changes := _slice(batch, last):
        last = changes[-1].id
        yield _planned(batch, changes)


def carry_out(plans: Sequence[Restoration], *, done_at: datetime) -> None:
    """Write what goes back, with an event for each client that gets anything back."""
    connection = db.session.connection()
    for table, model in MODELS.items():
        updates = [(plan.ids[table], plan.values[table]) for plan in plans if plan.values.get(table)]
        bulk.update(connection, model.__table__, updates)
    _leave_groups(plans)
    _agree_again(plans, done_at)
    reopened = [plan.client_id for plan in plans if plan.reopens]
    if reopened:
        mine = bulk.among(connection, Client.id, reopened)
        values = {"deleted_at": None, "row_version": Client.row_version + 1}
        connection.execute(sa.update(Client).where(mine).values(values))
    for plan in plans:
        if plan.before:
            audit.record(
                "undo_import", module="clients", record_id=plan.client_id, client_id=plan.client_id,
                before=plan.before, after=plan.after,
            )  # fmt: skip


def _slice(batch: ImportBatch, last: int) -> Sequence[Any]:
    statement = (
        sa.select(ImportChange.id, ImportChange.client_id, ImportChange.before, ImportChange.after)
        .where(ImportChange.batch_id == batch.id, ImportChange.id > last)
        .order_by(ImportChange.id)
        .limit(SLICE)
    )
    return db.session.execute(statement).all()


def _planned(batch: ImportBatch, changes: Sequence[Any]) -> list[Restoration]:
    current = {
        CLIENT: _current(CLIENT, [change.client_id for change in changes]),
        USER: _current(USER, [change.after[IDS][USER] for change in changes]),
        PAYER: _current(PAYER, [change.after[IDS][PAYER] for change in changes]),
    }
    members = _members([change.client_id for change in changes])
    consents = _consents([change.after[IDS][USER] for change in changes if CONSENT in change.after], batch)
    plans = []
    for change in changes:
        client = current[CLIENT][change.client_id]
        plan = Restoration(change.client_id, client["name"])
        for table in MODELS:
            _plan_table(plan, table, change, current[table])
        _plan_groups(plan, change, members)
        _plan_consent(plan, change, consents)
        if change.after.get(CLOSED):
            _plan_reopening(plan, client, batch)
        plans.append(plan)
    _keep_taken_addresses(plans)
    return plans


def _current(table: str, ids: Sequence[int | None]) -> dict[int, dict[str, Any]]:
    """The rows as they are now, by id."""
    columns = MODELS[table].__table__
    wanted = [id_ for id_ in ids if id_ is not None]
    mine = bulk.among(db.session.connection(), columns.c.id, wanted)
    return {row["id"]: dict(row) for row in db.session.execute(sa.select(columns).where(mine)).mappings()}


def _plan_table(plan: Restoration, table: str, change: Any, current: dict[int, dict[str, Any]]) -> None:
    before, after = change.before.get(table), change.after.get(table)
    if not before or not after:
        return
    id_ = change.client_id if table == CLIENT else change.after[IDS][table]
    row = current.get(id_)
    if row is None:
        plan.kept.update({FIELDS.get(column, column): "gone" for column in before})
        return
    row = row | custom_values.by_name(row.get(CUSTOM) or {})
    same = {column for column in before if audit.plain(row.get(column)) == after[column]}
    if not COMPANIONS & set(before) <= same:
        same.discard("characterization_id")
    if "characterization_id" not in same:
        same -= COMPANIONS
    plan.ids[table] = id_
    plan.values[table] = _values(table, {column: before[column] for column in same}, row)
    for column in before.keys() - COMPANIONS:
        name = FIELDS.get(column, column)
        if column not in same:
            plan.kept.setdefault(name, "changed")
        else:
            plan.note(column if table == CLIENT else f"{table}.{column}", after[column], before[column])
    if "characterization_id" in same and before.get("characterization_reason"):
        plan.note("characterization_reason", "", before["characterization_reason"])


def _values(table: str, kept: dict[str, Any], row: dict[str, Any]) -> dict[str, Any]:
    """Kept values as the columns take them; custom values stand in one, among those that stay."""
    names = {column for column in kept if column.startswith(custom_fields.PREFIX)}
    values = {column: _value(table, column, kept[column]) for column in kept.keys() - names}
    if names:
        old = {name.removeprefix(custom_fields.PREFIX): kept[name] for name in names}
        values[CUSTOM] = {code: value for code, value in {**row[CUSTOM], **old}.items() if value is not None}
    return values


def _value(table: str, column: str, kept: Any) -> Any:
    """A kept value as its column takes it."""
    kind = MODELS[table].__table__.c[column].type
    return datetime.fromisoformat(kept) if kept and isinstance(kind, UTCDateTime) else kept


def _members(client_ids: Sequence[int]) -> set[tuple[int, int]]:
    members = client_group_members.c
    mine = bulk.among(db.session.connection(), members.client_id, client_ids)
    return {(client, group) for client, group in db.session.execute(sa.select(members.client_id, members.group_id).where(mine))}  # fmt: skip


def _plan_groups(plan: Restoration, change: Any, members: set[tuple[int, int]]) -> None:
    plan.groups = [group for group in change.after.get(GROUPS, ()) if (plan.client_id, group) in members]
    if plan.groups:
        plan.note("groups", plan.groups, [])


def _consents(user_ids: Sequence[int], batch: ImportBatch) -> set[int]:
    """Users whose news are off since the import, and by nothing else."""
    mine = bulk.among(db.session.connection(), Consent.client_user_id, user_ids)
    since = sa.and_(Consent.kind == NEWS, Consent.withdrawn_at == batch.done_at)
    return set(db.session.scalars(sa.select(Consent.client_user_id).where(mine, since)))


def _plan_consent(plan: Restoration, change: Any, consents: set[int]) -> None:
    if CONSENT not in change.after:
        return
    user_id = change.after[IDS][USER]
    if user_id in consents:
        plan.consent, plan.ids[USER] = change.after[CONSENT], user_id
        plan.note("consent", "no", "yes")
    else:
        plan.kept["consent"] = "changed"


def _plan_reopening(plan: Restoration, client: dict[str, Any], batch: ImportBatch) -> None:
    if client["deleted_at"] == batch.done_at:
        plan.reopens = True
        plan.note("status", "closed", "active")
    else:
        plan.kept["status"] = "changed"


def _keep_taken_addresses(plans: Sequence[Restoration]) -> None:
    """Leave out addresses that belong to another user by now."""
    wanted = [plan for plan in plans if plan.values.get(USER, {}).get("email")]
    used = taken(db.session.connection(), ClientUser.email, {plan.values[USER]["email"] for plan in wanted})
    for plan in wanted:
        address = plan.values[USER]["email"]
        if address in used:
            del plan.values[USER]["email"], plan.before["client_users.email"], plan.after["client_users.email"]
            plan.kept["email"] = "taken"
        used.add(address)


def _leave_groups(plans: Sequence[Restoration]) -> None:
    joined = sorted((group, plan.client_id) for plan in plans for group in plan.groups)
    members = client_group_members.c
    for group, some in groupby(joined, key=lambda one: one[0]):
        mine = bulk.among(db.session.connection(), members.client_id, [client for _group, client in some])
        db.session.execute(sa.delete(client_group_members).where(members.group_id == group, mine))


def _agree_again(plans: Sequence[Restoration], done_at: datetime) -> None:
    connection = db.session.connection()
    since = sa.and_(Consent.kind == NEWS, Consent.withdrawn_at == done_at)
    new = [plan.ids[USER] for plan in plans if plan.consent == "new"]
    known = [plan.ids[USER] for plan in plans if plan.consent == "known"]
    if new:
        connection.execute(sa.delete(Consent).where(since, bulk.among(connection, Consent.client_user_id, new)))
    if known:
        mine = bulk.among(connection, Consent.client_user_id, known)
        connection.execute(sa.update(Consent).where(since, mine).values(withdrawn_at=None))

"""Taking an import back: the clients that it made go, those that it changed get their old values back.

All or nothing for the clients that it made: when anything hangs on one of them, nothing is taken back. A changed
client's value that somebody has changed since stays as it is, and is told.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_babel import ngettext

from extensions import db, rows_changed
from extensions import now as current_time
from models import (
    Account,
    Client,
    ClientGroup,
    ClientUser,
    Discount,
    ImportBatch,
    ImportChange,
    Payer,
    client_group_members,
)
from operations import audit, bulk, import_hanging, import_restoring
from operations.errors import OperationRefused
from operations.import_hanging import Hanging
from operations.import_messages import field_name
from operations.import_restoring import Restoration
from operations.imports import DONE, ONE_AT_A_TIME

UNDONE = "undone"
SLICE = 1_000
SHOWN = 50
WHY_KEPT = {
    "changed": _l("changed since"),
    "taken": _l("the old one is another user's by now"),
    "gone": _l("what it was a part of is gone"),
}


class UndoRefused(OperationRefused):
    """Something hangs on clients of the import; `hanging` says what."""

    def __init__(self, hanging: Hanging) -> None:
        super().__init__(
            ngettext(
                "Nothing was taken back: something hangs on %(num)s client of this import.",
                "Nothing was taken back: something hangs on %(num)s clients of this import.",
                hanging.clients,
            )
        )
        self.hanging = hanging


@dataclass
class Kept:
    """A changed client some of whose values stay: (field, reason) each."""

    id: int
    name: str
    fields: list[tuple[str, str]]


@dataclass
class Impact:
    """What taking back would do, or did.

    `clients` go (`deleted` of them are deleted already) with `users`, `payers` and `accounts`; `restored` get old
    values back; of `kept_clients` some values stay, `kept` are the first of these. `unknown` were changed by an import
    of before old values were kept. `groups` go, `groups_kept` are used by now (names).
    """

    clients: int = 0
    deleted: int = 0
    users: int = 0
    payers: int = 0
    accounts: int = 0
    restored: int = 0
    kept_clients: int = 0
    kept: list[Kept] = field(default_factory=list)
    unknown: int = 0
    groups: list[str] = field(default_factory=list)
    groups_kept: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """What goes and what comes back, in words, a line each; what there is none of is left out."""
        said = [
            (self.clients, ngettext("%(num)s client goes for good", "%(num)s clients go for good", self.clients)),
            (self.deleted, ngettext("%(num)s of them is deleted already", "%(num)s of them are deleted already", self.deleted)),
            (self.users, ngettext("%(num)s user goes", "%(num)s users go", self.users)),
            (self.payers, ngettext("%(num)s payer goes", "%(num)s payers go", self.payers)),
            (self.accounts, ngettext("%(num)s account without any movement goes", "%(num)s accounts without any movement go", self.accounts)),
            (self.restored, ngettext("%(num)s changed client gets its old values back", "%(num)s changed clients get their old values back", self.restored)),
            (self.kept_clients, ngettext("of %(num)s changed client some values stay as they are", "of %(num)s changed clients some values stay as they are", self.kept_clients)),
            (self.unknown, ngettext("%(num)s changed client is gone, or its old values are not known", "%(num)s changed clients are gone, or their old values are not known", self.unknown)),
            (len(self.groups), _("groups that it made go: %(names)s", names=", ".join(self.groups))),
            (len(self.groups_kept), _("groups that it made stay, for they are used: %(names)s", names=", ".join(self.groups_kept))),
        ]  # fmt: skip
        return [line for count, line in said if count]


def impact(batch: ImportBatch) -> tuple[Impact, Hanging]:
    """What taking `batch` back would do, and what keeps it from being done; writes nothing."""
    found = _counted(batch)
    for plans in import_restoring.restorations(batch):
        _count(found, plans)
    _count_groups(found, batch)
    return found, import_hanging.find(batch)


def undo(batch: ImportBatch, *, now: datetime) -> Impact:
    """Take `batch` back, and say what was done. The caller commits.

    Refuses an import that was never carried out or was taken back already, and one on whose clients something hangs
    (UndoRefused).
    """
    connection = db.session.connection()
    _claim(batch, now)
    if connection.dialect.name == "postgresql":
        # Imports wait, and whoever would add something to one of these clients does too.
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(ONE_AT_A_TIME)))
        connection.execute(_made(batch).order_by(Client.id).with_for_update())
    hanging = import_hanging.find(batch)
    if hanging.clients:
        raise UndoRefused(hanging)
    try:
        with bulk.modest(connection):
            done = _carry_out(batch)
    except sa.exc.IntegrityError as error:
        raise OperationRefused(
            _("Somebody changed clients meanwhile. Nothing was taken back; please try again.")
        ) from error
    db.session.expire_all()
    batch.undone = asdict(done)
    db.session.flush()
    _record(batch, done)
    return done


def _claim(batch: ImportBatch, now: datetime) -> None:
    """Make the batch ours: of two who take it back at once, one goes on."""
    mine = sa.update(ImportBatch).where(ImportBatch.id == batch.id, ImportBatch.status == DONE)
    if rows_changed(mine.values(status=UNDONE, undone_at=now)) != 1:
        db.session.refresh(batch)
        refuse_unless_done(batch)
    db.session.refresh(batch)


def refuse_unless_done(batch: ImportBatch) -> None:
    """Refuse what was never carried out or was taken back already."""
    if batch.status == UNDONE:
        raise OperationRefused(_("This import was taken back already."))
    if batch.status != DONE:
        raise OperationRefused(_("This import was never carried out, so there is nothing to take back."))


def _carry_out(batch: ImportBatch) -> Impact:
    done = _counted(batch)
    assert batch.done_at is not None
    for plans in import_restoring.restorations(batch):
        import_restoring.carry_out(plans, done_at=batch.done_at)
        _count(done, plans)
    _remove(batch)
    for group in _count_groups(done, batch):
        db.session.delete(group)
    db.session.flush()
    return done


def _remove(batch: ImportBatch) -> None:
    """Remove the clients that the import made, some at a time, with an event for each."""
    connection = db.session.connection()
    ids = db.session.scalars(_made(batch).order_by(Client.id)).all()
    for some in bulk.slices(ids, SLICE):
        rows = sa.select(Client.id.label("record_id"), Client.id.label("client_id"))
        mine = bulk.among(connection, Client.id, some)
        audit.record_many("undo_import", module="clients", rows=rows.where(mine))
        # Users with their consents, payers and memberships go with the client; an account never does by itself.
        db.session.execute(_quietly(sa.delete(Account).where(bulk.among(connection, Account.client_id, some))))
        db.session.execute(_quietly(sa.delete(Client).where(mine)))


def _quietly(statement: Any) -> Any:
    return statement.execution_options(synchronize_session=False)


def _made(batch: ImportBatch) -> sa.Select[Any]:
    return sa.select(Client.id).where(Client.import_batch_id == batch.id)


def _counted(batch: ImportBatch) -> Impact:
    made = _made(batch)

    def count(model: Any, *conditions: Any) -> int:
        return db.session.scalar(sa.select(sa.func.count()).select_from(model).where(*conditions)) or 0

    return Impact(
        clients=count(Client, Client.import_batch_id == batch.id),
        deleted=count(Client, Client.import_batch_id == batch.id, Client.deleted_at.is_not(None)),
        users=count(ClientUser, ClientUser.client_id.in_(made)),
        payers=count(Payer, Payer.client_id.in_(made)),
        accounts=count(Account, Account.client_id.in_(made)),
        unknown=max(batch.counts.get("changed", 0) - count(ImportChange, ImportChange.batch_id == batch.id), 0),
    )


def _count(found: Impact, plans: Sequence[Restoration]) -> None:
    for plan in plans:
        found.restored += bool(plan.before)
        found.kept_clients += bool(plan.kept)
        if plan.kept and len(found.kept) < SHOWN:
            found.kept.append(Kept(plan.client_id, plan.name, list(plan.kept.items())))


def _count_groups(found: Impact, batch: ImportBatch) -> list[ClientGroup]:
    """The groups that the import made and that nothing uses but the clients that go with it."""
    made = db.session.scalars(
        sa.select(ClientGroup).where(ClientGroup.id.in_(batch.made_groups)).order_by(ClientGroup.name)
    )
    unused = []
    for group in made:
        is_member = sa.exists().where(
            client_group_members.c.group_id == group.id, client_group_members.c.client_id.not_in(_made(batch))
        )
        is_used = db.session.scalar(sa.select(sa.or_(is_member, sa.exists().where(Discount.group_id == group.id))))
        if is_used or group.row_version > 1:
            found.groups_kept.append(group.name)
        else:
            found.groups.append(group.name)
            unused.append(group)
    return unused


def _record(batch: ImportBatch, done: Impact) -> None:
    counts = {name: value for name, value in asdict(done).items() if value and name != "kept"}
    about = {"import_batch": batch.id, "file": batch.file_name, "source": batch.source, **counts}
    audit.record("undo_import", module="clients", after=about)


def why_kept(kept: Kept) -> str:
    """«e-mail: changed since; note: changed since»."""
    return "; ".join(f"{field_name(name)}: {WHY_KEPT[reason]}" for name, reason in kept.fields)


# The command


def run_command(number: int, *, dry_run: bool = False, echo: Callable[[str], Any] = print) -> int:
    """Take import `number` back, saying what that does to `echo`; returns the exit code.

    It is the edge: it commits when all went well, and writes nothing otherwise, nor in a dry run.
    """
    batch = db.session.get(ImportBatch, number)
    if batch is None:
        echo(_("There is no import %(number)s.", number=number))
        return 1
    try:
        refuse_unless_done(batch)
        done, hanging = impact(batch) if dry_run else (undo(batch, now=current_time()), None)
        if hanging and hanging.clients:
            raise UndoRefused(hanging)
    except OperationRefused as refused:
        db.session.rollback()
        _say_why(refused, echo)
        return 1
    if dry_run:
        db.session.rollback()
    else:
        db.session.commit()
    _say(done, echo)
    return 0


def _say(done: Impact, echo: Callable[[str], Any]) -> None:
    for line in done.lines():
        echo(line)
    for kept in done.kept:
        echo(f"#{kept.id} {kept.name}: {why_kept(kept)}")


def _say_why(refused: OperationRefused, echo: Callable[[str], Any]) -> None:
    if isinstance(refused, UndoRefused):
        for one in refused.hanging.first:
            reasons = ", ".join(import_hanging.label(reason) for reason in one.reasons)
            echo(f"#{one.id} {one.name}: {reasons}")
        if refused.hanging.clients > len(refused.hanging.first):
            echo("…")
    echo(refused.message)

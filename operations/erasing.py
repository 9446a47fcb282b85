"""Erasing clients: thirty days after they were deleted by the clock, or at once on request; then it cannot be undone.

A client without documents goes for good with everything that hangs on it. Of one with documents these stay as they
were issued, and the rest is removed or made empty (erasing_rows); its traces go in both cases (erasing_traces). That it
was done is kept in `erasures`, and in a list beside the database, so that an older copy which is put back is gone over
again. Files leave the disk after the commit: `finish` is for the edge to call then. Should it never be called, the
files have no record any more, and the sweep over such files takes them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from flask import current_app
from flask_babel import gettext as _

from extensions import db, rows_changed
from models import Attachment, Client, ClientMerge, Erasure, Staff
from operations import (
    attachments,
    audit,
    client_locks,
    deletion,
    desk_mark,
    erasing_rows,
    erasing_traces,
    inbound_store,
)
from operations.errors import OperationRefused

CLOCK, REQUEST, AGAIN = "clock", "request", "again"
SLICE = 100
LIST = "erasures.csv"


@dataclass
class Erased:
    """What was done to a client, and the files that are to go once it is committed."""

    client_id: int
    is_gone: bool
    files: list[str] = field(default_factory=list)
    import_files: list[Path] = field(default_factory=list)
    letters: list[Path] = field(default_factory=list)


def is_due(now: datetime) -> sa.ColumnElement[bool]:
    """The condition that a client was deleted more than thirty days ago and is not erased."""
    return sa.and_(
        Client.deleted_at.is_not(None), Client.deleted_at <= now - deletion.RESTORABLE, Client.erased_at.is_(None)
    )


def due(*, now: datetime, after: tuple[datetime, int] | None = None) -> list[tuple[datetime, int]]:
    """The next clients that were deleted more than thirty days ago and are not erased: (deleted at, id), in order.

    `after` is where to go on, so that one which fails does not keep the others from being reached.
    """
    statement = (
        sa.select(Client.deleted_at, Client.id).where(is_due(now)).order_by(Client.deleted_at, Client.id).limit(SLICE)
    )
    if after is not None:
        moment, number = after
        further = sa.and_(Client.deleted_at == moment, Client.id > number)
        statement = statement.where(sa.or_(Client.deleted_at > moment, further))
    return [(row.deleted_at, row.id) for row in db.session.execute(statement)]


def erase_due(*, client_id: int, now: datetime) -> list[Erased]:
    """Erase a client whose time has come, with those merged into it; nothing when another worker has it, or it was restored."""
    if not _claim(client_id, now, which=sa.and_(is_due(now), desk_mark.free())):
        return []
    return _erase_all(client_id, way=CLOCK, by=None, now=now)


def erase(client: Client, *, confirmation: str, by: Staff, now: datetime) -> list[Erased]:
    """Erase a client at once, deleted or not, with those merged into it.

    Refused (field `confirmation`) unless its code or name is typed, and when it was erased meanwhile.
    """
    if not is_confirmed(client, confirmation):
        raise OperationRefused(_("Type the client's code or name to confirm."), field="confirmation")
    client_id = client.id
    client_locks.take(client_id)
    if client.deleted_at is None:
        deletion.delete(clients=sa.select(Client.id).where(Client.id == client_id), now=now)
    if not _claim(client_id, now):
        raise OperationRefused(_("This client has been erased."))
    return _erase_all(client_id, way=REQUEST, by=by, now=now)


def is_confirmed(client: Client, text: str) -> bool:
    """Whether the text names the client, by its code or its name."""
    typed = " ".join(text.split()).casefold()
    return typed.removeprefix("#") == str(client.id) or typed == " ".join(client.name.split()).casefold()


def _claim(client_id: int, now: datetime, *, which: Any = True) -> bool:
    """Make the client ours: of two who erase it one goes on."""
    client_locks.take(client_id)
    there = sa.and_(Client.id == client_id, Client.deleted_at.is_not(None), Client.erased_at.is_(None))
    mine = sa.update(Client).where(there) if which is True else sa.update(Client).where(there, which)
    return rows_changed(mine.values(erased_at=now, row_version=Client.row_version + 1)) == 1


def _erase_all(client_id: int, *, way: str, by: Staff | None, now: datetime) -> list[Erased]:
    """The client, and the records of the same person that were merged into it."""
    merged = sa.select(ClientMerge.merged_id).where(ClientMerge.kept_id == client_id, ClientMerge.undone_at.is_(None))
    erased = []
    for number in db.session.scalars(merged).all():
        if _claim(number, now):
            erased += _erase_all(number, way=way, by=by, now=now)
    return [*erased, _erase(client_id, way=way, by=by, now=now)]


def _erase(client_id: int, *, way: str, by: Staff | None, now: datetime) -> Erased:
    db.session.expire_all()
    client = db.session.get_one(Client, client_id)
    who = erasing_traces.person(client)
    erasure = _begin(client, way, by, now)
    documents = erasing_rows.documents(client_id)
    letters = inbound_store.letters_of(client_id, addresses=who.words)
    done = Erased(
        client_id,
        not documents,
        erasing_rows.files(client_id),
        erasing_traces.import_files(who),
        inbound_store.paths_of(letters),
    )
    removed = {"audit_events": erasing_traces.blank_events(who), "inbound_emails": inbound_store.forget(letters)}
    removed |= erasing_rows.remove_what_hangs(client_id)
    removed |= erasing_rows.blank(client_id) if documents else erasing_rows.remove(client_id)
    erasing_traces.blank_mentions(who)
    _end(erasure, removed, documents, now)
    db.session.expire_all()
    return done


def _begin(client: Client, way: str, by: Staff | None, now: datetime) -> int:
    """The record of the erasure; until it is finished, audit events can be blanked."""
    values = {"client_id": client.id, "mark": mark_of(client.id, client.registered_at), "at": now, "way": way,
              "staff_id": by.id if by else None, "removed": {}, "kept": {}}  # fmt: skip
    return db.session.scalars(sa.insert(Erasure).values(**values).returning(Erasure.id)).one()


def _end(erasure: int, removed: dict[str, int], kept: dict[str, int], now: datetime) -> None:
    blanked = removed.pop("audit_events")
    removed = {name: count for name, count in removed.items() if count}
    mine = sa.update(Erasure).where(Erasure.id == erasure)
    rows_changed(mine.values(finished_at=now, removed={**removed, "audit_values": blanked}, kept=kept))
    client_id = db.session.scalar(sa.select(Erasure.client_id).where(Erasure.id == erasure))
    audit.record("erase", module="clients", record_id=client_id, client_id=client_id,
                 after={"removed": sum(removed.values()), "kept": sum(kept.values())})  # fmt: skip


def mark_of(client_id: int, registered_at: datetime) -> str:
    """What tells this client from another that has its code in an older copy of the database."""
    return hashlib.sha256(f"{client_id} {registered_at.isoformat()}".encode()).hexdigest()


# After the commit


def finish(erased: Iterable[Erased]) -> None:
    """Remove the files of what was erased, and note it beside the database. The transaction must be committed."""
    for one in erased:
        for name in one.files:
            if not db.session.scalar(sa.select(Attachment.id).where(Attachment.stored_name == name).limit(1)):
                (attachments.directory() / name).unlink(missing_ok=True)
        for path in [*one.import_files, *one.letters]:
            path.unlink(missing_ok=True)
    keep_list()


def keep_list() -> None:
    """Note all erasures beside the database; what is noted there already stays, whatever the database says."""
    rows = db.session.execute(sa.select(Erasure.client_id, Erasure.mark).distinct())
    known = _listed()
    wanted = known | {(row.client_id, row.mark) for row in rows}
    if wanted == known:
        return
    path = _list_path()
    aside = path.with_suffix(".making")
    aside.touch(mode=0o600)
    aside.write_text("".join(f"{number},{mark}\n" for number, mark in sorted(wanted)), encoding="ascii")
    aside.replace(path)


def missing() -> list[tuple[int, str]]:
    """What was erased according to the list beside the database, and not according to the database: it is an older copy."""
    known = {(row.client_id, row.mark) for row in db.session.execute(sa.select(Erasure.client_id, Erasure.mark))}
    return sorted(_listed() - known)


def erase_again(*, client_id: int, mark: str, now: datetime) -> list[Erased]:
    """Erase a client of an older copy that was erased before; nothing where the code is another client's."""
    client = db.session.get(Client, client_id)
    if client is None or mark_of(client_id, client.registered_at) != mark:
        return []
    if not db.session.scalar(sa.select(desk_mark.free())):
        return []
    if client.deleted_at is None:
        deletion.delete(clients=sa.select(Client.id).where(Client.id == client_id), now=now)
    return _erase_all(client_id, way=AGAIN, by=None, now=now) if _claim(client_id, now, which=desk_mark.free()) else []


def _listed() -> set[tuple[int, str]]:
    path = _list_path()
    lines = path.read_text(encoding="ascii").splitlines() if path.exists() else []
    pairs = (line.partition(",") for line in lines)
    return {(int(number), mark) for number, comma, mark in pairs if comma and number.isdigit()}


def _list_path() -> Path:
    path: Path = current_app.config["SETTINGS"].data_dir / LIST
    return path

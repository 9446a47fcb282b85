"""Whether this database is the one that the files in DATA_DIR know: a copy that was put back does nothing by itself.

The database has a mark: what it is known by, and a number that every worker raises every few seconds. After the
database the same is written to a file in DATA_DIR. In normal life the database is never behind that file, however
suddenly a process, or the machine, ends; however long all were down, both stand where they stood. A database that is
behind is an older copy. One that workers have run on and that DATA_DIR has no file of is a clone, or has moved; and so
are files that were copied, which is seen by the number that the file system has for their directory.

Whatever is then to be done by the clock waits until staff decide (operations/desk_hold.py). What claims such work
repeats `free()` in its condition, so that not a moment lies between the question and the work.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import wraps
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from flask import current_app
from sqlalchemy.exc import IntegrityError

from extensions import db
from models import DeskHold, DeskMark, HoldReason
from operations import audit

log = logging.getLogger("clientdesk.hold")

DIRECTORY = "marks"
# The place that the directory has now.
HERE = -1
OPEN_HOLD = sa.select(DeskHold.id).where(DeskHold.is_open)


@dataclass(frozen=True)
class Noted:
    """What a file in DATA_DIR knows of a database: how far it had come, when, and where the file was written.

    `place` is the number that the file system has for the directory; None: it is not to be looked at.
    """

    beats: int
    at: datetime
    place: int | None

    @property
    def is_in_place(self) -> bool:
        return self.place is None or self.place == _place()


# What claims work


def free() -> sa.ColumnElement[bool]:
    """The condition that nothing holds the desk: no open hold, and a database that is what DATA_DIR knows of it."""
    known = {identity: noted for identity, noted in _all_noted().items() if noted.is_in_place}
    right = [sa.and_(DeskMark.identity == identity, DeskMark.beats >= noted.beats) for identity, noted in known.items()]
    fresh = sa.and_(DeskMark.beats == 0, DeskMark.identity.not_in(list(known)))
    return sa.and_(sa.exists().where(sa.or_(*right, fresh)), ~sa.exists().where(DeskHold.is_open))


def is_free() -> bool:
    """Whether nothing holds the desk. Ends the transaction; none must be under way."""
    if not db.session().in_transaction():
        db.session.connection(execution_options={"reads_only": True})
    found = bool(db.session.scalar(sa.select(free())))
    db.session.rollback()
    return found


def unless_held(sweep: Callable[[], None]) -> Callable[[], None]:
    """Do not sweep while the desk is held: for what claims nothing by which that could be asked."""

    @wraps(sweep)
    def run() -> None:
        if is_free():
            sweep()

    return run


# What a worker does every few seconds


class Watch:
    """A worker's look at the mark: raises it, or holds the desk."""

    def __init__(self) -> None:
        self._waits_for: int | None = None

    def look(self, *, now: datetime) -> bool:
        """Raise the mark, first in the database and then in DATA_DIR; False where the desk is held. Commits."""
        identity, beats, hold_id = _state()
        if hold_id is not None:
            self._waits_for = hold_id
            return False
        noted = _noted(identity)
        if self._is_released(hold_id=self._waits_for) and (noted is None or not noted.is_in_place):
            # Staff have said that this database, with these files, is right.
            noted = _note(identity, beats, now)
        self._waits_for = None
        if noted is None and not beats:
            noted = _note(identity, 0, now)
        if noted is None:
            return self._hold(HoldReason.UNKNOWN, before=now, now=now)
        if not noted.is_in_place:
            return self._hold(HoldReason.COPIED, before=now, now=now)
        raised = _raise(identity, at_least=noted.beats)
        if raised is not None:
            _note(identity, raised, now, place=noted.place)
            return True
        # Another has held it or released it, or it is behind. That the file was read before is what makes this sure.
        found, beats, hold_id = _state()
        if hold_id is None and found == identity and beats < noted.beats:
            return self._hold(HoldReason.OLDER, before=noted.at, now=now)
        return False

    def _hold(self, reason: HoldReason, *, before: datetime, now: datetime) -> bool:
        if hold(reason, before=before, now=now) is not None:
            log.error("the desk is held: %s. Look at /admin/held/ or at flask --app app release", reason.name)
        db.session.commit()
        _identity, _beats, self._waits_for = _state()
        return False

    def _is_released(self, *, hold_id: int | None) -> bool:
        if hold_id is None:
            return False
        found = db.session.scalar(sa.select(DeskHold.released_at).where(DeskHold.id == hold_id))
        db.session.rollback()
        return found is not None


def hold(reason: HoldReason, *, before: datetime, now: datetime) -> DeskHold | None:
    """Hold the desk; None where it is held already. `before`: what was due then has probably been done already."""
    if db.session.scalar(OPEN_HOLD) is not None:
        return None
    made = DeskHold(reason=reason, before=before, held_at=now)
    try:
        with db.session.begin_nested():
            db.session.add(made)
    except IntegrityError:
        # Another worker was quicker.
        return None
    audit.record("hold_desk", module="settings", after={"reason": reason})
    return made


def renew(*, now: datetime) -> None:
    """Give the database another mark, which these files know: whatever still has the old one is a copy of it.

    The desk must be held. The files come first: should the transaction not be committed, it is held still.
    """
    old = db.session.scalars(sa.select(DeskMark.identity)).one()
    noted, identity = _noted(old), secrets.token_hex(16)
    _note(identity, 0, now, place=None if noted is not None and noted.place is None else HERE)
    (_directory() / old).unlink(missing_ok=True)
    db.session.execute(sa.update(DeskMark).values(identity=identity, beats=1))


# The database


def _state() -> tuple[str, int, int | None]:
    """(identity, beats, open hold) as they are at this moment. Ends the transaction."""
    db.session.rollback()
    db.session.connection(execution_options={"reads_only": True})
    statement = sa.select(DeskMark.identity, DeskMark.beats, OPEN_HOLD.scalar_subquery())
    identity, beats, hold_id = db.session.execute(statement).one()
    db.session.rollback()
    return identity, beats, hold_id


def _raise(identity: str, *, at_least: int) -> int | None:
    """Raise the number, and have it on disk for good; None where it is another mark, is behind, or is held."""
    mine = sa.and_(DeskMark.identity == identity, DeskMark.beats >= at_least, ~sa.exists().where(DeskHold.is_open))
    raised = sa.update(DeskMark).where(mine).values(beats=DeskMark.beats + 1).returning(DeskMark.beats)
    with db.engine.connect() as connection, _on_disk(connection):
        beats: int | None = connection.scalar(raised)
        connection.commit()
    return beats


@contextmanager
def _on_disk(connection: sa.Connection) -> Iterator[None]:
    """Within the block a commit is on disk before it returns, so that the file is never ahead after a power failure."""
    if connection.dialect.name == "postgresql":
        patient = sa.func.set_config("synchronous_commit", "local", True)
        connection.execute(sa.select(patient).where(sa.func.current_setting("synchronous_commit") == "off"))
        yield
        return
    driver = connection.connection.driver_connection
    assert driver is not None
    # Past SQLAlchemy, which would begin a transaction first.
    driver.execute("PRAGMA synchronous=FULL")
    try:
        yield
    finally:
        connection.rollback()
        driver.execute("PRAGMA synchronous=NORMAL")


# The files


def _directory() -> Path:
    path: Path = current_app.config["SETTINGS"].data_dir / DIRECTORY
    return path


def _place() -> int:
    return _directory().stat().st_ino


def _all_noted() -> dict[str, Noted]:
    """What is noted of each database; several may share one DATA_DIR."""
    try:
        names = [path.name for path in _directory().iterdir()]
    except FileNotFoundError:
        return {}
    found = {name: _noted(name) for name in names if not name.startswith(".")}
    return {name: noted for name, noted in found.items() if noted is not None}


def _noted(identity: str) -> Noted | None:
    """What is noted of a database; None where nothing is, or nothing that can be read."""
    try:
        values = json.loads((_directory() / identity).read_text(encoding="ascii"))
        place = values["place"]
        return Noted(int(values["beats"]), datetime.fromisoformat(values["at"]), None if place is None else int(place))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError):
        log.exception("what is noted of the database in %s cannot be read", _directory())
        return None


def _note(identity: str, beats: int, now: datetime, *, place: int | None = HERE) -> Noted:
    """Write the file, whole or not at all; never one that knows less than the one that is there."""
    _directory().mkdir(mode=0o700, exist_ok=True)
    noted = Noted(beats, now, _place() if place == HERE else place)
    there = _noted(identity)
    if there is not None and there.is_in_place and there.beats > beats:
        return there
    aside = _directory() / f".{secrets.token_hex(8)}"
    values: dict[str, Any] = {"beats": beats, "at": now.isoformat(), "place": noted.place}
    try:
        with aside.open("x", encoding="ascii") as file:
            json.dump(values, file)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(_directory() / identity)
    finally:
        aside.unlink(missing_ok=True)
    return noted

"""Letters that come in, kept as they came: on disk before anything is done with them, and no longer than told.

A letter counts as taken once its bytes are on disk and its row is committed; only then is the place it came from
told to let go of it. The same letter once more (by its digest) is the same row.
"""

from __future__ import annotations

import hashlib
import logging
import os
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import Message
from pathlib import Path
from types import TracebackType
from typing import IO

import sqlalchemy as sa
from flask import current_app
from sqlalchemy.exc import IntegrityError

from extensions import db, rows_changed
from models import InboundEmail, InboundOutcome
from operations import inbound_outcomes, inbound_parsing, settings

log = logging.getLogger("clientdesk.inbound")

# A letter of ten files of 20 MB in all, in base64, with some room for its text.
LARGEST_LETTER = 30 * 1024 * 1024
# Of a larger one so much is kept as shows whose it is.
KEPT_OF_TOO_LARGE = 64 * 1024
ORPHANED_AFTER = timedelta(days=1)
FORGOTTEN_AT_ONCE = 500


@dataclass(frozen=True)
class Arrival:
    """From where and for whom a letter came, as far as that is not in the letter itself."""

    source: str
    return_path: str = ""
    envelope_to: tuple[str, ...] = ()


class Incoming:
    """A letter that is being written to disk (mode 600), piece by piece; nothing of it is held in memory.

    Beyond the largest size nothing more is written, and `is_too_large`. Left without `keep`, it is removed.
    """

    def __init__(self) -> None:
        self.stored_name = secrets.token_hex(20)
        self.size = 0
        self._digest = hashlib.sha256()
        self._kept = False

    def __enter__(self) -> Incoming:
        self._path = directory() / self.stored_name
        self._path.touch(mode=0o600, exist_ok=False)
        self._file = self._path.open("wb")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()
        if not self._kept:
            self._path.unlink(missing_ok=True)

    @property
    def is_too_large(self) -> bool:
        return self.size > LARGEST_LETTER

    def write(self, piece: bytes) -> None:
        self.size += len(piece)
        self._digest.update(piece)
        if not self.is_too_large:
            self._file.write(piece)

    def keep(self, arrival: Arrival, *, now: datetime, size: int | None = None) -> InboundEmail | None:
        """Commit the letter with its row; None where it was here before. `size`: that of the whole, if this is a part.

        Only what stands in its head is looked at; everything else is for who handles it.
        """
        too_large = self.is_too_large or (size or 0) > LARGEST_LETTER
        if too_large:
            self._file.truncate(min(self._file.tell(), KEPT_OF_TOO_LARGE))
        self._file.flush()
        os.fsync(self._file.fileno())
        _sync(self._path.parent)
        self._kept = True
        head = self._head()
        row = InboundEmail(
            digest=self._digest.hexdigest(),
            stored_name=self.stored_name,
            size=max(self.size, size or 0),
            source=arrival.source,
            received_at=now,
            return_path=(arrival.return_path or head.return_path)[:254],
            envelope_to=", ".join(arrival.envelope_to or head.delivered_to)[:1000],
            sender=head.sender,
            sender_name=head.sender_name[:200],
            recipients=", ".join(head.recipients)[:1000],
            subject=head.subject[:300],
            message_id=head.message_id[:300],
            next_attempt_at=now,
        )
        if too_large:
            row.outcome, row.reason, row.handled_at = InboundOutcome.REFUSED, inbound_outcomes.TOO_LARGE, now
        return row if self._insert(row) else None

    def _head(self) -> inbound_parsing.Head:
        """The letter's head; an empty one where it is beyond understanding, as the letter is to be kept all the same."""
        try:
            with self._path.open("rb") as letter:
                return inbound_parsing.read_head(letter)
        except Exception:
            log.exception("the head of letter %s cannot be read", self.stored_name)
            return inbound_parsing.Head(Message())

    def _insert(self, row: InboundEmail) -> bool:
        known = sa.select(InboundEmail.id).where(InboundEmail.digest == row.digest)
        try:
            if db.session.scalar(known) is None:
                db.session.add(row)
                db.session.commit()
                return True
        except IntegrityError:
            # Another worker has taken the same letter at the same time.
            db.session.rollback()
            if db.session.scalar(known) is None:
                raise
        db.session.rollback()
        self._path.unlink(missing_ok=True)
        return False


def take(pieces: Iterable[bytes], arrival: Arrival, *, now: datetime, size: int | None = None) -> InboundEmail | None:
    """Keep a letter that comes in pieces; committed when this returns. None where it was here before."""
    with Incoming() as incoming:
        for piece in pieces:
            incoming.write(piece)
        return incoming.keep(arrival, now=now, size=size)


def directory() -> Path:
    """Where letters are kept as they came; made (mode 700) where it is not there yet."""
    path: Path = current_app.config["SETTINGS"].inbound_dir
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def open_raw(stored_name: str) -> IO[bytes] | None:
    """The letter as it came; None where it is not kept any more."""
    path = directory() / stored_name
    return path.open("rb") if stored_name and path.is_file() else None


def to_look_at() -> sa.ColumnElement[bool]:
    """The condition that a person wrote the letter and nobody has read it, or that it could not be handled."""
    unread = sa.and_(
        InboundEmail.outcome == InboundOutcome.REFUSED, InboundEmail.reason.in_(inbound_outcomes.TO_LOOK_AT)
    )
    return sa.or_(InboundEmail.outcome == InboundOutcome.FAILED, unread)


def forget_old(*, now: datetime) -> int:
    """Remove letters as they came once the time set is over, and what nobody took with them; returns how many.

    One that could not be handled, or that staff are to look at, stays until somebody has seen to it. The row of a
    letter that became a message, or told of one that came back, stays; all others go with their letter.
    """
    until = now - timedelta(days=settings.get("inbound_days_kept"))
    old = (
        sa.select(InboundEmail.id, InboundEmail.stored_name)
        .where(InboundEmail.received_at < until, InboundEmail.stored_name != "",
               InboundEmail.outcome != InboundOutcome.WAITING, ~to_look_at())
        .limit(FORGOTTEN_AT_ONCE)
    )  # fmt: skip
    rows = db.session.execute(old).all()
    ids = [number for number, _name in rows]
    stays = InboundEmail.outcome.in_([InboundOutcome.ANSWERED, InboundOutcome.NEW_TICKET, InboundOutcome.BOUNCED])
    if ids:
        rows_changed(sa.update(InboundEmail).where(InboundEmail.id.in_(ids), stays).values(stored_name=""))
        rows_changed(sa.delete(InboundEmail).where(InboundEmail.id.in_(ids), ~stays))
        db.session.commit()
    for _number, name in rows:
        (directory() / name).unlink(missing_ok=True)
    return len(rows) + _forget_orphans(now)


def letters_of(client_id: int, *, addresses: Iterable[str]) -> list[int]:
    """The ids of the letters that are the client's, or came from one of the addresses, known as its or not."""
    senders = [address.lower() for address in addresses if "@" in address]
    mine = sa.or_(InboundEmail.client_id == client_id, sa.func.lower(InboundEmail.sender).in_(senders))
    return list(db.session.scalars(sa.select(InboundEmail.id).where(mine)))


def paths_of(letters: Iterable[int]) -> list[Path]:
    """The files of these letters, as they came."""
    names = db.session.scalars(sa.select(InboundEmail.stored_name).where(InboundEmail.id.in_(list(letters))))
    return [directory() / name for name in names if name]


def forget(letters: Iterable[int]) -> int:
    """Remove the rows of these letters; their files are to go once that is committed. Returns how many."""
    return rows_changed(sa.delete(InboundEmail).where(InboundEmail.id.in_(list(letters))))


def _forget_orphans(now: datetime) -> int:
    """Files that no row names: of a process that died between the two, or of a client that is gone."""
    removed = 0
    for path in directory().iterdir():
        is_old = datetime.fromtimestamp(path.stat().st_mtime, UTC) + ORPHANED_AFTER < now
        named = sa.select(InboundEmail.id).where(InboundEmail.stored_name == path.name).limit(1)
        if is_old and db.session.scalar(named) is None:
            path.unlink(missing_ok=True)
            removed += 1
    return removed


def _sync(path: Path) -> None:
    """Have the disk know of a new file in the directory too."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

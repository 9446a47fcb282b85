"""Where letters are fetched: a mailbox over IMAP, or a maildir. One worker at a time has a mailbox.

A letter is let go of at its source only after it was kept here: in a mailbox it is marked as seen, in a maildir it
moves from `new` to `cur`. What was not marked, as the worker died between the two, comes again and is known.
"""

from __future__ import annotations

import imaplib
import logging
import os
import re
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, Any

import sqlalchemy as sa
from flask import current_app
from sqlalchemy.exc import IntegrityError, OperationalError

from config import Inbox
from extensions import db, rows_changed
from models import InboundSource
from operations import desk_mark, inbound_store
from operations.inbound_store import KEPT_OF_TOO_LARGE, LARGEST_LETTER, Arrival

log = logging.getLogger("clientdesk.inbound")

# How long one worker has a mailbox without saying so again.
LEASE = timedelta(minutes=5)
# How long to wait for each answer of a mail server, in seconds.
PATIENCE = 30
PIECE = 256 * 1024
# So many letters are fetched in one go; what is left comes with the next.
AT_ONCE = 200
# After so long without a success a mailbox counts as out of reach.
SILENCE = timedelta(minutes=10)
SIZE = re.compile(rb"RFC822\.SIZE (\d{1,19})")


class Unreachable(Exception):
    """The mailbox cannot be read; the text says why, without the password."""


def inbox() -> Inbox | None:
    found: Inbox | None = current_app.config["SETTINGS"].inbox
    return found


def fetch(*, worker: str, now: Callable[[], datetime], stop: Callable[[], bool] = lambda: False) -> int:
    """Take in what waits in the mailbox of INBOUND_URL, each letter committed before it is let go of; how many.

    Does nothing where another worker is at it, or where letters are brought to us instead.
    """
    box = inbox()
    if box is None or box.is_listened or not _claim(box, worker, now()):
        return 0
    count = 0
    try:
        mailbox: Mailbox = Maildir(Path(box.path)) if box.kind == "maildir" else Imap(box)
        with mailbox:
            for letter in mailbox.letters():
                count += _take(letter, now=now())
                if stop() or not _claim(box, worker, now()):
                    break
    except (Unreachable, OSError, imaplib.IMAP4.error) as error:
        db.session.rollback()
        note_failure(box, _words(error), now=now())
    else:
        note_success(box, now=now())
    _leave(box, worker)
    return count


def _take(letter: Waiting, *, now: datetime) -> bool:
    """Keep one letter and let go of it; whether it was new. One that cannot be kept stays, and the others are taken."""
    try:
        is_new = inbound_store.take(letter.pieces, letter.arrival, now=now, size=letter.size) is not None
    except (Unreachable, OSError, imaplib.IMAP4.error, OperationalError):
        raise
    except Exception:
        db.session.rollback()
        log.exception("a letter cannot be kept; it stays where it is")
        return False
    letter.let_go()
    return is_new


class Waiting:
    """A letter at its source. `size` in bytes, where the source says it."""

    def __init__(
        self, pieces: Iterator[bytes], arrival: Arrival, let_go: Callable[[], None], size: int | None = None
    ) -> None:
        self.pieces, self.arrival, self.let_go, self.size = pieces, arrival, let_go, size


class Mailbox:
    """A place that letters wait in."""

    def __enter__(self) -> Mailbox:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def letters(self) -> Iterator[Waiting]:
        raise NotImplementedError


class Maildir(Mailbox):
    """A directory with `new` and `cur` in it, as mail servers fill them on this machine."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def letters(self) -> Iterator[Waiting]:
        if not (self._path / "new").is_dir():
            raise Unreachable(f"{self._path} is no maildir")
        (self._path / "cur").mkdir(mode=0o700, exist_ok=True)
        names = sorted(entry.name for entry in os.scandir(self._path / "new") if entry.is_file(follow_symlinks=False))
        for name in names[:AT_ONCE]:
            # One that was taken away meanwhile is another's.
            with suppress(FileNotFoundError), _opened(self._path / "new" / name) as file:
                size = os.fstat(file.fileno()).st_size
                yield Waiting(_pieces(file, size), Arrival(source="maildir"), self._mover(name), size)

    def _mover(self, name: str) -> Callable[[], None]:
        def move() -> None:
            with suppress(FileNotFoundError):
                (self._path / "new" / name).rename(self._path / "cur" / f"{name.partition(':')[0]}:2,S")

        return move


class Imap(Mailbox):
    """A folder of a mailbox, over IMAP. The connection is encrypted, its certificate checked."""

    def __init__(self, box: Inbox) -> None:
        self._box = box

    def __enter__(self) -> Imap:
        self._imap = self._connected()
        try:
            self._log_in()
        except BaseException:
            self._imap.shutdown()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._imap.logout()
        except (OSError, imaplib.IMAP4.error):
            self._imap.shutdown()

    def letters(self) -> Iterator[Waiting]:
        found = self._ask("SEARCH", "UNSEEN")
        uids = [uid for line in found if isinstance(line, bytes) for uid in line.split() if uid.isdigit()]
        for uid in uids[:AT_ONCE]:
            size = self._size_of(uid.decode())
            if size is not None:
                arrival = Arrival(source="imap")
                yield Waiting(self._content(uid.decode(), size), arrival, self._marker(uid.decode()), size)

    def _connected(self) -> imaplib.IMAP4:
        box = self._box
        try:
            if box.kind == "imaps":
                return imaplib.IMAP4_SSL(box.host, box.port, ssl_context=ssl.create_default_context(), timeout=PATIENCE)
            plain = imaplib.IMAP4(box.host, box.port, timeout=PATIENCE)
        except (OSError, imaplib.IMAP4.error) as error:
            raise Unreachable(f"{box.host}:{box.port}: {_words(error)}") from error
        try:
            self._encrypt(plain)
        except BaseException:
            # Where the handshake failed, the connection is closed already.
            with suppress(OSError):
                plain.shutdown()
            raise
        return plain

    def _encrypt(self, plain: imaplib.IMAP4) -> None:
        """Encrypt what began in the clear; without that the password goes no further than this machine."""
        if "STARTTLS" in plain.capabilities:
            plain.starttls(ssl.create_default_context())
        elif not _is_here(plain.sock):
            raise Unreachable(f"{self._box.host} offers no encryption, so the password is not sent")

    def _log_in(self) -> None:
        try:
            self._imap.login(self._box.username, self._box.password)
        except imaplib.IMAP4.error as error:
            raise Unreachable(f"the login is refused: {_words(error)}") from error
        folder = self._box.path or "INBOX"
        status, answer = self._imap.select(_quoted(folder))
        if status != "OK":
            raise Unreachable(f"the folder {folder} cannot be opened: {_words(answer[0])}")

    def _ask(self, *words: str) -> list[Any]:
        status, answer = self._imap.uid(*words)
        if status != "OK":
            raise Unreachable(f"{words[0]}: {_words(answer[0] if answer else status)}")
        return answer

    def _size_of(self, uid: str) -> int | None:
        """The letter's size; None where it is gone."""
        for line in self._ask("FETCH", uid, "(RFC822.SIZE)"):
            found = SIZE.search(line if isinstance(line, bytes) else line[0] if isinstance(line, tuple) else b"")
            if found:
                return int(found[1])
        return None

    def _content(self, uid: str, size: int) -> Iterator[bytes]:
        """The letter piece by piece, which does not mark it as seen; of one that is too large the beginning."""
        end = KEPT_OF_TOO_LARGE if size > LARGEST_LETTER else LARGEST_LETTER + 1
        at = 0
        while at < end:
            wanted = min(PIECE, end - at)
            answer = self._ask("FETCH", uid, f"(BODY.PEEK[]<{at}.{wanted}>)")
            piece = next((line[1] for line in answer if isinstance(line, tuple) and len(line) > 1), b"")
            yield piece
            at += len(piece)
            if len(piece) < wanted:
                break
        if at == 0 and size > 0:
            raise Unreachable(f"the letter {uid} comes empty")

    def _marker(self, uid: str) -> Callable[[], None]:
        def mark() -> None:
            self._ask("STORE", uid, "+FLAGS.SILENT", "(\\Seen)")

        return mark


def _opened(path: Path) -> IO[bytes]:
    """Open a file that somebody else has put there; never follow a link."""
    return os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb")


def _pieces(file: IO[bytes], size: int) -> Iterator[bytes]:
    left = KEPT_OF_TOO_LARGE if size > LARGEST_LETTER else LARGEST_LETTER + 1
    while left > 0 and (piece := file.read(min(PIECE, left))):
        left -= len(piece)
        yield piece


def _quoted(folder: str) -> str:
    """A folder's name as IMAP has it: in its own kind of UTF-7, within quotes."""
    encoded = re.sub(r"[^ -~]+|&", _utf7, folder)
    return '"' + encoded.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _utf7(found: re.Match[str]) -> str:
    if found[0] == "&":
        return "&-"
    encoded = found[0].encode("utf-7").decode().removeprefix("+").rstrip("-")
    return f"&{encoded.replace('/', ',')}-"


def _is_here(connection: socket.socket) -> bool:
    return str(connection.getpeername()[0]) in {"127.0.0.1", "::1"}


def _words(error: object) -> str:
    text = error.decode("utf-8", "replace") if isinstance(error, bytes) else str(error)
    return " ".join(text.split())[:400]


# What is known of the place that letters come from


def state() -> InboundSource | None:
    """How it went last; None before the first time."""
    box = inbox()
    if box is None:
        return None
    return db.session.scalar(sa.select(InboundSource).where(InboundSource.name == box.name[:300]))


def note_success(box: Inbox, *, now: datetime) -> None:
    """Note, and commit, that letters could be taken in just now."""
    _note(box, succeeded_at=now, failing_since=None, last_error="")


def note_failure(box: Inbox, error: str, *, now: datetime) -> None:
    """Note, and commit, that no letters can be taken in, and since when."""
    log.warning("letters cannot be taken in from %s: %s", box.name, error)
    _note(box, failing_since=sa.func.coalesce(InboundSource.failing_since, now), last_error=error[:500])


def _note(box: Inbox, **values: Any) -> None:
    _known(box)
    rows_changed(sa.update(InboundSource).where(InboundSource.name == box.name[:300]).values(**values))
    db.session.commit()


def _known(box: Inbox) -> None:
    """Have a row for the place."""
    name = box.name[:300]
    if db.session.scalar(sa.select(InboundSource.id).where(InboundSource.name == name)) is None:
        try:
            with db.session.begin_nested():
                db.session.add(InboundSource(name=name))
        except IntegrityError:
            log.debug("another worker was first")


def _claim(box: Inbox, worker: str, moment: datetime) -> bool:
    """Make the mailbox this worker's for a while, and commit; False where another has it, and while the desk is held.

    A copy of the desk must not take the letters of the original away.
    """
    _known(box)
    free = sa.or_(
        InboundSource.lease_until.is_(None), InboundSource.lease_until < moment, InboundSource.claimed_by == worker
    )
    taken = sa.update(InboundSource).where(InboundSource.name == box.name[:300], free, desk_mark.free())
    won = rows_changed(taken.values(claimed_by=worker, lease_until=moment + LEASE))
    db.session.commit()
    return bool(won)


def _leave(box: Inbox, worker: str) -> None:
    own = sa.update(InboundSource).where(InboundSource.name == box.name[:300], InboundSource.claimed_by == worker)
    rows_changed(own.values(claimed_by="", lease_until=None))
    db.session.commit()

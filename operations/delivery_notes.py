"""What is noted of letters while they are sent: that one was sent, before the next one is handed over.

This is the one thing that happens for each letter by itself. So it is the smallest there is: a row in a table with no
other index, written past SQLAlchemy on a connection on which every statement is a transaction. What follows from the
notes (the letter's state, its recipient's outcome) is written for many letters at once by `settle`, after each batch,
and for a worker that died in between by the sweep that takes back its letters.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Any

import psycopg
import sqlalchemy as sa

from extensions import db
from models import DeliveryNote, EmailStatus, Mailing, MailingRecipient, OutboundEmail, RecipientOutcome
from operations.bulk import among

log = logging.getLogger("clientdesk.mail")

# How long to wait for a database that is away, each time, in seconds.
DATABASE_PAUSES = (0.2, 1, 3, 10)
# How long to wait for another who writes into SQLite, each time, and at most, in seconds. SQLite's own pauses begin with
# a millisecond; another worker's note takes a thirtieth of that.
BUSY_PAUSES = (0.0001, 0.0001, 0.0002, 0.0005, 0.001, 0.002)
BUSY_PATIENCE = 30
# A letter that two workers have sent (one of them had lost its lease) needs no second note.
NOTE = "INSERT INTO delivery_notes (letter_id, sent_at) VALUES ({}, {}) ON CONFLICT (letter_id) DO NOTHING"

emails: Any = OutboundEmail.__table__
recipients: Any = MailingRecipient.__table__
notes: Any = DeliveryNote.__table__


class Notes:
    """The connection on which it is noted that letters were sent; opened when it is needed."""

    def __init__(self) -> None:
        self._connection: Any = None
        self._write: Callable[[Any, int, datetime], None] | None = None

    def sent(self, letter_id: int, *, at: datetime) -> None:
        """Note that a letter was sent; when this returns, the database has it for good."""
        surely(lambda: self._sent(letter_id, at))

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _sent(self, letter_id: int, at: datetime) -> None:
        try:
            if self._connection is None or self._write is None:
                self._open()
            assert self._write is not None
            self._write(self._connection, letter_id, at)
        except db.engine.dialect.loaded_dbapi.OperationalError:
            self.close()
            raise

    def _open(self) -> None:
        borrowed = db.engine.raw_connection()
        connection: Any = borrowed.driver_connection
        self._connection = connection
        # It is set up in its own way, so it is not given back.
        borrowed.detach()
        if db.engine.dialect.name == "postgresql":
            connection.autocommit = True
            _check(connection.pgconn.prepare(b"note", NOTE.format("$1", "$2").encode()))
            self._write = _write_to_postgresql
        else:
            connection.execute("PRAGMA busy_timeout=0")
            self._write = partial(_write_to_sqlite, notes.c.sent_at.type.bind_processor(db.engine.dialect))


def _write_to_postgresql(connection: Any, letter_id: int, at: datetime) -> None:
    """By the library's lower half: the upper one needs more time for this than the server."""
    _check(connection.pgconn.exec_prepared(b"note", [b"%d" % letter_id, at.isoformat().encode()]))


def _check(result: psycopg.pq.abc.PGresult) -> None:
    if result.status != psycopg.pq.ExecStatus.COMMAND_OK:
        raise psycopg.OperationalError(result.error_message.decode("utf-8", "replace"))


def _write_to_sqlite(
    bound: Callable[[datetime], Any], connection: sqlite3.Connection, letter_id: int, at: datetime
) -> None:
    values, pauses, until = (letter_id, bound(at)), iter(BUSY_PAUSES), time.monotonic() + BUSY_PATIENCE
    while True:
        try:
            connection.execute(NOTE.format("?", "?"), values)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(next(pauses, BUSY_PAUSES[-1]))
        else:
            return


def settle(letters: Sequence[int]) -> None:
    """Bring letters of which it is noted that they were sent up to date, with their recipients. Commits."""
    if letters:
        surely(lambda: _settle(letters))


def settle_left(*, now: datetime) -> int:
    """The same for notes that no worker minds any more: its lease is over, or the letter is not there; how many."""
    minded = sa.exists().where(
        emails.c.id == notes.c.letter_id, emails.c.status == EmailStatus.SENDING, emails.c.lease_until >= now
    )
    left = list(db.session.scalars(sa.select(notes.c.letter_id).where(~minded).limit(10_000)))
    if left:
        _settle(left)
    return len(left)


def _settle(letters: Sequence[int]) -> None:
    """Each statement names the rows that it is about by their keys: a join would have to be planned without statistics,
    as these tables are empty at one moment and full at the next.
    """
    connection = db.session.connection()
    noted = sa.select(notes.c.sent_at).where(notes.c.letter_id == emails.c.id).scalar_subquery()
    settled = connection.execute(
        sa.update(emails)
        .where(
            among(connection, emails.c.id, letters),
            emails.c.status.in_([EmailStatus.SENDING, EmailStatus.QUEUED]),
            noted.is_not(None),
        )
        .values(status=EmailStatus.SENT, sent_at=noted, lease_until=None, last_error="")
        .returning(emails.c.mailing_id, emails.c.client_id, emails.c.template)
    ).all()
    of_mailings: dict[int, list[int]] = {}
    for mailing_id, client_id, template in settled:
        if mailing_id is not None and client_id is not None and not template:
            of_mailings.setdefault(mailing_id, []).append(client_id)
    for mailing_id, clients in of_mailings.items():
        _settle_recipients(connection, mailing_id, clients)
    connection.execute(sa.delete(notes).where(among(connection, notes.c.letter_id, letters)))
    db.session.commit()


def _settle_recipients(connection: sa.Connection, mailing_id: int, clients: list[int]) -> None:
    connection.execute(
        sa.update(recipients)
        .where(recipients.c.mailing_id == mailing_id, among(connection, recipients.c.client_id, clients))
        .values(outcome=RecipientOutcome.SENT, reason="")
    )
    connection.execute(
        sa.update(Mailing).where(Mailing.id == mailing_id, Mailing.failures_in_a_row > 0).values(failures_in_a_row=0)
    )


def surely(work: Callable[[], None]) -> None:
    """Do it, again if the database is away for a moment: what happened to a letter must be noted."""
    for pause in DATABASE_PAUSES:
        try:
            work()
        except (sa.exc.OperationalError, db.engine.dialect.loaded_dbapi.OperationalError):
            db.session.rollback()
            log.warning("the database does not take a note on a letter; once more in %s s", pause)
            time.sleep(pause)
        else:
            return
    work()

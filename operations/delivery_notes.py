"""What is noted of letters while they are sent: that one was sent, before the next one is handed over.

This is the one thing that happens for each letter by itself, so it is one statement past SQLAlchemy, on a connection
of its own on which every statement is a transaction. The outcomes of recipients follow from it: they are noted for
many letters at once, and by `letter_queue.settle_outcomes` where a worker died in between.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from extensions import db
from models import EmailStatus, MailingRecipient, OutboundEmail, RecipientOutcome
from operations.bulk import among

log = logging.getLogger("clientdesk.mail")

# How long to wait for a database that is away, each time, in seconds.
DATABASE_PAUSES = (0.2, 1, 3, 10)
SENT = """UPDATE outbound_emails SET status = {sent}, sent_at = {mark}, lease_until = NULL, last_error = ''
    WHERE id = {mark} AND claimed_by = {mark}"""


class Notes:
    """The connection on which it is noted that letters were sent; opened when it is needed."""

    def __init__(self) -> None:
        self._connection: Any = None
        self._sent = ""
        self._moment: Callable[[datetime], Any] = lambda moment: moment

    def sent(self, letter_id: int, *, worker: str, at: datetime) -> None:
        """Note that a letter was sent; when this returns, the database has it for good."""
        surely(lambda: self._write(letter_id, worker, at))

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if db.engine.dialect.name == "postgresql" and not connection.driver_connection.closed:
            connection.driver_connection.autocommit = False
        connection.close()

    def _write(self, letter_id: int, worker: str, at: datetime) -> None:
        try:
            if self._connection is None:
                self._open()
            self._connection.driver_connection.execute(self._sent, (self._moment(at), letter_id, worker))
        except db.engine.dialect.loaded_dbapi.OperationalError:
            if self._connection is not None:
                self._connection.invalidate()
                self._connection = None
            raise

    def _open(self) -> None:
        dialect = db.engine.dialect
        self._connection = db.engine.raw_connection()
        if dialect.name == "postgresql":
            self._connection.driver_connection.autocommit = True
        mark = "%s" if dialect.name == "postgresql" else "?"
        self._sent = SENT.format(sent=f"'{EmailStatus.SENT.value}'", mark=mark)
        column: Any = OutboundEmail.sent_at.type
        self._moment = column.dialect_impl(dialect).bind_processor(dialect) or self._moment


def sent_to(letters: Iterable[tuple[int | None, int | None]]) -> None:
    """Note that these recipients (mailing, client) have got their letters. Commits."""
    by_mailing: dict[int, list[int]] = {}
    for mailing_id, client_id in letters:
        if mailing_id is not None and client_id is not None:
            by_mailing.setdefault(mailing_id, []).append(client_id)
    if by_mailing:
        surely(lambda: _note_outcomes(by_mailing))


def _note_outcomes(by_mailing: dict[int, list[int]]) -> None:
    for mailing_id, clients in by_mailing.items():
        db.session.execute(
            sa.update(MailingRecipient)
            .where(
                MailingRecipient.mailing_id == mailing_id,
                among(db.session.connection(), MailingRecipient.client_id, clients),
            )
            .values(outcome=RecipientOutcome.SENT, reason="")
            .execution_options(synchronize_session=False)
        )
    db.session.commit()


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

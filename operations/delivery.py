"""Delivery: claiming letters, handing them to the mail server, and noting what became of each.

A letter is claimed, and the claim committed, before anything is said to the server; that it was sent is
committed right after the server has taken it. So a process that dies has at most one letter of which nobody
knows whether it went out; that one goes out again, under the same Message-ID.
"""

from __future__ import annotations

import logging
import random
import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from flask import current_app
from sqlalchemy.exc import OperationalError

from extensions import db, now
from models import EmailStatus, Mailing, MailingRecipient, MailingStatus, OutboundEmail, RecipientOutcome
from operations import letter_making, letters, mime, smtp
from operations.letter_making import Claimed, Skipped
from operations.mailing_start import BULK_PRIORITY

log = logging.getLogger("clientdesk.mail")

LEASE = timedelta(seconds=80)
# A letter is not begun with less than this left of the lease, in seconds.
LEASE_MARGIN = 10
LARGEST_BATCH = 100
# After so many seconds what is left of a batch is put back: something more urgent may have come, or a pause.
BATCH_SECONDS = 3
# Pauses after failures that may pass, in minutes; after the last one is used up, the last again.
PAUSES = (1, 5, 30, 120, 360)
MOST_ATTEMPTS = 16
# How long a worker leaves a server alone that it could not reach, or that refused the login, in seconds.
UNREACHABLE_PAUSES = (2, 5, 10, 20, 30)
LOGIN_PAUSE = 60
NO_CONNECTION = "no connection: "
# One number for all workers on one PostgreSQL: who counts letters against a limit counts alone.
RATE_LOCK = 4_801_733

emails: Any = OutboundEmail.__table__
recipients: Any = MailingRecipient.__table__

SENT = (
    sa.update(emails)
    .where(emails.c.id == sa.bindparam("letter"), emails.c.claimed_by == sa.bindparam("worker"))
    .values(status=EmailStatus.SENT, sent_at=sa.bindparam("at"), lease_until=None, last_error="")
)
OUTCOME = (
    sa.update(recipients)
    .where(
        recipients.c.mailing_id == sa.bindparam("mailing"), recipients.c.client_id == sa.bindparam("client")
    )
    .values(outcome=sa.bindparam("result"), reason=sa.bindparam("why"))
)


class Postman:
    """What one worker process delivers with. Only `renew_lease` may be called from another thread."""

    def __init__(self, *, worker: str, stop: Callable[[], bool] = lambda: False) -> None:
        settings = current_app.config["SETTINGS"]
        self.worker = worker
        self._stop = stop
        self._rates = (settings.mail_rate, settings.mail_rate_per_domain)
        self._connection = (
            smtp.Connection(settings.mail_server, own_name=letters.host()) if settings.mail_server else None
        )
        self._making = letter_making.Desk()
        self._holding: dict[int, Claimed] = {}
        self._leased_until = 0.0
        self._batch = 5
        self._leave_alone_until = 0.0
        self._failures = 0
        # A worker that starts does not know what the one before it found.
        self._in_doubt = True

    def deliver(self) -> int:
        """Send what is due until nothing is; returns how many letters the server has taken."""
        count = 0
        while (
            self._connection is not None and not self._stop() and time.monotonic() >= self._leave_alone_until
        ):
            if not _anything_due(now()) and not (self._in_doubt and _anything_held_up()):
                self._connection.close_if_idle()
                break
            if not self._connect() or not self._claim():
                break
            count += self._send_batch()
        return count

    def renew_lease(self) -> None:
        """Keep the letters that are being sent; to be called every few seconds while `deliver` runs."""
        started = time.monotonic()
        ids = list(self._holding)
        if not ids:
            return
        db.session.execute(
            sa.update(OutboundEmail)
            .where(OutboundEmail.id.in_(ids), OutboundEmail.claimed_by == self.worker,
                   OutboundEmail.status == EmailStatus.SENDING)
            .values(lease_until=now() + LEASE)
        )  # fmt: skip
        db.session.commit()
        self._leased_until = started + LEASE.total_seconds() - LEASE_MARGIN

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def _connect(self) -> bool:
        """Be connected, or say on a letter why not and leave the server alone for a while."""
        assert self._connection is not None
        try:
            self._connection.open()
        except smtp.Unreachable as error:
            log.warning("the mail server cannot be reached: %s", error)
            self._note_unreachable(str(error))
            return False
        except smtp.LoginRefused as error:
            self._note_login_refused(str(error))
            return False
        if self._in_doubt:
            _hasten(now())
        self._in_doubt, self._failures = False, 0
        return True

    def _note_unreachable(self, error: str) -> None:
        """One letter bears the failed attempt, so that it is seen; the others stay untouched in the queue."""
        self._pause(UNREACHABLE_PAUSES[min(self._failures, len(UNREACHABLE_PAUSES) - 1)])
        self._batch = 1
        if self._claim():
            for letter in list(self._holding.values()):
                self._put_off(letter, NO_CONNECTION + error)

    def _note_login_refused(self, error: str) -> None:
        """The queue waits and no attempt is counted: no letter is at fault."""
        log.error("the mail server refuses the login: %s", error)
        self._pause(LOGIN_PAUSE)
        self._release(NO_CONNECTION + error)
        self._batch = 1
        if self._claim():
            self._release(NO_CONNECTION + error)

    def _pause(self, seconds: float) -> None:
        self._in_doubt = True
        self._failures += 1
        self._leave_alone_until = time.monotonic() + seconds

    def _claim(self) -> bool:
        started = time.monotonic()
        ids = claim(worker=self.worker, limit=self._batch, rates=self._rates, now=now())
        self._holding = {letter.id: letter for letter in letter_making.load(ids)}
        db.session.commit()
        self._leased_until = started + LEASE.total_seconds() - LEASE_MARGIN
        return bool(self._holding)

    def _send_batch(self) -> int:
        """Send what is claimed, as long as it does not take too long; what is left is put back."""
        started, count = time.monotonic(), 0
        try:
            for letter in list(self._holding.values()):
                if not self._may_go_on(started):
                    break
                count += self._send(letter)
        finally:
            self._batch = max(1, min(LARGEST_BATCH, count * 2))
            self._release()
        return count

    def _may_go_on(self, started: float) -> bool:
        moment = time.monotonic()
        in_time = moment < self._leased_until and moment - started < BATCH_SECONDS
        connected = self._connection is not None and self._connection.is_open and not self._in_doubt
        return in_time and connected and not self._stop()

    def _send(self, letter: Claimed) -> bool:
        """Send one letter and note what became of it; whether the server has taken it."""
        assert self._connection is not None
        try:
            sender, content = self._making.make(letter)
            # Nothing may be locked in the database while the server is talked to.
            db.session.rollback()
            self._connection.send(sender=sender, to=letter.address, letter=content)
        except Skipped as skipped:
            self._note(letter, EmailStatus.SKIPPED, RecipientOutcome.SKIPPED, reason=skipped.reason)
        except smtp.LoginRefused as error:
            self._note_login_refused(str(error))
        except smtp.Unreachable as error:
            self._pause(UNREACHABLE_PAUSES[0])
            self._put_off(letter, f"connection lost: {error}")
        except smtp.Refused as error:
            self._note_refused(letter, error)
        except mime.BadLetter as error:
            self._note(letter, EmailStatus.FAILED, RecipientOutcome.FAILED, error=str(error))
        except Exception as error:
            # Whatever is wrong with this letter, the others must go out.
            log.exception("letter %s cannot be made", letter.id)
            self._note(letter, EmailStatus.FAILED, RecipientOutcome.FAILED, error=f"cannot be made: {error}")
        else:
            self._note_sent(letter)
            return True
        return False

    def _note_refused(self, letter: Claimed, error: smtp.Refused) -> None:
        if error.is_permanent:
            self._note(letter, EmailStatus.FAILED, RecipientOutcome.FAILED, error=str(error))
        else:
            self._put_off(letter, str(error))

    def _note_sent(self, letter: Claimed) -> None:
        def note() -> None:
            db.session.execute(SENT, {"letter": letter.id, "worker": self.worker, "at": now()})
            _set_outcome(letter, RecipientOutcome.SENT)

        # Out of what is held first: should the note fail for good, the letter is not put back as untried.
        self._holding.pop(letter.id, None)
        _surely(note)

    def _note(self, letter: Claimed, status: EmailStatus, outcome: RecipientOutcome, *, reason: str = "",
              error: str = "") -> None:  # fmt: skip
        def note() -> None:
            self._update([letter.id], status=status, lease_until=None, last_error=_one_line(error or reason))
            _set_outcome(letter, outcome, reason)

        _surely(note)
        self._holding.pop(letter.id, None)

    def _put_off(self, letter: Claimed, error: str) -> None:
        """Try again after a pause that grows; after the last attempt the letter has failed."""
        if letter.attempts >= MOST_ATTEMPTS:
            self._note(letter, EmailStatus.FAILED, RecipientOutcome.FAILED, error=error)
            return
        minutes = PAUSES[min(letter.attempts, len(PAUSES)) - 1]
        due = now() + timedelta(minutes=minutes) * random.uniform(1, 1.2)
        _surely(lambda: self._put_back([letter.id], next_attempt_at=due, last_error=_one_line(error)))
        self._holding.pop(letter.id, None)

    def _release(self, error: str | None = None) -> None:
        """Put back what is claimed and was not tried; that counts as no attempt."""
        ids = list(self._holding)
        self._holding = {}
        if ids:
            why = {} if error is None else {"last_error": _one_line(error)}
            _surely(lambda: self._put_back(ids, attempts=OutboundEmail.attempts - 1, **why))

    def _put_back(self, ids: list[int], **values: Any) -> None:
        self._update(ids, status=EmailStatus.QUEUED, lease_until=None, claimed_by="", **values)
        cancel_what_is_left(ids)

    def _update(self, ids: list[int], **values: Any) -> None:
        db.session.execute(
            sa.update(OutboundEmail)
            .where(OutboundEmail.id.in_(ids), OutboundEmail.claimed_by == self.worker,
                   OutboundEmail.status == EmailStatus.SENDING)
            .values(**values)
        )  # fmt: skip


def claim(*, worker: str, limit: int, rates: tuple[int, int] = (0, 0), now: datetime) -> list[int]:
    """Make up to `limit` due letters this worker's until the lease is over; the ids, most urgent first.

    Letters of mailings come after all others, and of several mailings each gets its share.
    """
    room, full = _room(rates, limit, now)
    urgency = (emails.c.priority, emails.c.next_attempt_at, emails.c.id)
    found = _due(emails.c.priority < BULK_PRIORITY, room, full, now, order=urgency)
    running = list(db.session.scalars(sa.select(Mailing.id).where(Mailing.status == MailingStatus.SENDING)))
    random.shuffle(running)
    for number, mailing_id in enumerate(running):
        share = -(-(room - len(found)) // (len(running) - number))
        found += _due(emails.c.mailing_id == mailing_id, share, full, now)
    ids = _within_domain_rate(found, rates[1], full)
    if ids:
        db.session.execute(
            sa.update(OutboundEmail)
            .where(OutboundEmail.id.in_(ids), OutboundEmail.status == EmailStatus.QUEUED)
            .values(status=EmailStatus.SENDING, claimed_by=worker, lease_until=now + LEASE,
                    attempts=OutboundEmail.attempts + 1)
        )  # fmt: skip
    db.session.commit()
    return ids


def take_back(*, now: datetime) -> int:
    """Queue again the letters whose worker has not been heard of in time; returns how many."""
    lapsed = list(
        db.session.scalars(
            sa.select(OutboundEmail.id)
            .where(OutboundEmail.status == EmailStatus.SENDING, OutboundEmail.lease_until < now)
            .with_for_update(skip_locked=True)
            .limit(10_000)
        )
    )
    if lapsed:
        db.session.execute(
            sa.update(OutboundEmail)
            .where(OutboundEmail.id.in_(lapsed))
            .values(status=EmailStatus.QUEUED, claimed_by="", lease_until=None, next_attempt_at=now)
        )
        cancel_what_is_left(lapsed)
    return len(lapsed)


def cancel_what_is_left(ids: list[int]) -> None:
    """Of letters just put back, cancel those whose mailing was cancelled meanwhile."""
    cancelled = sa.select(Mailing.id).where(Mailing.status == MailingStatus.CANCELLED)
    found = db.session.execute(
        sa.select(OutboundEmail.id, OutboundEmail.mailing_id, OutboundEmail.client_id).where(
            OutboundEmail.id.in_(ids), OutboundEmail.mailing_id.in_(cancelled)
        )
    ).all()
    for number, mailing_id, client_id in found:
        db.session.execute(
            sa.update(OutboundEmail).where(OutboundEmail.id == number).values(status=EmailStatus.CANCELLED)
        )
        values = {"mailing": mailing_id, "client": client_id, "result": RecipientOutcome.CANCELLED, "why": ""}
        db.session.execute(OUTCOME, values)


def _due(
    which: Any, limit: int, full: set[str], moment: datetime, *, order: tuple[Any, ...] = ()
) -> list[tuple[int, str]]:
    """(id, domain) of due letters of one sort, locked until the transaction ends; others' are passed over."""
    if limit <= 0:
        return []
    statement = (
        sa.select(emails.c.id, emails.c.domain)
        .where(emails.c.status == EmailStatus.QUEUED, emails.c.next_attempt_at <= moment, which)
        .order_by(*order)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    if full:
        statement = statement.where(emails.c.domain.not_in(full))
    return [(number, domain) for number, domain in db.session.execute(statement)]


def _anything_due(moment: datetime) -> bool:
    sending = sa.select(Mailing.id).where(Mailing.status == MailingStatus.SENDING)
    due = sa.select(emails.c.id).where(
        emails.c.status == EmailStatus.QUEUED, emails.c.next_attempt_at <= moment
    )
    _only_read()
    found = any(
        db.session.scalar(due.where(which).limit(1)) is not None
        for which in (emails.c.priority < BULK_PRIORITY, emails.c.mailing_id.in_(sending))
    )
    db.session.rollback()
    return found


def _anything_held_up() -> bool:
    """Whether a letter waits because the server could not be reached."""
    _only_read()
    found = db.session.scalar(
        sa.select(emails.c.id)
        .where(emails.c.status == EmailStatus.QUEUED, emails.c.last_error.startswith(NO_CONNECTION))
        .limit(1)
    )
    db.session.rollback()
    return found is not None


def _only_read() -> None:
    """Let the transaction that begins now not queue among those that write."""
    if not db.session().in_transaction():
        db.session.connection(execution_options={"reads_only": True})


def _room(rates: tuple[int, int], limit: int, moment: datetime) -> tuple[int, set[str]]:
    """How many letters may be claimed now, and the domains that may get none, under the limits per minute."""
    if not any(rates):
        return limit, set()
    if db.session.get_bind().dialect.name == "postgresql":
        db.session.execute(sa.select(sa.func.pg_advisory_xact_lock(RATE_LOCK)))
    used = _used_by_domain(moment)
    room = min(limit, max(0, rates[0] - used.total())) if rates[0] else limit
    return room, {domain for domain, count in used.items() if rates[1] and count >= rates[1]}


def _used_by_domain(moment: datetime) -> Counter[str]:
    """Letters of the last minute, and those being sent, per domain."""
    recent = (emails.c.sent_at > moment - timedelta(minutes=1)) | (emails.c.status == EmailStatus.SENDING)
    rows = db.session.execute(
        sa.select(emails.c.domain, sa.func.count()).where(recent).group_by(emails.c.domain)
    )
    return Counter({domain: count for domain, count in rows})


def _within_domain_rate(found: list[tuple[int, str]], rate: int, full: set[str]) -> list[int]:
    if not rate:
        return [number for number, _domain in found]
    used = _used_by_domain(now())
    ids = []
    for number, domain in found:
        used[domain] += 1
        if used[domain] <= rate:
            ids.append(number)
    return ids


def _hasten(moment: datetime) -> None:
    """The server answers again: what waited for that alone is due at once."""
    db.session.execute(
        sa.update(OutboundEmail)
        .where(OutboundEmail.status == EmailStatus.QUEUED, OutboundEmail.next_attempt_at > moment,
               OutboundEmail.last_error.startswith(NO_CONNECTION))
        .values(next_attempt_at=moment)
    )  # fmt: skip
    db.session.commit()


def _set_outcome(letter: Claimed, outcome: RecipientOutcome, reason: str = "") -> None:
    if letter.mailing_id is not None:
        values = {
            "mailing": letter.mailing_id,
            "client": letter.client_id,
            "result": outcome,
            "why": reason[:40],
        }
        db.session.execute(OUTCOME, values)


def _surely(note: Callable[[], None]) -> None:
    """Write it down and commit, again if the database is away for a moment: what is sent must be noted."""
    for pause in (0.2, 1, 3, 10):
        try:
            note()
            db.session.commit()
        except OperationalError:
            db.session.rollback()
            log.warning("the database does not take a note on a letter; once more in %s s", pause)
            time.sleep(pause)
        else:
            return
    note()
    db.session.commit()


def _one_line(text: str) -> str:
    return " ".join(text.split())[:500]

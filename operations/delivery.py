"""Delivery: claiming letters, handing them to the mail server, and noting what became of each.

A letter is claimed, and the claim committed, before anything is said to the server; that it was sent is
committed right after the server has taken it, before it is given the next one. So a connection that dies has at
most one letter of which nobody knows whether it went out; that one goes out again, under the same Message-ID.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa
from flask import current_app

from extensions import db, now
from models import EmailStatus, OutboundEmail, RecipientOutcome
from operations import delivery_notes, letter_making, letter_queue, letters, mailing_pausing, mime, smtp
from operations.delivery_notes import Notes, surely
from operations.letter_making import Claimed, Skipped
from operations.letter_queue import LEASE, NO_CONNECTION, OUTCOME

log = logging.getLogger("clientdesk.mail")

# A letter is not begun with less than this left of the lease, in seconds.
LEASE_MARGIN = 10
LARGEST_BATCH = 500
# After so many seconds what is left of a batch is put back: something more urgent may have come, or a pause.
BATCH_SECONDS = 3
# Pauses after failures that may pass, in minutes; after the last one is used up, the last again.
PAUSES = (1, 5, 30, 120, 360)
MOST_ATTEMPTS = 16
# How long a worker leaves a server alone that it could not reach, or that refused the login, in seconds.
UNREACHABLE_PAUSES = (2, 5, 10, 20, 30)
LOGIN_PAUSE = 60


class Made(NamedTuple):
    """A letter as it goes out, or what is wrong with it."""

    sender: str = ""
    to: str = ""
    content: bytes = b""
    wrong: Exception | None = None

    @property
    def envelope(self) -> smtp.Envelope | None:
        return None if self.wrong else smtp.Envelope(self.sender, self.to, len(self.content))


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
        self._notes = Notes()
        self._holding: dict[int, Claimed] = {}
        # Sent and noted, but not settled yet.
        self._sent: list[int] = []
        self._leased_until = 0.0
        self._batch = 5
        # Whether a mailing has paused by itself over a letter of this batch: the rest is put back.
        self._has_paused = False
        # What is made and not sent yet, by the letters' ids: two letters at most.
        self._made: dict[int, Made] = {}
        self._leave_alone_until = 0.0
        self._failures = 0
        # A worker that starts does not know what the one before it found.
        self._in_doubt = True

    def deliver(self) -> int:
        """Send what is due until nothing is; returns how many letters the server has taken."""
        try:
            return self._deliver()
        finally:
            self._notes.close()

    def _deliver(self) -> int:
        count, goes_on = 0, False
        while self._connection is not None and not self._stop() and time.monotonic() >= self._leave_alone_until:
            if not goes_on and not self._anything_to_do():
                self._connection.close_if_idle()
                break
            if not self._connect() or not self._claim():
                break
            claimed = len(self._holding)
            sent = self._send_batch()
            # Where all went well, there may well be more.
            goes_on = sent == claimed
            count += sent
        return count

    def _anything_to_do(self) -> bool:
        return letter_queue.anything_due(now()) or (self._in_doubt and letter_queue.anything_held_up())

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
            letter_queue.hasten(now())
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
        ids = letter_queue.claim(worker=self.worker, limit=self._batch, rates=self._rates, now=now())
        letter_queue.only_read()
        self._holding = {letter.id: letter for letter in letter_making.load(ids)}
        db.session.commit()
        self._leased_until = started + LEASE.total_seconds() - LEASE_MARGIN
        return bool(self._holding)

    def _send_batch(self) -> int:
        """Send what is claimed, as long as it does not take too long; what is left is put back."""
        started, count, took, self._has_paused = time.monotonic(), 0, 0.0, False
        letters = list(self._holding.values())
        try:
            for number, letter in enumerate(letters):
                if not self._may_go_on(started):
                    break
                begun = time.monotonic()
                # A letter that the server was told of and does not get costs the connection.
                is_nearly_over = begun - started + 2 * took > BATCH_SECONDS
                count += self._send(letter, [] if is_nearly_over else letters[number + 1 : number + 3])
                took = time.monotonic() - begun
        finally:
            self._made.clear()
            if self._connection is not None:
                self._connection.withdraw()
            self._batch = max(1, min(LARGEST_BATCH, count * 2))
            self._settle_sent()
            self._release()
        return count

    def _may_go_on(self, started: float) -> bool:
        moment = time.monotonic()
        in_time = moment < self._leased_until and moment - started < BATCH_SECONDS
        connected = self._connection is not None and self._connection.is_open and not self._in_doubt
        return in_time and connected and not self._has_paused and not self._stop()

    def _send(self, letter: Claimed, following: list[Claimed]) -> bool:
        """Send one letter and note what became of it; whether the server has taken it.

        The server is told at once which is the next one. That is made already, so that it can follow as soon as this
        one is noted; the one after that is made while the server takes this one.
        """
        assert self._connection is not None
        made = self._make(letter)
        next_ = self._make(following[0]).envelope if following else None
        del self._made[letter.id]
        try:
            if made.wrong is not None:
                raise made.wrong  # noqa: TRY301 - told as if it were made only now
            self._connection.hand_over(sender=made.sender, to=made.to, letter=made.content, following=next_)
            for each in following[1:]:
                self._make(each)
            self._connection.taken()
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
            self._note_fault(letter, error)
        else:
            self._note_sent(letter)
            return True
        return False

    def _make(self, letter: Claimed) -> Made:
        """The letter as it goes out, made now if it is not yet; what is wrong with it is told when it is its turn."""
        if letter.id not in self._made:
            try:
                sender, content = self._making.make(letter)
                self._made[letter.id] = Made(sender, letter.address, content)
            except Exception as error:  # noqa: BLE001 - raised by `_send`
                self._made[letter.id] = Made(wrong=error)
            if db.session().in_transaction():
                # Nothing may be locked in the database while the server is talked to.
                db.session.rollback()
        return self._made[letter.id]

    def _note_fault(self, letter: Claimed, error: Exception) -> None:
        """The letter is at fault, unless it is the database."""
        if isinstance(error, sa.exc.OperationalError):
            self._put_off(letter, "the database was away")
        else:
            self._note(letter, EmailStatus.FAILED, RecipientOutcome.FAILED, error=f"cannot be made: {error}")

    def _note_refused(self, letter: Claimed, error: smtp.Refused) -> None:
        if error.is_permanent:
            self._note(letter, EmailStatus.FAILED, RecipientOutcome.FAILED, error=str(error))
        else:
            self._put_off(letter, str(error))

    def _note_sent(self, letter: Claimed) -> None:
        # Out of what is held first: should the note fail for good, the letter is not put back as untried.
        self._holding.pop(letter.id, None)
        self._notes.sent(letter.id, at=now())
        self._sent.append(letter.id)

    def _settle_sent(self) -> None:
        sent, self._sent = self._sent, []
        delivery_notes.settle(sent)

    def _note(self, letter: Claimed, status: EmailStatus, outcome: RecipientOutcome, *, reason: str = "",
              error: str = "") -> None:  # fmt: skip
        self._holding.pop(letter.id, None)
        words = _one_line(error or reason)
        # In their order: a letter that was taken ends a row of failures.
        self._settle_sent()
        surely(lambda: self._settle(letter, status, outcome, reason=reason, words=words))

    def _settle(self, letter: Claimed, status: EmailStatus, outcome: RecipientOutcome, *, reason: str,
                words: str) -> None:  # fmt: skip
        self._update([letter.id], status=status, lease_until=None, last_error=words)
        if letter.mailing_id is not None:
            values = {"mailing": letter.mailing_id, "client": letter.client_id, "result": outcome, "why": reason[:40]}
            db.session.connection().execute(OUTCOME, values)
        if letter.mailing_id is not None and status is EmailStatus.FAILED:
            self._has_paused |= mailing_pausing.note_failure(
                mailing_id=letter.mailing_id, project_id=letter.project_id, error=words, now=now()
            )
        db.session.commit()

    def _put_off(self, letter: Claimed, error: str) -> None:
        """Try again after a pause that grows; after the last attempt the letter has failed."""
        if letter.attempts >= MOST_ATTEMPTS:
            self._note(letter, EmailStatus.FAILED, RecipientOutcome.FAILED, error=error)
            return
        minutes = PAUSES[min(letter.attempts, len(PAUSES)) - 1]
        due = now() + timedelta(minutes=minutes) * random.uniform(1, 1.2)
        self._holding.pop(letter.id, None)
        surely(lambda: self._put_back([letter.id], next_attempt_at=due, last_error=_one_line(error)))

    def _release(self, error: str | None = None) -> None:
        """Put back what is claimed and was not tried; that counts as no attempt."""
        ids = list(self._holding)
        self._holding = {}
        if ids:
            why = {} if error is None else {"last_error": _one_line(error)}
            surely(lambda: self._put_back(ids, attempts=OutboundEmail.attempts - 1, **why))

    def _put_back(self, ids: list[int], **values: Any) -> None:
        self._update(ids, status=EmailStatus.QUEUED, lease_until=None, claimed_by="", **values)
        letter_queue.cancel_what_is_left(ids)
        db.session.commit()

    def _update(self, ids: list[int], **values: Any) -> None:
        db.session.execute(
            sa.update(OutboundEmail)
            .where(OutboundEmail.id.in_(ids), OutboundEmail.claimed_by == self.worker,
                   OutboundEmail.status == EmailStatus.SENDING)
            .values(**values)
        )  # fmt: skip


def _one_line(text: str) -> str:
    return " ".join(text.split())[:500]

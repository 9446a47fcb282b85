"""What the clock does: short sweeps over what is due. Any number of workers may run them at once.

Each sweep claims what it acts on in the database, so that two workers never do the same; a sweep that fails
is logged and comes again.
"""

from __future__ import annotations

import gc
import logging
import os
import secrets
import signal
import socket
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial

import sqlalchemy as sa
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.blocking import BlockingScheduler
from flask import Flask, current_app

from extensions import db, now
from models import Heartbeat, IdempotencyKey, LoginFailure, Session, TripReason
from operations import (
    attachments,
    breaker,
    delivery,
    desk_mark,
    erasing,
    impersonation,
    imports,
    inbound,
    inbound_listener,
    inbound_sources,
    inbound_store,
    letter_queue,
    mailing_start,
    mailings,
    saved_filters,
    selections,
    ticket_reading,
    upkeep,
    violation_clock,
)

log = logging.getLogger("clientdesk.jobs")

KEYS_KEPT = timedelta(days=7)
FAILURES_KEPT = timedelta(days=2)
HEARTBEATS_KEPT = timedelta(days=1)
MAILING_PUT_OFF = timedelta(minutes=1)
# How often the mailbox is looked into, in seconds.
FETCH_EVERY = 10
# How often the mark of the database is raised, in seconds: an older copy that is younger than that is not known as one.
MARK_EVERY = 5
# How long a worker that was asked to stop waits for what it has begun, in seconds.
PATIENCE = 25


def start_mailings() -> None:
    """Start the mailings whose time has come, each in a transaction of its own."""
    for mailing_id in mailing_start.due(now=now()):
        try:
            count = mailing_start.start(mailing_id=mailing_id, now=now())
            db.session.commit()
            upkeep.look_at_mailings(count or 0)
        except Exception:
            db.session.rollback()
            log.exception("mailing %s could not be started", mailing_id)
            mailing_start.put_off(mailing_id=mailing_id, until=now() + MAILING_PUT_OFF)
            db.session.commit()
    db.session.rollback()


@desk_mark.unless_held
def take_back_letters() -> None:
    """Queue again what dead workers have left, and note which mailings are through."""
    if count := letter_queue.take_back(now=now()):
        log.warning("%s letters of a dead worker are queued again", count)
    mailings.finish(now=now())
    db.session.commit()


def count_saved_filters() -> None:
    """Count what matches the saved filters, for their tabs."""
    if saved_filters.begin_to_look_after():
        db.session.commit()
    for number in saved_filters.due_for_count(now=now()):
        _one_filter(number, saved_filters.claim_count, saved_filters.count)
    db.session.rollback()


def note_members_of_filters() -> None:
    """Note who is in the watched filters, so that the home page can tell who came."""
    for number in saved_filters.due_for_members(now=now()):
        _one_filter(number, saved_filters.claim_members, saved_filters.note_members)
    db.session.rollback()


def handle_letters() -> None:
    """Make of the letters that came in what they are: answers, tickets, or nothing. Each in a transaction of its own."""
    while ids := inbound.claim(now=now()):
        for number in ids:
            inbound.handle(number, now=now())
    db.session.rollback()


@desk_mark.unless_held
def forget_letters() -> None:
    """Remove letters as they came in, once the time set for that is over."""
    inbound_store.forget_old(now=now())
    db.session.commit()


def _one_filter(number: int, claim: Callable[..., bool], look: Callable[..., None]) -> None:
    """Claim a saved filter and look at it. One that fails is claimed until it is due again."""
    won = claim(number, now=now())
    db.session.commit()
    if not won:
        return
    try:
        look(number, now=now())
        db.session.commit()
    except Exception:
        db.session.rollback()
        log.exception("saved filter %s could not be looked at", number)


@desk_mark.unless_held
def erase_clients() -> None:
    """Erase who was deleted more than thirty days ago, and who was erased before an older copy was put back."""
    erasing.keep_list()
    for number, mark in erasing.missing():
        _one_erasing(number, partial(erasing.erase_again, client_id=number, mark=mark, now=now()))
    place = None
    while found := erasing.due(now=now(), after=place):
        for _deleted_at, number in found:
            _one_erasing(number, partial(erasing.erase_due, client_id=number, now=now()))
        place = found[-1]
    db.session.rollback()
    upkeep.forget_traces()


def _one_erasing(number: int, erase: Callable[[], list[erasing.Erased]]) -> None:
    """Erase one client in a transaction of its own. One that fails comes again in the next sweep."""
    try:
        erased = erase()
        db.session.commit()
        if erased:
            erasing.finish(erased)
            log.info("client %s is erased", number)
    except Exception:
        log.exception("client %s could not be erased", number)
    db.session.rollback()


@desk_mark.unless_held
def tidy_up() -> None:
    """Forget what has had its time: sessions, form keys, failed logins, files of forms never sent."""
    moment = now()
    for condition in (
        Session.expires_at <= moment,
        IdempotencyKey.created_at < moment - KEYS_KEPT,
        LoginFailure.at < moment - FAILURES_KEPT,
        Heartbeat.seen_at < moment - HEARTBEATS_KEPT,
    ):
        db.session.execute(sa.delete(condition.left.table).where(condition))
        db.session.commit()
    selections.forget_old(now=moment)
    ticket_reading.forget_writers(now=moment)
    impersonation.end_expired(now=moment)
    attachments.forget_orphans(now=moment)
    imports.drop_forgotten(now=moment, directory=current_app.config["SETTINGS"].data_dir / "imports")
    db.session.commit()


# Every sweep that knows no worker, and how many seconds lie between two of its runs.
SWEEPS: tuple[tuple[Callable[[], None], int], ...] = (
    (start_mailings, 2),
    (take_back_letters, 5),
    (count_saved_filters, 10),
    (note_members_of_filters, 60),
    (erase_clients, 600),
    (handle_letters, 2),
    (forget_letters, 3600),
    (tidy_up, 600),
    (upkeep.keep_statistics, 3600),
)


def _execute_violation(number: int) -> None:
    """Carry out one violation. One that fails is put off, so that others get their turn."""
    try:
        violation_clock.execute(number, now=now())
        db.session.commit()
    except Exception as error:
        db.session.rollback()
        log.exception("violation %s could not be carried out", number)
        violation_clock.put_off(number, error=f"{type(error).__name__}: {error}", now=now())
        db.session.commit()


def _remind_of_violation(number: int) -> None:
    try:
        violation_clock.remind(number, now=now())
        db.session.commit()
    except Exception:
        db.session.rollback()
        log.exception("the reminder of violation %s could not be queued", number)


class Worker:
    """One worker process: its name, its connection to the mail server, its clock, and whether it is to stop."""

    def __init__(self) -> None:
        self.name = f"{socket.gethostname()[:40]}:{os.getpid()}:{secrets.token_hex(4)}"
        self.stopping = threading.Event()
        self.postman = delivery.Postman(worker=self.name, stop=self.stopping.is_set)
        self.clock = violation_clock.ClockWatch()
        self.mark = desk_mark.Watch()
        box = inbound_sources.inbox()
        app = current_app._get_current_object()  # type: ignore[attr-defined]
        self.listener = inbound_listener.Listener(app, box) if box is not None and box.is_listened else None

    def keep_mark(self) -> None:
        """Raise the mark of the database, or hold the desk where it is not what the files know."""
        self.mark.look(now=now())

    def look_after_violations(self) -> None:
        """Send the reminders that are due, and carry out what clients have not reacted to, each by itself."""
        moment = now()
        jumped = self.clock.look(moment)
        if jumped is not None:
            log.warning("the clock has jumped by %s: nothing is stopped until staff confirm", jumped)
            breaker.trip(TripReason.CLOCK, seconds=round(jumped.total_seconds()), now=moment)
            db.session.commit()
        is_any = violation_clock.anything_due(now=moment)
        db.session.rollback()
        if not is_any:
            return
        due = violation_clock.due(now=moment)
        to_remind = violation_clock.to_remind(now=moment)
        db.session.commit()
        for one, numbers in ((_execute_violation, due), (_remind_of_violation, to_remind)):
            for number in numbers:
                if self.stopping.is_set():
                    return
                one(number)
        db.session.rollback()

    def deliver(self) -> None:
        """Send the letters that are due."""
        if self.postman.deliver():
            mailings.finish(now=now())
            db.session.commit()

    def renew_lease(self) -> None:
        self.postman.renew_lease()

    def take_in_letters(self) -> None:
        """Fetch the letters that wait in the mailbox, or be there for those who bring them."""
        if self.listener is not None:
            self.listener.listen()
        else:
            inbound_sources.fetch(worker=self.name, now=now, stop=self.stopping.is_set)

    def beat(self) -> None:
        """Show that this worker lives."""
        moment = now()
        done = db.session.execute(sa.update(Heartbeat).where(Heartbeat.worker == self.name).values(seen_at=moment))
        if not done.rowcount:  # type: ignore[attr-defined]
            db.session.add(Heartbeat(worker=self.name, started_at=moment, seen_at=moment))
        db.session.commit()

    def leave(self) -> None:
        """Take the heartbeat away: this worker is not missed."""
        self.postman.close()
        if self.listener is not None:
            self.listener.close()
        db.session.execute(sa.delete(Heartbeat).where(Heartbeat.worker == self.name))
        db.session.commit()
        self.keep_mark()


def run_once() -> None:
    """Do all that is due now, once, in this thread, within an application context."""
    worker = Worker()
    worker.keep_mark()
    if worker.listener is None:
        worker.take_in_letters()
    for sweep, _seconds in SWEEPS:
        sweep()
    worker.look_after_violations()
    worker.deliver()
    worker.postman.close()


def run_worker(app: Flask) -> None:
    """Run all sweeps until SIGTERM or SIGINT. What is begun is ended, what is claimed put back."""
    with app.app_context():
        worker = Worker()
    scheduler = BlockingScheduler(
        timezone="UTC",
        executors={"default": ThreadPoolExecutor(max_workers=len(SWEEPS) + 6)},
        job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": 3600},
    )
    own: tuple[tuple[Callable[[], None], int], ...] = (
        (worker.deliver, 1),
        (worker.renew_lease, 20),
        (worker.beat, 15),
        (worker.keep_mark, MARK_EVERY),
        (worker.look_after_violations, 5),
        (worker.take_in_letters, FETCH_EVERY),
    )
    busy = Busy()
    # Before anything else is done; a database that is away is waited for.
    busy.during(app, worker.keep_mark)()
    for sweep, seconds in (*own, *SWEEPS):
        scheduler.add_job(busy.during(app, sweep), "interval", seconds=seconds, next_run_time=_at_once(),
                          name=sweep.__name__)  # fmt: skip
    # It warns each second that a delivery still goes on; that is as it should be.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
    _stop_on_signals(scheduler, worker)
    # What is there now stays to the end: looking through it for garbage would cost a tenth of the delivery.
    gc.collect()
    gc.freeze()
    log.info("worker %s runs", worker.name)
    scheduler.start()
    busy.wait(PATIENCE)
    with app.app_context():
        worker.leave()
    log.info("worker %s has stopped", worker.name)


class Busy:
    """Counts the sweeps that run, so that the end can wait for them."""

    def __init__(self) -> None:
        self._running = 0
        self._changed = threading.Condition()

    def during(self, app: Flask, sweep: Callable[[], None]) -> Callable[[], None]:
        """`sweep` in a context of the application; counted while it runs, and logged when it fails."""

        def run() -> None:
            with self._changed:
                self._running += 1
            try:
                with app.app_context():
                    sweep()
            except Exception:
                log.exception("%s failed and will run again", sweep.__name__)
            finally:
                with self._changed:
                    self._running -= 1
                    self._changed.notify_all()

        return run

    def wait(self, seconds: float) -> None:
        """Return when nothing runs, or after so many seconds."""
        end = time.monotonic() + seconds
        with self._changed:
            while self._running and (left := end - time.monotonic()) > 0:
                self._changed.wait(left)


def _at_once() -> datetime:
    # The scheduler lives by the real clock, whatever time the application has.
    return datetime.now(UTC)


def _stop_on_signals(scheduler: BlockingScheduler, worker: Worker) -> None:
    """Have a signal end the scheduler, from a thread of its own.

    The signal may come while the main thread holds a lock of the scheduler or of its executor, which to stop them
    takes as well: the handler itself would wait for ever.
    """

    def stop_when_asked() -> None:
        worker.stopping.wait()
        while not scheduler.running:
            time.sleep(0.05)
        scheduler.shutdown(wait=False)

    threading.Thread(target=stop_when_asked, name="stop", daemon=True).start()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: worker.stopping.set())

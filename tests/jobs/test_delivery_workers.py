"""Real worker processes: several at once, killed in the middle, asked to stop."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from extensions import db, now
from models import EmailStatus, Heartbeat, Mailing, MailingStatus, OutboundEmail, Ticket, TicketMessage
from operations import mailings
from tests.conftest import ROOT
from tests.support import mailings as cast
from tests.support.mail import MailServer

pytestmark = pytest.mark.usefixtures("session")

Start = Callable[[], "subprocess.Popen[bytes]"]


@pytest.fixture
def start_worker(environ: dict[str, str]) -> Iterator[Start]:
    """Start `flask --app app worker`; whatever still runs at the end is killed."""
    started: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        db.session.rollback()
        command = [sys.executable, "-m", "flask", "--app", "app", "worker"]
        worker = subprocess.Popen(
            command, cwd=ROOT, env={"PATH": os.environ["PATH"], **environ}, stderr=subprocess.DEVNULL
        )
        started.append(worker)
        return worker

    yield start
    for worker in started:
        worker.kill()
        worker.wait()


def confirm(count: int, **more: Any) -> int:
    """A mailing to so many clients; its id. Nothing stays locked, so that workers can go on."""
    number = cast.confirm(cast.clients(count), **more).id
    db.session.rollback()
    return number


def wait_until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while True:
        db.session.rollback()
        db.session.connection(execution_options={"reads_only": True})
        if condition():
            db.session.rollback()
            return
        db.session.rollback()
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


def status_of(mailing_id: int) -> MailingStatus:
    return db.session.scalar(sa.select(Mailing.status).where(Mailing.id == mailing_id))


def is_sent(mailing_id: int) -> Callable[[], bool]:
    return lambda: status_of(mailing_id) is MailingStatus.SENT


def copies(smtp: MailServer) -> Counter[str]:
    """How often each address got a letter."""
    return Counter(letter.recipients[0] for letter in smtp.letters)


def let_leases_lapse() -> None:
    """As if the time of the leases had passed."""
    db.session.execute(
        sa.update(OutboundEmail)
        .where(OutboundEmail.status == EmailStatus.SENDING)
        .values(lease_until=now() - timedelta(seconds=1))
    )
    db.session.commit()


def test_a_worker_starts_what_is_due_within_seconds_and_sends_it(smtp: MailServer, start_worker: Start) -> None:
    start_worker()
    wait_until(lambda: db.session.scalar(sa.select(sa.func.count(Heartbeat.id))) == 1)
    number = confirm(5, starts_in=2)
    smtp.wait_for(5, seconds=20)
    wait_until(is_sent(number))
    started = db.session.get_one(Mailing, number)
    assert started.started_at - started.starts_at < timedelta(seconds=10)


def test_several_workers_send_each_letter_once(smtp: MailServer, start_worker: Start) -> None:
    number = confirm(80)
    smtp.delay = 0.02
    for _ in range(3):
        start_worker()
    wait_until(is_sent(number))
    assert len(copies(smtp)) == 80
    assert set(copies(smtp).values()) == {1}
    for letter in smtp.letters:
        name = letter.recipients[0].split("@")[0].removeprefix("client-")
        assert f"Person {name}" in letter.text
    assert db.session.scalar(sa.select(sa.func.count(Ticket.id))) == 80


def test_killed_after_the_server_took_a_letter_that_one_goes_twice_at_most_under_the_same_id(
    smtp: MailServer, start_worker: Start
) -> None:
    number = confirm(20)
    worker = start_worker()

    def kill(_letter: Any) -> None:
        if len(smtp.letters) == 7:
            worker.kill()

    smtp.on_letter = kill
    wait_until(lambda: worker.poll() is not None)
    assert len(smtp.letters) == 7
    let_leases_lapse()
    start_worker()
    wait_until(is_sent(number))
    twice = [address for address, count in copies(smtp).items() if count > 1]
    assert len(copies(smtp)) == 20
    assert twice == [smtp.letters[6].recipients[0]]
    assert len({letter.message["Message-ID"] for letter in smtp.to(twice[0])}) == 1
    assert len(smtp.letters) == 21
    attempts = sa.select(OutboundEmail.attempts).where(OutboundEmail.recipient == twice[0])
    assert db.session.scalar(attempts) == 2
    figures = mailings.progress(db.session.get_one(Mailing, number))
    assert figures["sent"] == figures["recipients"] == 20


def test_asked_to_stop_a_worker_ends_soon_and_leaves_nothing_claimed(smtp: MailServer, start_worker: Start) -> None:
    number = confirm(40)
    smtp.delay = 0.05
    worker = start_worker()
    smtp.wait_for(3, seconds=30)
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(timeout=20) == 0
    counts = dict(
        db.session.execute(sa.select(OutboundEmail.status, sa.func.count()).group_by(OutboundEmail.status)).all()
    )
    assert EmailStatus.SENDING not in counts
    assert counts[EmailStatus.SENT] == len(smtp.letters)
    assert db.session.scalar(sa.select(sa.func.count(Heartbeat.id))) == 0
    smtp.delay = 0
    start_worker()
    wait_until(is_sent(number))
    assert set(copies(smtp).values()) == {1}


def test_while_the_server_is_away_workers_live_and_afterwards_everything_goes_out(
    smtp: MailServer, start_worker: Start
) -> None:
    smtp.stop()
    number = confirm(10)
    worker = start_worker()
    wait_until(lambda: bool(db.session.scalar(sa.select(OutboundEmail.id).where(OutboundEmail.last_error != ""))))
    assert worker.poll() is None
    smtp.start()
    wait_until(is_sent(number))
    assert set(copies(smtp).values()) == {1}


@pytest.mark.long
@pytest.mark.timeout(900)
def test_killed_at_any_moment_there_is_one_ticket_each_and_a_letter_for_all(
    smtp: MailServer, start_worker: Start
) -> None:
    """Two workers, killed at twenty random moments from the start of the mailing on."""
    chance, size, kills = random.Random(7), 3000, 20
    number = confirm(size)
    workers = [start_worker(), start_worker()]
    for _ in range(kills):
        time.sleep(chance.uniform(0.3, 3))
        victim = chance.randrange(2)
        workers[victim].kill()
        workers[victim].wait()
        let_leases_lapse()
        workers[victim] = start_worker()
        if is_sent(number)():
            break
    for _ in range(100):
        let_leases_lapse() if _nobody_sends() else None
        if is_sent(number)():
            break
        time.sleep(1)
    wait_until(is_sent(number), seconds=300)
    assert db.session.scalar(sa.select(sa.func.count(Ticket.id))) == size
    assert db.session.scalar(sa.select(sa.func.count(TicketMessage.id))) == size
    assert len(copies(smtp)) == size
    ids = {
        address: {letter.message["Message-ID"] for letter in smtp.to(address)}
        for address, n in copies(smtp).items()
        if n > 1
    }
    assert all(len(each) == 1 for each in ids.values())


def _nobody_sends() -> bool:
    alive = db.session.scalar(sa.select(sa.func.count(Heartbeat.id)))
    return not alive


@pytest.mark.long
@pytest.mark.timeout(900)
def test_four_workers_with_a_slow_server_never_share_a_letter(smtp: MailServer, start_worker: Start) -> None:
    number = confirm(1000)
    smtp.delay = 0.01
    for _ in range(4):
        start_worker()
    wait_until(is_sent(number), seconds=600)
    assert len(copies(smtp)) == 1000
    assert set(copies(smtp).values()) == {1}

"""Real worker processes: several at once, killed in the middle, asked to stop."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from extensions import db, now
from models import (
    Client,
    EmailStatus,
    Heartbeat,
    Mailing,
    MailingStatus,
    OutboundEmail,
    Project,
    Ticket,
    TicketMessage,
)
from operations import letters, mailings
from tests.cast import log_in
from tests.conftest import ROOT
from tests.support import mailings as cast
from tests.support import people
from tests.support.mail import MailServer
from tests.support.processes import Caller, Web

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


def let_leases_lapse(of: subprocess.Popen[bytes]) -> None:
    """As if the time of the leases of that worker, which is dead, had passed."""
    db.session.rollback()
    db.session.execute(
        sa.update(OutboundEmail)
        .where(OutboundEmail.status == EmailStatus.SENDING, OutboundEmail.claimed_by.like(f"%:{of.pid}:%"))
        .values(lease_until=now() - timedelta(seconds=1))
    )
    db.session.commit()


@pytest.mark.heavy
def test_a_worker_starts_what_is_due_within_seconds_and_sends_it(smtp: MailServer, start_worker: Start) -> None:
    start_worker()
    wait_until(lambda: db.session.scalar(sa.select(sa.func.count(Heartbeat.id))) == 1)
    number = confirm(5, starts_in=2)
    smtp.wait_for(5, seconds=20)
    wait_until(is_sent(number))
    started = db.session.get_one(Mailing, number)
    assert started.started_at - started.starts_at < timedelta(seconds=10)


@pytest.mark.heavy
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


@pytest.mark.heavy
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
    let_leases_lapse(of=worker)
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


@pytest.mark.heavy
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


@pytest.mark.heavy
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


class Everything:
    """Four web processes and two workers; any of them can be killed and comes back at once."""

    def __init__(self, web: Web, start_worker: Start) -> None:
        self.web, self._start_worker = web, start_worker
        self.workers = [start_worker(), start_worker()]
        self.killed = 0

    def kill_one(self, which: int) -> None:
        """Kill the web (2) or a worker (0, 1), and start it anew."""
        if which == 2:
            self.web.restart()
            return
        victim = self.workers[which]
        victim.kill()
        victim.wait()
        self.killed += 1
        let_leases_lapse(of=victim)
        self.workers[which] = self._start_worker()


@pytest.fixture
def everything(environ: dict[str, str], port: int, start_worker: Start) -> Iterator[Everything]:
    web = Web(environ, port, processes=4)
    web.start()
    yield Everything(web, start_worker)
    web.kill()


def press_send(caller: Caller, url: str, key: str) -> int | None:
    """Send the form of a message; the number of the mailing, None where the server died over it."""
    try:
        fields = {
            "csrf_token": caller.token("/admin/profile"), "idempotency_key": key, "category": "1", "send_email": "1",
            "recall_minutes": "0", "send": "1", "subject_en": "Hello %client_person%", "text_en": "Dear %client_person%.",
            "subject_ru": "", "text_ru": "",
        }  # fmt: skip
        answer = caller.post(url, fields)
    except OSError:
        return None
    assert answer.status == 302, answer.text[:2000]
    return int(answer.location.rpartition("=")[2])


def choose_all(caller: Caller) -> str:
    """Mark all clients in the list, and come to the form of the message."""
    fields = {"csrf_token": caller.token("/admin/clients/"), "action": "message", "all": "1"}
    return caller.post("/admin/clients/action/", fields).location


def staff_caller(app: Flask, port: int) -> Caller:
    """Somebody who may write to all clients, logged in."""
    rights = ("clients.view", "clients.message", "clients.message_all", "mailings.view")
    person = people.staff("nina", *rights, email="nina@desk.example")
    # What this session has begun would keep SQLite from the other one.
    db.session.rollback()
    visitor = app.test_client()
    log_in(visitor, person)
    caller = Caller(port)
    caller.cookies["staff_session"] = visitor.get_cookie("staff_session").value
    return caller


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_killed_at_any_moment_there_is_one_ticket_each_and_a_letter_for_all(
    app: Flask, smtp: MailServer, everything: Everything, port: int
) -> None:
    """Ten thousand recipients; web and workers are killed at twenty random moments, from the pressing of «Send» on."""
    chance, size, kills = random.Random(7), 10_000, 20
    cast.clients(size)
    caller = staff_caller(app, port)
    url = choose_all(caller)
    with ThreadPoolExecutor(1) as pool:
        for moment in (0.05, 0.2, 0.6):
            pressed = pool.submit(press_send, caller, url, "one-key")
            time.sleep(moment)
            everything.kill_one(2)
            pressed.result()
    number = press_send(caller, url, "one-key")
    assert number is not None
    assert db.session.scalars(sa.select(Mailing.id)).all() == [number], "pressed four times, it is one message"
    db.session.rollback()
    for _kill in range(kills - 3):
        time.sleep(chance.uniform(0.3, 4))
        everything.kill_one(chance.randrange(3))
    wait_until(is_sent(number), seconds=1200)
    assert db.session.scalar(sa.select(sa.func.count(Ticket.id))) == size
    assert db.session.scalar(sa.select(sa.func.count(sa.distinct(Ticket.client_id)))) == size
    assert db.session.scalar(sa.select(sa.func.count(TicketMessage.id))) == size
    found = copies(smtp)
    assert len(found) == size
    assert len(smtp.letters) - size <= everything.killed, "a worker has one letter in flight"
    ids: dict[str, set[str]] = {}
    for letter in smtp.letters:
        ids.setdefault(letter.recipients[0], set()).add(letter.message_id)
    assert all(len(each) == 1 for each in ids.values())
    # What this session has begun would keep SQLite from writing that somebody was here.
    db.session.rollback()
    answer = caller.get(f"/admin/mailings/{number}/progress.json")
    assert answer.status == 200, f"{answer.status} {answer.location} {answer.text[:2000]}"
    figures = json.loads(answer.text)
    assert (figures["recipients"], figures["sent"], figures["queued"]) == (size, size, 0)


@pytest.mark.long
@pytest.mark.timeout(600)
def test_twenty_who_press_at_once_in_four_processes_make_one_message(
    app: Flask, environ: dict[str, str], port: int
) -> None:
    """All are led to the same one; so is who presses again after everything was killed and started anew."""
    cast.clients(50)
    caller, web = staff_caller(app, port), Web(environ, port, processes=4)
    try:
        web.start()
        url = choose_all(caller)
        with ThreadPoolExecutor(20) as pool:
            pressed = [pool.submit(press_send, caller, url, "one-key") for _ in range(20)]
            numbers = {each.result() for each in pressed}
        web.restart()
        numbers.add(press_send(caller, url, "one-key"))
        other = press_send(caller, url, "other-key")
    finally:
        web.kill()
    assert len(numbers) == 1
    assert None not in numbers
    assert other not in numbers
    assert db.session.scalar(sa.select(sa.func.count(Mailing.id))) == 2


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_four_workers_with_a_slow_server_never_share_a_letter(smtp: MailServer, start_worker: Start) -> None:
    """Five thousand letters; the server takes from nothing up to two seconds for each, mostly little."""
    chance, size = random.Random(11), 5000
    number = confirm(size)
    smtp.dawdle = lambda: 2 * chance.random() ** 12
    for _ in range(4):
        start_worker()
    wait_until(is_sent(number), seconds=1500)
    assert len(copies(smtp)) == size
    assert set(copies(smtp).values()) == {1}
    assert db.session.scalar(sa.select(sa.func.max(OutboundEmail.attempts))) == 1


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize(("rate", "delay"), [("60", 0.0), ("0", 1.0)], ids=["a limit of one a second", "a slow server"])
def test_an_answer_leaves_within_ten_seconds_while_ten_thousand_letters_wait(
    smtp: MailServer, start_worker: Start, environ: dict[str, str], rate: str, delay: float
) -> None:
    confirm(10_000)
    environ["MAIL_RATE"], smtp.delay = rate, delay
    start_worker()
    smtp.wait_for(5, seconds=60)
    letters.queue(
        template="mailing_test", to="waiting@client.example", language="en", project=people.first(Project),
        context={"subject": "An answer", "text": "Hello", "recipient": "Anna"}, now=now(),
    )  # fmt: skip
    db.session.commit()
    begun = time.monotonic()
    while not smtp.to("waiting@client.example"):
        assert time.monotonic() - begun < 10
        time.sleep(0.05)
    assert len(smtp.letters) < 10_000


@pytest.mark.long
@pytest.mark.timeout(600)
def test_who_shares_an_address_gets_a_letter_of_his_own_with_his_own_data(
    smtp: MailServer, start_worker: Start
) -> None:
    """A thousand letters by four workers, fifty addresses that two clients have; some marked twice."""
    size, shared = 1000, 50
    ids = cast.clients(size)
    for one, other in zip(ids[:shared], ids[shared : 2 * shared], strict=True):
        db.session.execute(sa.update(Client).where(Client.id == other).values(email=f"client-{one}@client.example"))
    number = cast.confirm([*ids, *ids[:20]]).id
    db.session.rollback()
    for _ in range(4):
        start_worker()
    wait_until(is_sent(number), seconds=300)
    expected = {f"client-{n}@client.example": [n] for n in [*ids[:shared], *ids[2 * shared :]]}
    for one, other in zip(ids[:shared], ids[shared : 2 * shared], strict=True):
        expected[f"client-{one}@client.example"].append(other)
    got: dict[str, list[int]] = {}
    for letter in smtp.letters:
        assert len(letter.recipients) == 1
        assert letter.message["To"].addresses[0].addr_spec == letter.recipients[0]
        assert letter.message["Cc"] is letter.message["Bcc"] is None
        [named] = set(re.findall(r"Person (\d+)", f"{letter.subject} {letter.text} {letter.html}"))
        got.setdefault(letter.recipients[0], []).append(int(named))
    assert {address: sorted(names) for address, names in got.items()} == expected
    assert db.session.scalar(sa.select(sa.func.count(Ticket.id))) == size


@pytest.mark.long
@pytest.mark.timeout(300)
def test_four_workers_keep_the_limit_of_a_domain_and_hold_up_no_other(
    smtp: MailServer, start_worker: Start, environ: dict[str, str]
) -> None:
    """Sixty a minute to one domain: in no minute more of them; those to another domain are through at once."""
    environ["MAIL_RATE_PER_DOMAIN"] = "60"
    arrived: dict[str, list[float]] = {"large.example": [], "small.example": []}
    smtp.on_letter = lambda letter: arrived[letter.recipients[0].rpartition("@")[2]].append(time.monotonic())
    ids = cast.clients(130)
    for number in ids:
        domain = "small.example" if number in ids[:30] else "large.example"
        db.session.get_one(Client, number).email = f"client{number}@{domain}"
    db.session.commit()
    number = cast.confirm(ids).id
    db.session.rollback()
    for _ in range(4):
        start_worker()
    wait_until(lambda: len(arrived["small.example"]) == 30, seconds=60)
    assert len(arrived["large.example"]) < 100, "the others need not wait for these"
    wait_until(is_sent(number), seconds=150)
    times = sorted(arrived["large.example"])
    assert len(times) == 100
    busiest = max(sum(1 for other in times if 0 <= other - at < 59) for at in times)
    assert busiest <= 60
    assert set(copies(smtp).values()) == {1}

"""The clock of violations: before, at and after the deadline, twice, by several workers, killed, and held."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

import jobs
from extensions import Clock, db, now
from models import (
    Client,
    ClientUser,
    Staff,
    Ticket,
    TicketStatus,
    TripReason,
    Violation,
    ViolationStatus,
    ViolationTry,
)
from operations import (
    breaker,
    deletion,
    erasing,
    merge_undoing,
    merging,
    points,
    suspensions,
    tickets,
    violation_clock,
    violation_steering,
)
from operations.errors import OperationRefused
from tests import factories as make
from tests.conftest import ROOT
from tests.support import violations as v
from tests.support.processes import Web

pytestmark = pytest.mark.usefixtures("session")
Start = Callable[[], "subprocess.Popen[bytes]"]


def test_before_the_deadline_nothing_happens(clock: Clock) -> None:
    number = v.violation(hours=1)
    clock.move(minutes=59)
    v.work()
    assert v.found(number).status is ViolationStatus.OPEN
    assert v.letters() == []


def test_at_the_deadline_services_are_stopped_and_the_client_is_told(clock: Clock) -> None:
    clock.set(now().replace(microsecond=0))
    owner = v.client_with_services(2)
    number = v.violation(owner, hours=1)
    clock.move(hours=1)
    v.work()
    done = v.found(number)
    assert (done.status, done.executed_at) == (ViolationStatus.EXECUTED, now())
    assert v.services_of(owner.id) == [("suspended", "violation", number)] * 2
    client = db.session.get_one(Client, owner.id)
    assert (client.active_services, client.is_suspended) == (0, True)
    v.each_once([number], services=2)
    [letter] = v.letters()
    assert letter.recipient == client.email
    assert len(letter.context["services"]) == 2
    [event] = v.events("execute")
    assert event.after["status"] == "executed"
    assert event.actor == "system"


def test_a_second_time_nothing_more_happens() -> None:
    number = v.violation()
    for _round in range(3):
        v.work()
    v.each_once([number], services=2)
    assert not violation_clock.execute(number, now=now())
    db.session.rollback()


@pytest.mark.parametrize("days", [1 / 86_400, 1 / 24, 3])
def test_what_was_missed_while_all_were_down_is_caught_up_once(clock: Clock, days: float) -> None:
    number = v.violation(hours=days * 12)
    clock.move(days=days)
    v.work()
    v.work()
    v.each_once([number], services=2)
    assert v.trip() is None, "time when all was down is no jump"


def test_one_service_alone_is_stopped() -> None:
    owner = v.client_with_services(1)
    other = make.service(owner)
    number = v.violation(owner, action="suspend_service", service_id=other.id)
    v.work()
    assert v.services_of(owner.id) == [("active", None, None), ("suspended", "violation", number)]


def test_what_is_stopped_for_debt_stays_so_and_is_not_marked() -> None:
    owner = v.client_with_services(1)
    make.service(owner, status="suspended")
    number = v.violation(owner)
    v.work()
    assert v.services_of(owner.id) == [("suspended", "violation", number), ("suspended", "unpaid", None)]
    assert len(v.letters()[0].context["services"]) == 1


def test_to_active_requests() -> None:
    owner = v.client_with_services(1)
    number = v.violation(owner, action="to_active")
    ticket = db.session.get_one(Ticket, v.found(number).ticket_id)
    ticket.status = TicketStatus.CLOSED
    db.session.commit()
    v.work()
    assert db.session.get_one(Ticket, ticket.id).status is TicketStatus.WAITING_STAFF
    assert v.services_of(owner.id) == [("active", None, None)]
    assert v.found(number).status is ViolationStatus.EXECUTED
    assert len(v.letters()) == 1


def test_a_deleted_client_is_left_alone_until_he_is_back() -> None:
    owner = v.client_with_services(1)
    number = v.violation(owner)
    owner.deleted_at = now()
    db.session.commit()
    v.work()
    assert v.found(number).status is ViolationStatus.OPEN
    assert not violation_clock.execute(number, now=now())
    db.session.get_one(Client, owner.id).deleted_at = None
    db.session.commit()
    v.work()
    v.each_once([number])


# Half-way


def test_the_reminder_goes_out_half_way_once_and_nothing_else(clock: Clock) -> None:
    owner = v.client_with_services(2)
    number = v.violation(owner, hours=10, remind_at=now() + timedelta(hours=5))
    clock.move(hours=4)
    v.work()
    assert v.letters("violation_reminder") == []
    clock.move(hours=2)
    v.work()
    v.work()
    [letter] = v.letters("violation_reminder")
    assert len(letter.context["services"]) == 2
    assert v.found(number).status is ViolationStatus.OPEN
    assert v.found(number).reminded_at is not None
    assert v.services_of(owner.id) == [("active", None, None)] * 2


def test_no_reminder_after_an_answer_nor_where_the_deadline_has_passed_as_well(clock: Clock) -> None:
    answered = v.violation(hours=10, remind_at=now() + timedelta(hours=5), status="answered")
    missed = v.violation(hours=10, remind_at=now() + timedelta(hours=5), action="to_active")
    clock.move(hours=11)
    v.work()
    assert v.letters("violation_reminder") == []
    assert (v.found(answered).status.value, v.found(missed).status.value) == ("answered", "executed")


# What fails


def test_one_that_fails_is_put_off_and_staff_are_told_after_three_times(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    make.staff("boss", make.role("boss", "violations.edit"), email="boss@desk.example")
    bad, good = v.violation(), v.violation()
    real = suspensions.suspend

    def fails(*which: Any, violation_id: int | None = None, **more: Any) -> Any:
        done = real(*which, violation_id=violation_id, **more)
        if violation_id == bad:
            raise RuntimeError("the panel of the server does not answer")
        return done

    monkeypatch.setattr(suspensions, "suspend", fails)
    v.work()
    assert v.found(bad).status is ViolationStatus.OPEN
    assert v.found(good).status is ViolationStatus.EXECUTED
    assert db.session.get_one(ViolationTry, bad).attempts == 1
    v.work()
    assert db.session.get_one(ViolationTry, bad).attempts == 1, "it waits"
    for _time in range(2):
        clock.move(hours=1)
        v.work()
    [letter] = v.letters("violation_failing")
    assert letter.recipient == "boss@desk.example"
    assert "does not answer" in letter.context["error"]
    monkeypatch.setattr(suspensions, "suspend", real)
    clock.move(hours=1)
    v.work()
    v.each_once([bad, good], services=2)
    assert db.session.scalars(sa.select(ViolationTry)).all() == []


# The breaker


def test_more_than_twenty_at_once_are_held_until_staff_confirm() -> None:
    boss = make.staff("boss", make.role("boss", "violations.edit"), email="boss@desk.example")
    make.clients([f"Quiet {number}" for number in range(600)])
    ids = v.many(21)
    v.work()
    v.work()
    assert {v.found(number).status for number in ids} == {ViolationStatus.OPEN}
    assert v.events("suspend", "services") == []
    tripped = v.trip()
    assert tripped is not None
    assert (tripped.reason, tripped.clients) == (TripReason.MANY, 21)
    assert [letter.recipient for letter in v.letters("violations_held")] == ["boss@desk.example"]
    # One that falls due meanwhile waits as well.
    late = v.violation()
    v.work()
    assert v.found(late).held_at is not None
    assert confirm(boss, count=21, refused=True)
    assert confirm(boss, count=22) == (22, 0)
    v.work()
    assert {v.found(number).status for number in [*ids, late]} == {ViolationStatus.EXECUTED}
    assert v.trip() is None
    assert len(v.events("release")) == 22


def confirm(boss: Staff, *, count: int, refused: bool = False) -> Any:
    until = db.session.scalar(sa.select(sa.func.max(Violation.held_at)))
    try:
        done = breaker.confirm(by=boss, count=count, until=until, now=now())
    except OperationRefused:
        db.session.rollback()
        return refused
    db.session.commit()
    return done


def test_twenty_go_through() -> None:
    make.clients([f"Quiet {number}" for number in range(600)])
    ids = v.many(20)
    v.work()
    v.each_once(ids)
    assert v.trip() is None


def test_five_per_cent_and_at_least_five() -> None:
    make.clients([f"Quiet {number}" for number in range(90)])
    four = v.many(4)
    v.work()
    v.each_once(four)
    ids = v.many(6)
    v.work()
    assert v.trip() is not None
    assert {v.found(number).status for number in ids} == {ViolationStatus.OPEN}


def test_settings_raise_the_breaker() -> None:
    v.setting("breaker_clients", 1000)
    v.setting("breaker_percent", 100)
    ids = v.many(40)
    v.work()
    v.each_once(ids)


def test_a_clock_set_a_day_ahead_stops_nobody_until_staff_confirm(clock: Clock) -> None:
    boss = make.staff("boss", make.role("boss", "violations.edit"), email="boss@desk.example")
    number = v.violation(hours=20, remind_at=now() + timedelta(hours=10))
    worker, other = jobs.Worker(), jobs.Worker()
    for each in (worker, other):
        each.look_after_violations()
    clock.move(days=1)
    for each in (other, worker, jobs.Worker(), worker):
        each.look_after_violations()
    assert v.found(number).status is ViolationStatus.OPEN
    assert v.letters("violation_reminder") == []
    tripped = v.trip()
    assert tripped is not None
    assert tripped.reason is TripReason.CLOCK
    assert len(v.letters("violations_held")) == 1
    # Set right again: what is not due goes back to waiting, by a person's word.
    clock.move(days=-1)
    worker.look_after_violations()
    assert v.trip() is not None
    assert confirm(boss, count=1) == (0, 1)
    assert v.trip() is None
    worker.look_after_violations()
    assert v.found(number).status is ViolationStatus.OPEN
    assert v.found(number).held_at is None


def test_confirmed_a_clock_that_is_right_after_all_goes_on(clock: Clock) -> None:
    boss = make.staff("boss", make.role("boss", "violations.edit"))
    number = v.violation(hours=20)
    worker = jobs.Worker()
    worker.look_after_violations()
    clock.move(days=1)
    worker.look_after_violations()
    assert confirm(boss, count=1) == (1, 0)
    worker.look_after_violations()
    v.each_once([number], services=2)


def test_an_answer_saves_also_who_is_held(clock: Clock) -> None:
    make.clients([f"Quiet {number}" for number in range(90)])
    ids = v.many(6)
    v.work()
    violation = v.found(ids[0])
    make.user(db.session.get_one(Client, violation.client_id), "late", is_owner=True)
    db.session.commit()
    assert reply(violation.ticket_id, violation.client_id) == "answered"
    assert v.found(ids[0]).held_at is None


def test_while_the_feature_is_off_nothing_is_done_and_afterwards_it_is_asked_first() -> None:
    boss = make.staff("boss", make.role("boss", "violations.edit"))
    v.switch(False)
    number = v.violation(remind_at=now())
    v.work()
    v.switch(True)
    v.work()
    assert v.found(number).status is ViolationStatus.OPEN
    tripped = v.trip()
    assert tripped is not None
    assert tripped.reason is TripReason.OFF
    assert confirm(boss, count=1) == (1, 0)
    v.work()
    v.each_once([number], services=2)


# Races


def reply(ticket_id: int, client_id: int) -> str:
    """Answer as the client's owner; what the violation is then."""
    ticket = db.session.get_one(Ticket, ticket_id)
    user = db.session.scalars(sa.select(ClientUser).where(ClientUser.client_id == client_id)).first()
    tickets.reply(ticket, text="It is gone.", by=user, now=now())
    db.session.commit()
    return db.session.scalars(sa.select(Violation.status).where(Violation.ticket_id == ticket_id)).one().value


def at_once(app: Flask, *verbs: Callable[[], Any]) -> list[Any]:
    """Let each verb run in a thread of its own, all from the same moment; what each gave, or its refusal."""
    barrier = threading.Barrier(len(verbs))
    db.session.rollback()

    def run(verb: Callable[[], Any]) -> Any:
        with app.app_context():
            barrier.wait(30)
            try:
                given = verb()
                db.session.commit()
            except OperationRefused as refusal:
                db.session.rollback()
                return refusal
            else:
                return given
            finally:
                db.session.remove()

    with ThreadPoolExecutor(len(verbs)) as pool:
        return list(pool.map(run, verbs))


def race_of_reply(app: Flask, trials: int) -> dict[str, int]:
    """Let them meet so often; who came first starts 2 ms later the next time, so that on any machine both win."""
    counts, late_by = {"answered": 0, "executed": 0}, 0.0

    def execute(number: int, later: float) -> None:
        time.sleep(max(later, 0))
        violation_clock.execute(number, now=now())

    def answer(ticket_id: int, client_id: int, later: float) -> None:
        time.sleep(max(later, 0))
        reply(ticket_id, client_id)

    for _trial in range(trials):
        owner = v.client_with_services(1)
        number = v.violation(owner)
        ticket_id, client_id = v.found(number).ticket_id, owner.id
        at_once(app, lambda: answer(ticket_id, client_id, -late_by), lambda: execute(number, late_by))  # noqa: B023
        v.work()
        outcome = v.found(number).status.value
        stopped = v.services_of(client_id) == [("suspended", "violation", number)]
        assert (outcome == "executed") == stopped
        said = [letter for letter in v.letters() if letter.client_id == client_id]
        assert len(said) == int(stopped)
        counts[outcome] += 1
        late_by += 0.002 if outcome == "executed" else -0.002
    return counts


def test_of_an_answer_and_the_deadline_one_comes_first(app: Flask) -> None:
    counts = race_of_reply(app, 12)
    assert sum(counts.values()) == 12


@pytest.mark.long
@pytest.mark.timeout(900)
def test_of_an_answer_and_the_deadline_one_comes_first_five_hundred_times(app: Flask) -> None:
    counts = race_of_reply(app, 500)
    assert sum(counts.values()) == 500
    assert all(counts.values()), counts


@pytest.mark.parametrize("verb", ["extend", "resolve", "cancel"])
def test_of_what_staff_do_and_the_deadline_one_comes_first(app: Flask, verb: str) -> None:
    """After staff have resolved, nothing is stopped; where the clock came first, they are told so."""
    for _trial in range(6):
        owner = v.client_with_services(1)
        number, client_id = v.violation(owner), owner.id

        def steer(number: int = number) -> str:
            violation = db.session.get_one(Violation, number)
            more: dict[str, datetime] = {"deadline": now() + timedelta(days=1)} if verb == "extend" else {}
            getattr(violation_steering, verb)(violation, now=now(), **more)
            return "done"

        said, _done = at_once(app, steer, lambda number=number: violation_clock.execute(number, now=now()))
        v.work()
        status = v.found(number).status.value
        stopped = v.services_of(client_id)[0][0] == "suspended"
        assert stopped == (status == "executed")
        if isinstance(said, OperationRefused):
            assert status == "executed"
            assert "came first" in said.message
        else:
            assert status == {"extend": "open", "resolve": "resolved", "cancel": "cancelled"}[verb]


def test_who_deletes_a_client_waits_for_the_clock_that_is_at_its_violation(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is stopped once the deletion is committed."""
    owner = v.client_with_services(2)
    number, client_id = v.violation(owner), owner.id
    real, deleted, threads = suspensions.suspend, threading.Event(), []

    def delete() -> None:
        with app.app_context():
            deletion.delete_one(db.session.get_one(Client, client_id), now=now())
            db.session.commit()
            deleted.set()

    def suspend(*which: Any, **more: Any) -> Any:
        threads.append(threading.Thread(target=delete))
        threads[0].start()
        assert not deleted.wait(0.5)
        return real(*which, **more)

    monkeypatch.setattr(suspensions, "suspend", suspend)
    assert violation_clock.execute(number, now=now())
    db.session.commit()
    threads[0].join(10)
    assert deleted.is_set()
    v.each_once([number], services=2)


@pytest.mark.parametrize("what", ["merges", "takes a merging back", "erases"])
def test_who_is_at_a_whole_client_and_the_clock_do_not_wait_crosswise(app: Flask, what: str) -> None:
    """The clock, as an answer, locks a ticket before its client; so does who moves or removes all that hangs on it."""
    owner, other, by = v.client_with_services(1), make.client("Double"), make.staff("tidy")
    number, ids, tidy = v.violation(owner), (owner.id, other.id), by.id
    if what == "takes a merging back":
        merging.merge(kept_id=ids[0], other_id=ids[1], choices={}, by=by, now=now())
        db.session.commit()

    def act() -> None:
        staff = db.session.get_one(Staff, tidy)
        if what == "merges":
            merging.merge(kept_id=ids[1], other_id=ids[0], choices={}, by=staff, now=now())
        elif what == "erases":
            erasing.erase(db.session.get_one(Client, ids[0]), confirmation=str(ids[0]), by=staff, now=now())
        else:
            record = merge_undoing.latest(ids[0])
            assert record is not None
            merge_undoing.undo(record, by=staff, now=now())

    told: list[str] = []
    ended = threading.Event()

    def run() -> None:
        with app.app_context():
            try:
                act()
                db.session.commit()
                told.append("done")
            except OperationRefused as refusal:
                told.append(refusal.message)
        ended.set()

    ticket = sa.select(Violation.ticket_id).where(Violation.id == number).scalar_subquery()
    assert db.session.scalar(sa.select(Ticket.id).where(Ticket.id == ticket).with_for_update())
    other_one = threading.Thread(target=run)
    other_one.start()
    assert not ended.wait(0.5)
    assert violation_clock.execute(number, now=now())
    db.session.commit()
    other_one.join(30)
    if what == "takes a merging back":
        assert len(told) == 1
        assert "changed since" in told[0]
    else:
        assert told == ["done"]
        assert ids[0] not in set(db.session.scalars(sa.select(Client.id).where(Client.deleted_at.is_(None))))


def test_two_workers_at_once(app: Flask) -> None:
    make.clients([f"Quiet {number}" for number in range(600)])
    ids = v.many(20)
    at_once(app, *[lambda: jobs.Worker().look_after_violations()] * 3)
    v.each_once(ids)


def test_of_one_client_several_things_at_once(app: Flask) -> None:
    """Two deadlines, points over the limit and a resolving wait for each other, and none crosswise."""
    v.setting("penalty_limit", 1)
    staff = make.staff("giver")
    for _trial in range(4):
        owner = v.client_with_services(3)
        numbers, client_id, giver = [v.violation(owner) for _each in range(3)], owner.id, staff.id

        def give(client_id: int = client_id, giver: int = giver) -> None:
            client, by = db.session.get_one(Client, client_id), db.session.get_one(Staff, giver)
            points.give(client, points=2, comment="spam", by=by, now=now())

        def resolve(number: int = numbers[2]) -> None:
            violation_steering.resolve(db.session.get_one(Violation, number), now=now())

        at_once(
            app,
            lambda number=numbers[0]: violation_clock.execute(number, now=now()),
            lambda number=numbers[1]: violation_clock.execute(number, now=now()),
            give,
            resolve,
        )
        v.work()
        assert [v.found(number).status.value for number in numbers] == ["executed", "executed", "resolved"]
        found = v.services_of(client_id)
        assert len(set(found)) == 1, "one of them has stopped all"
        assert found[0][:2] == ("suspended", "violation")


# Real processes


@pytest.fixture
def start_worker(environ: dict[str, str]) -> Iterator[Start]:
    """Start `flask --app app worker`; whatever still runs at the end is killed."""
    started: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        db.session.rollback()
        command = [sys.executable, "-m", "flask", "--app", "app", "worker"]
        zone = ["Europe/Moscow", "America/New_York", "Asia/Kathmandu"][len(started) % 3]
        worker = subprocess.Popen(
            command, cwd=ROOT, env={"PATH": os.environ["PATH"], **environ, "TZ": zone}, stderr=subprocess.DEVNULL
        )
        started.append(worker)
        return worker

    yield start
    for worker in started:
        worker.kill()
        worker.wait()


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


def all_executed(ids: list[int]) -> Callable[[], bool]:
    left = sa.select(sa.func.count()).select_from(Violation).where(
        Violation.id.in_(ids), Violation.status != ViolationStatus.EXECUTED
    )  # fmt: skip
    return lambda: db.session.scalar(left) == 0


@pytest.mark.heavy
def test_two_hundred_fall_due_and_three_workers_and_four_web_processes_are_there(
    environ: dict[str, str], port: int, start_worker: Start
) -> None:
    v.setting("breaker_clients", 1000)
    v.setting("breaker_percent", 100)
    ids = v.many(200, deadline_in=timedelta(seconds=6))
    web = Web(environ, port, processes=4)
    try:
        web.start()
        for _worker in range(3):
            start_worker()
        wait_until(all_executed(ids))
    finally:
        web.kill()
    v.each_once(ids)


@pytest.mark.heavy
def test_killed_in_the_middle_each_is_still_stopped_once(start_worker: Start) -> None:
    v.setting("breaker_clients", 1000)
    v.setting("breaker_percent", 100)
    ids = v.many(150, services=2)
    some = sa.select(sa.func.count()).select_from(Violation).where(Violation.status == ViolationStatus.EXECUTED)
    for kill in range(2):
        worker = start_worker()
        wait_until(lambda least=kill * 20 + 1: db.session.scalar(some) >= least)
        worker.kill()
        worker.wait()
    start_worker()
    wait_until(all_executed(ids))
    v.each_once(ids, services=2)

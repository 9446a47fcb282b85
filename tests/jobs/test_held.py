"""A copy that is put back, or a clone, does nothing by itself; a desk that was only down does all of it once."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

import jobs
from extensions import Clock, db, now
from models import (
    AuditEvent,
    Client,
    DeskHold,
    DeskMark,
    EmailStatus,
    Mailing,
    MailingRecipient,
    MailingStatus,
    OutboundEmail,
    Project,
    TripReason,
    Violation,
    ViolationStatus,
)
from operations import desk_hold, desk_mark, letter_queue, letters
from operations.errors import OperationRefused
from tests import factories as make
from tests.conftest import close
from tests.jobs.test_delivery_workers import Start, start_worker, wait_until
from tests.support import mailings as messages
from tests.support import violations as v
from tests.support.mail import MailServer

pytestmark = pytest.mark.usefixtures("session")
__all__ = ["start_worker"]


class Copies:
    """The copy that was made of the database, and putting it back."""

    def __init__(self, app: Flask, store: Any) -> None:
        self._app, self._store = app, store

    def save(self) -> None:
        db.session.rollback()
        if db.engine.dialect.name == "postgresql":
            close(self._app)
        self._store.save()

    def put_back(self) -> None:
        close(self._app)
        self._store.put_back()


@pytest.fixture
def copies(app: Flask, engine: str, _databases: Callable[[str], Any]) -> Copies:
    return Copies(app, _databases(engine))


@pytest.fixture
def queued() -> Iterator[int]:
    """A letter that is due, a violation whose deadline has passed and whose client has a service; the violation's id."""
    write("one@client.example")
    number = v.violation(v.client_with_services(1))
    db.session.commit()
    yield number
    db.session.rollback()


def write(to: str, *, later: float = 0) -> int:
    """A letter in the queue, written so many seconds from now; its id."""
    words = {"subject": "Letter", "text": "Hello", "recipient": "Anna"}
    made = letters.queue(template="mailing_test", to=to, language="en", project=make.first(Project), context=words,
                         now=now())  # fmt: skip
    made.created_at = now() + timedelta(seconds=later)
    db.session.commit()
    return made.id


def hold() -> DeskHold | None:
    db.session.rollback()
    return desk_hold.current()


def look() -> bool:
    return desk_mark.Watch().look(now=now())


def release(*, drop: bool = False, watch: desk_mark.Watch | None = None) -> desk_hold.Waiting:
    """Release what is held, as whoever has seen the figures; then a worker looks."""
    found, moment = desk_hold.current(), now()
    assert found is not None
    figures = desk_hold.waiting(found, until=moment).figures
    done = desk_hold.release(found.id, figures=figures, until=moment, drop=drop, by=None, now=moment)
    db.session.commit()
    assert (watch or desk_mark.Watch()).look(now=now())
    return done


def sent(smtp: MailServer) -> int:
    return len(smtp.letters)


def status(number: int) -> str:
    db.session.rollback()
    return v.found(number).status.value


# What is no copy


def test_time_when_all_were_down_holds_nothing_and_what_fell_due_is_done_once(
    smtp: MailServer, queued: int, clock: Clock
) -> None:
    for _start in range(2):
        assert look()
    clock.move(days=3)
    jobs.run_once()
    jobs.run_once()
    assert hold() is None
    assert status(queued) == "executed"
    assert sent(smtp) == 2, "the letter, and what tells the client that his service is stopped"


def test_killed_between_the_two_writes_it_goes_on(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """First thing of all, and later: the database may be ahead of the file, but never behind."""
    for _time in range(2):
        real = desk_mark._note
        monkeypatch.setattr(desk_mark, "_note", killed_after(real if _time == 0 else None))
        with pytest.raises(SystemExit):
            look()
        monkeypatch.undo()
        db.session.rollback()
        assert look()
    assert hold() is None
    [file] = (data_dir / desk_mark.DIRECTORY).iterdir()
    assert json.loads(file.read_text())["beats"] == db.session.scalar(sa.select(DeskMark.beats))
    assert file.stat().st_mode & 0o077 == 0


def killed_after(real: Any) -> Any:
    def killed(*arguments: Any, **more: Any) -> None:
        if real is not None:
            real(*arguments, **more)
        raise SystemExit

    return killed


def test_several_workers_raise_one_mark(app: Flask) -> None:
    watches = [desk_mark.Watch() for _number in range(4)]
    assert watches[0].look(now=now())
    db.session.remove()
    start, answers = threading.Barrier(4), []

    def work(watch: desk_mark.Watch) -> None:
        with app.app_context():
            start.wait()
            answers.extend(watch.look(now=now()) for _time in range(5))

    threads = [threading.Thread(target=work, args=[watch]) for watch in watches]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [True] * 20
    assert db.session.scalar(sa.select(DeskMark.beats)) == 21


def test_files_that_moved_on_their_disk_are_the_same(
    make_app: Callable[..., Flask], data_dir: Path, tmp_path: Path
) -> None:
    assert look()
    marks, elsewhere = data_dir / desk_mark.DIRECTORY, data_dir / "elsewhere"
    elsewhere.mkdir()
    marks.rename(elsewhere / desk_mark.DIRECTORY)
    with make_app(DATA_DIR=str(elsewhere)).app_context():
        assert look()


# What is one


def test_an_older_copy_does_nothing_until_staff_confirm(
    app: Flask, smtp: MailServer, queued: int, copies: Copies, clock: Clock
) -> None:
    look()
    copies.save()
    jobs.run_once()
    assert (sent(smtp), status(queued)) == (2, "executed")
    worker, last = jobs.Worker(), now()
    worker.keep_mark()
    clock.move(days=1)
    copies.put_back()
    # Nobody has looked yet, and already nothing can be claimed.
    assert letter_queue.claim(worker="quick", limit=9, now=now()) == []
    assert not desk_mark.is_free()
    worker.deliver()
    worker.look_after_violations()
    for _round in range(2):
        jobs.run_once()
    assert (sent(smtp), status(queued)) == (2, "open")
    found = hold()
    assert found is not None
    assert found.reason.value == "older"
    assert last <= found.before < now() - timedelta(hours=23), "when the other was last seen to live"
    assert app.test_client().get("/readyz").text == "ok\nheld\n"
    assert "clientdesk_held 1.0" in app.test_client().get("/metrics").text
    waiting = release()
    assert (waiting.letters, waiting.deadlines, waiting.services) == (1, 1, 1)
    jobs.run_once()
    assert (sent(smtp), status(queued)) == (4, "executed")
    assert app.test_client().get("/readyz").text == "ok\n"
    events = db.session.scalars(sa.select(AuditEvent.action).where(AuditEvent.action.like("%_desk"))).all()
    assert events == ["hold_desk", "release_desk"]


def test_a_copy_from_before_the_first_worker_is_known_as_well(queued: int, copies: Copies) -> None:
    copies.save()
    look()
    copies.put_back()
    assert not look()
    assert status(queued) == "open"


def test_released_without_doing_again_what_the_other_has_done(smtp: MailServer, queued: int, copies: Copies) -> None:
    begun = messages.confirm(messages.clients(3)).id
    jobs.start_mailings()
    waits = messages.confirm([1], by=make.staff(), starts_in=0).id
    later = messages.confirm([1], by=make.staff(), starts_in=3600).id
    reminded = v.violation(hours=5, remind_at=now() - timedelta(minutes=1))
    look()
    copies.save()
    look()
    copies.put_back()
    jobs.run_once()
    new = write("new@client.example", later=1)
    waiting = release(drop=True)
    assert (waiting.old_letters, waiting.letters, waiting.old_mailings, waiting.mailings) == (4, 4, 2, 3)
    jobs.run_once()
    assert db.session.get_one(OutboundEmail, new).status is EmailStatus.SENT
    assert [letter.recipients for letter in smtp.letters] == [("new@client.example",)]
    mailings = {one: db.session.get_one(Mailing, one).status for one in (begun, waits, later)}
    assert list(mailings.values()) == [MailingStatus.CANCELLED, MailingStatus.CANCELLED, MailingStatus.SCHEDULED]
    of_both = MailingRecipient.mailing_id.in_([begun, waits])
    outcomes = db.session.scalars(sa.select(MailingRecipient.outcome).where(of_both))
    assert {outcome.value for outcome in outcomes} == {"cancelled"}
    tripped = v.trip()
    assert tripped is not None
    assert tripped.reason is TripReason.COPY
    assert v.found(queued).held_at is not None
    assert v.found(queued).status is ViolationStatus.OPEN
    assert v.found(reminded).remind_at is None
    assert v.letters("violation_reminder") == []


def test_a_clone_and_files_that_were_copied_do_nothing(
    make_app: Callable[..., Flask], smtp: MailServer, queued: int, data_dir: Path, tmp_path: Path
) -> None:
    assert look()
    elsewhere, copied = tmp_path / "elsewhere", tmp_path / "copied"
    shutil.copytree(data_dir, copied)
    [mark] = (copied / desk_mark.DIRECTORY).iterdir()
    for place, reason in ((elsewhere, "unknown"), (copied, "copied")):
        with make_app(DATA_DIR=str(place)).app_context():
            jobs.run_once()
            found = hold()
            assert found is not None
            assert found.reason.value == reason
            assert (sent(smtp), status(queued)) == (0, "open")
            db.session.execute(sa.delete(DeskHold))
            db.session.commit()
    # Where the numbers of a file system are not to be relied on, they can be left out.
    mark.write_text(json.dumps({**json.loads(mark.read_text()), "place": None}))
    with make_app(DATA_DIR=str(copied)).app_context():
        assert look()
        assert json.loads(mark.read_text())["place"] is None


def test_machines_with_files_of_their_own_ask_once(make_app: Callable[..., Flask], tmp_path: Path) -> None:
    here, there = desk_mark.Watch(), desk_mark.Watch()
    other = make_app(DATA_DIR=str(tmp_path / "other"))
    assert here.look(now=now())
    with other.app_context():
        assert not there.look(now=now())
    assert not here.look(now=now())
    release(watch=here)
    with other.app_context():
        assert there.look(now=now())
        assert look()
    assert here.look(now=now())
    assert look()


def test_nothing_else_is_done_by_the_clock(
    make_app: Callable[..., Flask], tmp_path: Path, data_dir: Path, clock: Clock
) -> None:
    """No letter is fetched, none handled or forgotten, nobody erased, no file removed."""
    for name in ("new", "cur", "tmp"):
        (tmp_path / name).mkdir()
    (tmp_path / "new" / "one").write_text("From: a@b.example\nSubject: Hello\n\nHello\n")
    gone = make.client(deleted_at=now() - timedelta(days=40)).id
    make.letter_in(make.client(), outcome="waiting", digest="w" * 64)
    db.session.commit()
    orphan = data_dir / "attachments" / "orphan"
    orphan.parent.mkdir(exist_ok=True)
    orphan.write_text("of the newer database")
    with make_app(INBOUND_URL=f"maildir:{tmp_path}").app_context():
        assert look()
        desk_hold.hold_by_hand(now=now())
        db.session.commit()
        clock.move(days=3)
        waiting = desk_hold.waiting(desk_hold.current(), until=now())  # type: ignore[arg-type]
        assert (waiting.erasures, waiting.incoming) == (1, 1)
        worker = jobs.Worker()
        for sweep in (jobs.run_once, worker.take_in_letters, worker.deliver):
            sweep()
        assert (tmp_path / "new" / "one").exists()
        assert orphan.exists()
        assert db.session.get(Client, gone) is not None
        release()
        jobs.run_once()
        assert not (tmp_path / "new" / "one").exists()
        assert not orphan.exists()
        db.session.rollback()
        assert db.session.get(Client, gone, populate_existing=True) is None


def test_it_listens_to_nobody(make_app: Callable[..., Flask]) -> None:
    from tests.support import mail

    with mail.listening_socket() as probe:
        port = probe.getsockname()[1]
    with make_app(INBOUND_URL=f"lmtp://127.0.0.1:{port}").app_context():
        worker = jobs.Worker()
        assert worker.listener is not None
        try:
            assert worker.listener.listen()
            desk_hold.hold_by_hand(now=now())
            db.session.commit()
            assert not worker.listener.listen()
            with pytest.raises(ConnectionRefusedError):
                mail.socket.create_connection(("127.0.0.1", port))
        finally:
            worker.listener.close()


# Two at once, and the real thing


def test_of_two_who_release_one_does(app: Flask, queued: int) -> None:
    look()
    desk_hold.hold_by_hand(now=now())
    db.session.commit()
    found, moment = desk_hold.current(), now()
    assert found is not None
    figures, number = desk_hold.waiting(found, until=moment).figures, found.id
    with pytest.raises(OperationRefused, match="held already"):
        desk_hold.hold_by_hand(now=now())
    with pytest.raises(OperationRefused, match="changed"):
        desk_hold.release(number, figures="1", until=moment, drop=False, by=None, now=now())
    db.session.remove()
    start, answers = threading.Barrier(2), []

    def work() -> None:
        with app.app_context():
            start.wait()
            try:
                desk_hold.release(number, figures=figures, until=moment, drop=True, by=None, now=now())
                db.session.commit()
                answers.append("released")
            except OperationRefused as refusal:
                db.session.rollback()
                answers.append(refusal.message)

    threads = [threading.Thread(target=work) for _number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == ["The desk is not held any more: a colleague was quicker.", "released"]
    assert len(v.events("release_desk", "settings")) == 1
    assert db.session.scalar(sa.select(sa.func.count()).where(Violation.held_at.is_not(None))) == 1
    assert look()


@pytest.mark.heavy
def test_a_real_worker_on_an_older_copy_waits_and_then_sends(
    app: Flask, smtp: MailServer, queued: int, copies: Copies, start_worker: Start
) -> None:
    look()
    copies.save()
    look()
    copies.put_back()
    worker = start_worker()
    wait_until(lambda: desk_hold.current() is not None)
    runner = app.test_cli_runner()
    asked = runner.invoke(args=["release"])
    assert asked.exit_code == 1
    assert "a copy was put back" in asked.output
    assert "letters: 1" in asked.output
    assert (sent(smtp), status(queued)) == (0, "open")
    assert runner.invoke(args=["release", "--yes"]).exit_code == 0
    wait_until(lambda: sent(smtp) == 2)
    assert status(queued) == "executed"
    assert runner.invoke(args=["release", "--yes"]).output == "The desk is not held.\n"
    assert runner.invoke(args=["hold"]).exit_code == 0
    assert runner.invoke(args=["hold"]).exit_code == 1
    worker.terminate()
    assert worker.wait(60) == 0

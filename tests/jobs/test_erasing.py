"""The sweep that erases: before, at and after the time, twice, by several workers, with one that fails, and killed."""

from __future__ import annotations

import logging
import threading
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

import jobs
from extensions import Clock, db, now
from models import Account, AuditEvent, Client, Erasure, LedgerEntry, Payment
from operations import checking, deletion, erasing
from tests import factories as make
from tests.support import lives, personal
from tests.support.lives import SENTINELS

DAYS = timedelta(days=30)


def deleted(name: str = "", **ago: float) -> int:
    """A client without documents that was deleted so long ago, and one after it, so that it is not the latest."""
    client = make.client(name, deleted_at=now() - timedelta(**ago))
    make.client()
    db.session.commit()
    return client.id


def is_there(client_id: int) -> bool:
    db.session.rollback()
    return db.session.scalar(sa.select(sa.exists().where(Client.id == client_id))) or False


def erasures() -> list[int]:
    db.session.rollback()
    return list(db.session.scalars(sa.select(Erasure.client_id).order_by(Erasure.id)))


def test_it_is_one_of_the_sweeps() -> None:
    assert jobs.erase_clients in [sweep for sweep, _seconds in jobs.SWEEPS]


def test_not_before_thirty_days_but_then(session: Any, clock: Clock) -> None:
    clock.set(now())
    number = deleted(days=0)
    clock.move(days=30, seconds=-1)
    jobs.erase_clients()
    assert is_there(number)
    clock.move(seconds=1)
    jobs.erase_clients()
    assert not is_there(number)
    jobs.erase_clients()
    assert erasures() == [number]


def test_all_that_are_due_however_many(session: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(erasing, "SLICE", 3)
    moment = now() - timedelta(days=40)
    due = make.clients([f"Gone {number}" for number in range(8)], deleted_at=moment)
    kept = make.clients(["Living"])
    db.session.commit()
    jobs.erase_clients()
    assert sorted(erasures()) == sorted(due)
    assert is_there(kept[0])


def test_one_that_fails_is_logged_and_the_others_go_on(
    session: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bad, good = deleted(days=50), deleted(days=40)
    real = erasing.erase_due

    def fails(*, client_id: int, now: Any) -> Any:
        done = real(client_id=client_id, now=now)
        if client_id == bad:
            raise RuntimeError("the disk is gone")
        return done

    monkeypatch.setattr(erasing, "erase_due", fails)
    with caplog.at_level(logging.ERROR, logger="clientdesk.jobs"):
        jobs.erase_clients()
    assert erasures() == [good]
    assert f"client {bad} could not be erased" in caplog.text
    db.session.rollback()
    assert db.session.get_one(Client, bad).erased_at is None, "nothing of it is half done"
    monkeypatch.undo()
    jobs.erase_clients()
    assert erasures() == [good, bad]


def test_several_workers_do_each_once(app: Flask, session: Any) -> None:
    due = [deleted(days=31 + number) for number in range(6)]
    db.session.remove()
    start, problems = threading.Barrier(3), []

    def work() -> None:
        with app.app_context():
            start.wait()
            try:
                jobs.erase_clients()
            except Exception as error:
                problems.append(error)
                raise

    threads = [threading.Thread(target=work) for _number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems
    assert sorted(erasures()) == sorted(due)
    events = db.session.scalars(sa.select(AuditEvent.record_id).where(AuditEvent.action == "erase"))
    assert sorted(events) == sorted(due)


def test_after_the_sweep_nothing_personal_is_left(app: Flask, session: Any, data_dir: Path) -> None:
    """Two clients, one with documents, deleted and forgotten by everybody but the clock."""
    plain, charged = lives.live(documents=False, username="zqplain"), lives.live()
    db.session.commit()
    for life in (plain, charged):
        deletion.delete(clients=sa.select(Client.id).where(Client.id == life.client), now=now() - DAYS)
    db.session.commit()
    jobs.erase_clients()
    assert personal.found(app, SENTINELS) == []
    assert checking.faults() == []
    assert not any((data_dir / "attachments" / name).exists() for name in charged.stored_names)
    assert f"{plain.client}," in (data_dir / erasing.LIST).read_text()


def test_killed_between_commit_and_files_the_next_sweeps_tidy_up(
    session: Any, data_dir: Path, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    life = lives.live(documents=False)
    make.client()
    db.session.commit()
    deletion.delete(clients=sa.select(Client.id).where(Client.id == life.client), now=now() - DAYS)
    db.session.commit()

    def killed(_erased: Any) -> None:
        raise SystemExit

    monkeypatch.setattr(erasing, "finish", killed)
    with pytest.raises(SystemExit):
        jobs.erase_clients()
    db.session.rollback()
    monkeypatch.undo()
    assert not is_there(life.client)
    assert not (data_dir / erasing.LIST).exists()
    clock.move(days=2)
    jobs.tidy_up()
    assert not any((data_dir / "attachments" / name).exists() for name in life.stored_names)
    jobs.erase_clients()
    assert (data_dir / erasing.LIST).exists()


def test_an_older_copy_that_is_put_back_is_gone_over_again(session: Any, data_dir: Path) -> None:
    client = make.client("Anna Alpha", username="anna")
    make.client()
    db.session.commit()
    (data_dir / erasing.LIST).write_text(f"{client.id},{erasing.mark_of(client.id, client.registered_at)}\n")
    number = client.id
    jobs.erase_clients()
    assert not is_there(number)
    assert db.session.scalars(sa.select(Erasure.way)).all() == ["again"]
    jobs.erase_clients()
    assert erasures() == [number]


# At the same moment


@pytest.mark.parametrize("attempt", range(4))
def test_a_payment_at_the_same_moment_is_there_whole_or_not_at_all(app: Flask, session: Any, attempt: int) -> None:
    number = deleted(days=31)
    account = make.account(db.session.get_one(Client, number)).id
    db.session.remove()
    start = threading.Barrier(2)

    def pay() -> None:
        with app.app_context():
            start.wait()
            try:
                db.session.execute(sa.insert(LedgerEntry).values(
                    account_id=account, amount=Decimal(5), kind="payment", posted_at=now()))  # fmt: skip
                db.session.execute(sa.insert(Payment).values(
                    number="PAY-RACE", client_id=number, account_id=account, amount=Decimal(5), created_at=now()))  # fmt: skip
                db.session.commit()
            except sa.exc.DBAPIError:
                db.session.rollback()

    def erase() -> None:
        with app.app_context():
            start.wait()
            jobs.erase_clients()

    threads = [threading.Thread(target=work) for work in (pay, erase)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    jobs.erase_clients()
    assert erasures() == [number]
    entries = db.session.scalar(sa.select(sa.func.count()).select_from(LedgerEntry))
    payments = db.session.scalar(sa.select(sa.func.count()).select_from(Payment))
    accounts = db.session.scalar(sa.select(sa.func.count()).where(Account.id == account))
    assert (entries, payments, accounts, is_there(number)) in {(0, 0, 0, False), (1, 1, 1, True)}
    assert checking.faults() == []


def test_a_restoring_at_the_same_moment_comes_first_or_is_refused(app: Flask, session: Any, clock: Clock) -> None:
    from operations.errors import OperationRefused

    number = deleted(days=29, hours=23)
    db.session.remove()
    start, told = threading.Barrier(2), []

    def restore() -> None:
        with app.app_context():
            start.wait()
            try:
                deletion.restore(db.session.get_one(Client, number), now=now())
                db.session.commit()
                told.append("restored")
            except (OperationRefused, sa.exc.NoResultFound, sa.exc.InvalidRequestError):
                db.session.rollback()
                told.append("refused")

    def erase() -> None:
        with app.app_context():
            start.wait()
            done = erasing.erase_due(client_id=number, now=now() + timedelta(hours=2))
            db.session.commit()
            erasing.finish(done)

    threads = [threading.Thread(target=work) for work in (restore, erase)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (told, is_there(number)) in ((["restored"], True), (["refused"], False))

"""Many writers at once beside a long reader: nobody is told that the database is locked, nothing is lost."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
import sqlalchemy as sa
from flask import Flask

from extensions import db, now, rows_changed
from models import Account, Client, EntryKind, LedgerEntry
from operations import checking
from tests import factories as make

WRITERS = 8


def post(app: Flask, account_id: int, times: int) -> None:
    """Read, then write, as an operation does: each time in a transaction of its own."""
    with app.app_context():
        for _time in range(times):
            balance = db.session.scalar(sa.select(Account.balance).where(Account.id == account_id))
            assert balance is not None
            db.session.add(
                LedgerEntry(account_id=account_id, amount=Decimal("1.25"), kind=EntryKind.PAYMENT, posted_at=now())
            )
            rows_changed(sa.update(Client).values(note=f"balance was {balance}"))
            db.session.commit()


def read_all_the_time(app: Flask, stop: threading.Event) -> int:
    """One long look at everything after another, as an export takes."""
    seen = 0
    with app.app_context():
        while not stop.is_set():
            options = {"reads_only": True}
            db.session.connection(execution_options=options)
            for _row in db.session.execute(sa.select(LedgerEntry.id, LedgerEntry.amount).order_by(LedgerEntry.id)):
                seen += 1
            db.session.rollback()
            stop.wait(0.01)
    return seen


def write_together(app: Flask, times: int) -> None:
    with app.app_context():
        client = make.client()
        account_id = make.account(client).id
        db.session.commit()
        before = db.session.scalar(sa.select(Account.balance).where(Account.id == account_id))
        db.session.commit()
    stop = threading.Event()
    with ThreadPoolExecutor(WRITERS + 1) as pool:
        reader = pool.submit(read_all_the_time, app, stop)
        writers = [pool.submit(post, app, account_id, times) for _writer in range(WRITERS)]
        for writer in writers:
            writer.result()
        stop.set()
        assert reader.result() > 0
    with app.app_context():
        after = db.session.scalar(sa.select(Account.balance).where(Account.id == account_id))
        assert after == before + WRITERS * times * Decimal("1.25")
        assert checking.faults() == []


def test_eight_writers_and_a_reader(app: Flask) -> None:
    """No writer fails, and the balance is exact."""
    write_together(app, 15)


@pytest.mark.long
@pytest.mark.timeout(600)
def test_eight_writers_of_two_hundred_transactions_each(app: Flask) -> None:
    """The same, longer."""
    write_together(app, 200)


def test_every_sqlite_connection_is_prepared(app: Flask) -> None:
    """Foreign keys, waiting for locks and the write-ahead log hold on each connection, not only on the first."""
    with app.app_context():
        if db.engine.dialect.name != "sqlite":
            assert db.session.scalar(sa.text("SHOW timezone")) == "UTC"
            return
        with db.engine.connect() as one, db.engine.connect() as other:
            for connection in (one, other):
                asked = {
                    name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
                    for name in ("foreign_keys", "recursive_triggers", "journal_mode", "busy_timeout")
                }
                assert asked["foreign_keys"] == asked["recursive_triggers"] == 1
                assert asked["journal_mode"] == "wal"
                assert asked["busy_timeout"] >= 5000
                connection.rollback()

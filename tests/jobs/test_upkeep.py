"""What workers do for the database itself."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

import jobs
from extensions import db
from tests import factories as make
from tests.support import mailings

KNOWN = sa.text("SELECT count(*) FROM sqlite_stat1 WHERE tbl = 'clients'")
EXISTS = sa.text("SELECT count(*) FROM sqlite_master WHERE name = 'sqlite_stat1'")


@pytest.mark.engine("sqlite")
def test_sqlite_is_told_what_its_tables_hold(session: Any) -> None:
    make.client("Anna", username="anna")
    make.client("Boris", username="boris")
    db.session.commit()
    before = db.session.scalar(KNOWN) if db.session.scalar(EXISTS) else 0
    assert before == 0
    db.session.rollback()
    {sweep.__name__: sweep for sweep, _seconds in jobs.SWEEPS}["keep_statistics"]()
    assert db.session.scalar(KNOWN) > 3
    [rows, *_rest] = (
        db.session.execute(sa.text("SELECT stat FROM sqlite_stat1 WHERE tbl = 'clients'")).first()[0].split()
    )
    assert rows == "2"


@pytest.mark.engine("postgresql")
def test_postgresql_is_told_of_a_mailing_to_many(session: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs.upkeep, "MANY", 5)
    mailing = mailings.confirm(mailings.clients(5))
    jobs.start_mailings()
    known = sa.text("SELECT most_common_vals::text FROM pg_stats WHERE tablename = :table AND attname = 'mailing_id'")
    for table in ("mailing_recipients", "outbound_emails"):
        assert db.session.scalar(known, {"table": table}) == f"{{{mailing.id}}}"


@pytest.mark.engine("postgresql")
def test_postgresql_looks_after_itself(session: Any) -> None:
    jobs.upkeep.keep_statistics()
    assert db.session.scalar(sa.text("SELECT 1")) == 1

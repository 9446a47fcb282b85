"""What a database wants done for it now and then."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from extensions import db
from models import Erasure

# So many rows of an index are looked at: enough to tell what is rare, and done in milliseconds.
LOOKED_AT = 1_000
PAGES_AT_ONCE = 500
# A mailing to fewer does not change what is known of its tables.
MANY = 1_000
OF_MAILINGS = ("mailing_recipients", "tickets", "ticket_messages", "outbound_emails")


def keep_statistics() -> None:
    """Tell SQLite how many rows its tables have and what is rare in them; without that it guesses which index is best.

    PostgreSQL does so by itself. Commits.
    """
    if db.engine.dialect.name != "sqlite":
        return
    connection = db.session.connection()
    connection.exec_driver_sql(f"PRAGMA analysis_limit={LOOKED_AT}")
    connection.exec_driver_sql("ANALYZE")
    db.session.commit()


def forget_traces() -> None:
    """Have SQLite let go of what it still keeps of clients that were erased since this was done last. Commits.

    What is deleted is overwritten at once (extensions.py). But the indexes of the search note what was removed beside
    what was there until the two are merged, which is done here a little at a time, so that nobody waits; the samples of
    the statistics are values of rows; and pages as they were stand in the journal until it is folded. PostgreSQL does
    all that by itself, with autovacuum and checkpoints.
    """
    if db.engine.dialect.name != "sqlite":
        return
    latest = db.session.execute(sa.select(Erasure.id, Erasure.at).order_by(Erasure.id.desc()).limit(1)).first()
    searches = db.session.scalars(sa.text("SELECT name FROM sqlite_master WHERE sql LIKE '%USING fts5(%'")).all()
    db.session.rollback()
    if latest is None or tuple(latest) in _forgotten:
        return
    for name in searches:
        _merge(name)
    keep_statistics()
    db.session.remove()
    # Past SQLAlchemy, which would begin a transaction first.
    with db.engine.connect() as connection:
        driver = connection.connection.driver_connection
        assert driver is not None
        [is_busy, *_pages] = driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if is_busy:
        # Somebody reads what stands there. It is done at the next time.
        return
    _forgotten.clear()
    _forgotten.add(tuple(latest))


# The latest erasure whose traces this process has seen to.
_forgotten: set[tuple[Any, ...]] = set()


def _merge(search: str) -> None:
    """Merge an index of the search into one part, in transactions of a moment each."""
    pages = -PAGES_AT_ONCE  # Less than nothing asks for all parts; from then on what was begun goes on.
    while True:
        driver = db.session.connection().connection.driver_connection
        assert driver is not None
        before = driver.total_changes
        db.session.execute(
            sa.text(f"INSERT INTO {search} ({search}, rank) VALUES ('merge', :pages)"),  # noqa: S608  One of ours.
            {"pages": pages},
        )
        changed = driver.total_changes - before
        db.session.commit()
        if changed < 2:
            return
        pages = PAGES_AT_ONCE


def look_at_mailings(count: int) -> None:
    """Tell PostgreSQL what the tables of mailings hold, where a mailing to `count` clients has just been written.

    By itself it would do so within minutes; until then it takes the mailing for a few rows, and reads all of them where
    it should look one up. Commits.
    """
    if count < MANY or db.engine.dialect.name != "postgresql":
        return
    db.session.connection().exec_driver_sql(f"ANALYZE {', '.join(OF_MAILINGS)}")
    db.session.commit()

"""What a database wants done for it now and then."""

from __future__ import annotations

from extensions import db

# So many rows of an index are looked at: enough to tell what is rare, and done in milliseconds.
LOOKED_AT = 1_000
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


def look_at_mailings(count: int) -> None:
    """Tell PostgreSQL what the tables of mailings hold, where a mailing to `count` clients has just been written.

    By itself it would do so within minutes; until then it takes the mailing for a few rows, and reads all of them where
    it should look one up. Commits.
    """
    if count < MANY or db.engine.dialect.name != "postgresql":
        return
    db.session.connection().exec_driver_sql(f"ANALYZE {', '.join(OF_MAILINGS)}")
    db.session.commit()

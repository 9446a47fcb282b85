"""What a database wants done for it now and then."""

from __future__ import annotations

from extensions import db

# So many rows of an index are looked at: enough to tell what is rare, and done in milliseconds.
LOOKED_AT = 1_000


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

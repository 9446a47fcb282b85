"""A database for every test: a copy of one that the real migrations have made, once per engine and run.

A test process uses one name after the other time and again, so that one application serves all its tests.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

from tests.support import postgres, run

Migrate = Callable[[str], None]


class SQLite:
    """Copies of a file."""

    def __init__(self, worker: str) -> None:
        self._path = run.directory() / f"{worker}.db"
        self._template = run.directory() / "template.db"

    def prepare(self, migrate: Migrate) -> None:
        """See that there is something to copy. The first process of the run makes it."""
        with run.lock("sqlite"):
            if not self._template.exists():
                aside = self._template.with_suffix(".making")
                aside.unlink(missing_ok=True)
                migrate(f"sqlite:///{aside}")
                _fold_journal(aside)
                aside.rename(self._template)

    def create(self) -> str:
        shutil.copyfile(self._template, self._path)
        return f"sqlite:///{self._path}"

    def drop(self) -> None:
        for path in (self._path, *self._path.parent.glob(f"{self._path.name}-*")):
            path.unlink(missing_ok=True)

    def close(self) -> None:
        """Nothing is held open."""


class PostgreSQL:
    """Copies made by the server."""

    TEMPLATE = "clientdesk_template"

    def __init__(self, worker: str) -> None:
        self._name = worker
        self._data = run.directory() / "data"
        with run.lock("postgresql"):
            postgres.ensure_running(self._data)
        self._server = postgres.connect(self._data)

    def prepare(self, migrate: Migrate) -> None:
        """As of SQLite."""
        with run.lock("postgresql"):
            if not self._has(self.TEMPLATE):
                self._make_template(migrate)

    def create(self) -> str:
        # Copying files is three times faster than the default, which writes each page to the log as well.
        self._server.execute(f"CREATE DATABASE {self._name} TEMPLATE {self.TEMPLATE} STRATEGY file_copy")
        return postgres.url(self._data, self._name)

    def drop(self) -> None:
        self._server.execute(f"DROP DATABASE {self._name} WITH (FORCE)")

    def close(self) -> None:
        self._server.close()

    def _make_template(self, migrate: Migrate) -> None:
        self._server.execute("DROP DATABASE IF EXISTS making WITH (FORCE)")
        self._server.execute("CREATE DATABASE making")
        migrate(postgres.url(self._data, "making"))
        self._server.execute(f"ALTER DATABASE making RENAME TO {self.TEMPLATE}")

    def _has(self, name: str) -> bool:
        found = self._server.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
        return found.fetchone() is not None


ENGINES: dict[str, type[SQLite | PostgreSQL]] = {"sqlite": SQLite, "postgresql": PostgreSQL}


def _fold_journal(path: Path) -> None:
    """Bring the write-ahead log into the file itself, so that the file alone is the database."""
    connection = sqlite3.connect(path)
    try:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        connection.close()

"""A database for every test: a copy of one that the real migrations have made, once per engine and run.

A test process uses one name time and again, so that one application serves all its tests. What many tests begin
with can be kept as a further template, and what was made with it is remembered beside it.
"""

from __future__ import annotations

import pickle
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support import postgres, run

Migrate = Callable[[str], None]
PLAIN = "template"


class Store:
    """Databases of one engine. `begins_with` is the template that the present one is a copy of."""

    ENGINE: str
    begins_with = PLAIN

    def kept(self, template: str) -> Any:
        """What was remembered beside the template; None where it has not been kept yet."""
        note = self._note(template)
        return pickle.loads(note.read_bytes()) if note.exists() else None  # noqa: S301  Written by this very run.

    def keep(self, template: str, made: Any) -> None:
        """Keep the present database, to which nobody is connected, as a template, and remember `made` beside it.

        Of several test processes the first one does.
        """
        with run.lock(self.ENGINE):
            if self.kept(template) is None:
                self._copy_to(template)
                aside = self._note(template).with_suffix(".making")
                aside.write_bytes(pickle.dumps(made))
                aside.rename(self._note(template))

    def _note(self, template: str) -> Path:
        return run.directory() / f"{self.ENGINE}-{template}.pickle"

    def save(self) -> None:
        """Make a copy of the present database, as a backup does. Nobody must be connected, where that is PostgreSQL."""
        raise NotImplementedError

    def put_back(self) -> None:
        """Have that copy in the place of the present database. Nobody must be connected."""
        raise NotImplementedError

    def _copy_to(self, template: str) -> None:
        raise NotImplementedError


class SQLite(Store):
    """Copies of a file."""

    ENGINE = "sqlite"

    def __init__(self, worker: str) -> None:
        self._path = run.directory() / f"{worker}.db"
        self._template = self._file(PLAIN)

    def prepare(self, migrate: Migrate) -> None:
        """See that there is something to copy. The first process of the run makes it."""
        with run.lock("sqlite"):
            if not self._template.exists():
                aside = self._template.with_suffix(".making")
                aside.unlink(missing_ok=True)
                migrate(f"sqlite:///{aside}")
                _fold_journal(aside)
                aside.rename(self._template)

    def create(self, template: str = PLAIN) -> str:
        shutil.copyfile(self._file(template), self._path)
        self.begins_with = template
        return f"sqlite:///{self._path}"

    def save(self) -> None:
        """With the write-ahead log, as it stands beside the file while the desk runs."""
        for path in self._files():
            shutil.copyfile(path, path.with_name(f"saved-{path.name}"))

    def put_back(self) -> None:
        for path in self._files():
            path.unlink()
        for path in self._path.parent.glob(f"saved-{self._path.name}*"):
            path.rename(path.with_name(path.name.removeprefix("saved-")))

    def _files(self) -> list[Path]:
        return [self._path, *self._path.parent.glob(f"{self._path.name}-wal")]

    def _copy_to(self, template: str) -> None:
        _fold_journal(self._path)
        shutil.copyfile(self._path, self._file(template))

    def _file(self, template: str) -> Path:
        return run.directory() / f"{template}.db"

    def drop(self) -> None:
        beside = (f"{self._path.name}-*", f"saved-{self._path.name}*")
        for path in (self._path, *(found for name in beside for found in self._path.parent.glob(name))):
            path.unlink(missing_ok=True)

    def close(self) -> None:
        """Nothing is held open."""


class PostgreSQL(Store):
    """Copies made by the server."""

    ENGINE = "postgresql"

    def __init__(self, worker: str) -> None:
        self._name = worker
        self._data = run.directory() / "data"
        with run.lock("postgresql"):
            postgres.ensure_running(self._data)
        self._server = postgres.connect(self._data)

    def prepare(self, migrate: Migrate) -> None:
        """As of SQLite."""
        with run.lock("postgresql"):
            if not self._has(self._called(PLAIN)):
                self._make_template(migrate)

    def create(self, template: str = PLAIN) -> str:
        self._copy(self._called(template), self._name)
        self.begins_with = template
        return postgres.url(self._data, self._name)

    def save(self) -> None:
        self._server.execute(f"DROP DATABASE IF EXISTS saved_{self._name}")
        self._copy(self._name, f"saved_{self._name}")

    def put_back(self) -> None:
        self.drop()
        self._server.execute(f"ALTER DATABASE saved_{self._name} RENAME TO {self._name}")

    def _copy_to(self, template: str) -> None:
        self._copy(self._name, self._called(template))

    def _copy(self, source: str, target: str) -> None:
        # Copying files is three times faster than the default, which writes each page to the log as well.
        self._server.execute(f"CREATE DATABASE {target} TEMPLATE {source} STRATEGY file_copy")

    @staticmethod
    def _called(template: str) -> str:
        return f"clientdesk_{template}"

    def drop(self) -> None:
        self._server.execute(f"DROP DATABASE {self._name} WITH (FORCE)")

    def close(self) -> None:
        self._server.close()

    def _make_template(self, migrate: Migrate) -> None:
        self._server.execute("DROP DATABASE IF EXISTS making WITH (FORCE)")
        self._server.execute("CREATE DATABASE making")
        migrate(postgres.url(self._data, "making"))
        self._server.execute(f"ALTER DATABASE making RENAME TO {self._called(PLAIN)}")

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

"""How long it takes to bring in clients, beside the bare write of the very same client rows.

An import goes over every field twice (the rehearsal, and the writing as the admin's confirmation does it) and writes
client, owner, account, payer, consent, groups and audit. Beside it, in the same run, the client rows alone are written
by executemany (SQLite) or COPY (PostgreSQL): into a table of the same columns with nothing but its key, into one
that has the ordinary indexes too, and into the real table with its checks, triggers and search.

Each import runs in a process of its own, whose peak memory and processor time are its alone. By itself:
`python -m benchmarks.imports --clients 100000 --database sqlite`.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import flask_migrate
import psycopg
import sqlalchemy as sa

import config
from app import create_app
from benchmarks.databases import ROOT, Store
from extensions import db, now
from models import Client
from operations import imports
from tests.imports_data import whmcs_rows, write_csv

ENGINES = ("sqlite", "postgresql")
CLIENTS = 100_000
COLUMNS = [column for column in Client.__table__.columns if not column.computed and column.name != "search_text"]
NAMES = ", ".join(f'"{column.name}"' for column in COLUMNS)


@dataclass(frozen=True)
class Figures:
    """Seconds; `rehearsal` and `writing` on the clock, `processor` of the importing process for both.

    The client rows alone: `bare` into a table with nothing but its key, `indexed` into one with the ordinary indexes
    of clients too, `real` into the table itself, with checks, triggers and search. `megabytes` is the peak of the importing process.
    """

    engine: str
    clients: int
    rehearsal: float
    writing: float
    processor: float
    megabytes: float
    bare: float
    indexed: float
    real: float

    @property
    def whole(self) -> float:
        return self.rehearsal + self.writing


def measure(engine: str, *, clients: int, store: Store) -> Figures:
    """Bring so many clients into a new database, and write their bare rows again."""
    url, data_dir = store.empty(engine, f"imports_{clients}")
    _migrate(url, data_dir)
    file = write_csv(data_dir / "clients.csv", whmcs_rows(clients))
    command = [sys.executable, "-m", "benchmarks.imports", "--bring-in", str(file)]
    environ = {**os.environ, "DATABASE_URL": url, "DATA_DIR": str(data_dir)}
    done = subprocess.run(command, cwd=ROOT, env=environ, check=True, stdout=subprocess.PIPE, text=True)
    told = json.loads(done.stdout.splitlines()[-1])
    rows = _client_rows(url)
    if len(rows) != clients:
        raise SystemExit(f"{len(rows)} clients came in, not {clients}")
    bare = _seconds_into_copy(url, rows, with_indexes=False)
    indexed = _seconds_into_copy(url, rows, with_indexes=True)
    second, data_dir = store.empty(engine, f"imports_{clients}_real")
    _migrate(second, data_dir)
    real = _seconds_into_real(second, rows)
    return Figures(engine, clients, bare=bare, indexed=indexed, real=real, **told)


def report(figures: list[Figures]) -> str:
    """The figures as a Markdown table."""
    titles = (
        "database", "clients", "rehearsal, s", "writing, s", "together, s", "processor of the import, s",
        "peak memory, MB", "client rows alone: with a key, s", "with indexes, s", "into the real table, s",
        "together / key", "together / indexes", "together / real",
    )  # fmt: skip
    lines = [f"| {' | '.join(titles)} |", f"| --- {'| ---: ' * (len(titles) - 1)}|"]
    lines += [
        f"| {each.engine} | {each.clients:,} | {each.rehearsal:.1f} | {each.writing:.1f} | {each.whole:.1f} "
        f"| {each.processor:.1f} | {each.megabytes:.0f} | {each.bare:.2f} | {each.indexed:.2f} | {each.real:.2f} "
        f"| {each.whole / each.bare:.1f} | {each.whole / each.indexed:.1f} | {each.whole / each.real:.1f} |"
        for each in figures
    ]
    return "\n".join(lines) + "\n"


# In a process of its own


def bring_in(file: Path) -> dict[str, float]:
    """Rehearse and confirm `file` as the admin does; what it took."""
    app = create_app()
    directory = app.config["SETTINGS"].data_dir / "imports"
    with app.app_context():
        db.session.execute(sa.select(1))
        db.session.rollback()
        spent, begun = time.process_time(), time.perf_counter()
        with file.open("rb") as stream:
            batch = imports.rehearse(
                stream, file.name, wish=imports.Wish(), by=None, now=now(), directory=directory
            )  # fmt: skip
        imports.remember(batch, now=now(), directory=directory)
        db.session.commit()
        rehearsed = time.perf_counter()
        imports.confirm(batch, skip_bad=False, now=now(), directory=directory)
        db.session.commit()
        done = time.perf_counter()
        return {
            "rehearsal": rehearsed - begun,
            "writing": done - rehearsed,
            "processor": time.process_time() - spent,
            "megabytes": _peak_megabytes(),
        }


def _peak_megabytes() -> float:
    """The most memory that this process ever had; what getrusage says begins with that of its parent."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found[1]) / 1024 if found else 0.0


# The bare write


def _client_rows(url: str) -> list[tuple[Any, ...]]:
    """All client rows, with the values that the driver takes."""
    with _driver(url) as connection:
        rows = connection.execute(f"SELECT {NAMES} FROM clients ORDER BY id").fetchall()
    if url.startswith("sqlite"):
        return rows
    documents = [place for place, column in enumerate(COLUMNS) if isinstance(column.type, sa.JSON)]
    return [
        tuple(json.dumps(value) if place in documents else value for place, value in enumerate(row)) for row in rows
    ]  # fmt: skip


def _seconds_into_copy(url: str, rows: list[tuple[Any, ...]], *, with_indexes: bool) -> float:
    """Into a table of the same columns: with its key alone, or with all ordinary indexes, but never search."""
    with _driver(url) as connection:
        connection.execute("DROP TABLE IF EXISTS copied")
        connection.execute(f"CREATE TABLE copied AS SELECT {NAMES} FROM clients WHERE id < 0")
        connection.execute("CREATE UNIQUE INDEX copied_id ON copied (id)")
        for number, definition in enumerate(_index_definitions(connection) if with_indexes else []):
            connection.execute(re.sub(r"INDEX \S+ ON \S+", f"INDEX copied_{number} ON copied", definition))
        connection.commit()
        return _seconds_to_write(connection, "copied", rows)


def _index_definitions(connection: Any) -> list[str]:
    """Statements that make the ordinary indexes of clients, those of search left out."""
    if isinstance(connection, psycopg.Connection):
        found = connection.execute("SELECT indexdef FROM pg_indexes WHERE tablename = 'clients'").fetchall()
        return [text for (text,) in found if " USING gin " not in text and "(id)" not in text]
    found = connection.execute("SELECT sql FROM sqlite_master WHERE type = 'index' AND tbl_name = 'clients'").fetchall()
    made = [text for (text,) in found if text]
    return [*made, "CREATE UNIQUE INDEX of_source ON clients (external_source, external_id)"]


def _seconds_into_real(url: str, rows: list[tuple[Any, ...]]) -> float:
    batches = {row[[column.name for column in COLUMNS].index("import_batch_id")] for row in rows}
    with _driver(url) as connection:
        for batch in batches:
            connection.execute(f"INSERT INTO import_batches (id, created_at) VALUES ({int(batch)}, '2026-01-01')")
        connection.commit()
        return _seconds_to_write(connection, "clients", rows)


def _seconds_to_write(connection: Any, table: str, rows: list[tuple[Any, ...]]) -> float:
    begun = time.perf_counter()
    if isinstance(connection, psycopg.Connection):
        with connection.cursor().copy(f"COPY {table} ({NAMES}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
    else:
        marks = ", ".join("?" * len(COLUMNS))
        connection.executemany(f"INSERT INTO {table} ({NAMES}) VALUES ({marks})", rows)
    connection.commit()
    return time.perf_counter() - begun


class _driver:  # noqa: N801  Used as a function is.
    """The driver's own connection, prepared as the desk prepares its own; closed at the end of the block."""

    def __init__(self, url: str) -> None:
        self._engine = sa.create_engine(url, poolclass=sa.NullPool)

    def __enter__(self) -> Any:
        self._connection = self._engine.raw_connection()
        driver: Any = self._connection.driver_connection
        if not isinstance(driver, psycopg.Connection):
            driver.isolation_level = "DEFERRED"
        return driver

    def __exit__(self, *_error: object) -> None:
        self._connection.close()


def _migrate(url: str, data_dir: Path) -> None:
    app = create_app(config.load({"DATABASE_URL": url, "DATA_DIR": str(data_dir), "PATH": os.environ["PATH"]}))
    with app.app_context():
        flask_migrate.upgrade()
        db.engine.dispose()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.imports", description=__doc__)
    parser.add_argument("--clients", type=int, default=CLIENTS)
    parser.add_argument("--database", choices=ENGINES, action="append", help="both, where none is named")
    parser.add_argument("--directory", type=Path, help="where databases are kept")
    parser.add_argument("--bring-in", type=Path, metavar="FILE", help="only import FILE into DATABASE_URL's database")
    given = parser.parse_args(arguments)
    if given.bring_in:
        print(json.dumps(bring_in(given.bring_in)))
        return 0
    store = Store(given.directory)
    try:
        for engine in given.database or ENGINES:
            print(report([measure(engine, clients=given.clients, store=store)]), flush=True)
    finally:
        store.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())

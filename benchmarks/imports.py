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
class Spent:
    """Seconds on the clock, and of processor, the database server's included."""

    clock: float
    processor: float


@dataclass(frozen=True)
class Figures:
    """What an import took, `megabytes` being the peak of its process, and what the client rows alone took.

    `bare` is the write into a table with nothing but its key, `indexed` into one with the ordinary indexes of clients
    too, `real` into the table itself, with checks, triggers and search.
    """

    engine: str
    clients: int
    rehearsal: float
    whole: Spent
    megabytes: float
    bare: Spent
    indexed: Spent
    real: Spent


class Meter:
    """Takes the time from its making on; `server` is the process of PostgreSQL's server, where there is one."""

    def __init__(self, server: int | None) -> None:
        self._server = server
        self._begun = self._now()

    def _now(self) -> tuple[float, float]:
        return time.perf_counter(), time.process_time() + _server_seconds(self._server)

    def stop(self) -> Spent:
        clock, processor = self._now()
        return Spent(clock - self._begun[0], processor - self._begun[1])


def measure(engine: str, *, clients: int, store: Store) -> Figures:
    """Bring so many clients into a new database, and write their bare rows again."""
    url, data_dir = store.empty(engine, f"imports_{clients}")
    _migrate(url, data_dir)
    file = write_csv(data_dir / "clients.csv", whmcs_rows(clients))
    meter = Meter(store.server_pid())
    told = _in_a_process_of_its_own(file, url, data_dir)
    of_server = meter.stop().processor
    rows = _client_rows(url)
    if len(rows) != clients:
        raise SystemExit(f"{len(rows)} clients came in, not {clients}")
    bare = _into_copy(url, rows, store.server_pid(), with_indexes=False)
    indexed = _into_copy(url, rows, store.server_pid(), with_indexes=True)
    second, data_dir = store.empty(engine, f"imports_{clients}_real")
    _migrate(second, data_dir)
    return Figures(
        engine=engine,
        clients=clients,
        rehearsal=told["rehearsal"],
        whole=Spent(told["rehearsal"] + told["writing"], told["processor"] + of_server),
        megabytes=told["megabytes"],
        bare=bare,
        indexed=indexed,
        real=_into_real(second, rows, store.server_pid()),
    )


def report(figures: list[Figures]) -> str:
    """The figures as a Markdown table; of two numbers the second is seconds of processor."""
    titles = (
        "database", "clients", "rehearsal, s", "whole import, s", "peak memory, MB", "client rows alone, with a key, s",
        "with indexes, s", "into the real table, s", "import / key", "import / indexes", "import / real",
    )  # fmt: skip
    lines = [f"| {' | '.join(titles)} |", f"| --- {'| ---: ' * (len(titles) - 1)}|"]
    for each in figures:
        alone = (each.bare, each.indexed, each.real)
        cells = [each.engine, f"{each.clients:,}", f"{each.rehearsal:.1f}", _both(each.whole), f"{each.megabytes:.0f}"]
        cells += [_both(spent) for spent in alone]
        cells += [
            f"{each.whole.clock / spent.clock:.1f} ({each.whole.processor / spent.processor:.1f})" for spent in alone
        ]  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", f"In brackets: of processor time. Load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()}."]
    return "\n".join(lines) + "\n"


def _both(spent: Spent) -> str:
    return f"{spent.clock:.2f} ({spent.processor:.2f})"


def _server_seconds(server: int | None) -> float:
    """The processor time of a PostgreSQL server: its own, of children that have ended, and of those that live."""
    if server is None:
        return 0.0
    total = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            # After the name in brackets: state, parent, …, the times of itself and of its children that have ended.
            fields = path.read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
        except OSError:
            continue
        if path.parent.name == str(server):
            total += sum(int(ticks) for ticks in fields[11:15])
        elif fields[1] == str(server):
            total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")


def _in_a_process_of_its_own(file: Path, url: str, data_dir: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.imports", "--bring-in", str(file)]
    environ = {**os.environ, "DATABASE_URL": url, "DATA_DIR": str(data_dir)}
    done = subprocess.run(command, cwd=ROOT, env=environ, check=True, stdout=subprocess.PIPE, text=True)
    told: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return told


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


def _into_copy(url: str, rows: list[tuple[Any, ...]], server: int | None, *, with_indexes: bool) -> Spent:
    """Into a table of the same columns: with its key alone, or with all ordinary indexes, but never search."""
    with _driver(url) as connection:
        connection.execute("DROP TABLE IF EXISTS copied")
        connection.execute(f"CREATE TABLE copied AS SELECT {NAMES} FROM clients WHERE id < 0")
        connection.execute("CREATE UNIQUE INDEX copied_id ON copied (id)")
        for number, definition in enumerate(_index_definitions(connection) if with_indexes else []):
            connection.execute(re.sub(r"INDEX \S+ ON \S+", f"INDEX copied_{number} ON copied", definition))
        connection.commit()
        return _write(connection, "copied", rows, server)


def _index_definitions(connection: Any) -> list[str]:
    """Statements that make the ordinary indexes of clients, those of search left out."""
    if isinstance(connection, psycopg.Connection):
        found = connection.execute("SELECT indexdef FROM pg_indexes WHERE tablename = 'clients'").fetchall()
        return [text for (text,) in found if " USING gin " not in text and "(id)" not in text]
    found = connection.execute("SELECT sql FROM sqlite_master WHERE type = 'index' AND tbl_name = 'clients'").fetchall()
    made = [text for (text,) in found if text]
    return [*made, "CREATE UNIQUE INDEX of_source ON clients (external_source, external_id)"]


def _into_real(url: str, rows: list[tuple[Any, ...]], server: int | None) -> Spent:
    batches = {row[[column.name for column in COLUMNS].index("import_batch_id")] for row in rows}
    with _driver(url) as connection:
        for batch in batches:
            connection.execute(f"INSERT INTO import_batches (id, created_at) VALUES ({int(batch)}, '2026-01-01')")
        connection.commit()
        return _write(connection, "clients", rows, server)


def _write(connection: Any, table: str, rows: list[tuple[Any, ...]], server: int | None) -> Spent:
    meter = Meter(server)
    if isinstance(connection, psycopg.Connection):
        with connection.cursor().copy(f"COPY {table} ({NAMES}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
    else:
        marks = ", ".join("?" * len(COLUMNS))
        connection.executemany(f"INSERT INTO {table} ({NAMES}) VALUES ({marks})", rows)
    connection.commit()
    return meter.stop()


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

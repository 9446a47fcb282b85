"""Where measured databases are kept: filled once, used again while what made them is the same.

By itself it makes one ready to be looked at and tuned, and says how to start on it: `python -m benchmarks.databases
postgresql --clients 1000000`. A PostgreSQL server that it started goes on until `--stop`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy.engine import make_url

from benchmarks.fill import USERNAME, fingerprint
from tests.support import postgres

ROOT = Path(__file__).resolve().parent.parent
MIGRATIONS = ROOT / "migrations" / "versions"
SECONDS_TO_STOP = 30
# As on a machine of its own; and nothing that happens now and then happens to one that is measured and not to another.
SERVER = {"shared_buffers": "1GB", "max_wal_size": "8GB", "checkpoint_timeout": "1h"}


@dataclass(frozen=True)
class Filled:
    """A filled database, and who may log in."""

    url: str
    data_dir: Path
    clients: int
    password: str
    seed: int = 1


class Store:
    """A directory of filled databases; on PostgreSQL with a server that runs only as long as it is open."""

    def __init__(self, directory: Path | None = None) -> None:
        default = Path(tempfile.gettempdir()) / f"clientdesk-bench-{os.getuid()}"
        self.directory = directory or default
        self.directory.mkdir(parents=True, exist_ok=True)
        self.directory.chmod(0o755)
        self._server = self.directory / "postgresql" / "data"
        self._serves = self._started = False

    def filled(self, engine: str, *, clients: int, seed: int) -> Filled:
        """The database with so many clients; filled now where it is not there, upgraded where it is older."""
        name = f"bench_{clients}_{seed}"
        data_dir = self.directory / f"{engine}_{name}"
        url = self._url(engine, name, data_dir)
        note, wanted = data_dir / "filled.json", {"rows": fingerprint(seed), "migrations": _migrations()}
        known = json.loads(note.read_text()) if note.exists() else {}
        if known.get("rows") != wanted["rows"] or not known["migrations"].items() <= wanted["migrations"].items():
            known = self._fill(name, data_dir, url, clients=clients, seed=seed)
        elif known["migrations"] != wanted["migrations"]:
            print(f"Bringing {data_dir.name} to the newest tables …", file=sys.stderr, flush=True)
            _run_fill(url, data_dir, "--upgrade")
        note.touch(mode=0o600)
        note.write_text(json.dumps({**known, **wanted}))
        return Filled(url, data_dir, clients, known["password"], seed)

    def empty(self, engine: str, name: str) -> tuple[str, Path]:
        """The address and directory of a new database that has nothing in it yet."""
        data_dir = self.directory / f"{engine}_{name}"
        url = self._url(engine, name, data_dir)
        self._make_room(name, data_dir, url)
        return url, data_dir

    @contextmanager
    def copied(self, filled: Filled, engine: str) -> Iterator[Filled]:
        """A copy to measure on, for measuring writes; it is removed in the end, and what was filled stays as it was."""
        name = f"copy_{filled.clients}_{os.getpid()}"
        data_dir = self.directory / f"{engine}_{name}"
        url = self._url(engine, name, data_dir)
        self._clear_away(engine)
        data_dir.mkdir(mode=0o700)
        shutil.copy2(filled.data_dir / "secret_key", data_dir)
        try:
            self._copy(filled, url, name)
            yield replace(filled, url=url, data_dir=data_dir)
        finally:
            self._drop(name, url)
            shutil.rmtree(data_dir)

    def _clear_away(self, engine: str) -> None:
        """Remove copies of runs that were killed."""
        for left in self.directory.glob(f"{engine}_copy_*"):
            if not Path(f"/proc/{left.name.rpartition('_')[2]}").exists():
                name = left.name.removeprefix(f"{engine}_")
                self._drop(name, self._url(engine, name, left))
                shutil.rmtree(left)

    def _copy(self, filled: Filled, url: str, name: str) -> None:
        if url.startswith("postgresql"):
            template = make_url(filled.url).database
            with self._connected() as server:
                server.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
            return
        old, new = (sqlite3.connect(str(make_url(each).database)) for each in (filled.url, url))
        with closing(old), closing(new):
            old.backup(new)
            new.execute("PRAGMA journal_mode=WAL")

    def _drop(self, name: str, url: str) -> None:
        if url.startswith("postgresql"):
            with self._connected() as server:
                server.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def _make_room(self, name: str, data_dir: Path, url: str) -> None:
        shutil.rmtree(data_dir, ignore_errors=True)
        data_dir.mkdir(mode=0o700)
        if url.startswith("postgresql"):
            self._drop(name, url)
            with self._connected() as server:
                server.execute(f"CREATE DATABASE {name}")

    def _fill(
        self, name: str, data_dir: Path, url: str, *, clients: int, seed: int
    ) -> dict[str, Any]:  # fmt: skip
        self._make_room(name, data_dir, url)
        print(f"Filling {data_dir.name} with {clients:,} clients …", file=sys.stderr, flush=True)
        said = _run_fill(url, data_dir, "--clients", str(clients), "--seed", str(seed))
        print(said.rpartition(";")[0], file=sys.stderr, flush=True)
        return {"password": said.split()[-1]}

    def _url(self, engine: str, name: str, data_dir: Path) -> str:
        if engine == "sqlite":
            return f"sqlite:///{data_dir / 'desk.db'}"
        self._start_server()
        return postgres.url(self._server, name)

    def _start_server(self) -> None:
        if self._serves:
            return
        self._serves = True
        self._server.parent.mkdir(exist_ok=True)
        self._server.parent.chmod(0o755)
        pid_file = self._server / "postmaster.pid"
        if pid_file.exists() and not self._answers():
            # Left by a server that was killed.
            pid_file.unlink()
        # One that somebody else has started is left to him.
        self._started = not pid_file.exists()
        if not self._has_our_rules():
            if not self._started:
                raise SystemExit(
                    "This server was made with other rules for letters: end it with --stop; it is made anew."
                )
            self._make_anew()
        postgres.ensure_running(self._server, **SERVER)

    def _has_our_rules(self) -> bool:
        """Whether the server was made with the rules for letters that the indexes of parts of words depend on."""
        kept = self._server.with_name("rules")
        return kept.exists() and kept.read_text() == " ".join(postgres.LOCALE)

    def _make_anew(self) -> None:
        """Forget a server with other rules, if there is one, and all that was filled on it."""
        if self._server.exists():
            for left in (self._server, *self.directory.glob("postgresql_*")):
                shutil.rmtree(left)
        self._server.with_name("rules").write_text(" ".join(postgres.LOCALE))

    def server_pid(self) -> int | None:
        """The process of PostgreSQL's server; None where none was started."""
        return int((self._server / "postmaster.pid").read_text().split()[0]) if self._serves else None

    def _answers(self) -> bool:
        try:
            self._connected().close()
        except psycopg.OperationalError:
            return False
        return True

    def _connected(self) -> psycopg.Connection[Any]:
        return postgres.connect(self._server)

    def close(self) -> None:
        """Stop the server, if it was started here; the databases stay."""
        if self._started:
            self.stop_server()

    def stop_server(self) -> None:
        pid_file, copy = self._server / "postmaster.pid", self._server.with_name("binaries")
        if pid_file.exists():
            os.kill(int(pid_file.read_text().split()[0]), signal.SIGINT)
        deadline = time.monotonic() + SECONDS_TO_STOP
        while pid_file.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        if copy.is_symlink():
            # Where the server's programs were copied to, for who may not enter the checkout.
            shutil.rmtree(copy.resolve())
            copy.unlink()
        self._serves = self._started = False

    def remove(self) -> None:
        """Stop the server and remove everything."""
        self.close()
        shutil.rmtree(self.directory)


def _run_fill(url: str, data_dir: Path, *arguments: str) -> str:
    """Run benchmarks.fill in a process of its own; returns what it said."""
    return run("-m", "benchmarks.fill", *arguments, environ={"DATABASE_URL": url, "DATA_DIR": str(data_dir)})


def run(*arguments: str, environ: Mapping[str, str]) -> str:
    """Run Python in this checkout, with `environ` besides what there is; returns what it said."""
    command = [sys.executable, *arguments]
    everything = {**os.environ, **environ}
    return subprocess.run(command, cwd=ROOT, env=everything, check=True, stdout=subprocess.PIPE, text=True).stdout


def _migrations() -> dict[str, str]:
    """What the tables follow from: digests of the migrations."""
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(MIGRATIONS.glob("*.py"))}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.databases", description="Make a filled database ready.")
    parser.add_argument("engine", choices=("sqlite", "postgresql"))
    parser.add_argument("--clients", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--directory", type=Path, help="where filled databases are kept and found again")
    parser.add_argument("--stop", action="store_true", help="stop the PostgreSQL server of the directory")
    given = parser.parse_args()
    store = Store(given.directory)
    if given.stop:
        store.stop_server()
        return
    filled = store.filled(given.engine, clients=given.clients, seed=given.seed)
    print(f"export DATABASE_URL='{filled.url}' DATA_DIR='{filled.data_dir}'")
    print(f"# staff {USERNAME}, password {filled.password}")


if __name__ == "__main__":
    main()

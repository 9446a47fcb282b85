"""Where measured databases are kept: filled once, used again while what made them is the same."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from tests.support import postgres

ROOT = Path(__file__).resolve().parent.parent
# What the content of a filled database follows from.
MAKERS = ("migrations/versions", "benchmarks/fill.py", "operations/demo_names.py", "operations/demo_rows.py")
SECONDS_TO_STOP = 30


@dataclass(frozen=True)
class Filled:
    """A filled database, and who may log in."""

    url: str
    data_dir: Path
    clients: int
    password: str


class Store:
    """A directory of filled databases; on PostgreSQL with a server that runs only as long as it is open."""

    def __init__(self, directory: Path | None = None) -> None:
        default = Path(tempfile.gettempdir()) / f"clientdesk-bench-{os.getuid()}"
        self.directory = directory or default
        self.directory.mkdir(parents=True, exist_ok=True)
        self.directory.chmod(0o755)
        self._server = self.directory / "postgresql" / "data"
        self._serves = False

    def filled(self, engine: str, *, clients: int, seed: int) -> Filled:
        """The database with so many clients; filled now where it is not there."""
        name = f"bench_{clients}_{seed}"
        data_dir = self.directory / f"{engine}_{name}"
        url = self._url(engine, name, data_dir)
        note, digest = data_dir / "filled.json", _digest()
        known = json.loads(note.read_text()) if note.exists() else {}
        if known.get("digest") != digest:
            known = self._fill(name, data_dir, url, clients=clients, seed=seed)
            note.touch(mode=0o600)
            note.write_text(json.dumps({**known, "digest": digest}))
        return Filled(url, data_dir, clients, known["password"])

    def empty(self, engine: str, name: str) -> tuple[str, Path]:
        """The address and directory of a new database that has nothing in it yet."""
        data_dir = self.directory / f"{engine}_{name}"
        url = self._url(engine, name, data_dir)
        self._make_room(name, data_dir, url)
        return url, data_dir

    def _make_room(self, name: str, data_dir: Path, url: str) -> None:
        shutil.rmtree(data_dir, ignore_errors=True)
        data_dir.mkdir(mode=0o700)
        if url.startswith("postgresql"):
            with self._connected() as server:
                server.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
                server.execute(f"CREATE DATABASE {name}")

    def _fill(
        self, name: str, data_dir: Path, url: str, *, clients: int, seed: int
    ) -> dict[str, Any]:  # fmt: skip
        self._make_room(name, data_dir, url)
        print(f"Filling {data_dir.name} with {clients:,} clients …", file=sys.stderr, flush=True)
        command = [sys.executable, "-m", "benchmarks.fill", "--clients", str(clients), "--seed", str(seed)]
        environ = {**os.environ, "DATABASE_URL": url, "DATA_DIR": str(data_dir)}
        done = subprocess.run(command, cwd=ROOT, env=environ, check=True, capture_output=True, text=True)
        print(done.stdout.rpartition(";")[0], file=sys.stderr, flush=True)
        return {"password": done.stdout.split()[-1]}

    def _url(self, engine: str, name: str, data_dir: Path) -> str:
        if engine == "sqlite":
            return f"sqlite:///{data_dir / 'desk.db'}"
        self._start_server()
        return postgres.url(self._server, name)

    def _start_server(self) -> None:
        if self._serves:
            return
        self._server.parent.mkdir(exist_ok=True)
        self._server.parent.chmod(0o755)
        pid_file = self._server / "postmaster.pid"
        if pid_file.exists() and not self._answers():
            # Left by a server that was killed.
            pid_file.unlink()
        postgres.ensure_running(self._server)
        self._serves = True

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
        """Stop the server; the databases stay."""
        if not self._serves:
            return
        pid_file, copy = self._server / "postmaster.pid", self._server.with_name("binaries")
        os.kill(int(pid_file.read_text().split()[0]), signal.SIGINT)
        deadline = time.monotonic() + SECONDS_TO_STOP
        while pid_file.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        if copy.is_symlink():
            # Where the server's programs were copied to, for who may not enter the checkout.
            shutil.rmtree(copy.resolve())
            copy.unlink()
        self._serves = False

    def remove(self) -> None:
        """Stop the server and remove everything."""
        self.close()
        shutil.rmtree(self.directory)


def _digest() -> str:
    digest = hashlib.sha256()
    for maker in MAKERS:
        path = ROOT / maker
        for file in sorted(path.glob("*.py")) if path.is_dir() else [path]:
            digest.update(file.read_bytes())
    return digest.hexdigest()

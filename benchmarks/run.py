"""The measurement: our list beside the bare one, visited in turns, and a Markdown table of the medians.

Only ratios within one run hold: the machine is shared. Reads come first, writes last.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from statistics import median

import sqlalchemy as sa
from flask.testing import FlaskClient

import config
from app import create_app
from benchmarks.cases import Application, BareFlask, Case, Product, SqlAlone, cases, product_address
from benchmarks.databases import Filled, Store
from benchmarks.fill import USERNAME
from benchmarks.servers import Answer, Failed, token_of
from extensions import db

PAGE = 50
WARM_UP = 5
# The last one is the limit that all others are compared with.
APPLICATIONS: tuple[type[Application], ...] = (Product, BareFlask)


def main(arguments: list[str] | None = None) -> int:
    given = options(arguments)
    store = Store(given.directory)
    try:
        if given.clean:
            store.remove()
            return 0
        for engine in given.database:
            filled = store.filled(engine, clients=given.clients, seed=given.seed)
            print(
                report(engine, filled, rounds=given.rounds, workers=given.workers, wanted=given.case),
                flush=True,
            )
    except Failed as failure:
        print(failure, file=sys.stderr)
        return 1
    finally:
        store.close()
    return 0


def options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--clients", type=int, help="100,000 by default, 1,000,000 with --long")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), action="append")
    parser.add_argument("--long", action="store_true", help="1,000,000 clients, on both databases")
    parser.add_argument("--rounds", type=int, default=30, help="visits of each page that count")
    parser.add_argument("--workers", type=int, default=1, help="processes of each application")
    parser.add_argument("--case", action="append", help="measure this case only, e.g. a or d2")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--directory", type=Path, help="where filled databases are kept and found again")
    parser.add_argument("--clean", action="store_true", help="remove the databases that were kept")
    given = parser.parse_args(arguments)
    given.clients = given.clients or (1_000_000 if given.long else 100_000)
    given.database = given.database or (["sqlite", "postgresql"] if given.long else ["sqlite"])
    return given


def report(engine: str, filled: Filled, *, rounds: int, workers: int, wanted: list[str] | None) -> str:
    """Measure everything on one database, and put it in words."""
    chosen = [case for case in cases(filled) if not wanted or case.code in wanted]
    statements = count_statements(filled, chosen)
    with ExitStack() as running:
        alone = SqlAlone(filled)
        running.callback(alone.close)
        applications: list[Application] = []
        for kind in APPLICATIONS:
            applications.append(kind(filled, workers=workers))
            running.callback(applications[-1].stop)
        check_same_rows(chosen, applications)
        lines = [f"## {engine}, {filled.clients:,} clients", "", *table_head(applications)]
        for case in chosen:
            before = [application.server.cpu_seconds() for application in applications]
            times = measure(case, applications, alone, rounds)
            used = [
                (application.server.cpu_seconds() - spent) * 1000 / (rounds + WARM_UP)
                for application, spent in zip(applications, before, strict=True)
            ]
            lines.append(table_line(case, times, used, statements.get(case.code)))
        lines += ["", surroundings(applications, rounds=rounds, workers=workers)]
    return "\n".join(lines) + "\n"


def check_same_rows(chosen: list[Case], applications: list[Application]) -> None:
    """Every application shows the rows of the last one, the limit, in its order."""
    for case in chosen:
        if case.is_write:
            continue
        answers = [checked(application.visit(case, 0, 0)) for application in applications]
        wanted = answers[-1].rows
        for application, answer in zip(applications, answers, strict=True):
            if answer.rows != wanted or not 0 < len(wanted) <= PAGE:
                raise Failed(f"case {case.code}: {application.name} shows {answer.rows}, not {wanted}")
        if (len(wanted) == 1) != (case.code == "d2"):
            raise Failed(f"case {case.code}: {len(wanted)} rows")


def measure(
    case: Case, applications: list[Application], alone: SqlAlone, rounds: int
) -> dict[str, list[float]]:  # fmt: skip
    """Visit all in turns, each first in its turn; returns milliseconds by name, in the order of the table."""
    times: dict[str, list[float]] = {name: [] for name in [*(each.name for each in applications), alone.name]}
    for number in range(-WARM_UP, rounds):
        start = number % len(applications)
        for place, application in enumerate(applications[start:] + applications[:start]):
            # A client of his own for each write.
            client_id = 1 + (number + WARM_UP) * len(applications) + place
            begun = time.perf_counter()
            answer = application.visit(case, client_id, number)
            times[application.name].append((time.perf_counter() - begun) * 1000)
            checked(answer)
        if not case.is_write:
            begun = time.perf_counter()
            alone.run(case)
            times[alone.name].append((time.perf_counter() - begun) * 1000)
    return {name: spent[WARM_UP:] for name, spent in times.items()}


def table_head(applications: list[Application]) -> list[str]:
    names = [application.name for application in applications]
    titles = [*names, "SQL alone", *(f"{name} / limit" for name in names[:-1])]
    titles += [*(f"{name}, processor" for name in names), "statements"]
    return [f"| case | | {' | '.join(titles)} |", f"| --- | --- {'| ---: ' * len(titles)}|"]


def table_line(case: Case, times: dict[str, list[float]], used: list[float], statements: int | None) -> str:
    """Medians, their ratios to the limit's, and the processor time of one visit."""
    *visits, alone = times.values()
    medians = [median(spent) for spent in visits]
    cells = [f"{value:.1f}" for value in medians]
    cells.append(f"{median(alone):.2f}" if alone else "")
    cells += [f"{value / medians[-1]:.1f}" for value in medians[:-1]]
    cells += [f"{value:.1f}" for value in used]
    return f"| {case.code} | {case.title} | {' | '.join(cells)} | {statements or ''} |"


def checked(answer: Answer) -> Answer:
    if answer.status != 200:
        raise Failed(f"status {answer.status}:\n{answer.text[:2000]}")
    return answer


def count_statements(filled: Filled, chosen: list[Case]) -> dict[str, int]:
    """How many statements each page of ours runs, counted in this process."""
    environ = {"DATABASE_URL": filled.url, "DATA_DIR": str(filled.data_dir)}
    app = create_app(config.load({**environ, "PATH": os.environ["PATH"]}))
    seen: list[str] = []
    with app.app_context():
        engine = db.engine
    sa.event.listen(engine, "before_cursor_execute", lambda *call: seen.append(call[2]))
    visitor = app.test_client()
    log_in(visitor, filled)
    counted = {}
    for case in chosen:
        if not case.is_write:
            visitor.get(product_address(case))
            seen.clear()
            visitor.get(product_address(case))
            counted[case.code] = len(seen)
    engine.dispose()
    return counted


def log_in(visitor: FlaskClient, filled: Filled) -> None:
    """Log in within this process."""
    page = visitor.get("/admin/login")
    token = token_of(Answer(page.status_code, page.text))
    fields = {"username": USERNAME, "password": filled.password, "csrf_token": token}
    if visitor.post("/admin/login", data=fields).status_code != 302:
        raise Failed("the login was refused")


def surroundings(applications: list[Application], *, rounds: int, workers: int) -> str:
    """What else has to be known to compare."""
    memory = ", ".join(f"{each.name} {each.server.peak_megabytes():.0f} MB" for each in applications)
    return (
        f"Milliseconds, medians of {rounds} visits through one kept connection, in turns; {workers} "
        f"worker(s) each. Peak memory of a worker: {memory}. Load of the machine: "
        f"{os.getloadavg()[0]:.1f} on {os.cpu_count()} processors, Python {platform.python_version()}."
    )

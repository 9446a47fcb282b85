"""The measurement: the product, the limit and its peers side by side, visited in turns, and Markdown tables.

Only ratios within one run hold: the machine is shared. Reads come first, writes last, on a copy of the database that
was filled.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import date
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import sqlalchemy as sa
from flask.testing import FlaskClient

import config
from app import create_app
from benchmarks import exporting, reading, report, writing
from benchmarks.applications import Application, BareFlask, Django, FlaskAdmin, Product, SqlAlone, product_address
from benchmarks.cases import Case, cases
from benchmarks.databases import Filled, Store
from benchmarks.fill import USERNAME
from benchmarks.reading import Place
from benchmarks.report import Measured, Verdict
from benchmarks.servers import Answer, Failed, token_of
from extensions import db

ENGINES = ("sqlite", "postgresql")
WRITES = {"g": "one inline edit", "h50": "bulk change of the 50 rows"}
SMALL, USUAL, LARGE = 10_000, 100_000, 1_000_000
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
IMPORTED, IMPORTS = 100_000, "benchmarks.imports"


def main(arguments: list[str] | None = None) -> int:
    given = options(arguments)
    store = Store(given.directory)
    try:
        if given.clean:
            store.remove()
            return 0
        told = Told(given.write)
        verdicts = {engine: _measured(engine, store, given, told) for engine in given.database}
        told.say(report.judged(verdicts))
        told.write()
    except Failed as failure:
        print(failure, file=sys.stderr)
        return 1
    finally:
        store.close()
    return int(given.check and not all(one.held for ones in verdicts.values() for one in ones))


class Told:
    """What was measured so far, said at once and written into a document in the end."""

    def __init__(self, document: Path | None) -> None:
        self._document, self._parts = document, [f"Measured on {date.today().isoformat()}.\n"]  # noqa: DTZ011  Here.

    def say(self, part: str) -> None:
        print(part, flush=True)
        self._parts.append(part)

    def write(self) -> None:
        """Put it between the two marks of the document, in place of what stood there."""
        if self._document is None:
            return
        before, _begin, rest = self._document.read_text(encoding="utf-8").partition(BEGIN)
        _old, end, after = rest.partition(END)
        if not end:
            raise Failed(f"{self._document} has no place for figures: {BEGIN} … {END}")
        figures = "\n".join(self._parts)
        self._document.write_text(f"{before}{BEGIN}\n\n{figures}\n{END}{after}", encoding="utf-8")


def options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--clients", type=int, help=f"{USUAL:,} by default, {LARGE:,} with --long")
    parser.add_argument(
        "--beside", type=int, metavar="CLIENTS", help=f"a smaller number beside it; {SMALL:,} with --long"
    )
    parser.add_argument("--database", choices=ENGINES, action="append", help="both, where none is named")
    parser.add_argument("--long", action="store_true", help=f"{LARGE:,} clients beside {SMALL:,}")
    parser.add_argument("--rounds", type=int, default=20, help="visits of each page that count")
    parser.add_argument("--bulk-rounds", type=int, default=3, help="changes of all that match")
    parser.add_argument("--workers", type=int, default=1, help="processes of each application")
    parser.add_argument("--case", action="append", help="measure this page only, e.g. a or d2")
    parser.add_argument("--no-peers", action="store_true", help="leave out Flask-Admin and Django")
    parser.add_argument("--only-reads", action="store_true", help="leave out changes, export and eight at once")
    parser.add_argument("--imports", action="store_true", help=f"measure the import of {IMPORTED:,} clients, too")
    parser.add_argument(
        "--write", type=Path, metavar="FILE", help="put the tables between the two marks of this document"
    )
    parser.add_argument("--check", action="store_true", help="fail if something that is demanded is not held")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--directory", type=Path, help="where filled databases are kept and found again")
    parser.add_argument("--clean", action="store_true", help="remove the databases that were kept")
    given = parser.parse_args(arguments)
    given.clients = given.clients or (LARGE if given.long else USUAL)
    given.beside = given.beside or (SMALL if given.long else None)
    given.database = given.database or ENGINES
    if not given.no_peers and find_spec("django") is None:
        parser.error("Django is not installed: `make bench` installs it; --no-peers measures without it")
    return given


def _measured(engine: str, store: Store, given: argparse.Namespace, told: Told) -> list[Verdict]:
    """Measure everything on one database and tell it; returns what is demanded and how it was met."""
    print(f"Measuring on {engine} …", file=sys.stderr, flush=True)
    with ExitStack() as running:
        places = [_place(engine, store, given, given.clients, running, is_main=True)]
        if given.beside:
            places.append(_place(engine, store, given, given.beside, running, is_main=False))
        found = measure(engine, places, given)
    told.say(report.report(found))
    return [*report.verdicts(found), *(_imports(engine, store, told) if given.imports else [])]


def _place(
    engine: str, store: Store, given: argparse.Namespace, clients: int, running: ExitStack, *, is_main: bool
) -> Place:
    """A copy of the filled database, and who is measured on it; all of it ends with `running`."""
    filled = running.enter_context(store.copied(store.filled(engine, clients=clients, seed=given.seed), engine))
    peers = is_main and not given.no_peers
    suffix = "" if is_main else report.suffix_of(clients)
    alone = SqlAlone(filled, suffix=suffix)
    running.callback(alone.close)
    kinds: list[type[Application]] = [Product, *([FlaskAdmin, Django] if peers else []), BareFlask]
    applications = []
    for kind in kinds:
        applications.append(kind(filled, workers=given.workers, suffix=suffix))
        running.callback(applications[-1].stop)
    chosen = [case for case in cases(filled) if not given.case or case.code in given.case]
    return Place(filled, applications, alone, chosen)


def measure(engine: str, places: Sequence[Place], given: argparse.Namespace) -> Measured:
    """Everything about one database; the first place is the one that is meant, the second a smaller one beside it."""
    main, product = places[0], places[0].applications[0]
    assert isinstance(product, Product)
    titles = {case.code: case.title for case in main.cases} | ({} if given.only_reads else WRITES)
    found = Measured(engine, given.clients, given.rounds, given.workers, titles, small=given.beside)
    if not given.only_reads:
        # First of all, while the process has done nothing else that could have filled its memory.
        found.export = exporting.export(product)
        found.stages["export"] = found.export.most
    for place in places:
        reading.check_same_rows(place)
    found.statements = count_statements(main.filled, main.cases)
    found.times = reading.read(places, rounds=given.rounds)
    found.stages["pages"] = product.server.peak_megabytes()
    if not given.only_reads:
        found.crowds = {each.label: reading.crowd(each, Case("a", "", {})) for each in main.applications}
        found.stages["eight at once"] = product.server.peak_megabytes()
        _write(places, found, given)
        found.stages["changes"] = product.server.peak_megabytes()
    found.peaks = {each.label: each.server.peak_megabytes() for each in main.applications}
    return found


def _write(places: Sequence[Place], found: Measured, given: argparse.Namespace) -> None:
    writing.change_page(found.times, places, rounds=given.rounds)
    writing.edit(found.times, [each for place in places for each in place.applications], rounds=given.rounds)
    product, django = (
        next((each for each in places[0].applications if isinstance(each, kind)), None) for kind in (Product, Django)
    )
    found.change = writing.All(places[0].filled, product, django).measure(rounds=given.bulk_rounds)


def _imports(engine: str, store: Store, told: Told) -> list[Verdict]:
    if find_spec(IMPORTS) is None:
        print(f"{IMPORTS} is not there; nothing was imported.", file=sys.stderr)
        return []
    imports = import_module(IMPORTS)
    figures = imports.measure(engine, clients=IMPORTED, store=store)
    told.say(f"Import of {IMPORTED:,} clients on {engine}:\n\n{imports.report([figures])}")
    return report.of_import(figures.whole.clock / figures.bare.clock, figures.megabytes)


def count_statements(filled: Filled, chosen: Sequence[Case]) -> dict[str, int]:
    """How many statements each page of ours runs, counted in this process."""
    environ = {"DATABASE_URL": filled.url, "DATA_DIR": str(filled.data_dir)}
    app = create_app(config.load({**environ, "PATH": os.environ["PATH"]}))
    seen: list[str] = []
    with app.app_context():
        engine = db.engine
    sa.event.listen(engine, "before_cursor_execute", lambda *call: seen.append(call[2]))
    visitor = app.test_client()
    log_in(visitor, filled.password)
    counted = {}
    for case in chosen:
        visitor.get(product_address(case))
        seen.clear()
        visitor.get(product_address(case))
        counted[case.code] = len(seen)
    engine.dispose()
    return counted


def log_in(visitor: FlaskClient, password: str) -> None:
    """Log in within this process."""
    page = visitor.get("/admin/login")
    token = token_of(Answer(page.status_code, page.text))
    fields = {"username": USERNAME, "password": password, "csrf_token": token}
    if visitor.post("/admin/login", data=fields).status_code != 302:
        raise Failed("the login was refused")

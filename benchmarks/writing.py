"""The changes: one cell in place, the fifty rows of a page, and all that match; each in turns, reads having been done.

A change sets a characterization that the rows do not have, so that every row really changes, and the next one sets it
back.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from statistics import median
from typing import Any

import psycopg
from sqlalchemy.engine import make_url

from benchmarks import bare_flask
from benchmarks.applications import Application, Django, Product, staff_id
from benchmarks.cases import Case
from benchmarks.databases import Filled
from benchmarks.reading import Place, Times, timed
from benchmarks.servers import Failed

# A tenth of the clients: registrations are spread evenly over ten years.
SINCE, CHOSEN = "2030-01-01", "registered_at >= :since"
RAW = "UPDATE alone"
WARM_UP = 3


def edit(times: Times, applications: Sequence[Application], *, rounds: int) -> None:
    """Case g: one edit in place, of a client of its own each."""
    for number in range(-WARM_UP, rounds):
        kept = times if number >= 0 else Times()
        for place, application in enumerate(applications):
            client_id = 1 + (number + WARM_UP) * len(applications) + place
            timed(kept, application, "g", lambda: application.edit(client_id, number))  # noqa: B023


def change_page(times: Times, places: Sequence[Place], *, rounds: int) -> None:
    """Case h50: the fifty rows of the first page, to and fro."""
    chosen = [(place, Kinds(place.filled), _first_page(place)) for place in places]
    for number in range(-1, rounds):
        kept = times if number >= 0 else Times()
        for place, kinds, ids in chosen:
            for application in place.applications:
                _change_page(kept, application, kinds, ids)


def _first_page(place: Place) -> list[int]:
    limit = place.applications[-1]
    return limit.rows(limit.page(Case("a", "", {})))


def _change_page(times: Times, application: Application, kinds: Kinds, ids: Sequence[int]) -> None:
    wanted = kinds.other_than(ids)
    timed(times, application, "h50", lambda: application.change(ids, wanted))
    if (have := kinds.count(ids, wanted)) != len(ids):
        raise Failed(f"case h50: {application.label} changed {have} of {len(ids)} rows")


class Kinds:
    """The two characterizations that clients are given in turns, and how many have them."""

    def __init__(self, filled: Filled) -> None:
        self._filled = filled
        codes = "SELECT code, id FROM characterizations"
        found = dict(self._all(codes))
        self.ordinary, self.good = found["ordinary"], found["good"]

    def other_than(self, ids: Sequence[int]) -> int:
        """The one of the two that the rows are not all of; they are made to be of the other one first."""
        first = self.good if self.count(ids, self.good) == len(ids) else self.ordinary
        if self.count(ids, first) != len(ids):
            self._all(f"UPDATE clients SET characterization_id = {first} WHERE id IN ({_listed(ids)}) RETURNING id")
        return self.ordinary if first == self.good else self.good

    def count(self, ids: Sequence[int], kind: int) -> int:
        statement = f"SELECT count(*) FROM clients WHERE characterization_id = {kind} AND id IN ({_listed(ids)})"
        return int(self._all(statement)[0][0])

    def _all(self, statement: str) -> list[Any]:
        with closing(bare_flask.Database(self._filled.url)) as database:
            return database.all(statement, {})


def _listed(ids: Sequence[int]) -> str:
    return ", ".join(map(str, ids))


@dataclass
class ChangeOfAll:
    """Seconds that a change of all that match took, by who did it, and how many rows really changed each time.

    Of the product's three steps `look`, its page that asks for confirmation, is kept apart: there a person reads.
    """

    rows: int = 0
    spent: dict[str, list[float]] = field(default_factory=dict)
    look: list[float] = field(default_factory=list)

    def add(self, name: str, seconds: float, rows: int) -> None:
        if self.rows not in {0, rows}:
            raise Failed(f"case h_all: {name} changed {rows} rows, not {self.rows}")
        self.rows = rows
        self.spent.setdefault(name, []).append(seconds)

    def median(self, name: str) -> float | None:
        return median(self.spent[name]) if name in self.spent else None


class All:
    """Case h_all on one database: about a tenth of the clients, to and fro."""

    def __init__(self, filled: Filled, product: Product, django: Django | None) -> None:
        self._filled, self._product, self._django = filled, product, django
        self._kinds = Kinds(filled)
        self._staff = staff_id(filled)
        self._database = bare_flask.Database(filled.url)
        # SQLite keeps times as texts, and compares them as such.
        self._since = f"{SINCE} 00:00:00" + (".000000" if self._database.is_sqlite else "+00")

    def measure(self, *, rounds: int) -> ChangeOfAll:
        """Each in turns; who sets which characterization changes with the round."""
        found = ChangeOfAll()
        with closing(self._database):
            self._raw(self._kinds.ordinary)
            self._tidy()
            for _round in range(rounds):
                for act in (self._by_product, self._by_update, *([self._by_django] if self._django else [])):
                    wanted = self._kinds.good if self._have(self._kinds.ordinary) else self._kinds.ordinary
                    before = self._have(wanted)
                    name, seconds = act(wanted, found)
                    found.add(name, seconds, self._have(wanted) - before)
                    self._tidy()
        return found

    def _by_product(self, wanted: int, found: ChangeOfAll) -> tuple[str, float]:
        begun = time.perf_counter()
        address = self._product.choose(f"registered_from={SINCE}", [("all", "1")])
        chosen = time.perf_counter()
        asked = self._product.confirmation(address)
        looked = time.perf_counter()
        self._product.confirm(asked, wanted)
        found.look.append(looked - chosen)
        return self._product.name, time.perf_counter() - looked + chosen - begun

    def _by_update(self, wanted: int, _found: ChangeOfAll) -> tuple[str, float]:
        begun = time.perf_counter()
        self._raw(wanted)
        return RAW, time.perf_counter() - begun

    def _by_django(self, wanted: int, _found: ChangeOfAll) -> tuple[str, float]:
        assert self._django is not None
        newest = self._database.all(f"SELECT max(id) FROM clients WHERE {CHOSEN}", {"since": self._since})[0][0]
        begun = time.perf_counter()
        self._django.change_all(f"registered_at__gte={SINCE}", newest, wanted)
        return self._django.name, time.perf_counter() - begun

    def _raw(self, wanted: int) -> None:
        moment = datetime.now(UTC).replace(tzinfo=None).isoformat(" ")
        values = {"characterization": wanted, "staff": self._staff, "now": moment, "since": self._since}
        self._database.change(bare_flask.CHANGE.format(chosen=CHOSEN), values)

    def _have(self, kind: int) -> int:
        statement = f"SELECT count(*) FROM clients WHERE {CHOSEN} AND characterization_id = :kind"
        return int(self._database.all(statement, {"since": self._since, "kind": kind})[0][0])

    def _tidy(self) -> None:
        """Clear away what the change before has left to be cleared, so that each begins on equal terms."""
        if self._database.is_sqlite:
            self._database.all("PRAGMA wal_checkpoint(TRUNCATE)", {})
            return
        name = make_url(self._filled.url).set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(name, autocommit=True) as connection:
            connection.execute("VACUUM clients")
            connection.execute("CHECKPOINT")

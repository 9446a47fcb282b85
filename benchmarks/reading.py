"""The pages: that all show the same rows, how long each takes in turns, and how they fare under eight at once."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from statistics import median

from benchmarks.applications import Application, SqlAlone, checked
from benchmarks.cases import PAGE, Case
from benchmarks.databases import Filled
from benchmarks.servers import Failed, Visitor

WARM_UP = 3
AT_ONCE = 8
SECONDS_AT_ONCE = 4.0


@dataclass
class Times:
    """Milliseconds by who and what: `spent` on the clock, `used` of the processor by the worker."""

    spent: dict[tuple[str, str], list[float]] = field(default_factory=lambda: defaultdict(list))
    used: dict[tuple[str, str], list[float]] = field(default_factory=lambda: defaultdict(list))

    def median(self, name: str, case: str) -> float | None:
        spent = self.spent.get((name, case))
        return median(spent) if spent else None

    def processor(self, name: str, case: str) -> float | None:
        used = self.used.get((name, case))
        return median(used) if used else None

    def ratio(self, case: str, name: str, other: str) -> float | None:
        """How many times as long as `other` takes `name`."""
        mine, theirs = self.median(name, case), self.median(other, case)
        return mine / theirs if mine is not None and theirs else None


@dataclass(frozen=True)
class Place:
    """Applications over one filled database, the limit last, and the cases of that database."""

    filled: Filled
    applications: Sequence[Application]
    alone: SqlAlone
    cases: Sequence[Case]


def check_same_rows(place: Place) -> None:
    """Every application shows the rows that the limit's statement finds, in its order."""
    for case in place.cases:
        wanted = [row[0] for row in place.alone.run(case)]
        for application in place.applications:
            shown = application.rows(application.page(case))
            if shown != wanted:
                raise Failed(f"case {case.code}: {application.name} shows {shown}, not {wanted}")
        if len(wanted) > PAGE or not wanted or (len(wanted) == 1) != (case.code == "d2"):
            raise Failed(f"case {case.code}: {len(wanted)} rows")


def read(places: Sequence[Place], *, rounds: int) -> Times:
    """Visit every page of all in turns, again and again; who is first changes with each round.

    What is slow for all at some moment, as the machine is shared, so is slow for all.
    """
    times = Times()
    for number in range(-WARM_UP, rounds):
        kept = times if number >= 0 else Times()
        for place in places:
            for case in place.cases:
                _read_case(place, case, number, kept)
    return times


def _read_case(place: Place, case: Case, number: int, times: Times) -> None:
    start = number % len(place.applications)
    for application in [*place.applications[start:], *place.applications[:start]]:
        timed(times, application, case.code, lambda each=application: each.page(case))  # type: ignore[misc]
    begun = time.perf_counter()
    place.alone.run(case)
    times.spent[place.alone.label, case.code].append((time.perf_counter() - begun) * 1000)


def timed(times: Times, application: Application, code: str, visit: Callable[[], object]) -> None:
    """Note how long `visit` takes, and how much the workers run meanwhile."""
    key = application.label, code
    application.visitor.wake()
    used, begun = application.server.cpu_seconds(), time.perf_counter()
    visit()
    times.spent[key].append((time.perf_counter() - begun) * 1000)
    times.used[key].append((application.server.cpu_seconds() - used) * 1000)


@dataclass(frozen=True)
class Crowd:
    """What came of eight visitors at once: pages per second, and milliseconds that one waits."""

    pages: float
    usual: float
    worst: float


def crowd(application: Application, case: Case, *, seconds: float = SECONDS_AT_ONCE) -> Crowd:
    """Eight visitors ask for one page as fast as they get it, for so many seconds."""
    visitors = [application.visitor.another() for _visitor in range(AT_ONCE)]
    spent: list[list[float]] = [[] for _visitor in visitors]
    begun = time.perf_counter()
    threads = [
        threading.Thread(target=_insist, args=(visitor, application.address(case), begun + seconds, mine))
        for visitor, mine in zip(visitors, spent, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    passed = time.perf_counter() - begun
    for visitor in visitors:
        visitor.close()
    waits = sorted(wait for mine in spent for wait in mine)
    if any(not mine for mine in spent):
        raise Failed(f"{application.name} left a visitor without an answer")
    return Crowd(len(waits) / passed, median(waits), waits[int(len(waits) * 0.95)])


def _insist(visitor: Visitor, address: str, until: float, spent: list[float]) -> None:
    # What went wrong is seen by the visitor's having no times.
    with suppress(Failed, OSError):
        while (begun := time.perf_counter()) < until:
            checked(visitor.get(address))
            spent.append((time.perf_counter() - begun) * 1000)

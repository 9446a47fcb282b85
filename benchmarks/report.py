"""What was measured, in Markdown: the medians and ratios, and what is demanded of them and held or not."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks.applications import BareFlask, Django, FlaskAdmin, Product, SqlAlone
from benchmarks.exporting import Export
from benchmarks.reading import Crowd, Times
from benchmarks.writing import RAW, ChangeOfAll

MINE, LIMIT, STOCK, TUNED, ALONE = Product.name, BareFlask.name, FlaskAdmin.name, Django.name, SqlAlone.name
READS = ("a", "b", "c", "d", "d2", "e", "f")
# What issue and specification demand.
TIMES_THE_LIMIT, FASTER_THAN_DJANGO, DEPTH, GROWTH, EDIT, BULK = 5.0, 3.0, 1.2, 1.5, 3.0, 1.5
EXPORT_MEGABYTES, EXPORT_SECONDS, PROCESS_MEGABYTES = 50.0, 1.0, 150.0
IMPORT_TIMES, IMPORT_MEGABYTES = 10.0, 150.0


@dataclass
class Measured:
    """Everything that was measured on one database.

    `small` is how many clients the smaller one has, if any. Megabytes: `peaks` by application; `stages`, what the
    product's process had held at most by the end of each.
    """

    engine: str
    clients: int
    rounds: int
    workers: int
    titles: Mapping[str, str]
    times: Times = field(default_factory=Times)
    statements: Mapping[str, int] = field(default_factory=dict)
    small: int | None = None
    crowds: dict[str, Crowd] = field(default_factory=dict)
    change: ChangeOfAll | None = None
    export: Export | None = None
    peaks: dict[str, float] = field(default_factory=dict)
    stages: dict[str, float] = field(default_factory=dict)

    @property
    def suffix(self) -> str:
        return suffix_of(self.small or 0)


@dataclass(frozen=True)
class Verdict:
    what: str
    demanded: str
    measured: str
    held: bool


def suffix_of(clients: int) -> str:
    return f" at {clients:,}"


def report(found: Measured) -> str:
    """The tables of one database."""
    parts = [f"## {found.engine}, {found.clients:,} clients", "", *_pages(found), "", *_crowds(found)]
    parts += [*_bulk(found), *_export(found), _surroundings(found)]
    return "\n".join(parts) + "\n"


def _pages(found: Measured) -> list[str]:
    times, small = found.times, found.small
    names = [name for name in (MINE, LIMIT, ALONE, STOCK, TUNED) if any(key[0] == name for key in times.spent)]
    ratios = [(MINE, LIMIT), *(pair for pair in ((STOCK, LIMIT), (TUNED, MINE)) if pair[0] in names)]
    titles = [*names, *(f"{one} / {other}" for one, other in ratios)]
    titles += [f"{MINE}{found.suffix}", f"{found.clients:,} / {small:,}"] if small else []
    titles += [f"{MINE}, processor", f"{LIMIT}, processor", "ratio of these", "statements"]
    lines = [f"| case | | {' | '.join(titles)} |", f"| --- | --- {'| ---: ' * len(titles)}|"]
    for code, title in found.titles.items():
        cells = [_number(times.median(name, code), 2 if name == ALONE else 1) for name in names]
        cells += [_number(times.ratio(code, one, other)) for one, other in ratios]
        if small:
            cells += [_number(times.median(MINE + found.suffix, code))]
            cells += [_number(times.ratio(code, MINE, MINE + found.suffix), 2)]
        used = [times.processor(name, code) for name in (MINE, LIMIT)]
        cells += [*map(_number, used), _ratio(used)]
        lines.append(f"| {code} | {title} | {' | '.join(cells)} | {found.statements.get(code, '')} |")
    return lines


def _crowds(found: Measured) -> list[str]:
    if not found.crowds:
        return []
    lines = [
        "Eight at once, first page:",
        "",
        "| | pages per second | median wait, ms | 95 of 100 wait less than, ms |",
    ]
    lines += ["| --- | ---: | ---: | ---: |"]
    lines += [f"| {name} | {one.pages:.0f} | {one.usual:.0f} | {one.worst:.0f} |" for name, one in found.crowds.items()]
    return [*lines, ""]


def _bulk(found: Measured) -> list[str]:
    if found.change is None:
        return []
    raw = found.change.median(RAW) or 0.0
    lines = [f"Bulk change of {found.change.rows:,} clients (h_all), every one really changed:", ""]
    lines += [f"| | s | / {RAW} |", "| --- | ---: | ---: |"]
    for name in found.change.spent:
        seconds = found.change.median(name) or 0.0
        lines.append(f"| {name} | {seconds:.2f} | {seconds / raw:.2f} |")
    look = sorted(found.change.look)[len(found.change.look) // 2]
    note = (
        f"{MINE}: both requests together, audit included; its page that asks for confirmation took {look:.2f} s more."
    )
    return [*lines, "", note, ""]


def _export(found: Measured) -> list[str]:
    if found.export is None:
        return []
    one = found.export
    words = (
        f"Export of {one.rows:,} rows to CSV: first byte after {one.first_byte:.2f} s, {one.rows_per_second:,.0f} rows "
        f"per second; the process held {one.before:.0f} MB before, {one.most:.0f} MB at most (+{one.growth:.0f} MB)."
    )
    return [words, ""]


def _surroundings(found: Measured) -> str:
    """What else has to be known to compare."""
    memory = ", ".join(f"{name} {megabytes:.0f} MB" for name, megabytes in found.peaks.items())
    stages = ", ".join(f"{name} {megabytes:.0f} MB" for name, megabytes in found.stages.items())
    load, processors = os.getloadavg()[0], os.cpu_count() or 1
    words = (
        f"Milliseconds, medians of {found.rounds} visits through one kept connection, in turns; {found.workers} worker(s) "
        f"each; «processor» is what a worker itself ran. Peak memory of a worker in the whole run: {memory}; of {MINE}'s "
        f"by the end of: {stages}. In place (g) "
        f"Django saves the whole page's form, the others one cell. Load of the machine: {load:.1f} on {processors} "
        f"processors, Python {platform.python_version()}."
    )
    if load > processors + 1:
        # Who works for long is interrupted more often than who is done at once.
        words += " Others worked on the machine, which makes long visits look longer than they are."
    return words


# What is demanded


def verdicts(found: Measured) -> list[Verdict]:
    """What is demanded, and what was measured of it here."""
    judged = [
        _at_most(f"{code}, beside bare Flask", found.times.ratio(code, MINE, LIMIT), TIMES_THE_LIMIT) for code in READS
    ]
    judged += [
        _at_least(f"{code}, tuned Django beside it", found.times.ratio(code, TUNED, MINE), FASTER_THAN_DJANGO)
        for code in READS
    ]
    deep, first = found.times.median(MINE, "b"), found.times.median(MINE, "a")
    judged.append(_at_most("page at 90 % beside the first", deep / first if deep and first else None, DEPTH))
    if found.small:
        judged += [
            _at_most(
                f"{code}, {found.clients:,} beside {found.small:,}",
                found.times.ratio(code, MINE, MINE + found.suffix),
                GROWTH,
            )
            for code in found.titles
        ]
    judged.append(_at_most("inline edit (g), beside bare Flask", found.times.ratio("g", MINE, LIMIT), EDIT))
    return [one for one in [*judged, *_of_bulk(found), *_of_memory(found)] if one]


def _of_bulk(found: Measured) -> list[Verdict | None]:
    if found.change is None:
        return []
    mine, raw = found.change.median(MINE), found.change.median(RAW)
    what = f"bulk change of {found.change.rows:,}, beside the raw UPDATE"
    return [_at_most(what, mine / raw if mine and raw else None, BULK)]


def _of_memory(found: Measured) -> list[Verdict | None]:
    judged: list[Verdict | None] = []
    if found.export:
        judged.append(_at_most("export, growth of the process", found.export.growth, EXPORT_MEGABYTES, " MB"))
        judged.append(_at_most("export, first byte", found.export.first_byte, EXPORT_SECONDS, " s"))
    if MINE in found.peaks:
        judged.append(_at_most("web process after the whole run", found.peaks[MINE], PROCESS_MEGABYTES, " MB"))
    return judged


def of_import(times: float, megabytes: float) -> list[Verdict]:
    """What is demanded of an import that took so many times as long as the bare rows."""
    judged = (
        _at_most("import, beside the bare rows", times, IMPORT_TIMES),
        _at_most("import, peak memory", megabytes, IMPORT_MEGABYTES, " MB"),
    )
    return [one for one in judged if one]


def _at_most(what: str, value: float | None, most: float, unit: str = " times") -> Verdict | None:
    if value is None:
        return None
    return Verdict(what, f"at most {most:g}{unit}", f"{value:.2f}{unit}", value <= most)


def _at_least(what: str, value: float | None, least: float) -> Verdict | None:
    return None if value is None else Verdict(what, f"at least {least:g} times", f"{value:.2f} times", value >= least)


def judged(by_engine: Mapping[str, Sequence[Verdict]]) -> str:
    """All that is demanded, in one table: a line for each demand, the databases beside one another."""
    engines = list(by_engine)
    whats = list(dict.fromkeys(one.what for ones in by_engine.values() for one in ones))
    lines = [
        "## What is demanded",
        "",
        f"| | demanded | {' | '.join(engines)} | |",
        f"| --- | --- {'| ---: ' * len(engines)}| --- |",
    ]
    by_what = [{one.what: one for one in by_engine[engine]} for engine in engines]
    lines += [_line(what, [found.get(what) for found in by_what]) for what in whats]
    missed = sum(not one.held for ones in by_engine.values() for one in ones)
    total = sum(map(len, by_engine.values()))
    return "\n".join([*lines, "", f"{total - missed} of {total} held."]) + "\n"


def _line(what: str, found: Sequence[Verdict | None]) -> str:
    demanded = next(one.demanded for one in found if one)
    missed = [one for one in found if one and not one.held]
    cells = [one.measured if one else "" for one in found]
    word = "held" if not missed else "**not held**" if len(missed) == sum(map(bool, found)) else "**held in part**"
    return f"| {what} | {demanded} | {' | '.join(cells)} | {word} |"


def _ratio(pair: Sequence[float | None]) -> str:
    one, other = pair
    return _number(one / other if one is not None and other else None)


def _number(value: float | None, places: int = 1) -> str:
    return "" if value is None else f"{value:.{places}f}"

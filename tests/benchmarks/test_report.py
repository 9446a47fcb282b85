"""The measurement runs from end to end, keeps what it filled as it was, and says what is held and what is not."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from benchmarks import databases, report, run
from benchmarks.exporting import Export
from benchmarks.reading import Crowd, Times
from benchmarks.report import LIMIT, MINE, TUNED, Measured, suffix_of
from benchmarks.writing import RAW, ChangeOfAll

GIVEN = ("--clients", "300", "--rounds", "1", "--bulk-rounds", "2", "--database", "sqlite", "--no-peers")


def notes_and_kinds(directory: Path) -> list[Any]:
    engine = sa.create_engine(f"sqlite:///{directory / 'sqlite_bench_300_1' / 'desk.db'}")
    with engine.connect() as connection:
        found = connection.execute(sa.text("SELECT id, note, characterization_id FROM clients ORDER BY id")).all()
    engine.dispose()
    return list(found)


@pytest.mark.long
def test_a_run_measures_everything_and_leaves_what_was_filled(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    kept = tmp_path / "kept"
    databases.Store(kept).filled("sqlite", clients=300, seed=1)
    before = notes_and_kinds(kept)
    assert "Filling" in capsys.readouterr().err

    # Left by a run that was killed; no process has the number 0.
    (kept / "sqlite_copy_300_0").mkdir()
    document = tmp_path / "measure.md"
    document.write_text(f"# Kept\n\n{run.BEGIN}\nold figures\n{run.END}\n\nkept, too\n")
    assert run.main([*GIVEN, "--directory", str(kept), "--write", str(document)]) == 0

    said = capsys.readouterr()
    assert "Filling" not in said.err
    lines = [line.split(" | ") for line in said.out.splitlines() if re.match(r"\| (a|b|c|d|d2|e|f|g|h50) \| ", line)]
    assert [line[0].strip("| ") for line in lines] == ["a", "b", "c", "d", "d2", "e", "f", "g", "h50"]
    assert all(float(line[2]) > 0 and float(line[3]) > 0 for line in lines)
    assert "every one really changed" in said.out
    assert "Export of 300 rows" in said.out
    assert re.search(r"\d+ of 13 held\.", said.out)
    assert notes_and_kinds(kept) == before
    assert [path.name for path in kept.iterdir()] == ["sqlite_bench_300_1"]
    written = document.read_text()
    assert written.startswith(f"# Kept\n\n{run.BEGIN}\n")
    assert written.endswith(f"{run.END}\n\nkept, too\n")
    assert "old figures" not in written
    assert "Export of 300 rows" in written


def test_a_filled_database_is_upgraded_and_not_filled_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []

    def run_fill(_url: str, _data_dir: Path, *arguments: str) -> str:
        done.append(arguments[0])
        return f"20 clients in 1 s; staff bench, password {len(done)}"

    monkeypatch.setattr(databases, "_run_fill", run_fill)
    store, every = databases.Store(tmp_path), databases._migrations()
    older = {name: digest for name, digest in every.items() if name != max(every)}
    monkeypatch.setattr(databases, "_migrations", lambda: older)
    first = store.filled("sqlite", clients=20, seed=1)
    assert (done, first.password) == (["--clients"], "1")

    monkeypatch.setattr(databases, "_migrations", lambda: every)
    assert store.filled("sqlite", clients=20, seed=1) == first
    assert done == ["--clients", "--upgrade"]
    assert store.filled("sqlite", clients=20, seed=1) == first
    assert done == ["--clients", "--upgrade"]

    monkeypatch.setattr(databases, "_migrations", lambda: dict.fromkeys(every, "written anew"))
    assert store.filled("sqlite", clients=20, seed=1).password == "3"
    assert done == ["--clients", "--upgrade", "--clients"]


# What is demanded, from made-up figures


def measured(*, mine: float, limit: float, django: float, small: float | None = None) -> Measured:
    times = Times()
    for code in ("a", "b", "g"):
        times.spent[MINE, code], times.spent[LIMIT, code] = [mine, mine, 900.0], [limit]
        times.spent[TUNED, code] = [django]
        if small:
            times.spent[MINE + suffix_of(10_000), code] = [small]
    titles = {"a": "first page", "b": "deep page", "g": "inline edit"}
    found = Measured("sqlite", 1_000_000, 3, 1, titles, times=times, small=10_000 if small else None)
    found.export = Export(1_000_000, first_byte=0.5, rows_per_second=9000, before=80.0, most=140.0)
    found.change = ChangeOfAll(100_000, {MINE: [3.0, 2.0, 8.0], RAW: [2.0, 2.0, 2.0]}, look=[0.2])
    found.crowds = {MINE: Crowd(40.0, 200.0, 300.0)}
    found.peaks = {MINE: 149.0}
    return found


def verdict(found: Measured, what: str) -> report.Verdict:
    return next(one for one in report.verdicts(found) if one.what == what)


@pytest.mark.parametrize(("mine", "held"), [(10.0, True), (10.1, False)])
def test_a_page_is_held_against_the_limit_by_its_median(mine: float, held: bool) -> None:
    found = measured(mine=mine, limit=2.0, django=60.0)
    assert verdict(found, "a, beside bare Flask").held is held
    assert verdict(found, "a, tuned Django beside it").held
    assert not verdict(found, "inline edit (g), beside bare Flask").held


@pytest.mark.parametrize(("django", "held"), [(30.0, True), (29.0, False)])
def test_django_has_to_take_three_times_as_long(django: float, held: bool) -> None:
    assert verdict(measured(mine=10.0, limit=2.0, django=django), "a, tuned Django beside it").held is held


@pytest.mark.parametrize(("small", "held"), [(7.0, True), (6.0, False)])
def test_a_million_is_held_against_ten_thousand(small: float, held: bool) -> None:
    found = measured(mine=10.0, limit=2.0, django=60.0, small=small)
    assert verdict(found, "a, 1,000,000 beside 10,000").held is held
    assert "Clientdesk at 10,000" in report.report(found)


def test_memory_export_and_bulk_change_are_judged() -> None:
    found = measured(mine=10.0, limit=2.0, django=60.0)
    assert verdict(found, "bulk change of 100,000, beside the raw UPDATE").measured == "1.50 times"
    assert verdict(found, "export, growth of the process").measured == "60.00 MB"
    assert not verdict(found, "export, growth of the process").held
    assert verdict(found, "export, first byte").held
    assert verdict(found, "web process after the whole run").held
    assert [one.held for one in report.of_import(9.9, 151.0)] == [True, False]


def test_the_table_of_demands_names_what_is_held_in_part() -> None:
    good, bad = measured(mine=6.0, limit=2.0, django=60.0), measured(mine=11.0, limit=2.0, django=60.0)
    table = report.judged({"sqlite": report.verdicts(good), "postgresql": report.verdicts(bad)})
    assert "| a, beside bare Flask | at most 5 times | 3.00 times | 5.50 times | **held in part** |" in table
    assert "| export, growth of the process | at most 50 MB | 60.00 MB | 60.00 MB | **not held** |" in table
    assert "| a, tuned Django beside it | at least 3 times | 10.00 times | 5.45 times | held |" in table

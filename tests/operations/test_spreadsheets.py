"""Tables as files: what a spreadsheet reads in them, and that they are made piece by piece."""

from __future__ import annotations

import csv
import io
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from operations import spreadsheets
from tests.support import xlsx

HEADINGS = ["id", "name", "balance", "at", "on", "note"]
MOMENT = datetime(2026, 3, 1, 22, 30, 15, tzinfo=UTC)
LIVE = ("=1+2", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1")


def row(number: int, name: str = "Ann", **more: Any) -> list[Any]:
    values = {"balance": Decimal("-5.00"), "at": MOMENT, "on": date(2026, 2, 28), "note": None, **more}
    return [number, name, *values.values()]


def workbook(*chunks: list[list[Any]], title: str = "Clients", **more: Any) -> bytes:
    return b"".join(spreadsheets.xlsx_chunks(title, HEADINGS, iter(chunks), **more))


def comma_separated(*chunks: list[list[Any]]) -> list[list[str]]:
    text = "".join(spreadsheets.csv_chunks(HEADINGS, iter(chunks)))
    assert text.startswith("\ufeff")
    return list(csv.reader(io.StringIO(text[1:], newline="")))


def test_numbers_days_and_moments_stay_what_they_are() -> None:
    [found] = xlsx.read(workbook([row(7)]))
    moment, day = datetime(2026, 3, 1, 22, 30, 15), datetime(2026, 2, 28)  # noqa: DTZ001
    assert found == {"id": 7, "name": "Ann", "balance": Decimal("-5.00"), "at": moment, "on": day, "note": None}
    assert comma_separated([row(7)])[1] == ["7", "Ann", "-5.00", "2026-03-01T22:30:15+00:00", "2026-02-28", ""]


def test_moments_of_a_sheet_are_those_of_the_reader() -> None:
    [found] = xlsx.read(workbook([row(1)], zone=timezone(timedelta(hours=3))))
    assert found["at"] == datetime(2026, 3, 2, 1, 30, 15)  # noqa: DTZ001


@pytest.mark.parametrize("text", LIVE)
def test_no_text_is_run_as_a_formula(text: str) -> None:
    [found] = xlsx.read(workbook([row(1, text)]))
    assert found["name"].startswith("'")
    assert comma_separated([row(1, text)])[1][1].startswith("'")


@pytest.mark.parametrize(
    "text", ["Пётр & <b>Ёлкин</b>", " blanks ", "two\nlines", '"quotes", commas', "👍", "0012", "]]>", "&amp;"]
)
def test_every_other_text_arrives_as_it_is(text: str) -> None:
    assert xlsx.read(workbook([row(1, text)]))[0]["name"] == text
    assert comma_separated([row(1, text)])[1][1] == text


def test_what_the_format_cannot_hold_is_replaced_or_cut() -> None:
    assert xlsx.read(workbook([row(1, "a\x00b\x0bc\ufffe")]))[0]["name"] == "a\ufffdb\ufffdc\ufffd"
    long = xlsx.read(workbook([row(1, "x" * 40_000)]))[0]["name"]
    assert (len(long), long[-1]) == (32_767, "…")
    old = datetime(1820, 1, 1, tzinfo=UTC)
    assert xlsx.read(workbook([row(1, at=old, on=old.date())]))[0]["on"] == "1820-01-01"


def test_lists_and_objects_are_written_as_json() -> None:
    [found] = xlsx.read(workbook([row(1, note={"имя": [1]})]))
    assert found["note"] == '{"имя": [1]}'
    assert comma_separated([row(1, note=["a"])])[1][5] == '["a"]'


def test_what_one_sheet_cannot_hold_goes_on_in_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spreadsheets, "MOST_ROWS", 4)
    chunks = [[row(number) for number in range(start, start + 5)] for start in (0, 5)]
    found = xlsx.sheets(workbook(*chunks, title="A [very] long: name/of a list of many"))
    assert [name for name, _rows in found] == [
        "A  very  long  name of a l", "A  very  long  name of a l 2", "A  very  long  name of a l 3",
        "A  very  long  name of a l 4",
    ]  # fmt: skip
    assert [[line[0] for line in rows] for _name, rows in found] == [
        ["id", 0, 1, 2], ["id", 3, 4, 5], ["id", 6, 7, 8], ["id", 9],
    ]  # fmt: skip
    monkeypatch.undo()
    monkeypatch.setattr(spreadsheets, "MOST_BYTES", 3_000)
    assert len(xlsx.sheets(workbook(*([row(number)] for number in range(20))))) > 1


def test_an_empty_list_is_a_file_too() -> None:
    assert xlsx.sheets(workbook()) == [("Clients", [HEADINGS])]
    assert comma_separated() == [HEADINGS]


@pytest.mark.long
@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_it_comes_in_pieces_and_memory_does_not_grow(kind: str) -> None:
    made = 0

    def chunks() -> Iterator[list[list[Any]]]:
        nonlocal made
        for start in range(0, 100_000, 1000):
            made += 1
            yield [row(number, f"Name {number}", note="note " * 20) for number in range(start, start + 1000)]

    def pieces() -> Iterator[Any]:
        if kind == "csv":
            return spreadsheets.csv_chunks(HEADINGS, chunks())
        return spreadsheets.xlsx_chunks("Clients", HEADINGS, chunks())

    parts = pieces()
    next(parts)
    assert made == 0, "the first piece waits for no row"
    for _part in range(5):
        next(parts)
    tracemalloc.start()
    try:
        assert sum(1 for part in parts if part) > 20
        assert tracemalloc.get_traced_memory()[1] < 8_000_000
    finally:
        tracemalloc.stop()

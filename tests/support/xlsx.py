"""XLSX as a spreadsheet reads it, by nothing but the format's own rules."""

from __future__ import annotations

import io
import zipfile
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from xml.etree import ElementTree

MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
LINK = "{http://schemas.openxmlformats.org/package/2006/relationships}Relationship"
DAYS = {"2", "3"}
FIRST_DAY = datetime(1899, 12, 30)  # noqa: DTZ001  Spreadsheets know no zones.


def sheets(data: bytes) -> list[tuple[str, list[list[Any]]]]:
    """The sheets by name, each a list of rows of values: text, numbers, moments, None."""
    archive = zipfile.ZipFile(io.BytesIO(data))
    assert archive.testzip() is None
    for name in archive.namelist():
        ElementTree.fromstring(archive.read(name))  # noqa: S314  We made it.
    links = ElementTree.fromstring(archive.read("xl/_rels/workbook.xml.rels"))  # noqa: S314
    targets = {link.get("Id"): link.get("Target") for link in links.iter(LINK)}
    book = ElementTree.fromstring(archive.read("xl/workbook.xml"))  # noqa: S314
    return [
        (sheet.get("name") or "", _rows(archive.read(f"xl/{targets[sheet.get(RELATION)]}")))
        for sheet in book.iter(f"{MAIN}sheet")
    ]


def read(data: bytes) -> list[dict[str, Any]]:
    """The rows of the one sheet, by its headings."""
    [(_name, [headings, *rows])] = sheets(data)
    return [dict(zip(headings, row, strict=True)) for row in rows]


def _rows(data: bytes) -> list[list[Any]]:
    sheet = ElementTree.fromstring(data)  # noqa: S314  We made it.
    assert not list(sheet.iter(f"{MAIN}f")), "no cell is a formula"
    return [[_value(cell) for cell in row.iter(f"{MAIN}c")] for row in sheet.iter(f"{MAIN}row")]


def _value(cell: ElementTree.Element) -> Any:
    if cell.get("t") == "inlineStr":
        return "".join(cell.itertext())
    number = cell.find(f"{MAIN}v")
    if number is None or number.text is None:
        return None
    if cell.get("s") in DAYS:
        return FIRST_DAY + timedelta(seconds=round(float(number.text) * 86_400))
    return Decimal(number.text)

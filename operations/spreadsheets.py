"""Tables as files for spreadsheets, CSV and XLSX, made piece by piece: memory does not grow with the rows.

Rows come in chunks of lists. Numbers, days and moments stay what they are; of text nothing is run as a formula.
XLSX is written here because no library does it so: those that are kept up write to the disk first and send
nothing until all is there (docs/decisions/xlsx.md).
"""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Any
from xml.sax.saxutils import escape

Rows = Iterable[Sequence[Sequence[Any]]]
BYTE_ORDER_MARK = "\ufeff"  # Without it spreadsheets take UTF-8 for something else.
DANGEROUS = frozenset("=+-@\t\r")

# What a sheet can hold: rows by the format; bytes so that a part of the archive needs no 64-bit sizes, which
# spreadsheets do not read in an archive that is written without looking back.
MOST_ROWS = 1_048_576
MOST_BYTES = 1_500_000_000
LONGEST_TEXT = 32_767
COMPRESSION = 3  # Above it the file shrinks by a few per cent and takes twice the time.
FIRST_DAY = datetime(1899, 12, 30)  # noqa: DTZ001  Spreadsheets know no zones.
A_DAY = timedelta(days=1)
ODD_BEFORE = date(1900, 3, 1)  # Spreadsheets believe that 1900 was a leap year.


def harmless(text: str) -> str:
    """`text` so that no spreadsheet runs it as a formula."""
    return f"'{text}" if text[:1] in DANGEROUS else text


# CSV


def csv_chunks(headings: Sequence[str], chunks: Rows) -> Iterator[str]:
    """The file in pieces: a byte order mark for spreadsheets, the headings, then the rows."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(headings)
    yield BYTE_ORDER_MARK + _taken(buffer)
    for rows in chunks:
        # A column at a time: its values are of one kind, mostly.
        writer.writerows(zip(*[_csv_column(values) for values in zip(*rows, strict=True)], strict=True))
        yield _taken(buffer)


def _csv_column(values: Sequence[Any]) -> Iterable[Any]:
    kinds = set(map(type, values))
    if kinds == {str}:
        return [f"'{text}" if text[:1] in DANGEROUS else text for text in values]
    if kinds <= {int, Decimal}:
        return values
    if kinds == {datetime}:
        return map(datetime.isoformat, values)
    return map(_csv_cell, values)


def _csv_cell(value: Any) -> Any:
    if value is None:
        return ""
    if type(value) in {int, Decimal}:
        return value
    if isinstance(value, datetime | date):
        return value.isoformat()
    return harmless(_as_text(value))


def _as_text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)


def _taken(buffer: io.StringIO) -> str:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text


# XLSX

_TYPES = (
    '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
    '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    # Every part that is not named below is a sheet: how many there will be is not known yet.
    '<Default Extension="xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/>'
    '<Override PartName="/xl/workbook.xml"'
    ' ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>'
    '<Override PartName="/xl/styles.xml"'
    ' ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.styles+xml"/></Types>'
)
_RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_LINKS = (
    '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
    '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{}</Relationships>'
)
_LINK = '<Relationship Id="{}" Type="' + _RELATIONS + '/{}" Target="{}"/>'
_MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
_STYLES = (
    f'<?xml version="1.0" encoding="UTF-8" standalone="yes"?><styleSheet {_MAIN}>'
    '<numFmts count="2"><numFmt numFmtId="164" formatCode="yyyy\\-mm\\-dd"/>'
    '<numFmt numFmtId="165" formatCode="yyyy\\-mm\\-dd\\ hh:mm:ss"/></numFmts>'
    '<fonts count="2"><font><sz val="11"/><name val="Calibri"/></font>'
    '<font><b/><sz val="11"/><name val="Calibri"/></font></fonts>'
    '<fills count="2"><fill><patternFill patternType="none"/></fill>'
    '<fill><patternFill patternType="gray125"/></fill></fills>'
    '<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>'
    '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>'
    '<cellXfs count="4"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>'
    '<xf numFmtId="0" fontId="1" fillId="0" borderId="0" xfId="0" applyFont="1"/>'
    '<xf numFmtId="164" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>'
    '<xf numFmtId="165" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/></cellXfs></styleSheet>'
)
_SHEET = (
    f'<?xml version="1.0" encoding="UTF-8" standalone="yes"?><worksheet {_MAIN}>'
    # The headings stay in sight.
    '<sheetViews><sheetView workbookViewId="0"><pane ySplit="1" topLeftCell="A2" activePane="bottomLeft"'
    ' state="frozen"/></sheetView></sheetViews><sheetData>'
)
_SHEET_END = "</sheetData></worksheet>"
_BOLD = ' s="1"'
_UNKNOWN_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


class _Sink:
    """Takes what the archive writes, until it is taken away. It has no position, so nobody looks back in it."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing waits."""

    def taken(self) -> bytes:
        data = b"".join(self._parts)
        self._parts.clear()
        return data


def xlsx_chunks(title: str, headings: Sequence[str], chunks: Rows, *, zone: tzinfo | None = None) -> Iterator[bytes]:
    """The workbook in pieces. Moments are written as `zone` has them, for a sheet knows none (UTC if not said).

    What one sheet cannot hold goes on in the next.
    """
    sink = _Sink()
    archive = zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED, compresslevel=COMPRESSION)  # type: ignore[call-overload]
    archive.writestr("[Content_Types].xml", _TYPES)
    archive.writestr("_rels/.rels", _LINKS.format(_LINK.format("rId1", "officeDocument", "xl/workbook.xml")))
    archive.writestr("xl/styles.xml", _STYLES)
    yield sink.taken()
    sheets = _Sheets(archive, headings, zone or UTC)
    for rows in chunks:
        sheets.write(rows)
        if data := sink.taken():
            yield data
    count = sheets.close()
    archive.writestr("xl/workbook.xml", _workbook(title, count))
    archive.writestr("xl/_rels/workbook.xml.rels", _workbook_links(count))
    archive.close()
    yield sink.taken()


class _Sheets:
    """Writes rows into one sheet after the other."""

    def __init__(self, archive: zipfile.ZipFile, headings: Sequence[str], zone: tzinfo) -> None:
        self._archive = archive
        self._heading = "<row>" + "".join(map(_bold, headings)) + "</row>"
        self._zone = zone
        self._count = self._rows = self._bytes = 0
        self._open()

    def _open(self) -> None:
        self._count += 1
        self._part = self._archive.open(f"xl/worksheets/sheet{self._count}.xml", "w")
        self._rows = self._bytes = 0
        self._put(_SHEET + self._heading, 1)

    def _put(self, text: str, rows: int) -> None:
        data = text.encode()
        self._part.write(data)
        self._bytes += len(data)
        self._rows += rows

    def write(self, rows: Sequence[Sequence[Any]]) -> None:
        while rows:
            if self._rows >= MOST_ROWS or self._bytes >= MOST_BYTES:
                self._close()
                self._open()
            some, rows = rows[: MOST_ROWS - self._rows], rows[MOST_ROWS - self._rows :]
            cells = zip(*[self._column(values) for values in zip(*some, strict=True)], strict=True)
            self._put("<row>" + "</row><row>".join(map("".join, cells)) + "</row>", len(some))

    def _column(self, values: Sequence[Any]) -> Iterable[str]:
        kinds = set(map(type, values))
        if kinds == {str}:
            return map(_text, values)
        if kinds <= {int, Decimal}:
            return [f"<c><v>{value}</v></c>" for value in values]
        return map(self._cell, values)

    def _cell(self, value: Any) -> str:
        if value is None:
            return "<c/>"
        if type(value) in {int, Decimal}:
            return f"<c><v>{value}</v></c>"
        if isinstance(value, datetime):
            return _moment(value, self._zone)
        if isinstance(value, date):
            return _day(value)
        return _text(_as_text(value))

    def _close(self) -> None:
        self._part.write(_SHEET_END.encode())
        self._part.close()

    def close(self) -> int:
        """End the last sheet; how many there are."""
        self._close()
        return self._count


def _text(text: str, style: str = "") -> str:
    if not text:
        return "<c/>"
    if text[0] in DANGEROUS:
        text = "'" + text
    if len(text) > LONGEST_TEXT:
        text = text[: LONGEST_TEXT - 1] + "…"
    if _UNKNOWN_IN_XML.search(text):
        text = _UNKNOWN_IN_XML.sub("\ufffd", text)
    if "&" in text or "<" in text or ">" in text:
        text = escape(text)
    return f'<c{style} t="inlineStr"><is><t xml:space="preserve">{text}</t></is></c>'


def _bold(heading: str) -> str:
    return _text(heading, _BOLD)


def _moment(value: datetime, zone: tzinfo) -> str:
    local = (value.astimezone(zone) if value.tzinfo else value).replace(tzinfo=None)
    if local.date() < ODD_BEFORE:
        return _text(value.isoformat())
    return f'<c s="3"><v>{(local - FIRST_DAY) / A_DAY:.10f}</v></c>'


def _day(value: date) -> str:
    if value < ODD_BEFORE:
        return _text(value.isoformat())
    return f'<c s="2"><v>{(value - FIRST_DAY.date()).days}</v></c>'


def _workbook(title: str, count: int) -> str:
    # Thirty-one characters at most, and none that a formula gives a meaning.
    name = escape(re.sub(r"[\[\]:*?/\\']", " ", title)[:26], {'"': "&quot;"})
    names = [name if number == 1 else f"{name} {number}" for number in range(1, count + 1)]
    sheets = "".join(
        f'<sheet name="{one}" sheetId="{number}" r:id="rId{number}"/>' for number, one in enumerate(names, 1)
    )
    head = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
    return f'{head}<workbook {_MAIN} xmlns:r="{_RELATIONS}"><sheets>{sheets}</sheets></workbook>'


def _workbook_links(count: int) -> str:
    links = [
        _LINK.format(f"rId{number}", "worksheet", f"worksheets/sheet{number}.xml") for number in range(1, count + 1)
    ]
    return _LINKS.format("".join([*links, _LINK.format(f"rId{count + 1}", "styles", "styles.xml")]))

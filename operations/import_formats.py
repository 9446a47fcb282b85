"""The files that clients are brought in from: encoding, delimiter, headings, and the rows one by one.

A file that cannot be read to its end is refused whole, with the line (as an editor counts) and the reason.
"""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO

from flask_babel import gettext as _

from operations.errors import OperationRefused

# The headings of each field, in the order in which they are looked into, without blanks and underscores.
HEADINGS: dict[str, tuple[str, ...]] = {
    "key": ("id", "aid", "uuid"),
    "first_name": ("firstname",),
    "last_name": ("lastname",),
    "company_name": ("companyname", "company"),
    "email": ("email",),
    "phone_cc": ("phonecc",),
    "phone": ("phonenumber", "phone"),
    "address1": ("address1", "address"),
    "address2": ("address2",),
    "city": ("city",),
    "state": ("state",),
    "postcode": ("postcode", "zip"),
    "tax_id": ("taxid", "companyvat"),
    "country": ("country",),
    "language": ("language", "lang"),
    "registered_at": ("datecreated", "createdat"),
    "note": ("notes", "note"),
    "group": ("groupid", "clientgroupid"),
    "referral_source": ("referredby",),
    "opted_out": ("emailoptout",),
    "opted_in": ("marketingemailsoptin",),
    "status": ("status",),
}
# What only our own files have: those of `export-clients` and of the client list.
OWN_HEADINGS: dict[str, tuple[str, ...]] = {
    "project": ("project",),
    "name": ("name",),
    "username": ("username", "ownerusername"),
    "registered_at": ("createdat", "registeredat"),
    "legal_status": ("legalstatus",),
    "contact_person": ("contactperson",),
    "verified_phone": ("verifiedphone",),
    "characterization": ("characterization",),
    "groups": ("groups",),
    "registration_ip": ("registrationip",),
}
# Headings that tell the formats apart.
MARKS: dict[str, frozenset[str]] = {
    "clientdesk": frozenset({
        "contactperson", "legalstatus", "verifiedphone", "characterization", "username", "ownerusername",
    }),
    "whmcs": frozenset({
        "companyname", "phonenumber", "datecreated", "groupid", "emailoptout", "marketingemailsoptin",
        "taxid", "defaultgateway", "securityqid", "lastlogin", "billingcid", "cardtype", "uuid",
    }),
    "fossbilling": frozenset({
        "company", "phonecc", "companyvat", "companynumber", "clientgroupid", "lang", "aid", "documentnr",
        "emailapproved", "authtype", "referredby", "zip",
    }),
}  # fmt: skip
UNKNOWN_FORMAT = "csv"
DELIMITERS = (",", ";", "\t")
BLOCK = 1024 * 1024
CYRILLIC = re.compile("[а-яё]{2}", re.IGNORECASE)
MIXED = re.compile("[a-z][а-яё]|[а-яё][a-z]", re.IGNORECASE)
BEYOND_ASCII = bytes(range(0x80, 0x100))
UNDEFINED = b"\x98"  # the one byte without a letter in Windows-1251
UTF8_SEQUENCE = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}")
SPREADSHEETS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")


class BrokenFile(OperationRefused):
    """The file cannot be read: `line` is where, counted as an editor does."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(_("Line %(line)s: %(reason)s", line=line, reason=reason), field="file")
        self.line = line


@dataclass(frozen=True)
class Sheet:
    """A file whose headings were understood; `columns` says where each field's values stand."""

    path: Path
    encoding: str
    delimiter: str
    format: str
    width: int
    columns: dict[str, tuple[int, ...]] = field(default_factory=dict)

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Every row under the headings, with the line that it begins on; empty rows are left out.

        Rows may have a wrong number of cells. Raises BrokenFile where a quotation mark is astray.
        """
        with _open(self.path, self.encoding) as text:
            reader = csv.reader(text, delimiter=self.delimiter, strict=True)
            line = 1
            try:
                next(reader, None)
                line = reader.line_num + 1
                for cells in reader:
                    if any(cells):
                        yield line, cells
                    line = reader.line_num + 1
            except csv.Error:
                raise BrokenFile(line, _astray()) from None

    def most_rows(self) -> int:
        """How many rows there are at most: as many as lines."""
        with self.path.open("rb") as file:
            return sum(block.count(b"\n") for block in iter(partial(file.read, BLOCK), b"")) + 1


def open_sheet(path: Path, *, more: Mapping[str, tuple[str, ...]] | None = None) -> Sheet:
    """Recognise encoding, delimiter and format; raises BrokenFile where that cannot be done.

    `more` are fields that only this desk has, with their headings; a heading that every desk knows is not theirs.
    """
    encoding = _encoding(path)
    with _open(path, encoding) as text:
        first = text.readline(csv.field_size_limit())
    delimiter, headings = max(_candidates(first), key=lambda candidate: _recognised(candidate[1]))
    if not _recognised(headings):
        raise BrokenFile(1, _("There are no headings here that this import knows."))
    format_ = _format(set(headings))
    fields = HEADINGS | (OWN_HEADINGS if format_ == "clientdesk" else {})
    known = {name for names in fields.values() for name in names}
    own = {name: tuple(each for each in names if each not in known) for name, names in (more or {}).items()}
    columns = {name: _places(headings, names) for name, names in (fields | own).items()}
    sheet = Sheet(path, encoding, delimiter, format_, len(headings), {k: v for k, v in columns.items() if v})
    _require_columns(sheet)
    return sheet


def _require_columns(sheet: Sheet) -> None:
    has = sheet.columns.keys()
    if "key" not in has:
        raise BrokenFile(1, _("There is no column with the client's id in the source: id, aid or uuid."))
    if "email" not in has:
        raise BrokenFile(1, _("There is no column with the e-mail: email."))
    if not has & {"first_name", "last_name", "company_name", "contact_person", "name"}:
        raise BrokenFile(1, _("There is no column with a name: firstname, lastname or companyname."))


def normal_heading(text: str) -> str:
    return re.sub(r"[\s_]+", "", text.lower())


def _candidates(first: str) -> Iterator[tuple[str, list[str]]]:
    for delimiter in DELIMITERS:
        try:
            cells = next(csv.reader([first], delimiter=delimiter, strict=True), [])
        except (csv.Error, StopIteration):
            cells = []
        yield delimiter, [normal_heading(cell) for cell in cells]


def _recognised(headings: list[str]) -> int:
    known = {name for names in (HEADINGS | OWN_HEADINGS).values() for name in names}
    return len(known.intersection(headings))


def _format(headings: set[str]) -> str:
    marks = {name: len(known & headings) for name, known in MARKS.items()}
    if marks["clientdesk"] >= 3:
        return "clientdesk"
    del marks["clientdesk"]
    best = max(marks, key=lambda name: marks[name])
    return best if marks[best] else UNKNOWN_FORMAT


def _places(headings: list[str], names: tuple[str, ...]) -> tuple[int, ...]:
    """Where the field stands: of the source's id one column, the first there is, of others maybe several."""
    found = tuple(headings.index(name) for name in names if name in headings)
    return found[:1] if names == HEADINGS["key"] else found


def _open(path: Path, encoding: str) -> IO[str]:
    return path.open(encoding=encoding, newline="")


def _encoding(path: Path) -> str:
    """The encoding of the whole file: UTF-8, UTF-16 with its mark, or Windows-1251."""
    with path.open("rb") as file:
        start = file.read(4)
    if not start:
        raise BrokenFile(1, _("The file is empty."))
    if start.startswith(SPREADSHEETS):
        raise BrokenFile(1, _("This is a spreadsheet. Save it as CSV first."))
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        _refuse_broken_utf16(path)
        return "utf-16"
    wrong = _first_not_utf8(path)
    if wrong is None:
        return "utf-8-sig"
    if not _is_cyrillic(path):
        raise BrokenFile(wrong, _("These letters are neither in UTF-8 nor in Windows-1251. Save the file in UTF-8."))
    return "cp1251"


def _first_not_utf8(path: Path) -> int | None:
    """The first line that is not UTF-8, None where all are; refuses NUL, which no text has."""
    line, wrong = 1, None
    decoder = codecs.getincrementaldecoder("utf-8")()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            if b"\0" in block:
                raise BrokenFile(line + block[: block.index(b"\0")].count(b"\n"), _nul())
            pending = len(decoder.getstate()[0])
            try:
                decoder.decode(block)
            except UnicodeDecodeError as error:
                decoder.reset()
                wrong = wrong or line + block[: max(error.start - pending, 0)].count(b"\n")
            line += block.count(b"\n")
    return wrong or (line if decoder.getstate()[0] else None)


def _refuse_broken_utf16(path: Path) -> None:
    with _open(path, "utf-16") as text:
        try:
            for line, content in enumerate(text, 1):
                if "\0" in content:
                    raise BrokenFile(line, _nul())
        except UnicodeError:
            raise BrokenFile(1, _("This file is not text that can be read.")) from None


def _astray() -> str:
    return str(_("In the row that begins here a quotation mark is not closed or stands in the wrong place."))


def _nul() -> str:
    return str(_("There is a NUL character, which no text has. This is not a CSV file, or it is damaged."))


def _is_cyrillic(path: Path) -> bool:
    """Whether the file makes sense as Windows-1251: Cyrillic letters in words of their own.

    Nearly every file can be read so. In one of a Western European encoding single Cyrillic letters stand
    within Latin words; in damaged UTF-8 most letters beyond ASCII still are sequences of UTF-8.
    """
    words = mixed = beyond_ascii = in_sequences = 0
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            if UNDEFINED in block:
                return False
            beyond_ascii += len(block) - len(block.translate(None, BEYOND_ASCII))
            in_sequences += sum(map(len, UTF8_SEQUENCE.findall(block)))
            text = block.decode("cp1251")
            words += len(CYRILLIC.findall(text))
            mixed += len(MIXED.findall(text))
    return words > mixed and 2 * in_sequences < beyond_ascii

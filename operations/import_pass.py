"""One pass over a file of clients: what becomes of each row, and, with a writer, its carrying out."""

from __future__ import annotations

import gc
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from contextvars import copy_context
from dataclasses import dataclass
from itertools import islice
from typing import Any

import sqlalchemy as sa
from flask_babel import get_locale
from sqlalchemy.orm import QueryableAttribute

from models import ClientGroup, ClientUser
from operations.import_changes import Change, Here, compare
from operations.import_formats import Sheet
from operations.import_matching import (
    EMAIL,
    KEY,
    USERNAME,
    Seen,
    characterization_ids,
    groups_of,
    ids_by_name,
    known_clients,
    taken,
)
from operations.import_report import CHANGED, NEW, REFUSED, UNCHANGED, Line
from operations.import_rows import Incoming, RowReader, RowRefused
from operations.import_writing import Writer

CHUNK = 1000


@dataclass
class Chunk:
    """Some rows of the file: the lines they begin on, what those say that can come in, and the others."""

    lines: list[int]
    rows: list[Incoming]
    refused: dict[int, Line]


class Pass:
    """Goes over the rows of `sheet` a thousand at a time; its memory does not grow with the file.

    `projects` are the names there are, in lower case, if rows may choose among them. Without `writer` nothing
    is written. With it, and unless `skips_bad`, writing ends at the first refused
    row; the caller then takes back what was written.
    """

    def __init__(
        self,
        sheet: Sheet,
        *,
        connection: sa.Connection,
        reader: RowReader,
        source: str,
        projects: set[str] | None,
        writer: Writer | None = None,
        skips_bad: bool = False,
    ) -> None:
        self._sheet = sheet
        self._connection = connection
        self._reader = reader
        self._source = source
        self._is_own = sheet.format == "clientdesk"
        self._groups = ids_by_name(connection, ClientGroup.name, ClientGroup.id)
        self._characterizations = characterization_ids(connection)
        self._projects = projects
        self._writer = writer
        self._skips_bad = skips_bad
        self._announced: set[str] = set()

    def lines(self) -> Iterator[Line]:
        """What becomes of every row, in the file's order. Raises BrokenFile where it cannot be read on."""
        self._seen = Seen(self._connection)
        with _few_to_watch(), closing(_ahead(self._chunks())) as chunks:
            for chunk in chunks:
                yield from self._chunk(chunk)
        self._seen.close()

    def _chunks(self) -> Iterator[Chunk]:
        rows = self._sheet.rows()
        while some := list(islice(rows, CHUNK)):
            refused: dict[int, Line] = {}
            read = list(self._read(some, refused))
            yield Chunk([line for line, _cells in some], read, refused)

    def _chunk(self, chunk: Chunk) -> list[Line]:
        lines = chunk.refused
        rows = self._without_doubles(chunk.rows, lines)
        known = known_clients(
            self._connection, rows, source=self._source, is_own=self._is_own, lock=self._writer is not None
        )
        new = self._complete([row for row in rows if row.key not in known], lines)
        self._prepare(new)
        changes = self._changes([row for row in rows if row.key in known], known)
        for row in new:
            lines[row.line] = Line(row.line, NEW, row.key, row.name, row.remarks)
        for change in changes:
            lines[change.row.line] = _line_of(change)
        self._announce_groups(lines, new, changes)
        self._write(new, changes, lines)
        return [lines[line] for line in chunk.lines]

    def _read(self, chunk: list[tuple[int, list[str]]], lines: dict[int, Line]) -> Iterator[Incoming]:
        for line, cells in chunk:
            try:
                yield self._reader.read(line, cells)
            except RowRefused as refused:
                lines[line] = Line(line, REFUSED, *self._reader.about(cells), refused.reasons)

    def _without_doubles(self, rows: list[Incoming], lines: dict[int, Line]) -> list[Incoming]:
        """The rows whose id no earlier row of the file has; the others are refused."""
        first: dict[str, int] = {}
        for row in rows:
            first.setdefault(row.key, row.line)
        first |= self._seen.add(KEY, first)
        for row in rows:
            if first[row.key] != row.line:
                reason = ("key_again", {"key": row.key, "line": first[row.key]})
                lines[row.line] = Line(row.line, REFUSED, row.key, row.name, [reason])
        return [row for row in rows if first[row.key] == row.line]

    def _complete(self, new: list[Incoming], lines: dict[int, Line]) -> list[Incoming]:
        """The new clients that have all that is required of them; the others are refused."""
        for row in new:
            if reasons := self._reader.missing_in(row):
                lines[row.line] = Line(row.line, REFUSED, row.key, row.name, reasons)
        return [row for row in new if row.line not in lines]

    def _prepare(self, new: list[Incoming]) -> None:
        """Settle what must be unique: the addresses and usernames of new clients' owners."""
        self._give_addresses([row for row in new if not row.is_closed])
        named = [row for row in new if row.username]
        used = self._in_use(USERNAME, ClientUser.username, [(row.username, row.line) for row in named])
        for row in named:
            if used.get(row.username, row.line) != row.line:
                row.remarks.append(("username_taken", {"value": row.username}))
                row.username = ""
        for row in new:
            if self._projects is not None and row.project and row.project.lower() not in self._projects:
                row.remarks.append(("project_default", {"value": row.project}))

    def _give_addresses(self, living: list[Incoming]) -> None:
        used = self._in_use(EMAIL, ClientUser.email, [(row.email.lower(), row.line) for row in living])
        for row in living:
            if used.get(row.email.lower(), row.line) == row.line:
                row.user_email = row.email.lower()
            else:
                row.remarks.append(("email_taken", {}))

    def _in_use(self, kind: str, column: QueryableAttribute[Any], wanted: list[tuple[str, int]]) -> dict[str, int]:
        """Who has each value: the line that came first, 0 for a user who is here already."""
        first: dict[str, int] = {}
        for value, line in wanted:
            first.setdefault(value, line)
        here = taken(self._connection, column, first)
        earlier = self._seen.add(kind, first)
        return first | dict.fromkeys(here, 0) | earlier

    def _changes(self, rows: list[Incoming], known: dict[str, sa.Row[tuple[object, ...]]]) -> list[Change]:
        if not rows:
            return []
        memberships = groups_of(self._connection, [known[row.key].id for row in rows if row.groups])
        here = Here(self._groups, self._characterizations, memberships)
        return [compare(known[row.key], row, here=here) for row in rows]

    def _announce_groups(self, lines: dict[int, Line], new: list[Incoming], changes: list[Change]) -> None:
        joins = [(row.line, name) for row in new for name in row.groups]
        joins += [(change.row.line, name) for change in changes for name in change.groups]
        for line, name in sorted(joins):
            if name.lower() not in self._groups and name.lower() not in self._announced:
                self._announced.add(name.lower())
                lines[line].messages.append(("group_new", {"value": name}))

    def _write(self, new: list[Incoming], changes: list[Change], lines: dict[int, Line]) -> None:
        if not self._skips_bad and any(line.outcome == REFUSED for line in lines.values()):
            self._writer = None
        if self._writer is not None:
            self._writer.create(new)
            self._writer.change([change for change in changes if change.fields])


def _ahead(chunks: Iterator[Chunk]) -> Generator[Chunk, None, None]:
    """The chunks; each is read by a thread of its own while the database works on the one before."""
    # What is wrong with the file is said in this reader's language, which is found out here and not in the thread.
    get_locale()
    context = copy_context()

    def read() -> Chunk | None:
        return context.run(next, chunks, None)

    with ThreadPoolExecutor(1) as reader:
        upcoming = reader.submit(read)
        while (chunk := upcoming.result()) is not None:
            upcoming = reader.submit(read)
            yield chunk


@contextmanager
def _few_to_watch() -> Iterator[None]:
    """Within the block what was there before is not looked through for garbage again and again.

    So many new rows make Python look often, and the application itself is some hundred thousand objects that stay.
    """
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _line_of(change: Change) -> Line:
    row = change.row
    if change.old.deleted_at is not None and not row.is_closed:
        return Line(row.line, UNCHANGED, row.key, change.old.name, [("stays_deleted", {})])
    if not change.fields:
        return Line(row.line, UNCHANGED, row.key, change.old.name)
    return Line(row.line, CHANGED, row.key, change.old.name, row.remarks, change.fields)

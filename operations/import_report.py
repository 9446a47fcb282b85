"""What an import said, or did, line by line: kept in a file beside the one that was brought in."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from json.encoder import encode_basestring as quoted
from pathlib import Path
from typing import Any

from operations.import_messages import Message

NEW, CHANGED, UNCHANGED, REFUSED = "new", "changed", "unchanged", "refused"
OUTCOMES = (NEW, CHANGED, UNCHANGED, REFUSED)


@dataclass(slots=True)
class Line:
    """What becomes of one row: `number` is the line of the file that it begins on.

    `messages` are reasons and remarks, `changes` (field, old, new).
    """

    number: int
    outcome: str
    key: str
    name: str
    messages: list[Message] = field(default_factory=list)
    changes: list[tuple[str, str, str]] = field(default_factory=list)


def write(path: Path, lines: Iterable[Line], *, country: str) -> dict[str, int]:
    """Keep the lines in a file that only we can read; returns how many there are of each outcome.

    `country`, chosen for rows that name none, is kept with them.
    """
    counts = dict.fromkeys(OUTCOMES, 0)
    encode = json.JSONEncoder(ensure_ascii=False, check_circular=False).encode
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123  (a Path cannot open a descriptor)
        file.write(f"{country}\n")
        for line in lines:
            counts[line.outcome] += 1
            said = encode([line.messages, line.changes])[1:-1] if line.messages or line.changes else "[], []"
            file.write(f"{line.outcome} [{line.number}, {quoted(line.key)}, {quoted(line.name)}, {said}]\n")
    return counts


def read(path: Path, *, outcome: str | None = None, skip: int = 0, count: int | None = None) -> list[Line]:
    """Lines of the kept report, in the order of the file; none where it is gone."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8") as file:
        next(file, None)
        wanted: Iterator[str] = file
        if outcome:
            wanted = (line for line in file if line.startswith(f"{outcome} "))
        stop = None if count is None else skip + count
        return [_line(text) for text in islice(wanted, skip, stop)]


def country_of(path: Path) -> str:
    """The country that was chosen for rows without one."""
    with path.open(encoding="utf-8") as file:
        return file.readline().strip()


def _line(text: str) -> Line:
    outcome, _blank, content = text.partition(" ")
    number, key, name, messages, changes = json.loads(content)
    return Line(number, outcome, key, name, _pairs(messages), [tuple(change) for change in changes])


def _pairs(messages: list[Any]) -> list[Message]:
    return [(code, values) for code, values in messages]

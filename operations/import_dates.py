"""Days and moments as the files of other systems write them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache

from operations.import_formats import Sheet

SLASHED = re.compile(r"(\d\d?)/(\d\d?)/(\d{4})(?: .*)?", re.ASCII)
DOTTED = re.compile(r"(\d\d?)\.(\d\d?)\.(\d{4})(?: (\d\d?):(\d\d)(?::(\d\d))?)?", re.ASCII)


@lru_cache(maxsize=4096)
def moment(text: str) -> datetime | None:
    """The instant that `text` names; a time without a zone is one in UTC, a day its first minute."""
    try:
        if found := DOTTED.fullmatch(text):
            day, month, year, hour, minute, second = (int(part or 0) for part in found.groups())
            return datetime(year, month, day, hour, minute, second, tzinfo=UTC)
        found_at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found_at.replace(tzinfo=UTC) if found_at.tzinfo is None else found_at.astimezone(UTC)


def slashed(found: re.Match[str], day_comes_first: bool | None) -> datetime | None:
    first, second, year = (int(part) for part in found.groups())
    if day_comes_first is None and first != second:
        return None
    day, month = (first, second) if day_comes_first else (second, first)
    try:
        return datetime(year, month, day, tzinfo=UTC)
    except ValueError:
        return None


def order_of(sheet: Sheet) -> bool | None:
    """Whether the sheet's slashed dates begin with the day; None where they say neither or both."""
    day_first = month_first = False
    for _line, cells in sheet.rows():
        for place in sheet.columns["registered_at"]:
            found = SLASHED.fullmatch(cells[place].strip()) if place < len(cells) else None
            if found:
                day_first |= int(found[1]) > 12
                month_first |= int(found[2]) > 12
    return day_first if day_first != month_first else None

"""Filters of lists: readable parameters in, conditions out.

A filter is known by its key in the address. `clean` turns the parameter's text into a value or raises
ValueError; what cannot be understood never widens a list: it shows no rows.
"""

from __future__ import annotations

import enum
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from flask_babel import format_date, get_timezone
from flask_babel import gettext as _

from extensions import LabelledEnum, db, now

LARGEST_ID = 2**31 - 1
LONGEST_TEXT = 200
Condition = sa.ColumnElement[bool]


def whole_number(text: str) -> int:
    """The id that `text` is; ValueError for anything else, and for what no id can be."""
    if not (text.isascii() and text.isdigit()) or not 0 < int(text[:12]) <= LARGEST_ID or len(text) > 12:
        raise ValueError(text)
    return int(text)


class Filter:
    """One condition of a list. `kind` is how a form asks for it: text, number, date, select or checkbox."""

    kind = "text"

    def __init__(self, key: str, label: Any) -> None:
        self.key = key
        self.label = label

    def clean(self, text: str) -> Any:
        if len(text) > LONGEST_TEXT:
            raise ValueError(text)
        return text

    def condition(self, value: Any) -> Condition:
        raise TypeError(f"{type(self).__name__} has no condition")

    def options(self) -> list[tuple[str, str]] | None:
        """The values to choose from, with their labels; None where any may be typed."""
        return None

    def shown(self, value: Any) -> str:
        """`value` in words, for the bar over the list."""
        return str(value)


class Part(Filter):
    """A part of a text column, blind to case."""

    def __init__(self, key: str, label: Any, column: Any) -> None:
        super().__init__(key, label)
        self.column = column

    def condition(self, value: str) -> Condition:
        return sa.func.lower(self.column).contains(value.lower(), autoescape=True)


class Number(Filter):
    """An id."""

    kind = "number"

    def __init__(self, key: str, label: Any, column: Any) -> None:
        super().__init__(key, label)
        self.column = column

    def clean(self, text: str) -> int:
        return whole_number(text.removeprefix("#"))

    def condition(self, value: int) -> Condition:
        return sa.and_(self.column == value)


class OneOf(Filter):
    """A value of an enum, or of a fixed list of (value, label)."""

    kind = "select"

    def __init__(
        self, key: str, label: Any, column: Any, values: type[LabelledEnum] | Callable[[], list[tuple[str, str]]]
    ) -> None:
        super().__init__(key, label)
        self.column = column
        self.values = values

    def options(self) -> list[tuple[str, str]]:
        if isinstance(self.values, enum.EnumType):
            return [(member.value, str(member.label)) for member in self.values]
        return self.values()

    def clean(self, text: str) -> str:
        if isinstance(self.values, enum.EnumType):
            return self.values(text)
        if text not in dict(self.options()):
            raise ValueError(text)
        return text

    def condition(self, value: str) -> Condition:
        return sa.and_(self.column == value)

    def shown(self, value: str) -> str:
        return dict(self.options()).get(str(value), str(value))


class Named(int):
    """An id that knows what its record is called."""

    record: str = ""


class Record(Filter):
    """A record of another table, by its id. `clause` makes the condition where equality is not it."""

    kind = "select"

    def __init__(
        self, key: str, label: Any, column: Any, model: Any, clause: Callable[[int], Condition] | None = None
    ) -> None:
        super().__init__(key, label)
        self.column = column
        self.model = model
        self.clause = clause

    def clean(self, text: str) -> Named:
        found = Named(whole_number(text))
        record = db.session.get(self.model, int(found))
        if record is None:
            raise ValueError(text)
        found.record = str(record)
        return found

    def condition(self, value: int) -> Condition:
        return self.clause(int(value)) if self.clause else sa.and_(self.column == int(value))

    def options(self) -> list[tuple[str, str]]:
        rows = db.session.scalars(sa.select(self.model).order_by(self.model.id))
        return [(str(row.id), str(row)) for row in rows]

    def shown(self, value: int) -> str:
        return value.record if isinstance(value, Named) else str(db.session.get(self.model, value))


class Day(Filter):
    """A day in the viewer's time zone. `upper` includes all of it, else from its beginning."""

    kind = "date"

    def __init__(self, key: str, label: Any, column: Any, *, upper: bool = False) -> None:
        super().__init__(key, label)
        self.column = column
        self.upper = upper

    def clean(self, text: str) -> date:
        day = date.fromisoformat(text)
        if not 1900 <= day.year <= 9000 or len(text) != 10:
            raise ValueError(text)
        return day

    def condition(self, value: date) -> Condition:
        if isinstance(self.column.type, sa.Date):
            return sa.and_(self.column <= value if self.upper else self.column >= value)
        start = midnight(value + timedelta(days=1) if self.upper else value)
        return sa.and_(self.column < start if self.upper else self.column >= start)

    def shown(self, value: date) -> str:
        return format_date(value, "dd.MM.yyyy")


def today() -> date:
    """The day it is for the reader."""
    return day_of(now())


def day_of(moment: datetime) -> date:
    """The day that it is at that moment where the reader is."""
    return moment.astimezone(get_timezone() or UTC).date()


class Moment(Day):
    """A day, or a minute of one (`2026-03-01T14:30`), in the viewer's time zone. `upper` includes it."""

    kind = "moment"

    def clean(self, text: str) -> date:
        if len(text) == 10:
            return super().clean(text)
        found = datetime.fromisoformat(text)
        if not 1900 <= found.year <= 9000 or len(text) != 16 or found.tzinfo is not None:
            raise ValueError(text)
        return found

    def condition(self, value: date) -> Condition:
        if not isinstance(value, datetime):
            return super().condition(value)
        start = _in_utc(value + timedelta(minutes=1) if self.upper else value)
        return sa.and_(self.column < start if self.upper else self.column >= start)

    def shown(self, value: date) -> str:
        return f"{value:%d.%m.%Y %H:%M}" if isinstance(value, datetime) else super().shown(value)


def midnight(day: date) -> datetime:
    """The beginning of `day` in the viewer's time zone."""
    return _in_utc(datetime(day.year, day.month, day.day))  # noqa: DTZ001  Its zone is the viewer's.


def _in_utc(local: datetime) -> datetime:
    """A time of the viewer's clock in UTC."""
    zone = get_timezone() or UTC
    aware = zone.localize(local) if hasattr(zone, "localize") else local.replace(tzinfo=zone)
    return aware.astimezone(UTC)


class Amount(Filter):
    """An amount of money, above or below which a column must be."""

    kind = "number"

    def __init__(self, key: str, label: Any, column: Any, *, above: bool) -> None:
        super().__init__(key, label)
        self.column = column
        self.above = above

    def clean(self, text: str) -> Decimal:
        text = text.replace(",", ".").replace("\u00a0", "").replace(" ", "").replace("−", "-")
        whole, _dot, hundredths = text.removeprefix("-").partition(".")
        if not (whole.isascii() and whole.isdigit() and len(whole) <= 12 and len(hundredths) <= 2):
            raise ValueError(text)
        if hundredths and not (hundredths.isascii() and hundredths.isdigit()):
            raise ValueError(text)
        return Decimal(text)

    def condition(self, value: Decimal) -> Condition:
        return sa.and_(self.column > value if self.above else self.column < value)


class Yes(Filter):
    """A box to tick: the condition holds, or nothing is asked."""

    kind = "checkbox"

    def __init__(self, key: str, label: Any, clause: Callable[[], Condition]) -> None:
        super().__init__(key, label)
        self.clause = clause

    def clean(self, text: str) -> bool:
        if text != "1":
            raise ValueError(text)
        return True

    def condition(self, value: bool) -> Condition:
        return self.clause()

    def shown(self, value: bool) -> str:
        return _("yes")


@dataclass
class Asked:
    """What the parameters of a list asked for: values by filter, and what was not understood."""

    values: dict[str, Any] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    misunderstood: list[str] = field(default_factory=list)


def read(
    parameters: Iterable[tuple[str, str]],
    filters: Mapping[str, Filter],
    *,
    known: Iterable[str] = (),
    choices: Mapping[str, Sequence[tuple[str, str]]] | None = None,
) -> Asked:
    """Understand `parameters`, (name, text) pairs. Empty ones are as if absent; `known` are read elsewhere.

    `choices` are the records that filters offer, by key, where they have been found already.
    """
    asked = Asked()
    passed = set(known)
    for name, raw in parameters:
        text = unicodedata.normalize("NFC", raw).strip()
        if not text or name in passed:
            continue
        wanted = filters.get(name)
        if wanted is None or name in asked.texts:
            asked.misunderstood.append(_("«%(name)s» is no condition of this list.", name=name[:40]))
            continue
        asked.texts[name] = text
        try:
            asked.values[name] = _chosen(text, choices[name]) if choices and name in choices else wanted.clean(text)
        except (ValueError, OverflowError):
            asked.misunderstood.append(
                _("%(label)s: «%(value)s» was not understood.", label=wanted.label, value=text[:60])
            )
    return asked


def _chosen(text: str, choices: Sequence[tuple[str, str]]) -> Named:
    """The record that `text` names among `choices`; ValueError where it is none of them."""
    found = Named(whole_number(text))
    found.record = next((label for number, label in choices if number == str(int(found))), "")
    if not found.record:
        raise ValueError(text)
    return found


def conditions(asked: Asked, filters: Mapping[str, Filter]) -> list[Condition]:
    """The conditions asked for. A list with something misunderstood has no rows."""
    if asked.misunderstood:
        return [sa.false()]
    return [filters[name].condition(value) for name, value in asked.values.items()]

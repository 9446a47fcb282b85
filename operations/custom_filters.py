"""Filters of the client list by custom fields.

Values are found in a table of their own, `client_custom_values`, which triggers keep beside the clients. Two bounds
of one field are one question: few may lie between them though very many lie beyond each.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from flask_babel import format_date
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from models import Client, ClientCustomValue, FieldType
from operations import custom_fields, custom_values, sides
from operations.custom_fields import Definition, Definitions
from operations.filters import Condition, Filter

TRIPLE = 3
MILLIONTHS = 6
MANY_HITS = 50_000
search = sa.table("client_custom_search", sa.column("rowid"), sa.column("client_custom_search"))
Value = ClientCustomValue


class CustomFilter(Filter):
    """A condition on one custom field."""

    def __init__(self, field: Definition, key: str, label: Any) -> None:
        super().__init__(key, label)
        self.field = field

    def condition(self, value: Any) -> Condition:
        return conditions({self: value})[0]

    def matches(self, value: Any) -> Condition:
        """What it asks of a row of values."""
        raise TypeError(f"{type(self).__name__} asks nothing of single rows")


class CustomPart(CustomFilter):
    """A part of a text, blind to case."""

    def matches(self, value: str) -> Condition:
        if sides.knows_itself():
            return sa.and_(Value.text.is_not(None), sa.func.lower(Value.text).contains(value.lower(), autoescape=True))
        return sa.and_(Value.text.is_not(None), sides.part_of_row(Value.text, value))


class CustomChoice(CustomFilter):
    kind = "select"

    def options(self) -> list[tuple[str, str]]:
        return [(choice, choice) for choice in self.field.choices]

    def clean(self, text: str) -> str:
        if text not in self.field.choices:
            raise ValueError(text)
        return text

    def matches(self, value: str) -> Condition:
        return sa.and_(Value.choice == value)


class CustomYesNo(CustomFilter):
    kind = "select"

    def options(self) -> list[tuple[str, str]]:
        return [("1", _("yes")), ("0", _("no"))]

    def clean(self, text: str) -> bool:
        return bool(custom_values.read(self.field, text))

    def shown(self, value: bool) -> str:
        return _("yes") if value else _("no")

    def matches(self, value: bool) -> Condition:
        return sa.and_(Value.number == int(value))


class CustomBound(CustomFilter):
    """The least or the greatest number or day, itself included."""

    def __init__(self, field: Definition, *, upper: bool) -> None:
        words = _l("%(label)s to", label=field.label) if upper else _l("%(label)s from", label=field.label)
        super().__init__(field, field.parameters[1 if upper else 0], words)
        self.upper = upper
        self.kind = "date" if field.type == FieldType.DATE else "number"

    def clean(self, text: str) -> Decimal | date:
        return custom_values.day(text) if self.kind == "date" else custom_values.number(text)

    def shown(self, value: Decimal | date) -> str:
        if isinstance(value, date):
            return format_date(value, "dd.MM.yyyy")
        return custom_values.shown(self.field, value)

    def matches(self, value: Decimal | date) -> Condition:
        whole = int(f"{value:%Y%m%d}") if isinstance(value, date) else int(value.scaleb(MILLIONTHS))
        return sa.and_(Value.number <= whole if self.upper else Value.number >= whole)


def known() -> dict[str, CustomFilter]:
    """The filters by their keys, for the fields there are."""
    return dict(_of(custom_fields.defined()))


@lru_cache(maxsize=16)
def _of(fields: Definitions) -> dict[str, CustomFilter]:
    return {one.key: one for field in fields for one in _of_one(field)}


def _of_one(field: Definition) -> list[CustomFilter]:
    if field.type in custom_fields.RANGES:
        return [CustomBound(field, upper=False), CustomBound(field, upper=True)]
    kinds = {FieldType.TEXT: CustomPart, FieldType.CHOICE: CustomChoice, FieldType.YES_NO: CustomYesNo}
    return [kinds[field.type](field, field.name, field.label)]


def conditions(asked: Mapping[CustomFilter, Any]) -> list[Condition]:
    """A condition on clients for each field that is asked of."""
    by_field: dict[Definition, list[tuple[CustomFilter, Any]]] = {}
    for one, value in asked.items():
        by_field.setdefault(one.field, []).append((one, value))
    return [_condition(field, pairs) for field, pairs in by_field.items()]


def _condition(field: Definition, pairs: list[tuple[CustomFilter, Any]]) -> Condition:
    having = [one.matches(value) for one, value in pairs]
    of_field = sa.and_(Value.field_id == field.id)
    in_row = sa.exists().where(Value.client_id == Client.id, of_field, *having).correlate(Client)
    rows = sa.select(Value.client_id).where(of_field, *having)
    is_part = isinstance(pairs[0][0], CustomPart) and not sides.knows_itself()
    if is_part and len(pairs[0][1]) >= TRIPLE:
        rows = sa.select(Value.client_id).where(Value.id.in_(_in_search(pairs[0][1])), sides.unindexed(of_field))
    question = ("custom", field.id, *((one.key, str(value)) for one, value in pairs))
    if is_part and sides.are_few(rows, MANY_HITS, question=question):
        # To look at a text for each row that is passed by takes longer than to find so many texts once.
        return Client.id.in_(rows)
    return sides.among(Client.id, rows, in_row, question)


def _in_search(text: str) -> sa.Select[Any]:
    """The rows of values that SQLite's full-text index has for `text`, a phrase of triples."""
    phrase = '"{}"'.format(text.replace('"', '""'))
    return sa.select(search.c.rowid).where(search.c.client_custom_search.op("MATCH")(phrase))

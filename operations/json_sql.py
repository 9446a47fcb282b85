"""JSON made and read by the database itself, in the words of either engine."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from extensions import JSONDocument, db

Expression = sa.ColumnElement[Any]


def is_postgresql() -> bool:
    return db.engine.dialect.name == "postgresql"


def document(**values: Any) -> Expression:
    """An object of these values: columns, or other expressions."""
    build = sa.func.jsonb_build_object if is_postgresql() else sa.func.json_object
    pairs = [part for name, value in values.items() for part in (sa.literal(name, literal_execute=True), value)]
    return sa.type_coerce(build(*pairs), JSONDocument)


def given(made: Expression) -> Expression:
    """The object without the values that are null."""
    if is_postgresql():
        return sa.type_coerce(sa.func.jsonb_strip_nulls(made), JSONDocument)
    # A merge takes away what the second object says is null.
    return sa.type_coerce(sa.func.json_patch(sa.literal_column("'{}'"), made), JSONDocument)


def has_key(column: Any, key: str) -> sa.ColumnElement[bool]:
    """Whether the object has a value by that name, null included."""
    if is_postgresql():
        return sa.cast(column, JSONDocument).op("?", is_comparison=True)(sa.literal(key, sa.String))
    return sa.func.json_type(column, f"$.{key}").is_not(None)


def has_value(column: Any, text: str) -> sa.ColumnElement[bool]:
    """Whether one of the object's values, as text, has that part in it, blind to case; `text` is in lower case."""
    if is_postgresql():
        items = sa.func.jsonb_each_text(sa.type_coerce(column, JSONDocument)).table_valued("key", "value")
        return sa.exists(sa.select(items.c.key).where(sa.func.lower(items.c.value).contains(text, autoescape=True)))
    items = sa.func.json_tree(column).table_valued("atom")
    value = sa.cast(items.c.atom, sa.Text)
    return sa.exists(sa.select(items.c.atom).where(sa.func.lower(value).contains(text, autoescape=True)))


def holds(column: Any, key: str, number: int) -> sa.ColumnElement[bool]:
    """Whether the list of numbers by that name has `number` in it; a list that is not there has not."""
    if is_postgresql():
        contained = sa.cast(column, JSONDocument).op("@>", is_comparison=True)
        return sa.func.coalesce(contained(sa.literal({key: [number]}, JSONDocument)), sa.false())
    items = sa.func.json_each(column, f"$.{key}").table_valued("value")
    return sa.exists(sa.select(items.c.value).where(items.c.value == number))


def list_of(column: Any) -> Expression:
    """An aggregate: the list of the values of `column`."""
    if is_postgresql():
        return sa.func.coalesce(sa.func.jsonb_agg(column), sa.literal_column("'[]'::jsonb"))
    return sa.func.json_group_array(column)


def with_number(numbers: Expression, number: int) -> Expression:
    """The list and one number more."""
    if is_postgresql():
        return numbers.op("||")(sa.func.to_jsonb(sa.cast(number, sa.Integer)))
    return sa.func.json_insert(numbers, "$[#]", number)


def nested(made: Expression) -> Expression:
    """A list or object as a value of another; SQLite would take its text for a text."""
    return made if is_postgresql() else sa.func.json(made)

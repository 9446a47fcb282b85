"""From which side a list is found: from the rows that match, where they are few, else row by row in its order.

A condition that few rows fulfil is best looked up first, and its rows put in order. One that many fulfil is best
asked of each row, walking along the index of the order until a page is full. PostgreSQL knows from its
statistics which is which. SQLite does not, so it is told: what matches is counted no further than `FEW`, and
the statement is written so that it has no other choice.
"""

from __future__ import annotations

import time
from collections.abc import Hashable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.visitors import iterate

from extensions import db, plain_rows

# Up to so many rows are looked up and sorted in some milliseconds.
FEW = 10_000
# Indexes of clients that begin with the one column and go on in the order of the other.
SERVED = {("project_id", "registered_at"), ("characterization_id", "registered_at")} | {
    (name, "id") for name in ("project_id", "characterization_id", "language", "country", "legal_status")
}


class _Condition(FunctionElement[bool]):
    """A condition that writes itself, brackets included."""

    type = sa.Boolean()
    inherit_cache = True

    def self_group(self, against: Any = None) -> Any:
        # Without native booleans «= 1» would be put behind it, and no index would be used.
        return self


class by_order(_Condition):  # noqa: N801  It is written like a function.
    """`by_order(walking, finding)`: the same condition in two forms.

    The first is written into a statement that wants its rows in an order, the second into any other.
    """

    name = "by_order"
    inherit_cache = True


class unindexed(_Condition):  # noqa: N801  It is written like a function.
    """`unindexed(condition)`: SQLite cannot begin at its index; it is asked of each row."""

    name = "unindexed"
    inherit_cache = True


class walked(_Condition):  # noqa: N801  It is written like a function.
    """`walked(condition, otherwise)`: the first where an index serves it and the order at once, else the second."""

    name = "walked"
    inherit_cache = True


@compiles(by_order)
def _write_by_order(element: Any, compiler: Any, **more: Any) -> str:
    walking, finding = element.clauses
    return f"({compiler.process(walking if _order(compiler) else finding, **more)})"


@compiles(unindexed)
def _write_unindexed(element: Any, compiler: Any, **more: Any) -> str:
    return f"+({compiler.process(element.clauses, **more)})"


@compiles(walked)
def _write_walked(element: Any, compiler: Any, **more: Any) -> str:
    condition, otherwise = element.clauses
    order = _order(compiler)
    is_served = any(name == order or (name, order) in SERVED for name in _columns_in(condition))
    return f"({compiler.process(condition if is_served else otherwise, **more)})"


def _order(compiler: Any) -> str:
    """The column that the rows of the statement being written are ordered by; empty for none."""
    selected = compiler.stack[-1].get("selectable") if compiler.stack else None
    clauses = getattr(selected, "_order_by_clauses", ())
    return next((name for clause in clauses[:1] for name in _columns_in(clause)), "")


def _columns_in(clause: Any) -> list[str]:
    return [part.name for part in iterate(clause) if isinstance(part, sa.Column)]


def knows_itself() -> bool:
    """Whether the database chooses the side by itself, and well."""
    return db.engine.dialect.name != "sqlite"


def from_few(column: Any, rows: sa.Select[Any]) -> sa.ColumnElement[bool]:
    """Whether `column` is among `rows`, which are few: they are found first, whatever the order wanted."""
    if knows_itself():
        return sa.and_(column == sa.any_(sa.func.array(rows.correlate(None).scalar_subquery())))
    return sa.and_(column.in_(rows))


def part_of_row(column: Any, value: str) -> sa.ColumnElement[bool]:
    """Whether `value` is part of the column in one row, blind to case; for SQLite.

    Its own LIKE is blind to the case of Latin letters, and asks nothing of Python for each row. Two letters beyond
    them have a Latin one in lower case: the sign of the Kelvin, and the capital i with a dot, whose dot follows.
    """
    plain = value.lower()
    if plain.isascii() and "k" not in plain and not plain.endswith("i"):
        return sa.and_(column.contains(value, autoescape=True))
    return sa.func.lower(column).contains(value.lower(), autoescape=True)


def are_few(rows: sa.Select[Any], most: int = FEW, *, question: Hashable) -> bool:
    """Whether `rows` has no more than `most` rows; looks at no more than that.

    The answer to a `question` is kept for a minute: it says only how to find the rows, never which they are.
    """
    asked = (str(db.engine.url), most, question)
    kept = _answers.get(asked)
    if kept is not None and kept[0] > time.monotonic():
        return kept[1]
    some = rows.order_by(None).limit(most + 1).subquery()
    answer = int(plain_rows(sa.select(sa.func.count()).select_from(some)).scalar_one()) <= most
    if len(_answers) >= MOST_KEPT:
        _answers.clear()
    _answers[asked] = (time.monotonic() + SECONDS_KEPT, answer)
    return answer


def among(column: Any, rows: sa.Select[Any], in_row: Any, question: Hashable) -> sa.ColumnElement[bool]:
    """Whether `column` is among `rows`, found from the smaller side; `in_row` says the same of one row."""
    if are_few(rows, question=question):
        return from_few(column, rows)
    found: sa.ColumnElement[bool] = column.in_(rows)
    return found if knows_itself() else by_order(in_row, found)


MOST_KEPT, SECONDS_KEPT = 2_000, 60
_answers: dict[Hashable, tuple[float, bool]] = {}

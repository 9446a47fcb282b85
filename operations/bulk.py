"""Many rows into one table, past the object layer: COPY on PostgreSQL, executemany on SQLite."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from itertools import chain, islice
from typing import Any, TypeVar

import sqlalchemy as sa

from models import Erasure

T = TypeVar("T")
Row = tuple[Any, ...]
MODEST_CACHE = -4_096  # kibibytes
MOST_VALUES = 8_000  # SQLite keeps statements; larger ones fill its memory for little gain


def insert(connection: sa.Connection, table: sa.Table, names: Sequence[str], rows: Sequence[Row]) -> None:
    """Insert `rows`, tuples of the columns `names`, with the values that the models take."""
    if not rows:
        return
    values = _bound(connection.dialect, [table.c[name] for name in names], rows)
    columns = ", ".join(f'"{name}"' for name in names)
    if connection.dialect.name == "postgresql":
        _copy(connection, f'COPY "{table.name}" ({columns}) FROM STDIN', values)
        return
    # Many rows in one statement: the search index writes what it has gathered at the end of each.
    marks = f"({', '.join('?' * len(names))})"
    while some := list(islice(values, MOST_VALUES // len(names))):
        statement = f'INSERT INTO "{table.name}" ({columns}) VALUES {", ".join([marks] * len(some))}'  # noqa: S608
        connection.exec_driver_sql(statement, tuple(chain.from_iterable(some)))


def update(connection: sa.Connection, table: sa.Table, updates: Iterable[tuple[int, dict[str, Any]]]) -> None:
    """Set other columns in each row, by its id, with a statement for each set of columns; row versions rise."""
    alike: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for id_, values in updates:
        if values:
            new = {f"new_{name}": value for name, value in values.items()}
            alike.setdefault(tuple(sorted(values)), []).append({"of": id_, **new})
    for names, rows in alike.items():
        columns: dict[str, Any] = {name: sa.bindparam(f"new_{name}") for name in names}
        statement = sa.update(table).where(table.c.id == sa.bindparam("of"))
        connection.execute(statement.values(**columns, row_version=table.c.row_version + 1), rows)


def slices(values: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """The values, `size` of them at a time."""
    for start in range(0, len(values), size):
        yield values[start : start + size]


@contextmanager
def modest(connection: sa.Connection) -> Iterator[None]:
    """Within the block SQLite keeps few pages in memory: rows that are written once are not read again."""
    if connection.dialect.name != "sqlite":
        yield
        return
    usual = connection.exec_driver_sql("PRAGMA cache_size").scalar_one()
    connection.exec_driver_sql(f"PRAGMA cache_size = {MODEST_CACHE}")
    try:
        yield
    finally:
        connection.exec_driver_sql(f"PRAGMA cache_size = {usual}")


def reserve_ids(connection: sa.Connection, table: Any, count: int) -> list[int]:
    """Ids for `count` new rows, in rising order, which nobody else will get.

    On SQLite that holds as the one writer has the whole database to itself, and rows of ids given out before
    are in the table by the next call.
    """
    if connection.dialect.name == "postgresql":
        sequence = sa.func.nextval(sa.func.pg_get_serial_sequence(table.name, "id"))
        numbers = sa.func.generate_series(1, count).table_valued("number")
        return sorted(connection.scalars(sa.select(sequence).select_from(numbers)))
    last = connection.scalar(sa.select(sa.func.max(table.c.id))) or 0
    if table.name == "clients":
        # The code of the latest client that was erased is not given to another, who would inherit its history.
        last = max(last, connection.scalar(sa.select(sa.func.max(Erasure.client_id))) or 0)
    first = last + 1
    return list(range(first, first + count))


def among(connection: sa.Connection, column: Any, values: Sequence[Any]) -> Any:
    """Whether `column` is one of `values`, however many they are: they travel as one parameter."""
    if connection.dialect.name == "postgresql":
        return column == sa.any_(sa.literal(list(values), sa.ARRAY(column.type)))
    each = sa.func.json_each(sa.literal(list(values), sa.JSON)).table_valued("value")
    return column.in_(sa.select(each.c.value))


def _copy(connection: sa.Connection, statement: str, values: Iterable[Row]) -> None:
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(statement) as copy:
        for row in values:
            copy.write_row(row)


def _bound(dialect: sa.Dialect, columns: Sequence[sa.Column[Any]], rows: Iterable[Row]) -> Iterator[Row]:
    """The values as the driver wants them, converted a column at a time."""
    by_column = list(zip(*rows, strict=True))
    for position, column in enumerate(columns):
        processor = _processor(dialect, column)
        if processor is not None:
            by_column[position] = tuple(map(processor, by_column[position]))
    return zip(*by_column, strict=True)


# What columns' values are converted by, by dialect and column; it remembers, for the same few moments, amounts and
# enums stand in very many rows.
_processors: dict[tuple[str, sa.Column[Any]], Callable[[Any], Any] | None] = {}


def _processor(dialect: sa.Dialect, column: sa.Column[Any]) -> Callable[[Any], Any] | None:
    made: Callable[[Any], Any] | None
    if isinstance(column.type, sa.JSON):
        made = column.type.dialect_impl(dialect).bind_processor(dialect)
        return made and _once_each(made)
    key = (dialect.name, column)
    if key not in _processors:
        made = column.type.dialect_impl(dialect).bind_processor(dialect)
        _processors[key] = made and lru_cache(maxsize=4096)(made)
    return _processors[key]


def _once_each(processor: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The processor for documents: the very same object, which may stand in all rows, is converted once."""
    known: dict[int, Any] = {}

    def convert(value: Any) -> Any:
        found = known.get(id(value))
        if found is None:
            found = known[id(value)] = processor(value)
        return found

    return convert

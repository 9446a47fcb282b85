"""Rows of demo data on their way into the tables: made one by one, written many at a time."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from operator import itemgetter
from typing import Any, TypeVar

import sqlalchemy as sa

from extensions import Money, db

T = TypeVar("T")
BLOCK = 200
COUNTED = ("clients", "client_users", "services", "accounts", "ledger_entries")
BALANCES_OF_ACCOUNTS = """UPDATE accounts SET balance = coalesce(
    (SELECT sum(amount) FROM ledger_entries WHERE account_id = accounts.id), 0)"""
BALANCES_OF_CLIENTS = """UPDATE clients SET balance = a.balance FROM accounts a JOIN projects p ON p.id = a.project_id
    WHERE a.client_id = clients.id AND a.project_id = clients.project_id AND a.currency = p.currency"""
SEARCH = "INSERT INTO client_search (client_search) VALUES ('rebuild')"
# What is referred to stands before what refers to it.
ORDER = (
    "clients", "client_users", "consents", "client_group_members", "client_projects", "client_notes", "payers",
    "accounts", "tickets", "ticket_messages", "violations", "penalty_points", "services", "discounts", "invoices",
    "invoice_lines", "payments", "expenses", "ledger_entries", "acts", "act_lines", "audit_events",
)  # fmt: skip


class Rows:
    """Keeps rows until `write`, which puts them into their tables with as few statements as can be.

    Rows are dictionaries by column; all rows of a table name the same columns. Amounts of money are whole
    hundredths, everything else is as in the models. Ids are given out here, from the first free one on.
    """

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self._waiting: dict[str, list[dict[str, Any]]] = {name: [] for name in ORDER}
        self._next: dict[str, int] = {}

    def new_id(self, table: str) -> int:
        if table not in self._next:
            column = db.metadata.tables[table].c.id
            self._next[table] = (self._connection.scalar(sa.select(sa.func.max(column))) or 0) + 1
        given = self._next[table]
        self._next[table] += 1
        return given

    def add(self, table: str, row: dict[str, Any]) -> dict[str, Any]:
        """Keep `row`; until it is written it can still be changed."""
        self._waiting[table].append(row)
        return row

    def write(self) -> None:
        """Put all rows kept so far into their tables."""
        for name, rows in self._waiting.items():
            if rows:
                insert(self._connection, db.metadata.tables[name], rows)
                rows.clear()

    def finish(self) -> None:
        """Write what is left, and tell PostgreSQL which ids are taken and how the tables look now."""
        self.write()
        if self._connection.dialect.name != "postgresql":
            return
        for table in self._next:
            self._connection.execute(
                sa.select(
                    sa.func.setval(sa.func.pg_get_serial_sequence(table, "id"), max(self._next[table] - 1, 1))
                )
            )
        self._connection.exec_driver_sql("ANALYZE")


def insert(connection: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert `rows`, with the columns of the first, past SQLAlchemy: on PostgreSQL by COPY."""
    names = tuple(rows[0])
    values = _bound(connection.dialect, [table.c[name] for name in names], map(itemgetter(*names), rows))
    columns = ", ".join(f'"{name}"' for name in names)
    if connection.dialect.name == "postgresql":
        _copy(connection, f'COPY "{table.name}" ({columns}) FROM STDIN', values)
        return
    marks = ", ".join("?" * len(names))
    connection.exec_driver_sql(f'INSERT INTO "{table.name}" ({columns}) VALUES ({marks})', list(values))  # noqa: S608


@contextmanager
def triggers_aside(connection: sa.Connection) -> Iterator[None]:
    """Let rows in without SQLite's triggers, which work row by row; in the end do at once what they would have.

    What a client's users and services mean for it must be in the client's row already. PostgreSQL's triggers
    see all rows of a statement together and stay.
    """
    if connection.dialect.name != "sqlite":
        yield
        return
    found = sa.text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name IN :tables")
    statement = found.bindparams(sa.bindparam("tables", value=COUNTED, expanding=True))
    triggers = connection.execute(statement).all()
    for name, _definition in triggers:
        connection.exec_driver_sql(f'DROP TRIGGER "{name}"')
    yield
    for update in (BALANCES_OF_ACCOUNTS, BALANCES_OF_CLIENTS, SEARCH):
        connection.exec_driver_sql(update)
    for _name, definition in triggers:
        connection.exec_driver_sql(definition)


def _copy(connection: sa.Connection, statement: str, values: Iterable[tuple[Any, ...]]) -> None:
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(statement) as copy:
        for row in values:
            copy.write_row(row)


def _bound(
    dialect: sa.Dialect, columns: Sequence[sa.Column[Any]], rows: Iterable[tuple[Any, ...]]
) -> Iterator[tuple[Any, ...]]:
    """The values as the driver wants them, converted a column at a time."""
    by_column = list(zip(*rows, strict=True))
    for position, column in enumerate(columns):
        processor = _processor(dialect, column)
        if processor is not None:
            by_column[position] = tuple(map(processor, by_column[position]))
    return zip(*by_column, strict=True)


def _processor(dialect: sa.Dialect, column: sa.Column[Any]) -> Callable[[Any], Any] | None:
    if isinstance(column.type, Money):
        return None
    return column.type.dialect_impl(dialect).bind_processor(dialect)


def shuffled_shares(rng: random.Random, total: int, shares: Mapping[T, float]) -> Iterator[T]:
    """Deal out the keys of `shares`, `total` of them in no order but in their shares, which add up to 1.

    The shares hold in every block of some hundred, so they hold for any `total`, and not just on average.
    """
    for start in range(0, total, BLOCK):
        cards = _apportioned(min(BLOCK, total - start), shares)
        rng.shuffle(cards)
        yield from cards


def _apportioned(count: int, shares: Mapping[T, float]) -> list[T]:
    """`count` keys of `shares`; what is lost in rounding down goes to those who lost most."""
    exact = {key: share * count for key, share in shares.items()}
    counts = {key: int(value) for key, value in exact.items()}
    short = count - sum(counts.values())
    by_loss = sorted(exact, key=lambda key: counts[key] - exact[key])
    for key in by_loss[:short]:
        counts[key] += 1
    return [key for key, number in counts.items() for _card in range(number)]

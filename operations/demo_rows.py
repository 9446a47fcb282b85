"""Rows of demo data on their way into the tables: made one by one, written many at a time."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from operator import itemgetter
from typing import Any, TypeVar

import sqlalchemy as sa

from extensions import Labelled, LabelledEnum, Money, UTCDateTime, db

T = TypeVar("T")
BLOCK = 200
COUNTED = ("clients", "client_users", "services", "accounts", "ledger_entries")
BALANCES_OF_ACCOUNTS = """UPDATE accounts SET balance = e.total
    FROM (SELECT account_id, sum(amount) AS total FROM ledger_entries GROUP BY account_id) e
    WHERE e.account_id = accounts.id AND accounts.balance <> e.total"""
BALANCES_OF_CLIENTS = """UPDATE clients SET balance = a.balance
    FROM accounts a JOIN projects p ON p.id = a.project_id
    WHERE a.client_id = clients.id AND a.project_id = clients.project_id AND a.currency = p.currency
    AND clients.balance <> a.balance"""
SEARCH = "INSERT INTO client_search (client_search) VALUES ('rebuild')"
# What is referred to stands before what refers to it.
ORDER = (
    "clients", "client_users", "consents", "client_group_members", "client_projects", "client_notes",
    "payers", "accounts", "tickets", "ticket_messages", "violations", "penalty_points", "services",
    "discounts", "invoices", "invoice_lines", "payments", "expenses", "ledger_entries", "acts", "act_lines",
    "audit_events",
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
    """Let rows in without the triggers that keep counts beside them; in the end correct what is not right.

    What a client's users and services mean for it, and the balances as far as they are known, must be in the
    rows already: a trigger that sees each of them come would write every client several times over.
    """
    is_sqlite = connection.dialect.name == "sqlite"
    put_aside, restore = _sqlite_triggers(connection) if is_sqlite else _postgresql_triggers()
    for statement in put_aside:
        connection.exec_driver_sql(statement)
    yield
    for statement in (BALANCES_OF_ACCOUNTS, BALANCES_OF_CLIENTS, *([SEARCH] if is_sqlite else []), *restore):
        connection.exec_driver_sql(statement)


def _sqlite_triggers(connection: sa.Connection) -> tuple[list[str], list[str]]:
    """Statements that remove the triggers, and that make them again."""
    found = sa.text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name IN :tables")
    triggers = connection.execute(
        found.bindparams(sa.bindparam("tables", value=COUNTED, expanding=True))
    ).all()
    return [f'DROP TRIGGER "{name}"' for name, _definition in triggers], [sql for _name, sql in triggers]


def _postgresql_triggers() -> tuple[list[str], list[str]]:
    return (
        [f"ALTER TABLE {table} DISABLE TRIGGER USER" for table in COUNTED],
        [f"ALTER TABLE {table} ENABLE TRIGGER USER" for table in COUNTED],
    )


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
    """What makes the driver's value of one of ours; the frequent kinds without SQLAlchemy's detours."""
    if isinstance(column.type, Money):
        return None
    if isinstance(column.type, Labelled):
        return _value_of_enum
    if isinstance(column.type, UTCDateTime):
        return _sqlite_time if dialect.name == "sqlite" else None
    return column.type.dialect_impl(dialect).bind_processor(dialect)


def _value_of_enum(member: LabelledEnum | None) -> str | None:
    return None if member is None else member.value


def _sqlite_time(moment: datetime | None) -> str | None:
    """The text that SQLAlchemy keeps for a time; it has to be in UTC."""
    return None if moment is None else moment.isoformat(" ", "microseconds").removesuffix("+00:00")


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

"""Rows of demo data on their way into the tables: made one by one, written many at a time."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from functools import lru_cache
from operator import itemgetter
from typing import Any, TypeVar

import sqlalchemy as sa

from extensions import Money, db
from operations import bulk

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
# What SQLite finds parts of words by, of the tables whose triggers are put aside.
SEARCH = tuple(
    f"INSERT INTO {index} ({index}) VALUES ('rebuild')"  # noqa: S608
    for index in ("client_search", "client_users_search", "services_search")
)
# What is referred to stands before what refers to it.
ORDER = (
    "clients", "client_users", "consents", "client_group_members", "client_projects", "client_notes",
    "payers", "accounts", "tickets", "ticket_messages", "violations", "penalty_points", "services",
    "mailing_recipients", "outbound_emails",
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
                self._insert(db.metadata.tables[name], rows)
                rows.clear()

    def _insert(self, table: sa.Table, rows: list[dict[str, Any]]) -> None:
        names = tuple(rows[0])
        for amount in [name for name in names if isinstance(table.c[name].type, Money)]:
            for row in rows:
                row[amount] = _amount(row[amount])
        bulk.insert(self._connection, table, names, list(map(itemgetter(*names), rows)))

    def finish(self) -> None:
        """Write what is left, and tell PostgreSQL which ids are taken and how the tables look now."""
        self.write()
        if self._connection.dialect.name != "postgresql":
            return
        for table in self._next:
            self._connection.execute(
                sa.select(sa.func.setval(sa.func.pg_get_serial_sequence(table, "id"), max(self._next[table] - 1, 1)))
            )
        self._connection.exec_driver_sql("ANALYZE")


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
    for statement in (BALANCES_OF_ACCOUNTS, BALANCES_OF_CLIENTS, *(SEARCH if is_sqlite else ()), *restore):
        connection.exec_driver_sql(statement)


def _sqlite_triggers(connection: sa.Connection) -> tuple[list[str], list[str]]:
    """Statements that remove the triggers, and that make them again."""
    found = sa.text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name IN :tables")
    triggers = connection.execute(found.bindparams(sa.bindparam("tables", value=COUNTED, expanding=True))).all()
    return [f'DROP TRIGGER "{name}"' for name, _definition in triggers], [sql for _name, sql in triggers]


def _postgresql_triggers() -> tuple[list[str], list[str]]:
    return (
        [f"ALTER TABLE {table} DISABLE TRIGGER USER" for table in COUNTED],
        [f"ALTER TABLE {table} ENABLE TRIGGER USER" for table in COUNTED],
    )


@lru_cache(maxsize=1024)
def _amount(hundredths: int | None) -> Decimal | None:
    return None if hundredths is None else Decimal(hundredths).scaleb(-2)


class Chance:
    """What is left to chance, the same for the same numbers.

    Each part of the data has a chance of its own, and in it each client: how much a client has follows from the
    day, and must not change what another one has, or is called.
    """

    def __init__(self, *, clients: int, seed: int) -> None:
        self._root = f"{clients} clients, seed {seed}"

    def of(self, part: str, client_id: int = 0) -> random.Random:
        """The chance of one part of the data, or of what one client has of it."""
        return random.Random(f"{self._root}, {part} {client_id}")


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

"""What the database keeps beside the rows of clients, made for many at once while an import adds them.

Row by row it costs several times the rows themselves. Whatever is set aside is made again from the rows before the
transaction ends, so that nobody ever sees a client without it, and is back in any case when the transaction is taken
back.

On SQLite the writer has the database to himself, so triggers and indexes are taken away and put back, word for word, in
the transaction of the import; others go on reading what was there before it. On PostgreSQL triggers of all others must
go on: there a setting of this transaction tells those of inserts that the rows come with the values they would give.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from models import AuditEvent, Client

# Triggers whose work the rows of an import come with, or `index_new` does.
TRIGGERS = ("clients_into_search", "client_users_added", "client_users_into_search", "payers_into_search")
# Tables that an import fills and that are searched, each with what its index of triples is made from.
SEARCHED = {"clients": "client_search", "client_users": "client_users_search", "payers": "payers_search"}
SOURCES = {"client_search": "client_search_source"}
COUNTS_ARE_GIVEN = "clientdesk.counts_are_given"
# Tables that an import fills and does not search but by their key: their indexes are cheaper made anew where
# so many rows come that those here already are few among them.
INDEXED = (Client.__tablename__, AuditEvent.__tablename__)
FEWEST_ROWS = 5_000
MANY_TO_ONE = 2


class Aside:
    """What has been set aside, within one transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self._definitions: list[str] = []
        self._unindexed: dict[str, int] = {}

    def take(self, *, rows: int) -> None:
        """Set aside what pays for at most `rows` new clients."""
        if self._connection.dialect.name == "postgresql":
            self._connection.execute(sa.select(sa.func.set_config(COUNTS_ARE_GIVEN, "on", True)))
            return
        self._unindexed = {table: self._last(table) + 1 for table in SEARCHED}
        self._drop("trigger", "name", TRIGGERS)
        if rows >= FEWEST_ROWS and all(self._has_fewer(table, rows // MANY_TO_ONE) for table in INDEXED):
            self._drop("index", "tbl_name", INDEXED)

    def index_new(self) -> None:
        """Make the rows that came since found by the search."""
        for table, first in self._unindexed.items():
            search = SEARCHED[table]
            columns = self._columns(search)
            names = ", ".join(columns)
            statement = (
                f"INSERT INTO {search} (rowid, {names}) SELECT id, {names} FROM {SOURCES.get(search, table)} "  # noqa: S608
                "WHERE id >= :first ORDER BY id"
            )
            self._connection.execute(sa.text(statement), {"first": first})
            self._unindexed[table] = self._last(table) + 1

    def _columns(self, search: str) -> list[str]:
        """What an index of triples holds."""
        rows = self._connection.execute(sa.text("SELECT name FROM pragma_table_info(:name)"), {"name": search})
        return list(rows.scalars())

    def _last(self, table: str) -> int:
        return self._connection.scalar(sa.text(f"SELECT max(id) FROM {table}")) or 0  # noqa: S608  One of ours.

    def is_new(self, client_id: int) -> bool:
        """Whether the search does not know the client yet, so that no trigger may correct what it knows."""
        return bool(self._unindexed) and client_id >= self._unindexed["clients"]

    def put_back(self) -> None:
        """Have everything as it was, for the rows that have come too."""
        if self._connection.dialect.name == "postgresql":
            self._connection.execute(sa.select(sa.func.set_config(COUNTS_ARE_GIVEN, "", True)))
            return
        self.index_new()
        for definition in self._definitions:
            self._connection.exec_driver_sql(definition)
        self._definitions.clear()

    def _drop(self, kind: str, column: str, names: tuple[str, ...]) -> None:
        """Remove triggers or indexes, those that keep something unique left out, and note how they are made."""
        found = self._connection.execute(
            sa.text(
                f"SELECT name, sql FROM sqlite_master WHERE type = :kind AND {column} IN :names "  # noqa: S608
                "AND sql IS NOT NULL AND sql NOT LIKE 'CREATE UNIQUE%'"
            ).bindparams(sa.bindparam("names", expanding=True)),
            {"kind": kind, "names": names},
        ).all()
        for name, definition in found:
            self._connection.exec_driver_sql(f'DROP {kind} "{name}"')
            self._definitions.append(definition)

    def _has_fewer(self, table: str, rows: int) -> bool:
        """Whether a table has fewer rows, as far as its ids tell without counting."""
        return self._last(table) < rows


@contextmanager
def set_aside(connection: sa.Connection, *, rows: int) -> Iterator[Aside]:
    """Within the block at most `rows` clients are added; where it ends in an error, all must be taken back."""
    aside = Aside(connection)
    aside.take(rows=rows)
    yield aside
    aside.put_back()

"""Filling tables fast: keys and indexes are set aside and made again when all rows are there.

An index that is made over all rows at once is sorted and written once; one that follows a million rows in no
order is written all over many times. What is made again comes from the database's own catalogue, so it is what
was there.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from extensions import db
from operations.demo_rows import triggers_aside

# What the fill writes to.
TABLES = (
    "clients", "client_users", "accounts", "ledger_entries", "client_group_members", "services", "penalty_points",
)  # fmt: skip
POSTGRESQL_KEYS = """
SELECT conrelid::regclass::text AS table_name, conname AS name, pg_get_constraintdef(oid) AS definition
FROM pg_constraint WHERE conrelid = ANY(CAST(:tables AS regclass[])) AND contype IN ('f', 'u')
ORDER BY contype DESC, conname
"""
POSTGRESQL_INDEXES = """
SELECT i.indexrelid::regclass::text AS name, pg_get_indexdef(i.indexrelid) AS definition
FROM pg_index i WHERE i.indrelid = ANY(CAST(:tables AS regclass[])) AND NOT i.indisprimary
AND NOT EXISTS (SELECT 1 FROM pg_constraint c WHERE c.conindid = i.indexrelid AND c.contype = 'u')
ORDER BY 1
"""
SQLITE_INDEXES = """
SELECT name, sql AS definition FROM sqlite_master
WHERE type = 'index' AND sql IS NOT NULL AND tbl_name IN :tables ORDER BY name
"""
# A file that is thrown away when filling it fails needs no journal.
SQLITE_HASTE = ("journal_mode=OFF", "synchronous=OFF", "foreign_keys=OFF", "cache_size=-524288")


@contextmanager
def loading() -> Iterator[sa.Connection]:
    """A connection to fill the tables of TABLES through; in the end everything is as it was, and analysed."""
    db.session.remove()
    db.engine.dispose()
    with db.engine.connect() as connection:
        _hurry(connection)
        with connection.begin(), indexes_aside(connection), triggers_aside(connection):
            yield connection
        _settle_through(connection)
        # Nobody else is to get a connection with these settings.
        connection.invalidate()


def _hurry(connection: sa.Connection) -> None:
    if connection.dialect.name == "sqlite":
        _outside_transactions(connection, [f"PRAGMA {pragma}" for pragma in SQLITE_HASTE])
        return
    connection.exec_driver_sql("SET maintenance_work_mem = '1GB'")
    connection.exec_driver_sql("SET work_mem = '256MB'")
    connection.commit()


def settle() -> None:
    """Do to the application's database what one in use has had done to it by and by.

    It gets statistics, and on PostgreSQL a map of the pages that all may see, without which no index is enough.
    """
    db.session.remove()
    db.engine.dispose()
    with db.engine.connect() as connection:
        _settle_through(connection)
        connection.invalidate()


def _settle_through(connection: sa.Connection) -> None:
    if connection.dialect.name == "sqlite":
        _outside_transactions(connection, ["ANALYZE", "PRAGMA journal_mode=WAL"])
    else:
        _outside_transactions(connection, ["VACUUM (ANALYZE)", "CHECKPOINT"])


def _outside_transactions(connection: sa.Connection, statements: list[str]) -> None:
    driver: Any = connection.connection.driver_connection
    if connection.dialect.name == "postgresql":
        driver.autocommit = True
    for statement in statements:
        driver.execute(statement)


@contextmanager
def indexes_aside(connection: sa.Connection) -> Iterator[None]:
    """Let rows in without the indexes, unique and foreign keys of TABLES; primary keys stay."""
    find = _sqlite_indexes if connection.dialect.name == "sqlite" else _postgresql_indexes
    put_aside, restore = find(connection)
    for statement in put_aside:
        connection.exec_driver_sql(statement)
    yield
    for statement in restore:
        connection.exec_driver_sql(statement)


def _sqlite_indexes(connection: sa.Connection) -> tuple[list[str], list[str]]:
    statement = sa.text(SQLITE_INDEXES).bindparams(sa.bindparam("tables", value=TABLES, expanding=True))
    found = connection.execute(statement).all()
    return [f'DROP INDEX "{row.name}"' for row in found], [row.definition for row in found]


def _postgresql_indexes(connection: sa.Connection) -> tuple[list[str], list[str]]:
    tables = {"tables": list(TABLES)}
    keys = connection.execute(sa.text(POSTGRESQL_KEYS), tables).all()
    indexes = connection.execute(sa.text(POSTGRESQL_INDEXES), tables).all()
    put_aside = [f'ALTER TABLE {key.table_name} DROP CONSTRAINT "{key.name}"' for key in reversed(keys)]
    put_aside += [f"DROP INDEX {index.name}" for index in indexes]
    restore = [index.definition for index in indexes]
    restore += [f'ALTER TABLE {key.table_name} ADD CONSTRAINT "{key.name}" {key.definition}' for key in keys]
    return put_aside, restore

"""How migrations meet the database: on the application's own connection, in one transaction."""

from __future__ import annotations

from alembic import context
from flask import current_app
from sqlalchemy.types import TypeDecorator

database = current_app.extensions["migrate"].db


OF_ONE_ENGINE = {"ix_clients_search_text", "ix_clients_name_part", "ix_clients_facets"}


def render_item(kind, item, _autogen_context):
    """Write our own column types as what they are in the table, so that old migrations need no code of today."""
    if kind == "type" and type(item).__module__ == "extensions" and isinstance(item, TypeDecorator):
        return f"sa.{item.impl!r}"
    return False


def include_name(name, kind, _parents):
    """Leave alone what only one engine has to find rows by: SQLite's tables, PostgreSQL's indexes of triples."""
    if kind == "table":
        return name is None or "_search" not in name
    return not (kind == "index" and (name in OF_ONE_ENGINE or name.endswith("_parts")))


def run() -> None:
    """Migrate in one transaction; on PostgreSQL a lock makes a second migrator wait its turn."""
    with database.engine.connect() as connection:
        context.configure(
            connection=connection,
            target_metadata=database.metadata,
            render_item=render_item,
            include_name=include_name,
            **current_app.extensions["migrate"].configure_args,
        )
        with context.begin_transaction():
            if connection.dialect.name == "postgresql":
                connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7361001)")
            context.run_migrations()


run()

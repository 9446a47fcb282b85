"""fast lists: indexes for every order, for conditions that stand together, and for parts of one or two letters

SQLite took the index of deleted_at for every list and sorted all living clients; now that index holds the
deleted ones alone.

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

ALIVE = sa.text("deleted_at IS NULL")
DELETED = sa.text("deleted_at IS NOT NULL")
# deleted_at is always empty in them; but without it SQLite would look at the rows to see so.
ON_THE_WAY = ["id", "deleted_at", "language", "country", "legal_status", "project_id", "characterization_id"]
FACETS = [
    "id", "deleted_at", "language", "country", "legal_status", "project_id", "characterization_id", "registered_at", "balance",
    "referrer_id", "affiliate_program_id",
]  # fmt: skip

SEARCHED = "name, usernames, company_name, contact_person, email, verified_phone"
OLD_TEXT = (
    "old.id || ' ' || old.name || ' ' || old.usernames || ' ' || old.company_name || ' ' "
    "|| old.contact_person || ' ' || old.email || ' ' || old.verified_phone"
)


def upgrade():
    _replace("ix_clients_deleted_at", ["deleted_at"], DELETED)
    _create("ix_clients_living_characterization_id", ["characterization_id", "id"], ALIVE)
    _create("ix_clients_living_project_id", ["project_id", "id"], ALIVE)
    for name in ("name", "contact_person"):
        _replace(f"ix_clients_living_{name}", [name, *ON_THE_WAY], ALIVE)
    if not _is_postgresql():
        _create("ix_clients_facets", FACETS, ALIVE)
        _index_texts(blanks="  ")


def downgrade():
    if not _is_postgresql():
        op.drop_index("ix_clients_facets", "clients")
        _index_texts(blanks="")
    for name in ("name", "contact_person"):
        _replace(f"ix_clients_living_{name}", [name, "id"], ALIVE)
    op.drop_index("ix_clients_living_project_id", "clients")
    op.drop_index("ix_clients_living_characterization_id", "clients")
    _replace("ix_clients_deleted_at", ["deleted_at"], None)


def _is_postgresql():
    return op.get_bind().dialect.name == "postgresql"


def _create(name, columns, where):
    op.create_index(name, "clients", columns, sqlite_where=where, postgresql_where=where)


def _replace(name, columns, where):
    op.drop_index(name, "clients")
    _create(name, columns, where)


def _index_texts(*, blanks):
    """Make the full-text index anew. With two blanks behind a text, each of its characters begins a triple."""
    for trigger in ("clients_into_search", "clients_within_search", "clients_out_of_search"):
        op.execute(f"DROP TRIGGER {trigger}")
    for table in ("client_search_grams", "client_search"):
        op.execute(f"DROP TABLE IF EXISTS {table}")
    op.execute("DROP VIEW IF EXISTS client_search_source")
    content = "client_search_source" if blanks else "clients"
    if blanks:
        op.execute(
            f"CREATE VIEW client_search_source AS SELECT id, search_text || '{blanks}' AS search_text, "
            f"name || '{blanks}' AS name FROM clients"
        )
    op.execute(
        "CREATE VIRTUAL TABLE client_search USING fts5"
        f"(search_text, name, content='{content}', content_rowid='id', tokenize='trigram')"
    )
    op.execute("INSERT INTO client_search (client_search) VALUES ('rebuild')")
    if blanks:
        op.execute("CREATE VIRTUAL TABLE client_search_grams USING fts5vocab('client_search', 'instance')")
    end = f" || '{blanks}'" if blanks else ""
    unindex = (
        "INSERT INTO client_search (client_search, rowid, search_text, name) "
        f"VALUES ('delete', old.id, {OLD_TEXT}{end}, old.name{end})"
    )
    index = f"INSERT INTO client_search (rowid, search_text, name) VALUES (new.id, new.search_text{end}, new.name{end})"
    for name, occasion, body in (
        ("clients_into_search", "AFTER INSERT ON clients", index),
        ("clients_within_search", f"AFTER UPDATE OF {SEARCHED} ON clients", f"{unindex}; {index}"),
        ("clients_out_of_search", "AFTER DELETE ON clients", unindex),
    ):
        op.execute(f"CREATE TRIGGER {name} {occasion} BEGIN {body}; END")

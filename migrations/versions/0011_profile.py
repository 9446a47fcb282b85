"""indexes by which a client's page costs the same whatever its history is

Each goes from the client, or its account, to the very rows that the page shows or adds up. Where one begins like an
index that was there already, it takes its place.

Revision ID: 0011
Revises: 0010
"""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

# (table, columns, those of the index whose place it takes)
INDEXES = (
    ("services", ("client_id", "status", "expires_at"), ("client_id",)),
    ("tickets", ("client_id", "status", "updated_at"), None),
    ("payments", ("account_id", "status", "paid_at", "amount"), ("account_id",)),
    ("expenses", ("account_id", "posted_at", "amount"), ("account_id",)),
    ("client_notes", ("client_id", "is_pinned", "id"), ("client_id",)),
)


def _name(table, columns):
    return "_".join(("ix", table, *columns))


def upgrade():
    for table, columns, replaced in INDEXES:
        op.create_index(_name(table, columns), table, list(columns))
        if replaced:
            op.drop_index(_name(table, replaced), table)


def downgrade():
    for table, columns, replaced in INDEXES:
        if replaced:
            op.create_index(_name(table, replaced), table, list(replaced))
        op.drop_index(_name(table, columns), table)

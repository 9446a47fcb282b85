"""at most one default payer for a client, and the events of characterizations found at once

Revision ID: 0013
Revises: 0012
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

POSTGRESQL = "after ?| array['characterization_id', 'characterization_reason', 'characterization']"
SQLITE = (
    "(json_type(after, '$.characterization_id') IS NOT NULL"
    " OR json_type(after, '$.characterization_reason') IS NOT NULL"
    " OR json_type(after, '$.characterization') IS NOT NULL)"
)


def upgrade():
    # Of several that were the default, the oldest stays: new documents were made out to it.
    op.execute(
        "UPDATE payers SET is_default = false, row_version = row_version + 1 WHERE is_default AND EXISTS "
        "(SELECT 1 FROM payers older WHERE older.client_id = payers.client_id AND older.is_default "
        "AND older.id < payers.id)"
    )
    op.create_index(
        "uq_payers_one_default", "payers", ["client_id"], unique=True,
        sqlite_where=sa.text("is_default"), postgresql_where=sa.text("is_default"),
    )
    op.create_index(
        "ix_audit_events_characterized", "audit_events", ["record_id", "id"],
        sqlite_where=sa.text(SQLITE), postgresql_where=sa.text(POSTGRESQL),
    )


def downgrade():
    op.drop_index("ix_audit_events_characterized", table_name="audit_events")
    op.drop_index("uq_payers_one_default", table_name="payers")

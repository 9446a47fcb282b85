"""what an import changed is kept, so that it can be taken back

Revision ID: 0009
Revises: 0008
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql")


def upgrade():
    op.add_column("import_batches", sa.Column("made_groups", DOCUMENT, server_default="[]", nullable=False))
    op.add_column("import_batches", sa.Column("undone", DOCUMENT, server_default="{}", nullable=False))
    op.create_table(
        "import_changes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("batch_id", sa.Integer(), nullable=False),
        sa.Column("client_id", sa.Integer(), nullable=False),
        sa.Column("before", DOCUMENT, server_default="{}", nullable=False),
        sa.Column("after", DOCUMENT, server_default="{}", nullable=False),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["import_batches.id"], name=op.f("fk_import_changes_batch_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["client_id"], ["clients.id"], name=op.f("fk_import_changes_client_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_import_changes")),
    )
    op.create_index(op.f("ix_import_changes_batch_id_id"), "import_changes", ["batch_id", "id"])
    op.create_index(op.f("ix_import_changes_client_id"), "import_changes", ["client_id"])


def downgrade():
    op.drop_table("import_changes")
    op.drop_column("import_batches", "undone")
    op.drop_column("import_batches", "made_groups")

"""what was just sent, and what keeps a mailing from going on

Revision ID: 0018
Revises: 0017
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        "delivery_notes",
        sa.Column("letter_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("letter_id", name=op.f("pk_delivery_notes")),
    )
    op.add_column("mailings", sa.Column("failures_in_a_row", sa.Integer(), server_default="0", nullable=False))
    op.add_column("mailings", sa.Column("pause_reason", sa.Text(), server_default="", nullable=False))


def downgrade():
    op.drop_column("mailings", "pause_reason")
    op.drop_column("mailings", "failures_in_a_row")
    op.drop_table("delivery_notes")

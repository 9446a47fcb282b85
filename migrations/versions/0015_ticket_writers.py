"""who is writing an answer to a ticket just now

Revision ID: 0015
Revises: 0014
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        "ticket_writers",
        sa.Column("ticket_id", sa.Integer(), nullable=False),
        sa.Column("staff_id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["ticket_id"], ["tickets.id"], name=op.f("fk_ticket_writers_ticket_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_ticket_writers_staff_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("ticket_id", "staff_id", name=op.f("pk_ticket_writers")),
    )
    op.create_index(op.f("ix_ticket_writers_at"), "ticket_writers", ["at"])


def downgrade():
    op.drop_table("ticket_writers")

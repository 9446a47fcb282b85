"""saved filters: how many match, who watches them, and who was in them

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        "saved_filter_states",
        sa.Column("saved_filter_id", sa.Integer(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=True),
        sa.Column("count_due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("members_due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("members_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("is_too_large", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.ForeignKeyConstraint(["saved_filter_id"], ["saved_filters.id"], ondelete="CASCADE",
                                name="fk_saved_filter_states_saved_filter_id"),
        sa.PrimaryKeyConstraint("saved_filter_id", name="pk_saved_filter_states"),
    )  # fmt: skip
    op.execute("INSERT INTO saved_filter_states (saved_filter_id) SELECT id FROM saved_filters")
    op.create_table(
        "saved_filter_watches",
        sa.Column("saved_filter_id", sa.Integer(), nullable=False),
        sa.Column("staff_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["saved_filter_id"], ["saved_filters.id"], ondelete="CASCADE",
                                name="fk_saved_filter_watches_saved_filter_id"),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], ondelete="CASCADE",
                                name="fk_saved_filter_watches_staff_id"),
        sa.PrimaryKeyConstraint("saved_filter_id", "staff_id", name="pk_saved_filter_watches"),
    )  # fmt: skip
    op.create_index("ix_saved_filter_watches_staff_id", "saved_filter_watches", ["staff_id"])
    op.create_table(
        "saved_filter_members",
        sa.Column("saved_filter_id", sa.Integer(), nullable=False),
        sa.Column("client_id", sa.Integer(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["saved_filter_id"], ["saved_filters.id"], ondelete="CASCADE",
                                name="fk_saved_filter_members_saved_filter_id"),
        sa.ForeignKeyConstraint(["client_id"], ["clients.id"], ondelete="CASCADE",
                                name="fk_saved_filter_members_client_id"),
        sa.PrimaryKeyConstraint("saved_filter_id", "client_id", name="pk_saved_filter_members"),
    )  # fmt: skip
    op.create_index("ix_saved_filter_members_client_id", "saved_filter_members", ["client_id"])
    op.create_index(
        "ix_saved_filter_members_saved_filter_id_since", "saved_filter_members", ["saved_filter_id", "since"]
    )


def downgrade():
    op.drop_table("saved_filter_members")
    op.drop_table("saved_filter_watches")
    op.drop_table("saved_filter_states")

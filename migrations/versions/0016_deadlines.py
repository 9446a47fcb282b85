"""the clock of violations: what is held, reminded and over the limit; failed tries; the breaker

Revision ID: 0016
Revises: 0015
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

MOMENTS = ("reminded_at", "held_at", "released_at", "limit_crossed_at", "limit_executed_at")
INDEXES = {
    "ix_violations_remind_at": ("remind_at", "remind_at IS NOT NULL"),
    "ix_violations_held_at": ("held_at", "held_at IS NOT NULL"),
    "ix_violations_limit_due": ("limit_crossed_at", "limit_crossed_at IS NOT NULL AND limit_executed_at IS NULL"),
}


def upgrade():
    for name in MOMENTS:
        op.add_column("violations", sa.Column(name, sa.DateTime(timezone=True), nullable=True))
    for name, (column, condition) in INDEXES.items():
        op.create_index(
            name, "violations", [column], sqlite_where=sa.text(condition), postgresql_where=sa.text(condition)
        )
    _create_tries()
    _create_trips()


def _create_tries():
    op.create_table(
        "violation_tries",
        sa.Column("violation_id", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_error", sa.String(500), server_default="", nullable=False),
        sa.CheckConstraint("length(last_error) <= 500", name=op.f("ck_violation_tries_last_error_length")),
        sa.ForeignKeyConstraint(
            ["violation_id"], ["violations.id"], name=op.f("fk_violation_tries_violation_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("violation_id", name=op.f("pk_violation_tries")),
    )


def _create_trips():
    op.create_table(
        "breaker_trips",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(32), server_default="many", nullable=False),
        sa.Column("clients", sa.Integer(), server_default="0", nullable=False),
        sa.Column("seconds", sa.Integer(), server_default="0", nullable=False),
        sa.Column("tripped_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("is_open", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_by_id", sa.Integer(), nullable=True),
        sa.CheckConstraint("reason IN ('many', 'clock', 'off')", name=op.f("ck_breaker_trips_reason_known")),
        sa.ForeignKeyConstraint(
            ["closed_by_id"], ["staff.id"], name=op.f("fk_breaker_trips_closed_by_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_breaker_trips")),
    )
    op.create_index(
        "uq_breaker_trips_one_open", "breaker_trips", ["is_open"], unique=True,
        sqlite_where=sa.text("is_open"), postgresql_where=sa.text("is_open"),
    )  # fmt: skip


def downgrade():
    op.drop_table("breaker_trips")
    op.drop_table("violation_tries")
    for name in INDEXES:
        op.drop_index(name, "violations")
    for name in MOMENTS:
        op.drop_column("violations", name)

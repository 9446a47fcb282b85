"""what tells a copy of the database that was put back, and the hold that follows

Revision ID: 0019
Revises: 0018
"""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

OPEN = sa.text("is_open")


def upgrade():
    marks = op.create_table(
        "desk_marks",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("identity", sa.String(32), nullable=False),
        sa.Column("beats", sa.BigInteger(), server_default="0", nullable=False),
        sa.CheckConstraint("length(identity) <= 32", name=op.f("ck_desk_marks_identity_length")),
        sa.CheckConstraint("id = 1", name=op.f("ck_desk_marks_only_one")),
        sa.CheckConstraint("beats >= 0", name=op.f("ck_desk_marks_beats")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_desk_marks")),
    )
    op.bulk_insert(marks, [{"id": 1, "identity": secrets.token_hex(16), "beats": 0}])
    op.create_table(
        "desk_holds",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(32), server_default="hand", nullable=False),
        sa.Column("before", sa.DateTime(timezone=True), nullable=False),
        sa.Column("held_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("is_open", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("released_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("released_by_id", sa.Integer(), nullable=True),
        sa.Column("is_dropped", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.CheckConstraint(
            "reason IN ('older', 'copied', 'unknown', 'hand')", name=op.f("ck_desk_holds_reason_known")
        ),
        sa.ForeignKeyConstraint(
            ["released_by_id"], ["staff.id"], name=op.f("fk_desk_holds_released_by_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_desk_holds")),
    )
    op.create_index(
        "uq_desk_holds_one_open", "desk_holds", ["is_open"], unique=True, sqlite_where=OPEN, postgresql_where=OPEN
    )
    _reasons_of_trips("'many', 'clock', 'off', 'copy'")


def downgrade():
    op.execute("UPDATE breaker_trips SET reason = 'many' WHERE reason = 'copy'")
    _reasons_of_trips("'many', 'clock', 'off'")
    op.drop_table("desk_holds")
    op.drop_table("desk_marks")


def _reasons_of_trips(words):
    """Let the breaker have these reasons. SQLite changes no constraint: there the table is made anew."""
    name = "ck_breaker_trips_reason_known"
    if op.get_bind().dialect.name == "postgresql":
        op.drop_constraint(op.f(name), "breaker_trips", type_="check")
        op.create_check_constraint(op.f(name), "breaker_trips", f"reason IN ({words})")
        return
    op.drop_index("uq_breaker_trips_one_open", "breaker_trips")
    op.rename_table("breaker_trips", "breaker_trips_before")
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
        sa.CheckConstraint(f"reason IN ({words})", name=op.f(name)),
        sa.ForeignKeyConstraint(
            ["closed_by_id"], ["staff.id"], name=op.f("fk_breaker_trips_closed_by_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_breaker_trips")),
    )
    columns = "id, reason, clients, seconds, tripped_at, is_open, closed_at, closed_by_id"
    op.execute(f"INSERT INTO breaker_trips ({columns}) SELECT {columns} FROM breaker_trips_before")  # noqa: S608
    op.drop_table("breaker_trips_before")
    op.create_index(
        "uq_breaker_trips_one_open", "breaker_trips", ["is_open"], unique=True,
        sqlite_where=OPEN, postgresql_where=OPEN,
    )  # fmt: skip

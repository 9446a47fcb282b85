"""bulk changes: what was done to many clients at once, and which audit events are of it

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

SELDOM_GIVEN = ("client_user_id", "impersonation_id")


def index_of_given(*columns):
    given = sa.text(f"{columns[0]} IS NOT NULL")
    name = op.f("ix_audit_events_" + "_".join(columns))
    op.create_index(name, "audit_events", list(columns), sqlite_where=given, postgresql_where=given)


def upgrade():
    op.create_table(
        "bulk_changes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("staff_id", sa.Integer(), nullable=False),
        sa.Column("selection_id", sa.Integer(), nullable=True),
        sa.Column("action", sa.String(60), server_default="", nullable=False),
        sa.Column("value", sa.String(40), server_default="", nullable=False),
        sa.Column("value_name", sa.String(200), server_default="", nullable=False),
        sa.Column("changed", sa.Integer(), server_default="0", nullable=False),
        sa.Column(
            "skipped", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), server_default="{}", nullable=False
        ),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("undoes_id", sa.Integer(), nullable=True),
        sa.CheckConstraint("length(action) <= 60", name=op.f("ck_bulk_changes_action_length")),
        sa.CheckConstraint("length(value) <= 40", name=op.f("ck_bulk_changes_value_length")),
        sa.CheckConstraint("length(value_name) <= 200", name=op.f("ck_bulk_changes_value_name_length")),
        sa.ForeignKeyConstraint(
            ["staff_id"], ["staff.id"], name=op.f("fk_bulk_changes_staff_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["selection_id"], ["selections.id"], name=op.f("fk_bulk_changes_selection_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["undoes_id"], ["bulk_changes.id"], name=op.f("fk_bulk_changes_undoes_id"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bulk_changes")),
        sa.UniqueConstraint("undoes_id", name=op.f("uq_bulk_changes_undoes_id")),
    )
    op.create_index(op.f("ix_bulk_changes_staff_id"), "bulk_changes", ["staff_id"])
    op.create_index(op.f("ix_bulk_changes_selection_id"), "bulk_changes", ["selection_id"])
    # Added in place: a table made anew would lose its triggers, and take long where the audit is.
    op.add_column("audit_events", sa.Column("bulk_change_id", sa.Integer(), nullable=True))
    index_of_given("bulk_change_id", "module", "record_id")
    # Only the removal of a staff member asks by it, and every bulk change of characterization paid for it.
    op.drop_index("ix_clients_characterization_by_id", "clients")
    # Most events have neither a client user nor a login-as; their indexes need not name those.
    for column in SELDOM_GIVEN:
        op.drop_index(f"ix_audit_events_{column}", "audit_events")
        index_of_given(column)


def downgrade():
    op.create_index("ix_clients_characterization_by_id", "clients", ["characterization_by_id"])
    for column in SELDOM_GIVEN:
        op.drop_index(f"ix_audit_events_{column}", "audit_events")
        op.create_index(f"ix_audit_events_{column}", "audit_events", [column])
    op.drop_index("ix_audit_events_bulk_change_id_module_record_id", "audit_events")
    op.drop_column("audit_events", "bulk_change_id")
    op.drop_table("bulk_changes")

"""the end of clients: erased or merged, and audit events that an erasure alone may blank

Revision ID: 0012
Revises: 0011
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql")
MOMENT = sa.DateTime(timezone=True)
TO_ERASE = sa.text("deleted_at IS NOT NULL AND erased_at IS NULL")
# An event may be blanked while an erasure goes on, which only its own transaction sees. Blanked means: a value is
# null or what it was, who did it is what it was, the staff member alone, or nobody, and the rest is as it was.
SAME = ("id", "at", "staff_id", "client_user_id", "impersonation_id", "request_id", "module", "record_id", "client_id",
        "action", "bulk_change_id")  # fmt: skip
ERASING = "EXISTS (SELECT 1 FROM erasures WHERE finished_at IS NULL)"


def upgrade():
    _tables()
    # In place: a table made anew would lose its triggers.
    op.execute("ALTER TABLE clients ADD COLUMN erased_at " + ("TIMESTAMP WITH TIME ZONE" if _is_postgresql() else "DATETIME"))
    op.create_index(
        "ix_clients_to_erase", "clients", ["deleted_at", "id"], sqlite_where=TO_ERASE, postgresql_where=TO_ERASE
    )
    if _is_postgresql():
        _postgresql()
    else:
        _sqlite()


def _tables():
    op.create_table(
        "erasures",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("client_id", sa.Integer(), nullable=False),
        sa.Column("mark", sa.String(64), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("finished_at", MOMENT, nullable=True),
        sa.Column("staff_id", sa.Integer(), nullable=True),
        sa.Column("way", sa.String(20), server_default="clock", nullable=False),
        sa.Column("removed", DOCUMENT, server_default="{}", nullable=False),
        sa.Column("kept", DOCUMENT, server_default="{}", nullable=False),
        sa.CheckConstraint("length(mark) <= 64", name=op.f("ck_erasures_mark_length")),
        sa.CheckConstraint("length(way) <= 20", name=op.f("ck_erasures_way_length")),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_erasures_staff_id"), ondelete="RESTRICT"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_erasures")),
    )
    for column in ("client_id", "staff_id"):
        op.create_index(op.f(f"ix_erasures_{column}"), "erasures", [column])
    op.create_table(
        "client_merges",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kept_id", sa.Integer(), nullable=False),
        sa.Column("merged_id", sa.Integer(), nullable=False),
        sa.Column("staff_id", sa.Integer(), nullable=True),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("moved", DOCUMENT, server_default="{}", nullable=False),
        sa.Column("before", DOCUMENT, server_default="{}", nullable=False),
        sa.Column("seal", DOCUMENT, server_default="{}", nullable=False),
        sa.Column("undone_at", MOMENT, nullable=True),
        sa.Column("undone_by_id", sa.Integer(), nullable=True),
        *[
            sa.ForeignKeyConstraint([column], ["clients.id"], name=op.f(f"fk_client_merges_{column}"), ondelete="CASCADE")
            for column in ("kept_id", "merged_id")
        ],
        *[
            sa.ForeignKeyConstraint([column], ["staff.id"], name=op.f(f"fk_client_merges_{column}"), ondelete="RESTRICT")
            for column in ("staff_id", "undone_by_id")
        ],
        sa.PrimaryKeyConstraint("id", name=op.f("pk_client_merges")),
    )
    for column in ("kept_id", "merged_id", "staff_id", "undone_by_id"):
        op.create_index(op.f(f"ix_client_merges_{column}"), "client_merges", [column])
    standing = sa.text("undone_at IS NULL")
    op.create_index("uq_client_merges_standing", "client_merges", ["merged_id"], unique=True,
                    sqlite_where=standing, postgresql_where=standing)  # fmt: skip


def _sqlite_blanked(column):
    return (
        f"NOT EXISTS (SELECT 1 FROM json_each(new.{column}) n WHERE n.type <> 'null' AND NOT EXISTS "
        f"(SELECT 1 FROM json_each(old.{column}) o WHERE o.key = n.key AND o.type = n.type AND o.value IS n.value))"
    )


def _sqlite():
    op.execute("DROP TRIGGER audit_events_no_update")
    conditions = [
        ERASING,
        *[f"new.{name} IS old.{name}" for name in SAME],
        "(new.actor IN (old.actor, '') OR substr(old.actor, 1, length(new.actor) + 3) = new.actor || ' → ')",
        "new.ip IN (old.ip, '')",
        _sqlite_blanked("before"),
        _sqlite_blanked("after"),
    ]
    op.execute(
        f"CREATE TRIGGER audit_events_no_update BEFORE UPDATE ON audit_events WHEN NOT ({' AND '.join(conditions)}) "
        "BEGIN SELECT RAISE(ABORT, 'audit_events cannot be changed'); END"
    )
    for verb in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER erasures_no_{verb.lower()} BEFORE {verb} ON erasures WHEN old.finished_at IS NOT NULL "
            "BEGIN SELECT RAISE(ABORT, 'erasures cannot be changed'); END"
        )


def _postgresql_blanked(column):
    return (
        f"NOT EXISTS (SELECT 1 FROM jsonb_each(NEW.{column}) n WHERE n.value <> 'null'::jsonb "
        f"AND OLD.{column} -> n.key IS DISTINCT FROM n.value)"
    )


def _postgresql():
    old, new = (", ".join(f"{row}.{name}" for name in SAME) for row in ("OLD", "NEW"))
    conditions = [
        ERASING,
        f"({new}) IS NOT DISTINCT FROM ({old})",
        "(NEW.actor IN (OLD.actor, '') OR left(OLD.actor, length(NEW.actor) + 3) = NEW.actor || ' → ')",
        "NEW.ip IN (OLD.ip, '')",
        _postgresql_blanked("before"),
        _postgresql_blanked("after"),
    ]
    op.execute(
        "CREATE FUNCTION refuse_unless_erasing() RETURNS trigger LANGUAGE plpgsql AS $body$ BEGIN "
        f"IF {' AND '.join(conditions)} THEN RETURN NEW; END IF; "
        "RAISE EXCEPTION '% cannot be changed', TG_TABLE_NAME; END $body$"
    )
    op.execute("DROP TRIGGER audit_events_stay ON audit_events")
    op.execute(
        "CREATE TRIGGER audit_events_stay BEFORE DELETE ON audit_events FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    )
    op.execute(
        "CREATE TRIGGER audit_events_blanked BEFORE UPDATE ON audit_events "
        "FOR EACH ROW EXECUTE FUNCTION refuse_unless_erasing()"
    )
    op.execute(
        "CREATE TRIGGER erasures_stay BEFORE UPDATE OR DELETE ON erasures "
        "FOR EACH ROW WHEN (OLD.finished_at IS NOT NULL) EXECUTE FUNCTION refuse_change()"
    )


def downgrade():
    if _is_postgresql():
        op.execute("DROP TRIGGER audit_events_blanked ON audit_events")
        op.execute("DROP TRIGGER audit_events_stay ON audit_events")
        op.execute(
            "CREATE TRIGGER audit_events_stay BEFORE UPDATE OR DELETE ON audit_events "
            "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )
        op.execute("DROP FUNCTION refuse_unless_erasing()")
    else:
        op.execute("DROP TRIGGER audit_events_no_update")
        op.execute(
            "CREATE TRIGGER audit_events_no_update BEFORE UPDATE ON audit_events "
            "BEGIN SELECT RAISE(ABORT, 'audit_events cannot be changed'); END"
        )
    op.drop_table("client_merges")
    op.drop_table("erasures")
    op.drop_index("ix_clients_to_erase", "clients")
    op.execute("ALTER TABLE clients DROP COLUMN erased_at")


def _is_postgresql():
    return op.get_bind().dialect.name == "postgresql"

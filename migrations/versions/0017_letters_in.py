"""letters that come in: what came, where from, and what became of it; who may look at them

Revision ID: 0017
Revises: 0016
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql")
MOMENT = sa.DateTime(timezone=True)
OUTCOMES = ("waiting", "answered", "new_ticket", "bounced", "ignored", "refused", "failed")
TEXTS = {
    "inbound_emails": {
        "digest": 64, "stored_name": 80, "source": 20, "return_path": 254, "envelope_to": 1000, "sender": 254,
        "sender_name": 200, "recipients": 1000, "subject": 300, "message_id": 300, "reason": 40, "error": 500,
        "handled_once": 64,
    },
    "inbound_sources": {"name": 300, "claimed_by": 80, "last_error": 500},
    "message_letters": {"sender": 254},
}  # fmt: skip
# Who may read the letters that go out may read those that come in; who answers tickets may see to them.
VERBS = ("view", "create", "edit", "delete", "export")


def text(name, length):
    return sa.Column(name, sa.String(length), server_default="", nullable=False)


def checks(table):
    return [
        sa.CheckConstraint(f"length({name}) <= {length}", name=op.f(f"ck_{table}_{name}_length"))
        for name, length in TEXTS[table].items()
    ]


def key(name, target, on_delete):
    return sa.ForeignKeyConstraint(
        [name], [f"{target}.id"], name=op.f(f"fk_inbound_emails_{name}"), ondelete=on_delete
    )


def upgrade():
    op.create_table(
        "inbound_emails",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        text("stored_name", 80),
        sa.Column("size", sa.BigInteger(), nullable=False),
        text("source", 20),
        sa.Column("received_at", MOMENT, nullable=False),
        text("return_path", 254),
        text("envelope_to", 1000),
        text("sender", 254),
        text("sender_name", 200),
        text("recipients", 1000),
        text("subject", 300),
        text("message_id", 300),
        sa.Column("outcome", sa.String(32), server_default="waiting", nullable=False),
        text("reason", 40),
        text("error", 500),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next_attempt_at", MOMENT, nullable=False),
        sa.Column("handled_at", MOMENT),
        sa.Column("handled_once", sa.String(64)),
        sa.Column("told_at", MOMENT),
        sa.Column("client_id", sa.Integer()),
        sa.Column("ticket_id", sa.Integer()),
        sa.Column("ticket_message_id", sa.Integer()),
        key("client_id", "clients", "CASCADE"),
        key("ticket_id", "tickets", "SET NULL"),
        key("ticket_message_id", "ticket_messages", "SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inbound_emails")),
        sa.UniqueConstraint("digest", name=op.f("uq_inbound_emails_digest")),
        sa.UniqueConstraint("handled_once", name=op.f("uq_inbound_emails_handled_once")),
        sa.CheckConstraint(
            "outcome IN (" + ", ".join(f"'{one}'" for one in OUTCOMES) + ")", name=op.f("ck_inbound_emails_outcome_known")
        ),
        *checks("inbound_emails"),
    )
    for columns in (
        ["received_at"], ["client_id"], ["ticket_id"], ["ticket_message_id"],
        ["outcome", "next_attempt_at"], ["sender", "received_at"],
    ):  # fmt: skip
        op.create_index(op.f("ix_inbound_emails_" + "_".join(columns)), "inbound_emails", columns)
    op.create_table(
        "inbound_sources",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(300), nullable=False),
        text("claimed_by", 80),
        sa.Column("lease_until", MOMENT),
        sa.Column("succeeded_at", MOMENT),
        sa.Column("failing_since", MOMENT),
        text("last_error", 500),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inbound_sources")),
        sa.UniqueConstraint("name", name=op.f("uq_inbound_sources_name")),
        *checks("inbound_sources"),
    )
    op.create_table(
        "message_letters",
        sa.Column("message_id", sa.Integer(), nullable=False),
        text("sender", 254),
        sa.Column("quoted", sa.Text(), server_default="", nullable=False),
        sa.Column("left_out", DOCUMENT, server_default="[]", nullable=False),
        sa.ForeignKeyConstraint(
            ["message_id"], ["ticket_messages.id"], name=op.f("fk_message_letters_message_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("message_id", name=op.f("pk_message_letters")),
        *checks("message_letters"),
    )
    _change_roles(_with_letters)


def _with_letters(held):
    given = {f"inbound.{verb}" for verb in VERBS if f"emails.{verb}" in held}
    if "tickets.edit" in held:
        given |= {"inbound.view", "inbound.edit"}
    return held + [f"inbound.{verb}" for verb in VERBS if f"inbound.{verb}" in given - set(held)]


def _change_roles(change):
    roles = sa.table("roles", sa.column("id", sa.Integer), sa.column("permissions", DOCUMENT))
    for number, held in op.get_bind().execute(sa.select(roles.c.id, roles.c.permissions)).all():
        changed = change(list(held))
        if changed != held:
            op.get_bind().execute(sa.update(roles).where(roles.c.id == number).values(permissions=changed))


def downgrade():
    _change_roles(lambda held: [right for right in held if not right.startswith("inbound.")])
    for table in ("message_letters", "inbound_sources", "inbound_emails"):
        op.drop_table(table)

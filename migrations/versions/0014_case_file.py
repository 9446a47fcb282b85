"""the stream of a client by time: every table that it comes from has the client and the time in one index

Messages get their client's id beside their ticket's, kept by triggers, as a client with very many tickets could
not be read in the order of time otherwise. The audit's indexes end with the time, in whose order it is read.

Revision ID: 0014
Revises: 0013
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

ADDED = (
    ("ticket_messages", ("client_id", "is_internal", "created_at", "id")),
    ("penalty_points", ("client_id", "created_at", "id")),
    ("client_notes", ("client_id", "created_at", "id")),
    ("payments", ("client_id", "created_at", "id")),
    ("invoices", ("client_id", "issued_on", "id")),
    ("acts", ("client_id", "issued_on", "id")),
    ("expenses", ("client_id", "posted_at", "id")),
    ("ledger_entries", ("account_id", "posted_at", "id")),
    ("audit_events", ("module", "at", "id")),
    ("audit_events", ("action", "at", "id")),
)
# The old index does not tell more than the beginning of the new one. The last says where the rows must have a value.
REPLACED = (
    ("outbound_emails", ("client_id",), ("client_id", "created_at", "id"), None),
    ("violations", ("client_id",), ("client_id", "created_at", "id"), None),
    ("impersonations", ("client_id",), ("client_id", "started_at", "id"), None),
    ("audit_events", ("at",), ("at", "id"), None),
    ("audit_events", ("staff_id",), ("staff_id", "at", "id"), None),
    ("audit_events", ("client_id", "id"), ("client_id", "at", "id"), None),
    ("audit_events", ("client_user_id",), ("client_user_id", "at", "id"), "client_user_id"),
)
OF_TICKET = "(SELECT client_id FROM tickets WHERE id = {row}.ticket_id)"
SQLITE_TRIGGERS = {
    "ticket_messages_of_client": (
        "AFTER INSERT ON ticket_messages WHEN new.client_id IS NULL",
        f"UPDATE ticket_messages SET client_id = {OF_TICKET.format(row='new')} WHERE id = new.id",
    ),
    "tickets_of_other_client": (
        "AFTER UPDATE OF client_id ON tickets WHEN old.client_id <> new.client_id",
        "UPDATE ticket_messages SET client_id = new.client_id WHERE ticket_id = new.id",
    ),
}
POSTGRESQL_FUNCTIONS = {
    "client_of_message": f"BEGIN NEW.client_id = {OF_TICKET.format(row='NEW')}; RETURN NEW; END",
    "messages_of_moved_ticket": (
        "BEGIN UPDATE ticket_messages SET client_id = NEW.client_id WHERE ticket_id = NEW.id; RETURN NULL; END"
    ),
}
POSTGRESQL_TRIGGERS = (
    "CREATE TRIGGER ticket_messages_of_client BEFORE INSERT ON ticket_messages FOR EACH ROW "
    "WHEN (NEW.client_id IS NULL) EXECUTE FUNCTION client_of_message()",
    "CREATE TRIGGER tickets_of_other_client AFTER UPDATE OF client_id ON tickets FOR EACH ROW "
    "WHEN (OLD.client_id <> NEW.client_id) EXECUTE FUNCTION messages_of_moved_ticket()",
)


def upgrade():
    op.add_column("ticket_messages", sa.Column("client_id", sa.Integer(), nullable=True))
    op.execute("UPDATE ticket_messages SET client_id = " + OF_TICKET.format(row="ticket_messages"))
    if _is_postgresql():
        for name, body in POSTGRESQL_FUNCTIONS.items():
            op.execute(f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $body$ {body} $body$")
        for statement in POSTGRESQL_TRIGGERS:
            op.execute(statement)
    else:
        for name, (occasion, body) in SQLITE_TRIGGERS.items():
            op.execute(f"CREATE TRIGGER {name} {occasion} BEGIN {body}; END")
    for table, columns in ADDED:
        _create(table, columns, None)
    for table, old, new, given in REPLACED:
        _drop(table, old)
        _create(table, new, given)


def downgrade():
    for table, old, new, given in REPLACED:
        _drop(table, new)
        _create(table, old, given)
    for table, columns in ADDED:
        _drop(table, columns)
    if _is_postgresql():
        op.execute("DROP TRIGGER tickets_of_other_client ON tickets")
        op.execute("DROP TRIGGER ticket_messages_of_client ON ticket_messages")
        for name in POSTGRESQL_FUNCTIONS:
            op.execute(f"DROP FUNCTION {name}()")
    else:
        for name in SQLITE_TRIGGERS:
            op.execute(f"DROP TRIGGER {name}")
    op.drop_column("ticket_messages", "client_id")


def _is_postgresql():
    return op.get_bind().dialect.name == "postgresql"


def _name(table, columns):
    return op.f("_".join(("ix", table, *columns)))


def _create(table, columns, given):
    where = sa.text(f"{given} IS NOT NULL") if given else None
    op.create_index(_name(table, columns), table, list(columns), sqlite_where=where, postgresql_where=where)


def _drop(table, columns):
    op.drop_index(_name(table, columns), table)

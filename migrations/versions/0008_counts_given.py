"""triggers stand back for rows that come with the values they would give

An import writes each new client with its owner's username and with a balance of nothing, as its users and accounts will
have it. Triggers that look each of them up again take longer than the writing. In a transaction that says so by the
setting `clientdesk.counts_are_given` they do nothing on inserts; all others go on as ever, also at the same time.

On SQLite there is nothing to do: an import sets the triggers aside in its own transaction.

Revision ID: 0008
Revises: 0007
"""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

FUNCTIONS = {"client_users": "usernames_of_clients", "accounts": "balances_of_clients"}
UNLESS_GIVEN = "WHEN (current_setting('clientdesk.counts_are_given', true) IS DISTINCT FROM 'on') "


def upgrade():
    _make(UNLESS_GIVEN)


def downgrade():
    _make("")


def _make(condition):
    if op.get_bind().dialect.name != "postgresql":
        return
    for table, function in FUNCTIONS.items():
        op.execute(f"DROP TRIGGER {table}_insert_{function} ON {table}")
        op.execute(
            f"CREATE TRIGGER {table}_insert_{function} AFTER INSERT ON {table} "
            f"REFERENCING NEW TABLE AS changed FOR EACH STATEMENT {condition}EXECUTE FUNCTION {function}()"
        )

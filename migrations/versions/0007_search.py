"""search: parts of words of users, payers, services, tickets, invoices and payments, found through their triples

Revision ID: 0007
Revises: 0006
"""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

SEARCHED = {
    "client_users": ("username", "full_name", "email", "phone"),
    "payers": ("name", "tax_id", "email", "phone"),
    "services": ("name",),
    "tickets": ("subject",),
    "invoices": ("number",),
    "payments": ("number",),
}


def upgrade():
    is_postgresql = op.get_bind().dialect.name == "postgresql"
    for table, columns in SEARCHED.items():
        if is_postgresql:
            parts = ", ".join(f"lower({column}) gin_trgm_ops" for column in columns)
            op.execute(f"CREATE INDEX ix_{table}_parts ON {table} USING gin ({parts})")
        else:
            _index(table, columns)


def _index(table, columns):
    names, new, old = (", ".join(f"{prefix}{name}" for name in columns) for prefix in ("", "new.", "old."))
    search = f"{table}_search"
    op.execute(
        f"CREATE VIRTUAL TABLE {search} USING fts5({names}, content='{table}', content_rowid='id', tokenize='trigram')"
    )
    op.execute(f"INSERT INTO {search} ({search}) VALUES ('rebuild')")
    into = f"INSERT INTO {search} (rowid, {names}) VALUES (new.id, {new})"
    out = f"INSERT INTO {search} ({search}, rowid, {names}) VALUES ('delete', old.id, {old})"
    for name, occasion, body in (
        ("into", "INSERT", into),
        ("within", f"UPDATE OF {names}", f"{out}; {into}"),
        ("out_of", "DELETE", out),
    ):
        op.execute(f"CREATE TRIGGER {table}_{name}_search AFTER {occasion} ON {table} BEGIN {body}; END")


def downgrade():
    for table in SEARCHED:
        if op.get_bind().dialect.name == "postgresql":
            op.execute(f"DROP INDEX ix_{table}_parts")
            continue
        for name in ("into", "within", "out_of"):
            op.execute(f"DROP TRIGGER {table}_{name}_search")
        op.execute(f"DROP TABLE {table}_search")

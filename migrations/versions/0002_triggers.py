"""triggers: what must always hold, and what is kept beside the rows it is counted from

Revision ID: 0002
Revises: 0001
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

IMMUTABLE = ("ledger_entries", "audit_events")

SQLITE_NAMES = """UPDATE clients SET
    owner_username = coalesce((SELECT username FROM client_users WHERE client_id = clients.id AND is_owner), ''),
    usernames = coalesce((SELECT group_concat(username, ' ') FROM
        (SELECT username FROM client_users WHERE client_id = clients.id ORDER BY is_owner DESC, id)), '')
    WHERE id = {row}.client_id AND usernames <> coalesce((SELECT group_concat(username, ' ') FROM
        (SELECT username FROM client_users WHERE client_id = {row}.client_id ORDER BY is_owner DESC, id)), '')"""
SQLITE_BALANCE = """UPDATE clients SET balance = coalesce((SELECT a.balance FROM accounts a
    JOIN projects p ON p.id = a.project_id WHERE a.client_id = clients.id
    AND a.project_id = clients.project_id AND a.currency = p.currency), 0) WHERE id = {row}.{key}"""
SQLITE_SERVICES = """UPDATE clients SET
    active_services = (SELECT count(*) FROM services s WHERE s.client_id = clients.id AND s.status = 'active'),
    is_suspended = (EXISTS (SELECT 1 FROM services s WHERE s.client_id = clients.id AND s.status = 'suspended')
        AND NOT EXISTS (SELECT 1 FROM services s WHERE s.client_id = clients.id
            AND s.status IN ('ordered', 'active')))
    WHERE id = {row}.client_id"""
SEARCHED = "name, usernames, company_name, contact_person, email, verified_phone"
SQLITE_UNINDEX = """INSERT INTO client_search (client_search, rowid, search_text, name)
    VALUES ('delete', old.id, old.id || ' ' || old.name || ' ' || old.usernames || ' ' || old.company_name || ' '
        || old.contact_person || ' ' || old.email || ' ' || old.verified_phone, old.name)"""
SQLITE_INDEX = "INSERT INTO client_search (rowid, search_text, name) VALUES (new.id, new.search_text, new.name)"


def upgrade():
    if op.get_bind().dialect.name == "postgresql":
        _postgresql()
    else:
        _sqlite()


def _sqlite_triggers():
    for table in IMMUTABLE:
        for verb in ("UPDATE", "DELETE"):
            yield (
                f"{table}_no_{verb.lower()}",
                f"BEFORE {verb} ON {table}",
                f"SELECT RAISE(ABORT, '{table} cannot be changed')",
            )
    yield (
        "ledger_entries_into_balance",
        "AFTER INSERT ON ledger_entries",
        "UPDATE accounts SET balance = balance + new.amount WHERE id = new.account_id",
    )
    yield "client_users_added", "AFTER INSERT ON client_users", SQLITE_NAMES.format(row="new")
    yield (
        "client_users_changed",
        "AFTER UPDATE OF username, is_owner, client_id ON client_users",
        SQLITE_NAMES.format(row="old") + "; " + SQLITE_NAMES.format(row="new"),
    )
    yield "client_users_removed", "AFTER DELETE ON client_users", SQLITE_NAMES.format(row="old")
    balance = SQLITE_BALANCE.format(row="new", key="client_id")
    yield "accounts_added", "AFTER INSERT ON accounts WHEN new.balance <> 0", balance
    yield (
        "accounts_changed",
        "AFTER UPDATE OF balance, client_id, project_id, currency ON accounts",
        balance + "; " + SQLITE_BALANCE.format(row="old", key="client_id"),
    )
    yield "accounts_removed", "AFTER DELETE ON accounts", SQLITE_BALANCE.format(row="old", key="client_id")
    yield (
        "clients_project_changed",
        "AFTER UPDATE OF project_id ON clients WHEN old.project_id <> new.project_id",
        SQLITE_BALANCE.format(row="new", key="id"),
    )
    yield "services_added", "AFTER INSERT ON services", SQLITE_SERVICES.format(row="new")
    yield (
        "services_changed",
        "AFTER UPDATE OF status, client_id ON services",
        SQLITE_SERVICES.format(row="old") + "; " + SQLITE_SERVICES.format(row="new"),
    )
    yield "services_removed", "AFTER DELETE ON services", SQLITE_SERVICES.format(row="old")
    yield "clients_into_search", "AFTER INSERT ON clients", SQLITE_INDEX
    yield "clients_within_search", f"AFTER UPDATE OF {SEARCHED} ON clients", f"{SQLITE_UNINDEX}; {SQLITE_INDEX}"
    yield "clients_out_of_search", "AFTER DELETE ON clients", SQLITE_UNINDEX


def _sqlite():
    op.execute(
        "CREATE VIRTUAL TABLE client_search USING fts5"
        "(search_text, name, content='clients', content_rowid='id', tokenize='trigram')"
    )
    op.execute("INSERT INTO client_search (client_search) VALUES ('rebuild')")
    for name, occasion, body in _sqlite_triggers():
        op.execute(f"CREATE TRIGGER {name} {occasion} BEGIN {body}; END")


POSTGRESQL_FUNCTIONS = {
    "refuse_change": "BEGIN RAISE EXCEPTION '% cannot be changed', TG_TABLE_NAME; END",
    "ledger_into_balance": """BEGIN
        UPDATE accounts a SET balance = a.balance + m.amount
        FROM (SELECT account_id, sum(amount) AS amount FROM changed GROUP BY account_id) m
        WHERE a.id = m.account_id;
        RETURN NULL; END""",
    "usernames_of_clients": """BEGIN
        UPDATE clients c SET owner_username = coalesce(n.owner_name, ''), usernames = coalesce(n.names, '')
        FROM (SELECT t.client_id,
                (SELECT username FROM client_users WHERE client_id = t.client_id AND is_owner) AS owner_name,
                (SELECT string_agg(username, ' ' ORDER BY is_owner DESC, id)
                 FROM client_users WHERE client_id = t.client_id) AS names
              FROM (SELECT DISTINCT client_id FROM changed) t) n
        WHERE c.id = n.client_id AND c.usernames IS DISTINCT FROM coalesce(n.names, '');
        RETURN NULL; END""",
    "balances_of_clients": """BEGIN
        UPDATE clients c SET balance = coalesce(b.balance, 0)
        FROM (SELECT c2.id, a.balance FROM clients c2
              JOIN projects p ON p.id = c2.project_id
              LEFT JOIN accounts a ON a.client_id = c2.id AND a.project_id = c2.project_id
                  AND a.currency = p.currency
              WHERE c2.id IN (SELECT client_id FROM changed)) b
        WHERE c.id = b.id AND c.balance IS DISTINCT FROM coalesce(b.balance, 0);
        RETURN NULL; END""",
    "balance_of_moved_client": """BEGIN
        NEW.balance = coalesce((SELECT a.balance FROM accounts a JOIN projects p ON p.id = a.project_id
            WHERE a.client_id = NEW.id AND a.project_id = NEW.project_id AND a.currency = p.currency), 0);
        RETURN NEW; END""",
    "services_of_clients": """BEGIN
        UPDATE clients c SET active_services = n.active, is_suspended = n.suspended > 0 AND n.running = 0
        FROM (SELECT t.client_id,
                count(s.id) FILTER (WHERE s.status = 'active') AS active,
                count(s.id) FILTER (WHERE s.status = 'suspended') AS suspended,
                count(s.id) FILTER (WHERE s.status IN ('ordered', 'active')) AS running
              FROM (SELECT DISTINCT client_id FROM changed) t
              LEFT JOIN services s ON s.client_id = t.client_id GROUP BY t.client_id) n
        WHERE c.id = n.client_id AND (c.active_services, c.is_suspended)
            IS DISTINCT FROM (n.active::int, n.suspended > 0 AND n.running = 0);
        RETURN NULL; END""",
}


def _follow(table, function):
    """Triggers that hand the changed rows of a statement over to `function`, all at once."""
    for verb, rows in (("INSERT", "NEW"), ("UPDATE", "NEW"), ("DELETE", "OLD")):
        yield (
            f"CREATE TRIGGER {table}_{verb.lower()}_{function} AFTER {verb} ON {table} "
            f"REFERENCING {rows} TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION {function}()"
        )
    yield (
        f"CREATE TRIGGER {table}_update_old_{function} AFTER UPDATE ON {table} "
        f"REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION {function}()"
    )


def _postgresql():
    op.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
    op.execute("CREATE INDEX ix_clients_search_text ON clients USING gin (search_text gin_trgm_ops)")
    op.execute("CREATE INDEX ix_clients_name_part ON clients USING gin (lower(name) gin_trgm_ops)")
    for name, body in POSTGRESQL_FUNCTIONS.items():
        op.execute(f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $body$ {body} $body$")
    for table in IMMUTABLE:
        op.execute(
            f"CREATE TRIGGER {table}_stay BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )
    op.execute(
        "CREATE TRIGGER ledger_entries_into_balance AFTER INSERT ON ledger_entries "
        "REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION ledger_into_balance()"
    )
    op.execute(
        "CREATE TRIGGER clients_project_changed BEFORE UPDATE OF project_id ON clients FOR EACH ROW "
        "WHEN (OLD.project_id <> NEW.project_id) EXECUTE FUNCTION balance_of_moved_client()"
    )
    for table, function in (
        ("client_users", "usernames_of_clients"),
        ("accounts", "balances_of_clients"),
        ("services", "services_of_clients"),
    ):
        for statement in _follow(table, function):
            op.execute(statement)


def downgrade():
    if op.get_bind().dialect.name == "postgresql":
        for table in (*IMMUTABLE, "clients", "client_users", "accounts", "services"):
            _drop_triggers_of(table)
        for name in POSTGRESQL_FUNCTIONS:
            op.execute(f"DROP FUNCTION {name}()")
        op.execute("DROP INDEX ix_clients_search_text")
        op.execute("DROP INDEX ix_clients_name_part")
        return
    for name, _occasion, _body in _sqlite_triggers():
        op.execute(f"DROP TRIGGER {name}")
    op.execute("DROP TABLE client_search")


def _drop_triggers_of(table):
    names = op.get_bind().exec_driver_sql(
        "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgrelid = %s::regclass", (table,)
    )
    for name in names.scalars().all():
        op.execute(f"DROP TRIGGER {name} ON {table}")

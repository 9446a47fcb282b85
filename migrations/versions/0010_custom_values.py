"""values of custom fields, kept where they can be searched, and a version by which every process sees new fields

Revision ID: 0010
Revises: 0009
"""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

TABLE = "client_custom_values"
CHOSEN = sa.text("choice IS NOT NULL")
SEARCH = "client_custom_search"

# What stands in each column, from a value as clients.custom keeps it (docs/decisions/custom-fields.md). Figures are whole:
# of a number its millionths, of a day the digits of its ISO form, of yes and no 1 and 0.
SQLITE_INTO = """INSERT INTO client_custom_values (client_id, field_id, text, choice, number)
    SELECT c.id, f.id,
        CASE WHEN f.type = 'text' THEN j.value END,
        CASE WHEN f.type = 'choice' THEN j.value END,
        CASE f.type
            WHEN 'number' THEN CAST(replace(j.value, '.', '') || substr('000000', 1, 6 -
                CASE instr(j.value, '.') WHEN 0 THEN 0 ELSE length(j.value) - instr(j.value, '.') END) AS INTEGER)
            WHEN 'date' THEN CAST(replace(j.value, '-', '') AS INTEGER)
            WHEN 'yes_no' THEN CAST(j.value AS INTEGER) END
    FROM clients c JOIN json_each(c.custom) j JOIN custom_fields f ON f.code = j.key
    WHERE j.value IS NOT NULL AND {which}"""
VERSION = "custom_fields_version"
SQLITE_VERSION = """INSERT INTO custom_fields_version (id, value) VALUES (1, lower(hex(randomblob(12))))
    ON CONFLICT (id) DO UPDATE SET value = excluded.value"""
POSTGRESQL_INTO = r"""INSERT INTO client_custom_values (client_id, field_id, text, choice, number)
    SELECT c.id, f.id,
        CASE WHEN f.type = 'text' THEN j.value END,
        CASE WHEN f.type = 'choice' THEN j.value END,
        CASE f.type
            WHEN 'number' THEN CASE WHEN j.value ~ '^-?[0-9]{{1,12}}(\.[0-9]{{1,6}})?$'
                THEN (j.value::numeric * 1000000)::bigint END
            WHEN 'date' THEN CASE WHEN j.value ~ '^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}$'
                THEN replace(j.value, '-', '')::bigint END
            WHEN 'yes_no' THEN CASE j.value WHEN 'true' THEN 1 WHEN 'false' THEN 0 END END
    FROM {clients} c, jsonb_each_text(c.custom) j JOIN custom_fields f ON f.code = j.key
    WHERE j.value IS NOT NULL"""
POSTGRESQL_FUNCTIONS = {
    "custom_values_of_client": "BEGIN "
    "IF TG_OP = 'UPDATE' THEN DELETE FROM client_custom_values WHERE client_id = NEW.id; END IF; "
    + POSTGRESQL_INTO.format(clients="(SELECT NEW.id, NEW.custom)")
    + "; RETURN NULL; END",
    "version_of_custom_fields": """BEGIN
        INSERT INTO custom_fields_version (id, value) VALUES (1, gen_random_uuid()::text)
        ON CONFLICT (id) DO UPDATE SET value = EXCLUDED.value;
        RETURN NULL; END""",
}


def upgrade():
    op.create_table(
        VERSION,
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{VERSION}")),
    )
    op.create_table(
        TABLE,
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("client_id", sa.Integer(), nullable=False),
        sa.Column("field_id", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text()),
        sa.Column("choice", sa.Text()),
        sa.Column("number", sa.BigInteger()),
        sa.ForeignKeyConstraint(["client_id"], ["clients.id"], name=op.f(f"fk_{TABLE}_client_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["field_id"], ["custom_fields.id"], name=op.f(f"fk_{TABLE}_field_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{TABLE}")),
        sa.UniqueConstraint("client_id", "field_id", name=op.f(f"uq_{TABLE}_client_id_field_id")),
    )
    op.create_index(op.f(f"ix_{TABLE}_field_id_number_client_id"), TABLE, ["field_id", "number", "client_id"])
    op.create_index(
        op.f(f"ix_{TABLE}_field_id_choice_client_id"), TABLE, ["field_id", "choice", "client_id"],
        sqlite_where=CHOSEN, postgresql_where=CHOSEN,
    )  # fmt: skip
    if op.get_bind().dialect.name == "postgresql":
        _postgresql()
    else:
        _sqlite()
    if op.get_bind().scalar(sa.text("SELECT count(*) FROM custom_fields")):
        op.execute(f"INSERT INTO {VERSION} (id, value) VALUES (1, '{secrets.token_hex(12)}')")


def _sqlite_triggers():
    into = SQLITE_INTO.format(which="c.id = new.id")
    yield "clients_custom_added", "AFTER INSERT ON clients WHEN new.custom <> '{}'", into
    yield (
        "clients_custom_changed",
        "AFTER UPDATE OF custom ON clients WHEN old.custom <> new.custom",
        f"DELETE FROM {TABLE} WHERE client_id = new.id; {into}",
    )
    add = f"INSERT INTO {SEARCH} (rowid, text) VALUES (new.id, new.text)"
    remove = f"INSERT INTO {SEARCH} ({SEARCH}, rowid, text) VALUES ('delete', old.id, old.text)"
    yield f"{TABLE}_into_search", f"AFTER INSERT ON {TABLE} WHEN new.text IS NOT NULL", add
    yield f"{TABLE}_out_of_search", f"AFTER DELETE ON {TABLE} WHEN old.text IS NOT NULL", remove
    for verb in ("insert", "update", "delete"):
        yield f"custom_fields_{verb}_version", f"AFTER {verb.upper()} ON custom_fields", SQLITE_VERSION


def _sqlite():
    op.execute(f"CREATE INDEX ix_{TABLE}_parts ON {TABLE} (field_id, text, client_id) WHERE text IS NOT NULL")
    op.execute(
        f"CREATE VIRTUAL TABLE {SEARCH} USING fts5(text, content='{TABLE}', content_rowid='id', tokenize='trigram')"
    )
    for name, occasion, body in _sqlite_triggers():
        op.execute(f"CREATE TRIGGER {name} {occasion} BEGIN {body}; END")
    op.execute(SQLITE_INTO.format(which="c.custom <> '{}'"))


def _postgresql():
    op.execute(f"CREATE INDEX ix_{TABLE}_parts ON {TABLE} USING gin (lower(text) gin_trgm_ops) WHERE text IS NOT NULL")
    for name, body in POSTGRESQL_FUNCTIONS.items():
        op.execute(f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $body$ {body} $body$")
    # For each row: only then a change of other columns of very many clients costs nothing.
    for name, occasion in (
        ("added", "INSERT ON clients FOR EACH ROW WHEN (NEW.custom <> '{}')"),
        ("changed", "UPDATE OF custom ON clients FOR EACH ROW WHEN (OLD.custom <> NEW.custom)"),
    ):
        op.execute(f"CREATE TRIGGER clients_custom_{name} AFTER {occasion} EXECUTE FUNCTION custom_values_of_client()")
    op.execute(
        "CREATE TRIGGER custom_fields_version AFTER INSERT OR UPDATE OR DELETE ON custom_fields "
        "FOR EACH STATEMENT EXECUTE FUNCTION version_of_custom_fields()"
    )
    op.execute(POSTGRESQL_INTO.format(clients="clients"))


def downgrade():
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP TRIGGER clients_custom_added ON clients")
        op.execute("DROP TRIGGER clients_custom_changed ON clients")
        op.execute("DROP TRIGGER custom_fields_version ON custom_fields")
        for name in POSTGRESQL_FUNCTIONS:
            op.execute(f"DROP FUNCTION {name}()")
    else:
        for name, _occasion, _body in _sqlite_triggers():
            op.execute(f"DROP TRIGGER {name}")
        op.execute(f"DROP TABLE {SEARCH}")
    op.drop_table(TABLE)
    op.drop_table(VERSION)

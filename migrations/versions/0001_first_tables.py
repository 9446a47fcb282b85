"""first tables

Revision ID: 0001
Revises: 
Create Date: 2026-11-23 20:27:44.386191

"""
from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

# revision identifiers, used by Alembic.
revision = '0001'
down_revision = None
branch_labels = None
depends_on = None


def is_postgresql():
    return op.get_bind().dialect.name == "postgresql"


def search_text():
    """What the client list searches, made by the database: on PostgreSQL already in lower case."""
    parts = ["name", "usernames", "company_name", "contact_person", "email", "verified_phone"]
    code = "id::text" if is_postgresql() else "id"
    text = " || ' ' || ".join([code, *parts])
    computed = sa.Computed(f"lower({text})", persisted=True) if is_postgresql() else sa.Computed(text, persisted=False)
    return sa.Column("search_text", sa.Text(), computed, nullable=True)


def violation_service():
    return {"source_table": "violations", "referent_table": "services", "local_cols": ["service_id"],
            "remote_cols": ["id"], "ondelete": "SET NULL"}


def later_on_postgresql():
    """Services and violations name each other; SQLite takes the name of a table that is yet to come."""
    if is_postgresql():
        return []
    return [sa.ForeignKeyConstraint(["service_id"], ["services.id"], name="fk_violations_service_id", ondelete="SET NULL")]


def upgrade():
    op.create_table('affiliate_programs',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(length=120), nullable=False),
    sa.Column('percent', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('is_active', sa.Boolean(), server_default=sa.true(), nullable=False),
    sa.Column('row_version', sa.Integer(), server_default='1', nullable=False),
    sa.CheckConstraint('length(name) <= 120', name=op.f('ck_affiliate_programs_name_length')),
    sa.CheckConstraint('percent BETWEEN 0 AND 10000', name=op.f('ck_affiliate_programs_percent')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_affiliate_programs')),
    sa.UniqueConstraint('name', name=op.f('uq_affiliate_programs_name'))
    )
    op.create_table('characterizations',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('code', sa.String(length=40), nullable=False),
    sa.Column('name', sa.String(length=80), nullable=False),
    sa.Column('icon', sa.String(length=40), server_default='', nullable=False),
    sa.Column('color', sa.String(length=20), server_default='', nullable=False),
    sa.Column('is_default', sa.Boolean(), server_default=sa.false(), nullable=False),
    sa.Column('row_version', sa.Integer(), server_default='1', nullable=False),
    sa.CheckConstraint('length(code) <= 40', name=op.f('ck_characterizations_code_length')),
    sa.CheckConstraint('length(color) <= 20', name=op.f('ck_characterizations_color_length')),
    sa.CheckConstraint('length(icon) <= 40', name=op.f('ck_characterizations_icon_length')),
    sa.CheckConstraint('length(name) <= 80', name=op.f('ck_characterizations_name_length')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_characterizations')),
    sa.UniqueConstraint('code', name=op.f('uq_characterizations_code')),
    sa.UniqueConstraint('name', name=op.f('uq_characterizations_name'))
    )
    with op.batch_alter_table('characterizations', schema=None) as batch_op:
        batch_op.create_index('uq_characterizations_one_default', ['is_default'], unique=True, sqlite_where=sa.text('is_default'), postgresql_where=sa.text('is_default'))

    op.create_table('client_groups',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(length=120), nullable=False),
    sa.Column('description', sa.Text(), server_default='', nullable=False),
    sa.Column('row_version', sa.Integer(), server_default='1', nullable=False),
    sa.CheckConstraint('length(name) <= 120', name=op.f('ck_client_groups_name_length')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_client_groups')),
    sa.UniqueConstraint('name', name=op.f('uq_client_groups_name'))
    )
    op.create_table('custom_fields',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('code', sa.String(length=40), nullable=False),
    sa.Column('label', sa.String(length=120), nullable=False),
    sa.Column('type', sa.String(length=32), server_default='text', nullable=False),
    sa.Column('choices', sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), 'postgresql'), server_default='[]', nullable=False),
    sa.Column('is_required', sa.Boolean(), server_default=sa.false(), nullable=False),
    sa.Column('show_in_list', sa.Boolean(), server_default=sa.false(), nullable=False),
    sa.Column('show_to_client', sa.Boolean(), server_default=sa.false(), nullable=False),
    sa.Column('row_version', sa.Integer(), server_default='1', nullable=False),
    sa.CheckConstraint("type IN ('text', 'number', 'date', 'choice', 'yes_no')", name=op.f('ck_custom_fields_type_known')),
    sa.CheckConstraint('length(code) <= 40', name=op.f('ck_custom_fields_code_length')),
    sa.CheckConstraint('length(label) <= 120', name=op.f('ck_custom_fields_label_length')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_custom_fields')),
    sa.UniqueConstraint('code', name=op.f('uq_custom_fields_code'))
    )
    op.create_table('features',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('code', sa.String(length=40), nullable=False),
    sa.Column('is_enabled', sa.Boolean(), server_default=sa.false(), nullable=False),
    sa.Column('row_version', sa.Integer(), server_default='1', nullable=False),
    sa.CheckConstraint('length(code) <= 40', name=op.f('ck_features_code_length')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_features')),
    sa.UniqueConstraint('code', name=op.f('uq_features_code'))
    )
    op.create_table('heartbeats',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('worker', sa.String(length=80), nullable=False),
    sa.Column('started_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('seen_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint('length(worker) <= 80', name=op.f('ck_heartbeats_worker_length')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_heartbeats')),
    sa.UniqueConstraint('worker', name=op.f('uq_heartbeats_worker'))
    )
    with op.batch_alter_table('heartbeats', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_heartbeats_seen_at'), ['seen_at'], unique=False)

    op.create_table('idempotency_keys',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('principal', sa.String(length=40), nullable=False),
    sa.Column('key', sa.String(length=80), nullable=False),
    sa.Column('fingerprint', sa.String(length=64), server_default='', nullable=False),
    sa.Column('result_url', sa.String(length=500), server_default='', nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint('length(fingerprint) <= 64', name=op.f('ck_idempotency_keys_fingerprint_length')),
    sa.CheckConstraint('length(key) <= 80', name=op.f('ck_idempotency_keys_key_length')),
    sa.CheckConstraint('length(principal) <= 40', name=op.f('ck_idempotency_keys_principal_length')),
    sa.CheckConstraint('length(result_url) <= 500', name=op.f('ck_idempotency_keys_result_url_length')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_idempotency_keys')),
    sa.UniqueConstraint('principal', 'key', name=op.f('uq_idempotency_keys_principal_key'))
    )
    with op.batch_alter_table('idempotency_keys', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_idempotency_keys_created_at'), ['created_at'], unique=False)

    op.create_table('login_failures',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('kind', sa.String(length=32), nullable=False),
    sa.Column('username', sa.String(length=254), server_default='', nullable=False),
    sa.Column('ip', sa.String(length=45), server_default='', nullable=False),
    sa.CheckConstraint("kind IN ('staff', 'client')", name=op.f('ck_login_failures_kind_known')),
    sa.CheckConstraint('length(ip) <= 45', name=op.f('ck_login_failures_ip_length')),
    sa.CheckConstraint('length(username) <= 254', name=op.f('ck_login_failures_username_length')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_login_failures'))
    )
    with op.batch_alter_table('login_failures', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_login_failures_at'), ['at'], unique=False)
        batch_op.create_index(batch_op.f('ix_login_failures_ip_at'), ['ip', 'at'], unique=False)
        batch_op.create_index(batch_op.f('ix_login_failures_kind_username_at'), ['kind', 'username', 'at'], unique=False)

    op.create_table('projects',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(length=120), nullable=False),
    sa.Column('website', sa.String(length=300), server_default='', nullable=False),
    sa.Column('support_email', sa.String(length=254), server_default='', nullable=False),
    sa.Column('currency', sa.String(length=3), server_default='EUR', nullable=False),
    sa.Column('default_language', sa.String(length=32), server_default='en', nullable=False),
    sa.Column('credit_limit', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('is_active', sa.Boolean(), server_default=sa.true(), nullable=False),
    sa.Column('row_version', sa.Integer(), server_default='1', nullable=False),
    sa.CheckConstraint("default_language IN ('en', 'ru')", name=op.f('ck_projects_default_language_known')),
    sa.CheckConstraint('length(currency) <= 3', name=op.f('ck_projects_currency_length')),
    sa.CheckConstraint('length(name) <= 120', name=op.f('ck_projects_name_length')),
    sa.CheckConstraint('length(support_email) <= 254', name=op.f('ck_projects_support_email_length')),
    sa.CheckConstraint('length(website) <= 300', name=op.f('ck_projects_website_length')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_projects')),
    sa.UniqueConstraint('name', name=op.f('uq_projects_name'))
    )
    op.create_table('roles',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(length=80), nullable=False),
    sa.Column('permissions', sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), 'postgresql'), server_default='[]', nullable=False),
    sa.Column('row_version', sa.Integer(), server_default='1', nullable=False),
    sa.CheckConstraint('length(name) <= 80', name=op.f('ck_roles_name_length')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_roles')),
    sa.UniqueConstraint('name', name=op.f('uq_roles_name'))
    )
    op.create_table('settings',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('code', sa.String(length=60), nullable=False),
    sa.Column('value', sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), 'postgresql'), nullable=False),
    sa.CheckConstraint('length(code) <= 60', name=op.f('ck_settings_code_length')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_settings')),
    sa.UniqueConstraint('code', name=op.f('uq_settings_code'))
    )
    op.create_table('products',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(length=200), nullable=False),
    sa.Column('type', sa.String(length=60), server_default='', nullable=False),
    sa.Column('project_id', sa.Integer(), nullable=False),
    sa.Column('is_active', sa.Boolean(), server_default=sa.true(), nullable=False),
    sa.Column('description', sa.Text(), server_default='', nullable=False),
    sa.Column('row_version', sa.Integer(), server_default='1', nullable=False),
    sa.CheckConstraint('length(name) <= 200', name=op.f('ck_products_name_length')),
    sa.CheckConstraint('length(type) <= 60', name=op.f('ck_products_type_length')),
    sa.ForeignKeyConstraint(['project_id'], ['projects.id'], name=op.f('fk_products_project_id'), ondelete='RESTRICT'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_products')),
    sa.UniqueConstraint('project_id', 'name', name=op.f('uq_products_project_id_name'))
    )
    with op.batch_alter_table('products', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_products_project_id'), ['project_id'], unique=False)

    op.create_table('staff',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('username', sa.String(length=80), nullable=False),
    sa.Column('password_hash', sa.String(length=255), nullable=False),
    sa.Column('must_change_password', sa.Boolean(), server_default=sa.false(), nullable=False),
    sa.Column('full_name', sa.String(length=200), server_default='', nullable=False),
    sa.Column('email', sa.String(length=254), server_default='', nullable=False),
    sa.Column('language', sa.String(length=32), server_default='en', nullable=False),
    sa.Column('time_zone', sa.String(length=64), server_default='UTC', nullable=False),
    sa.Column('role_id', sa.Integer(), nullable=False),
    sa.Column('is_active', sa.Boolean(), server_default=sa.true(), nullable=False),
    sa.Column('last_login_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('totp_secret', sa.String(length=255), nullable=True),
    sa.Column('preferences', sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), 'postgresql'), server_default='{}', nullable=False),
    sa.Column('row_version', sa.Integer(), server_default='1', nullable=False),
    sa.CheckConstraint("language IN ('en', 'ru')", name=op.f('ck_staff_language_known')),
    sa.CheckConstraint('length(email) <= 254', name=op.f('ck_staff_email_length')),
    sa.CheckConstraint('length(full_name) <= 200', name=op.f('ck_staff_full_name_length')),
    sa.CheckConstraint('length(password_hash) <= 255', name=op.f('ck_staff_password_hash_length')),
    sa.CheckConstraint('length(time_zone) <= 64', name=op.f('ck_staff_time_zone_length')),
    sa.CheckConstraint('length(totp_secret) <= 255', name=op.f('ck_staff_totp_secret_length')),
    sa.CheckConstraint('length(username) <= 80', name=op.f('ck_staff_username_length')),
    sa.ForeignKeyConstraint(['role_id'], ['roles.id'], name=op.f('fk_staff_role_id'), ondelete='RESTRICT'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_staff')),
    sa.UniqueConstraint('username', name=op.f('uq_staff_username'))
    )
    with op.batch_alter_table('staff', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_staff_role_id'), ['role_id'], unique=False)

    op.create_table('audit_events',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('staff_id', sa.Integer(), nullable=True),
    sa.Column('client_user_id', sa.Integer(), nullable=True),
    sa.Column('impersonation_id', sa.Integer(), nullable=True),
    sa.Column('actor', sa.String(length=200), server_default='', nullable=False),
    sa.Column('ip', sa.String(length=45), server_default='', nullable=False),
    sa.Column('request_id', sa.String(length=36), server_default='', nullable=False),
    sa.Column('module', sa.String(length=60), server_default='', nullable=False),
    sa.Column('record_id', sa.Integer(), nullable=True),
    sa.Column('client_id', sa.Integer(), nullable=True),
    sa.Column('action', sa.String(length=60), server_default='', nullable=False),
    sa.Column('before', sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), 'postgresql'), server_default='{}', nullable=False),
    sa.Column('after', sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), 'postgresql'), server_default='{}', nullable=False),
    sa.CheckConstraint('length(action) <= 60', name=op.f('ck_audit_events_action_length')),
    sa.CheckConstraint('length(actor) <= 200', name=op.f('ck_audit_events_actor_length')),
    sa.CheckConstraint('length(ip) <= 45', name=op.f('ck_audit_events_ip_length')),
    sa.CheckConstraint('length(module) <= 60', name=op.f('ck_audit_events_module_length')),
    sa.CheckConstraint('length(request_id) <= 36', name=op.f('ck_audit_events_request_id_length')),
    sa.ForeignKeyConstraint(['staff_id'], ['staff.id'], name=op.f('fk_audit_events_staff_id'), ondelete='RESTRICT'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_audit_events'))
    )
    with op.batch_alter_table('audit_events', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_audit_events_at'), ['at'], unique=False)
        batch_op.create_index(batch_op.f('ix_audit_events_client_id_id'), ['client_id', 'id'], unique=False)
        batch_op.create_index(batch_op.f('ix_audit_events_client_user_id'), ['client_user_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_audit_events_impersonation_id'), ['impersonation_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_audit_events_module_record_id_id'), ['module', 'record_id', 'id'], unique=False)
        batch_op.create_index(batch_op.f('ix_audit_events_staff_id'), ['staff_id'], unique=False)

    op.create_table('import_batches',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('file_name', sa.String(length=255), server_default='', nullable=False),
    sa.Column('digest', sa.String(length=64), server_default='', nullable=False),
    sa.Column('source', sa.String(length=40), server_default='', nullable=False),
    sa.Column('project_id', sa.Integer(), nullable=True),
    sa.Column('status', sa.String(length=20), server_default='rehearsed', nullable=False),
    sa.Column('counts', sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), 'postgresql'), server_default='{}', nullable=False),
    sa.Column('stored_name', sa.String(length=80), server_default='', nullable=False),
    sa.Column('staff_id', sa.Integer(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('done_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('undone_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint('length(digest) <= 64', name=op.f('ck_import_batches_digest_length')),
    sa.CheckConstraint('length(file_name) <= 255', name=op.f('ck_import_batches_file_name_length')),
    sa.CheckConstraint('length(source) <= 40', name=op.f('ck_import_batches_source_length')),
    sa.CheckConstraint('length(status) <= 20', name=op.f('ck_import_batches_status_length')),
    sa.CheckConstraint('length(stored_name) <= 80', name=op.f('ck_import_batches_stored_name_length')),
    sa.ForeignKeyConstraint(['project_id'], ['projects.id'], name=op.f('fk_import_batches_project_id'), ondelete='RESTRICT'),
    sa.ForeignKeyConstraint(['staff_id'], ['staff.id'], name=op.f('fk_import_batches_staff_id'), ondelete='RESTRICT'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_import_batches'))
    )
    with op.batch_alter_table('import_batches', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_import_batches_project_id'), ['project_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_import_batches_staff_id'), ['staff_id'], unique=False)

    op.create_table('product_prices',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('product_id', sa.Integer(), nullable=False),
    sa.Column('period', sa.String(length=32), server_default='month', nullable=False),
    sa.Column('currency', sa.String(length=3), nullable=False),
    sa.Column('price', sa.BigInteger(), server_default='0', nullable=False),
    sa.CheckConstraint("period IN ('month', 'quarter', 'half_year', 'year', 'once')", name=op.f('ck_product_prices_period_known')),
    sa.CheckConstraint('length(currency) <= 3', name=op.f('ck_product_prices_currency_length')),
    sa.CheckConstraint('price >= 0', name=op.f('ck_product_prices_price')),
    sa.ForeignKeyConstraint(['product_id'], ['products.id'], name=op.f('fk_product_prices_product_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_product_prices')),
    sa.UniqueConstraint('product_id', 'period', 'currency', name=op.f('uq_product_prices_product_id_period_currency'))
    )
    with op.batch_alter_table('product_prices', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_product_prices_product_id'), ['product_id'], unique=False)

    op.create_table('saved_filters',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(length=80), nullable=False),
    sa.Column('owner_id', sa.Integer(), nullable=False),
    sa.Column('is_shared', sa.Boolean(), server_default=sa.false(), nullable=False),
    sa.Column('parameters', sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), 'postgresql'), server_default='{}', nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint('length(name) <= 80', name=op.f('ck_saved_filters_name_length')),
    sa.ForeignKeyConstraint(['owner_id'], ['staff.id'], name=op.f('fk_saved_filters_owner_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_saved_filters')),
    sa.UniqueConstraint('owner_id', 'name', name=op.f('uq_saved_filters_owner_id_name'))
    )
    with op.batch_alter_table('saved_filters', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_saved_filters_owner_id'), ['owner_id'], unique=False)

    op.create_table('selections',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('staff_id', sa.Integer(), nullable=False),
    sa.Column('module', sa.String(length=60), server_default='', nullable=False),
    sa.Column('action', sa.String(length=60), server_default='', nullable=False),
    sa.Column('ids', sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), 'postgresql'), nullable=True),
    sa.Column('parameters', sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), 'postgresql'), nullable=True),
    sa.Column('count', sa.Integer(), nullable=False),
    sa.Column('url', sa.String(length=2000), server_default='', nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('used_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint('length(action) <= 60', name=op.f('ck_selections_action_length')),
    sa.CheckConstraint('length(module) <= 60', name=op.f('ck_selections_module_length')),
    sa.CheckConstraint('length(url) <= 2000', name=op.f('ck_selections_url_length')),
    sa.ForeignKeyConstraint(['staff_id'], ['staff.id'], name=op.f('fk_selections_staff_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_selections'))
    )
    with op.batch_alter_table('selections', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_selections_created_at'), ['created_at'], unique=False)
        batch_op.create_index(batch_op.f('ix_selections_staff_id'), ['staff_id'], unique=False)

    op.create_table('ticket_categories',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('name', sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), 'postgresql'), server_default='{}', nullable=False),
    sa.Column('responsible_role_id', sa.Integer(), nullable=True),
    sa.Column('responsible_staff_id', sa.Integer(), nullable=True),
    sa.Column('is_news', sa.Boolean(), server_default=sa.false(), nullable=False),
    sa.Column('is_active', sa.Boolean(), server_default=sa.true(), nullable=False),
    sa.Column('row_version', sa.Integer(), server_default='1', nullable=False),
    sa.ForeignKeyConstraint(['responsible_role_id'], ['roles.id'], name=op.f('fk_ticket_categories_responsible_role_id'), ondelete='SET NULL'),
    sa.ForeignKeyConstraint(['responsible_staff_id'], ['staff.id'], name=op.f('fk_ticket_categories_responsible_staff_id'), ondelete='SET NULL'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_ticket_categories'))
    )
    with op.batch_alter_table('ticket_categories', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_ticket_categories_responsible_role_id'), ['responsible_role_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_ticket_categories_responsible_staff_id'), ['responsible_staff_id'], unique=False)

    op.create_table('clients',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('project_id', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(length=200), nullable=False),
    sa.Column('legal_status', sa.String(length=32), server_default='individual', nullable=False),
    sa.Column('company_name', sa.String(length=200), server_default='', nullable=False),
    sa.Column('contact_person', sa.String(length=200), server_default='', nullable=False),
    sa.Column('email', sa.String(length=254), server_default='', nullable=False),
    sa.Column('country', sa.String(length=2), nullable=False),
    sa.Column('language', sa.String(length=32), server_default='en', nullable=False),
    sa.Column('verified_phone', sa.String(length=20), server_default='', nullable=False),
    sa.Column('note', sa.Text(), server_default='', nullable=False),
    sa.Column('referral_source', sa.String(length=300), server_default='', nullable=False),
    sa.Column('characterization_id', sa.Integer(), nullable=False),
    sa.Column('characterization_by_id', sa.Integer(), nullable=True),
    sa.Column('characterization_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('characterization_reason', sa.String(length=500), server_default='', nullable=False),
    sa.Column('referrer_id', sa.Integer(), nullable=True),
    sa.Column('affiliate_program_id', sa.Integer(), nullable=True),
    sa.Column('registered_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('registration_ip', sa.String(length=45), server_default='', nullable=False),
    sa.Column('external_id', sa.String(length=200), nullable=True),
    sa.Column('external_source', sa.String(length=40), server_default='', nullable=False),
    sa.Column('import_batch_id', sa.Integer(), nullable=True),
    sa.Column('hold_suspension_until', sa.DateTime(timezone=True), nullable=True),
    sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('custom', sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), 'postgresql'), server_default='{}', nullable=False),
    sa.Column('balance', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('active_services', sa.Integer(), server_default='0', nullable=False),
    sa.Column('is_suspended', sa.Boolean(), server_default=sa.false(), nullable=False),
    sa.Column('owner_username', sa.String(length=80), server_default='', nullable=False),
    sa.Column('usernames', sa.Text(), server_default='', nullable=False),
    search_text(),
    sa.Column('row_version', sa.Integer(), server_default='1', nullable=False),
    sa.CheckConstraint("language IN ('en', 'ru')", name=op.f('ck_clients_language_known')),
    sa.CheckConstraint("legal_status IN ('company', 'sole_proprietor', 'individual')", name=op.f('ck_clients_legal_status_known')),
    sa.CheckConstraint('length(characterization_reason) <= 500', name=op.f('ck_clients_characterization_reason_length')),
    sa.CheckConstraint('length(company_name) <= 200', name=op.f('ck_clients_company_name_length')),
    sa.CheckConstraint('length(contact_person) <= 200', name=op.f('ck_clients_contact_person_length')),
    sa.CheckConstraint('length(country) <= 2', name=op.f('ck_clients_country_length')),
    sa.CheckConstraint('length(email) <= 254', name=op.f('ck_clients_email_length')),
    sa.CheckConstraint('length(external_id) <= 200', name=op.f('ck_clients_external_id_length')),
    sa.CheckConstraint('length(external_source) <= 40', name=op.f('ck_clients_external_source_length')),
    sa.CheckConstraint('length(name) <= 200', name=op.f('ck_clients_name_length')),
    sa.CheckConstraint('length(name) > 0', name=op.f('ck_clients_name_given')),
    sa.CheckConstraint('length(owner_username) <= 80', name=op.f('ck_clients_owner_username_length')),
    sa.CheckConstraint('length(referral_source) <= 300', name=op.f('ck_clients_referral_source_length')),
    sa.CheckConstraint('length(registration_ip) <= 45', name=op.f('ck_clients_registration_ip_length')),
    sa.CheckConstraint('length(verified_phone) <= 20', name=op.f('ck_clients_verified_phone_length')),
    sa.CheckConstraint('referrer_id IS NULL OR referrer_id <> id', name=op.f('ck_clients_not_own_referrer')),
    sa.ForeignKeyConstraint(['affiliate_program_id'], ['affiliate_programs.id'], name=op.f('fk_clients_affiliate_program_id'), ondelete='RESTRICT'),
    sa.ForeignKeyConstraint(['characterization_by_id'], ['staff.id'], name=op.f('fk_clients_characterization_by_id'), ondelete='RESTRICT'),
    sa.ForeignKeyConstraint(['characterization_id'], ['characterizations.id'], name=op.f('fk_clients_characterization_id'), ondelete='RESTRICT'),
    sa.ForeignKeyConstraint(['import_batch_id'], ['import_batches.id'], name=op.f('fk_clients_import_batch_id'), ondelete='RESTRICT'),
    sa.ForeignKeyConstraint(['project_id'], ['projects.id'], name=op.f('fk_clients_project_id'), ondelete='RESTRICT'),
    sa.ForeignKeyConstraint(['referrer_id'], ['clients.id'], name=op.f('fk_clients_referrer_id'), ondelete='SET NULL'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_clients')),
    sa.UniqueConstraint('external_source', 'external_id', name=op.f('uq_clients_external_source_external_id'))
    )
    with op.batch_alter_table('clients', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_clients_affiliate_program_id'), ['affiliate_program_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_clients_characterization_by_id'), ['characterization_by_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_clients_deleted_at'), ['deleted_at'], unique=False)
        batch_op.create_index(batch_op.f('ix_clients_import_batch_id'), ['import_batch_id'], unique=False)
        batch_op.create_index('ix_clients_living_', ['id'], unique=False, sqlite_where=sa.text('deleted_at IS NULL'), postgresql_where=sa.text('deleted_at IS NULL'))
        batch_op.create_index('ix_clients_living_active_services', ['active_services', 'id'], unique=False, sqlite_where=sa.text('deleted_at IS NULL'), postgresql_where=sa.text('deleted_at IS NULL'))
        batch_op.create_index('ix_clients_living_balance', ['balance', 'id'], unique=False, sqlite_where=sa.text('deleted_at IS NULL'), postgresql_where=sa.text('deleted_at IS NULL'))
        batch_op.create_index('ix_clients_living_characterization_id_registered_at', ['characterization_id', 'registered_at', 'id'], unique=False, sqlite_where=sa.text('deleted_at IS NULL'), postgresql_where=sa.text('deleted_at IS NULL'))
        batch_op.create_index('ix_clients_living_company_name', ['company_name', 'id'], unique=False, sqlite_where=sa.text('deleted_at IS NULL'), postgresql_where=sa.text('deleted_at IS NULL'))
        batch_op.create_index('ix_clients_living_contact_person', ['contact_person', 'id'], unique=False, sqlite_where=sa.text('deleted_at IS NULL'), postgresql_where=sa.text('deleted_at IS NULL'))
        batch_op.create_index('ix_clients_living_country', ['country', 'id'], unique=False, sqlite_where=sa.text('deleted_at IS NULL'), postgresql_where=sa.text('deleted_at IS NULL'))
        batch_op.create_index('ix_clients_living_email', ['email', 'id'], unique=False, sqlite_where=sa.text('deleted_at IS NULL'), postgresql_where=sa.text('deleted_at IS NULL'))
        batch_op.create_index('ix_clients_living_language', ['language', 'id'], unique=False, sqlite_where=sa.text('deleted_at IS NULL'), postgresql_where=sa.text('deleted_at IS NULL'))
        batch_op.create_index('ix_clients_living_legal_status', ['legal_status', 'id'], unique=False, sqlite_where=sa.text('deleted_at IS NULL'), postgresql_where=sa.text('deleted_at IS NULL'))
        batch_op.create_index('ix_clients_living_name', ['name', 'id'], unique=False, sqlite_where=sa.text('deleted_at IS NULL'), postgresql_where=sa.text('deleted_at IS NULL'))
        batch_op.create_index('ix_clients_living_project_id_characterization_id_registered_at', ['project_id', 'characterization_id', 'registered_at', 'id'], unique=False, sqlite_where=sa.text('deleted_at IS NULL'), postgresql_where=sa.text('deleted_at IS NULL'))
        batch_op.create_index('ix_clients_living_project_id_registered_at', ['project_id', 'registered_at', 'id'], unique=False, sqlite_where=sa.text('deleted_at IS NULL'), postgresql_where=sa.text('deleted_at IS NULL'))
        batch_op.create_index('ix_clients_living_registered_at', ['registered_at', 'id'], unique=False, sqlite_where=sa.text('deleted_at IS NULL'), postgresql_where=sa.text('deleted_at IS NULL'))
        batch_op.create_index('ix_clients_living_verified_phone', ['verified_phone', 'id'], unique=False, sqlite_where=sa.text('deleted_at IS NULL'), postgresql_where=sa.text('deleted_at IS NULL'))
        batch_op.create_index(batch_op.f('ix_clients_project_id'), ['project_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_clients_referrer_id'), ['referrer_id'], unique=False)
        batch_op.create_index('ix_clients_registration_ip', ['registration_ip'], unique=False)

    op.create_table('mailings',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('subject', sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), 'postgresql'), server_default='{}', nullable=False),
    sa.Column('text', sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), 'postgresql'), server_default='{}', nullable=False),
    sa.Column('category_id', sa.Integer(), nullable=False),
    sa.Column('selection_id', sa.Integer(), nullable=True),
    sa.Column('staff_id', sa.Integer(), nullable=False),
    sa.Column('forbid_replies', sa.Boolean(), server_default=sa.false(), nullable=False),
    sa.Column('move_to_sender', sa.Boolean(), server_default=sa.false(), nullable=False),
    sa.Column('strict_language', sa.Boolean(), server_default=sa.false(), nullable=False),
    sa.Column('send_email', sa.Boolean(), server_default=sa.true(), nullable=False),
    sa.Column('attach_to_email', sa.Boolean(), server_default=sa.false(), nullable=False),
    sa.Column('is_violation', sa.Boolean(), server_default=sa.false(), nullable=False),
    sa.Column('violation_parameters', sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), 'postgresql'), server_default='{}', nullable=False),
    sa.Column('status', sa.String(length=32), server_default='scheduled', nullable=False),
    sa.Column('starts_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('started_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('finished_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('recipients_count', sa.Integer(), server_default='0', nullable=False),
    sa.Column('filter_description', sa.Text(), server_default='', nullable=False),
    sa.Column('idempotency_key', sa.String(length=80), nullable=True),
    sa.Column('row_version', sa.Integer(), server_default='1', nullable=False),
    sa.CheckConstraint("status IN ('scheduled', 'sending', 'paused', 'sent', 'cancelled')", name=op.f('ck_mailings_status_known')),
    sa.CheckConstraint('length(idempotency_key) <= 80', name=op.f('ck_mailings_idempotency_key_length')),
    sa.ForeignKeyConstraint(['category_id'], ['ticket_categories.id'], name=op.f('fk_mailings_category_id'), ondelete='RESTRICT'),
    sa.ForeignKeyConstraint(['selection_id'], ['selections.id'], name=op.f('fk_mailings_selection_id'), ondelete='SET NULL'),
    sa.ForeignKeyConstraint(['staff_id'], ['staff.id'], name=op.f('fk_mailings_staff_id'), ondelete='RESTRICT'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_mailings')),
    sa.UniqueConstraint('idempotency_key', name=op.f('uq_mailings_idempotency_key'))
    )
    with op.batch_alter_table('mailings', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_mailings_category_id'), ['category_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_mailings_selection_id'), ['selection_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_mailings_staff_id'), ['staff_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_mailings_status_starts_at'), ['status', 'starts_at'], unique=False)

    op.create_table('response_templates',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(length=120), nullable=False),
    sa.Column('category_id', sa.Integer(), nullable=True),
    sa.Column('language', sa.String(length=32), server_default='en', nullable=False),
    sa.Column('subject', sa.String(length=200), server_default='', nullable=False),
    sa.Column('text', sa.Text(), server_default='', nullable=False),
    sa.Column('row_version', sa.Integer(), server_default='1', nullable=False),
    sa.CheckConstraint("language IN ('en', 'ru')", name=op.f('ck_response_templates_language_known')),
    sa.CheckConstraint('length(name) <= 120', name=op.f('ck_response_templates_name_length')),
    sa.CheckConstraint('length(subject) <= 200', name=op.f('ck_response_templates_subject_length')),
    sa.ForeignKeyConstraint(['category_id'], ['ticket_categories.id'], name=op.f('fk_response_templates_category_id'), ondelete='SET NULL'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_response_templates')),
    sa.UniqueConstraint('name', 'language', name=op.f('uq_response_templates_name_language'))
    )
    with op.batch_alter_table('response_templates', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_response_templates_category_id'), ['category_id'], unique=False)

    op.create_table('accounts',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('client_id', sa.Integer(), nullable=False),
    sa.Column('project_id', sa.Integer(), nullable=False),
    sa.Column('currency', sa.String(length=3), nullable=False),
    sa.Column('balance', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('credit_limit', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('row_version', sa.Integer(), server_default='1', nullable=False),
    sa.CheckConstraint('credit_limit >= 0', name=op.f('ck_accounts_credit_limit')),
    sa.CheckConstraint('length(currency) <= 3', name=op.f('ck_accounts_currency_length')),
    sa.CheckConstraint('length(currency) = 3', name=op.f('ck_accounts_currency')),
    sa.ForeignKeyConstraint(['client_id'], ['clients.id'], name=op.f('fk_accounts_client_id'), ondelete='RESTRICT'),
    sa.ForeignKeyConstraint(['project_id'], ['projects.id'], name=op.f('fk_accounts_project_id'), ondelete='RESTRICT'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_accounts')),
    sa.UniqueConstraint('client_id', 'project_id', 'currency', name=op.f('uq_accounts_client_id_project_id_currency'))
    )
    with op.batch_alter_table('accounts', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_accounts_project_id'), ['project_id'], unique=False)

    op.create_table('client_group_members',
    sa.Column('client_id', sa.Integer(), nullable=False),
    sa.Column('group_id', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['client_id'], ['clients.id'], name=op.f('fk_client_group_members_client_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['group_id'], ['client_groups.id'], name=op.f('fk_client_group_members_group_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('client_id', 'group_id', name=op.f('pk_client_group_members'))
    )
    with op.batch_alter_table('client_group_members', schema=None) as batch_op:
        batch_op.create_index('ix_client_group_members_group_id_client_id', ['group_id', 'client_id'], unique=False)

    op.create_table('client_notes',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('client_id', sa.Integer(), nullable=False),
    sa.Column('author_id', sa.Integer(), nullable=True),
    sa.Column('text', sa.Text(), server_default='', nullable=False),
    sa.Column('is_pinned', sa.Boolean(), server_default=sa.false(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('row_version', sa.Integer(), server_default='1', nullable=False),
    sa.ForeignKeyConstraint(['author_id'], ['staff.id'], name=op.f('fk_client_notes_author_id'), ondelete='RESTRICT'),
    sa.ForeignKeyConstraint(['client_id'], ['clients.id'], name=op.f('fk_client_notes_client_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_client_notes'))
    )
    with op.batch_alter_table('client_notes', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_client_notes_author_id'), ['author_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_client_notes_client_id'), ['client_id'], unique=False)

    op.create_table('client_projects',
    sa.Column('client_id', sa.Integer(), nullable=False),
    sa.Column('project_id', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['client_id'], ['clients.id'], name=op.f('fk_client_projects_client_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['project_id'], ['projects.id'], name=op.f('fk_client_projects_project_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('client_id', 'project_id', name=op.f('pk_client_projects'))
    )
    with op.batch_alter_table('client_projects', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_client_projects_project_id'), ['project_id'], unique=False)

    op.create_table('client_users',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('client_id', sa.Integer(), nullable=False),
    sa.Column('username', sa.String(length=80), nullable=False),
    sa.Column('password_hash', sa.String(length=255), nullable=False),
    sa.Column('must_change_password', sa.Boolean(), server_default=sa.false(), nullable=False),
    sa.Column('full_name', sa.String(length=200), server_default='', nullable=False),
    sa.Column('email', sa.String(length=254), nullable=True),
    sa.Column('phone', sa.String(length=40), server_default='', nullable=False),
    sa.Column('language', sa.String(length=32), server_default='en', nullable=False),
    sa.Column('time_zone', sa.String(length=64), server_default='UTC', nullable=False),
    sa.Column('is_owner', sa.Boolean(), server_default=sa.false(), nullable=False),
    sa.Column('is_active', sa.Boolean(), server_default=sa.true(), nullable=False),
    sa.Column('permissions', sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), 'postgresql'), server_default='[]', nullable=False),
    sa.Column('last_login_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('totp_secret', sa.String(length=255), nullable=True),
    sa.Column('row_version', sa.Integer(), server_default='1', nullable=False),
    sa.CheckConstraint("language IN ('en', 'ru')", name=op.f('ck_client_users_language_known')),
    sa.CheckConstraint('length(email) <= 254', name=op.f('ck_client_users_email_length')),
    sa.CheckConstraint('length(full_name) <= 200', name=op.f('ck_client_users_full_name_length')),
    sa.CheckConstraint('length(password_hash) <= 255', name=op.f('ck_client_users_password_hash_length')),
    sa.CheckConstraint('length(phone) <= 40', name=op.f('ck_client_users_phone_length')),
    sa.CheckConstraint('length(time_zone) <= 64', name=op.f('ck_client_users_time_zone_length')),
    sa.CheckConstraint('length(totp_secret) <= 255', name=op.f('ck_client_users_totp_secret_length')),
    sa.CheckConstraint('length(username) <= 80', name=op.f('ck_client_users_username_length')),
    sa.CheckConstraint('length(username) > 0', name=op.f('ck_client_users_username_given')),
    sa.ForeignKeyConstraint(['client_id'], ['clients.id'], name=op.f('fk_client_users_client_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_client_users')),
    sa.UniqueConstraint('email', name=op.f('uq_client_users_email')),
    sa.UniqueConstraint('username', name=op.f('uq_client_users_username'))
    )
    with op.batch_alter_table('client_users', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_client_users_client_id'), ['client_id'], unique=False)
        batch_op.create_index('uq_client_users_one_owner', ['client_id'], unique=True, sqlite_where=sa.text('is_owner'), postgresql_where=sa.text('is_owner'))

    op.create_table('discounts',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('client_id', sa.Integer(), nullable=True),
    sa.Column('group_id', sa.Integer(), nullable=True),
    sa.Column('product_id', sa.Integer(), nullable=True),
    sa.Column('percent', sa.BigInteger(), nullable=True),
    sa.Column('amount', sa.BigInteger(), nullable=True),
    sa.Column('starts_on', sa.Date(), nullable=True),
    sa.Column('ends_on', sa.Date(), nullable=True),
    sa.Column('note', sa.String(length=300), server_default='', nullable=False),
    sa.Column('row_version', sa.Integer(), server_default='1', nullable=False),
    sa.CheckConstraint('(client_id IS NULL) <> (group_id IS NULL)', name=op.f('ck_discounts_client_or_group')),
    sa.CheckConstraint('(percent IS NULL) <> (amount IS NULL)', name=op.f('ck_discounts_percent_or_amount')),
    sa.CheckConstraint('amount IS NULL OR amount >= 0', name=op.f('ck_discounts_amount')),
    sa.CheckConstraint('ends_on IS NULL OR starts_on IS NULL OR ends_on >= starts_on', name=op.f('ck_discounts_dates')),
    sa.CheckConstraint('length(note) <= 300', name=op.f('ck_discounts_note_length')),
    sa.CheckConstraint('percent IS NULL OR percent BETWEEN 0 AND 10000', name=op.f('ck_discounts_percent')),
    sa.ForeignKeyConstraint(['client_id'], ['clients.id'], name=op.f('fk_discounts_client_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['group_id'], ['client_groups.id'], name=op.f('fk_discounts_group_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['product_id'], ['products.id'], name=op.f('fk_discounts_product_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_discounts'))
    )
    with op.batch_alter_table('discounts', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_discounts_client_id'), ['client_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_discounts_group_id'), ['group_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_discounts_product_id'), ['product_id'], unique=False)

    op.create_table('payers',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('client_id', sa.Integer(), nullable=False),
    sa.Column('legal_status', sa.String(length=32), server_default='individual', nullable=False),
    sa.Column('name', sa.String(length=300), nullable=False),
    sa.Column('country', sa.String(length=2), nullable=False),
    sa.Column('tax_id', sa.String(length=40), server_default='', nullable=False),
    sa.Column('registration_reason_code', sa.String(length=20), server_default='', nullable=False),
    sa.Column('postal_address', sa.String(length=500), server_default='', nullable=False),
    sa.Column('legal_address', sa.String(length=500), server_default='', nullable=False),
    sa.Column('email', sa.String(length=254), server_default='', nullable=False),
    sa.Column('phone', sa.String(length=40), server_default='', nullable=False),
    sa.Column('is_default', sa.Boolean(), server_default=sa.false(), nullable=False),
    sa.Column('row_version', sa.Integer(), server_default='1', nullable=False),
    sa.CheckConstraint("legal_status IN ('company', 'sole_proprietor', 'individual')", name=op.f('ck_payers_legal_status_known')),
    sa.CheckConstraint('length(country) <= 2', name=op.f('ck_payers_country_length')),
    sa.CheckConstraint('length(email) <= 254', name=op.f('ck_payers_email_length')),
    sa.CheckConstraint('length(legal_address) <= 500', name=op.f('ck_payers_legal_address_length')),
    sa.CheckConstraint('length(name) <= 300', name=op.f('ck_payers_name_length')),
    sa.CheckConstraint('length(phone) <= 40', name=op.f('ck_payers_phone_length')),
    sa.CheckConstraint('length(postal_address) <= 500', name=op.f('ck_payers_postal_address_length')),
    sa.CheckConstraint('length(registration_reason_code) <= 20', name=op.f('ck_payers_registration_reason_code_length')),
    sa.CheckConstraint('length(tax_id) <= 40', name=op.f('ck_payers_tax_id_length')),
    sa.ForeignKeyConstraint(['client_id'], ['clients.id'], name=op.f('fk_payers_client_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_payers'))
    )
    with op.batch_alter_table('payers', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_payers_client_id'), ['client_id'], unique=False)

    op.create_table('tickets',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('client_id', sa.Integer(), nullable=False),
    sa.Column('category_id', sa.Integer(), nullable=False),
    sa.Column('subject', sa.String(length=300), nullable=False),
    sa.Column('status', sa.String(length=32), server_default='waiting_staff', nullable=False),
    sa.Column('assignee_id', sa.Integer(), nullable=True),
    sa.Column('replies_allowed', sa.Boolean(), server_default=sa.true(), nullable=False),
    sa.Column('move_to_sender', sa.Boolean(), server_default=sa.false(), nullable=False),
    sa.Column('mailing_id', sa.Integer(), nullable=True),
    sa.Column('sender_id', sa.Integer(), nullable=True),
    sa.Column('reference', sa.String(length=40), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('client_read_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('row_version', sa.Integer(), server_default='1', nullable=False),
    sa.CheckConstraint("status IN ('waiting_staff', 'waiting_client', 'closed')", name=op.f('ck_tickets_status_known')),
    sa.CheckConstraint('length(reference) <= 40', name=op.f('ck_tickets_reference_length')),
    sa.CheckConstraint('length(subject) <= 300', name=op.f('ck_tickets_subject_length')),
    sa.ForeignKeyConstraint(['assignee_id'], ['staff.id'], name=op.f('fk_tickets_assignee_id'), ondelete='RESTRICT'),
    sa.ForeignKeyConstraint(['category_id'], ['ticket_categories.id'], name=op.f('fk_tickets_category_id'), ondelete='RESTRICT'),
    sa.ForeignKeyConstraint(['client_id'], ['clients.id'], name=op.f('fk_tickets_client_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['mailing_id'], ['mailings.id'], name=op.f('fk_tickets_mailing_id'), ondelete='RESTRICT'),
    sa.ForeignKeyConstraint(['sender_id'], ['staff.id'], name=op.f('fk_tickets_sender_id'), ondelete='RESTRICT'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_tickets')),
    sa.UniqueConstraint('mailing_id', 'client_id', name=op.f('uq_tickets_mailing_id_client_id')),
    sa.UniqueConstraint('reference', name=op.f('uq_tickets_reference'))
    )
    with op.batch_alter_table('tickets', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_tickets_assignee_id_status'), ['assignee_id', 'status'], unique=False)
        batch_op.create_index(batch_op.f('ix_tickets_category_id'), ['category_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_tickets_client_id_id'), ['client_id', 'id'], unique=False)
        batch_op.create_index(batch_op.f('ix_tickets_sender_id'), ['sender_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_tickets_status_updated_at_id'), ['status', 'updated_at', 'id'], unique=False)

    op.create_table('acts',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('number', sa.String(length=60), nullable=False),
    sa.Column('client_id', sa.Integer(), nullable=False),
    sa.Column('payer_id', sa.Integer(), nullable=True),
    sa.Column('account_id', sa.Integer(), nullable=False),
    sa.Column('amount', sa.BigInteger(), nullable=False),
    sa.Column('issued_on', sa.Date(), nullable=False),
    sa.Column('period_from', sa.Date(), nullable=False),
    sa.Column('period_to', sa.Date(), nullable=False),
    sa.Column('status', sa.String(length=32), server_default='issued', nullable=False),
    sa.Column('row_version', sa.Integer(), server_default='1', nullable=False),
    sa.CheckConstraint("status IN ('issued', 'signed', 'cancelled')", name=op.f('ck_acts_status_known')),
    sa.CheckConstraint('amount >= 0', name=op.f('ck_acts_amount')),
    sa.CheckConstraint('length(number) <= 60', name=op.f('ck_acts_number_length')),
    sa.ForeignKeyConstraint(['account_id'], ['accounts.id'], name=op.f('fk_acts_account_id'), ondelete='RESTRICT'),
    sa.ForeignKeyConstraint(['client_id'], ['clients.id'], name=op.f('fk_acts_client_id'), ondelete='RESTRICT'),
    sa.ForeignKeyConstraint(['payer_id'], ['payers.id'], name=op.f('fk_acts_payer_id'), ondelete='RESTRICT'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_acts')),
    sa.UniqueConstraint('number', name=op.f('uq_acts_number'))
    )
    with op.batch_alter_table('acts', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_acts_account_id'), ['account_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_acts_client_id_id'), ['client_id', 'id'], unique=False)
        batch_op.create_index(batch_op.f('ix_acts_payer_id'), ['payer_id'], unique=False)

    op.create_table('consents',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('client_user_id', sa.Integer(), nullable=False),
    sa.Column('kind', sa.String(length=20), server_default='news', nullable=False),
    sa.Column('given_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('withdrawn_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('source', sa.String(length=40), server_default='', nullable=False),
    sa.CheckConstraint('length(kind) <= 20', name=op.f('ck_consents_kind_length')),
    sa.CheckConstraint('length(source) <= 40', name=op.f('ck_consents_source_length')),
    sa.ForeignKeyConstraint(['client_user_id'], ['client_users.id'], name=op.f('fk_consents_client_user_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_consents')),
    sa.UniqueConstraint('client_user_id', 'kind', name=op.f('uq_consents_client_user_id_kind'))
    )
    with op.batch_alter_table('consents', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_consents_client_user_id'), ['client_user_id'], unique=False)

    op.create_table('impersonations',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('staff_id', sa.Integer(), nullable=False),
    sa.Column('staff_session_id', sa.Integer(), nullable=True),
    sa.Column('client_id', sa.Integer(), nullable=False),
    sa.Column('client_user_id', sa.Integer(), nullable=False),
    sa.Column('reason', sa.String(length=500), server_default='', nullable=False),
    sa.Column('return_url', sa.String(length=2000), server_default='', nullable=False),
    sa.Column('allows_changes', sa.Boolean(), server_default=sa.false(), nullable=False),
    sa.Column('started_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('end_reason', sa.String(length=40), server_default='', nullable=False),
    sa.CheckConstraint('length(end_reason) <= 40', name=op.f('ck_impersonations_end_reason_length')),
    sa.CheckConstraint('length(reason) <= 500', name=op.f('ck_impersonations_reason_length')),
    sa.CheckConstraint('length(return_url) <= 2000', name=op.f('ck_impersonations_return_url_length')),
    sa.ForeignKeyConstraint(['client_id'], ['clients.id'], name=op.f('fk_impersonations_client_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['client_user_id'], ['client_users.id'], name=op.f('fk_impersonations_client_user_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['staff_id'], ['staff.id'], name=op.f('fk_impersonations_staff_id'), ondelete='RESTRICT'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_impersonations'))
    )
    with op.batch_alter_table('impersonations', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_impersonations_client_id'), ['client_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_impersonations_client_user_id'), ['client_user_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_impersonations_staff_id'), ['staff_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_impersonations_staff_session_id'), ['staff_session_id'], unique=False)

    op.create_table('invoices',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('number', sa.String(length=60), nullable=False),
    sa.Column('client_id', sa.Integer(), nullable=False),
    sa.Column('payer_id', sa.Integer(), nullable=True),
    sa.Column('account_id', sa.Integer(), nullable=False),
    sa.Column('amount', sa.BigInteger(), nullable=False),
    sa.Column('issued_on', sa.Date(), nullable=False),
    sa.Column('due_on', sa.Date(), nullable=False),
    sa.Column('status', sa.String(length=32), server_default='new', nullable=False),
    sa.Column('row_version', sa.Integer(), server_default='1', nullable=False),
    sa.CheckConstraint("status IN ('new', 'paid', 'overdue', 'cancelled')", name=op.f('ck_invoices_status_known')),
    sa.CheckConstraint('amount >= 0', name=op.f('ck_invoices_amount')),
    sa.CheckConstraint('length(number) <= 60', name=op.f('ck_invoices_number_length')),
    sa.ForeignKeyConstraint(['account_id'], ['accounts.id'], name=op.f('fk_invoices_account_id'), ondelete='RESTRICT'),
    sa.ForeignKeyConstraint(['client_id'], ['clients.id'], name=op.f('fk_invoices_client_id'), ondelete='RESTRICT'),
    sa.ForeignKeyConstraint(['payer_id'], ['payers.id'], name=op.f('fk_invoices_payer_id'), ondelete='RESTRICT'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_invoices')),
    sa.UniqueConstraint('number', name=op.f('uq_invoices_number'))
    )
    with op.batch_alter_table('invoices', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_invoices_account_id'), ['account_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_invoices_client_id_status'), ['client_id', 'status'], unique=False)
        batch_op.create_index(batch_op.f('ix_invoices_payer_id'), ['payer_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_invoices_status_due_on'), ['status', 'due_on'], unique=False)

    op.create_table('ledger_entries',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('account_id', sa.Integer(), nullable=False),
    sa.Column('amount', sa.BigInteger(), nullable=False),
    sa.Column('kind', sa.String(length=32), nullable=False),
    sa.Column('posted_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('source_type', sa.String(length=40), server_default='', nullable=False),
    sa.Column('source_id', sa.Integer(), nullable=True),
    sa.Column('note', sa.String(length=300), server_default='', nullable=False),
    sa.Column('idempotency_key', sa.String(length=120), nullable=True),
    sa.CheckConstraint("kind IN ('payment', 'expense', 'refund', 'transfer', 'adjustment', 'commission')", name=op.f('ck_ledger_entries_kind_known')),
    sa.CheckConstraint('amount <> 0', name=op.f('ck_ledger_entries_amount')),
    sa.CheckConstraint('length(idempotency_key) <= 120', name=op.f('ck_ledger_entries_idempotency_key_length')),
    sa.CheckConstraint('length(note) <= 300', name=op.f('ck_ledger_entries_note_length')),
    sa.CheckConstraint('length(source_type) <= 40', name=op.f('ck_ledger_entries_source_type_length')),
    sa.ForeignKeyConstraint(['account_id'], ['accounts.id'], name=op.f('fk_ledger_entries_account_id'), ondelete='RESTRICT'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_ledger_entries')),
    sa.UniqueConstraint('idempotency_key', name=op.f('uq_ledger_entries_idempotency_key'))
    )
    with op.batch_alter_table('ledger_entries', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_ledger_entries_account_id_id'), ['account_id', 'id'], unique=False)

    op.create_table('mailing_recipients',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('mailing_id', sa.Integer(), nullable=False),
    sa.Column('client_id', sa.Integer(), nullable=False),
    sa.Column('user_id', sa.Integer(), nullable=True),
    sa.Column('language', sa.String(length=32), server_default='en', nullable=False),
    sa.Column('outcome', sa.String(length=32), server_default='queued', nullable=False),
    sa.Column('reason', sa.String(length=40), server_default='', nullable=False),
    sa.CheckConstraint("language IN ('en', 'ru')", name=op.f('ck_mailing_recipients_language_known')),
    sa.CheckConstraint("outcome IN ('queued', 'sent', 'failed', 'skipped', 'cancelled')", name=op.f('ck_mailing_recipients_outcome_known')),
    sa.CheckConstraint('length(reason) <= 40', name=op.f('ck_mailing_recipients_reason_length')),
    sa.ForeignKeyConstraint(['client_id'], ['clients.id'], name=op.f('fk_mailing_recipients_client_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['mailing_id'], ['mailings.id'], name=op.f('fk_mailing_recipients_mailing_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['user_id'], ['client_users.id'], name=op.f('fk_mailing_recipients_user_id'), ondelete='SET NULL'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_mailing_recipients')),
    sa.UniqueConstraint('mailing_id', 'client_id', name=op.f('uq_mailing_recipients_mailing_id_client_id'))
    )
    with op.batch_alter_table('mailing_recipients', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_mailing_recipients_client_id'), ['client_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_mailing_recipients_mailing_id_outcome_id'), ['mailing_id', 'outcome', 'id'], unique=False)
        batch_op.create_index(batch_op.f('ix_mailing_recipients_user_id'), ['user_id'], unique=False)

    op.create_table('outbound_emails',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('mailing_id', sa.Integer(), nullable=True),
    sa.Column('client_id', sa.Integer(), nullable=True),
    sa.Column('ticket_id', sa.Integer(), nullable=True),
    sa.Column('project_id', sa.Integer(), nullable=True),
    sa.Column('recipient', sa.String(length=254), nullable=False),
    sa.Column('domain', sa.String(length=254), server_default='', nullable=False),
    sa.Column('language', sa.String(length=32), server_default='en', nullable=False),
    sa.Column('template', sa.String(length=60), server_default='', nullable=False),
    sa.Column('context', sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), 'postgresql'), nullable=False),
    sa.Column('priority', sa.Integer(), server_default='50', nullable=False),
    sa.Column('status', sa.String(length=32), server_default='queued', nullable=False),
    sa.Column('attempts', sa.Integer(), server_default='0', nullable=False),
    sa.Column('next_attempt_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('claimed_by', sa.String(length=80), server_default='', nullable=False),
    sa.Column('lease_until', sa.DateTime(timezone=True), nullable=True),
    sa.Column('last_error', sa.String(length=500), server_default='', nullable=False),
    sa.Column('message_id', sa.String(length=200), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('sent_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("language IN ('en', 'ru')", name=op.f('ck_outbound_emails_language_known')),
    sa.CheckConstraint("status IN ('queued', 'sending', 'sent', 'failed', 'skipped', 'cancelled')", name=op.f('ck_outbound_emails_status_known')),
    sa.CheckConstraint('length(claimed_by) <= 80', name=op.f('ck_outbound_emails_claimed_by_length')),
    sa.CheckConstraint('length(domain) <= 254', name=op.f('ck_outbound_emails_domain_length')),
    sa.CheckConstraint('length(last_error) <= 500', name=op.f('ck_outbound_emails_last_error_length')),
    sa.CheckConstraint('length(message_id) <= 200', name=op.f('ck_outbound_emails_message_id_length')),
    sa.CheckConstraint('length(recipient) <= 254', name=op.f('ck_outbound_emails_recipient_length')),
    sa.CheckConstraint('length(template) <= 60', name=op.f('ck_outbound_emails_template_length')),
    sa.ForeignKeyConstraint(['client_id'], ['clients.id'], name=op.f('fk_outbound_emails_client_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['mailing_id'], ['mailings.id'], name=op.f('fk_outbound_emails_mailing_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['project_id'], ['projects.id'], name=op.f('fk_outbound_emails_project_id'), ondelete='RESTRICT'),
    sa.ForeignKeyConstraint(['ticket_id'], ['tickets.id'], name=op.f('fk_outbound_emails_ticket_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_outbound_emails')),
    sa.UniqueConstraint('message_id', name=op.f('uq_outbound_emails_message_id'))
    )
    with op.batch_alter_table('outbound_emails', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_outbound_emails_client_id'), ['client_id'], unique=False)
        batch_op.create_index('ix_outbound_emails_due', ['status', 'priority', 'next_attempt_at', 'id'], unique=False)
        batch_op.create_index('ix_outbound_emails_leases', ['status', 'lease_until'], unique=False)
        batch_op.create_index(batch_op.f('ix_outbound_emails_mailing_id_status'), ['mailing_id', 'status'], unique=False)
        batch_op.create_index(batch_op.f('ix_outbound_emails_project_id'), ['project_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_outbound_emails_sent_at'), ['sent_at'], unique=False)
        batch_op.create_index(batch_op.f('ix_outbound_emails_ticket_id'), ['ticket_id'], unique=False)
        batch_op.create_index('uq_outbound_emails_one_letter_each', ['mailing_id', 'client_id'], unique=True, sqlite_where=sa.text("mailing_id IS NOT NULL AND template = ''"), postgresql_where=sa.text("mailing_id IS NOT NULL AND template = ''"))

    op.create_table('violations',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('ticket_id', sa.Integer(), nullable=False),
    sa.Column('client_id', sa.Integer(), nullable=False),
    sa.Column('deadline', sa.DateTime(timezone=True), nullable=False),
    sa.Column('action', sa.String(length=32), nullable=False),
    sa.Column('service_id', sa.Integer(), nullable=True),
    sa.Column('points', sa.Integer(), server_default='0', nullable=False),
    sa.Column('comment', sa.String(length=1000), server_default='', nullable=False),
    sa.Column('remind_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('status', sa.String(length=32), server_default='open', nullable=False),
    sa.Column('executed_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('row_version', sa.Integer(), server_default='1', nullable=False),
    sa.CheckConstraint("action <> 'suspend_service' OR service_id IS NOT NULL", name=op.f('ck_violations_service_named')),
    sa.CheckConstraint("action IN ('to_active', 'suspend_services', 'suspend_service')", name=op.f('ck_violations_action_known')),
    sa.CheckConstraint("status IN ('open', 'answered', 'executed', 'resolved', 'cancelled')", name=op.f('ck_violations_status_known')),
    sa.CheckConstraint('length(comment) <= 1000', name=op.f('ck_violations_comment_length')),
    sa.CheckConstraint('points >= 0', name=op.f('ck_violations_points')),
    sa.ForeignKeyConstraint(['client_id'], ['clients.id'], name=op.f('fk_violations_client_id'), ondelete='CASCADE'),
    *later_on_postgresql(),
    sa.ForeignKeyConstraint(['ticket_id'], ['tickets.id'], name=op.f('fk_violations_ticket_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_violations'))
    )
    with op.batch_alter_table('violations', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_violations_client_id'), ['client_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_violations_status_deadline'), ['status', 'deadline'], unique=False)
        batch_op.create_index(batch_op.f('ix_violations_ticket_id'), ['ticket_id'], unique=False)

    op.create_table('payments',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('number', sa.String(length=60), nullable=False),
    sa.Column('client_id', sa.Integer(), nullable=False),
    sa.Column('payer_id', sa.Integer(), nullable=True),
    sa.Column('account_id', sa.Integer(), nullable=False),
    sa.Column('invoice_id', sa.Integer(), nullable=True),
    sa.Column('amount', sa.BigInteger(), nullable=False),
    sa.Column('method', sa.String(length=60), server_default='', nullable=False),
    sa.Column('status', sa.String(length=32), server_default='new', nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('paid_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('note', sa.String(length=300), server_default='', nullable=False),
    sa.Column('row_version', sa.Integer(), server_default='1', nullable=False),
    sa.CheckConstraint("status IN ('new', 'in_progress', 'paid', 'cancelled', 'refunded')", name=op.f('ck_payments_status_known')),
    sa.CheckConstraint('amount > 0', name=op.f('ck_payments_amount')),
    sa.CheckConstraint('length(method) <= 60', name=op.f('ck_payments_method_length')),
    sa.CheckConstraint('length(note) <= 300', name=op.f('ck_payments_note_length')),
    sa.CheckConstraint('length(number) <= 60', name=op.f('ck_payments_number_length')),
    sa.ForeignKeyConstraint(['account_id'], ['accounts.id'], name=op.f('fk_payments_account_id'), ondelete='RESTRICT'),
    sa.ForeignKeyConstraint(['client_id'], ['clients.id'], name=op.f('fk_payments_client_id'), ondelete='RESTRICT'),
    sa.ForeignKeyConstraint(['invoice_id'], ['invoices.id'], name=op.f('fk_payments_invoice_id'), ondelete='RESTRICT'),
    sa.ForeignKeyConstraint(['payer_id'], ['payers.id'], name=op.f('fk_payments_payer_id'), ondelete='RESTRICT'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_payments')),
    sa.UniqueConstraint('number', name=op.f('uq_payments_number'))
    )
    with op.batch_alter_table('payments', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_payments_account_id'), ['account_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_payments_client_id_id'), ['client_id', 'id'], unique=False)
        batch_op.create_index(batch_op.f('ix_payments_invoice_id'), ['invoice_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_payments_payer_id'), ['payer_id'], unique=False)

    op.create_table('penalty_points',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('client_id', sa.Integer(), nullable=False),
    sa.Column('violation_id', sa.Integer(), nullable=True),
    sa.Column('points', sa.Integer(), nullable=False),
    sa.Column('comment', sa.String(length=1000), server_default='', nullable=False),
    sa.Column('author_id', sa.Integer(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint('length(comment) <= 1000', name=op.f('ck_penalty_points_comment_length')),
    sa.CheckConstraint('points > 0', name=op.f('ck_penalty_points_points')),
    sa.ForeignKeyConstraint(['author_id'], ['staff.id'], name=op.f('fk_penalty_points_author_id'), ondelete='RESTRICT'),
    sa.ForeignKeyConstraint(['client_id'], ['clients.id'], name=op.f('fk_penalty_points_client_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['violation_id'], ['violations.id'], name=op.f('fk_penalty_points_violation_id'), ondelete='SET NULL'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_penalty_points'))
    )
    with op.batch_alter_table('penalty_points', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_penalty_points_author_id'), ['author_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_penalty_points_client_id_expires_at'), ['client_id', 'expires_at'], unique=False)
        batch_op.create_index(batch_op.f('ix_penalty_points_expires_at_client_id'), ['expires_at', 'client_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_penalty_points_violation_id'), ['violation_id'], unique=False)

    op.create_table('services',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('client_id', sa.Integer(), nullable=False),
    sa.Column('product_id', sa.Integer(), nullable=False),
    sa.Column('account_id', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(length=200), nullable=False),
    sa.Column('status', sa.String(length=32), server_default='ordered', nullable=False),
    sa.Column('suspension_reason', sa.String(length=32), nullable=True),
    sa.Column('suspended_by_violation_id', sa.Integer(), nullable=True),
    sa.Column('period', sa.String(length=32), server_default='month', nullable=False),
    sa.Column('price', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('auto_renew', sa.Boolean(), server_default=sa.true(), nullable=False),
    sa.Column('opened_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('row_version', sa.Integer(), server_default='1', nullable=False),
    sa.CheckConstraint("(status = 'suspended') = (suspension_reason IS NOT NULL)", name=op.f('ck_services_suspension_has_reason')),
    sa.CheckConstraint("period IN ('month', 'quarter', 'half_year', 'year', 'once')", name=op.f('ck_services_period_known')),
    sa.CheckConstraint("status IN ('ordered', 'active', 'suspended', 'deleted')", name=op.f('ck_services_status_known')),
    sa.CheckConstraint("suspension_reason IN ('unpaid', 'staff', 'client', 'violation')", name=op.f('ck_services_suspension_reason_known')),
    sa.CheckConstraint('length(name) <= 200', name=op.f('ck_services_name_length')),
    sa.CheckConstraint('price >= 0', name=op.f('ck_services_price')),
    sa.ForeignKeyConstraint(['account_id'], ['accounts.id'], name=op.f('fk_services_account_id'), ondelete='RESTRICT'),
    sa.ForeignKeyConstraint(['client_id'], ['clients.id'], name=op.f('fk_services_client_id'), ondelete='RESTRICT'),
    sa.ForeignKeyConstraint(['product_id'], ['products.id'], name=op.f('fk_services_product_id'), ondelete='RESTRICT'),
    sa.ForeignKeyConstraint(['suspended_by_violation_id'], ['violations.id'], name=op.f('fk_services_suspended_by_violation_id'), ondelete='SET NULL'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_services'))
    )
    with op.batch_alter_table('services', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_services_account_id'), ['account_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_services_client_id'), ['client_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_services_expires_at'), ['expires_at'], unique=False)
        batch_op.create_index(batch_op.f('ix_services_product_id'), ['product_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_services_product_id_status_client_id'), ['product_id', 'status', 'client_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_services_suspended_by_violation_id'), ['suspended_by_violation_id'], unique=False)

    op.create_table('sessions',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('token_hash', sa.String(length=64), nullable=False),
    sa.Column('kind', sa.String(length=32), nullable=False),
    sa.Column('staff_id', sa.Integer(), nullable=True),
    sa.Column('client_user_id', sa.Integer(), nullable=True),
    sa.Column('impersonation_id', sa.Integer(), nullable=True),
    sa.Column('data', sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), 'postgresql'), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('seen_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('ip', sa.String(length=45), server_default='', nullable=False),
    sa.Column('user_agent', sa.String(length=300), server_default='', nullable=False),
    sa.CheckConstraint("kind IN ('staff', 'client')", name=op.f('ck_sessions_kind_known')),
    sa.CheckConstraint('length(ip) <= 45', name=op.f('ck_sessions_ip_length')),
    sa.CheckConstraint('length(token_hash) <= 64', name=op.f('ck_sessions_token_hash_length')),
    sa.CheckConstraint('length(user_agent) <= 300', name=op.f('ck_sessions_user_agent_length')),
    sa.ForeignKeyConstraint(['client_user_id'], ['client_users.id'], name=op.f('fk_sessions_client_user_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['impersonation_id'], ['impersonations.id'], name=op.f('fk_sessions_impersonation_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['staff_id'], ['staff.id'], name=op.f('fk_sessions_staff_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_sessions')),
    sa.UniqueConstraint('token_hash', name=op.f('uq_sessions_token_hash'))
    )
    with op.batch_alter_table('sessions', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_sessions_client_user_id'), ['client_user_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_sessions_expires_at'), ['expires_at'], unique=False)
        batch_op.create_index(batch_op.f('ix_sessions_impersonation_id'), ['impersonation_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_sessions_staff_id'), ['staff_id'], unique=False)

    op.create_table('ticket_messages',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('ticket_id', sa.Integer(), nullable=False),
    sa.Column('staff_id', sa.Integer(), nullable=True),
    sa.Column('client_user_id', sa.Integer(), nullable=True),
    sa.Column('impersonation_id', sa.Integer(), nullable=True),
    sa.Column('text', sa.Text(), server_default='', nullable=False),
    sa.Column('is_internal', sa.Boolean(), server_default=sa.false(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['client_user_id'], ['client_users.id'], name=op.f('fk_ticket_messages_client_user_id'), ondelete='SET NULL'),
    sa.ForeignKeyConstraint(['impersonation_id'], ['impersonations.id'], name=op.f('fk_ticket_messages_impersonation_id'), ondelete='RESTRICT'),
    sa.ForeignKeyConstraint(['staff_id'], ['staff.id'], name=op.f('fk_ticket_messages_staff_id'), ondelete='RESTRICT'),
    sa.ForeignKeyConstraint(['ticket_id'], ['tickets.id'], name=op.f('fk_ticket_messages_ticket_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_ticket_messages'))
    )
    with op.batch_alter_table('ticket_messages', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_ticket_messages_client_user_id'), ['client_user_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_ticket_messages_impersonation_id'), ['impersonation_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_ticket_messages_staff_id'), ['staff_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_ticket_messages_ticket_id_id'), ['ticket_id', 'id'], unique=False)

    op.create_table('attachments',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('message_id', sa.Integer(), nullable=True),
    sa.Column('mailing_id', sa.Integer(), nullable=True),
    sa.Column('file_name', sa.String(length=255), nullable=False),
    sa.Column('content_type', sa.String(length=100), server_default='', nullable=False),
    sa.Column('size', sa.BigInteger(), nullable=False),
    sa.Column('digest', sa.String(length=64), nullable=False),
    sa.Column('stored_name', sa.String(length=80), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint('(message_id IS NULL) <> (mailing_id IS NULL)', name=op.f('ck_attachments_one_owner')),
    sa.CheckConstraint('length(content_type) <= 100', name=op.f('ck_attachments_content_type_length')),
    sa.CheckConstraint('length(digest) <= 64', name=op.f('ck_attachments_digest_length')),
    sa.CheckConstraint('length(file_name) <= 255', name=op.f('ck_attachments_file_name_length')),
    sa.CheckConstraint('length(stored_name) <= 80', name=op.f('ck_attachments_stored_name_length')),
    sa.ForeignKeyConstraint(['mailing_id'], ['mailings.id'], name=op.f('fk_attachments_mailing_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['message_id'], ['ticket_messages.id'], name=op.f('fk_attachments_message_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_attachments'))
    )
    with op.batch_alter_table('attachments', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_attachments_mailing_id'), ['mailing_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_attachments_message_id'), ['message_id'], unique=False)

    op.create_table('expenses',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('client_id', sa.Integer(), nullable=False),
    sa.Column('account_id', sa.Integer(), nullable=False),
    sa.Column('service_id', sa.Integer(), nullable=True),
    sa.Column('amount', sa.BigInteger(), nullable=False),
    sa.Column('period_from', sa.Date(), nullable=True),
    sa.Column('period_to', sa.Date(), nullable=True),
    sa.Column('posted_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint('amount > 0', name=op.f('ck_expenses_amount')),
    sa.ForeignKeyConstraint(['account_id'], ['accounts.id'], name=op.f('fk_expenses_account_id'), ondelete='RESTRICT'),
    sa.ForeignKeyConstraint(['client_id'], ['clients.id'], name=op.f('fk_expenses_client_id'), ondelete='RESTRICT'),
    sa.ForeignKeyConstraint(['service_id'], ['services.id'], name=op.f('fk_expenses_service_id'), ondelete='RESTRICT'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_expenses'))
    )
    with op.batch_alter_table('expenses', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_expenses_account_id'), ['account_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_expenses_client_id_id'), ['client_id', 'id'], unique=False)
        batch_op.create_index(batch_op.f('ix_expenses_service_id'), ['service_id'], unique=False)

    op.create_table('invoice_lines',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('invoice_id', sa.Integer(), nullable=False),
    sa.Column('service_id', sa.Integer(), nullable=True),
    sa.Column('description', sa.String(length=300), server_default='', nullable=False),
    sa.Column('amount', sa.BigInteger(), nullable=False),
    sa.CheckConstraint('length(description) <= 300', name=op.f('ck_invoice_lines_description_length')),
    sa.ForeignKeyConstraint(['invoice_id'], ['invoices.id'], name=op.f('fk_invoice_lines_invoice_id'), ondelete='RESTRICT'),
    sa.ForeignKeyConstraint(['service_id'], ['services.id'], name=op.f('fk_invoice_lines_service_id'), ondelete='RESTRICT'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_invoice_lines'))
    )
    with op.batch_alter_table('invoice_lines', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_invoice_lines_invoice_id'), ['invoice_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_invoice_lines_service_id'), ['service_id'], unique=False)

    op.create_table('act_lines',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('act_id', sa.Integer(), nullable=False),
    sa.Column('expense_id', sa.Integer(), nullable=True),
    sa.Column('description', sa.String(length=300), server_default='', nullable=False),
    sa.Column('amount', sa.BigInteger(), nullable=False),
    sa.CheckConstraint('length(description) <= 300', name=op.f('ck_act_lines_description_length')),
    sa.ForeignKeyConstraint(['act_id'], ['acts.id'], name=op.f('fk_act_lines_act_id'), ondelete='RESTRICT'),
    sa.ForeignKeyConstraint(['expense_id'], ['expenses.id'], name=op.f('fk_act_lines_expense_id'), ondelete='RESTRICT'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_act_lines'))
    )
    with op.batch_alter_table('act_lines', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_act_lines_act_id'), ['act_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_act_lines_expense_id'), ['expense_id'], unique=False)
    if is_postgresql():
        op.create_foreign_key("fk_violations_service_id", **violation_service())


def downgrade():
    if is_postgresql():
        op.drop_constraint("fk_violations_service_id", "violations", type_="foreignkey")
    with op.batch_alter_table('act_lines', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_act_lines_expense_id'))
        batch_op.drop_index(batch_op.f('ix_act_lines_act_id'))

    op.drop_table('act_lines')
    with op.batch_alter_table('invoice_lines', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_invoice_lines_service_id'))
        batch_op.drop_index(batch_op.f('ix_invoice_lines_invoice_id'))

    op.drop_table('invoice_lines')
    with op.batch_alter_table('expenses', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_expenses_service_id'))
        batch_op.drop_index(batch_op.f('ix_expenses_client_id_id'))
        batch_op.drop_index(batch_op.f('ix_expenses_account_id'))

    op.drop_table('expenses')
    with op.batch_alter_table('attachments', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_attachments_message_id'))
        batch_op.drop_index(batch_op.f('ix_attachments_mailing_id'))

    op.drop_table('attachments')
    with op.batch_alter_table('ticket_messages', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_ticket_messages_ticket_id_id'))
        batch_op.drop_index(batch_op.f('ix_ticket_messages_staff_id'))
        batch_op.drop_index(batch_op.f('ix_ticket_messages_impersonation_id'))
        batch_op.drop_index(batch_op.f('ix_ticket_messages_client_user_id'))

    op.drop_table('ticket_messages')
    with op.batch_alter_table('sessions', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_sessions_staff_id'))
        batch_op.drop_index(batch_op.f('ix_sessions_impersonation_id'))
        batch_op.drop_index(batch_op.f('ix_sessions_expires_at'))
        batch_op.drop_index(batch_op.f('ix_sessions_client_user_id'))

    op.drop_table('sessions')
    with op.batch_alter_table('services', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_services_suspended_by_violation_id'))
        batch_op.drop_index(batch_op.f('ix_services_product_id_status_client_id'))
        batch_op.drop_index(batch_op.f('ix_services_product_id'))
        batch_op.drop_index(batch_op.f('ix_services_expires_at'))
        batch_op.drop_index(batch_op.f('ix_services_client_id'))
        batch_op.drop_index(batch_op.f('ix_services_account_id'))

    op.drop_table('services')
    with op.batch_alter_table('penalty_points', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_penalty_points_violation_id'))
        batch_op.drop_index(batch_op.f('ix_penalty_points_expires_at_client_id'))
        batch_op.drop_index(batch_op.f('ix_penalty_points_client_id_expires_at'))
        batch_op.drop_index(batch_op.f('ix_penalty_points_author_id'))

    op.drop_table('penalty_points')
    with op.batch_alter_table('payments', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_payments_payer_id'))
        batch_op.drop_index(batch_op.f('ix_payments_invoice_id'))
        batch_op.drop_index(batch_op.f('ix_payments_client_id_id'))
        batch_op.drop_index(batch_op.f('ix_payments_account_id'))

    op.drop_table('payments')
    with op.batch_alter_table('violations', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_violations_ticket_id'))
        batch_op.drop_index(batch_op.f('ix_violations_status_deadline'))
        batch_op.drop_index(batch_op.f('ix_violations_client_id'))

    op.drop_table('violations')
    with op.batch_alter_table('outbound_emails', schema=None) as batch_op:
        batch_op.drop_index('uq_outbound_emails_one_letter_each', sqlite_where=sa.text("mailing_id IS NOT NULL AND template = ''"), postgresql_where=sa.text("mailing_id IS NOT NULL AND template = ''"))
        batch_op.drop_index(batch_op.f('ix_outbound_emails_ticket_id'))
        batch_op.drop_index(batch_op.f('ix_outbound_emails_sent_at'))
        batch_op.drop_index(batch_op.f('ix_outbound_emails_project_id'))
        batch_op.drop_index(batch_op.f('ix_outbound_emails_mailing_id_status'))
        batch_op.drop_index('ix_outbound_emails_leases')
        batch_op.drop_index('ix_outbound_emails_due')
        batch_op.drop_index(batch_op.f('ix_outbound_emails_client_id'))

    op.drop_table('outbound_emails')
    with op.batch_alter_table('mailing_recipients', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_mailing_recipients_user_id'))
        batch_op.drop_index(batch_op.f('ix_mailing_recipients_mailing_id_outcome_id'))
        batch_op.drop_index(batch_op.f('ix_mailing_recipients_client_id'))

    op.drop_table('mailing_recipients')
    with op.batch_alter_table('ledger_entries', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_ledger_entries_account_id_id'))

    op.drop_table('ledger_entries')
    with op.batch_alter_table('invoices', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_invoices_status_due_on'))
        batch_op.drop_index(batch_op.f('ix_invoices_payer_id'))
        batch_op.drop_index(batch_op.f('ix_invoices_client_id_status'))
        batch_op.drop_index(batch_op.f('ix_invoices_account_id'))

    op.drop_table('invoices')
    with op.batch_alter_table('impersonations', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_impersonations_staff_session_id'))
        batch_op.drop_index(batch_op.f('ix_impersonations_staff_id'))
        batch_op.drop_index(batch_op.f('ix_impersonations_client_user_id'))
        batch_op.drop_index(batch_op.f('ix_impersonations_client_id'))

    op.drop_table('impersonations')
    with op.batch_alter_table('consents', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_consents_client_user_id'))

    op.drop_table('consents')
    with op.batch_alter_table('acts', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_acts_payer_id'))
        batch_op.drop_index(batch_op.f('ix_acts_client_id_id'))
        batch_op.drop_index(batch_op.f('ix_acts_account_id'))

    op.drop_table('acts')
    with op.batch_alter_table('tickets', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_tickets_status_updated_at_id'))
        batch_op.drop_index(batch_op.f('ix_tickets_sender_id'))
        batch_op.drop_index(batch_op.f('ix_tickets_client_id_id'))
        batch_op.drop_index(batch_op.f('ix_tickets_category_id'))
        batch_op.drop_index(batch_op.f('ix_tickets_assignee_id_status'))

    op.drop_table('tickets')
    with op.batch_alter_table('payers', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_payers_client_id'))

    op.drop_table('payers')
    with op.batch_alter_table('discounts', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_discounts_product_id'))
        batch_op.drop_index(batch_op.f('ix_discounts_group_id'))
        batch_op.drop_index(batch_op.f('ix_discounts_client_id'))

    op.drop_table('discounts')
    with op.batch_alter_table('client_users', schema=None) as batch_op:
        batch_op.drop_index('uq_client_users_one_owner', sqlite_where=sa.text('is_owner'), postgresql_where=sa.text('is_owner'))
        batch_op.drop_index(batch_op.f('ix_client_users_client_id'))

    op.drop_table('client_users')
    with op.batch_alter_table('client_projects', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_client_projects_project_id'))

    op.drop_table('client_projects')
    with op.batch_alter_table('client_notes', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_client_notes_client_id'))
        batch_op.drop_index(batch_op.f('ix_client_notes_author_id'))

    op.drop_table('client_notes')
    with op.batch_alter_table('client_group_members', schema=None) as batch_op:
        batch_op.drop_index('ix_client_group_members_group_id_client_id')

    op.drop_table('client_group_members')
    with op.batch_alter_table('accounts', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_accounts_project_id'))

    op.drop_table('accounts')
    with op.batch_alter_table('response_templates', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_response_templates_category_id'))

    op.drop_table('response_templates')
    with op.batch_alter_table('mailings', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_mailings_status_starts_at'))
        batch_op.drop_index(batch_op.f('ix_mailings_staff_id'))
        batch_op.drop_index(batch_op.f('ix_mailings_selection_id'))
        batch_op.drop_index(batch_op.f('ix_mailings_category_id'))

    op.drop_table('mailings')
    with op.batch_alter_table('clients', schema=None) as batch_op:
        batch_op.drop_index('ix_clients_registration_ip')
        batch_op.drop_index(batch_op.f('ix_clients_referrer_id'))
        batch_op.drop_index(batch_op.f('ix_clients_project_id'))
        batch_op.drop_index('ix_clients_living_verified_phone', sqlite_where=sa.text('deleted_at IS NULL'), postgresql_where=sa.text('deleted_at IS NULL'))
        batch_op.drop_index('ix_clients_living_registered_at', sqlite_where=sa.text('deleted_at IS NULL'), postgresql_where=sa.text('deleted_at IS NULL'))
        batch_op.drop_index('ix_clients_living_project_id_registered_at', sqlite_where=sa.text('deleted_at IS NULL'), postgresql_where=sa.text('deleted_at IS NULL'))
        batch_op.drop_index('ix_clients_living_project_id_characterization_id_registered_at', sqlite_where=sa.text('deleted_at IS NULL'), postgresql_where=sa.text('deleted_at IS NULL'))
        batch_op.drop_index('ix_clients_living_name', sqlite_where=sa.text('deleted_at IS NULL'), postgresql_where=sa.text('deleted_at IS NULL'))
        batch_op.drop_index('ix_clients_living_legal_status', sqlite_where=sa.text('deleted_at IS NULL'), postgresql_where=sa.text('deleted_at IS NULL'))
        batch_op.drop_index('ix_clients_living_language', sqlite_where=sa.text('deleted_at IS NULL'), postgresql_where=sa.text('deleted_at IS NULL'))
        batch_op.drop_index('ix_clients_living_email', sqlite_where=sa.text('deleted_at IS NULL'), postgresql_where=sa.text('deleted_at IS NULL'))
        batch_op.drop_index('ix_clients_living_country', sqlite_where=sa.text('deleted_at IS NULL'), postgresql_where=sa.text('deleted_at IS NULL'))
        batch_op.drop_index('ix_clients_living_contact_person', sqlite_where=sa.text('deleted_at IS NULL'), postgresql_where=sa.text('deleted_at IS NULL'))
        batch_op.drop_index('ix_clients_living_company_name', sqlite_where=sa.text('deleted_at IS NULL'), postgresql_where=sa.text('deleted_at IS NULL'))
        batch_op.drop_index('ix_clients_living_characterization_id_registered_at', sqlite_where=sa.text('deleted_at IS NULL'), postgresql_where=sa.text('deleted_at IS NULL'))
        batch_op.drop_index('ix_clients_living_balance', sqlite_where=sa.text('deleted_at IS NULL'), postgresql_where=sa.text('deleted_at IS NULL'))
        batch_op.drop_index('ix_clients_living_active_services', sqlite_where=sa.text('deleted_at IS NULL'), postgresql_where=sa.text('deleted_at IS NULL'))
        batch_op.drop_index('ix_clients_living_', sqlite_where=sa.text('deleted_at IS NULL'), postgresql_where=sa.text('deleted_at IS NULL'))
        batch_op.drop_index(batch_op.f('ix_clients_import_batch_id'))
        batch_op.drop_index(batch_op.f('ix_clients_deleted_at'))
        batch_op.drop_index(batch_op.f('ix_clients_characterization_by_id'))
        batch_op.drop_index(batch_op.f('ix_clients_affiliate_program_id'))

    op.drop_table('clients')
    with op.batch_alter_table('ticket_categories', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_ticket_categories_responsible_staff_id'))
        batch_op.drop_index(batch_op.f('ix_ticket_categories_responsible_role_id'))

    op.drop_table('ticket_categories')
    with op.batch_alter_table('selections', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_selections_staff_id'))
        batch_op.drop_index(batch_op.f('ix_selections_created_at'))

    op.drop_table('selections')
    with op.batch_alter_table('saved_filters', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_saved_filters_owner_id'))

    op.drop_table('saved_filters')
    with op.batch_alter_table('product_prices', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_product_prices_product_id'))

    op.drop_table('product_prices')
    with op.batch_alter_table('import_batches', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_import_batches_staff_id'))
        batch_op.drop_index(batch_op.f('ix_import_batches_project_id'))

    op.drop_table('import_batches')
    with op.batch_alter_table('audit_events', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_audit_events_staff_id'))
        batch_op.drop_index(batch_op.f('ix_audit_events_module_record_id_id'))
        batch_op.drop_index(batch_op.f('ix_audit_events_impersonation_id'))
        batch_op.drop_index(batch_op.f('ix_audit_events_client_user_id'))
        batch_op.drop_index(batch_op.f('ix_audit_events_client_id_id'))
        batch_op.drop_index(batch_op.f('ix_audit_events_at'))

    op.drop_table('audit_events')
    with op.batch_alter_table('staff', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_staff_role_id'))

    op.drop_table('staff')
    with op.batch_alter_table('products', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_products_project_id'))

    op.drop_table('products')
    op.drop_table('settings')
    op.drop_table('roles')
    op.drop_table('projects')
    with op.batch_alter_table('login_failures', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_login_failures_kind_username_at'))
        batch_op.drop_index(batch_op.f('ix_login_failures_ip_at'))
        batch_op.drop_index(batch_op.f('ix_login_failures_at'))

    op.drop_table('login_failures')
    with op.batch_alter_table('idempotency_keys', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_idempotency_keys_created_at'))

    op.drop_table('idempotency_keys')
    with op.batch_alter_table('heartbeats', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_heartbeats_seen_at'))

    op.drop_table('heartbeats')
    op.drop_table('features')
    op.drop_table('custom_fields')
    op.drop_table('client_groups')
    with op.batch_alter_table('characterizations', schema=None) as batch_op:
        batch_op.drop_index('uq_characterizations_one_default', sqlite_where=sa.text('is_default'), postgresql_where=sa.text('is_default'))

    op.drop_table('characterizations')
    op.drop_table('affiliate_programs')

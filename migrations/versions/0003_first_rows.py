"""first rows: roles, characterizations, categories, features and one project, so that a new desk works

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

CLIENT_VIEWS = ["clients", "groups", "users", "payers"]
MONEY = ["accounts", "invoices", "payments", "expenses", "acts"]
SUPPORT = ["tickets", "mailings", "emails", "violations", "response-templates"]
MODULES = [
    *CLIENT_VIEWS, *MONEY, *SUPPORT, "projects", "characterizations", "products", "services", "discounts",
    "ticket-categories", "affiliate-programs", "custom-fields", "features", "settings", "staff", "roles", "audit",
]  # fmt: skip
VERBS = ["view", "create", "edit", "delete", "export"]


def rights(modules, verbs=VERBS):
    return [f"{module}.{verb}" for module in modules for verb in verbs]


# Paying in a client's place is given to nobody until the owner ticks it.
ROLES = {
    "Owner": [
        *rights(MODULES), "clients.login_as", "clients.message", "clients.message_all", "clients.erase",
        "money.post", "staff.edit", "audit.view",
    ],
    "Manager": [
        *rights([*CLIENT_VIEWS, *SUPPORT, "services", "discounts"]),
        *rights([*MONEY, "projects", "characterizations", "products", "affiliate-programs", "ticket-categories"],
                ["view"]),
        "clients.login_as", "clients.message", "clients.message_all",
    ],
    "Support": [
        *rights([*CLIENT_VIEWS, "services", "projects", "characterizations", "violations", "mailings",
                 "ticket-categories", "response-templates"], ["view"]),
        *rights(["tickets"], ["view", "create", "edit"]),
        "clients.edit", "clients.message", "clients.login_as",
    ],
    "Accountant": [
        *rights([*CLIENT_VIEWS, "services", "products", "projects", "characterizations", "discounts"], ["view"]),
        *rights(MONEY), "clients.export", "payers.edit", "money.post",
    ],
    "Auditor": [*rights(MODULES, ["view"]), "audit.view"],
}  # fmt: skip
CHARACTERIZATIONS = [
    {"code": "ordinary", "name": "Ordinary", "icon": "user", "color": "secondary", "is_default": True},
    {"code": "good", "name": "Good", "icon": "heart", "color": "green", "is_default": False},
    {"code": "conflict", "name": "Conflict", "icon": "alert-triangle", "color": "orange", "is_default": False},
]
CATEGORIES = [
    {"name": {"en": "General questions", "ru": "Общие вопросы"}, "is_news": False},
    {"name": {"en": "Billing", "ru": "Финансовые вопросы"}, "is_news": False},
    {"name": {"en": "Technical support", "ru": "Техническая поддержка"}, "is_news": False},
    {"name": {"en": "Abuse", "ru": "Нарушения"}, "is_news": False},
    {"name": {"en": "News", "ru": "Новости"}, "is_news": True},
]
FEATURES = {
    "abuse_handling": True, "affiliate": True, "self_registration": False, "phone_verification": False,
    "discounts": True,
}  # fmt: skip


def upgrade():
    tables = sa.MetaData()
    tables.reflect(op.get_bind(), only=["roles", "characterizations", "ticket_categories", "features", "projects"])
    json = sa.JSON()
    roles = sa.table("roles", sa.column("name"), sa.column("permissions", json))
    _first(roles, [{"name": name, "permissions": given} for name, given in ROLES.items()])
    _first(tables.tables["characterizations"], CHARACTERIZATIONS)
    categories = sa.table("ticket_categories", sa.column("name", json), sa.column("is_news", sa.Boolean))
    _first(categories, CATEGORIES)
    _first(tables.tables["features"], [{"code": code, "is_enabled": enabled} for code, enabled in FEATURES.items()])
    _first(tables.tables["projects"], [{"name": "Main", "currency": "EUR"}])


def _first(table, rows):
    """Insert the rows into a table that has none: whoever comes back from a downgrade has his own."""
    if not op.get_bind().scalar(sa.select(sa.exists(sa.select(sa.literal(1)).select_from(table)))):
        op.bulk_insert(table, rows)


def downgrade():
    """Leave the rows: clients, staff and correspondence hang on them."""

"""What a role can be given: rights to modules, and a few that stand alone."""

from __future__ import annotations

MODULES = (
    "clients", "groups", "projects", "characterizations", "users", "payers", "accounts", "products", "services",
    "discounts", "invoices", "payments", "expenses", "acts", "tickets", "ticket-categories",
    "response-templates", "mailings", "emails", "inbound", "violations", "affiliate-programs", "custom-fields", "features",
    "settings", "staff", "roles", "audit",
)  # fmt: skip
VERBS = ("view", "create", "edit", "delete", "export")
STANDING_ALONE = (
    "clients.login_as", "clients.login_as_spend", "clients.message", "clients.message_all", "clients.erase",
    "money.post", "settings.edit", "staff.edit", "audit.view",
)  # fmt: skip
EVERYTHING = tuple(dict.fromkeys([f"{module}.{verb}" for module in MODULES for verb in VERBS] + list(STANDING_ALONE)))

# A role that may edit clients but not create them may change these of a client, and nothing else.
LIMITED_CLIENT_COLUMNS = ("note", "characterization")

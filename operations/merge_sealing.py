"""Whether anything of two merged clients was changed since: a seal for each table, compared before it is taken back.

Left out is what changes by itself: letters and who got them, logins, what was read, and what the database counts.
"""

from __future__ import annotations

import hashlib
from typing import Any

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l

from extensions import db
from models import (
    Account,
    Act,
    Client,
    ClientNote,
    ClientUser,
    Discount,
    Expense,
    Invoice,
    LedgerEntry,
    Payer,
    Payment,
    PenaltyPoint,
    Service,
    Ticket,
    TicketMessage,
    Violation,
    client_group_members,
    client_projects,
)

# The tables that are sealed, and what they are called.
WORDS: dict[str, Any] = {
    "clients": _l("The clients themselves"), "client_users": _l("Users"), "payers": _l("Payers"),
    "accounts": _l("Accounts"), "ledger_entries": _l("Movements of money"), "services": _l("Services"),
    "invoices": _l("Invoices"), "payments": _l("Payments"), "expenses": _l("Expenses"), "acts": _l("Acts"),
    "tickets": _l("Tickets"), "ticket_messages": _l("Messages of tickets"), "violations": _l("Violations"),
    "penalty_points": _l("Penalty points"), "client_notes": _l("Remarks of staff"), "discounts": _l("Discounts"),
    "client_group_members": _l("Groups"), "client_projects": _l("Available projects"),
    "referred": _l("Clients that they brought"),
}  # fmt: skip
BY_CLIENT = (ClientUser, Payer, Account, Service, Invoice, Payment, Expense, Act, Ticket, Violation, PenaltyPoint,
             ClientNote, Discount)  # fmt: skip
CHANGING_BY_THEMSELVES = frozenset({
    "row_version", "balance", "active_services", "is_suspended", "owner_username", "usernames", "search_text",
    "last_login_at", "password_hash", "must_change_password", "client_read_at", "erased_at",
})  # fmt: skip


def seal(*ids: int) -> dict[str, str]:
    """What stands of these clients in each table, as a short text that tells any difference."""
    found = {model.__tablename__: _seal(model.__table__, model.client_id.in_(ids)) for model in BY_CLIENT}
    accounts = sa.select(Account.id).where(Account.client_id.in_(ids))
    tickets = sa.select(Ticket.id).where(Ticket.client_id.in_(ids))
    return {
        **found,
        "clients": _seal(Client.__table__, Client.id.in_(ids)),
        "ledger_entries": _seal(LedgerEntry.__table__, LedgerEntry.account_id.in_(accounts)),
        "ticket_messages": _seal(TicketMessage.__table__, TicketMessage.ticket_id.in_(tickets)),
        "client_group_members": _seal(client_group_members, client_group_members.c.client_id.in_(ids)),
        "client_projects": _seal(client_projects, client_projects.c.client_id.in_(ids)),
        "referred": _digest(sa.select(Client.id).where(Client.referrer_id.in_(ids)).order_by(Client.id)),
    }


def broken(kept: dict[str, str], *ids: int) -> list[str]:
    """What was changed since the seals `kept` were made, in words."""
    present = seal(*ids)
    return [str(words) for name, words in WORDS.items() if kept.get(name) != present.get(name)]


def _seal(table: Any, condition: Any) -> str:
    columns = [column for column in table.c if column.name not in CHANGING_BY_THEMSELVES]
    return _digest(sa.select(*columns).where(condition).order_by(*table.primary_key))


def _digest(statement: sa.Select[Any]) -> str:
    digest = hashlib.sha256()
    for row in db.session.execute(statement):
        digest.update(repr(tuple(row)).encode())
    return digest.hexdigest()

"""The proof of the books: every balance is the sum of its entries, every document that of its lines."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from extensions import db, minor_units
from models import Account, Act, ActLine, Client, Invoice, InvoiceLine, LedgerEntry, Project


def faults() -> list[str]:
    """What does not add up, a line each; nothing is changed."""
    return [*_balances(), *_clients(), *_documents(Invoice, InvoiceLine, InvoiceLine.invoice_id),
            *_documents(Act, ActLine, ActLine.act_id)]  # fmt: skip


def _balances() -> list[str]:
    total = sa.func.coalesce(sa.func.sum(LedgerEntry.amount), 0)
    rows = db.session.execute(
        sa.select(Account.id, Account.balance, sa.type_coerce(total, Account.balance.type))
        .outerjoin(LedgerEntry, LedgerEntry.account_id == Account.id)
        .group_by(Account.id, Account.balance)
        .having(Account.balance != total)
    )
    return [f"account {id}: balance {balance}, entries {entries}" for id, balance, entries in rows]


def _clients() -> list[str]:
    home = sa.func.coalesce(
        sa.select(Account.balance)
        .join(Project, Project.id == Account.project_id)
        .where(
            Account.client_id == Client.id,
            Account.project_id == Client.project_id,
            Account.currency == Project.currency,
        )
        .scalar_subquery(),
        0,
    )
    rows = db.session.execute(sa.select(Client.id, Client.balance).where(Client.balance != home))
    return [f"client {id}: balance {balance} is not that of its account" for id, balance in rows]


def _documents(kind: Any, line: Any, key: Any) -> list[str]:
    total = sa.func.coalesce(sa.func.sum(line.amount), 0)
    rows = db.session.execute(
        sa.select(kind.number, kind.amount, sa.type_coerce(total, kind.amount.type))
        .outerjoin(line, key == kind.id)
        .group_by(kind.id, kind.number, kind.amount)
        .having(kind.amount != total)
    )
    return [
        f"{kind.__tablename__} {number}: amount {amount}, lines {minor_units(lines)}" for number, amount, lines in rows
    ]

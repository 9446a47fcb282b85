"""What hangs on clients that an import made, so that they cannot be removed as if they had never come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l

from extensions import db
from models import (
    Account,
    Act,
    AuditEvent,
    Client,
    ClientMerge,
    ClientNote,
    ClientUser,
    Discount,
    Expense,
    Impersonation,
    ImportBatch,
    ImportChange,
    InboundEmail,
    Invoice,
    LedgerEntry,
    MailingRecipient,
    OutboundEmail,
    Payment,
    PenaltyPoint,
    Service,
    Ticket,
    Violation,
)
from operations.imports import DONE

SHOWN = 50
# An event of these modules says that a client, or what came with it, was changed.
CHANGED_MODULES = ("clients", "users", "payers", "accounts")
# These events of the clients' own change nothing that a removal would lose: a deleted client may go too. Logins have
# reasons of their own.
HARMLESS = ("import", "undo_import", "delete", "restore", "case_file")
LABELS = {
    "services": _l("Services"),
    "tickets": _l("Tickets"),
    "messages": _l("Messages and letters"),
    "invoices": _l("Invoices"),
    "payments": _l("Payments"),
    "expenses": _l("Expenses"),
    "acts": _l("Acts"),
    "money": _l("Movements of money"),
    "violations": _l("Violations"),
    "points": _l("Penalty points"),
    "notes": _l("Remarks of staff"),
    "discounts": _l("Discounts"),
    "logins": _l("A user has logged in"),
    "login_as": _l("Staff have logged in as the client"),
    "referred": _l("Brought another client"),
    "merged": _l("Merged with another client"),
    "imported": _l("Changed by another import, which has to be taken back first"),
    "edited": _l("Changed since"),
}


@dataclass(frozen=True)
class Held:
    """A client that cannot go, and why (codes of LABELS)."""

    id: int
    name: str
    reasons: list[str]


@dataclass(frozen=True)
class Hanging:
    """How many clients cannot go, how many for each reason, and the first of them."""

    clients: int
    by_reason: dict[str, int]
    first: list[Held]


def label(reason: str) -> str:
    return str(LABELS[reason])


def find(batch: ImportBatch) -> Hanging:
    """What hangs on the clients that `batch` made."""
    held = sa.union(*_held(batch)).subquery()
    counts = sa.select(held.c.reason, sa.func.count()).group_by(held.c.reason)
    by_reason: dict[str, int] = {reason: number for reason, number in db.session.execute(counts)}  # noqa: C416
    clients = db.session.scalar(sa.select(sa.func.count(held.c.client_id.distinct()))) or 0
    return Hanging(clients, {code: by_reason[code] for code in LABELS if code in by_reason}, _first(held))


def _first(held: Any) -> list[Held]:
    first = sa.select(held.c.client_id).distinct().order_by(held.c.client_id).limit(SHOWN).subquery()
    rows = db.session.execute(
        sa.select(Client.id, Client.name, held.c.reason)
        .join(first, first.c.client_id == Client.id)
        .join(held, held.c.client_id == Client.id)
        .order_by(Client.id)
    )
    found: dict[int, Held] = {}
    for id_, name, reason in rows:
        found.setdefault(id_, Held(id_, name, [])).reasons.append(reason)
    order = list(LABELS)
    return [Held(one.id, one.name, sorted(one.reasons, key=order.index)) for one in found.values()]


def _held(batch: ImportBatch) -> Sequence[sa.Select[Any]]:
    """Selects of (reason, client)."""
    made = sa.select(Client.id).where(Client.import_batch_id == batch.id)

    def held(reason: str, client_id: Any, *conditions: Any) -> sa.Select[Any]:
        said = sa.literal(reason, sa.String).label("reason")
        return sa.select(said, client_id.label("client_id")).where(client_id.in_(made), *conditions)

    return [
        held("services", Service.client_id),
        held("tickets", Ticket.client_id),
        held("messages", MailingRecipient.client_id),
        held("messages", OutboundEmail.client_id),
        held("messages", InboundEmail.client_id),
        held("invoices", Invoice.client_id),
        held("payments", Payment.client_id),
        held("expenses", Expense.client_id),
        held("acts", Act.client_id),
        held("money", Account.client_id, sa.exists().where(LedgerEntry.account_id == Account.id)),
        held("violations", Violation.client_id),
        held("points", PenaltyPoint.client_id),
        held("notes", ClientNote.client_id),
        held("discounts", Discount.client_id),
        held("logins", ClientUser.client_id, ClientUser.last_login_at.is_not(None)),
        held("login_as", Impersonation.client_id),
        held("referred", Client.referrer_id, Client.id.not_in(made)),
        held("merged", ClientMerge.kept_id, ClientMerge.undone_at.is_(None)),
        held("merged", ClientMerge.merged_id, ClientMerge.undone_at.is_(None)),
        held("imported", ImportChange.client_id, *_by_another(batch)),
        held("edited", AuditEvent.client_id, *_changed()),
    ]


def _by_another(batch: ImportBatch) -> Sequence[Any]:
    """An import that still stands has changed the client after this one made it."""
    standing = sa.select(ImportBatch.id).where(ImportBatch.status == DONE, ImportBatch.id != batch.id)
    return [ImportChange.batch_id.in_(standing)]


def _changed() -> Sequence[Any]:
    is_harmless = sa.and_(AuditEvent.module == "clients", AuditEvent.action.in_(HARMLESS))
    return [AuditEvent.module.in_(CHANGED_MODULES), ~is_harmless, AuditEvent.action.not_like("login%")]

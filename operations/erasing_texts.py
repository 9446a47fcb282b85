"""What an erasing would do, in words: what goes for good, and what stays and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask_babel import format_decimal
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from models import Client
from operations import erasing_rows

WORDS: dict[str, Any] = {
    "client_users": _l("Users and their logins"), "payers": _l("Payers"), "services": _l("Services"),
    "accounts": _l("Accounts without any movement"), "tickets": _l("Tickets"),
    "ticket_messages": _l("Messages of tickets"), "attachments": _l("Files"), "client_notes": _l("Remarks of staff"),
    "violations": _l("Violations"), "penalty_points": _l("Penalty points"), "discounts": _l("Discounts"),
    "outbound_emails": _l("Letters"), "mailing_recipients": _l("Messages to many that it got"),
    "impersonations": _l("Logins of staff as the client"), "import_changes": _l("What imports changed"),
    "saved_filter_members": _l("Places in saved filters"), "invoices": _l("Invoices"), "payments": _l("Payments"),
    "expenses": _l("Expenses"), "acts": _l("Acts"), "ledger_entries": _l("Movements of money"),
}  # fmt: skip


@dataclass(frozen=True)
class Sheet:
    """What goes and what stays, a line each. Nothing stays of a client without documents."""

    goes: list[str]
    stays: list[str]


def sheet(client: Client) -> Sheet:
    """What erasing this client would do; nothing is changed."""
    documents = erasing_rows.documents(client.id)
    removed = erasing_rows.going(client.id, all_of_it=not documents)
    goes = [
        _("Name, contacts, notes, custom fields, and the values in the audit") if documents
        else _("The client itself, and the values in the audit"),
        *([_("Names, contacts and passwords of its users")] if documents else []),
        *_counted(removed),
    ]  # fmt: skip
    stays = (
        [*_counted(documents), _("The payers that stand on them, with what the documents show")] if documents else []
    )
    return Sheet(goes, stays)


def _counted(rows: dict[str, int]) -> list[str]:
    return [f"{words}: {format_decimal(rows[name])}" for name, words in WORDS.items() if rows.get(name)]

"""What an erasing does to the tables: which rows of a client go, which stay, and what of these is made empty.

What stays is what an issued document is made of: the document with its amounts and lines, the money that moved, and
of the payer what stands on the document (name, status, country, tax number, registration reason code, legal address;
the postal address where there is no legal one).
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from extensions import db, rows_changed
from models import (
    Account,
    Act,
    Attachment,
    Client,
    ClientMerge,
    ClientNote,
    ClientUser,
    Consent,
    Discount,
    Expense,
    IdempotencyKey,
    Impersonation,
    ImportChange,
    Invoice,
    InvoiceLine,
    LedgerEntry,
    LoginFailure,
    Mailing,
    MailingRecipient,
    OutboundEmail,
    Payer,
    Payment,
    PenaltyPoint,
    SavedFilterMember,
    Service,
    ServiceStatus,
    Session,
    Ticket,
    TicketMessage,
    Violation,
    client_group_members,
    client_projects,
)
from operations import audit, json_sql
from operations.clients import default_characterization

NOTHING = "—"
# Of a client with any of these the record stays, for it is the one that they were issued to.
DOCUMENTS: dict[str, Any] = {
    "invoices": Invoice, "payments": Payment, "expenses": Expense, "acts": Act, "ledger_entries": LedgerEntry,
}  # fmt: skip
# Tables whose rows go by the column `client_id`, in an order in which no row holds another.
GOING: dict[str, Any] = {
    "penalty_points": PenaltyPoint, "violations": Violation, "outbound_emails": OutboundEmail, "tickets": Ticket,
    "client_notes": ClientNote, "discounts": Discount, "import_changes": ImportChange,
    "saved_filter_members": SavedFilterMember,
}  # fmt: skip
LINKS = {"client_group_members": client_group_members, "client_projects": client_projects}
# Where nothing financial was ever done, these go too; else what the documents name stays.
GOING_WITH_ALL: dict[str, Any] = {
    "impersonations": Impersonation, "mailing_recipients": MailingRecipient, "services": Service, "payers": Payer,
    "client_users": ClientUser, "accounts": Account,
}  # fmt: skip
CLIENT_BLANKED: dict[str, Any] = {
    "name": NOTHING, "company_name": "", "contact_person": "", "email": "", "verified_phone": "", "note": "",
    "referral_source": "", "characterization_by_id": None, "characterization_at": None, "characterization_reason": "",
    "referrer_id": None, "affiliate_program_id": None, "registration_ip": "", "external_id": None, "external_source": "",
    "hold_suspension_until": None, "custom": {},
}  # fmt: skip
USER_BLANKED: dict[str, Any] = {
    "password_hash": "", "must_change_password": False, "full_name": "", "email": None, "phone": "", "time_zone": "UTC",
    "is_active": False, "permissions": [], "last_login_at": None, "totp_secret": None,
}  # fmt: skip


def documents(client_id: int) -> dict[str, int]:
    """How many documents and movements of money there are, by table; what there is none of is left out."""
    found = {name: _count(model, _of(model, client_id)) for name, model in DOCUMENTS.items()}
    return {name: count for name, count in found.items() if count}


def going(client_id: int, *, all_of_it: bool) -> dict[str, int]:
    """How many rows would go, by table."""
    found = {name: _count(model, _of(model, client_id)) for name, model in GOING.items()}
    found["ticket_messages"] = _count(TicketMessage, TicketMessage.ticket_id.in_(_tickets(client_id)))
    found["attachments"] = _count(Attachment, Attachment.message_id.in_(_messages(client_id)))
    for name, model in GOING_WITH_ALL.items():
        if all_of_it:
            found[name] = _count(model, _of(model, client_id))
    if not all_of_it:
        found["payers"] = _count(Payer, Payer.client_id == client_id, ~_is_on_a_document())
        found["services"] = _count(Service, Service.client_id == client_id, ~_was_charged())
    return {name: count for name, count in found.items() if count}


def files(client_id: int) -> list[str]:
    """The names on disk of the files that go: those of the client's messages, and of mailings to it alone."""
    mine = sa.or_(
        Attachment.message_id.in_(_messages(client_id)), Attachment.mailing_id.in_(mailings_to_it_alone(client_id))
    )
    return list(db.session.scalars(sa.select(Attachment.stored_name).where(mine)))


def remove_what_hangs(client_id: int) -> dict[str, int]:
    """Remove what is never kept; how many rows of each table went."""
    users = sa.select(ClientUser.id).where(ClientUser.client_id == client_id)
    logins = db.session.execute(sa.select(ClientUser.id, ClientUser.username, ClientUser.email).where(
        ClientUser.client_id == client_id)).all()  # fmt: skip
    removed = {
        "ticket_messages": _count(TicketMessage, TicketMessage.ticket_id.in_(_tickets(client_id))),
        "attachments": _count(Attachment, Attachment.message_id.in_(_messages(client_id))),
    }
    _blank_mailings(client_id)
    letters_of_tickets = OutboundEmail.ticket_id.in_(_tickets(client_id))
    removed["outbound_emails"] = rows_changed(sa.delete(OutboundEmail).where(letters_of_tickets))
    for name, model in GOING.items():
        removed[name] = removed.get(name, 0) + rows_changed(sa.delete(model).where(_of(model, client_id)))
    for name, table in LINKS.items():
        removed[name] = rows_changed(sa.delete(table).where(table.c.client_id == client_id))
    removed["consents"] = rows_changed(sa.delete(Consent).where(Consent.client_user_id.in_(users)))
    removed["sessions"] = rows_changed(sa.delete(Session).where(Session.client_user_id.in_(users)))
    _forget_logins(logins)
    _forget_referrals(client_id)
    return removed


def remove(client_id: int) -> dict[str, int]:
    """Remove the client and the rest that hangs on it. Any document is in the way of that, by the database itself."""
    removed = {
        name: rows_changed(sa.delete(model).where(_of(model, client_id))) for name, model in GOING_WITH_ALL.items()
    }
    removed["clients"] = rows_changed(sa.delete(Client).where(Client.id == client_id))
    return removed


def blank(client_id: int) -> dict[str, int]:
    """Make empty what is personal and is no part of a document; how many rows of each table went."""
    removed = {
        "payers": rows_changed(sa.delete(Payer).where(Payer.client_id == client_id, ~_is_on_a_document())),
        "services": rows_changed(sa.delete(Service).where(Service.client_id == client_id, ~_was_charged())),
    }
    _blank_payers(client_id)
    _blank_users(client_id)
    _change(Service, Service.client_id == client_id, name=NOTHING, auto_renew=False, status=ServiceStatus.DELETED,
            suspension_reason=None)  # fmt: skip
    _change(Payment, Payment.client_id == client_id, note="")
    stays = sa.update(Impersonation).where(Impersonation.client_id == client_id)
    rows_changed(stays.values(reason="", return_url=""))
    merges = sa.or_(ClientMerge.kept_id == client_id, ClientMerge.merged_id == client_id)
    rows_changed(sa.update(ClientMerge).where(merges).values(before={}, moved={}, seal={}))
    _change(Client, Client.id == client_id, **CLIENT_BLANKED, characterization_id=default_characterization().id)
    return removed


def _change(model: Any, condition: Any, **values: Any) -> int:
    return rows_changed(sa.update(model).where(condition).values(**values, row_version=model.row_version + 1))


def _blank_payers(client_id: int) -> None:
    """Of a payer that stands on a document, keep what stands there."""
    there = sa.case((Payer.legal_address == "", Payer.postal_address), else_="")
    _change(Payer, Payer.client_id == client_id, email="", phone="", is_default=False, postal_address=there)


def _blank_users(client_id: int) -> None:
    for number in db.session.scalars(sa.select(ClientUser.id).where(ClientUser.client_id == client_id)).all():
        _change(ClientUser, ClientUser.id == number, **USER_BLANKED, username=_neutral_name(number))


def _neutral_name(user_id: int) -> str:
    """A username that says nothing, and that nobody has."""
    name = f"erased-{user_id}"
    while db.session.scalar(sa.select(ClientUser.id).where(ClientUser.username == name, ClientUser.id != user_id)):
        name += "-"
    return name


def _blank_mailings(client_id: int) -> None:
    """A message to this client alone speaks of nobody else."""
    alone = list(db.session.scalars(mailings_to_it_alone(client_id)))
    rows_changed(sa.delete(Attachment).where(Attachment.mailing_id.in_(alone)))
    _change(Mailing, Mailing.id.in_(alone), subject={}, text={}, filter_description="", violation_parameters={})


def _forget_logins(logins: Any) -> None:
    """Failed logins under the names of the users, and what they sent in forms."""
    names = [name for _id, *both in logins for name in both if name]
    # Requests for a password are counted under the name with a word before it.
    for name in names:
        ways = sa.or_(LoginFailure.username == name, LoginFailure.username.endswith(f":{name}", autoescape=True))
        rows_changed(sa.delete(LoginFailure).where(ways))
    principals = [f"client:{number}" for number, *_names in logins]
    rows_changed(sa.delete(IdempotencyKey).where(IdempotencyKey.principal.in_(principals)))


def _forget_referrals(client_id: int) -> None:
    """Nobody was brought by it any more."""
    brought = Client.referrer_id == client_id
    rows = sa.select(
        Client.id.label("record_id"), Client.id.label("client_id"),
        json_sql.document(referrer_id=Client.referrer_id).label("old"),
        sa.literal({"referrer_id": None}, Client.custom.type).label("new"),
    )  # fmt: skip
    audit.record_many("edit", module="clients", rows=rows.where(brought))
    _change(Client, brought, referrer_id=None)


def _of(model: Any, client_id: int) -> Any:
    if model is LedgerEntry:
        return LedgerEntry.account_id.in_(sa.select(Account.id).where(Account.client_id == client_id))
    return model.client_id == client_id


def _tickets(client_id: int) -> sa.Select[Any]:
    return sa.select(Ticket.id).where(Ticket.client_id == client_id)


def _messages(client_id: int) -> sa.Select[Any]:
    return sa.select(TicketMessage.id).where(TicketMessage.ticket_id.in_(_tickets(client_id)))


def mailings_to_it_alone(client_id: int) -> sa.Select[Any]:
    """The ids of the mailings that nobody else got."""
    other = sa.exists().where(MailingRecipient.mailing_id == Mailing.id, MailingRecipient.client_id != client_id)
    mine = sa.select(MailingRecipient.mailing_id).where(MailingRecipient.client_id == client_id)
    return sa.select(Mailing.id).where(Mailing.id.in_(mine), ~other)


def _is_on_a_document() -> Any:
    return sa.or_(*(sa.exists().where(model.payer_id == Payer.id) for model in (Invoice, Payment, Act)))


def _was_charged() -> Any:
    return sa.or_(*(sa.exists().where(model.service_id == Service.id) for model in (Expense, InvoiceLine)))


def _count(model: Any, *conditions: Any) -> int:
    return db.session.scalar(sa.select(sa.func.count()).select_from(model).where(*conditions)) or 0

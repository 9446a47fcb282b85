"""What comes along when one client becomes a part of another: each table that speaks of clients, in its own way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from extensions import db, rows_changed
from models import (
    Account,
    Act,
    Client,
    ClientMerge,
    ClientNote,
    ClientUser,
    Discount,
    EntryKind,
    Expense,
    Impersonation,
    InboundEmail,
    Invoice,
    InvoiceStatus,
    LedgerEntry,
    MailingRecipient,
    OutboundEmail,
    Payer,
    Payment,
    PaymentStatus,
    PenaltyPoint,
    Service,
    Ticket,
    Violation,
    client_group_members,
    client_projects,
)
from operations import audit, bulk, clients, json_sql

if TYPE_CHECKING:
    from operations.merging import Pair

# Tables whose rows come along by their column `client_id`, all of them or those that do not meet one of the kept client.
MOVING: dict[str, Any] = {
    "services": Service, "invoices": Invoice, "payments": Payment, "expenses": Expense, "acts": Act,
    "tickets": Ticket, "violations": Violation, "penalty_points": PenaltyPoint, "client_notes": ClientNote,
    "discounts": Discount, "impersonations": Impersonation, "mailing_recipients": MailingRecipient,
    "outbound_emails": OutboundEmail, "inbound_emails": InboundEmail,
}  # fmt: skip
LINKS = {"client_group_members": client_group_members, "client_projects": client_projects}
# The rights of one who was the owner of the other client: he may go on with what he did, but not give rights.
RIGHTS_OF_A_FORMER_OWNER = ["finance", "services", "support"]

Moved = dict[str, Any]


def move_all(two: Pair, record: ClientMerge) -> Moved:
    """Have everything of the other come along; what was moved, by table, for it may be taken back."""
    moved = _move_accounts(two, record) | _move_users(two) | _move_payers(two)
    moved["parted_tickets"] = _part_from_mailings(two)
    for name, model in MOVING.items():
        moved[name] = _move(model, two, _meeting(model, two))
    return moved | _copy_links(two) | _move_referrals(two)


def accounts_of(client: Client) -> list[Account]:
    """The accounts of a client."""
    return list(db.session.scalars(sa.select(Account).where(Account.client_id == client.id).order_by(Account.id)))


def same_account(client: Client, account: Account) -> Account | None:
    """The client's own account with the same project in the same currency."""
    same = sa.and_(Account.project_id == account.project_id, Account.currency == account.currency)
    return db.session.scalar(sa.select(Account).where(Account.client_id == client.id, same))


def _move_accounts(two: Pair, record: ClientMerge) -> Moved:
    """Accounts that the kept client lacks come along; the money of the others does, and what is to be paid by them."""
    moved: Moved = {"accounts": [], "account_pairs": [], "transfers": []}
    for account in accounts_of(two.other):
        same = same_account(two.kept, account)
        if same is None:
            account.client_id = two.kept.id
            moved["accounts"].append(account.id)
            continue
        moved["account_pairs"].append([account.id, same.id])
        if account.balance:
            moved["transfers"].append([account.id, same.id, str(account.balance)])
            transfer(account, same, account.balance, source=record.id, note="merge")
        _repoint(account, same, moved)
    db.session.flush()
    return moved


def transfer(giver: Account, taker: Account, amount: Any, *, source: int, note: str) -> None:
    """Move money between two accounts of the same currency: a pair of entries that sum to zero."""
    shared = {"kind": EntryKind.TRANSFER, "source_type": "client_merges", "source_id": source}
    for account, signed, way in ((giver, -amount, "out"), (taker, amount, "in")):
        key = f"{note}:{source}:{giver.id}:{taker.id}:{way}"
        db.session.add(LedgerEntry(account_id=account.id, amount=signed, idempotency_key=key, **shared))
    db.session.flush()


def _repoint(account: Account, same: Account, moved: dict[str, Any]) -> None:
    """Services, and what is not paid yet, go on with the kept account; what is done stays with the entries it made."""
    for name, model, condition in (
        ("services", Service, sa.true()),
        ("invoices", Invoice, Invoice.status.in_([InvoiceStatus.NEW, InvoiceStatus.OVERDUE])),
        ("payments", Payment, Payment.status.in_([PaymentStatus.NEW, PaymentStatus.IN_PROGRESS])),
    ):
        mine = sa.select(model.id).where(model.account_id == account.id, condition)
        ids = list(db.session.scalars(mine))
        if ids:
            change(model, ids, account_id=same.id)
            moved.setdefault(f"{name}_of_account", []).append([account.id, ids])


def _move_users(two: Pair) -> Moved:
    """They come along as ordinary users: the owner is the kept client's own."""
    users = db.session.scalars(sa.select(ClientUser).where(ClientUser.client_id == two.other.id)).all()
    has_owner = db.session.scalar(
        sa.select(sa.exists().where(ClientUser.client_id == two.kept.id, ClientUser.is_owner))
    )
    former = [[user.id, list(user.permissions)] for user in users if user.is_owner and has_owner]
    for user in users:
        if user.is_owner and has_owner:
            user.is_owner, user.permissions = False, list(RIGHTS_OF_A_FORMER_OWNER)
        user.client_id = two.kept.id
    db.session.flush()
    return {"client_users": [user.id for user in users], "former_owners": former}


def _move_payers(two: Pair) -> Moved:
    payers = db.session.scalars(sa.select(Payer).where(Payer.client_id == two.other.id)).all()
    has_default = db.session.scalar(sa.select(sa.exists().where(Payer.client_id == two.kept.id, Payer.is_default)))
    former = [payer.id for payer in payers if payer.is_default and has_default]
    for payer in payers:
        payer.is_default = payer.is_default and not has_default
        payer.client_id = two.kept.id
    db.session.flush()
    return {"payers": [payer.id for payer in payers], "former_default_payers": former}


def _meeting(model: Any, two: Pair) -> Any:
    """The rows that may not stand beside one of the kept client: of the same mailing."""
    if model is MailingRecipient:
        return model.mailing_id.in_(sa.select(model.mailing_id).where(model.client_id == two.kept.id))
    if model is OutboundEmail:
        theirs = sa.select(model.mailing_id).where(model.client_id == two.kept.id, model.mailing_id.is_not(None))
        return sa.and_(model.template == "", model.mailing_id.is_not(None), model.mailing_id.in_(theirs))
    return sa.false()


def _move(model: Any, two: Pair, staying: Any) -> list[int]:
    """Give the other's rows to the kept client; their ids. Their letters stay with the other where both got the same."""
    ids = list(
        db.session.scalars(sa.select(model.id).where(model.client_id == two.other.id, ~staying).order_by(model.id))
    )
    if not ids:
        return ids
    record_moves(model, ids, old=two.other.id, new=two.kept.id)
    change(model, ids, client_id=two.kept.id)
    return ids


def record_moves(model: Any, ids: list[int], *, old: int, new: int) -> None:
    """An event for each row that changes its client, where the table is recorded under a module of its own."""
    if getattr(model, "__audit__", None) is None or hasattr(model, "__audit_of__"):
        return
    kind = Client.custom.type
    rows = sa.select(
        model.id.label("record_id"), sa.literal(new).label("client_id"),
        sa.literal({"client_id": old}, kind).label("old"), sa.literal({"client_id": new}, kind).label("new"),
    )  # fmt: skip
    mine = bulk.among(db.session.connection(), model.id, ids)
    audit.record_many("edit", module=model.__audit__, rows=rows.where(mine))


def _part_from_mailings(two: Pair) -> list[list[int]]:
    """A client has one ticket of a mailing; the second becomes a ticket like any other. (ticket, mailing) each."""
    theirs = sa.select(Ticket.mailing_id).where(Ticket.client_id == two.kept.id, Ticket.mailing_id.is_not(None))
    mine = sa.and_(Ticket.client_id == two.other.id, Ticket.mailing_id.in_(theirs))
    parted = db.session.execute(sa.select(Ticket.id, Ticket.mailing_id).where(mine)).all()
    change(Ticket, [row.id for row in parted], mailing_id=None)
    return [[row.id, row.mailing_id] for row in parted]


def change(model: Any, ids: list[int], **values: Any) -> None:
    """Set values of the rows with these ids; their versions rise."""
    if hasattr(model, "row_version"):
        values["row_version"] = model.row_version + 1
    rows_changed(sa.update(model).where(bulk.among(db.session.connection(), model.id, ids)).values(**values))


def _copy_links(two: Pair) -> Moved:
    """Groups and projects of the other are the kept one's too; the other keeps its own, for it is out of every list."""
    added = {}
    for name, table in LINKS.items():
        column = next(each for each in table.c if each.name != "client_id")
        known = sa.select(column).where(table.c.client_id == two.kept.id)
        ids = list(db.session.scalars(sa.select(column).where(table.c.client_id == two.other.id, column.not_in(known))))
        for number in ids:
            db.session.execute(sa.insert(table).values({"client_id": two.kept.id, column.name: number}))
        added[name] = ids
    return added


def _move_referrals(two: Pair) -> Moved:
    """Who was brought by the other was brought by the kept client; a circle that this would close is opened there."""
    clients.hold_referrers()
    brought = Client.referrer_id == two.other.id
    ids = list(db.session.scalars(sa.select(Client.id).where(brought, Client.id != two.kept.id).order_by(Client.id)))
    if ids:
        kind = Client.custom.type
        rows = sa.select(
            Client.id.label("record_id"), Client.id.label("client_id"),
            json_sql.document(referrer_id=Client.referrer_id).label("old"),
            sa.literal({"referrer_id": two.kept.id}, kind).label("new"),
        )  # fmt: skip
        audit.record_many(
            "edit", module="clients", rows=rows.where(bulk.among(db.session.connection(), Client.id, ids))
        )
        change(Client, ids, referrer_id=two.kept.id)
        db.session.refresh(two.kept)
        if clients.is_in_a_circle(two.kept):
            two.kept.referrer_id = None
            db.session.flush()
    return {"referred": ids}

"""Taking a merging back, as long as nothing has been changed since: both clients are again what they were."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from flask_babel import gettext as _

from extensions import UTCDateTime, db, rows_changed
from models import Account, Client, ClientMerge, ClientUser, Invoice, Payer, Payment, Service, Staff, Ticket
from operations import audit, client_locks, merge_moving, merge_sealing
from operations.errors import OperationRefused

OF_ACCOUNTS: dict[str, Any] = {"services": Service, "invoices": Invoice, "payments": Payment}


class ChangedSince(OperationRefused):
    """Something was changed since the merging; `what` says what, in words."""

    def __init__(self, what: list[str]) -> None:
        super().__init__(
            _("This was changed since, so the merging cannot be taken back: %(what)s.", what=", ".join(what))
        )
        self.what = what


def latest(client_id: int) -> ClientMerge | None:
    """The last merging into this client that stands and whose other client is still what it was."""
    statement = (
        sa.select(ClientMerge)
        .join(Client, Client.id == ClientMerge.merged_id)
        .where(ClientMerge.kept_id == client_id, ClientMerge.undone_at.is_(None), Client.erased_at.is_(None))
        .order_by(ClientMerge.id.desc())
        .limit(1)
    )
    return db.session.scalar(statement)


def refuse(merge: ClientMerge) -> None:
    """Refuse what cannot be taken back: it was already, one of the two is gone, or something was changed since."""
    kept, merged = merge.kept, merge.merged
    if merge.undone_at is not None:
        raise OperationRefused(_("This merging was taken back already."))
    if kept.deleted_at is not None:
        raise OperationRefused(_("Client #%(id)s has been deleted.", id=kept.id))
    if merged.erased_at is not None or merged.deleted_at is None:
        raise OperationRefused(_("Client #%(id)s has been erased.", id=merged.id))
    if changed := merge_sealing.broken(merge.seal, kept.id, merged.id):
        raise ChangedSince(changed)


def undo(merge: ClientMerge, *, by: Staff, now: datetime) -> None:
    """Take the merging back. Refused as `refuse` does; of two at once one goes on."""
    _lock(merge)
    refuse(merge)
    moved, kept, merged = dict(merge.moved), merge.kept, merge.merged
    merged.deleted_at = None
    _give_values_back(kept, merge.before)
    db.session.flush()
    _give_accounts_back(merge, moved)
    _give_people_back(merge, moved)
    for name, model in merge_moving.MOVING.items():
        ids = moved.get(name) or []
        if ids:
            merge_moving.record_moves(model, ids, old=kept.id, new=merged.id)
            merge_moving.change(model, ids, client_id=merged.id)
    for ticket_id, mailing_id in moved.get("parted_tickets", []):
        merge_moving.change(Ticket, [ticket_id], mailing_id=mailing_id)
    _unlink(kept, moved)
    if moved.get("referred"):
        merge_moving.change(Client, moved["referred"], referrer_id=merged.id)
    merge.undone_at, merge.undone_by_id = now, by.id
    for one, other in ((kept, merged), (merged, kept)):
        audit.record("undo_merge", module="clients", record_id=one.id, client_id=one.id,
                     after={"merged_client_id": other.id})  # fmt: skip
    db.session.flush()
    db.session.expire_all()


def _lock(merge: ClientMerge) -> None:
    client_locks.take(merge.kept_id, merge.merged_id)
    db.session.expire_all()
    db.session.refresh(merge)


def _give_values_back(kept: Client, before: dict[str, Any]) -> None:
    for name, value in before.items():
        column = Client.__table__.c[name]
        is_moment = isinstance(column.type, UTCDateTime) and value is not None
        setattr(kept, name, datetime.fromisoformat(value) if is_moment else value)


def _give_accounts_back(merge: ClientMerge, moved: dict[str, Any]) -> None:
    for giver, taker, amount in moved.get("transfers", []):
        back = (db.session.get_one(Account, taker), db.session.get_one(Account, giver))
        merge_moving.transfer(*back, Decimal(amount), source=merge.id, note="undo merge")
    for name, model in OF_ACCOUNTS.items():
        for account_id, ids in moved.get(f"{name}_of_account", []):
            merge_moving.change(model, ids, account_id=account_id)
    for number in moved.get("accounts", []):
        db.session.get_one(Account, number).client_id = merge.merged_id
    db.session.flush()


def _give_people_back(merge: ClientMerge, moved: dict[str, Any]) -> None:
    owners = dict(moved.get("former_owners", []))
    for number in moved.get("client_users", []):
        user = db.session.get_one(ClientUser, number)
        user.client_id = merge.merged_id
        if number in owners:
            user.is_owner, user.permissions = True, owners[number]
    for number in moved.get("payers", []):
        payer = db.session.get_one(Payer, number)
        payer.client_id = merge.merged_id
        payer.is_default = payer.is_default or number in moved.get("former_default_payers", [])
    db.session.flush()


def _unlink(kept: Client, moved: dict[str, Any]) -> None:
    for name, table in merge_moving.LINKS.items():
        column = next(each for each in table.c if each.name != "client_id")
        mine = sa.and_(table.c.client_id == kept.id, column.in_(moved.get(name) or []))
        rows_changed(sa.delete(table).where(mine))

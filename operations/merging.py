"""Merging two records of the same client: one is kept, the other becomes a part of it and is deleted.

All that hangs on the other comes along. Ledger entries never change: where both have an account with the same project
in the same currency, the other's money is moved by a pair of entries that sum to zero, and the emptied account stays
where its entries are. What was done is kept in `client_merges`, so that it can be taken back (merge_undoing).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from flask_babel import format_decimal, ngettext
from flask_babel import gettext as _

from extensions import db, rows_changed
from models import (
    Act,
    Client,
    ClientMerge,
    ClientUser,
    Impersonation,
    Invoice,
    Payment,
    Service,
    Staff,
    Ticket,
)
from operations import audit, client_locks, clients, merge_moving, merge_sealing
from operations.errors import OperationRefused

KEPT, OTHER, BOTH = "kept", "other", "both"
# What is chosen field by field. A characterization comes with its reason, and who gave it when.
FIELDS = (
    "name", "legal_status", "company_name", "contact_person", "email", "verified_phone", "country", "language",
    "project", "characterization", "note", "referral_source", "referrer", "affiliate_program", "hold_suspension_until",
)  # fmt: skip
WITH_CHARACTERIZATION = ("characterization_by_id", "characterization_at", "characterization_reason")
CUSTOM = "custom."
LONGEST_NOTE = 20_000


@dataclass(frozen=True)
class Pair:
    """The client that is kept and the one that becomes a part of it."""

    kept: Client
    other: Client


def pair(*, kept_id: int, other_id: int, lock: bool = False) -> Pair:
    """The two clients. Refused: a client with itself, and one that is deleted.

    With `lock` both are held until the end of the transaction.
    """
    if kept_id == other_id:
        raise OperationRefused(_("A client cannot be merged with itself."), field="other")
    ids = (kept_id, other_id)
    if lock:
        client_locks.take(*ids)
    statement = sa.select(Client).where(Client.id.in_(ids)).execution_options(populate_existing=lock)
    found = {client.id: client for client in db.session.scalars(statement)}
    for number in ids:
        if number not in found:
            raise OperationRefused(_("There is no client #%(id)s.", id=number), field="other")
        if found[number].deleted_at is not None:
            raise OperationRefused(_("Client #%(id)s has been deleted.", id=number), field="other")
    return Pair(found[kept_id], found[other_id])


def default(two: Pair, name: str) -> str:
    """Which value stays where nobody chooses: that of the kept client, unless it has none."""
    return OTHER if value(two.kept, name) in (None, "") and value(two.other, name) not in (None, "") else KEPT


def value(client: Client, name: str) -> Any:
    """The value of one of FIELDS, or of a custom field (`custom.<code>`)."""
    return client.custom.get(name.removeprefix(CUSTOM)) if name.startswith(CUSTOM) else getattr(client, name)


def fields_of(two: Pair) -> list[str]:
    """All that can be chosen for these two, custom fields included."""
    return [*FIELDS, *(CUSTOM + code for code in sorted({*two.kept.custom, *two.other.custom}))]


def version_of(two: Pair) -> str:
    """What tells that one of the two was changed meanwhile."""
    return f"{two.kept.row_version}-{two.other.row_version}"


def impact(two: Pair) -> list[str]:
    """What comes along, in words, a line each; what there is none of is left out."""

    def count(model: Any) -> int:
        return db.session.scalar(sa.select(sa.func.count()).where(model.client_id == two.other.id)) or 0

    def said(number: int, text: str) -> list[str]:
        return [text] if number else []

    users, services, tickets = count(ClientUser), count(Service), count(Ticket)
    documents = sum(count(model) for model in (Invoice, Payment, Act))
    money = [
        one
        for one in merge_moving.accounts_of(two.other)
        if one.balance and merge_moving.same_account(two.kept, one) is not None
    ]
    return [
        *said(users, ngettext("%(num)s user comes along, as an ordinary one", "%(num)s users come along, as ordinary ones", users)),
        *said(services, ngettext("%(num)s service comes along", "%(num)s services come along", services)),
        *said(documents, ngettext("%(num)s financial document comes along", "%(num)s financial documents come along", documents)),
        *said(tickets, ngettext("%(num)s ticket comes along", "%(num)s tickets come along", tickets)),
        *(_("%(amount)s %(currency)s are moved to the account of the same project", amount=format_decimal(one.balance, "#,##0.00"), currency=one.currency) for one in money),
    ]  # fmt: skip


def merge(
    *, kept_id: int, other_id: int, choices: Mapping[str, str], by: Staff, now: datetime, version: str | None = None
) -> ClientMerge:
    """Make `other` a part of `kept`, and delete it. `choices` says for each field whose value stays: kept, other, both.

    Refuses (OperationRefused) what `pair` and the rules for clients refuse, an unknown choice, and, where `version` is
    given, when one of the two was changed since.
    """
    two = pair(kept_id=kept_id, other_id=other_id, lock=True)
    if version is not None and version != version_of(two):
        raise OperationRefused(_("One of the two was changed meanwhile. Look at them again."))
    kept, other = two.kept, two.other
    record = ClientMerge(kept_id=kept.id, merged_id=other.id, staff_id=by.id, at=now)
    db.session.add(record)
    before = _values_of(kept)
    _choose(two, choices)
    _record_other(two)
    db.session.flush()
    moved = merge_moving.move_all(two, record)
    _end_stays(moved["impersonations"], now)
    _delete(other, now)
    record.moved = {name: ids for name, ids in moved.items() if ids}
    record.before = before
    db.session.flush()
    record.seal = merge_sealing.seal(kept.id, other.id)
    db.session.flush()
    db.session.expire_all()
    return record


# The values


def _values_of(client: Client) -> dict[str, Any]:
    columns = [*(f"{name}_id" if hasattr(Client, f"{name}_id") else name for name in FIELDS), *WITH_CHARACTERIZATION]
    return {name: audit.plain(getattr(client, name)) for name in columns} | {"custom": dict(client.custom)}


def _choose(two: Pair, choices: Mapping[str, str]) -> None:
    for name in fields_of(two):
        choice = choices.get(name) or default(two, name)
        if choice not in (KEPT, OTHER) and (name, choice) != ("note", BOTH):
            raise OperationRefused(_("Choose one of the two values."), field=name)
        if choice != KEPT:
            _take(two, name, choice)
    kept = two.kept
    if kept.referrer is not None and kept.referrer.id in {kept.id, two.other.id}:
        kept.referrer = None
    _check(kept)


def _check(kept: Client) -> None:
    """As for any client that is changed; only that one which came without an address may go on without."""
    address, kept.email = kept.email, kept.email or "nobody@example.org"
    clients.check(kept)
    kept.email = kept.email if address else ""


def _take(two: Pair, name: str, choice: str) -> None:
    kept, other = two.kept, two.other
    if name.startswith(CUSTOM):
        code = name.removeprefix(CUSTOM)
        kept.custom = {**kept.custom, code: other.custom.get(code)}
    elif choice == BOTH:
        kept.note = "\n".join(filter(None, (kept.note, other.note)))[:LONGEST_NOTE]
    else:
        setattr(kept, name, getattr(other, name))
    if name == "characterization":
        for column in WITH_CHARACTERIZATION:
            setattr(kept, column, getattr(other, column))


def _record_other(two: Pair) -> None:
    """Say on both what became of them; the changed values of the kept one are noticed by themselves."""
    given = {name: text for name, text in _values_of(two.other).items() if text not in (None, "", {})}
    kept, other = two.kept.id, two.other.id
    audit.record(
        "merge", module="clients", record_id=other, client_id=other, before=given, after={"merged_into_id": kept}
    )
    audit.record("merge", module="clients", record_id=kept, client_id=kept, after={"merged_client_id": other})


def _end_stays(ids: list[int], now: datetime) -> None:
    running = sa.update(Impersonation).where(Impersonation.id.in_(ids), Impersonation.ended_at.is_(None))
    rows_changed(running.values(ended_at=now, end_reason="client_deleted"))


def _delete(other: Client, now: datetime) -> None:
    db.session.refresh(other)
    other.deleted_at = now
    db.session.flush()

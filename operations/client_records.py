"""The records of a client that its profile shows: the first of each kind, all kinds with one statement.

The statements are joined by UNION ALL, so every kind is read in one shape (SHAPE), each by its own index and to its
own end. A new kind is one more entry of KINDS.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from extensions import Money, UTCDateTime, plain_rows
from models import (
    Account,
    Act,
    ClientGroup,
    ClientUser,
    Expense,
    Invoice,
    Payer,
    Payment,
    PenaltyPoint,
    Product,
    Service,
    ServiceStatus,
    Ticket,
    TicketStatus,
    Violation,
    client_group_members,
)
from operations.client_overview import CLIENT, MOMENT, OPEN_VIOLATIONS


@dataclass(frozen=True)
class Kind:
    """Records that the profile shows: how they are chosen and ordered, and as what their columns are read."""

    model: Any
    order: tuple[Any, ...]
    columns: Mapping[str, Any]
    conditions: tuple[Any, ...] = ()
    joins: tuple[tuple[Any, Any], ...] = ()
    outer_joins: tuple[tuple[Any, Any], ...] = ()
    of_client: Any = None


# What the columns of a record are, whatever its kind. Texts of enums come as their values.
SHAPE: dict[str, Any] = {
    "id": sa.Integer, "title": sa.Text, "state": sa.String(32), "note": sa.Text, "word": sa.Text, "more": sa.Text, "number": sa.Integer,
    "flag": sa.Boolean, "amount": Money, "currency": sa.String(3), "at": UTCDateTime, "until": UTCDateTime,
    "day": sa.Date,
}  # fmt: skip


def _account(model: Any) -> tuple[Any, Any]:
    return Account, Account.id == model.account_id


def _value(column: Any) -> Any:
    return sa.type_coerce(column, sa.String(32))


def _tickets(status: TicketStatus) -> Kind:
    return Kind(
        Ticket,
        (Ticket.updated_at.desc(), Ticket.id.desc()),
        {"title": Ticket.subject, "state": _value(Ticket.status), "at": Ticket.updated_at},
        conditions=(Ticket.status == status,),
    )


def _money(model: Any, **columns: Any) -> Kind:
    return Kind(model, (model.id.desc(),), {"amount": model.amount, "currency": Account.currency, **columns},
                joins=(_account(model),))  # fmt: skip


KINDS: dict[str, Kind] = {
    "waiting": _tickets(TicketStatus.WAITING_STAFF),
    "answered": _tickets(TicketStatus.WAITING_CLIENT),
    "closed": _tickets(TicketStatus.CLOSED),
    "violations": Kind(
        Violation,
        (Violation.deadline, Violation.id),
        {"title": Ticket.subject, "state": _value(Violation.status), "note": Violation.comment,
         "word": _value(Violation.action), "number": Violation.points, "until": Violation.deadline},
        conditions=(Violation.status.in_(OPEN_VIOLATIONS),),
        joins=((Ticket, Ticket.id == Violation.ticket_id),),
    ),
    "points": Kind(
        PenaltyPoint,
        (PenaltyPoint.expires_at, PenaltyPoint.id),
        {"note": PenaltyPoint.comment, "number": PenaltyPoint.points, "at": PenaltyPoint.created_at,
         "until": PenaltyPoint.expires_at},
        conditions=(PenaltyPoint.expires_at > MOMENT,),
    ),
    "services": Kind(
        Service,
        (Service.status, Service.expires_at, Service.id),
        {"title": Service.name, "note": Product.name, "state": _value(Service.status), "word": _value(Service.period),
         "flag": Service.auto_renew, "amount": Service.price, "currency": Account.currency, "until": Service.expires_at},
        conditions=(Service.status != ServiceStatus.DELETED,),
        joins=(_account(Service), (Product, Product.id == Service.product_id)),
    ),
    "invoices": _money(Invoice, title=Invoice.number, state=_value(Invoice.status), day=Invoice.due_on),
    "payments": _money(Payment, title=Payment.number, state=_value(Payment.status), note=Payment.method,
                       at=sa.func.coalesce(Payment.paid_at, Payment.created_at)),
    "expenses": Kind(
        Expense,
        (Expense.id.desc(),),
        {"title": Service.name, "amount": Expense.amount, "currency": Account.currency, "at": Expense.posted_at},
        joins=(_account(Expense),),
        outer_joins=((Service, Service.id == Expense.service_id),),
    ),
    "acts": _money(Act, title=Act.number, state=_value(Act.status), day=Act.issued_on),
    "users": Kind(
        ClientUser,
        (ClientUser.is_owner.desc(), ClientUser.id),
        {"title": ClientUser.username, "note": ClientUser.full_name, "word": ClientUser.email,
         "more": ClientUser.phone,
         "number": sa.case((ClientUser.is_active, 1), else_=0), "flag": ClientUser.is_owner,
         "at": ClientUser.last_login_at},
    ),
    "payers": Kind(
        Payer,
        (Payer.is_default.desc(), Payer.id),
        {"title": Payer.name, "state": _value(Payer.legal_status), "note": Payer.tax_id, "word": Payer.country,
         "flag": Payer.is_default},
    ),
    "groups": Kind(
        ClientGroup,
        (ClientGroup.name, ClientGroup.id),
        {"title": ClientGroup.name},
        joins=((client_group_members, client_group_members.c.group_id == ClientGroup.id),),
        of_client=client_group_members.c.client_id,
    ),
}  # fmt: skip


def _select(name: str, most: int) -> sa.Select[Any]:
    """The first `most` records of the kind, in the shape of all."""
    kind = KINDS[name]
    columns = [
        sa.cast(sa.null(), type_).label(column)
        if column not in kind.columns and column != "id"
        else sa.type_coerce(kind.model.id if column == "id" else kind.columns[column], type_).label(column)
        for column, type_ in SHAPE.items()
    ]
    statement = sa.select(sa.literal(name).label("kind"), *columns).select_from(kind.model)
    for target, condition in kind.joins:
        statement = statement.join(target, condition)
    for target, condition in kind.outer_joins:
        statement = statement.outerjoin(target, condition)
    owner = kind.of_client if kind.of_client is not None else kind.model.client_id
    chosen = statement.where(owner == CLIENT, *kind.conditions).order_by(*kind.order).limit(most).subquery()
    return sa.select(*chosen.c)


@lru_cache(maxsize=64)
def _records(wanted: tuple[tuple[str, int], ...]) -> Any:
    return sa.union_all(*(_select(name, most) for name, most in wanted))


def records(client_id: int, wanted: Iterable[tuple[str, int]], *, now: datetime) -> dict[str, list[Any]]:
    """The first of each kind asked for, (kind of KINDS, how many), with one statement; in the kind's order."""
    asked = tuple(wanted)
    found: dict[str, list[Any]] = {name: [] for name, _most in asked}
    if asked:
        for row in plain_rows(_records(asked), {"client": client_id, "moment": now}):
            found[row.kind].append(row)
    return found

"""One client at a glance: what the profile asks the database for.

Each question costs the same whatever the client's history is: lists end after some rows, counts after some number,
and each goes through an index. What belongs together is asked in one statement (docs/decisions/profile.md).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import joinedload

from extensions import UTCDateTime, db, plain_rows
from models import (
    Account,
    AuditEvent,
    Characterization,
    Client,
    ClientNote,
    Expense,
    Feature,
    Invoice,
    InvoiceStatus,
    Payment,
    PaymentStatus,
    PenaltyPoint,
    Project,
    Service,
    ServiceStatus,
    Staff,
    Ticket,
    TicketStatus,
    Violation,
    ViolationStatus,
)

CLIENT = sa.bindparam("client", type_=sa.Integer)
MOMENT = sa.bindparam("moment", type_=UTCDateTime)
TODAY = sa.bindparam("today", type_=sa.Date)
# A service that ends within this time is shown as ending soon, as in the client's own panel.
SOON = timedelta(days=14)
# How far is counted. Who has more is told «more than».
MOST_COUNTED = 1_000
MOST_ACCOUNTS = 50
# Of more services nobody foretells when the money runs out.
MOST_FORETOLD = 500
MONTHS_SHOWN = 12
UNPAID = (InvoiceStatus.NEW, InvoiceStatus.OVERDUE)
OPEN_VIOLATIONS = (ViolationStatus.OPEN, ViolationStatus.ANSWERED)


def find(client_id: int) -> Client | None:
    """The client, deleted ones too, with all that its head names."""
    return db.session.scalar(
        sa.select(Client)
        .where(Client.id == client_id)
        .options(
            joinedload(Client.project),
            joinedload(Client.characterization).load_only(*_columns(Characterization)),
            joinedload(Client.characterization_by).lazyload(Staff.role),
            joinedload(Client.referrer).load_only(Client.id, Client.name),
            joinedload(Client.affiliate_program),
        )
    )


def _columns(model: Any) -> list[Any]:
    return [getattr(model, attribute.key) for attribute in sa.inspect(model).column_attrs]


# Figures


def _counted(*conditions: Any, of: Any, most: int = MOST_COUNTED) -> Any:
    """How many rows of `of` fulfil the conditions, as a part of a statement; one more than `most` is «more»."""
    found = sa.select(of.id).where(of.client_id == CLIENT, *conditions).limit(most + 1).subquery()
    return sa.select(sa.func.count()).select_from(found).scalar_subquery()


def _of_points(what: Any) -> Any:
    return sa.select(what).where(PenaltyPoint.client_id == CLIENT, PenaltyPoint.expires_at > MOMENT).scalar_subquery()


FIGURES = sa.select(
    _counted(Service.status == ServiceStatus.ACTIVE, of=Service).label("active"),
    _counted(Service.status == ServiceStatus.SUSPENDED, of=Service).label("suspended"),
    _counted(Ticket.status == TicketStatus.WAITING_STAFF, of=Ticket).label("waiting"),
    _counted(Violation.status.in_(OPEN_VIOLATIONS), of=Violation).label("violations"),
    _counted(of=ClientNote).label("notes"),
    _of_points(sa.func.sum(PenaltyPoint.points)).label("points"),
    _of_points(sa.func.min(PenaltyPoint.expires_at)).label("first_fades"),
    _of_points(sa.func.max(PenaltyPoint.expires_at)).label("last_fades"),
    sa.select(Feature.is_enabled).where(Feature.code == "abuse_handling").scalar_subquery().label("handles_abuse"),
)  # fmt: skip


def figures(client_id: int, *, now: datetime) -> Any:
    """Counts of the client's services, tickets that wait for staff, violations, notes and points that have not faded.

    A count of MOST_COUNTED + 1 stands for «more». Points fade between `first_fades` and `last_fades`.
    """
    return plain_rows(FIGURES, {"client": client_id, "moment": now}).one()


_unpaid = (
    sa.select(
        Invoice.account_id,
        Invoice.amount,
        sa.case((sa.or_(Invoice.status == InvoiceStatus.OVERDUE, Invoice.due_on < TODAY), 1), else_=0).label("late"),
    )
    .where(Invoice.client_id == CLIENT, Invoice.status.in_(UNPAID))
    .limit(MOST_COUNTED + 1)
    .subquery()
)
_sums = (
    sa.select(
        _unpaid.c.account_id,
        sa.func.count().label("unpaid"),
        sa.func.sum(_unpaid.c.amount).label("unpaid_sum"),
        sa.func.sum(_unpaid.c.late).label("overdue"),
        sa.func.sum(sa.case((_unpaid.c.late == 1, _unpaid.c.amount))).label("overdue_sum"),
    )
    .group_by(_unpaid.c.account_id)
    .subquery()
)
_is_home = sa.and_(Account.project_id == Client.project_id, Account.currency == Project.currency)
ACCOUNTS = (
    sa.select(
        Account.id, Account.currency, Account.balance, Account.credit_limit, Project.name.label("project"),
        sa.case((_is_home, 1), else_=0).label("is_home"), _sums.c.unpaid, _sums.c.unpaid_sum, _sums.c.overdue,
        _sums.c.overdue_sum,
    )
    .join(Client, Client.id == Account.client_id)
    .join(Project, Project.id == Account.project_id)
    .outerjoin(_sums, _sums.c.account_id == Account.id)
    .where(Account.client_id == CLIENT)
    .order_by(sa.case((_is_home, 0), else_=1), Account.id)
    .limit(MOST_ACCOUNTS)
)  # fmt: skip


def accounts(client_id: int, *, today: date) -> list[Any]:
    """The client's accounts, that of its home project first, each with its unpaid and overdue invoices.

    `today` is the reader's: an invoice whose day is before it is overdue, also where no job has said so yet.
    """
    return list(plain_rows(ACCOUNTS, {"client": client_id, "today": today}))


RUNNING = (
    sa.select(
        Service.id, Service.name, Service.account_id, Service.price, Service.period, Service.auto_renew,
        Service.expires_at, Account.currency,
    )
    .join(Account, Account.id == Service.account_id)
    .where(Service.client_id == CLIENT, Service.status == ServiceStatus.ACTIVE, Service.expires_at.is_not(None))
    .order_by(Service.expires_at, Service.id)
    .limit(MOST_FORETOLD + 1)
)  # fmt: skip


def running_services(client_id: int) -> list[Any]:
    """Active services whose time ends some day, the next to end first; one more than MOST_FORETOLD at most."""
    return list(plain_rows(RUNNING, {"client": client_id}))


# Months


@lru_cache(maxsize=2)
def _by_month(months: int) -> sa.Select[Any]:
    bounds = [sa.bindparam(f"from_{place}", type_=UTCDateTime) for place in range(months + 1)]
    each = [
        sa.select(sa.literal(place).label("place"), bounds[place].label("start"), bounds[place + 1].label("stop"))
        for place in range(months)
    ]
    month = sa.union_all(*each).subquery("month")

    def summed(model: Any, moment: Any, *conditions: Any) -> Any:
        within = (moment >= month.c.start, moment < month.c.stop)
        return sa.select(sa.func.sum(model.amount)).where(model.account_id == account.c.id, *conditions, *within)

    account = sa.select(Account.id).where(Account.client_id == CLIENT).limit(MOST_ACCOUNTS).subquery("account")
    paid = summed(Payment, Payment.paid_at, Payment.status == PaymentStatus.PAID).scalar_subquery()
    spent = summed(Expense, Expense.posted_at).scalar_subquery()
    return sa.select(account.c.id, month.c.place, paid.label("paid"), spent.label("spent")).select_from(
        account.join(month, sa.true())
    )


def by_month(client_id: int, bounds: Sequence[datetime]) -> dict[int, list[tuple[Any, Any]]]:
    """By account, what was paid and charged between each two of `bounds`: (paid, charged), None for nothing."""
    values = {f"from_{place}": moment for place, moment in enumerate(bounds)}
    found: dict[int, list[tuple[Any, Any]]] = defaultdict(lambda: [(None, None)] * (len(bounds) - 1))
    for account_id, place, paid, spent in plain_rows(_by_month(len(bounds) - 1), {"client": client_id, **values}):
        found[account_id][place] = (paid, spent)
    return dict(found)


# Notes and history


NOTES = (
    sa.select(
        ClientNote.id, ClientNote.row_version, ClientNote.text, ClientNote.is_pinned, ClientNote.created_at,
        ClientNote.author_id, Staff.full_name, Staff.username,
    )
    .outerjoin(Staff, Staff.id == ClientNote.author_id)
    .where(ClientNote.client_id == CLIENT)
    .order_by(ClientNote.is_pinned.desc(), ClientNote.id.desc())
    .limit(sa.bindparam("most", type_=sa.Integer))
)  # fmt: skip
OLDER_NOTES = NOTES.where(ClientNote.id < sa.bindparam("before", type_=sa.Integer), ~ClientNote.is_pinned)


def notes(client_id: int, *, most: int, before: int | None = None) -> list[Any]:
    """The client's notes: pinned ones first, then the newest; with `before`, those not pinned that are older."""
    values = {"client": client_id, "most": most}
    if before is None:
        return list(plain_rows(NOTES, values))
    return list(plain_rows(OLDER_NOTES, {**values, "before": before}))


def events(
    client_id: int, *, most: int, before: int | None = None, hidden: Sequence[str] = ()
) -> tuple[list[AuditEvent], bool]:
    """What happened to the client and its records, newest first, before the event `before`; whether there is more.

    What happened in the modules `hidden` is left out.
    """
    statement = sa.select(AuditEvent).where(AuditEvent.client_id == client_id)
    if hidden:
        statement = statement.where(AuditEvent.module.not_in(hidden))
    if before is not None:
        then = sa.select(AuditEvent.at).where(AuditEvent.id == before).correlate(None).scalar_subquery()
        statement = statement.where(sa.tuple_(AuditEvent.at, AuditEvent.id) < sa.tuple_(then, before))
    newest_first = (AuditEvent.at.desc(), AuditEvent.id.desc())
    found = list(db.session.scalars(statement.order_by(*newest_first).limit(most + 1)))
    return found[:most], len(found) > most

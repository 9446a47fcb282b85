"""Violations: what a client did against the rules, until when he may react, and what follows.

Here they are made, and a reaction is noted. What the clock does is violation_clock.py, what staff do
violation_steering.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from flask_babel import gettext as _

from extensions import JSONDocument, db
from models import (
    Client,
    Mailing,
    Product,
    Service,
    ServiceStatus,
    Ticket,
    Violation,
    ViolationAction,
    ViolationStatus,
)
from operations import audit, features, points
from operations.errors import OperationRefused

# A deadline must come so long after the start of its message, and no later than this from now.
LEAST_NOTICE = timedelta(seconds=10)
FURTHEST = timedelta(days=730)
# A message that starts later than it was to by more than this moves its deadline by as much.
LATE = timedelta(minutes=1)
MOST_PRODUCTS = 10
SHOWN_SERVICES = 5

STOPS = (ViolationAction.SUSPEND_SERVICES, ViolationAction.SUSPEND_SERVICE)


@dataclass(frozen=True)
class Parameters:
    """What the tab «Parameters» says. `service_id` only with `suspend_service`; `deadline` is an instant."""

    deadline: datetime
    action: ViolationAction
    points: int = 0
    comment: str = ""
    service_id: int | None = None

    def kept(self, *, starts_at: datetime) -> dict[str, Any]:
        """The parameters as a mailing keeps them, with the start that the deadline was promised for."""
        return {
            "deadline": self.deadline.isoformat(),
            "starts_at": starts_at.isoformat(),
            "action": self.action.value,
            "points": self.points,
            "comment": self.comment,
            "service_id": self.service_id,
        }

    @classmethod
    def of(cls, kept: Mapping[str, Any], *, now: datetime | None = None) -> Parameters:
        """The parameters that a mailing keeps. With `now`, the moment when it starts, a deadline of a message that
        starts late is later by as much: the client has the time that he was meant to have.
        """
        deadline = datetime.fromisoformat(kept["deadline"])
        late = now - datetime.fromisoformat(kept["starts_at"]) if now else timedelta(0)
        return cls(
            deadline=deadline + late if late > LATE else deadline,
            action=ViolationAction(kept["action"]),
            points=int(kept["points"]),
            comment=str(kept["comment"]),
            service_id=kept["service_id"],
        )


def refuse_bad(wanted: Parameters, *, starts_at: datetime, now: datetime) -> None:
    """Refuse, naming the field, a deadline that is too near or too far, and figures out of bounds."""
    refuse_deadline(wanted.deadline, starts_at=starts_at, now=now)
    if not 0 <= wanted.points <= points.MOST_POINTS:
        raise OperationRefused(
            _("A whole number from %(least)s to %(most)s.", least=0, most=points.MOST_POINTS), field="points"
        )
    if len(wanted.comment) > points.LONGEST_COMMENT:
        raise OperationRefused(_("No more than %(count)s characters.", count=points.LONGEST_COMMENT), field="comment")
    if (wanted.action is ViolationAction.SUSPEND_SERVICE) != (wanted.service_id is not None):
        raise OperationRefused(_("Choose the service that is to be stopped."), field="service")


def refuse_deadline(deadline: datetime, *, now: datetime, starts_at: datetime | None = None) -> None:
    """Refuse a deadline that has passed, is too far off to be meant, or too near to when its message starts."""
    if deadline <= now:
        raise OperationRefused(_("This time has passed."), field="deadline")
    if deadline > now + FURTHEST:
        raise OperationRefused(_("This is more than two years ahead."), field="deadline")
    if starts_at is not None and deadline < starts_at + LEAST_NOTICE:
        raise OperationRefused(_("The deadline must be later than the start of the message."), field="deadline")


def half_way(start: datetime, deadline: datetime) -> datetime:
    """When the reminder goes out."""
    return start + (deadline - start) / 2


def create_for(mailing: Mailing, *, now: datetime) -> None:
    """Make a violation for each ticket of a mailing that tells of one, with its points; all of them as sets."""
    wanted = Parameters.of(mailing.violation_parameters, now=now)
    rows = (
        sa.select(
            Ticket.id,
            Ticket.client_id,
            _same(wanted.deadline, Violation.deadline),
            sa.literal(wanted.action.value),
            sa.literal(wanted.service_id, sa.Integer),
            sa.literal(wanted.points),
            sa.literal(wanted.comment),
            _same(half_way(now, wanted.deadline), Violation.remind_at),
            sa.literal(ViolationStatus.OPEN.value),
            _same(now, Violation.created_at),
            sa.literal(1),
        )
        .where(Ticket.mailing_id == mailing.id)
        .order_by(Ticket.id)
    )
    names = ["ticket_id", "client_id", "deadline", "action", "service_id", "points", "comment", "remind_at", "status",
             "created_at", "row_version"]  # fmt: skip
    db.session.execute(sa.insert(Violation).from_select(names, rows, include_defaults=False))
    _record(mailing, wanted)
    if wanted.points:
        points.give_for(mailing, now=now)


def _same(value: datetime, column: Any) -> Any:
    return sa.literal(value, type_=column.type)


def _record(mailing: Mailing, wanted: Parameters) -> None:
    said = {"deadline": wanted.deadline, "action": wanted.action, "points": wanted.points, "comment": wanted.comment}
    after = {name: audit.plain(value) for name, value in said.items() if value}
    mine = Violation.ticket_id.in_(sa.select(Ticket.id).where(Ticket.mailing_id == mailing.id))
    audit.record_many(
        "create",
        module="violations",
        rows=sa.select(
            Violation.id, Violation.client_id, sa.literal({}, JSONDocument), sa.literal(after, JSONDocument)
        ).where(mine),
    )


def note_reaction(ticket: Ticket) -> bool:
    """Note that the client has reacted: an open violation of the ticket is answered, and nothing is executed.

    The ticket must be locked. What the clock has carried out already stays so. Returns whether there was an open one.
    """
    open_ones = db.session.scalars(
        sa.select(Violation)
        .where(Violation.ticket_id == ticket.id, Violation.status == ViolationStatus.OPEN)
        .execution_options(populate_existing=True)
        .with_for_update(of=Violation)
    ).all()
    for violation in open_ones:
        violation.status, violation.remind_at = ViolationStatus.ANSWERED, None
        if violation.limit_crossed_at is None or violation.limit_executed_at is not None:
            violation.held_at = violation.released_at = None
    db.session.flush()
    return bool(open_ones)


def refuse_open(ticket: Ticket) -> None:
    """Refuse to close a ticket while a deadline still runs in it: to close it would not stop the deadline."""
    if not features.abuse_handling():
        return
    is_open = sa.exists().where(Violation.ticket_id == ticket.id, Violation.status == ViolationStatus.OPEN)
    if db.session.scalar(sa.select(is_open)):
        raise OperationRefused(
            _("A violation is open in this ticket, and its deadline runs. Resolve or cancel the violation first.")
        )


def of_ticket(ticket: Ticket) -> list[Violation]:
    return list(db.session.scalars(sa.select(Violation).where(Violation.ticket_id == ticket.id).order_by(Violation.id)))


# What would be stopped


@dataclass(frozen=True)
class Sold:
    """Active services of one product: how many, of how many clients, and what the first are called."""

    product: str
    services: int
    clients: int
    names: list[str]


@dataclass(frozen=True)
class Stoppable:
    """The services that would be stopped: how many, of how many clients, by product; `more` products are left out."""

    services: int
    clients: int
    by_product: list[Sold]
    more: int


def active_services(clients: sa.Select[Any]) -> sa.Select[Any]:
    """The active services of `clients`, a select of ids."""
    return sa.select(Service).where(Service.client_id.in_(clients), Service.status == ServiceStatus.ACTIVE)


def stoppable(clients: sa.Select[Any]) -> Stoppable:
    """What would be stopped of `clients`, a select of ids, if it were done now."""
    here = sa.and_(Service.client_id.in_(clients), Service.status == ServiceStatus.ACTIVE)
    totals = db.session.execute(
        sa.select(sa.func.count(), sa.func.count(sa.distinct(Service.client_id))).where(here)
    ).one()
    rows = db.session.execute(
        sa.select(Product.id, Product.name, sa.func.count(Service.id), sa.func.count(sa.distinct(Service.client_id)))
        .join(Product, Product.id == Service.product_id)
        .where(here)
        .group_by(Product.id, Product.name)
        .order_by(sa.func.count(Service.id).desc(), Product.id)
    ).all()
    shown = [
        Sold(name, services, owners, _names(sa.and_(here, Service.product_id == number)))
        for number, name, services, owners in rows[:MOST_PRODUCTS]
    ]
    return Stoppable(totals[0], totals[1], shown, len(rows) - len(shown))


def _names(which: Any) -> list[str]:
    rows = db.session.execute(
        sa.select(Service.name, Client.name)
        .join(Client, Client.id == Service.client_id)
        .where(which)
        .order_by(Service.id)
        .limit(SHOWN_SERVICES)
    )
    return [f"{service} ({owner})" for service, owner in rows]


def services_at_stake(violation: Violation) -> list[Service]:
    """The active services that the violation would stop now; none for one that stops nothing."""
    if violation.action not in STOPS:
        return []
    statement = sa.select(Service).where(*what_it_stops(violation), Service.status == ServiceStatus.ACTIVE)
    return list(db.session.scalars(statement.order_by(Service.id)))


def what_it_stops(violation: Violation) -> tuple[Any, ...]:
    """The conditions of the services that the violation's action stops."""
    mine = (Service.client_id == violation.client_id,)
    if violation.action is ViolationAction.SUSPEND_SERVICE:
        return (*mine, Service.id == violation.service_id)
    return mine

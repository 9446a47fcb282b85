"""What waits for somebody, as numbers that cost little: counted no further than a hundred."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from models import BreakerTrip, DeskHold, Ticket, TicketStatus, Violation, ViolationStatus
from operations import deletion

MOST_COUNTED = 100


def waiting_for_staff() -> sa.ScalarSelect[Any]:
    """How many tickets wait for staff, as a part of a statement."""
    waiting = sa.and_(Ticket.status == TicketStatus.WAITING_STAFF, deletion.is_of_the_living(Ticket.client_id))
    rows = sa.select(Ticket.id).where(waiting).limit(MOST_COUNTED).subquery()
    return sa.select(sa.func.count()).select_from(rows).scalar_subquery()


def answered_violations() -> sa.ScalarSelect[Any]:
    """How many violations have an answer that staff have to judge, as a part of a statement."""
    rows = sa.select(Violation.id).where(Violation.status == ViolationStatus.ANSWERED).limit(MOST_COUNTED).subquery()
    return sa.select(sa.func.count()).select_from(rows).scalar_subquery()


def open_trip() -> sa.ScalarSelect[Any]:
    """The id of the time that the breaker is open for, as a part of a statement."""
    return sa.select(BreakerTrip.id).where(BreakerTrip.is_open).scalar_subquery()


def open_hold() -> sa.ScalarSelect[Any]:
    """The id of the time that the desk is held for, as a part of a statement."""
    return sa.select(DeskHold.id).where(DeskHold.is_open).scalar_subquery()

"""What waits for somebody, as numbers that cost little: counted no further than a hundred."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from extensions import db
from models import BreakerTrip, DeskHold, Heartbeat, Ticket, TicketStatus, Violation, ViolationStatus
from operations import deletion

MOST_COUNTED = 100
# A worker gives a sign of life every few seconds. Where none did for so long, it is said where somebody waits for one,
# and after the longer time to everybody.
WORKER_MISSED_AFTER = timedelta(minutes=2)
WORKER_SILENCE = timedelta(minutes=5)


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


def last_heartbeat() -> sa.ScalarSelect[Any]:
    """When a worker gave its last sign of life, as a part of a statement; None where none runs that was not ended."""
    return sa.select(sa.func.max(Heartbeat.seen_at)).scalar_subquery()


def silent_since(last: datetime | None, *, now: datetime) -> datetime | None:
    """Since when no worker has reported; None where one has lately, or where all that ran were ended properly."""
    return last if last is not None and last < now - WORKER_SILENCE else None


def a_worker_lives(*, now: datetime) -> bool:
    return (
        db.session.scalar(sa.select(Heartbeat.id).where(Heartbeat.seen_at > now - WORKER_MISSED_AFTER).limit(1))
        is not None
    )

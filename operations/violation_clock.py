"""What the clock does to violations: a reminder half-way, and at the deadline what was announced, exactly once.

A violation is carried out in one transaction, which locks first its ticket and then itself, as an answer does: of an
answer and the clock one comes first, and the other finds what it did.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from extensions import db, rows_changed
from models import (
    Client,
    Service,
    SuspensionReason,
    Ticket,
    TicketStatus,
    TripReason,
    Violation,
    ViolationStatus,
    ViolationTry,
)
from operations import audit, breaker, desk_mark, features, suspensions, violation_letters, violations

# A wall clock that goes on by more than this between two looks has jumped.
JUMP = timedelta(hours=1)
MOST_AT_ONCE = 500
# After so many failed tries staff are told.
TRIES_TOLD = 3
LONGEST_WAIT = timedelta(hours=1)


class ClockWatch:
    """Looks at the wall clock of one process that runs, and sees when it jumps.

    Time when no process ran is none: a process that starts has nothing to compare with.
    """

    def __init__(self) -> None:
        self._last: datetime | None = None

    def look(self, now: datetime) -> timedelta | None:
        """By how much the clock has jumped ahead since the last look, which was seconds ago; None if it has not."""
        last, self._last = self._last, now
        return now - last if last is not None and now - last > JUMP else None


def is_due(now: datetime) -> Any:
    """The condition that something is to be done to a violation, held or not."""
    alive = sa.exists().where(Client.id == Violation.client_id, Client.deleted_at.is_(None))
    return sa.and_(sa.or_(_deadline_passed(now), _limit_due()), alive)


def _deadline_passed(now: datetime) -> Any:
    return sa.and_(Violation.status == ViolationStatus.OPEN, Violation.deadline <= now)


def _limit_due() -> Any:
    return sa.and_(Violation.limit_crossed_at.is_not(None), Violation.limit_executed_at.is_(None))


def _put_off(now: datetime) -> Any:
    return sa.exists().where(ViolationTry.violation_id == Violation.id, ViolationTry.next_attempt_at > now)


def anything_due(*, now: datetime) -> bool:
    """Whether a sweep would find anything; asked without standing in the way of those who write."""
    if not db.session().in_transaction():
        db.session.connection(execution_options={"reads_only": True})
    to_do = sa.and_(is_due(now), Violation.held_at.is_(None), ~_put_off(now), desk_mark.free())
    statement = sa.union_all(
        sa.select(Violation.id).where(to_do).limit(1).subquery().select(),
        sa.select(Violation.id).where(_to_remind(now), desk_mark.free()).limit(1).subquery().select(),
    )
    found = db.session.execute(statement).first() is not None
    return found or breaker.open_trip() is not None


def due(*, now: datetime) -> list[int]:
    """The ids of the violations that may be carried out now, the longest due first.

    First asks the breaker: what falls due while it is open, or opens it, is held. What staff have released goes
    through. While the feature is off, nothing does.
    """
    is_on = features.abuse_handling()
    free = sa.and_(is_due(now), Violation.held_at.is_(None), ~_put_off(now), desk_mark.free())
    fresh = sa.and_(free, Violation.released_at.is_(None))
    if is_on:
        breaker.close_if_done(by=None, now=now)
    if breaker.open_trip() is None:
        _trip_if_needed(fresh, is_on=is_on, now=now)
    if breaker.open_trip() is not None:
        breaker.hold(fresh, now=now)
        free = sa.and_(free, Violation.released_at.is_not(None))
    if not is_on:
        return []
    rows = sa.select(Violation.id).where(free).order_by(Violation.deadline, Violation.id).limit(MOST_AT_ONCE)
    return list(db.session.scalars(rows))


def _trip_if_needed(fresh: Any, *, is_on: bool, now: datetime) -> None:
    clients = db.session.scalar(sa.select(sa.func.count(sa.distinct(Violation.client_id))).where(fresh)) or 0
    if clients and not is_on:
        breaker.trip(TripReason.OFF, clients=clients, now=now)
    elif breaker.is_too_many(clients):
        breaker.trip(TripReason.MANY, clients=clients, now=now)


def execute(violation_id: int, *, now: datetime) -> bool:
    """Carry out what the violation announced; False where there is nothing to do (any more), or somebody is at it.

    Stops services, or puts the ticket among the active requests; writes one audit event and one letter.
    """
    violation = _lock(violation_id)
    if violation is None or violation.held_at is not None or not features.abuse_handling():
        return False
    because = []
    services: list[suspensions.Touched] = []
    if violation.limit_crossed_at is not None and violation.limit_executed_at is None:
        because.append("limit")
        services += _suspend(violation, Service.client_id == violation.client_id)
    if violation.status is ViolationStatus.OPEN and violation.deadline <= now:
        because.append("deadline")
        if violation.action in violations.STOPS:
            services += _suspend(violation, *violations.what_it_stops(violation))
        else:
            _to_active(violation.ticket_id, now)
    if not because:
        return False
    _note(violation, because, services, now)
    violation_letters.tell_executed(violation, because=because, services=[one.name for one in services], now=now)
    return True


def _lock(violation_id: int) -> Violation | None:
    """The violation as it is now, with its client nobody else's until the end of the transaction; its ticket first."""
    ticket = (
        sa.select(Ticket.id)
        .join(Violation, Violation.ticket_id == Ticket.id)
        .where(Violation.id == violation_id)
        .with_for_update(skip_locked=True, of=Ticket)
    )
    if db.session.scalar(ticket) is None:
        return None
    return db.session.scalar(
        sa.select(Violation)
        .join(Client, Client.id == Violation.client_id)
        .where(Violation.id == violation_id, Client.deleted_at.is_(None), desk_mark.free())
        .execution_options(populate_existing=True)
        .with_for_update(of=[Violation, Client], key_share=True)
    )


def _suspend(violation: Violation, *which: Any) -> list[suspensions.Touched]:
    return suspensions.suspend(*which, reason=SuspensionReason.VIOLATION, violation_id=violation.id)


def _to_active(ticket_id: int, now: datetime) -> None:
    before = db.session.scalar(sa.select(Ticket.status).where(Ticket.id == ticket_id))
    rows_changed(
        sa.update(Ticket)
        .where(Ticket.id == ticket_id)
        .values(status=TicketStatus.WAITING_STAFF, updated_at=now, row_version=Ticket.row_version + 1)
    )
    audit.record(
        "edit", module="tickets", record_id=ticket_id, before={"status": before},
        after={"status": TicketStatus.WAITING_STAFF},
        client_id=db.session.scalar(sa.select(Ticket.client_id).where(Ticket.id == ticket_id)),
    )  # fmt: skip


def _note(violation: Violation, because: list[str], services: list[suspensions.Touched], now: datetime) -> None:
    changed: dict[str, Any] = {"held_at": None, "released_at": None}
    if "deadline" in because:
        changed |= {"status": ViolationStatus.EXECUTED, "executed_at": now, "remind_at": None}
    if "limit" in because:
        changed["limit_executed_at"] = now
    audit.record(
        "execute",
        module="violations",
        record_id=violation.id,
        client_id=violation.client_id,
        before={"status": violation.status} if "deadline" in because else {},
        after={**{name: value for name, value in changed.items() if value}, "stopped": [one.name for one in services]},
    )
    rows_changed(
        sa.update(Violation)
        .where(Violation.id == violation.id)
        .values(**changed, row_version=Violation.row_version + 1)
    )
    db.session.execute(sa.delete(ViolationTry).where(ViolationTry.violation_id == violation.id))
    db.session.expire(violation)


def put_off(violation_id: int, *, error: str, now: datetime) -> None:
    """Try a violation that could not be carried out again later; after the third time staff are told."""
    violation = db.session.get(Violation, violation_id)
    if violation is None:
        return
    tried = db.session.get(ViolationTry, violation_id) or ViolationTry(violation_id=violation_id, attempts=0)
    tried.attempts += 1
    tried.next_attempt_at = now + min(timedelta(seconds=15 * 2**tried.attempts), LONGEST_WAIT)
    tried.last_error = error[:500]
    db.session.add(tried)
    db.session.flush()
    if tried.attempts == TRIES_TOLD:
        violation_letters.tell_of_failure(violation, error=tried.last_error, now=now)


# Half-way


def _to_remind(now: datetime) -> Any:
    return sa.and_(
        Violation.remind_at.is_not(None), Violation.remind_at <= now, Violation.status == ViolationStatus.OPEN
    )


def to_remind(*, now: datetime) -> list[int]:
    """The ids of the violations whose reminder is due. None while the breaker is open or the feature off."""
    if not features.abuse_handling() or breaker.open_trip() is not None:
        return []
    which = sa.and_(_to_remind(now), desk_mark.free())
    rows = sa.select(Violation.id).where(which).order_by(Violation.remind_at).limit(MOST_AT_ONCE)
    return list(db.session.scalars(rows))


def remind(violation_id: int, *, now: datetime) -> bool:
    """Queue the reminder, once; where the deadline has passed as well, it comes too late and none is sent."""
    mine = sa.and_(Violation.id == violation_id, _to_remind(now), desk_mark.free())
    won = rows_changed(
        sa.update(Violation).where(mine, Violation.deadline > now).values(remind_at=None, reminded_at=now)
    )
    if not won:
        rows_changed(sa.update(Violation).where(mine).values(remind_at=None))
        return False
    violation = db.session.get_one(Violation, violation_id, populate_existing=True)
    violation_letters.remind(violation, now=now)
    return True

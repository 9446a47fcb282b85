"""What staff do with a violation: give more time, resolve, cancel.

Each locks the ticket and then the violation, as the clock and an answer do, and says what came first where it is too
late.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from flask_babel import gettext as _
from flask_babel import ngettext

from extensions import db, rows_changed
from models import Service, Ticket, Violation, ViolationStatus, ViolationTry
from operations import audit, points, suspensions, violation_letters, violations
from operations.errors import OperationRefused

WAITING = (ViolationStatus.OPEN, ViolationStatus.ANSWERED)


def extend(violation: Violation, *, deadline: datetime, now: datetime) -> None:
    """Give the client time until `deadline`; after an answer that does not settle the matter, the clock runs anew.

    Refuses (naming the field) a deadline that has passed, is too far off, or comes before the one that was promised;
    and a violation that is over.
    """
    _lock(violation)
    _refuse_unless(violation, WAITING)
    violations.refuse_deadline(deadline, now=now)
    if violation.status is ViolationStatus.OPEN and deadline <= violation.deadline:
        raise OperationRefused(_("This is no later than the deadline that the client was given."), field="deadline")
    _write(
        violation,
        {"remind_at": violations.half_way(now, deadline), "reminded_at": None},
        action="extend",
        before={"deadline": violation.deadline, "status": violation.status},
        after={"deadline": deadline, "status": ViolationStatus.OPEN},
    )
    violation_letters.tell_news(violation, what="extended", now=now)


def resolve(violation: Violation, *, now: datetime) -> list[suspensions.Touched]:
    """Note that the matter is settled; the services that this violation stopped run again, and no others.

    One that it stopped and that has been stopped for another reason since stays so. Returns those that run again.
    Refuses a violation that is resolved or cancelled.
    """
    return _end(violation, ViolationStatus.RESOLVED, "resolve", (*WAITING, ViolationStatus.EXECUTED), now)


def cancel(violation: Violation, *, keep_points: bool = False, now: datetime) -> list[suspensions.Touched]:
    """Take the violation back before it is carried out, and its points with it unless they are to be kept.

    Services that were stopped as its points went over the limit run again; returns those. Refuses a violation that
    was carried out, resolved or cancelled.
    """
    services = _end(violation, ViolationStatus.CANCELLED, "cancel", WAITING, now)
    if not keep_points:
        points.take_back_of(violation)
    return services


def _end(
    violation: Violation, status: ViolationStatus, action: str, allowed: tuple[ViolationStatus, ...], now: datetime
) -> list[suspensions.Touched]:
    _lock(violation)
    _refuse_unless(violation, allowed)
    services = suspensions.resume(suspensions.stopped_by(violation.id))
    _write(
        violation,
        {"remind_at": None, "limit_crossed_at": violation.limit_crossed_at if violation.limit_executed_at else None},
        action=action,
        before={"status": violation.status},
        after={"status": status},
        resumed=[one.name for one in services],
    )
    violation_letters.tell_news(violation, what=status.value, services=[one.name for one in services], now=now)
    return services


def _lock(violation: Violation) -> None:
    """Read the violation again and keep others from it until the end of the transaction; its ticket first."""
    db.session.execute(sa.select(Ticket.id).where(Ticket.id == violation.ticket_id).with_for_update())
    db.session.refresh(violation, with_for_update={"of": Violation})


def _write(
    violation: Violation,
    values: dict[str, Any],
    *,
    action: str,
    before: dict[str, Any],
    after: dict[str, Any],
    resumed: Sequence[str] = (),
) -> None:
    """Set the values and those of `after`, with one event; what was held or put off is so no longer."""
    said = {**after, "resumed": list(resumed)} if resumed else after
    audit.record(
        action, module="violations", record_id=violation.id, client_id=violation.client_id, before=before, after=said
    )
    rows_changed(
        sa.update(Violation)
        .where(Violation.id == violation.id)
        .values(**values, **after, held_at=None, released_at=None, row_version=Violation.row_version + 1)
    )
    db.session.execute(sa.delete(ViolationTry).where(ViolationTry.violation_id == violation.id))
    db.session.refresh(violation)


def _refuse_unless(violation: Violation, allowed: tuple[ViolationStatus, ...]) -> None:
    """Say what came first where it is too late."""
    if violation.status in allowed:
        return
    if violation.status is ViolationStatus.EXECUTED:
        stopped = db.session.scalar(
            sa.select(sa.func.count()).select_from(Service).where(suspensions.stopped_by(violation.id))
        )
        raise OperationRefused(
            ngettext(
                "The deadline came first: the violation was carried out, %(num)s service is stopped. Resolve it to let it run again.",
                "The deadline came first: the violation was carried out, %(num)s services are stopped. Resolve it to let them run again.",
                stopped or 0,
            )
        )
    if violation.status is ViolationStatus.RESOLVED:
        raise OperationRefused(_("This violation is resolved already."))
    raise OperationRefused(_("This violation is cancelled already."))

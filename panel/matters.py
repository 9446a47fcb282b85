"""Violations as the client reads them: until when to answer, what follows, and why a service is stopped."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_login import current_user

from extensions import db, now
from models import (
    PenaltyPoint,
    Service,
    ServiceStatus,
    SuspensionReason,
    Ticket,
    Violation,
    ViolationAction,
    ViolationStatus,
)
from operations import features, points, suspensions, violations
from panel.records import own

STATUS_WORDS = {
    "open": _l("Waits for your answer"),
    "answered": _l("You have answered"),
    "executed": _l("The time is over"),
    "resolved": _l("Settled"),
    "cancelled": _l("Taken back"),
}


def of_ticket(ticket: Ticket) -> list[dict[str, Any]]:
    """What the ticket demands until when, what will follow or did, and its points; not the comment on them."""
    if not features.abuse_handling():
        return []
    return [
        {
            "record": one,
            "words": STATUS_WORDS[one.status.value],
            "follows": _what_follows(one),
            "at_stake": violations.services_at_stake(one) if one.status is ViolationStatus.OPEN else [],
            "stopped": _stopped(one),
            "points_fade_at": _points_fade_at(one),
            "points": _points_of(one),
        }
        for one in violations.of_ticket(ticket)
    ]


def _what_follows(violation: Violation) -> str:
    if violation.action is ViolationAction.TO_ACTIVE:
        return _("Our staff take the matter up again.")
    if violation.action is ViolationAction.SUSPEND_SERVICE:
        return _("The service concerned is stopped.")
    return _("All your active services are stopped.")


def _stopped(violation: Violation) -> list[Service]:
    rows = db.session.scalars(sa.select(Service).where(suspensions.stopped_by(violation.id)).order_by(Service.id))
    return list(rows)


def _points_of(violation: Violation) -> int:
    """The points that were given for it and not taken back."""
    statement = sa.select(sa.func.sum(PenaltyPoint.points)).where(PenaltyPoint.violation_id == violation.id)
    return db.session.scalar(statement) or 0


def _points_fade_at(violation: Violation) -> datetime | None:
    return db.session.scalar(
        sa.select(sa.func.max(PenaltyPoint.expires_at)).where(PenaltyPoint.violation_id == violation.id)
    )


def my_points() -> dict[str, Any] | None:
    """The client's points that count now, with when each fades; None where there are none, or nobody counts them."""
    if not features.abuse_handling():
        return None
    moment = now()
    rows = db.session.scalars(
        own(PenaltyPoint).where(PenaltyPoint.expires_at > moment).order_by(PenaltyPoint.expires_at, PenaltyPoint.id)
    ).all()
    if not rows:
        return None
    total, most = sum(row.points for row in rows), points.limit()
    return {"total": total, "limit": most, "is_over": bool(most) and total > most, "entries": rows}


def open_ones(limit: int) -> list[dict[str, Any]]:
    """The violations that wait for the client's answer, the next due first."""
    if not features.abuse_handling():
        return []
    rows = db.session.execute(
        sa.select(Violation, Ticket.subject)
        .join(Ticket, Ticket.id == Violation.ticket_id)
        .where(Violation.client_id == current_user.client_id, Violation.status == ViolationStatus.OPEN)
        .order_by(Violation.deadline, Violation.id)
        .limit(limit)
    )
    return [
        {"record": violation, "subject": subject, "follows": _what_follows(violation)} for violation, subject in rows
    ]


def stopping(limit: int) -> list[dict[str, Any]]:
    """The matters for which services of the client are stopped now, with how many; the latest first."""
    if not features.abuse_handling():
        return []
    count = sa.select(sa.func.count()).where(suspensions.stopped_by(Violation.id)).scalar_subquery()
    rows = db.session.execute(
        sa.select(Violation, Ticket.subject, count)
        .join(Ticket, Ticket.id == Violation.ticket_id)
        .where(Violation.client_id == current_user.client_id, count > 0)
        .order_by(Violation.id.desc())
        .limit(limit)
    )
    return [{"record": violation, "subject": subject, "count": number} for violation, subject, number in rows]


def why_stopped(service: Service) -> dict[str, Any] | None:
    """The matter that a service is stopped for; None for one that runs, or is stopped for another reason."""
    is_mine = service.status is ServiceStatus.SUSPENDED and service.suspension_reason is SuspensionReason.VIOLATION
    if not is_mine or not features.abuse_handling():
        return None
    violation = db.session.get(Violation, service.suspended_by_violation_id or 0)
    if violation is None:
        return {"text": _("You have more penalty points than the rules allow."), "ticket": None}
    ticket = db.session.get_one(Ticket, violation.ticket_id)
    if violation.status is not ViolationStatus.EXECUTED and violation.limit_executed_at is not None:
        return {"text": _("You have more penalty points than the rules allow."), "ticket": ticket}
    return {"text": _("There was no answer in time to what we wrote to you."), "ticket": ticket}

"""Penalty points: entries that say why and fade. Over the limit a client's services are stopped."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from flask_babel import gettext as _

from extensions import db, rows_changed
from models import (
    Client,
    Mailing,
    PenaltyPoint,
    Service,
    Staff,
    SuspensionReason,
    Ticket,
    Violation,
    ViolationStatus,
)
from operations import features, settings, suspensions
from operations.errors import OperationRefused

MOST_POINTS = 1000
LONGEST_COMMENT = 1000


def limit() -> int:
    """Above how many points a client's services are stopped; 0 is never."""
    return int(settings.get("penalty_limit"))


def fade_at(now: datetime) -> datetime:
    """Until when points given now count."""
    return now + timedelta(days=int(settings.get("penalty_days")))


def of_client(client_id: int, *, now: datetime) -> int:
    """The points that count now."""
    statement = sa.select(sa.func.sum(PenaltyPoint.points)).where(
        PenaltyPoint.client_id == client_id, PenaltyPoint.expires_at > now
    )
    return db.session.scalar(statement) or 0


def entries_of(client_id: int) -> list[PenaltyPoint]:
    """All entries of a client, the newest first, those that have faded among them."""
    statement = sa.select(PenaltyPoint).where(PenaltyPoint.client_id == client_id).order_by(PenaltyPoint.id.desc())
    return list(db.session.scalars(statement))


def is_over_limit(client_id: int, *, now: datetime) -> bool:
    """Whether the client has more points now than the limit allows."""
    most = limit()
    return bool(most) and features.abuse_handling() and of_client(client_id, now=now) > most


def give(client: Client, *, points: int, comment: str, by: Staff, now: datetime) -> list[suspensions.Touched]:
    """Add points by hand. Over the limit, all services of the client are stopped at once; returns those.

    Refuses (naming the field) a number out of bounds, and an empty or overlong comment.
    """
    if not 0 < points <= MOST_POINTS:
        raise OperationRefused(
            _("A whole number from %(least)s to %(most)s.", least=1, most=MOST_POINTS), field="points"
        )
    if not comment.strip():
        raise OperationRefused(_("Say what the points are for."), field="comment")
    if len(comment) > LONGEST_COMMENT:
        raise OperationRefused(_("No more than %(count)s characters.", count=LONGEST_COMMENT), field="comment")
    # Two who give points at once must see each other's.
    db.session.refresh(client, with_for_update={"of": Client, "key_share": True})
    entry = PenaltyPoint(
        client_id=client.id, points=points, comment=comment.strip(), author_id=by.id, created_at=now,
        expires_at=fade_at(now),
    )  # fmt: skip
    db.session.add(entry)
    db.session.flush()
    if not is_over_limit(client.id, now=now):
        return []
    return suspensions.suspend(Service.client_id == client.id, reason=SuspensionReason.VIOLATION)


def take_back(entry: PenaltyPoint) -> None:
    """Remove points that were given. Services that are stopped stay so until staff resume them."""
    db.session.delete(entry)
    db.session.flush()


def take_back_of(violation: Violation) -> int:
    """Remove the points that were given for a violation; returns how many they were."""
    entries = db.session.scalars(sa.select(PenaltyPoint).where(PenaltyPoint.violation_id == violation.id)).all()
    total = sum(entry.points for entry in entries)
    for entry in entries:
        db.session.delete(entry)
    db.session.flush()
    return total


def stopped_for_points(client_id: int) -> Any:
    """The condition that a service is stopped for points that were given by hand."""
    return sa.and_(
        Service.client_id == client_id,
        Service.suspension_reason == SuspensionReason.VIOLATION,
        Service.suspended_by_violation_id.is_(None),
    )


def give_for(mailing: Mailing, *, now: datetime) -> None:
    """Add the points of a mailing's violations, and note whose services are due to be stopped for them.

    The stopping itself is the clock's, so that the breaker stands before it.
    """
    rows = (
        sa.select(
            Violation.client_id,
            Violation.id,
            Violation.points,
            Violation.comment,
            sa.literal(mailing.staff_id),
            sa.literal(now, type_=PenaltyPoint.created_at.type),
            sa.literal(fade_at(now), type_=PenaltyPoint.expires_at.type),
        )
        .where(Violation.ticket_id.in_(_tickets_of(mailing)), Violation.points > 0)
        .order_by(Violation.id)
    )
    names = ["client_id", "violation_id", "points", "comment", "author_id", "created_at", "expires_at"]
    db.session.execute(sa.insert(PenaltyPoint).from_select(names, rows, include_defaults=False))
    if most := limit():
        _note_crossings(mailing, most, now)


def _note_crossings(mailing: Mailing, most: int, now: datetime) -> None:
    over = (
        sa.select(PenaltyPoint.client_id)
        .where(PenaltyPoint.expires_at > now)
        .group_by(PenaltyPoint.client_id)
        .having(sa.func.sum(PenaltyPoint.points) > most)
    )
    rows_changed(
        sa.update(Violation)
        .where(
            Violation.ticket_id.in_(_tickets_of(mailing)),
            Violation.points > 0,
            Violation.status == ViolationStatus.OPEN,
            Violation.client_id.in_(over),
        )
        .values(limit_crossed_at=now)
    )


def _tickets_of(mailing: Mailing) -> sa.Select[Any]:
    return sa.select(Ticket.id).where(Ticket.mailing_id == mailing.id)

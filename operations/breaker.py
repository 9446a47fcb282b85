"""The breaker: when very many services would be stopped at once, or a clock jumped, nothing is until staff confirm.

While a trip is open, whatever falls due is held as well. Staff look at the list and release what stands in it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from flask_babel import gettext as _
from flask_babel import ngettext
from sqlalchemy.exc import IntegrityError

from extensions import JSONDocument, db, rows_changed
from models import BreakerTrip, Client, Staff, TripReason, Violation
from operations import audit, settings, violation_letters
from operations.errors import OperationRefused

# So few clients are never too many, whatever part of all clients they are.
FEWEST = 5


def is_too_many(clients: int) -> bool:
    """Whether so many clients at once are more than the settings allow without a question."""
    if clients > int(settings.get("breaker_clients")):
        return True
    if clients < FEWEST:
        return False
    living = db.session.scalar(sa.select(sa.func.count()).where(Client.deleted_at.is_(None))) or 0
    return clients * 100 > int(settings.get("breaker_percent")) * living


def open_trip() -> BreakerTrip | None:
    """The trip that is open now."""
    return db.session.scalar(sa.select(BreakerTrip).where(BreakerTrip.is_open))


def trip(reason: TripReason, *, clients: int = 0, seconds: int = 0, now: datetime) -> BreakerTrip | None:
    """Open the breaker, and tell staff by letter; None where it is open already."""
    if open_trip() is not None:
        return None
    made = BreakerTrip(reason=reason, clients=clients, seconds=seconds, tripped_at=now)
    try:
        with db.session.begin_nested():
            db.session.add(made)
    except IntegrityError:
        # Another worker was quicker.
        return None
    audit.record("trip", module="violations", after={"reason": reason, "clients": clients, "seconds": seconds})
    if reason not in {TripReason.OFF, TripReason.COPY}:
        violation_letters.tell_of_trip(made, now=now)
    return made


def hold(which: Any, *, now: datetime) -> int:
    """Hold the violations that fulfil the condition; returns how many."""
    return rows_changed(
        sa.update(Violation)
        .where(which, Violation.held_at.is_(None), Violation.released_at.is_(None))
        .values(held_at=now, row_version=Violation.row_version + 1)
    )


def held() -> Any:
    """The condition that a violation is held, and that of a living client."""
    alive = sa.exists().where(Client.id == Violation.client_id, Client.deleted_at.is_(None))
    return sa.and_(Violation.held_at.is_not(None), alive)


def count_held() -> int:
    return db.session.scalar(sa.select(sa.func.count()).select_from(Violation).where(held())) or 0


def confirm(*, by: Staff, count: int, until: datetime, now: datetime) -> tuple[int, int]:
    """Release the violations that were held until `until`: they are carried out by the clock within seconds.

    `count` is how many the confirming person has seen; refuses when there are others by now. What is not due by
    the present clock goes back to waiting for its deadline. Closes the breaker when nothing is held any more.
    Returns how many are released, and how many wait again.
    """
    seen = sa.and_(held(), Violation.held_at <= until)
    ids = list(
        db.session.scalars(sa.select(Violation.id).where(seen).order_by(Violation.id).with_for_update(of=Violation))
    )
    if len(ids) != count:
        raise OperationRefused(_("The list has changed meanwhile. Look at it again, then confirm."))
    among = Violation.held_at <= until
    due = sa.or_(Violation.limit_crossed_at.is_not(None), Violation.deadline <= now)
    _record_release(sa.and_(held(), among, due))
    released = _let_go(sa.and_(held(), among, due), released_at=now)
    waiting = _let_go(sa.and_(held(), among), released_at=None)
    db.session.expire_all()
    close_if_done(by=by, now=now, also_clock=True)
    return released, waiting


def _let_go(which: Any, *, released_at: datetime | None) -> int:
    return rows_changed(
        sa.update(Violation)
        .where(which)
        .values(held_at=None, released_at=released_at, row_version=Violation.row_version + 1)
    )


def _record_release(which: Any) -> None:
    empty = sa.literal({}, JSONDocument)
    audit.record_many(
        "release", module="violations", rows=sa.select(Violation.id, Violation.client_id, empty, empty).where(which)
    )


def close_if_done(*, by: Staff | None, now: datetime, also_clock: bool = False) -> bool:
    """Close the breaker when nothing is held any more. That a clock is right, only a person can say."""
    found = open_trip()
    if found is None or count_held() or (found.reason is TripReason.CLOCK and not also_clock):
        return False
    found.is_open, found.closed_at, found.closed_by_id = False, now, by.id if by else None
    db.session.flush()
    audit.record("untrip", module="violations", after={"reason": found.reason})
    return True


def in_words(found: BreakerTrip) -> str:
    """Why nothing is stopped by itself."""
    if found.reason is TripReason.CLOCK:
        hours = round(found.seconds / 3600)
        return ngettext(
            "The clock of a worker jumped by %(num)s hour.", "The clock of a worker jumped by %(num)s hours.", hours
        )
    if found.reason is TripReason.OFF:
        return _("Deadlines passed while the handling of abuse was switched off.")
    if found.reason is TripReason.COPY:
        return _("A copy of the database was put back, which does not know what clients have answered since.")
    return ngettext(
        "The deadlines of %(num)s client passed at once.",
        "The deadlines of %(num)s clients passed at once.",
        found.clients,
    )

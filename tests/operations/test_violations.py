"""What staff do with violations, points and services: exact undo, and who came first."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from extensions import Clock, db, now
from models import (
    Client,
    PenaltyPoint,
    Service,
    ServiceStatus,
    SuspensionReason,
    Ticket,
    Violation,
    ViolationStatus,
)
from operations import clients, points, suspensions, tickets, violation_steering
from operations.errors import OperationRefused
from tests import factories as make
from tests.support import violations as v

pytestmark = pytest.mark.usefixtures("session")


def executed(owner: Client | None = None, **more: Any) -> Violation:
    number = v.violation(owner, **more)
    v.work()
    return v.found(number)


# Resolve


def test_resolving_lets_run_exactly_what_it_stopped() -> None:
    owner = v.client_with_services(3)
    make.service(owner, status="suspended", suspension_reason="unpaid")
    make.service(owner, status="suspended", suspension_reason="violation")
    violation = executed(owner)
    # One that it stopped is not paid for meanwhile.
    unpaid = db.session.scalars(sa.select(Service).where(Service.client_id == owner.id).order_by(Service.id)).first()
    assert unpaid is not None
    unpaid.suspension_reason = SuspensionReason.UNPAID
    db.session.commit()
    resumed = violation_steering.resolve(violation, now=now())
    db.session.commit()
    assert len(resumed) == 2
    assert v.services_of(owner.id) == [
        ("suspended", "unpaid", violation.id), ("active", None, None), ("active", None, None),
        ("suspended", "unpaid", None), ("suspended", "violation", None),
    ]  # fmt: skip
    assert violation.status is ViolationStatus.RESOLVED
    assert db.session.get_one(Client, owner.id).active_services == 2
    [event] = v.events("resolve")
    assert (event.before["status"], event.after["status"]) == ("executed", "resolved")
    assert len(event.after["resumed"]) == 2
    assert len(v.events("resume", "services")) == 2
    assert v.events("edit") == []
    [letter] = v.letters("violation_news")
    assert letter.context["what"] == "resolved"


def test_two_violations_each_let_run_what_they_stopped_themselves() -> None:
    owner = v.client_with_services(1)
    first = executed(owner)
    make.service(owner)
    second = executed(owner)
    violation_steering.resolve(second, now=now())
    db.session.commit()
    assert [one[0] for one in v.services_of(owner.id)] == ["suspended", "active"]
    violation_steering.resolve(first, now=now())
    db.session.commit()
    assert [one[0] for one in v.services_of(owner.id)] == ["active", "active"]


def test_an_open_one_is_resolved_and_the_clock_leaves_it_alone(clock: Clock) -> None:
    owner = v.client_with_services(1)
    violation = v.found(v.violation(owner, hours=1))
    assert violation_steering.resolve(violation, now=now()) == []
    db.session.commit()
    clock.move(hours=2)
    v.work()
    assert v.services_of(owner.id) == [("active", None, None)]
    with pytest.raises(OperationRefused, match="resolved already"):
        violation_steering.resolve(violation, now=now())


# Cancel


@pytest.mark.parametrize("keep", [True, False])
def test_cancelling_takes_the_points_back_unless_they_are_kept(keep: bool) -> None:
    owner = v.client_with_services(1)
    violation = v.found(v.violation(owner, hours=1, points=3))
    db.session.add(PenaltyPoint(client_id=owner.id, violation_id=violation.id, points=3, expires_at=now() + timedelta(days=1)))  # fmt: skip
    db.session.commit()
    violation_steering.cancel(violation, keep_points=keep, now=now())
    db.session.commit()
    assert points.of_client(owner.id, now=now()) == (3 if keep else 0)
    assert violation.status is ViolationStatus.CANCELLED
    assert [event.after["status"] for event in v.events("cancel")] == ["cancelled"]


def test_what_was_carried_out_is_not_cancelled_and_it_is_said_why() -> None:
    violation = executed(v.client_with_services(2))
    with pytest.raises(OperationRefused, match="2 services are stopped"):
        violation_steering.cancel(violation, now=now())
    with pytest.raises(OperationRefused, match="came first"):
        violation_steering.extend(violation, deadline=now() + timedelta(days=1), now=now())


# Extend


def test_more_time(clock: Clock) -> None:
    owner = v.client_with_services(1)
    violation = v.found(v.violation(owner, hours=1))
    later = now() + timedelta(hours=5)
    violation_steering.extend(violation, deadline=later, now=now())
    db.session.commit()
    assert violation.deadline == later
    assert violation.remind_at is not None
    clock.move(hours=2)
    v.work()
    assert violation.status is ViolationStatus.OPEN
    clock.move(hours=4)
    v.work()
    assert v.found(violation.id).status is ViolationStatus.EXECUTED
    [event] = v.events("extend")
    assert event.after["deadline"] == later.isoformat()


@pytest.mark.parametrize(
    ("hours", "message"),
    [(-1, "has passed"), (0.5, "no later than the deadline"), (24 * 731, "more than two years")],
)
def test_a_deadline_that_makes_no_sense_is_refused(hours: float, message: str) -> None:
    violation = v.found(v.violation(hours=1))
    with pytest.raises(OperationRefused, match=message) as refusal:
        violation_steering.extend(violation, deadline=now() + timedelta(hours=hours), now=now())
    assert refusal.value.field == "deadline"


def test_after_an_answer_that_settles_nothing_the_clock_runs_again(clock: Clock) -> None:
    owner = v.client_with_services(1)
    violation = v.found(v.violation(owner, hours=1, status="answered"))
    violation_steering.extend(violation, deadline=now() + timedelta(minutes=30), now=now())
    db.session.commit()
    assert violation.status is ViolationStatus.OPEN
    clock.move(hours=1)
    v.work()
    assert v.found(violation.id).status is ViolationStatus.EXECUTED


# The ticket


def test_a_ticket_with_an_open_violation_is_not_closed() -> None:
    violation = v.found(v.violation(hours=1))
    ticket = db.session.get_one(Ticket, violation.ticket_id)
    with pytest.raises(OperationRefused, match="Resolve or cancel the violation first"):
        tickets.close(ticket, now=now())
    db.session.rollback()
    violation_steering.resolve(violation, now=now())
    tickets.close(ticket, now=now())
    db.session.commit()


def test_what_staff_write_for_the_client_is_no_reaction_and_what_any_user_writes_is() -> None:
    owner = v.client_with_services(1)
    violation = v.found(v.violation(owner, hours=1))
    second = make.user(owner, "second")
    db.session.commit()
    ticket = db.session.get_one(Ticket, violation.ticket_id)
    tickets.reply(ticket, text="Noted.", by=make.staff("helper", make.role("h", "tickets.edit")), now=now())
    db.session.commit()
    assert v.found(violation.id).status is ViolationStatus.OPEN
    tickets.reply(ticket, text="It is gone.", by=second, now=now())
    db.session.commit()
    assert v.found(violation.id).status is ViolationStatus.ANSWERED


# Points


def test_points_fade_and_do_not_resume_by_themselves(clock: Clock) -> None:
    v.setting("penalty_limit", 5)
    v.setting("penalty_days", 10)
    owner, staff = v.client_with_services(2), make.staff("giver")
    db.session.commit()
    assert points.give(owner, points=5, comment="spam", by=staff, now=now()) == []
    assert clients.may_order(owner, now=now())
    assert len(points.give(owner, points=1, comment="more spam", by=staff, now=now())) == 2
    db.session.commit()
    assert v.services_of(owner.id) == [("suspended", "violation", None)] * 2
    assert not clients.may_order(owner, now=now())
    clock.move(days=11)
    assert points.of_client(owner.id, now=now()) == 0
    assert clients.may_order(owner, now=now())
    v.work()
    assert v.services_of(owner.id) == [("suspended", "violation", None)] * 2


def test_without_a_limit_points_stop_nothing() -> None:
    owner, staff = v.client_with_services(1), make.staff("giver")
    assert points.give(owner, points=1000, comment="very much", by=staff, now=now()) == []
    assert clients.may_order(owner, now=now())


@pytest.mark.parametrize(
    ("number", "comment", "field"), [(0, "x", "points"), (1001, "x", "points"), (1, " ", "comment"), (1, "x" * 1001, "comment")]
)  # fmt: skip
def test_points_without_a_reason_or_out_of_bounds_are_refused(number: int, comment: str, field: str) -> None:
    owner, staff = v.client_with_services(1), make.staff("giver")
    with pytest.raises(OperationRefused) as refusal:
        points.give(owner, points=number, comment=comment, by=staff, now=now())
    assert refusal.value.field == field


# Suspensions


def test_a_service_is_stopped_once() -> None:
    owner = v.client_with_services(2)
    which = Service.client_id == owner.id
    assert len(suspensions.suspend(which, reason=SuspensionReason.STAFF)) == 2
    assert suspensions.suspend(which, reason=SuspensionReason.VIOLATION, violation_id=None) == []
    assert v.services_of(owner.id) == [("suspended", "staff", None)] * 2
    assert len(suspensions.resume(which)) == 2
    assert suspensions.resume(which) == []
    assert {one.status for one in db.session.scalars(sa.select(Service).where(which))} == {ServiceStatus.ACTIVE}

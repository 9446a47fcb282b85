"""A staff member's stay in a client's panel, without HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from flask import Flask

from extensions import db, now
from models import AuditEvent, Client, ClientUser, Impersonation, Role, Session, SessionKind, Staff
from operations import impersonation, settings
from operations.errors import OperationRefused
from tests.support import people
from tests.support.people import Person

IDLE = timedelta(minutes=30)


class House:
    """A staff member with a session, and a client."""

    def __init__(self) -> None:
        self.member: Person = people.staff("olga", "clients.view", "clients.login_as")
        self.anna: Person = people.client("anna")
        self.boris: Person = people.client("boris")
        self.session_id = self.open_session()

    @property
    def staff(self) -> Staff:
        return db.session.get_one(Staff, self.member.id)

    def client(self, person: Person) -> Client:
        return db.session.get_one(Client, person.client_id)

    def user(self, person: Person) -> ClientUser:
        return db.session.get_one(ClientUser, person.id)

    def open_session(self, **columns: object) -> int:
        values = {"expires_at": now() + timedelta(hours=12), "data": {}, **columns}
        row = Session(kind=SessionKind.STAFF, staff_id=self.member.id, token_hash=f"hash {now()}", **values)
        db.session.add(row)
        db.session.commit()
        return row.id

    def start(self, person: Person, **more: object) -> Impersonation:
        values = {"by": self.staff, "staff_session_id": self.session_id, "now": now(), **more}
        return impersonation.start(client=self.client(person), **values)

    def current(self, stay: Impersonation, at: datetime | None = None) -> Impersonation | None:
        return impersonation.current(stay.id, at or now(), staff_idle=IDLE)


@pytest.fixture
def house(app: Flask) -> Iterator[House]:
    with app.app_context():
        yield House()


def events(*actions: str) -> list[AuditEvent]:
    statement = sa.select(AuditEvent).where(AuditEvent.action.in_(actions)).order_by(AuditEvent.id)
    return list(db.session.scalars(statement))


def test_a_stay_begins_as_the_owner_for_looking_only_and_for_an_hour(house: House) -> None:
    stay = house.start(house.anna, reason=" asked by phone ", return_url="/admin/clients/?search=a")
    assert (stay.client_user_id, stay.client_id) == (house.anna.id, house.anna.client_id)
    assert stay.allows_changes is False
    assert stay.expires_at - stay.started_at == timedelta(minutes=60)
    assert stay.reason == "asked by phone"
    assert stay.return_url == "/admin/clients/?search=a"
    (event,) = events("login_as")
    assert (event.staff_id, event.client_user_id, event.impersonation_id) == (
        house.member.id,
        house.anna.id,
        stay.id,
    )
    assert (event.module, event.client_id) == ("clients", house.anna.client_id)


def test_how_long_a_stay_lasts_is_a_setting(house: House) -> None:
    settings.change("impersonation_minutes", 15)
    stay = house.start(house.anna)
    assert stay.expires_at - stay.started_at == timedelta(minutes=15)


def test_a_stay_never_outlives_the_staff_session(house: House) -> None:
    ends = now() + timedelta(minutes=10)
    stay = house.start(house.anna, staff_session_id=house.open_session(expires_at=ends))
    assert stay.expires_at == ends


def test_the_right_is_needed(house: House) -> None:
    house.staff.role.permissions = ["clients.view"]
    with pytest.raises(OperationRefused):
        house.start(house.anna)
    assert db.session.scalar(sa.select(sa.func.count(Impersonation.id))) == 0


def test_nobody_becomes_a_blocked_user_or_one_of_a_deleted_client_or_of_another_client(house: House) -> None:
    with pytest.raises(OperationRefused):
        house.start(house.anna, user=house.user(house.boris))
    house.user(house.anna).is_active = False
    with pytest.raises(OperationRefused):
        house.start(house.anna)
    house.client(house.boris).deleted_at = now()
    with pytest.raises(OperationRefused):
        house.start(house.boris)


def test_a_session_that_has_ended_or_is_another_s_begins_nothing(house: House) -> None:
    other = people.staff("oleg", "clients.login_as")
    with pytest.raises(OperationRefused):
        house.start(house.anna, by=db.session.get_one(Staff, other.id))
    with pytest.raises(OperationRefused):
        house.start(house.anna, staff_session_id=house.open_session(expires_at=now() - timedelta(seconds=1)))


def test_a_second_stay_ends_the_first_one_and_its_session(house: House) -> None:
    """Stays do not nest: the one before is ended, audited, and its session is gone."""
    first = house.start(house.anna)
    row = Session(
        kind=SessionKind.CLIENT,
        token_hash="x",
        client_user_id=house.anna.id,
        impersonation_id=first.id,
        expires_at=now() + IDLE,
        data={},
    )
    db.session.add(row)
    db.session.commit()
    second = house.start(house.boris)
    db.session.expire_all()
    assert house.current(first) is None
    assert house.current(second) is second
    assert first.end_reason == "replaced"
    assert db.session.scalar(sa.select(Session.id).where(Session.impersonation_id == first.id)) is None
    (end,) = events("login_as_return")
    assert (end.impersonation_id, end.client_user_id) == (first.id, house.anna.id)
    again = house.start(house.anna)
    assert (house.current(second), house.current(again)) == (None, again)


def disable(house: House) -> None:
    house.staff.is_active = False


def take_the_right(house: House) -> None:
    db.session.get_one(Role, house.staff.role_id).permissions = ["clients.view"]


def end_the_session(house: House) -> None:
    db.session.execute(sa.delete(Session).where(Session.id == house.session_id))


def let_the_session_fall_idle(house: House) -> None:
    db.session.execute(sa.update(Session).where(Session.id == house.session_id).values(seen_at=now() - IDLE))


def delete_the_client(house: House) -> None:
    house.client(house.anna).deleted_at = now()


def block_the_user(house: House) -> None:
    house.user(house.anna).is_active = False


@pytest.mark.parametrize(
    ("what", "why"),
    [
        (disable, "staff_disabled"),
        (take_the_right, "right_lost"),
        (end_the_session, "staff_session_ended"),
        (let_the_session_fall_idle, "staff_session_ended"),
        (delete_the_client, "client_deleted"),
        (block_the_user, "user_blocked"),
    ],
)
def test_a_stay_is_checked_anew_each_time_and_ended_once(house: House, what: object, why: str) -> None:
    """Staff disabled, right lost, staff session over, client deleted, user blocked: over at the next look."""
    stay = house.start(house.anna)
    db.session.commit()
    assert house.current(stay) is stay
    what(house)  # type: ignore[operator]
    db.session.commit()
    assert house.current(stay) is None
    assert house.current(stay) is None
    db.session.commit()
    assert stay.end_reason == why
    (event,) = events("forced_end")
    assert (event.staff_id, event.client_user_id, event.impersonation_id) == (
        house.member.id,
        house.anna.id,
        stay.id,
    )
    assert event.after == {"end_reason": why}


def test_a_later_session_of_the_same_number_does_not_bring_a_stay_back(house: House) -> None:
    stay = house.start(house.anna)
    end_the_session(house)
    later = stay.started_at + timedelta(seconds=1)
    house.open_session(id=house.session_id, created_at=later, seen_at=later)
    assert house.current(stay, later) is None
    assert [event.after for event in events("forced_end")] == [{"end_reason": "staff_session_ended"}]


def test_a_stay_ends_after_an_hour_whatever_is_done(house: House) -> None:
    stay = house.start(house.anna)
    begun = stay.started_at
    for minute in range(0, 60, 5):
        moment = begun + timedelta(minutes=minute)
        db.session.execute(sa.update(Session).where(Session.id == house.session_id).values(seen_at=moment))
        assert house.current(stay, moment) is stay
    assert house.current(stay, begun + timedelta(minutes=60)) is None
    assert [event.action for event in events("forced_end", "login_as_expired")] == ["login_as_expired"]


def test_stays_that_nobody_looks_at_are_ended_by_the_clock(house: House) -> None:
    stay = house.start(house.anna)
    assert impersonation.end_expired(now=stay.expires_at - timedelta(seconds=1)) == 0
    assert impersonation.end_expired(now=stay.expires_at) == 1
    assert impersonation.end_expired(now=stay.expires_at) == 0
    assert len(events("login_as_expired")) == 1


@pytest.mark.parametrize("reason", ["", "  ", "ab", "x" * 501])
def test_allowing_changes_needs_a_reason(house: House, reason: str) -> None:
    stay = house.start(house.anna)
    with pytest.raises(OperationRefused) as refused:
        impersonation.allow_changes(stay, reason=reason, now=now())
    assert refused.value.field == "reason"
    assert stay.allows_changes is False


def test_the_reason_for_changes_is_kept_beside_that_of_the_start(house: House) -> None:
    stay = house.start(house.anna, reason="looking for a fault")
    impersonation.allow_changes(stay, reason="the client asked for it", now=now())
    impersonation.allow_changes(stay, reason="once more", now=now())
    assert stay.allows_changes is True
    assert stay.reason == "looking for a fault; the client asked for it"
    (event,) = events("login_as_allow_changes")
    assert event.after == {"reason": "the client asked for it"}


def test_no_changes_are_allowed_once_the_stay_is_over(house: House) -> None:
    stay = house.start(house.anna)
    with pytest.raises(OperationRefused):
        impersonation.allow_changes(stay, reason="too late", now=stay.expires_at)


def test_leaving_twice_is_written_down_once(house: House) -> None:
    stay = house.start(house.anna)
    impersonation.stop(stay, now=now())
    impersonation.stop(stay, now=now())
    assert len(events("login_as_return")) == 1
    assert stay.ended_at is not None


@pytest.mark.parametrize(
    "url",
    ["", "/", "/panel/", "//evil/admin/", "/\\evil", "https://evil/admin/", "/admin/../panel/", "/admin\t/x",
     "/administrator/", "javascript:alert(1)", "/admin/\r\nX: y", "/admin/" + "x" * 2000, "/admin/ x"],
)  # fmt: skip
def test_the_way_back_leads_into_the_admin_and_nowhere_else(url: str) -> None:
    assert impersonation.admin_address(url) == "/admin/clients/"


@pytest.mark.parametrize("url", ["/admin/", "/admin/clients/?search=%D0%B0&after=x", "/admin/clients/details/?id=1"])
def test_the_way_back_is_the_page_one_came_from(url: str) -> None:
    assert impersonation.admin_address(url) == url

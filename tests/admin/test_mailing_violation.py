"""A message that tells of a violation: the tab «Parameters», what it makes, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from extensions import Clock, db, now
from jobs import start_mailings
from models import Client, Mailing, PenaltyPoint, Service, Staff, Violation, ViolationAction, ViolationStatus
from tests import factories as make
from tests.admin.test_mailings import beside, chosen, number_in, previewed, sent, typed, work
from tests.cast import Cast, Desk
from tests.support import mailings as messages
from tests.support import page as pages
from tests.support import violations as v


@pytest.fixture
def ids(app: Flask, cast: Cast) -> list[int]:
    """Six clients besides the cast, the first two with services."""
    with app.app_context():
        made = messages.clients(6)
        sold = make.product("Web hosting")
        for number in made[:2]:
            owner = db.session.get_one(Client, number)
            make._add(make.Account(client=owner, project=owner.project, currency=owner.project.currency))
            make.service(owner, sold, name=f"site-{number}.example")
            make.service(owner, sold, name=f"shop-{number}.example")
        make.service(db.session.get_one(Client, made[0]), sold, status="suspended", name="unpaid.example")
        db.session.commit()
        return made


@pytest.fixture
def compose(owner: Desk, ids: list[int]) -> str:
    return chosen(owner, ids)


def ahead(**by: float) -> str:
    return f"{now() + timedelta(**by):%Y-%m-%dT%H:%M}"


def parameters(**changes: Any) -> dict[str, Any]:
    return {"violation": "1", "deadline": ahead(days=2), "violation_action": "suspend_services", "points": "3",
            "comment": "Spam", **changes}  # fmt: skip


def made(app: Flask, number: int) -> list[Violation]:
    with app.app_context():
        rows = list(db.session.scalars(sa.select(Violation).join(Violation.ticket).where(
            sa.column("mailing_id") == number).order_by(Violation.client_id)))  # fmt: skip
        db.session.expunge_all()
        return rows


def test_each_client_who_gets_the_message_gets_a_violation_and_its_points(
    app: Flask, owner: Desk, cast: Cast, ids: list[int], compose: str, clock: Clock
) -> None:
    moment = now().replace(second=0, microsecond=0)
    clock.set(moment)
    number = number_in(sent(owner, compose, **parameters()))
    with app.app_context():
        kept = db.session.get_one(Mailing, number)
        assert kept.is_violation
        assert kept.violation_parameters["deadline"] == (moment + timedelta(days=2)).isoformat()
        assert kept.violation_parameters["action"] == "suspend_services"
        db.session.get_one(Client, ids[5]).deleted_at = now()
        db.session.commit()
    work(app)
    rows = made(app, number)
    assert [row.client_id for row in rows] == ids[:5]
    assert {(row.status, row.action, row.points, row.comment) for row in rows} == {
        (ViolationStatus.OPEN, ViolationAction.SUSPEND_SERVICES, 3, "Spam")
    }
    assert {row.deadline for row in rows} == {moment + timedelta(days=2)}
    assert {row.remind_at for row in rows} == {moment + timedelta(days=1)}
    with app.app_context():
        points = db.session.scalars(sa.select(PenaltyPoint).where(PenaltyPoint.violation_id.in_([r.id for r in rows])))
        assert {(p.points, p.author_id, p.expires_at) for p in points} == {
            (3, cast.owner.id, now() + timedelta(days=180))
        }
        assert len(v.events("create")) >= 5
        [event] = [one for one in v.events("create") if one.record_id == rows[0].id]
        assert event.staff_id == cast.owner.id
        assert event.after["points"] == 3
    page = owner.page(f"/admin/mailings/details/?id={number}")
    assert f"time to answer until {moment + timedelta(days=2):%d.%m.%Y %H:%M}" in page.text


def test_the_form_shows_the_very_services(owner: Desk, ids: list[int], compose: str) -> None:
    page = previewed(owner, compose, **parameters())
    stops = page.one("div", class_="violation-stops")
    assert "4 active services would be stopped" in stops.text
    assert "of 2 clients" in stops.text
    assert stops.one("li", data_product="Web hosting").text.startswith("Web hosting: 4")
    assert f"site-{ids[0]}.example (client-{ids[0]})" in stops.text
    assert "unpaid.example" not in stops.text
    plan = page.one("section", class_="send-plan")
    assert plan.one("li", data_violation_count="6").text.startswith("6 violations: time to answer until")
    assert plan.one("li", data_stop_count="4")


def test_of_one_client_one_service_can_be_named(app: Flask, owner: Desk, ids: list[int]) -> None:
    compose = chosen(owner, ids[:1])
    page = owner.page(compose)
    options = {option.text: option["value"] for option in page.one("select", name="service").all("option")}
    assert set(options) == {"", f"site-{ids[0]}.example", f"shop-{ids[0]}.example"}
    wanted = options[f"shop-{ids[0]}.example"]
    refused = sent(owner, compose, **parameters(violation_action="suspend_service"))
    assert beside(pages.read(refused.text), "service") == "Choose the service that is to be stopped."
    with app.app_context():
        strange = db.session.scalar(sa.select(Service.id).where(Service.client_id == ids[1]).limit(1))
    refused = sent(owner, compose, **parameters(violation_action="suspend_service", service=strange))
    assert refused.status_code == 400
    number = number_in(sent(owner, compose, **parameters(violation_action="suspend_service", service=wanted)))
    work(app)
    [row] = made(app, number)
    assert (row.action, row.service_id) == (ViolationAction.SUSPEND_SERVICE, int(wanted))


def test_of_many_none_is_named(owner: Desk, compose: str) -> None:
    page = owner.page(compose)
    assert not page.all("select", name="service")
    assert [option["value"] for option in page.one("select", name="violation_action").all("option")] == [
        "to_active", "suspend_services",
    ]  # fmt: skip
    refused = sent(owner, compose, **parameters(violation_action="suspend_service", service="1"))
    assert beside(pages.read(refused.text), "violation_action") == "Choose one of the list."


@pytest.mark.parametrize(
    ("changes", "field", "message"),
    [
        ({"deadline": ""}, "deadline", "Say until when the client has time."),
        ({"deadline": "2020-01-01T10:00"}, "deadline", "This time has passed."),
        ({"deadline": "9999-01-01T10:00"}, "deadline", "This is more than two years ahead."),
        ({"deadline": "tomorrow"}, "deadline", "This is no date and time."),
        ({"points": "-1"}, "points", "A whole number from 0 to 1000."),
        ({"points": "1.5"}, "points", "A whole number from 0 to 1000."),
        ({"points": "1001"}, "points", "A whole number from 0 to 1000."),
        ({"points": "٣"}, "points", "A whole number from 0 to 1000."),
        ({"violation_action": "explode"}, "violation_action", "Choose one of the list."),
        ({"comment": "x" * 1001}, "comment", "No more than 1000 characters."),
        ({"comment": "a\u2028b"}, "comment", "This contains a character that cannot be kept."),
        ({"forbid_replies": "1"}, "violation", "A violation asks for an answer, so replies cannot be forbidden."),
    ],
)  # fmt: skip
def test_what_is_wrong_stands_beside_its_field(
    app: Flask, owner: Desk, compose: str, changes: dict[str, Any], field: str, message: str
) -> None:
    answer = sent(owner, compose, **parameters(**changes))
    assert answer.status_code == 400
    page = pages.read(answer.text)
    assert beside(page, field) == message
    assert page.one("textarea", name="text_en").text == "Dear %client_person%."
    with app.app_context():
        assert db.session.scalar(sa.select(sa.func.count(Mailing.id))) == 1


def test_all_that_is_wrong_is_said_at_once(owner: Desk, ids: list[int]) -> None:
    wrong = parameters(deadline="2020-01-01T10:00", points="-1", violation_action="suspend_service")
    page = pages.read(sent(owner, chosen(owner, ids[:1]), text_en="%foo%", **wrong).text)
    assert {field: beside(page, field) for field in ("text_en", "deadline", "points", "service")} == {
        "text_en": "There is no macro %foo%.",
        "deadline": "This time has passed.",
        "points": "A whole number from 0 to 1000.",
        "service": "Choose the service that is to be stopped.",
    }


def test_the_deadline_comes_after_the_start(owner: Desk, compose: str) -> None:
    late = sent(owner, compose, **parameters(deadline=ahead(days=1)), send_at=ahead(days=2))
    assert beside(pages.read(late.text), "deadline") == "The deadline must be later than the start of the message."
    recalled = sent(owner, compose, **parameters(deadline=ahead(minutes=5)), recall_minutes="60")
    assert "later than the start" in beside(pages.read(recalled.text), "deadline")


def test_without_the_tick_the_parameters_count_for_nothing(app: Flask, owner: Desk, compose: str) -> None:
    number = number_in(sent(owner, compose, **parameters(violation="", deadline="nonsense", points="-4")))
    work(app)
    assert made(app, number) == []


def test_a_message_that_starts_late_leaves_the_time_that_was_promised(
    app: Flask, owner: Desk, compose: str, clock: Clock
) -> None:
    moment = now().replace(second=0, microsecond=0)
    clock.set(moment)
    number = number_in(sent(owner, compose, **parameters(deadline=ahead(hours=6))))
    clock.move(hours=8)
    work(app)
    assert {row.deadline for row in made(app, number)} == {moment + timedelta(hours=14)}
    assert {row.status for row in made(app, number)} == {ViolationStatus.OPEN}


@pytest.mark.parametrize(
    ("typed_at", "instant"),
    [
        # The hour that is left out: the clocks show 03:30 then.
        ("2027-03-28T02:30", "2027-03-28T01:30:00+00:00"),
        # The hour that there is twice: the later one.
        ("2026-10-25T02:30", "2026-10-25T01:30:00+00:00"),
        ("2027-07-01T12:00", "2027-07-01T10:00:00+00:00"),
    ],
)
def test_the_deadline_is_in_the_zone_of_the_staff_member(
    app: Flask, owner: Desk, cast: Cast, compose: str, clock: Clock, typed_at: str, instant: str
) -> None:
    clock.set(datetime(2026, 10, 1, tzinfo=UTC))
    with app.app_context():
        db.session.get_one(Staff, cast.owner.id).time_zone = "Europe/Berlin"
        db.session.commit()
    number = number_in(sent(owner, compose, **parameters(deadline=typed_at)))
    with app.app_context():
        assert db.session.get_one(Mailing, number).violation_parameters["deadline"] == instant


def test_who_may_make_no_violation_is_not_offered_one(log_in: Callable[[str], Desk], ids: list[int]) -> None:
    support = log_in("support")
    one = chosen(support, ids[:1])
    page = support.page(one)
    assert not page.all("input", name="violation")
    assert not page.all("input", name="deadline")
    assert support.post(one, typed(support, one, send="1", **parameters())).status_code == 403


def test_with_the_feature_off_there_is_none(app: Flask, owner: Desk, compose: str) -> None:
    with app.app_context():
        v.switch(False)
    page = owner.page(compose)
    assert not page.all("input", name="violation")
    assert not page.all("fieldset", class_="parameters")
    refused = sent(owner, compose, **parameters())
    assert refused.status_code == 400
    assert "The handling of abuse is switched off." in refused.text


def test_called_back_and_written_anew_it_is_the_same(owner: Desk, compose: str) -> None:
    typed_at = ahead(days=20)
    number = number_in(sent(owner, compose, recall_minutes="5", **parameters(deadline=typed_at)))
    owner.post("/admin/mailings/call-back/", id=number)
    anew = owner.page(f"{compose}&from={number}")
    assert "checked" in anew.one("input", name="violation").attributes
    assert anew.one("input", name="deadline")["value"] == typed_at
    assert anew.one("input", name="points")["value"] == "3"


def test_over_the_limit_of_points_all_services_are_stopped_behind_the_breaker(
    app: Flask, owner: Desk, ids: list[int], compose: str
) -> None:
    with app.app_context():
        v.setting("penalty_limit", 4)
        make.points(db.session.get_one(Client, ids[0]), 2)
        make.points(db.session.get_one(Client, ids[1]), 2, expires_at=now() - timedelta(days=1))
        db.session.commit()
    number = number_in(sent(owner, compose, **parameters(violation_action="to_active")))
    work(app)
    work(app)
    with app.app_context():
        first = made(app, number)[0]
        assert [one[0] for one in v.services_of(ids[0])] == ["suspended", "suspended", "suspended"]
        assert v.services_of(ids[0])[0] == ("suspended", "violation", first.id)
        assert v.services_of(ids[0])[2] == ("suspended", "unpaid", None)
        assert [one[0] for one in v.services_of(ids[1])] == ["active", "active"], "points that faded do not count"
        assert (first.status, first.limit_executed_at is not None) == (ViolationStatus.OPEN, True)
        [letter] = v.letters()
        assert letter.context["because"] == ["limit"]


def test_ticking_it_opens_the_tab(page: Any, live_server: Any, app: Flask, cast: Cast, ids: list[int]) -> None:
    from playwright.sync_api import expect

    from tests import cast as people_of

    desk = people_of.log_in(app.test_client(), cast.owner)
    url = chosen(desk, ids[:2])
    cookie = desk.visitor.get_cookie("staff_session")
    page.context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": live_server.url}])
    page.goto(f"{live_server.url}{url}")
    tab = page.get_by_role("tab", name="Parameters")
    expect(tab).to_be_hidden()
    page.get_by_role("switch", name="Violation").check()
    expect(tab).to_have_attribute("aria-selected", "true")
    expect(page.get_by_label("Deadline")).to_be_visible()
    stops = page.locator(".violation-stops")
    expect(stops).to_be_hidden()
    page.get_by_label("If there is no reaction").select_option("suspend_services")
    expect(stops).to_contain_text("4 active services would be stopped")
    page.get_by_role("switch", name="Forbid replies").check()
    expect(tab).to_be_hidden()
    expect(page.get_by_role("switch", name="Violation")).to_be_hidden()
    expect(page.locator("#text_en")).to_be_visible()
    page.get_by_role("switch", name="Forbid replies").uncheck()
    expect(page.get_by_role("switch", name="Violation")).not_to_be_checked()


def test_a_violation_is_no_news(app: Flask, owner: Desk, compose: str) -> None:
    """Who has unsubscribed from news must hear of what is going to be stopped."""
    with app.app_context():
        news = messages.category(news=True).id
        db.session.commit()
    answer = sent(owner, compose, **parameters(), category=news)
    assert answer.status_code == 400
    assert "a violation cannot" in beside(pages.read(answer.text), "category")
    with app.app_context():
        assert not db.session.scalar(
            sa.select(sa.func.count()).select_from(Violation).where(Violation.comment == "Spam")
        )


def test_who_cancels_the_letters_is_told_that_the_deadlines_run_on(app: Flask, owner: Desk, compose: str) -> None:
    number = number_in(sent(owner, compose, **parameters()))
    with app.app_context():
        start_mailings()
    page = owner.follow(owner.post("/admin/mailings/cancel/", id=number))
    assert "Its violations go on" in page.text
    assert {one.status for one in made(app, number)} == {ViolationStatus.OPEN}
    plain = number_in(sent(owner, compose))
    with app.app_context():
        start_mailings()
    page = owner.follow(owner.post("/admin/mailings/cancel/", id=plain))
    assert "Cancelled. What was sent stays sent." in page.text
    assert "violations" not in pages.messages(page)[0][1]

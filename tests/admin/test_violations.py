"""Violations for staff: the list, the page of one, what is held, points; and nothing of it where it is switched off."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from extensions import db, now
from models import Client, PenaltyPoint, Staff, Violation, ViolationStatus
from tests import factories as make
from tests.cast import Cast, Desk, digest
from tests.support import page as pages
from tests.support import violations as v

HELD = "/admin/violations/held/"


def details(number: int) -> str:
    return f"/admin/violations/details/?id={number}"


@pytest.fixture
def anna(app: Flask, cast: Cast) -> int:
    """An open violation of client A that would stop her service in three hours; the id."""
    with app.app_context():
        owner = db.session.get_one(Client, cast.a.id)
        return v.violation(owner, hours=3.01, points=2, comment="Spam")


def status(app: Flask, number: int) -> str:
    with app.app_context():
        return v.found(number).status.value


def run(app: Flask) -> None:
    with app.app_context():
        v.work()


def crowd(app: Flask) -> list[int]:
    """Six clients whose deadlines pass at once: too many for so small a desk."""
    with app.app_context():
        ids = v.many(6)
        v.work()
        return ids


# The list


def test_the_list_has_tabs_and_the_next_due_comes_first(app: Flask, owner: Desk, anna: int) -> None:
    with app.app_context():
        sooner, done = v.violation(hours=1), v.violation(hours=-5, status="executed", executed_at=now())
    page = owner.page("/admin/violations/")
    tabs = {link.text: link["href"] for link in page.one("nav", class_="tabs").all("a")}
    assert list(tabs) == ["All", "Open", "Answered", "Executed", "Resolved", "Cancelled"]
    found = owner.ids(tabs["Open"])
    assert found[:2] == [sooner, anna]
    assert done not in found
    assert owner.ids(tabs["Executed"]) == [done]
    row = owner.page(tabs["Open"])
    assert "in 3 hours" in pages.cell(row, anna, "Deadline").text
    assert pages.badges(pages.cell(row, anna, "State")) == ["open"]


def test_the_client_s_badges_stand_beside_it(app: Flask, owner: Desk, cast: Cast, anna: int) -> None:
    with make.scene(app):
        make.points(db.session.get_one(Client, cast.a.id), 4)
    page = owner.page("/admin/violations/?status=open")
    assert pages.badges(pages.cell(page, anna, "Properties")) == ["points"]


def test_those_of_one_mailing(app: Flask, owner: Desk, cast: Cast, anna: int) -> None:
    with make.scene(app):
        v.found(anna).ticket.mailing_id = cast.mailing
    assert owner.ids(f"/admin/violations/?mailing={cast.mailing}") == [anna]


# One


def test_the_page_says_what_who_and_which_services(app: Flask, owner: Desk, cast: Cast, anna: int) -> None:
    page = owner.page(details(anna))
    assert "Anna Alpha" in page.text
    assert "Spam" in page.text
    assert [row["data-service"] for row in page.one("ul", data_services="at_stake").all("li")] == [
        str(cast.a.records["services"])
    ]
    actions = {form["action"].partition("?")[0] for form in page.all("form") if "/violations/" in form["action"]}
    assert actions == {"/admin/violations/resolve/", "/admin/violations/extend/", "/admin/violations/cancel/"}


def test_resolve_lets_run_again_and_says_so(app: Flask, owner: Desk, cast: Cast, anna: int, clock: Any) -> None:
    clock.move(hours=4)
    run(app)
    clock.move(hours=-4)
    page = owner.page(details(anna))
    assert page.one("ul", data_services="stopped")
    assert not [form for form in page.all("form") if form["action"].startswith("/admin/violations/extend/")]
    page = owner.follow(owner.post("/admin/violations/resolve/", id=anna))
    assert "The violation is resolved. 1 service runs again" in page.text
    assert "resolved" in page.one("ol", class_="history").text
    with app.app_context():
        assert v.services_of(cast.a.id) == [("active", None, None)]
        [event] = v.events("resolve")
        assert event.staff_id == cast.owner.id
    again = owner.follow(owner.post("/admin/violations/resolve/", id=anna))
    assert "This violation is resolved already." in again.text


def test_more_time_and_what_is_refused_beside_the_field(app: Flask, owner: Desk, anna: int) -> None:
    later = f"{now() + timedelta(days=3):%Y-%m-%dT%H:%M}"
    page = owner.follow(owner.post(f"/admin/violations/extend/?id={anna}", deadline=later))
    assert "The client has time until" in page.text
    for wrong, message in (
        ("", "Say until when the client has time."),
        ("2020-01-01T00:00", "This time has passed."),
        (later, "This is no later than the deadline that the client was given."),
        ("soon", "This is no date and time."),
    ):
        answer = owner.post(f"/admin/violations/extend/?id={anna}", deadline=wrong)
        assert answer.status_code == 400
        page = pages.read(answer.text)
        assert page.one("p", id="deadline-error").text == message
        assert page.one("input", name="deadline")["value"] == wrong


def test_cancel_after_the_deadline_says_what_came_first(app: Flask, owner: Desk, anna: int, clock: Any) -> None:
    clock.move(hours=4)
    run(app)
    clock.move(hours=-4)
    page = owner.follow(owner.post("/admin/violations/cancel/", id=anna))
    assert "The deadline came first: the violation was carried out, 1 service is stopped." in page.text
    assert status(app, anna) == "executed"


def test_beside_the_ticket_stand_the_violation_and_its_buttons(app: Flask, owner: Desk, anna: int) -> None:
    with app.app_context():
        ticket = v.found(anna).ticket_id
    url = f"/admin/tickets/details/?id={ticket}"
    box = owner.page(url).one("section", class_="violation-box")
    assert "in 3 hours" in box.text
    refused = owner.follow(owner.post("/admin/tickets/close/", id=ticket))
    assert "Resolve or cancel the violation first." in refused.text
    page = owner.follow(owner.post("/admin/violations/cancel/", id=anna, url=url))
    assert page.one("section", class_="violation-box")["data-violation"] == "cancelled"
    assert "The violation is cancelled." in page.text


def test_who_may_only_look_has_no_buttons_and_is_refused(
    app: Flask, log_in: Callable[[str], Desk], cast: Cast, anna: int
) -> None:
    support = log_in("support")
    page = support.page(details(anna))
    assert not [form for form in page.all("form") if "/violations/" in form["action"]]
    before = digest(app)
    for verb in ("extend", "resolve", "cancel", "confirm", "points/add", "points/remove", "points/resume", "many"):
        assert support.post(f"/admin/violations/{verb}/", id=anna).status_code == 403
    assert digest(app) == before


# Many at once


def test_many_are_resolved_after_a_look(app: Flask, owner: Desk, anna: int) -> None:
    with app.app_context():
        other, done = v.violation(hours=2), v.violation(hours=2, status="cancelled")
    answer = owner.post(
        "/admin/violations/action/", [("action", "resolve"), ("rowid", anna), ("rowid", other), ("rowid", done)]
    )
    page = owner.page(answer.location)
    assert "This is for 3 violations." in page.text
    assert page.first("button", class_="btn-primary").text == "Resolve 3 violations"
    form = {node["name"]: node["value"] for node in page.one("form", class_="form-page").all("input", type="hidden")}
    said = owner.follow(owner.post("/admin/violations/many/", form))
    assert "2 violations are resolved." in said.text
    assert f"1 was left alone. #{done}: This violation is cancelled already." in said.text
    assert [status(app, number) for number in (anna, other, done)] == ["resolved", "resolved", "cancelled"]


def test_all_that_match_the_filter_are_cancelled(app: Flask, owner: Desk, anna: int) -> None:
    with app.app_context():
        open_ones = set(db.session.scalars(sa.select(Violation.id).where(Violation.status == "open")))
    answer = owner.post("/admin/violations/action/?status=open", {"action": "cancel", "all": "1"})
    page = owner.page(answer.location)
    form = {node["name"]: node["value"] for node in page.one("form", class_="form-page").all("input", type="hidden")}
    owner.post("/admin/violations/many/", form)
    assert {status(app, number) for number in open_ones} == {"cancelled"}


# The breaker


def test_services_of_one_name_are_counted_each(app: Flask, owner: Desk) -> None:
    ids = crowd(app)
    with make.scene(app):
        client = db.session.get_one(Violation, ids[0]).client
        make.service(client, name=f"s{client.id}-0.example")
    page = owner.page(HELD)
    assert "7 services would be stopped." in page.text
    assert "stop 2 services:" in page.one("tr", data_id=str(ids[0])).text


def test_what_nobody_did_was_done_by_the_system_in_the_reader_s_language(app: Flask, cast: Cast, owner: Desk) -> None:
    with app.app_context():
        number = v.violation(db.session.get_one(Client, cast.a.id))
        v.work()
        db.session.get_one(Staff, cast.owner.id).language = "ru"
        db.session.commit()
    history = owner.page(f"/admin/violations/details/?id={number}").one("ol", class_="history")
    assert [line.one("b").text for line in history.all("li")] == ["система"] * len(history.all("li"))
    assert "исполнение" in history.text
    assert "система" in owner.page(f"/admin/audit/?module=violations&record_id={number}").one("tbody").text


def test_a_banner_on_every_page_leads_to_the_list_and_one_press_releases_it(
    app: Flask, owner: Desk, cast: Cast, log_in: Callable[[str], Desk]
) -> None:
    assert not owner.page("/admin/clients/").all("div", class_="breaker")
    ids = crowd(app)
    for url in ("/admin/", "/admin/clients/", "/admin/settings/"):
        assert owner.page(url).one("div", class_="breaker").one("a")["href"] == HELD
    page = owner.page(HELD)
    assert page.one("section", class_="held")["data-held"] == "6"
    assert "The deadlines of 6 clients passed at once." in page.text
    assert pages.row_ids(page) == ids
    assert f"stop 1 service: s{page_client(app, ids[0])}-0.example" in page.one("tr", data_id=str(ids[0])).text
    assert owner.ids("/admin/violations/?held=1") == ids[::-1]
    # One of them is taken out; the number that was seen no longer holds.
    form = confirmation(page)
    owner.post("/admin/violations/cancel/", id=ids[0], url=HELD)
    assert "The list has changed meanwhile." in owner.follow(owner.post("/admin/violations/confirm/", form)).text
    run(app)
    assert {status(app, number) for number in ids[1:]} == {"open"}
    said = owner.follow(owner.post("/admin/violations/confirm/", confirmation(owner.page(HELD))))
    assert "5 violations are carried out within seconds." in said.text
    assert "Nothing is held" in said.text
    run(app)
    with app.app_context():
        v.each_once(ids[1:])
        assert {event.staff_id for event in v.events("release")} == {cast.owner.id}
    assert status(app, ids[0]) == "cancelled"
    assert not owner.page("/admin/").all("div", class_="breaker")


def page_client(app: Flask, number: int) -> int:
    with app.app_context():
        return v.found(number).client_id


def confirmation(page: Any) -> dict[str, str]:
    form = next(one for one in page.all("form") if one["action"] == "/admin/violations/confirm/")
    return {node["name"]: node["value"] for node in form.all("input", type="hidden") if node["name"] != "csrf_token"}


@pytest.mark.parametrize(("name", "value"), [("count", "x"), ("until", "yesterday"), ("until", "2026-01-01T00:00:00")])
def test_a_confirmation_of_nonsense_releases_nothing(app: Flask, owner: Desk, name: str, value: str) -> None:
    ids = crowd(app)
    form = confirmation(owner.page(HELD)) | {name: value}
    assert owner.post("/admin/violations/confirm/", form).status_code == 404
    run(app)
    assert {status(app, number) for number in ids} == {"open"}


def test_settings_of_the_breaker_can_be_raised(app: Flask, owner: Desk) -> None:
    page = owner.page("/admin/settings/")
    form = {name: values[0] for name, values in pages.values(page).items()}
    owner.post("/admin/settings/", {**form, "breaker_clients": "500", "breaker_percent": "100"})
    ids = crowd(app)
    with app.app_context():
        v.each_once(ids)


# Points


def test_points_are_given_and_taken_back_by_hand(app: Flask, owner: Desk, cast: Cast) -> None:
    url = f"/admin/violations/points/?id={cast.a.id}"
    assert "No penalty points" in owner.page(url).text
    assert any(link["href"] == url for link in owner.page(f"/admin/clients/details/?id={cast.a.id}").all("a"))
    refused = owner.post(f"/admin/violations/points/add/?id={cast.a.id}", points="0", comment="")
    assert refused.status_code == 400
    page = owner.follow(
        owner.post(f"/admin/violations/points/add/?id={cast.a.id}", points="3", comment="<b>Spam</b> by telephone")
    )
    assert "The points are added." in page.text
    assert page.one("p", class_="summary-line")["data-total"] == "3"
    assert "<b>Spam</b> by telephone" in page.text
    with app.app_context():
        entry = db.session.scalars(sa.select(PenaltyPoint).where(PenaltyPoint.client_id == cast.a.id)).one()
        assert (entry.author_id, entry.points) == (cast.owner.id, 3)
        number = entry.id
    assert owner.post("/admin/violations/points/remove/", id=cast.b.id, entry=number).status_code == 404
    page = owner.follow(owner.post("/admin/violations/points/remove/", id=cast.a.id, entry=number))
    assert "No penalty points" in page.text


def test_over_the_limit_by_hand_services_are_stopped_and_let_run_again(app: Flask, owner: Desk, cast: Cast) -> None:
    with app.app_context():
        v.setting("penalty_limit", 2)
    page = owner.follow(owner.post(f"/admin/violations/points/add/?id={cast.a.id}", points="3", comment="Spam"))
    assert "The client is over the limit: 1 service is stopped." in page.text
    assert "the client cannot order services" in page.text
    with app.app_context():
        assert v.services_of(cast.a.id) == [("suspended", "violation", None)]
    page = owner.follow(owner.post("/admin/violations/points/resume/", id=cast.a.id))
    assert "1 service runs again." in page.text
    with app.app_context():
        assert v.services_of(cast.a.id) == [("active", None, None)]


# Switched off


def test_switched_off_it_is_nowhere(app: Flask, owner: Desk, cast: Cast, anna: int) -> None:
    crowd(app)
    with make.scene(app):
        make.points(db.session.get_one(Client, cast.a.id), 4)
    shown = owner.page("/admin/clients/")
    assert shown.all("input", name="has_points")
    assert shown.all("a", href="/admin/violations/")
    with app.app_context():
        v.switch(False)
        ticket = v.found(anna).ticket_id
    hidden = owner.page("/admin/clients/")
    assert not hidden.all("input", name="has_points")
    assert not hidden.all("a", href="/admin/violations/")
    assert not hidden.all("div", class_="breaker")
    assert not hidden.all(data_badge="points")
    assert not [tool for tool in hidden.all("a") if "/admin/violations/" in tool.get("href")]
    assert "violations" not in owner.get(f"/admin/clients/details/?id={cast.a.id}").text
    assert not owner.page(f"/admin/tickets/details/?id={ticket}").all(class_="violation-box")
    for url in ("/admin/violations/", details(anna), HELD, f"/admin/violations/points/?id={cast.a.id}"):
        assert owner.get(url).status_code == 404
    assert owner.post("/admin/violations/resolve/", id=anna).status_code == 404
    assert status(app, anna) == ViolationStatus.OPEN

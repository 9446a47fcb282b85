"""Violations for the client: until when to answer, what follows, points, and why a service is stopped."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from extensions import Clock, db, now
from models import Client, ClientUser, Violation
from operations import violation_steering
from tests import factories as make
from tests.support import page as pages
from tests.support import people
from tests.support import violations as v
from tests.support.books import Books
from tests.support.people import Person


@pytest.fixture
def open_one(app: Flask, anna: Person, annas: Books) -> int:
    """An open violation of Anna's that would stop her server in three hours."""
    with app.app_context():
        return v.violation(db.session.get_one(Client, anna.client_id), hours=3, points=2, comment="SENTINEL-COMMENT")


def ticket_page(app: Flask, visitor: FlaskClient, number: int) -> Any:
    with app.app_context():
        ticket = db.session.get_one(Violation, number).ticket_id
    answer = visitor.get(f"/panel/tickets/{ticket}/")
    assert "SENTINEL-COMMENT" not in answer.text
    return pages.read(answer.text)


def test_the_ticket_says_until_when_in_the_client_s_zone_and_names_the_services(
    app: Flask, as_anna: FlaskClient, anna: Person, open_one: int
) -> None:
    with make.scene(app):
        db.session.get_one(ClientUser, anna.id).time_zone = "Asia/Kathmandu"
        deadline = db.session.get_one(Violation, open_one).deadline
    section = ticket_page(app, as_anna, open_one).one("section", class_="matter")
    assert section["data-violation"] == "open"
    assert section.first("time")["datetime"] == deadline.isoformat()
    from zoneinfo import ZoneInfo

    assert f"{deadline.astimezone(ZoneInfo('Asia/Kathmandu')):%-I:%M}" in section.first("time").text
    assert section.one("ul", data_at_stake=None).text == "Server of anna"
    home = pages.read(as_anna.get("/panel/").text)
    assert "answer until" in home.one("div", data_todo="violation").text


def test_an_answer_in_time_saves(app: Flask, as_anna: FlaskClient, anna: Person, open_one: int, clock: Clock) -> None:
    page = ticket_page(app, as_anna, open_one)
    with app.app_context():
        ticket = db.session.get_one(Violation, open_one).ticket_id
    key = page.first("input", name="idempotency_key")["value"]
    people.post(as_anna, f"/panel/tickets/{ticket}/", text="It is gone.", idempotency_key=key)
    section = ticket_page(app, as_anna, open_one).one("section", class_="matter")
    assert "You have answered" in section.text
    clock.move(hours=4)
    with app.app_context():
        v.work()
        assert v.services_of(anna.client_id) == [("active", None, None)]
    clock.move(hours=-4)
    assert not pages.read(as_anna.get("/panel/").text).all("div", data_todo="violation")


def test_a_stopped_service_says_why_and_leads_to_the_ticket(
    app: Flask, as_anna: FlaskClient, annas: Books, open_one: int, clock: Clock
) -> None:
    clock.move(hours=4)
    with app.app_context():
        v.work()
        ticket = db.session.get_one(Violation, open_one).ticket_id
    clock.move(hours=-4)
    for url in ("/panel/services/", f"/panel/services/{annas.service}/"):
        page = pages.read(as_anna.get(url).text)
        assert "There was no answer in time to what we wrote to you." in page.text
        assert page.all("a", href=f"/panel/tickets/{ticket}/")
    section = ticket_page(app, as_anna, open_one).one("section", class_="matter")
    assert section["data-violation"] == "executed"
    assert section.one("ul", data_stopped=None).text == "Server of anna"


def test_what_services_are_stopped_for_stands_first_until_it_is_settled(
    app: Flask, as_anna: FlaskClient, as_boris: FlaskClient, open_one: int, clock: Clock
) -> None:
    clock.move(hours=4)
    with app.app_context():
        v.work()
        violation = db.session.get_one(Violation, open_one)
        ticket, subject = violation.ticket_id, violation.ticket.subject
    clock.move(hours=-4)
    todo = pages.read(as_anna.get("/panel/").text).first("div", class_="todo")
    assert todo["data-todo"] == "stopped"
    assert f"{subject}: 1 service is stopped for this." in todo.text
    assert todo.one("a")["href"] == f"/panel/tickets/{ticket}/#answer"
    assert not pages.read(as_anna.get("/panel/").text).all("div", data_todo="violation")
    assert 'data-todo="stopped"' not in as_boris.get("/panel/").text
    with app.app_context():
        violation_steering.resolve(db.session.get_one(Violation, open_one), now=now())
        db.session.commit()
    assert 'data-todo="stopped"' not in as_anna.get("/panel/").text


def test_points_and_when_they_fade(app: Flask, as_anna: FlaskClient, anna: Person, annas: Books) -> None:
    assert not pages.read(as_anna.get("/panel/services/").text).all("section", id="points")
    with app.app_context():
        v.setting("penalty_limit", 5)
        make.points(db.session.get_one(Client, anna.client_id), 4)
        make.points(db.session.get_one(Client, anna.client_id), 3)
        db.session.commit()
    section = pages.read(as_anna.get("/panel/services/").text).one("section", id="points")
    assert "7 points count now of at most 5" in section.text
    assert "more penalty points than the rules allow" in section.text


def test_another_s_violation_is_not_shown(app: Flask, as_boris: FlaskClient, open_one: int) -> None:
    with app.app_context():
        ticket = db.session.get_one(Violation, open_one).ticket_id
    assert as_boris.get(f"/panel/tickets/{ticket}/").status_code == 404
    assert 'data-todo="violation"' not in as_boris.get("/panel/").text


def test_switched_off_the_client_sees_nothing_of_it(
    app: Flask, as_anna: FlaskClient, anna: Person, open_one: int
) -> None:
    with app.app_context():
        make.points(db.session.get_one(Client, anna.client_id), 4)
        v.switch(False)
    assert not ticket_page(app, as_anna, open_one).all("section", class_="matter")
    assert not pages.read(as_anna.get("/panel/services/").text).all("section", id="points")
    assert not pages.read(as_anna.get("/panel/").text).all("div", data_todo="violation")


@pytest.mark.parametrize("template", ["violation_reminder", "violation_executed"])
def test_the_letters_name_services_and_the_deadline_in_the_client_s_zone(
    app: Flask, anna: Person, open_one: int, clock: Clock, smtp: Any, template: str
) -> None:
    import jobs
    from extensions import now

    with make.scene(app):
        db.session.get_one(ClientUser, anna.id).time_zone = "Asia/Kathmandu"
        db.session.get_one(Violation, open_one).remind_at = now()
    if template == "violation_executed":
        clock.move(hours=4)
    with app.app_context():
        jobs.run_once()
    [letter] = smtp.letters
    assert "Server of anna" in letter.text
    assert "Server of anna" in letter.html
    assert "+05" in letter.text or "Nepal" in letter.text or "GMT" in letter.text

"""The user's own page."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient

from extensions import db
from models import ClientUser
from tests.support import people
from tests.support.people import Person

FIELDS = {
    "full_name": "Анна Петрова",
    "phone": "+7 916 123-45-67",
    "language": "ru",
    "time_zone": "Europe/Moscow",
}


def test_contacts_language_and_time_zone_are_the_user_s_to_change(
    app: Flask, as_anna: FlaskClient, anna: Person
) -> None:
    assert people.post(as_anna, "/panel/profile/", **FIELDS).status_code == 302
    with app.app_context():
        user = db.session.get_one(ClientUser, anna.id)
        assert (user.full_name, user.phone, user.time_zone) == (
            "Анна Петрова",
            "+79161234567",
            "Europe/Moscow",
        )
        assert user.language == user.client.language == "ru"


def test_the_language_of_a_user_who_is_no_owner_is_his_alone(app: Flask, anna: Person) -> None:
    with app.app_context():
        people.user(anna.client_id, "ada")
    visitor = people.log_in(app.test_client(), "ada")
    people.post(visitor, "/panel/profile/", **{**FIELDS, "phone": ""})
    with app.app_context():
        assert db.session.get_one(ClientUser, anna.id).client.language == "en"


@pytest.mark.parametrize(
    ("field", "value"),
    [("phone", "not a phone"), ("time_zone", "Mars/Base"), ("language", "xx"), ("full_name", "x" * 201)],
)
def test_a_wrong_value_is_refused_beside_its_field_and_nothing_typed_is_lost(
    as_anna: FlaskClient, field: str, value: str
) -> None:
    answer = people.post(as_anna, "/panel/profile/", **{**FIELDS, field: value})
    assert answer.status_code == 200
    assert f'id="{field}-error"' in answer.text
    assert "Анна Петрова" in answer.text or field == "full_name"


def test_own_sessions_are_listed_and_ended_one_by_one_and_all_at_once(app: Flask, as_anna: FlaskClient) -> None:
    first, second = (people.log_in(app.test_client(), "anna") for _number in range(2))
    page = as_anna.get("/panel/profile/").text
    numbers = re.findall(r"/panel/profile/sessions/(\d+)/end", page)
    assert len(numbers) == 2
    assert page.count('data-badge="this_session"') == 1
    people.post(as_anna, f"/panel/profile/sessions/{numbers[0]}/end", page="/panel/profile/")
    alive = [visitor.get("/panel/").status_code for visitor in (first, second)]
    assert sorted(alive) == [200, 302]
    people.post(as_anna, "/panel/profile/sessions/end-others", page="/panel/profile/")
    assert [visitor.get("/panel/").status_code for visitor in (first, second, as_anna)] == [302, 302, 200]


def test_another_s_session_cannot_be_ended(as_anna: FlaskClient, as_boris: FlaskClient) -> None:
    token = people.token_of(as_anna.get("/panel/profile/"))
    for number in range(1, 6):
        as_anna.post(f"/panel/profile/sessions/{number}/end", data={"csrf_token": token})
    assert as_boris.get("/panel/").status_code == 200
    huge = as_anna.post("/panel/profile/sessions/99999999999/end", data={"csrf_token": token})
    assert huge.status_code in {302, 400, 404}


def test_the_history_shows_the_user_s_logins(app: Flask, as_anna: FlaskClient) -> None:
    people.log_in(app.test_client(), "anna")
    page = as_anna.get("/panel/profile/").text
    assert page.count('data-visit="own"') == 2


def test_nothing_changes_by_looking(app: Flask, as_anna: FlaskClient, anna: Person) -> None:
    with app.app_context():
        before = db.session.get_one(ClientUser, anna.id).row_version
    for path in ("/panel/profile/", "/panel/password", "/panel/"):
        as_anna.get(path)
    with app.app_context():
        assert db.session.get_one(ClientUser, anna.id).row_version == before

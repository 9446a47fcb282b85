"""The client's users, for its owner."""

from __future__ import annotations

from flask import Flask
from flask.testing import FlaskClient

from tests.support import people
from tests.support.people import Person


def test_the_owner_sees_who_can_log_in_and_what_they_may(app: Flask, as_anna: FlaskClient, anna: Person) -> None:
    with app.app_context():
        ada = people.user(anna.client_id, "ada", permissions=["finance", "support"])
    page = as_anna.get("/panel/users/").text
    assert page.count("<tr data-id=") == 2
    assert "Money, Tickets" in as_anna.get(f"/panel/users/{ada.id}/").text


def test_users_of_others_are_not_there(as_anna: FlaskClient, boris: Person) -> None:
    assert as_anna.get(f"/panel/users/{boris.id}/").status_code == 404


def test_who_is_no_owner_sees_no_users(app: Flask, anna: Person) -> None:
    with app.app_context():
        people.user(anna.client_id, "ada", permissions=["finance", "services", "support"])
    assert people.log_in(app.test_client(), "ada").get("/panel/users/").status_code == 403

"""Changing one's own e-mail."""

from __future__ import annotations

import re

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from extensions import Clock, db
from models import ClientUser, OutboundEmail
from operations import letters
from tests.support import people
from tests.support.people import PASSWORD, Person

LINK = re.compile(r"/confirm-email\?token=\S+")


def letters_waiting(app: Flask) -> list[tuple[str, str]]:
    """Address and text of each letter in the queue."""
    with app.app_context():
        rows = db.session.scalars(sa.select(OutboundEmail).order_by(OutboundEmail.id)).all()
        return [
            (
                row.recipient,
                letters.render(row.template, language="en", context=row.context, project_name="P").text,
            )
            for row in rows
        ]


def addresses(app: Flask, person: Person) -> tuple[str | None, str]:
    with app.app_context():
        user = db.session.get_one(ClientUser, person.id)
        return user.email, user.client.email


def ask(visitor: FlaskClient, email: str) -> int:
    return people.post(visitor, "/panel/email", email=email, current_password=PASSWORD).status_code


def link(app: Flask) -> str:
    found = LINK.findall(letters_waiting(app)[-1][1])
    assert found
    return str(found[0])


def follow(visitor: FlaskClient, path: str) -> int:
    page = visitor.get(path)
    if page.status_code != 200:
        return page.status_code
    fields = {"csrf_token": people.token_of(page), "token": path.partition("token=")[2]}
    return visitor.post("/confirm-email", data=fields).status_code


def test_the_new_address_holds_once_it_has_confirmed_and_the_old_one_is_told(
    app: Flask, client: FlaskClient, as_anna: FlaskClient, anna: Person
) -> None:
    assert ask(as_anna, "New@Desk.example") == 302
    assert addresses(app, anna)[0] == "anna@user.example"
    path = link(app)
    assert client.get(path).headers["Referrer-Policy"] == "strict-origin"
    assert addresses(app, anna)[0] == "anna@user.example", "looking at the link changes nothing"
    assert follow(client, path) == 302
    assert addresses(app, anna) == ("new@desk.example", "anna@client.example")
    recipient, text = letters_waiting(app)[-1]
    assert recipient == "anna@user.example"
    assert "new@desk.example" in text
    assert follow(client, path) == 410


def test_where_the_owner_s_address_was_the_client_s_both_change(app: Flask, as_anna: FlaskClient, anna: Person) -> None:
    with app.app_context():
        db.session.get_one(ClientUser, anna.id).client.email = "Anna@user.example"
        db.session.commit()
    ask(as_anna, "new@desk.example")
    follow(as_anna, link(app))
    assert addresses(app, anna) == ("new@desk.example", "new@desk.example")


def test_the_password_is_asked_for(app: Flask, as_anna: FlaskClient) -> None:
    answer = people.post(as_anna, "/panel/email", email="new@desk.example", current_password="wrong 1")
    assert "This is not your present password." in answer.text
    assert 'value="new@desk.example"' in answer.text
    assert letters_waiting(app) == []


@pytest.mark.parametrize(
    "address", ["no address", "anna@user.example", "a@b.example, c@d.example", "x\r\nBcc: y@z.example"]
)
def test_what_is_no_new_address_is_refused_beside_the_field(app: Flask, as_anna: FlaskClient, address: str) -> None:
    answer = people.post(as_anna, "/panel/email", email=address, current_password=PASSWORD)
    assert 'id="email-error"' in answer.text
    assert letters_waiting(app) == []


def test_an_address_that_another_user_has_looks_like_any_other_and_gets_no_letter(
    app: Flask, as_anna: FlaskClient, boris: Person
) -> None:
    assert ask(as_anna, "boris@user.example") == 302
    assert letters_waiting(app) == []


def test_an_address_that_is_taken_meanwhile_does_not_change_hands(
    app: Flask, as_anna: FlaskClient, anna: Person, boris: Person
) -> None:
    ask(as_anna, "new@desk.example")
    path = link(app)
    with app.app_context():
        db.session.get_one(ClientUser, boris.id).email = "new@desk.example"
        db.session.commit()
    assert follow(as_anna, path) == 410
    assert addresses(app, anna)[0] == "anna@user.example"


def test_a_link_is_good_for_a_day(app: Flask, client: FlaskClient, as_anna: FlaskClient, clock: Clock) -> None:
    ask(as_anna, "new@desk.example")
    path = link(app)
    clock.move(hours=23)
    assert client.get(path).status_code == 200
    clock.move(hours=2)
    assert follow(client, path) == 410


def test_before_it_is_confirmed_a_forgotten_password_goes_to_the_old_address(
    app: Flask, client: FlaskClient, as_anna: FlaskClient
) -> None:
    ask(as_anna, "new@desk.example")
    people.post(client, "/reset-password", email="anna")
    assert letters_waiting(app)[-1][0] == "anna@user.example"

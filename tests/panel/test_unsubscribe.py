"""Unsubscribing from news by the link of a letter: no login, one press, and looking changes nothing."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from extensions import db
from models import AuditEvent, Client, Consent
from operations import unsubscribing
from tests.support import people


@pytest.fixture
def link(app: Flask) -> str:
    """The path of Anna's link."""
    with app.app_context():
        address = unsubscribing.url_for_client(people.client("anna").client_id)
    return "/unsubscribe/" + address.rpartition("/")[2]


def subscribed(app: Flask) -> bool:
    with app.app_context():
        return unsubscribing.is_subscribed(db.session.scalars(sa.select(Client)).one())


def test_a_mail_program_unsubscribes_with_one_post_and_nothing_else(app: Flask, client: FlaskClient, link: str) -> None:
    for _ in range(2):
        answer = client.post(link, data={"List-Unsubscribe": "One-Click"})
        assert answer.status_code == 200
        assert not subscribed(app)
    with app.app_context():
        assert db.session.scalar(sa.select(sa.func.count(Consent.id))) == 1
        assert db.session.scalar(sa.select(sa.func.count(AuditEvent.id)).where(AuditEvent.module == "users")) >= 1


def test_looking_at_the_link_changes_nothing_and_shows_a_button(app: Flask, client: FlaskClient, link: str) -> None:
    for method in (client.get, client.head):
        assert method(link).status_code == 200
    page = client.get(link)
    assert subscribed(app)
    assert "Unsubscribe" in page.text
    assert page.headers["Referrer-Policy"] == "no-referrer"


def test_who_unsubscribed_can_take_it_back(app: Flask, client: FlaskClient, link: str) -> None:
    client.post(link)
    assert people.post(client, f"{link}/undo", page=link).status_code == 200
    assert subscribed(app)


def test_taking_it_back_needs_the_form(app: Flask, client: FlaskClient, link: str) -> None:
    client.post(link)
    assert client.post(f"{link}/undo").status_code == 400
    assert not subscribed(app)


@pytest.mark.parametrize("token", ["x", "MQ.made-up", "1", "%00", "a" * 3000])
def test_a_made_up_link_is_not_found(app: Flask, client: FlaskClient, link: str, token: str) -> None:
    assert client.get(f"/unsubscribe/{token}").status_code == 404
    assert client.post(f"/unsubscribe/{token}").status_code == 404
    assert client.post(link[:-1] + ("A" if link[-1] != "A" else "B")).status_code == 404
    assert subscribed(app)

"""What of the custom fields a client sees: those the owner shows, to be read only."""

from __future__ import annotations

from flask import Flask
from flask.testing import FlaskClient

from extensions import db
from models import Client, FieldType
from tests import factories as make
from tests.support import page as pages
from tests.support.people import Person

SECRET = "sentinel-of-staff-only-4711"


def test_a_client_reads_what_is_shown_and_never_what_is_not(app: Flask, anna: Person, as_anna: FlaskClient) -> None:
    with make.scene(app):
        make.custom_field("manager", label="Your manager", show_to_client=True)
        make.custom_field("since", label="With us since", type=FieldType.DATE, show_to_client=True)
        make.custom_field("vat", label="Pays VAT", type=FieldType.YES_NO, show_to_client=True)
        make.custom_field("risk", label="Risk by our judgement")
        client = db.session.get_one(Client, anna.client_id)
        client.custom = {"manager": "Olga <b>", "since": "2024-01-31", "risk": SECRET}
    page = pages.read(as_anna.get("/panel/profile/").text)
    facts = page.one("section", id="custom")
    assert [part.text for part in facts.all("dt")] == ["Your manager", "With us since", "Pays VAT"]
    assert [part.text for part in facts.all("dd")] == ["Olga <b>", "31.01.2024", "—"]
    for url in ("/panel/", "/panel/profile/", "/panel/users/", "/panel/payers/", "/panel/tickets/"):
        text = as_anna.get(url).text
        assert SECRET not in text
        assert "Risk by our judgement" not in text


def test_a_client_changes_none_of_it(app: Flask, anna: Person, as_anna: FlaskClient) -> None:
    with make.scene(app):
        make.custom_field("manager", show_to_client=True)
        db.session.get_one(Client, anna.client_id).custom = {"manager": "Olga"}
    page = pages.read(as_anna.get("/panel/profile/").text)
    assert not page.all("input", name="custom_manager")
    typed = {**pages.values(page), "custom_manager": "me", "custom": '{"manager": "me"}', "full_name": "Anna"}
    assert as_anna.post("/panel/profile/", data=typed).status_code == 302
    with app.app_context():
        assert db.session.get_one(Client, anna.client_id).custom == {"manager": "Olga"}


def test_without_fields_there_is_no_empty_section(app: Flask, as_anna: FlaskClient) -> None:
    with make.scene(app):
        make.custom_field("risk")
    assert not pages.read(as_anna.get("/panel/profile/").text).all("section", id="custom")

"""Editing in the cells of the client list."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from werkzeug.test import TestResponse

from extensions import db, now
from models import AuditEvent
from tests import cast as people_of
from tests import factories as make
from tests.cast import Cast, Desk
from tests.support import page as pages

UPDATE = "/admin/clients/ajax/update/"


def change(desk: Desk, number: object, **fields: Any) -> TestResponse:
    return desk.post(UPDATE, list_form_pk=str(number), **fields)


def code_of(app: Flask, code: str) -> int:
    with app.app_context():
        return make.characterization(code).id


def test_each_of_the_seven_columns_is_edited_and_the_cell_comes_back_as_the_list_shows_it(
    app: Flask, cast: Cast, owner: Desk
) -> None:
    conflict = code_of(app, "conflict")
    cells = {
        "contact_person": (" Анна Иванова ", "Анна Иванова", "Анна Иванова"),
        "email": ("New@EXAMPLE.org", "New@example.org", "New@example.org"),
        "country": ("RU", "RU", "Russia"),
        "verified_phone": ("8 916 123 45 67", "+79161234567", "+7 916 123-45-67"),
        "language": ("ru", "ru", "Русский"),
        "characterization": (str(conflict), conflict, "Conflict"),
        "note": ("First line\r\nsecond <b>line</b>", "First line\nsecond <b>line</b>", "First line second <b>line</b>"),
    }
    for name, (typed, kept, shown) in cells.items():
        before = people_of.client_row(app, cast.a.id)
        answer = change(owner, cast.a.id, **{name: typed}, row_version=before["row_version"])
        assert answer.status_code == 200, (name, answer.text)
        after = people_of.client_row(app, cast.a.id)
        assert after["characterization_id" if name == "characterization" else name] == kept
        assert answer.json["value"] == kept
        assert answer.json["version"] == after["row_version"] == before["row_version"] + 1
        assert pages.read(answer.json["html"]).text == shown
        assert not pages.read(answer.json["html"]).all("b")
    shown = [("columns", name) for name in ("name", "properties", *cells)]
    page = owner.follow(owner.post("/admin/clients/columns/", shown))
    assert pages.cell(page, cast.a.id, "Note").text == "First line second <b>line</b>"
    assert pages.badges(pages.cell(page, cast.a.id, "Properties")) == ["conflict"]
    assert people_of.client_row(app, cast.a.id)["characterization_by_id"] == cast.owner.id
    with app.app_context():
        events = db.session.scalars(
            sa.select(AuditEvent)
            .where(AuditEvent.action == "edit", AuditEvent.client_id == cast.a.id)
            .order_by(AuditEvent.id)
        ).all()
        assert len(events) == len(cells)
        assert events[0].before == {"contact_person": events[0].before["contact_person"]}
        assert events[0].after == {"contact_person": "Анна Иванова"}
        assert all(event.staff_id == cast.owner.id for event in events)


@pytest.mark.parametrize("name", ["contact_person", "verified_phone", "note"])
@pytest.mark.engine("sqlite")
def test_what_may_be_empty_can_be_emptied(app: Flask, cast: Cast, owner: Desk, name: str) -> None:
    assert change(owner, cast.a.id, **{name: ""}).status_code == 200
    assert people_of.client_row(app, cast.a.id)[name] == ""


WRONG: list[tuple[str, str, str]] = [
    ("email", "nobody", "This is no e-mail address."),
    ("email", "", "This cannot be empty."),
    ("email", "x\r\nBcc: y@z.example", "This is no e-mail address."),
    ("email", "a@b.example, c@d.example", "This is no e-mail address."),
    (
        "verified_phone",
        "12",
        "This is no telephone number of the client's country. Begin with + and the country's code.",
    ),
    (
        "verified_phone",
        "phone",
        "This is no telephone number of the client's country. Begin with + and the country's code.",
    ),
    ("country", "XX", "Choose a country from the list."),
    ("country", "", "Choose a country from the list."),
    ("language", "de", "Choose one of the list."),
    ("language", "", "Choose one of the list."),
    ("characterization", "999", "Choose one of the list."),
    ("characterization", "good", "Choose one of the list."),
    ("characterization", "", "Choose one of the list."),
    ("contact_person", "x" * 201, "Field cannot be longer than 200 characters."),
    ("contact_person", "two\nlines", "This contains a character that cannot be kept."),
    ("note", "x" * 20_001, "Field cannot be longer than 20000 characters."),
    ("note", "bell\x07", "This contains a character that cannot be kept."),
]


def test_a_wrong_value_is_refused_in_a_line_of_text_and_the_old_one_stays(app: Flask, cast: Cast, owner: Desk) -> None:
    before = people_of.digest(app)
    for name, value, message in WRONG:
        answer = change(owner, cast.a.id, **{name: value})
        assert (answer.status_code, answer.mimetype, answer.text) == (400, "text/plain", message), (name, value[:20])
    assert change(owner, cast.a.id, note="a\0b").status_code == 400
    assert people_of.digest(app) == before


def test_only_the_seven_columns_are_edited_and_one_at_a_time(app: Flask, cast: Cast, owner: Desk) -> None:
    before = people_of.digest(app)
    for name in (
        "id",
        "name",
        "project",
        "balance",
        "registered_at",
        "registration_ip",
        "active_services",
        "referrer",
        "deleted_at",
        "owner_username",
        "nonsense",
    ):
        assert change(owner, cast.a.id, **{name: "1"}).status_code == 403, name
    assert change(owner, cast.a.id).status_code == 403
    answer = change(owner, cast.a.id, note="x", email="a@b.example")
    assert (answer.status_code, answer.text) == (400, "One column at a time.")
    assert change(owner, cast.a.id, note="x", balance="5").status_code == 403
    assert owner.post(UPDATE, [("list_form_pk", str(cast.a.id)), ("note", "x"), ("note", "y")]).status_code == 400
    assert people_of.digest(app) == before


def test_a_row_that_is_not_there_is_not_found(app: Flask, cast: Cast, owner: Desk) -> None:
    with make.scene(app):
        gone = make.client("Gone", deleted_at=now()).id
    before = people_of.digest(app)
    for number in (gone, 999, 0, -1, "", "abc", "1e0", "2147483648", f"{cast.a.id} "):
        answer = change(owner, number, note="x")
        assert (answer.status_code, answer.mimetype) == (404, "text/plain"), number
    assert owner.post(UPDATE, note="x").status_code == 404
    assert people_of.digest(app) == before


def test_a_row_that_somebody_has_changed_meanwhile_is_not_overwritten(
    app: Flask, cast: Cast, owner: Desk, log_in: Callable[[str], Desk]
) -> None:
    seen = people_of.client_row(app, cast.a.id)["row_version"]
    assert change(log_in("manager"), cast.a.id, note="theirs", row_version=seen).status_code == 200
    answer = change(owner, cast.a.id, email="late@x.example", row_version=seen)
    assert answer.status_code == 409
    assert "Somebody else has changed this row meanwhile." in answer.text
    assert change(owner, cast.a.id, email="late@x.example", row_version="nonsense").status_code == 409
    assert people_of.client_row(app, cast.a.id)["email"] != "late@x.example"
    assert change(owner, cast.a.id, email="late@x.example", row_version=seen + 1).status_code == 200
    assert change(owner, cast.a.id, email="later@x.example").status_code == 200, (
        "a script need not say which version it saw"
    )


def test_the_same_moment_is_noticed_when_the_row_is_written(
    app: Flask, cast: Cast, owner: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    from models import Client
    from operations import clients

    real = clients.check

    def somebody_is_faster(client: Client) -> None:
        real(client)
        table = Client.__table__
        db.session.execute(sa.update(table).where(table.c.id == client.id).values(row_version=table.c.row_version + 1))

    monkeypatch.setattr(clients, "check", somebody_is_faster)
    assert change(owner, cast.a.id, note="mine").status_code == 409
    assert people_of.client_row(app, cast.a.id)["note"] == ""


def test_who_may_edit_what(app: Flask, cast: Cast, log_in: Callable[[str], Desk]) -> None:
    support, auditor = log_in("support"), log_in("auditor")
    before = people_of.digest(app)
    values = {"contact_person": "X", "email": "x@x.example", "verified_phone": "", "language": "ru", "country": "FR"}
    for name, value in values.items():
        assert change(support, cast.a.id, **{name: value}).status_code == 403
        assert change(auditor, cast.a.id, **{name: value}).status_code == 403
    assert change(auditor, cast.a.id, note="x").status_code == 403
    assert change(log_in("accountant"), cast.a.id, note="x").status_code == 403
    assert people_of.digest(app) == before
    assert change(support, cast.a.id, note="Called twice.").status_code == 200
    assert change(support, cast.a.id, characterization=code_of(app, "good")).status_code == 200
    row = people_of.client_row(app, cast.a.id)
    assert (row["note"], row["characterization_by_id"]) == ("Called twice.", cast.support.id)
    assert row["characterization_at"] is not None


def test_a_denied_try_is_written_down(app: Flask, cast: Cast, log_in: Callable[[str], Desk]) -> None:
    change(log_in("auditor"), cast.a.id, note="x")
    with app.app_context():
        event = db.session.scalars(sa.select(AuditEvent).order_by(AuditEvent.id.desc())).first()
        assert event is not None
        assert (event.action, event.module, event.staff_id) == ("denied", "clients", cast.auditor.id)
        assert event.after == {"permission": "clients.edit", "path": UPDATE}


def test_a_value_that_is_the_same_changes_nothing(app: Flask, cast: Cast, owner: Desk) -> None:
    before = people_of.digest(app)
    email = people_of.client_row(app, cast.a.id)["email"]
    answer = change(owner, cast.a.id, email=email)
    assert answer.status_code == 200
    assert people_of.digest(app) == before


def test_a_script_is_told_how_to_ask_for_each_cell(app: Flask, cast: Cast, owner: Desk) -> None:
    """Kinds and choices stand in the page; each cell says its value and each row its version."""
    import json

    names = ("contact_person", "email", "verified_phone", "language", "country", "characterization", "note")
    page = owner.follow(owner.post("/admin/clients/columns/", [("columns", name) for name in ("name", *names)]))
    spec = json.loads(str(page.one("script", id="edit-spec").children[0]))
    assert set(spec) == set(names)
    assert spec["language"] == {
        "kind": "select",
        "label": "Language",
        "options": [["en", "English"], ["ru", "Русский"]],
    }
    assert ["DE", "Germany"] in spec["country"]["options"]
    assert [str(code_of(app, "good")), "Good"] in spec["characterization"]["options"]
    assert (spec["note"]["kind"], spec["email"]["kind"], spec["verified_phone"]["kind"]) == ("textarea", "email", "tel")
    row = page.one("tr", data_id=str(cast.b.id))
    assert row["data-version"] == str(people_of.client_row(app, cast.b.id)["row_version"])
    values = {cell["data-edit"]: cell["data-value"] for cell in row.all("td", data_edit=None)}
    assert values["country"] == "RU"
    assert values["characterization"] == str(code_of(app, "ordinary"))
    assert page.one("table", class_="list")["data-update-url"] == UPDATE

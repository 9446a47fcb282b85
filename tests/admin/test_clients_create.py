"""A new client: what the form asks, what it refuses, and what stands in the tables afterwards."""

from __future__ import annotations

import json
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from extensions import db
from models import Account, AuditEvent, Client, ClientUser, OutboundEmail
from operations import passwords
from tests import cast as people_of
from tests import factories as make
from tests.cast import Cast, Desk
from tests.support import page as pages

NEW = "/admin/clients/new/"
PASSWORD = "horse staple 77"
EMPTY = "This cannot be empty."


@pytest.fixture
def typed(cast: Cast) -> dict[str, str]:
    """The form filled in as it should be, for a company."""
    return {
        "project": str(cast.project_b),
        "username": "newcomer",
        "password": PASSWORD,
        "password_confirm": PASSWORD,
        "email": "office@newcomer.example",
        "country": "RU",
        "language": "ru",
        "legal_status": "company",
        "company_name": "ООО «Новичок»",
        "contact_person": "Пётр Новиков",
    }


def kept_of(page: pages.Node, typed: dict[str, str]) -> dict[str, str]:
    """What the form that came back holds of what was typed."""
    held = pages.values(page)
    return {name: held.get(name, [""])[0] for name in typed}


# Made


def test_client_owner_and_account_are_made_together(app: Flask, cast: Cast, owner: Desk, typed: dict[str, str]) -> None:
    answer = owner.post(NEW, typed)
    assert answer.status_code == 302, pages.errors(pages.read(answer.text))
    with app.app_context():
        client = db.session.scalars(sa.select(Client).order_by(Client.id.desc())).first()
        assert client is not None
        assert answer.location == f"/admin/clients/details/?id={client.id}"
        assert (client.name, client.company_name, client.contact_person) == (
            "ООО «Новичок»",
            "ООО «Новичок»",
            "Пётр Новиков",
        )
        assert (client.email, client.country, client.language) == ("office@newcomer.example", "RU", "ru")
        assert (client.legal_status, client.project_id) == ("company", cast.project_b)
        assert client.characterization.code == "ordinary"
        assert client.deleted_at is None
        [user] = client.users
        assert (user.username, user.is_owner, user.is_active, user.email) == (
            "newcomer",
            True,
            True,
            "office@newcomer.example",
        )
        assert (user.full_name, user.language) == ("Пётр Новиков", "ru")
        assert user.must_change_password, "a password that staff set is for one use"
        assert passwords.verify(user.password_hash, PASSWORD)
        [account] = client.accounts
        assert (account.project_id, account.currency, account.balance) == (cast.project_b, "RUB", 0)
        assert client.owner_username == "newcomer"
        events = db.session.execute(
            sa.select(AuditEvent.module, AuditEvent.action, AuditEvent.staff_id).where(
                AuditEvent.client_id == client.id
            )
        ).all()
        assert {
            ("clients", "create", cast.owner.id),
            ("users", "create", cast.owner.id),
            ("accounts", "create", cast.owner.id),
        } <= {tuple(event) for event in events}
        recorded = json.dumps([[event.before, event.after] for event in db.session.scalars(sa.select(AuditEvent))])
        assert PASSWORD not in recorded
        assert user.password_hash not in recorded
        assert (
            db.session.scalar(sa.select(sa.func.count(OutboundEmail.id)).where(OutboundEmail.client_id == client.id))
            == 0
        )
    page = owner.follow(answer)
    assert pages.messages(page) == [("success", f"Client #{client.id} ООО «Новичок» created.")]
    assert page.one("h1").text == f"ООО «Новичок» (newcomer) #{client.id}"
    assert owner.ids("/admin/clients/?search=новичок") == [client.id]


def test_anybody_else_is_called_by_the_contact_person_and_has_no_company(
    app: Flask, owner: Desk, typed: dict[str, str]
) -> None:
    for status, username in (("individual", "one"), ("sole_proprietor", "two")):
        assert owner.post(NEW, typed, legal_status=status, username=username).status_code == 302
        with app.app_context():
            client = db.session.scalars(sa.select(Client).order_by(Client.id.desc())).first()
            assert client is not None
            assert (client.name, client.company_name) == ("Пётр Новиков", "")


def test_what_is_typed_is_put_into_its_normal_form(app: Flask, owner: Desk, typed: dict[str, str]) -> None:
    fields = {
        "username": "  NewComer.2 ",
        "email": " Office@EXAMPLE.com ",
        "contact_person": "  Пётр Нови\u0438\u0306  ",
    }
    assert owner.post(NEW, typed, **fields).status_code == 302
    with app.app_context():
        user = db.session.scalars(sa.select(ClientUser).order_by(ClientUser.id.desc())).first()
        assert user is not None
        assert (user.username, user.client.email, user.email) == (
            "newcomer.2",
            "Office@example.com",
            "office@example.com",
        )
        assert user.client.contact_person == "Пётр Новий"


def test_the_new_client_can_log_in_once_and_then_sets_a_password_of_his_own(
    app: Flask, owner: Desk, typed: dict[str, str]
) -> None:
    owner.post(NEW, typed)
    visitor = app.test_client()
    desk = Desk(visitor, "/login")
    assert desk.post("/login", username="newcomer", password=PASSWORD).status_code == 302
    assert visitor.get("/panel/services/").location == "/panel/password"


def test_a_welcome_letter_is_sent_when_asked_for_without_the_password(
    app: Flask, owner: Desk, typed: dict[str, str]
) -> None:
    assert owner.post(NEW, typed, send_welcome="y").status_code == 302
    with app.app_context():
        [letter] = db.session.scalars(
            sa.select(OutboundEmail).where(OutboundEmail.recipient == "office@newcomer.example")
        )
        assert letter.template == "welcome"
        assert PASSWORD not in json.dumps(letter.context)


def test_the_same_email_for_two_clients_is_fine_but_only_one_logs_in_with_it(
    app: Flask, owner: Desk, typed: dict[str, str]
) -> None:
    owner.post(NEW, typed)
    assert owner.post(NEW, typed, username="second").status_code == 302
    with app.app_context():
        users = db.session.scalars(sa.select(ClientUser).order_by(ClientUser.id.desc()).limit(2)).all()
        assert [(user.username, user.email, user.client.email) for user in users] == [
            ("second", None, "office@newcomer.example"), ("newcomer", "office@newcomer.example", "office@newcomer.example"),
        ]  # fmt: skip


# Refused


LONG = "я" * 5000
REFUSED: list[tuple[dict[str, str], str, str]] = [
    ({"project": ""}, "project", "Choose one of the list."),
    ({"project": "999"}, "project", "Choose one of the list."),
    ({"project": "abc"}, "project", "Choose one of the list."),
    ({"username": ""}, "username", EMPTY),
    ({"username": "   "}, "username", EMPTY),
    ({"username": "a" * 81}, "username", "Field cannot be longer than 80 characters."),
    ({"username": LONG}, "username", "Field cannot be longer than 80 characters."),
    ({"username": "пётр"}, "username", "A username has Latin letters"),
    ({"username": "two words"}, "username", "A username has Latin letters"),
    ({"username": "-dash"}, "username", "A username has Latin letters"),
    ({"username": "<script>"}, "username", "A username has Latin letters"),
    ({"username": "zero\u200bwidth"}, "username", "A username has Latin letters"),
    ({"username": "line\nbreak"}, "username", "This contains a character that cannot be kept."),
    ({"username": "boris"}, "username", "This username is taken."),
    ({"username": "BORIS"}, "username", "This username is taken."),
    ({"username": " boris.limited"}, "username", "This username is taken."),
    ({"password": "", "password_confirm": ""}, "password", EMPTY),
    ({"password": "short 1", "password_confirm": "short 1"}, "password", "At least 8 characters, please."),
    (
        {"password": "only letters", "password_confirm": "only letters"},
        "password",
        "The password must contain Latin letters and digits.",
    ),
    (
        {"password": "1234567890", "password_confirm": "1234567890"},
        "password",
        "The password must contain Latin letters and digits.",
    ),
    (
        {"password": "пароль12345", "password_confirm": "пароль12345"},
        "password",
        "The password must contain Latin letters and digits.",
    ),
    (
        {"password": "password1", "password_confirm": "password1"},
        "password",
        "This password is one of the most common ones.",
    ),
    (
        {"password": "newcomer2026", "password_confirm": "newcomer2026", "username": "newcomer2026"},
        "password",
        "The password must not be a name.",
    ),
    (
        {"password": "a1" * 129, "password_confirm": "a1" * 129},
        "password",
        "Field cannot be longer than 256 characters.",
    ),
    ({"password_confirm": "different 12"}, "password_confirm", "The two passwords are not the same."),
    ({"password_confirm": ""}, "password_confirm", "The two passwords are not the same."),
    ({"email": ""}, "email", EMPTY),
    ({"email": "nobody"}, "email", "This is no e-mail address."),
    ({"email": "a@b@c"}, "email", "This is no e-mail address."),
    ({"email": "a@x.example, b@x.example"}, "email", "This is no e-mail address."),
    ({"email": '"Evil <a@b.example>," <c@d.example>'}, "email", "This is no e-mail address."),
    ({"email": "a@x.example\r\nBcc: b@x.example"}, "email", "This"),
    ({"email": "a\u2028b@x.example"}, "email", "This"),
    ({"email": "a" * 250 + "@x.example"}, "email", "This is no e-mail address."),
    ({"country": ""}, "country", "Choose a country from the list."),
    ({"country": "XX"}, "country", "Choose a country from the list."),
    ({"country": "Russia"}, "country", "Choose a country from the list."),
    ({"language": ""}, "language", "Choose one of the list."),
    ({"language": "de"}, "language", "Choose one of the list."),
    ({"legal_status": ""}, "legal_status", "Choose one of the list."),
    ({"legal_status": "llc"}, "legal_status", "Choose one of the list."),
    ({"company_name": ""}, "company_name", "A company has a name."),
    ({"company_name": "  "}, "company_name", "A company has a name."),
    ({"company_name": "x" * 201}, "company_name", "Field cannot be longer than 200 characters."),
    ({"company_name": "a\x07b"}, "company_name", "This contains a character that cannot be kept."),
    ({"contact_person": ""}, "contact_person", EMPTY),
    ({"contact_person": "  "}, "contact_person", EMPTY),
    ({"contact_person": LONG}, "contact_person", "Field cannot be longer than 200 characters."),
    ({"contact_person": "a\u2028b"}, "contact_person", "This contains a character that cannot be kept."),
]


def test_what_is_wrong_is_said_beside_the_field_and_nothing_typed_is_lost(
    app: Flask, owner: Desk, typed: dict[str, str]
) -> None:
    before = people_of.digest(app)
    problems: list[Any] = []
    for changes, field, message in REFUSED:
        fields = {**typed, **changes}
        page = owner.refused(NEW, fields)
        errors = pages.errors(page)
        if set(errors) != {field} or message not in errors[field]:
            problems.append((changes, errors))
        wanted = {name: "" if name.startswith("password") else text for name, text in fields.items()}
        unknown = {"project", "country", "language", "legal_status"} & set(changes)
        held = kept_of(page, fields)
        # What a browser does with a carriage return or blanks around is not ours to keep; unknown choices cannot be shown.
        lost = {
            name: held[name] for name in wanted if held[name].split() != wanted[name].split() and name not in unknown
        }
        if lost:
            problems.append((changes, "lost", lost))
    assert problems == []
    assert people_of.digest(app) == before


def test_many_mistakes_are_told_all_at_once(app: Flask, owner: Desk) -> None:
    page = owner.refused(NEW)
    assert set(pages.errors(page)) >= {"project", "username", "password", "email", "country", "contact_person"}
    summary = page.one(id="form-errors")
    assert "This could not be saved." in summary.text
    for link in summary.all("a"):
        assert page.one(id=link["href"].removeprefix("#"))
    for field in page.all(aria_invalid="true"):
        assert page.one(id=field["aria-describedby"].split()[-1]).text


def test_one_field_twice_makes_no_fault_and_no_two_clients(app: Flask, owner: Desk, typed: dict[str, str]) -> None:
    before = len(owner.ids("/admin/clients/"))
    for number, (name, text) in enumerate(typed.items()):
        fields = [*{**typed, "username": f"twice{number}"}.items(), (name, text + "x")]
        assert people_of.is_no_fault(owner.post(NEW, fields)), name
    assert len(owner.ids("/admin/clients/")) <= before + len(typed)
    with app.app_context():
        assert db.session.scalar(sa.select(sa.func.count(Account.id))) == db.session.scalar(
            sa.select(sa.func.count(Client.id))
        )


def test_columns_that_the_form_does_not_ask_for_are_not_taken(
    app: Flask, cast: Cast, owner: Desk, typed: dict[str, str]
) -> None:
    extra = {
        "id": "500", "balance": "1000000", "registered_at": "2001-01-01", "registration_ip": "6.6.6.6", "is_owner": "0",
        "referrer": str(cast.a.id), "note": "forged", "verified_phone": "+79161234567", "deleted_at": "2001-01-01",
        "credit_limit": "1000000", "active_services": "9", "external_id": "x", "row_version": "7", "is_active": "0",
    }  # fmt: skip
    assert owner.post(NEW, typed, **extra).status_code == 302
    with app.app_context():
        client = db.session.scalars(sa.select(Client).order_by(Client.id.desc())).first()
        assert client is not None
        assert client.id != 500
        assert (client.balance, client.registration_ip, client.referrer_id, client.note) == (0, "", None, "")
        assert (client.verified_phone, client.external_id, client.row_version) == ("", None, 1)
        assert client.registered_at.year >= 2025
        assert client.accounts[0].credit_limit == 0
        assert client.users[0].is_owner


def test_a_project_that_is_not_in_use_gets_no_new_clients(app: Flask, owner: Desk, typed: dict[str, str]) -> None:
    with make.scene(app):
        closed = make.project("Closed", is_active=False).id
    assert str(closed) not in {
        option["value"] for option in owner.page(NEW).one("select", name="project").all("option")
    }
    assert pages.errors(owner.refused(NEW, typed, project=str(closed))) == {"project": "Choose one of the list."}


def test_two_who_take_the_same_username_at_once_make_one_client(
    app: Flask, owner: Desk, typed: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second finds out from the database, not from looking first."""
    from operations import clients

    monkeypatch.setattr(clients.db.session, "scalar", _never_taken(clients.db.session.scalar))
    page = owner.refused(NEW, typed, username="boris")
    assert "is there another with the same name?" in page.one(id="form-errors").text
    assert pages.values(page)["username"] == ["boris"]


def _never_taken(real: Any) -> Any:
    """Look-ups of a username find nobody, as they do an instant before somebody else takes it."""

    def scalar(statement: Any, *arguments: Any, **more: Any) -> Any:
        found = real(statement, *arguments, **more)
        return None if "client_users.username = " in str(statement) else found

    return scalar


# Similar ones


def test_clients_like_the_new_one_are_shown_and_do_not_block(
    app: Flask, cast: Cast, owner: Desk, typed: dict[str, str]
) -> None:
    with make.scene(app):
        same_company = make.client("Новичок", company_name="ООО «Новичок»").id
        same_email = make.client("Somebody", email="Office@newcomer.example").id
        make.client("Different")
        make.client(
            "Deleted", company_name="ООО «Новичок»", deleted_at=db.session.scalar(sa.select(Client.registered_at))
        )
    page = owner.refused(NEW, typed, username="!")
    shown = {link["href"] for link in page.one(data_similar="").all("a")}
    assert shown == {f"/admin/clients/details/?id={number}" for number in (same_company, same_email)}
    assert owner.post(NEW, typed).status_code == 302

    answer = owner.get("/admin/clients/similar.json?email=office@newcomer.example").json
    assert {one["id"] for one in answer} >= {same_email}
    assert set(answer[0]) == {"id", "name", "email", "url"}
    assert owner.get("/admin/clients/similar.json").json == []
    assert owner.get("/admin/clients/similar.json?phone=").json == []


def test_the_form_begins_with_the_first_project_and_its_language(app: Flask, owner: Desk) -> None:
    held = pages.values(owner.page(NEW))
    assert held["project"] == ["1"]
    assert held["language"] == ["en"]
    assert held["legal_status"] == ["individual"]
    page = owner.page(NEW).one("form", class_="form-page")
    for name in ("project", "username", "password", "password_confirm", "email", "country", "language", "legal_status",
                 "company_name", "contact_person"):  # fmt: skip
        field = page.one(name=name)
        assert page.one("label", for_=field["id"]).text
    assert page.one("button", data_generate_password=None)
    assert page.one(name="password").get("value") == ""

"""Logging in and out of the panel, a forgotten password, and a password for one use."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from extensions import Clock, db, now
from models import AuditEvent, Client, ClientUser, OutboundEmail, Session
from operations import letters, password_links, passwords
from tests.support import people
from tests.support.people import PASSWORD, Person

NEW = "another horse battery 2"
LINK = re.compile(r"https?://[^\s\"<]+/reset-password/set\?token=[^\s\"<]+")


def letters_to(app: Flask, address: str) -> list[str]:
    """What the letters waiting for the address say, the newest last."""
    with app.app_context():
        waiting = db.session.scalars(
            sa.select(OutboundEmail).where(OutboundEmail.recipient == address).order_by(OutboundEmail.id)
        ).all()
        return [
            letters.render(
                letter.template,
                language=letter.language.value,
                context=letter.context,
                project_name=letter.project.name,
            ).text
            for letter in waiting
        ]


def ask_for_link(app: Flask, visitor: FlaskClient, name: str) -> str:
    """The path of the newest link, asked for by e-mail."""
    people.post(visitor, "/reset-password", email=name)
    found = LINK.findall("\n".join(letters_to(app, "anna@user.example")))
    assert found
    return "/reset-password" + found[-1].partition("/reset-password")[2]


def use_link(visitor: FlaskClient, link: str, password: str = NEW) -> int:
    token = link.partition("token=")[2]
    page = visitor.get(link)
    if page.status_code != 200:
        return page.status_code
    fields = {"token": token, "password": password, "password_confirm": password}
    answer = visitor.post("/reset-password/set", data={"csrf_token": people.token_of(page), **fields})
    return answer.status_code


def test_a_client_user_logs_in_by_username_and_by_e_mail(app: Flask, anna: Person) -> None:
    for name in ("anna", "ANNA@user.example"):
        visitor = people.log_in(app.test_client(), name)
        assert "anna" in visitor.get("/panel/").text


def test_a_wrong_password_and_an_unknown_name_are_told_the_same_way(client: FlaskClient, anna: Person) -> None:
    answers = [people.post(client, "/login", username=name, password="wrong password 1") for name in ("anna", "nobody")]
    texts = [people.TOKEN.sub("", answer.text).replace("nobody", "anna") for answer in answers]
    texts = [re.sub(r'name="csrf-token" content="[^"]*"', "", text) for text in texts]
    assert answers[0].status_code == answers[1].status_code
    assert "The username or the password is wrong." in texts[0]
    assert texts[0] == texts[1]


def test_the_login_gives_a_new_session_and_the_old_cookie_is_nobody(app: Flask, anna: Person) -> None:
    visitor = app.test_client()
    visitor.get("/login")
    before = people.cookies(visitor)["client_session"]
    people.log_in(visitor, "anna")
    after = people.cookies(visitor)["client_session"]
    assert before != after
    assert people.only_the_cookie(app, "client_session", before).get("/panel/").status_code == 302


def test_a_logout_is_final(app: Flask, as_anna: FlaskClient) -> None:
    cookie = people.cookies(as_anna)["client_session"]
    people.post(as_anna, "/logout", page="/panel/")
    replayed = people.only_the_cookie(app, "client_session", cookie).get("/panel/")
    assert replayed.status_code == 302
    assert replayed.location.startswith("/login")


def test_a_login_leads_to_the_page_of_the_panel_that_was_asked_for(client: FlaskClient, anna: Person) -> None:
    asked = client.get("/panel/invoices/?before=7")
    answer = people.post(client, asked.location, username="anna", password=PASSWORD)
    assert answer.location == "/panel/invoices/?before=7"


@pytest.mark.parametrize("elsewhere", ["//evil.example", "/\\evil.example", "https://evil.example", "/admin/"])
def test_a_login_leads_nowhere_else(client: FlaskClient, anna: Person, elsewhere: str) -> None:
    answer = people.post(client, "/login", username="anna", password=PASSWORD, next=elsewhere)
    assert answer.status_code == 400 or answer.location == "/panel/"


def test_staff_and_clients_are_two_kinds_of_people_whatever_their_numbers(app: Flask) -> None:
    """A client user with a staff member's number opens no page of the admin, and the other way round."""
    with app.app_context():
        member = people.staff("olga", "clients.view")
        user = people.client("anna")
        assert member.id == user.id
    visitor = people.log_in(app.test_client(), "anna")
    assert visitor.get("/admin/clients/").status_code in {302, 403}
    cookie = people.cookies(visitor)["client_session"]
    moved = people.only_the_cookie(app, "staff_session", cookie)
    assert moved.get("/admin/clients/").status_code == 302
    staff = people.log_in_staff(app.test_client(), "olga")
    moved = people.only_the_cookie(app, "client_session", people.cookies(staff)["staff_session"])
    assert moved.get("/panel/").status_code == 302


def test_a_blocked_user_and_one_of_a_deleted_client_are_out_at_the_next_request(
    app: Flask, as_anna: FlaskClient, anna: Person, as_boris: FlaskClient, boris: Person
) -> None:
    with app.app_context():
        db.session.get_one(ClientUser, anna.id).is_active = False
        db.session.get_one(Client, boris.client_id).deleted_at = now()
        db.session.commit()
    assert as_anna.get("/panel/").status_code == 302
    assert as_boris.get("/panel/").status_code == 302


def test_guessing_from_one_address_is_stopped_for_a_while(client: FlaskClient, anna: Person) -> None:
    for number in range(10):
        people.post(client, "/login", username=f"guess{number}", password="wrong password 1")
    refused = people.post(client, "/login", username="anna", password=PASSWORD)
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) > 0


# A password for one use


def test_a_password_that_staff_set_leads_to_the_change_page_until_it_is_changed(app: Flask, anna: Person) -> None:
    with app.app_context():
        db.session.get_one(ClientUser, anna.id).must_change_password = True
        db.session.commit()
    visitor = people.log_in(app.test_client(), "anna")
    for path in ("/panel/", "/panel/profile/", "/panel/tickets/"):
        assert visitor.get(path).location == "/panel/password"
    page = visitor.get("/panel/password")
    assert "current_password" not in page.text
    kept = people.post(visitor, "/panel/password", password=PASSWORD, password_confirm=PASSWORD)
    assert "Choose another password" in kept.text
    differs = people.post(visitor, "/panel/password", password=NEW, password_confirm="x")
    assert "The two passwords differ." in differs.text
    changed = people.post(visitor, "/panel/password", password=NEW, password_confirm=NEW)
    assert changed.location == "/panel/"
    assert visitor.get("/panel/").status_code == 200


def test_changing_the_password_asks_for_the_present_one_and_ends_other_sessions(
    app: Flask, as_anna: FlaskClient
) -> None:
    elsewhere = people.log_in(app.test_client(), "anna")
    old_cookie = people.cookies(as_anna)["client_session"]
    fields = {"password": NEW, "password_confirm": NEW}
    wrong = people.post(as_anna, "/panel/password", current_password="wrong password 1", **fields)
    assert "This is not your present password." in wrong.text
    weak = people.post(
        as_anna, "/panel/password", current_password=PASSWORD, password="short1", password_confirm="short1"
    )
    assert "At least 8 characters" in weak.text
    assert people.post(as_anna, "/panel/password", current_password=PASSWORD, **fields).status_code == 302
    assert as_anna.get("/panel/").status_code == 200
    assert elsewhere.get("/panel/").status_code == 302
    assert people.only_the_cookie(app, "client_session", old_cookie).get("/panel/").status_code == 302
    assert "has just been changed" in letters_to(app, "anna@user.example")[-1]


# A forgotten password


def test_a_forgotten_password_is_set_anew_by_the_link_of_a_letter(app: Flask, as_anna: FlaskClient) -> None:
    """The link works once, logs nobody in, ends all sessions, and the user is told of the change."""
    visitor = app.test_client()
    link = ask_for_link(app, visitor, "anna@user.example")
    page = visitor.get(link)
    assert page.headers["Referrer-Policy"] == "strict-origin"
    assert visitor.get(link).status_code == 200, "looking at the link must not use it up"
    assert use_link(visitor, link) == 302
    assert visitor.get("/panel/").status_code == 302, "setting a password logs nobody in"
    assert as_anna.get("/panel/").status_code == 302
    assert use_link(visitor, link) == 410
    people.log_in(visitor, "anna", NEW)
    assert "has just been changed" in letters_to(app, "anna@user.example")[-1]


def test_asking_for_a_link_answers_the_same_for_everybody(app: Flask, client: FlaskClient, anna: Person) -> None:
    answers = [people.post(client, "/reset-password", email=name) for name in ("anna", "nobody@x.example")]
    assert answers[0].status_code == answers[1].status_code == 302
    assert answers[0].location == answers[1].location == "/reset-password/sent"
    assert list(answers[0].headers.keys()) == list(answers[1].headers.keys())
    assert len(letters_to(app, "anna@user.example")) == 1
    assert letters_to(app, "nobody@x.example") == []


def test_a_link_goes_to_the_stored_address_alone(app: Flask, client: FlaskClient, anna: Person) -> None:
    token = people.token_of(client.get("/reset-password"))
    fields = {"csrf_token": token, "email": ["anna@user.example", "evil@evil.example"]}
    client.post("/reset-password", data=fields, headers={"X-Forwarded-Host": "evil.example"})
    assert letters_to(app, "evil@evil.example") == []
    (text,) = letters_to(app, "anna@user.example")
    assert "evil" not in text
    assert app.config["SETTINGS"].public_url in text


def test_a_link_is_good_for_half_an_hour(app: Flask, client: FlaskClient, anna: Person, clock: Clock) -> None:
    link = ask_for_link(app, client, "anna@user.example")
    clock.move(minutes=29)
    assert client.get(link).status_code == 200
    clock.move(minutes=2)
    assert use_link(client, link) == 410


def test_a_newer_request_and_a_change_of_e_mail_kill_a_link(app: Flask, client: FlaskClient, anna: Person) -> None:
    first = ask_for_link(app, client, "anna@user.example")
    second = ask_for_link(app, client, "anna@user.example")
    assert first != second
    assert client.get(first).status_code == 410
    assert client.get(second).status_code == 200
    with app.app_context():
        db.session.get_one(ClientUser, anna.id).email = "new@user.example"
        db.session.commit()
    assert client.get(second).status_code == 410


def test_of_two_who_use_a_link_one_sets_the_password(app: Flask, client: FlaskClient, anna: Person) -> None:
    link = ask_for_link(app, client, "anna@user.example")
    other = app.test_client()
    token = link.partition("token=")[2]
    pages = [(visitor, people.token_of(visitor.get(link))) for visitor in (client, other)]
    codes = [
        visitor.post(
            "/reset-password/set",
            data={"csrf_token": csrf, "token": token, "password": NEW, "password_confirm": NEW},
        ).status_code
        for visitor, csrf in pages
    ]
    assert codes == [302, 410]


def test_a_weak_password_is_refused_beside_the_field_and_the_link_stays_good(
    app: Flask, client: FlaskClient, anna: Person
) -> None:
    link = ask_for_link(app, client, "anna@user.example")
    assert use_link(client, link, "password1") == 200
    assert use_link(client, link, "onlyletters") == 200
    assert use_link(client, link) == 302


@pytest.mark.parametrize("token", ["", "x", "W10.x", "x" * 5000, "..", "\u043f"])
def test_a_link_that_somebody_made_up_opens_nothing(client: FlaskClient, token: str) -> None:
    assert client.get("/reset-password/set", query_string={"token": token}).status_code == 410


def test_no_usable_link_stands_in_the_database(app: Flask, client: FlaskClient, anna: Person) -> None:
    link = ask_for_link(app, client, "anna@user.example")
    token = link.partition("token=")[2]
    with app.app_context():
        contexts = db.session.scalars(sa.select(OutboundEmail.context)).all()
        events = db.session.scalars(sa.select(AuditEvent.after)).all()
        sessions = db.session.scalars(sa.select(Session.data)).all()
    assert token not in str([contexts, events, sessions])


def test_letters_for_one_name_stop_after_a_few(app: Flask, anna: Person) -> None:
    for _number in range(5):
        people.post(app.test_client(), "/reset-password", email="anna")
    assert len(letters_to(app, "anna@user.example")) == 3


def test_asking_from_one_address_is_limited(client: FlaskClient) -> None:
    codes = [people.post(client, "/reset-password", email=f"n{number}@x.example").status_code for number in range(12)]
    assert codes[:10] == [302] * 10
    assert codes[10:] == [429] * 2


def test_a_key_that_was_replaced_still_reads_its_links(app: Flask, anna: Person) -> None:
    with app.app_context():
        user = db.session.get_one(ClientUser, anna.id)
        link = password_links.make_link(user, purpose="welcome", now=now())
        token = link.partition("token=")[2]
        assert password_links.read(token, now() + timedelta(days=6)) is user
        assert password_links.read(token, now() + timedelta(days=8)) is None
        user.password_hash = passwords.hash_password(NEW)
        db.session.flush()
        assert password_links.read(token, now()) is None

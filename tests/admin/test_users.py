"""The logins of a client in the admin: made, changed, blocked, removed, given a password, made the owner."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from extensions import db
from models import AuditEvent, Client, ClientUser, Impersonation, OutboundEmail, Session
from operations import passwords
from operations.letters import render
from tests import cast as people_of
from tests import factories as make
from tests.cast import Cast, Desk
from tests.support import page as pages
from tests.support.people import Person

GOOD = {
    "username": " Anna.Two ", "full_name": "Anna Second", "email": "Second@X.example", "phone": "+49 30 1234567",
    "language": "ru", "time_zone": "Europe/Berlin", "is_active": "y", "password": "secret words 77",
    "password_confirm": "secret words 77",
}  # fmt: skip


def user(app: Flask, number: int) -> dict[str, Any]:
    with app.app_context():
        return dict(db.session.execute(sa.select(ClientUser.__table__).where(ClientUser.id == number)).mappings().one())


def named(app: Flask, username: str) -> dict[str, Any]:
    with app.app_context():
        number = db.session.scalars(sa.select(ClientUser.id).where(ClientUser.username == username)).one()
    return user(app, number)


def letters(app: Flask) -> list[tuple[str, str]]:
    with app.app_context():
        return list(map(tuple, db.session.execute(sa.select(OutboundEmail.template, OutboundEmail.recipient)
                                                  .where(OutboundEmail.mailing_id.is_(None)).order_by(OutboundEmail.id))))  # fmt: skip


def actions(app: Flask, number: int) -> list[str]:
    with app.app_context():
        statement = sa.select(AuditEvent.action).where(AuditEvent.module == "users", AuditEvent.record_id == number)
        return list(db.session.scalars(statement.order_by(AuditEvent.id)))


def test_a_user_is_made_for_a_client_and_changes_his_password_at_the_first_login(
    app: Flask, cast: Cast, owner: Desk, make_client: Callable[[], Any]
) -> None:
    answer = owner.post("/admin/users/new/", {**GOOD, "client": f"#{cast.a.id}", "permissions": ["finance", "support"]})
    page = owner.follow(answer)
    assert pages.messages(page) == [("success", "User anna.two created.")]
    made = named(app, "anna.two")
    wanted = {
        "client_id": cast.a.id, "full_name": "Anna Second", "email": "second@x.example", "phone": "+49301234567",
        "language": "ru", "time_zone": "Europe/Berlin", "is_owner": False, "is_active": True,
        "permissions": ["finance", "support"], "must_change_password": True,
    }  # fmt: skip
    assert {name: made[name] for name in wanted} == wanted
    assert passwords.verify(made["password_hash"], "secret words 77")
    assert "Money: accounts" in page.text
    with app.app_context():
        assert "anna.two" in db.session.get_one(Client, cast.a.id).usernames
    inside = people_of.log_in(make_client(), Person(made["id"], cast.a.id))
    assert inside.get("/panel/").location == "/panel/password"


def test_under_the_filter_by_client_the_client_is_preset_and_no_other_is_taken(cast: Cast, owner: Desk) -> None:
    assert any(
        link["href"] == f"/admin/users/new/?client={cast.b.id}"
        for link in owner.page(f"/admin/users/?client={cast.b.id}").all("a", href=None)
    )
    held = pages.values(owner.page(f"/admin/users/new/?client={cast.b.id}"))
    assert held["client"] == [str(cast.b.id)]
    assert held["language"] == ["ru"], "the client's own"
    owner.post("/admin/clients/scope/", id=cast.b.id)
    page = owner.refused("/admin/users/new/", {**GOOD, "client": str(cast.a.id)})
    assert "The client filter is on" in pages.errors(page)["client"]
    assert owner.post("/admin/users/new/", {**GOOD, "client": str(cast.b.id)}).status_code == 302


def test_the_first_user_of_a_client_is_its_owner(app: Flask, cast: Cast, owner: Desk) -> None:
    with make.scene(app):
        lonely = make.client("Lonely", username=None).id
    assert owner.post("/admin/users/new/", {**GOOD, "client": str(lonely)}).status_code == 302
    assert named(app, "anna.two")["is_owner"] is True


def test_with_a_link_no_password_is_needed(app: Flask, cast: Cast, owner: Desk) -> None:
    fields = {**GOOD, "client": str(cast.a.id), "password": "", "password_confirm": ""}
    page = owner.refused("/admin/users/new/", fields)
    assert pages.errors(page) == {"password": "Enter a password, or have a link sent."}
    page = owner.refused("/admin/users/new/", {**fields, "email": "", "send_link": "y"})
    assert set(pages.errors(page)) == {"email"}
    assert owner.post("/admin/users/new/", {**fields, "send_link": "y"}).status_code == 302
    assert letters(app)[-1] == ("reset_password", "second@x.example")
    assert named(app, "anna.two")["must_change_password"] is False


WRONG: list[tuple[dict[str, str], str, str]] = [
    ({"client": ""}, "client", "Name one by its code."),
    ({"client": "999"}, "client", "There is none with this code."),
    ({"username": ""}, "username", "This cannot be empty."),
    ({"username": "ANNA"}, "username", "This username is taken."),
    ({"username": " anna "}, "username", "This username is taken."),
    ({"username": "аnna"}, "username", "A username has Latin letters"),
    ({"username": "anna\u200b"}, "username", "A username has Latin letters"),
    ({"username": "anna@users.example"}, "username", "This username is taken."),
    ({"email": "ANNA@Users.example"}, "email", "Another user has this e-mail."),
    ({"email": "аnna@users.example"}, "email", "Letters of different alphabets"),
    ({"email": "anna@usеrs.example"}, "email", "Letters of different alphabets"),
    ({"email": "nobody"}, "email", "This is no e-mail address."),
    ({"language": "de"}, "language", "Choose one of the list."),
    ({"time_zone": "Mars/Base"}, "time_zone", "Not a valid choice"),
    ({"permissions": "root"}, "permissions", "not a valid choice"),
    ({"password": "short1", "password_confirm": "short1"}, "password", "At least 8 characters"),
    ({"password": "пароль12345", "password_confirm": "пароль12345"}, "password", "Latin letters and digits"),
    ({"password": "password1", "password_confirm": "password1"}, "password", "most common"),
    ({"password": "anna.two2", "password_confirm": "x"}, "password_confirm", "not the same"),
    (
        {"username": "anna2two", "password": "Anna2two", "password_confirm": "Anna2two"},
        "password",
        "must not be a name",
    ),
    ({"password": "a1" * 129, "password_confirm": "a1" * 129}, "password", "longer than 256"),
]


def test_what_is_wrong_is_said_beside_the_field_and_all_but_passwords_stays(
    app: Flask, cast: Cast, owner: Desk
) -> None:
    before = people_of.digest(app)
    problems = []
    for changes, field, message in WRONG:
        page = owner.refused("/admin/users/new/", {**GOOD, "client": str(cast.a.id), **changes})
        errors = pages.errors(page)
        if set(errors) != {field} or message not in errors[field]:
            problems.append((changes, errors))
        held = pages.values(page)
        assert held["full_name"] == ["Anna Second"]
        assert held["password"] == [""]
    assert problems == []
    assert people_of.digest(app) == before


@pytest.mark.timeout(120)
def test_of_many_at_once_one_gets_the_name(app: Flask, cast: Cast, log_in: Callable[[str], Desk]) -> None:
    desks = [log_in("owner") for _number in range(6)]
    for desk in desks:
        assert desk.token
    fields = {**GOOD, "client": str(cast.a.id), "username": "wanted"}
    with ThreadPoolExecutor(len(desks)) as pool:
        answers = list(pool.map(lambda desk: desk.post("/admin/users/new/", fields), desks))
    assert sorted(answer.status_code for answer in answers) == [200] * 5 + [302]
    assert named(app, "wanted")["client_id"] == cast.a.id


def test_all_of_a_user_is_edited_but_not_whose_he_is_nor_whether_he_is_the_owner(
    app: Flask, cast: Cast, owner: Desk
) -> None:
    url = f"/admin/users/edit/?id={cast.a.limited.id}"
    fields = {**pages.values(owner.page(url)), "username": "anna.new", "permissions": ["users"], "full_name": "New",
              "client": str(cast.b.id), "is_owner": "y", "password": "secret words 77", "email": "old.new@x.example"}  # fmt: skip
    before = user(app, cast.a.limited.id)
    assert owner.post(url, fields).status_code == 302
    after = user(app, cast.a.limited.id)
    assert (after["username"], after["permissions"], after["full_name"]) == ("anna.new", ["users"], "New")
    untouched = ("client_id", "is_owner", "password_hash", "must_change_password")
    assert [after[name] for name in untouched] == [before[name] for name in untouched]
    assert letters(app)[-1] == ("email_changed", before["email"]), "the old address is told"
    with app.app_context():
        assert "anna.new" in db.session.get_one(Client, cast.a.id).usernames


# Blocked, removed, the owner


def test_a_blocked_user_is_out_at_once_and_can_be_let_in_again(app: Flask, cast: Cast, owner: Desk) -> None:
    inside = people_of.log_in(app.test_client(), cast.a.limited)
    assert inside.get("/panel/").status_code == 200
    url = f"/admin/users/edit/?id={cast.a.limited.id}"
    fields = pages.values(owner.page(url))
    del fields["is_active"]
    assert owner.post(url, fields).status_code == 302
    assert inside.get("/panel/").status_code == 302
    with app.app_context():
        assert not db.session.scalars(sa.select(Session).where(Session.client_user_id == cast.a.limited.id)).all()
    fields = pages.values(owner.page(url))
    assert owner.post(url, {**fields, "is_active": "y"}).status_code == 302
    assert user(app, cast.a.limited.id)["is_active"] is True


def test_the_owner_is_neither_removed_nor_blocked_before_there_is_another(app: Flask, cast: Cast, owner: Desk) -> None:
    url = f"/admin/users/edit/?id={cast.a.owner.id}"
    fields = pages.values(owner.page(url))
    del fields["is_active"]
    before = people_of.digest(app)
    page = owner.refused(url, fields)
    assert pages.errors(page) == {"is_active": "The owner user cannot be blocked. Make another user the owner first."}
    answer = owner.post("/admin/users/ajax/update/", list_form_pk=cast.a.owner.id, is_active="0")
    assert (answer.status_code, "cannot be blocked" in answer.text) == (400, True)
    page = owner.follow(owner.post("/admin/users/delete/", id=cast.a.owner.id))
    assert pages.messages(page) == [
        ("error", "The owner user cannot be removed.")
    ]  # fmt: skip
    assert (
        "Make another user of the client the owner first."
        in owner.page(f"/admin/users/delete/?id={cast.a.owner.id}").text
    )
    assert people_of.digest(app) == before

    make_other = f"/admin/users/owner/?id={cast.a.limited.id}"
    page = owner.page(make_other)
    assert "anna stops being the owner." in page.text
    page = owner.follow(owner.post("/admin/users/owner/", id=cast.a.limited.id))
    assert pages.messages(page) == [("success", "anna.limited is the owner now.")]
    with app.app_context():
        owners = db.session.scalars(
            sa.select(ClientUser.id).where(ClientUser.client_id == cast.a.id, ClientUser.is_owner)
        ).all()
        assert owners == [cast.a.limited.id]
        assert db.session.get_one(Client, cast.a.id).owner_username == "anna.limited"
    assert owner.follow(owner.post("/admin/users/delete/", id=cast.a.owner.id))
    with app.app_context():
        assert db.session.get(ClientUser, cast.a.owner.id) is None


def test_a_blocked_user_does_not_become_the_owner(app: Flask, cast: Cast, owner: Desk) -> None:
    with make.scene(app):
        db.session.get_one(ClientUser, cast.a.limited.id).is_active = False
    page = owner.follow(owner.post("/admin/users/owner/", id=cast.a.limited.id))
    assert pages.messages(page) == [("error", "The user is blocked.")]
    assert user(app, cast.a.owner.id)["is_owner"] is True


@pytest.mark.timeout(120)
def test_two_who_are_made_the_owner_at_once_leave_one(app: Flask, cast: Cast, log_in: Callable[[str], Desk]) -> None:
    with make.scene(app):
        third = make.user(db.session.get_one(Client, cast.a.id), "anna.third").id
    desks = [log_in("owner") for _number in range(4)]
    for desk in desks:
        assert desk.token
    wanted = [cast.a.limited.id, third, cast.a.limited.id, third]
    with ThreadPoolExecutor(len(desks)) as pool:
        done = pool.map(lambda pair: pair[0].post("/admin/users/owner/", id=pair[1]), zip(desks, wanted, strict=True))
    assert {answer.status_code for answer in done} == {302}
    with app.app_context():
        mine = sa.select(sa.func.count()).where(ClientUser.client_id == cast.a.id, ClientUser.is_owner)
        assert db.session.scalar(mine) == 1


# Passwords


def start_stay(desk: Desk, side: Any) -> Any:
    return desk.post("/admin/clients/login-as/", id=side.id, user=side.limited.id)


def test_a_password_is_set_for_one_login_shown_once_and_told_by_a_letter_without_it(
    app: Flask, cast: Cast, owner: Desk, caplog: pytest.LogCaptureFixture, smtp: Any
) -> None:
    inside = people_of.log_in(app.test_client(), cast.a.limited)
    assert inside.get("/panel/").status_code == 200
    page = owner.page(f"/admin/users/password/?id={cast.a.limited.id}")
    assert page.one("button", data_generate_password=None)
    answer = owner.post("/admin/users/password/", id=cast.a.limited.id, password="", password_confirm="")
    assert answer.status_code == 200
    assert "no-store" in answer.headers["Cache-Control"]
    shown = pages.read(answer.text).one("code").text
    assert len(shown) >= 16
    after = user(app, cast.a.limited.id)
    assert passwords.verify(after["password_hash"], shown)
    assert after["must_change_password"] is True
    assert inside.get("/panel/").status_code == 302, "all sessions end"
    assert letters(app)[-1][0] == "password_set"
    assert "password_set" in actions(app, cast.a.limited.id)
    with app.app_context():
        for table in db.metadata.sorted_tables:
            for row in db.session.execute(sa.select(table)):
                assert shown not in repr(row), table.name
        letter = db.session.scalars(sa.select(OutboundEmail).order_by(OutboundEmail.id.desc())).first()
        assert letter is not None
        content = render(letter.template, language="en", context=letter.context, project_name="Alpha")
        assert "set another password for the login anna.limited" in content.text
        assert shown not in content.text + content.html
    assert shown not in caplog.text
    assert shown not in owner.page(f"/admin/users/details/?id={cast.a.limited.id}").text

    visitor = Desk(app.test_client(), "/login")
    entered = visitor.post("/login", username="anna.limited", password=shown)
    assert entered.status_code == 302
    assert visitor.get("/panel/").location == "/panel/password"


def test_a_typed_password_keeps_the_rules_and_the_names_of_the_client_are_none(
    app: Flask, cast: Cast, owner: Desk
) -> None:
    with make.scene(app):
        db.session.get_one(Client, cast.a.id).company_name = "Romashka77"
    before = people_of.digest(app)
    for password, message in (("romashka77", "must not be a name"), ("abcdefgh", "Latin letters and digits"),
                              ("anna.limited1", None)):  # fmt: skip
        fields = {"id": cast.a.limited.id, "password": password, "password_confirm": password}
        if message is None:
            assert owner.post("/admin/users/password/", fields).status_code == 200
            continue
        page = owner.refused("/admin/users/password/", fields)
        assert message in pages.errors(page)["password"]
        assert people_of.digest(app) == before
    page = owner.refused(
        "/admin/users/password/", id=cast.a.limited.id, password="correct horse 1", password_confirm="x"
    )
    assert "not the same" in pages.errors(page)["password_confirm"]


def test_staff_in_the_place_of_the_user_are_out_as_well(app: Flask, cast: Cast, owner: Desk) -> None:
    assert start_stay(owner, cast.a).status_code == 302
    assert owner.get("/panel/").status_code == 200
    owner.post("/admin/users/password/", id=cast.a.limited.id, password="", password_confirm="")
    assert owner.get("/panel/").location == "/admin/clients/"
    with app.app_context():
        stay = db.session.scalars(sa.select(Impersonation)).one()
        assert stay.end_reason == "password_set"
    assert owner.get("/admin/").status_code == 200, "the staff session itself goes on"


def test_a_link_to_set_the_password_is_sent_or_it_is_said_why_not(app: Flask, cast: Cast, owner: Desk) -> None:
    page = owner.follow(owner.post("/admin/users/link/", id=cast.a.limited.id))
    assert pages.messages(page) == [("success", "A link was sent to anna.limited@users.example.")]
    assert letters(app)[-1] == ("reset_password", "anna.limited@users.example")
    with make.scene(app):
        db.session.get_one(ClientUser, cast.a.limited.id).email = None
    page = owner.follow(owner.post("/admin/users/link/", id=cast.a.limited.id))
    assert pages.messages(page) == [("error", "This user has no e-mail address.")]


def test_a_lost_second_factor_is_switched_off(app: Flask, cast: Cast, owner: Desk) -> None:
    details = f"/admin/users/details/?id={cast.a.limited.id}"
    assert not any("/users/totp/" in link["href"] for link in owner.page(details).all("a", href=None))
    with make.scene(app):
        db.session.get_one(ClientUser, cast.a.limited.id).totp_secret = "sealed"
    inside = people_of.log_in(app.test_client(), cast.a.limited)
    assert any("/users/totp/" in link["href"] for link in owner.page(details).all("a", href=None))
    page = owner.follow(owner.post("/admin/users/totp/", id=cast.a.limited.id))
    assert pages.messages(page) == [("success", "The second factor of anna.limited is off.")]
    assert user(app, cast.a.limited.id)["totp_secret"] is None
    assert inside.get("/panel/").status_code == 302
    assert letters(app)[-1][0] == "totp_reset"
    assert "totp_reset" in actions(app, cast.a.limited.id)
    assert "sealed" not in owner.page("/admin/audit/").text


# Sessions


def test_staff_see_the_sessions_of_a_user_and_end_one_or_all(app: Flask, cast: Cast, owner: Desk) -> None:
    first, second = (people_of.log_in(app.test_client(), cast.a.limited) for _each in range(2))
    foreign = people_of.log_in(app.test_client(), cast.b.owner)
    details = f"/admin/users/details/?id={cast.a.limited.id}"
    numbers = [field["value"] for field in owner.page(details).all("input", name="session")]
    assert len(numbers) == 2
    with app.app_context():
        other = db.session.scalars(sa.select(Session.id).where(Session.client_user_id == cast.b.owner.id)).one()
    assert owner.post("/admin/users/sessions/", id=cast.a.limited.id, session=other).status_code == 404
    assert foreign.get("/panel/").status_code == 200
    owner.follow(owner.post("/admin/users/sessions/", id=cast.a.limited.id, session=numbers[0]))
    assert sorted(desk.get("/panel/").status_code for desk in (first, second)) == [200, 302]
    page = owner.follow(owner.post("/admin/users/sessions/", id=cast.a.limited.id))
    assert pages.messages(page) == [("success", "All sessions of the user have ended.")]
    assert first.get("/panel/").status_code == second.get("/panel/").status_code == 302
    assert "The user is not logged in anywhere." in page.text


def test_under_the_filter_other_clients_users_are_not_there(cast: Cast, owner: Desk) -> None:
    owner.post("/admin/clients/scope/", id=cast.a.id)
    for page in ("password", "link", "owner", "totp"):
        assert owner.get(f"/admin/users/{page}/?id={cast.b.owner.id}").status_code == 404
        assert owner.post(f"/admin/users/{page}/", id=cast.b.owner.id).status_code == 404
    assert owner.post("/admin/users/sessions/", id=cast.b.owner.id).status_code == 404

"""Staff log in and out: who gets in, how often one may try, and what a session is worth."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa
from argon2 import PasswordHasher
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.exc import OperationalError
from werkzeug.test import TestResponse

from extensions import Clock, db, now
from models import AuditEvent, LoginFailure, Session, SessionKind, Staff
from operations import passwords
from tests import cast as people_of
from tests.support import page as pages
from tests.support import people
from tests.support.people import PASSWORD, Person
from web import sessions

WRONG = "The username or the password is wrong."
STRONG = "another horse battery 2"


@pytest.fixture
def olga(app: Flask) -> Person:
    with app.app_context():
        return people.staff("olga", "clients.view", email="olga@provider.example")


def try_in(visitor: FlaskClient, username: str, password: str, *, ip: str = "127.0.0.1", **more: str) -> TestResponse:
    """Send the login form from an address."""
    where = {"REMOTE_ADDR": ip}
    token = people.token_of(visitor.get("/admin/login", environ_overrides=where))
    fields = {"csrf_token": token, "username": username, "password": password, **more}
    return visitor.post("/admin/login", data=fields, environ_overrides=where)


def is_in(visitor: FlaskClient) -> bool:
    """Whether the visitor is somebody to the admin."""
    answer = visitor.get("/admin/")
    assert answer.status_code in {200, 302}
    return answer.status_code == 200


def cookie(visitor: FlaskClient) -> str:
    found = visitor.get_cookie("staff_session")
    assert found is not None
    return found.value


def with_cookie(app: Flask, value: str) -> FlaskClient:
    return people.only_the_cookie(app, "staff_session", value)


# In


def test_the_right_password_opens_the_admin_and_is_written_down(app: Flask, client: FlaskClient, olga: Person) -> None:
    assert not is_in(client)
    answer = try_in(client, " OLGA ", PASSWORD)
    assert (answer.status_code, answer.location) == (302, "/admin/")
    assert is_in(client)
    with app.app_context():
        staff = db.session.get_one(Staff, olga.id)
        assert staff.last_login_at is not None
        assert now() - staff.last_login_at < timedelta(minutes=1)
        event = db.session.scalars(sa.select(AuditEvent).order_by(AuditEvent.id.desc())).first()
        assert event is not None
        assert (event.action, event.module, event.staff_id, event.ip) == ("login", "staff", olga.id, "127.0.0.1")
        assert event.client_user_id is None


@pytest.mark.parametrize(
    ("asked", "led_to"),
    [
        ("/admin/clients/?search=a", "/admin/clients/?search=a"),
        ("/panel/", "/admin/"),
        ("/", "/admin/"),
        ("", "/admin/"),
    ],
)
@pytest.mark.engine("sqlite")
def test_one_comes_to_the_page_one_had_asked_for(client: FlaskClient, olga: Person, asked: str, led_to: str) -> None:
    assert try_in(client, "olga", PASSWORD, next=asked).location == led_to


@pytest.mark.parametrize(
    "elsewhere",
    [
        "//evil.example",
        "/\\evil.example",
        "https://evil.example",
        "https:evil",
        "javascript:alert(1)",
        "/a\r\nX: y",
        "\\/evil",
    ],
)
@pytest.mark.engine("sqlite")
def test_nobody_is_led_elsewhere(client: FlaskClient, olga: Person, elsewhere: str) -> None:
    assert client.get("/admin/login", query_string={"next": elsewhere}).status_code == 400
    assert try_in(client, "olga", PASSWORD, next=elsewhere).status_code == 400
    assert not is_in(client)


def test_a_page_asked_for_by_a_stranger_leads_to_the_login_and_back(client: FlaskClient, olga: Person) -> None:
    answer = client.get("/admin/clients/?search=anna&sort=-name")
    assert answer.status_code == 302
    page = pages.read(client.get(answer.location).text)
    form = next(one for one in page.all("form", method="post") if one.all("input", name="password"))
    fields = {field["name"]: field.get("value") for field in form.all("input")}
    answer = client.post("/admin/login", data={**fields, "username": "olga", "password": PASSWORD})
    assert answer.location == "/admin/clients/?search=anna&sort=-name"


def test_who_is_in_already_is_not_asked_again(client: FlaskClient, olga: Person) -> None:
    try_in(client, "olga", PASSWORD)
    answer = client.get("/admin/login")
    assert (answer.status_code, answer.location) == (302, "/admin/")


def test_a_new_desk_has_nobody_who_could_log_in(client: FlaskClient, app: Flask) -> None:
    with app.app_context():
        assert db.session.scalar(sa.select(sa.func.count(Staff.id))) == 0
    for username, password in (("admin", "admin"), ("admin", "password"), ("root", ""), ("owner", "owner")):
        assert not is_in(client)
        assert try_in(client, username, password).status_code == 200


# Not in


def test_the_answer_does_not_tell_whether_the_name_is_known(app: Flask, client: FlaskClient, olga: Person) -> None:
    with app.app_context():
        people.staff("retired", "clients.view", is_active=False)
    answers = [
        try_in(client, "olga", "wrong"),
        try_in(client, "nobody", "wrong"),
        try_in(client, "retired", PASSWORD),
        try_in(client, "olga", PASSWORD + "x" * 300),
    ]
    bodies = set()
    for answer, name in zip(answers, ("olga", "nobody", "retired", "olga"), strict=True):
        assert answer.status_code == 200
        page = pages.read(answer.text)
        assert page.one(class_="field-error").text == WRONG
        assert page.one("input", name="username")["value"] == name, "what was typed is kept"
        assert page.one("input", name="password")["value"] == "", "but not the password"
        text = re.sub(r'name="csrf_token" value="[^"]*"|content="[^"]*"', "", answer.text)
        bodies.add(text.replace(f'value="{name}"', ""))
    assert len(bodies) == 1
    assert not is_in(client)


def test_empty_fields_are_asked_for(client: FlaskClient, app: Flask) -> None:
    page = pages.read(try_in(client, "", "").text)
    assert [node.text for node in page.all(class_="field-error")] == [
        "Enter your username, please.", "Enter the password, please.",
    ]  # fmt: skip
    with app.app_context():
        assert db.session.scalar(sa.select(sa.func.count(LoginFailure.id))) == 0


def test_hostile_names_and_passwords_are_just_wrong(client: FlaskClient, olga: Person) -> None:
    tried = (
        "olga\0",
        "' OR 1=1 --",
        "x" * 5000,
        "о\u043bga",
        "olga\u200b",
        "%",
        "\ud83d".encode("utf-8", "surrogatepass").decode("latin-1"),
    )
    for name in tried:
        assert try_in(client, name, PASSWORD, ip="10.0.0.9").status_code in {200, 400}
        assert not is_in(client)


# How often


def test_after_ten_failures_an_address_has_to_wait_whatever_it_sends(
    make_app: Callable[..., Flask], app: Flask, client: FlaskClient, olga: Person, clock: Clock
) -> None:
    """The count is kept in the database: another process refuses as well, and the right password does not help."""
    clock.set(now())
    for number in range(10):
        assert try_in(client, f"guess{number % 3}", "wrong").status_code == 200
    for visitor in (client, make_app().test_client()):
        for name in ("olga", "nobody"):
            answer = try_in(visitor, name, PASSWORD)
            assert answer.status_code == 429
            assert int(answer.headers["Retry-After"]) == 600
            assert "Please wait a while" in answer.text
    assert not is_in(client)
    assert try_in(app.test_client(), "olga", PASSWORD, ip="10.1.1.1").status_code == 302, "others are not shut out"
    clock.move(minutes=10, seconds=1)
    assert try_in(client, "olga", PASSWORD).status_code == 302


@pytest.mark.engine("sqlite")
def test_a_success_does_not_make_the_failures_before_it_undone(app: Flask, client: FlaskClient, olga: Person) -> None:
    for _number in range(9):
        try_in(client, "olga", "wrong")
    assert try_in(client, "olga", PASSWORD).status_code == 302
    other = app.test_client()
    assert try_in(other, "olga", "wrong").status_code == 200
    assert try_in(other, "olga", PASSWORD).status_code == 429


def fail_from_everywhere(app: Flask, username: str, count: int) -> None:
    """Failures for a name, each from another address."""
    with app.app_context():
        rows = [
            {"at": now(), "kind": SessionKind.STAFF, "username": username, "ip": f"10.{n // 250}.{n % 250}.1"}
            for n in range(count)
        ]
        db.session.execute(sa.insert(LoginFailure), rows)
        db.session.commit()


def test_a_name_that_is_guessed_from_everywhere_is_shut_but_not_for_its_owner(
    app: Flask, client: FlaskClient, olga: Person
) -> None:
    assert try_in(client, "olga", PASSWORD, ip="192.0.2.7").status_code == 302
    fail_from_everywhere(app, "olga", 30)
    assert try_in(app.test_client(), "olga", PASSWORD, ip="198.51.100.1").status_code == 429
    assert try_in(app.test_client(), "olga", PASSWORD, ip="192.0.2.7").status_code == 302


@pytest.mark.engine("sqlite")
def test_very_many_failures_of_all_names_together_make_strangers_wait(
    app: Flask, client: FlaskClient, olga: Person
) -> None:
    fail_from_everywhere(app, "somebody", 1000)
    assert try_in(client, "olga", PASSWORD, ip="198.51.100.1").status_code == 429


# A session


def test_a_session_begins_under_a_token_that_nobody_knew_before(app: Flask, client: FlaskClient, olga: Person) -> None:
    """A cookie that was planted is not adopted, and the one from before the login is dead after it."""
    planted = "planted-token-of-somebody-else-0123456789"
    client.set_cookie("staff_session", planted)
    token = people.token_of(client.get("/admin/login"))
    early = cookie(client)
    assert early != planted
    client.post("/admin/login", data={"csrf_token": token, "username": "olga", "password": PASSWORD})
    assert is_in(client)
    late = cookie(client)
    assert late not in {early, planted}
    assert len(late) >= 43, "256 bits"
    assert not is_in(with_cookie(app, early))
    assert not is_in(with_cookie(app, planted))
    with app.app_context():
        kept = list(db.session.scalars(sa.select(Session.token_hash)))
        assert late not in " ".join(kept), "only its hash is kept"


def test_a_session_counts_in_every_process_and_outlives_a_restart(
    make_app: Callable[..., Flask], client: FlaskClient, olga: Person
) -> None:
    try_in(client, "olga", PASSWORD)
    assert is_in(with_cookie(make_app(), cookie(client)))


def test_a_database_too_busy_to_note_who_is_here_still_shows_the_page(
    client: FlaskClient, olga: Person, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock.set(now())
    try_in(client, "olga", PASSWORD)
    assert client.get("/admin/profile").status_code == 200
    clock.move(minutes=2)

    def busy() -> None:
        raise OperationalError("UPDATE sessions", {}, Exception("database is locked"))

    monkeypatch.setattr(sessions, "writing", busy)
    assert client.get("/admin/profile").status_code == 200
    assert is_in(client)


def test_logging_out_is_final(app: Flask, client: FlaskClient, olga: Person) -> None:
    try_in(client, "olga", PASSWORD)
    copy = with_cookie(app, cookie(client))
    assert is_in(copy)
    assert client.get("/admin/logout").status_code == 405, "a link cannot do it"
    answer = client.post("/admin/logout", data={"csrf_token": people.token_of(client.get("/admin/"))})
    assert (answer.status_code, answer.location) == (302, "/admin/login")
    assert not is_in(client)
    assert not is_in(copy), "nor whoever kept the cookie"


def test_staff_fall_out_after_half_an_hour_of_silence_and_after_twelve_hours_of_work(
    client: FlaskClient, olga: Person, clock: Clock
) -> None:
    clock.set(now())
    try_in(client, "olga", PASSWORD)
    for _number in range(3):
        clock.move(minutes=29)
        assert is_in(client), "work goes on"
    clock.move(minutes=31)
    assert not is_in(client)

    try_in(client, "olga", PASSWORD)
    for _number in range(25):
        clock.move(minutes=28)
        assert is_in(client)
    clock.move(minutes=21)
    assert not is_in(client), "not later than twelve hours after the login"


def test_who_is_disabled_is_out_at_the_next_click(app: Flask, client: FlaskClient, olga: Person) -> None:
    try_in(client, "olga", PASSWORD)
    with app.app_context():
        db.session.get_one(Staff, olga.id).is_active = False
        db.session.commit()
    assert not is_in(client)


# Passwords


def test_changing_the_password_asks_for_the_old_one_and_ends_all_other_sessions(
    app: Flask, client: FlaskClient, olga: Person
) -> None:
    try_in(client, "olga", PASSWORD)
    other = app.test_client()
    try_in(other, "olga", PASSWORD)
    before = cookie(client)

    def change(current: str, new: str, again: str | None = None) -> TestResponse:
        return people.post(
            client, "/admin/password", current_password=current, password=new, password_confirm=again or new
        )

    refusals = {
        ("wrong", STRONG, STRONG): ("current_password", "This is not your present password."),
        (PASSWORD, PASSWORD, PASSWORD): ("password", "This is the password you have now."),
        (PASSWORD, "short 1", "short 1"): ("password", "At least 12 characters, please."),
        (PASSWORD, "only letters here", "only letters here"): (
            "password",
            "The password must contain Latin letters and digits.",
        ),
        (PASSWORD, "пароль и цифры 12345", "пароль и цифры 12345"): (
            "password",
            "The password must contain Latin letters and digits.",
        ),
        (PASSWORD, "a1" * 129, "a1" * 129): ("password", "Field cannot be longer than 256 characters."),
        (PASSWORD, STRONG, "different 12345"): ("password_confirm", "The two passwords are not the same."),
    }
    for typed, (field, message) in refusals.items():
        assert pages.errors(pages.read(change(*typed).text)) == {field: message}
    assert is_in(other)

    assert change(PASSWORD, STRONG).location == "/admin/"
    assert is_in(client)
    assert cookie(client) != before, "under a new token"
    assert not is_in(other)
    assert not is_in(with_cookie(app, before))
    assert try_in(app.test_client(), "olga", PASSWORD).status_code == 200
    assert try_in(app.test_client(), "olga", STRONG).status_code == 302


def test_a_password_for_one_use_leads_to_a_new_one_and_nowhere_else(app: Flask, client: FlaskClient) -> None:
    with app.app_context():
        people.staff("newcomer", "clients.view", must_change_password=True)
    try_in(client, "newcomer", PASSWORD)
    for url in ("/admin/", "/admin/clients/", "/admin/profile", "/admin/groups/"):
        answer = client.get(url)
        assert (answer.status_code, answer.location) == (302, "/admin/password")
    fields = {"current_password": PASSWORD, "password": STRONG, "password_confirm": STRONG}
    assert people.post(client, "/admin/password", **fields).status_code == 302
    assert client.get("/admin/clients/").status_code == 200


@pytest.fixture
def hasher_as_shipped(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hasher of the module as it stands in its file; other tests have a quick one."""
    spec = importlib.util.spec_from_file_location("passwords_as_shipped", passwords.__file__)
    assert spec is not None
    assert spec.loader is not None
    shipped = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(shipped)
    monkeypatch.setattr(passwords, "hasher", shipped.hasher)


def test_passwords_are_kept_as_argon2id_and_made_stronger_at_the_next_login(
    app: Flask, client: FlaskClient, olga: Person, hasher_as_shipped: None
) -> None:
    weak = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash(PASSWORD)
    with app.app_context():
        db.session.get_one(Staff, olga.id).password_hash = weak
        db.session.commit()
    assert try_in(client, "olga", PASSWORD).status_code == 302
    with app.app_context():
        kept = db.session.get_one(Staff, olga.id).password_hash
    assert re.fullmatch(r"\$argon2id\$v=19\$m=19456,t=2,p=1\$[\w+/]{20,}\$[\w+/]{40,}", kept)
    assert PASSWORD not in kept


def test_long_passwords_are_compared_to_their_end() -> None:
    one = "a1" * 40 + "X"
    kept = passwords.hash_password(one)
    assert passwords.verify(kept, one)
    assert not passwords.verify(kept, "a1" * 40 + "Y")
    assert not passwords.verify(kept, one[:72])
    assert not passwords.verify("", "")
    assert not passwords.verify("plain", "plain")


# Staff and clients


def test_a_client_user_and_a_staff_member_of_the_same_number_and_name_are_two_people(
    app: Flask, client: FlaskClient
) -> None:
    with app.app_context():
        person = people.staff("twin", "clients.view")
        user = people.client("twin")
    assert person.id == user.id == 1
    people.log_in(client, "twin")
    assert client.get("/panel/").status_code == 200
    answer = client.get("/admin/clients/")
    assert answer.status_code == 302
    assert answer.location.startswith("/admin/login")
    with app.app_context():
        kinds = list(db.session.scalars(sa.select(Session.kind).where(Session.client_user_id == user.id)))
    assert kinds == [SessionKind.CLIENT]
    visitor = app.test_client()
    people_of.log_in(visitor, person)
    assert is_in(visitor)
    assert visitor.get("/panel/").status_code == 302


def test_a_session_that_claims_to_be_somebody_of_the_other_side_is_nobody(app: Flask, client: FlaskClient) -> None:
    """Even if the table were tampered with: the kind of the session and of the person must agree."""
    with app.app_context():
        person = people.staff("olga", "clients.view")
        user = people.client("anna")
    people_of.log_in(client, person)
    for claim in (
        f"client:{user.id}",
        str(person.id),
        f"staff:{person.id}x",
        "staff:-1",
        "staff:",
        "root",
        f"STAFF:{person.id}",
    ):
        with app.app_context():
            db.session.execute(sa.update(Session).values(data={"_user_id": claim, "_fresh": True}))
            db.session.commit()
        assert not is_in(client), claim


@pytest.mark.engine("sqlite")
def test_a_clients_password_opens_no_admin(app: Flask, client: FlaskClient) -> None:
    with app.app_context():
        people.client("anna")
    assert try_in(client, "anna", PASSWORD).status_code == 200
    assert try_in(client, "anna@user.example", PASSWORD).status_code == 200
    assert not is_in(client)

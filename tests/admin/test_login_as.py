"""Login-as: from the admin into a client's panel and back."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.sessions import SecureCookieSessionInterface
from flask.testing import FlaskClient

from extensions import Clock, db, now
from models import (
    AuditEvent,
    Client,
    ClientUser,
    Impersonation,
    PenaltyPoint,
    Role,
    Session,
    Staff,
    Ticket,
    TicketMessage,
)
from operations import settings
from tests.support import page as pages
from tests.support import people
from tests.support.mailings import work
from tests.support.people import Person
from web.access import Policy

SENTINELS = (
    "SENTINEL-NOTE",
    "SENTINEL-CHARACTER",
    "SENTINEL-PENALTY",
    "SENTINEL-INTERNAL",
    "SENTINEL-REFERRAL",
)
PANEL_PAGES = [
    "",
    "services/",
    "accounts/",
    "invoices/",
    "payments/",
    "expenses/",
    "acts/",
    "payers/",
    "users/",
    "tickets/",
    "profile/",
]


@pytest.fixture
def olga(app: Flask) -> Person:
    """A staff member who may log in as clients."""
    with app.app_context():
        return people.staff("olga", "clients.view", "clients.login_as")


@pytest.fixture
def anna(app: Flask) -> Person:
    with app.app_context():
        return people.client("anna")


@pytest.fixture
def boris(app: Flask) -> Person:
    with app.app_context():
        return people.client("boris")


@pytest.fixture
def as_olga(app: Flask, olga: Person) -> FlaskClient:
    return people.log_in_staff(app.test_client(), "olga")


@pytest.fixture
def inside(as_olga: FlaskClient, anna: Person) -> FlaskClient:
    """Olga in the panel of Anna, looking only; she came from a filtered list."""
    answer = people.log_in_as(as_olga, anna.client_id, url="/admin/clients/?search=anna")
    assert answer.status_code == 302, answer.text
    assert answer.location == "/panel/"
    return as_olga


def allow_changes(visitor: FlaskClient, reason: str = "asked by phone") -> None:
    assert people.post(visitor, "/panel/allow-changes", page="/panel/", reason=reason).status_code == 302


def go_back(visitor: FlaskClient) -> Any:
    return people.post(visitor, "/panel/return", page="/panel/")


def change(app: Flask, what: Callable[[], object]) -> None:
    with app.app_context():
        what()
        db.session.commit()


def audit(app: Flask, *actions: str) -> list[AuditEvent]:
    with app.app_context():
        statement = sa.select(AuditEvent).order_by(AuditEvent.id)
        if actions:
            statement = statement.where(AuditEvent.action.in_(actions))
        events = list(db.session.scalars(statement))
        db.session.expunge_all()
        return events


def digest(app: Flask) -> dict[str, Any]:
    """All rows of all tables but the audit and the sessions."""
    left_out = {"audit_events", "sessions", "impersonations", "alembic_version", "login_failures"}
    with app.app_context():
        return {
            table.name: sorted(map(repr, db.session.execute(sa.select(table)).all()))
            for table in db.metadata.sorted_tables
            if table.name not in left_out
        }


# In and out


def test_the_panel_opens_as_the_client_sees_it_with_who_is_really_here_after_the_greeting(
    inside: FlaskClient,
) -> None:
    page = inside.get("/panel/").text
    assert page.index("Hello, Anna User!") < page.index("Staff olga") < page.index('action="/panel/return"')
    assert "60 minutes left." in page


def test_returning_leads_to_the_very_page_one_came_from_with_the_staff_session_as_it_was(
    app: Flask, as_olga: FlaskClient, anna: Person
) -> None:
    """The staff session is the same row with the same end, and nobody's last login has changed."""

    def state() -> tuple[Any, ...]:
        with app.app_context():
            row = db.session.scalars(sa.select(Session).where(Session.kind == "staff")).one()
            data = {key: value for key, value in row.data.items() if key != "csrf_token"}
            staff, user = (
                db.session.scalars(sa.select(Staff)).one(),
                db.session.scalars(sa.select(ClientUser)).one(),
            )
            return row.id, row.token_hash, row.expires_at, data, staff.last_login_at, user.last_login_at

    as_olga.get("/admin/clients/")
    before, cookie = state(), people.cookies(as_olga)["staff_session"]
    people.log_in_as(as_olga, anna.client_id, url="/admin/clients/?search=anna&page_size=50")
    back = go_back(as_olga)
    assert back.location == "/admin/clients/?search=anna&page_size=50"
    assert people.cookies(as_olga) == {"staff_session": cookie}
    assert state() == before
    assert as_olga.get(back.location).status_code == 200


def test_without_a_page_to_come_back_to_one_comes_back_to_the_list(as_olga: FlaskClient, anna: Person) -> None:
    people.log_in_as(as_olga, anna.client_id)
    assert go_back(as_olga).location == "/admin/clients/"


@pytest.mark.parametrize("method", ["get", "head", "put", "delete", "patch"])
def test_coming_and_going_is_by_post_only(inside: FlaskClient, anna: Person, method: str) -> None:
    before = people.cookies(inside)
    assert inside.open(f"/admin/clients/login-as/?id={anna.client_id}", method=method).status_code in {
        400,
        404,
        405,
    }
    assert inside.open("/panel/return", method=method).status_code in {400, 404, 405}
    assert people.cookies(inside) == before


def test_coming_and_going_needs_the_token_of_that_very_session(
    app: Flask, inside: FlaskClient, anna: Person, boris: Person
) -> None:
    """Without a token, with that of another side, with another person's: refused, and nothing has changed."""
    admin_token = people.token_of(inside.get("/admin/clients/"))
    panel_token = people.token_of(inside.get("/panel/"))
    stranger_token = people.token_of(people.log_in(app.test_client(), "boris").get("/panel/"))
    before, cookies = digest(app), people.cookies(inside)
    for token in (None, panel_token, stranger_token, "x"):
        answer = inside.post("/admin/clients/login-as/", data={"id": anna.client_id, "csrf_token": token or ""})
        assert answer.status_code in {400, 403}
    for token in (None, admin_token, stranger_token, "x"):
        assert inside.post("/panel/return", data={"csrf_token": token or ""}).status_code in {400, 403}
    assert digest(app) == before
    assert people.cookies(inside) == cookies
    assert inside.get("/panel/").status_code == 200


def test_the_right_is_needed_and_who_lacks_it_is_written_down(app: Flask, anna: Person) -> None:
    change(app, lambda: people.staff("rita", "clients.view"))
    visitor = people.log_in_staff(app.test_client(), "rita")
    answer = people.log_in_as(visitor, anna.client_id)
    assert answer.status_code == 403
    assert "client_session" not in people.cookies(visitor)
    assert [event.staff_id for event in audit(app, "denied")] != []


def test_a_client_user_cannot_log_in_as_anybody(app: Flask, anna: Person, boris: Person) -> None:
    visitor = people.log_in(app.test_client(), "anna")
    token = people.token_of(visitor.get("/panel/"))
    answer = visitor.post("/admin/clients/login-as/", data={"id": boris.client_id, "csrf_token": token})
    assert answer.status_code in {302, 400, 401, 403}
    assert "anna" in visitor.get("/panel/").text


@pytest.mark.parametrize("number", ["0", "-1", "99999", "1" + "0" * 20, "root", "", "1 OR 1", "٣", "2147483648"])
def test_nobody_becomes_somebody_who_is_not_there(as_olga: FlaskClient, anna: Person, number: str) -> None:
    assert people.log_in_as(as_olga, number).status_code == 404  # type: ignore[arg-type]
    assert people.log_in_as(as_olga, anna.client_id, user=number or "0").status_code == 404
    assert "client_session" not in people.cookies(as_olga)


def test_nobody_becomes_a_user_of_another_client_or_a_blocked_one_or_one_of_a_deleted_client(
    app: Flask, as_olga: FlaskClient, anna: Person, boris: Person
) -> None:
    assert people.log_in_as(as_olga, anna.client_id, user=boris.id).status_code == 404

    def block_and_delete() -> None:
        db.session.get_one(ClientUser, anna.id).is_active = False
        db.session.get_one(Client, boris.client_id).deleted_at = now()

    change(app, block_and_delete)
    blocked = people.log_in_as(as_olga, anna.client_id)
    assert blocked.status_code == 403
    assert "The user is blocked." in blocked.text
    assert people.log_in_as(as_olga, boris.client_id).status_code == 404
    assert "client_session" not in people.cookies(as_olga)
    (event,) = audit(app, "login_as_refused")
    assert (event.record_id, event.after["why"]) == (anna.client_id, "The user is blocked.")


def test_one_becomes_the_user_one_asked_for(app: Flask, as_olga: FlaskClient, anna: Person) -> None:
    limited = {}
    change(app, lambda: limited.update(it=people.user(anna.client_id, "ada", permissions=["support"])))
    people.log_in_as(as_olga, anna.client_id, user=limited["it"].id)
    assert "Hello, Ada User!" in as_olga.get("/panel/").text
    assert as_olga.get("/panel/invoices/").status_code == 403


@pytest.mark.parametrize("url", ["//evil.example/", "/\\evil.example", "https://evil.example/", "/panel/", "/login"])
def test_the_way_back_never_leads_out_of_the_admin(as_olga: FlaskClient, anna: Person, url: str) -> None:
    answer = people.log_in_as(as_olga, anna.client_id, url=url)
    if answer.status_code == 302:
        assert go_back(as_olga).location == "/admin/clients/"
    else:
        assert answer.status_code == 400


def test_the_way_back_is_the_server_s_own_knowledge(app: Flask, inside: FlaskClient, olga: Person) -> None:
    """Nothing that is posted, and no cookie signed with the very key, makes anybody a staff member."""
    token = people.token_of(inside.get("/panel/"))
    more = {"id": olga.id, "user_id": olga.id, "staff_id": olga.id, "return_url": "/admin/staff/"}
    back = inside.post("/panel/return", data={"csrf_token": token, **more})
    assert back.location == "/admin/clients/?search=anna"
    signer = SecureCookieSessionInterface().get_signing_serializer(app)
    assert signer is not None
    forged = signer.dumps({"_user_id": f"staff:{olga.id}", "_fresh": True, "staff_id": olga.id})
    for name in ("staff_session", "client_session", "session"):
        visitor = people.only_the_cookie(app, name, forged)
        assert visitor.get("/admin/clients/").status_code == 302
        assert visitor.get("/panel/").status_code == 302


@pytest.mark.heavy
def test_the_client_s_cookie_alone_opens_nothing_of_the_admin(app: Flask, inside: FlaskClient) -> None:
    """Under either name, on every address of the admin that takes no number, by GET and by POST."""
    value = people.cookies(inside)["client_session"]
    before = digest(app)
    for name in ("client_session", "staff_session"):
        visitor = people.only_the_cookie(app, name, value)
        for rule in app.url_map.iter_rules():
            if (
                rule.rule.startswith("/admin/")
                and not rule.arguments
                and rule.rule not in {"/admin/login", "/admin/language"}
            ):
                for method in {"GET", "POST"} & (rule.methods or set()):
                    answer = visitor.open(rule.rule, method=method)
                    assert answer.status_code in {302, 400, 401, 403, 404}, rule.rule
                    assert "login" in (answer.location or "login")
    assert digest(app) == before


def test_what_only_staff_know_is_on_no_page_of_the_panel(app: Flask, inside: FlaskClient, anna: Person) -> None:
    tickets = {}

    def write() -> None:
        client = db.session.get_one(Client, anna.client_id)
        client.note, client.characterization_reason = "SENTINEL-NOTE", "SENTINEL-CHARACTER"
        client.referral_source = "SENTINEL-REFERRAL"
        expires = now() + timedelta(days=90)
        db.session.add(PenaltyPoint(client_id=client.id, points=3, comment="SENTINEL-PENALTY", expires_at=expires))
        ticket = Ticket(client_id=client.id, category_id=people.category().id, subject="About you", reference="r1")
        db.session.add(ticket)
        db.session.flush()
        db.session.add(TicketMessage(ticket_id=ticket.id, text="SENTINEL-INTERNAL", is_internal=True))
        tickets["id"] = ticket.id

    change(app, write)
    for path in [*PANEL_PAGES, f"tickets/{tickets['id']}/"]:
        answer = inside.get(f"/panel/{path}")
        assert answer.status_code == 200, path
        assert not [sentinel for sentinel in SENTINELS if sentinel in answer.text], path


def test_every_stay_has_a_session_of_its_own_and_a_returned_one_is_dead(
    app: Flask, as_olga: FlaskClient, anna: Person
) -> None:
    """A value that somebody set before is not adopted, and replaying the cookie of a stay opens nothing."""
    as_olga.set_cookie("client_session", "fixed-by-somebody")
    people.log_in_as(as_olga, anna.client_id)
    first = people.cookies(as_olga)["client_session"]
    assert first != "fixed-by-somebody"
    go_back(as_olga)
    people.log_in_as(as_olga, anna.client_id)
    assert people.cookies(as_olga)["client_session"] != first
    assert people.only_the_cookie(app, "client_session", first).get("/panel/").location.startswith("/login")


def test_a_client_s_own_session_goes_on_beside(app: Flask, as_olga: FlaskClient, anna: Person) -> None:
    own = people.log_in(app.test_client(), "anna")
    people.log_in_as(as_olga, anna.client_id)
    assert "Staff olga" not in own.get("/panel/").text
    go_back(as_olga)
    assert own.get("/panel/").status_code == 200


# While inside


def test_one_only_looks_until_one_says_why(app: Flask, inside: FlaskClient, anna: Person) -> None:
    fields = {"full_name": "Changed", "phone": "", "language": "en", "time_zone": "UTC"}
    assert 'name="full_name"' not in inside.get("/panel/profile/").text
    before = digest(app)
    refused = people.post(inside, "/panel/profile/", **fields)
    assert refused.status_code == 403
    assert "allow changes first" in refused.text
    assert 'action="/panel/return"' in refused.text
    assert digest(app) == before
    empty = people.post(inside, "/panel/allow-changes", page="/panel/", reason=" ")
    assert empty.status_code == 400
    allow_changes(inside)
    assert 'name="full_name"' in inside.get("/panel/profile/").text
    assert people.post(inside, "/panel/profile/", **fields).status_code == 302
    with app.app_context():
        assert db.session.get_one(ClientUser, anna.id).full_name == "Changed"


FORBIDDEN = [
    "/panel/password",
    "/panel/profile/sessions/end-others",
    "/panel/profile/sessions/1/end",
    "/login",
    "/reset-password",
    "/reset-password/set",
    "/panel/email",
    "/confirm-email",
]


@pytest.mark.parametrize("path", FORBIDDEN)
def test_what_is_the_client_s_alone_is_refused_also_with_changes_allowed(
    app: Flask, inside: FlaskClient, anna: Person, path: str
) -> None:
    """Password, login, sessions: 403 with an explanation and the way back, and nothing has changed."""
    people.log_in(app.test_client(), "anna")
    allow_changes(inside)
    before = digest(app)
    fields = {
        "password": "another horse 22",
        "password_confirm": "another horse 22",
        "current_password": people.PASSWORD,
        "username": "anna",
        "email": "anna",
    }
    answer = people.post(inside, path, page="/panel/", **fields)
    assert answer.status_code == 403
    assert "Only the client can do this." in answer.text
    assert 'action="/panel/return"' in answer.text
    assert digest(app) == before
    assert path in [event.after["path"] for event in audit(app, "login_as_denied")]


def test_buttons_for_what_is_the_client_s_alone_are_not_shown(app: Flask, inside: FlaskClient) -> None:
    people.log_in(app.test_client(), "anna")
    people.log_in(app.test_client(), "anna")
    allow_changes(inside)
    page = inside.get("/panel/profile/").text
    assert "/panel/password" not in page
    assert "/panel/email" not in page
    assert "/panel/profile/sessions/" not in page


def test_every_address_of_clients_says_what_a_stay_may_do_there(app: Flask) -> None:
    """Each unsafe address carries a policy, and none that touches what is the client's alone allows it."""
    from web.requests import policy_for

    allowed = set()
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith("/admin") or not {"POST", "PUT", "PATCH", "DELETE"} & (rule.methods or set()):
            continue
        policy = policy_for(app, rule.endpoint)
        assert isinstance(policy, Policy), rule.rule
        assert policy.impersonation in {"deny", "allow", "always"}
        if policy.audience == "client" and policy.impersonation != "deny":
            allowed.add(rule.rule)
    assert allowed == {
        "/panel/return",
        "/panel/allow-changes",
        "/panel/language",
        "/panel/profile/",
        "/panel/tickets/new/",
        "/panel/tickets/<int:number>/",
        "/logout",
    }


def test_there_is_no_second_stay_within_one(app: Flask, as_olga: FlaskClient, anna: Person, boris: Person) -> None:
    """Another start ends the first, with audit; a form of the first, sent after it, changes nothing."""
    people.log_in_as(as_olga, anna.client_id)
    allow_changes(as_olga)
    token = people.token_of(as_olga.get("/panel/profile/"))
    people.log_in_as(as_olga, boris.client_id)
    assert "Hello, Boris User!" in as_olga.get("/panel/").text
    before = digest(app)
    fields = {"full_name": "Changed", "phone": "", "language": "en", "time_zone": "UTC", "csrf_token": token}
    assert as_olga.post("/panel/profile/", data=fields).status_code in {400, 403, 409}
    assert digest(app) == before
    ended = audit(app, "login_as_return")
    assert [(event.client_user_id, event.after["end_reason"]) for event in ended] == [(anna.id, "replaced")]
    people.log_in_as(as_olga, anna.client_id)
    assert len(audit(app, "login_as_return")) == 2
    assert go_back(as_olga).location == "/admin/clients/"


def test_everything_is_written_down_with_both_names(
    app: Flask, inside: FlaskClient, olga: Person, anna: Person
) -> None:
    """Start, three unsafe requests, stop: five events, each with both people, the stay and the address."""
    allow_changes(inside)
    fields = {"full_name": "Changed", "phone": "", "language": "en", "time_zone": "UTC"}
    people.post(inside, "/panel/profile/", **fields)
    people.post(inside, "/panel/password", page="/panel/profile/")
    go_back(inside)
    with app.app_context():
        stay = db.session.scalars(sa.select(Impersonation.id)).one()
    events = [event for event in audit(app) if event.impersonation_id == stay]
    assert [event.action for event in events] == [
        "login_as",
        "login_as_allow_changes",
        "edit",
        "login_as_denied",
        "login_as_return",
    ]
    for event in events:
        assert (event.staff_id, event.client_user_id, event.ip) == (olga.id, anna.id, "127.0.0.1")
        assert event.actor in {"Staff olga → Anna User", "Staff olga → Changed"}
        assert event.at.utcoffset() == timedelta(0)


def test_an_unsafe_request_that_changes_nothing_is_written_down_too(app: Flask, inside: FlaskClient) -> None:
    allow_changes(inside)
    people.post(inside, "/panel/profile/", full_name="Anna", phone="no phone", language="en", time_zone="UTC")
    (event,) = audit(app, "login_as_request")
    assert event.after == {"method": "POST", "path": "/panel/profile/", "status": 200}


def test_a_form_without_its_token_is_written_down_too(app: Flask, inside: FlaskClient) -> None:
    inside.get("/panel/")
    assert inside.post("/panel/profile/", data={"full_name": "x"}).status_code == 400


# Ended by others


def disable(olga: Person) -> None:
    db.session.get_one(Staff, olga.id).is_active = False


def take_the_right(olga: Person) -> None:
    db.session.get_one(Role, db.session.get_one(Staff, olga.id).role_id).permissions = ["clients.view"]


def end_staff_sessions(olga: Person) -> None:
    from operations import authentication

    authentication.end_sessions(staff_id=olga.id)


def reset_staff_password(olga: Person) -> None:
    from operations import staff

    staff.set_password(db.session.get_one(Staff, olga.id), "another horse battery 3")


@pytest.mark.parametrize("what", [disable, take_the_right, end_staff_sessions, reset_staff_password])
@pytest.mark.parametrize("by_return", [False, True])
def test_each_request_asks_anew_whether_the_staff_member_may_be_here(
    app: Flask, inside: FlaskClient, olga: Person, what: Callable[..., None], by_return: bool
) -> None:
    """Disabled, right taken, sessions ended, password reset: over at the next request, and written down."""
    token = people.token_of(inside.get("/panel/"))
    change(app, lambda: what(olga))
    path, method = ("/panel/return", "POST") if by_return else ("/panel/", "GET")
    answer = inside.open(path, method=method, data={"csrf_token": token} if by_return else None)
    assert answer.status_code == 302
    assert answer.location.startswith("/admin/clients/")
    (event,) = audit(app, "forced_end")
    assert (event.staff_id, event.actor) == (olga.id, "Staff olga → Anna User")
    assert inside.get("/panel/profile/").status_code == 302
    after = inside.get("/admin/clients/")
    if what is take_the_right:
        assert "You may no longer log in as a client." in after.text
    else:
        assert after.status_code == 302
        assert after.location.startswith("/admin/login")
    assert inside.post("/panel/return", data={"csrf_token": token}).status_code in {302, 400}


@pytest.mark.parametrize("what", ["block", "delete"])
def test_when_the_client_goes_the_stay_ends_and_the_staff_member_is_told(
    app: Flask, inside: FlaskClient, anna: Person, what: str
) -> None:
    token = people.token_of(inside.get("/panel/"))

    def go() -> None:
        if what == "block":
            db.session.get_one(ClientUser, anna.id).is_active = False
        else:
            db.session.get_one(Client, anna.client_id).deleted_at = now()

    change(app, go)
    answer = inside.get("/panel/tickets/")
    assert answer.location == "/admin/clients/"
    told = inside.get("/admin/clients/").text
    assert ("has been blocked" if what == "block" else "has been deleted") in told
    back = inside.post("/panel/return", data={"csrf_token": token})
    assert back.location == "/admin/clients/?search=anna"
    assert "client_session" not in people.cookies(inside)
    (event,) = audit(app, "forced_end")
    assert event.after["end_reason"] == ("user_blocked" if what == "block" else "client_deleted")


def test_a_stay_ends_after_an_hour_however_busy(app: Flask, inside: FlaskClient, clock: Clock) -> None:
    """Being busy in the panel keeps the staff session from falling idle, and prolongs neither."""
    with app.app_context():
        ends = db.session.scalar(sa.select(Session.expires_at).where(Session.kind == "staff"))
    for _minute in range(59):
        clock.move(minutes=1)
        answer = inside.get("/panel/profile/")
        assert answer.status_code == 200
    assert "1 minute left." in answer.text
    clock.move(minutes=1)
    assert inside.get("/panel/").location == "/admin/clients/"
    assert "is over" in inside.get("/admin/clients/").text
    assert len(audit(app, "login_as_expired")) == 1
    with app.app_context():
        assert db.session.scalar(sa.select(Session.expires_at).where(Session.kind == "staff")) == ends


def test_a_stay_ends_with_the_staff_session(app: Flask, as_olga: FlaskClient, anna: Person, clock: Clock) -> None:
    ends = now() + timedelta(minutes=10)
    change(
        app,
        lambda: db.session.execute(sa.update(Session).where(Session.kind == "staff").values(expires_at=ends)),
    )
    people.log_in_as(as_olga, anna.client_id)
    clock.move(minutes=9)
    assert as_olga.get("/panel/").status_code == 200
    clock.move(minutes=1)
    assert as_olga.get("/panel/").location == "/admin/clients/"
    assert as_olga.get("/admin/clients/").location.startswith("/admin/login")


def test_logging_out_of_the_admin_ends_the_stay(app: Flask, inside: FlaskClient) -> None:
    people.post(inside, "/admin/logout", page="/admin/clients/")
    assert inside.get("/panel/").status_code == 302
    assert len(audit(app, "forced_end")) == 1


def test_logging_out_inside_ends_both_sessions(app: Flask, inside: FlaskClient) -> None:
    cookies = people.cookies(inside)
    answer = people.post(inside, "/logout", page="/panel/")
    assert answer.status_code == 302
    assert answer.headers["Cache-Control"] == "no-store"
    assert people.only_the_cookie(app, "client_session", cookies["client_session"]).get("/panel/").status_code == 302
    assert people.only_the_cookie(app, "staff_session", cookies["staff_session"]).get("/admin/").status_code == 302


# What everybody sees


def test_every_page_of_a_stay_says_so_once_errors_too(app: Flask, inside: FlaskClient) -> None:
    paths = [f"/panel/{path}" for path in PANEL_PAGES] + ["/panel/tickets/99999/", "/panel/nowhere/"]
    for path in paths:
        page = inside.get(path).text
        assert page.count('class="acting"') == 1, path
        assert page.count('action="/panel/return"') == 1, path


def test_a_hostile_name_is_only_text_in_the_banner(app: Flask, inside: FlaskClient, olga: Person, anna: Person) -> None:
    def rename() -> None:
        db.session.get_one(Staff, olga.id).full_name = '<img src=x onerror="alert(1)">'
        db.session.get_one(ClientUser, anna.id).full_name = "<script>alert(2)</script>"

    change(app, rename)
    page = inside.get("/panel/").text
    assert "<img src=x" not in page
    assert "<script>alert(2)" not in page
    assert "&lt;img src=x" in page


def test_one_can_return_while_the_client_must_change_the_password(
    app: Flask, inside: FlaskClient, anna: Person
) -> None:
    change(app, lambda: setattr(db.session.get_one(ClientUser, anna.id), "must_change_password", True))
    page = inside.get("/panel/")
    assert page.status_code == 200
    assert 'action="/panel/return"' in page.text
    assert go_back(inside).status_code == 302


def test_the_client_sees_in_its_own_history_who_was_here_when_and_why(
    app: Flask, as_olga: FlaskClient, anna: Person
) -> None:
    people.log_in_as(as_olga, anna.client_id, reason="<b>fault</b> 4711")
    go_back(as_olga)
    own = people.log_in(app.test_client(), "anna").get("/panel/profile/").text
    history = own[own.index('id="logins"') :]
    assert len(re.findall('data-visit="staff"', history)) == 1
    assert "Staff olga" in history
    assert "&lt;b&gt;fault&lt;/b&gt; 4711" in history
    assert len(re.findall('data-visit="own"', history)) == 1


def switch(app: Flask, code: str, value: object) -> None:
    change(app, lambda: settings.change(code, value))


# What the settings say


def test_where_a_reason_is_demanded_the_panel_opens_with_one_only(
    app: Flask, as_olga: FlaskClient, anna: Person
) -> None:
    switch(app, "impersonation_reason", True)
    asked = people.log_in_as(as_olga, anna.client_id, user=anna.id, url="/admin/clients/?search=anna")
    assert asked.status_code == 400
    page = pages.read(asked.text)
    assert "Why do you open this client's panel?" in page.text
    assert not page.all(class_="field-error"), "nobody has refused anything yet"
    for wrong in ("", "  ", "no", "x" * 501):
        refused = people.log_in_as(as_olga, anna.client_id, reason=wrong)
        assert refused.status_code == 400
        assert pages.read(refused.text).one(class_="field-error").text == "Say why, in 3 to 500 characters."
        assert pages.read(refused.text).one("textarea", name="reason").text == wrong.strip()
    assert as_olga.get("/panel/").status_code == 302, "still outside"
    assert not audit(app, "login_as", "login_as_refused")
    form = page.one("form", action="/admin/clients/login-as/")
    fields = {node["name"]: node["value"] for node in form.all("input", type="hidden")}
    answer = as_olga.post("/admin/clients/login-as/", data={**fields, "reason": " a <b>fault</b> "})
    assert answer.location == "/panel/"
    (event,) = audit(app, "login_as")
    assert (event.client_user_id, event.after["reason"]) == (anna.id, "a <b>fault</b>")
    assert go_back(as_olga).location == "/admin/clients/?search=anna", "the way back was kept"
    own = people.log_in(app.test_client(), "anna").get("/panel/profile/").text
    assert "a &lt;b&gt;fault&lt;/b&gt;" in own


def again(visitor: FlaskClient, asked: Any, **fields: Any) -> Any:
    """Send the page that asked, with what it carries along."""
    form = pages.read(asked.text).one("form", action="/admin/clients/login-as/")
    kept = {node["name"]: node["value"] for node in form.all("input", type="hidden")}
    return visitor.post("/admin/clients/login-as/", data={**kept, **fields})


def test_who_logged_in_some_time_ago_confirms_with_the_password(
    app: Flask, as_olga: FlaskClient, olga: Person, anna: Person, clock: Clock
) -> None:
    clock.move(minutes=14)
    assert people.log_in_as(as_olga, anna.client_id).location == "/panel/"
    go_back(as_olga)
    clock.move(minutes=2)
    asked = people.log_in_as(as_olga, anna.client_id, user=anna.id, url="/admin/clients/?search=anna", reason="a fault")
    assert asked.status_code == 401
    page = pages.read(asked.text)
    assert "Is it still you?" in page.text
    assert not page.all(class_="field-error"), "nobody has refused anything yet"
    assert as_olga.get("/panel/").status_code == 302, "still outside"
    for wrong, told in (
        ("", "Enter the password, please."),
        ("wrong-1-password", "This is not your present password."),
    ):
        refused = again(as_olga, asked, password=wrong)
        assert refused.status_code == 401
        assert pages.read(refused.text).one(class_="field-error").text == told
        assert "wrong-1-password" not in refused.text
    (failure,) = audit(app, "login_failed")
    assert failure.record_id == olga.id
    assert len(audit(app, "login_as")) == 1
    assert again(as_olga, refused, password=people.PASSWORD).location == "/panel/"
    event = audit(app, "login_as")[-1]
    assert (event.client_user_id, event.after["reason"]) == (anna.id, "a fault")
    assert go_back(as_olga).location == "/admin/clients/?search=anna", "the way back was kept"
    clock.move(minutes=14)
    assert people.log_in_as(as_olga, anna.client_id).location == "/panel/", "that was a confirmation for all"


def test_who_guesses_at_the_password_asked_for_again_is_stopped(
    app: Flask, as_olga: FlaskClient, anna: Person, clock: Clock
) -> None:
    clock.move(minutes=16)
    asked = people.log_in_as(as_olga, anna.client_id)
    for number in range(10):
        assert again(as_olga, asked, password=f"guess-{number}").status_code == 401
    stopped = again(as_olga, asked, password=people.PASSWORD)
    assert stopped.status_code == 429
    assert int(stopped.headers["Retry-After"]) > 0
    assert as_olga.get("/panel/").status_code == 302, "still outside"
    clock.move(minutes=11)
    assert again(as_olga, asked, password=people.PASSWORD).location == "/panel/"


def test_the_password_and_the_reason_are_asked_for_one_after_the_other(
    app: Flask, as_olga: FlaskClient, anna: Person, clock: Clock
) -> None:
    switch(app, "impersonation_reason", True)
    clock.move(minutes=16)
    asked = people.log_in_as(as_olga, anna.client_id)
    asked = again(as_olga, asked, password=people.PASSWORD)
    assert asked.status_code == 400
    assert "Why do you open this client's panel?" in pages.read(asked.text).text
    assert again(as_olga, asked, reason="a fault").location == "/panel/"


@pytest.mark.parametrize(("minutes", "is_asked"), [(0, False), (60, False), (5, True)])
def test_a_setting_says_after_how_long_the_password_is_asked_for(
    app: Flask, as_olga: FlaskClient, anna: Person, clock: Clock, minutes: int, is_asked: bool
) -> None:
    switch(app, "impersonation_password_minutes", minutes)
    clock.move(minutes=20)
    assert people.log_in_as(as_olga, anna.client_id).status_code == (401 if is_asked else 302)


@pytest.mark.parametrize("language", ["en", "ru"])
def test_by_a_setting_the_client_is_told_by_letter(
    app: Flask, as_olga: FlaskClient, anna: Person, smtp: Any, language: str
) -> None:
    change(app, lambda: setattr(db.session.get_one(ClientUser, anna.id), "language", language))
    people.log_in_as(as_olga, anna.client_id, reason="fault <b>4711</b>")
    go_back(as_olga)
    with app.app_context():
        work()
    assert smtp.letters == [], "off from the start"
    switch(app, "impersonation_email", True)
    people.log_in_as(as_olga, anna.client_id, reason="fault <b>4711</b>")
    allow_changes(as_olga)
    go_back(as_olga)
    with app.app_context():
        work()
    (letter,) = smtp.letters
    assert letter.recipients == ("anna@client.example",)
    said = {"en": "Staff olga has opened your panel", "ru": "Staff olga"}[language]
    assert said in letter.subject
    for text in (letter.text, letter.html):
        assert "Staff olga" in text
        assert "anna" in text
        assert "/panel/profile/" in text
    assert "fault <b>4711</b>" in letter.text
    assert "fault &lt;b&gt;4711&lt;/b&gt;" in letter.html


def test_a_client_without_an_address_is_visited_all_the_same(app: Flask, as_olga: FlaskClient, anna: Person) -> None:
    switch(app, "impersonation_email", True)
    change(app, lambda: setattr(db.session.get_one(Client, anna.client_id), "email", ""))
    change(app, lambda: setattr(db.session.get_one(ClientUser, anna.id), "email", None))
    assert people.log_in_as(as_olga, anna.client_id).location == "/panel/"


def test_switched_off_there_is_no_way_in_and_who_is_inside_is_out(
    app: Flask, inside: FlaskClient, anna: Person
) -> None:
    login = 'action="/admin/clients/login-as/"'
    details = f"/admin/clients/details/?id={anna.client_id}"
    assert login in inside.get(details).text
    assert "/admin/clients/login-as/" in inside.get("/admin/clients/").text
    switch(app, "impersonation_enabled", False)
    assert inside.get("/panel/").location == "/admin/clients/"
    page = inside.get("/admin/clients/").text
    assert "Logging in as a client has been switched off." in page
    assert "/admin/clients/login-as/" not in page
    assert login not in inside.get(details).text
    assert people.log_in_as(inside, anna.client_id).status_code == 404
    assert inside.get("/panel/").status_code == 302
    (event,) = audit(app, "forced_end")
    assert event.after["end_reason"] == "switched_off"
    switch(app, "impersonation_enabled", True)
    assert people.log_in_as(inside, anna.client_id).location == "/panel/"


def test_the_way_back_is_open_when_it_was_switched_off(app: Flask, inside: FlaskClient) -> None:
    page = inside.get("/panel/")
    switch(app, "impersonation_enabled", False)
    answer = inside.post("/panel/return", data={"csrf_token": people.token_of(page)})
    assert answer.location == "/admin/clients/?search=anna"
    assert "client_session" not in people.cookies(inside)


def test_pages_of_the_panel_are_kept_by_no_cache(inside: FlaskClient) -> None:
    assert inside.get("/panel/").headers["Cache-Control"] == "no-store"

"""What every answer carries, errors and files included, and what no answer gives away."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from extensions import db
from models import AuditEvent, LoginFailure
from tests import cast as people_of
from tests.cast import Cast, Desk
from tests.house.test_access import filled, matrix
from tests.support import people

POLICY = {
    "default-src": "'none'", "script-src": "'self'", "style-src": "'self'", "img-src": "'self' data:",
    "font-src": "'self'", "connect-src": "'self'", "form-action": "'self'", "frame-ancestors": "'none'",
    "base-uri": "'none'", "object-src": "'none'",
}  # fmt: skip


def problems_of(answer: TestResponse) -> list[str]:
    """Which headers are missing or wrong."""
    headers = answer.headers
    given = dict(part.strip().partition(" ")[::2] for part in headers.get("Content-Security-Policy", "").split(";"))
    is_download = headers.get("Content-Disposition", "").startswith("attachment") and "sandbox" in given
    wanted = {"default-src": "'none'"} if is_download else POLICY
    problems = [f"{name} {given.get(name)}" for name, value in wanted.items() if given.get(name) != value]
    problems += [f"{name}: {value}" for name, value in given.items() if "unsafe" in value or "*" in value]
    if headers.get("X-Content-Type-Options") != "nosniff":
        problems.append("may be sniffed")
    if headers.get("Referrer-Policy") not in {"same-origin", "strict-origin", "no-referrer"}:
        problems.append(f"referrer policy {headers.get('Referrer-Policy')}")
    for name in ("Permissions-Policy", "Cross-Origin-Opener-Policy"):
        if name not in headers:
            problems.append(f"no {name}")
    return problems


@pytest.mark.timeout(300)
@pytest.mark.engine("sqlite")
def test_every_answer_carries_the_headers_that_protect_it(
    app: Flask, cast: Cast, owner: Desk, client: FlaskClient
) -> None:
    """Pages to whom they are for, forms to a stranger: he is refused."""
    user = people_of.log_in(app.test_client(), cast.b.owner)
    problems = []
    for line in matrix():
        url = filled(line, cast)
        if line.method == "GET":
            answer = (owner if line.address.startswith("/admin") else user).get(url)
        else:
            answer = client.open(url, method=line.method)
        found = problems_of(answer)
        if "/static/" not in url and answer.headers.get("Cache-Control") != "no-store":
            found.append(f"may be kept: {answer.headers.get('Cache-Control')}")
        problems += [f"{line.method} {url} ({answer.status_code}): {one}" for one in found]
    assert not problems, "\n".join(problems)


def errors(app: Flask, owner: Desk, monkeypatch: pytest.MonkeyPatch) -> dict[int, TestResponse]:
    """An answer of each kind of error."""

    def fail(*_arguments: Any, **_more: Any) -> None:
        raise RuntimeError("SENTINEL of the inside")

    def lock(*_arguments: Any, **_more: Any) -> None:
        raise sa.exc.OperationalError("SENTINEL STATEMENT", {}, Exception("SENTINEL of the database"))

    monkeypatch.setitem(app.view_functions, "groups.index_view", fail)
    monkeypatch.setitem(app.view_functions, "payers.index_view", lock)
    too_large = b"x" * (app.config["MAX_CONTENT_LENGTH"] + 1)
    return {
        400: owner.get("/admin/groups/new/?url=//elsewhere.example"),
        401: owner.visitor.post(
            "/panel/profile/sessions/end-others", data={"csrf_token": Desk(owner.visitor, "/login").token}
        ),
        403: people_of.log_in(app.test_client(), _nobody(app)).get("/admin/clients/"),
        404: owner.get("/admin/nowhere"),
        405: owner.get("/admin/logout"),
        413: owner.visitor.post("/admin/profile", data=too_large, content_type="application/x-www-form-urlencoded"),
        500: owner.get("/admin/groups/"),
        503: owner.get("/admin/payers/"),
    }


def _nobody(app: Flask) -> people.Person:
    with app.app_context():
        return people.staff("nobody")


@pytest.mark.engine("sqlite")
def test_errors_are_pages_in_plain_words_with_the_number_of_the_request(
    app: Flask, owner: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    for code, answer in errors(app, owner, monkeypatch).items():
        assert answer.status_code == code
        assert problems_of(answer) == []
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Request-Id"] in answer.text
        assert re.search(r"<h1>[^<]+</h1>", answer.text)
        assert not re.search(r"SENTINEL|Traceback|RuntimeError|sqlalchemy|werkzeug|/site-packages", answer.text)


@pytest.mark.engine("sqlite")
def test_files_may_be_kept_and_only_files_of_ours_are_given(client: FlaskClient) -> None:
    answer = client.get("/static/css/clientdesk.css")
    assert answer.status_code == 200
    assert "max-age=31536000" in answer.headers["Cache-Control"]
    assert problems_of(answer) == []
    for path in ("../app.py", "..%2fapp.py", "%2e%2e/config.py", "nowhere.css", "....//app.py"):
        answer = client.get(f"/static/{path}")
        assert answer.status_code == 404
        assert problems_of(answer) == []


@pytest.mark.engine("sqlite")
def test_there_is_no_console_and_no_trace(client: FlaskClient) -> None:
    assert client.get("/console").status_code == 404
    assert client.open("/login", method="TRACE").status_code == 405
    assert client.get("/?__debugger__=yes&cmd=resource&f=style.css").status_code in {302, 404}


# Over https, behind a proxy, under another name


@pytest.mark.engine("sqlite")
def test_over_https_cookies_are_tied_to_the_host_and_browsers_are_told_to_stay(make_app: Callable[..., Flask]) -> None:
    app = make_app(PUBLIC_URL="https://desk.example.com")
    with app.app_context():
        people.staff("olga", "clients.view")
    visitor = app.test_client()
    at_home = {"base_url": "https://desk.example.com"}
    page = visitor.get("/admin/login", **at_home)
    assert page.headers["Strict-Transport-Security"] == "max-age=31536000"
    fields = {"csrf_token": people.token_of(page), "username": "olga", "password": people.PASSWORD}
    answer = visitor.post(
        "/admin/login", data=fields, headers={"Referer": "https://desk.example.com/admin/login"}, **at_home
    )
    assert answer.status_code == 302
    assert answer.location == "/admin/"
    cookies = [*page.headers.getlist("Set-Cookie"), *answer.headers.getlist("Set-Cookie")]
    assert cookies
    for cookie in cookies:
        assert cookie.startswith("__Host-staff_session=")
        parts = {part.strip().lower() for part in cookie.split(";")[1:]}
        assert {"secure", "httponly", "path=/", "samesite=lax"} <= parts
        assert not any(part.startswith("domain") for part in parts)


@pytest.mark.engine("sqlite")
def test_over_plain_http_the_cookie_is_not_secure_but_kept_from_scripts(client: FlaskClient) -> None:
    cookie = client.get("/login").headers["Set-Cookie"]
    parts = {part.strip().lower() for part in cookie.split(";")}
    assert cookie.startswith("client_session=")
    assert {"httponly", "path=/", "samesite=lax"} <= parts
    assert "secure" not in parts
    assert "Strict-Transport-Security" not in client.get("/login").headers


@pytest.mark.engine("sqlite")
def test_only_hosts_of_ours_are_answered(make_app: Callable[..., Flask]) -> None:
    visitor = make_app(PUBLIC_URL="https://desk.example.com").test_client()
    assert visitor.get("/login", base_url="https://desk.example.com").status_code == 200
    answer = visitor.get("/login", base_url="https://evil.example")
    assert answer.status_code == 400
    assert "evil.example" not in answer.text
    # Whoever watches the process asks by its address.
    assert (
        visitor.get(
            "/login", headers={"X-Forwarded-Host": "evil.example"}, base_url="https://desk.example.com"
        ).status_code
        == 200
    )


def failed_from(app: Flask, forwarded: str) -> str:
    """The address that is written down for a login that failed."""
    visitor = app.test_client()
    fields = {"csrf_token": people.token_of(visitor.get("/admin/login")), "username": "x", "password": "y"}
    answer = visitor.post("/admin/login", data=fields, headers={"X-Forwarded-For": forwarded})
    assert people_of.is_no_fault(answer)
    with app.app_context():
        return db.session.scalars(sa.select(LoginFailure.ip).order_by(LoginFailure.id.desc())).first() or ""


@pytest.mark.engine("sqlite")
def test_who_claims_to_come_from_elsewhere_is_not_believed_without_a_proxy(make_app: Callable[..., Flask]) -> None:
    app = make_app(TRUSTED_PROXIES=None)
    assert failed_from(app, "1.2.3.4") == "127.0.0.1"


@pytest.mark.engine("sqlite")
def test_behind_one_proxy_the_address_that_it_saw_counts(make_app: Callable[..., Flask]) -> None:
    app = make_app(TRUSTED_PROXIES="1")
    assert failed_from(app, "1.2.3.4, 10.9.8.7") == "10.9.8.7"
    assert failed_from(app, "2001:db8::1") == "2001:db8::1"
    assert failed_from(app, "1.2.3.4, " * 1200 + "10.9.8.6") == "10.9.8.6"
    for garbage in ("garbage", "'; DROP TABLE clients; --", "127.0.0.1:80", "%00", "١.٢.٣.٤"):
        assert failed_from(app, garbage) == ""


@pytest.mark.engine("sqlite")
def test_the_audit_names_address_and_request(app: Flask, cast: Cast, owner: Desk) -> None:
    answer = owner.post("/admin/groups/new/", name="Audited")
    assert answer.status_code == 302
    with app.app_context():
        event = db.session.scalars(sa.select(AuditEvent).order_by(AuditEvent.id.desc())).first()
        assert event is not None
        assert (event.module, event.action, event.staff_id, event.ip) == (
            "groups",
            "create",
            cast.owner.id,
            "127.0.0.1",
        )
        assert event.request_id == answer.headers["X-Request-Id"]
        assert event.after["name"] == "Audited"

"""The case file of a client: what each may see, filters, pages, and the PDF for a dispute and for the client."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from playwright.sync_api import expect

from admin_views import case_file as pages_of_it
from extensions import Clock, db, now
from models import (
    AuditEvent,
    Client,
    ClientNote,
    Impersonation,
    LoginFailure,
    MessageLetter,
    PenaltyPoint,
    Role,
    Service,
    Staff,
    Ticket,
    TicketMessage,
)
from operations import audit, documents, settings
from tests import cast as people_of
from tests import factories as make
from tests.cast import Cast, Desk
from tests.support import page as pages
from tests.support.page import Node
from tests.support.people import PASSWORD

URL = "/admin/clients/case-file/"


def entries(page: Node) -> list[Node]:
    return page.all("li", class_="case-entry")


def words(page: Node) -> list[str]:
    return [one.one("span", class_="case-word").text for one in entries(page)]


@pytest.fixture
def a(app: Flask, cast: Cast) -> int:
    """Client A, and one sentence of each kind that only staff may read, besides what clients always have."""
    with make.scene(app):
        client = db.session.get_one(Client, cast.a.id)
        staff = db.session.get_one(Staff, cast.support.id)
        ticket = db.session.get_one(Ticket, cast.a.records["tickets"])
        db.session.add_all([
            TicketMessage(ticket_id=ticket.id, text="SENTINEL-INTERNAL", is_internal=True, staff_id=staff.id),
            ClientNote(client_id=client.id, author_id=staff.id, text="SENTINEL-NOTE", is_pinned=True),
            PenaltyPoint(client_id=client.id, points=3, comment="SENTINEL-COMMENT", author_id=staff.id,
                         expires_at=now() + timedelta(days=9)),
            Impersonation(staff_id=staff.id, client_id=client.id, client_user_id=client.users[0].id, reason="A call of the client",
                          expires_at=now() + timedelta(hours=1), ended_at=now(), end_reason="return"),
        ])  # fmt: skip
        client.note = "SENTINEL-SHORT-NOTE"
        client.email = "new@clients.example"
        client.characterization_reason = "SENTINEL-REASON"
        make.payment(client, note="SENTINEL-PAYMENT")
        make.violation(client, comment="SENTINEL-VIOLATION")
        service = db.session.get_one(Service, cast.a.records["services"])
        service.status, service.suspension_reason = "suspended", "unpaid"
        db.session.flush()
        service.status, service.suspension_reason = "active", None
    return cast.a.id


def test_everything_stands_in_one_stream_with_its_words_and_links(a: int, owner: Desk) -> None:
    page = owner.page(f"{URL}?id={a}")
    assert {
        "Message", "Internal note", "Letter", "Movement of money", "Payment", "Invoice", "Act", "Expense", "Service",
        "Violation", "Penalty points", "Change", "Login as the client",
    } <= set(words(page)) | set(words(owner.page(page.one("a", rel="next")["href"]) if page.all("a", rel="next") else page))  # fmt: skip
    text = page.text
    assert "A call of the client" in text
    assert "suspended (Not paid)" in text
    assert "resumed" in text
    changes = [" ".join(one.text.split()) for one in page.all("dl", class_="case-changes")]
    assert any("E-mail" in one and "→ new@clients.example" in one for one in changes)
    for link in page.all("a"):
        if "details" in link.get("href", ""):
            assert owner.get(link["href"]).status_code == 200, link["href"]


def test_kinds_days_text_and_person_are_combined(app: Flask, cast: Cast, a: int, owner: Desk) -> None:
    def found(parameters: str) -> set[str]:
        return set(words(owner.page(f"{URL}?id={a}&{parameters}")))

    assert found("kind=note") == {"Internal note"}
    assert found("kind=note&kind=violation") == {"Internal note", "Violation", "Penalty points"}
    assert found("text=sentinel-comment") == {"Penalty points"}
    assert found(f"person=staff:{cast.support.id}") == {"Internal note", "Penalty points", "Login as the client"}
    assert found(f"person=staff:{cast.support.id}&text=call") == {"Login as the client"}
    today, tomorrow = now().date(), now().date() + timedelta(days=1)
    assert found(f"from={today}&to={today}") >= {"Message", "Change"}
    assert found(f"from={tomorrow}") == set()
    page = owner.page(f"{URL}?id={a}&kind=money&kind=note&from={today}&text=x")
    assert [box["value"] for box in page.all("input", name="kind") if "checked" in box.attributes] == ["note", "money"]
    assert page.one("input", name="from")["value"] == str(today)
    assert page.one("input", name="text")["value"] == "x"


def test_what_is_not_understood_is_said_and_shows_nothing(a: int, owner: Desk) -> None:
    for parameters in ("kind=gossip", "from=yesterday", "to=2026-02-31", "person=staff:99999", "person=x", "after=x",
                       "text=" + "x" * 201):  # fmt: skip
        page = owner.page(f"{URL}?id={a}&{parameters}")
        assert page.all("div", role="alert"), parameters
        assert not entries(page)
        assert owner.get(f"{URL}pdf/?id={a}&{parameters}").status_code == 302
    for number in ("0", "99999", "x", ""):
        assert owner.get(f"{URL}?id={number}").status_code == 404
        assert owner.get(f"{URL}pdf/?id={number}").status_code == 404


def test_pages_lead_on_and_back_without_losing_the_filter(
    app: Flask, a: int, owner: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages_of_it, "PER_PAGE", 5)
    seen: list[str] = []
    url: str | None = f"{URL}?id={a}&kind=money&kind=edit&order=oldest"
    while url:
        page = owner.page(url)
        seen += [one.text for one in entries(page)]
        following = page.all("a", rel="next")
        url = following[0]["href"] if following else None
    assert len(seen) > 8
    assert len(entries(owner.page(page.one("a", rel="prev")["href"]))) == 5
    monkeypatch.setattr(pages_of_it, "PER_PAGE", 500)
    assert [one.text for one in entries(owner.page(f"{URL}?id={a}&kind=money&kind=edit&order=oldest"))] == seen
    assert [one.text for one in entries(owner.page(f"{URL}?id={a}&kind=money&kind=edit"))] == seen[::-1]


def test_each_role_sees_what_it_may_and_is_told_what_not(a: int, log_in: Callable[[str], Desk]) -> None:
    support = log_in("support").page(f"{URL}?id={a}")
    assert not {"Payment", "Invoice", "Act", "Expense", "Movement of money", "Change", "Letter"} & set(words(support))
    assert {"Message", "Internal note", "Service", "Violation"} <= set(words(support))
    told = support.one("div", class_="case-head").text
    assert "Not shown, as your role has no right to it: Letters, Money, Changes, Logins as the client" in told
    accountant = log_in("accountant").page(f"{URL}?id={a}")
    assert {"Payment", "Invoice"} <= set(words(accountant))
    assert not {"Message", "Violation", "Change"} & set(words(accountant))
    assert "SENTINEL-INTERNAL" not in accountant.text
    assert not support.all("div", class_="case-pdf")
    assert log_in("support").get(f"{URL}pdf/?id={a}").status_code == 403
    assert "Changes" in log_in("auditor").page(f"{URL}?id={a}").one("fieldset", class_="case-kinds").text


def test_a_login_and_a_failed_one_stand_in_it(app: Flask, cast: Cast, owner: Desk, client: FlaskClient) -> None:
    with app.app_context():
        user = db.session.get_one(Client, cast.a.id).users[0].username
    token = pages.read(client.get("/login").text).first("input", name="csrf_token")["value"]
    client.post("/login", data={"csrf_token": token, "username": user, "password": "wrong"})
    client.post("/login", data={"csrf_token": token, "username": user, "password": PASSWORD})
    page = owner.page(f"{URL}?id={cast.a.id}&kind=login")
    assert [" ".join(one.one("p", class_="case-line").text.split()) for one in entries(page)] == [
        f"Login logged in {_shown(app, cast)}",
        f"Login failed to log in {user}",
    ]
    assert "From the address 127.0.0.1" in entries(page)[1].text
    with app.app_context():
        event = db.session.scalars(sa.select(AuditEvent).where(AuditEvent.action == "login_failed")).one()
        assert (event.module, event.client_id, event.client_user_id) == ("users", cast.a.id, None)
        assert db.session.scalar(sa.select(sa.func.count()).select_from(LoginFailure)) == 1


def _shown(app: Flask, cast: Cast) -> str:
    with app.app_context():
        return db.session.get_one(Client, cast.a.id).users[0].shown_name


def test_it_is_in_the_zone_of_who_reads_it(app: Flask, cast: Cast, owner: Desk, clock: Clock) -> None:
    with make.scene(app):
        staff = db.session.get_one(Staff, cast.owner.id)
        staff.time_zone = "Asia/Vladivostok"
        note = ClientNote(client_id=cast.a.id, text="late", created_at=now().replace(2026, 3, 1, 20, 30))
        db.session.add(note)
    page = owner.page(f"{URL}?id={cast.a.id}&text=late&from=2026-03-02&to=2026-03-02&kind=note")
    assert page.one("section", class_="case-day").one("h2").text == "02.03.2026"
    assert entries(page)[0].one("time").text == "06:30"
    assert not entries(owner.page(f"{URL}?id={cast.a.id}&text=late&to=2026-03-01&kind=note"))


def test_names_and_texts_are_shown_as_text(app: Flask, cast: Cast, owner: Desk) -> None:
    evil = "<script>alert(1)</script><img src=x onerror=alert(1)>"
    with make.scene(app):
        client = db.session.get_one(Client, cast.a.id)
        client.name = client.contact_person = evil
        db.session.add(ClientNote(client=client, text=evil))
        make.ticket(client, evil[:200], text=evil)
        audit.record("edit", module="payers", client_id=client.id, before={"name": evil}, after={evil: evil})
    answer = owner.get(f"{URL}?id={cast.a.id}").text
    assert "<script>alert" not in answer
    assert "<img" not in answer
    assert "&lt;script&gt;alert(1)" in answer


def test_a_page_costs_the_same_statements_whatever_is_on_it(app: Flask, cast: Cast, owner: Desk) -> None:
    def count() -> int:
        executed: list[str] = []

        def note(*arguments: Any) -> None:
            executed.append(arguments[2])

        owner.get(f"{URL}?id={cast.a.id}")
        with app.app_context():
            sa.event.listen(db.engine, "before_cursor_execute", note)
            owner.get(f"{URL}?id={cast.a.id}")
            sa.event.remove(db.engine, "before_cursor_execute", note)
        return len([text for text in executed if text.startswith("SELECT")])

    few = count()
    with make.scene(app):
        client = db.session.get_one(Client, cast.a.id)
        for _each in range(20):
            make.payment(client)
            make.ticket(client)
            make.invoice(client)
    assert count() <= few
    assert few < 30


def test_what_a_letter_repeated_is_folded_and_not_lost(
    app: Flask, cast: Cast, owner: Desk, made: list[dict[str, Any]]
) -> None:
    with make.scene(app):
        user = db.session.get_one(Client, cast.a.id).users[0]
        message = TicketMessage(ticket_id=cast.a.records["tickets"], text="It is mended.", client_user_id=user.id)
        db.session.add(message)
        db.session.flush()
        quoted = "On Monday you wrote:\n> Mend <b>it</b>."
        db.session.add(
            MessageLetter(message_id=message.id, sender="phone@a.example", quoted=quoted, left_out=["run.exe"])
        )
    page = owner.page(f"{URL}?id={cast.a.id}&kind=message")
    [entry] = [one for one in entries(page) if "It is mended." in one.text]
    assert entry.one("details", class_="quoted").one("p").text == " ".join(quoted.split())
    assert "by e-mail from phone@a.example" in entry.one("span", class_="case-who").text
    assert "File that could not be kept: run.exe" in entry.one("p", class_="case-text").text
    owner.get(f"{URL}pdf/?id={cast.a.id}&flavour=client")
    [told] = [one for one in made[0]["entries"] if "It is mended." in one["text"]]
    assert told["quoted"] == quoted


# The PDF


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What documents were made of; texts of a PDF cannot be read back."""
    found: list[dict[str, Any]] = []

    def make_one(template: str, data: dict[str, Any], *, now: Any) -> bytes:
        found.append(data)
        return b"%PDF-"

    monkeypatch.setattr(documents, "make", make_one)
    return found


def test_a_real_pdf_comes_as_a_file_that_is_not_kept(app: Flask, a: int, owner: Desk) -> None:
    for flavour in ("dispute", "client"):
        answer = owner.get(f"{URL}pdf/?id={a}&flavour={flavour}")
        assert answer.status_code == 200
        assert answer.data.startswith(b"%PDF-")
        assert answer.mimetype == "application/pdf"
        assert answer.headers["Content-Disposition"].startswith('attachment; filename="case-file-')
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_for_a_dispute_all_is_in_it_and_what_is_internal_is_marked(
    a: int, owner: Desk, made: list[dict[str, Any]]
) -> None:
    owner.get(f"{URL}pdf/?id={a}")
    text = str(made[0])
    for sentinel in ("INTERNAL", "NOTE", "COMMENT", "SHORT-NOTE", "REASON", "PAYMENT", "VIOLATION"):
        assert f"SENTINEL-{sentinel}" in text
    marked = {one["text"] for one in made[0]["entries"] if one["internal"]}
    assert marked == {"SENTINEL-INTERNAL", "SENTINEL-NOTE"}


def test_the_clients_copy_has_nothing_of_the_staffs_own(
    app: Flask, cast: Cast, a: int, owner: Desk, made: list[dict[str, Any]]
) -> None:
    with make.scene(app):
        for action, module in (("edit", "clients"), ("set_characterization", "clients"), ("edit", "discounts"),
                               ("case_file", "clients"), ("edit", "violations")):  # fmt: skip
            audit.record(action, module=module, client_id=a, record_id=a, before={"note": "SENTINEL-AUDIT"},
                         after={"characterization_id": 1, "comment": "SENTINEL-AUDIT", "custom": {"x": "SENTINEL"}})  # fmt: skip
    owner.get(f"{URL}pdf/?id={a}&flavour=client")
    text = str(made[0])
    assert "SENTINEL" not in text
    assert "→" not in [one["title"] for one in made[0]["entries"]]
    assert "new@clients.example" in text
    assert "A call of the client" in text, "why a staff member was in its panel is the client's to know"
    assert not any(one["internal"] for one in made[0]["entries"])
    assert not [one for one in made[0]["entries"] if "haracter" in str(one)]
    assert ["Left out", "internal notes, and values that are the staff's own"] in [list(x) for x in made[0]["contents"]]


def test_custom_fields_that_clients_are_shown_are_in_their_copy(
    app: Flask, a: int, owner: Desk, made: list[dict[str, Any]]
) -> None:
    with make.scene(app):
        make.custom_field("shown", show_to_client=True)
        make.custom_field("hidden")
        for code in ("shown", "hidden"):
            audit.record("edit", module="clients", client_id=a, record_id=a, before={"custom": {}},
                         after={"custom": {code: f"VALUE-{code}"}})  # fmt: skip
    owner.get(f"{URL}pdf/?id={a}&flavour=client")
    assert "VALUE-shown" in str(made[0])
    assert "VALUE-hidden" not in str(made[0])


def test_the_filter_is_honoured_named_and_audited(
    app: Flask, cast: Cast, a: int, owner: Desk, made: list[dict[str, Any]]
) -> None:
    today = now().date()
    owner.get(f"{URL}pdf/?id={a}&kind=note&kind=violation&from={today}&to={today}&text=sentinel")
    data = made[0]
    assert {one["word"] for one in data["entries"]} == {"Internal note", "Penalty points", "Violation"}
    contents = dict(map(tuple, data["contents"]))
    assert contents["Kinds"] == "Internal notes, Violations and points"
    assert contents["Text"] == "sentinel"
    assert contents["Period"].count(f"{today:%d.%m.%Y}") == 2
    with app.app_context():
        event = db.session.scalars(sa.select(AuditEvent).where(AuditEvent.action == "case_file")).one()
        assert (event.staff_id, event.client_id, event.record_id) == (cast.owner.id, a, a)
        assert event.after["count"] == len(data["entries"]) == 4
        assert event.after["filter"] == {"kind": ["note", "violation"], "from": str(today), "to": str(today),
                                         "text": "sentinel"}  # fmt: skip


def test_the_title_says_who_the_provider_is_who_made_it_and_what_is_missing(
    app: Flask, cast: Cast, a: int, log_in: Callable[[str], Desk], owner: Desk, made: list[dict[str, Any]]
) -> None:
    with make.scene(app):
        settings.change("provider_company", "Hosting & Co. OHG")
        settings.change("provider_address", "Berlin, Lindenstr. 1")
        role = db.session.scalars(sa.select(Role).where(Role.name == "Support")).one()
        role.permissions = [*role.permissions, "clients.export"]
        made_by = db.session.get_one(Staff, cast.support.id).shown_name
    log_in("support").get(f"{URL}pdf/?id={a}")
    data = made[0]
    assert data["provider"][:2] == ["Hosting & Co. OHG", "Berlin, Lindenstr. 1"]
    assert "Alpha Hosting" in data["provider"][-1]
    assert data["made"].endswith(f"by {made_by}.")
    assert "(UTC)" in data["made"]
    assert dict(map(tuple, data["contents"]))["Not seen by who made it"].startswith("Letters, Money")
    facts = dict(map(tuple, data["facts"]))
    assert facts["E-mail"] == "new@clients.example"
    owner.post("/admin/language", language="ru")
    owner.get(f"{URL}pdf/?id={a}")
    assert made[1]["language"] == "ru"


def test_what_would_be_too_long_is_refused_with_a_hint_and_not_audited(
    app: Flask, a: int, owner: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages_of_it, "MOST_IN_PDF", 3)
    page = owner.follow(owner.get(f"{URL}pdf/?id={a}&kind=money"))
    assert "Narrow the period or the kinds. A document has at most 3 entries." in page.text
    assert [box["value"] for box in page.all("input", name="kind") if "checked" in box.attributes] == ["money"]
    with app.app_context():
        assert not db.session.scalars(sa.select(AuditEvent).where(AuditEvent.action == "case_file")).all()
    assert owner.get(f"{URL}pdf/?id={a}&kind=note").status_code == 200


@pytest.mark.browser_options(java_script_enabled=False)
@pytest.mark.engine("sqlite")
def test_it_works_without_scripts(
    app: Flask, cast: Cast, a: int, page: Any, browser_context: Any, live_server: Any
) -> None:
    visitor = app.test_client()
    people_of.log_in(visitor, cast.owner)
    cookie = visitor.get_cookie("staff_session")
    assert cookie is not None
    browser_context.add_cookies([{"name": "staff_session", "value": cookie.value, "url": live_server.url}])
    page.goto(f"{live_server.url}{URL}?id={a}")
    page.get_by_label("Internal notes").check()
    page.get_by_role("button", name="Show").click()
    expect(page.locator(".case-entry")).to_have_count(2)
    page.get_by_text("Save as PDF").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="For a dispute").click()
    assert download.value.suggested_filename.startswith("case-file-")

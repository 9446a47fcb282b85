"""Letters that came in, for staff: what became of them, what they say, and what can still be done with them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

import jobs
from extensions import db, now
from models import AuditEvent, Client, InboundEmail, InboundOutcome, InboundSource, Role, Ticket, TicketMessage
from operations import inbound_store, settings
from operations.inbound_store import Arrival
from tests import cast as people_of
from tests import factories as make
from tests.cast import Cast, Desk, digest
from tests.support import page as pages
from tests.support.letters_in import PDF, Written

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>"


def letter(app: Flask, **more: Any) -> int:
    """A letter that came in and was handled; its id."""
    with app.app_context():
        row = inbound_store.take([Written(**more).raw], Arrival(source="imap"), now=now())
        assert row is not None
        number = row.id
        jobs.handle_letters()
        db.session.remove()
    return number


def row(app: Flask, number: int) -> InboundEmail:
    with app.app_context():
        found = db.session.get_one(InboundEmail, number)
        db.session.expunge(found)
        return found


def details(number: int) -> str:
    return f"/admin/inbound/details/?id={number}"


def ticket_of(app: Flask, cast: Cast) -> tuple[int, str]:
    """Client A's ticket, and the header that names it."""
    with app.app_context():
        found = db.session.get_one(Ticket, cast.a.records["tickets"])
        found.reference = "0123456789ABCDEF"
        db.session.commit()
        return found.id, "<0123456789ABCDEF@127.0.0.1>"


def email_of(app: Flask, number: int) -> str:
    with app.app_context():
        return db.session.get_one(Client, number).email


def test_a_letter_is_shown_as_text_whatever_it_is(app: Flask, cast: Cast, log_in: Callable[[str], Desk]) -> None:
    number = letter(
        app,
        sender=f'"{HOSTILE}" <stranger@elsewhere.example>',
        subject=HOSTILE,
        text="",
        html=f"<p>Shown {HOSTILE}</p><p>&lt;b&gt;bold&lt;/b&gt;</p><blockquote>quoted words</blockquote>",
        files=[(f'filename="{HOSTILE}.pdf"', "application/pdf", PDF)],
        headers=[("X-Odd", HOSTILE)],
    )
    support = log_in("support")
    for url in (details(number), "/admin/inbound/", "/admin/inbound/?search=script"):
        page = support.page(url)
        assert not [node for node in page.all("img") if node.get("src") == "x"]
        assert not [
            node
            for node in page.all("script")
            if "src" not in node.attributes and node.get("type") != "application/json"
        ]
    page = support.page(details(number))
    assert "Shown" in page.text
    assert "<b>bold</b>" in page.text
    assert HOSTILE in page.one("h1").text
    assert "X-Odd: " in page.one("pre").text
    assert "quoted words" in page.first("details", class_="quoted").text


def test_the_tabs_show_what_needs_somebody(app: Flask, cast: Cast, log_in: Callable[[str], Desk]) -> None:
    _number, reference = ticket_of(app, cast)
    answered = letter(app, sender=email_of(app, cast.a.id), headers=[("In-Reply-To", reference)])
    stranger = letter(app, sender="nobody@elsewhere.example", message_id="<2@x>")
    machine = letter(app, sender="nobody@elsewhere.example", message_id="<3@x>", headers=[("Precedence", "bulk")])
    support = log_in("support")
    seeded = [cast.a.records["inbound"], cast.b.records["inbound"]]
    assert set(support.ids("/admin/inbound/")) == {answered, stranger, machine, *seeded}
    assert set(support.ids("/admin/inbound/?unread=1")) == {stranger, *seeded}
    assert support.ids("/admin/inbound/?outcome=answered") == [answered]
    assert support.ids("/admin/inbound/?outcome=ignored") == [machine]
    assert support.ids(f"/admin/inbound/?client={cast.a.id}") == [answered, cast.a.records["inbound"]]
    text = support.page("/admin/inbound/").text
    assert "The address is nobody's" in text
    assert "Written by a machine" in text
    home = support.page("/admin/")
    assert "Incoming letters to look at" in home.text


def test_an_answer_by_letter_is_marked_and_folded_for_both_sides(
    app: Flask, cast: Cast, log_in: Callable[[str], Desk]
) -> None:
    number, reference = ticket_of(app, cast)
    address = email_of(app, cast.a.id)
    came = letter(
        app,
        sender=address,
        text="It works.\n\nOn Tue, Mar 3, 2026 at 12:31, Desk <d@p.example> wrote:\n> SENTINEL-QUOTED",
        headers=[("In-Reply-To", reference)],
        files=[("Договор №1.pdf", "application/pdf", PDF), ("virus.exe", "application/pdf", b"MZ")],
    )
    assert row(app, came).outcome is InboundOutcome.ANSWERED
    staff_page = log_in("support").page(f"/admin/tickets/details/?id={number}")
    assert f"by e-mail from {address}" in staff_page.text
    assert [node["href"] for node in staff_page.all("a") if node.get("href") == details(came)]
    anna = people_of.log_in(app.test_client(), cast.a.owner)
    client_page = anna.page(f"/panel/tickets/{number}/")
    for page in (staff_page, client_page):
        folded = page.first("details", class_="quoted")
        assert "SENTINEL-QUOTED" in folded.text
        assert "open" not in folded.attributes
        assert "It works." in page.text
        assert "could not be kept" in page.text
        assert "virus.exe" in page.text
        assert "Договор №1.pdf" in page.text
    with app.app_context():
        message = db.session.scalars(sa.select(TicketMessage).order_by(TicketMessage.id.desc())).first()
        assert message is not None
        file = message.attachments[0].id
    assert anna.get(f"/panel/tickets/{number}/files/{file}/").data == PDF


def test_many_letters_are_put_aside_at_once(app: Flask, cast: Cast, log_in: Callable[[str], Desk]) -> None:
    strangers = [letter(app, sender=f"spam{one}@elsewhere.example", message_id=f"<{one}@x>") for one in range(3)]
    support = log_in("support")
    url = "/admin/inbound/action/?unread=1&search=spam"
    answer = support.post(url, [("action", "put_aside"), ("all", "1")])
    page = support.page(answer.location)
    assert "Put 3 letters aside" in page.text
    done = support.follow(support.post(answer.location, pages.values(page)))
    assert ("success", "3 letters are put aside.") in pages.messages(done)
    assert {(row(app, one).outcome.value, row(app, one).reason) for one in strangers} == {("ignored", "by_staff")}
    assert not set(strangers) & set(support.ids("/admin/inbound/?unread=1"))
    with app.app_context():
        noted = sa.select(sa.func.count()).where(AuditEvent.module == "inbound", AuditEvent.action == "put_aside")
        assert db.session.scalar(noted) == 3
    assert log_in("auditor").post(url, [("action", "put_aside"), ("all", "1")]).status_code == 403


def test_a_stranger_s_letter_becomes_a_ticket_of_the_client_that_is_named(
    app: Flask, cast: Cast, log_in: Callable[[str], Desk]
) -> None:
    number = letter(app, sender="nobody@elsewhere.example", subject="Help me", text="It is down.")
    support = log_in("support")
    category = support.page(details(number)).first("select", name="category").first("option")["value"]
    page = support.refused("/admin/inbound/assign/", id=number, client="", category=category)
    assert "Name one by its code." in page.text
    page = support.refused("/admin/inbound/assign/", id=number, client="999999", category=category)
    assert "There is none with this code." in page.text
    assert row(app, number).outcome is InboundOutcome.REFUSED
    page = support.follow(support.post("/admin/inbound/assign/", id=number, client=str(cast.a.id), category=category))
    assert "The letter is a ticket now." in page.text
    assert "Help me" in page.text
    assert "by e-mail from nobody@elsewhere.example" in page.text
    changed = row(app, number)
    assert (changed.outcome, changed.client_id) == (InboundOutcome.NEW_TICKET, cast.a.id)
    with app.app_context():
        event = db.session.scalars(sa.select(AuditEvent).where(AuditEvent.action == "assign_letter")).one()
        assert (event.staff_id, event.record_id, event.client_id) == (cast.support.id, number, cast.a.id)
    before = digest(app)
    page = support.follow(support.post("/admin/inbound/assign/", id=number, client=str(cast.b.id), category=category))
    assert "This letter was handled already." in page.text
    assert digest(app) == before


def test_the_client_is_looked_up_in_a_browser(
    live_server: Any, page: Any, app: Flask, cast: Cast, log_in: Callable[[str], Desk]
) -> None:
    from playwright.sync_api import expect

    number = letter(app, sender="nobody@elsewhere.example", subject="Help me", text="It is down.")
    cookie = log_in("support").visitor.get_cookie("staff_session")
    assert cookie is not None
    page.context.add_cookies([{"name": "staff_session", "value": cookie.value, "url": live_server.url}])
    page.goto(live_server.url + details(number))
    field = page.get_by_label("Client", exact=True)
    field.click()
    field.press_sequentially("anna", delay=20)
    page.get_by_role("option").filter(has_text="Anna Alpha").first.click()
    page.get_by_role("button", name="Make it a ticket of this client").click()
    expect(page.get_by_role("heading", name="Help me")).to_be_visible()
    assert row(app, number).client_id == cast.a.id


def test_adding_to_the_ticket_trying_again_and_putting_aside(
    app: Flask, cast: Cast, log_in: Callable[[str], Desk]
) -> None:
    number, reference = ticket_of(app, cast)
    support = log_in("support")
    colleague = letter(
        app, sender="colleague@clients.example", text="From a colleague.", headers=[("In-Reply-To", reference)]
    )
    page = support.page(details(colleague))
    assert "The sender is nobody of the ticket's client" in page.text
    page = support.follow(support.post("/admin/inbound/add/", id=colleague))
    assert "The letter stands in the ticket now." in page.text
    assert "From a colleague." in page.text
    assert row(app, colleague).ticket_id == number
    stranger = letter(app, sender="later@clients.example", message_id="<2@x>")
    support.follow(support.post("/admin/inbound/put-aside/", id=stranger))
    assert (row(app, stranger).outcome, row(app, stranger).reason) == (InboundOutcome.IGNORED, "by_staff")
    # Meanwhile the address was put into the client's file.
    with make.scene(app):
        db.session.get_one(Client, cast.b.id).email = "later@clients.example"
    page = support.follow(support.post("/admin/inbound/retry/", id=stranger))
    assert "A worker handles the letter within seconds." in page.text
    with app.app_context():
        jobs.handle_letters()
    assert (row(app, stranger).outcome, row(app, stranger).client_id) == (InboundOutcome.NEW_TICKET, cast.b.id)


def test_who_only_looks_has_no_buttons(app: Flask, cast: Cast, log_in: Callable[[str], Desk]) -> None:
    number = letter(app, sender="nobody@elsewhere.example")
    auditor = log_in("auditor")
    page = auditor.page(details(number))
    assert "Make it a ticket" not in page.text
    for verb in ("assign", "add", "retry", "put-aside"):
        assert auditor.post(f"/admin/inbound/{verb}/", id=number).status_code == 403
    assert log_in("accountant").get("/admin/inbound/").status_code == 403


def test_who_answers_tickets_sees_to_letters_from_the_start(app: Flask) -> None:
    with app.app_context():
        held = {role.name: set(role.permissions) for role in db.session.scalars(sa.select(Role))}
    assert {"inbound.view", "inbound.edit"} <= held["Support"] & held["Manager"] & held["Owner"]
    assert "inbound.view" in held["Auditor"]
    assert "inbound.edit" not in held["Auditor"]
    assert not any(right.startswith("inbound.") for right in held["Accountant"])


def test_a_letter_that_is_not_kept_any_more_is_still_told_of(
    app: Flask, cast: Cast, log_in: Callable[[str], Desk]
) -> None:
    page = log_in("owner").page(details(cast.a.records["inbound"]))
    assert "The letter itself is not kept any more." in page.text
    assert "Make it a ticket" not in page.text


@pytest.mark.parametrize("url", ["imap://desk:secret@127.0.0.1:1", "lmtp://127.0.0.1:2424"])
@pytest.mark.engine("sqlite")
def test_home_says_when_the_mailbox_cannot_be_reached(make_app: Callable[..., Flask], url: str) -> None:
    app = make_app(INBOUND_URL=url)
    owner = people_of.log_in(app.test_client(), people_of.perform(app).owner)
    assert "No worker has looked into the mailbox for some time." in owner.page("/admin/").text
    name = app.config["SETTINGS"].inbox.name
    with make.scene(app):
        db.session.add(InboundSource(name=name, failing_since=now(), last_error=f"refused {HOSTILE}"))
    page = owner.page("/admin/")
    assert f"The mailbox cannot be reached: refused {HOSTILE}" in page.text
    assert "secret" not in page.text
    with make.scene(app):
        found = db.session.scalars(sa.select(InboundSource)).one()
        found.last_error, found.failing_since, found.succeeded_at = "", None, now()
    assert "cannot be reached" not in owner.page("/admin/").text
    assert "looked into the mailbox" not in owner.page("/admin/").text
    with make.scene(app):
        db.session.scalars(sa.select(InboundSource)).one().succeeded_at = now() - timedelta(hours=1)
    assert "No worker has looked into the mailbox" in owner.page("/admin/").text


def test_the_settings_of_letters_are_chosen_and_kept(app: Flask, cast: Cast, owner: Desk) -> None:
    page = owner.page("/admin/settings/")
    values = {node["name"]: node.get("value", "") for node in page.all("input") if node.get("name") in settings.KINDS}
    chosen = {"inbound_without_ticket": "refuse", "inbound_category": "2", "inbound_notices": "everybody"}
    wanted = {name: value for name, value in values.items() if name != "inbound_plus_addresses"}
    wrong = pages.read(owner.post("/admin/settings/", {**wanted, **chosen, "inbound_notices": "all"}).text)
    assert "Choose one of the list." in wrong.text
    owner.follow(owner.post("/admin/settings/", {**wanted, **chosen, "inbound_plus_addresses": "y"}))
    with app.app_context():
        kept = settings.all_values()
    assert {name: kept[name] for name in chosen} == chosen
    assert kept["inbound_plus_addresses"] is True
    with app.app_context():
        from models import OutboundEmail
        from operations import letter_making, letters

        ticket = db.session.get_one(Ticket, cast.a.records["tickets"])
        sent = make.letter(ticket.client, ticket=ticket, project=ticket.client.project)
        [claimed] = letter_making.load([sent.id])
        assert (
            dict(letter_making._thread(claimed, letters.host()))["Reply-To"]
            == f"desk+{ticket.reference}@provider.example"
        )
        assert db.session.get_one(OutboundEmail, sent.id)

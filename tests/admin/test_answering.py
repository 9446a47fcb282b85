"""Tickets for staff: answering, noting, handing over, closing, and not running into each other."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from extensions import db
from models import (
    AuditEvent,
    Client,
    OutboundEmail,
    Staff,
    Ticket,
    TicketCategory,
    TicketMessage,
    TicketStatus,
    Violation,
    ViolationStatus,
)
from tests import cast as people_of
from tests import factories as make
from tests.cast import Cast, Desk, digest
from tests.support import page as pages


def thread(number: int) -> str:
    return f"/admin/tickets/details/?id={number}"


def typed(desk: Desk, number: int, **fields: Any) -> dict[str, Any]:
    """The form for an answer as it stands in the browser, with something typed."""
    page = desk.page(thread(number))
    held = {name: page.first("input", name=name)["value"] for name in ("idempotency_key", "last_message")}
    return {**held, "text": "Have you tried turning it off?", "send": "1", **fields}


def reply(desk: Desk, number: int, **fields: Any) -> Any:
    return desk.post(f"/admin/tickets/reply/?id={number}", typed(desk, number, **fields))


def ticket_now(app: Flask, number: int) -> Ticket:
    with app.app_context():
        found = db.session.get_one(Ticket, number)
        assert found.category
        db.session.expunge(found)
        return found


def letters(app: Flask) -> list[OutboundEmail]:
    with app.app_context():
        found = list(db.session.scalars(sa.select(OutboundEmail).order_by(OutboundEmail.id)))
        db.session.expunge_all()
        return [letter for letter in found if letter.template.startswith("ticket")]


def other_category() -> TicketCategory:
    found = TicketCategory(name={"en": "Billing"})
    db.session.add(found)
    db.session.flush()
    return found


def test_an_answer_goes_to_the_client_and_waits_for_him(app: Flask, cast: Cast, log_in: Callable[[str], Desk]) -> None:
    support, number = log_in("support"), cast.a.records["tickets"]
    page = support.follow(reply(support, number, text="Привет <b>you</b>\n\nsecond"))
    assert "The answer is sent." in page.text
    assert "Привет <b>you</b>" in page.text
    ticket = ticket_now(app, number)
    assert ticket.status is TicketStatus.WAITING_CLIENT
    assert ticket.assignee_id == cast.support.id
    [letter] = letters(app)
    with app.app_context():
        assert letter.recipient == db.session.get_one(Client, cast.a.id).email
        event = db.session.scalars(sa.select(AuditEvent).order_by(AuditEvent.id.desc())).first()
        assert event is not None
    assert letter.ticket_id == number
    assert letter.context["text"] == "Привет <b>you</b>\n\nsecond"
    assert letter.priority < 50


def test_an_internal_note_is_for_staff_alone(app: Flask, cast: Cast, log_in: Callable[[str], Desk]) -> None:
    support, number = log_in("support"), cast.a.records["tickets"]
    before = ticket_now(app, number)
    page = support.follow(reply(support, number, text="SENTINEL-NOTE", is_internal="y"))
    assert "The note is added." in page.text
    assert page.all(**{"data-badge": "internal"})
    after = ticket_now(app, number)
    assert (after.status, after.updated_at, after.assignee_id) == (before.status, before.updated_at, before.assignee_id)
    assert letters(app) == []
    anna = people_login(app, cast)
    for path in (f"/panel/tickets/{number}/", "/panel/tickets/", "/panel/"):
        assert "SENTINEL-NOTE" not in anna.get(path).text


def people_login(app: Flask, cast: Cast) -> Desk:
    return people_of.log_in(app.test_client(), cast.a.owner)


def test_send_and_close(app: Flask, cast: Cast, log_in: Callable[[str], Desk]) -> None:
    support, number = log_in("support"), cast.a.records["tickets"]
    fields = typed(support, number)
    fields.pop("send")
    support.follow(support.post(f"/admin/tickets/reply/?id={number}", {**fields, "send_and_close": "1"}))
    assert ticket_now(app, number).status is TicketStatus.CLOSED
    page = support.follow(support.post("/admin/tickets/reopen/", id=number))
    assert "The ticket is open again." in page.text
    assert ticket_now(app, number).status is TicketStatus.WAITING_STAFF
    page = support.follow(support.post("/admin/tickets/close/", id=number))
    assert "The ticket is closed." in page.text
    page = support.follow(support.post("/admin/tickets/close/", id=number))
    assert "This ticket is closed already." in page.text


def test_a_note_can_close_the_ticket_too(app: Flask, cast: Cast, log_in: Callable[[str], Desk]) -> None:
    support, number = log_in("support"), cast.a.records["tickets"]
    fields = typed(support, number, text="Settled by phone", is_internal="y")
    fields.pop("send")
    support.follow(support.post(f"/admin/tickets/reply/?id={number}", {**fields, "send_and_close": "1"}))
    assert ticket_now(app, number).status is TicketStatus.CLOSED
    assert letters(app) == []
    assert "Settled by phone" not in people_login(app, cast).get(f"/panel/tickets/{number}/").text


def test_who_adds_to_a_question_keeps_the_place_among_those_who_wait(
    app: Flask, cast: Cast, log_in: Callable[[str], Desk], clock: Any
) -> None:
    support, numbers = log_in("support"), [cast.a.records["tickets"], cast.b.records["tickets"]]
    for number, person in zip(numbers, (cast.a.owner, cast.b.owner), strict=True):
        reply(support, number)
        clock.move(minutes=1)
        client_answers(app, cast, number, by=person)
        clock.move(minutes=1)
    oldest_first = "/admin/tickets/?status=waiting_staff&sort=updated_at"
    assert [one for one in support.ids(oldest_first) if one in numbers] == numbers
    client_answers(app, cast, numbers[0], text="One more thing", by=cast.a.owner)
    assert [one for one in support.ids(oldest_first) if one in numbers] == numbers
    reply(support, numbers[0])
    clock.move(minutes=1)
    client_answers(app, cast, numbers[0], text="And now?", by=cast.a.owner)
    assert [one for one in support.ids(oldest_first) if one in numbers] == numbers[::-1]


def test_an_empty_answer_comes_back_with_its_message(app: Flask, cast: Cast, log_in: Callable[[str], Desk]) -> None:
    support, number = log_in("support"), cast.a.records["tickets"]
    before = digest(app)
    answer = reply(support, number, text="   ", is_internal="y")
    assert answer.status_code == 400
    page = pages.read(answer.text)
    assert "This cannot be empty." in page.text
    assert page.first("input", name="is_internal").get("checked") is not None
    assert digest(app) == before


def test_pressed_twice_it_is_one_answer(app: Flask, cast: Cast, log_in: Callable[[str], Desk]) -> None:
    support, number = log_in("support"), cast.a.records["tickets"]
    fields = typed(support, number)
    first = support.post(f"/admin/tickets/reply/?id={number}", fields)
    second = support.post(f"/admin/tickets/reply/?id={number}", fields)
    assert first.status_code == second.status_code == 302
    assert len(letters(app)) == 1


def test_what_came_meanwhile_is_shown_before_the_answer_is_sent(
    app: Flask, cast: Cast, log_in: Callable[[str], Desk]
) -> None:
    """Both answers are not sent over each other; what was typed is still there, and goes at the next press."""
    support, manager, number = log_in("support"), log_in("manager"), cast.a.records["tickets"]
    fields = typed(support, number, text="My own words")
    reply(manager, number, text="A colleague was quicker")
    answer = support.post(f"/admin/tickets/reply/?id={number}", fields)
    assert answer.status_code == 409
    page = pages.read(answer.text)
    assert "1 new message has come meanwhile." in page.text
    assert "A colleague was quicker" in page.text
    assert page.first("textarea", name="text").text.strip() == "My own words"
    seen = page.first("input", name="last_message")["value"]
    assert support.post(f"/admin/tickets/reply/?id={number}", {**fields, "last_message": seen}).status_code == 302
    with app.app_context():
        texts = list(db.session.scalars(sa.select(TicketMessage.text).where(TicketMessage.ticket_id == number)))
    assert texts[-2:] == ["A colleague was quicker", "My own words"]


def test_a_colleague_is_seen_writing(app: Flask, cast: Cast, log_in: Callable[[str], Desk], clock: Any) -> None:
    support, manager, number = log_in("support"), log_in("manager"), cast.a.records["tickets"]
    assert support.post("/admin/tickets/writing/", id=number).status_code == 204
    with app.app_context():
        name = db.session.get_one(Staff, cast.support.id).shown_name
    assert f"{name} is writing an answer." in manager.page(thread(number)).text
    assert manager.get(f"/admin/tickets/news.json?id={number}&after=0").json["writing"].startswith(name)
    assert support.get(f"/admin/tickets/news.json?id={number}&after=0").json["writing"] == ""
    reply(support, number)
    assert manager.get(f"/admin/tickets/news.json?id={number}&after=0").json["writing"] == ""
    support.post("/admin/tickets/writing/", id=number)
    clock.move(seconds=60)
    assert manager.get(f"/admin/tickets/news.json?id={number}&after=abc").json == {"writing": "", "newer": ""}


def test_handing_over(app: Flask, cast: Cast, log_in: Callable[[str], Desk]) -> None:
    support, number = log_in("support"), cast.a.records["tickets"]
    with make.scene(app):
        db.session.get_one(Staff, cast.manager.id).email = "manager@desk.example"
        other = TicketCategory(name={"en": "Billing"})
        db.session.add(other)
        db.session.flush()
        category = other.id
    page = support.follow(
        support.post(f"/admin/tickets/hand-over/?id={number}", assignee=cast.manager.id, category=category)
    )
    assert "Saved." in page.text
    ticket = ticket_now(app, number)
    assert (ticket.assignee_id, ticket.category_id) == (cast.manager.id, category)
    [letter] = letters(app)
    assert (letter.template, letter.recipient) == ("ticket_assigned", "manager@desk.example")


def test_a_ticket_is_taken_over_by_one_press(app: Flask, cast: Cast, log_in: Callable[[str], Desk]) -> None:
    support, number = log_in("support"), cast.a.records["tickets"]
    page = support.page(f"/admin/tickets/details/?id={number}")
    assert page.one("select", name="assignee").first("option").text == "Nobody yet"
    button = page.one("button", name="take")
    category = page.one("select", name="category").one("option", selected=None)["value"]
    support.post(f"/admin/tickets/hand-over/?id={number}", take=button["value"], assignee="", category=category)
    assert ticket_now(app, number).assignee_id == cast.support.id
    assert letters(app) == []
    assert not support.page(f"/admin/tickets/details/?id={number}").all("button", name="take")


def test_beside_the_answer_stands_what_one_looks_up_before(
    app: Flask, cast: Cast, log_in: Callable[[str], Desk]
) -> None:
    number = cast.a.records["tickets"]
    with make.scene(app):
        client = db.session.get_one(Client, cast.a.id)
        expected = client.active_services
    box = log_in("manager").page(f"/admin/tickets/details/?id={number}").first("section", class_="side-box")
    links = {link["href"]: link.text for link in box.all("a")}
    assert links[f"/admin/services/?client={cast.a.id}&status=active"] == str(expected)
    assert f"/admin/accounts/?client={cast.a.id}" in links


def tickets_in_menu(desk: Desk, url: str) -> set[str]:
    menu = desk.page(url).first("nav", aria_label="Menu")
    return {link["href"] for link in menu.all("a") if link["href"].startswith("/admin/tickets/")}


def test_the_menu_leads_to_what_waits_and_mine_are_those_not_closed(
    app: Flask, cast: Cast, log_in: Callable[[str], Desk]
) -> None:
    with make.scene(app):
        owner, support = db.session.get_one(Client, cast.a.id), db.session.get_one(Staff, cast.support.id)
        states = (TicketStatus.WAITING_STAFF, TicketStatus.WAITING_CLIENT, TicketStatus.CLOSED)
        made = [make.ticket(owner, assignee=support, status=status).id for status in states]
    desk = log_in("support")
    [link] = tickets_in_menu(desk, "/admin/")
    waiting = desk.ids(link)
    assert made[0] in waiting
    assert not {*made[1:]} & {*waiting}
    [mine] = [one["href"] for one in desk.page("/admin/tickets/").all("a") if one.text == "Mine"]
    assert set(desk.ids(mine)) == {*made[:2]}
    assert set(desk.ids(f"/admin/tickets/?assignee={cast.support.id}")) == {*made}
    assert tickets_in_menu(desk, f"/admin/?client={cast.a.id}") == {"/admin/tickets/"}


def test_a_ticket_is_not_given_to_who_may_not_answer(app: Flask, cast: Cast, log_in: Callable[[str], Desk]) -> None:
    support, number = log_in("support"), cast.a.records["tickets"]
    category = ticket_now(app, number).category_id
    before = digest(app)
    answer = support.post(f"/admin/tickets/hand-over/?id={number}", assignee=cast.auditor.id, category=category)
    assert answer.status_code == 400
    assert "This staff member may not answer tickets." in answer.text
    assert digest(app) == before


def test_a_ready_answer_is_filled_in(app: Flask, cast: Cast, log_in: Callable[[str], Desk]) -> None:
    support, number = log_in("support"), cast.a.records["tickets"]
    with make.scene(app):
        client = db.session.get_one(Client, cast.a.id)
        client.contact_person = "%admin_name% {{7*7}}"
        chosen = make.template("Greeting for all", text="Dear %client_person%,").id
    fields = typed(support, number, text="Begun.", response_template=chosen)
    fields.pop("send")
    before = digest(app)
    answer = support.post(f"/admin/tickets/reply/?id={number}", {**fields, "auto_fill": "1"})
    assert answer.status_code == 200
    assert pages.read(answer.text).first("textarea", name="text").text == "Begun. Dear %admin_name% {{7*7}},"
    assert digest(app) == before


def test_a_file_goes_along_and_survives_a_refusal(app: Flask, cast: Cast, log_in: Callable[[str], Desk]) -> None:
    support, number = log_in("support"), cast.a.records["tickets"]
    content = "%PDF-1.7 Договор".encode()
    fields = typed(support, number, text="", attachments=(io.BytesIO(content), "Договор №1.pdf"))
    refused = support.post(f"/admin/tickets/reply/?id={number}", fields)
    assert refused.status_code == 400
    token = pages.read(refused.text).first("input", name="kept_file")["value"]
    page = support.follow(reply(support, number, kept_file=token))
    link = next(one["href"] for one in page.all("a") if "/admin/tickets/file/" in one.get("href", ""))
    answer = support.get(link)
    assert answer.data == content
    answer.close()


def client_answers(app: Flask, cast: Cast, number: int, text: str = "Here I am", by: Any = None) -> Any:
    anna = people_of.log_in(app.test_client(), by or cast.a.owner)
    page = anna.page(f"/panel/tickets/{number}/")
    key = page.first("input", name="idempotency_key")["value"]
    return anna.post(f"/panel/tickets/{number}/", text=text, idempotency_key=key)


def test_a_client_s_answer_comes_to_who_has_the_ticket(app: Flask, cast: Cast, log_in: Callable[[str], Desk]) -> None:
    number = cast.a.records["tickets"]
    with make.scene(app):
        ticket = db.session.get_one(Ticket, number)
        ticket.status, ticket.sender_id, ticket.move_to_sender = TicketStatus.CLOSED, cast.manager.id, True
        db.session.get_one(Staff, cast.manager.id).email = "manager@desk.example"
    assert client_answers(app, cast, number).status_code == 302
    ticket = ticket_now(app, number)
    assert (ticket.status, ticket.assignee_id) == (TicketStatus.WAITING_STAFF, cast.manager.id)
    [letter] = letters(app)
    assert (letter.template, letter.recipient) == ("ticket_for_staff", "manager@desk.example")
    manager = log_in("manager")
    assert number in manager.ids(f"/admin/tickets/?assignee={cast.manager.id}")


def test_a_disabled_assignee_s_tickets_are_told_to_who_is_responsible_and_can_be_changed(
    app: Flask, cast: Cast, log_in: Callable[[str], Desk]
) -> None:
    number = cast.a.records["tickets"]
    with make.scene(app):
        for role in ("support", "manager"):
            db.session.get_one(Staff, getattr(cast, role).id).email = f"{role}@desk.example"
        ticket = db.session.get_one(Ticket, number)
        ticket.assignee_id, ticket.category.responsible_staff_id = cast.manager.id, cast.support.id
        db.session.get_one(Staff, cast.manager.id).is_active = False
        other = other_category().id
    client_answers(app, cast, number)
    assert [letter.recipient for letter in letters(app)] == ["support@desk.example"]
    support = log_in("support")
    assert support.post("/admin/tickets/ajax/update/", list_form_pk=number, category=other).status_code == 200
    assert (ticket_now(app, number).category_id, ticket_now(app, number).assignee_id) == (other, cast.manager.id)


def test_a_question_in_the_category_of_somebody_disabled_is_nobody_s(app: Flask, cast: Cast) -> None:
    with make.scene(app):
        category = other_category()
        category.responsible_staff_id = cast.manager.id
        db.session.get_one(Staff, cast.manager.id).is_active = False
        number = category.id
    anna = people_login(app, cast)
    page = anna.page("/panel/tickets/new/")
    key = page.first("input", name="idempotency_key")["value"]
    anna.post("/panel/tickets/new/", category=number, subject="Help", text="Please", idempotency_key=key)
    with app.app_context():
        ticket = db.session.scalars(sa.select(Ticket).order_by(Ticket.id.desc())).first()
        assert ticket is not None
        assert (ticket.subject, ticket.assignee_id) == ("Help", None)


@pytest.mark.parametrize("where", ["in the list", "in the form"])
def test_who_is_given_a_ticket_in_the_list_or_the_form_is_told_as_well(
    app: Flask, cast: Cast, log_in: Callable[[str], Desk], where: str
) -> None:
    support, number = log_in("support"), cast.a.records["tickets"]
    with make.scene(app):
        db.session.get_one(Staff, cast.manager.id).email = "manager@desk.example"

    def give(staff_id: int) -> Any:
        if where == "in the list":
            return support.post("/admin/tickets/ajax/update/", list_form_pk=number, assignee=staff_id)
        url = f"/admin/tickets/edit/?id={number}"
        return support.post(url, {**pages.values(support.page(url)), "assignee": staff_id})

    for _twice in range(2):
        assert give(cast.manager.id).status_code in {200, 302}
    assert [(letter.template, letter.recipient) for letter in letters(app)] == [
        ("ticket_assigned", "manager@desk.example")
    ]
    refused = give(cast.auditor.id)
    assert "This staff member may not answer tickets." in refused.text
    assert ticket_now(app, number).assignee_id == cast.manager.id


def test_nobody_s_ticket_is_told_to_the_role_that_is_responsible(app: Flask, cast: Cast) -> None:
    number = cast.a.records["tickets"]
    with make.scene(app):
        for role in ("support", "manager"):
            db.session.get_one(Staff, getattr(cast, role).id).email = f"{role}@desk.example"
        support = db.session.get_one(Staff, cast.support.id)
        ticket = db.session.get_one(Ticket, number)
        ticket.assignee_id, ticket.category.responsible_role_id = None, support.role_id
    client_answers(app, cast, number)
    assert [letter.recipient for letter in letters(app)] == ["support@desk.example"]


def test_the_client_s_own_answer_is_the_reaction_to_a_violation(app: Flask, cast: Cast) -> None:
    with make.scene(app):
        violation = db.session.get_one(Violation, cast.a.records["violations"])
        violation.status, number = ViolationStatus.OPEN, violation.ticket_id
    client_answers(app, cast, number)
    with app.app_context():
        assert db.session.get_one(Violation, cast.a.records["violations"]).status is ViolationStatus.ANSWERED


def test_what_staff_write_is_no_reaction(app: Flask, cast: Cast, log_in: Callable[[str], Desk]) -> None:
    with make.scene(app):
        violation = db.session.get_one(Violation, cast.a.records["violations"])
        violation.status, number = ViolationStatus.OPEN, violation.ticket_id
    reply(log_in("support"), number)
    with app.app_context():
        assert db.session.get_one(Violation, cast.a.records["violations"]).status is ViolationStatus.OPEN


def test_nor_is_what_staff_write_in_the_client_s_place(app: Flask, cast: Cast, log_in: Callable[[str], Desk]) -> None:
    with make.scene(app):
        violation = db.session.get_one(Violation, cast.a.records["violations"])
        violation.status, number = ViolationStatus.OPEN, violation.ticket_id
    owner = log_in("owner")
    owner.post("/admin/clients/login-as/", id=cast.a.id)
    inside = Desk(owner.visitor, "/panel/")
    inside.post("/panel/allow-changes", reason="He asked me to on the telephone")
    page = inside.page(f"/panel/tickets/{number}/")
    key = page.first("input", name="idempotency_key")["value"]
    assert inside.post(f"/panel/tickets/{number}/", text="For him", idempotency_key=key).status_code == 302
    with app.app_context():
        message = db.session.scalars(sa.select(TicketMessage).order_by(TicketMessage.id.desc())).first()
        assert message is not None
        assert (message.text, message.staff_id, message.client_user_id) == ("For him", cast.owner.id, cast.a.owner.id)
        assert message.impersonation_id
        assert db.session.get_one(Violation, cast.a.records["violations"]).status is ViolationStatus.OPEN
    assert "(staff) for" in owner.page(thread(number)).text

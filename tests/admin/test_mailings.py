"""Writing to clients: the form, the plan, the preview, and the page of the mailing."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from werkzeug.test import TestResponse

from extensions import Clock, db, now
from models import Client, Mailing, MailingRecipient, RecipientOutcome, Staff, Ticket, TicketCategory
from operations import letters
from tests import factories as make
from tests.cast import Cast, Desk
from tests.support import mailings as messages
from tests.support import page as pages
from tests.support.page import Node

PDF = b"%PDF-1.7\n"
NOT_KEPT = "This contains a character that cannot be kept."


@pytest.fixture
def ids(app: Flask, cast: Cast) -> list[int]:
    """Six clients besides the cast, Russian and English in turn."""
    with app.app_context():
        return messages.clients(6)


@pytest.fixture
def compose(owner: Desk, ids: list[int]) -> str:
    """The address of the form for those six."""
    return chosen(owner, ids)


def chosen(desk: Desk, ids: list[int]) -> str:
    answer = desk.post("/admin/clients/action/", [("action", "message"), *(("rowid", number) for number in ids)])
    assert answer.status_code == 302, answer.text
    return answer.location


def typed(desk: Desk, url: str, **changes: Any) -> dict[str, Any]:
    """What the form at `url` sends when it has been filled in; None leaves a field out."""
    form = desk.page(url).one("form", class_="compose")
    hidden = {node["name"]: node["value"] for node in form.all("input", type="hidden") if node.get("name")}
    values: dict[str, Any] = {
        **hidden, "category": "1", "subject_en": "Hello %client_person%", "text_en": "Dear %client_person%.",
        "subject_ru": "", "text_ru": "", "recall_minutes": "0", "send_email": "1",
    }  # fmt: skip
    values |= changes
    return {name: value for name, value in values.items() if value is not None}


def sent(desk: Desk, url: str, **changes: Any) -> TestResponse:
    return desk.post(url, typed(desk, url, send="1", **changes))


def previewed(desk: Desk, url: str, **changes: Any) -> Node:
    answer = desk.post(url, typed(desk, url, **{"preview": "1", **changes}))
    assert answer.status_code == 200
    return pages.read(answer.text)


def count(app: Flask, model: Any) -> int:
    with app.app_context():
        return db.session.scalar(sa.select(sa.func.count()).select_from(model)) or 0


def work(app: Flask) -> None:
    with app.app_context():
        messages.work()


def figures(desk: Desk, number: int) -> dict[str, Any]:
    answer = desk.get(f"/admin/mailings/{number}/progress.json")
    assert answer.status_code == 200
    return answer.json


def number_in(answer: TestResponse) -> int:
    assert answer.status_code == 302, pages.read(answer.text).text[:2000]
    assert answer.location.startswith("/admin/mailings/details/?id="), answer.location
    return int(answer.location.rpartition("=")[2])


def beside(page: Node, field: str) -> str:
    """The message beside a field."""
    return page.one("p", id=f"{field}-error").text


# The way from the list to the clients


def test_a_message_goes_from_the_list_to_the_tickets_and_mailboxes(
    app: Flask, owner: Desk, ids: list[int], compose: str, smtp: Any
) -> None:
    number = number_in(sent(owner, compose, subject_ru="Привет, %client_person%", text_ru="Уважаемый %client_person%!"))
    assert figures(owner, number) == {
        "status": "scheduled", "recipients": 6, "queued": 6, "sent": 0, "failed": 0, "skipped": 0, "cancelled": 0,
    }  # fmt: skip
    work(app)
    assert figures(owner, number)["status"] == "sent"
    assert figures(owner, number)["sent"] == 6
    assert sorted(letter.recipients[0] for letter in smtp.letters) == sorted(f"client-{n}@client.example" for n in ids)
    with app.app_context():
        tickets = db.session.scalars(
            sa.select(Ticket).where(Ticket.mailing_id == number).order_by(Ticket.client_id)
        ).all()
        assert [ticket.client_id for ticket in tickets] == ids
        assert {ticket.subject for ticket in tickets} == {
            f"Hello Person {n}" if n % 2 == 0 else f"Привет, Person {n}" for n in ids
        }
    page = owner.page(f"/admin/mailings/details/?id={number}")
    assert page.one("b", data_figure="sent").text == "6"
    assert pages.row_ids(owner.page(f"/admin/mailings/recipients/?id={number}&outcome=sent")) == ids
    assert owner.ids("/admin/mailings/")[0] == number
    assert len(owner.ids(f"/admin/emails/?mailing={number}&status=sent")) == 6
    thread = owner.page(f"/admin/tickets/details/?id={tickets[1].id}")
    assert f"Person {ids[1]}" in thread.text


def test_all_that_match_a_filter_are_meant_without_being_named(app: Flask, owner: Desk, ids: list[int]) -> None:
    answer = owner.post("/admin/clients/action/?language=ru&name=client-", {"action": "message", "all": "1"})
    page = owner.page(answer.location)
    assert page.one("p", class_="recipients")["data-recipients"] == "3"
    assert "Russian" in page.one("p", class_="recipients").text or "Русский" in page.one("p", class_="recipients").text
    number = number_in(sent(owner, answer.location))
    with app.app_context():
        got = db.session.scalars(sa.select(MailingRecipient.client_id).where(MailingRecipient.mailing_id == number))
        assert set(got) == {n for n in ids if n % 2}


def test_when_others_match_the_filter_meanwhile_it_is_asked_again(app: Flask, owner: Desk, ids: list[int]) -> None:
    """Who saw «Send to 3 clients» must not write to more without knowing it."""
    address = owner.post("/admin/clients/action/?language=ru&name=client-", {"action": "message", "all": "1"}).location
    form = typed(owner, address, send="1")
    with make.scene(app):
        newcomer = make.client("client-newcomer", language="ru", email="new@clients.example").id
    before = count(app, Mailing)
    answer = owner.post(address, form)
    assert answer.status_code == 400
    page = pages.read(answer.text)
    assert "there were 3, now there are 4" in page.text
    assert page.one("p", class_="recipients")["data-recipients"] == "4"
    assert page.one("textarea", name="text_en").text.strip() == "Dear %client_person%."
    assert count(app, Mailing) == before
    again = {**form, "recipients_seen": page.one("input", name="recipients_seen")["value"]}
    number = number_in(owner.post(address, again))
    assert number_in(owner.post(address, again)) == number, "pressed twice"
    with app.app_context():
        got = db.session.scalars(sa.select(MailingRecipient.client_id).where(MailingRecipient.mailing_id == number))
        assert set(got) == {newcomer, *(n for n in ids if n % 2)}


def test_without_a_selection_one_is_led_to_choose_the_recipients_or_to_the_list(
    owner: Desk, log_in: Callable[[str], Desk]
) -> None:
    assert owner.get("/admin/mailings/new/").location == "/admin/mailings/choose/"
    assert log_in("support").get("/admin/mailings/new/").location == "/admin/clients/"


@pytest.mark.parametrize("selection", ["0", "999", "x", "-1", "9" * 30])
def test_a_selection_that_is_not_there_is_not_found(owner: Desk, selection: str) -> None:
    assert owner.get(f"/admin/mailings/new/?selection={selection}").status_code == 404


# The plan


def test_the_plan_says_who_gets_it_in_which_language_and_who_does_not_and_why(
    app: Flask, owner: Desk, ids: list[int], compose: str
) -> None:
    with app.app_context():
        db.session.get_one(Client, ids[0]).email = ""
        db.session.get_one(Client, ids[1]).deleted_at = now()
        db.session.commit()
    page = previewed(owner, compose, subject_ru="Привет", text_ru="Текст", strict_language="1")
    plan = page.one("section", class_="send-plan")
    assert (plan["data-tickets"], plan["data-letters"]) == ("5", "4")
    assert {line["data-language-count"]: line.text for line in plan.all("li", data_language_count=None)} == {
        "en": "English: 2 clients", "ru": "Русский: 3 clients",
    }  # fmt: skip
    reasons = {line["data-reason"]: line for line in plan.all("li", data_reason=None)}
    assert {code: line["data-count"] for code, line in reasons.items()} == {"no_address": "1", "deleted": "1"}
    assert f"client-{ids[0]}" in reasons["no_address"].text
    assert f"client-{ids[1]}" in reasons["deleted"].text
    assert page.first("button", name="send").text == "Send to 5 clients now"


def test_the_button_says_when(owner: Desk, compose: str) -> None:
    assert (
        previewed(owner, compose, recall_minutes="7").first("button", name="send").text == "Send to 6 clients in 7 min"
    )
    later = previewed(owner, compose, send_at="2027-03-01T10:30").first("button", name="send").text
    assert later == "Send to 6 clients at 01.03.2027 10:30"


def test_a_macro_that_would_leave_a_gap_is_warned_of_with_whom_it_hits(
    app: Flask, owner: Desk, ids: list[int], compose: str
) -> None:
    with app.app_context():
        db.session.get_one(Client, ids[2]).company_name = "Romashka"
        db.session.commit()
    warning = previewed(owner, compose, text_en="To %company_name%").one(data_empty_macro="company_name")
    assert "%company_name% would be empty for 5 clients" in warning.text
    assert f"client-{ids[0]}" in warning.text
    assert f"client-{ids[2]}" not in warning.text


# The preview and the test


def test_the_preview_is_what_that_recipient_gets_whatever_his_name(
    app: Flask, owner: Desk, ids: list[int], compose: str
) -> None:
    hostile = "<script>alert(1)</script> %admin_name% {{7*7}}"
    with app.app_context():
        db.session.get_one(Client, ids[3]).contact_person = hostile
        db.session.commit()
    page = previewed(owner, compose, preview="4")
    letter = page.one("article", class_="preview-letter")
    assert letter["data-preview"] == str(ids[3])
    assert letter.text == f"Hello {hostile} Dear {hostile}."
    assert not letter.all("script")
    assert "Recipient 4 of 6" in page.text
    arrows = [node["value"] for node in page.one("p", class_="preview-who").all("button")]
    assert arrows == ["3", "5"]


def test_the_only_recipient_is_named(owner: Desk, ids: list[int], compose: str) -> None:
    said = owner.page(chosen(owner, ids[:1])).one("p", class_="recipients")
    assert said.one("a")["href"] == f"/admin/clients/details/?id={ids[0]}"
    assert f"client-{ids[0]}" in said.one("a").text
    assert owner.page(compose).one("p", class_="recipients").text == "6 clients ticked in the list"


def test_any_recipient_is_looked_at_by_code(app: Flask, owner: Desk, ids: list[int], compose: str) -> None:
    with app.app_context():
        db.session.get_one(Client, ids[1]).deleted_at = now()
        db.session.commit()
    page = previewed(owner, compose, preview_client=f" #{ids[4]} ")
    assert page.one("article", class_="preview-letter")["data-preview"] == str(ids[4])
    assert "Recipient 4 of 5" in page.text
    assert page.one("input", name="preview_client").get("value", "") == "", "the arrows go on from there"
    for nobody in (ids[1], "99999", "9" * 15, "none"):
        page = previewed(owner, compose, preview="2", preview_client=str(nobody))
        assert page.one("p", id="preview_client-error").text == f"#{nobody} is none of the recipients."
        assert page.one("article", class_="preview-letter")["data-preview"] == str(ids[2])


def test_the_test_is_what_the_recipient_gets_that_is_looked_at(
    app: Flask, owner: Desk, cast: Cast, ids: list[int], compose: str, smtp: Any
) -> None:
    with app.app_context():
        db.session.get_one(Staff, cast.owner.id).email = "olga@desk.example"
        db.session.commit()
    button = previewed(owner, compose, preview="3").one("button", name="send_test")
    owner.post(compose, typed(owner, compose, send_test=button["value"]))
    work(app)
    assert [letter.subject for letter in smtp.letters] == [f"Hello Person {ids[2]}"]


def test_a_test_goes_to_the_sender_alone(
    app: Flask, owner: Desk, cast: Cast, ids: list[int], compose: str, smtp: Any
) -> None:
    with app.app_context():
        db.session.get_one(Staff, cast.owner.id).email = "olga@desk.example"
        db.session.commit()
    answer = owner.post(compose, typed(owner, compose, send_test="1"))
    page = pages.read(answer.text)
    assert "A test is on its way to olga@desk.example." in page.text
    assert page.one("textarea", name="text_en").text == "Dear %client_person%."
    work(app)
    (letter,) = smtp.letters
    assert letter.recipients == ("olga@desk.example",)
    assert letter.subject == f"Hello Person {ids[0]}"
    assert count(app, Mailing) == 1  # that of the cast


def test_a_ready_text_fills_the_languages_it_is_there_in(app: Flask, owner: Desk, compose: str) -> None:
    with make.scene(app):
        made = make.template("Maintenance", language="ru", subject="Работы", text="Уважаемый %client_person%")
        number = made.id
    page = pages.read(owner.post(compose, typed(owner, compose, auto_fill="1", response_template=str(number))).text)
    assert page.one("input", name="subject_ru")["value"] == "Работы"
    assert page.one("textarea", name="text_ru").text == "Уважаемый %client_person%"
    assert page.one("input", name="subject_en")["value"] == "Hello %client_person%"


def test_a_ready_text_takes_nothing_away_that_was_typed(app: Flask, owner: Desk, compose: str) -> None:
    with make.scene(app):
        first, other = (
            str(make.template(name, subject=name, text=f"{name} %client_person%").id) for name in ("First", "Other")
        )

    def filled(number: str, subject: str, text: str) -> tuple[str, str]:
        fields = typed(owner, compose, auto_fill="1", response_template=number, subject_en=subject, text_en=text)
        page = pages.read(owner.post(compose, fields).text)
        return page.one("input", name="subject_en").get("value") or "", page.one("textarea", name="text_en").text

    assert filled(first, "Mine", "I write.") == ("Mine", "I write. First %client_person%")
    assert filled(first, "Mine", "I write.\n\nFirst %client_person%") == ("Mine", "I write. First %client_person%")
    assert filled(other, "First", "First %client_person%") == ("Other", "Other %client_person%")


def test_ready_texts_of_the_chosen_category_come_first(app: Flask, owner: Desk, compose: str) -> None:
    with make.scene(app):
        one, other = db.session.scalars(sa.select(TicketCategory).order_by(TicketCategory.id).limit(2))
        ids = one.id, other.id
        make.template("Invoice sent", category=one)
        make.template("Outage", category=other)
        make.template("Thanks", category=None)
    page = previewed(owner, compose, category=str(ids[0]))
    select = page.one("select", name="response_template")
    assert [node.text for node in select.one("optgroup").all("option")] == ["Outage"]
    names = [node.text for node in select.all("option")]
    assert names.index("Invoice sent") < names.index("Thanks") < names.index("Outage")
    assert select.first("option", value=select.all("option")[names.index("Thanks")]["value"])["data-categories"] == ""


# The bar of its progress


def test_the_bar_shows_what_became_of_how_many(app: Flask, owner: Desk, compose: str) -> None:
    number = number_in(sent(owner, compose))
    outcomes = ["sent", "sent", "sent", "failed", "skipped"]
    with app.app_context():
        rows = db.session.scalars(sa.select(MailingRecipient).where(MailingRecipient.mailing_id == number)).all()
        for row, outcome in zip(rows, outcomes, strict=False):
            row.outcome = RecipientOutcome(outcome)
        db.session.commit()
    bar = owner.page(f"/admin/mailings/details/?id={number}").one("svg", role="progressbar")
    assert (bar["aria-valuenow"], bar["aria-valuemax"]) == ("5", "6")
    assert [(part["data-part"], part["x"], part["width"]) for part in bar.all("rect")] == [
        ("sent", "0", "3"), ("failed", "3", "1"), ("skipped", "4", "1"), ("cancelled", "5", "0"),
    ]  # fmt: skip


# What is refused


@pytest.mark.parametrize(
    ("changes", "field", "message"),
    [
        ({"text_en": "Dear %foo%"}, "text_en", "There is no macro %foo%."),
        ({"subject_en": "Hi %Client_Person%"}, "subject_en", "There is no macro %Client_Person%."),
        ({"subject_en": "Hi\r\nBcc: evil@example.com"}, "subject_en", NOT_KEPT),
        ({"subject_en": "Hi\u2028x"}, "subject_en", NOT_KEPT),
        ({"text_ru": "Текст"}, "subject_ru", "The text in this language has no subject."),
        ({"subject_en": "", "text_en": ""}, "text_en", "Write the message in at least one language."),
        ({"category": "99"}, "category", "Choose one of the list."),
        ({"category": None}, "category", "Choose one of the list."),
        ({"recall_minutes": "-1"}, "recall_minutes", "A whole number of minutes, from 0 to 10080."),
        ({"recall_minutes": "soon"}, "recall_minutes", "A whole number of minutes, from 0 to 10080."),
        ({"send_at": "2020-01-01T10:00"}, "send_at", "This time has passed."),
        ({"send_at": "9999-01-01T10:00"}, "send_at", "This is more than two years ahead."),
        ({"send_at": "tomorrow"}, "send_at", "This is no date and time."),
    ],
)  # fmt: skip
def test_what_is_wrong_stands_beside_its_field_and_nothing_typed_is_lost(
    app: Flask, owner: Desk, compose: str, changes: dict[str, Any], field: str, message: str
) -> None:
    answer = sent(owner, compose, **{"forbid_replies": "1", **changes})
    assert answer.status_code == 400
    page = pages.read(answer.text)
    assert beside(page, field) == message
    assert page.one("textarea", name="text_en").text == changes.get("text_en", "Dear %client_person%.")
    assert "checked" in page.one("input", name="forbid_replies").attributes
    assert count(app, Mailing) == 1


def test_a_file_is_kept_while_the_rest_is_put_right(app: Flask, owner: Desk, compose: str, smtp: Any) -> None:
    refused = sent(owner, compose, text_en="%foo%", attachments=(BytesIO(PDF), "Договор №1.pdf"))
    page = pages.read(refused.text)
    kept = page.one("input", name="kept_file")
    assert "Договор №1.pdf" in page.one("ul", class_="kept-files").text
    number = number_in(sent(owner, compose, kept_file=kept["value"], attach_to_email="1"))
    work(app)
    assert {name for letter in smtp.letters for name in letter.attachments} == {"Договор №1.pdf"}
    link = owner.page(f"/admin/mailings/details/?id={number}").one("a", download=None)
    answer = owner.get(link["href"])
    assert answer.data == PDF
    assert answer.headers["Content-Disposition"].startswith("attachment;")
    assert answer.headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.long
def test_five_thousand_are_ticked_and_get_a_file(app: Flask, cast: Cast, owner: Desk) -> None:
    """The ids are sent once, as a selection; the form of the message, which has a file in it, carries its number."""
    with app.app_context():
        many = messages.clients(5000)
        db.session.execute(sa.update(Client).where(Client.id == many[1]).values(deleted_at=now()))
        db.session.commit()
    url = chosen(owner, many)
    number = number_in(
        sent(owner, url, attachments=(BytesIO(PDF), "price.pdf"), attach_to_email="1", strict_language="1")
    )
    with app.app_context():
        messages.clients(3)
    found = figures(owner, number)
    assert (found["recipients"], found["queued"], found["skipped"]) == (5000, 2499, 2501)
    with app.app_context():
        reasons = dict(
            db.session.execute(
                sa.select(MailingRecipient.reason, sa.func.count()).group_by(MailingRecipient.reason)
            ).all()
        )
        assert reasons.pop("") == 2499
        assert reasons.pop("deleted") == 1
        assert list(reasons.values()) == [2500], "those who read another language"
        assert set(db.session.scalars(sa.select(MailingRecipient.client_id))) == set(many)


@pytest.mark.parametrize(("content", "name"), [(b"<svg onload=alert(1)>", "x.svg"), (b"MZ\0", "x.pdf"), (b"", "x.pdf")])
def test_a_file_that_may_not_be_is_refused_beside_its_field(
    owner: Desk, compose: str, content: bytes, name: str
) -> None:
    answer = sent(owner, compose, attachments=(BytesIO(content), name))
    assert answer.status_code == 400
    assert name in beside(pages.read(answer.text), "attachments")


# Once, and only once


def test_sent_twice_it_is_one_message(app: Flask, owner: Desk, compose: str) -> None:
    form = typed(owner, compose, send="1")
    first, second = owner.post(compose, form), owner.post(compose, form)
    assert number_in(first) == number_in(second)
    assert count(app, Mailing) == 2


def test_back_changed_and_sent_again_asks_and_then_sends_both(app: Flask, owner: Desk, compose: str) -> None:
    form = typed(owner, compose, send="1")
    number = number_in(owner.post(compose, form))
    answer = owner.post(compose, {**form, "text_en": "Something else"})
    assert answer.status_code == 409
    page = pages.read(answer.text)
    assert "This form was sent already" in page.text
    again = {
        **form,
        "text_en": "Something else",
        "idempotency_key": page.one("input", name="idempotency_key")["value"],
    }
    assert number_in(owner.post(compose, again)) != number


def test_without_a_key_the_same_selection_still_sends_once(app: Flask, owner: Desk, compose: str) -> None:
    form = typed(owner, compose, send="1", idempotency_key=None)
    assert number_in(owner.post(compose, form)) == number_in(owner.post(compose, form))


# How it goes on


def test_a_message_waits_and_can_be_called_back_and_written_anew(
    app: Flask, owner: Desk, compose: str, clock: Clock
) -> None:
    number = number_in(sent(owner, compose, recall_minutes="5"))
    work(app)
    assert figures(owner, number)["status"] == "scheduled"
    page = owner.follow(owner.post("/admin/mailings/call-back/", id=number))
    assert "Nobody has got it." in page.text
    clock.move(minutes=10)
    work(app)
    with app.app_context():
        assert not db.session.scalars(sa.select(Ticket).where(Ticket.mailing_id == number)).all()
    assert figures(owner, number)["cancelled"] == 6
    anew = owner.page(
        page.one("a", href=f"/admin/mailings/new/?selection={compose.rpartition('=')[2]}&from={number}")["href"]
    )
    assert anew.one("textarea", name="text_en").text == "Dear %client_person%."


def test_the_setting_gives_the_minutes_to_call_back(owner: Desk, compose: str) -> None:
    assert owner.page(compose).one("input", name="recall_minutes")["value"] == "5"


def test_it_is_sent_at_the_time_given_in_the_senders_zone(app: Flask, owner: Desk, cast: Cast, compose: str) -> None:
    with app.app_context():
        db.session.get_one(Staff, cast.owner.id).time_zone = "Europe/Moscow"
        db.session.commit()
    number = number_in(sent(owner, compose, send_at="2027-03-01T10:30"))
    with app.app_context():
        assert db.session.get_one(Mailing, number).starts_at.isoformat() == "2027-03-01T07:30:00+00:00"


def test_pause_resume_cancel_and_retry_are_buttons_when_they_make_sense(
    app: Flask, owner: Desk, compose: str, smtp: Any
) -> None:
    number = number_in(sent(owner, compose))

    def buttons() -> set[str]:
        return steering(owner, number)

    assert buttons() == {"/admin/mailings/call-back/"}
    with app.app_context():
        import jobs

        jobs.start_mailings()
    assert buttons() == {"/admin/mailings/pause/", "/admin/mailings/cancel/"}
    owner.post("/admin/mailings/pause/", id=number)
    assert buttons() == {"/admin/mailings/resume/", "/admin/mailings/cancel/"}
    work(app)
    assert not smtp.letters
    owner.post("/admin/mailings/resume/", id=number)
    smtp.refusals[f"client-{number_of_first(app, number)}@client.example"] = "550 no"
    work(app)
    assert figures(owner, number)["failed"] == 1
    assert buttons() == {"/admin/mailings/retry/"}
    assert "550 no" in owner.page(f"/admin/mailings/details/?id={number}").text
    failed = owner.page(f"/admin/mailings/recipients/?id={number}&outcome=failed").one("tr", data_id=None)
    links = {link["href"].partition("?")[0]: link.text for link in failed.all("a")}
    assert links["/admin/tickets/details/"].startswith("#")
    assert "550 no" in links["/admin/emails/details/"]
    assert "550 no" not in owner.page(f"/admin/mailings/recipients/?id={number}&outcome=queued").text
    smtp.refusals.clear()
    owner.post("/admin/mailings/retry/", id=number)
    work(app)
    assert figures(owner, number)["sent"] == 6
    assert buttons() == set()


def steering(desk: Desk, number: int) -> set[str]:
    """The addresses of the forms that steer the mailing, on its page."""
    forms = desk.page(f"/admin/mailings/details/?id={number}").all("form")
    return {form["action"] for form in forms if "/mailings/" in form["action"]}


def number_of_first(app: Flask, number: int) -> int:
    with app.app_context():
        return db.session.scalar(
            sa.select(sa.func.min(MailingRecipient.client_id)).where(MailingRecipient.mailing_id == number)
        )


def test_what_keeps_a_mailing_from_going_on_is_said(app: Flask, owner: Desk, compose: str) -> None:
    number = number_in(sent(owner, compose))
    assert "No worker is running." in owner.page(f"/admin/mailings/details/?id={number}").text


# Who may


def test_support_writes_to_one_client_and_not_to_many(log_in: Callable[[str], Desk], ids: list[int]) -> None:
    support = log_in("support")
    one, many = chosen(support, ids[:1]), chosen(support, ids)
    number = number_in(sent(support, one, recall_minutes="5"))
    assert support.get(many).status_code == 403
    assert support.post(many, {"send": "1"}).status_code == 403
    assert support.post("/admin/mailings/call-back/", id=number).status_code == 302
    assert figures(support, number)["status"] == "cancelled"


def test_who_writes_to_one_does_not_steer_what_others_send(
    log_in: Callable[[str], Desk], owner: Desk, compose: str
) -> None:
    number = number_in(sent(owner, compose, recall_minutes="5"))
    support = log_in("support")
    assert steering(support, number) == set()
    for verb in ("call-back", "pause", "resume", "cancel", "retry"):
        assert support.post(f"/admin/mailings/{verb}/", id=number).status_code == 403
    assert figures(owner, number)["status"] == "scheduled"


def test_a_selection_is_its_owners_alone(log_in: Callable[[str], Desk], compose: str) -> None:
    assert log_in("manager").get(compose).status_code == 404


@pytest.mark.parametrize("role", ["accountant", "auditor"])
def test_others_write_to_nobody(log_in: Callable[[str], Desk], compose: str, role: str) -> None:
    assert log_in(role).get(compose).status_code == 403


def test_under_the_client_filter_the_list_shows_what_went_to_that_client(owner: Desk, ids: list[int]) -> None:
    mine = number_in(sent(owner, chosen(owner, ids[:1])))
    other = number_in(sent(owner, chosen(owner, ids[1:2])))
    assert owner.ids(f"/admin/mailings/?client={ids[0]}") == [mine]
    assert owner.get(f"/admin/mailings/details/?id={other}&client={ids[0]}").status_code == 404


def test_html_of_a_text_has_links_and_nothing_else() -> None:
    html = letters.as_html('see https://a.example/?x=1&y=<b>, javascript:alert(1)\n\n"quoted"')
    assert html == (
        '<p>see <a href="https://a.example/?x=1&amp;y=" rel="noopener nofollow">https://a.example/?x=1&amp;y=</a>'
        "&lt;b&gt;, javascript:alert(1)</p>\n<p>&#34;quoted&#34;</p>"
    )

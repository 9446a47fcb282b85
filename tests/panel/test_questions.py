"""Clients write: questions, answers, files; and not where they may not."""

from __future__ import annotations

import io
from typing import Any

import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from extensions import db
from models import Attachment, OutboundEmail, Ticket, TicketCategory, TicketMessage, TicketStatus
from operations import settings
from tests.support import page as pages
from tests.support import people
from tests.support.books import Books
from tests.support.people import Person

NEW = "/panel/tickets/new/"


def count(model: Any) -> int:
    return db.session.scalar(sa.select(sa.func.count()).select_from(model)) or 0


def typed(visitor: FlaskClient, page: str, **fields: Any) -> dict[str, Any]:
    found = pages.read(visitor.get(page).text)
    held = {name: found.first("input", name=name)["value"] for name in ("csrf_token", "idempotency_key")}
    return {**held, **fields}


def ask(visitor: FlaskClient, **fields: Any) -> Any:
    with visitor.application.app_context():
        category = people.category().id
    wanted = {"category": category, "subject": "Where is my server?", "text": "I cannot find it.", **fields}
    return visitor.post(NEW, data=typed(visitor, NEW, **wanted))


def test_a_question_becomes_a_ticket(app: Flask, as_anna: FlaskClient, anna: Person) -> None:
    file = (io.BytesIO("%PDF-1.7 Договор".encode()), "Договор №1.pdf")
    answer = ask(as_anna, subject="Сервер <b>", attachments=file)
    assert answer.status_code == 302
    page = as_anna.get(answer.location).text
    assert "Сервер &lt;b&gt;" in page
    assert "Договор №1.pdf" in page
    with app.app_context():
        ticket = db.session.scalars(sa.select(Ticket).order_by(Ticket.id.desc())).first()
        assert ticket is not None
        assert (ticket.client_id, ticket.status) == (anna.client_id, TicketStatus.WAITING_STAFF)
        [message] = ticket.messages
        assert message.client_user_id == anna.id
        assert message.attachments[0].file_name == "Договор №1.pdf"


def test_a_refused_question_keeps_what_was_typed(app: Flask, as_anna: FlaskClient) -> None:
    file = (io.BytesIO(b"%PDF-1.7 x"), "a.pdf")
    answer = ask(as_anna, subject="", text="Typed", attachments=file)
    assert answer.status_code == 400
    page = pages.read(answer.text)
    assert "This cannot be empty." in page.text
    assert page.first("textarea", name="text").text.strip() == "Typed"
    assert page.first("input", name="kept_file")["value"]
    with app.app_context():
        assert count(Ticket) == 0


def test_a_good_file_beside_a_wrong_one_need_not_be_chosen_again(app: Flask, as_anna: FlaskClient) -> None:
    files = [(io.BytesIO(b"first"), "first.txt"), (io.BytesIO(b"MZ"), "bad.exe"), (io.BytesIO(b"last"), "last.txt")]
    answer = ask(as_anna, attachments=files)
    assert answer.status_code == 400
    assert "bad.exe" in answer.text
    page = pages.read(answer.text)
    kept = [node["value"] for node in page.all("input", name="kept_file")]
    assert len(kept) == 2
    assert "first.txt" in page.text
    assert "last.txt" in page.text
    assert ask(as_anna, kept_file=kept).status_code == 302
    with app.app_context():
        assert sorted(db.session.scalars(sa.select(Attachment.file_name))) == ["first.txt", "last.txt"]


def test_a_kept_file_sent_many_times_is_one_and_too_many_are_refused(app: Flask, as_anna: FlaskClient) -> None:
    def kept(number: int) -> str:
        answer = ask(as_anna, subject="", attachments=(io.BytesIO(b"%d" % number), f"{number}.txt"))
        return str(pages.read(answer.text).one("input", name="kept_file")["value"])

    tokens = [kept(number) for number in range(11)]
    answer = ask(as_anna, kept_file=tokens)
    assert answer.status_code == 400
    assert "No more than 10 files can be attached." in answer.text
    assert ask(as_anna, kept_file=tokens[:1] * 30).status_code == 302
    with app.app_context():
        assert list(db.session.scalars(sa.select(Attachment.file_name))) == ["0.txt"]


def test_a_client_s_files_take_no_more_than_the_settings_say(app: Flask, as_anna: FlaskClient, anna: Person) -> None:
    with app.app_context():
        settings.change("client_files_mb", 1)
        db.session.commit()
    part = b"x" * (400 << 10)
    assert ask(as_anna, attachments=(io.BytesIO(part), "one.txt")).status_code == 302
    assert ask(as_anna, attachments=(io.BytesIO(part), "two.txt")).status_code == 302
    refused = ask(as_anna, attachments=(io.BytesIO(part), "three.txt"))
    assert refused.status_code == 400
    assert "There is no room left for files of this account." in pages.errors(pages.read(refused.text))["attachments"]
    assert ask(as_anna, text="Without it").status_code == 302
    with app.app_context():
        settings.change("client_files_mb", 0)
        db.session.commit()
    assert ask(as_anna, attachments=(io.BytesIO(part), "three.txt")).status_code == 302


def test_a_wrong_file_is_refused_beside_its_field(app: Flask, as_anna: FlaskClient) -> None:
    for content, name in ((b"<svg/>", "x.svg"), (b"<html>", "x.png"), (b"", "x.pdf"), (b"MZ", "x.exe")):
        answer = ask(as_anna, attachments=(io.BytesIO(content), name))
        assert answer.status_code == 400, name
        assert name in answer.text
    with app.app_context():
        assert count(Ticket) == count(Attachment) == 0


def test_news_is_no_category_for_questions(app: Flask, as_anna: FlaskClient) -> None:
    with app.app_context():
        news = TicketCategory(name={"en": "News of ours"}, is_news=True)
        db.session.add(news)
        db.session.commit()
        number = news.id
    assert "News of ours" not in as_anna.get(NEW).text
    assert ask(as_anna, category=number).status_code == 400
    with app.app_context():
        assert count(Ticket) == 0


def test_sent_twice_it_is_one_question(app: Flask, as_anna: FlaskClient) -> None:
    with app.app_context():
        category = people.category().id
    fields = typed(as_anna, NEW, category=category, subject="Once", text="Only")
    assert as_anna.post(NEW, data=fields).location == as_anna.post(NEW, data=fields).location
    with app.app_context():
        assert count(Ticket) == 1


def test_an_answer_reopens_the_ticket(app: Flask, as_anna: FlaskClient, annas: Books) -> None:
    with app.app_context():
        db.session.execute(sa.update(Ticket).values(status=TicketStatus.CLOSED))
        db.session.commit()
    path = f"/panel/tickets/{annas.ticket}/"
    answer = as_anna.post(path, data=typed(as_anna, path, text="Still broken"))
    assert answer.status_code == 302
    assert "Still broken" in as_anna.get(path).text
    with app.app_context():
        assert db.session.get_one(Ticket, annas.ticket).status is TicketStatus.WAITING_STAFF


def test_where_replies_are_forbidden_nothing_comes_in(app: Flask, as_anna: FlaskClient, annas: Books) -> None:
    path = f"/panel/tickets/{annas.ticket}/"
    fields = typed(as_anna, path, text="All the same")
    with app.app_context():
        db.session.execute(sa.update(Ticket).values(replies_allowed=False))
        db.session.commit()
        before = count(TicketMessage)
    assert 'name="text"' not in as_anna.get(path).text
    assert as_anna.post(path, data=fields).status_code == 403
    with app.app_context():
        assert count(TicketMessage) == before
        assert count(OutboundEmail) == 0


def test_another_s_ticket_takes_no_answer(app: Flask, as_anna: FlaskClient, annas: Books, boriss: Books) -> None:
    fields = typed(as_anna, f"/panel/tickets/{annas.ticket}/", text="Not mine")
    assert as_anna.post(f"/panel/tickets/{boriss.ticket}/", data=fields).status_code == 404
    with app.app_context():
        assert not db.session.scalar(sa.select(TicketMessage.id).where(TicketMessage.text == "Not mine"))

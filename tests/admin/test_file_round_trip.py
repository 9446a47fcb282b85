"""«Договор №1.pdf» comes back byte for byte and under its name, wherever it was attached and whoever fetches it."""

from __future__ import annotations

from io import BytesIO
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask

from extensions import db
from models import Client
from tests import cast as people_of
from tests.admin.test_answering import thread, typed
from tests.admin.test_inbound import letter, ticket_of
from tests.admin.test_mailings import chosen, number_in, sent, work
from tests.cast import Cast, Desk
from tests.support import page as pages

NAME = "Договор №1.pdf"
CONTENT = "%PDF-1.7 Договор\r\n\x00\x1a".encode() + bytes(range(256))


def file() -> tuple[BytesIO, str]:
    return BytesIO(CONTENT), NAME


def fetched(desk: Desk, page: str) -> None:
    """The last file on the page is the one that was sent."""
    links = [one for one in desk.page(page).all("a") if "/file" in one.get("href", "") and NAME in one.text]
    answer = desk.get(links[-1]["href"])
    assert answer.status_code == 200
    assert answer.data == CONTENT
    assert answer.headers["Content-Type"] == "application/pdf"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert f"filename*=UTF-8''{quote(NAME)}" in answer.headers["Content-Disposition"]
    assert answer.headers["Content-Disposition"].startswith("attachment;")
    answer.close()


@pytest.fixture
def anna(app: Flask, cast: Cast) -> Desk:
    return people_of.log_in(app.test_client(), cast.a.owner)


def test_in_a_ticket(app: Flask, cast: Cast, owner: Desk, anna: Desk) -> None:
    number = cast.a.records["tickets"]
    mine, hers = thread(number), f"/panel/tickets/{number}/"

    # An answer of staff, one of the client, and one by letter: both sides have it.
    assert owner.post(f"/admin/tickets/reply/?id={number}", typed(owner, number, attachments=file())).status_code == 302
    fetched(owner, mine)
    fetched(anna, hers)
    key = anna.page(hers).first("input", name="idempotency_key")["value"]
    assert anna.post(hers, text="Signed", idempotency_key=key, attachments=file()).status_code == 302
    fetched(owner, mine)
    fetched(anna, hers)
    with app.app_context():
        address = db.session.get_one(Client, cast.a.id).email
    _number, reference = ticket_of(app, cast)
    letter(app, sender=address, headers=[("In-Reply-To", reference)], files=[(NAME, "application/pdf", CONTENT)])
    fetched(owner, mine)
    fetched(anna, hers)

    # A note is for colleagues alone, with what is attached to it.
    shown = len([one for one in anna.page(hers).all("a") if NAME in one.text])
    note = typed(owner, number, text="Look", attachments=file(), is_internal="1")
    assert owner.post(f"/admin/tickets/reply/?id={number}", note).status_code == 302
    fetched(owner, mine)
    secret = [one["href"] for one in owner.page(mine).all("a") if NAME in one.text][-1]
    assert len([one for one in anna.page(hers).all("a") if NAME in one.text]) == shown
    assert anna.get(f"{hers}files/{secret.rpartition('=')[2]}/").status_code == 404


def test_in_a_question_of_a_client(cast: Cast, owner: Desk, anna: Desk) -> None:
    page = anna.page("/panel/tickets/new/")
    held: dict[str, Any] = {"idempotency_key": page.first("input", name="idempotency_key")["value"]}
    category = next(one["value"] for one in page.first("select", name="category").all("option") if one["value"])
    asked = anna.post(
        "/panel/tickets/new/", **held, category=category, subject="Signed?", text="Look", attachments=file()
    )
    assert asked.status_code == 302, pages.read(asked.text).text
    fetched(anna, asked.location)
    fetched(owner, thread(int(asked.location.rstrip("/").rpartition("/")[2])))


def test_in_a_message_to_clients(app: Flask, cast: Cast, owner: Desk, anna: Desk, smtp: Any) -> None:
    number = number_in(sent(owner, chosen(owner, [cast.a.id]), attachments=file(), attach_to_email="1"))
    fetched(owner, f"/admin/mailings/details/?id={number}")
    work(app)
    [taken] = smtp.letters
    assert taken.attachments == {NAME: CONTENT}
    ticket = next(one["href"] for one in anna.page("/panel/tickets/").all("a") if "Hello" in one.text)
    fetched(anna, ticket)
    fetched(owner, thread(int(ticket.rstrip("/").rpartition("/")[2])))

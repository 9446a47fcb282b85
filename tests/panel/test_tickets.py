"""A client's tickets: reading them, and their files."""

from __future__ import annotations

import re
from datetime import timedelta
from urllib.parse import quote

import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from extensions import db, now
from models import Feature, PenaltyPoint, Ticket, TicketMessage, Violation
from tests.support import people
from tests.support.books import Books
from tests.support.people import Person


def test_a_ticket_is_a_thread_without_what_staff_write_among_themselves(as_anna: FlaskClient, annas: Books) -> None:
    page = as_anna.get(f"/panel/tickets/{annas.ticket}/").text
    assert "Question of anna" in page
    assert "Said to anna" in page
    assert "SENTINEL-INTERNAL" not in page
    assert "secret.pdf" not in page


def test_who_wrote_for_whom_is_said(app: Flask, as_anna: FlaskClient, annas: Books, anna: Person) -> None:
    with app.app_context():
        member = people.staff("olga")
        text = "<b>Hello</b>\nsecond line"
        db.session.add(TicketMessage(ticket_id=annas.ticket, staff_id=member.id, client_user_id=anna.id, text=text))
        db.session.commit()
    page = as_anna.get(f"/panel/tickets/{annas.ticket}/").text
    assert "Staff olga (staff) for Anna User" in page
    assert "&lt;b&gt;Hello&lt;/b&gt;<br>\nsecond line" in page


def test_a_new_ticket_is_marked_until_the_client_says_it_is_read(
    app: Flask, as_anna: FlaskClient, annas: Books
) -> None:
    """Looking changes nothing; the button does."""
    path = f"/panel/tickets/{annas.ticket}/"
    for _time in range(2):
        as_anna.get(path)
        assert 'data-badge="unread"' in as_anna.get("/panel/tickets/").text
    answer = people.post(as_anna, f"{path}read", page=path)
    assert answer.status_code == 302
    assert 'data-badge="unread"' not in as_anna.get("/panel/tickets/").text
    assert 'data-todo="ticket"' not in as_anna.get("/panel/").text
    with app.app_context():
        db.session.execute(sa.update(Ticket).values(updated_at=now() + timedelta(seconds=1)))
        db.session.commit()
    assert 'data-badge="unread"' in as_anna.get("/panel/tickets/").text


def test_another_s_ticket_cannot_be_marked(as_anna: FlaskClient, annas: Books, boriss: Books) -> None:
    token = people.token_of(as_anna.get("/panel/"))
    answer = as_anna.post(f"/panel/tickets/{boriss.ticket}/read", data={"csrf_token": token})
    assert answer.status_code == 404


def test_a_file_is_saved_under_its_own_name_and_never_shown_in_place(as_anna: FlaskClient, annas: Books) -> None:
    answer = as_anna.get(f"/panel/tickets/{annas.ticket}/files/{annas.file}/")
    assert answer.status_code == 200
    assert answer.data == "%PDF-1.7 Договор №1 anna.pdf".encode()
    disposition = answer.headers["Content-Disposition"]
    assert disposition.startswith("attachment;")
    assert quote("Договор №1 anna.pdf") in disposition
    assert answer.headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Type"] == "application/pdf"
    answer.close()


def test_files_of_others_and_of_staff_are_not_there(
    as_anna: FlaskClient, client: FlaskClient, annas: Books, boriss: Books
) -> None:
    """By GET, by HEAD and by a part: those of another client, of an internal message, of another ticket."""
    hidden = [
        f"/panel/tickets/{annas.ticket}/files/{annas.internal_file}/",
        f"/panel/tickets/{boriss.ticket}/files/{boriss.file}/",
        f"/panel/tickets/{annas.ticket}/files/{boriss.file}/",
        f"/panel/tickets/{annas.ticket}/files/99999999999999/",
    ]
    for path in hidden:
        assert as_anna.get(path).status_code == 404, path
        assert as_anna.head(path).status_code == 404, path
        assert as_anna.get(path, headers={"Range": "bytes=0-3"}).status_code == 404, path
    assert client.get(f"/panel/tickets/{annas.ticket}/files/{annas.file}/").status_code == 302


def test_a_file_that_is_gone_from_the_disk_is_not_there(app: Flask, as_anna: FlaskClient, annas: Books) -> None:
    for path in app.config["SETTINGS"].attachments_dir.iterdir():
        path.unlink()
    assert as_anna.get(f"/panel/tickets/{annas.ticket}/files/{annas.file}/").status_code == 404


def test_a_violation_says_until_when_what_follows_and_its_points(
    app: Flask, as_anna: FlaskClient, annas: Books, anna: Person
) -> None:
    """And nothing of it while the feature is off."""
    with app.app_context():
        violation = Violation(
            ticket_id=annas.ticket, client_id=anna.client_id, deadline=now() + timedelta(days=1),
            action="suspend_services", points=7, comment="SENTINEL-COMMENT",
        )  # fmt: skip
        db.session.add(violation)
        db.session.flush()
        fades = now() + timedelta(days=90)
        points = PenaltyPoint(
            client_id=anna.client_id,
            violation_id=violation.id,
            points=7,
            comment="SENTINEL-COMMENT",
            expires_at=fades,
        )
        db.session.add(points)
        db.session.execute(sa.update(Feature).where(Feature.code == "abuse_handling").values(is_enabled=True))
        db.session.commit()
    page = as_anna.get(f"/panel/tickets/{annas.ticket}/").text
    section = page[page.index('data-violation="open"') :]
    assert "All your active services are stopped." in section
    assert "<dd>7" in section
    assert "SENTINEL-COMMENT" not in page
    with app.app_context():
        db.session.execute(sa.update(Feature).values(is_enabled=False))
        db.session.commit()
    assert "data-violation" not in as_anna.get(f"/panel/tickets/{annas.ticket}/").text


def test_many_tickets_stand_on_pages(app: Flask, as_anna: FlaskClient, anna: Person) -> None:
    with app.app_context():
        category = people.category().id
        rows = [
            Ticket(client_id=anna.client_id, category_id=category, subject=f"Ticket {n}", reference=f"r{n}")
            for n in range(45)
        ]
        db.session.add_all(rows)
        db.session.commit()
    seen: list[str] = []
    url: str | None = "/panel/tickets/"
    pages = 0
    while url:
        page = as_anna.get(url).text
        seen += re.findall(r'<tr data-id="(\d+)"', page)
        following = re.search(r'rel="next" href="([^"]+)"', page)
        url, pages = (following[1] if following else None), pages + 1
    assert pages == 3
    assert len(seen) == len(set(seen)) == 45
    assert seen == sorted(seen, key=int, reverse=True)

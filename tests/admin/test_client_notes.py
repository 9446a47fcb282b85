"""Notes on clients: who writes, changes, pins and removes them, what is kept of it, and who never sees them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from extensions import db, now
from models import AuditEvent, Client, ClientNote
from operations import client_notes
from tests import cast as people_of
from tests import factories as make
from tests.cast import Cast, Desk
from tests.support import page as pages
from tests.support.page import Node

ADD, EDIT, PIN, DELETE = (f"/admin/clients/notes/{verb}/" for verb in ("add", "edit", "pin", "delete"))


def address(number: int, tab: str = "") -> str:
    return f"/admin/clients/details/?id={number}" + (f"&tab={tab}" if tab else "")


def shown(page: Node) -> list[str]:
    """The texts of the notes on the page, in their order."""
    return [note.all("p")[0].text for note in page.all("article", data_note=None)]


def kept(app: Flask) -> list[tuple[Any, ...]]:
    columns = (ClientNote.id, ClientNote.client_id, ClientNote.author_id, ClientNote.text, ClientNote.is_pinned)
    with app.app_context():
        return [tuple(row) for row in db.session.execute(sa.select(*columns).order_by(ClientNote.id))]


def events(app: Flask) -> list[AuditEvent]:
    with app.app_context():
        by_people = sa.and_(AuditEvent.action.like("note%"), AuditEvent.staff_id.is_not(None))
        statement = sa.select(AuditEvent).where(by_people).order_by(AuditEvent.id)
        return list(db.session.scalars(statement))


@pytest.fixture
def note(app: Flask, cast: Cast) -> int:
    """A note on client A by the member of support."""
    with make.scene(app):
        anna, author = db.session.get_one(Client, cast.a.id), cast.support.id
        made = ClientNote(client=anna, author_id=author, text="Promised a free month", created_at=now())
        db.session.add(made)
        db.session.flush()
        return made.id


def posted(number: int, version: int = 1, **more: Any) -> dict[str, Any]:
    return {"id": number, "row_version": version, **more}


def test_a_note_is_added_by_support_and_stands_on_the_page(
    app: Flask, log_in: Callable[[str], Desk], cast: Cast
) -> None:
    support = log_in("support")
    answer = support.post(ADD, id=cast.a.id, text="  Ask for Mr Weber\r\nNever before ten  ", is_pinned="1")
    assert answer.location == f"{address(cast.a.id)}#notes"
    page = support.page(address(cast.a.id))
    assert pages.messages(page) == [("success", "The note is added.")]
    assert shown(page) == ["Ask for Mr Weber Never before ten"]
    number, client, author, text, is_pinned = kept(app)[0]
    assert (client, author, text, is_pinned) == (
        cast.a.id, cast.support.id, "Ask for Mr Weber\nNever before ten", True,
    )  # fmt: skip
    (event,) = events(app)
    assert (event.action, event.module, event.record_id, event.client_id, event.staff_id) == (
        "note_add", "clients", cast.a.id, cast.a.id, cast.support.id,
    )  # fmt: skip
    assert event.after["text"] == text
    assert "added a note" in log_in("owner").page(address(cast.a.id, "history")).text
    assert number


def test_pinned_notes_stand_first_and_the_tab_counts_them_all(app: Flask, owner: Desk, cast: Cast) -> None:
    for place in range(8):
        owner.post(ADD, id=cast.a.id, text=f"Note {place}", is_pinned="1" if place == 1 else "")
    page = owner.page(address(cast.a.id))
    assert shown(page) == ["Note 1", "Note 7", "Note 6", "Note 5", "Note 4", "Note 3"]
    assert page.one("nav", class_="profile-tabs").one("a", href=address(cast.a.id, "notes")).text == "Notes 8"
    assert shown(owner.page(address(cast.a.id, "notes"))) == ["Note 1", *(f"Note {n}" for n in (7, 6, 5, 4, 3, 2, 0))]
    assert shown(owner.page(address(cast.b.id))) == []


def test_older_notes_are_on_further_pages(app: Flask, owner: Desk, cast: Cast) -> None:
    with make.scene(app):
        rows = [
            {"client_id": cast.a.id, "text": f"Note {n}", "created_at": now(), "is_pinned": n < 2} for n in range(120)
        ]
        db.session.execute(sa.insert(ClientNote), rows)
    seen: list[str] = []
    url: str | None = address(cast.a.id, "notes")
    while url is not None:
        page = owner.page(url)
        seen += shown(page)
        url = pages.link(page, "next")
    assert seen == [f"Note {n}" for n in (1, 0, *range(119, 1, -1))]


def test_what_is_refused_comes_back_with_what_was_typed(app: Flask, owner: Desk, cast: Cast) -> None:
    for typed, message in (
        ("   ", "cannot be empty"),
        ("x" * (client_notes.LONGEST + 1), "longer than"),
        ("a\x02b", "cannot be kept"),
    ):
        page = owner.refused(ADD, id=cast.a.id, text=typed, is_pinned="1")
        assert message in page.one(id="text-error").text, typed[:20]
        assert page.one("textarea", id="text").text == typed.strip()
        assert "checked" in page.one("input", name="is_pinned", type="checkbox").attributes
        assert "open" in page.one("details", class_="note-form").attributes
    assert kept(app) == []
    assert events(app) == []


def test_one_changes_ones_own_note_and_nobody_elses(
    app: Flask, log_in: Callable[[str], Desk], owner: Desk, cast: Cast, note: int
) -> None:
    assert f"{EDIT}?id={note}" not in owner.get(address(cast.a.id)).text
    assert owner.get(f"{EDIT}?id={note}").status_code == 403
    assert owner.post(f"{EDIT}?id={note}", posted(note, text="Mine now")).status_code == 403
    support = log_in("support")
    assert f"{EDIT}?id={note}" in support.get(address(cast.a.id)).text
    page = support.page(f"{EDIT}?id={note}")
    held = pages.values(page)
    assert held["text"] == ["Promised a free month"]
    answer = support.post(f"{EDIT}?id={note}", {**held, "text": "Promised two months", "is_pinned": "1"})
    assert answer.location == f"{address(cast.a.id)}#notes"
    assert kept(app)[0][3:] == ("Promised two months", True)
    (event,) = events(app)
    assert (event.action, event.before, event.after) == (
        "note_edit", {"text": "Promised a free month", "is_pinned": False},
        {"text": "Promised two months", "is_pinned": True},
    )  # fmt: skip


def test_who_saves_second_sees_what_the_note_says_now_and_keeps_what_he_typed(
    app: Flask, log_in: Callable[[str], Desk], cast: Cast, note: int
) -> None:
    support = log_in("support")
    old = pages.values(support.page(f"{EDIT}?id={note}"))
    support.post(f"{EDIT}?id={note}", {**old, "text": "First"})
    answer = support.post(f"{EDIT}?id={note}", {**old, "text": "Second"})
    assert answer.status_code == 409
    page = pages.read(answer.text)
    assert "changed this note meanwhile" in pages.alerts(page)
    assert page.one("textarea", name="text").text == "Second"
    assert "First" in page.one(class_="field-value").text
    assert kept(app)[0][3] == "First"
    support.post(f"{EDIT}?id={note}", {**pages.values(page), "text": "Second"})
    assert kept(app)[0][3] == "Second"


def test_any_editor_pins_and_unpins(app: Flask, owner: Desk, cast: Cast, note: int) -> None:
    page = owner.follow(owner.post(PIN, posted(note, is_pinned="1", url=address(cast.a.id, "notes"))))
    assert "The note stands on top of the page." in pages.alerts(page)
    assert kept(app)[0][4] is True
    stale = owner.follow(owner.post(PIN, posted(note, is_pinned="")))
    assert "changed this note meanwhile" in pages.alerts(stale)
    assert kept(app)[0][4] is True
    owner.post(PIN, posted(note, 2, is_pinned=""))
    assert kept(app)[0][4] is False
    assert [event.after for event in events(app)] == [{"is_pinned": True}, {"is_pinned": False}]


def test_a_note_is_removed_after_a_question_by_its_author_or_with_the_right(
    app: Flask, log_in: Callable[[str], Desk], owner: Desk, cast: Cast, note: int
) -> None:
    with make.scene(app):
        other = ClientNote(client_id=cast.a.id, author_id=cast.owner.id, text="The owner's", created_at=now())
        db.session.add(other)
        db.session.flush()
        owners = other.id
    support = log_in("support")
    assert support.get(f"{DELETE}?id={owners}").status_code == 403
    assert support.post(DELETE, posted(owners)).status_code == 403
    page = owner.page(f"{DELETE}?id={note}")
    assert "Promised a free month" in page.text
    assert len(kept(app)) == 2, "to ask removes nothing"
    form = {field["name"]: field["value"] for field in page.one("form", class_="narrow").all("input", type="hidden")}
    done = owner.follow(owner.post(DELETE, form))
    assert "The note is removed." in pages.alerts(done)
    assert [row[0] for row in kept(app)] == [owners]
    (event,) = events(app)
    assert (event.action, event.client_id, event.before["text"]) == ("note_delete", cast.a.id, "Promised a free month")
    assert owner.post(DELETE, form).status_code == 404


def test_who_may_not_edit_clients_reads_and_no_more(
    app: Flask, log_in: Callable[[str], Desk], cast: Cast, note: int
) -> None:
    before = people_of.digest(app)
    for role in ("accountant", "auditor"):
        desk = log_in(role)
        page = desk.page(address(cast.a.id))
        assert shown(page) == ["Promised a free month"]
        assert not page.all(class_="note-form")
        assert not page.all(class_="profile-remark-tools")
        for url in (ADD, EDIT, PIN, DELETE):
            assert desk.post(url, posted(note, text="x", is_pinned="1")).status_code == 403
        assert desk.get(f"{EDIT}?id={note}").status_code == 403
    assert people_of.digest(app) == before


def test_another_clients_note_is_not_there_in_the_filter_by_client(
    app: Flask, owner: Desk, cast: Cast, note: int
) -> None:
    before = people_of.digest(app)
    owner.post("/admin/clients/scope/", id=cast.b.id)
    for url in (EDIT, DELETE):
        assert owner.get(f"{url}?id={note}").status_code == 404
    for url in (EDIT, PIN, DELETE):
        assert owner.post(url, posted(note, text="x", is_pinned="1")).status_code == 404
    assert owner.post(ADD, id=cast.a.id, text="x").status_code == 404
    for nonsense in ("", "0", "-1", "abc", "9" * 20, str(2**31 - 1)):
        for url in (ADD, EDIT, PIN, DELETE):
            assert owner.post(url, id=nonsense, text="x").status_code == 404
    assert people_of.digest(app) == before


def test_a_deleted_client_gets_no_notes(app: Flask, owner: Desk, cast: Cast, note: int) -> None:
    with make.scene(app):
        db.session.get_one(Client, cast.a.id).deleted_at = now()
    before = people_of.digest(app)
    page = owner.refused(ADD, id=cast.a.id, text="Too late")
    assert "This client was deleted" in pages.alerts(page)
    assert owner.post(PIN, posted(note, is_pinned="1")).status_code == 404
    assert people_of.digest(app) == before


def test_no_page_of_the_panel_shows_a_note(app: Flask, owner: Desk, cast: Cast) -> None:
    owner.post(ADD, id=cast.a.id, text="Sentinel 4711", is_pinned="1")
    inside = people_of.log_in(app.test_client(), cast.a.owner)
    areas = ("", "services/", "accounts/", "invoices/", "payments/", "expenses/", "acts/", "payers/", "users/",
             "tickets/", "profile/")  # fmt: skip
    for area in areas:
        page = inside.page(f"/panel/{area}")
        assert "4711" not in page.text
        for link in page.all("a", href=None):
            if link["href"].startswith(f"/panel/{area}") and area and link["href"].count("/") > 3:
                assert "Sentinel 4711" not in inside.get(link["href"]).text


def test_what_is_typed_is_text(app: Flask, owner: Desk, cast: Cast) -> None:
    hostile = "<b>x</b><script>boom()</script> {{7*7}} \"' onload=boom()"
    owner.post(ADD, id=cast.a.id, text=hostile)
    number = kept(app)[0][0]
    for url in (address(cast.a.id), address(cast.a.id, "notes"), f"{DELETE}?id={number}"):
        page = owner.page(url)
        assert " ".join(hostile.split()) in page.text
        assert not [
            node for node in page.all("script") if "src" not in node.attributes and "boom" in str(node.children)
        ]
    assert pages.values(owner.page(f"{EDIT}?id={number}"))["text"] == [hostile]


def test_the_address_to_return_to_is_one_of_ours(owner: Desk, cast: Cast) -> None:
    assert owner.post(ADD, id=cast.a.id, text="x", url="//evil.example/").status_code == 400
    answer = owner.post(ADD, id=cast.a.id, text="x", url=address(cast.a.id, "notes"))
    assert answer.location == f"{address(cast.a.id, 'notes')}#notes"

"""Parts of pages that are kept: never another's token, another's rights, another's language or old choices."""

from __future__ import annotations

import re

import sqlalchemy as sa
from flask import Flask

from extensions import db
from models import ClientGroup, Role, Staff
from tests import cast as people_of
from tests import factories as make
from tests.cast import Cast
from tests.support import page as pages
from web.fragments import HERE, MOST_KEPT, TOKEN, Fragments

TOKENS = re.compile(r'name="csrf_token" value="([^"]+)"|name="csrf-token" content="([^"]+)"')


def tokens(text: str) -> set[str]:
    return {one or other for one, other in TOKENS.findall(text)}


def test_each_page_carries_the_token_of_its_own_session_alone(app: Flask, cast: Cast) -> None:
    one, other = (people_of.log_in(app.test_client(), cast.owner) for _each in range(2))
    first, second = one.get("/admin/clients/").text, other.get("/admin/clients/").text
    assert len(tokens(first)) == len(tokens(second)) == 1
    assert tokens(first) != tokens(second)
    for desk, text in ((one, first), (other, second)):
        form = {"csrf_token": tokens(text).pop(), "columns": "name"}
        assert desk.visitor.post("/admin/clients/columns/", data=form).status_code == 302
    crossed = {"csrf_token": tokens(first).pop(), "columns": "name"}
    assert other.visitor.post("/admin/clients/columns/", data=crossed).status_code == 400


def test_no_mark_of_what_changes_is_left_on_a_page(app: Flask, cast: Cast) -> None:
    desk = people_of.log_in(app.test_client(), cast.owner)
    for url in ("/admin/clients/?name=%3Cb%3E&sort=-name", "/admin/", "/admin/tickets/", "/admin/roles/"):
        for _visit in range(2):
            text = desk.get(url).text
            assert TOKEN not in text
            assert HERE not in text
    assert (
        'name="url" value="/admin/clients/?name=%3Cb%3E&amp;sort=-name"'
        in desk.get("/admin/clients/?name=%3Cb%3E&sort=-name").text
    )


def test_who_may_less_sees_less_though_others_were_here_before(app: Flask, cast: Cast) -> None:
    owner, support = (people_of.log_in(app.test_client(), each) for each in (cast.owner, cast.support))
    assert "/admin/roles/" in owner.get("/admin/clients/").text
    for _visit in range(2):
        text = support.get("/admin/clients/").text
        assert "/admin/roles/" not in text
        assert 'value="delete"' not in text


def test_a_right_that_is_taken_is_gone_from_the_next_page(app: Flask, cast: Cast) -> None:
    desk = people_of.log_in(app.test_client(), cast.manager)
    assert 'value="message"' in desk.get("/admin/clients/").text
    with app.app_context():
        role = db.session.scalars(sa.select(Role).join(Staff).where(Staff.id == cast.manager.id)).one()
        role.permissions = [each for each in role.permissions if each not in {"clients.message", "tickets.view"}]
        db.session.commit()
    text = desk.get("/admin/clients/").text
    assert 'value="message"' not in text
    assert 'href="/admin/tickets/"' not in text


def test_the_language_chosen_holds_at_once(app: Flask, cast: Cast) -> None:
    desk = people_of.log_in(app.test_client(), cast.owner)
    assert "Remove filter" in desk.get("/admin/clients/?language=en").text
    assert desk.post("/admin/language", language="ru", url="/admin/clients/").status_code == 302
    text = desk.get("/admin/clients/?language=en").text
    assert "Снять фильтр" in text
    assert "Remove filter" not in text


def test_a_new_group_can_be_chosen_at_once_and_a_renamed_one_has_its_new_name(app: Flask, cast: Cast) -> None:
    desk = people_of.log_in(app.test_client(), cast.owner)
    desk.get("/admin/clients/")
    with make.scene(app):
        number = make.group("Night owls").id

    def offered() -> list[str]:
        panel = desk.page("/admin/clients/").one("select", id="filter-group")
        return [option.text for option in panel.all("option")]

    assert "Night owls" in offered()
    with app.app_context():
        db.session.get_one(ClientGroup, number).name = "Early birds"
        db.session.commit()
    assert "Early birds" in offered()
    assert "Night owls" not in offered()
    chosen = desk.page(f"/admin/clients/?group={number}").one("select", id="filter-group")
    assert [option.text for option in chosen.all("option", selected="")] == ["Early birds"]
    assert pages.row_ids(desk.page("/admin/clients/")) != []


def test_no_more_is_kept_than_there_is_room_for() -> None:
    kept = Fragments()
    written: list[int] = []

    def part(number: int) -> str:
        return kept.get(number, lambda: written.append(number) or f"part {number}")

    for number in range(MOST_KEPT):
        assert part(number) == f"part {number}"
    assert part(0) == "part 0"
    part(MOST_KEPT)
    assert len(written) == MOST_KEPT + 1
    part(0)
    part(1)
    assert written[-1] == 1, "the one that was not used for the longest time was forgotten"
    assert len(written) == MOST_KEPT + 2

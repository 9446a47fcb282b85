"""Two people in one form: who saves second is told what the other changed, field by field, and chooses."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from playwright.sync_api import expect

from extensions import db
from models import Client, ClientGroup
from tests import cast as people_of
from tests import factories as make
from tests.cast import Cast, Desk
from tests.support import page as pages
from tests.support import people
from tests.support.page import Node

URL = "/admin/clients/edit/?id={}"


@pytest.fixture
def manager(log_in: Callable[[str], Desk]) -> Desk:
    """The other one."""
    return log_in("manager")


def opened(desk: Desk, number: int) -> dict[str, Any]:
    """The form as it stands in the browser when it is opened."""
    return dict(pages.values(desk.page(URL.format(number))))


def save(desk: Desk, number: int, fields: dict[str, Any], **typed: Any) -> Any:
    return desk.post(URL.format(number), {**fields, **typed})


def refused(desk: Desk, number: int, fields: dict[str, Any], **typed: Any) -> Node:
    return desk.refused(URL.format(number), {**fields, **typed})


def told(page: Node) -> dict[str, str]:
    """What is said of each field that the other changed."""
    return {part["data-conflict"]: part.text for part in page.all(data_conflict=None)}


def row(app: Flask, number: int) -> dict[str, Any]:
    return people_of.client_row(app, number)


def test_what_it_was_what_it_is_and_what_was_typed_stand_side_by_side(
    app: Flask, cast: Cast, owner: Desk, manager: Desk
) -> None:
    with make.scene(app):
        db.session.get_one(Client, cast.a.id).note = "first"
    mine, theirs = opened(owner, cast.a.id), opened(manager, cast.a.id)
    assert save(manager, cast.a.id, theirs, note="theirs", country="FR", email="new@x.example").status_code == 302
    before = row(app, cast.a.id)

    page = refused(owner, cast.a.id, mine, note="mine", contact_person="Typed by me", email="new@x.example")
    assert "Somebody else has changed this record meanwhile." in pages.alerts(page)
    said = told(page)
    assert set(said) == {"note", "country", "email"}
    with app.app_context():
        name = db.session.scalars(sa.text("SELECT full_name FROM staff WHERE username = 'manager'")).one()
    assert "When you opened the form: first" in said["note"]
    assert f"Take theirs {name}," in said["note"]
    assert "theirs" in said["note"]
    assert "When you opened the form: Germany" in said["country"]
    assert "France" in said["country"]
    assert "changed to the same as yours" in said["email"]
    assert name in page.one(id="conflict-title").text
    held = pages.values(page)
    assert (held["choice_note"], held["choice_country"]) == (["mine"], ["theirs"])
    assert "choice_email" not in held
    assert (held["note"], held["country"], held["contact_person"]) == (["mine"], ["DE"], ["Typed by me"])
    assert len(page.all("textarea", name="note")) == 1, "a field with a choice is asked for once"
    assert row(app, cast.a.id) == before

    assert owner.post(URL.format(cast.a.id), held).status_code == 302
    after = row(app, cast.a.id)
    assert (after["note"], after["country"], after["contact_person"], after["email"]) == (
        "mine", "FR", "Typed by me", "new@x.example",
    )  # fmt: skip


def test_theirs_is_taken_where_it_was_chosen_and_mine_where_it_was(
    app: Flask, cast: Cast, owner: Desk, manager: Desk
) -> None:
    with make.scene(app):
        good, groups = make.characterization("good").id, [make.group("One").id, make.group("Two").id]
    mine, theirs = opened(owner, cast.a.id), opened(manager, cast.a.id)
    typed = {"note": "theirs", "characterization": str(good), "groups": [str(groups[0])], "name": "Their name"}
    assert save(manager, cast.a.id, theirs, **typed).status_code == 302
    page = refused(owner, cast.a.id, mine, note="mine", groups=[str(groups[1])], name="My name")
    said = told(page)
    assert "One" in said["groups"]
    assert "Ordinary" in said["characterization"]
    assert "Good" in said["characterization"]
    held = pages.values(page)
    assert held["choice_characterization"] == ["theirs"]
    answer = owner.post(
        URL.format(cast.a.id),
        {**held, "choice_note": "theirs", "choice_groups": "theirs", "choice_name": "mine", "choice_characterization": "mine"},
    )  # fmt: skip
    assert answer.status_code == 302
    after = row(app, cast.a.id)
    ordinary = int(mine["characterization"][0])
    assert (after["note"], after["name"], after["characterization_id"]) == ("theirs", "My name", ordinary)
    with app.app_context():
        assert [group.name for group in db.session.get_one(Client, cast.a.id).groups] == ["One"]


def test_a_third_who_comes_in_between_is_noticed_in_the_same_way(
    app: Flask, cast: Cast, owner: Desk, manager: Desk, log_in: Callable[[str], Desk]
) -> None:
    third = log_in("owner")
    mine, theirs = opened(owner, cast.a.id), opened(manager, cast.a.id)
    save(manager, cast.a.id, theirs, note="second", contact_person="Second")
    held = pages.values(refused(owner, cast.a.id, mine, note="mine", contact_person="Mine"))
    save(third, cast.a.id, opened(third, cast.a.id), note="third")

    page = refused(owner, cast.a.id, {**held, "choice_note": "theirs", "choice_contact_person": "mine"})
    said = told(page)
    assert set(said) == {"note"}, "what was chosen before is not asked again"
    assert "When you opened the form: second" in said["note"]
    assert "third" in said["note"]
    held = pages.values(page)
    assert (held["choice_note"], held["contact_person"]) == (["theirs"], ["Mine"])
    assert owner.post(URL.format(cast.a.id), held).status_code == 302
    after = row(app, cast.a.id)
    assert (after["note"], after["contact_person"]) == ("third", "Mine")


def test_groups_alone_raise_the_version_so_that_they_are_not_lost(
    app: Flask, cast: Cast, owner: Desk, manager: Desk
) -> None:
    with make.scene(app):
        one = make.group("One").id
    mine, theirs = opened(owner, cast.a.id), opened(manager, cast.a.id)
    version = row(app, cast.a.id)["row_version"]
    assert save(manager, cast.a.id, theirs, groups=[str(one)]).status_code == 302
    assert row(app, cast.a.id)["row_version"] == version + 1
    page = refused(owner, cast.a.id, mine, note="mine")
    assert set(told(page)) == {"groups"}
    assert owner.post(URL.format(cast.a.id), pages.values(page)).status_code == 302
    with app.app_context():
        client = db.session.get_one(Client, cast.a.id)
        assert ([group.id for group in client.groups], client.note) == ([one], "mine")


def test_what_is_not_in_the_form_of_a_person_does_not_stop_him(
    app: Flask, cast: Cast, owner: Desk, log_in: Callable[[str], Desk]
) -> None:
    """Support changes note and characterization alone; another e-mail is none of his conflicts."""
    support = log_in("support")
    mine, theirs = opened(support, cast.a.id), opened(owner, cast.a.id)
    assert save(owner, cast.a.id, theirs, email="new@x.example").status_code == 302
    assert save(support, cast.a.id, mine, note="from support").status_code == 302
    after = row(app, cast.a.id)
    assert (after["email"], after["note"]) == ("new@x.example", "from support")


def test_a_wrong_value_is_still_told_after_the_choice_and_nothing_is_lost(
    app: Flask, cast: Cast, owner: Desk, manager: Desk
) -> None:
    mine, theirs = opened(owner, cast.a.id), opened(manager, cast.a.id)
    save(manager, cast.a.id, theirs, note="theirs")
    held = pages.values(refused(owner, cast.a.id, mine, note="mine", email="nobody"))
    page = refused(owner, cast.a.id, held)
    assert pages.errors(page) == {"email": "This is no e-mail address."}
    assert pages.values(page)["note"] == ["mine"]
    assert owner.post(URL.format(cast.a.id), {**pages.values(page), "email": "a@b.example"}).status_code == 302
    assert row(app, cast.a.id)["note"] == "mine"


def test_what_the_form_was_opened_with_cannot_be_made_up(app: Flask, cast: Cast, owner: Desk, manager: Desk) -> None:
    """Without it, or with another record's, everything that differs is asked for; it is no fault."""
    other = opened(owner, cast.b.id)["seen"]
    for seen in (["forged"], other, []):
        mine, theirs = opened(owner, cast.a.id), opened(manager, cast.a.id)
        save(manager, cast.a.id, theirs, note=f"theirs {seen}"[:40])
        page = refused(owner, cast.a.id, {**mine, "seen": seen}, note="mine")
        assert set(told(page)) == {"note"}
        assert pages.values(page)["choice_note"] == ["mine"]
    forged = {**opened(owner, cast.a.id), "choice_note": "theirs", "choice_is_owner": "theirs", "note": "typed"}
    assert owner.post(URL.format(cast.a.id), forged).status_code == 302
    assert row(app, cast.a.id)["note"] != "typed", "the value of the form's own version was chosen"


@pytest.mark.parametrize(
    ("module", "field", "first", "second"),
    [
        ("users", "full_name", "First", "Second"),
        ("payers", "name", "First", "Second"),
        ("discounts", "note", "First", "Second"),
        ("groups", "description", "First", "Second"),
        ("roles", "name", "First", "Second"),
    ],
)
def test_it_is_so_in_all_modules(
    app: Flask, cast: Cast, owner: Desk, log_in: Callable[[str], Desk], module: str, field: str, first: str, second: str
) -> None:
    number = cast.a.records.get(module) or cast.records.get(module) or 3
    url = f"/admin/{module}/edit/?id={number}"
    other = log_in("owner")
    mine, theirs = pages.values(owner.page(url)), pages.values(other.page(url))
    assert other.post(url, {**theirs, field: first}).status_code == 302
    page = owner.refused(url, {**mine, field: second})
    assert first in told(page)[field]
    held = pages.values(page)
    assert held[field] == [second]
    assert owner.post(url, {**held, f"choice_{field}": "mine"}).status_code == 302
    assert pages.values(owner.page(url))[field] == [second]


def test_prices_of_two_editors_are_a_conflict_too(
    app: Flask, cast: Cast, owner: Desk, log_in: Callable[[str], Desk]
) -> None:
    """A field of several controls, whose rows are in another table."""
    other = log_in("owner")
    fields = {"name": "VPS", "type": "vps", "project": "1", "prices_period": ["month"], "prices_currency": ["EUR"],
              "prices_price": ["5.00"]}  # fmt: skip
    url = owner.post("/admin/products/new/", fields).location.replace("details", "edit")
    mine, theirs = pages.values(owner.page(url)), pages.values(other.page(url))

    def priced(held: dict[str, Any], price: str) -> dict[str, Any]:
        return {**held, "prices_price": [price, *held["prices_price"][1:]]}

    assert other.post(url, priced(theirs, "6.00")).status_code == 302
    page = owner.refused(url, {**mine, "name": "VPS 2"})
    assert "6.00" in told(page)["prices"]
    held = pages.values(page)
    assert held["choice_prices"] == ["theirs"]
    assert owner.post(url, held).status_code == 302
    now_held = pages.values(owner.page(url))
    assert (now_held["prices_price"][0], now_held["name"]) == ("6.00", ["VPS 2"])


# In the browser


def _enter(page: Any, url: str, username: str) -> None:
    page.goto(f"{url}/admin/login")
    page.fill("[name=username]", username)
    page.fill("[name=password]", people.PASSWORD)
    page.press("[name=password]", "Enter")
    page.wait_for_url("**/admin/")


@pytest.mark.engine("sqlite")
def test_two_pages_in_a_browser(app: Flask, cast: Cast, live_server: Any, page: Any) -> None:
    _enter(page, live_server.url, "owner")
    url = live_server.url + URL.format(cast.a.id)
    other = page.context.new_page()
    for tab in (page, other):
        tab.goto(url)
    other.get_by_role("tab", name="For staff").click()
    other.get_by_label("Note").fill("from the other page")
    other.get_by_label("Note").blur()
    other.get_by_role("button", name="Save").click()
    expect(other.get_by_text("Saved.")).to_be_visible()

    page.get_by_label("Contact person").fill("Typed here")
    page.get_by_role("tab", name="For staff").click()
    page.get_by_label("Note").fill("mine")
    page.get_by_role("button", name="Save").click()
    conflict = page.locator("#conflict")
    expect(conflict).to_contain_text("from the other page")
    expect(conflict.get_by_role("radio", name="Keep mine")).to_be_checked()
    conflict.get_by_role("radio", name="Take theirs").check()
    conflict.get_by_role("textbox", name="Note").fill("mine after all")
    expect(conflict.get_by_role("radio", name="Keep mine")).to_be_checked()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved.")).to_be_visible()
    after = row(app, cast.a.id)
    assert (after["note"], after["contact_person"]) == ("mine after all", "Typed here")


@pytest.mark.engine("sqlite")
def test_the_parts_of_the_form_are_tabs_that_lose_nothing(app: Flask, cast: Cast, live_server: Any, page: Any) -> None:
    _enter(page, live_server.url, "owner")
    page.goto(live_server.url + URL.format(cast.a.id))
    tabs = page.get_by_role("tab")
    expect(tabs).to_have_count(6)
    first, contacts = tabs.nth(0), page.get_by_role("tab", name="Contacts")
    expect(first).to_have_attribute("aria-selected", "true")
    expect(page.get_by_role("tabpanel")).to_have_count(1)
    page.get_by_label("Contact person").fill("Somebody else")
    first.focus()
    page.keyboard.press("ArrowRight")
    expect(contacts).to_be_focused()
    expect(contacts).to_have_attribute("aria-selected", "true")
    page.get_by_label("E-mail").fill("nobody")
    page.keyboard.press("Tab")
    first.click()
    expect(page.get_by_label("Contact person")).to_have_value("Somebody else")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#form-errors")).to_be_visible()
    wrong = page.get_by_role("tab", name=re.compile("Contacts.*there is something wrong here"))
    expect(wrong).to_have_attribute("aria-selected", "true")
    expect(page.get_by_label("E-mail")).to_have_value("nobody")
    first.click()
    expect(page.get_by_label("E-mail")).to_be_hidden()
    page.locator("#form-errors a").click()
    expect(page.get_by_label("E-mail")).to_be_focused()
    page.keyboard.press("End")
    page.get_by_label("E-mail").fill("a@b.example")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved.")).to_be_visible()
    assert row(app, cast.a.id)["contact_person"] == "Somebody else"


@pytest.mark.engine("sqlite")
@pytest.mark.browser_options(java_script_enabled=False)
def test_without_scripts_all_parts_stand_one_under_another_and_a_conflict_is_settled(
    app: Flask, cast: Cast, live_server: Any, page: Any
) -> None:
    _enter(page, live_server.url, "owner")
    page.goto(live_server.url + URL.format(cast.a.id))
    expect(page.get_by_role("tab")).to_have_count(0)
    for name in ("Contact person", "E-mail", "Note", "Client who brought this one"):
        expect(page.get_by_label(name)).to_be_visible()
    page.get_by_label("Client who brought this one").fill(str(cast.b.id))
    page.get_by_label("Note").fill("mine")
    with make.scene(app):
        client = db.session.get_one(Client, cast.a.id)
        client.note = "theirs"
        client.groups.append(db.session.scalars(sa.select(ClientGroup)).first())
    page.get_by_role("button", name="Save").click()
    page.locator("[data-conflict=note] input[value=theirs]").check()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved.")).to_be_visible()
    after = row(app, cast.a.id)
    assert (after["note"], after["referrer_id"]) == ("theirs", cast.b.id)

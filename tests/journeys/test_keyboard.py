"""Working without a mouse: the keys of lists, the sheet of keys, and the search over everything."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask import Flask
from playwright.sync_api import Page, expect

from extensions import db
from models import Client, SavedFilter, Selection, Staff
from tests import cast as people_of
from tests import factories as make
from tests.cast import Cast

pytestmark = pytest.mark.engine("sqlite")


@pytest.fixture
def at_work(app: Flask, cast: Cast, browser_context: Any, live_server: Any) -> Page:
    """The owner's browser, logged in."""
    visitor = app.test_client()
    people_of.log_in(visitor, cast.owner)
    cookie = visitor.get_cookie("staff_session")
    browser_context.add_cookies([{"name": "staff_session", "value": cookie.value, "url": live_server.url}])
    return browser_context.new_page()


def test_rows_are_walked_ticked_edited_written_to_and_opened(
    app: Flask, cast: Cast, at_work: Page, live_server: Any
) -> None:
    page = at_work
    columns = ("id", "name", "email", "note")
    with make.scene(app):
        db.session.get(Staff, cast.owner.id).preferences = {"client_columns": list(columns)}
    page.goto(f"{live_server.url}/admin/clients/")
    first, second = page.locator(f"tr[data-id='{cast.b.id}']"), page.locator(f"tr[data-id='{cast.a.id}']")
    page.keyboard.press("j")
    expect(first).to_have_class(re.compile("cursor"))
    expect(first.locator("a.title")).to_be_focused()
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(second.locator("a.title")).to_be_focused()
    page.keyboard.press("k")
    expect(first.locator("a.title")).to_be_focused()
    page.keyboard.press("x")
    expect(first.locator("input[name=rowid]")).to_be_checked()
    page.keyboard.press("j")
    page.keyboard.press("Shift+X")
    expect(page.locator("[data-count]")).to_have_text("2 selected")
    page.keyboard.press("Escape")
    expect(page.locator("[data-count]")).to_be_hidden()
    # In place: e opens the first cell of the row, what is typed there is no key of the list.
    page.keyboard.press("e")
    editor = second.locator(".cell-editor")
    expect(editor).to_be_focused()
    page.keyboard.press("Escape")
    expect(second.locator("td[data-edit=email]")).to_be_focused()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.keyboard.type("jxam")
    page.keyboard.press("Enter")
    expect(second.locator("td[data-edit=note]")).to_have_text("jxam")
    expect(second.locator("input[name=rowid]")).not_to_be_checked()
    with app.app_context():
        assert db.session.get(Client, cast.a.id).note == "jxam"
    # From a cell too, the keys of the list go on.
    page.keyboard.press("m")
    expect(page).to_have_url(re.compile(r"/admin/mailings/new/\?selection=\d+$"))
    with app.app_context():
        assert [one.ids for one in db.session.query(Selection)] == [[cast.a.id]]
    page.goto(f"{live_server.url}/admin/clients/")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{live_server.url}/admin/clients/details/?id={cast.b.id}")


def test_pages_are_turned_and_the_filter_opened(app: Flask, cast: Cast, at_work: Page, live_server: Any) -> None:
    page = at_work
    with make.scene(app):
        make.clients([f"Many {number}" for number in range(25)])
    page.goto(f"{live_server.url}/admin/clients/?page_size=20")
    page.keyboard.press("n")
    expect(page.locator("tbody tr")).to_have_count(7)
    page.keyboard.press("p")
    expect(page.locator("tbody tr")).to_have_count(20)
    page.keyboard.press("a")
    expect(page.locator("[data-count]")).to_have_text("20 selected")
    page.keyboard.press("f")
    expect(page.locator("#filter-id")).to_be_focused()
    page.keyboard.type("njxa")
    expect(page.locator("#filter-id")).to_have_value("njxa")


def test_the_sheet_of_keys_opens_over_any_page(cast: Cast, at_work: Page, live_server: Any) -> None:
    page = at_work
    page.goto(f"{live_server.url}/admin/payers/")
    page.keyboard.press("?")
    dialog = page.locator("dialog")
    expect(dialog).to_be_visible()
    expect(dialog).to_contain_text("Next row, previous row")
    page.keyboard.press("j")
    expect(page.locator("tr.cursor")).to_have_count(0)
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    page.keyboard.press("/")
    page.keyboard.type("?")
    expect(page.locator(".topbar input[type=search]")).to_have_value("?")
    expect(dialog).to_be_hidden()


def test_the_search_suggests_while_one_types(cast: Cast, at_work: Page, live_server: Any) -> None:
    page = at_work
    page.goto(f"{live_server.url}/admin/")
    page.keyboard.press("/")
    field = page.get_by_role("combobox", name="Search everywhere")
    expect(field).to_be_focused()
    page.keyboard.type("boris")
    options = page.get_by_role("option")
    expect(options.first).to_contain_text("Boris Beta")
    expect(field).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("ArrowDown")
    expect(options.first).to_have_attribute("aria-selected", "true")
    expect(field).to_have_attribute("aria-activedescendant", "search-option-0")
    page.keyboard.press("Escape")
    expect(page.locator(".search-list")).to_be_hidden()
    page.keyboard.press("ArrowDown")
    expect(options.first).to_be_visible()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{live_server.url}/admin/clients/details/?id={cast.b.id}")
    page.wait_for_load_state()  # The keys are those of its scripts.
    page.keyboard.press("/")
    expect(field).to_be_focused()
    page.keyboard.type("nothing of that")
    expect(page.locator(".search-list")).to_have_text("Nothing found")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Nothing found")).to_be_visible()
    expect(page).to_have_url(f"{live_server.url}/admin/search/?search=nothing+of+that")


@pytest.mark.browser_options(java_script_enabled=False)
def test_filters_are_saved_and_everything_is_searched_without_scripts(
    app: Flask, cast: Cast, at_work: Page, live_server: Any
) -> None:
    page = at_work
    page.goto(f"{live_server.url}/admin/clients/?language=ru")
    page.locator(".tabs summary", has_text="Save this filter").click()
    page.get_by_label("Name", exact=True).first.fill("Russian")
    page.get_by_role("button", name="Save filter").click()
    expect(page.locator(".tabs a[aria-current]")).to_have_text("Russian 1")
    with app.app_context():
        assert db.session.query(SavedFilter).one().parameters == {"language": "ru"}
    page.locator(".topbar input[type=search]").fill("boris")
    page.keyboard.press("Enter")
    expect(page.locator("section[data-module=clients]")).to_contain_text("Boris Beta")

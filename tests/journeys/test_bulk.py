"""Something done to several clients at once and taken back, in a real browser."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from playwright.sync_api import expect

from extensions import db
from models import client_group_members
from tests import cast as people_of
from tests import factories as make
from tests.support.people import PASSWORD


@pytest.fixture
def group(app: Flask) -> int:
    with make.scene(app):
        make.staff("olga", people_of._seeded("owner"))
        for number in range(5):
            make.client(f"Client {number}")
        return make.group("Wholesale").id


def members(app: Flask) -> int:
    with app.app_context():
        return db.session.scalar(sa.select(sa.func.count()).select_from(client_group_members)) or 0


def open_list(live_server: Any, page: Any) -> None:
    page.goto(f"{live_server.url}/admin/login?next=/admin/clients/")
    page.fill("[name=username]", "olga")
    page.fill("[name=password]", PASSWORD)
    page.press("[name=password]", "Enter")
    expect(page.locator("tr[data-id]")).to_have_count(5)


def add_three_to_the_group(page: Any, group: int) -> None:
    for number in range(3):
        page.locator("[name=rowid]").nth(number).check()
    page.locator(".action-bar summary", has_text="Groups").click()
    page.get_by_role("button", name="Add to group").click()
    expect(page.locator(".impact")).to_contain_text("None of them is in a group.")
    page.select_option("[name=group]", str(group))
    page.get_by_role("button", name="Add 3 clients").click()
    expect(page.locator(".alert-success")).to_contain_text("3 clients added to the group.")


@pytest.mark.heavy
def test_three_clients_are_put_into_a_group_and_taken_out_again(
    app: Flask, live_server: Any, page: Any, group: int
) -> None:
    open_list(live_server, page)
    add_three_to_the_group(page, group)
    assert members(app) == 3
    page.get_by_role("button", name="Undo").click()
    expect(page.locator(".alert-success")).to_contain_text("3 clients restored.")
    assert members(app) == 0
    expect(page.get_by_role("button", name="Undo")).to_have_count(0)

    page.get_by_role("link", name="Bulk changes").click()
    expect(page.locator("tr[data-id]")).to_have_count(1)
    expect(page.locator("tr[data-id]")).to_contain_text("Undone on")


@pytest.mark.engine("sqlite")
@pytest.mark.parametrize(
    "size",
    [
        pytest.param(None, marks=pytest.mark.browser_options(java_script_enabled=False), id="without scripts"),
        pytest.param(
            390, marks=pytest.mark.browser_options(viewport={"width": 390, "height": 844}), id="on a telephone"
        ),
    ],
)
def test_the_same_without_scripts_and_on_a_telephone(
    app: Flask, live_server: Any, page: Any, group: int, size: int | None
) -> None:
    open_list(live_server, page)
    add_three_to_the_group(page, group)
    if size:
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= size, "nothing is wider than the screen"
    page.get_by_role("button", name="Undo").click()
    expect(page.locator(".alert-success")).to_contain_text("3 clients restored.")
    assert members(app) == 0


@pytest.mark.engine("sqlite")
@pytest.mark.browser_options(viewport={"width": 800, "height": 700})
def test_what_has_no_room_in_the_toolbar_is_behind_more(app: Flask, live_server: Any, page: Any, group: int) -> None:
    open_list(live_server, page)
    page.locator("[name=rowid]").first.check()
    expect(page.locator(".action-bar summary", has_text="Groups")).to_be_hidden()
    page.locator(".action-bar summary", has_text="More").click()
    expect(page.get_by_role("button", name="Add to group")).to_be_visible()
    expect(page.get_by_role("button", name="Delete")).to_be_visible()
    page.get_by_role("button", name="Add to group").click()
    expect(page.get_by_role("button", name="Add 1 client")).to_be_visible()

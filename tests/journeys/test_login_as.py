"""A staff member helps a client who is stuck in his panel, in a real browser."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask import Flask

from tests.support import books, people

# How many of the buttons that are seen are lower than a finger needs.
TOO_SMALL = """
[...document.querySelectorAll("main .btn")].filter(one => one.offsetHeight && one.offsetHeight < 44).length
"""

pytestmark = pytest.mark.engine("sqlite")


def test_from_the_list_into_the_panel_to_change_something_and_back(app: Flask, live_server: Any, page: Any) -> None:
    with app.app_context():
        people.staff("olga", "clients.view", "clients.login_as")
        for name in ("anna", "boris"):
            books.of(people.client(name).client_id, name)
    page.goto(f"{live_server.url}/admin/login")
    page.fill("[name=username]", "olga")
    page.fill("[name=password]", people.PASSWORD)
    page.press("[name=password]", "Enter")
    page.wait_for_url("**/admin/")
    page.goto(f"{live_server.url}/admin/clients/?search=anna&sort=name")
    page.locator("tr[data-id] input[type=checkbox]").check()
    page.get_by_role("button", name="Log in").click()

    page.wait_for_url("**/panel/")
    assert page.locator(".greeting").inner_text() == "Hello, Anna User!"
    banner = page.locator(".acting")
    assert "Staff olga" in banner.inner_text()
    page.get_by_role("link", name="My profile").first.click()
    assert page.locator("[name=full_name]").count() == 0
    page.locator(".acting summary").click()
    page.fill("#allow-reason", "the client asked for it by phone")
    page.locator(".acting details button").click()
    page.goto(f"{live_server.url}/panel/profile/")
    page.fill("[name=full_name]", "Anna Renamed")
    page.get_by_role("button", name="Save").click()
    assert "Your profile has been saved." in page.locator(".alert-success").inner_text()

    page.locator(".acting").get_by_role("button", name="Return").click()
    page.wait_for_url("**/admin/clients/?search=anna&sort=name")
    page.goto(f"{live_server.url}/panel/")
    assert "/login" in page.url


@pytest.mark.browser_options(viewport={"width": 390, "height": 844})
def test_every_page_of_the_panel_fits_a_telephone(app: Flask, live_server: Any, page: Any) -> None:
    """Nothing is wider than the screen, and what is pressed is large enough for a finger."""
    with app.app_context():
        anna = people.client("anna")
        paths = books.of(anna.client_id, "anna").paths()
    page.goto(f"{live_server.url}/login")
    page.fill("[name=username]", "anna")
    page.fill("[name=password]", people.PASSWORD)
    page.press("[name=password]", "Enter")
    page.wait_for_url("**/panel/")
    lists = [re.sub(r"\d+/$", "", path) for path in paths.values()]
    for path in ["/panel/", "/panel/profile/", "/panel/password", "/panel/users/", *lists, *paths.values()]:
        page.goto(f"{live_server.url}{path}")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        assert page.evaluate(TOO_SMALL) == 0, path


@pytest.mark.browser_options(java_script_enabled=False)
def test_it_all_works_without_scripts(app: Flask, live_server: Any, page: Any) -> None:
    with app.app_context():
        people.staff("olga", "clients.view", "clients.login_as")
        anna = people.client("anna")
    page.goto(f"{live_server.url}/admin/login")
    page.fill("[name=username]", "olga")
    page.fill("[name=password]", people.PASSWORD)
    page.press("[name=password]", "Enter")
    page.goto(f"{live_server.url}/admin/clients/details/?id={anna.client_id}")
    page.locator("form[action='/admin/clients/login-as/'] button").first.click()
    page.wait_for_url("**/panel/")
    page.locator("form[action='/panel/return'] button").click()
    page.wait_for_url(f"**/admin/clients/details/?id={anna.client_id}")

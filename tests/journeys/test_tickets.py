"""A question, and two staff members who come to answer it at the same time, in real browsers."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from playwright.sync_api import expect

from tests.support import people
from tests.support.browser import log_in_by_form

pytestmark = pytest.mark.engine("sqlite")
RIGHTS = ("tickets.view", "tickets.edit", "clients.view")
# The page asks every ten seconds what is new.
SOON = 20_000


def test_a_question_is_answered_once(app: Flask, live_server: Any, page: Any, another: Any) -> None:
    with app.app_context():
        people.client("anna")
        for username in ("olga", "pavel"):
            people.staff(username, *RIGHTS)
    log_in_by_form(page, f"{live_server.url}/login", "anna")
    page.goto(f"{live_server.url}/panel/tickets/")
    page.get_by_role("link", name="New question").click()
    page.fill("[name=subject]", "My server is gone")
    page.fill("[name=text]", "Where is it?")
    page.get_by_role("button", name="Send the question").click()
    expect(page.locator("main")).to_contain_text("Where is it?")

    olga, pavel = another(), another()
    for one, name in ((olga, "olga"), (pavel, "pavel")):
        log_in_by_form(one, f"{live_server.url}/admin/login", name)
        one.goto(f"{live_server.url}/admin/tickets/?status=waiting_staff")
        one.locator("tr[data-id]").get_by_role("link", name="My server is gone").click()
        expect(one.locator(".thread")).to_contain_text("Where is it?")
    pavel.locator("[name=text]").press_sequentially("It is")
    expect(olga.locator("[data-writing]")).to_have_text("Staff pavel is writing an answer.", timeout=SOON)
    olga.fill("[name=text]", "I have found it.")
    olga.get_by_role("button", name="Send the answer").click()
    expect(olga.locator(".thread")).to_contain_text("I have found it.")
    expect(pavel.locator("[data-newer] span")).to_have_text("1 new message has come meanwhile.", timeout=SOON)
    pavel.get_by_role("button", name="Send the answer").click()
    expect(pavel.get_by_role("alert")).to_contain_text("Read what is new, then send again.")
    expect(pavel.locator(".thread")).to_contain_text("I have found it.")
    expect(pavel.locator("[name=text]")).to_have_value("It is")

    page.reload()
    expect(page.locator("main")).to_contain_text("I have found it.")
    expect(page.get_by_role("button", name="Mark as read")).to_have_count(0, timeout=SOON)
    page.goto(f"{live_server.url}/panel/tickets/")
    expect(page.locator("main tbody tr")).not_to_contain_text("New")
    page.get_by_role("link", name="My server is gone").click()
    page.fill("[name=text]", "Thank you!")
    page.get_by_role("button", name="Send the answer").click()
    expect(page.locator("main")).to_contain_text("Thank you!")
    olga.goto(f"{live_server.url}/admin/tickets/?status=waiting_staff")
    expect(olga.locator("tr[data-id]")).to_contain_text("My server is gone")

"""Lists with long texts in every column, on a screen of usual width."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from extensions import db, now
from models import Attachment
from tests import cast as people_of
from tests import factories as make
from tests.support.browser import log_in_by_form

LONG = "Общество с ограниченной ответственностью «Северо-Западная Транспортная Компания»"
LISTS = (
    "clients", "users", "payers", "tickets", "violations", "emails", "inbound", "services", "invoices", "payments",
    "expenses", "acts", "discounts",
)  # fmt: skip
HIDDEN = "() => { const table = document.querySelector('table'); return table.scrollWidth - table.parentElement.clientWidth; }"


@pytest.mark.browser
@pytest.mark.engine("sqlite")
@pytest.mark.parametrize("language", ["en", "ru"])
def test_no_list_is_wider_than_its_page(app: Flask, live_server: Any, page: Any, language: str) -> None:
    with make.scene(app):
        make.staff("olga", people_of._seeded("owner"), language=language)
        client = make.client(LONG, email="accounting.department@north-western-transport.example")
        sold = make.product(LONG)
        make.user(client, "a.very.long.username.of.a.person", full_name=LONG, email="x" * 40 + "@client.example",
                  phone="+79161234567", last_login_at=now())  # fmt: skip
        make.service(client, sold, status="suspended", name=LONG, expires_at=now() + timedelta(days=400))
        payer = make.payer(client, LONG)
        make.payment(client, "1234567.89", payer=payer, method="Bank transfer", status="paid", paid_at=now())
        make.invoice(client, "1234567.89", payer=payer)
        make.expense(client, "1234567.89")
        make.act(client, "1234567.89", payer=payer)
        make.discount(client, note=LONG)
        make.violation(client, comment=LONG)
        make.letter(client, last_error=LONG)
        make.letter_in(client, subject=LONG, sender="x" * 40 + "@client.example")
        make.points(client, 12)
    log_in_by_form(page, f"{live_server.url}/admin/login", "olga")
    page.set_viewport_size({"width": 1280, "height": 900})
    hidden = {}
    for module in LISTS:
        page.goto(f"{live_server.url}/admin/{module}/")
        assert page.locator("tbody tr").count(), module
        hidden[module] = page.evaluate(HIDDEN)
    assert {module: pixels for module, pixels in hidden.items() if pixels > 0} == {}


BADGES = """() => [...document.querySelectorAll('td .badge')].map(badge => {
    const text = badge.querySelector('span'), whole = badge.getBoundingClientRect(), cell = badge.closest('td').getBoundingClientRect();
    return {badge: badge.dataset.badge, title: badge.title, says: text.textContent, inside: whole.right <= cell.right + 1,
            alone: text.getBoundingClientRect().width <= 1, cut: text.scrollWidth > text.clientWidth + 1};
})"""


@pytest.mark.browser
@pytest.mark.engine("sqlite")
@pytest.mark.parametrize("width", [1280, 1600, 1920])
def test_badges_beside_each_other_are_whole_or_their_icons_alone(
    app: Flask, live_server: Any, page: Any, width: int
) -> None:
    """The number of points is always readable; an icon that stands alone says what it means to all."""
    with make.scene(app):
        make.staff("olga", people_of._seeded("owner"))
        partner = make.client("Partner")
        client = make.client(
            LONG,
            referrer_id=partner.id,
            characterization=make.characterization("conflict"),
            email="accounting.department@north-western-transport.example",
            project=make.project("A project with a long name"),
        )
        make.service(client, make.product(), status="suspended")
        make.points(client, 12)
        make.entry(client, "1234567.89")
        make.violation(client, comment=LONG)
    log_in_by_form(page, f"{live_server.url}/admin/login", "olga")
    page.set_viewport_size({"width": width, "height": 900})
    for module in ("clients", "violations"):
        page.goto(f"{live_server.url}/admin/{module}/")
        assert page.evaluate(HIDDEN) <= 0, module
        found = {one["badge"]: one for one in page.evaluate(BADGES)}
        assert {"referred", "points", "suspended"} <= set(found), module
        assert found["points"]["says"] == "12 points"
        assert not found["points"]["alone"]
        assert [one for one in found.values() if not one["inside"] or not one["title"]] == [], module
        assert [one for one in found.values() if one["cut"] and not one["alone"]] == []
        if width < 1900:
            assert found["referred"]["alone"]
            assert found["suspended"]["alone"]


WIDER = "() => document.documentElement.scrollWidth - innerWidth"


@pytest.mark.browser
@pytest.mark.engine("sqlite")
def test_long_words_of_a_ticket_are_broken_on_a_telephone(app: Flask, live_server: Any, page: Any) -> None:
    address = "https://www.example.com/" + "a-very-long-path-without-a-blank/" * 5
    with make.scene(app):
        make.staff("olga", people_of._seeded("owner"))
        client = make.client("Elena", username="elena")
        make.user(client, "elena.two", is_owner=False, permissions=["support"])
        ticket = make.ticket(client, address[:200], status="waiting_client")
        file = {
            "file_name": "x" * 150 + ".pdf",
            "content_type": "application/pdf",
            "size": 1,
            "digest": "0",
            "stored_name": "0",
        }
        db.session.add(Attachment(message_id=ticket.messages[0].id, **file))
        number = ticket.id
    page.set_viewport_size({"width": 390, "height": 844})
    log_in_by_form(page, f"{live_server.url}/admin/login", "olga")
    found = {}
    for path in (f"/admin/tickets/details/?id={number}", "/admin/tickets/"):
        page.goto(f"{live_server.url}{path}")
        found[path] = page.evaluate(WIDER)
    log_in_by_form(page, f"{live_server.url}/login", "elena.two")
    for path in (f"/panel/tickets/{number}/", "/panel/tickets/", "/panel/"):
        page.goto(f"{live_server.url}{path}")
        assert address[:24] in page.content()
        found[path] = page.evaluate(WIDER)
    assert {path: pixels for path, pixels in found.items() if pixels > 0} == {}

"""Writing a message in a real browser."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from playwright.sync_api import expect

from extensions import db
from models import ResponseTemplate, TicketCategory
from tests import cast as people_of
from tests import factories as make
from tests.support.people import PASSWORD

ASKS = "() => { const leaving = new Event('beforeunload', {cancelable: true}); dispatchEvent(leaving); return leaving.defaultPrevented; }"


@pytest.mark.browser
@pytest.mark.engine("sqlite")
def test_choosing_a_category_narrows_the_ready_texts_and_one_fills_the_message(
    app: Flask, live_server: Any, page: Any
) -> None:
    with make.scene(app):
        make.staff("olga", people_of._seeded("owner"))
        one, other, third = db.session.scalars(sa.select(TicketCategory).order_by(TicketCategory.id).limit(3))
        make.template("Invoice sent", category=one)
        make.template("Outage", category=other, subject="Outage tonight", text="Dear %client_person%")
        make.template("Thanks")
        make.client("Romashka")
        categories = [str(one.id), str(other.id), str(third.id)]
    page.goto(f"{live_server.url}/admin/login?next=/admin/clients/")
    page.fill("[name=username]", "olga")
    page.fill("[name=password]", PASSWORD)
    page.press("[name=password]", "Enter")
    page.locator("[name=rowid]").first.check()
    page.locator(".action-bar").get_by_role("button", name="Send message").first.click()
    expect(page.locator("form.compose")).to_be_visible()
    names = page.locator("#response_template option")
    page.select_option("[name=category]", categories[0])
    expect(names).to_have_text(["Ready text…", "Invoice sent", "Thanks"])
    page.select_option("[name=category]", categories[1])
    expect(names).to_have_text(["Ready text…", "Outage", "Thanks"])
    with app.app_context():
        db.session.execute(sa.delete(ResponseTemplate).where(ResponseTemplate.name == "Thanks"))
        db.session.commit()
    page.reload()
    assert not page.evaluate(ASKS), "nothing is typed yet"
    page.select_option("[name=category]", categories[2])
    others = page.locator("#response_template optgroup")
    expect(others).to_have_attribute("label", "Of other categories")
    expect(others.locator("option")).to_have_text(["Invoice sent", "Outage"])
    page.select_option("[name=category]", categories[1])
    expect(names).to_have_text(["Ready text…", "Outage"])
    page.select_option("#response_template", label="Outage")
    page.get_by_role("button", name="Auto-fill").click()
    expect(page.locator("[name=subject_en]")).to_have_value("Outage tonight")
    expect(page.locator("[name=text_en]")).to_have_value("Dear %client_person%")
    expect(names).to_have_text(["Ready text…", "Outage"])
    assert page.evaluate(ASKS), "what was filled in is saved nowhere yet"

"""A violation of three clients, from the message to the day on which what was stopped runs again, in a real browser.

One answers by e-mail, one in the panel, one not at all.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from playwright.sync_api import expect

import jobs
from extensions import Clock, db, now
from models import AuditEvent, Service, Staff, TicketMessage, Violation
from operations.permissions import EVERYTHING
from tests import factories as make
from tests.conftest import LiveServer
from tests.support import people
from tests.support import violations as v
from tests.support.browser import log_in_by_form
from tests.support.letters_in import Written, bring
from tests.support.mail import Letter, MailServer

pytestmark = pytest.mark.engine("sqlite")
NAMES = ("anna", "boris", "clara")


def work(app: Flask) -> None:
    """All that a worker does, once."""
    with app.app_context():
        jobs.run_once()


def states(app: Flask, client_id: int) -> list[tuple[str, str | None]]:
    with app.app_context():
        rows = db.session.execute(
            sa.select(Service.status, Service.suspension_reason)
            .where(Service.client_id == client_id)
            .order_by(Service.id)
        )
        return [(status.value, reason.value if reason else None) for status, reason in rows]


def statuses(app: Flask) -> dict[int, str]:
    with app.app_context():
        rows = db.session.execute(sa.select(Violation.client_id, Violation.status))
        return {client_id: status.value for client_id, status in rows}


def answer_by_mail(app: Flask, letter: Letter) -> None:
    """What her mail program sends when she presses «Reply»."""
    quoted = "".join(f"> {line}\n" for line in letter.text.splitlines())
    sent = letter.message
    with app.app_context():
        bring(
            Written(
                sender="anna@client.example",
                to=str(sent["Reply-To"] or sent["From"]),
                subject=f"Re: {letter.subject}",
                text=f"I have removed it.\n\nOn Monday the desk wrote:\n{quoted}",
                headers=[("In-Reply-To", letter.message_id), ("References", letter.message_id)],
            )
        )


def test_two_answer_in_time_and_one_does_not(
    app: Flask, live_server: LiveServer, page: Any, another: Any, smtp: MailServer, clock: Clock
) -> None:
    with app.app_context():
        v.switch(is_on=True)
        ids = {name: people.client(name).client_id for name in NAMES}
        people.staff("olga", *EVERYTHING)
        sold = make.product("Web hosting")
        for name, number in ids.items():
            owner = db.session.get_one(make.Client, number)
            make.service(owner, sold, name=f"{name}.example")
            make.service(owner, sold, status="suspended", suspension_reason="unpaid", name=f"old-{name}.example")
        db.session.commit()

    # Staff choose the three and write to them.
    log_in_by_form(page, f"{live_server.url}/admin/login", "olga")
    page.goto(f"{live_server.url}/admin/clients/")
    for number in ids.values():
        page.locator(f"tr[data-id='{number}'] input[type=checkbox]").check()
    page.get_by_role("button", name="Send message").first.click()
    expect(page.locator("[data-recipients='3']")).to_be_visible()
    page.locator("[name=category]").select_option(index=1)
    page.fill("[name=subject_en]", "Spam from your server")
    page.fill("[name=text_en]", "%client_person%, mail goes out from your server. Please stop it.")
    page.get_by_label("Violation").check()
    page.get_by_role("tab", name="Parameters").click()
    page.fill("[name=deadline]", f"{now() + timedelta(days=2):%Y-%m-%dT%H:%M}")
    page.select_option("[name=violation_action]", "suspend_services")
    page.fill("[name=points]", "2")
    page.locator("summary", has_text="Show additional fields").click()
    page.fill("[name=recall_minutes]", "0")
    page.locator("button[name=send]").click()
    page.wait_for_url("**/admin/mailings/details/**")
    work(app)
    assert set(statuses(app).values()) == {"open"}
    first = smtp.to("anna@client.example")[0]
    assert "Anna Person, mail goes out" in first.text

    # One answers by e-mail, one in the panel.
    answer_by_mail(app, first)
    boris = another()
    log_in_by_form(boris, f"{live_server.url}/login", "boris")
    boris.goto(f"{live_server.url}/panel/tickets/")
    boris.get_by_role("link", name="Spam from your server").click()
    expect(boris.locator("[data-violation=open]")).to_contain_text("boris.example")
    boris.fill("main [name=text]", "It is clean now.")
    boris.get_by_role("button", name="Send the answer").click()
    expect(boris.locator("main")).to_contain_text("It is clean now.")
    assert statuses(app) == {ids["anna"]: "answered", ids["boris"]: "answered", ids["clara"]: "open"}
    with app.app_context():
        said = db.session.scalars(sa.select(TicketMessage.text).where(TicketMessage.text.contains("removed it"))).one()
        assert said == "I have removed it.", "what she quoted is folded away"

    # At the deadline only the third one's services are stopped, and she reads why.
    clock.move(days=2, minutes=1)
    for _again in range(2):
        work(app)
    running = [("active", None), ("suspended", "unpaid")]
    assert states(app, ids["anna"]) == states(app, ids["boris"]) == running
    assert states(app, ids["clara"]) == [("suspended", "violation"), ("suspended", "unpaid")]
    clara = another()
    log_in_by_form(clara, f"{live_server.url}/login", "clara")
    clara.goto(f"{live_server.url}/panel/services/")
    expect(clara.locator("main")).to_contain_text("There was no answer in time to what we wrote to you.")
    assert any("clara.example" in letter.text for letter in smtp.to("clara@client.example")[1:]), (
        "she is told by letter"
    )

    # Staff resolve it: exactly what was stopped runs again.
    olga = another()
    log_in_by_form(olga, f"{live_server.url}/admin/login", "olga")
    olga.goto(f"{live_server.url}/admin/violations/?status=executed")
    olga.locator("tr[data-id]").get_by_role("link").first.click()
    olga.goto(f"{live_server.url}/admin/violations/details/?id={violation_of(app, ids['clara'])}")
    olga.get_by_role("button", name="Resolve").click()
    expect(olga.locator(".alert-success").first).to_be_visible()
    assert states(app, ids["clara"]) == running
    with app.app_context():
        executed = sa.select(sa.func.count()).where(AuditEvent.module == "violations", AuditEvent.action == "execute")
        assert db.session.scalar(executed) == 1
        assert db.session.scalar(sa.select(sa.func.count(Staff.id))) == 1


def violation_of(app: Flask, client_id: int) -> int:
    with app.app_context():
        return db.session.scalars(sa.select(Violation.id).where(Violation.client_id == client_id)).one()

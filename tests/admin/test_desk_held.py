"""A held desk for staff: the bar on every page, the page with the figures, and the two ways on."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import Flask

import jobs
from extensions import db, now
from models import AuditEvent, DeskHold, Mailing, OutboundEmail
from operations import desk_hold, letters, mailing_start
from tests import cast as people_of
from tests import factories as make
from tests.cast import Cast, Desk
from tests.support import violations as v
from tests.support.page import Node

HELD = "/admin/held/"


@pytest.fixture
def held(app: Flask, cast: Cast) -> int:
    """A desk that is held, with two letters, a violation due, a mailing and a client to be erased; the hold's id."""
    with make.scene(app):
        for template in ("reset_password", "ticket_answer"):
            letters.queue(template=template, to="a@client.example", language="en", context={}, project=make.project(),
                          now=now())  # fmt: skip
        v.violation(v.client_with_services(2))
        make.client(deleted_at=now() - timedelta(days=40))
        mailing = db.session.get_one(Mailing, cast.mailing)
        mailing.status, mailing.starts_at = "scheduled", now() + timedelta(days=1)
        return desk_hold.hold_by_hand(now=now()).id


def bar(page: Node) -> list[Node]:
    return page.all("div", data_desk_held="")


def test_nothing_is_said_while_nothing_is_held(owner: Desk) -> None:
    assert bar(owner.page("/admin/")) == []
    assert "Nothing is held" in owner.page(HELD).text
    assert "delayed" not in owner.visitor.get("/reset-password/sent").text


def test_every_page_says_so_and_leads_those_who_may_to_the_figures(
    app: Flask, owner: Desk, cast: Cast, held: int
) -> None:
    auditor = people_of.log_in(app.test_client(), cast.auditor)
    for url in ("/admin/", "/admin/clients/", f"/admin/clients/details/?id={cast.a.id}"):
        [said] = bar(owner.page(url))
        assert "no letter is sent" in said.text
        assert said.one("a")["href"] == HELD
        [said] = bar(auditor.page(url))
        assert said.all("a") == []
    page = owner.page(HELD)
    section = page.one("section", data_held=str(held))
    assert "held by hand" in section.text
    assert "Letters with links to set a password wait, too." in section.text
    waits = page.one("li", data_waits="letters").text
    assert "4 letters wait." in waits
    assert "about logins and passwords: 3" in waits
    assert page.one("li", data_mailing=str(cast.mailing)).text.endswith("0 recipients left")
    assert "Our letters are delayed just now" in app.test_client().get("/reset-password/sent").text
    for line in (
        "The deadline of 1 violation has passed; 2 services would be stopped.",
        "1 deleted client is due to be erased",
    ):
        assert line in section.text
    verbs = [button.text for form in section.all("form") for button in form.all("button")]
    assert verbs == ["Cancel what is old and go on", "Send 4 letters and do all that is due"]


def fields(page: Node, way: str) -> dict[str, str]:
    form = page.first("form", action="/admin/held/release")
    named = {one["name"]: one["value"] for one in form.all("input")}
    return {name: named[name] for name in ("hold", "until", "figures")} | {"way": way}


def test_what_was_seen_is_confirmed_once(app: Flask, owner: Desk, cast: Cast, held: int) -> None:
    seen = fields(owner.page(HELD), "all")
    with make.scene(app):
        db.session.execute(
            sa.update(OutboundEmail).where(OutboundEmail.template == "ticket_answer").values(status="cancelled")
        )
    changed = owner.follow(owner.post("/admin/held/release", seen))
    assert "What waits has changed meanwhile. Look at it again, then confirm." in changed.text
    assert "3 letters wait." in changed.text
    seen = fields(changed, "all")
    with make.scene(app):
        # What comes after one has looked does not keep one from confirming.
        make.letter(make.client(), status="queued", created_at=now() + timedelta(seconds=1))
    assert "The desk goes on" in owner.follow(owner.post("/admin/held/release", seen)).text
    assert "a colleague was quicker" in owner.follow(owner.post("/admin/held/release", seen)).text
    assert bar(owner.page("/admin/")) == []
    with app.app_context():
        event = db.session.scalars(sa.select(AuditEvent).where(AuditEvent.action == "release_desk")).one()
        assert event.staff_id == cast.owner.id
        assert event.after["waiting"]["deadlines"] == 1
        found = db.session.get_one(DeskHold, held)
        assert (found.is_open, found.is_dropped, found.released_by_id) == (False, False, cast.owner.id)
        assert mailing_start.due(now=now()) == []
        jobs.Worker().look_after_violations()
        assert len(v.events("execute")) == 1
    said = owner.page("/admin/audit/?module=settings").text
    assert "held the desk" in said
    assert "By hand" in said
    assert "let the desk go on" in said


def test_what_is_old_is_left_to_the_breaker(app: Flask, owner: Desk, held: int) -> None:
    page = owner.follow(owner.post("/admin/held/release", fields(owner.page(HELD), "drop")))
    assert "What was due before is cancelled" in page.text
    [said] = page.all("div", class_="breaker")
    assert "Nothing is stopped by itself just now" in said.text
    page = owner.page("/admin/violations/held/")
    assert "A copy of the database was put back" in page.text
    assert "Carry out 1 violation" in page.text
    with app.app_context():
        assert {letter.status.value for letter in db.session.scalars(sa.select(OutboundEmail))} == {"cancelled"}
        assert v.events("execute") == []


@pytest.mark.engine("sqlite")
def test_what_makes_no_sense_is_refused(owner: Desk, held: int) -> None:
    seen = fields(owner.page(HELD), "all")
    for wrong in ({"way": "both"}, {"hold": "x"}, {"hold": "0"}, {"until": "soon"}, {"until": "2026-01-01T00:00"}):
        assert owner.post("/admin/held/release", {**seen, **wrong}).status_code == 400
    assert bar(owner.page("/admin/"))

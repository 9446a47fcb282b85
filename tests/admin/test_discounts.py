"""Discounts of a client and of its groups: what is shown, what meets, and ending several at once."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from extensions import db, now
from models import AuditEvent, Client, Discount
from tests import cast as people_of
from tests import factories as make
from tests.cast import Cast, Desk
from tests.support import page as pages


def ends(app: Flask, number: int) -> date | None:
    with app.app_context():
        return db.session.get_one(Discount, number).ends_on


@pytest.fixture
def given(app: Flask, cast: Cast) -> dict[str, int]:
    """A discount of each kind for client A and its group, and one of a foreign group; today is in the middle."""
    today = now().date()
    with make.scene(app):
        a = db.session.get_one(Client, cast.a.id)
        mine, theirs = make.group("Mine", a), make.group("Theirs", db.session.get_one(Client, cast.b.id))
        rows = {
            "running": Discount(client=a, percent=Decimal(5)),
            "ended": Discount(client=a, percent=Decimal(5), ends_on=today - timedelta(days=1)),
            "later": Discount(client=a, amount=Decimal(3), starts_on=today + timedelta(days=9)),
            "group": Discount(group=mine, percent=Decimal(15)),
            "foreign": Discount(group=theirs, percent=Decimal(25)),
        }
        db.session.add_all(rows.values())
        db.session.flush()
        return {name: row.id for name, row in rows.items()}


def test_a_client_has_its_own_and_those_of_its_groups_marked_where_they_come_from(
    cast: Cast, owner: Desk, given: dict[str, int]
) -> None:
    page = owner.page(f"/admin/discounts/?client={cast.a.id}")
    shown = pages.row_ids(page)
    assert set(shown) == {
        cast.a.records["discounts"],
        *(given[name] for name in ("running", "ended", "later", "group")),
    }
    assert pages.cell(page, given["running"], "Where it comes from").text == "the client's own"
    assert pages.cell(page, given["group"], "Where it comes from").text == "group «Mine»"
    states = {name: pages.cell(page, given[name], "State").text for name in ("running", "ended", "later", "group")}
    assert states == {"running": "in force", "ended": "ended", "later": "not yet", "group": "in force"}
    assert pages.cell(page, given["running"], "Product").text == "all products"
    for state, names in (("now", {"running", "group"}), ("over", {"ended"}), ("later", {"later"})):
        ids = set(owner.ids(f"/admin/discounts/?client={cast.a.id}&state={state}"))
        assert ids - {cast.a.records["discounts"]} == {given[name] for name in names}


def test_a_new_one_is_for_the_client_of_the_toolbar(app: Flask, cast: Cast, owner: Desk) -> None:
    url = f"/admin/discounts/new/?client={cast.b.id}"
    held = pages.values(owner.page(url))
    assert held["client"] == [str(cast.b.id)]
    answer = owner.post(url, {**held, "amount": "2,50", "starts_on": "2026-01-01"})
    assert answer.status_code == 302
    with app.app_context():
        made = db.session.scalars(sa.select(Discount).order_by(Discount.id.desc())).first()
        assert made is not None
        assert (made.client_id, made.amount, made.percent, made.starts_on) == (
            cast.b.id, Decimal("2.50"), None, date(2026, 1, 1),
        )  # fmt: skip


def test_those_that_meet_are_told_with_what_counts_then(
    app: Flask, cast: Cast, owner: Desk, given: dict[str, int]
) -> None:
    with make.scene(app):
        one, other = make.product("One").id, make.product("Other").id
    fields = {
        "client": str(cast.b.id),
        "percent": "10",
        "product": str(one),
        "starts_on": "2026-01-01",
        "ends_on": "2026-06-30",
    }
    first = owner.post("/admin/discounts/new/", fields)
    said = pages.messages(owner.follow(first))
    assert [category for category, _text in said] == ["success", "warning"]
    assert "25.00 %, all products" in said[1][1], "of its group"
    assert "the one that takes off the most counts" in said[1][1]
    number = int(first.location.rpartition("=")[2])
    for changes, meets in (
        ({"product": str(other)}, False), ({"product": ""}, True), ({"starts_on": "2026-06-30", "ends_on": ""}, True),
        ({"starts_on": "2026-07-01", "ends_on": ""}, False), ({"starts_on": "", "ends_on": "2025-12-31"}, False),
        ({"client": str(cast.a.id)}, False),
    ):  # fmt: skip
        page = owner.follow(owner.post("/admin/discounts/new/", {**fields, **changes}))
        told = " ".join(text for category, text in pages.messages(page) if category == "warning")
        assert (f"#{number}, 10.00 %, One" in told) is meets, changes
    page = owner.page(f"/admin/discounts/details/?id={number}")
    assert "Other discounts for the same" in page.text
    assert page.all("a", href=f"/admin/discounts/details/?id={given['foreign']}")


def bulk(desk: Desk, action: str, ids: list[int], query: str = "") -> str:
    answer = desk.post(f"/admin/discounts/action/{query}", [("action", action), *[("rowid", str(one)) for one in ids]])
    assert answer.status_code == 302
    return str(answer.location)


def confirm(desk: Desk, url: str, **fields: Any) -> list[tuple[str, str]]:
    held = pages.values(desk.page(url))
    return pages.messages(desk.follow(desk.post(url, {**held, **fields})))


def test_several_end_on_a_day_and_it_is_said_which_were_left_alone(
    app: Flask, cast: Cast, owner: Desk, given: dict[str, int]
) -> None:
    day = now().date() + timedelta(days=2)
    url = bulk(owner, "end", [given[name] for name in ("running", "ended", "later", "group")])
    assert "Rows that this is for: 4" in owner.page(url).text
    before = people_of.digest(app)
    page = owner.refused(url, {**pages.values(owner.page(url)), "ends_on": "tomorrow"})
    assert "Not a valid date" in pages.errors(page)["ends_on"]
    assert people_of.digest(app) == before
    shown = day.strftime("%d.%m.%Y")
    assert confirm(owner, url, ends_on=day.isoformat()) == [
        ("success", f"2 discounts end on {shown}. Skipped 2: they end before or begin after."),
    ]
    assert {name: ends(app, number) for name, number in given.items()} == {
        "running": day, "ended": now().date() - timedelta(days=1), "later": None, "group": day, "foreign": None,
    }  # fmt: skip
    with app.app_context():
        events = db.session.scalars(
            sa.select(AuditEvent).where(AuditEvent.module == "discounts", AuditEvent.record_id == given["running"])
            .order_by(AuditEvent.id.desc())
        ).first()  # fmt: skip
        assert events is not None
        assert (events.before, events.after) == ({"ends_on": None}, {"ends_on": day.isoformat()})
    assert f"To: — → {shown}" in owner.page("/admin/audit/?module=discounts").text
    assert (
        owner.post(url, {"selection": url.rpartition("=")[2], "count": "4", "ends_on": day.isoformat()}).status_code
        == 302
    )
    assert "This was done already." in owner.page("/admin/discounts/").text


def test_under_the_filter_those_of_groups_are_left_alone(
    app: Flask, cast: Cast, owner: Desk, given: dict[str, int]
) -> None:
    owner.post("/admin/clients/scope/", id=cast.a.id)
    url = bulk(owner, "end", [given["running"], given["group"]])
    assert "Discounts of groups are left alone while the filter by client is on." in owner.page(url).text
    confirm(owner, url)
    assert ends(app, given["running"]) == now().date()
    assert ends(app, given["group"]) is None
    assert owner.post("/admin/discounts/action/", action="end", rowid=given["foreign"]).status_code == 404
    page = owner.follow(owner.post("/admin/discounts/delete/", id=given["group"]))
    assert pages.messages(page) == [
        ("error", "This discount is of a whole group. Remove the filter by client first."),
    ]  # fmt: skip
    url = f"/admin/discounts/edit/?id={given['group']}"
    page = owner.refused(url, pages.values(owner.page(url)))
    assert "The client filter is on" in pages.errors(page)["client"]


def test_several_are_deleted_after_a_question(app: Flask, cast: Cast, owner: Desk, given: dict[str, int]) -> None:
    url = bulk(owner, "delete", [given["ended"], given["later"]])
    assert ends(app, given["later"]) is None, "nothing was done yet"
    assert confirm(owner, url) == [("success", "2 discounts deleted.")]
    with app.app_context():
        assert db.session.get(Discount, given["ended"]) is None
        deleted = sa.select(sa.func.count()).where(AuditEvent.module == "discounts", AuditEvent.action == "delete")
        assert db.session.scalar(deleted) == 2


def test_all_that_match_can_be_meant(app: Flask, cast: Cast, owner: Desk, given: dict[str, int]) -> None:
    answer = owner.post("/admin/discounts/action/?state=over", action="delete", all="1")
    page = owner.page(answer.location)
    assert "Rows that this is for: 1 (State: ended)" in page.text
    assert confirm(owner, answer.location) == [("success", "1 discount deleted.")]

"""Groups of a client and projects open to it, as lists that are switched on and off, several at once."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from playwright.sync_api import expect

from extensions import db
from models import AuditEvent, Client
from tests import cast as people_of
from tests import factories as make
from tests.cast import Cast, Desk
from tests.support import page as pages
from tests.support import people


def groups_of(app: Flask, number: int) -> set[int]:
    with app.app_context():
        return {group.id for group in db.session.get_one(Client, number).groups}


def projects_of(app: Flask, number: int) -> set[int]:
    with app.app_context():
        return {project.id for project in db.session.get_one(Client, number).projects}


def switch(desk: Desk, module: str, client: int, action: str, *ids: int, **more: Any) -> Any:
    pairs = [("action", action), *[("rowid", str(number)) for number in ids], *more.items()]
    return desk.post(f"/admin/{module}/action/?client={client}", pairs)


def said(desk: Desk, answer: Any) -> tuple[str, str]:
    [message] = pages.messages(desk.follow(answer))
    return message


@pytest.fixture
def groups(app: Flask, cast: Cast) -> list[int]:
    """Three groups; client A is in the first, client B in the second."""
    with make.scene(app):
        a, b = (db.session.get_one(Client, side.id) for side in (cast.a, cast.b))
        return [make.group("Alpha", a).id, make.group("Beta", b).id, make.group("Gamma").id]


def test_the_list_of_a_client_shows_all_groups_and_which_it_is_in(cast: Cast, owner: Desk, groups: list[int]) -> None:
    page = owner.page(f"/admin/groups/?client={cast.a.id}")
    assert set(groups) <= set(pages.row_ids(page))
    marks = {number: pages.cell(page, number, "For this client").text for number in groups}
    assert marks == dict(zip(groups, ("On", "Off", "Off"), strict=True))
    assert owner.ids(f"/admin/groups/?client={cast.a.id}&on=1") == [groups[0]]
    tabs = page.one("nav", class_="tabs")
    assert [tab.text for tab in tabs.all("a")] == ["All", "On"]
    buttons = [button["value"] for button in page.all("button", name="action")]
    assert buttons == ["on", "off"]
    plain = owner.page("/admin/groups/")
    assert "For this client" not in pages.columns(plain)
    assert plain.all("button", name="action") == []


def test_ticked_groups_are_switched_in_one_transaction_and_written_down_with_their_names(
    app: Flask, cast: Cast, owner: Desk, groups: list[int]
) -> None:
    version = people_of.client_row(app, cast.a.id)["row_version"]
    url = f"/admin/groups/?client={cast.a.id}"
    answer = switch(owner, "groups", cast.a.id, "on", *groups, url=url)
    assert answer.location == url
    assert said(owner, answer) == ("success", "Switched on: Beta, Gamma. Skipped 1: it was so already.")
    assert groups_of(app, cast.a.id) == set(groups)
    assert groups_of(app, cast.b.id) == {groups[1]}
    assert people_of.client_row(app, cast.a.id)["row_version"] == version + 1
    with app.app_context():
        event = db.session.scalars(sa.select(AuditEvent).order_by(AuditEvent.id.desc())).first()
        assert event is not None
        assert (event.module, event.record_id, event.staff_id) == ("clients", cast.a.id, cast.owner.id)
        assert (event.before["groups"], event.after["groups"]) == ([groups[0]], sorted(groups))
    assert "Groups: Alpha → Alpha, Beta, Gamma" in owner.page(f"/admin/audit/?client={cast.a.id}").text
    answer = switch(owner, "groups", cast.a.id, "off", groups[0], groups[1], url=url)
    assert said(owner, answer) == ("success", "Switched off: Alpha, Beta.")
    assert groups_of(app, cast.a.id) == {groups[2]}


def test_all_that_match_are_switched(app: Flask, cast: Cast, owner: Desk, groups: list[int]) -> None:
    answer = owner.post(f"/admin/groups/action/?client={cast.a.id}&search=a", action="on", all="1")
    assert said(owner, answer)[0] == "success"
    assert set(groups) <= groups_of(app, cast.a.id)
    before = groups_of(app, cast.a.id)
    answer = owner.post(f"/admin/groups/action/?client={cast.a.id}&nonsense=1", action="off", all="1")
    assert said(owner, answer)[0] == "error"
    assert groups_of(app, cast.a.id) == before


def test_with_the_filter_by_client_kept_it_is_the_same(app: Flask, cast: Cast, owner: Desk, groups: list[int]) -> None:
    owner.post("/admin/clients/scope/", id=cast.b.id)
    owner.post("/admin/groups/action/", action="on", rowid=groups[2])
    assert groups_of(app, cast.b.id) == {groups[1], groups[2]}


def test_the_home_project_is_always_on(app: Flask, cast: Cast, owner: Desk) -> None:
    page = owner.page(f"/admin/projects/?client={cast.a.id}")
    assert pages.cell(page, cast.project_a, "For this client").text == "On home project"
    assert pages.cell(page, cast.project_b, "For this client").text == "Off"
    answer = switch(owner, "projects", cast.a.id, "on", cast.project_a, cast.project_b)
    assert said(owner, answer) == ("success", "Switched on: Beta Telecom. Skipped 1: it was so already.")
    assert projects_of(app, cast.a.id) == {cast.project_b}
    answer = switch(owner, "projects", cast.a.id, "off", cast.project_a, cast.project_b)
    assert said(owner, answer) == (
        "success", "Switched off: Beta Telecom. Skipped 1: the home project is always on.",
    )  # fmt: skip
    assert projects_of(app, cast.a.id) == set()
    answer = switch(owner, "projects", cast.a.id, "off", cast.project_a)
    assert said(owner, answer) == ("warning", "Nothing was changed. Skipped 1: the home project is always on.")
    assert people_of.client_row(app, cast.a.id)["project_id"] == cast.project_a


def test_without_a_client_without_a_tick_and_without_the_right_nothing_is_switched(
    app: Flask, cast: Cast, owner: Desk, log_in: Callable[[str], Desk], groups: list[int]
) -> None:
    before = people_of.digest(app)
    assert said(owner, owner.post("/admin/groups/action/", action="on", rowid=groups[1]))[0] == "error"
    assert said(owner, switch(owner, "groups", cast.a.id, "on")) == (
        "error", "Nothing is selected. Tick the rows first.",
    )  # fmt: skip
    assert switch(owner, "groups", 999, "on", groups[1]).status_code == 302
    assert switch(owner, "groups", cast.a.id, "on", 2**31 - 1).status_code == 404
    assert switch(owner, "groups", cast.a.id, "dance", groups[1]).status_code == 404
    for role in ("support", "accountant", "auditor"):
        desk = log_in(role)
        assert switch(desk, "groups", cast.a.id, "on", groups[1]).status_code == 403
        page = desk.get(f"/admin/groups/?client={cast.a.id}")
        assert 'value="off"' not in page.text
    assert people_of.digest(app) == before


@pytest.mark.timeout(120)
def test_two_who_switch_at_once_lose_nothing(
    app: Flask, cast: Cast, log_in: Callable[[str], Desk], groups: list[int]
) -> None:
    desks = [log_in("owner") for _each in range(2)]
    for desk in desks:
        assert desk.token
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda turn: switch(desks[turn], "groups", cast.a.id, "on", groups[1 + turn]), range(2)))
    assert groups_of(app, cast.a.id) == set(groups)


def test_a_group_says_how_many_clients_are_in_it_and_leads_to_them(
    app: Flask, cast: Cast, owner: Desk, groups: list[int]
) -> None:
    with make.scene(app):
        make.group("Full", *[make.client() for _each in range(3)])
    full = owner.ids("/admin/groups/?search=Full")[0]
    for number, count in ((groups[0], "1"), (groups[2], "0"), (full, "3")):
        page = owner.page(f"/admin/groups/details/?id={number}")
        assert page.one("a", href=f"/admin/clients/?group={number}").text == count
    assert len(owner.ids(f"/admin/clients/?group={full}")) == 3
    page = owner.page(f"/admin/projects/details/?id={cast.project_b}")
    assert page.one("a", href=f"/admin/clients/?project={cast.project_b}").text == "1"


@pytest.mark.engine("sqlite")
@pytest.mark.browser_options(java_script_enabled=False)
def test_it_works_without_scripts(app: Flask, cast: Cast, live_server: Any, page: Any, groups: list[int]) -> None:
    page.goto(f"{live_server.url}/admin/login")
    page.fill("[name=username]", "owner")
    page.fill("[name=password]", people.PASSWORD)
    page.press("[name=password]", "Enter")
    page.goto(f"{live_server.url}/admin/groups/?client={cast.a.id}")
    for number in groups[1:]:
        page.locator(f"tr[data-id='{number}'] input[name=rowid]").check()
    page.get_by_role("button", name="On", exact=True).click()
    expect(page.get_by_text("Switched on: Beta, Gamma.")).to_be_visible()
    expect(page.locator(f"tr[data-id='{groups[2]}'] .badge")).to_have_text("On")
    assert groups_of(app, cast.a.id) == set(groups)

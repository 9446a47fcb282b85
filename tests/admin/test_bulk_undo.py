"""Taking back what was done to many clients: whoever may do it, once, where nobody has decided anything since."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from extensions import Clock, db, now
from models import AuditEvent, BulkChange, Characterization, Client, ClientGroup, client_group_members
from tests import cast as people_of
from tests import factories as make
from tests.cast import Cast, Desk
from tests.support import bulk
from tests.support import page as pages

PAGE = "/admin/clients/bulk-changes/"
OF_CLIENTS = ("project_id", "characterization_id", "characterization_by_id", "characterization_at",
              "characterization_reason", "language", "deleted_at")  # fmt: skip


@pytest.fixture
def six(app: Flask, cast: Cast) -> list[int]:
    """Six clients unlike one another: characterizations with a history and without, projects, languages, groups."""
    with make.scene(app):
        good, conflict = make.characterization("good"), make.characterization("conflict")
        far = make.project("Far", currency="USD")
        told = {"characterization_by_id": cast.support.id, "characterization_at": now() - timedelta(days=3)}
        made = [
            make.client("Six 0"),
            make.client("Six 1", characterization=conflict, characterization_reason="Спам «x»", **told),
            make.client("Six 2", characterization=good, **told),
            make.client("Six 3", project=far, language="ru"),
            make.client("Six 4", language="ru"),
            make.client("Six 5"),
        ]
        make.group("Old", made[0], made[1])
        make.group("New", made[1], made[2])
        return [one.id for one in made]


def state(app: Flask, clients: list[int]) -> list[Any]:
    """What bulk changes set, of each client."""
    return [([people_of.client_row(app, one)[name] for name in OF_CLIENTS], groups(app, one)) for one in clients]


def groups(app: Flask, client: int) -> list[int]:
    members = client_group_members.c
    with app.app_context():
        return sorted(db.session.scalars(sa.select(members.group_id).where(members.client_id == client)))


def values_for(app: Flask, action: str) -> dict[str, Any]:
    with app.app_context():
        group = db.session.scalars(sa.select(ClientGroup.id).where(ClientGroup.name == "New")).one()
        good = make.characterization("good").id
        project = make.first(make.Project).id
    return {
        "set_characterization": {"characterization": good, "characterization_reason": "all of them"},
        "set_project": {"project": project},
        "set_language": {"language": "ru"},
        "add_group": {"group": group},
        "remove_group": {"group": group},
        "delete": {},
    }[action]


def do(app: Flask, desk: Desk, action: str, clients: list[int]) -> int:
    """Carry out a bulk action; the id of the change."""
    answer = bulk.press(desk, bulk.tick(desk, action, *clients), **values_for(app, action))
    assert answer.status_code == 302, pages.alerts(pages.read(answer.text))
    return bulk.last_change(app)


ACTIONS = ["set_characterization", "set_project", "set_language", "add_group", "remove_group", "delete"]


@pytest.mark.parametrize("action", ACTIONS)
def test_each_client_gets_back_what_it_had(app: Flask, cast: Cast, owner: Desk, six: list[int], action: str) -> None:
    before = state(app, six)
    change = do(app, owner, action, six)
    changed = state(app, six)
    told = bulk.events(app, change)
    assert {number for number, was, is_now in zip(six, before, changed, strict=True) if was != is_now} == set(told)

    page = owner.page("/admin/clients/")
    [form] = page.all("form", class_="undo")
    fields = {field["name"]: field["value"] for field in form.all("input")}
    assert (fields["id"], form["action"], form["method"]) == (str(change), bulk.UNDO, "post")
    clients = "client" if len(told) == 1 else "clients"
    assert pages.messages(owner.follow(owner.post(form["action"], fields)))[-1:] == [
        ("success", f"{len(told)} {clients} restored.")
    ]
    assert state(app, six) == before
    undoing = bulk.last_change(app)
    back = bulk.events(app, undoing)
    assert set(back) == set(told)
    if action != "delete":
        assert back == {number: (after, was) for number, (was, after) in told.items()}
    with app.app_context():
        kept = db.session.get_one(BulkChange, undoing)
        assert (kept.action, kept.undoes_id, kept.changed, kept.staff_id) == ("undo", change, len(told), cast.owner.id)


@pytest.mark.parametrize("action", ACTIONS)
def test_once_only(app: Flask, cast: Cast, owner: Desk, six: list[int], action: str) -> None:
    change = do(app, owner, action, six)
    bulk.undo(owner, change)
    after = people_of.digest(app)
    assert bulk.undo(owner, change) == [("info", "This was undone already.")]
    assert pages.messages(owner.follow(owner.get(f"{bulk.UNDO}?id={change}"))) == [("info", "This was undone already.")]
    assert owner.post(bulk.UNDO, id=bulk.last_change(app)).status_code == 404, "an undoing is not undone"
    assert people_of.digest(app) == after


def test_two_at_once_have_one_effect(app: Flask, cast: Cast, owner: Desk, six: list[int]) -> None:
    change = do(app, owner, "set_language", six)
    token = owner.token
    cookies = owner.visitor.get_cookie("staff_session")
    assert cookies is not None
    said: list[int] = []

    def press() -> None:
        visitor = app.test_client()
        visitor.set_cookie("staff_session", cookies.value)
        said.append(visitor.post(bulk.UNDO, data={"csrf_token": token, "id": change}).status_code)

    threads = [threading.Thread(target=press) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert said == [302] * 4
    changed = len(bulk.events(app, change))
    with app.app_context():
        assert db.session.scalar(sa.select(sa.func.count(BulkChange.id)).where(BulkChange.undoes_id == change)) == 1
        undone = sa.select(sa.func.count(AuditEvent.id)).where(AuditEvent.action == "undo")
        assert db.session.scalar(undone) == changed


# What was touched since


def test_who_was_changed_since_is_left_alone_also_when_it_is_the_same_again(
    app: Flask, cast: Cast, owner: Desk, six: list[int]
) -> None:
    change = do(app, owner, "set_language", six)
    for number, languages in ((six[0], ["en"]), (six[1], ["en", "ru"])):
        for language in languages:
            answer = owner.post("/admin/clients/ajax/update/", list_form_pk=number, language=language)
            assert answer.status_code == 200
    # Another field of a client is another matter.
    assert owner.post("/admin/clients/ajax/update/", list_form_pk=six[2], note="Called").status_code == 200
    bulk.press(owner, bulk.tick(owner, "delete", six[5]))
    question = owner.page(f"{bulk.UNDO}?id={change}")
    assert "1 client would be restored." in bulk.question(question)
    assert bulk.lines(question)[1:] == ["Skipped 1: deleted meanwhile.", "Skipped 2: changed since."]
    assert question.one("button", type="submit", class_="btn-primary").text == "Restore 1 client"

    done = owner.follow(owner.post(bulk.UNDO, pages.values(question)))
    assert pages.messages(done)[-1:] == [
        ("success", "1 client restored. Skipped 1: deleted meanwhile. Skipped 2: changed since.")
    ]
    languages = [people_of.client_row(app, number)["language"] for number in six]
    assert languages == ["en", "ru", "en", "ru", "ru", "ru"]
    assert people_of.client_row(app, six[2])["note"] == "Called"


def test_a_later_bulk_change_stands(app: Flask, cast: Cast, owner: Desk, six: list[int]) -> None:
    first = do(app, owner, "set_characterization", six)
    bulk.press(owner, bulk.tick(owner, "set_characterization", *six[:2]), characterization=_code(app, "conflict"))
    second = bulk.last_change(app)
    assert bulk.undo(owner, first) == [("success", "3 clients restored. Skipped 2: changed since.")]
    # What the second had found is there again once it is taken back itself.
    assert bulk.undo(owner, second) == [("success", "2 clients restored.")]
    assert people_of.client_row(app, six[0])["characterization_id"] == _code(app, "good")


def _code(app: Flask, code: str) -> int:
    with app.app_context():
        return make.characterization(code).id


def test_groups_are_judged_one_by_one(app: Flask, cast: Cast, owner: Desk, six: list[int]) -> None:
    """Into another group since is no obstacle, out of this one and in again is."""
    change = do(app, owner, "add_group", six)
    new = values_for(app, "add_group")["group"]
    with app.app_context():
        old = db.session.scalars(sa.select(ClientGroup.id).where(ClientGroup.name == "Old")).one()
    bulk.press(owner, bulk.tick(owner, "add_group", six[3]), group=old)
    bulk.press(owner, bulk.tick(owner, "remove_group", six[4]), group=new)
    with make.scene(app):
        client = db.session.get_one(Client, six[5])
        client.groups = []
        db.session.flush()
        client.groups = [db.session.get_one(ClientGroup, new)]
    assert bulk.undo(owner, change) == [("success", "2 clients restored. Skipped 2: changed since.")]
    assert [groups(app, one) for one in six] == [[old], sorted([old, new]), [new], [old], [], [new]]


def test_a_group_or_value_that_is_not_there_any_more(app: Flask, cast: Cast, owner: Desk, six: list[int]) -> None:
    with make.scene(app):
        gone = Characterization(code="gone", name="Gone")
        db.session.add(gone)
        db.session.flush()
        db.session.get_one(Client, six[0]).characterization = gone
        number = gone.id
    change = do(app, owner, "set_characterization", six[:2])
    assert owner.post("/admin/characterizations/delete/", id=number).status_code == 302
    assert bulk.undo(owner, change) == [
        ("success", "1 client restored. Skipped 1: what it was before is not there any more.")
    ]
    taken = do(app, owner, "remove_group", six)
    assert owner.post("/admin/groups/delete/", id=values_for(app, "add_group")["group"]).status_code == 302
    with make.scene(app):
        # On SQLite it may even get the number of the one that went.
        make.group("Another")
    assert bulk.undo(owner, taken) == [("error", "The group is not there any more.")]


def test_the_deleted_come_back_for_thirty_days_and_only_those_it_deleted(
    app: Flask, cast: Cast, owner: Desk, six: list[int], clock: Clock
) -> None:
    clock.set(now())
    do(app, owner, "delete", six[:1])
    clock.move(minutes=1)
    change = do(app, owner, "delete", six[1:4])
    owner.post("/admin/clients/restore/", id=six[1])
    clock.move(minutes=1)
    do(app, owner, "delete", six[1:2])
    assert bulk.undo(owner, change) == [("success", "2 clients restored. Skipped 1: changed since.")]
    alive = set(owner.ids("/admin/clients/"))
    assert {six[2], six[3]} <= alive
    assert not alive & {six[0], six[1]}

    late = do(app, owner, "delete", six[2:4])
    with make.scene(app):
        deleted = now() - timedelta(days=30, seconds=1)
        db.session.execute(sa.update(BulkChange).where(BulkChange.id == late).values(at=deleted))
        db.session.execute(sa.update(Client).where(Client.id.in_(six[2:4])).values(deleted_at=deleted))
    assert bulk.undo(owner, late) == [("error", "These clients were deleted more than 30 days ago.")]


def test_a_move_back_leaves_accounts_and_money_where_they_are(
    app: Flask, cast: Cast, owner: Desk, six: list[int]
) -> None:
    with make.scene(app):
        make.entry(db.session.get_one(Client, six[3]), "12.00")
    change = do(app, owner, "set_project", six)
    assert people_of.client_row(app, six[3])["balance"] == 0
    money = {name: rows for name, rows in people_of.digest(app).items() if name in {"accounts", "ledger_entries"}}
    bulk.undo(owner, change)
    assert people_of.client_row(app, six[3])["balance"] == Decimal(12)
    after = people_of.digest(app)
    assert {name: after[name] for name in money} == money


# Who may


def test_whoever_may_do_it_may_take_it_back_and_nobody_else(
    app: Flask, cast: Cast, owner: Desk, six: list[int], log_in: Callable[[str], Desk]
) -> None:
    language = do(app, owner, "set_language", six)
    removal = do(app, owner, "delete", six[:1])
    before = people_of.digest(app)
    for role in ("support", "accountant", "auditor"):
        desk = log_in(role)
        rows = desk.page(PAGE).all("tr", data_id=None)
        assert [row["data-id"] for row in rows] == [str(removal), str(language)]
        assert not [link for row in rows for link in row.all("a") if bulk.UNDO in link["href"]]
        for change in (language, removal):
            assert desk.post(bulk.UNDO, id=change).status_code == 403
            assert desk.get(f"{bulk.UNDO}?id={change}").status_code == 403
    assert people_of.digest(app) == before
    manager = log_in("manager")
    assert bulk.undo(manager, removal) == [("success", "1 client restored.")]
    assert bulk.undo(manager, language)[0][0] == "success"


def test_what_is_no_change_and_a_form_without_its_token(app: Flask, cast: Cast, owner: Desk, six: list[int]) -> None:
    change = do(app, owner, "set_language", six)
    before = people_of.digest(app)
    for number in ("", "0", "-1", "abc", "999999", "2147483648"):
        assert owner.post(bulk.UNDO, id=number).status_code == 404
        assert owner.get(f"{bulk.UNDO}?id={number}").status_code == 404
    assert owner.visitor.post(bulk.UNDO, data={"id": change}).status_code == 400
    assert owner.post(bulk.UNDO, id=change, url="//evil.example").status_code == 400
    assert people_of.digest(app) == before


def test_while_the_filter_by_client_is_on_nothing_is_done_to_others(
    app: Flask, cast: Cast, owner: Desk, six: list[int]
) -> None:
    change = do(app, owner, "set_language", six)
    one = do(app, owner, "add_group", [cast.a.id])
    owner.post("/admin/clients/scope/", id=cast.a.id)
    before = people_of.digest(app)
    assert bulk.undo(owner, change)[0][0] == "error"
    assert people_of.digest(app) == before
    assert bulk.undo(owner, one) == [("success", "1 client restored.")]


# The list of them


def test_the_page_says_what_was_done_and_leads_to_its_events(
    app: Flask, cast: Cast, owner: Desk, six: list[int]
) -> None:
    assert "Nothing was done to many clients at once yet." in owner.page(PAGE).text
    assert owner.page("/admin/clients/").one("a", href=PAGE).get("title") == "Bulk changes"
    nothing = do(app, owner, "set_language", [six[3]])
    change = do(app, owner, "set_characterization", six)
    page = owner.page(PAGE)
    assert pages.row_ids(page) == [change, nothing]
    row = {name: pages.cell(page, change, name).text for name in ("What", "Who", "For whom", "Changed", "Skipped")}
    assert row == {
        "What": "Characterization: Good", "Who": row["Who"], "For whom": "ticked in the list", "Changed": "5",
        "Skipped": "1: had it already",
    }  # fmt: skip
    assert not [link for link in page.one("tr", data_id=str(nothing)).all("a") if bulk.UNDO in link["href"]]
    [undo] = [link for link in page.one("tr", data_id=str(change)).all("a") if bulk.UNDO in link["href"]]
    events = owner.page(page.one("tr", data_id=str(change)).one("a", class_="title")["href"])
    assert len(pages.row_ids(events)) == 5
    question = owner.page(undo["href"])
    assert owner.post(bulk.UNDO, pages.values(question)).location == PAGE
    assert "Undone on" in owner.page(PAGE).one("tr", data_id=str(change)).text
    assert pages.row_ids(owner.page(PAGE)) == [change, nothing], "an undoing stands with what it undid"

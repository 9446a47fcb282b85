"""Taking an import back in the admin: the sheet that says what goes, the button, and who may press it."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from extensions import db
from models import AuditEvent, Client, ClientGroup, ImportBatch
from tests import factories as make
from tests.admin.test_imports import ADDRESS, clients, confirm, rehearse, see, tabs
from tests.imports_data import as_csv, whmcs_rows
from tests.support import page, people
from tests.support.page import Node

RIGHTS = ("clients.view", "clients.create", "clients.edit", "clients.delete")


@pytest.fixture
def boss(app: Flask, client: FlaskClient) -> FlaskClient:
    """Somebody logged in who may do all that an import and its taking back do."""
    with app.app_context():
        people.staff("boss", *RIGHTS)
    return people.log_in_staff(client, "boss")


def bring_in(visitor: FlaskClient, rows: Any) -> str:
    """Bring the rows in; returns the address of the import's page."""
    address = rehearse(visitor, as_csv(rows))
    confirm(visitor, address)
    return address


def take_back(visitor: FlaskClient, address: str, token: str = "") -> Node:
    token = token or people.token_of(visitor.get(f"{address}undo/"))
    answer = visitor.post(f"{address}undo/", data={"csrf_token": token})
    assert answer.status_code == 302, answer.text
    return see(visitor, answer.location)


def test_from_the_import_to_its_taking_back_and_in_again(app: Flask, boss: FlaskClient) -> None:
    rows = list(whmcs_rows(30))
    address = bring_in(boss, rows)
    assert see(boss, address).all("a", href=f"{address}undo/")
    sheet = see(boss, f"{address}undo/")
    told = [line.text for line in sheet.first("ul", class_="impact").all("li")]
    assert told == [
        "30 clients go for good", "1 of them is deleted already", "30 users go", "30 payers go",
        "30 accounts without any movement go", "groups that it made go: 1, VIP",
    ]  # fmt: skip
    with app.app_context():
        assert clients() == 30

    done = take_back(boss, address)
    assert page.messages(done) == [("success", "The import was taken back.")]
    assert not done.all("a", href=f"{address}undo/")
    assert "Clients removed: 30; clients with their old values again: 0." in done.text
    assert "Groups removed: 1, VIP" in done.text
    assert "Taken back" in see(boss, ADDRESS).first("table", class_="plain-table").text
    with app.app_context():
        assert clients() == 0
        assert db.session.scalars(sa.select(ClientGroup)).all() == []
        batch = db.session.scalars(sa.select(ImportBatch)).one()
        assert (batch.status, batch.undone_at is not None) == ("undone", True)
        whole = db.session.scalars(
            sa.select(AuditEvent).where(AuditEvent.action == "undo_import", AuditEvent.client_id.is_(None))
        ).one()
        assert (whole.staff_id, whole.ip, whole.after["clients"]) == (batch.staff_id, "127.0.0.1", 30)

    again = rehearse(boss, as_csv(rows))
    assert tabs(see(boss, again))["New"] == "30"
    confirm(boss, again)
    with app.app_context():
        assert clients() == 30


def test_two_tabs_take_back_once(app: Flask, boss: FlaskClient) -> None:
    address = bring_in(boss, whmcs_rows(2))
    token = people.token_of(boss.get(f"{address}undo/"))
    assert page.messages(take_back(boss, address, token))[0][0] == "success"
    assert page.messages(take_back(boss, address, token)) == [("error", "This import was taken back already.")]
    assert page.messages(see(boss, boss.get(f"{address}undo/").location)) == [
        ("error", "This import was taken back already.")
    ]


def test_what_hangs_on_a_client_is_named_and_there_is_no_button(app: Flask, boss: FlaskClient) -> None:
    address = bring_in(boss, whmcs_rows(3))
    token = people.token_of(boss.get(f"{address}undo/"))
    with make.scene(app):
        held = db.session.scalars(sa.select(Client).order_by(Client.id)).all()
        make.ticket(held[0])
        held[1].name = "<b>Edited</b>"
        held_ids = [held[0].id, held[1].id]
    sheet = see(boss, f"{address}undo/")
    assert "something hangs on 2 of its clients (3)" in sheet.text
    assert [line.text for line in sheet.first("ul", class_="impact").all("li")] == ["Tickets: 1", "Changed since: 1"]
    rows = sheet.all("tr", data_id=None)
    assert [int(row["data-id"]) for row in rows] == held_ids
    assert "Tickets" in rows[0].text
    assert "<b>Edited</b>" in rows[1].text
    assert not [form for form in sheet.all("form", method="post") if form.get("action", "") in {"", f"{address}undo/"}]

    refused = take_back(boss, address, token)
    assert page.messages(refused) == [("error", "Nothing was taken back: something hangs on 2 clients of this import.")]
    with app.app_context():
        assert clients() == 3
        assert db.session.scalars(sa.select(ImportBatch.status)).one() == "done"


def test_values_that_stay_are_listed_before_and_after(app: Flask, boss: FlaskClient) -> None:
    rows = list(whmcs_rows(2))
    first = bring_in(boss, rows)
    for row in rows:
        row |= {"notes": "From the second file", "country": "CZ"}
    second = bring_in(boss, rows)
    assert "Changed by another import" in see(boss, f"{first}undo/").text
    with make.scene(app):
        mine = db.session.scalars(sa.select(Client).order_by(Client.id)).first()
        mine.note = "Mine"
        mine_id = mine.id
    told = "note: changed since"
    assert told in see(boss, f"{second}undo/").all("tr", data_kept=str(mine_id))[0].text
    done = take_back(boss, second)
    assert told in done.all("tr", data_kept=str(mine_id))[0].text
    assert page.messages(done) == [("success", "The import was taken back.")]
    with app.app_context():
        found = db.session.execute(sa.select(Client.note, Client.country).order_by(Client.id)).all()
        assert found[0][0] == "Mine"
        assert "CZ" not in {country for _note, country in found}


@pytest.mark.parametrize("missing", RIGHTS[1:])
def test_who_may_not_sees_no_button_and_is_refused(app: Flask, boss: FlaskClient, missing: str) -> None:
    address = bring_in(boss, whmcs_rows(1))
    with app.app_context():
        people.staff("anna", *(set(RIGHTS) - {missing}))
    visitor = people.log_in_staff(app.test_client(), "anna")
    token = people.token_of(visitor.get("/admin/"))
    if missing == "clients.delete":
        assert not see(visitor, address).all("a", href=f"{address}undo/")
    else:
        assert visitor.get(address).status_code == 403
    assert visitor.get(f"{address}undo/").status_code == 403
    assert visitor.post(f"{address}undo/", data={"csrf_token": token}).status_code == 403
    with app.app_context():
        assert clients() == 1


def test_what_is_not_there_or_was_never_carried_out(boss: FlaskClient) -> None:
    assert boss.get(f"{ADDRESS}77/undo/").status_code == 404
    address = rehearse(boss, as_csv(whmcs_rows(1)))
    assert not see(boss, address).all("a", href=f"{address}undo/")
    answer = boss.get(f"{address}undo/")
    assert page.messages(see(boss, answer.location)) == [
        ("error", "This import was never carried out, so there is nothing to take back.")
    ]
    assert boss.post(f"{address}undo/").status_code == 400


def test_the_filter_by_client_is_removed_first(app: Flask, boss: FlaskClient) -> None:
    """Both are about many clients, so none is done in the name of one."""
    address = bring_in(boss, whmcs_rows(3))
    waiting = rehearse(boss, as_csv(whmcs_rows(2, first_id=9000, seed=5)))
    with app.app_context():
        client_id = db.session.scalars(sa.select(Client.id).order_by(Client.id)).first()
    people.post(boss, "/admin/clients/scope/", page="/admin/clients/", id=str(client_id))
    assert "The filter by client is on." in see(boss, f"{address}undo/").text
    said = "This is for other clients too, and the filter by client is on. Remove the filter first."
    assert page.messages(take_back(boss, address)) == [("error", said)]
    assert page.messages(confirm(boss, waiting)) == [("error", said)]
    with app.app_context():
        assert clients() == 3
    people.post(boss, "/admin/clients/scope/", page="/admin/clients/", id="")
    assert page.messages(take_back(boss, address))[0][0] == "success"
    assert page.messages(confirm(boss, waiting))[0][0] == "success"


def test_older_imports_are_a_page_further(app: Flask, boss: FlaskClient) -> None:
    with make.scene(app):
        db.session.add_all(ImportBatch(file_name=f"{number}.csv", status="done", counts={}) for number in range(25))
    first = see(boss, ADDRESS)
    names = [link.text for link in first.first("table", class_="plain-table").one("tbody").all("a")]
    assert names == [f"{number}.csv" for number in range(24, 4, -1)]
    older = see(boss, page.link(first, "next") or "")
    names = [link.text for link in older.first("table", class_="plain-table").one("tbody").all("a")]
    assert names == [f"{number}.csv" for number in range(4, -1, -1)]
    assert page.link(older, "next") is None
    for odd in ("x", "-1", "99999999999"):
        assert boss.get(f"{ADDRESS}?before={odd}").status_code == 200

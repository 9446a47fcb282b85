"""Bulk actions of clients: the rows ticked, or all that match; a page that says what will be done; one transaction."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from werkzeug.test import TestResponse

from extensions import Clock, db, now
from models import AuditEvent, Client, OutboundEmail, Selection, Session
from tests import cast as people_of
from tests import factories as make
from tests.cast import Cast, Desk
from tests.support import page as pages
from tests.support.page import Node
from tests.support.people import PASSWORD

ACTION = "/admin/clients/action/"


@pytest.fixture
def crowd(app: Flask, cast: Cast) -> list[int]:
    """Thirty more clients: ten of them French, and twelve conflict, of whom four are French."""
    with make.scene(app):
        conflict = make.characterization("conflict").id
        french = make.clients([f"French {number}" for number in range(6)], country="FR")
        both = make.clients([f"Both {number}" for number in range(4)], country="FR", characterization_id=conflict)
        others = make.clients([f"Conflict {number}" for number in range(8)], characterization_id=conflict)
        rest = make.clients([f"Rest {number}" for number in range(12)])
        return [*french, *both, *others, *rest]


def code_of(app: Flask, code: str) -> int:
    with app.app_context():
        return make.characterization(code).id


def characterized(app: Flask, code: str) -> set[int]:
    with app.app_context():
        return set(
            db.session.scalars(sa.select(Client.id).where(Client.characterization_id == make.characterization(code).id))
        )


def alive(app: Flask) -> set[int]:
    with app.app_context():
        return set(db.session.scalars(sa.select(Client.id).where(Client.deleted_at.is_(None))))


def tick(desk: Desk, action: str, *ids: object, address: str = ACTION, **fields: Any) -> TestResponse:
    return desk.post(address, [("action", action), *((("rowid"), str(number)) for number in ids), *fields.items()])


def all_that_match(desk: Desk, action: str, query: str = "", **fields: str) -> TestResponse:
    return desk.post(f"{ACTION}?{query}", action=action, all="1", **fields)


def carry_out(desk: Desk, page: Node, **fields: Any) -> TestResponse:
    """Press the button of the confirmation."""
    return desk.post("/admin/clients/bulk/", {**pages.values(page), **fields})


# Characterization


def test_the_rows_ticked_are_counted_confirmed_and_changed(
    app: Flask, cast: Cast, owner: Desk, crowd: list[int]
) -> None:
    good, chosen = code_of(app, "good"), [*crowd[5:8], cast.a.id]
    before = people_of.digest(app, but=("selections",))
    answer = tick(owner, "set_characterization", *chosen, url="/admin/clients/?country=FR")
    page = owner.follow(answer)
    assert "Rows that this is for: 4 (ticked in the list)." in page.one("form", class_="form-page").text
    lines = [line.text for line in page.one(class_="impact").all("li")]
    assert lines == ["Now Ordinary: 2", "Now Conflict: 2"]
    assert page.one("button", type="submit", class_="btn-primary").text == "Change 4 clients"
    assert people_of.digest(app, but=("selections",)) == before, "nothing is changed before it is confirmed"

    versions = {number: people_of.client_row(app, number)["row_version"] for number in chosen}
    answer = carry_out(owner, page, characterization=good, characterization_reason="spring cleaning")
    done = owner.follow(answer)
    assert answer.location == "/admin/clients/?country=FR"
    assert pages.messages(done) == [("success", "4 clients changed.")]
    assert characterized(app, "good") == set(chosen)
    for number in chosen:
        row = people_of.client_row(app, number)
        assert (row["characterization_by_id"], row["characterization_reason"]) == (cast.owner.id, "spring cleaning")
        assert row["characterization_at"] is not None
        assert row["row_version"] == versions[number] + 1, "who has the row's form open is told"


def test_the_audit_names_old_and_new_of_each(app: Flask, cast: Cast, owner: Desk, crowd: list[int]) -> None:
    good, conflict, ordinary = (code_of(app, code) for code in ("good", "conflict", "ordinary"))
    page = owner.follow(tick(owner, "set_characterization", *crowd[4:8]))
    carry_out(owner, page, characterization=good)
    with app.app_context():
        events = db.session.scalars(sa.select(AuditEvent).where(AuditEvent.action == "set_characterization")).all()
        told = {
            event.record_id: (event.before, event.after, event.staff_id, event.module, event.client_id, event.ip)
            for event in events
        }
    name = "characterization_id"
    assert told == {
        number: ({name: old}, {name: good}, cast.owner.id, "clients", number, "127.0.0.1")
        for number, old in zip(crowd[4:8], [ordinary, ordinary, conflict, conflict], strict=True)
    }


def test_all_that_match_are_meant_over_all_pages(app: Flask, cast: Cast, owner: Desk, crowd: list[int]) -> None:
    conflict = code_of(app, "conflict")
    page = owner.follow(
        all_that_match(owner, "set_characterization", f"country=FR&characterization={conflict}&page_size=20&sort=name")
    )
    assert "this is for: 4 (Country: France; Characterization: Conflict)." in page.one("form", class_="form-page").text
    carry_out(owner, page, characterization=code_of(app, "good"))
    assert characterized(app, "good") == set(crowd[6:10])

    page = owner.follow(all_that_match(owner, "set_characterization"))
    assert "this is for: 32 (All clients)." in page.one("form", class_="form-page").text
    done = owner.follow(carry_out(owner, page, characterization=code_of(app, "good")))
    assert pages.messages(done) == [("success", "28 clients changed. Skipped 4: had it already.")]
    assert characterized(app, "good") == alive(app)


def test_what_is_filled_in_wrong_is_said_beside_the_field_and_the_selection_stays(
    app: Flask, cast: Cast, owner: Desk
) -> None:
    page = owner.follow(tick(owner, "set_characterization", cast.a.id))
    for fields, field in (
        ({"characterization": "999"}, "characterization"),
        ({"characterization": ""}, "characterization"),
        ({"characterization_reason": "x" * 501}, "characterization_reason"),
    ):
        back = pages.read(carry_out(owner, page, **fields).text)
        assert set(pages.errors(back)) == {field}
        assert pages.values(back)["selection"] == pages.values(page)["selection"]
    assert characterized(app, "good") == set()


# A selection


def test_when_another_number_is_meant_meanwhile_it_is_asked_again(
    app: Flask, cast: Cast, owner: Desk, crowd: list[int]
) -> None:
    page = owner.follow(all_that_match(owner, "delete", "country=FR"))
    assert pages.values(page)["count"] == ["10"]
    with make.scene(app):
        make.clients(["One more"], country="FR")
    before = alive(app)
    again = pages.read(carry_out(owner, page).text)
    assert "Meanwhile a different number of rows is meant. Look at it again." in pages.alerts(again)
    assert pages.values(again)["count"] == ["11"]
    assert again.one("button", class_="btn-danger").text == "Delete 11 clients"
    assert alive(app) == before
    for count in ("", "1000000", "abc"):
        carry_out(owner, page, count=count)
        assert alive(app) == before
    assert carry_out(owner, again).status_code == 302
    assert len(alive(app)) == len(before) - 11


def test_one_confirmation_is_carried_out_once(app: Flask, cast: Cast, owner: Desk, crowd: list[int]) -> None:
    page = owner.follow(tick(owner, "set_characterization", crowd[0]))
    owner.follow(carry_out(owner, page, characterization=code_of(app, "good")))
    answer = carry_out(owner, page, characterization=code_of(app, "conflict"))
    assert pages.messages(owner.follow(answer)) == [("error", "This was done already.")]
    assert characterized(app, "good") == {crowd[0]}


def test_a_filter_that_is_not_understood_is_refused(app: Flask, cast: Cast, owner: Desk, crowd: list[int]) -> None:
    """A filter that went wrong must never come to mean everybody."""
    before = people_of.digest(app)
    for query in ("country=XX", "countri=FR", "id=abc", "page_size=7", "sort=nonsense", "country=FR&country=DE", "balance_below=x",
                  "search=" + "a" * 201):  # fmt: skip
        for action in ("delete", "set_characterization", "message"):
            answer = all_that_match(owner, action, query)
            page = owner.follow(answer)
            assert answer.location.startswith("/admin/clients/?")
            assert pages.messages(page)[0][0] == "error", (query, action)
            assert pages.row_ids(page) == []
    assert people_of.digest(app) == before


@pytest.mark.parametrize("action", ["delete", "set_characterization", "message"])
def test_nothing_ticked_is_told(app: Flask, cast: Cast, owner: Desk, action: str) -> None:
    before = people_of.digest(app)
    page = owner.follow(tick(owner, action))
    assert pages.messages(page) == [("error", "Nothing is selected. Tick the rows first.")]
    assert people_of.digest(app) == before


def test_what_is_no_row_is_not_found_and_rows_that_are_gone_are_left_out(
    app: Flask, cast: Cast, owner: Desk, crowd: list[int]
) -> None:
    for number in ("abc", "-1", "0", "2147483648", ""):
        assert tick(owner, "delete", crowd[0], number).status_code == 404
    with make.scene(app):
        gone = make.client("Gone", deleted_at=now()).id
    page = owner.follow(tick(owner, "delete", crowd[0], gone, 99999, crowd[0]))
    assert pages.values(page)["count"] == ["1"]
    assert carry_out(owner, page).status_code == 302
    assert crowd[0] not in alive(app)


def test_an_unknown_action_and_a_get_do_nothing(app: Flask, cast: Cast, owner: Desk) -> None:
    before = people_of.digest(app)
    for action in ("", "nonsense", "../delete", "__init__"):
        assert tick(owner, action, cast.a.id).status_code == 404
    assert owner.get(f"{ACTION}?action=delete&rowid={cast.a.id}").status_code == 405
    assert owner.get("/admin/clients/bulk/?selection=999").status_code == 404
    assert owner.get("/admin/clients/bulk/").status_code == 404
    assert people_of.digest(app) == before


def test_a_selection_is_of_who_made_it_and_of_its_action(
    app: Flask, cast: Cast, owner: Desk, log_in: Callable[[str], Desk], crowd: list[int]
) -> None:
    page = owner.follow(tick(owner, "delete", *crowd))
    number = pages.values(page)["selection"][0]
    manager = log_in("manager")
    assert manager.get(f"/admin/clients/bulk/?selection={number}").status_code == 404
    assert manager.post("/admin/clients/bulk/", selection=number, count=len(crowd)).status_code == 404
    # A selection for messages is not carried out as something else.
    tick(owner, "message", crowd[0])
    with app.app_context():
        message = db.session.scalars(sa.select(Selection.id).order_by(Selection.id.desc())).first()
    assert owner.post("/admin/clients/bulk/", selection=message, count=1).status_code == 404
    assert len(alive(app)) == len(crowd) + 2


def test_the_filter_of_a_selection_is_asked_anew_by_those_who_come_into_it_later(
    app: Flask, cast: Cast, owner: Desk, crowd: list[int]
) -> None:
    """Ticked rows are those rows for good; a filter means whoever matches when it is carried out, if as many as shown."""
    with make.scene(app):
        db.session.get_one(Client, crowd[0]).country = "DE"
    page = owner.follow(all_that_match(owner, "delete", "country=FR"))
    with make.scene(app):
        db.session.get_one(Client, crowd[1]).country = "DE"
        db.session.get_one(Client, crowd[0]).country = "FR"
    assert carry_out(owner, page).status_code == 302
    assert crowd[0] not in alive(app)
    assert crowd[1] in alive(app)


def test_a_message_leads_to_its_own_form_for_the_selection(app: Flask, cast: Cast, owner: Desk) -> None:
    answer = tick(owner, "message", cast.a.id, cast.b.id)
    assert answer.location.startswith("/admin/mailings/new/?selection=")
    with app.app_context():
        selection = db.session.scalars(sa.select(Selection).order_by(Selection.id.desc())).first()
        assert selection is not None
        assert (selection.action, selection.ids, selection.parameters, selection.count) == (
            "message",
            [cast.a.id, cast.b.id],
            None,
            2,
        )


def test_who_may_not_gets_no_further(app: Flask, cast: Cast, log_in: Callable[[str], Desk]) -> None:
    before = people_of.digest(app)
    refused = {
        "support": ["delete"],
        "auditor": ["delete", "set_characterization", "message"],
        "accountant": ["delete", "message"],
    }
    for role, actions in refused.items():
        desk = log_in(role)
        for action in actions:
            assert tick(desk, action, cast.a.id).status_code == 403, (role, action)
            assert all_that_match(desk, action).status_code == 403, (role, action)
    assert people_of.digest(app) == before
    assert tick(log_in("support"), "set_characterization", cast.a.id).status_code == 302


def test_who_loses_the_right_between_the_pages_gets_no_further(
    app: Flask, cast: Cast, log_in: Callable[[str], Desk]
) -> None:
    manager = log_in("manager")
    page = manager.follow(tick(manager, "delete", cast.a.id))
    with make.scene(app):
        role = people_of._seeded("manager")
        role.permissions = [right for right in role.permissions if right != "clients.delete"]
    assert carry_out(manager, page).status_code == 403
    assert cast.a.id in alive(app)


# Delete and restore


def test_deleting_shows_what_hangs_on_them_and_takes_them_out_of_everything(
    app: Flask, cast: Cast, owner: Desk, crowd: list[int]
) -> None:
    inside = people_of.log_in(app.test_client(), cast.a.owner)
    assert inside.get("/panel/").status_code == 200
    page = owner.follow(tick(owner, "delete", cast.a.id, crowd[0], crowd[1]))
    lines = [line.text for line in page.one(class_="impact").all("li")]
    assert lines == [
        "2 users will not be able to log in", "1 service is not ended", "1 invoice is not paid", "3 financial documents stay",
        "2 tickets are open", "They leave every list and can be restored for 30 days.",
    ]  # fmt: skip
    assert page.one("a", class_="btn", href="/admin/clients/").text == "Cancel"
    documents = people_of.digest(app)
    done = owner.follow(carry_out(owner, page))
    assert pages.messages(done) == [("success", "3 clients deleted.")]
    assert alive(app) == {cast.b.id, *crowd[2:]}

    assert "This client was deleted" in owner.page(f"/admin/clients/details/?id={cast.a.id}").text
    assert owner.ids(f"/admin/clients/?id={cast.a.id}") == []
    assert inside.get("/panel/").status_code == 302, "its users are out"
    login = Desk(app.test_client(), "/login").post("/login", username="anna", password=PASSWORD)
    assert login.status_code == 200
    with app.app_context():
        assert (
            db.session.scalar(sa.select(sa.func.count(Session.id)).where(Session.client_user_id == cast.a.owner.id))
            == 0
        )
        assert db.session.get_one(OutboundEmail, cast.a.records["emails"]).status == "skipped"
        actions = db.session.scalars(
            sa.select(AuditEvent.action).where(AuditEvent.client_id == cast.a.id, AuditEvent.module == "clients")
        )
        assert list(actions)[-1] == "delete"
    after = people_of.digest(app)
    for table in ("invoices", "payments", "acts", "ledger_entries", "accounts", "services", "tickets", "payers"):
        assert after[table] == documents[table], table


def test_a_deleted_client_comes_back_within_thirty_days(app: Flask, cast: Cast, owner: Desk, clock: Clock) -> None:
    clock.set(now())
    carry_out(owner, owner.follow(tick(owner, "delete", cast.a.id)))
    clock.move(minutes=10)
    page = owner.page("/admin/clients/deleted/")
    assert pages.row_ids(page) == [cast.a.id]
    answer = owner.post("/admin/clients/restore/", id=cast.a.id)
    done = owner.follow(answer)
    assert answer.location == f"/admin/clients/details/?id={cast.a.id}"
    assert pages.messages(done) == [("success", f"Client #{cast.a.id} Anna Alpha is back.")]
    assert cast.a.id in owner.ids("/admin/clients/")
    assert pages.row_ids(owner.page("/admin/clients/deleted/")) == []
    assert owner.post("/admin/clients/restore/", id=cast.a.id).status_code == 409
    user = Desk(app.test_client(), "/login")
    assert user.post("/login", username="anna", password=PASSWORD).status_code == 302


def test_after_thirty_days_it_does_not(app: Flask, cast: Cast, owner: Desk) -> None:
    with make.scene(app):
        late = make.client("Late", deleted_at=now() - timedelta(days=30, seconds=1)).id
        just = make.client("Just", deleted_at=now() - timedelta(days=29, hours=23)).id
    assert pages.row_ids(owner.page("/admin/clients/deleted/")) == [just]
    answer = owner.post("/admin/clients/restore/", id=late)
    assert answer.status_code == 409
    assert "more than 30 days ago" in answer.text
    assert owner.post("/admin/clients/restore/", id=just).status_code == 302
    for number in ("999", "abc", "", "-1"):
        assert owner.post("/admin/clients/restore/", id=number).status_code == 404


def test_one_client_is_deleted_from_its_page_after_its_own_confirmation(app: Flask, cast: Cast, owner: Desk) -> None:
    page = owner.page(f"/admin/clients/delete/?id={cast.a.id}")
    assert f"Delete #{cast.a.id} Anna Alpha?" in page.text
    assert "1 invoice is not paid" in page.one(class_="impact").text
    assert cast.a.id in alive(app)
    answer = owner.post("/admin/clients/delete/", pages.values(page))
    assert pages.messages(owner.follow(answer)) == [("success", "Deleted.")]
    assert cast.a.id not in alive(app)
    assert owner.post("/admin/clients/delete/", id=cast.a.id).status_code == 404

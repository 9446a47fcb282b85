"""The end of clients through HTTP: deleted and out of every list, restored, erased, merged with another record."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from extensions import Clock, db, now
from models import AuditEvent, Client, ClientMerge, Erasure, Impersonation, OutboundEmail, Ticket
from operations import checking, erasing
from tests import cast as people_of
from tests import factories as make
from tests.cast import OF_CLIENTS, Cast, Desk, digest
from tests.support import page as pages
from tests.support.people import PASSWORD

DETAILS = "/admin/clients/details/?id={}"
MONEY = ("accounts", "invoices", "payments", "expenses", "acts")
OTHERS = tuple(module for module in OF_CLIENTS if module not in MONEY)


def delete(desk: Desk, number: int) -> None:
    assert desk.post("/admin/clients/delete/", id=number).status_code == 302


# Deleted


def test_the_sheet_names_the_client_and_what_hangs_on_it(app: Flask, cast: Cast, owner: Desk) -> None:
    before = digest(app)
    page = owner.page(f"/admin/clients/delete/?id={cast.a.id}")
    assert f"Delete #{cast.a.id} Anna Alpha?" in page.text
    for line in ("2 users will not be able to log in", "1 service is not ended", "1 invoice is not paid",
                 "3 financial documents stay", "2 tickets are open"):  # fmt: skip
        assert line in page.one(class_="impact").text
    assert DETAILS.format(cast.a.id) in {link["href"] for link in page.all("a", href=None) if link.text == "Cancel"}
    assert digest(app) == before


@pytest.mark.parametrize("module", OTHERS)
def test_what_is_of_a_deleted_client_leaves_every_list(cast: Cast, owner: Desk, module: str) -> None:
    number = cast.a.records[module]
    if module != "clients":
        assert number in owner.ids(f"/admin/{module}/?page_size=100")
    delete(owner, cast.a.id)
    shown = owner.ids(f"/admin/{module}/?page_size=100")
    assert number not in shown
    assert cast.b.records[module] in shown
    if module != "clients":
        assert owner.get(f"/admin/{module}/details/?id={number}").status_code == 404
    owner.post("/admin/clients/restore/", id=cast.a.id)
    assert number in owner.ids(f"/admin/{module}/?page_size=100")


@pytest.mark.parametrize("module", MONEY)
def test_documents_leave_the_list_too_and_accountants_still_reach_them(
    cast: Cast, owner: Desk, log_in: Callable[[str], Desk], module: str
) -> None:
    mine, theirs = cast.a.records[module], cast.b.records[module]
    delete(owner, cast.a.id)
    accountant = log_in("accountant")
    shown = accountant.ids(f"/admin/{module}/?page_size=100")
    assert (mine in shown, theirs in shown) == (False, True)
    for question in ("deleted=1", f"deleted_client={cast.a.id}"):
        assert accountant.ids(f"/admin/{module}/?{question}") == [mine]
    assert accountant.ids(f"/admin/{module}/?deleted_client={cast.b.id}") == []
    assert accountant.get(f"/admin/{module}/details/?id={mine}").status_code == 200
    export = accountant.get(f"/admin/{module}/export/csv/?deleted=1")
    assert len(export.text.strip().splitlines()) == 2


def test_it_is_offered_in_no_look_up_and_waits_on_no_home_page(app: Flask, cast: Cast, owner: Desk) -> None:
    with make.scene(app):
        db.session.execute(sa.update(Ticket).values(status="waiting_staff"))
    before = owner.page("/admin/").text
    delete(owner, cast.a.id)
    assert owner.get("/admin/clients/ajax/lookup/?name=referrer&query=anna").json == []
    assert owner.get("/admin/payers/ajax/lookup/?name=client&query=anna").json == []
    assert owner.page("/admin/").text != before
    assert "anna" not in owner.page("/admin/search/?q=anna").text.lower().replace("«anna»", "")


def test_its_users_are_out_and_come_back_with_it(app: Flask, cast: Cast, owner: Desk) -> None:
    user = people_of.log_in(app.test_client(), cast.a.owner)
    assert user.get("/panel/").status_code == 200
    delete(owner, cast.a.id)
    assert user.get("/panel/").status_code == 302
    visitor = Desk(app.test_client(), "/login")
    assert visitor.post("/login", username="anna", password=PASSWORD).status_code != 302
    taken = owner.refused("/admin/clients/new/", username="anna")
    assert "This username is taken." in taken.text
    owner.post("/admin/clients/restore/", id=cast.a.id)
    assert visitor.post("/login", username="anna", password=PASSWORD).status_code == 302


def test_a_login_as_ends_and_leads_back_to_the_list(app: Flask, cast: Cast, owner: Desk) -> None:
    assert owner.post("/admin/clients/login-as/", id=cast.a.id).status_code == 302
    assert owner.get("/panel/").status_code == 200
    with app.app_context():
        stay = db.session.scalars(sa.select(Impersonation)).one()
        assert stay.ended_at is None
    colleague = people_of.log_in(app.test_client(), cast.manager)
    delete(colleague, cast.a.id)
    told = owner.follow(owner.get("/panel/"))
    assert "has been deleted" in told.text
    with app.app_context():
        stay = db.session.scalars(sa.select(Impersonation)).one()
        assert (stay.end_reason, stay.ended_at is not None) == ("client_deleted", True)
    assert owner.get("/panel/").status_code == 302


def test_of_two_who_delete_one_is_told_so(app: Flask, cast: Cast, owner: Desk) -> None:
    delete(owner, cast.a.id)
    assert owner.post("/admin/clients/delete/", id=cast.a.id).status_code == 404
    with app.app_context():
        events = sa.select(sa.func.count()).where(AuditEvent.action == "delete", AuditEvent.module == "clients")
        assert db.session.scalar(events) == 1


def test_its_page_says_so_and_brings_it_back(cast: Cast, owner: Desk, log_in: Callable[[str], Desk]) -> None:
    delete(owner, cast.a.id)
    page = owner.page(DETAILS.format(cast.a.id))
    assert "This client was deleted" in page.text
    assert [link["href"] for link in page.all("a", class_="menu-item") if "deleted_client=" in link["href"]] == [
        f"/admin/{module}/?deleted_client={cast.a.id}" for module in ("invoices", "payments", "expenses", "acts")
    ]
    form = page.one("form", action="/admin/clients/restore/")
    assert form.one("input", name="id")["value"] == str(cast.a.id)
    back = owner.follow(owner.post("/admin/clients/restore/", id=cast.a.id))
    assert ("success", f"Client #{cast.a.id} Anna Alpha is back.") in pages.messages(back)
    delete(owner, cast.a.id)
    for role in ("support", "accountant", "auditor"):
        shown = log_in(role).page(DETAILS.format(cast.a.id))
        assert "This client was deleted" in shown.text
        assert not shown.all("form", action="/admin/clients/restore/"), "they may look, and no more"


# Erased


def erase(desk: Desk, number: int, confirmation: str) -> Any:
    return desk.post("/admin/clients/erase/", id=number, confirmation=confirmation)


def test_the_sheet_says_what_goes_and_what_stays(app: Flask, cast: Cast, owner: Desk) -> None:
    before = digest(app)
    page = owner.page(f"/admin/clients/erase/?id={cast.a.id}")
    goes, stays = (node.text for node in page.all("ul", class_="impact"))
    assert "Tickets: 2" in goes
    assert "Violations: 1" in goes
    for line in ("Invoices: 1", "Payments: 1", "Acts: 1", "Expenses: 1", "Movements of money: 1"):
        assert line in stays
    with make.scene(app):
        plain = make.client("Plain").id
    page = owner.page(f"/admin/clients/erase/?id={plain}")
    assert len(page.all("ul", class_="impact")) == 1
    assert "nothing of it stays" in page.text
    assert set(digest(app)["clients"]) >= set(before["clients"])


def test_only_with_the_code_or_name_typed(app: Flask, cast: Cast, owner: Desk) -> None:
    before = digest(app)
    page = owner.refused("/admin/clients/erase/", id=cast.a.id, confirmation="Anna")
    assert "Type the client's code or name to confirm." in page.text
    assert page.one("input", name="confirmation")["value"] == "Anna"
    assert digest(app) == before
    answer = erase(owner, cast.a.id, " anna alpha ")
    assert ("success", f"Client #{cast.a.id} is erased.") in pages.messages(owner.follow(answer))
    with app.app_context():
        client = db.session.get_one(Client, cast.a.id)
        assert (client.name, client.deleted_at is not None) == ("—", True)
        assert db.session.scalars(sa.select(Erasure.staff_id)).one() == cast.owner.id
        assert [fault for fault in checking.faults() if "balance" in fault] == []
    page = owner.page(DETAILS.format(cast.a.id))
    assert "Only its documents are left." in page.text
    assert not page.all("form", action="/admin/clients/restore/")
    assert owner.get(f"/admin/clients/erase/?id={cast.a.id}").status_code == 404
    assert owner.post("/admin/clients/restore/", id=cast.a.id).status_code == 409


def test_a_deleted_one_can_be_erased_at_once_too(app: Flask, owner: Desk) -> None:
    with make.scene(app):
        number = make.client("Plain").id
        make.client("The latest")
    delete(owner, number)
    assert f"/admin/clients/erase/?id={number}" in {
        link["href"] for link in owner.page(DETAILS.format(number)).all("a", href=None)
    }
    assert erase(owner, number, f"#{number}").status_code == 302
    assert owner.get(DETAILS.format(number)).status_code == 404
    events = owner.page(f"/admin/audit/?module=clients&record_id={number}").text
    assert "erased" in events
    assert "Plain" not in events


def test_its_documents_are_still_found_by_accountants(cast: Cast, owner: Desk, log_in: Callable[[str], Desk]) -> None:
    erase(owner, cast.a.id, str(cast.a.id))
    accountant = log_in("accountant")
    page = accountant.page(f"/admin/invoices/details/?id={cast.a.records['invoices']}")
    assert "Payer of Anna Alpha" in page.text
    assert "Anna Alpha" not in page.text.replace("Payer of Anna Alpha", "")
    assert accountant.ids(f"/admin/invoices/?deleted_client={cast.a.id}") == [cast.a.records["invoices"]]


@pytest.mark.parametrize("role", ["manager", "support", "accountant", "auditor"])
def test_nobody_else_erases(app: Flask, cast: Cast, log_in: Callable[[str], Desk], role: str) -> None:
    desk, before = log_in(role), digest(app)
    assert desk.get(f"/admin/clients/erase/?id={cast.a.id}").status_code == 403
    assert erase(desk, cast.a.id, str(cast.a.id)).status_code == 403
    assert digest(app) == before
    assert "/admin/clients/erase/" not in desk.get(DETAILS.format(cast.a.id)).text


def test_nothing_is_sent_to_a_client_that_is_gone(app: Flask, cast: Cast, owner: Desk) -> None:
    delete(owner, cast.a.id)
    with app.app_context():
        states = sa.select(OutboundEmail.status).where(OutboundEmail.client_id == cast.a.id)
        assert set(db.session.scalars(states)) == {"skipped"}


# Merged


@pytest.fixture
def double(app: Flask, cast: Cast) -> int:
    """Another record of client A."""
    with make.scene(app):
        client = make.client("Anna A.", username="anna2", note="Came again", email="anna@second.example")
        make.ticket(client, "Asked twice")
        return int(client.id)


def merge_form(desk: Desk, kept: int, other: int) -> dict[str, str]:
    return pages.values(desk.page(f"/admin/clients/merge/?id={kept}&other={other}"))


def test_from_the_page_of_a_client_to_its_double(app: Flask, cast: Cast, owner: Desk, double: int) -> None:
    page = owner.page(DETAILS.format(cast.a.id))
    assert f"/admin/clients/merge/?id={cast.a.id}" in {link["href"] for link in page.all("a", href=None)}
    choose = owner.page(f"/admin/clients/merge/?id={cast.a.id}")
    assert choose.one("input", name="other")
    compare = owner.page(f"/admin/clients/merge/?id={cast.a.id}&other=%23{double}")
    assert "1 ticket comes along" in compare.text
    row = compare.one(data_field="email")
    assert [choice["value"] for choice in row.all("input")] == ["kept", "other"]
    assert row.one("input", value="kept").get("checked", "no") != "no"
    assert compare.one(data_field="note").one("input", value="other").get("checked", "no") != "no"
    fields = merge_form(owner, cast.a.id, double) | {"email": "other", "name": "kept"}
    done = owner.follow(owner.post("/admin/clients/merge/", fields))
    assert ("success", f"Client #{double} was merged into this one.") in pages.messages(done)
    with app.app_context():
        client = db.session.get_one(Client, cast.a.id)
        assert (client.email, client.note, client.name) == ("anna@second.example", "Came again", "Anna Alpha")
        assert db.session.scalar(sa.select(Ticket.client_id).where(Ticket.subject == "Asked twice")) == cast.a.id
        merge = db.session.scalars(sa.select(ClientMerge)).one()
        assert (merge.kept_id, merge.merged_id, merge.staff_id) == (cast.a.id, double, cast.owner.id)


def test_the_old_code_leads_to_the_kept_client(cast: Cast, owner: Desk, double: int) -> None:
    owner.post("/admin/clients/merge/", merge_form(owner, cast.a.id, double))
    answer = owner.get(DETAILS.format(double))
    assert answer.location == DETAILS.format(cast.a.id)
    assert ("info", f"Client #{double} was merged into this one.") in pages.messages(owner.follow(answer))
    deleted = owner.page("/admin/clients/deleted/")
    assert f"merged into #{cast.a.id}" in deleted.one("tr", data_id=str(double)).text
    assert not deleted.all("form", action="/admin/clients/restore/")
    refused = owner.post("/admin/clients/restore/", id=double)
    assert refused.status_code == 409
    assert "was merged into" in refused.text


def test_taken_back_from_the_page_of_the_kept_client(app: Flask, cast: Cast, owner: Desk, double: int) -> None:
    owner.post("/admin/clients/merge/", merge_form(owner, cast.a.id, double))
    with app.app_context():
        number = db.session.scalars(sa.select(ClientMerge.id)).one()
    url = f"/admin/clients/merge/undo/?merge={number}"
    assert url in {link["href"] for link in owner.page(DETAILS.format(cast.a.id)).all("a", href=None)}
    asked = owner.page(url)
    done = owner.follow(owner.post("/admin/clients/merge/undo/", pages.values(asked)))
    assert ("success", "The merging was taken back.") in pages.messages(done)
    assert double in owner.ids("/admin/clients/")
    again = owner.follow(owner.post("/admin/clients/merge/undo/", merge=number))
    assert ("error", "This merging was taken back already.") in pages.messages(again)


def test_changed_since_it_says_what_and_stays(app: Flask, cast: Cast, owner: Desk, double: int) -> None:
    owner.post("/admin/clients/merge/", merge_form(owner, cast.a.id, double))
    with make.scene(app):
        make.ticket(db.session.get_one(Client, cast.a.id), "New")
        number = db.session.scalars(sa.select(ClientMerge.id)).one()
    told = owner.follow(owner.get(f"/admin/clients/merge/undo/?merge={number}"))
    message = "This was changed since, so the merging cannot be taken back: Tickets, Messages of tickets."
    assert ("error", message) in pages.messages(told)


def test_what_cannot_be_merged_comes_back_with_its_message(app: Flask, cast: Cast, owner: Desk, double: int) -> None:
    with make.scene(app):
        gone = make.client("Gone", deleted_at=now()).id
    before = digest(app)
    for other, message in (
        (str(cast.a.id), "A client cannot be merged with itself."),
        (str(gone), f"Client #{gone} has been deleted."),
        ("999999", "There is no client #999999."),
        ("anna", "There is none with this code."),
    ):
        answer = owner.get(f"/admin/clients/merge/?id={cast.a.id}&other={other}")
        assert answer.status_code == 400
        page = pages.read(answer.text)
        assert message in page.one(class_="alert-error").text
        assert page.one("input", name="other")["value"] == other
        fields = {"id": cast.a.id, "other": other}
        assert message in owner.refused("/admin/clients/merge/", fields).text
    fields = merge_form(owner, cast.a.id, double) | {"country": "neither"}
    assert "Choose one of the two values." in owner.refused("/admin/clients/merge/", fields).text
    assert digest(app) == before


def test_what_was_changed_while_one_chose_is_shown_again(app: Flask, cast: Cast, owner: Desk, double: int) -> None:
    fields = merge_form(owner, cast.a.id, double) | {"email": "other"}
    with make.scene(app):
        db.session.get_one(Client, double).email = "newer@second.example"
    page = owner.refused("/admin/clients/merge/", fields)
    assert "changed meanwhile" in page.text
    assert "newer@second.example" in page.text
    assert page.one(data_field="email").one("input", value="other").get("checked", "no") != "no", (
        "what was chosen stays"
    )
    assert owner.post("/admin/clients/merge/", pages.values(page)).status_code == 302


def test_two_ticked_rows_lead_to_their_comparison(cast: Cast, owner: Desk, double: int) -> None:
    def tick(*ids: int) -> Any:
        rows = [("rowid", str(number)) for number in ids]
        answer = owner.post("/admin/clients/action/", [("action", "merge"), *rows])
        return owner.get(answer.location)

    assert tick(double, cast.a.id).location == f"/admin/clients/merge/?id={cast.a.id}&other={double}"
    for ids in ((cast.a.id,), (cast.a.id, cast.b.id, double)):
        told = owner.follow(tick(*ids))
        assert ("error", "Tick exactly two clients to merge them.") in pages.messages(told)


@pytest.mark.parametrize("role", ["support", "accountant", "auditor"])
def test_nobody_else_merges(app: Flask, cast: Cast, log_in: Callable[[str], Desk], double: int, role: str) -> None:
    desk, before = log_in(role), digest(app)
    assert desk.get(f"/admin/clients/merge/?id={cast.a.id}&other={double}").status_code == 403
    assert desk.post("/admin/clients/merge/", id=cast.a.id, other=double).status_code == 403
    assert digest(app) == before
    assert "/admin/clients/merge/" not in desk.get(DETAILS.format(cast.a.id)).text


# Many at once


def test_of_many_each_says_what_became_of_it(app: Flask, cast: Cast, owner: Desk) -> None:
    """With documents or without, they are deleted; one that somebody else deleted meanwhile is named as skipped."""
    with make.scene(app):
        plain, gone = make.client("Plain").id, make.client("Gone").id
    rows = [("rowid", str(number)) for number in (cast.a.id, plain, gone)]
    page = owner.follow(owner.post("/admin/clients/action/", [("action", "delete"), *rows]))
    with make.scene(app):
        db.session.get_one(Client, gone).deleted_at = now() - timedelta(days=1)
    told = owner.refused("/admin/clients/bulk/", pages.values(page))
    assert "Meanwhile a different number of rows is meant" in told.text
    done = owner.follow(owner.post("/admin/clients/bulk/", pages.values(told)))
    assert pages.messages(done) == [("success", "2 clients deleted. Skipped 1: deleted meanwhile.")]


def test_an_undo_brings_back_none_that_was_erased(app: Flask, cast: Cast, owner: Desk, clock: Clock) -> None:
    clock.set(now())
    rows = [("rowid", str(number)) for number in (cast.a.id, cast.b.id)]
    page = owner.follow(owner.post("/admin/clients/action/", [("action", "delete"), *rows]))
    owner.follow(owner.post("/admin/clients/bulk/", pages.values(page)))
    erase(owner, cast.a.id, str(cast.a.id))
    changes = owner.page("/admin/clients/bulk-changes/")
    links = [link["href"] for link in changes.all("a", href=None)]
    number = max(int(href.rpartition("=")[2]) for href in links if "undo/?" in href)
    asked = owner.page(f"/admin/clients/bulk-changes/undo/?id={number}")
    owner.follow(owner.post("/admin/clients/bulk-changes/undo/", pages.values(asked)))
    with app.app_context():
        assert db.session.get_one(Client, cast.b.id).deleted_at is None
        assert db.session.get_one(Client, cast.a.id).deleted_at is not None
        assert erasing.due(now=now() + timedelta(days=31)) == []

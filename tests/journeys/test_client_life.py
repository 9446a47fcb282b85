"""The life of one client, from the form in which it is typed to the day on which nothing of it is left."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

import jobs
from extensions import Clock, db, now
from models import (
    AuditEvent,
    Client,
    ClientUser,
    CustomField,
    Invoice,
    LedgerEntry,
    OutboundEmail,
    Payer,
    Project,
    Ticket,
)
from operations import checking, upkeep
from tests import cast as people_of
from tests import factories as make
from tests.cast import Cast, Desk
from tests.support import page as pages
from tests.support import personal

# Words that stand in nothing but what this client has typed or is told of.
NAME, COMPANY, EMAIL, PHONE = "Zqfirst Zqlast", "Zqcompany GmbH", "zqmail@zqdomain.example", "+493012345678"
PERSONAL = (
    "zqfirst", "zqlast", "zqcompany", "zqmail", "zqdomain", "zqlogin", "zqsecond", "493012345678", "zqnote",
    "zqremark", "zqquestion", "zqanswer", "zqreason", "zqdouble", "zqpassport", "203.0.113.77",
)  # fmt: skip
# What an invoice that was issued needs of its payer.
ON_DOCUMENTS = ("zqpayer", "zqtax")
PASSWORD = "horse staple 77"


@pytest.fixture
def owner(app: Flask, cast: Cast) -> Desk:
    return people_of.log_in(app.test_client(), cast.owner)


@pytest.fixture
def manager(app: Flask, cast: Cast) -> Desk:
    return people_of.log_in(app.test_client(), cast.manager)


def typed_client(cast: Cast, **changes: str) -> dict[str, str]:
    return {
        "project": str(cast.project_a), "username": "zqlogin", "password": PASSWORD, "password_confirm": PASSWORD,
        "email": EMAIL, "country": "DE", "language": "en", "legal_status": "company", "company_name": COMPANY,
        "contact_person": NAME, "send_welcome": "y", **changes,
    }  # fmt: skip


def latest(app: Flask, model: Any) -> int:
    with app.app_context():
        return int(db.session.scalar(sa.select(sa.func.max(model.id))) or 0)


def client_of(app: Flask, number: int) -> dict[str, Any]:
    return people_of.client_row(app, number)


def opened(desk: Desk, number: int) -> dict[str, Any]:
    return dict(pages.values(desk.page(f"/admin/clients/edit/?id={number}")))


def balances_hold(app: Flask) -> None:
    """Every balance is the sum of its entries. The documents of the cast have no lines, which is said of them."""
    with app.app_context():
        assert [fault for fault in checking.faults() if "lines" not in fault] == []


def sweep(app: Flask) -> None:
    """What the clock does once a day."""
    with app.app_context():
        jobs.erase_clients()
        upkeep.forget_traces()


def is_it(desk: Desk, number: int) -> bool:
    return number in desk.ids("/admin/clients/?search=zqlast")


@pytest.mark.heavy
def test_from_the_first_word_typed_to_the_last_one_erased(
    app: Flask, cast: Cast, owner: Desk, manager: Desk, clock: Clock
) -> None:
    clock.set(now())

    # Created, and one like it is pointed out.
    answer = owner.post("/admin/clients/new/", typed_client(cast))
    assert answer.status_code == 302, pages.errors(pages.read(answer.text))
    number = latest(app, Client)
    again = typed_client(cast, username="zqdouble", contact_person="Zqdouble Zqlast", company_name="")
    refused = owner.refused("/admin/clients/new/", again)
    assert f"/admin/clients/details/?id={number}" in {link["href"] for link in refused.one(data_similar="").all("a")}
    assert owner.post("/admin/clients/new/", again | {"legal_status": "individual"}).status_code == 302
    double = latest(app, Client)
    assert double > number

    # Edited by two at once: nothing that either typed is lost.
    mine, theirs = opened(owner, number), opened(manager, number)
    edit = f"/admin/clients/edit/?id={number}"
    assert manager.post(edit, {**theirs, "note": "zqnote of the manager", "name": "Zqfirst & Co"}).status_code == 302
    page = owner.refused(edit, {**mine, "note": "zqnote of the owner", "verified_phone": "030 12345678"})
    assert {part["data-conflict"] for part in page.all(data_conflict=None)} == {"note", "name"}
    held = pages.values(page)
    assert owner.post(edit, {**held, "choice_note": "mine"}).status_code == 302
    row = client_of(app, number)
    assert (row["note"], row["name"], row["verified_phone"]) == ("zqnote of the owner", "Zqfirst & Co", PHONE)
    assert "Note: zqnote of the manager → zqnote of the owner" in owner.page(f"/admin/audit/?client={number}").text

    # It gets a user, a payer, a group, a custom field, a note, and a characterization with its reason.
    second = {
        "client": str(number), "username": "zqsecond", "full_name": "Zqsecond", "email": "zqsecond@zqdomain.example",
        "language": "en", "time_zone": "UTC", "is_active": "y", "password": PASSWORD, "password_confirm": PASSWORD,
        "permissions": ["support"],
    }  # fmt: skip
    assert owner.post("/admin/users/new/", second).status_code == 302
    payer = {"client": str(number), "name": "Zqpayer", "legal_status": "individual", "country": "DE",
             "tax_id": "zqtax1", "is_default": "y"}  # fmt: skip
    assert owner.post("/admin/payers/new/", payer).status_code == 302
    with make.scene(app):
        group = make.group("Wholesalers").id
        good = make.characterization("good").id
    owner.follow(owner.post(f"/admin/groups/action/?client={number}", [("action", "on"), ("rowid", str(group))]))
    owner.follow(owner.post("/admin/custom-fields/new/", {"label": "Passport", "type": "text", "show_in_list": "y"}))
    with app.app_context():
        code = db.session.scalars(sa.select(CustomField.code).order_by(CustomField.id.desc())).first()
    fields = {f"custom_{code}": "zqpassport 12", "characterization": str(good), "characterization_reason": "zqreason"}
    assert owner.post(edit, {**opened(owner, number), **fields}).status_code == 302
    assert owner.ids(f"/admin/clients/?custom_{code}=ZQPASSPORT&group={group}&characterization={good}") == [number]
    profile = owner.page(f"/admin/clients/details/?id={number}").text
    assert "zqpassport 12" in profile
    note = owner.page(f"/admin/clients/details/?id={number}&tab=notes")
    assert note.all("textarea", name="text")
    token = {"id": str(number), "text": "zqremark on the telephone", "is_pinned": "y"}
    assert owner.post("/admin/clients/notes/add/", token).status_code in {302, 303}
    assert "zqremark" in owner.page(f"/admin/clients/details/?id={number}").text

    # It is written with, and pays.
    with make.scene(app):
        client = db.session.get_one(Client, number)
        client.registration_ip = "203.0.113.77"
        make.ticket(client, "Zqquestion", text="zqquestion: where is my server?")
        make.ticket(db.session.get_one(Client, double), "Zqanswer of the double", text="zqanswer")
        owned = db.session.scalars(sa.select(Payer).where(Payer.client_id == number)).first()
        make.invoice(client, payer=owned)
        make.entry(client, "70.00")
        make.entry(db.session.get_one(Client, double), "30.00")
    balances_hold(app)

    # Its double becomes a part of it.
    choices = pages.values(owner.page(f"/admin/clients/merge/?id={number}&other={double}"))
    assert (
        "A client cannot be merged with itself." in owner.get(f"/admin/clients/merge/?id={number}&other={number}").text
    )
    done = owner.follow(owner.post("/admin/clients/merge/", choices))
    assert ("success", f"Client #{double} was merged into this one.") in pages.messages(done)
    balances_hold(app)
    assert client_of(app, number)["balance"] == Decimal("100.00")
    assert not is_it(owner, double)
    with app.app_context():
        moved = db.session.scalars(sa.select(Ticket.subject).where(Ticket.client_id == number)).all()
        assert {"Zqquestion", "Zqanswer of the double"} <= set(moved)

    # Deleted, restored, and deleted again; its people are out at once.
    with app.app_context():
        user = db.session.scalars(sa.select(ClientUser).where(ClientUser.username == "zqlogin")).one()
        user.must_change_password = False
        login = people_of.Person(user.id, number)
        db.session.commit()
    inside = people_of.log_in(app.test_client(), login)
    assert inside.get("/panel/").status_code == 200
    sheet = owner.page(f"/admin/clients/delete/?id={number}").text
    assert "1 invoice is not paid" in sheet
    owner.follow(owner.post("/admin/clients/delete/", id=number))
    assert inside.get("/panel/").status_code == 302
    assert not is_it(owner, number)
    owner.follow(owner.post("/admin/clients/restore/", id=number))
    assert is_it(owner, number)
    owner.follow(owner.post("/admin/clients/delete/", id=number))

    # Not a day too early; then by the clock, and only what documents need is left.
    clock.move(days=29)
    sweep(app)
    assert client_of(app, number)["contact_person"] == NAME
    clock.move(days=2)
    sweep(app)
    assert personal.found(app, PERSONAL) == []
    kept = personal.found(app, ON_DOCUMENTS, in_file=False)
    assert {place.partition(".")[0].partition(":")[0] for place in kept} <= {"payers", "payers_search"}
    assert kept
    balances_hold(app)
    with app.app_context():
        assert db.session.scalar(sa.select(sa.func.count(Invoice.id)).where(Invoice.client_id == number)) == 1
        assert db.session.scalar(sa.select(sa.func.count(LedgerEntry.id)).where(LedgerEntry.amount == 70)) == 1
        letters = db.session.scalars(sa.select(OutboundEmail.recipient).where(OutboundEmail.client_id == number)).all()
        assert not [address for address in letters if "@" in address]
        erased = sa.select(AuditEvent.action).where(AuditEvent.module == "clients", AuditEvent.record_id == number)
        assert db.session.scalars(erased.order_by(AuditEvent.id.desc())).first() == "erase"
        assert db.session.get_one(Project, cast.project_a).name == "Alpha Hosting"
    # After a month the session of those days is over.
    owner = people_of.log_in(app.test_client(), cast.owner)
    left = owner.page(f"/admin/clients/details/?id={number}")
    assert "This client has been erased. Only its documents are left." in left.text
    # Those who have nothing to do with it are as they were.
    assert client_of(app, cast.a.id)["name"] == "Anna Alpha"

"""Payers of a client: made, changed, one the default, and kept while documents name them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.exc import IntegrityError

from extensions import db
from models import AuditEvent, Client, Payer
from tests import cast as people_of
from tests import factories as make
from tests.cast import Cast, Desk
from tests.support import page as pages

GOOD = {"name": "ООО «Ромашка»", "legal_status": "company", "country": "RU", "tax_id": "7701234567",
        "registration_reason_code": "770101001"}  # fmt: skip


def defaults(app: Flask, client_id: int) -> list[str]:
    with app.app_context():
        statement = sa.select(Payer.name).where(Payer.client_id == client_id, Payer.is_default).order_by(Payer.id)
        return list(db.session.scalars(statement))


def new(desk: Desk, client_id: int, **changes: str) -> Any:
    return desk.post("/admin/payers/new/", {**GOOD, "client": str(client_id), **changes})


def test_another_default_takes_the_place_of_the_one_before(app: Flask, cast: Cast, owner: Desk) -> None:
    new(owner, cast.a.id, name="First", is_default="y")
    assert defaults(app, cast.a.id) == ["First"]
    new(owner, cast.a.id, name="Second", is_default="y")
    assert defaults(app, cast.a.id) == ["Second"]
    with app.app_context():
        number = db.session.scalars(sa.select(Payer.id).where(Payer.name == "First")).one()
        event = db.session.scalars(
            sa.select(AuditEvent).where(AuditEvent.module == "payers", AuditEvent.record_id == number)
            .order_by(AuditEvent.id.desc())
        ).first()  # fmt: skip
        assert event is not None
        assert (event.before, event.after) == ({"is_default": True}, {"is_default": False})
    url = f"/admin/payers/edit/?id={number}"
    assert owner.post(url, {**pages.values(owner.page(url)), "is_default": "y"}).status_code == 302
    assert defaults(app, cast.a.id) == ["First"]
    assert defaults(app, cast.b.id) == [], "other clients are left alone"


def test_the_first_payer_of_a_client_is_its_default(app: Flask, cast: Cast, owner: Desk) -> None:
    with make.scene(app):
        lonely = make.client("Lonely").id
    new(owner, lonely, name="Only")
    new(owner, lonely, name="Another")
    assert defaults(app, lonely) == ["Only"]


def test_the_database_itself_takes_one_default_at_most(session: Any) -> None:
    client = make.client("Anna")
    make.payer(client, is_default=True)
    make.payer(client)
    session.commit()
    with pytest.raises(IntegrityError):
        make.payer(client, is_default=True)


@pytest.mark.timeout(120)
def test_of_several_who_choose_a_default_at_once_one_stays(
    app: Flask, cast: Cast, log_in: Callable[[str], Desk]
) -> None:
    with make.scene(app):
        client = db.session.get_one(Client, cast.a.id)
        numbers = [make.payer(client, f"Payer {number}").id for number in range(4)]
    desks = [log_in("owner") for _number in numbers]
    forms = [{**pages.values(desk.page(f"/admin/payers/edit/?id={number}")), "is_default": "y"}
             for desk, number in zip(desks, numbers, strict=True)]  # fmt: skip

    def send(turn: int) -> int:
        return int(desks[turn].post(f"/admin/payers/edit/?id={numbers[turn]}", forms[turn]).status_code)

    with ThreadPoolExecutor(len(desks)) as pool:
        codes = list(pool.map(send, range(len(desks))))
    assert set(codes) <= {200, 302}
    assert 302 in codes
    assert len(defaults(app, cast.a.id)) == 1


WRONG: list[tuple[dict[str, str], str, str]] = [
    ({"tax_id": "770123456"}, "tax_id", "10 digits for a company"),
    ({"tax_id": "77012345AB"}, "tax_id", "10 digits for a company"),
    ({"legal_status": "individual", "registration_reason_code": ""}, "tax_id", "12 for everybody else"),
    ({"registration_reason_code": "77"}, "registration_reason_code", "9 characters"),
    ({"legal_status": "sole_proprietor", "tax_id": "770123456789"}, "registration_reason_code", "A company alone"),
    ({"country": "DE", "tax_id": "none", "registration_reason_code": ""}, "tax_id", "has digits"),
    ({"country": "DE", "tax_id": "DE<123>", "registration_reason_code": ""}, "tax_id", "has digits"),
    ({"country": "KZ", "tax_id": "123", "registration_reason_code": ""}, "tax_id", "12 digits"),
    ({"email": "nobody"}, "email", "This is no e-mail address."),
    ({"name": ""}, "name", "This field is required."),
]


def test_numbers_are_looked_at_as_the_country_has_them(app: Flask, cast: Cast, owner: Desk) -> None:
    before = people_of.digest(app)
    problems = []
    for changes, field, message in WRONG:
        errors = pages.errors(owner.refused("/admin/payers/new/", {**GOOD, "client": str(cast.a.id), **changes}))
        if set(errors) != {field} or message not in errors[field]:
            problems.append((changes, errors))
    assert problems == []
    assert people_of.digest(app) == before
    fine = (
        {"tax_id": "77 01 234567"},
        {"legal_status": "individual", "tax_id": "770123456789", "registration_reason_code": ""},
        {"country": "DE", "tax_id": "DE 123/456.789", "registration_reason_code": ""},
        {"country": "GB", "tax_id": "GB999 9999 73", "registration_reason_code": ""},
        {"country": "FR", "tax_id": "", "registration_reason_code": ""},
        {"registration_reason_code": "7701ab001"},
    )
    for changes in fine:
        assert new(owner, cast.a.id, **changes).status_code == 302, changes


def test_a_number_that_an_import_brought_stays_until_it_is_changed(app: Flask, cast: Cast, owner: Desk) -> None:
    with make.scene(app):
        number = make.payer(db.session.get_one(Client, cast.b.id), "Imported", country="RU", tax_id="unknown").id
    url = f"/admin/payers/edit/?id={number}"
    assert owner.post(url, {**pages.values(owner.page(url)), "email": "a@b.example"}).status_code == 302
    page = owner.refused(url, {**pages.values(owner.page(url)), "tax_id": "still unknown"})
    assert set(pages.errors(page)) == {"tax_id"}


def test_a_payer_that_documents_name_stays_and_it_is_said_what_to_do_instead(
    app: Flask, cast: Cast, owner: Desk
) -> None:
    number = cast.a.records["payers"]
    page = owner.page(f"/admin/payers/delete/?id={number}")
    told = "Documents name this payer, so it stays: 1 invoice, 1 payment, 1 act. Make another payer the default instead"
    assert told in page.text
    before = people_of.digest(app)
    page = owner.follow(owner.post("/admin/payers/delete/", id=number))
    [(category, text)] = pages.messages(page)
    assert category == "error"
    assert told in text
    assert people_of.digest(app) == before
    with make.scene(app):
        free = make.payer(db.session.get_one(Client, cast.a.id), "Free").id
    assert "No document names it." in owner.page(f"/admin/payers/delete/?id={free}").text
    assert pages.messages(owner.follow(owner.post("/admin/payers/delete/", id=free))) == [("success", "Deleted.")]


def test_from_the_toolbar_the_client_is_preset(cast: Cast, owner: Desk) -> None:
    page = owner.page(f"/admin/payers/?client={cast.a.id}")
    assert any(link["href"] == f"/admin/payers/new/?client={cast.a.id}" for link in page.all("a", href=None))
    held = pages.values(owner.page(f"/admin/payers/new/?client={cast.a.id}"))
    assert (held["client"], held["name"], held["country"]) == ([str(cast.a.id)], ["Anna Alpha"], ["DE"])

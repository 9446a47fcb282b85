"""The search over everything: what it finds, for whom, and as what one types it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask

from extensions import db, now
from models import Client, Ticket
from tests import cast as people_of
from tests import factories as make
from tests.cast import Cast, Desk
from tests.support import page as pages
from tests.support.page import Node
from tests.support.people import Person

SEARCH = "/admin/search/?search="


def found(page: Node) -> dict[str, list[int]]:
    """The ids that are shown, by module."""
    return {
        group["data-module"]: [int(hit["data-id"]) for hit in group.all("li", data_id=None)]
        for group in page.all("section", class_="search-group")
    }


@pytest.mark.parametrize(
    ("text", "module"),
    [
        ("boris beta", "clients"), ("BORIS", "users"), ("oris.lim", "users"), ("Product of Boris", None),
        ("icket of bor", "tickets"), ("Payer of B", "payers"), ("payer-boris@", "payers"),
    ],
)  # fmt: skip
def test_a_part_of_a_name_blind_to_case(owner: Desk, cast: Cast, text: str, module: str | None) -> None:
    shown = found(owner.page(SEARCH + text))
    if module is None:
        assert shown == {}
    elif module == "users":
        assert cast.b.limited.id in shown["users"]
    else:
        assert shown[module] == [cast.b.records[module]]


def test_numbers_and_codes(app: Flask, owner: Desk, cast: Cast) -> None:
    with make.scene(app):
        client = db.session.get(Client, cast.b.id)
        bill = make.invoice(client, number="Alpha-2026-000417").id
        paid = make.payment(client, number="P/2026/417-x").id
        tax = make.payer(client, "Fax Ltd", tax_id="7701234567", phone="+7 916 55").id
        other = make.user(client, "second", full_name="Жанна Ёлкина", phone="+49 171 55").id
        site = make.service(client, name="Пример.рф").id
    for text, module, number in (
        ("000417", "invoices", bill), ("026/417", "payments", paid), ("alpha-2026", "invoices", bill), ("01234", "payers", tax),
        ("ЖАННА ё", "users", other), ("171 5", "users", other), ("пример", "services", site),
    ):  # fmt: skip
        assert found(owner.page(SEARCH + text))[module] == [number], text
    for text in (f"{cast.b.id}", f"%23{cast.b.id}"):
        assert found(owner.page(SEARCH + text))["clients"] == [cast.b.id]
    # Of two characters the beginning of a number is found, not its middle.
    assert found(owner.page(SEARCH + "al"))["invoices"] == [bill]
    page = owner.page(SEARCH + "17")
    assert "invoices" not in found(page)
    assert "Type three or more" in page.text


def test_a_ticket_is_found_by_its_reference_as_letters_show_it(app: Flask, owner: Desk, cast: Cast) -> None:
    number = cast.b.records["tickets"]
    with make.scene(app):
        db.session.get_one(Ticket, number).reference = "0123456789ABCDEF"
    for text in ("[%230123456789ABCDEF]", "0123456789abcdef"):
        assert found(owner.page(SEARCH + text)) == {"tickets": [number]}, text
        assert owner.ids(f"/admin/tickets/?search={text}") == [number], text
    assert found(owner.page(SEARCH + "[%23]")) == {}


def test_what_is_changed_or_removed_is_found_as_it_is_now(app: Flask, owner: Desk, cast: Cast) -> None:
    with make.scene(app):
        client = db.session.get(Client, cast.b.id)
        one, other = make.payer(client, "Elderberry"), make.payer(client, "Elderflower")
        one_id = one.id
        db.session.flush()
        one.name = "Blackthorn"
        db.session.delete(other)
    assert found(owner.page(SEARCH + "elder")) == {}
    assert found(owner.page(SEARCH + "ckthor")) == {"payers": [one_id]}
    # The module's own list finds it through the same index.
    assert owner.ids("/admin/payers/?search=ckthor") == [one_id]
    assert owner.ids("/admin/payers/?search=elder") == []


def test_each_sees_what_he_may_and_nothing_of_deleted_clients(
    app: Flask, cast: Cast, log_in: Callable[[str], Desk]
) -> None:
    with make.scene(app):
        held = make.role("Payments only", "payments.view")
        person = Person(make.staff("piotr", held).id)
        number = make.payment(db.session.get(Client, cast.a.id), number="BORIS-1").id
    narrow = people_of.log_in(app.test_client(), person)
    assert found(narrow.page(SEARCH + "boris")) == {"payments": [number]}
    assert "invoices" not in found(log_in("support").page(SEARCH + "INV-"))
    assert "invoices" in found(log_in("accountant").page(SEARCH + "INV-"))
    with make.scene(app):
        db.session.get(Client, cast.b.id).deleted_at = now()
    assert found(log_in("owner").page(SEARCH + "boris")) == {"payments": [number]}


def test_in_the_filter_by_client_only_that_clients_records_are_found(owner: Desk, cast: Cast) -> None:
    owner.post("/admin/clients/scope/", id=cast.a.id)
    assert found(owner.page(SEARCH + "boris")) == {}
    shown = found(owner.page(SEARCH + "INV-"))
    assert shown == {"invoices": [cast.a.records["invoices"]]}
    assert found(owner.page(SEARCH + "anna"))["clients"] == [cast.a.id]


def test_a_few_of_each_module_and_the_way_to_all_of_them(app: Flask, owner: Desk, cast: Cast) -> None:
    with make.scene(app):
        ids = make.clients([f"Crowd {number}" for number in range(7)])
    page = owner.page(SEARCH + "crowd")
    assert found(page) == {"clients": ids[:1:-1]}
    link = page.one("section", data_module="clients").all("a")[-1]
    assert link.text == "All in «Clients»"
    assert owner.ids(link["href"]) == ids[::-1]


def test_the_field_stands_on_every_page_and_keeps_what_was_typed(owner: Desk, cast: Cast) -> None:
    form = owner.page("/admin/payers/").one("header", class_="topbar").one("form", role="search")
    assert (form["action"], form.one("input", name="search")["data-shortcut"]) == ("/admin/search/", "/")
    page = owner.page(SEARCH + "nothing+of+that")
    assert page.one("header", class_="topbar").one("input", name="search")["value"] == "nothing of that"
    assert "Nothing found" in page.text


def test_odd_texts_find_nothing_and_break_nothing(owner: Desk, cast: Cast) -> None:
    for text in ("", "%25", "_", "%22", "%27%27%27", "a%22%20OR%20b", "{name} : x", "%00abc", "x" * 201, "***", "99999999999", "%F0%9F%91%8D"):  # fmt: skip
        for url in (SEARCH + text, "/admin/search/suggest.json?search=" + text):
            assert people_of.is_no_fault(owner.get(url)), url
    assert found(owner.page(SEARCH + "%25%25%25")) == {}


def test_suggestions_say_the_same_as_the_page(owner: Desk, cast: Cast) -> None:
    groups = owner.get("/admin/search/suggest.json?search=boris+beta").json
    page = owner.page(SEARCH + "boris+beta")
    assert {group["module"]: [hit["id"] for hit in group["hits"]] for group in groups} == found(page)
    (client,) = next(group for group in groups if group["module"] == "clients")["hits"]
    assert client == {"id": cast.b.id, "label": "Boris Beta", "note": client["note"],
                      "url": f"/admin/clients/details/?id={cast.b.id}"}  # fmt: skip
    assert client["note"].startswith("boris · ")
    assert pages.messages(page) == []

"""Custom fields through HTTP: added by the owner, and at once in form, list, filters, files, page and audit."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from extensions import db
from models import AuditEvent, Client, CustomField, SavedFilter
from operations import custom_fields
from tests import cast as people_of
from tests import factories as make
from tests.cast import Cast, Desk
from tests.house.test_statements import counted
from tests.support import page as pages
from tests.support import xlsx

NEW, LIST = "/admin/custom-fields/new/", "/admin/clients/"
HELD = {"paper": "A-17 <b>", "budget": "1234.5", "since": "2024-01-31", "level": "Gold", "vat": True}


def edit(number: int) -> str:
    return f"/admin/clients/edit/?id={number}"


def add(desk: Desk, label: str, kind: str = "text", **more: str) -> Any:
    return desk.follow(desk.post(NEW, {"label": label, "type": kind, **more}))


@pytest.fixture
def fields(owner: Desk) -> Desk:
    """One field of each kind, all in the list, added by the owner."""
    add(owner, "Paper", show_in_list="y")
    add(owner, "Budget", "number", show_in_list="y")
    add(owner, "Since", "date", show_in_list="y")
    add(owner, "Level", "choice", choices="Gold\r\nSilver\r\n", show_in_list="y")
    add(owner, "VAT", "yes_no", show_in_list="y")
    return owner


def save(desk: Desk, number: int, **changes: Any) -> Any:
    return desk.post(edit(number), {**pages.values(desk.page(edit(number))), **changes})


def fill(desk: Desk, number: int) -> None:
    typed = {"paper": "A-17 <b>", "budget": "1 234,50", "since": "2024-01-31", "level": "Gold", "vat": "yes"}
    assert save(desk, number, **{f"custom_{code}": text for code, text in typed.items()}).status_code == 302


def test_the_owner_adds_a_field_and_it_says_what_it_is(app: Flask, cast: Cast, owner: Desk) -> None:
    page = add(owner, "Договор №", "choice", choices="Gold\nSilver", is_required="y")
    assert "The field «Договор №» is there" in pages.messages(page)[0][1]
    assert page.one("h1").text == "Договор №"
    with app.app_context():
        row = db.session.scalars(sa.select(CustomField).order_by(CustomField.id.desc())).first()
        assert row is not None
        assert (row.code, row.choices, row.is_required) == ("dogovor_no", ["Gold", "Silver"], True)
        assert (row.show_in_list, row.show_to_client) == (False, False)
        event = db.session.scalars(sa.select(AuditEvent).order_by(AuditEvent.id.desc())).first()
        assert event is not None
        assert (event.module, event.action, event.after["code"]) == ("custom-fields", "create", "dogovor_no")
    form = owner.page(f"/admin/custom-fields/edit/?id={row.id}")
    assert "code" not in pages.values(form)
    assert pages.values(form)["choices"] == ["Gold\nSilver"]


def test_what_is_refused_comes_back_beside_its_field(owner: Desk) -> None:
    for typed, name in (
        ({"label": "Note", "code": "note"}, "code"),
        ({"label": ""}, "label"),
        ({"label": "contract"}, "label"),
        ({"label": "Other", "code": "contract"}, "code"),
        ({"label": "Other", "type": "choice"}, "choices"),
        ({"label": "Other", "type": "colour"}, "type"),
    ):
        page = owner.refused(NEW, {"type": "text", **typed})
        assert list(pages.errors(page)) == [name], typed
        assert pages.values(page)["label"] == [typed["label"]]


def test_a_field_is_at_once_in_the_form_typed_and_checked(app: Flask, cast: Cast, fields: Desk) -> None:
    page = fields.page(edit(cast.a.id))
    assert page.one("input", name="custom_since")["type"] == "date"
    assert [option.text for option in page.one("select", name="custom_level").all("option")] == ["", "Gold", "Silver"]
    assert "More about the client" in page.text
    bad = {"custom_budget": "1e5", "custom_since": "2024-02-30", "custom_level": "Lead", "custom_vat": "perhaps"}
    page = fields.refused(edit(cast.a.id), {**pages.values(page), **bad, "custom_paper": "A-17"})
    assert set(pages.errors(page)) == set(bad)
    assert pages.values(page)["custom_budget"] == ["1e5"]
    assert pages.values(page)["custom_paper"] == ["A-17"]
    assert people_of.client_row(app, cast.a.id)["custom"] == {}
    fill(fields, cast.a.id)
    assert people_of.client_row(app, cast.a.id)["custom"] == HELD
    held = pages.values(fields.page(edit(cast.a.id)))
    assert [held[f"custom_{code}"][0] for code in HELD] == ["A-17 <b>", "1234.5", "2024-01-31", "Gold", "yes"]
    assert save(fields, cast.a.id, custom_paper="", custom_vat="no").status_code == 302
    kept = {code: value for code, value in HELD.items() if code != "paper"} | {"vat": False}
    assert people_of.client_row(app, cast.a.id)["custom"] == kept


def test_a_form_opened_before_the_field_was_there_loses_nothing(app: Flask, cast: Cast, owner: Desk) -> None:
    opened = pages.values(owner.page(edit(cast.a.id)))
    with make.scene(app):
        db.session.get_one(Client, cast.a.id).custom = {"contract": "kept"}
    opened["row_version"] = [str(people_of.client_row(app, cast.a.id)["row_version"])]
    opened.pop("custom_contract")
    assert owner.post(edit(cast.a.id), {**opened, "note": "said"}).status_code == 302
    assert people_of.client_row(app, cast.a.id)["custom"] == {"contract": "kept"}


def test_a_required_field_is_asked_for(app: Flask, cast: Cast, owner: Desk) -> None:
    add(owner, "Tax office", "number", is_required="y")
    page = owner.refused(edit(cast.a.id), pages.values(owner.page(edit(cast.a.id))))
    assert pages.errors(page) == {"custom_tax_office": "This cannot be empty."}
    assert save(owner, cast.a.id, custom_tax_office="0").status_code == 302
    typed = {
        "project": str(cast.project_a), "username": "carl", "password": "carls8pass1", "password_confirm": "carls8pass1",
        "email": "carl@clients.example", "country": "DE", "language": "en", "legal_status": "individual",
        "company_name": "", "contact_person": "Carl",
    }  # fmt: skip
    assert list(pages.errors(owner.refused("/admin/clients/new/", typed))) == ["custom_tax_office"]
    owner.follow(owner.post("/admin/clients/new/", {**typed, "custom_tax_office": "12"}))
    with app.app_context():
        carl = db.session.scalars(sa.select(Client).where(Client.name == "Carl")).one()
        assert carl.custom == {"tax_office": "12"}
    cell = {"list_form_pk": str(carl.id), "custom_tax_office": ""}
    with make.scene(app):
        db.session.scalars(sa.select(CustomField).where(CustomField.code == "tax_office")).one().show_in_list = True
    answer = owner.post("/admin/clients/ajax/update/", cell)
    assert (answer.status_code, answer.text) == (400, "This cannot be empty.")


def test_a_column_of_the_list_that_is_edited_in_place_and_hidden_by_who_wants(
    app: Flask, cast: Cast, fields: Desk, log_in: Callable[[str], Desk]
) -> None:
    fill(fields, cast.a.id)
    page = fields.page(LIST)
    assert [pages.cell(page, cast.a.id, label).text for label in ("Paper", "Budget", "Since", "Level", "VAT")] == [
        "A-17 <b>", "1,234.5", "31.01.2024", "Gold", "yes",
    ]  # fmt: skip
    update = "/admin/clients/ajax/update/"
    for name, typed, shown in (
        ("custom_budget", "-0,5", "-0.5"), ("custom_level", "Silver", "Silver"), ("custom_since", "2025-02-01", "01.02.2025"),
        ("custom_vat", "no", "no"), ("custom_paper", "", ""),
    ):  # fmt: skip
        version = people_of.client_row(app, cast.a.id)["row_version"]
        answer = fields.post(update, {"list_form_pk": cast.a.id, name: typed, "row_version": version})
        assert (answer.status_code, answer.json["html"], answer.json["version"]) == (200, shown, version + 1)
    assert people_of.client_row(app, cast.a.id)["custom"] == {
        "budget": "-0.5", "since": "2025-02-01", "level": "Silver", "vat": False,
    }  # fmt: skip
    assert fields.post(update, {"list_form_pk": cast.a.id, "custom_budget": "x"}).status_code == 400
    assert log_in("support").post(update, {"list_form_pk": cast.a.id, "custom_budget": "1"}).status_code == 403
    chosen = [("columns", name) for name in ("id", "name", "custom_level")]
    assert pages.columns(fields.follow(fields.post("/admin/clients/columns/", chosen)))[-1] == "Level"
    add(fields, "Brand new", show_in_list="y")
    shown = pages.columns(fields.page(LIST))
    assert "Brand new" in shown
    assert "Budget" not in shown
    assert "Budget" in pages.columns(log_in("support").page(LIST))


def test_filters_chips_saved_filters_and_selections_know_the_field(app: Flask, cast: Cast, fields: Desk) -> None:
    fill(fields, cast.a.id)
    panel = fields.page(LIST)
    assert panel.one("input", id="filter-custom_since_from")["type"] == "date"
    for query in ("custom_paper=17", "custom_budget_from=1234.5&custom_budget_to=1234,5", "custom_since_to=2024-01-31",
                  "custom_level=Gold", "custom_vat=1", "custom_level=Gold&custom_vat=1&search=anna"):  # fmt: skip
        assert fields.ids(f"{LIST}?{query}") == [cast.a.id], query
    for query in ("custom_paper=%25", "custom_budget_from=1234.500001", "custom_since_from=2024-02-01",
                  "custom_level=Silver", "custom_vat=0"):  # fmt: skip
        assert fields.ids(f"{LIST}?{query}") == [], query
    page = fields.page(f"{LIST}?custom_budget_from=1000&custom_since_to=2024-02-01&custom_vat=1")
    chips = [" ".join(chip.all("span")[0].text.split()) for chip in page.all("li", class_="chip")]
    assert chips == ["Budget from: 1,000", "Since to: 01.02.2024", "VAT: yes"]
    wrong = fields.page(f"{LIST}?custom_level=Lead")
    assert pages.row_ids(wrong) == []
    assert "Level: «Lead» was not understood." in pages.alerts(wrong)
    saved = {"name": "Gold ones", "parameters": "custom_level=Gold"}
    assert pages.row_ids(fields.follow(fields.post("/admin/clients/filters/save/", saved))) == [cast.a.id]
    assert "Level: Gold" in fields.page("/admin/clients/filters/").text
    asked = fields.post("/admin/clients/action/?custom_level=Gold", {"action": "set_language", "all": "1"})
    assert "1 client" in fields.follow(asked).text


def test_the_fields_stand_in_files(app: Flask, cast: Cast, fields: Desk) -> None:
    fill(fields, cast.a.id)
    text = fields.get(f"{LIST}export/csv/?custom_level=Gold").text
    headings, row = (line.split(",") for line in text.lstrip("\ufeff").splitlines())
    assert headings[-5:] == ["paper", "budget", "since", "level", "vat"]
    assert row[-5:] == ["A-17 <b>", "1234.5", "2024-01-31", "Gold", "yes"]
    [told] = xlsx.read(fields.get(f"{LIST}export/xlsx/?custom_level=Gold").data)
    assert [told[name] for name in ("paper", "budget", "level", "vat")] == [
        "A-17 <b>",
        Decimal("1234.5"),
        "Gold",
        "yes",
    ]
    assert told["since"].date() == date(2024, 1, 31)


def test_the_page_of_a_client_and_the_audit_say_it_in_words(app: Flask, cast: Cast, fields: Desk) -> None:
    fill(fields, cast.a.id)
    assert save(fields, cast.a.id, custom_budget="7", custom_vat="no").status_code == 302
    page = fields.page(f"/admin/clients/details/?id={cast.a.id}")
    assert "Budget" in page.text
    assert "31.01.2024" in page.text
    with app.app_context():
        event = db.session.scalars(sa.select(AuditEvent).order_by(AuditEvent.id.desc())).first()
        assert event is not None
        assert event.before == {"custom_budget": "1234.5", "custom_vat": True}
        assert event.after == {"custom_budget": "7", "custom_vat": False}
    said = pages.cell(fields.page("/admin/audit/"), event.id, "What").text
    assert "Budget: 1,234.5 → 7" in said
    assert "VAT: yes → no" in said
    assert "custom" not in said.lower()


def test_a_field_in_use_is_kept_from_harm_and_deleted_with_its_values(app: Flask, cast: Cast, fields: Desk) -> None:
    fill(fields, cast.a.id)
    with app.app_context():
        level, since = (
            db.session.scalars(sa.select(CustomField.id).where(CustomField.code == code)).one()
            for code in ("level", "since")
        )
    url = f"/admin/custom-fields/edit/?id={level}"
    held = pages.values(fields.page(url))
    page = fields.refused(url, {**held, "choices": "Silver"})
    assert pages.errors(page) == {"choices": "1 client has «Gold», so it cannot be removed."}
    page = fields.refused(f"/admin/custom-fields/edit/?id={since}", {"label": "Since", "type": "text"})
    assert "1 client has a value, so the type cannot change." in pages.errors(page)["type"]
    assert (
        fields.post(url, {**held, "choices": "Gold\nPlatinum", "code": "stolen", "label": "Grade"}).status_code == 302
    )
    assert "Platinum" in fields.page(edit(cast.a.id)).one("select", name="custom_level").text
    fields.post("/admin/clients/filters/save/", {"name": "Gold ones", "parameters": "custom_level=Gold"})
    asked = fields.page(f"/admin/custom-fields/delete/?id={level}").text
    assert "1 client has a value, which is removed" in asked
    assert "1 saved filter asks for it" in asked
    assert people_of.client_row(app, cast.a.id)["custom"]["level"] == "Gold"
    assert fields.post("/admin/custom-fields/delete/", id=level).status_code == 302
    assert "level" not in people_of.client_row(app, cast.a.id)["custom"]
    page = fields.page(LIST)
    assert "Grade" not in pages.columns(page)
    assert "Something that this filter asks for is not there any more." in str(
        [tab["title"] for tab in page.all("a") if tab.get("title")]
    )
    assert fields.ids(f"{LIST}?custom_level=Gold") == []
    with app.app_context():
        assert db.session.scalar(sa.select(sa.func.count(SavedFilter.id))) == 1


def test_who_may_not_change_fields_cannot(cast: Cast, log_in: Callable[[str], Desk]) -> None:
    for role in ("manager", "support", "accountant", "auditor"):
        desk = log_in(role)
        assert desk.post(NEW, label="Mine", type="text").status_code == 403
        assert desk.get(NEW).status_code == 403


def test_another_process_sees_a_new_field_at_its_next_request(app: Flask, make_app: Any, cast: Cast) -> None:
    """Each application keeps what it knows, as processes do; nothing tells one of the other but the database."""
    here, there = (people_of.log_in(one.test_client(), cast.owner) for one in (app, make_app()))
    there.page(LIST)
    add(here, "Seen", show_in_list="y")
    custom_fields._known.clear()
    assert "Seen" in pages.columns(there.page(LIST))


def test_the_list_runs_no_more_statements_with_fields_than_without(app: Flask, cast: Cast, owner: Desk) -> None:
    def statements() -> int:
        owner.page(LIST)
        with counted(app) as found:
            owner.page(LIST)
        return len(found)

    before = statements()
    for number in range(5):
        add(owner, f"Field {number}", "number", show_in_list="y")
    with counted(app) as first:
        owner.page(LIST)
    assert len(first) <= before + 1, "once each process asks which fields there are"
    assert statements() == before


def test_filters_of_fields_stand_hostile_values(cast: Cast, fields: Desk) -> None:
    values = (
        "-1",
        "0",
        "9" * 30,
        "1e5",
        "NaN",
        "%00",
        "%25_",
        "%27%22%5C",
        "%F0%9F%91%8D",
        "2026-13-45",
        "0000-00-00",
        "٣",
        "--5",
    )
    names = ("paper", "budget_from", "budget_to", "since_from", "since_to", "level", "vat", "budget", "nothing")
    bad = [
        (name, value)
        for name in names
        for value in values
        if not people_of.is_no_fault(fields.get(f"{LIST}?custom_{name}={value}"))
    ]
    assert bad == []


def test_a_label_is_text_wherever_it_stands(app: Flask, cast: Cast, owner: Desk) -> None:
    hostile = '"><script>alert(1)</script>'
    add(owner, hostile, "choice", choices=hostile, code="evil", show_in_list="y", show_to_client="y")
    assert save(owner, cast.a.id, custom_evil=hostile).status_code == 302
    anna = people_of.log_in(app.test_client(), cast.a.owner)
    for desk, url in (
        (owner, LIST), (owner, edit(cast.a.id)), (owner, f"/admin/clients/details/?id={cast.a.id}"), (owner, "/admin/audit/"),
        (owner, "/admin/custom-fields/"), (owner, f"{LIST}?custom_evil=%22%3E%3Cscript%3Ealert(1)%3C/script%3E"),
        (anna, "/panel/profile/"),
    ):  # fmt: skip
        text = desk.get(url).text
        assert "<script>alert" not in text, url
        assert "alert(1)" in text, url


def test_an_import_through_the_admin_tells_bad_lines(cast: Cast, fields: Desk) -> None:
    lines = (
        "id,firstname,lastname,email,country,Budget\n1,Carl,One,c1@x.example,DE,1e5\n2,Dora,Two,c2@x.example,DE,12\n"
    )
    answer = fields.post("/admin/clients/import/", {"file": (io.BytesIO(lines.encode()), "c.csv")})
    page = fields.follow(answer)
    assert re.search(r"«1e5» in Budget is no number", page.text)

"""One client: its form, what is refused, two people at once, and what nobody may change."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Barrier
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from extensions import db, now
from models import AuditEvent, Client
from tests import cast as people_of
from tests import factories as make
from tests.cast import Cast, Desk
from tests.support import page as pages


def edit(number: int) -> str:
    return f"/admin/clients/edit/?id={number}"


def as_typed(desk: Desk, number: int, **changes: Any) -> dict[str, Any]:
    """The form as it stands in the browser, with some fields typed anew."""
    return {**pages.values(desk.page(edit(number))), **changes}


def save(desk: Desk, number: int, **changes: Any) -> Any:
    return desk.post(edit(number), as_typed(desk, number, **changes))


def last_event(app: Flask, module: str = "clients") -> AuditEvent:
    with app.app_context():
        statement = sa.select(AuditEvent).where(AuditEvent.module == module).order_by(AuditEvent.id.desc()).limit(1)
        event = db.session.scalars(statement).one()
        db.session.expunge(event)
        return event


def test_the_form_shows_what_there_is(app: Flask, cast: Cast, owner: Desk) -> None:
    with make.scene(app):
        client = db.session.get_one(Client, cast.b.id)
        client.note = 'A <b>note</b> & "more"\nsecond line'
        client.verified_phone = "+79161234567"
        client.referrer_id = cast.a.id
        client.registration_ip = "203.0.113.7"
        client.registered_at = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
        client.groups.append(make.group("Wholesale customers"))
        group = client.groups[0].id
    page = owner.page(edit(cast.b.id))
    held = pages.values(page)
    assert held["name"] == ["Boris Beta"]
    assert held["note"] == ['A <b>note</b> & "more"\nsecond line']
    assert held["verified_phone"] == ["+79161234567"]
    assert held["referrer"] == [str(cast.a.id)]
    assert held["country"] == ["RU"]
    assert held["language"] == ["ru"]
    assert held["project"] == [str(cast.project_b)]
    assert held["groups"] == [str(group)]
    assert held["row_version"] == [str(people_of.client_row(app, cast.b.id)["row_version"])]
    shown = {field.one(class_="form-label").text: field.one(class_="field-value").text for field in _shown(page)}
    assert shown == {"Registered": "02.01.2026 03:04", "Registration address": "203.0.113.7"}
    with make.scene(app):
        db.session.get_one(Client, cast.b.id).referral_source = "a friend told me"
    assert "a friend told me" in owner.page(edit(cast.b.id)).text
    assert "a friend told me" in owner.page(f"/admin/clients/details/?id={cast.b.id}").text


def _shown(page: pages.Node) -> list[pages.Node]:
    return [field for field in page.all("div", class_="field") if field.all(class_="field-value")]


def test_changes_are_saved_and_written_down_with_old_and_new(app: Flask, cast: Cast, owner: Desk) -> None:
    with make.scene(app):
        good = make.characterization("good").id
        program = make.program().id
        groups = [make.group().id, make.group().id]
    before = people_of.client_row(app, cast.a.id)
    answer = save(
        owner, cast.a.id, name=" Anna Renamed ", contact_person="Анна", email="New@EXAMPLE.org", country="RU", language="ru",
        verified_phone="8 (916) 123-45-67", note="Careful.\r\nCalls often.", characterization=str(good),
        characterization_reason="pays early", referrer=f"#{cast.b.id}", affiliate_program=str(program), groups=groups,
        projects=[str(cast.project_b)], legal_status="company", company_name="Anna Ltd", project=str(cast.project_b),
    )  # fmt: skip
    page = owner.follow(answer)
    assert answer.location == f"/admin/clients/details/?id={cast.a.id}"
    assert pages.messages(page) == [("success", "Saved.")]
    after = people_of.client_row(app, cast.a.id)
    wanted = {
        "name": "Anna Renamed", "contact_person": "Анна", "email": "New@example.org", "country": "RU", "language": "ru",
        "verified_phone": "+79161234567", "note": "Careful.\nCalls often.", "characterization_id": good,
        "characterization_reason": "pays early", "characterization_by_id": cast.owner.id, "referrer_id": cast.b.id,
        "affiliate_program_id": program, "legal_status": "company", "company_name": "Anna Ltd", "project_id": cast.project_b,
        "row_version": before["row_version"] + 1,
    }  # fmt: skip
    assert {name: after[name] for name in wanted} == wanted
    assert after["characterization_at"] is not None
    untouched = set(before) - set(wanted) - {"characterization_at", "search_text", "balance"}
    assert {name: after[name] for name in untouched} == {name: before[name] for name in untouched}
    event = last_event(app)
    assert (event.action, event.record_id, event.client_id, event.staff_id) == (
        "edit",
        cast.a.id,
        cast.a.id,
        cast.owner.id,
    )
    assert (event.before["name"], event.after["name"]) == ("Anna Alpha", "Anna Renamed")
    assert (event.before["note"], event.after["note"]) == ("", "Careful.\nCalls often.")
    assert (event.before["groups"], event.after["groups"]) == ([], groups)
    assert "usernames" not in event.after
    text = page.text
    for piece in ("Anna Renamed (anna)", "+7 916 123-45-67", "pays early", "Careful.", "Boris Beta", "Anna Ltd"):
        assert piece in text
    assert pages.badges(page.one("h1")) == ["good", "referred"]


def test_saving_without_a_change_leaves_no_trace(app: Flask, cast: Cast, owner: Desk) -> None:
    before = people_of.digest(app)
    event = last_event(app).id
    assert save(owner, cast.a.id).status_code == 302
    assert people_of.digest(app) == before
    assert last_event(app).id == event


def test_groups_and_projects_are_taken_away_by_unticking(app: Flask, cast: Cast, owner: Desk) -> None:
    with make.scene(app):
        make.group("Old", db.session.get_one(Client, cast.a.id))
    fields = as_typed(owner, cast.a.id)
    del fields["groups"]
    assert owner.post(edit(cast.a.id), fields).status_code == 302
    with app.app_context():
        assert db.session.get_one(Client, cast.a.id).groups == []


def test_the_balance_follows_the_home_project(app: Flask, cast: Cast, owner: Desk) -> None:
    assert people_of.client_row(app, cast.a.id)["balance"] == 100
    save(owner, cast.a.id, project=str(cast.project_b))
    assert people_of.client_row(app, cast.a.id)["balance"] == 0
    save(owner, cast.a.id, project=str(cast.project_a))
    assert people_of.client_row(app, cast.a.id)["balance"] == 100


REFUSED: list[tuple[dict[str, str], str, str]] = [
    ({"name": ""}, "name", "This cannot be empty."),
    ({"name": "  "}, "name", "This cannot be empty."),
    ({"name": "x" * 201}, "name", "Field cannot be longer than 200 characters."),
    ({"name": "a\x00b"}, "", ""),
    ({"name": "a\x1bb"}, "name", "This contains a character that cannot be kept."),
    ({"name": "two\nlines"}, "name", "This contains a character that cannot be kept."),
    ({"email": ""}, "email", "This cannot be empty."),
    ({"email": "nobody@"}, "email", "This is no e-mail address."),
    ({"country": "ZZ"}, "country", "Choose a country from the list."),
    ({"country": ""}, "country", "Choose a country from the list."),
    ({"language": "xx"}, "language", "Choose one of the list."),
    ({"legal_status": "company", "company_name": ""}, "company_name", "A company has a name."),
    ({"verified_phone": "12"}, "verified_phone", "This is no telephone number of the client's country."),
    ({"verified_phone": "+999 12345678"}, "verified_phone", "This is no telephone number of the client's country."),
    ({"verified_phone": "call me"}, "verified_phone", "This is no telephone number of the client's country."),
    ({"verified_phone": "9" * 41}, "verified_phone", ""),
    ({"note": "x" * 20_001}, "note", "Field cannot be longer than 20000 characters."),
    ({"note": "bell \x07"}, "note", "This contains a character that cannot be kept."),
    ({"characterization": "999"}, "characterization", "Choose one of the list."),
    ({"characterization": ""}, "characterization", "Choose one of the list."),
    ({"characterization_reason": "x" * 501}, "characterization_reason", "Field cannot be longer than 500 characters."),
    ({"project": "999"}, "project", "Choose one of the list."),
    ({"referrer": "999"}, "referrer", "There is none with this code."),
    ({"referrer": "somebody"}, "referrer", "There is none with this code."),
    ({"referrer": "-1"}, "referrer", "There is none with this code."),
    ({"referrer": "1" + "0" * 20}, "referrer", "There is none with this code."),
    ({"affiliate_program": "999"}, "affiliate_program", "Choose one of the list."),
    ({"groups": "999"}, "groups", "Choose from the list."),
    ({"groups": "x"}, "groups", "Choose from the list."),
    ({"projects": "999"}, "projects", "Choose from the list."),
]


def test_what_is_wrong_is_said_beside_the_field_and_nothing_typed_is_lost(app: Flask, cast: Cast, owner: Desk) -> None:
    before = people_of.digest(app)
    fields = as_typed(owner, cast.a.id, note="typed for a long time")
    problems: list[Any] = []
    for changes, field, message in REFUSED:
        answer = owner.post(edit(cast.a.id), {**fields, **changes})
        if not field:
            assert answer.status_code == 400
            continue
        assert answer.status_code == 200, changes
        page = pages.read(answer.text)
        errors = pages.errors(page)
        if set(errors) != {field} or message not in errors[field]:
            problems.append((changes, errors))
        held = pages.values(page)
        typed = {**{name: value[0] for name, value in fields.items()}, "note": "typed for a long time", **changes}
        choices = {"country", "language", "characterization", "project", "affiliate_program", "groups", "projects"}
        lost = {
            name: held.get(name)
            for name, text in typed.items()
            if name not in {"csrf_token", *choices} and held[name][0].split() != text.split()
        }
        if lost:
            problems.append((changes, "lost", lost))
    assert problems == []
    assert people_of.digest(app) == before


def test_a_phone_is_understood_for_the_clients_country(app: Flask, cast: Cast, owner: Desk) -> None:
    understood = {
        ("RU", "8 916 123 45 67"): "+79161234567",
        ("RU", "+7 (916) 123-45-67"): "+79161234567",
        ("DE", "030 1234567"): "+49301234567",
        ("US", "(212) 555-0123"): "+12125550123",
        ("DE", "+44 20 7946 0958"): "+442079460958",
        ("DE", ""): "",
    }
    for (country, typed), kept in understood.items():
        assert save(owner, cast.a.id, country=country, verified_phone=typed).status_code == 302, typed
        assert people_of.client_row(app, cast.a.id)["verified_phone"] == kept
    assert "verified_phone" in pages.errors(
        owner.refused(edit(cast.a.id), as_typed(owner, cast.a.id, country="US", verified_phone="8 916 123 45 67"))
    )


def test_nobody_brings_himself_nor_whoever_brought_him(app: Flask, cast: Cast, owner: Desk) -> None:
    with make.scene(app):
        middle = make.client("Middle", referrer=db.session.get_one(Client, cast.a.id)).id
        last = make.client("Last", referrer=db.session.get_one(Client, middle)).id
        gone = make.client("Gone", deleted_at=now()).id
    told = "A client cannot have been brought by itself, nor by one it brought."
    for number in (cast.a.id, middle, last):
        assert pages.errors(owner.refused(edit(cast.a.id), as_typed(owner, cast.a.id, referrer=str(number)))) == {
            "referrer": told
        }
    assert pages.errors(owner.refused(edit(cast.a.id), as_typed(owner, cast.a.id, referrer=str(gone)))) == {
        "referrer": "There is none with this code."
    }
    assert save(owner, cast.a.id, referrer=str(cast.b.id)).status_code == 302
    assert save(owner, cast.a.id, referrer="").status_code == 302
    assert people_of.client_row(app, cast.a.id)["referrer_id"] is None


def test_a_referrer_that_replaces_another_is_looked_at_as_well(app: Flask, cast: Cast, owner: Desk) -> None:
    with make.scene(app):
        brought = make.client("Brought", referrer=db.session.get_one(Client, cast.a.id)).id
        db.session.get_one(Client, cast.a.id).referrer_id = cast.b.id
    page = owner.refused(edit(cast.a.id), as_typed(owner, cast.a.id, referrer=str(brought)))
    assert "nor by one it brought" in pages.errors(page)["referrer"]
    assert people_of.client_row(app, cast.a.id)["referrer_id"] == cast.b.id


@pytest.mark.timeout(120)
def test_two_editors_make_no_circle_at_the_same_time(app: Flask, cast: Cast, log_in: Callable[[str], Desk]) -> None:
    """Each alone sees no circle: one has to wait for the other."""
    with make.scene(app):
        a, b = (db.session.get_one(Client, side.id) for side in (cast.a, cast.b))
        ends = [
            (cast.a.id, make.client("Tail of B", referrer=b).id),
            (cast.b.id, make.client("Tail of A", referrer=a).id),
        ]
    for _round in range(4):
        desks = [log_in("owner") for _end in ends]
        forms = [as_typed(desk, one, referrer=str(tail)) for desk, (one, tail) in zip(desks, ends, strict=True)]
        start = Barrier(2)

        def send(turn: int, desks: Any = desks, forms: Any = forms, start: Any = start) -> int:
            start.wait()
            return int(desks[turn].post(edit(ends[turn][0]), forms[turn]).status_code)

        with ThreadPoolExecutor(2) as pool:
            assert sorted(pool.map(send, range(2))) == [200, 302]
        set_now = [people_of.client_row(app, number)["referrer_id"] for number, _tail in ends]
        assert set_now.count(None) == 1
        with make.scene(app):
            for number, _tail in ends:
                db.session.get_one(Client, number).referrer_id = None


def test_a_referrer_who_was_deleted_since_does_not_stop_another_change(app: Flask, cast: Cast, owner: Desk) -> None:
    with make.scene(app):
        gone = make.client("Gone")
        db.session.get_one(Client, cast.a.id).referrer = gone
        number = gone.id
    with make.scene(app):
        db.session.get_one(Client, number).deleted_at = now()
    assert save(owner, cast.a.id, note="x").status_code == 302
    assert people_of.client_row(app, cast.a.id)["referrer_id"] == number
    page = owner.refused(edit(cast.b.id), as_typed(owner, cast.b.id, referrer=str(number)))
    assert pages.errors(page) == {"referrer": "There is none with this code."}


def test_services_are_held_from_suspension_until_a_moment(app: Flask, cast: Cast, owner: Desk) -> None:
    assert save(owner, cast.a.id, hold_suspension_until="2027-01-02T03:04").status_code == 302
    assert people_of.client_row(app, cast.a.id)["hold_suspension_until"] == datetime(2027, 1, 2, 3, 4, tzinfo=UTC)
    page = owner.refused(edit(cast.a.id), as_typed(owner, cast.a.id, hold_suspension_until="soon"))
    assert pages.errors(page) == {"hold_suspension_until": "This is no date and time."}
    assert save(owner, cast.a.id, hold_suspension_until="").status_code == 302
    assert people_of.client_row(app, cast.a.id)["hold_suspension_until"] is None


def test_the_form_shows_the_history_of_the_characterization(app: Flask, cast: Cast, owner: Desk) -> None:
    with app.app_context():
        good, conflict = make.characterization("good").id, make.characterization("conflict").id
    save(owner, cast.a.id, characterization=str(good), characterization_reason="pays early")
    save(owner, cast.a.id, characterization=str(conflict))
    assert people_of.client_row(app, cast.a.id)["characterization_reason"] == "", "it was for the one before"
    owner.post("/admin/clients/ajax/update/", list_form_pk=cast.a.id, characterization=good)
    told = [line.text for line in owner.page(edit(cast.a.id)).one(class_="characterized").all("li")]
    assert [line.partition(" Staff")[0] for line in told[:3]] == [
        "Conflict → Good",
        "Good → Conflict",
        "Ordinary → Good",
    ]
    assert told[2].endswith("pays early")


def test_the_look_up_finds_clients_by_code_and_words(app: Flask, cast: Cast, owner: Desk) -> None:
    lookup = "/admin/clients/ajax/lookup/?name=referrer&query="
    field = owner.page(edit(cast.a.id)).one(data_lookup_url=None)
    assert field["data-lookup-url"] == "/admin/clients/ajax/lookup/?name=referrer"
    assert owner.get(f"{lookup}bor").json == [[cast.b.id, f"#{cast.b.id} Boris Beta (boris)"]]
    assert owner.get(f"{lookup}%23{cast.a.id}").json == [[cast.a.id, f"#{cast.a.id} Anna Alpha (anna)"]]
    assert len(owner.get(lookup).json) == 2
    with make.scene(app):
        number = make.client("Client number 1").id
        db.session.get_one(Client, number).email = "second1@mail.example"
    found = [row[0] for row in owner.get(f"{lookup}1").json]
    assert (found[0], number in found) == (1, True), "whose code it is stands first, not the newest"
    assert [row[0] for row in owner.get(f"{lookup}SECOND1@mail").json] == [number], "by a part of the e-mail"
    assert owner.get(f"{lookup}%25").json == []
    assert owner.get("/admin/clients/ajax/lookup/?name=password_hash&query=a").status_code == 404


# Two people


def test_the_second_of_two_is_told_and_loses_nothing_he_typed(
    app: Flask, cast: Cast, owner: Desk, log_in: Callable[[str], Desk]
) -> None:
    manager = log_in("manager")
    mine, theirs = (
        as_typed(owner, cast.a.id, note="mine"),
        as_typed(manager, cast.a.id, note="theirs", contact_person="Somebody"),
    )
    assert manager.post(edit(cast.a.id), theirs).status_code == 302
    before = people_of.client_row(app, cast.a.id)
    page = owner.refused(edit(cast.a.id), mine)
    assert "Somebody else has changed this record meanwhile." in pages.alerts(page)
    held = pages.values(page)
    assert held["note"] == ["mine"]
    assert people_of.client_row(app, cast.a.id) == before
    assert held["row_version"] == [str(before["row_version"])]
    assert owner.post(edit(cast.a.id), {**mine, "row_version": held["row_version"]}).status_code == 302
    assert people_of.client_row(app, cast.a.id)["note"] == "mine"


def test_who_saves_in_the_same_moment_is_told_as_well(
    app: Flask, cast: Cast, owner: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The version is looked at when the row is written, not only when the form is read."""
    from operations import clients

    fields = as_typed(owner, cast.a.id, note="mine")
    real = clients.check

    def somebody_is_faster(client: Client) -> None:
        real(client)
        table = Client.__table__
        db.session.execute(sa.update(table).where(table.c.id == client.id).values(row_version=table.c.row_version + 1))

    monkeypatch.setattr(clients, "check", somebody_is_faster)
    page = owner.refused(edit(cast.a.id), fields)
    assert "Somebody else has changed this record meanwhile." in pages.alerts(page)
    assert pages.values(page)["note"] == ["mine"]
    assert people_of.client_row(app, cast.a.id)["note"] == ""


# What may be changed by whom


def test_support_changes_note_and_characterization_and_nothing_else(
    app: Flask, cast: Cast, log_in: Callable[[str], Desk]
) -> None:
    support = log_in("support")
    page = support.page(edit(cast.a.id))
    offered = {field["data-field"] for field in page.all("div", data_field=None)}
    assert offered == {"note", "characterization"}
    with app.app_context():
        conflict = make.characterization("conflict").id
    forged = {
        "name": "Forged", "email": "forged@x.example", "contact_person": "Forged", "country": "FR", "language": "ru",
        "project": str(cast.project_b), "verified_phone": "+49301234567", "referrer": str(cast.b.id), "groups": "1",
        "legal_status": "company", "company_name": "Forged", "projects": str(cast.project_b), "balance": "9",
    }  # fmt: skip
    before = people_of.client_row(app, cast.a.id)
    answer = support.post(edit(cast.a.id), note="Called twice.", characterization=str(conflict), **forged)
    assert answer.status_code == 302
    after = people_of.client_row(app, cast.a.id)
    changed = {name for name in before if before[name] != after[name]}
    assert changed <= {"note", "characterization_id", "characterization_by_id", "characterization_at", "row_version"}
    assert (after["note"], after["characterization_id"]) == ("Called twice.", conflict)
    assert after["characterization_by_id"] == cast.support.id


def test_registration_source_money_and_what_is_kept_by_itself_cannot_be_changed_by_anybody(
    app: Flask, cast: Cast, owner: Desk
) -> None:
    before = people_of.client_row(app, cast.a.id)
    forged = {
        "id": str(cast.a.id), "registered_at": "2001-01-01T00:00", "registration_ip": "6.6.6.6", "referral_source": "forged",
        "balance": "1000", "active_services": "7", "is_suspended": "1", "owner_username": "root", "usernames": "root",
        "external_id": "x", "external_source": "x", "deleted_at": "2001-01-01", "characterization_by_id": "3",
        "search_text": "x", "custom": "{}", "import_batch_id": "1",
    }  # fmt: skip
    assert save(owner, cast.a.id, **forged).status_code == 302
    assert people_of.client_row(app, cast.a.id) == before


def test_another_id_in_the_body_does_not_change_another_client(app: Flask, cast: Cast, owner: Desk) -> None:
    before = people_of.client_row(app, cast.b.id)
    save(owner, cast.a.id, id=str(cast.b.id), note="meant for A")
    assert people_of.client_row(app, cast.b.id) == before


def test_who_is_not_there_or_deleted_has_no_form(app: Flask, cast: Cast, owner: Desk) -> None:
    with make.scene(app):
        gone = make.client("Gone", deleted_at=now()).id
    for number in (999, 0):
        assert owner.get(f"/admin/clients/details/?id={number}").status_code == 404
    for number in (gone, 999, 0):
        for url in (edit(number), f"/admin/clients/delete/?id={number}"):
            assert owner.get(url).status_code == 404
        assert owner.post(edit(number), name="x").status_code == 404
    assert owner.get("/admin/clients/edit/").status_code == 404


def test_one_comes_back_to_where_one_came_from(cast: Cast, owner: Desk) -> None:
    fields = as_typed(owner, cast.a.id, note="x")
    answer = owner.post(f"{edit(cast.a.id)}&url=/admin/clients/%3Fsearch%3Danna", fields)
    assert answer.location == "/admin/clients/?search=anna"
    assert owner.post(f"{edit(cast.a.id)}&url=//evil.example/", fields).status_code == 400


def test_the_page_of_a_client_says_what_there_is_and_leads_on(app: Flask, cast: Cast, owner: Desk) -> None:
    with make.scene(app):
        make.points(db.session.get_one(Client, cast.a.id), 4)
    page = owner.page(f"/admin/clients/details/?id={cast.a.id}")
    assert pages.badges(page.one("h1")) == ["points"]
    lists = page.all("dl", class_="profile-facts")
    facts = {term.text: value.text for one in lists for term, value in zip(one.all("dt"), one.all("dd"), strict=True)}
    assert facts["Contact person"].startswith("Contact ")
    assert facts["Country"] == "Germany"
    assert facts["Project"] == "Alpha Hosting"
    assert "100.00" in page.one(class_="profile-figures").text
    links = {link["href"] for link in page.all("a", href=None)}
    for module in ("tickets", "invoices", "payments", "services", "users", "payers", "accounts", "groups"):
        assert f"/admin/{module}/?client={cast.a.id}" in links
    assert f"/admin/clients/edit/?id={cast.a.id}" in links
    assert f"/admin/clients/delete/?id={cast.a.id}" in links

"""Groups, projects, languages and files for many clients at once; what all bulk actions share is in test_clients_bulk."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from extensions import db
from models import Account, AuditEvent, BulkChange, Client, LedgerEntry, client_group_members
from tests import cast as people_of
from tests import factories as make
from tests.cast import Cast, Desk
from tests.support import bulk, xlsx
from tests.support import page as pages


@pytest.fixture
def four(app: Flask, cast: Cast) -> list[int]:
    """Four clients with accounts in the first project; two are in a group, one of them and another in a second."""
    with make.scene(app):
        made = [make.client(f"Four {number}") for number in range(4)]
        make.group("Old", made[0], made[1])
        make.group("New", made[1], made[2])
        return [one.id for one in made]


def group_id(app: Flask, name: str) -> int:
    with app.app_context():
        return db.session.scalars(sa.text("SELECT id FROM client_groups WHERE name = :name"), {"name": name}).one()


def members(app: Flask, group: int) -> set[int]:
    table = client_group_members.c
    with app.app_context():
        return set(db.session.scalars(sa.select(table.client_id).where(table.group_id == group)))


def versions(app: Flask, *clients: int) -> list[int]:
    return [people_of.client_row(app, number)["row_version"] for number in clients]


# The toolbar


def test_the_toolbar_has_what_the_person_may_do_in_a_few_places(
    app: Flask, cast: Cast, log_in: Callable[[str], Desk]
) -> None:
    def offered(role: str) -> tuple[list[str], dict[str, list[str]]]:
        bar = log_in(role).page("/admin/clients/").one(class_="action-bar")
        menus = {
            menu.one("summary").text: [one["value"] for one in menu.all("button", name="action")]
            for menu in bar.all("details", class_="menu")
        }
        hidden = {name for names in menus.values() for name in names}
        return [one["value"] for one in bar.all("button", name="action") if one["value"] not in hidden], menus

    straight = ["message", "set_characterization"]
    more = ["set_project", "set_language", "export", "merge", "delete"]
    assert offered("owner") == (straight, {"Groups": ["add_group", "remove_group"], "More": more})
    # Who may edit clients but not create them changes note and characterization, and nothing else.
    assert offered("support") == (straight, {"More": []})
    assert offered("accountant") == ([], {"More": ["export"]})


@pytest.mark.parametrize("action", ["add_group", "remove_group", "set_project", "set_language"])
def test_who_may_not_create_clients_does_not_change_many(
    app: Flask, cast: Cast, log_in: Callable[[str], Desk], action: str
) -> None:
    before = people_of.digest(app)
    for role in ("support", "accountant", "auditor"):
        fields = [("action", action), ("rowid", str(cast.a.id))]
        assert log_in(role).post(bulk.ACTION, fields).status_code == 403, role
    assert people_of.digest(app) == before


# Groups


def test_who_is_not_in_the_group_is_added_and_who_is_is_told(
    app: Flask, cast: Cast, owner: Desk, four: list[int]
) -> None:
    new, old = group_id(app, "New"), group_id(app, "Old")
    page = bulk.tick(owner, "add_group", *four)
    assert "this is for: 4 (ticked in the list)." in bulk.question(page)
    assert bulk.lines(page) == ["Now in group «New»: 2", "Now in group «Old»: 2"]
    assert page.one("button", type="submit", class_="btn-primary").text == "Add 4 clients"
    assert members(app, new) == {four[1], four[2]}, "nothing is changed before it is confirmed"
    seen = versions(app, *four)

    assert bulk.said(owner, page, group=new) == [
        ("success", "2 clients added to the group. Skipped 2: in the group already.")
    ]
    assert members(app, new) == set(four)
    assert members(app, old) == {four[0], four[1]}
    change = bulk.last_change(app)
    assert bulk.events(app, change) == {
        four[0]: ({"groups": [old]}, {"groups": [old, new]}),
        four[3]: ({"groups": []}, {"groups": [new]}),
    }
    assert versions(app, *four) == [seen[0] + 1, seen[1], seen[2], seen[3] + 1], "who has a form open is told"


def test_who_is_in_the_group_is_taken_out(app: Flask, cast: Cast, owner: Desk, four: list[int]) -> None:
    new, old = group_id(app, "New"), group_id(app, "Old")
    page = bulk.all_that_match(owner, "remove_group", f"group={old}")
    assert "this is for: 2 (Group: Old)." in bulk.question(page)
    assert bulk.said(owner, page, group=new) == [
        ("success", "1 client removed from the group. Skipped 1: not in the group.")
    ]
    assert members(app, new) == {four[2]}
    assert bulk.events(app, bulk.last_change(app)) == {four[1]: ({"groups": [old, new]}, {"groups": [old]})}


def test_a_group_must_be_chosen_and_be_there(app: Flask, cast: Cast, owner: Desk, four: list[int]) -> None:
    page = bulk.tick(owner, "add_group", *four)
    for value in ("", "999999", "abc"):
        back = pages.read(bulk.press(owner, page, group=value).text)
        assert set(pages.errors(back)) == {"group"}
    with make.scene(app):
        db.session.execute(sa.delete(client_group_members))
    assert bulk.lines(bulk.tick(owner, "remove_group", *four)) == ["None of them is in a group."]


# Project


def test_a_move_opens_the_account_it_takes_and_moves_no_money(
    app: Flask, cast: Cast, owner: Desk, four: list[int]
) -> None:
    with make.scene(app):
        rich = db.session.get_one(Client, four[0])
        make.entry(rich, "70.00")
        target = make.project("Target", currency="RUB", credit_limit=Decimal("15.00"))
        have = Account(client_id=four[1], project=target, currency="RUB", credit_limit=Decimal(1))
        db.session.add(have)
        # An account with the project in another currency is not the one that is shown.
        db.session.add(Account(client_id=four[2], project=target, currency="EUR"))
        db.session.flush()
        db.session.add(LedgerEntry(account=have, amount=Decimal("3.50"), kind="payment"))
        target_id, home = target.id, rich.project_id
    page = bulk.tick(owner, "set_project", *four)
    told = bulk.lines(page)
    assert told[0].endswith(": 4")
    assert "1 client has a balance with the present project that is not zero." in told
    assert any("Money stays where it is" in line for line in told)
    entries = people_of.digest(app)["ledger_entries"]

    assert bulk.said(owner, page, project=target_id) == [("success", "4 clients moved. 3 accounts were opened.")]
    rows = [people_of.client_row(app, number) for number in four]
    assert {row["project_id"] for row in rows} == {target_id}
    assert [row["balance"] for row in rows] == [Decimal(0), Decimal("3.50"), Decimal(0), Decimal(0)]
    assert people_of.digest(app)["ledger_entries"] == entries
    with app.app_context():
        accounts = db.session.execute(
            sa.select(Account.client_id, Account.currency, Account.credit_limit, Account.balance)
            .where(Account.project_id == target_id, Account.currency == "RUB")
            .order_by(Account.client_id)
        ).all()
        assert [tuple(row) for row in accounts] == [
            (four[0], "RUB", Decimal(15), Decimal(0)),
            (four[1], "RUB", Decimal(1), Decimal("3.50")),
            (four[2], "RUB", Decimal(15), Decimal(0)),
            (four[3], "RUB", Decimal(15), Decimal(0)),
        ]
        kept = db.session.scalar(
            sa.select(Account.balance).where(Account.client_id == four[0], Account.project_id == home)
        )
        assert kept == Decimal(70)
    change = bulk.last_change(app)
    assert bulk.events(app, change) == {number: ({"project_id": home}, {"project_id": target_id}) for number in four}
    opened = bulk.events(app, change, "accounts")
    assert sorted(after["client_id"] for _before, after in opened.values()) == [four[0], four[2], four[3]]
    assert bulk.said(owner, bulk.tick(owner, "set_project", *four), project=target_id) == [
        ("success", "0 clients moved. Skipped 4: had it already.")
    ]


def test_nobody_is_moved_to_a_project_that_is_closed(app: Flask, cast: Cast, owner: Desk, four: list[int]) -> None:
    with make.scene(app):
        closed = make.project("Closed", is_active=False).id
    page = bulk.tick(owner, "set_project", *four)
    assert str(closed) not in [option["value"] for option in page.one("select", name="project").all("option")]
    assert set(pages.errors(pages.read(bulk.press(owner, page, project=closed).text))) == {"project"}


# Language


def test_the_language_of_many(app: Flask, cast: Cast, owner: Desk, four: list[int]) -> None:
    page = bulk.all_that_match(owner, "set_language")
    assert sorted(bulk.lines(page)) == ["Now English: 5", "Now Русский: 1"]
    assert bulk.said(owner, page, language="ru") == [("success", "5 clients changed. Skipped 1: had it already.")]
    with app.app_context():
        assert set(db.session.scalars(sa.select(Client.language))) == {"ru"}
    told = bulk.events(app, bulk.last_change(app))
    assert set(told) == {cast.a.id, *four}
    assert all(pair == ({"language": "en"}, {"language": "ru"}) for pair in told.values())
    assert set(pages.errors(pages.read(bulk.press(owner, page, language="xx").text))) == {"language"}


# What is left alone


def test_who_was_deleted_between_ticking_and_confirming_is_counted_as_gone(
    app: Flask, cast: Cast, owner: Desk, four: list[int]
) -> None:
    page = bulk.tick(owner, "set_language", *four)
    bulk.press(owner, bulk.tick(owner, "delete", four[0]))
    again = pages.read(bulk.press(owner, page, language="ru").text)
    assert "Look at it again" in pages.alerts(again)
    assert bulk.said(owner, again, language="ru") == [("success", "3 clients changed. Skipped 1: deleted meanwhile.")]
    assert people_of.client_row(app, four[0])["language"] == "en"


def test_a_change_is_kept_with_who_when_and_for_whom(app: Flask, cast: Cast, owner: Desk, four: list[int]) -> None:
    bulk.said(owner, bulk.all_that_match(owner, "set_language", "language=en"), language="ru")
    with app.app_context():
        change = db.session.scalars(sa.select(BulkChange)).one()
        assert (change.action, change.value, change.changed, change.skipped) == ("set_language", "ru", 5, {})
        assert change.staff_id == cast.owner.id
        assert change.selection is not None
        assert change.selection.parameters == {"language": "en"}
        strangers = sa.select(sa.func.count(AuditEvent.id)).where(
            AuditEvent.bulk_change_id == change.id, AuditEvent.staff_id != cast.owner.id
        )
        assert db.session.scalar(strangers) == 0


# Files


def test_the_selection_as_a_file_of_either_kind(app: Flask, cast: Cast, owner: Desk, four: list[int]) -> None:
    page = bulk.tick(owner, "export", four[2], four[0], url="/admin/clients/?sort=name")
    assert page.one("button", type="submit", class_="btn-primary").text == "Export 2 clients"
    answer = bulk.press(owner, page)
    assert answer.mimetype == "text/csv"
    rows = list(csv.DictReader(io.StringIO(answer.get_data().decode("utf-8-sig"), newline="")))
    assert [int(row["id"]) for row in rows] == [four[0], four[2]], "in the order of the list"
    answer = bulk.press(owner, page, format="xlsx")
    assert answer.headers["Content-Disposition"].endswith('.xlsx"')
    table = xlsx.read(answer.get_data())
    assert [row["id"] for row in table] == [four[0], four[2]]
    assert [row["name"] for row in table] == ["Four 0", "Four 2"]
    with app.app_context():
        told = db.session.scalars(sa.select(AuditEvent.after).where(AuditEvent.action == "export")).all()
    assert [(one["ticked"], one["format"], one["count"]) for one in told] == [(2, "csv", 2), (2, "xlsx", 2)]


def test_all_that_match_as_a_file(app: Flask, cast: Cast, owner: Desk, four: list[int]) -> None:
    page = bulk.all_that_match(owner, "export", "name=four&sort=-id")
    rows = list(csv.DictReader(io.StringIO(bulk.press(owner, page).get_data().decode("utf-8-sig"), newline="")))
    assert [int(row["id"]) for row in rows] == four[::-1]
    assert set(pages.errors(pages.read(bulk.press(owner, page, format="exe").text))) == {"format"}


def test_a_file_takes_the_right_to_export(app: Flask, cast: Cast, owner: Desk, log_in: Callable[[str], Desk]) -> None:
    support = log_in("support")
    assert support.post(bulk.ACTION, [("action", "export"), ("rowid", str(cast.a.id))]).status_code == 403
    page = bulk.tick(owner, "export", cast.a.id)
    assert bulk.press(support, page, csrf_token=support.token).status_code == 404


def test_a_file_of_a_selection_keeps_nobody_from_writing_and_shows_one_moment(
    app: Flask, cast: Cast, owner: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is asked for by a form, and its transaction only reads all the same."""
    from admin_views import export_rows, exporting

    read = export_rows.ExportRows._cells

    def while_reading(self: Any, *arguments: Any) -> Any:
        with db.engine.execution_options(reads_only=False).begin() as other:
            other.execute(sa.update(Client).values(note="Written meanwhile"))
        return read(self, *arguments)

    monkeypatch.setattr(exporting, "CHUNK", 1)
    monkeypatch.setattr(export_rows.ExportRows, "_cells", while_reading)
    text = bulk.press(owner, bulk.tick(owner, "export", cast.a.id, cast.b.id)).text
    assert len(text.splitlines()) == 3
    assert "Written meanwhile" not in text
    assert people_of.client_row(app, cast.a.id)["note"] == "Written meanwhile"

"""The audit as people read it: names, labels and words instead of columns, numbers and codes."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from admin_views import audit_words
from extensions import Clock, db, now
from models import AuditEvent, Characterization, Staff
from operations import audit as recording
from tests import factories as make
from tests.cast import Cast, Desk
from tests.support import page as pages
from tests.support.page import Node

ROOT = Path(__file__).resolve().parents[2]


def newest(app: Flask, **columns: Any) -> int:
    with app.app_context():
        statement = sa.select(sa.func.max(AuditEvent.id)).filter_by(**columns)
        return db.session.scalar(statement) or 0


def changes(desk: Desk, number: int, **more: Any) -> list[str]:
    """What the list says of an event, line by line."""
    page = desk.page(f"/admin/audit/?record_id={more['record']}" if more else "/admin/audit/")
    return lines(pages.cell(page, number, "What"))


def lines(cell: Node) -> list[str]:
    found = [""]
    for said in cell.all("div", class_="said"):
        found += _lines_of(said)
    return [" ".join(line.split()) for line in found if line.strip()]


def _lines_of(said: Node) -> list[str]:
    found = [""]
    for child in said.children:
        if isinstance(child, str):
            found[-1] += child
        elif child.tag == "br":
            found.append("")
        else:
            found[-1] += child.text
    return found


def facts(page: Node) -> dict[str, str]:
    """What the page of one record says, by its labels."""
    found: dict[str, str] = {}
    for sheet in page.all("dl", class_="facts"):
        for label, value in zip(sheet.all("dt"), sheet.all("dd"), strict=True):
            found[label.text] = value.text
    return found


def test_a_change_reads_in_words_with_labels_and_names(app: Flask, cast: Cast, owner: Desk) -> None:
    with make.scene(app):
        good = make.characterization("good").id
        group = make.group("Wholesale & Co").id
        program = make.program("Friends of ours").id
    url = f"/admin/clients/edit/?id={cast.a.id}"
    held = {**pages.values(owner.page(url)), "note": "<b>pays</b> late", "characterization": str(good)}
    held |= {"groups": [str(group)], "affiliate_program": str(program), "referrer": str(cast.b.id)}
    owner.follow(owner.post(url, held))
    number = newest(app, module="clients", action="edit")
    said = changes(owner, number)
    assert "Note: — → <b>pays</b> late" in said
    assert "Characterization: Ordinary → Good" in said
    assert "Groups: — → Wholesale & Co" in said
    assert "Affiliate program: — → Friends of ours" in said
    assert "Brought by: — → Boris Beta" in said
    row = owner.page("/admin/audit/").one("tr", data_id=str(number))
    assert row.one("td", data_label="Module").text == "Clients"
    assert row.one("td", data_label="Action").text == "changed"
    record = row.one("td", data_label="Record").one("a")
    assert (record.text, record["href"]) == (f"#{cast.a.id} Anna Alpha", f"/admin/clients/details/?id={cast.a.id}")


def test_times_amounts_choices_and_yes_and_no_are_as_everywhere(app: Flask, cast: Cast, owner: Desk) -> None:
    url = f"/admin/projects/edit/?id={cast.project_a}"
    held = {**pages.values(owner.page(url)), "credit_limit": "1250.50", "default_language": "ru"}
    held.pop("is_active", None)
    owner.follow(owner.post(url, held))
    said = changes(owner, newest(app, module="projects", action="edit"))
    assert "Credit limit of new accounts: 0.00 → 1,250.50" in said
    assert "Default language: English → Русский" in said
    assert "Active: yes → no" in said
    owner.post("/admin/clients/ajax/update/", list_form_pk=cast.a.id, country="KZ")
    assert changes(owner, newest(app, module="clients", action="edit")) == ["Country: Germany → Kazakhstan"]
    owner.follow(owner.post("/admin/clients/action/", action="delete", rowid=cast.a.id))


def test_in_russian_it_reads_so(app: Flask, cast: Cast, owner: Desk) -> None:
    owner.post("/admin/language", language="ru")
    owner.post("/admin/clients/ajax/update/", list_form_pk=cast.a.id, email="other@clients.example")
    number = newest(app, module="clients", action="edit")
    page = owner.page("/admin/audit/")
    row = page.one("tr", data_id=str(number))
    assert row.all("td")[-1].text.endswith("→ other@clients.example")
    assert "Клиенты" in [cell.text for cell in row.all("td")]


def test_the_page_of_an_event_says_all_of_it_unshortened(app: Flask, cast: Cast, owner: Desk) -> None:
    long = "x" * 400
    owner.post("/admin/clients/ajax/update/", list_form_pk=cast.a.id, note=long)
    number = newest(app, module="clients", action="edit")
    (line,) = changes(owner, number)
    assert line.endswith("…")
    assert len(line) < 200
    page = owner.page(f"/admin/audit/details/?id={number}")
    said = facts(page)
    assert said["Note"] == f"— → {long}"
    with app.app_context():
        event = db.session.get_one(AuditEvent, number)
        assert said["Who"] == event.actor
        assert said["IP address"] == event.ip == "127.0.0.1"
        assert said["Number of the request"] == event.request_id
    assert (said["Module"], said["Action"]) == ("Clients", "changed")
    assert said["Client"] == f"#{cast.a.id} Anna Alpha"
    assert said["Staff member"].startswith(f"#{cast.owner.id} ")


def test_a_record_that_was_made_shows_the_first_of_its_fields_and_says_how_many_more(
    app: Flask, cast: Cast, owner: Desk
) -> None:
    owner.follow(
        owner.post(
            "/admin/payers/new/",
            client=cast.a.id,
            name="A payer",
            legal_status="individual",
            country="DE",
            tax_id="7",
            phone="1",
        )
    )
    number = newest(app, module="payers", action="create")
    said = changes(owner, number)
    assert len(said) == audit_words.FIELDS_IN_LIST + 1
    assert said[-1].startswith("and ")
    whole = facts(owner.page(f"/admin/audit/details/?id={number}"))
    assert (whole["Name"], whole["Country"], whole["Client"]) == ("A payer", "Germany", "Anna Alpha")


def test_whoever_is_logged_in_is_named_also_where_strangers_may_come(app: Flask, cast: Cast, owner: Desk) -> None:
    owner.post("/admin/language", language="ru")
    with app.app_context():
        event = db.session.get_one(AuditEvent, newest(app, module="staff", action="edit"))
        assert event.staff_id == cast.owner.id
        assert event.actor == db.session.get_one(Staff, cast.owner.id).shown_name


def test_filters_by_module_record_person_action_and_time(app: Flask, cast: Cast, owner: Desk, clock: Clock) -> None:
    with make.scene(app):
        db.session.execute(
            sa.insert(AuditEvent),
            [
                {"at": now() - timedelta(days=days), "module": module, "action": action, "record_id": record,
                 "staff_id": staff, "actor": actor, "before": {}, "after": {}}
                for days, module, action, record, staff, actor in (
                    (40, "clients", "edit", 7, cast.support.id, "Sigrid Support"),
                    (30, "clients", "delete", 7, cast.manager.id, "Max Manager"),
                    (20, "payers", "edit", 7, cast.support.id, "Sigrid Support"),
                    (10, "payers", "edit", 8, None, "system"),
                )
            ],
        )  # fmt: skip
    early = (now() - timedelta(days=5)).date().isoformat()
    old = owner.ids(f"/admin/audit/?at_to={early}")
    assert len(old) == 4

    def found(parameters: str) -> list[int]:
        return [old.index(number) for number in owner.ids(f"/admin/audit/?at_to={early}&{parameters}")]

    assert found("module=clients") == [2, 3]
    assert found("record_id=7") == [1, 2, 3]
    assert found(f"staff={cast.support.id}") == [1, 3]
    assert found("actor=sigrid") == [1, 3]
    assert found("action=edit") == [0, 1, 3]
    assert found("module=payers&action=edit&record_id=8") == [0]
    since = (now() - timedelta(days=25)).date().isoformat()
    assert found(f"at_from={since}") == [0, 1]
    for wrong in ("module=nowhere", "action=dance", "record_id=x", "staff=99999"):
        assert found(wrong) == []
    fields = owner.page("/admin/audit/").one("select", name="module")
    assert {"Clients", "Payers", "Roles"} <= {option.text for option in fields.all("option")}


def test_a_record_that_is_gone_and_a_value_that_is_none_of_the_choices_stay_as_they_are(
    app: Flask, cast: Cast, owner: Desk
) -> None:
    with make.scene(app):
        odd = {
            "characterization_id": 99999,
            "language": "tlh",
            "registered_at": "once",
            "credit": [1, "x"],
            "x": {"a": 1},
        }
        recording.record("edit", module="clients", record_id=99999, before=odd, after={**odd, "groups": [99999]})
    said = changes(owner, newest(app, record_id=99999))
    assert "Characterization: #99999 → #99999" in said
    assert "Language: tlh → tlh" in said
    assert "Registered: once → once" in said
    assert "Groups: #99999" in said


@pytest.mark.engine("sqlite")
def test_every_column_that_is_recorded_has_a_name_in_words(app: Flask, cast: Cast, owner: Desk) -> None:
    nameless = []
    with app.test_request_context("/admin/"):
        for mapper in db.Model.registry.mappers:
            table = mapper.class_
            if not hasattr(table, "__audit__"):
                continue
            own = app.extensions["desk_views"].get(table.__audit__)
            labels = {*audit_words.FIELDS, *(getattr(own, "column_labels", None) or {})}
            names = [
                *recording._recorded_columns(table()),
                *(r.key for r in mapper.relationships if r.secondary is not None),
            ]
            nameless += [f"{table.__name__}.{name}" for name in names if not {name, name.removesuffix("_id")} & labels]
    assert nameless == []


def recorded_actions() -> Iterator[str]:
    """The actions that the code records, as far as they are written out in it."""
    for folder in ("operations", "admin_views", "web", "panel"):
        for path in (ROOT / folder).glob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                yield from _actions_in(node)


def _actions_in(node: ast.AST) -> Iterator[str]:
    if not isinstance(node, ast.Call) or not node.args or not isinstance(node.args[0], ast.Constant):
        return
    called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    owner = getattr(getattr(node.func, "value", None), "id", "")
    if (called in {"record", "record_many"} and owner == "audit") or (called == "_record_all"):
        yield str(node.args[0].value)
    if called == "_record" and isinstance(node.args[0].value, str):
        yield node.args[0].value


@pytest.mark.engine("sqlite")
def test_every_action_that_is_recorded_has_its_words() -> None:
    found = set(recorded_actions())
    assert len(found) > 10
    assert found - set(audit_words.ACTIONS) == set()


def test_a_long_page_of_the_audit_costs_the_statements_of_a_short_one(app: Flask, cast: Cast, owner: Desk) -> None:
    with make.scene(app):
        groups = [make.group(f"Group {n}").id for n in range(5)]
        kinds = list(db.session.scalars(sa.select(Characterization.id)))
        for n in range(60):
            recording.record(
                "edit", module="clients", record_id=(cast.a.id, cast.b.id)[n % 2],
                before={"characterization_id": kinds[n % 3], "groups": groups[: n % 3]},
                after={"characterization_id": kinds[(n + 1) % 3], "groups": groups[: n % 5], "project_id": cast.project_a},
            )  # fmt: skip
    counts = []
    for size in (20, 50):
        # The first page of another size keeps the size in the session.
        owner.get(f"/admin/audit/?page_size={size}")
        executed: list[str] = []

        def note(*arguments: Any, into: list[str] = executed) -> None:
            into.append(arguments[2])

        with app.app_context():
            sa.event.listen(db.engine, "before_cursor_execute", note)
            assert len(owner.ids(f"/admin/audit/?page_size={size}")) == size
            owner.ids(f"/admin/audit/?page_size={size}")
            sa.event.remove(db.engine, "before_cursor_execute", note)
        counts.append(len([text for text in executed if text.startswith("SELECT")]))
    assert counts[0] == counts[1]

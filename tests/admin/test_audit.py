"""The audit as people read it: names, labels and words instead of columns, numbers and codes."""

from __future__ import annotations

import ast
import csv
import io
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from admin_views import audit as audit_view
from admin_views import audit_words
from extensions import Clock, db, now
from models import AuditEvent, Characterization, Staff
from operations import audit as recording
from operations import upkeep
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


def _put(**more: Any) -> int:
    """An event with these values; its number."""
    values = {"at": now(), "module": "clients", "action": "edit", "actor": "x", "before": {}, "after": {}, **more}
    return db.session.scalars(sa.insert(AuditEvent).values(values).returning(AuditEvent.id)).one()


def test_filters_by_client_user_and_the_staff_member_behind_a_login_as(app: Flask, cast: Cast, owner: Desk) -> None:
    with make.scene(app):
        user = cast.a.owner.id
        as_client = _put(staff_id=cast.support.id, client_user_id=user, impersonation_id=1, client_id=cast.a.id,
                         module="users", action="login_as_request", actor="Sigrid → Anna")  # fmt: skip
        own = _put(client_user_id=user, client_id=cast.a.id, module="payers")
        other = _put(client_id=cast.b.id, module="payers")
        gone = _put(client_id=99999, module="payers")
    mine = {as_client, own, other, gone}

    def found(parameters: str) -> set[int]:
        return set(owner.ids(f"/admin/audit/?page_size=100&{parameters}")) & mine

    assert found("") == mine
    assert found(f"client={cast.a.id}") == {as_client, own}
    assert found(f"of_client={cast.b.id}") == {other}
    assert found("of_client=99999") == {gone}, "of a client that is not there any more"
    assert found(f"staff={cast.support.id}") == {as_client}
    assert found(f"user={user}") == {as_client, own}
    assert found(f"user={user}&module=payers") == {own}


def test_filters_by_the_time_of_day(app: Flask, cast: Cast, owner: Desk) -> None:
    with make.scene(app):
        db.session.get_one(Staff, cast.owner.id).time_zone = "Europe/Berlin"
        at = datetime(2020, 7, 1, 12, 30, 20, tzinfo=UTC)
        one, two = _put(at=at), _put(at=at + timedelta(minutes=1))

    def found(parameters: str) -> list[int]:
        return [number for number in owner.ids(f"/admin/audit/?{parameters}") if number in {one, two}]

    assert found("at_from=2020-07-01&at_to=2020-07-01") == [two, one]
    assert found("at_from=2020-07-01T14:30&at_to=2020-07-01T14:30") == [one]
    assert found("at_from=2020-07-01T14:31") == [two]
    page = owner.page("/admin/audit/?at_from=2020-07-01&at_to=2020-07-01T14:30")
    kept = {name: page.one("input", name=name)["value"] for name in ("at_from", "at_to")}
    assert kept == {"at_from": "2020-07-01T00:00", "at_to": "2020-07-01T14:30"}
    for wrong in ("2020-07-01T14", "2020-07-01T14:30:00", "2020-07-01T99:00", "2020-07-01 14:30Z", "T14:30"):
        assert owner.page(f"/admin/audit/?at_from={wrong}").all("div", role="alert"), wrong


def test_filters_by_what_was_changed_and_by_a_part_of_a_value(app: Flask, cast: Cast, owner: Desk) -> None:
    with make.scene(app):
        first = _put(record_id=cast.a.id, before={"email": "a@x.example"}, after={"email": "b@x.example"})
        second = _put(record_id=cast.b.id, after={"contact_person": "Пётр 50%"})
        third = _put(module="services", record_id=7, before={"product_id": 1}, after={"product_id": 2})
    mine = {first, second, third}

    def found(parameters: str) -> set[int]:
        return set(owner.ids(f"/admin/audit/?page_size=100&{parameters}")) & mine

    assert found("field=email") == {first}
    assert found("field=product") == {third}
    assert found("value=A@X") == {first}
    assert found("value=пётр") == {second}
    assert found("value=50%25") == {second}
    assert found("value=email") == set(), "values, not fields"
    assert found("value=x.example&field=email&module=clients") == {first}
    assert found("field=nonsense") == set()
    assert "(among the newest 50,000 events)" in owner.page("/admin/audit/?field=email").one(class_="chips").text
    for narrow in (f"record_id={cast.a.id}", f"client={cast.a.id}", f"of_client={cast.a.id}"):
        assert "among the newest" not in owner.page(f"/admin/audit/?field=email&{narrow}").one(class_="chips").text


def test_what_no_index_finds_is_looked_for_among_the_newest(
    app: Flask, cast: Cast, owner: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    with make.scene(app):
        old = _put(record_id=cast.a.id, after={"email": "old@x.example"})
        for _each in range(5):
            _put()
    assert old in owner.ids("/admin/audit/?value=old@x")
    monkeypatch.setattr(audit_view, "LOOKED_THROUGH", 3)
    assert old not in owner.ids("/admin/audit/?value=old@x")
    assert old in owner.ids(f"/admin/audit/?value=old@x&record_id={cast.a.id}")


def test_every_page_of_a_record_leads_to_its_history_and_says_who_changed_it_last(
    app: Flask, cast: Cast, owner: Desk, log_in: Callable[[str], Desk]
) -> None:
    owner.post("/admin/clients/ajax/update/", list_form_pk=cast.a.id, note="x")
    with app.app_context():
        name = db.session.get_one(Staff, cast.owner.id).shown_name
        views = app.extensions["desk_views"]
        audited = [module for module, view in views.items() if hasattr(getattr(view, "model", None), "__audit__")]
    for module in audited:
        number = cast.record(module) if module != "clients" else cast.a.id
        for page in ("details", "edit") if views[module].can_edit else ("details",):
            trail = owner.page(f"/admin/{module}/{page}/?id={number}").one("p", class_="audit-trail")
            assert trail.one("a")["href"] == f"/admin/audit/?module={module}&record_id={number}", module
    trail = owner.page(f"/admin/clients/details/?id={cast.a.id}").one("p", class_="audit-trail").text
    assert trail.startswith("Changed last ")
    assert f"by {name}." in trail
    assert not log_in("support").page(f"/admin/clients/details/?id={cast.a.id}").all("p", class_="audit-trail")
    assert owner.ids(f"/admin/audit/?module=clients&record_id={cast.a.id}")


def test_the_export_is_in_words_and_as_it_is_kept(app: Flask, cast: Cast, owner: Desk) -> None:
    owner.post("/admin/clients/ajax/update/", list_form_pk=cast.a.id, country="KZ")
    number = newest(app, module="clients", action="edit")
    text = owner.get("/admin/audit/export/csv/?module=clients").text.removeprefix("\ufeff")
    rows = {row["id"]: row for row in csv.DictReader(io.StringIO(text))}
    row = rows[str(number)]
    assert row["said"] == "Country: Germany → Kazakhstan"
    assert (row["module_name"], row["action_name"]) == ("Clients", "changed")
    assert row["record_name"] == f"#{cast.a.id} Anna Alpha"
    assert (row["module"], row["action"], row["record_id"]) == ("clients", "edit", str(cast.a.id))
    assert "KZ" in row["after"]
    assert "KZ" not in row["said"]


FILTERS = (
    "", "module=settings", "module=clients", "action=delete", "action=edit", "staff={staff}", "user=5", "client={client}",
    "of_client=7", "module=clients&record_id=7", "record_id=7", "bulk_change=3", "at_from=2026-03-01T10:00",
    "at_to=2026-01-02", "module=clients&at_to=2026-02-01", "staff={staff}&at_from=2026-03-01", "sort=id",
)  # fmt: skip


@pytest.mark.long
def test_every_filter_of_very_many_events_is_read_by_an_index(app: Flask, cast: Cast, owner: Desk) -> None:
    """A page of each filter among 400,000 events: no statement looks at all of them, and none sorts many."""
    with make.scene(app):
        is_postgresql = db.engine.dialect.name == "postgresql"
        at = (
            "timestamptz '2026-01-01 UTC' + i * interval '20 seconds'"
            if is_postgresql
            else "strftime('%Y-%m-%d %H:%M:%S.000000', '2026-01-01', (i * 20) || ' seconds')"
        )
        document = "jsonb" if is_postgresql else "text"
        db.session.execute(
            sa.text(f"""
            INSERT INTO audit_events (at, module, action, record_id, client_id, staff_id, client_user_id, actor, before,
                after, bulk_change_id)
            WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 399999)
            SELECT {at}, CASE WHEN i % 20000 = 0 THEN 'settings' WHEN i % 9 < 3 THEN 'clients' ELSE 'module' || (i % 9) END,
                CASE WHEN i % 5000 = 0 THEN 'delete' WHEN i % 11 < 5 THEN 'edit' ELSE 'action' || (i % 11) END, i % 3000, i % 3000,
                CASE WHEN i % 4 = 3 THEN NULL ELSE 1 + i % 4 END, CASE WHEN i % 50 = 0 THEN NULL ELSE i % 50 END, 'x',
                CAST('{{"note"\\: "a"}}' AS {document}), CAST('{{"note"\\: "b"}}' AS {document}),
                CASE WHEN i % 40000 = 0 THEN 3 END
            FROM n""")
        )
    with app.app_context():
        upkeep.keep_statistics()
        with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(sa.text("VACUUM ANALYZE" if connection.dialect.name == "postgresql" else "ANALYZE"))
    slow = []
    for parameters in FILTERS:
        url = "/admin/audit/?" + parameters.format(staff=cast.support.id, client=cast.a.id)
        addresses = [url, pages.link(owner.page(url), "next"), pages.link(owner.page(url), "last")]
        for address in filter(None, addresses):
            spent = min(_seconds(owner, address) for _each in range(3))
            if spent > 0.35:
                slow.append(f"{address}: {spent:.2f} s")
    assert slow == []
    for parameters in ("field=email", "value=nothing", "actor=nobody"):
        assert min(_seconds(owner, f"/admin/audit/?{parameters}") for _each in range(2)) < 3, parameters


def _seconds(desk: Desk, url: str) -> float:
    start = time.perf_counter()
    assert desk.get(url).status_code == 200
    return time.perf_counter() - start


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

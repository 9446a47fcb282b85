"""The client list through HTTP: what it shows, finds, pages through, and changes in place and in bulk."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from extensions import db, now
from models import AuditEvent, Client, ClientUser, OutboundEmail, Project
from tests import factories as make
from tests.cast import Cast, Desk, client_row, digest
from tests.support import page as pages

HOSTILE = "%admin_name% {{7*7}} <b>"


@pytest.fixture
def crowd(app: Flask, cast: Cast) -> dict[str, int]:
    """Clients that differ in all that filters ask for."""
    with make.scene(app):
        beta = db.session.get(Project, cast.project_b)
        wholesale = make.group("Resellers")
        sold = make.product("Dedicated server")
        good = make.client("Иван Петров", username="ivan.p", characterization=make.characterization("good"), language="ru",
                           country="RU", registered_at=datetime(2020, 5, 17, 23, 30, tzinfo=UTC), project=beta)  # fmt: skip
        rich = make.client("Rich Company", legal_status="company", company_name="Rich Company", country="FR",
                           registered_at=datetime(2021, 1, 1, tzinfo=UTC))  # fmt: skip
        make.entry(rich, "5000.00")
        make.service(rich, sold)
        stopped = make.client("100%_Stopped", characterization=make.characterization("conflict"), country="PL",
                              affiliate_program=make.program("Friends of friends"))  # fmt: skip
        make.service(stopped, sold, status="suspended", suspension_reason="unpaid")
        make.points(stopped, 7)
        make.entry(stopped, "-12.50")
        wholesale_member = make.client("Member", country="IT")
        db.session.execute(
            sa.text("INSERT INTO client_group_members VALUES (:c, :g)"), {"c": wholesale_member.id, "g": wholesale.id}
        )
        gone = make.client("Gone", deleted_at=now())
        return {"good": good.id, "rich": rich.id, "stopped": stopped.id, "member": wholesale_member.id, "gone": gone.id,
                "group": wholesale.id, "product": sold.id, "beta": beta.id,
                "good_kind": make.characterization("good").id}  # fmt: skip


def badges(row: pages.Node) -> set[str]:
    return {badge["data-badge"] for badge in row.all(class_="badge")}


def test_badges_say_what_staff_should_know(owner: Desk, crowd: dict[str, int]) -> None:
    """Good, conflict, brought by a partner, points, suspended; each with a word for screen readers."""
    page = owner.page("/admin/clients/")
    rows = {int(row["data-id"]): row for row in page.all("tr", data_id=None)}
    assert badges(rows[crowd["good"]]) == {"good"}
    assert badges(rows[crowd["stopped"]]) == {"conflict", "referred", "points", "suspended"}
    assert badges(rows[crowd["rich"]]) == set()
    assert "7 points" in rows[crowd["stopped"]].text
    assert "Иван Петров (ivan.p)" in rows[crowd["good"]].text
    assert "5,000.00" in rows[crowd["rich"]].text
    assert crowd["gone"] not in rows


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("name=петр", {"good"}), ("name=ИВАН", {"good"}), ("name=и", {"good"}), ("search=ivan.p", {"good"}),
        ("search=ИВАН пет", {"good"}), ("search=%25", {"stopped"}), ("search=0%25_s", {"stopped"}), ("name=_", {"stopped"}),
        ("project={beta}&country=RU&characterization={good_kind}", {"good"}), ("product={product}", {"rich"}), ("group={group}", {"member"}),
        ("registered_from=2020-05-17&registered_to=2020-05-17", {"good"}), ("registered_to=2020-05-16", set()),
        ("characterization={good_kind}", {"good"}), ("legal_status=company", {"rich"}), ("country=FR", {"rich"}),
        ("balance_above=4999.99", {"rich"}), ("balance_below=0", {"stopped"}), ("balance_below=-12,50", set()),
        ("has_points=1", {"stopped"}), ("referred=1", {"stopped"}), ("id={good}", {"good"}), ("id={gone}", set()),
        ("country=FR&legal_status=individual", set()), ("search=++петров++&country=", {"good"}), ("search=gone", set()),
    ],
)  # fmt: skip
def test_every_filter_finds_its_clients(owner: Desk, crowd: dict[str, int], query: str, found: set[str]) -> None:
    """Alone and in pairs, blind to case, empty ones as if absent, wildcards as plain characters."""
    page = owner.page("/admin/clients/?" + query.format(**crowd))
    assert set(pages.row_ids(page)) == {crowd[name] for name in found}
    assert "was not understood" not in page.text


@pytest.mark.parametrize(
    "query",
    ["project=abc", "project=99999", "id=0", "id=99999999999", "registered_from=soon", "registered_to=2020-13-01", "language=fr",
     "characterization=-1", "balance_above=NaN", "balance_below=1e9", "has_points=yes", "sort=password", "page_size=7",
     "country=XX", "colour=red", "name=a&name=b", "after=nonsense"],
)  # fmt: skip
def test_what_is_not_understood_shows_nobody_and_says_so(owner: Desk, crowd: dict[str, int], query: str) -> None:
    """A condition that cannot be read never widens the list, and no bulk action runs on it."""
    page = owner.page("/admin/clients/?" + query)
    assert pages.row_ids(page) == []
    assert page.all(role="alert")
    if not query.startswith("after"):
        before = digest(owner.app)
        answer = owner.post(f"/admin/clients/action/?{query}", action="delete", all="1")
        assert answer.status_code == 302
        assert "/bulk/" not in answer.location
        assert digest(owner.app) == before


@pytest.mark.parametrize(
    "sort", ["id", "name", "email", "country", "project", "balance", "registered_at", "active_services", "properties"]
)
def test_pages_lead_through_all_rows_once_in_both_directions(app: Flask, owner: Desk, sort: str) -> None:
    """Forwards and backwards over rows that are alike in the sort column; the last page is reached at once."""
    with make.scene(app):
        make.clients(["Twin"] * 45)
        everyone = set(db.session.scalars(sa.select(Client.id).where(Client.deleted_at.is_(None))))
    for order in (sort, f"-{sort}"):
        forwards, page = [], owner.page(f"/admin/clients/?page_size=20&sort={order}")
        while True:
            forwards.append(pages.row_ids(page))
            further = page.all("a", rel="next")
            if not further:
                break
            page = owner.page(further[0]["href"])
        rows = [number for ids in forwards for number in ids]
        assert sorted(rows) == sorted(everyone)
        backwards = [pages.row_ids(page)]
        while page.all("a", rel="prev"):
            page = owner.page(page.first("a", rel="prev")["href"])
            backwards.append(pages.row_ids(page))
        assert [number for ids in reversed(backwards) for number in ids] == rows
    last = owner.page(owner.page(f"/admin/clients/?page_size=20&sort={sort}").first("a", rel="last")["href"])
    assert not last.all("a", rel="next")
    assert len(pages.row_ids(last)) == 20


# In place


def change(desk: Desk, number: int, **fields: Any) -> Any:
    return desk.post("/admin/clients/ajax/update/", list_form_pk=str(number), **fields)


@pytest.mark.parametrize(
    ("column", "typed", "kept"),
    [("contact_person", "Пётр Щукин", "Пётр Щукин"), ("email", "New@Example.COM", "New@example.com"),
     ("verified_phone", "030 123456", "+4930123456"), ("language", "ru", "ru"), ("country", "FR", "FR"),
     ("note", "two\nlines", "two\nlines")],
)  # fmt: skip
def test_a_cell_is_changed_in_place(owner: Desk, cast: Cast, column: str, typed: str, kept: str) -> None:
    """The answer carries the new cell and version; the table the value, in its normal form; the audit both."""
    with make.scene(owner.app):
        number = make.client("Cell", country="DE").id
    answer = change(owner, number, **{column: typed})
    assert answer.status_code == 200, answer.text
    row = client_row(owner.app, number)
    assert str(row[column]) == kept
    assert answer.json["version"] == row["row_version"] == 2
    with owner.app.app_context():
        event = db.session.scalars(sa.select(AuditEvent).order_by(AuditEvent.id.desc()).limit(1)).one()
        assert (event.action, event.record_id, event.staff_id, event.after[column]) == (
            "edit",
            number,
            cast.owner.id,
            kept,
        )


def test_the_characterization_is_changed_in_place_and_signed(owner: Desk, cast: Cast, crowd: dict[str, int]) -> None:
    answer = change(owner, crowd["member"], characterization=str(crowd["good_kind"]))
    assert answer.status_code == 200, answer.text
    row = client_row(owner.app, crowd["member"])
    assert (row["characterization_id"], row["characterization_by_id"]) == (crowd["good_kind"], cast.owner.id)


@pytest.mark.parametrize(
    ("column", "typed"),
    [("email", ""), ("email", "a@b, c@d"), ("email", "x\r\nBcc: y@z.example"), ("verified_phone", "12"), ("language", "fr"), ("country", "XX"),
     ("country", ""), ("characterization", "999"), ("contact_person", "x" * 201), ("contact_person", "a\nb"), ("note", "\x01")],
)  # fmt: skip
def test_a_wrong_value_is_refused_at_the_cell(owner: Desk, cast: Cast, column: str, typed: str) -> None:
    """400 with a sentence; what was there stays."""
    before = digest(owner.app)
    answer = change(owner, cast.a.id, **{column: typed})
    assert answer.status_code == 400
    assert answer.mimetype == "text/plain"
    assert len(answer.text) > 10
    assert digest(owner.app) == before


def test_a_cell_is_not_everybodys(log_in: Callable[[str], Desk], owner: Desk, cast: Cast) -> None:
    """403 for who may not, for a column that is none; 404 for nobody; 409 for a version gone by."""
    before = digest(owner.app)
    assert change(log_in("auditor"), cast.a.id, note="x").status_code == 403
    assert change(log_in("support"), cast.a.id, email="x@example.com").status_code == 403
    assert change(owner, cast.a.id, balance="5").status_code == 403
    assert change(owner, cast.a.id, registration_ip="::1").status_code == 403
    assert change(owner, 99999, note="x").status_code == 404
    assert change(owner, cast.a.id, note="x", row_version="77").status_code == 409
    assert digest(owner.app) == before
    assert change(log_in("support"), cast.a.id, note="calm").status_code == 200


# In bulk


def bulk(desk: Desk, action: str, ids: list[int] | None = None, query: str = "") -> tuple[str, pages.Node]:
    """Ask for a bulk action; the address and the page of its confirmation."""
    picked = [("rowid", str(number)) for number in ids] if ids is not None else [("all", "1")]
    answer = desk.post(f"/admin/clients/action/{query}", [("action", action), *picked])
    assert answer.status_code == 302, answer.text[:500]
    return answer.location, desk.page(answer.location)


def confirm(desk: Desk, address: str, page: pages.Node, **more: str) -> pages.Node:
    hidden = {name: page.first("input", name=name)["value"] for name in ("selection", "count")}
    return desk.follow(desk.post(address, {**hidden, **more}))


def test_all_that_match_are_characterized_at_once(owner: Desk, app: Flask, crowd: dict[str, int]) -> None:
    """The page says how many and what they are now; one press changes them and says whom it skipped."""
    with make.scene(app):
        twins = make.clients(["Twin"] * 30)
    query = "?name=twin&page_size=20"
    address, page = bulk(owner, "set_characterization", query=query)
    assert "30" in page.text
    assert "Change 30 clients" in page.text
    done = confirm(
        owner, address, page, characterization=str(crowd["good_kind"]), characterization_reason="Bought a lot"
    )
    assert "30 clients changed" in done.text
    with app.app_context():
        rows = db.session.execute(
            sa.select(Client.characterization_id, Client.row_version).where(Client.id.in_(twins))
        ).all()
        assert set(rows) == {(crowd["good_kind"], 2)}
        events = db.session.scalars(sa.select(AuditEvent).where(AuditEvent.action == "set_characterization")).all()
        assert {event.record_id for event in events} == set(twins)
        assert {tuple(event.before.values()) for event in events} == {(make.characterization().id,)}
    address, page = bulk(owner, "set_characterization", [twins[0], crowd["member"]])
    done = confirm(owner, address, page, characterization=str(crowd["good_kind"]), characterization_reason="")
    assert "1 client changed" in done.text
    assert "Skipped 1" in done.text


def test_a_bulk_action_is_done_once_and_to_as_many_as_were_shown(owner: Desk, app: Flask) -> None:
    """A form sent twice acts once; a number that has changed meanwhile is asked about again."""
    with make.scene(app):
        twins = make.clients(["Twin"] * 3)
    address, page = bulk(owner, "delete", query="?name=twin")
    with make.scene(app):
        late = make.clients(["Twin too"])
    before = digest(app)
    hidden = {name: page.first("input", name=name)["value"] for name in ("selection", "count")}
    answer = owner.post(address, hidden)
    assert answer.status_code == 200
    assert "different number" in pages.read(answer.text).text
    assert digest(app) == before
    again = pages.read(answer.text)
    confirm(owner, address, again)
    with app.app_context():
        gone = db.session.scalars(sa.select(Client.id).where(Client.deleted_at.is_not(None))).all()
        assert set(gone) == {*twins, *late}
    assert "done already" in confirm(owner, address, owner.page(address)).text


def test_nothing_selected_is_said(owner: Desk) -> None:
    answer = owner.post("/admin/clients/action/", action="delete")
    assert "Nothing is selected" in owner.follow(answer).text


# One client


GOOD = {
    "username": "new.client", "password": "Correct2horse", "password_confirm": "Correct2horse", "email": "new@clients.example",
    "country": "DE", "language": "ru", "legal_status": "individual", "company_name": "", "contact_person": HOSTILE,
}  # fmt: skip


def test_creating_a_client_makes_its_user_and_its_account(owner: Desk, cast: Cast) -> None:
    """In one go, with a password for one login, and no letter unless asked for."""
    page = owner.follow(owner.post("/admin/clients/new/", GOOD, project=str(cast.project_b)))
    assert HOSTILE in page.text
    with owner.app.app_context():
        client = db.session.scalars(sa.select(Client).where(Client.email == GOOD["email"])).one()
        assert (client.name, client.project_id, client.language) == (HOSTILE, cast.project_b, "ru")
        assert (client.owner.username, client.owner.must_change_password, client.owner.is_owner) == (
            "new.client",
            True,
            True,
        )
        assert client.owner.password_hash.startswith("$argon2id$")
        assert [(account.currency, account.balance) for account in client.accounts] == [("RUB", 0)]
        assert (
            db.session.scalar(sa.select(sa.func.count(OutboundEmail.id)).where(OutboundEmail.client_id == client.id))
            == 0
        )


@pytest.mark.parametrize(
    ("field", "typed", "message"),
    [("project", "", "Choose"), ("project", "999", "Choose"), ("username", "", "empty"), ("username", "имя", "Latin"), ("username", "x" * 81, "longer"),
     ("username", "anna", "taken"), ("username", "ANNA", "taken"), ("password", "", "empty"), ("password", "short1", "8 characters"), ("password", "onlyletters", "Latin letters and digits"),
     ("password", "password1", "most common"), ("password_confirm", "other", "not the same"), ("email", "", "empty"), ("email", "nobody", "no e-mail"), ("email", "x@y.example, z@y.example", "no e-mail"),
     ("country", "", "country"), ("country", "XX", "country"), ("language", "fr", "Choose"), ("legal_status", "king", "Choose"), ("legal_status", "company", "has a name"),
     ("contact_person", "", "empty"), ("contact_person", "я" * 201, "longer"), ("contact_person", "a\x02b", "cannot be kept")],
)  # fmt: skip
def test_what_cannot_be_is_said_beside_its_field(owner: Desk, cast: Cast, field: str, typed: str, message: str) -> None:
    """The message stands at the field, all else that was typed is still there, passwords aside; nothing is written."""
    before = digest(owner.app)
    wrong = {"password_confirm": typed} if field == "password" else {}
    page = owner.refused("/admin/clients/new/", {**GOOD, "project": str(cast.project_a), field: typed, **wrong})
    beside = "company_name" if typed == "company" else field
    assert message in page.one(id=f"{beside}-error").text
    for name in ("username", "email", "contact_person"):
        assert page.one("input", name=name).get("value") == (typed if name == field else GOOD[name]).strip()
    assert not page.one("input", name="password").get("value")
    assert digest(owner.app) == before


def test_similar_clients_are_shown_and_do_not_stand_in_the_way(owner: Desk, cast: Cast) -> None:
    with owner.app.app_context():
        email = db.session.get(Client, cast.a.id).email
    assert [one["id"] for one in owner.get(f"/admin/clients/similar.json?email={email}").json] == [cast.a.id]
    answer = owner.post("/admin/clients/new/", GOOD, project=str(cast.project_a), email=email)
    assert answer.status_code == 302


EDIT = {"name": "Anna Alpha", "legal_status": "individual", "company_name": "", "contact_person": "Anna", "email": "a@clients.example",
        "country": "DE", "language": "en", "verified_phone": "", "note": "", "characterization_reason": "", "referrer": "", "affiliate_program": ""}  # fmt: skip


def edited(desk: Desk, cast: Cast, **fields: Any) -> Any:
    with desk.app.app_context():
        client = db.session.get(Client, cast.a.id)
        home = {
            "project": str(client.project_id),
            "characterization": str(client.characterization_id),
            "row_version": str(client.row_version),
        }
    return desk.post(f"/admin/clients/edit/?id={cast.a.id}", {**EDIT, **home, **fields})


def test_editing_keeps_what_is_not_to_be_edited(owner: Desk, cast: Cast) -> None:
    """Registration date and address, balance and counters stay, however the form is forged."""
    before = client_row(owner.app, cast.a.id)
    answer = edited(owner, cast, verified_phone="030 123456", note="Calls on Mondays", registered_at="1999-01-01", registration_ip="6.6.6.6",
                    balance="1000000", active_services="9", deleted_at="2020-01-01", external_id="x")  # fmt: skip
    assert answer.status_code == 302, pages.read(answer.text).text
    after = client_row(owner.app, cast.a.id)
    assert (after["verified_phone"], after["note"]) == ("+4930123456", "Calls on Mondays")
    for column in ("registered_at", "registration_ip", "balance", "active_services", "deleted_at", "external_id"):
        assert after[column] == before[column]


def test_who_brought_whom_has_no_circle(owner: Desk, cast: Cast) -> None:
    with make.scene(owner.app):
        db.session.get(Client, cast.b.id).referrer_id = cast.a.id
    for referrer in (cast.a.id, cast.b.id):
        page = pages.read(edited(owner, cast, referrer=str(referrer)).text)
        assert "cannot have been brought" in page.one(id="referrer-error").text
    assert "none with this code" in pages.read(edited(owner, cast, referrer="99999").text).one(id="referrer-error").text
    assert client_row(owner.app, cast.a.id)["referrer_id"] is None


def test_the_second_of_two_editors_is_told_and_loses_nothing(owner: Desk, cast: Cast) -> None:
    answer = edited(owner, cast, note="what I typed", row_version="0")
    page = pages.read(answer.text)
    assert "changed this record meanwhile" in page.text
    assert page.one("textarea", name="note").text == "what I typed"
    assert client_row(owner.app, cast.a.id)["note"] == ""


def test_support_edits_note_and_characterization_alone(
    log_in: Callable[[str], Desk], cast: Cast, crowd: dict[str, int]
) -> None:
    before = client_row(log_in("owner").app, cast.a.id)
    answer = edited(
        log_in("support"),
        cast,
        note="calm",
        characterization=str(crowd["good_kind"]),
        email="evil@example.com",
        name="Evil",
    )
    assert answer.status_code == 302
    after = client_row(log_in("owner").app, cast.a.id)
    assert (after["note"], after["characterization_id"]) == ("calm", crowd["good_kind"])
    assert (after["email"], after["name"]) == (before["email"], before["name"])


def test_a_deleted_client_leaves_and_comes_back(owner: Desk, cast: Cast, clock: Any) -> None:
    """The sheet says what hangs on it; deleted, it is nowhere and its users are shut out; restored, all is as before."""
    page = owner.page(f"/admin/clients/delete/?id={cast.a.id}")
    assert "financial documents stay" in page.text
    assert "will not be able to log in" in page.text
    owner.follow(owner.post("/admin/clients/delete/", id=str(cast.a.id)))
    assert cast.a.id not in owner.ids("/admin/clients/?page_size=100")
    assert owner.get(f"/admin/clients/details/?id={cast.a.id}").status_code == 404
    deleted = owner.page("/admin/clients/deleted/")
    assert "Anna Alpha" in deleted.text
    owner.follow(owner.post("/admin/clients/restore/", id=str(cast.a.id)))
    assert cast.a.id in owner.ids("/admin/clients/?page_size=100")
    owner.follow(owner.post("/admin/clients/delete/", id=str(cast.a.id)))
    clock.move(days=31)
    with owner.app.app_context():
        assert db.session.scalar(sa.select(ClientUser.id).where(ClientUser.client_id == cast.a.id)) is not None


# The client filter


OF_CLIENTS = (
    "users",
    "payers",
    "accounts",
    "services",
    "invoices",
    "payments",
    "expenses",
    "acts",
    "tickets",
    "violations",
)


def test_the_client_filter_scopes_every_module(owner: Desk, cast: Cast) -> None:
    """All lists show that client's records alone, another's id answers 404 everywhere, and a bar says so."""
    page = owner.follow(owner.post("/admin/clients/scope/", id=str(cast.a.id), url="/admin/services/"))
    assert "Anna Alpha" in page.one(class_="scope-bar").text
    assert owner.ids("/admin/clients/") == [cast.a.id]
    before = digest(owner.app)
    for module in OF_CLIENTS:
        assert cast.a.records[module] in owner.ids(f"/admin/{module}/")
        assert cast.b.records[module] not in owner.ids(f"/admin/{module}/")
        assert owner.get(f"/admin/{module}/details/?id={cast.b.records[module]}").status_code == 404
    for path, fields in (
        (f"/admin/clients/edit/?id={cast.b.id}", {**EDIT}),
        ("/admin/clients/delete/", {"id": cast.b.id}),
        ("/admin/clients/ajax/update/", {"list_form_pk": cast.b.id, "note": "x"}),
        ("/admin/clients/action/", {"action": "delete", "rowid": cast.b.id}),
        (f"/admin/payers/edit/?id={cast.b.records['payers']}", {"name": "x"}),
        ("/admin/users/ajax/update/", {"list_form_pk": cast.b.records["users"], "full_name": "x"}),
    ):
        assert owner.post(path, fields).status_code == 404, path
    assert digest(owner.app) == before
    owner.post("/admin/clients/scope/", id="")
    assert cast.b.records["tickets"] in owner.ids("/admin/tickets/")


def test_an_address_scopes_one_page_and_changes_nothing(owner: Desk, cast: Cast) -> None:
    before = digest(owner.app)
    page = owner.page(f"/admin/tickets/?client={cast.a.id}")
    assert cast.a.records["tickets"] in pages.row_ids(page)
    assert cast.b.records["tickets"] not in pages.row_ids(page)
    assert page.one(class_="scope-bar").first("input", name="id")["value"] == str(cast.a.id)
    assert len(owner.ids("/admin/tickets/")) >= 2
    assert owner.ids("/admin/tickets/?client=99999") == []
    assert digest(owner.app) == before


# A file


def test_the_export_is_what_the_filter_shows_and_runs_nowhere(
    owner: Desk, app: Flask, log_in: Callable[[str], Desk]
) -> None:
    """No cell begins as a formula; only what matches is in it; who may not export gets none; it is written down."""
    with make.scene(app):
        make.client("=1+2", country="FR", note="@SUM(A1)", contact_person="+7 900")
        make.client("Left out", country="IT")
    text = owner.get("/admin/clients/export/csv/?country=FR", buffered=True).get_data(as_text=True)
    assert "'=1+2" in text
    assert "'@SUM(A1)" in text
    assert "Left out" not in text
    assert not any(cell.startswith(("=", "+", "@")) for line in text.splitlines() for cell in line.split(","))
    assert log_in("support").get("/admin/clients/export/csv/").status_code == 403
    with app.app_context():
        event = db.session.scalars(sa.select(AuditEvent).where(AuditEvent.action == "export")).one()
        assert event.after["filter"] == {"country": "FR"}


def test_a_name_that_means_harm_is_text_everywhere(owner: Desk, app: Flask) -> None:
    """In list, badge titles, profile, forms, confirmation and chips it is what was typed, and never an element."""
    name = f"{HOSTILE}<script>x</script>\"'><img src=x onerror=alert(1)>"
    with make.scene(app):
        number = make.client(
            name, company_name=name, contact_person=name, note=name, registered_at=now() - timedelta(days=1)
        ).id
        group = make.group(name).id
    with app.app_context():
        db.session.execute(sa.text("INSERT INTO client_group_members VALUES (:c, :g)"), {"c": number, "g": group})
        db.session.commit()
    delete, confirmation = bulk(owner, "delete", [number])
    for address in ("/admin/clients/", f"/admin/clients/?group={group}", f"/admin/clients/details/?id={number}", f"/admin/clients/edit/?id={number}",
                    f"/admin/clients/delete/?id={number}", f"/admin/users/?client={number}", "/admin/groups/", "/admin/audit/", delete):  # fmt: skip
        page = owner.page(address)
        assert not page.all("img")
        assert not [
            node
            for node in page.all("script")
            if "src" not in node.attributes and node.get("type") != "application/json"
        ]
        assert not [node for node in page.walk() if any(key.startswith("on") for key in node.attributes)]
        assert "49" not in [cell.text for cell in page.all("td")]
    assert HOSTILE in owner.page(f"/admin/clients/details/?id={number}").text
    assert confirmation.all("form")

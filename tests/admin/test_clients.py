"""Clients through HTTP, one thing after the other: what is shown, found, refused, changed in bulk, deleted."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from extensions import db, now
from models import AuditEvent, Client, ClientUser, Project
from tests import factories as make
from tests.cast import Cast, Desk, digest
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


FOUND: list[tuple[str, set[str]]] = [
        ("name=петр", {"good"}), ("name=ИВАН", {"good"}), ("name=и", {"good"}), ("search=ivan.p", {"good"}),
        ("search=ИВАН пет", {"good"}), ("search=%25", {"stopped"}), ("search=0%25_s", {"stopped"}), ("name=_", {"stopped"}),
        ("project={beta}&country=RU&characterization={good_kind}", {"good"}), ("product={product}", {"rich"}), ("group={group}", {"member"}),
        ("registered_from=2020-05-17&registered_to=2020-05-17", {"good"}), ("registered_to=2020-05-16", set()),
        ("characterization={good_kind}", {"good"}), ("legal_status=company", {"rich"}), ("country=FR", {"rich"}),
        ("balance_above=4999.99", {"rich"}), ("balance_below=0", {"stopped"}), ("balance_below=-12,50", set()),
        ("has_points=1", {"stopped"}), ("referred=1", {"stopped"}), ("id={good}", {"good"}), ("id={gone}", set()),
        ("country=FR&legal_status=individual", set()), ("search=++петров++&country=", {"good"}), ("search=gone", set()),
]  # fmt: skip


def test_every_filter_finds_its_clients(owner: Desk, crowd: dict[str, int]) -> None:
    """Alone and in pairs, blind to case, empty ones as if absent, wildcards as plain characters."""
    for query, found in FOUND:
        page = owner.page("/admin/clients/?" + query.format(**crowd))
        assert set(pages.row_ids(page)) == {crowd[name] for name in found}, query
        assert "was not understood" not in page.text, query


NOT_UNDERSTOOD = (
    "project=abc", "project=99999", "id=0", "id=99999999999", "registered_from=soon", "registered_to=2020-13-01", "language=fr",
     "characterization=-1", "balance_above=NaN", "balance_below=1e9", "has_points=yes", "sort=password", "page_size=7",
     "country=XX", "colour=red", "name=a&name=b", "after=nonsense",
)  # fmt: skip


def test_what_is_not_understood_shows_nobody_and_says_so(owner: Desk, cast: Cast) -> None:
    """A condition that cannot be read never widens the list, and no bulk action runs on it."""
    before = digest(owner.app)
    for query in NOT_UNDERSTOOD:
        page = owner.page("/admin/clients/?" + query)
        assert pages.row_ids(page) == [], query
        assert page.all(role="alert"), query
        if not query.startswith("after"):
            answer = owner.post(f"/admin/clients/action/?{query}", action="delete", all="1")
            assert answer.status_code == 302, query
            assert "/bulk/" not in answer.location, query
    assert digest(owner.app) == before


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


# One client


GOOD = {
    "username": "new.client", "password": "Correct2horse", "password_confirm": "Correct2horse", "email": "new@clients.example",
    "country": "DE", "language": "ru", "legal_status": "individual", "company_name": "", "contact_person": HOSTILE,
}  # fmt: skip


IMPOSSIBLE = [
    ("project", "", "Choose"), ("project", "999", "Choose"), ("username", "", "empty"), ("username", "имя", "Latin"), ("username", "x" * 81, "longer"),
     ("username", "anna", "taken"), ("username", "ANNA", "taken"), ("password", "", "empty"), ("password", "short1", "8 characters"), ("password", "onlyletters", "Latin letters and digits"),
     ("password", "password1", "most common"), ("password_confirm", "other", "not the same"), ("email", "", "empty"), ("email", "nobody", "no e-mail"), ("email", "x@y.example, z@y.example", "no e-mail"),
     ("country", "", "country"), ("country", "XX", "country"), ("language", "fr", "Choose"), ("legal_status", "king", "Choose"), ("legal_status", "company", "has a name"),
     ("contact_person", "", "empty"), ("contact_person", "я" * 201, "longer"), ("contact_person", "a\x02b", "cannot be kept"),
]  # fmt: skip


def test_what_cannot_be_is_said_beside_its_field(owner: Desk, cast: Cast) -> None:
    """The message stands at the field, all else that was typed is still there, passwords aside; nothing is written."""
    before = digest(owner.app)
    for field, typed, message in IMPOSSIBLE:
        wrong = {"password_confirm": typed} if field == "password" else {}
        page = owner.refused("/admin/clients/new/", {**GOOD, "project": str(cast.project_a), field: typed, **wrong})
        beside = "company_name" if typed == "company" else field
        assert message in page.one(id=f"{beside}-error").text, (field, typed)
        for name in ("username", "email", "contact_person"):
            kept = (typed if name == field else GOOD[name]).strip()
            assert page.one("input", name=name).get("value") == kept, (field, typed, name)
        assert not page.one("input", name="password").get("value"), (field, typed)
    assert digest(owner.app) == before


def test_a_deleted_client_leaves_and_comes_back(owner: Desk, cast: Cast, clock: Any) -> None:
    """The sheet says what hangs on it; deleted, it is nowhere and its users are shut out; restored, all is as before."""
    page = owner.page(f"/admin/clients/delete/?id={cast.a.id}")
    assert "financial documents stay" in page.text
    assert "will not be able to log in" in page.text
    owner.follow(owner.post("/admin/clients/delete/", id=str(cast.a.id)))
    assert cast.a.id not in owner.ids("/admin/clients/?page_size=100")
    assert "This client was deleted" in owner.page(f"/admin/clients/details/?id={cast.a.id}").text
    assert owner.get(f"/admin/clients/edit/?id={cast.a.id}").status_code == 404
    deleted = owner.page("/admin/clients/deleted/")
    assert "Anna Alpha" in deleted.text
    owner.follow(owner.post("/admin/clients/restore/", id=str(cast.a.id)))
    assert cast.a.id in owner.ids("/admin/clients/?page_size=100")
    owner.follow(owner.post("/admin/clients/delete/", id=str(cast.a.id)))
    clock.move(days=31)
    with owner.app.app_context():
        assert db.session.scalar(sa.select(ClientUser.id).where(ClientUser.client_id == cast.a.id)) is not None

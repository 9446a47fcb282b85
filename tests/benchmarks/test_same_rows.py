"""All applications show the same rows for all cases, and their changes change what they say."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from benchmarks import applications, bare_flask, run, stock_flask_admin
from benchmarks.applications import Application, BareFlask, FlaskAdmin, Product
from benchmarks.cases import PAGE, Case, cases
from benchmarks.databases import Filled
from benchmarks.fill import USERNAME
from extensions import db
from models import Characterization, Client

FIRST = Case("a", "", {})


@pytest.fixture
def bare(filled: Filled, monkeypatch: pytest.MonkeyPatch) -> Iterator[FlaskClient]:
    monkeypatch.setenv("DATABASE_URL", filled.url)
    monkeypatch.setenv("BARE_STAFF", str(applications.staff_id(filled)))
    monkeypatch.setenv("BARE_KEY", "of this test")
    monkeypatch.setenv("BARE_NOW", applications.NOW)
    limit = bare_flask.create_app()
    yield limit.test_client()
    limit.extensions["database"].close()


@pytest.fixture
def stock(filled: Filled, monkeypatch: pytest.MonkeyPatch) -> Iterator[FlaskClient]:
    monkeypatch.setenv("DATABASE_URL", filled.url)
    monkeypatch.setenv("STOCK_KEY", "of this test")
    monkeypatch.setenv("STOCK_NOW", applications.NOW)
    app = stock_flask_admin.create_app()
    yield app.test_client()
    with app.app_context():
        stock_flask_admin.db.engine.dispose()


def rows(kind: type[Application], text: str) -> list[int]:
    return [int(number) for number in kind.row.findall(text)]


def address(kind: type[Application], case: Case) -> str:
    return kind.address(object.__new__(kind), case)


def test_every_case_shows_the_same_rows(
    app: Flask, filled: Filled, client: FlaskClient, bare: FlaskClient, stock: FlaskClient
) -> None:
    bare.get("/login")
    run.log_in(client, filled.password)
    assert stock.post("/login", data={"username": USERNAME, "password": filled.password}).status_code == 302
    for case in cases(filled):
        shown = {
            kind.name: rows(kind, visitor.get(address(kind, case)).text)
            for kind, visitor in ((Product, client), (BareFlask, bare), (FlaskAdmin, stock))
        }
        wanted = shown[BareFlask.name]
        assert 0 < len(wanted) <= PAGE
        assert (len(wanted) == 1) == (case.code == "d2")
        assert shown == dict.fromkeys(shown, wanted), case.title


def test_the_deep_page_is_deep(filled: Filled) -> None:
    deep = next(case for case in cases(filled) if case.code == "b")
    assert deep.skipped % PAGE == 0
    assert deep.skipped == pytest.approx(filled.clients * 0.9, abs=PAGE / 2)
    assert deep.after is not None
    assert filled.clients - deep.after + 1 == deep.skipped


def test_nobody_sees_the_lists_without_a_login(bare: FlaskClient, stock: FlaskClient) -> None:
    assert bare.get("/clients/a").status_code == 403
    assert stock.get("/admin/client/").status_code in {302, 403}
    assert "rowid" not in stock.get("/admin/client/", follow_redirects=True).text


def test_both_peers_change_what_they_are_asked_to(
    app: Flask, filled: Filled, bare: FlaskClient, stock: FlaskClient
) -> None:
    bare.get("/login")
    stock.post("/login", data={"username": USERNAME, "password": filled.password})
    with app.app_context():
        kinds = dict(db.session.execute(sa.select(Characterization.code, Characterization.id)).all())
    assert bare.post("/edit", data={"id": "7", "note": "Of the limit"}).status_code == 200
    assert (
        stock.post("/admin/client/ajax/update/", data={"list_form_pk": "8", "note": "Of Flask-Admin"}).status_code
        == 200
    )
    chosen = {"id": ["11", "12"], "characterization": str(kinds["good"])}
    assert bare.post("/change", data=chosen).status_code == 200
    chosen = {"action": f"characterize_{kinds['good']}", "rowid": ["13", "14"], "url": "/admin/client/"}
    assert stock.post("/admin/client/action/", data=chosen).status_code == 302
    with app.app_context():
        assert db.session.get_one(Client, 7).note == "Of the limit"
        assert db.session.get_one(Client, 8).note == "Of Flask-Admin"
        changed = db.session.scalars(sa.select(Client).where(Client.id.in_([11, 12, 13, 14])))
        assert {one.characterization.code for one in changed} == {"good"}


def test_peers_have_what_staff_have_on_the_page(filled: Filled, stock: FlaskClient) -> None:
    stock.post("/login", data={"username": USERNAME, "password": filled.password})
    page = stock.get(address(FlaskAdmin, FIRST)).text
    assert len(re.findall(r'data-role="x-editable', page)) == PAGE
    assert "badge-info" in page
    for word in ("Active product", "Characterization", "characterize_2"):
        assert word in page

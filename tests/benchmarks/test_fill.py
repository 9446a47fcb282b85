"""What is measured: a filled database is as it says, and the limit shows the rows that the product shows."""

from __future__ import annotations

from collections import Counter
from statistics import mean
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from benchmarks import bare_flask, cases, fill, run
from benchmarks.databases import Filled
from benchmarks.servers import Answer
from extensions import db
from models import (
    Characterization,
    Client,
    ClientGroup,
    Product,
    Project,
    Service,
    ServiceStatus,
    Staff,
    client_group_members,
)
from operations import checking, passwords

CLIENTS = 1500


@pytest.fixture
def filled(app: Flask, database_url: str, tmp_path: Any) -> Filled:
    password = fill.fill(app, clients=CLIENTS, seed=3)
    return Filled(database_url, tmp_path / "data", CLIENTS, password)


def number_of(*conditions: Any) -> int:
    return db.session.scalar(sa.select(sa.func.count()).where(*conditions)) or 0


def test_filled_as_it_says(app: Flask, filled: Filled) -> None:
    with app.app_context():
        assert number_of(Client.id > 0) == CLIENTS
        assert (number_of(Project.id > 0), number_of(Product.id > 0), number_of(ClientGroup.id > 0)) == (
            5,
            30,
            20,
        )
        assert 1.8 < number_of(Service.id > 0) / CLIENTS < 2.2
        members = db.session.scalar(sa.select(sa.func.count()).select_from(client_group_members))
        assert 1.3 < members / CLIENTS < 1.7
        assert 180 < mean(map(len, db.session.scalars(sa.select(Client.note)))) < 320
        codes = Counter(db.session.scalars(sa.select(Characterization.code).join(Client)))
        assert 0.07 < codes["good"] / CLIENTS < 0.13
        assert checking.faults() == []


def test_counts_beside_clients_are_right(app: Flask, filled: Filled) -> None:
    with app.app_context():
        counts = Counter(db.session.scalars(sa.select(Service.client_id).where(Service.status == ServiceStatus.ACTIVE)))
        for number, count in db.session.execute(sa.select(Client.id, Client.active_services)):
            assert count == counts[number]


def test_staff_member_has_the_password(app: Flask, filled: Filled) -> None:
    with app.app_context():
        staff = db.session.scalars(sa.select(Staff)).one()
        assert passwords.verify(staff.password_hash, filled.password)


@pytest.mark.engine("sqlite")
def test_a_filled_database_is_not_filled_again(app: Flask, filled: Filled) -> None:
    with pytest.raises(SystemExit, match="clients already"):
        fill.fill(app, clients=10, seed=3)


def test_limit_shows_the_rows_of_the_product(
    app: Flask, filled: Filled, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", filled.url)
    monkeypatch.setenv("BARE_STAFF", "1")
    monkeypatch.setenv("BARE_KEY", "of this test")
    monkeypatch.setenv("BARE_NOW", cases.BARE_NOW)
    limit = bare_flask.create_app()
    bare = limit.test_client()
    assert bare.get("/clients/a").status_code == 403
    bare.get("/login")
    run.log_in(client, filled)
    for case in cases.cases(filled):
        if not case.is_write:
            mine = client.get(cases.product_address(case))
            theirs = bare.get(cases.bare_address(case))
            rows = Answer(theirs.status_code, theirs.text).rows
            assert rows
            assert (len(rows) == 1) == (case.code == "d2")
            assert Answer(mine.status_code, mine.text).rows == rows, case.title
    limit.extensions["database"].close()


@pytest.mark.engine("sqlite")
def test_table_has_a_line_for_each_case(capsys: pytest.CaptureFixture[str], tmp_path: Any) -> None:
    given = [
        "--clients",
        "200",
        "--rounds",
        "2",
        "--directory",
        str(tmp_path / "kept"),
        "--case",
        "a",
        "--case",
        "g",
    ]
    assert run.main(given) == 0
    printed = capsys.readouterr().out.splitlines()
    lines = [line.split(" | ") for line in printed if line.startswith(("| a ", "| g "))]
    assert [line[0] for line in lines] == ["| a", "| g"]
    assert all(float(line[2]) > 0 and float(line[3]) > 0 for line in lines)
    assert run.main([*given, "--clean"]) == 0
    assert not (tmp_path / "kept").exists()

"""Connections to the database: those that died are replaced, and pages ask few questions."""

from __future__ import annotations

import time

import pytest
import sqlalchemy as sa
from flask import Flask

import extensions
from extensions import db
from tests import cast as people_of
from tests.cast import Cast
from web import sessions

OTHERS = """SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()"""


def end_all_connections(app: Flask) -> int:
    with app.app_context():
        alone = sa.create_engine(db.engine.url, poolclass=sa.NullPool)
        with alone.connect() as connection:
            return int(connection.scalar(sa.text(OTHERS)) or 0)


@pytest.mark.engine("postgresql")
def test_after_a_restart_of_the_server_a_resting_connection_is_replaced_unnoticed(app: Flask, cast: Cast) -> None:
    desk = people_of.log_in(app.test_client(), cast.owner)
    assert desk.get("/admin/clients/").status_code == 200
    time.sleep(extensions.SECONDS_TRUSTED + 0.1)
    assert end_all_connections(app) >= 1
    assert desk.get("/admin/clients/").status_code == 200


@pytest.mark.engine("postgresql")
def test_in_the_middle_of_work_too(app: Flask, cast: Cast) -> None:
    desk = people_of.log_in(app.test_client(), cast.owner)
    assert desk.get("/admin/clients/").status_code == 200
    assert end_all_connections(app) >= 1
    assert desk.get("/admin/clients/").status_code == 200
    edit = {"list_form_pk": cast.a.id, "note": "Called back"}
    assert end_all_connections(app) >= 1
    assert desk.post("/admin/clients/ajax/update/", edit).status_code == 200
    assert people_of.client_row(app, cast.a.id)["note"] == "Called back"


def test_with_the_database_gone_a_page_says_so_and_with_its_return_all_is_well(
    app: Flask, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = people_of.log_in(app.test_client(), cast.owner)
    assert desk.token
    text = desk.get("/admin/clients/").text
    assert "Anna Alpha" in text

    def away(*_arguments: object, **_more: object) -> None:
        raise sa.exc.OperationalError("SELECT", {}, Exception("the server is away"))

    with monkeypatch.context() as patch:
        patch.setattr(sessions.DeskSessionInterface, "_find", away)
        for url in ("/admin/clients/", "/admin/login", "/panel/", "/login"):
            answer = desk.get(url)
            assert answer.status_code == 503, url
            assert "The database does not answer at the moment." in answer.text
            assert answer.headers["X-Request-Id"] in answer.text
        assert desk.post("/admin/clients/ajax/update/", {"list_form_pk": cast.a.id, "note": "x"}).status_code == 503
    assert "Anna Alpha" in desk.get("/admin/clients/").text


@pytest.mark.engine("postgresql")
def test_pages_are_read_without_a_transaction_and_forms_are_carried_out_in_one(app: Flask, cast: Cast) -> None:
    desk = people_of.log_in(app.test_client(), cast.owner)
    assert desk.token, "the first page writes its token into the session"
    levels: list[tuple[str, bool]] = []
    with app.app_context():
        engine = db.engine

    def note(connection: sa.Connection, _cursor: object, statement: str, *_rest: object) -> None:
        levels.append((statement.split(maxsplit=1)[0], bool(connection.connection.dbapi_connection.autocommit)))  # type: ignore[union-attr]

    sa.event.listen(engine, "before_cursor_execute", note)
    try:
        desk.get("/admin/clients/")
        assert levels
        assert all(is_auto for _verb, is_auto in levels)
        levels.clear()
        edit = {"list_form_pk": cast.a.id, "note": "Called back"}
        assert desk.post("/admin/clients/ajax/update/", edit).status_code == 200
        assert {is_auto for verb, is_auto in levels if verb in {"UPDATE", "INSERT"}} == {False}
    finally:
        sa.event.remove(engine, "before_cursor_execute", note)

"""Migrations: one line of them, the tables that the models describe, and data that outlives going back and forth."""

from __future__ import annotations

import flask_migrate
import pytest
import sqlalchemy as sa
from alembic.script import ScriptDirectory
from flask import Flask

from extensions import db, migrate
from models import Client
from operations import client_filters
from tests import cast as people_of
from tests import factories as make
from tests.cast import Cast

FIRST = "0001"  # The tables; before it there is nothing to keep.
# What goes with its table, as nobody has entered it: letters that came in, and what the database is known by.
GONE = ("inbound_emails", "desk_marks")


def scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(migrate.get_config())


def test_there_is_one_head_and_one_line_of_revisions(app: Flask) -> None:
    with app.app_context():
        revisions = list(scripts().walk_revisions())
        assert len(scripts().get_heads()) == 1
    assert all(isinstance(one.down_revision, str | None) for one in revisions)
    assert revisions[-1].revision == FIRST
    assert all(one.doc and one.module.downgrade for one in revisions)


def test_the_tables_are_what_the_models_describe(app: Flask) -> None:
    with app.app_context():
        flask_migrate.check()


def test_the_tables_check_all_that_the_models_check(app: Flask) -> None:
    """Autogenerate does not look at CHECK constraints."""
    with app.app_context():
        inspector = sa.inspect(db.engine)
        missing = []
        for table in db.metadata.sorted_tables:
            real = {one["name"] for one in inspector.get_check_constraints(table.name)}
            wanted = {str(one.name) for one in table.constraints if isinstance(one, sa.CheckConstraint)}
            missing += [f"{table.name}: {name}" for name in sorted(wanted - real)]
            missing += [f"{table.name}: {name} is checked, but stands in no model" for name in sorted(real - wanted)]
    assert not missing, "\n".join(missing)


def test_every_foreign_key_says_what_a_deletion_does(app: Flask) -> None:
    money = {"ledger_entries", "invoices", "payments", "expenses", "acts", "invoice_lines", "act_lines", "accounts"}
    with app.app_context():
        inspector = sa.inspect(db.engine)
        for table in db.metadata.sorted_tables:
            for key in inspector.get_foreign_keys(table.name):
                rule = key["options"].get("ondelete")
                assert rule, f"{table.name}.{key['constrained_columns']}"
                assert table.name not in money or rule == "RESTRICT", (
                    f"{table.name}.{key['constrained_columns']}: {rule}"
                )


@pytest.mark.timeout(300)
def test_going_back_and_forth_keeps_what_people_entered(app: Flask, cast: Cast) -> None:
    """Down to the first tables and up again, a step at a time; triggers and search work as before."""
    before = people_of.digest(app, but=GONE)
    with app.app_context():
        steps = [one.revision for one in scripts().walk_revisions() if one.revision != FIRST]
        db.session.remove()
        for _step in steps:
            flask_migrate.downgrade()
            db.session.remove()
        flask_migrate.upgrade()
    assert people_of.digest(app, but=GONE) == before
    with make.scene(app):
        anna = db.session.get_one(Client, cast.a.id)
        make.entry(anna, "-40.50")
        db.session.refresh(anna)
        assert str(anna.balance) == "59.50"
        assert found("anna") == [cast.a.id]
        anna.name = "Renamed meanwhile"
        db.session.flush()
        assert found("renamed") == [cast.a.id]
        assert found("alpha") == []
        with pytest.raises(sa.exc.DBAPIError), db.session.begin_nested():
            db.session.execute(sa.text("DELETE FROM ledger_entries"))


def found(text: str) -> list[int]:
    return list(db.session.scalars(client_filters.client_ids(client_filters.understand([("search", text)]))))


def test_a_new_desk_has_what_it_needs_to_work(app: Flask) -> None:
    """Upgrading twice changes nothing; the first rows are there."""
    before = people_of.digest(app)
    with app.app_context():
        flask_migrate.upgrade()
    assert people_of.digest(app) == before
    for table in ("roles", "characterizations", "ticket_categories", "features", "projects"):
        assert before[table], table


@pytest.mark.engine("sqlite")
def test_readiness_is_denied_until_the_migrations_are_current(app: Flask) -> None:
    visitor = app.test_client()
    assert visitor.get("/readyz").status_code == 200
    with app.app_context():
        db.session.execute(sa.text("UPDATE alembic_version SET version_num = '0002'"))
        db.session.commit()
    answer = visitor.get("/readyz")
    assert (answer.status_code, answer.text) == (503, "fail\n")
    assert visitor.get("/healthz").status_code == 200

"""The database that is measured: as many of each as it says, the same for the same seed, with all its keys."""

from __future__ import annotations

import random
from collections import Counter
from statistics import mean
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from benchmarks import fill
from benchmarks.databases import Filled
from extensions import db
from models import (
    Characterization,
    Client,
    ClientGroup,
    ClientUser,
    Product,
    Project,
    Service,
    ServiceStatus,
    Staff,
    client_group_members,
)
from operations import checking, passwords


def number_of(*conditions: Any) -> int:
    return db.session.scalar(sa.select(sa.func.count()).where(*conditions)) or 0


SQLITE_CATALOGUE = "SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_stat%' ORDER BY type, name"
POSTGRESQL_CATALOGUE = """
SELECT 'index', indexname::text, indexdef FROM pg_indexes WHERE schemaname = 'public' UNION ALL
SELECT 'key', conname::text, pg_get_constraintdef(oid) || convalidated::text FROM pg_constraint UNION ALL
SELECT 'trigger', tgname::text, pg_get_triggerdef(oid) || tgenabled::text FROM pg_trigger WHERE NOT tgisinternal
ORDER BY 1, 2, 3
"""


def keys_and_triggers() -> list[Any]:
    """All that the database itself keeps watch with."""
    is_sqlite = db.engine.dialect.name == "sqlite"
    found = db.session.execute(sa.text(SQLITE_CATALOGUE if is_sqlite else POSTGRESQL_CATALOGUE)).all()
    db.session.rollback()
    return list(map(tuple, found))


def test_keys_indexes_and_triggers_are_as_before(app: Flask) -> None:
    with app.app_context():
        before = keys_and_triggers()
        assert {kind for kind, _name, _definition in before} >= {"index", "trigger"}
        fill.fill(app, clients=20, seed=3)
        assert keys_and_triggers() == before


def test_every_key_holds_afterwards(app: Flask, filled: Filled) -> None:
    with app.app_context():
        with pytest.raises(sa.exc.IntegrityError):
            db.session.execute(sa.update(ClientUser).values(username="the same"))
        db.session.rollback()
        with pytest.raises(sa.exc.IntegrityError):
            db.session.execute(sa.update(Client).where(Client.id == 1).values(project_id=999))
        db.session.rollback()


class Remembered:
    """Takes rows in the place of the tables."""

    def __init__(self) -> None:
        self.rows: dict[str, list[dict[str, Any]]] = {}

    def add(self, table: str, row: dict[str, Any]) -> None:
        self.rows.setdefault(table, []).append(row)

    def write(self) -> None:
        """They stay where they are."""


def test_the_same_seed_gives_the_same_rows(app: Flask, filled: Filled) -> None:
    again = Remembered()
    with app.app_context():
        kinds = dict(db.session.execute(sa.select(Characterization.code, Characterization.id)).all())
        projects = list(db.session.scalars(sa.select(Project.id).order_by(Project.id)))
        products: dict[int, list[int]] = {number: [] for number in projects}
        for number, project in db.session.execute(sa.select(Product.id, Product.project_id).order_by(Product.id)):
            products[project].append(number)
        groups = list(db.session.scalars(sa.select(ClientGroup.id).order_by(ClientGroup.id)))
        setting = fill.Setting(projects=projects, products=products, groups=groups, characterizations=kinds)
        fill._clients(again, setting, filled.clients, random.Random(filled.seed))
        for name in ("name", "email", "note", "owner_username", "registered_at", "referrer_id", "active_services"):
            column = getattr(Client, name)
            in_table = list(db.session.scalars(sa.select(column).order_by(Client.id)))
            assert in_table == [row[name] for row in again.rows["clients"]]
        memberships = db.session.execute(sa.select(client_group_members)).all()
        assert sorted(memberships) == sorted(
            (row["client_id"], row["group_id"]) for row in again.rows["client_group_members"]
        )


def test_other_seeds_have_other_fingerprints() -> None:
    assert fill.fingerprint(1) == fill.fingerprint(1) != fill.fingerprint(2)


def test_filled_as_it_says(app: Flask, filled: Filled) -> None:
    with app.app_context():
        assert number_of(Client.id > 0) == filled.clients
        assert (number_of(Project.id > 0), number_of(Product.id > 0), number_of(ClientGroup.id > 0)) == (
            5,
            30,
            20,
        )
        assert 1.8 < number_of(Service.id > 0) / filled.clients < 2.2
        members = db.session.scalar(sa.select(sa.func.count()).select_from(client_group_members))
        assert 1.3 < members / filled.clients < 1.7
        assert 180 < mean(map(len, db.session.scalars(sa.select(Client.note)))) < 320
        codes = Counter(db.session.scalars(sa.select(Characterization.code).join(Client)))
        assert 0.07 < codes["good"] / filled.clients < 0.13
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

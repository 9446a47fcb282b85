"""The database that is measured: 5 projects, 30 products, 20 groups, and any number of clients.

Each client has a user, an account with money on it, a note of some 200 characters, two services and one or
two groups on average. The same numbers and seed give the same rows. By itself it fills the database of
DATABASE_URL, as in `DATABASE_URL=sqlite:////tmp/big.db python -m benchmarks.fill --clients 10000`.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import flask_migrate
import sqlalchemy as sa
from flask import Flask

from app import create_app
from benchmarks.loading import loading, settle
from extensions import db
from models import (
    Characterization,
    Client,
    ClientGroup,
    EntryKind,
    Language,
    LegalStatus,
    Period,
    Product,
    Project,
    Role,
    ServiceStatus,
    Staff,
    SuspensionReason,
)
from operations import demo_names as names
from operations import passwords
from operations.demo_rows import Rows
from operations.demo_texts import NOTES

PROJECTS, PRODUCTS, GROUPS = 5, 30, 20
CHUNK = 10_000
FINGERPRINTED = 500
# Registrations end here, whatever the time of the measurement.
END = datetime(2031, 1, 1, tzinfo=UTC)
SPAN = timedelta(days=3650)
USERNAME = "bench"
# The columns that the staff member has chosen: those that every application here shows.
COLUMNS = ("id", "name", "properties", "email", "project", "country", "registered_at")
# Found by one search only.
RARE_NAME = "Xenophon Quartermain"
RARE_AT = 0.37


@dataclass(frozen=True)
class Setting:
    """Ids of what clients are given."""

    projects: list[int]
    products: dict[int, list[int]]
    groups: list[int]
    characterizations: dict[str, int]


# Ids that stand for those of any database.
_NUMBERED = Setting(
    projects=list(range(PROJECTS)),
    products={project: list(range(project, PRODUCTS, PROJECTS)) for project in range(PROJECTS)},
    groups=list(range(GROUPS)),
    characterizations={"ordinary": 0, "good": 1, "conflict": 2},
)


def fill(app: Flask, *, clients: int, seed: int) -> str:
    """Migrate the application's database and fill it; returns the password of the staff member `bench`."""
    with app.app_context():
        flask_migrate.upgrade()
        if db.session.scalar(sa.select(Client.id).limit(1)):
            raise SystemExit("this database has clients already")
        password = _staff()
        setting = _setting()
        db.session.commit()
        with loading() as connection:
            rows = Rows(connection)
            _clients(rows, setting, clients, random.Random(seed))
            rows.finish()
        return password


def upgrade(app: Flask) -> None:
    """Bring a database that was filled before to the newest tables."""
    with app.app_context():
        flask_migrate.upgrade()
        settle()


def fingerprint(seed: int) -> str:
    """What tells the rows of one state of this code from those of another: a digest of the first ones."""
    rows = _Digest()
    _clients(rows, _NUMBERED, FINGERPRINTED, random.Random(seed))
    return rows.digest.hexdigest()


class _Digest:
    """Takes rows in the place of Rows, and keeps a digest of them."""

    def __init__(self) -> None:
        self.digest = hashlib.sha256(repr(COLUMNS).encode())

    def add(self, table: str, row: dict[str, Any]) -> None:
        self.digest.update(f"{table} {row}".encode())

    def write(self) -> None:
        """Nothing is kept."""


def _staff() -> str:
    owner = db.session.scalars(sa.select(Role).where(Role.name == "Owner")).one()
    password = passwords.generate()
    hashed = passwords.hash_password(password)
    preferences = {"client_columns": list(COLUMNS)}
    staff = Staff(username=USERNAME, full_name="Bench", password_hash=hashed, role=owner, preferences=preferences)
    db.session.add(staff)
    db.session.flush()
    return password


def _setting() -> Setting:
    projects = list(db.session.scalars(sa.select(Project)))
    projects += [Project(name=f"Project {number}") for number in range(len(projects) + 1, PROJECTS + 1)]
    groups = [ClientGroup(name=f"Group {number}") for number in range(1, GROUPS + 1)]
    db.session.add_all([*projects, *groups])
    db.session.flush()
    products = [
        Product(name=f"Product {number}", project_id=projects[number % PROJECTS].id) for number in range(PRODUCTS)
    ]
    db.session.add_all(products)
    db.session.flush()
    return Setting(
        projects=[project.id for project in projects],
        products={
            project.id: [product.id for product in products if product.project_id == project.id] for project in projects
        },
        groups=[group.id for group in groups],
        characterizations=dict(db.session.execute(sa.select(Characterization.code, Characterization.id)).all()),
    )


def _clients(rows: Rows | _Digest, setting: Setting, count: int, rng: random.Random) -> None:
    rare = max(int(count * RARE_AT), 1)
    for number in range(1, count + 1):
        _client(rows, setting, number, rng, is_rare=number == rare)
        if number % CHUNK == 0:
            rows.write()


def _client(rows: Rows | _Digest, setting: Setting, number: int, rng: random.Random, *, is_rare: bool) -> None:
    country = names.COUNTRIES[rng.choice(("RU", "RU", "DE", "GB", "US", "KZ"))]
    person = names.person(rng, country.language)
    username = f"{person.latin}{number}"
    project_id = rng.choice(setting.projects)
    registered_at = END - timedelta(seconds=rng.randrange(int(SPAN.total_seconds())))
    statuses = [_service_status(rng) for _service in range(rng.choice((0, 1, 2, 2, 3, 4)))]
    code = rng.choices(("ordinary", "good", "conflict"), (86, 10, 4))[0]
    balance = rng.randrange(-50_000, 500_000) or 1
    common = {"email": f"{username}@{rng.choice(names.DOMAINS)}", "language": country.language}
    name, legal_status = RARE_NAME if is_rare else person.name, rng.choice(tuple(LegalStatus))
    row = {
        "id": number,
        "project_id": project_id,
        "name": name,
        "legal_status": legal_status,
        "company_name": name if legal_status is LegalStatus.COMPANY else "",
        "contact_person": name,
        "country": country.code,
        "verified_phone": names.phone(rng, country) if rng.random() < 0.5 else "",
        "note": _note(rng, country.language),
        "characterization_id": setting.characterizations[code],
        "referrer_id": rng.randrange(1, number) if number > 1 and rng.random() < 0.125 else None,
        "registered_at": registered_at,
        "registration_ip": names.ip_address(rng),
        "balance": balance,
        "active_services": statuses.count(ServiceStatus.ACTIVE),
        "is_suspended": bool(statuses) and set(statuses) == {ServiceStatus.SUSPENDED},
        "owner_username": username,
        "usernames": username,
    }
    rows.add("clients", {**row, **common})
    _belongings(rows, setting, row, common, rng)
    for status in statuses:
        _service(rows, rng.choice(setting.products[project_id]), row, status)


def _belongings(
    rows: Rows | _Digest, setting: Setting, row: dict[str, Any], common: dict[str, Any], rng: random.Random
) -> None:
    """User, account with a payment, groups, and the points of some."""
    number, at = row["id"], row["registered_at"]
    user = {"client_id": number, "username": row["owner_username"], "password_hash": "!", "is_owner": True}
    rows.add("client_users", {**user, **common, "created_at": at})
    account = {"id": number, "client_id": number, "project_id": row["project_id"], "currency": "EUR"}
    rows.add("accounts", {**account, "balance": row["balance"]})
    entry = {"account_id": number, "amount": row["balance"], "kind": EntryKind.ADJUSTMENT, "posted_at": at}
    rows.add("ledger_entries", entry)
    for group in rng.sample(setting.groups, rng.choice((0, 1, 2, 3))):
        rows.add("client_group_members", {"client_id": number, "group_id": group})
    if rng.random() < 0.03:
        points = {"client_id": number, "points": rng.randint(1, 5), "created_at": at}
        rows.add("penalty_points", {**points, "expires_at": END + SPAN})


def _service_status(rng: random.Random) -> ServiceStatus:
    return rng.choices((ServiceStatus.ACTIVE, ServiceStatus.SUSPENDED, ServiceStatus.DELETED), (80, 10, 10))[0]


def _service(rows: Rows | _Digest, product_id: int, row: dict[str, Any], status: ServiceStatus) -> None:
    rows.add(
        "services",
        {
            "client_id": row["id"],
            "product_id": product_id,
            "account_id": row["id"],
            "name": f"Service of {row['id']}",
            "status": status,
            "suspension_reason": SuspensionReason.STAFF if status is ServiceStatus.SUSPENDED else None,
            "period": Period.MONTH,
            "price": 1000,
            "opened_at": row["registered_at"],
        },
    )


def _note(rng: random.Random, language: Language) -> str:
    note = ""
    while len(note) < 200:
        note += rng.choice(NOTES[language]) + " "
    return note.strip()


def main() -> None:
    parser = argparse.ArgumentParser(description="Fill the database of DATABASE_URL for measurements.")
    parser.add_argument("--clients", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--upgrade", action="store_true", help="bring a filled database to the newest tables")
    given = parser.parse_args()
    if given.upgrade:
        upgrade(create_app())
        return
    begun = time.perf_counter()
    password = fill(create_app(), clients=given.clients, seed=given.seed)
    seconds = time.perf_counter() - begun
    print(f"{given.clients} clients in {seconds:.0f} s; staff {USERNAME}, password {password}")


if __name__ == "__main__":
    main()

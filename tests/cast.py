"""The cast of the tests: a staff member of each role, and the clients A and B with all that clients have.

`perform(app)` brings them on. `log_in(visitor, person)` gives a visitor's browser the session that a login
leaves behind (tests/admin/test_login.py is about logging in itself), and `Desk` is what such a person does:
open pages, and send forms with the token that every page carries.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from extensions import db, now
from models import Client, Role, Session, SessionKind, Staff
from tests import factories as make
from tests.support import page as pages
from tests.support.page import Node
from tests.support.people import TOKEN, Person
from web.sessions import hash_of

ROLES = ("owner", "manager", "support", "accountant", "auditor")
# Modules that show the records of clients, for which A and B have a record each.
OF_CLIENTS = (
    "clients", "users", "payers", "accounts", "services", "discounts", "invoices", "payments", "expenses", "acts",
    "tickets", "emails", "inbound", "violations",
)  # fmt: skip


@dataclass(frozen=True)
class Side:
    """A client with its people and one record in each module: `records["tickets"]` is its ticket."""

    id: int
    owner: Person
    limited: Person
    records: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Cast:
    owner: Person
    manager: Person
    support: Person
    accountant: Person
    auditor: Person
    a: Side
    b: Side
    project_a: int
    project_b: int
    mailing: int
    records: dict[str, int]

    def of(self, role: str) -> Person:
        return getattr(self, role)

    def record(self, module: str) -> int:
        """A record of the module: client B's, where it is one that shows the records of clients."""
        return self.b.records.get(module) or self.records.get(module) or 1


def perform(app: Flask) -> Cast:
    """Bring everybody on: staff of the seeded roles, and A and B in different projects."""
    with make.scene(app):
        by_role = {role: make.staff(role, _seeded(role)) for role in ROLES}
        one, other = make.project("Alpha Hosting"), make.project("Beta Telecom", currency="RUB")
        a = _side("anna", "Anna Alpha", one)
        b = _side("boris", "Boris Beta", other, language="ru", country="RU")
        mailing = make.mailing(by_role["owner"])
        records = {
            "groups": make.group("Wholesale").id,
            "response-templates": make.template("Greeting").id,
            "affiliate-programs": make.program("Friends").id,
            "custom-fields": make.custom_field("contract").id,
            "mailings": mailing.id,
            "staff": by_role["support"].id,
        }
        staff = {role: Person(member.id) for role, member in by_role.items()}
        return Cast(**staff, a=a, b=b, project_a=one.id, project_b=other.id, mailing=mailing.id, records=records)


def _seeded(role: str) -> Role:
    return db.session.scalars(sa.select(Role).where(sa.func.lower(Role.name) == role)).one()


def _side(username: str, name: str, project: Any, **more: Any) -> Side:
    client = make.client(name, username=username, project=project, **more)
    limited = make.user(client, f"{username}.limited")
    sold = make.product(f"Product of {name}", project=project)
    payer = make.payer(client, f"Payer of {name}", email=f"payer-{username}@clients.example")
    bill = make.invoice(client, payer=payer)
    service = make.service(client, sold)
    make.entry(client, "100.00")
    records = {
        "clients": client.id,
        "users": client.users[0].id,
        "payers": payer.id,
        "accounts": make.account(client).id,
        "services": service.id,
        "discounts": make.discount(client).id,
        "invoices": bill.id,
        "payments": make.payment(client, payer=payer, invoice=bill).id,
        "expenses": make.expense(client, service=service).id,
        "acts": make.act(client, payer=payer).id,
        "tickets": make.ticket(client, f"Ticket of {name}").id,
        "emails": make.letter(client).id,
        "inbound": make.letter_in(client).id,
        "violations": make.violation(client).id,
    }
    return Side(client.id, Person(client.users[0].id, client.id), Person(limited.id, client.id), records)


# Logged in


def log_in(visitor: FlaskClient, person: Person | Staff) -> Desk:
    """Give the visitor's browser a session of that person, staff or client user, and return him at work."""
    app = visitor.application
    is_client = isinstance(person, Person) and bool(person.client_id)
    kind = SessionKind.CLIENT if is_client else SessionKind.STAFF
    token = secrets.token_urlsafe(32)
    owner = {"client_user_id": person.id} if is_client else {"staff_id": person.id}
    with app.app_context():
        db.session.execute(
            sa.insert(Session).values(
                token_hash=hash_of(token),
                kind=kind,
                data={"_user_id": f"{kind.value}:{person.id}", "_fresh": True},
                expires_at=now() + timedelta(hours=12),
                **owner,
            )
        )
        db.session.commit()
    visitor.set_cookie(f"{kind.value}_session", token)
    return Desk(visitor, "/panel/profile/" if is_client else "/admin/profile")


class Desk:
    """A person at work: what he opens, and the forms he sends."""

    def __init__(self, visitor: FlaskClient, own_page: str) -> None:
        self.visitor = visitor
        self._own_page = own_page
        self._token = ""

    @property
    def app(self) -> Flask:
        return self.visitor.application

    @property
    def token(self) -> str:
        """The form token of the session; every page has it, so often the first page he opened gave it already."""
        if not self._token:
            self.page(self._own_page)
            assert self._token, f"no form token on {self._own_page}"
        return self._token

    def get(self, url: str, **more: Any) -> TestResponse:
        answer = self.visitor.get(url, **more)
        if not self._token and answer.mimetype == "text/html" and url.startswith(self._own_page[:7]):
            found = TOKEN.search(answer.text)
            self._token = found[1] if found else ""
        return answer

    def page(self, url: str, status: int = 200) -> Node:
        """The page at `url`, taken apart."""
        answer = self.get(url)
        assert answer.status_code == status, f"{url}: {answer.status_code} {answer.text[:3000]}"
        return pages.read(answer.text)

    def ids(self, url: str) -> list[int]:
        """The ids of the rows that the list at `url` shows."""
        return pages.row_ids(self.page(url))

    def post(self, url: str, data: Any = None, /, **fields: Any) -> TestResponse:
        """Send a form with the session's token. A list of (name, value) may repeat names."""
        if isinstance(data, list):
            return self.visitor.post(url, data=_by_name([("csrf_token", self.token), *data]))
        return self.visitor.post(url, data={"csrf_token": self.token, **(data or {}), **fields})

    def follow(self, answer: TestResponse) -> Node:
        """The page that `answer` leads to."""
        assert answer.status_code in {302, 303}, f"{answer.status_code} {pages.read(answer.text).text[:3000]}"
        return self.page(answer.location)

    def refused(self, url: str, data: Any = None, /, **fields: Any) -> Node:
        """Send a form that is to come back with its messages."""
        answer = self.post(url, data, **fields)
        assert answer.status_code in {200, 400, 422}, f"{answer.status_code} {answer.location or answer.text[:2000]}"
        return pages.read(answer.text)


def _by_name(pairs: list[tuple[str, Any]]) -> dict[str, list[Any]]:
    named: dict[str, list[Any]] = {}
    for name, value in pairs:
        named.setdefault(name, []).append(value)
    return named


# Oracles


def digest(app: Flask, *, but: tuple[str, ...] = ()) -> dict[str, list[str]]:
    """All rows of all tables except the audit and what only says who is there: unchanged means nothing happened."""
    left_out = {"audit_events", "sessions", "login_failures", "custom_fields_version", *but}
    with app.app_context():
        return {
            table.name: sorted(map(repr, db.session.execute(sa.select(table)).all()))
            for table in db.metadata.sorted_tables
            if table.name not in left_out
        }


def is_no_fault(answer: TestResponse) -> bool:
    """Neither a fault of the server nor its insides in the answer."""
    return answer.status_code < 500 and b"Traceback" not in answer.data


def client_row(app: Flask, number: int) -> dict[str, Any]:
    """A client as it stands in its table."""
    with app.app_context():
        return dict(db.session.execute(sa.select(Client.__table__).where(Client.id == number)).mappings().one())

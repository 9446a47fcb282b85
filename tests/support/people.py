"""Staff and clients for tests, and how they log in and look around."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from html import unescape
from typing import Any

import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from extensions import db, now
from models import (
    Account,
    Characterization,
    Client,
    ClientUser,
    LedgerEntry,
    Project,
    Role,
    Staff,
    TicketCategory,
)
from operations.passwords import hash_password

PASSWORD = "correct horse battery 1"
TOKEN = re.compile(r'name="csrf_token"[^>]*value="([^"]+)"')


@lru_cache(maxsize=1)
def password_hash() -> str:
    return hash_password(PASSWORD)


@dataclass(frozen=True)
class Person:
    """Ids, for use outside of the transaction that made the rows."""

    id: int
    client_id: int = 0


def first(model: Any) -> Any:
    return db.session.scalars(sa.select(model).order_by(model.id)).first()


def staff(username: str, *permissions: str, **columns: Any) -> Person:
    """A staff member with a role of his own that has exactly these permissions."""
    role = Role(name=f"role of {username}", permissions=list(permissions))
    person = Staff(
        username=username, full_name=f"Staff {username}", password_hash=password_hash(), role=role, **columns
    )
    db.session.add(person)
    db.session.commit()
    return Person(person.id)


def client(name: str, **columns: Any) -> Person:
    """A client of the seeded project with an owner who has its name for a username, and an account."""
    project, characterization = first(Project), first(Characterization)
    made = Client(
        project_id=project.id,
        name=name,
        contact_person=f"{name.title()} Person",
        country="RU",
        email=f"{name}@client.example",
        characterization_id=characterization.id,
        **columns,
    )
    db.session.add(made)
    db.session.flush()
    db.session.add(Account(client_id=made.id, project_id=project.id, currency=project.currency))
    db.session.commit()
    return user(made.id, name, is_owner=True)


def user(client_id: int, username: str, **columns: Any) -> Person:
    """A user of the client who can log in."""
    values = {"email": f"{username}@user.example", "full_name": f"{username.title()} User", **columns}
    made = ClientUser(client_id=client_id, username=username, password_hash=password_hash(), **values)
    db.session.add(made)
    db.session.commit()
    return Person(made.id, client_id)


def account_of(client_id: int) -> Account:
    return db.session.scalars(sa.select(Account).where(Account.client_id == client_id)).one()


def pay_in(client_id: int, amount: str) -> None:
    entry = LedgerEntry(account_id=account_of(client_id).id, amount=Decimal(amount), kind="payment", posted_at=now())
    db.session.add(entry)
    db.session.commit()


def category() -> TicketCategory:
    found = first(TicketCategory)
    assert found is not None
    return found


# Looking around


def token_of(response: TestResponse) -> str:
    """The first form token on the page."""
    found = TOKEN.search(response.text)
    assert found, response.text
    return unescape(found[1])


def post(visitor: FlaskClient, url: str, /, *, page: str | None = None, **fields: Any) -> TestResponse:
    """Send a form to `url` with the token of `page` (by default the address itself)."""
    token = token_of(visitor.get(page or url))
    return visitor.post(url, data={"csrf_token": token, **fields})


def log_in(visitor: FlaskClient, username: str, password: str = PASSWORD) -> FlaskClient:
    """Log a client user in."""
    answer = post(visitor, "/login", username=username, password=password)
    assert answer.status_code == 302, answer.text
    return visitor


def log_in_staff(visitor: FlaskClient, username: str, password: str = PASSWORD) -> FlaskClient:
    answer = post(visitor, "/admin/login", username=username, password=password)
    assert answer.status_code == 302, answer.text
    return visitor


def log_in_as(visitor: FlaskClient, client_id: int, /, *, page: str = "/admin/clients/", **fields: Any) -> TestResponse:
    """Go from the admin into a client's panel, as the button on the client list does."""
    return post(visitor, "/admin/clients/login-as/", page=page, id=client_id, **fields)


def cookies(visitor: FlaskClient) -> dict[str, str]:
    return {
        name: visitor.get_cookie(name).value for name in ("staff_session", "client_session") if visitor.get_cookie(name)
    }  # type: ignore[union-attr]


def only_the_cookie(app: Flask, name: str, value: str) -> FlaskClient:
    """A visitor who has nothing but this cookie."""
    visitor = app.test_client()
    visitor.set_cookie(name, value)
    return visitor

"""Demo data: a provider with its staff, clients, money and correspondence, the same for the same numbers."""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa
from flask_babel import gettext as _

from extensions import db
from models import Client, Staff
from operations import audit, demo_books, demo_catalogue, passwords
from operations.demo_billing import Billing
from operations.demo_catalogue import Catalogue
from operations.demo_clients import Clients, Subject
from operations.demo_news import News
from operations.demo_rows import Chance, Rows, triggers_aside
from operations.demo_support import AT_RISK, Support
from operations.errors import OperationRefused

CHUNK = 1000
LEAST = 20


def create(*, clients: int, seed: int, now: datetime) -> str | None:
    """Fill a database without clients with so many of them, and all that belongs to a provider.

    Everything but passwords follows from `clients`, `seed` and `now`; what has nothing to do with time, from the
    first two alone. Staff are `admin` and one for each of
    the first roles, named after it (`owner`, `support`…); they and the users of the first client share one
    password, which is returned. Where `admin` is there already, its password holds for all of them, and None
    is returned. Refuses a database that has clients already, and to make fewer than 20 of them.
    """
    if db.session.scalar(sa.select(Client.id).limit(1)) is not None:
        raise OperationRefused(_("This database has clients already. Demo data is for an empty one."))
    if clients < LEAST:
        raise OperationRefused(_("At least %(count)s clients, please.", count=LEAST), field="clients")
    now = now.astimezone(UTC)
    password, password_hash = _password()
    catalogue = demo_catalogue.create(password_hash=password_hash, now=now)
    chance = Chance(clients=clients, seed=seed)
    rows = Rows(db.session.connection())
    made = Clients(chance, rows, catalogue, total=clients, password_hash=password_hash, now=now)
    billing = Billing(chance, rows, total=clients, now=now)
    support = Support(chance, rows, catalogue, now=now)
    news = News(chance, rows, catalogue, now=now)
    with triggers_aside(db.session.connection()):
        for subject in made.make():
            stopped_for = support.add(subject)
            billing.add(subject, violation_id=stopped_for, is_at_risk=subject.id == AT_RISK)
            news.add(subject)
            _tell(rows, catalogue, subject)
            if subject.id % CHUNK == 0:
                rows.write()
        rows.finish()
    news.finish()
    demo_books.number_documents()
    audit.record("demo", module="settings", after={"clients": clients, "seed": seed})
    return password


def client_login() -> str | None:
    """The username of the client user who shares the staff's password; None without demo data."""
    return db.session.scalar(sa.select(Client.owner_username).where(Client.id == 1))


def _password() -> tuple[str | None, str]:
    """A new password and its hash, or None and the hash of the password that `admin` has already."""
    known = db.session.scalar(sa.select(Staff.password_hash).where(Staff.username == "admin"))
    if known is not None:
        return None, known
    password = passwords.generate()
    return password, passwords.hash_password(password)


def _tell(rows: Rows, catalogue: Catalogue, subject: Subject) -> None:
    """The audit's account of how the client came."""
    rows.add(
        "audit_events",
        {
            "at": subject.registered_at,
            "staff_id": catalogue.staff["Manager"],
            "actor": demo_catalogue.FULL_NAMES["Manager"],
            "module": "clients",
            "record_id": subject.id,
            "client_id": subject.id,
            "action": "create",
            "before": {},
            "after": {"name": subject.name, "project_id": subject.shop.id},
        },
    )

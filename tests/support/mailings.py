"""Messages to clients for tests: many clients at once, a confirmed message, a round of the worker."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

import jobs
from extensions import db, now
from models import (
    Characterization,
    Client,
    ClientUser,
    Mailing,
    OutboundEmail,
    Project,
    Selection,
    Staff,
    TicketCategory,
)
from operations import mailings, selections
from operations.mailing_plan import Draft
from tests.support import people

TEXTS = {"en": "Dear %client_person%,\nhello.", "ru": "Уважаемый %client_person%,\nздравствуйте."}
SUBJECTS = {"en": "Hello %client_person%", "ru": "Здравствуйте, %client_person%"}


def clients(count: int, **columns: Any) -> list[int]:
    """So many clients `client-N` with an owner and an address, Russian and English in turn; the ids."""
    project, characterization = people.first(Project), people.first(Characterization)
    first = (db.session.scalar(sa.select(sa.func.max(Client.id))) or 0) + 1
    ids = list(range(first, first + count))
    moment = now()
    values = {
        "project_id": project.id,
        "characterization_id": characterization.id,
        "country": "RU",
        "custom": {},
        "registered_at": moment,
    }
    db.session.execute(
        sa.insert(Client),
        [
            {
                **values,
                "id": number,
                "name": f"client-{number}",
                "contact_person": f"Person {number}",
                "email": f"client-{number}@client.example",
                "language": "ru" if number % 2 else "en",
                **columns,
            }
            for number in ids
        ],
    )
    db.session.execute(
        sa.insert(ClientUser),
        [
            {
                "client_id": number,
                "username": f"client-{number}",
                "password_hash": "-",
                "is_owner": True,
                "permissions": [],
                "created_at": moment,
            }
            for number in ids
        ],
    )
    if db.engine.dialect.name == "postgresql":
        db.session.execute(sa.text("SELECT setval(pg_get_serial_sequence('clients', 'id'), :last)"), {"last": ids[-1]})
    db.session.commit()
    return ids


def sender(**columns: Any) -> Staff:
    made = people.staff("mary", "clients.view", "clients.message", "clients.message_all", **columns)
    return db.session.get_one(Staff, made.id)


def category(*, news: bool = False) -> TicketCategory:
    return db.session.scalars(
        sa.select(TicketCategory).where(TicketCategory.is_news.is_(news)).order_by(TicketCategory.id)
    ).first()


def draft(**changes: Any) -> Draft:
    values: dict[str, Any] = {"category": None, "subject": SUBJECTS, "text": TEXTS, **changes}
    values["category"] = values["category"] or category()
    return Draft(**values)


def selection(staff: Staff, ids: Sequence[int]) -> Selection:
    return selections.create(staff=staff, module="clients", action="message", ids=ids)


def confirm(
    ids: Sequence[int], *, by: Staff | None = None, starts_in: float = 0, files: Any = (), **changes: Any
) -> Mailing:
    """Confirm a message to these clients, due after so many seconds."""
    from datetime import timedelta

    staff = by or sender()
    chosen = selection(staff, ids)
    made = mailings.create(
        by=staff,
        draft=draft(**changes),
        clients=selections.client_ids(chosen),
        selection=chosen,
        starts_at=now() + timedelta(seconds=starts_in),
        files=files,
        now=now(),
    )
    db.session.commit()
    return made


def work() -> None:
    """One round of everything a worker does."""
    jobs.run_once()


def letters_of(mailing: Mailing) -> list[OutboundEmail]:
    db.session.expire_all()
    return list(
        db.session.scalars(
            sa.select(OutboundEmail).where(OutboundEmail.mailing_id == mailing.id).order_by(OutboundEmail.client_id)
        )
    )

"""Clients: making them, and what must hold of each. Changing many at once is in bulk_changes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from flask_babel import gettext as _

from extensions import db
from models import (
    Account,
    Characterization,
    Client,
    ClientUser,
    Language,
    LegalStatus,
    Project,
    Staff,
)
from operations import bulk, client_filters, countries, email_addresses, password_links, passwords, phones, points
from operations import staff as staff_operations
from operations.errors import OperationRefused

MOST_SIMILAR = 5
# The number of the lock that setting a referrer takes.
REFERRERS = 7_233_667


def create(
    *,
    project: Project,
    username: str,
    password: str,
    email: str,
    country: str,
    language: Language,
    legal_status: LegalStatus,
    company_name: str,
    contact_person: str,
    by: Staff | None,
    now: datetime,
    registration_ip: str = "",
    send_welcome: bool = False,
    client_columns: Mapping[str, Any] | None = None,
) -> Client:
    """Add a client, its owner user and its account with the project.

    The password is good for one login. With `send_welcome` a letter with a link to set another is queued. Refuses
    (OperationRefused, naming the field) a username that is taken or none, a weak password, an e-mail that
    is none, an unknown country, and a company without a name.
    """
    name = free_username(username)
    passwords.refuse_weak(password, banned=(name, company_name, contact_person, project.name))
    address = email_addresses.parse(email)
    _refuse_unknown_country(country)
    if legal_status is LegalStatus.COMPANY and not company_name.strip():
        raise OperationRefused(_("A company has a name."), field="company_name")
    client = Client(
        id=_new_code(),
        project=project,
        name=name_of(legal_status=legal_status, company_name=company_name, contact_person=contact_person) or name,
        legal_status=legal_status,
        company_name=company_name.strip() if legal_status is LegalStatus.COMPANY else "",
        contact_person=contact_person.strip(),
        email=address,
        country=country,
        language=language,
        characterization=default_characterization(),
        registered_at=now,
        registration_ip=registration_ip,
        **(client_columns or {}),
    )
    db.session.add(client)
    db.session.flush()
    user = ClientUser(
        client=client,
        username=name,
        password_hash=passwords.hash_password(password),
        must_change_password=by is not None,
        full_name=contact_person.strip(),
        email=free_user_email(address),
        language=language,
        is_owner=True,
    )
    db.session.add_all([user, open_account(client, project)])
    db.session.flush()
    if send_welcome:
        password_links.welcome(user, now=now)
    return client


def _new_code() -> int | None:
    """A code that nobody has or had. PostgreSQL gives none twice; SQLite would give that of the latest, once it is gone."""
    connection = db.session.connection()
    if connection.dialect.name == "postgresql":
        return None
    [code] = bulk.reserve_ids(connection, Client.__table__, 1)
    return code


def free_username(username: str) -> str:
    """`username` as it is kept; refuses, for the field `username`, one that is none or that another user has."""
    name = staff_operations.canonical_username(username)
    if db.session.scalar(sa.select(ClientUser.id).where(ClientUser.username == name)):
        raise OperationRefused(_("This username is taken."), field="username")
    return name


def name_of(*, legal_status: LegalStatus, company_name: str, contact_person: str) -> str:
    """What a client is called when it is made: a company by its name, anybody else by the contact person's."""
    return (company_name if legal_status is LegalStatus.COMPANY else contact_person).strip()


def default_characterization() -> Characterization:
    return db.session.scalars(
        sa.select(Characterization).order_by(Characterization.is_default.desc(), Characterization.id).limit(1)
    ).one()


def free_user_email(address: str) -> str | None:
    """The address for a user to log in with, or None when another user has it."""
    wanted = address.lower()
    taken = db.session.scalar(sa.select(ClientUser.id).where(ClientUser.email == wanted))
    return None if taken or not wanted else wanted


def open_account(client: Client, project: Project) -> Account:
    """A new account of the client with the project, in its currency and with its credit limit."""
    return Account(client=client, project=project, currency=project.currency, credit_limit=project.credit_limit)


def _refuse_unknown_country(country: str) -> None:
    if not countries.is_known(country):
        raise OperationRefused(_("Choose a country from the list."), field="country")


def check(client: Client) -> None:
    """Refuse a client whose fields do not fit together, naming the field; puts phone and e-mail into form."""
    client.email = email_addresses.parse(client.email)
    _refuse_unknown_country(client.country)
    if not client.name.strip():
        raise OperationRefused(_("A client has a name."), field="name")
    if client.legal_status == LegalStatus.COMPANY and not client.company_name.strip():
        raise OperationRefused(_("A company has a name."), field="company_name")
    if client.verified_phone:
        number = phones.verified(client.verified_phone, client.country)
        if number is None:
            raise OperationRefused(
                _("This is no telephone number of the client's country. Begin with + and the country's code."),
                field="verified_phone",
            )
        client.verified_phone = number
    refuse_circle(client)


def refuse_circle(client: Client) -> None:
    """Refuse a new referrer that is the client itself, or was itself brought, however indirectly, by it.

    Whoever sets a referrer waits for whoever does so at the same time: each alone would see no circle.
    """
    number = _new_referrer(client)
    if number is None or client.id is None:
        return
    hold_referrers()
    if number == client.id or _was_brought_by(number, client.id):
        raise OperationRefused(
            _("A client cannot have been brought by itself, nor by one it brought."), field="referrer"
        )


def is_in_a_circle(client: Client) -> bool:
    """Whether the client was brought, however indirectly, by itself."""
    return client.referrer_id is not None and _was_brought_by(client.referrer_id, client.id)


def hold_referrers() -> None:
    """Keep everybody else from setting referrers until the transaction ends. On SQLite there is one writer anyway."""
    if db.engine.dialect.name == "postgresql":
        db.session.execute(sa.select(sa.func.pg_advisory_xact_lock(REFERRERS)))


def _new_referrer(client: Client) -> int | None:
    """The referrer that was set and not written yet, by its object or by its id; None for none."""
    attributes = sa.inspect(client).attrs
    if attributes.referrer.history.has_changes():
        return client.referrer.id if client.referrer else None
    return client.referrer_id if attributes.referrer_id.history.has_changes() else None


def _was_brought_by(number: int, other: int) -> bool:
    """Whether the client `number` was brought by `other`, or by one whom that one brought, and so on."""
    first = sa.select(Client.referrer_id.label("id")).where(Client.id == number).cte(recursive=True)
    chain = first.union(sa.select(Client.referrer_id).join(first, first.c.id == Client.id))
    return bool(db.session.scalar(sa.select(sa.exists().where(chain.c.id == other))))


def similar(
    *, email: str = "", phone: str = "", company_name: str = "", registration_ip: str = "", but: int | None = None
) -> list[Client]:
    """Living clients with the same e-mail, phone, company or registration address, the newest first."""
    likeness: list[sa.ColumnElement[bool]] = []
    if email.strip():
        likeness.append(_has_email(email.strip()))
    if phone:
        likeness.append(Client.verified_phone == phone)
    if company_name.strip():
        likeness.append(Client.company_name == company_name.strip())
    if registration_ip:
        likeness.append(Client.registration_ip == registration_ip)
    if not likeness:
        return []
    return list(
        db.session.scalars(
            sa.select(Client)
            .where(Client.deleted_at.is_(None), sa.or_(*likeness), Client.id != (but or 0))
            .order_by(Client.id.desc())
            .limit(MOST_SIMILAR)
        )
    )


def _has_email(address: str) -> sa.ColumnElement[bool]:
    """The same address blind to case; the index of the search finds the few that can be meant."""
    can_be_meant = client_filters.FILTERS["search"].condition(address)
    return sa.and_(can_be_meant, sa.func.lower(Client.email) == address.lower())


def may_order(client: Client, *, now: datetime) -> bool:
    """Whether the client can order services now: not while it has more penalty points than the limit allows."""
    return client.deleted_at is None and not points.is_over_limit(client.id, now=now)

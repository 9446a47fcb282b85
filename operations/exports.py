"""Clients as CSV, in the columns that the import knows: what goes out can come in again."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa

from extensions import db
from models import (
    Characterization,
    Client,
    ClientGroup,
    ClientUser,
    Consent,
    Payer,
    Project,
    client_group_members,
)
from operations import bulk, custom_fields, custom_values
from operations.custom_fields import Definitions

CHUNK = 1000
BYTE_ORDER_MARK = "\ufeff"  # Without it spreadsheets take UTF-8 for something else.
# What a spreadsheet runs, and what stands for it already: an apostrophe more is what the import takes off.
DANGEROUS = re.compile(r"'*[=+\-@\t\r]")
HEADINGS = (
    "id", "project", "name", "username", "legal_status", "company", "contact_person", "email", "phone",
    "verified_phone", "address", "tax_id", "country", "language", "characterization", "groups", "note",
    "referred_by", "marketing_emails_opt_in", "registration_ip", "created_at", "status", "balance",
    "currency", "active_services",
)  # fmt: skip

_owner = sa.and_(ClientUser.client_id == Client.id, ClientUser.is_owner)
_payer_id = (
    sa.select(sa.func.min(Payer.id))
    .where(Payer.client_id == Client.id, Payer.is_default)
    .correlate(Client)
    .scalar_subquery()
)
_columns = (
    sa.select(
        Client.id, Project.name.label("project"), Client.name, Client.owner_username, Client.legal_status,
        Client.company_name, Client.contact_person, Client.email, ClientUser.phone,
        Client.verified_phone, Payer.postal_address, Payer.tax_id, Client.country, Client.language,
        Characterization.code.label("characterization"), Client.note, Client.referral_source,
        Consent.id.label("consent_id"), Consent.withdrawn_at, Client.registration_ip, Client.registered_at,
        Client.deleted_at, Client.balance, Project.currency, Client.active_services, Client.custom,
    )
    .join(Project, Project.id == Client.project_id)
    .join(Characterization, Characterization.id == Client.characterization_id)
    .outerjoin(ClientUser, _owner)
    .outerjoin(Payer, Payer.id == _payer_id)
    .outerjoin(Consent, sa.and_(Consent.client_user_id == ClientUser.id, Consent.kind == "news"))
)  # fmt: skip


def harmless(text: str) -> str:
    """`text` so that no spreadsheet runs it as a formula; the import makes it what it was."""
    return f"'{text}" if DANGEROUS.match(text) else text


def all_clients_csv() -> Iterator[str]:
    """All clients that are not deleted."""
    return clients_csv(sa.select(Client.id).where(Client.deleted_at.is_(None)))


def clients_csv(clients: sa.Select[Any]) -> Iterator[str]:
    """The file in pieces, in the order of codes, however many rows; `clients` selects ids."""
    custom = custom_fields.defined()
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow([*HEADINGS, *(field.code for field in custom)])
    yield BYTE_ORDER_MARK + _taken(buffer)
    last = 0
    while rows := _chunk(clients, last):
        groups = _groups([row.id for row in rows])
        writer.writerows([*_cells(row, groups.get(row.id, "")), *_custom_cells(custom, row.custom)] for row in rows)
        yield _taken(buffer)
        last = rows[-1].id


def _chunk(clients: sa.Select[Any], last: int) -> Sequence[Any]:
    chosen = _columns.where(Client.id.in_(clients), Client.id > last)
    return db.session.execute(chosen.order_by(Client.id).limit(CHUNK)).all()


def _groups(client_ids: list[int]) -> dict[int, str]:
    members = client_group_members.c
    rows = db.session.execute(
        sa.select(members.client_id, ClientGroup.name)
        .join(ClientGroup, ClientGroup.id == members.group_id)
        .where(bulk.among(db.session.connection(), members.client_id, client_ids))
        .order_by(members.client_id, ClientGroup.name)
    )
    names: dict[int, str] = {}
    for client_id, name in rows:
        names[client_id] = f"{names[client_id]};{name}" if client_id in names else name
    return names


def _cells(row: Any, groups: str) -> list[Any]:
    texts = [
        row.project, row.name, row.owner_username, row.legal_status.value, row.company_name,
        row.contact_person, row.email, row.phone or "", row.verified_phone, row.postal_address or "",
        row.tax_id or "", row.country, row.language.value, row.characterization, groups, row.note,
        row.referral_source, _consent(row), row.registration_ip, row.registered_at.isoformat(),
        "closed" if row.deleted_at else "active",
    ]  # fmt: skip
    return [row.id, *map(harmless, texts), row.balance, row.currency, row.active_services]


def _custom_cells(fields: Definitions, values: dict[str, Any]) -> list[str]:
    """Numbers and days as they are kept, which no spreadsheet runs; texts so that none does."""
    return [
        text if field.type in custom_fields.RANGES else harmless(text)
        for field in fields
        for text in (custom_values.typed(values.get(field.code)),)
    ]


def _consent(row: Any) -> str:
    if row.consent_id is None:
        return ""
    return "0" if row.withdrawn_at else "1"


def _taken(buffer: io.StringIO) -> str:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text

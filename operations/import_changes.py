"""What a row of an import would change of a client that is here already.

An empty cell says nothing: an import never empties a field. The project, the registration and the owner's
username are not changed, nor is a sole proprietor made a company. Who has unsubscribed here stays so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from models import LegalStatus
from operations import custom_fields, custom_values, phones
from operations.import_messages import ACTIVE, CLOSED, NO, YES
from operations.import_rows import Incoming


@dataclass(frozen=True)
class Here:
    """The groups and characterizations there are, by name in lower case, and memberships (client, group)."""

    groups: Mapping[str, int]
    characterizations: Mapping[str, int]
    memberships: set[tuple[int, int]]


@dataclass(slots=True)
class Change:
    """A client here and what a row makes of it.

    `fields` is for people: (field, old, new). The rest are columns' new values by table, and groups to join.
    """

    row: Incoming
    old: Any
    fields: list[tuple[str, str, str]] = field(default_factory=list)
    client: dict[str, Any] = field(default_factory=dict)
    user: dict[str, Any] = field(default_factory=dict)
    payer: dict[str, Any] = field(default_factory=dict)
    groups: list[str] = field(default_factory=list)
    withdraws_consent: bool = False
    closes: bool = False

    def note(self, name: str, old: str, new: str) -> None:
        self.fields.append((name, old, new))


def compare(old: Any, row: Incoming, *, here: Here) -> Change:
    """What `row` changes of the client `old`; without fields where nothing is."""
    change = Change(row, old)
    if old.deleted_at is not None:
        return change
    _compare_names(change)
    _compare_columns(change)
    _compare_payer(change)
    _compare_sets(change, here)
    if row.custom:
        _compare_custom(change)
    return change


def _compare_names(change: Change) -> None:
    old, row = change.old, change.row
    _set(change, "company_name", old.company_name, row.company_name)
    if _set(change, "contact_person", old.contact_person, row.contact_person) and (
        old.full_name in {"", old.contact_person}
    ):
        change.user["full_name"] = row.contact_person
    if old.legal_status is not LegalStatus.SOLE_PROPRIETOR or "legal_status" in row.said:
        _set(change, "legal_status", old.legal_status, row.legal_status)
    if "name" in row.said or old.name == _made_name(old):
        renamed = _set(change, "name", old.name, row.name)
        if renamed and old.payer_name == old.name:
            change.payer["name"] = row.name


def _made_name(old: Any) -> str:
    return str(old.company_name or old.contact_person)


def _compare_columns(change: Change) -> None:
    old, row = change.old, change.row
    if _set(change, "email", old.email, row.email):
        if (old.user_email or "") in {"", old.email.lower()}:
            change.user["email"] = row.email.lower()
        if old.payer_email == old.email:
            change.payer["email"] = row.email
    _compare_said(change)
    for name in ("note", "referral_source", "verified_phone"):
        _set(change, name, getattr(old, name), getattr(row, name))


def _compare_said(change: Change) -> None:
    """Country and language: only those that the row names, not those that stand in for an empty cell."""
    old, row = change.old, change.row
    if "country" in row.said:
        moved = _set(change, "country", old.country, row.country)
        if moved and old.payer_country == old.country:
            change.payer["country"] = row.country
    if "language" in row.said:
        switched = _set(change, "language", old.language, row.language)
        if switched and old.user_language is old.language:
            change.user["language"] = row.language


def _compare_payer(change: Change) -> None:
    old, row = change.old, change.row
    phone = old.phone if old.user_id else old.payer_phone
    if phone is not None and row.phone and row.phone not in {phone, phones.e164(phone, old.country)}:
        change.note("phone", phone, row.phone)
        change.user["phone"] = row.phone
        if old.payer_phone in {"", phone}:
            change.payer["phone"] = row.phone
    if old.payer_id is None:
        return
    for name, column in (("address", "postal_address"), ("tax_id", "tax_id")):
        value = getattr(row, name)
        if value and value != getattr(old, column):
            change.note(name, getattr(old, column), value)
            change.payer[column] = value


def _compare_sets(change: Change, here: Here) -> None:
    old, row = change.old, change.row
    for name in row.groups:
        if (old.id, here.groups.get(name.lower())) not in here.memberships:
            change.note("group", "", name)
            change.groups.append(name)
    wanted = here.characterizations.get(row.characterization.lower())
    if wanted is not None and wanted != old.characterization_id:
        names = {id_: name for name, id_ in here.characterizations.items()}
        change.note("characterization", names.get(old.characterization_id, ""), row.characterization)
        change.client["characterization_id"] = wanted
    if row.consent is False and old.user_id and old.withdrawn_at is None:
        change.note("consent", YES, NO)
        change.withdraws_consent = True
    if row.is_closed:
        change.note("status", ACTIVE, CLOSED)
        change.closes = True


def _compare_custom(change: Change) -> None:
    old, new = change.old.custom or {}, change.row.custom
    different = [code for code, value in new.items() if old.get(code) != value]
    for code in different:
        name = f"{custom_fields.PREFIX}{code}"
        change.note(name, custom_values.typed(old.get(code)), custom_values.typed(new[code]))
    if different:
        change.client["custom"] = {**old, **new}


def _set(change: Change, name: str, old: Any, new: Any) -> bool:
    """Note a new value of a client's column; an empty one is none."""
    if not new or new == old:
        return False
    change.note(name, str(old), str(new))
    change.client[name] = new
    return True

"""What an import says of its lines. Kept as a code with values, put into words in the reader's language."""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext as _l

from models import Language, LegalStatus
from operations import countries, custom_fields, custom_values

Message = tuple[str, dict[str, Any]]

# Values that are put into words when they are shown.
YES, NO, ACTIVE, CLOSED = "yes", "no", "active", "closed"
WORDS: dict[tuple[str, str], Any] = {
    ("consent", YES): _l("yes"),
    ("consent", NO): _l("no"),
    ("status", ACTIVE): _l("active"),
    ("status", CLOSED): _l("closed, so it is deleted"),
}

# Why a line is refused.
REASONS: dict[str, Any] = {
    "cells": _l("%(found)s cells, but %(expected)s headings"),
    "key_missing": _l("the id in the source is missing"),
    "key_again": _l("the id %(key)s is that of line %(line)s too"),
    "name_missing": _l("there is neither a name nor a company"),
    "email_missing": _l("the e-mail is missing"),
    "email_wrong": _l("«%(value)s» is no e-mail address"),
    "country_wrong": _l("«%(value)s» is no country"),
    "country_missing": _l("there is no country, and none was chosen for such lines"),
    "phone_wrong": _l("«%(value)s» is no telephone number"),
    "date_wrong": _l("«%(value)s» is no date of the past; the form 2024-03-12 is understood"),
    "date_ambiguous": _l("«%(value)s» may be read in two ways; the form 2024-03-12 is understood"),
    "yes_no_wrong": _l("«%(value)s» in %(field)s is neither yes nor no"),
    "status_wrong": _l("«%(value)s» is no status known: active, inactive or closed"),
    "legal_status_wrong": _l("«%(value)s» is no legal status known: company, sole_proprietor or individual"),
    "ip_wrong": _l("«%(value)s» is no internet address"),
    "control": _l("in %(field)s there is a character that cannot be shown"),
    "too_long": _l("%(field)s is longer than %(limit)s characters"),
    "custom_number": _l("«%(value)s» in %(field)s is no number of at most 12 digits, and 6 after the point"),
    "custom_date": _l("«%(value)s» in %(field)s is no date; the form 2024-03-12 is understood"),
    "custom_choice": _l("«%(value)s» in %(field)s is none of the choices"),
    "custom_yes_no": _l("«%(value)s» in %(field)s is neither yes nor no"),
    "custom_missing": _l("%(field)s is required of new clients, and empty"),
}

# What should be known of a line that is all right.
REMARKS: dict[str, Any] = {
    "email_taken": _l("the address is another user's already, so the login gets none"),
    "phone_kept": _l("the phone «%(value)s» is not understood and comes in as it is written"),
    "language_default": _l("the language «%(value)s» is not offered; the project's comes in its place"),
    "suspended": _l("the client is suspended in the source; here only services are"),
    "username_taken": _l("the username %(value)s is taken, another one is made"),
    "stays_deleted": _l("the client is deleted here and stays so"),
    "project_default": _l("there is no project «%(value)s» here; the one chosen takes its place"),
    "group_new": _l("the group «%(value)s» is made"),
}

FIELDS: dict[str, Any] = {
    "name": _l("name"),
    "company_name": _l("company name"),
    "contact_person": _l("contact person"),
    "legal_status": _l("legal status"),
    "email": _l("e-mail"),
    "country": _l("country"),
    "language": _l("language"),
    "phone": _l("phone"),
    "verified_phone": _l("verified phone"),
    "address": _l("address"),
    "tax_id": _l("tax number"),
    "note": _l("note"),
    "referral_source": _l("how you heard about us"),
    "registered_at": _l("registered"),
    "characterization": _l("characterization"),
    "group": _l("group"),
    "consent": _l("agrees to receive news"),
    "status": _l("status"),
    "key": _l("id in the source"),
    "username": _l("username"),
    "project": _l("project"),
    "registration_ip": _l("registration address"),
}


def in_words(message: Message | list[Any]) -> str:
    """The message in the reader's language."""
    code, values = message
    if "field" in values:
        values = values | {"field": field_name(values["field"])}
    text = REASONS.get(code) or REMARKS[code]
    return str(text) % values


def field_name(field: str) -> str:
    custom = custom_fields.named(field)
    return custom.label if custom else str(FIELDS.get(field, field))


def value_in_words(field: str, value: str) -> str:
    """A value of a field as people read it."""
    if custom := custom_fields.named(field):
        return custom_values.shown_as_typed(custom, value)
    if field == "legal_status":
        return str(LegalStatus(value).label)
    if field == "country":
        return countries.name(value)
    if field == "language":
        return str(Language(value).label)
    return str(WORDS.get((field, value), value))

"""E-mail addresses: one at a time, as a letter can be sent to it."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from email_validator import EmailNotValidError, validate_email
from flask_babel import gettext as _

from operations.errors import OperationRefused

PLAIN = re.compile(r"[a-z0-9_+-]+(?:\.[a-z0-9_+-]+)*", re.IGNORECASE | re.ASCII)
LONGEST_LOCAL_PART = 64
LONGEST = 254


def parse(text: str, *, field: str = "email") -> str:
    """The address in its normal form; refuses, for `field`, what is none."""
    address = normal(text.strip())
    if address is None:
        raise OperationRefused(_("This is no e-mail address."), field=field)
    return address


def refuse_mixed(address: str, *, field: str = "email") -> None:
    """Refuse an address in which letters of several alphabets stand together: it looks like another one."""
    if any(len(_alphabets(part)) > 1 for part in re.split(r"[@.+_-]", address)):
        raise OperationRefused(_("Letters of different alphabets stand together in this address."), field=field)


def _alphabets(text: str) -> set[str]:
    return {unicodedata.name(letter, "?").partition(" ")[0] for letter in text if letter.isalpha()}


def normal(text: str) -> str | None:
    """The address in its normal form (the domain in lower case), or None if it is none.

    Whether letters arrive there is not asked. Domains are looked at once, so that very many addresses are
    checked in little time.
    """
    local, _at, domain = text.rpartition("@")
    if len(text) <= LONGEST and len(local) <= LONGEST_LOCAL_PART and PLAIN.fullmatch(local):
        known = _domain(domain)
        return f"{local}@{known}" if known else None
    return _by_library(text)


@lru_cache(maxsize=4096)
def _domain(domain: str) -> str | None:
    address = _by_library(f"a@{domain}")
    return address and address.removeprefix("a@")


def _by_library(text: str) -> str | None:
    try:
        # The top domain `test` is of no use, but does no harm, and all examples have it.
        found = validate_email(text, check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        return None
    return found.normalized if len(found.normalized) <= LONGEST else None

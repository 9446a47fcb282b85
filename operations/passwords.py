"""Passwords: the rules for them, hashing, checking, and making them up.

The rule of Latin letters and digits is the one that providers' clients know from their hosting panels; current
advice asks for length and a list of common passwords, and has no rule of composition. Both are applied.
"""

from __future__ import annotations

import secrets
import string
from functools import lru_cache
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from flask_babel import gettext as _

from operations.errors import OperationRefused

CLIENT_LENGTH = 8
STAFF_LENGTH = 12
MAXIMUM_LENGTH = 256
GENERATED_LENGTH = 20
# Letters and digits that are not taken for one another when read aloud or copied by hand.
ALPHABET = "".join(c for c in string.ascii_letters + string.digits if c not in "Il1O0o")

hasher = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)


def hash_password(password: str) -> str:
    """The password's argon2id hash in PHC form."""
    return hasher.hash(password)


def verify(password_hash: str, password: str) -> bool:
    """Whether `password` is the one hashed; an empty or foreign hash matches nothing."""
    try:
        return hasher.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False


def needs_rehash(password_hash: str) -> bool:
    return hasher.check_needs_rehash(password_hash)


@lru_cache(maxsize=1)
def _dummy_hash() -> str:
    return hash_password(secrets.token_urlsafe(24))


def spend_the_time_of_a_check(password: str) -> None:
    """Take as long as checking a password would, so that an unknown name cannot be told by the clock."""
    verify(_dummy_hash(), password)


def generate() -> str:
    """A strong password that keeps the rules."""
    while True:
        password = "".join(secrets.choice(ALPHABET) for _position in range(GENERATED_LENGTH))
        if any(c.isdigit() for c in password) and any(c.isalpha() for c in password):
            return password


@lru_cache(maxsize=1)
def _common() -> frozenset[str]:
    path = Path(__file__).with_name("common_passwords.txt")
    return frozenset(path.read_text(encoding="utf-8").split())


def refuse_weak(password: str, *, staff: bool = False, banned: tuple[str, ...] = ()) -> None:
    """Refuse a password that breaks the rules: OperationRefused for the field `password`.

    `banned` are names that it must not be: the login, the company, the project.
    """
    message = _weakness(password, STAFF_LENGTH if staff else CLIENT_LENGTH, banned)
    if message:
        raise OperationRefused(message, field="password")


def _weakness(password: str, least: int, banned: tuple[str, ...]) -> str | None:
    if len(password) < least:
        return _("At least %(count)s characters, please.", count=least)
    if len(password) > MAXIMUM_LENGTH:
        return _("At most %(count)s characters, please.", count=MAXIMUM_LENGTH)
    if not any(c in string.ascii_letters for c in password) or not any(c in string.digits for c in password):
        return _("The password must contain Latin letters and digits.")
    if password.lower() in _common():
        return _("This password is one of the most common ones. Please choose another.")
    if password.lower() in {name.lower() for name in banned if name}:
        return _("The password must not be a name.")
    return None

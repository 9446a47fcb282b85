"""Forms that must have one effect: their key is kept with the answer, and answered the same again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from datetime import datetime

import sqlalchemy as sa
from flask_babel import gettext as _
from sqlalchemy.exc import IntegrityError

from extensions import db
from models import IdempotencyKey
from operations.errors import OperationRefused

LONGEST_KEY = 80


class DoneBefore(OperationRefused):
    """The same form was carried out before; `url` is where that led."""

    def __init__(self, url: str) -> None:
        super().__init__(_("This was done already."))
        self.url = url


class OtherForm(OperationRefused):
    """The key was used for something else; `url` is where that led."""

    def __init__(self, url: str) -> None:
        super().__init__(_("This form was sent already, with another content."))
        self.url = url


def fingerprint(fields: Iterable[tuple[str, str]]) -> str:
    """What tells one content of a form from another."""
    return hashlib.sha256(json.dumps(sorted(fields)).encode()).hexdigest()


def begin(*, principal: str, key: str, content: str, now: datetime) -> IdempotencyKey:
    """Take the key for this transaction; set `result_url` of what is returned before it is committed.

    Two at once: the second waits for the first. Raises DoneBefore, or OtherForm where the same key came with
    another `content` (a fingerprint).
    """
    key = key[:LONGEST_KEY]
    _refuse_if_done(principal, key, content)
    taken = IdempotencyKey(principal=principal, key=key, fingerprint=content, created_at=now)
    try:
        with db.session.begin_nested():
            db.session.add(taken)
    except IntegrityError:
        _refuse_if_done(principal, key, content)
        raise
    return taken


def _refuse_if_done(principal: str, key: str, content: str) -> None:
    kept = db.session.scalar(
        sa.select(IdempotencyKey).where(IdempotencyKey.principal == principal, IdempotencyKey.key == key)
    )
    if kept is not None:
        raise DoneBefore(kept.result_url) if kept.fingerprint == content else OtherForm(kept.result_url)

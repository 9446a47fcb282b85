"""Features: whether a capability of the desk is switched on."""

from __future__ import annotations

import sqlalchemy as sa
from flask import g, has_request_context

from extensions import db, plain_rows
from models import Feature

ABUSE_HANDLING = "abuse_handling"


def is_on(code: str) -> bool:
    """Whether the feature is switched on. A request asks the database once for each."""
    if not has_request_context():
        return _read(code)
    known: dict[str, bool] = g.setdefault("desk_features", {})
    if code not in known:
        known[code] = _read(code)
    return known[code]


def abuse_handling() -> bool:
    """Whether there are violations with deadlines and penalty points at all."""
    return is_on(ABUSE_HANDLING)


def remember(code: str, is_enabled: bool | None) -> None:
    """Take what was found together with something else."""
    g.setdefault("desk_features", {})[code] = bool(is_enabled)


def kept(code: str) -> sa.ScalarSelect[bool]:
    """Whether the feature is switched on, as a part of a statement."""
    return sa.select(Feature.is_enabled).where(Feature.code == code).scalar_subquery()


def _read(code: str) -> bool:
    if db.session.new or db.session.dirty:
        db.session.flush()
    return bool(plain_rows(sa.select(Feature.is_enabled).where(Feature.code == code)).scalar())

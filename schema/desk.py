"""The desk itself: features, settings, forms that were carried out, workers."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import CheckConstraint, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from extensions import JSONDocument, Model
from schema.columns import Versioned, enum_column, flag, moment, primary_key, reference, text_column
from schema.enums import HoldReason


class Feature(Versioned, Model):
    __tablename__ = "features"
    __audit__ = "features"
    id: Mapped[int] = primary_key()
    code: Mapped[str] = mapped_column(String(40), unique=True)
    is_enabled: Mapped[bool] = flag()


class Setting(Model):
    """One value the owner set in the admin; those without a row have the default of operations.settings."""

    __tablename__ = "settings"
    __audit__ = "settings"
    id: Mapped[int] = primary_key()
    code: Mapped[str] = mapped_column(String(60), unique=True)
    value: Mapped[Any] = mapped_column(JSONDocument)


class IdempotencyKey(Model):
    """A form that was carried out: the same key again gives the same answer, and no second effect."""

    __tablename__ = "idempotency_keys"
    id: Mapped[int] = primary_key()
    principal: Mapped[str] = mapped_column(String(40))
    key: Mapped[str] = mapped_column(String(80))
    fingerprint: Mapped[str] = text_column(64)
    result_url: Mapped[str] = text_column(500)
    created_at: Mapped[datetime] = moment(default=True, index=True)

    __table_args__ = (UniqueConstraint("principal", "key"),)


class Heartbeat(Model):
    """A worker that lives, or lived."""

    __tablename__ = "heartbeats"
    id: Mapped[int] = primary_key()
    worker: Mapped[str] = mapped_column(String(80), unique=True)
    started_at: Mapped[datetime] = moment(default=True)
    seen_at: Mapped[datetime] = moment(default=True, index=True)


class DeskMark(Model):
    """What this database is known by to the files beside it: one row (operations/desk_mark.py).

    `beats` only rises while workers run, so that an older copy has fewer than was noted in DATA_DIR.
    """

    __tablename__ = "desk_marks"
    id: Mapped[int] = mapped_column(sa.Integer, primary_key=True, autoincrement=False)
    identity: Mapped[str] = mapped_column(String(32))
    beats: Mapped[int] = mapped_column(sa.BigInteger, nullable=False, default=0, server_default="0")

    __table_args__ = (CheckConstraint("id = 1", name="only_one"), CheckConstraint("beats >= 0", name="beats"))


class DeskHold(Model):
    """A time when nothing was done by the clock, as the database may be a copy (operations/desk_hold.py).

    One at most is open. What was due before `before` has probably been done already, in the life of the original.
    `is_dropped`: it was not done again.
    """

    __tablename__ = "desk_holds"
    id: Mapped[int] = primary_key()
    reason: Mapped[HoldReason] = enum_column(HoldReason, HoldReason.HAND)
    before: Mapped[datetime] = moment()
    held_at: Mapped[datetime] = moment(default=True)
    is_open: Mapped[bool] = flag(True)
    released_at: Mapped[datetime | None] = moment(nullable=True)
    released_by_id: Mapped[int | None] = reference("staff", required=False, on_delete="SET NULL", index=False)
    is_dropped: Mapped[bool] = flag()

    __table_args__ = (
        Index(
            "uq_desk_holds_one_open", "is_open", unique=True,
            sqlite_where=sa.text("is_open"), postgresql_where=sa.text("is_open"),
        ),
    )  # fmt: skip

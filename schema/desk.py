"""The desk itself: features, settings, forms that were carried out, workers."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from extensions import JSONDocument, Model
from schema.columns import Versioned, flag, moment, primary_key, text_column


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

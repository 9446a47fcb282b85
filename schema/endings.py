"""What becomes of clients in the end: erased, or merged into another."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from extensions import Model
from schema.columns import document, moment, primary_key, reference, text_column

if TYPE_CHECKING:
    from schema.clients import Client
    from schema.staff import Staff


class Erasure(Model):
    """A client was erased: when, by whom (nobody: by the clock), how many rows of each table went and how many stay.

    There is nothing personal in it, and no foreign key, for the client may be gone. `mark` tells the client from
    another one that has its id in an older copy of the database. While `finished_at` is empty, which only the
    transaction that erases ever sees, triggers let audit events be blanked; afterwards they refuse to change the row.
    """

    __tablename__ = "erasures"
    id: Mapped[int] = primary_key()
    client_id: Mapped[int] = mapped_column(sa.Integer, nullable=False, index=True)
    mark: Mapped[str] = mapped_column(String(64))
    at: Mapped[datetime] = moment(default=True)
    finished_at: Mapped[datetime | None] = moment(nullable=True)
    staff_id: Mapped[int | None] = reference("staff", required=False)
    way: Mapped[str] = text_column(20, default="clock")
    removed: Mapped[dict[str, int]] = document()
    kept: Mapped[dict[str, int]] = document()

    staff: Mapped[Staff | None] = relationship()


class ClientMerge(Model):
    """The client `merged` became a part of the client `kept`.

    `moved` are the ids of what came along, by table; `before` what was overwritten; `seal` tells, by table, whether
    anything was changed since, for then it cannot be taken back.
    """

    __tablename__ = "client_merges"
    id: Mapped[int] = primary_key()
    kept_id: Mapped[int] = reference("clients", on_delete="CASCADE")
    merged_id: Mapped[int] = reference("clients", on_delete="CASCADE", index=False)
    staff_id: Mapped[int | None] = reference("staff", required=False)
    at: Mapped[datetime] = moment(default=True)
    moved: Mapped[dict[str, Any]] = document()
    before: Mapped[dict[str, Any]] = document()
    seal: Mapped[dict[str, str]] = document()
    undone_at: Mapped[datetime | None] = moment(nullable=True)
    undone_by_id: Mapped[int | None] = reference("staff", required=False)

    kept: Mapped[Client] = relationship(foreign_keys=[kept_id])
    merged: Mapped[Client] = relationship(foreign_keys=[merged_id])
    staff: Mapped[Staff | None] = relationship(foreign_keys=[staff_id])

    __table_args__ = (
        # Of two mergings of the same record at once, one is taken.
        Index(
            "uq_client_merges_standing", "merged_id", unique=True,
            sqlite_where=sa.text("undone_at IS NULL"), postgresql_where=sa.text("undone_at IS NULL"),
        ),
        Index(None, "merged_id"),
    )  # fmt: skip

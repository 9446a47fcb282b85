"""What staff do with lists of clients: selections, bulk changes, imports, saved filters."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy import ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from extensions import JSONDocument, Model, db
from schema.columns import document, flag, moment, primary_key, reference, text_column

if TYPE_CHECKING:
    from schema.staff import Staff


class Selection(Model):
    """What a bulk action was asked for: the ids, or a filter and how many matched it at that moment."""

    __tablename__ = "selections"
    id: Mapped[int] = primary_key()
    staff_id: Mapped[int] = reference("staff", on_delete="CASCADE")
    module: Mapped[str] = text_column(60)
    action: Mapped[str] = text_column(60)
    ids: Mapped[list[int] | None] = mapped_column(JSONDocument)
    parameters: Mapped[dict[str, str] | None] = mapped_column(JSONDocument)
    count: Mapped[int] = mapped_column(sa.Integer, nullable=False, default=0)
    url: Mapped[str] = text_column(2000)
    created_at: Mapped[datetime] = moment(default=True, index=True)
    used_at: Mapped[datetime | None] = moment(nullable=True)

    staff: Mapped[Staff] = relationship()


class BulkChange(Model):
    """Something that was done to many clients at once; its audit events carry its id, and it can be undone once.

    `value` is what was set (an id, a code), `value_name` how that was called then; `changed` how many clients it
    changed, `skipped` how many it left alone by reason (operations.bulk_changes.REASONS). An undoing is a change
    of its own, which names in `undoes` what it takes back.
    """

    __tablename__ = "bulk_changes"
    id: Mapped[int] = primary_key()
    staff_id: Mapped[int] = reference("staff")
    selection_id: Mapped[int | None] = reference("selections", required=False, on_delete="SET NULL")
    action: Mapped[str] = text_column(60)
    value: Mapped[str] = text_column(40)
    value_name: Mapped[str] = text_column(200)
    changed: Mapped[int] = mapped_column(sa.Integer, nullable=False, default=0, server_default="0")
    skipped: Mapped[dict[str, int]] = document()
    at: Mapped[datetime] = moment(default=True)
    undoes_id: Mapped[int | None] = mapped_column(
        sa.Integer, ForeignKey("bulk_changes.id", ondelete="RESTRICT"), unique=True
    )

    staff: Mapped[Staff] = relationship()
    selection: Mapped[Selection | None] = relationship()
    undoes: Mapped[BulkChange | None] = relationship(remote_side="BulkChange.id", back_populates="undone_by")
    undone_by: Mapped[BulkChange | None] = relationship(back_populates="undoes", uselist=False)


class ImportBatch(Model):
    """One import. `status` is rehearsed, done, dropped or undone.

    `made_groups` are ids of groups that it made, `undone` says what became of it when it was taken back.
    """

    __tablename__ = "import_batches"
    __audit__ = "clients"
    __audit_of__ = ""
    id: Mapped[int] = primary_key()
    file_name: Mapped[str] = text_column(255)
    digest: Mapped[str] = text_column(64)
    source: Mapped[str] = text_column(40)
    project_id: Mapped[int | None] = reference("projects", required=False)
    status: Mapped[str] = text_column(20, default="rehearsed")
    counts: Mapped[dict[str, int]] = document()
    stored_name: Mapped[str] = text_column(80)
    staff_id: Mapped[int | None] = reference("staff", required=False)
    created_at: Mapped[datetime] = moment(default=True)
    done_at: Mapped[datetime | None] = moment(nullable=True)
    undone_at: Mapped[datetime | None] = moment(nullable=True)
    made_groups: Mapped[list[int]] = document(list)
    undone: Mapped[dict[str, Any]] = document()

    staff: Mapped[Staff | None] = relationship()


class ImportChange(Model):
    """What an import changed of a client that was here before, so that it can be taken back.

    `before` and `after` are values by table and column, `after` also what was added: groups, a consent withdrawn.
    """

    __tablename__ = "import_changes"
    id: Mapped[int] = primary_key()
    batch_id: Mapped[int] = reference("import_batches", on_delete="CASCADE", index=False)
    client_id: Mapped[int] = reference("clients", on_delete="CASCADE")
    before: Mapped[dict[str, Any]] = document()
    after: Mapped[dict[str, Any]] = document()

    __table_args__ = (Index(None, "batch_id", "id"),)


class SavedFilter(Model):
    """A named client filter: its owner's own, or shared with all."""

    __tablename__ = "saved_filters"
    __audit__ = "clients"
    __audit_of__ = ""
    id: Mapped[int] = primary_key()
    name: Mapped[str] = mapped_column(String(80))
    owner_id: Mapped[int] = reference("staff", on_delete="CASCADE")
    is_shared: Mapped[bool] = flag()
    parameters: Mapped[dict[str, str]] = document()
    created_at: Mapped[datetime] = moment(default=True)

    owner: Mapped[Staff] = relationship()
    state: Mapped[SavedFilterState | None] = relationship(passive_deletes="all")

    __table_args__ = (UniqueConstraint("owner_id", "name"),)

    def __str__(self) -> str:
        return self.name


class SavedFilterState(Model):
    """What workers have found out about a saved filter: how many match (no further than the tab shows), and
    when its members were noted last; `…_due_at`: when to do so again. `is_too_large` to be watched.
    """

    __tablename__ = "saved_filter_states"
    saved_filter_id: Mapped[int] = mapped_column(
        sa.Integer, ForeignKey("saved_filters.id", ondelete="CASCADE"), primary_key=True
    )
    count: Mapped[int | None] = mapped_column(sa.Integer)
    count_due_at: Mapped[datetime | None] = moment(nullable=True)
    members_due_at: Mapped[datetime | None] = moment(nullable=True)
    members_at: Mapped[datetime | None] = moment(nullable=True)
    is_too_large: Mapped[bool] = flag()


saved_filter_watches = sa.Table(
    "saved_filter_watches",
    db.metadata,
    sa.Column("saved_filter_id", ForeignKey("saved_filters.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("staff_id", ForeignKey("staff.id", ondelete="CASCADE"), primary_key=True, index=True),
)


class SavedFilterMember(Model):
    """A client that a watched filter matched. `since`: when it came in; NULL for those there from the start."""

    __tablename__ = "saved_filter_members"
    saved_filter_id: Mapped[int] = mapped_column(
        sa.Integer, ForeignKey("saved_filters.id", ondelete="CASCADE"), primary_key=True
    )
    client_id: Mapped[int] = mapped_column(
        sa.Integer, ForeignKey("clients.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    since: Mapped[datetime | None] = moment(nullable=True)

    __table_args__ = (Index(None, "saved_filter_id", "since"),)

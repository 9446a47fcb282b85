"""Correspondence: tickets, mailings, letters, violations."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from flask_babel import get_locale
from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from extensions import JSONDocument, Model
from schema.columns import (
    SECRET,
    Versioned,
    document,
    enum_column,
    flag,
    long_text,
    moment,
    primary_key,
    reference,
    text_column,
)
from schema.enums import (
    EmailStatus,
    Language,
    MailingStatus,
    RecipientOutcome,
    TicketStatus,
    TripReason,
    ViolationAction,
    ViolationStatus,
)

if TYPE_CHECKING:
    from schema.clients import Client, ClientUser, Project
    from schema.inbound import MessageLetter
    from schema.staff import Role, Staff


class TicketCategory(Versioned, Model):
    """Where correspondence belongs. `name` is per language; news can be unsubscribed from, all else cannot."""

    __tablename__ = "ticket_categories"
    __audit__ = "ticket-categories"
    id: Mapped[int] = primary_key()
    name: Mapped[dict[str, str]] = document()
    responsible_role_id: Mapped[int | None] = reference("roles", required=False, on_delete="SET NULL")
    responsible_staff_id: Mapped[int | None] = reference("staff", required=False, on_delete="SET NULL")
    is_news: Mapped[bool] = flag()
    is_active: Mapped[bool] = flag(True)

    responsible_role: Mapped[Role | None] = relationship()
    responsible_staff: Mapped[Staff | None] = relationship()

    def name_in(self, language: str) -> str:
        return self.name.get(language) or self.name.get("en") or next(iter(self.name.values()), "")

    def __str__(self) -> str:
        return self.name_in(str(get_locale() or "en"))


class ResponseTemplate(Versioned, Model):
    __tablename__ = "response_templates"
    __audit__ = "response-templates"
    id: Mapped[int] = primary_key()
    name: Mapped[str] = mapped_column(String(120))
    category_id: Mapped[int | None] = reference("ticket_categories", required=False, on_delete="SET NULL")
    language: Mapped[Language] = enum_column(Language, Language.EN)
    subject: Mapped[str] = text_column(200)
    text: Mapped[str] = long_text()

    category: Mapped[TicketCategory | None] = relationship()

    __table_args__ = (UniqueConstraint("name", "language"),)

    def __str__(self) -> str:
        return self.name


class Mailing(Versioned, Model):
    """One message to many. `subject` and `text` are per language; `idempotency_key` is that of its form.

    It waits until `starts_at`; until then it can be called back. `failures_in_a_row`: how many of its letters failed
    for good since the last one that was taken; `pause_reason`: the server's last answer, where they made it pause.
    """

    __tablename__ = "mailings"
    __audit__ = "mailings"
    id: Mapped[int] = primary_key()
    subject: Mapped[dict[str, str]] = document()
    text: Mapped[dict[str, str]] = document()
    category_id: Mapped[int] = reference("ticket_categories")
    selection_id: Mapped[int | None] = reference("selections", required=False, on_delete="SET NULL")
    staff_id: Mapped[int] = reference("staff")
    forbid_replies: Mapped[bool] = flag()
    move_to_sender: Mapped[bool] = flag()
    strict_language: Mapped[bool] = flag()
    send_email: Mapped[bool] = flag(True)
    attach_to_email: Mapped[bool] = flag()
    is_violation: Mapped[bool] = flag()
    violation_parameters: Mapped[dict[str, Any]] = document()
    status: Mapped[MailingStatus] = enum_column(MailingStatus, MailingStatus.SCHEDULED)
    starts_at: Mapped[datetime] = moment()
    started_at: Mapped[datetime | None] = moment(nullable=True)
    finished_at: Mapped[datetime | None] = moment(nullable=True)
    created_at: Mapped[datetime] = moment(default=True)
    recipients_count: Mapped[int] = mapped_column(sa.Integer, nullable=False, default=0, server_default="0")
    filter_description: Mapped[str] = long_text()
    idempotency_key: Mapped[str | None] = mapped_column(String(80), unique=True)
    failures_in_a_row: Mapped[int] = mapped_column(sa.Integer, nullable=False, default=0, server_default="0")
    pause_reason: Mapped[str] = long_text()

    category: Mapped[TicketCategory] = relationship()
    staff: Mapped[Staff] = relationship()
    attachments: Mapped[list[Attachment]] = relationship(order_by="Attachment.id")

    __table_args__ = (Index(None, "status", "starts_at"),)

    def __str__(self) -> str:
        return next((subject for subject in self.subject.values() if subject), f"#{self.id}")


class MailingRecipient(Model):
    """One client of a mailing, frozen when it was confirmed, and what became of him.

    `outcome` counts once: queued (sending included), sent, failed, skipped (`reason` says why), cancelled.
    """

    __tablename__ = "mailing_recipients"
    id: Mapped[int] = primary_key()
    mailing_id: Mapped[int] = reference("mailings", on_delete="CASCADE", index=False)
    client_id: Mapped[int] = reference("clients", on_delete="CASCADE")
    user_id: Mapped[int | None] = reference("client_users", required=False, on_delete="SET NULL")
    language: Mapped[Language] = enum_column(Language, Language.EN)
    outcome: Mapped[RecipientOutcome] = enum_column(RecipientOutcome, RecipientOutcome.QUEUED)
    reason: Mapped[str] = text_column(40)

    client: Mapped[Client] = relationship()
    user: Mapped[ClientUser | None] = relationship()

    __table_args__ = (UniqueConstraint("mailing_id", "client_id"), Index(None, "mailing_id", "outcome", "id"))


class Ticket(Versioned, Model):
    __tablename__ = "tickets"
    __audit__ = "tickets"
    id: Mapped[int] = primary_key()
    client_id: Mapped[int] = reference("clients", on_delete="CASCADE", index=False)
    category_id: Mapped[int] = reference("ticket_categories")
    subject: Mapped[str] = mapped_column(String(300))
    status: Mapped[TicketStatus] = enum_column(TicketStatus, TicketStatus.WAITING_STAFF)
    assignee_id: Mapped[int | None] = reference("staff", required=False, index=False)
    replies_allowed: Mapped[bool] = flag(True)
    move_to_sender: Mapped[bool] = flag()
    mailing_id: Mapped[int | None] = reference("mailings", required=False, index=False)
    sender_id: Mapped[int | None] = reference("staff", required=False)
    reference: Mapped[str] = mapped_column(String(40), unique=True)
    created_at: Mapped[datetime] = moment(default=True)
    # Since when it waits for the side whose turn it is, or is closed; an answer of staff begins that anew.
    updated_at: Mapped[datetime] = moment(default=True)
    client_read_at: Mapped[datetime | None] = moment(nullable=True)

    client: Mapped[Client] = relationship()
    category: Mapped[TicketCategory] = relationship()
    assignee: Mapped[Staff | None] = relationship(foreign_keys=[assignee_id])
    mailing: Mapped[Mailing | None] = relationship()
    messages: Mapped[list[TicketMessage]] = relationship(back_populates="ticket", order_by="TicketMessage.id")

    __table_args__ = (
        UniqueConstraint("mailing_id", "client_id"),
        Index(None, "client_id", "id"),
        Index(None, "client_id", "status", "updated_at"),
        Index(None, "status", "updated_at", "id"),
        Index(None, "assignee_id", "status"),
    )

    def __str__(self) -> str:
        return self.subject


class TicketMessage(Model):
    """One message of a ticket: of a staff member, of a client user, or of a staff member for him."""

    __tablename__ = "ticket_messages"
    id: Mapped[int] = primary_key()
    ticket_id: Mapped[int] = reference("tickets", on_delete="CASCADE", index=False)
    # The ticket's client, kept by triggers, so that all that was said to a client can be read by time.
    client_id: Mapped[int | None] = mapped_column(sa.Integer)
    staff_id: Mapped[int | None] = reference("staff", required=False)
    client_user_id: Mapped[int | None] = reference("client_users", required=False, on_delete="SET NULL")
    impersonation_id: Mapped[int | None] = reference("impersonations", required=False)
    text: Mapped[str] = long_text()
    is_internal: Mapped[bool] = flag()
    created_at: Mapped[datetime] = moment(default=True)

    ticket: Mapped[Ticket] = relationship(back_populates="messages")
    staff: Mapped[Staff | None] = relationship()
    client_user: Mapped[ClientUser | None] = relationship()
    attachments: Mapped[list[Attachment]] = relationship(order_by="Attachment.id")
    letter: Mapped[MessageLetter | None] = relationship(uselist=False, viewonly=True)

    __table_args__ = (Index(None, "ticket_id", "id"), Index(None, "client_id", "is_internal", "created_at", "id"))


class TicketWriter(Model):
    """A staff member who is writing an answer to the ticket; `at`: when he last was seen to."""

    __tablename__ = "ticket_writers"
    ticket_id: Mapped[int] = mapped_column(sa.Integer, ForeignKey("tickets.id", ondelete="CASCADE"), primary_key=True)
    staff_id: Mapped[int] = mapped_column(sa.Integer, ForeignKey("staff.id", ondelete="CASCADE"), primary_key=True)
    at: Mapped[datetime] = moment(default=True, index=True)

    staff: Mapped[Staff] = relationship()


class Attachment(Model):
    """A file of a message, or of a mailing, whose tickets all show it. `stored_name` is its name on disk.

    `size` in bytes, `digest` SHA-256.
    """

    __tablename__ = "attachments"
    id: Mapped[int] = primary_key()
    message_id: Mapped[int | None] = reference("ticket_messages", required=False, on_delete="CASCADE")
    mailing_id: Mapped[int | None] = reference("mailings", required=False, on_delete="CASCADE")
    file_name: Mapped[str] = mapped_column(String(255))
    content_type: Mapped[str] = text_column(100)
    size: Mapped[int] = mapped_column(sa.BigInteger)
    digest: Mapped[str] = mapped_column(String(64))
    stored_name: Mapped[str] = mapped_column(String(80))
    created_at: Mapped[datetime] = moment(default=True)

    __table_args__ = (CheckConstraint("(message_id IS NULL) <> (mailing_id IS NULL)", name="one_owner"),)


class OutboundEmail(Model):
    """One letter to one address.

    A letter of a mailing is made while it is sent; any other carries its template's name and values.
    `priority` is lower for what is more urgent. `lease_until`: until when the worker that claimed it has it.
    """

    __tablename__ = "outbound_emails"
    id: Mapped[int] = primary_key()
    mailing_id: Mapped[int | None] = reference("mailings", required=False, on_delete="CASCADE", index=False)
    client_id: Mapped[int | None] = reference("clients", required=False, on_delete="CASCADE", index=False)
    ticket_id: Mapped[int | None] = reference("tickets", required=False, on_delete="CASCADE")
    project_id: Mapped[int | None] = reference("projects", required=False)
    recipient: Mapped[str] = mapped_column(String(254))
    domain: Mapped[str] = text_column(254)
    language: Mapped[Language] = enum_column(Language, Language.EN)
    template: Mapped[str] = text_column(60)
    context: Mapped[dict[str, Any]] = mapped_column(JSONDocument, nullable=False, default=dict, info=SECRET)
    priority: Mapped[int] = mapped_column(sa.Integer, nullable=False, default=50, server_default="50")
    status: Mapped[EmailStatus] = enum_column(EmailStatus, EmailStatus.QUEUED)
    attempts: Mapped[int] = mapped_column(sa.Integer, nullable=False, default=0, server_default="0")
    next_attempt_at: Mapped[datetime] = moment(default=True)
    claimed_by: Mapped[str] = text_column(80)
    lease_until: Mapped[datetime | None] = moment(nullable=True)
    last_error: Mapped[str] = text_column(500)
    message_id: Mapped[str] = mapped_column(String(200), unique=True)
    created_at: Mapped[datetime] = moment(default=True)
    sent_at: Mapped[datetime | None] = moment(nullable=True, index=True)

    mailing: Mapped[Mailing | None] = relationship()
    client: Mapped[Client | None] = relationship()
    ticket: Mapped[Ticket | None] = relationship()
    project: Mapped[Project | None] = relationship()

    __table_args__ = (
        Index("ix_outbound_emails_due", "status", "priority", "next_attempt_at", "id"),
        Index(None, "mailing_id", "status"),
        Index(None, "client_id", "created_at", "id"),
        Index("ix_outbound_emails_leases", "status", "lease_until"),
        Index(
            "uq_outbound_emails_one_letter_each", "mailing_id", "client_id", unique=True,
            sqlite_where=sa.text("mailing_id IS NOT NULL AND template = ''"),
            postgresql_where=sa.text("mailing_id IS NOT NULL AND template = ''"),
        ),
    )  # fmt: skip


TO_REMIND = sa.text("remind_at IS NOT NULL")
HELD = sa.text("held_at IS NOT NULL")
LIMIT_DUE = sa.text("limit_crossed_at IS NOT NULL AND limit_executed_at IS NULL")


class DeliveryNote(Model):
    """A letter that the mail server has taken; it is there until the letter itself says so (operations/delivery_notes.py).

    One is written for each letter, so there is nothing in it that would make that slower: no reference is checked.
    """

    __tablename__ = "delivery_notes"
    letter_id: Mapped[int] = mapped_column(sa.Integer, primary_key=True, autoincrement=False)
    sent_at: Mapped[datetime] = moment()


class Violation(Versioned, Model):
    """What a client did against the rules, until when he may react, and what follows.

    `held_at`: the breaker holds it until staff confirm, who then set `released_at`. `limit_crossed_at`: with its
    points the client came over the limit, so that his services are due to be stopped, whatever he answers;
    `limit_executed_at`: they were. `reminded_at`: the letter half-way went out.
    """

    __tablename__ = "violations"
    __audit__ = "violations"
    id: Mapped[int] = primary_key()
    ticket_id: Mapped[int] = reference("tickets", on_delete="CASCADE")
    client_id: Mapped[int] = reference("clients", on_delete="CASCADE", index=False)
    deadline: Mapped[datetime] = moment()
    action: Mapped[ViolationAction] = enum_column(ViolationAction)
    service_id: Mapped[int | None] = mapped_column(
        sa.Integer, ForeignKey("services.id", ondelete="SET NULL", use_alter=True, name="fk_violations_service_id")
    )
    points: Mapped[int] = mapped_column(sa.Integer, nullable=False, default=0, server_default="0")
    comment: Mapped[str] = text_column(1000)
    remind_at: Mapped[datetime | None] = moment(nullable=True)
    status: Mapped[ViolationStatus] = enum_column(ViolationStatus, ViolationStatus.OPEN)
    executed_at: Mapped[datetime | None] = moment(nullable=True)
    created_at: Mapped[datetime] = moment(default=True)
    reminded_at: Mapped[datetime | None] = moment(nullable=True)
    held_at: Mapped[datetime | None] = moment(nullable=True)
    released_at: Mapped[datetime | None] = moment(nullable=True)
    limit_crossed_at: Mapped[datetime | None] = moment(nullable=True)
    limit_executed_at: Mapped[datetime | None] = moment(nullable=True)

    ticket: Mapped[Ticket] = relationship()
    client: Mapped[Client] = relationship()

    __table_args__ = (
        CheckConstraint("points >= 0", name="points"),
        CheckConstraint("action <> 'suspend_service' OR service_id IS NOT NULL", name="service_named"),
        Index(None, "status", "deadline"),
        Index(None, "client_id", "created_at", "id"),
        Index("ix_violations_remind_at", "remind_at", sqlite_where=TO_REMIND, postgresql_where=TO_REMIND),
        Index("ix_violations_held_at", "held_at", sqlite_where=HELD, postgresql_where=HELD),
        Index("ix_violations_limit_due", "limit_crossed_at", sqlite_where=LIMIT_DUE, postgresql_where=LIMIT_DUE),
    )

    def __str__(self) -> str:
        return f"#{self.id}"


class ViolationTry(Model):
    """A violation that could not be carried out: how often it was tried, why it failed, and when it is tried again."""

    __tablename__ = "violation_tries"
    violation_id: Mapped[int] = mapped_column(
        sa.Integer, ForeignKey("violations.id", ondelete="CASCADE"), primary_key=True
    )
    attempts: Mapped[int] = mapped_column(sa.Integer, nullable=False, default=0, server_default="0")
    next_attempt_at: Mapped[datetime] = moment(default=True)
    last_error: Mapped[str] = text_column(500)


class BreakerTrip(Model):
    """A time when nothing was stopped by itself: too many fell due at once, a clock jumped, or the feature was off.

    One at most is open. `clients` is how many were due, `seconds` by how much the clock jumped.
    """

    __tablename__ = "breaker_trips"
    id: Mapped[int] = primary_key()
    reason: Mapped[TripReason] = enum_column(TripReason, TripReason.MANY)
    clients: Mapped[int] = mapped_column(sa.Integer, nullable=False, default=0, server_default="0")
    seconds: Mapped[int] = mapped_column(sa.Integer, nullable=False, default=0, server_default="0")
    tripped_at: Mapped[datetime] = moment(default=True)
    is_open: Mapped[bool] = flag(True)
    closed_at: Mapped[datetime | None] = moment(nullable=True)
    closed_by_id: Mapped[int | None] = reference("staff", required=False, on_delete="SET NULL", index=False)

    __table_args__ = (
        Index(
            "uq_breaker_trips_one_open", "is_open", unique=True,
            sqlite_where=sa.text("is_open"), postgresql_where=sa.text("is_open"),
        ),
    )  # fmt: skip

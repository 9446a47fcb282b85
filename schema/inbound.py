"""Letters that come in: what came, what became of it, and where they are fetched."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from extensions import Model
from schema.columns import document, enum_column, long_text, moment, primary_key, reference, text_column
from schema.enums import InboundOutcome

if TYPE_CHECKING:
    from schema.clients import Client
    from schema.support import Ticket, TicketMessage


class InboundEmail(Model):
    """A letter that came in, kept before anything is done with it. `digest` (SHA-256) says that it is the same.

    `stored_name` is the letter as it came, in DATA_DIR/inbound; empty once it is forgotten. `reason` is a code of
    operations.inbound_outcomes. `handled_once` is of sender and Message-ID, so that two copies of a letter make one
    message. `next_attempt_at` is also the end of the time that a worker has for it. `size` in bytes.
    """

    __tablename__ = "inbound_emails"
    id: Mapped[int] = primary_key()
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    stored_name: Mapped[str] = text_column(80)
    size: Mapped[int] = mapped_column(sa.BigInteger)
    source: Mapped[str] = text_column(20)
    received_at: Mapped[datetime] = moment(default=True, index=True)
    return_path: Mapped[str] = text_column(254)
    envelope_to: Mapped[str] = text_column(1000)
    sender: Mapped[str] = text_column(254)
    sender_name: Mapped[str] = text_column(200)
    recipients: Mapped[str] = text_column(1000)
    subject: Mapped[str] = text_column(300)
    message_id: Mapped[str] = text_column(300)
    outcome: Mapped[InboundOutcome] = enum_column(InboundOutcome, InboundOutcome.WAITING)
    reason: Mapped[str] = text_column(40)
    error: Mapped[str] = text_column(500)
    attempts: Mapped[int] = mapped_column(sa.Integer, nullable=False, default=0, server_default="0")
    next_attempt_at: Mapped[datetime] = moment(default=True)
    handled_at: Mapped[datetime | None] = moment(nullable=True)
    handled_once: Mapped[str | None] = mapped_column(String(64), unique=True)
    told_at: Mapped[datetime | None] = moment(nullable=True)
    client_id: Mapped[int | None] = reference("clients", required=False, on_delete="CASCADE")
    ticket_id: Mapped[int | None] = reference("tickets", required=False, on_delete="SET NULL")
    ticket_message_id: Mapped[int | None] = reference("ticket_messages", required=False, on_delete="SET NULL")

    client: Mapped[Client | None] = relationship()
    ticket: Mapped[Ticket | None] = relationship()
    ticket_message: Mapped[TicketMessage | None] = relationship()

    __table_args__ = (
        Index(None, "outcome", "next_attempt_at"),
        Index(None, "sender", "received_at"),
    )

    def __str__(self) -> str:
        return self.subject or f"#{self.id}"


class InboundSource(Model):
    """A mailbox that letters are fetched from, or an address they are taken at, and how it went last.

    `name` is its address without the password. `lease_until`: until when one worker has it for itself.
    """

    __tablename__ = "inbound_sources"
    id: Mapped[int] = primary_key()
    name: Mapped[str] = mapped_column(String(300), unique=True)
    claimed_by: Mapped[str] = text_column(80)
    lease_until: Mapped[datetime | None] = moment(nullable=True)
    succeeded_at: Mapped[datetime | None] = moment(nullable=True)
    failing_since: Mapped[datetime | None] = moment(nullable=True)
    last_error: Mapped[str] = text_column(500)


class MessageLetter(Model):
    """What a message that came by e-mail has beside its text.

    `quoted` is what the letter repeated of others, with the signature; `left_out` are names of files that came along
    and could not be kept. `sender` is the address it came from.
    """

    __tablename__ = "message_letters"
    message_id: Mapped[int] = mapped_column(
        sa.Integer, ForeignKey("ticket_messages.id", ondelete="CASCADE"), primary_key=True
    )
    sender: Mapped[str] = text_column(254)
    quoted: Mapped[str] = long_text()
    left_out: Mapped[list[str]] = document(list)

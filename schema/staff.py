"""Staff, their rights and sessions, and the audit of what anybody did."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from extensions import JSONDocument, Model
from schema.columns import SECRET, Versioned, document, enum_column, flag, moment, primary_key, reference, text_column
from schema.enums import Language, SessionKind

if TYPE_CHECKING:
    from schema.clients import ClientUser


class Role(Versioned, Model):
    __tablename__ = "roles"
    __audit__ = "roles"
    id: Mapped[int] = primary_key()
    name: Mapped[str] = mapped_column(String(80), unique=True)
    permissions: Mapped[list[str]] = document(list)

    def __str__(self) -> str:
        """The roles of a new desk are translated, the owner's own stand as he named them."""
        return str(ROLES_OF_A_NEW_DESK.get(self.name, self.name))


ROLES_OF_A_NEW_DESK = {
    "Owner": _l("Owner"),
    "Manager": _l("Manager"),
    "Support": _l("Support"),
    "Accountant": _l("Accountant"),
    "Auditor": _l("Auditor"),
}


class Staff(Versioned, Model):
    """Somebody who works in the admin. Usernames are kept in lower case."""

    __tablename__ = "staff"
    __audit__ = "staff"
    id: Mapped[int] = primary_key()
    username: Mapped[str] = mapped_column(String(80), unique=True)
    password_hash: Mapped[str] = mapped_column(String(255), info=SECRET)
    must_change_password: Mapped[bool] = flag()
    full_name: Mapped[str] = text_column(200)
    email: Mapped[str] = text_column(254)
    language: Mapped[Language] = enum_column(Language, Language.EN)
    time_zone: Mapped[str] = text_column(64, default="UTC")
    role_id: Mapped[int] = reference("roles")
    is_active: Mapped[bool] = flag(True)
    last_login_at: Mapped[datetime | None] = moment(nullable=True)
    created_at: Mapped[datetime] = moment(default=True)
    totp_secret: Mapped[str | None] = mapped_column(String(255), info=SECRET)
    preferences: Mapped[dict[str, Any]] = document()

    role: Mapped[Role] = relationship(lazy="joined", innerjoin=True)

    is_authenticated: ClassVar[bool] = True
    is_anonymous: ClassVar[bool] = False

    def get_id(self) -> str:
        """The login id; its prefix keeps staff and client users apart."""
        return f"staff:{self.id}"

    def may(self, permission: str) -> bool:
        return self.is_active and permission in self.role.permissions

    @property
    def shown_name(self) -> str:
        return self.full_name or self.username

    def __str__(self) -> str:
        return self.shown_name


def _index_of_given(*columns: str) -> Index:
    """An index of the events in which the first of the columns is given."""
    given = sa.text(f"{columns[0]} IS NOT NULL")
    return Index(None, *columns, sqlite_where=given, postgresql_where=given)


# The events that set a client's characterization, or why: as conditions, for an index of these alone and for who asks.
CHARACTERIZED = {
    "postgresql": "after ?| array['characterization_id', 'characterization_reason', 'characterization']",
    "sqlite": "(json_type(after, '$.characterization_id') IS NOT NULL"
    " OR json_type(after, '$.characterization_reason') IS NOT NULL"
    " OR json_type(after, '$.characterization') IS NOT NULL)",
}


class AuditEvent(Model):
    """What was changed, when, by whom. Triggers refuse to change or remove a row."""

    __tablename__ = "audit_events"
    id: Mapped[int] = primary_key()
    at: Mapped[datetime] = moment(default=True)
    staff_id: Mapped[int | None] = reference("staff", required=False, index=False)
    client_user_id: Mapped[int | None] = mapped_column(sa.Integer)
    impersonation_id: Mapped[int | None] = mapped_column(sa.Integer)
    actor: Mapped[str] = text_column(200)
    ip: Mapped[str] = text_column(45)
    request_id: Mapped[str] = text_column(36)
    module: Mapped[str] = text_column(60)
    record_id: Mapped[int | None] = mapped_column(sa.Integer)
    client_id: Mapped[int | None] = mapped_column(sa.Integer)
    action: Mapped[str] = text_column(60)
    before: Mapped[dict[str, Any]] = document()
    after: Mapped[dict[str, Any]] = document()
    # Which bulk change the event is a part of. No foreign key: it would be looked up for each of very many rows.
    bulk_change_id: Mapped[int | None] = mapped_column(sa.Integer)

    staff: Mapped[Staff | None] = relationship()

    __table_args__ = (
        Index(None, "module", "record_id", "id"),
        # Read in the order of time; the events of one bulk change have one time, so the id stands behind it.
        Index(None, "at", "id"),
        Index(None, "client_id", "at", "id"),
        Index(None, "staff_id", "at", "id"),
        Index(None, "module", "at", "id"),
        Index(None, "action", "at", "id"),
        # What most events have none of is indexed where there is one: a bulk change writes very many events.
        _index_of_given("client_user_id", "at", "id"),
        _index_of_given("impersonation_id"),
        _index_of_given("bulk_change_id", "module", "record_id"),
        Index(
            "ix_audit_events_characterized", "record_id", "id",
            sqlite_where=sa.text(CHARACTERIZED["sqlite"]), postgresql_where=sa.text(CHARACTERIZED["postgresql"]),
        ),
    )  # fmt: skip


class Session(Model):
    """One browser's session, staff's or client's. The cookie holds a token, this table its hash."""

    __tablename__ = "sessions"
    id: Mapped[int] = primary_key()
    token_hash: Mapped[str] = mapped_column(String(64), unique=True, info=SECRET)
    kind: Mapped[SessionKind] = enum_column(SessionKind)
    staff_id: Mapped[int | None] = reference("staff", required=False, on_delete="CASCADE")
    client_user_id: Mapped[int | None] = reference("client_users", required=False, on_delete="CASCADE")
    impersonation_id: Mapped[int | None] = reference("impersonations", required=False, on_delete="CASCADE")
    data: Mapped[dict[str, Any]] = mapped_column(JSONDocument, nullable=False, default=dict)
    created_at: Mapped[datetime] = moment(default=True)
    seen_at: Mapped[datetime] = moment(default=True)
    expires_at: Mapped[datetime] = moment(index=True)
    ip: Mapped[str] = text_column(45)
    user_agent: Mapped[str] = text_column(300)


class Impersonation(Model):
    """A staff member's stay in a client's panel; it lives no longer than the staff session it came from."""

    __tablename__ = "impersonations"
    id: Mapped[int] = primary_key()
    staff_id: Mapped[int] = reference("staff")
    staff_session_id: Mapped[int | None] = mapped_column(sa.Integer, index=True)
    client_id: Mapped[int] = reference("clients", on_delete="CASCADE", index=False)
    client_user_id: Mapped[int] = reference("client_users", on_delete="CASCADE")
    reason: Mapped[str] = text_column(500)
    return_url: Mapped[str] = text_column(2000)
    allows_changes: Mapped[bool] = flag()
    started_at: Mapped[datetime] = moment(default=True)
    expires_at: Mapped[datetime] = moment()
    ended_at: Mapped[datetime | None] = moment(nullable=True)
    end_reason: Mapped[str] = text_column(40)

    staff: Mapped[Staff] = relationship()
    client_user: Mapped[ClientUser] = relationship()

    __table_args__ = (Index(None, "client_id", "started_at", "id"),)


class LoginFailure(Model):
    """A refused login; what throttling counts. `username` is the name as tried, in lower case."""

    __tablename__ = "login_failures"
    id: Mapped[int] = primary_key()
    at: Mapped[datetime] = moment(index=True, default=True)
    kind: Mapped[SessionKind] = enum_column(SessionKind)
    username: Mapped[str] = text_column(254)
    ip: Mapped[str] = text_column(45)

    __table_args__ = (Index(None, "kind", "username", "at"), Index(None, "ip", "at"))

"""The tables: what there is, what must always hold, and facts about one row. No verbs.

A reference is the attribute `<name>` and the column `<name>_id`. Times are aware and in UTC, amounts of
money Decimal (whole hundredths in the table). A class with `__audit__` names the module of the admin under
which its changes are recorded; `__audit_of__` is the column that names the record which a row is a part of
(empty: of none). Columns marked `secret` never reach the audit.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any, ClassVar

import sqlalchemy as sa
from flask_babel import get_locale, lazy_pgettext
from flask_babel import lazy_gettext as _l
from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.ext.mutable import MutableDict
from sqlalchemy.orm import Mapped, declared_attr, deferred, mapped_column, relationship

from extensions import JSONDocument, Labelled, LabelledEnum, Model, Money, UTCDateTime, db, now

SECRET = {"secret": True}


class Language(LabelledEnum):
    EN = "en", "English"
    RU = "ru", "Русский"


class LegalStatus(LabelledEnum):
    COMPANY = "company", _l("Company")
    SOLE_PROPRIETOR = "sole_proprietor", _l("Sole proprietor")
    INDIVIDUAL = "individual", _l("Individual")


class Period(LabelledEnum):
    MONTH = "month", _l("Month")
    QUARTER = "quarter", _l("Quarter")
    HALF_YEAR = "half_year", _l("Half a year")
    YEAR = "year", _l("Year")
    ONCE = "once", _l("Once")


class ServiceStatus(LabelledEnum):
    ORDERED = "ordered", _l("Ordered")
    ACTIVE = "active", _l("Active")
    SUSPENDED = "suspended", _l("Suspended")
    DELETED = "deleted", _l("Deleted")


class SuspensionReason(LabelledEnum):
    UNPAID = "unpaid", _l("Not paid")
    STAFF = "staff", _l("By staff")
    CLIENT = "client", _l("By the client")
    VIOLATION = "violation", _l("Violation")


class EntryKind(LabelledEnum):
    PAYMENT = "payment", _l("Payment")
    EXPENSE = "expense", _l("Expense")
    REFUND = "refund", _l("Refund")
    TRANSFER = "transfer", _l("Transfer")
    ADJUSTMENT = "adjustment", _l("Adjustment")
    COMMISSION = "commission", _l("Commission")


class InvoiceStatus(LabelledEnum):
    NEW = "new", _l("New")
    PAID = "paid", _l("Paid")
    OVERDUE = "overdue", _l("Overdue")
    CANCELLED = "cancelled", _l("Cancelled")


class PaymentStatus(LabelledEnum):
    NEW = "new", _l("New")
    IN_PROGRESS = "in_progress", _l("In progress")
    PAID = "paid", _l("Paid")
    CANCELLED = "cancelled", _l("Cancelled")
    REFUNDED = "refunded", _l("Refunded")


class ActStatus(LabelledEnum):
    ISSUED = "issued", _l("Issued")
    SIGNED = "signed", _l("Signed")
    CANCELLED = "cancelled", _l("Cancelled")


class TicketStatus(LabelledEnum):
    WAITING_STAFF = "waiting_staff", _l("Waiting for staff")
    WAITING_CLIENT = "waiting_client", _l("Waiting for the client")
    CLOSED = "closed", _l("Closed")


class MailingStatus(LabelledEnum):
    SCHEDULED = "scheduled", _l("Scheduled")
    SENDING = "sending", _l("Sending")
    PAUSED = "paused", _l("Paused")
    SENT = "sent", _l("Sent")
    CANCELLED = "cancelled", _l("Cancelled")


class RecipientOutcome(LabelledEnum):
    """What became of one client of a mailing; letters have states of their own."""

    QUEUED = "queued", _l("Queued")
    SENT = "sent", _l("Sent")
    FAILED = "failed", _l("Failed")
    SKIPPED = "skipped", _l("Skipped")
    CANCELLED = "cancelled", _l("Cancelled")


class EmailStatus(LabelledEnum):
    QUEUED = "queued", _l("Queued")
    SENDING = "sending", _l("Sending")
    SENT = "sent", _l("Sent")
    FAILED = "failed", _l("Failed")
    SKIPPED = "skipped", _l("Skipped")
    CANCELLED = "cancelled", _l("Cancelled")


class ViolationAction(LabelledEnum):
    TO_ACTIVE = "to_active", _l("Move to active requests")
    SUSPEND_SERVICES = "suspend_services", _l("Stop the client's services")
    SUSPEND_SERVICE = "suspend_service", _l("Stop one service")


class ViolationStatus(LabelledEnum):
    OPEN = "open", _l("Open")
    ANSWERED = "answered", _l("Answered")
    EXECUTED = "executed", _l("Executed")
    RESOLVED = "resolved", _l("Resolved")
    CANCELLED = "cancelled", _l("Cancelled")


class FieldType(LabelledEnum):
    TEXT = "text", _l("Text")
    NUMBER = "number", lazy_pgettext("type of a field", "Number")
    DATE = "date", _l("Date")
    CHOICE = "choice", _l("Choice")
    YES_NO = "yes_no", _l("Yes or no")


class SessionKind(LabelledEnum):
    STAFF = "staff", _l("Staff")
    CLIENT = "client", _l("Client")


def primary_key() -> Mapped[int]:
    return mapped_column(sa.Integer, primary_key=True)


def reference(target: str, *, required: bool = True, on_delete: str = "RESTRICT", index: bool = True) -> Mapped[Any]:
    """A foreign key column to `target` (a table's name)."""
    return mapped_column(sa.Integer, ForeignKey(f"{target}.id", ondelete=on_delete), nullable=not required, index=index)


def enum_column(kind: type[LabelledEnum], default: LabelledEnum | None = None, *, nullable: bool = False) -> Any:
    return mapped_column(
        Labelled(kind), default=default, server_default=default.value if default else None, nullable=nullable
    )


def moment(*, nullable: bool = False, index: bool = False, default: bool = False) -> Any:
    """A column for an instant, UTC; with `default`, the time of the insert."""
    return mapped_column(UTCDateTime, nullable=nullable, index=index, default=now if default else None)


def text_column(length: int, *, default: str | None = "", nullable: bool = False) -> Any:
    return mapped_column(String(length), nullable=nullable, default=default, server_default=default)


def long_text() -> Any:
    return mapped_column(Text, nullable=False, default="", server_default="")


def flag(default: bool = False) -> Any:
    return mapped_column(
        sa.Boolean,
        nullable=False,
        default=default,
        server_default=sa.true() if default else sa.false(),
    )


def document(default: type = dict) -> Any:
    """A JSON column; changes inside a dictionary are noticed."""
    kind = MutableDict.as_mutable(JSONDocument.copy()) if default is dict else JSONDocument
    return mapped_column(kind, nullable=False, default=default, server_default="{}" if default is dict else "[]")


def money(default: int | None = 0) -> Any:
    return mapped_column(
        Money, nullable=False, default=Decimal(default) if default is not None else None,
        server_default=str(default) if default is not None else None,
    )  # fmt: skip


def row_version() -> Any:
    return mapped_column(sa.Integer, nullable=False, default=1, server_default="1")


class Versioned:
    """A row that people edit: its version rises with each change, and who edits says which he saw."""

    row_version: Mapped[int] = row_version()

    @declared_attr.directive
    def __mapper_args__(cls) -> dict[str, Any]:  # noqa: N805  It is asked of the class.
        return {"version_id_col": cls.__table__.c.row_version}  # type: ignore[attr-defined]


# People and rights


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


class AuditEvent(Model):
    """What was changed, when, by whom. Triggers refuse to change or remove a row."""

    __tablename__ = "audit_events"
    id: Mapped[int] = primary_key()
    at: Mapped[datetime] = moment(index=True, default=True)
    staff_id: Mapped[int | None] = reference("staff", required=False)
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
        Index(None, "client_id", "id"),
        # What most events have none of is indexed where there is one: a bulk change writes very many events.
        _index_of_given("client_user_id"),
        _index_of_given("impersonation_id"),
        _index_of_given("bulk_change_id", "module", "record_id"),
    )


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
    client_id: Mapped[int] = reference("clients", on_delete="CASCADE")
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


class LoginFailure(Model):
    """A refused login; what throttling counts. `username` is the name as tried, in lower case."""

    __tablename__ = "login_failures"
    id: Mapped[int] = primary_key()
    at: Mapped[datetime] = moment(index=True, default=True)
    kind: Mapped[SessionKind] = enum_column(SessionKind)
    username: Mapped[str] = text_column(254)
    ip: Mapped[str] = text_column(45)

    __table_args__ = (Index(None, "kind", "username", "at"), Index(None, "ip", "at"))


# Clients


class Project(Versioned, Model):
    """A brand of the provider. `support_email` is the sender of its letters."""

    __tablename__ = "projects"
    __audit__ = "projects"
    id: Mapped[int] = primary_key()
    name: Mapped[str] = mapped_column(String(120), unique=True)
    website: Mapped[str] = text_column(300)
    support_email: Mapped[str] = text_column(254)
    currency: Mapped[str] = text_column(3, default="EUR")
    default_language: Mapped[Language] = enum_column(Language, Language.EN)
    credit_limit: Mapped[Decimal] = money()
    is_active: Mapped[bool] = flag(True)

    def __str__(self) -> str:
        return self.name


class Characterization(Versioned, Model):
    """What staff should know of a client at a glance. `code` names the seeded ones for badges."""

    __tablename__ = "characterizations"
    __audit__ = "characterizations"
    id: Mapped[int] = primary_key()
    code: Mapped[str] = mapped_column(String(40), unique=True)
    name: Mapped[str] = mapped_column(String(80), unique=True)
    icon: Mapped[str] = text_column(40)
    color: Mapped[str] = text_column(20)
    is_default: Mapped[bool] = flag()

    __table_args__ = (
        Index(
            "uq_characterizations_one_default", "is_default", unique=True,
            sqlite_where=sa.text("is_default"), postgresql_where=sa.text("is_default"),
        ),
    )  # fmt: skip

    def __str__(self) -> str:
        return str(_l(self.name)) if self.code in {"ordinary", "good", "conflict"} else self.name


class AffiliateProgram(Versioned, Model):
    __tablename__ = "affiliate_programs"
    __audit__ = "affiliate-programs"
    id: Mapped[int] = primary_key()
    name: Mapped[str] = mapped_column(String(120), unique=True)
    percent: Mapped[Decimal] = mapped_column(Money, nullable=False, default=Decimal(0), server_default="0")
    is_active: Mapped[bool] = flag(True)

    __table_args__ = (CheckConstraint("percent BETWEEN 0 AND 10000", name="percent"),)

    def __str__(self) -> str:
        return self.name


class ClientGroup(Versioned, Model):
    __tablename__ = "client_groups"
    __audit__ = "groups"
    id: Mapped[int] = primary_key()
    name: Mapped[str] = mapped_column(String(120), unique=True)
    description: Mapped[str] = long_text()

    def __str__(self) -> str:
        return self.name


client_group_members = sa.Table(
    "client_group_members",
    db.metadata,
    sa.Column("client_id", ForeignKey("clients.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("group_id", ForeignKey("client_groups.id", ondelete="CASCADE"), primary_key=True),
    Index("ix_client_group_members_group_id_client_id", "group_id", "client_id"),
)

client_projects = sa.Table(
    "client_projects",
    db.metadata,
    sa.Column("client_id", ForeignKey("clients.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("project_id", ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True, index=True),
)

ALIVE = sa.text("deleted_at IS NULL")
DELETED = sa.text("deleted_at IS NOT NULL")


def living_index(*columns: str) -> Index:
    """An index of the clients that are not deleted, with the id to settle ties."""
    return Index("ix_clients_living_" + "_".join(columns), *columns, "id", sqlite_where=ALIVE, postgresql_where=ALIVE)


def named_index(column: str) -> Index:
    """An index of living clients by a name. Names go by language and country, so that many may have to be passed
    by until a page is full: what is asked of them stands in the index, and no row need be looked at.
    """
    columns = (column, "id", "deleted_at", "language", "country", "legal_status", "project_id", "characterization_id")
    return Index(f"ix_clients_living_{column}", *columns, sqlite_where=ALIVE, postgresql_where=ALIVE)


class Client(Versioned, Model):
    """Who orders, pays and is written to.

    `balance` (of the account with the home project), `active_services`, `is_suspended` (there are services
    and all are suspended), `owner_username` and `usernames` are kept current by triggers; nothing else
    writes them but an import, with the values the triggers would give. `search_text` is made by the database.
    """

    __tablename__ = "clients"
    __audit__ = "clients"
    id: Mapped[int] = primary_key()
    project_id: Mapped[int] = reference("projects")
    name: Mapped[str] = mapped_column(String(200))
    legal_status: Mapped[LegalStatus] = enum_column(LegalStatus, LegalStatus.INDIVIDUAL)
    company_name: Mapped[str] = text_column(200)
    contact_person: Mapped[str] = text_column(200)
    email: Mapped[str] = text_column(254)
    country: Mapped[str] = mapped_column(String(2))
    language: Mapped[Language] = enum_column(Language, Language.EN)
    verified_phone: Mapped[str] = text_column(20)
    note: Mapped[str] = long_text()
    referral_source: Mapped[str] = text_column(300)
    characterization_id: Mapped[int] = reference("characterizations", index=False)
    # Asked for by nobody but the removal of a staff member; every bulk change of characterization would pay for an index.
    characterization_by_id: Mapped[int | None] = reference("staff", required=False, index=False)
    characterization_at: Mapped[datetime | None] = moment(nullable=True)
    characterization_reason: Mapped[str] = text_column(500)
    referrer_id: Mapped[int | None] = reference("clients", required=False, on_delete="SET NULL")
    affiliate_program_id: Mapped[int | None] = reference("affiliate_programs", required=False)
    registered_at: Mapped[datetime] = moment(default=True)
    registration_ip: Mapped[str] = text_column(45)
    external_id: Mapped[str | None] = mapped_column(String(200))
    external_source: Mapped[str] = text_column(40)
    import_batch_id: Mapped[int | None] = reference("import_batches", required=False)
    hold_suspension_until: Mapped[datetime | None] = moment(nullable=True)
    deleted_at: Mapped[datetime | None] = moment(nullable=True)
    custom: Mapped[dict[str, Any]] = document()
    balance: Mapped[Decimal] = money()
    active_services: Mapped[int] = mapped_column(sa.Integer, nullable=False, default=0, server_default="0")
    is_suspended: Mapped[bool] = flag()
    owner_username: Mapped[str] = text_column(80)
    usernames: Mapped[str] = long_text()
    search_text: Mapped[str | None] = deferred(mapped_column(Text, server_default=sa.FetchedValue(), nullable=True))

    project: Mapped[Project] = relationship()
    characterization: Mapped[Characterization] = relationship()
    characterization_by: Mapped[Staff | None] = relationship()
    referrer: Mapped[Client | None] = relationship(remote_side="Client.id")
    affiliate_program: Mapped[AffiliateProgram | None] = relationship()
    groups: Mapped[list[ClientGroup]] = relationship(secondary=client_group_members)
    projects: Mapped[list[Project]] = relationship(secondary=client_projects)
    users: Mapped[list[ClientUser]] = relationship(
        back_populates="client", order_by="ClientUser.is_owner.desc(), ClientUser.id", passive_deletes=True
    )
    accounts: Mapped[list[Account]] = relationship(back_populates="client", passive_deletes="all")

    __table_args__ = (
        CheckConstraint("length(name) > 0", name="name_given"),
        CheckConstraint("referrer_id IS NULL OR referrer_id <> id", name="not_own_referrer"),
        UniqueConstraint("external_source", "external_id"),
        # Of the deleted alone: SQLite would take it for every list, and sort all the living.
        Index("ix_clients_deleted_at", "deleted_at", sqlite_where=DELETED, postgresql_where=DELETED),
        living_index(),
        named_index("name"),
        named_index("contact_person"),
        living_index("email"),
        living_index("registered_at"),
        living_index("balance"),
        living_index("active_services"),
        living_index("project_id"),
        living_index("characterization_id"),
        living_index("project_id", "registered_at"),
        living_index("project_id", "characterization_id", "registered_at"),
        living_index("characterization_id", "registered_at"),
        living_index("country"),
        living_index("language"),
        living_index("legal_status"),
        living_index("company_name"),
        living_index("verified_phone"),
        Index("ix_clients_registration_ip", "registration_ip"),
    )  # fmt: skip

    @property
    def owner(self) -> ClientUser | None:
        return next((user for user in self.users if user.is_owner), None)

    @property
    def is_referred(self) -> bool:
        return self.referrer_id is not None or self.affiliate_program_id is not None

    @property
    def code_and_name(self) -> str:
        return f"#{self.id} {self.name}"

    def __str__(self) -> str:
        return self.name


class ClientUser(Versioned, Model):
    """A login of a client. `username` and `email` are kept in lower case; an empty e-mail is NULL.

    `must_change_password` says that staff set the password: it is good for one login.
    """

    __tablename__ = "client_users"
    __audit__ = "users"
    id: Mapped[int] = primary_key()
    client_id: Mapped[int] = reference("clients", on_delete="CASCADE")
    username: Mapped[str] = mapped_column(String(80), unique=True)
    password_hash: Mapped[str] = mapped_column(String(255), info=SECRET)
    must_change_password: Mapped[bool] = flag()
    full_name: Mapped[str] = text_column(200)
    email: Mapped[str | None] = mapped_column(String(254), unique=True)
    phone: Mapped[str] = text_column(40)
    language: Mapped[Language] = enum_column(Language, Language.EN)
    time_zone: Mapped[str] = text_column(64, default="UTC")
    is_owner: Mapped[bool] = flag()
    is_active: Mapped[bool] = flag(True)
    permissions: Mapped[list[str]] = document(list)
    last_login_at: Mapped[datetime | None] = moment(nullable=True)
    created_at: Mapped[datetime] = moment(default=True)
    totp_secret: Mapped[str | None] = mapped_column(String(255), info=SECRET)

    client: Mapped[Client] = relationship(back_populates="users")

    __table_args__ = (
        Index(
            "uq_client_users_one_owner", "client_id", unique=True,
            sqlite_where=sa.text("is_owner"), postgresql_where=sa.text("is_owner"),
        ),
        CheckConstraint("length(username) > 0", name="username_given"),
    )  # fmt: skip

    is_authenticated: ClassVar[bool] = True
    is_anonymous: ClassVar[bool] = False

    def get_id(self) -> str:
        return f"client:{self.id}"

    @property
    def shown_name(self) -> str:
        return self.full_name or self.username

    def __str__(self) -> str:
        return self.username


class Payer(Versioned, Model):
    """In whose name a client pays."""

    __tablename__ = "payers"
    __audit__ = "payers"
    id: Mapped[int] = primary_key()
    client_id: Mapped[int] = reference("clients", on_delete="CASCADE")
    legal_status: Mapped[LegalStatus] = enum_column(LegalStatus, LegalStatus.INDIVIDUAL)
    name: Mapped[str] = mapped_column(String(300))
    country: Mapped[str] = mapped_column(String(2))
    tax_id: Mapped[str] = text_column(40)
    registration_reason_code: Mapped[str] = text_column(20)
    postal_address: Mapped[str] = text_column(500)
    legal_address: Mapped[str] = text_column(500)
    email: Mapped[str] = text_column(254)
    phone: Mapped[str] = text_column(40)
    is_default: Mapped[bool] = flag()

    client: Mapped[Client] = relationship()

    def __str__(self) -> str:
        return self.name


class ClientNote(Versioned, Model):
    __tablename__ = "client_notes"
    __audit__ = "clients"
    __audit_of__ = "client_id"
    id: Mapped[int] = primary_key()
    client_id: Mapped[int] = reference("clients", on_delete="CASCADE")
    author_id: Mapped[int | None] = reference("staff", required=False)
    text: Mapped[str] = long_text()
    is_pinned: Mapped[bool] = flag()
    created_at: Mapped[datetime] = moment(default=True)

    client: Mapped[Client] = relationship()
    author: Mapped[Staff | None] = relationship()


class PenaltyPoint(Model):
    """Points given once: why, by whom, and until when they count."""

    __tablename__ = "penalty_points"
    __audit__ = "violations"
    __audit_of__ = "violation_id"
    id: Mapped[int] = primary_key()
    client_id: Mapped[int] = reference("clients", on_delete="CASCADE", index=False)
    violation_id: Mapped[int | None] = reference("violations", required=False, on_delete="SET NULL")
    points: Mapped[int] = mapped_column(sa.Integer)
    comment: Mapped[str] = text_column(1000)
    author_id: Mapped[int | None] = reference("staff", required=False)
    created_at: Mapped[datetime] = moment(default=True)
    expires_at: Mapped[datetime] = moment()

    client: Mapped[Client] = relationship()

    __table_args__ = (
        CheckConstraint("points > 0", name="points"),
        Index(None, "client_id", "expires_at"),
        Index(None, "expires_at", "client_id"),
    )


class Consent(Model):
    """What a user agreed to receive, and when he took it back. No row means agreed."""

    __tablename__ = "consents"
    __audit__ = "users"
    __audit_of__ = "client_user_id"
    id: Mapped[int] = primary_key()
    client_user_id: Mapped[int] = reference("client_users", on_delete="CASCADE")
    kind: Mapped[str] = text_column(20, default="news")
    given_at: Mapped[datetime | None] = moment(nullable=True)
    withdrawn_at: Mapped[datetime | None] = moment(nullable=True)
    source: Mapped[str] = text_column(40)

    client_user: Mapped[ClientUser] = relationship()

    __table_args__ = (UniqueConstraint("client_user_id", "kind"),)


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


# Catalogue, services and money


class Product(Versioned, Model):
    __tablename__ = "products"
    __audit__ = "products"
    id: Mapped[int] = primary_key()
    name: Mapped[str] = mapped_column(String(200))
    type: Mapped[str] = text_column(60)
    project_id: Mapped[int] = reference("projects")
    is_active: Mapped[bool] = flag(True)
    description: Mapped[str] = long_text()

    project: Mapped[Project] = relationship()
    prices: Mapped[list[ProductPrice]] = relationship(
        back_populates="product", cascade="all, delete-orphan", order_by="ProductPrice.id"
    )

    __table_args__ = (UniqueConstraint("project_id", "name"),)

    def __str__(self) -> str:
        return self.name


class ProductPrice(Model):
    __tablename__ = "product_prices"
    __audit__ = "products"
    __audit_of__ = "product_id"
    id: Mapped[int] = primary_key()
    product_id: Mapped[int] = reference("products", on_delete="CASCADE")
    period: Mapped[Period] = enum_column(Period, Period.MONTH)
    currency: Mapped[str] = mapped_column(String(3))
    price: Mapped[Decimal] = money()

    product: Mapped[Product] = relationship(back_populates="prices")

    __table_args__ = (
        UniqueConstraint("product_id", "period", "currency"),
        CheckConstraint("price >= 0", name="price"),
    )


class Account(Versioned, Model):
    """A client's money with a project. `balance` is the sum of its ledger entries; a trigger keeps it so."""

    __tablename__ = "accounts"
    __audit__ = "accounts"
    id: Mapped[int] = primary_key()
    client_id: Mapped[int] = reference("clients", index=False)
    project_id: Mapped[int] = reference("projects")
    currency: Mapped[str] = mapped_column(String(3))
    balance: Mapped[Decimal] = money()
    credit_limit: Mapped[Decimal] = money()

    client: Mapped[Client] = relationship(back_populates="accounts")
    project: Mapped[Project] = relationship()

    __table_args__ = (
        UniqueConstraint("client_id", "project_id", "currency"),
        CheckConstraint("credit_limit >= 0", name="credit_limit"),
        CheckConstraint("length(currency) = 3", name="currency"),
    )

    def __str__(self) -> str:
        return f"#{self.id} {self.currency}"


class LedgerEntry(Model):
    """One movement of money. Triggers refuse to change or remove it, and add it to the account's balance."""

    __tablename__ = "ledger_entries"
    id: Mapped[int] = primary_key()
    account_id: Mapped[int] = reference("accounts", index=False)
    amount: Mapped[Decimal] = money(None)
    kind: Mapped[EntryKind] = enum_column(EntryKind)
    posted_at: Mapped[datetime] = moment(default=True)
    source_type: Mapped[str] = text_column(40)
    source_id: Mapped[int | None] = mapped_column(sa.Integer)
    note: Mapped[str] = text_column(300)
    idempotency_key: Mapped[str | None] = mapped_column(String(120), unique=True)

    account: Mapped[Account] = relationship()

    __table_args__ = (Index(None, "account_id", "id"), CheckConstraint("amount <> 0", name="amount"))


class Service(Versioned, Model):
    """A product that a client has."""

    __tablename__ = "services"
    __audit__ = "services"
    id: Mapped[int] = primary_key()
    client_id: Mapped[int] = reference("clients")
    product_id: Mapped[int] = reference("products")
    account_id: Mapped[int] = reference("accounts")
    name: Mapped[str] = mapped_column(String(200))
    status: Mapped[ServiceStatus] = enum_column(ServiceStatus, ServiceStatus.ORDERED)
    suspension_reason: Mapped[SuspensionReason | None] = enum_column(SuspensionReason, nullable=True)
    suspended_by_violation_id: Mapped[int | None] = reference("violations", required=False, on_delete="SET NULL")
    period: Mapped[Period] = enum_column(Period, Period.MONTH)
    price: Mapped[Decimal] = money()
    auto_renew: Mapped[bool] = flag(True)
    opened_at: Mapped[datetime] = moment(default=True)
    expires_at: Mapped[datetime | None] = moment(nullable=True, index=True)

    client: Mapped[Client] = relationship()
    product: Mapped[Product] = relationship()
    account: Mapped[Account] = relationship()

    __table_args__ = (
        Index(None, "product_id", "status", "client_id"),
        CheckConstraint("price >= 0", name="price"),
        CheckConstraint("(status = 'suspended') = (suspension_reason IS NOT NULL)", name="suspension_has_reason"),
    )

    def __str__(self) -> str:
        return self.name


class Discount(Versioned, Model):
    """What a client or group pays less: a percentage or an amount, on one product or all. Dates inclusive."""

    __tablename__ = "discounts"
    __audit__ = "discounts"
    id: Mapped[int] = primary_key()
    client_id: Mapped[int | None] = reference("clients", required=False, on_delete="CASCADE")
    group_id: Mapped[int | None] = reference("client_groups", required=False, on_delete="CASCADE")
    product_id: Mapped[int | None] = reference("products", required=False, on_delete="CASCADE")
    percent: Mapped[Decimal | None] = mapped_column(Money)
    amount: Mapped[Decimal | None] = mapped_column(Money)
    starts_on: Mapped[date | None] = mapped_column(sa.Date)
    ends_on: Mapped[date | None] = mapped_column(sa.Date)
    note: Mapped[str] = text_column(300)

    client: Mapped[Client | None] = relationship()
    group: Mapped[ClientGroup | None] = relationship()
    product: Mapped[Product | None] = relationship()

    __table_args__ = (
        CheckConstraint("(client_id IS NULL) <> (group_id IS NULL)", name="client_or_group"),
        CheckConstraint("(percent IS NULL) <> (amount IS NULL)", name="percent_or_amount"),
        CheckConstraint("percent IS NULL OR percent BETWEEN 0 AND 10000", name="percent"),
        CheckConstraint("amount IS NULL OR amount >= 0", name="amount"),
        CheckConstraint("ends_on IS NULL OR starts_on IS NULL OR ends_on >= starts_on", name="dates"),
    )


class Invoice(Versioned, Model):
    __tablename__ = "invoices"
    __audit__ = "invoices"
    id: Mapped[int] = primary_key()
    number: Mapped[str] = mapped_column(String(60), unique=True)
    client_id: Mapped[int] = reference("clients", index=False)
    payer_id: Mapped[int | None] = reference("payers", required=False)
    account_id: Mapped[int] = reference("accounts")
    amount: Mapped[Decimal] = money(None)
    issued_on: Mapped[date] = mapped_column(sa.Date)
    due_on: Mapped[date] = mapped_column(sa.Date)
    status: Mapped[InvoiceStatus] = enum_column(InvoiceStatus, InvoiceStatus.NEW)

    client: Mapped[Client] = relationship()
    payer: Mapped[Payer | None] = relationship()
    account: Mapped[Account] = relationship()
    lines: Mapped[list[InvoiceLine]] = relationship(order_by="InvoiceLine.id")

    __table_args__ = (
        CheckConstraint("amount >= 0", name="amount"),
        Index(None, "client_id", "status"),
        Index(None, "status", "due_on"),
    )

    def __str__(self) -> str:
        return self.number


class InvoiceLine(Model):
    __tablename__ = "invoice_lines"
    id: Mapped[int] = primary_key()
    invoice_id: Mapped[int] = reference("invoices")
    service_id: Mapped[int | None] = reference("services", required=False)
    description: Mapped[str] = text_column(300)
    amount: Mapped[Decimal] = money(None)


class Payment(Versioned, Model):
    __tablename__ = "payments"
    __audit__ = "payments"
    id: Mapped[int] = primary_key()
    number: Mapped[str] = mapped_column(String(60), unique=True)
    client_id: Mapped[int] = reference("clients", index=False)
    payer_id: Mapped[int | None] = reference("payers", required=False)
    account_id: Mapped[int] = reference("accounts")
    invoice_id: Mapped[int | None] = reference("invoices", required=False)
    amount: Mapped[Decimal] = money(None)
    method: Mapped[str] = text_column(60)
    status: Mapped[PaymentStatus] = enum_column(PaymentStatus, PaymentStatus.NEW)
    created_at: Mapped[datetime] = moment(default=True)
    paid_at: Mapped[datetime | None] = moment(nullable=True)
    note: Mapped[str] = text_column(300)

    client: Mapped[Client] = relationship()
    payer: Mapped[Payer | None] = relationship()
    account: Mapped[Account] = relationship()
    invoice: Mapped[Invoice | None] = relationship()

    __table_args__ = (CheckConstraint("amount > 0", name="amount"), Index(None, "client_id", "id"))

    def __str__(self) -> str:
        return self.number


class Expense(Model):
    __tablename__ = "expenses"
    __audit__ = "expenses"
    id: Mapped[int] = primary_key()
    client_id: Mapped[int] = reference("clients", index=False)
    account_id: Mapped[int] = reference("accounts")
    service_id: Mapped[int | None] = reference("services", required=False)
    amount: Mapped[Decimal] = money(None)
    period_from: Mapped[date | None] = mapped_column(sa.Date)
    period_to: Mapped[date | None] = mapped_column(sa.Date)
    posted_at: Mapped[datetime] = moment(default=True)

    client: Mapped[Client] = relationship()
    account: Mapped[Account] = relationship()
    service: Mapped[Service | None] = relationship()

    __table_args__ = (CheckConstraint("amount > 0", name="amount"), Index(None, "client_id", "id"))


class Act(Versioned, Model):
    """Certificate of work done (акт выполненных работ)."""

    __tablename__ = "acts"
    __audit__ = "acts"
    id: Mapped[int] = primary_key()
    number: Mapped[str] = mapped_column(String(60), unique=True)
    client_id: Mapped[int] = reference("clients", index=False)
    payer_id: Mapped[int | None] = reference("payers", required=False)
    account_id: Mapped[int] = reference("accounts")
    amount: Mapped[Decimal] = money(None)
    issued_on: Mapped[date] = mapped_column(sa.Date)
    period_from: Mapped[date] = mapped_column(sa.Date)
    period_to: Mapped[date] = mapped_column(sa.Date)
    status: Mapped[ActStatus] = enum_column(ActStatus, ActStatus.ISSUED)

    client: Mapped[Client] = relationship()
    payer: Mapped[Payer | None] = relationship()
    account: Mapped[Account] = relationship()
    lines: Mapped[list[ActLine]] = relationship(order_by="ActLine.id")

    __table_args__ = (CheckConstraint("amount >= 0", name="amount"), Index(None, "client_id", "id"))

    def __str__(self) -> str:
        return self.number


class ActLine(Model):
    __tablename__ = "act_lines"
    id: Mapped[int] = primary_key()
    act_id: Mapped[int] = reference("acts")
    expense_id: Mapped[int | None] = reference("expenses", required=False)
    description: Mapped[str] = text_column(300)
    amount: Mapped[Decimal] = money(None)


# Correspondence


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

    It waits until `starts_at`; until then it can be called back.
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

    __table_args__ = (Index(None, "ticket_id", "id"),)


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
    client_id: Mapped[int | None] = reference("clients", required=False, on_delete="CASCADE")
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
        Index("ix_outbound_emails_leases", "status", "lease_until"),
        Index(
            "uq_outbound_emails_one_letter_each", "mailing_id", "client_id", unique=True,
            sqlite_where=sa.text("mailing_id IS NOT NULL AND template = ''"),
            postgresql_where=sa.text("mailing_id IS NOT NULL AND template = ''"),
        ),
    )  # fmt: skip


class Violation(Versioned, Model):
    __tablename__ = "violations"
    __audit__ = "violations"
    id: Mapped[int] = primary_key()
    ticket_id: Mapped[int] = reference("tickets", on_delete="CASCADE")
    client_id: Mapped[int] = reference("clients", on_delete="CASCADE")
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

    ticket: Mapped[Ticket] = relationship()
    client: Mapped[Client] = relationship()

    __table_args__ = (
        CheckConstraint("points >= 0", name="points"),
        CheckConstraint("action <> 'suspend_service' OR service_id IS NOT NULL", name="service_named"),
        Index(None, "status", "deadline"),
    )


# The desk itself


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


class CustomField(Versioned, Model):
    __tablename__ = "custom_fields"
    __audit__ = "custom-fields"
    id: Mapped[int] = primary_key()
    code: Mapped[str] = mapped_column(String(40), unique=True)
    label: Mapped[str] = mapped_column(String(120))
    type: Mapped[FieldType] = enum_column(FieldType, FieldType.TEXT)
    choices: Mapped[list[str]] = document(list)
    is_required: Mapped[bool] = flag()
    show_in_list: Mapped[bool] = flag()
    show_to_client: Mapped[bool] = flag()

    def __str__(self) -> str:
        return self.label


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


def _bound_texts_and_enums() -> None:
    """Have every table check its text lengths and enum values itself: SQLite enforces neither by type."""
    for table in db.metadata.tables.values():
        for column in list(table.columns):
            if isinstance(column.type, Labelled):
                values = ", ".join(f"'{member.value}'" for member in column.type.kind)
                table.append_constraint(CheckConstraint(f"{column.name} IN ({values})", name=f"{column.name}_known"))
            elif isinstance(column.type, String) and column.type.length:
                rule = f"length({column.name}) <= {column.type.length}"
                table.append_constraint(CheckConstraint(rule, name=f"{column.name}_length"))


_bound_texts_and_enums()

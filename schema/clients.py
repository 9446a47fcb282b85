"""Clients, their users and payers, and what staff know of them."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, deferred, mapped_column, relationship

from extensions import Model, Money, db
from schema.columns import (
    SECRET,
    Versioned,
    document,
    enum_column,
    flag,
    long_text,
    moment,
    money,
    primary_key,
    reference,
    text_column,
)
from schema.enums import FieldType, Language, LegalStatus

if TYPE_CHECKING:
    from schema.billing import Account
    from schema.staff import Staff


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


TO_ERASE = sa.text("deleted_at IS NOT NULL AND erased_at IS NULL")


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

    A deleted client may be `merged_into` another (schema/endings.py); one with `erased_at` has nothing personal left,
    and stays for its documents.
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
    erased_at: Mapped[datetime | None] = moment(nullable=True)
    custom: Mapped[dict[str, Any]] = document(audited_as="custom_")
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
    merged_into: Mapped[Client | None] = relationship(
        secondary="client_merges",
        primaryjoin="and_(Client.id == ClientMerge.merged_id, ClientMerge.undone_at.is_(None))",
        secondaryjoin="foreign(ClientMerge.kept_id) == remote(Client.id)",
        viewonly=True,
        uselist=False,
    )
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
        Index("ix_clients_to_erase", "deleted_at", "id", sqlite_where=TO_ERASE, postgresql_where=TO_ERASE),
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

    __table_args__ = (
        Index(
            "uq_payers_one_default", "client_id", unique=True,
            sqlite_where=sa.text("is_default"), postgresql_where=sa.text("is_default"),
        ),
    )  # fmt: skip

    def __str__(self) -> str:
        return self.name


class ClientNote(Versioned, Model):
    """A dated remark of a staff member, seen by staff alone; a pinned one stands on top of the client's page."""

    __tablename__ = "client_notes"
    __audit__ = "clients"
    __audit_of__ = "client_id"
    __audit_as__: ClassVar[dict[str, str]] = {"create": "note_add", "edit": "note_edit", "delete": "note_delete"}
    id: Mapped[int] = primary_key()
    client_id: Mapped[int] = reference("clients", on_delete="CASCADE", index=False)
    author_id: Mapped[int | None] = reference("staff", required=False)
    text: Mapped[str] = long_text()
    is_pinned: Mapped[bool] = flag()
    created_at: Mapped[datetime] = moment(default=True)

    client: Mapped[Client] = relationship()
    author: Mapped[Staff | None] = relationship()

    __table_args__ = (Index(None, "client_id", "is_pinned", "id"), Index(None, "client_id", "created_at", "id"))


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
        Index(None, "client_id", "created_at", "id"),
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


class CustomField(Versioned, Model):
    """A field that the owner adds to clients. Values stand in `Client.custom` by `code`; `choices` are of a choice."""

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


class ClientCustomValue(Model):
    """A value of a custom field, as it is searched for. Triggers keep these rows beside `Client.custom`.

    `text` is of a text, `choice` of a choice, `number` of the others: of a number its millionths, of a day the digits
    of its ISO form (20240131), of yes or no 1 or 0.
    """

    __tablename__ = "client_custom_values"
    id: Mapped[int] = primary_key()
    client_id: Mapped[int] = reference("clients", on_delete="CASCADE", index=False)
    field_id: Mapped[int] = reference("custom_fields", on_delete="CASCADE", index=False)
    text: Mapped[str | None] = mapped_column(Text)
    choice: Mapped[str | None] = mapped_column(Text)
    number: Mapped[int | None] = mapped_column(sa.BigInteger)

    __table_args__ = (
        UniqueConstraint("client_id", "field_id"),
        Index(None, "field_id", "number", "client_id"),
        Index(
            None, "field_id", "choice", "client_id",
            sqlite_where=sa.text("choice IS NOT NULL"), postgresql_where=sa.text("choice IS NOT NULL"),
        ),
    )  # fmt: skip


class CustomFieldsVersion(Model):
    """The one row that triggers write anew whenever a custom field is added, changed or removed; none before that."""

    __tablename__ = "custom_fields_version"
    id: Mapped[int] = primary_key()
    value: Mapped[str] = mapped_column(Text)

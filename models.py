"""The tables: what there is, what must always hold, and facts about one row. No verbs.

They stand in schema/, by what they are about; here is the list of them, and everybody imports them from here.

A reference is the attribute `<name>` and the column `<name>_id`. Times are aware and in UTC, amounts of
money Decimal (whole hundredths in the table). A class with `__audit__` names the module of the admin under
which its changes are recorded; `__audit_of__` is the column that names the record which a row is a part of
(empty: of none). Columns marked `secret` never reach the audit.
"""

from __future__ import annotations

from sqlalchemy import CheckConstraint, String

from extensions import Labelled, db
from schema.billing import (
    Account,
    Act,
    ActLine,
    Discount,
    Expense,
    Invoice,
    InvoiceLine,
    LedgerEntry,
    Payment,
    Product,
    ProductPrice,
    Service,
)
from schema.clients import (
    ALIVE,
    DELETED,
    AffiliateProgram,
    Characterization,
    Client,
    ClientCustomValue,
    ClientGroup,
    ClientNote,
    ClientUser,
    Consent,
    CustomField,
    CustomFieldsVersion,
    Payer,
    PenaltyPoint,
    Project,
    client_group_members,
    client_projects,
    living_index,
    named_index,
)
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
    row_version,
    text_column,
)
from schema.desk import DeskHold, DeskMark, Feature, Heartbeat, IdempotencyKey, Setting
from schema.endings import ClientMerge, Erasure
from schema.enums import (
    ActStatus,
    EmailStatus,
    EntryKind,
    FieldType,
    HoldReason,
    InboundOutcome,
    InvoiceStatus,
    Language,
    LegalStatus,
    MailingStatus,
    PaymentStatus,
    Period,
    RecipientOutcome,
    ServiceStatus,
    SessionKind,
    SuspensionReason,
    TicketStatus,
    TripReason,
    ViolationAction,
    ViolationStatus,
)
from schema.inbound import InboundEmail, InboundSource, MessageLetter
from schema.lists import (
    BulkChange,
    ImportBatch,
    ImportChange,
    SavedFilter,
    SavedFilterMember,
    SavedFilterState,
    Selection,
    saved_filter_watches,
)
from schema.staff import (
    CHARACTERIZED,
    ROLES_OF_A_NEW_DESK,
    AuditEvent,
    Impersonation,
    LoginFailure,
    Role,
    Session,
    Staff,
)
from schema.support import (
    Attachment,
    BreakerTrip,
    DeliveryNote,
    Mailing,
    MailingRecipient,
    OutboundEmail,
    ResponseTemplate,
    Ticket,
    TicketCategory,
    TicketMessage,
    TicketWriter,
    Violation,
    ViolationTry,
)


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

"""The words that columns choose from; their values stand in the tables."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l
from flask_babel import lazy_pgettext

from extensions import LabelledEnum


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


class InboundOutcome(LabelledEnum):
    """What became of a letter that came in."""

    WAITING = "waiting", lazy_pgettext("letter", "Waiting")
    ANSWERED = "answered", lazy_pgettext("letter", "Answer in a ticket")
    NEW_TICKET = "new_ticket", lazy_pgettext("letter", "New ticket")
    BOUNCED = "bounced", lazy_pgettext("letter", "A letter of ours came back")
    IGNORED = "ignored", lazy_pgettext("letter", "Ignored")
    REFUSED = "refused", lazy_pgettext("letter", "Not taken")
    FAILED = "failed", lazy_pgettext("letter", "Could not be handled")


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


class TripReason(LabelledEnum):
    """Why the breaker holds what is due."""

    MANY = "many", _l("Too many fell due at once")
    CLOCK = "clock", _l("The clock jumped")
    OFF = "off", _l("The handling of abuse was switched off")
    COPY = "copy", _l("A copy was put back")


class HoldReason(LabelledEnum):
    """Why the desk does nothing by itself."""

    OLDER = "older", _l("An older copy of the database was put back")
    COPIED = "copied", _l("The files were copied to another place")
    UNKNOWN = "unknown", _l("The database and the files do not belong together")
    HAND = "hand", _l("By hand")


class FieldType(LabelledEnum):
    TEXT = "text", _l("Text")
    NUMBER = "number", lazy_pgettext("type of a field", "Number")
    DATE = "date", _l("Date")
    CHOICE = "choice", _l("Choice")
    YES_NO = "yes_no", _l("Yes or no")


class SessionKind(LabelledEnum):
    STAFF = "staff", _l("Staff")
    CLIENT = "client", _l("Client")

"""The entries of a case file in words: who did what, with old and new values, as staff read it or as the client may."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from flask_babel import format_date, format_time, get_locale, ngettext, to_user_timezone
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_login import current_user

from admin_views import audit_words, cells
from admin_views.audit_words import Words
from extensions import db
from models import AuditEvent, CustomField, Payment, SuspensionReason
from operations import case_file
from operations.case_file import Row
from operations.case_file_sources import KINDS, kind_of_event

WORDS: dict[str, Any] = {
    "message": _l("Message"), "mailing": _l("Mailing"), "letter": _l("Letter"), "note": _l("Internal note"),
    "ledger": _l("Movement of money"), "payment": _l("Payment"), "invoice": _l("Invoice"), "act": _l("Act"),
    "expense": _l("Expense"), "service": _l("Service"), "violation": _l("Violation"), "points": _l("Penalty points"),
    "edit": _l("Change"), "login": _l("Login"), "login_as": _l("Login as the client"),
}  # fmt: skip
ICONS = {"payment": "credit-card", "invoice": "file-invoice", "act": "file-certificate", "expense": "receipt",
         "ledger": "arrows-exchange", "points": "flag"}  # fmt: skip
COLORS = {"note": "amber", "violation": "red", "service": "violet", "login_as": "amber", "money": "good",
          "message": "blue", "mailing": "blue", "letter": "blue"}  # fmt: skip
LETTERS: dict[str, Any] = {
    "welcome": _l("Welcome letter"), "reset_password": _l("Letter with a link to set the password"),
    "password_changed": _l("Letter: the password was changed"), "email_changed": _l("Letter: the e-mail was changed"),
    "confirm_email": _l("Letter to confirm the e-mail"), "login_as": _l("Letter: a staff member logged in as the client"),
    "mailing_test": _l("Test of a mailing"),
}  # fmt: skip
# The values that a client is shown of events about its records; what is not named here is the provider's own.
OF_THE_CLIENT: dict[str, frozenset[str]] = {
    "clients": frozenset({
        "name", "legal_status", "company_name", "contact_person", "email", "country", "language", "verified_phone",
        "project_id", "registered_at", "registration_ip", "referral_source", "custom",
    }),
    "users": frozenset({
        "username", "full_name", "email", "phone", "language", "time_zone", "is_owner", "is_active", "permissions",
        "kind", "given_at", "withdrawn_at", "must_change_password", "sessions",
    }),
    "payers": frozenset({
        "legal_status", "name", "country", "tax_id", "registration_reason_code", "postal_address", "legal_address",
        "email", "phone", "is_default",
    }),
    "services": frozenset({
        "name", "product_id", "status", "suspension_reason", "period", "price", "auto_renew", "opened_at", "expires_at",
    }),
    "accounts": frozenset({"currency", "project_id", "credit_limit"}),
    "discounts": frozenset({"product_id", "percent", "amount", "starts_on", "ends_on"}),
    "invoices": frozenset({"number", "amount", "issued_on", "due_on", "status"}),
    "payments": frozenset({"number", "amount", "method", "status", "paid_at"}),
    "acts": frozenset({"number", "amount", "issued_on", "period_from", "period_to", "status"}),
    "expenses": frozenset({"amount", "period_from", "period_to"}),
    "tickets": frozenset({"subject", "status", "category_id"}),
    "violations": frozenset({"deadline", "action", "points", "status", "executed_at", "service_id", "expires_at"}),
}  # fmt: skip
# Said to the client although it changes no value of his.
SAID_ANYWAY = frozenset({
    "login", "login_failed", "logout", "password_changed", "password_reset", "password_reset_requested",
    "password_link_made", "email_change_requested", "sessions_ended", "login_as_allow_changes", "login_as_request",
    "delete", "restore",
})  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """One line of the stream in words. `changes` are (field, before, after); before is None where nothing was.

    `quoted` is what a letter repeated of others, which is shown folded.
    """

    kind: str
    word: str
    icon: str
    color: str
    day: str
    time: str
    who: str
    title: str
    text: str = ""
    quoted: str = ""
    changes: Sequence[tuple[str, str | None, str]] = ()
    url: str = ""
    is_internal: bool = False


@dataclass
class Said:
    """What an entry says besides when: filled in by the kind of its record."""

    kind: str
    word: str
    who: str = ""
    title: str = ""
    text: str = ""
    changes: Sequence[tuple[str, str | None, str]] = field(default_factory=list)
    url: str = ""
    quoted: str = ""


class CaseFileWords:
    """Puts rows into words. What they mention is asked for once for all of them."""

    def __init__(self, rows: Sequence[Row], *, for_client: bool = False) -> None:
        self._for_client = for_client
        self._words = Words([row.record for row in rows if isinstance(row.record, AuditEvent)])
        self._staff = case_file.staff_behind(rows)
        self._payments = _numbers_of_payments(rows)
        self._shown_fields = _fields_shown_to_clients() if for_client else frozenset()

    def entries(self, rows: Sequence[Row]) -> list[Entry]:
        """The rows in words; for the client those that say nothing of his are left out."""
        made = [self._entry(row) for row in rows]
        return [entry for entry in made if entry is not None]

    def _entry(self, row: Row) -> Entry | None:
        teller: Callable[[Any], Said | None] = getattr(self, f"_{row.source}")
        said = teller(row.record)
        if said is None:
            return None
        day, time = _when(row)
        return Entry(
            kind=said.kind, word=str(WORDS[said.word]), icon=ICONS.get(said.word, KINDS[said.kind][1]),
            color=COLORS.get(said.kind, ""), day=day, time=time, who=said.who, title=said.title, text=said.text,
            quoted=said.quoted, changes=said.changes, url=said.url, is_internal=said.kind == "note",
        )  # fmt: skip

    # Correspondence

    def _message(self, message: Any) -> Said:
        is_mailing = message.ticket.mailing_id is not None and message.client_user_id is None
        letter = message.letter
        files = [_("File: %(name)s", name=one.file_name) for one in message.attachments]
        files += [_("File that could not be kept: %(name)s", name=name) for name in (letter.left_out if letter else [])]
        kind = "mailing" if is_mailing else "message"
        return Said(
            kind, kind, _author(message), message.ticket.subject, "\n".join([message.text, *files]),
            url=_page("tickets", message.ticket_id), quoted=letter.quoted if letter else "",
        )  # fmt: skip

    def _internal(self, message: Any) -> Said:
        said = self._message(message)
        return Said("note", "note", said.who, said.title, said.text, url=said.url)

    def _note(self, note: Any) -> Said:
        return Said("note", "note", _name(note.author), _("Pinned") if note.is_pinned else "", note.text,
                    url=_page("clients", note.client_id))  # fmt: skip

    def _letter(self, letter: Any) -> Said:
        subject = letter.ticket.subject if letter.ticket else ""
        if letter.mailing is not None and not letter.template:
            subject = subject or letter.mailing.subject.get(letter.language) or str(letter.mailing)
        title = subject or str(LETTERS.get(letter.template, letter.template.replace("_", " ").capitalize()))
        facts = [
            _("To: %(address)s", address=letter.recipient),
            f"{_('State')}: {letter.status.label}",
            _("Sent: %(time)s", time=cells.show(letter.sent_at)) if letter.sent_at else "",
        ]
        answer = ""
        if letter.last_error and not self._for_client:
            answer = _("Last answer of the server: %(answer)s", answer=letter.last_error)
        return Said("letter", "letter", "", title, _lines(facts, answer), url=_page("emails", letter.id))

    # Money

    def _ledger(self, entry: Any) -> Said:
        amount = cells.in_currency(entry.amount, entry.account.currency)
        sign = "+" if entry.amount > 0 else ""
        lines = [_("Account: %(name)s", name=str(entry.account)), self._origin(entry)]
        return Said("money", "ledger", "", f"{entry.kind.label}: {sign}{amount}", _lines(lines, entry.note),
                    url=_page("accounts", entry.account_id))  # fmt: skip

    def _origin(self, entry: Any) -> str:
        """The record that a movement came from."""
        if entry.source_id is None:
            return ""
        if entry.source_type == "payment":
            number = self._payments.get(entry.source_id, f"#{entry.source_id}")
            return _("From the payment %(number)s", number=number)
        module = {"expense": "expenses", "account": "accounts", "invoice": "invoices"}.get(entry.source_type, "")
        return f"{audit_words.module_name(module) if module else entry.source_type} #{entry.source_id}"

    def _payment(self, payment: Any) -> Said:
        lines = [
            f"{_('State')}: {payment.status.label}",
            f"{_('Method')}: {payment.method}" if payment.method else "",
            _("Paid: %(time)s", time=cells.show(payment.paid_at)) if payment.paid_at else "",
            _("For the invoice %(number)s", number=payment.invoice.number) if payment.invoice else "",
        ]
        note = "" if self._for_client else payment.note
        return self._document("payment", payment, lines, "payments", note)

    def _invoice(self, invoice: Any) -> Said:
        lines = [
            f"{_('State')}: {invoice.status.label}",
            _("Due: %(day)s", day=cells.show(invoice.due_on)),
            f"{_('Payer')}: {invoice.payer}" if invoice.payer else "",
        ]
        return self._document("invoice", invoice, lines, "invoices")

    def _act(self, act: Any) -> Said:
        lines = [
            f"{_('State')}: {act.status.label}",
            _period(act),
            f"{_('Payer')}: {act.payer}" if act.payer else "",
        ]
        return self._document("act", act, lines, "acts")

    def _document(self, word: str, record: Any, lines: Sequence[str], module: str, note: str = "") -> Said:
        amount = cells.in_currency(record.amount, record.account.currency)
        return Said("money", word, "", f"{record.number}: {amount}", _lines(lines, note), url=_page(module, record.id))

    def _expense(self, expense: Any) -> Said:
        amount = cells.in_currency(expense.amount, expense.account.currency)
        named = expense.service.name if expense.service else f"#{expense.id}"
        return Said("money", "expense", "", f"{named}: {amount}", _period(expense), url=_page("expenses", expense.id))

    # Violations, stays, and what the audit tells

    def _violation(self, violation: Any) -> Said:
        lines = [
            f"{_('State')}: {violation.status.label}",
            _("Deadline: %(time)s", time=cells.show(violation.deadline)),
            _("If there is no reaction: %(action)s", action=violation.action.label),
            _points(violation.points) if violation.points else "",
            _("Executed: %(time)s", time=cells.show(violation.executed_at)) if violation.executed_at else "",
        ]
        comment = "" if self._for_client else violation.comment
        return Said("violation", "violation", "", violation.ticket.subject, _lines(lines, comment),
                    url=_page("violations", violation.id))  # fmt: skip

    def _points(self, points: Any) -> Said:
        fade = _("They fade: %(time)s", time=cells.show(points.expires_at))
        who = "" if self._for_client else self._staff.get(points.author_id, "")
        url = _page("violations", points.violation_id) if points.violation_id else ""
        text = _lines([fade], "" if self._for_client else points.comment)
        return Said("violation", "points", who, _points(points.points), text, url=url)

    def _stay(self, stay: Any) -> Said:
        reason = _("Reason: %(text)s", text=stay.reason) if stay.reason else _("No reason was given.")
        lines = [
            _("In the panel of the user %(name)s", name=stay.client_user.shown_name),
            _("Changes were allowed.") if stay.allows_changes else _("Only looked."),
            _ended(stay),
        ]
        return Said("login_as", "login_as", stay.staff.shown_name, "", _lines(lines, reason))

    def _audit(self, event: AuditEvent) -> Said | None:
        names = [name for name in dict.fromkeys([*event.before, *event.after]) if self._is_shown(event, name)]
        changes = [self._words.change(event, name) for name in names if name != "id"]
        if self._for_client and not changes and event.action not in SAID_ANYWAY:
            return None
        kind = kind_of_event(event.module, event.action)
        return Said(
            kind, kind, self._actor(event), self._about(event, kind), _address(event), changes, _of_event(event)
        )

    def _about(self, event: AuditEvent, kind: str) -> str:
        """What was done to what."""
        if kind == "service" and (change := _standing(event)):
            return f"{self._words.named(event)}: {change}"
        action = audit_words.action_name(event.action)
        if kind in {"login", "login_as"}:
            return action
        return f"{self._words.named(event) or audit_words.module_name(event.module)}: {action}"

    def _is_shown(self, event: AuditEvent, name: str) -> bool:
        if not self._for_client:
            return True
        if name == "custom" and not self._shown_fields >= {*event.before.get(name, {}), *event.after.get(name, {})}:
            return False
        return name in OF_THE_CLIENT.get(event.module, frozenset())

    def _actor(self, event: AuditEvent) -> str:
        """Who did it; which of the provider's staff changed a record is the provider's own."""
        if self._for_client and event.client_user_id is None and event.action != "login_failed":
            return _("The provider")
        return cells.actor(event.actor)


def _of_event(event: AuditEvent) -> str:
    if current_user.may("audit.view"):
        return f"/admin/audit/details/?id={event.id}"
    return _page(event.module, event.record_id) if event.record_id else ""


def _address(event: AuditEvent) -> str:
    """From where somebody came; of staff that is not told."""
    return _("From the address %(ip)s", ip=event.ip) if event.ip and event.staff_id is None else ""


def _standing(event: AuditEvent) -> str:
    """What became of a service, in one word, if its state is what was changed."""
    before, after = event.before.get("status"), event.after.get("status")
    if after == "suspended" and before != "suspended":
        reason = event.after.get("suspension_reason")
        said = _("suspended")
        return f"{said} ({SuspensionReason(reason).label})" if reason in set(SuspensionReason) else said
    if before == "suspended" and after == "active":
        return _("resumed")
    return _("ended") if after == "deleted" and before != "deleted" else ""


def _ended(stay: Any) -> str:
    if stay.ended_at is None:
        return ""
    why = str(audit_words.END_REASONS.get(stay.end_reason, stay.end_reason))
    return _("Ended: %(time)s", time=cells.show(stay.ended_at)) + (f" ({why})" if why else "")


def _when(row: Row) -> tuple[str, str]:
    """The day and the time of an entry in the reader's zone; some have a day alone."""
    if row.is_by_day:
        return format_date(row.at.astimezone(UTC).date(), "dd.MM.yyyy"), ""
    local: datetime = to_user_timezone(row.at)
    return format_date(local.date(), "dd.MM.yyyy"), format_time(local, "HH:mm", rebase=False)


def _author(message: Any) -> str:
    if message.staff and message.client_user:
        return _("%(staff)s (staff) for %(user)s", staff=message.staff.shown_name,
                 user=message.client_user.shown_name)  # fmt: skip
    if message.staff:
        return _("%(name)s (staff)", name=message.staff.shown_name)
    name = message.client_user.shown_name if message.client_user else ""
    if message.letter:
        return f"{name}, {_('by e-mail from %(address)s', address=message.letter.sender)}"
    return str(name)


def _name(person: Any) -> str:
    return _("%(name)s (staff)", name=person.shown_name) if person is not None else ""


def _points(count: int) -> str:
    return ngettext("%(num)s penalty point", "%(num)s penalty points", count)


def _period(record: Any) -> str:
    if record.period_from is None or record.period_to is None:
        return ""
    return f"{_('Period')}: {cells.show(record.period_from)} – {cells.show(record.period_to)}"


def _lines(facts: Sequence[str], free: str = "") -> str:
    """Short facts in one line, and what somebody wrote below them."""
    said = " · ".join(str(fact) for fact in facts if fact)
    return "\n".join(part for part in (said, free) if part)


def _page(module: str, number: int) -> str:
    return f"/admin/{module}/details/?id={number}" if current_user.may(f"{module}.view") else ""


def _numbers_of_payments(rows: Sequence[Row]) -> dict[int, str]:
    wanted = {row.record.source_id for row in rows if row.source == "ledger" and row.record.source_type == "payment"}
    if not wanted:
        return {}
    found = db.session.execute(sa.select(Payment.id, Payment.number).where(Payment.id.in_(wanted)))
    return {number: text for number, text in found}  # noqa: C416


def _fields_shown_to_clients() -> frozenset[str]:
    return frozenset(db.session.scalars(sa.select(CustomField.code).where(CustomField.show_to_client)))


def kinds_in_words(kinds: Mapping[str, Any] = KINDS) -> dict[str, str]:
    """What each kind is called in the reader's language."""
    return {code: str(label) for code, (label, _icon) in kinds.items()}


def language() -> str:
    return str(get_locale() or "en")

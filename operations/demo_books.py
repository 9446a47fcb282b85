"""The books of demo data: invoices, payments, charges, acts, and the ledger that they are all in."""

from __future__ import annotations

import enum
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby
from typing import Any

import sqlalchemy as sa

from extensions import db
from models import Account, Act, ActStatus, EntryKind, Invoice, InvoiceStatus, Payment, PaymentStatus
from operations.demo_catalogue import Shop
from operations.demo_clients import Subject
from operations.demo_rows import Rows

METHODS = ("Bank card", "Bank transfer", "Fast payments", "PayPal")
HUNDRED = 100


class Standing(enum.Enum):
    """How a client stands with its payments."""

    EVEN = enum.auto()
    AHEAD = enum.auto()
    ASKED = enum.auto()  # has an invoice for the next month
    ON_CREDIT = enum.auto()  # has not paid the last month, and has a credit limit
    UNPAID = enum.auto()  # has not paid, and its services are suspended for that


@dataclass(frozen=True)
class Charge:
    """What one service costs for one period; `until` is its last day."""

    service_id: int
    name: str
    account_id: int
    amount: int
    starts: date
    until: date


@dataclass
class Movement:
    """An entry of the ledger before it has its place in it."""

    at: datetime
    account_id: int
    amount: int
    kind: EntryKind
    source: tuple[str, int | None]
    note: str = ""


@dataclass
class Purse:
    """One client while its money is made."""

    subject: Subject
    standing: Standing
    movements: list[Movement] = field(default_factory=list)
    charges: list[Charge] = field(default_factory=list)

    def balance_of(self, account_id: int) -> int:
        return sum(movement.amount for movement in self.movements if movement.account_id == account_id)


class Books:
    """Writes down what follows from the charges of clients, and keeps every balance equal to its entries."""

    def __init__(self, rows: Rows, *, total: int, now: datetime) -> None:
        self._rows, self._now = rows, now
        self._rng = random.Random(0)  # Until a client brings its own.
        self._today = now.date()
        # Accounts with a client's home project have the client's id; all others come after those.
        self._last_account = total

    def _account(self, account_id: int, subject: Subject, shop: Shop) -> dict[str, Any]:
        return self._rows.add(
            "accounts",
            {
                "id": account_id,
                "client_id": subject.id,
                "project_id": shop.id,
                "currency": shop.brand.currency,
                "balance": 0,
                "credit_limit": 0,
            },
        )

    def keep(self, purse: Purse, rng: random.Random) -> None:
        """Make the documents and entries of a client whose charges are known; `rng` is its own chance."""
        self._rng = rng
        subject = purse.subject
        account = self._account(subject.id, subject, subject.shop)
        self._documents(purse)
        self._extras(purse)
        if subject.second:
            self._second_account(purse, subject.second)
        # Without what others will have brought it later.
        account["balance"] = subject.row["balance"] = purse.balance_of(subject.id)
        if account["balance"] < 0:
            account["credit_limit"] = -(account["balance"] // (1000 * HUNDRED)) * 1000 * HUNDRED
        self._post(purse.movements)

    def _documents(self, purse: Purse) -> None:
        purse.charges.sort(key=lambda charge: (charge.starts, charge.service_id))
        months = [
            list(charges) for _month, charges in groupby(purse.charges, lambda c: (c.starts.year, c.starts.month))
        ]
        for number, charges in enumerate(months, start=1):
            is_last = number == len(months)
            self._month(purse, charges, is_paid=not (is_last and purse.standing is Standing.ON_CREDIT))
        if months and purse.standing in {Standing.ASKED, Standing.UNPAID}:
            self._next_invoice(purse, months[-1])

    def _month(self, purse: Purse, charges: Sequence[Charge], *, is_paid: bool) -> None:
        """The invoice, payment, charges and act of a month."""
        due = charges[0].starts
        issued = max(due - timedelta(days=self._rng.randint(3, 10)), purse.subject.registered_at.date())
        status = InvoiceStatus.PAID if is_paid else InvoiceStatus.OVERDUE
        if not is_paid and due == self._today:
            status = InvoiceStatus.NEW
        invoice_id = self._invoice(purse, charges, issued, max(due, issued), status)
        if is_paid:
            paid_at = self._at(issued + timedelta(days=self._rng.randint(0, 2)), self._rng.randint(6, 20))
            amount = sum(charge.amount for charge in charges)
            self._payment(purse, purse.subject.id, amount, paid_at, invoice_id=invoice_id)
        expenses = [self._expense(purse, charge) for charge in charges]
        if due.replace(day=1) < self._today.replace(day=1):
            self._act(purse, charges, expenses)

    def _next_invoice(self, purse: Purse, charges: Sequence[Charge]) -> None:
        """An invoice for what comes next: still to be paid, or not paid in time."""
        overdue = purse.standing is Standing.UNPAID
        days = self._rng.randint(1, 7)
        due = self._today + timedelta(days=-days if overdue else days)
        status = InvoiceStatus.OVERDUE if overdue else InvoiceStatus.NEW
        invoice_id = self._invoice(purse, charges, due - timedelta(days=9), due, status)
        if not overdue and self._rng.random() < 0.4:
            amount = sum(charge.amount for charge in charges)
            awaited = self._rng.choice((PaymentStatus.NEW, PaymentStatus.IN_PROGRESS))
            asked = self._at(due - timedelta(days=9), 12)
            self._payment(purse, purse.subject.id, amount, asked, invoice_id=invoice_id, status=awaited)

    def _invoice(self, purse: Purse, charges: Sequence[Charge], issued: date, due: date, status: InvoiceStatus) -> int:
        invoice_id = self._rows.new_id("invoices")
        self._rows.add(
            "invoices",
            {
                "id": invoice_id,
                "number": f"~{invoice_id}",
                "client_id": purse.subject.id,
                "payer_id": purse.subject.payer_id,
                "account_id": purse.subject.id,
                "amount": sum(charge.amount for charge in charges),
                "issued_on": issued,
                "due_on": due,
                "status": status,
            },
        )
        for charge in charges:
            line = {"invoice_id": invoice_id, "service_id": charge.service_id}
            self._rows.add("invoice_lines", {**line, "description": charge.name, "amount": charge.amount})
        return invoice_id

    def _payment(
        self,
        purse: Purse,
        account_id: int,
        amount: int,
        at: datetime,
        *,
        invoice_id: int | None = None,
        status: PaymentStatus = PaymentStatus.PAID,
    ) -> int:
        """A payment; one that came is in the ledger, one that was given back is there twice."""
        payment_id = self._rows.new_id("payments")
        came = status in {PaymentStatus.PAID, PaymentStatus.REFUNDED}
        self._rows.add(
            "payments",
            {
                "id": payment_id,
                "number": f"~{payment_id}",
                "client_id": purse.subject.id,
                "payer_id": purse.subject.payer_id,
                "account_id": account_id,
                "invoice_id": invoice_id,
                "amount": amount,
                "method": self._rng.choice(METHODS),
                "status": status,
                "created_at": at,
                "paid_at": at if came else None,
            },
        )
        source = ("payment", payment_id)
        if came:
            purse.movements.append(Movement(at, account_id, amount, EntryKind.PAYMENT, source))
        if status is PaymentStatus.REFUNDED:
            later = min(at + timedelta(days=1), self._now)
            purse.movements.append(Movement(later, account_id, -amount, EntryKind.REFUND, source))
        return payment_id

    def _expense(self, purse: Purse, charge: Charge) -> int:
        expense_id, at = self._rows.new_id("expenses"), self._at(charge.starts, 1)
        self._rows.add(
            "expenses",
            {
                "id": expense_id,
                "client_id": purse.subject.id,
                "account_id": charge.account_id,
                "service_id": charge.service_id,
                "amount": charge.amount,
                "period_from": charge.starts,
                "period_to": charge.until,
                "posted_at": at,
            },
        )
        source = ("expense", expense_id)
        purse.movements.append(Movement(at, charge.account_id, -charge.amount, EntryKind.EXPENSE, source, charge.name))
        return expense_id

    def _act(self, purse: Purse, charges: Sequence[Charge], expenses: Sequence[int]) -> None:
        """The certificate for a month that is over, issued on its last day."""
        act_id, first = self._rows.new_id("acts"), charges[0].starts.replace(day=1)
        last = shifted(first, 1) - timedelta(days=1)
        is_old = shifted(first, 2) <= self._today
        self._rows.add(
            "acts",
            {
                "id": act_id,
                "number": f"~{act_id}",
                "client_id": purse.subject.id,
                "payer_id": purse.subject.payer_id,
                "account_id": purse.subject.id,
                "amount": sum(charge.amount for charge in charges),
                "issued_on": last,
                "period_from": first,
                "period_to": last,
                "status": ActStatus.SIGNED if is_old and self._rng.random() < 0.9 else ActStatus.ISSUED,
            },
        )
        for charge, expense_id in zip(charges, expenses, strict=True):
            line = {"act_id": act_id, "expense_id": expense_id}
            self._rows.add("act_lines", {**line, "description": charge.name, "amount": charge.amount})

    # What else moves money

    def _extras(self, purse: Purse) -> None:
        """Money paid ahead, payments that were taken back or given up, small corrections, commissions."""
        account_id, usual = purse.subject.id, self._usual_amount(purse)
        if purse.standing is Standing.AHEAD:
            self._payment(purse, account_id, usual * self._rng.randint(1, 6), self._recently(purse))
        dice = self._rng.random()
        if dice < 0.03:
            status = PaymentStatus.REFUNDED if dice < 0.01 else PaymentStatus.CANCELLED
            self._payment(purse, account_id, usual, self._recently(purse), status=status)
        elif dice < 0.05:
            amount = max(usual // 10, 1)
            purse.movements.append(
                Movement(self._recently(purse), account_id, amount, EntryKind.ADJUSTMENT, ("", None), "Goodwill")
            )
        self._commission(purse)

    def _commission(self, purse: Purse) -> None:
        """Who brought the client gets a tenth of one of its payments."""
        referrer_id = purse.subject.referrer_id
        payment = next((m for m in reversed(purse.movements) if m.kind is EntryKind.PAYMENT), None)
        if referrer_id is None or payment is None or payment.amount < 10:
            return
        at = min(payment.at + timedelta(hours=1), self._now)
        purse.movements.append(Movement(at, referrer_id, payment.amount // 10, EntryKind.COMMISSION, payment.source))

    def _second_account(self, purse: Purse, second: Shop) -> None:
        """An account with another project, with money on it, some from home if the currency is the same."""
        home = purse.subject.shop
        self._last_account += 1
        account = self._account(self._last_account, purse.subject, second)
        price = second.products[0].prices[0][1]
        self._payment(purse, account["id"], price * 2, self._recently(purse))
        if second.brand.currency == home.brand.currency and purse.standing is Standing.AHEAD:
            at = self._now - timedelta(hours=self._rng.randint(1, 48))
            source, note = ("account", account["id"]), f"{home.brand.name} → {second.brand.name}"
            for target, amount in ((purse.subject.id, -price), (account["id"], price)):
                purse.movements.append(Movement(at, target, amount, EntryKind.TRANSFER, source, note))
        account["balance"] = purse.balance_of(account["id"])

    def _usual_amount(self, purse: Purse) -> int:
        if purse.charges:
            return max(charge.amount for charge in purse.charges)
        return purse.subject.shop.products[0].prices[0][1]

    def _recently(self, purse: Purse) -> datetime:
        days = min(45, (self._now - purse.subject.registered_at).days)
        return (self._now - timedelta(days=days) * self._rng.random()).replace(microsecond=0)

    def _post(self, movements: list[Movement]) -> None:
        movements.sort(key=lambda movement: (movement.at, -movement.amount))
        for movement in movements:
            source_type, source_id = movement.source
            self._rows.add(
                "ledger_entries",
                {
                    "id": self._rows.new_id("ledger_entries"),
                    "account_id": movement.account_id,
                    "amount": movement.amount,
                    "kind": movement.kind,
                    "posted_at": movement.at,
                    "source_type": source_type,
                    "source_id": source_id,
                    "note": movement.note,
                },
            )

    def _at(self, day: date, hour: int) -> datetime:
        """`hour` o'clock and some minutes of `day`, not after now."""
        at = datetime.combine(day, time(hour, self._rng.randint(0, 59)), UTC)
        return min(at, self._now.replace(microsecond=0))


def number_documents() -> None:
    """Number invoices, payments and acts per project and year, in the order of their dates, without gaps."""
    _number(Invoice, Invoice.issued_on)
    _number(Payment, Payment.created_at)
    _number(Act, Act.issued_on)


def _number(kind: Any, dated: Any) -> None:
    year = sa.cast(sa.extract("year", dated), sa.Integer)
    place = sa.func.row_number().over(partition_by=(Account.project_id, year), order_by=(dated, kind.id))
    ranked = (
        sa.select(kind.id.label("id"), Account.project_id.label("project"), year.label("year"), place.label("place"))
        .join(Account, Account.id == kind.account_id)
        .where(kind.number.startswith("~"))
        .subquery()
    )
    # Six digits, so that numbers sort as texts; more where six are not enough.
    digits = sa.case(
        (ranked.c.place < 1_000_000, sa.func.substr(sa.cast(1_000_000 + ranked.c.place, sa.String), 2)),
        else_=sa.cast(ranked.c.place, sa.String),
    )
    parts = [sa.cast(ranked.c.project, sa.String), sa.cast(ranked.c.year, sa.String), digits]
    number = parts[0] + "-" + parts[1] + "-" + parts[2]
    table = kind.__table__
    db.session.execute(sa.update(table).where(table.c.id == ranked.c.id).values(number=number))


def shifted(day: date, months: int) -> date:
    """`day` some months later (earlier when negative); it must not be after the 28th."""
    month = day.year * 12 + day.month - 1 + months
    return date(month // 12, month % 12 + 1, day.day)

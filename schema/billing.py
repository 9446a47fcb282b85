"""The catalogue, services and money."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy import CheckConstraint, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from extensions import Model, Money
from schema.columns import Versioned, enum_column, flag, long_text, moment, money, primary_key, reference, text_column
from schema.enums import ActStatus, EntryKind, InvoiceStatus, PaymentStatus, Period, ServiceStatus, SuspensionReason

if TYPE_CHECKING:
    from schema.clients import Client, ClientGroup, Payer, Project


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

    __table_args__ = (
        Index(None, "account_id", "id"),
        Index(None, "account_id", "posted_at", "id"),
        CheckConstraint("amount <> 0", name="amount"),
    )


class Service(Versioned, Model):
    """A product that a client has."""

    __tablename__ = "services"
    __audit__ = "services"
    id: Mapped[int] = primary_key()
    client_id: Mapped[int] = reference("clients", index=False)
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
        Index(None, "client_id", "status", "expires_at"),
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
        Index(None, "client_id", "issued_on", "id"),
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
    account_id: Mapped[int] = reference("accounts", index=False)
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

    __table_args__ = (
        CheckConstraint("amount > 0", name="amount"),
        Index(None, "client_id", "id"),
        # What came in a month is added up from the index alone.
        Index(None, "account_id", "status", "paid_at", "amount"),
        Index(None, "client_id", "created_at", "id"),
    )

    def __str__(self) -> str:
        return self.number


class Expense(Model):
    __tablename__ = "expenses"
    __audit__ = "expenses"
    id: Mapped[int] = primary_key()
    client_id: Mapped[int] = reference("clients", index=False)
    account_id: Mapped[int] = reference("accounts", index=False)
    service_id: Mapped[int | None] = reference("services", required=False)
    amount: Mapped[Decimal] = money(None)
    period_from: Mapped[date | None] = mapped_column(sa.Date)
    period_to: Mapped[date | None] = mapped_column(sa.Date)
    posted_at: Mapped[datetime] = moment(default=True)

    client: Mapped[Client] = relationship()
    account: Mapped[Account] = relationship()
    service: Mapped[Service | None] = relationship()

    __table_args__ = (
        CheckConstraint("amount > 0", name="amount"),
        Index(None, "client_id", "id"),
        Index(None, "account_id", "posted_at", "amount"),
        Index(None, "client_id", "posted_at", "id"),
    )


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

    __table_args__ = (
        CheckConstraint("amount >= 0", name="amount"),
        Index(None, "client_id", "id"),
        Index(None, "client_id", "issued_on", "id"),
    )

    def __str__(self) -> str:
        return self.number


class ActLine(Model):
    __tablename__ = "act_lines"
    id: Mapped[int] = primary_key()
    act_id: Mapped[int] = reference("acts")
    expense_id: Mapped[int | None] = reference("expenses", required=False)
    description: Mapped[str] = text_column(300)
    amount: Mapped[Decimal] = money(None)

"""One record of each kind that a client can have, for tests of pages that show them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from extensions import db, now
from models import (
    Act,
    ActLine,
    Attachment,
    Expense,
    Invoice,
    InvoiceLine,
    LedgerEntry,
    Payer,
    Payment,
    Product,
    Project,
    Service,
    Ticket,
    TicketMessage,
)
from operations import attachments
from tests.support import people


@dataclass(frozen=True)
class Books:
    """The ids of the client's records, and its name, which is in each of them."""

    name: str
    account: int
    service: int
    payer: int
    invoice: int
    payment: int
    expense: int
    act: int
    ticket: int
    file: int
    internal_file: int

    def paths(self) -> dict[str, str]:
        """The page of each record."""
        return {
            "accounts": f"/panel/accounts/{self.account}/",
            "services": f"/panel/services/{self.service}/",
            "payers": f"/panel/payers/{self.payer}/",
            "invoices": f"/panel/invoices/{self.invoice}/",
            "payments": f"/panel/payments/{self.payment}/",
            "expenses": f"/panel/expenses/{self.expense}/",
            "acts": f"/panel/acts/{self.act}/",
            "tickets": f"/panel/tickets/{self.ticket}/",
        }


def of(client_id: int, name: str) -> Books:
    """Make them all; every one carries `name` where its kind has a text of its own."""
    account = people.account_of(client_id)
    project = db.session.get_one(Project, account.project_id)
    today, moment = now().date(), now()
    product = Product(project_id=project.id, name=f"Product of {name}", type="hosting")
    payer = Payer(client_id=client_id, name=f"Payer of {name}", country="RU", tax_id="7701", is_default=True)
    db.session.add_all([product, payer])
    db.session.flush()
    service = Service(
        client_id=client_id,
        product_id=product.id,
        account_id=account.id,
        name=f"Server of {name}",
        status="active",
        price=Decimal("10.50"),
        expires_at=moment + timedelta(days=3),
    )
    db.session.add(service)
    db.session.flush()
    invoice = Invoice(
        number=f"INV-{name}",
        client_id=client_id,
        payer_id=payer.id,
        account_id=account.id,
        amount=Decimal("10.50"),
        issued_on=today,
        due_on=today + timedelta(days=7),
    )
    expense = Expense(client_id=client_id, account_id=account.id, service_id=service.id, amount=Decimal("4.20"))
    act = Act(
        number=f"ACT-{name}",
        client_id=client_id,
        payer_id=payer.id,
        account_id=account.id,
        amount=Decimal("4.20"),
        issued_on=today,
        period_from=date(2026, 1, 1),
        period_to=date(2026, 1, 31),
    )
    db.session.add_all([invoice, expense, act])
    db.session.flush()
    payment = Payment(
        number=f"PAY-{name}",
        client_id=client_id,
        payer_id=payer.id,
        account_id=account.id,
        invoice_id=invoice.id,
        amount=Decimal("10.50"),
        method="card",
        note="SENTINEL-PAYMENT-NOTE",
    )
    ticket = Ticket(
        client_id=client_id,
        category_id=people.category().id,
        subject=f"Question of {name}",
        reference=f"ref-{name}",
        status="waiting_client",
    )
    entry = LedgerEntry(account_id=account.id, amount=Decimal("-4.20"), kind="expense", posted_at=moment)
    lines = [
        InvoiceLine(
            invoice_id=invoice.id,
            service_id=service.id,
            description=f"Line of {name}",
            amount=Decimal("10.50"),
        ),
        ActLine(act_id=act.id, expense_id=expense.id, description=f"Line of {name}", amount=Decimal("4.20")),
    ]
    db.session.add_all([payment, ticket, entry, *lines])
    db.session.flush()
    said = TicketMessage(ticket_id=ticket.id, text=f"Said to {name}")
    among_staff = TicketMessage(ticket_id=ticket.id, text="SENTINEL-INTERNAL", is_internal=True)
    db.session.add_all([said, among_staff])
    db.session.flush()
    files = [_file(said.id, f"Договор №1 {name}.pdf"), _file(among_staff.id, "secret.pdf")]
    db.session.add_all(files)
    db.session.commit()
    return Books(
        name,
        account.id,
        service.id,
        payer.id,
        invoice.id,
        payment.id,
        expense.id,
        act.id,
        ticket.id,
        files[0].id,
        files[1].id,
    )


def _file(message_id: int, name: str) -> Attachment:
    content = f"%PDF-1.7 {name}".encode()
    stored_name = f"{message_id}{abs(hash(name))}"
    (attachments.directory() / stored_name).write_bytes(content)
    return Attachment(
        message_id=message_id,
        file_name=name,
        content_type="application/pdf",
        size=len(content),
        digest="0" * 64,
        stored_name=stored_name,
    )

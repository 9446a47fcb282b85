"""Small builders of rows. They add and flush; the test commits. Whatever is not said is believable."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

import sqlalchemy as sa
from flask import Flask

from extensions import db, now
from models import (
    Account,
    Act,
    AffiliateProgram,
    Characterization,
    Client,
    ClientGroup,
    ClientUser,
    CustomField,
    Discount,
    Expense,
    InboundEmail,
    Invoice,
    LedgerEntry,
    Mailing,
    OutboundEmail,
    Payer,
    Payment,
    PenaltyPoint,
    Product,
    Project,
    ResponseTemplate,
    Role,
    Service,
    Staff,
    Ticket,
    TicketCategory,
    TicketMessage,
    Violation,
)
from tests.support.people import password_hash

_numbers = count(1)


@contextmanager
def scene(app: Flask) -> Iterator[None]:
    """An application context whose rows are committed at its end, so that requests see them."""
    with app.app_context():
        yield
        db.session.commit()


def _number() -> int:
    return next(_numbers)


def _add(row: Any) -> Any:
    db.session.add(row)
    db.session.flush()
    return row


def first(model: Any) -> Any:
    return db.session.scalars(sa.select(model).order_by(model.id).limit(1)).one()


def characterization(code: str = "ordinary") -> Characterization:
    return db.session.scalars(sa.select(Characterization).where(Characterization.code == code)).one()


def project(name: str = "", **more: Any) -> Project:
    values = {"currency": "EUR", "support_email": "desk@provider.example", **more}
    return _add(Project(name=name or f"Project {_number()}", **values))


def client(name: str = "", *, username: str | None = "", account: bool = True, **more: Any) -> Client:
    """A client with its owner user and its account, as the form makes it; `username=None` for none."""
    number = _number()
    home = more.pop("project", None) or first(Project)
    named = name or f"Client {number}"
    values = {
        "characterization": more.pop("characterization", None) or characterization(),
        "contact_person": f"Contact {number}",
        "email": f"client{number}@clients.example",
        "country": "DE",
        **more,
    }
    made = _add(Client(project=home, name=named, **values))
    if username is not None:
        user(made, username or f"client{number}", is_owner=True)
    if account:
        _add(Account(client=made, project=home, currency=home.currency))
    db.session.refresh(made)
    return made


def clients(names: Sequence[str], **more: Any) -> list[int]:
    """Many clients without users and accounts, in one statement; their ids, in the order of `names`."""
    shared = {
        "project_id": first(Project).id,
        "characterization_id": characterization().id,
        "country": "DE",
        "language": "en",
        "registered_at": now(),
        **more,
    }
    table = Client.__table__
    rows = [{"name": name, "email": f"{number}@many.example", **shared} for number, name in enumerate(names)]
    return list(db.session.scalars(sa.insert(table).returning(table.c.id, sort_by_parameter_order=True), rows))


def user(owner: Client, username: str = "", **more: Any) -> ClientUser:
    name = username or f"user{_number()}"
    values = {"full_name": f"User {name}", "email": f"{name}@users.example", **more}
    return _add(ClientUser(client=owner, username=name, password_hash=password_hash(), **values))


def account(owner: Client) -> Account:
    """The client's account with its home project."""
    statement = sa.select(Account).where(Account.client_id == owner.id, Account.project_id == owner.project_id)
    return db.session.scalars(statement).one()


def entry(owner: Client, amount: str, **more: Any) -> LedgerEntry:
    return _add(LedgerEntry(account=account(owner), amount=Decimal(amount), **{"kind": "payment", **more}))


def product(name: str = "", **more: Any) -> Product:
    home = more.pop("project", None) or first(Project)
    return _add(Product(name=name or f"Product {_number()}", type="hosting", project=home, **more))


def service(owner: Client, sold: Product | None = None, status: str = "active", **more: Any) -> Service:
    values: dict[str, Any] = {"name": f"service{_number()}.example", "price": Decimal("5.00"), **more}
    if status == "suspended":
        values.setdefault("suspension_reason", "unpaid")
    return _add(Service(client=owner, product=sold or product(), account=account(owner), status=status, **values))


def payer(owner: Client, name: str = "", **more: Any) -> Payer:
    return _add(Payer(client=owner, name=name or f"Payer {_number()}", **{"country": "DE", **more}))


def invoice(owner: Client, amount: str = "10.00", **more: Any) -> Invoice:
    values = {"number": f"INV-{_number()}", "issued_on": date(2026, 3, 1), "due_on": date(2026, 3, 15), **more}
    return _add(Invoice(client=owner, account=account(owner), amount=Decimal(amount), **values))


def payment(owner: Client, amount: str = "10.00", **more: Any) -> Payment:
    values = {"number": f"PAY-{_number()}", "method": "bank", **more}
    return _add(Payment(client=owner, account=account(owner), amount=Decimal(amount), **values))


def expense(owner: Client, amount: str = "5.00", **more: Any) -> Expense:
    return _add(Expense(client=owner, account=account(owner), amount=Decimal(amount), **more))


def act(owner: Client, amount: str = "5.00", **more: Any) -> Act:
    month = {"period_from": date(2026, 3, 1), "period_to": date(2026, 3, 31), "issued_on": date(2026, 4, 1)}
    values = {"number": f"ACT-{_number()}", **month, **more}
    return _add(Act(client=owner, account=account(owner), amount=Decimal(amount), **values))


def group(name: str = "", *members: Client) -> ClientGroup:
    made = _add(ClientGroup(name=name or f"Group {_number()}"))
    for member in members:
        member.groups.append(made)
    db.session.flush()
    return made


def program(name: str = "") -> AffiliateProgram:
    return _add(AffiliateProgram(name=name or f"Program {_number()}", percent=Decimal(10)))


def template(name: str = "", **more: Any) -> ResponseTemplate:
    values = {"subject": "Good day", "text": "Good day, %client_person%!", **more}
    return _add(ResponseTemplate(name=name or f"Template {_number()}", **values))


def custom_field(code: str = "", **more: Any) -> CustomField:
    code = code or f"field_{_number()}"
    return _add(CustomField(code=code, **{"label": code.title(), **more}))


def discount(owner: Client, **more: Any) -> Discount:
    return _add(Discount(client=owner, **{"percent": Decimal(10), "note": f"discount {_number()}", **more}))


def points(owner: Client, number: int = 1, *, expires_at: datetime | None = None) -> PenaltyPoint:
    until = expires_at or now() + timedelta(days=30)
    return _add(PenaltyPoint(client=owner, points=number, expires_at=until, comment="spam"))


def ticket(owner: Client, subject: str = "", *, text: str = "It does not work.", **more: Any) -> Ticket:
    number = _number()
    values = {"subject": subject or f"Ticket {number}", "reference": f"reference-{number}", **more}
    if "category" not in values:
        values["category"] = first(TicketCategory)
    made = _add(Ticket(client=owner, **values))
    _add(TicketMessage(ticket=made, text=text))
    return made


def violation(owner: Client, **more: Any) -> Violation:
    values = {"action": "to_active", "deadline": now() + timedelta(days=1), "comment": "spam", **more}
    return _add(Violation(client=owner, ticket=ticket(owner), **values))


def mailing(by: Staff, subject: str = "", **more: Any) -> Mailing:
    words = {"en": subject or f"Mailing {_number()}"}
    values = {"text": {"en": "Good day."}, "starts_at": now(), **more}
    return _add(Mailing(staff=by, category=first(TicketCategory), subject=words, **values))


def letter(owner: Client, **more: Any) -> OutboundEmail:
    values = {"recipient": owner.email, "message_id": f"<{_number()}@desk.example>", "template": "welcome", **more}
    return _add(OutboundEmail(client=owner, **values))


def letter_in(owner: Client | None = None, **more: Any) -> InboundEmail:
    """The row of a letter that came in and was not taken; the letter itself is not kept."""
    number = _number()
    values = {
        "digest": f"{number:064}", "size": 1000, "sender": f"stranger{number}@elsewhere.example", "subject": f"Letter no. {number}",
        "outcome": "refused", "reason": "stranger", "source": "imap", **more,
    }  # fmt: skip
    return _add(InboundEmail(client=owner, **values))


def role(name: str = "", *permissions: str) -> Role:
    return _add(Role(name=name or f"Role {_number()}", permissions=list(permissions)))


def staff(username: str = "", held: Role | None = None, **more: Any) -> Staff:
    number = _number()
    values = {"full_name": f"Staff {number}", "password_hash": password_hash(), **more}
    return _add(Staff(username=username or f"staff{number}", role=held or role(), **values))

"""The first page: what needs doing, then services, then money."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from flask import redirect
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import joinedload

from extensions import db, now
from models import Account, Invoice, InvoiceStatus, Service, ServiceStatus, Ticket
from panel import matters
from panel.blueprints import panel, public
from panel.frame import may, render, unread
from panel.records import own
from web.access import client_only
from web.access import public as open_to_all

SOON = timedelta(days=14)
SHOWN = 5


@public.get("/")
@open_to_all
def start() -> ResponseReturnValue:
    """The bare address leads to the panel, and so to the login."""
    return redirect("/panel/")


@panel.get("/")
@client_only()
def home() -> ResponseReturnValue:
    """Balances, services that end soon, unpaid invoices and new tickets; of each what the user may see."""
    return render(
        "panel/home/home.html",
        accounts=_accounts() if may("finance") else [],
        invoices=_unpaid_invoices() if may("finance") else [],
        services=_ending_services() if may("services") else [],
        tickets=_new_tickets() if may("support") else [],
        violations=matters.open_ones(SHOWN) if may("support") else [],
        stopping=matters.stopping(SHOWN) if may("support") else [],
        now=now(),
    )


def _accounts() -> list[Account]:
    return _rows(own(Account).options(joinedload(Account.project)).order_by(Account.id))


def _unpaid_invoices() -> list[Invoice]:
    unpaid = Invoice.status.in_([InvoiceStatus.NEW, InvoiceStatus.OVERDUE])
    statement = own(Invoice).where(unpaid).options(joinedload(Invoice.account))
    return _rows(statement.order_by(Invoice.due_on, Invoice.id).limit(SHOWN))


def _ending_services() -> list[Service]:
    alive = Service.status.in_([ServiceStatus.ACTIVE, ServiceStatus.SUSPENDED])
    statement = own(Service).where(alive, Service.expires_at <= now() + SOON).options(joinedload(Service.account))
    return _rows(statement.order_by(Service.expires_at, Service.id).limit(SHOWN))


def _new_tickets() -> list[Ticket]:
    return _rows(unread(sa.select(Ticket)).order_by(Ticket.id.desc()).limit(SHOWN))


def _rows(statement: sa.Select[Any]) -> list[Any]:
    return list(db.session.scalars(statement).unique())

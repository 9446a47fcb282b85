"""Invoices: what the client is asked to pay; reading only."""

from __future__ import annotations

from flask.typing import ResponseReturnValue
from sqlalchemy.orm import joinedload, selectinload

from models import Invoice
from panel.blueprints import panel
from panel.frame import render
from panel.records import one, page_of
from web.access import client_only

RELATED = (
    joinedload(Invoice.account),
    joinedload(Invoice.payer),
)


@panel.get("/invoices/")
@client_only("finance")
def invoices() -> ResponseReturnValue:
    """The list, newest first."""
    return render("panel/invoices/list.html", page=page_of(Invoice, *RELATED))


@panel.get("/invoices/<int:number>/")
@client_only("finance")
def invoice(number: int) -> ResponseReturnValue:
    """One of them."""
    return render("panel/invoices/details.html", invoice=one(Invoice, number, *RELATED, selectinload(Invoice.lines)))

"""Payments: money that came, or is awaited; reading only."""

from __future__ import annotations

from flask.typing import ResponseReturnValue
from sqlalchemy.orm import joinedload

from models import Payment
from panel.blueprints import panel
from panel.frame import render
from panel.records import one, page_of
from web.access import client_only

RELATED = (
    joinedload(Payment.account),
    joinedload(Payment.payer),
    joinedload(Payment.invoice),
)


@panel.get("/payments/")
@client_only("finance")
def payments() -> ResponseReturnValue:
    """The list, newest first."""
    return render("panel/payments/list.html", page=page_of(Payment, *RELATED))


@panel.get("/payments/<int:number>/")
@client_only("finance")
def payment(number: int) -> ResponseReturnValue:
    """One of them."""
    return render("panel/payments/details.html", payment=one(Payment, number, *RELATED))

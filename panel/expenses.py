"""Expenses: what the client was charged; reading only."""

from __future__ import annotations

from flask.typing import ResponseReturnValue
from sqlalchemy.orm import joinedload

from models import Expense
from panel.blueprints import panel
from panel.frame import render
from panel.records import one, page_of
from web.access import client_only

RELATED = (
    joinedload(Expense.account),
    joinedload(Expense.service),
)


@panel.get("/expenses/")
@client_only("finance")
def expenses() -> ResponseReturnValue:
    """The list, newest first."""
    return render("panel/expenses/list.html", page=page_of(Expense, *RELATED))


@panel.get("/expenses/<int:number>/")
@client_only("finance")
def expense(number: int) -> ResponseReturnValue:
    """One of them."""
    return render("panel/expenses/details.html", expense=one(Expense, number, *RELATED))

"""Accounts: the client's money with each project, and its movements; reading only."""

from __future__ import annotations

import sqlalchemy as sa
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import joinedload

from models import Account, LedgerEntry
from panel.blueprints import panel
from panel.frame import render
from panel.records import one, page_from, page_of
from web.access import client_only


@panel.get("/accounts/")
@client_only("finance")
def accounts() -> ResponseReturnValue:
    """Every account with its balance."""
    return render("panel/accounts/list.html", page=page_of(Account, joinedload(Account.project)))


@panel.get("/accounts/<int:number>/")
@client_only("finance")
def account(number: int) -> ResponseReturnValue:
    """One account and its movements, newest first."""
    found = one(Account, number, joinedload(Account.project))
    entries = page_from(sa.select(LedgerEntry).where(LedgerEntry.account_id == found.id), LedgerEntry.id)
    return render("panel/accounts/details.html", record=found, page=entries)

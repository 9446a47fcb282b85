"""Payers: in whose name the client pays; reading only."""

from __future__ import annotations

from flask.typing import ResponseReturnValue

from models import Payer
from panel.blueprints import panel
from panel.frame import render
from panel.records import one, page_of
from web.access import client_only


@panel.get("/payers/")
@client_only("finance")
def payers() -> ResponseReturnValue:
    """The list, newest first."""
    return render("panel/payers/list.html", page=page_of(Payer))


@panel.get("/payers/<int:number>/")
@client_only("finance")
def payer(number: int) -> ResponseReturnValue:
    """One of them."""
    return render("panel/payers/details.html", payer=one(Payer, number))

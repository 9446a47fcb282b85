"""The client's services: what there is, until when, for how much; reading only."""

from __future__ import annotations

from flask.typing import ResponseReturnValue
from sqlalchemy.orm import joinedload

from models import Service
from panel.blueprints import panel
from panel.frame import render
from panel.records import one, page_of
from web.access import client_only

RELATED = (
    joinedload(Service.product),
    joinedload(Service.account),
)


@panel.get("/services/")
@client_only("services")
def services() -> ResponseReturnValue:
    """The list, newest first."""
    return render("panel/services/list.html", page=page_of(Service, *RELATED))


@panel.get("/services/<int:number>/")
@client_only("services")
def service(number: int) -> ResponseReturnValue:
    """One of them."""
    return render("panel/services/details.html", service=one(Service, number, *RELATED))

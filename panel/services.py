"""The client's services: what there is, until when, for how much; reading only."""

from __future__ import annotations

from flask.typing import ResponseReturnValue
from sqlalchemy.orm import joinedload

from models import Service
from panel import matters
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
    page = page_of(Service, *RELATED)
    why = {row.id: found for row in page.rows if (found := matters.why_stopped(row))}
    return render("panel/services/list.html", page=page, why=why, points=matters.my_points())


@panel.get("/services/<int:number>/")
@client_only("services")
def service(number: int) -> ResponseReturnValue:
    """One of them."""
    found = one(Service, number, *RELATED)
    return render("panel/services/details.html", service=found, why=matters.why_stopped(found))

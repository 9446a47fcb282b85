"""Acts, certificates of work done; reading only."""

from __future__ import annotations

from flask.typing import ResponseReturnValue
from sqlalchemy.orm import joinedload, selectinload

from models import Act
from panel.blueprints import panel
from panel.frame import render
from panel.records import one, page_of
from web.access import client_only

RELATED = (
    joinedload(Act.account),
    joinedload(Act.payer),
)


@panel.get("/acts/")
@client_only("finance")
def acts() -> ResponseReturnValue:
    """The list, newest first."""
    return render("panel/acts/list.html", page=page_of(Act, *RELATED))


@panel.get("/acts/<int:number>/")
@client_only("finance")
def act(number: int) -> ResponseReturnValue:
    """One of them."""
    return render("panel/acts/details.html", act=one(Act, number, *RELATED, selectinload(Act.lines)))

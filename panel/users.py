"""The client's users, for the owner; reading only."""

from __future__ import annotations

from flask.typing import ResponseReturnValue

from models import ClientUser
from panel.blueprints import panel
from panel.frame import render
from panel.records import one, page_of
from web.access import client_only


@panel.get("/users/")
@client_only("users")
def users() -> ResponseReturnValue:
    """The list, newest first."""
    return render("panel/users/list.html", page=page_of(ClientUser))


@panel.get("/users/<int:number>/")
@client_only("users")
def user(number: int) -> ResponseReturnValue:
    """One of them."""
    return render("panel/users/details.html", user=one(ClientUser, number))

"""The language of the interface: of the person who is logged in, or of a visitor's session."""

from __future__ import annotations

from flask import abort, redirect, request, session
from flask.typing import ResponseReturnValue

from extensions import db
from models import Language
from operations import profiles
from panel.blueprints import panel, public
from panel.records import me
from web.access import client_only
from web.access import public as open_to_all


@panel.post("/language")
@client_only(impersonation="allow")
def language() -> ResponseReturnValue:
    """Keep the user's choice and show the page again."""
    profiles.set_language(me(), _chosen())
    db.session.commit()
    return redirect(_back("/panel/"))


@public.post("/language")
@open_to_all
def visitors_language() -> ResponseReturnValue:
    """Keep a visitor's choice for as long as his session lives."""
    session["language"] = _chosen().value
    return redirect(_back("/login"))


def _chosen() -> Language:
    code = request.form.get("language", "")
    return Language(code) if code in set(Language) else abort(400)


def _back(otherwise: str) -> str:
    """Where the form was, an address of this site; others were refused before."""
    return request.form.get("url") or otherwise

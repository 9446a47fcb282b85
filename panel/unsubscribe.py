"""Unsubscribing from news, by the link in a letter: no login, no cookie, one press.

Mail programs press for their users (RFC 8058): they post, without a form of ours. Looking at the address
changes nothing, as programs that check letters open every link in them.
"""

from __future__ import annotations

from flask import Blueprint, abort, g, render_template
from flask.typing import ResponseReturnValue
from flask_babel import force_locale

from extensions import csrf, db, now
from operations import unsubscribing
from web.access import public

blueprint = Blueprint("unsubscribe", __name__, url_prefix="/unsubscribe")


@blueprint.get("/<token>")
@public
def ask(token: str) -> ResponseReturnValue:
    """Ask whether to unsubscribe."""
    return _page(token)


@blueprint.post("/<token>")
@csrf.exempt
@public
def unsubscribe(token: str) -> ResponseReturnValue:
    """Unsubscribe; once more changes nothing. The token in the address is all that is needed."""
    client = unsubscribing.client_of(token) or abort(404)
    unsubscribing.unsubscribe(client, now=now())
    db.session.commit()
    return _page(token)


@blueprint.post("/<token>/undo")
@public
def subscribe(token: str) -> ResponseReturnValue:
    """Take it back."""
    client = unsubscribing.client_of(token) or abort(404)
    unsubscribing.subscribe(client, now=now())
    db.session.commit()
    return _page(token)


def _page(token: str) -> str:
    client = unsubscribing.client_of(token) or abort(404)
    # The address of this page is a key; it is told to nobody.
    g.referrer_policy = "no-referrer"
    # The reader came from a letter in this language.
    with force_locale(client.language.value):
        return render_template(
            "panel/unsubscribe.html",
            token=token,
            is_subscribed=unsubscribing.is_subscribed(client),
            project_name=client.project.name,
        )

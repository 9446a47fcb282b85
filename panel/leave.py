"""What a staff member in the client's place may always do: go back to the admin, or allow changes."""

from __future__ import annotations

from flask import flash, g, redirect, request, session
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from extensions import db, now
from operations import impersonation
from operations.errors import OperationRefused
from panel.blueprints import panel
from web import impersonating
from web.access import client_only


@panel.post("/return")
@client_only(impersonation="always")
def leave() -> ResponseReturnValue:
    """End the stay and go back to the page of the admin that it was begun from."""
    stay = g.get("impersonation")
    if stay is None:
        return redirect("/panel/")
    back = impersonation.admin_address(stay.return_url)
    impersonation.stop(stay, now=now())
    db.session.commit()
    session.end()  # type: ignore[attr-defined]
    return redirect(back)


@panel.post("/allow-changes")
@client_only(impersonation="always")
def allow_changes() -> ResponseReturnValue:
    """Let the staff member change what may be changed in a client's place; asks for the reason."""
    stay = g.get("impersonation")
    if stay is None:
        return redirect("/panel/")
    try:
        impersonation.allow_changes(stay, reason=request.form.get("reason", ""), now=now())
    except OperationRefused as refusal:
        db.session.rollback()
        return impersonating.page(400, refusal.message, _("Changes are not allowed yet"))
    db.session.commit()
    flash(_("You may change things now. All that you do is written down with your name."), "warning")
    return redirect("/panel/")

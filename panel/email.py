"""Changing one's own e-mail: asked for with the password, and confirmed from the new address."""

from __future__ import annotations

from flask import Response, flash, g, make_response, redirect, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from extensions import db, now
from forms.panel import ConfirmEmailForm, EmailForm
from models import ClientUser
from operations import email_changes, passwords
from operations.errors import OperationRefused
from panel.blueprints import panel, public
from panel.login import visitors_frame
from panel.records import me
from web.access import Policy, client_only
from web.access import public as open_to_all
from web.impersonating import refuse_if_not_allowed


@panel.route("/email", methods=["GET", "POST"])
@client_only()
def email() -> ResponseReturnValue:
    """Ask for a new address; the present one holds until the new one has confirmed."""
    user = me()
    form = EmailForm()
    if form.validate_on_submit() and _ask(user, form):
        db.session.commit()
        flash(
            _("A letter with a link is on its way to the new address. Until you follow it, nothing changes."),
            "info",
        )
        return redirect("/panel/profile/")
    return render_template("panel/email/change.html", form=form, user=user, brand_name=user.client.project.name)


@public.get("/confirm-email")
@open_to_all
def confirm_email() -> ResponseReturnValue:
    """Show what the link would change; only the button changes it."""
    token = request.args.get("token", "")
    found = email_changes.read(token, now())
    return _page("panel/email/dead.html", 410) if found is None else _confirm_page(token, found[1])


@public.post("/confirm-email")
@open_to_all
def change_email() -> ResponseReturnValue:
    """Change the address as the link says."""
    if current_user.is_authenticated and (refused := refuse_if_not_allowed(Policy("anyone"))) is not None:
        return refused
    form = ConfirmEmailForm()
    user = email_changes.confirm(form.token.data or "", now=now()) if form.validate() else None
    if user is None:
        db.session.rollback()
        return _page("panel/email/dead.html", 410)
    db.session.commit()
    flash(_("Your e-mail has been changed."), "success")
    return redirect("/panel/profile/")


def _ask(user: ClientUser, form: EmailForm) -> bool:
    """Queue the letter, or put what is wrong beside the field."""
    if not passwords.verify(user.password_hash, form.current_password.data or ""):
        form.refuse(OperationRefused(_("This is not your present password."), field="current_password"))
        return False
    try:
        email_changes.ask(user, email=form.email.data or "", now=now())
    except OperationRefused as refusal:
        db.session.rollback()
        form.refuse(refusal)
        return False
    return True


def _confirm_page(token: str, address: str) -> Response:
    return _page("panel/email/confirm.html", 200, form=ConfirmEmailForm(token=token), email=address)


def _page(template: str, status: int, **context: object) -> Response:
    # The address of the page holds the token, so no other page may learn where a click came from.
    g.referrer_policy = "strict-origin"
    return make_response(render_template(template, **visitors_frame(), **context), status)

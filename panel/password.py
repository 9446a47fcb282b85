"""Changing one's own password; a password that staff set must be changed before anything else."""

from __future__ import annotations

from flask import flash, redirect, render_template
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from extensions import db, now
from forms.panel import PasswordForm
from models import ClientUser
from operations import password_links, passwords
from operations.errors import OperationRefused
from panel.blueprints import panel
from panel.records import me
from web.access import client_only
from web.requests import log_in


@panel.route("/password", methods=["GET", "POST"])
@client_only()
def password() -> ResponseReturnValue:
    """Set a new password; all other sessions of the user end and this one goes on under a new token."""
    user = me()
    form = PasswordForm(forced=user.must_change_password)
    if form.validate_on_submit() and _change(user, form):
        db.session.commit()
        log_in(user)
        flash(_("The password has been changed. Sessions elsewhere have ended."), "success")
        return redirect("/panel/")
    return render_template("panel/password/change.html", form=form, brand_name=user.client.project.name)


def _change(user: ClientUser, form: PasswordForm) -> bool:
    """Change the password, or put what is wrong beside the field."""
    try:
        _refuse_wrong_old(user, form)
        password_links.change(user, form.password.data or "", now=now())
    except OperationRefused as refusal:
        db.session.rollback()
        form.refuse(refusal)
        return False
    return True


def _refuse_wrong_old(user: ClientUser, form: PasswordForm) -> None:
    """Refuse a wrong present password, and one for one use that is merely kept."""
    if "current_password" in form and not passwords.verify(user.password_hash, form.current_password.data or ""):
        raise OperationRefused(_("This is not your present password."), field="current_password")
    if passwords.verify(user.password_hash, form.password.data or ""):
        raise OperationRefused(_("Choose another password than the present one."), field="password")

"""A forgotten password: asking for a letter, and setting a new password by the link in it."""

from __future__ import annotations

from flask import Response, flash, g, make_response, redirect, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from extensions import db, now
from forms.panel import ResetForm, ResetRequestForm
from models import ClientUser
from operations import desk_hold, password_links
from operations.authentication import TooManyTries
from operations.errors import OperationRefused
from panel.blueprints import public
from panel.login import too_many, visitors_frame
from web.access import Policy
from web.access import public as open_to_all
from web.impersonating import refuse_if_not_allowed


@public.route("/reset-password", methods=["GET", "POST"])
@open_to_all
def reset_password() -> ResponseReturnValue:
    """Ask for a link; the answer is the same for those whom we know and those whom we do not."""
    if (refused := _refused_to_staff()) is not None:
        return refused
    form = ResetRequestForm()
    if not form.validate_on_submit():
        return _request_page(form)
    try:
        password_links.send(name=form.email.data or "", ip=g.ip, now=now())
    except TooManyTries as limit:
        return too_many(lambda errors: _request_page(form, errors["password"]), limit)
    db.session.commit()
    return redirect("/reset-password/sent")


@public.get("/reset-password/sent")
@open_to_all
def reset_requested() -> ResponseReturnValue:
    # Whether letters wait is the same for all, so that it tells nobody who is known here.
    waits = desk_hold.current() is not None
    return render_template("panel/reset_password/sent.html", waits=waits, **visitors_frame())


@public.get("/reset-password/set")
@open_to_all
def new_password() -> ResponseReturnValue:
    """The form for a new password, if the link is good. Looking at it does not use it up."""
    token = request.args.get("token", "")
    user = password_links.read(token, now())
    return _dead_link() if user is None else _set_page(ResetForm(token=token), user)


@public.post("/reset-password/set")
@open_to_all
def set_new_password() -> ResponseReturnValue:
    """Set the password by the link, end all sessions, and lead to the login."""
    if (refused := _refused_to_staff()) is not None:
        return refused
    form = ResetForm()
    token = form.token.data or ""
    user = password_links.read(token, now())
    if user is None:
        return _dead_link()
    if not form.validate():
        return _set_page(form, user)
    try:
        user = password_links.set_password(token, form.password.data or "", now=now())
    except OperationRefused as refusal:
        db.session.rollback()
        form.refuse(refusal)
        user = password_links.read(token, now())
        return _dead_link() if user is None else _set_page(form, user)
    db.session.commit()
    if user is None:
        return _dead_link()
    flash(_("The password has been set. Log in with it."), "success")
    return redirect("/login")


def _refused_to_staff() -> ResponseReturnValue | None:
    """A staff member in a client's place recovers no passwords."""
    return refuse_if_not_allowed(Policy("anyone")) if current_user.is_authenticated else None


def _request_page(form: ResetRequestForm, error: str | None = None) -> Response:
    if error:
        form.email.errors = [error]
    return make_response(render_template("panel/reset_password/request.html", form=form, **visitors_frame()))


def _set_page(form: ResetForm, user: ClientUser) -> Response:
    # The address holds the token, so no other page may learn where a click came from.
    g.referrer_policy = "strict-origin"
    html = render_template("panel/reset_password/set.html", form=form, username=user.username, **visitors_frame())
    return make_response(html)


def _dead_link() -> Response:
    g.referrer_policy = "strict-origin"
    return make_response(render_template("panel/reset_password/dead.html", **visitors_frame()), 410)

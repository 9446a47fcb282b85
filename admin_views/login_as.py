"""Login-as: from the client list or a client's page into the client's panel."""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa
from flask import abort, g, redirect, request, session
from flask.typing import ResponseReturnValue
from flask_admin import expose
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_login import current_user
from werkzeug.exceptions import TooManyRequests
from wtforms import PasswordField, TextAreaField
from wtforms.validators import InputRequired

from admin_views.base import needs
from extensions import db, now
from forms.base import Form
from forms.panel import RefusableForm
from models import Client, ClientUser, Impersonation, SessionKind, Staff
from operations import authentication, impersonation
from operations.errors import OperationRefused
from web import sessions
from web.requests import note_password, password_given_at

LARGEST_ID = 2**31 - 1
# The session outlives the stay a little, so that who stayed too long is told and led back.
WAY_OUT = timedelta(hours=1)


class LoginAsPages:
    """The address that starts a login-as; a part of the clients' view."""

    @expose("/login-as/", methods=("POST",))
    @needs("clients.login_as")
    def login_as(self) -> ResponseReturnValue:
        """Open the client's panel in a session of its own; the staff session stays as it is.

        A client user's own session in the same browser goes on in the table, but its cookie is replaced. What the
        settings demand and was not given is asked for: a reason, and the password where that was long ago.
        """
        if not impersonation.is_offered():
            abort(404)
        client = _client(_number("id"))
        user = _user(client) if request.form.get("user") else None
        staff = db.session.get_one(Staff, current_user.id)
        if impersonation.asks_for_password(confirmed_at=password_given_at(), now=now()):
            form = PasswordAgainForm(request.form)
            if not _confirmed(staff, form):
                return self._ask(
                    client, user, form, _("It has been a while since you logged in. Is it still you?")
                ), 401
        try:
            stay = impersonation.start(
                by=staff,
                staff_session_id=session.id,  # type: ignore[attr-defined]
                client=client,
                user=user,
                reason=request.form.get("reason", ""),
                return_url=request.form.get("url", ""),
                now=now(),
            )
        except OperationRefused as refusal:
            db.session.rollback()
            if refusal.field == "reason":
                return self._ask_why(client, user, refusal)
            _write_down(staff, client, user, refusal.message)
            abort(403, refusal.message)
        return _enter(stay)

    def _ask_why(self, client: Client, user: ClientUser | None, refusal: OperationRefused) -> ResponseReturnValue:
        """The page that asks for the reason; it says what is wrong with one that was given."""
        form = ReasonForm(request.form)
        if "reason" in request.form:
            form.reason.errors = [refusal.message]
        return self._ask(client, user, form, _("Why do you open this client's panel? The client will read it.")), 400

    def _ask(self, client: Client, user: ClientUser | None, form: Form, question: str) -> str:
        """A page with one more question before the panel opens; what was given already goes along."""
        back = impersonation.admin_address(request.form.get("url", ""))
        hidden = {"id": client.id, "url": back, **({"user": user.id} if user else {})}
        if "reason" in request.form and "reason" not in form:
            hidden["reason"] = request.form["reason"]
        return self.render(  # type: ignore[attr-defined, no-any-return]
            "admin/confirm.html",
            form=form,
            page_title=_("Log in as %(name)s", name=client.name),
            question=question,
            hidden=hidden,
            verb=_("Log in"),
            cancel_url=back,
            action_url="/admin/clients/login-as/",
        )


class ReasonForm(Form):
    """Why a staff member opens a client's panel."""

    reason = TextAreaField(_l("Reason"), render_kw={"maxlength": impersonation.REASON_MOST})


class PasswordAgainForm(RefusableForm):
    """The own password, from a staff member who logged in some time ago."""

    password = PasswordField(
        _l("Your password"),
        [InputRequired(_l("Enter the password, please."))],
        render_kw={"autocomplete": "current-password", "autofocus": True},
    )


def may_log_in_as_clients() -> bool:
    """Whether the person logged in is offered the way into clients' panels."""
    return bool(current_user.may("clients.login_as")) and impersonation.is_offered()


def _confirmed(staff: Staff, form: PasswordAgainForm) -> bool:
    """Whether the password came along and is right; a wrong one is counted as one at the login is."""
    if "password" not in request.form or not form.validate():
        return False
    try:
        authentication.confirm_staff(staff, password=form.password.data or "", ip=g.ip, now=now())
    except OperationRefused as refusal:
        db.session.commit()
        form.refuse(refusal)
        return False
    except authentication.TooManyTries as refusal:
        db.session.rollback()
        raise TooManyRequests(retry_after=refusal.retry_after) from None
    note_password()
    return True


def _enter(stay: Impersonation) -> ResponseReturnValue:
    """Begin the client session of the stay, commit both, and go to the panel."""
    until = stay.expires_at + WAY_OUT
    token = sessions.start(
        db.session.connection(),
        SessionKind.CLIENT,
        client_user_id=stay.client_user_id,
        impersonation_id=stay.id,
        expires_at=until,
        data={"_user_id": stay.client_user.get_id(), "_fresh": True},
    )
    db.session.commit()
    response = redirect("/panel/")
    sessions.set_cookie(response, SessionKind.CLIENT, token, until)
    return response


def _number(name: str) -> int:
    """The id posted as `name`; 404 for what is none."""
    text = request.form.get(name) or (request.form.get("rowid", "") if name == "id" else "")
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= 10 else 0
    return number if 0 < number <= LARGEST_ID else abort(404)


def _client(number: int) -> Client:
    """The client, if there is one and the filter by client, where it is on, means this one; else 404."""
    if g.get("client_scope") not in {None, number}:
        abort(404)
    client = db.session.get(Client, number)
    return client if client is not None and client.deleted_at is None else abort(404)


def _user(client: Client) -> ClientUser:
    """The user asked for, one of the client's; 404 for anybody else's."""
    number = _number("user")
    statement = sa.select(ClientUser).where(ClientUser.id == number, ClientUser.client_id == client.id)
    return db.session.scalar(statement) or abort(404)


def _write_down(staff: Staff, client: Client, user: ClientUser | None, why: str) -> None:
    impersonation.refuse(by=staff, client_id=client.id, user_id=user.id if user else None, why=why)
    db.session.commit()

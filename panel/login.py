"""Logging in and out of the panel."""

from __future__ import annotations

from flask import Response, g, make_response, redirect, render_template, request, session
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from config import LANGUAGES
from extensions import db, now
from models import SessionKind
from operations import authentication, impersonation
from operations.authentication import TooManyTries
from operations.errors import OperationRefused
from panel.blueprints import public
from web.access import Policy, client_only
from web.access import public as open_to_all
from web.impersonating import refuse_if_not_allowed
from web.requests import log_in
from web.sessions import delete_cookie


@public.get("/login")
@open_to_all
def login() -> ResponseReturnValue:
    """The form; who is logged in already goes on to the panel."""
    if current_user.is_authenticated:
        return redirect(_next_page())
    return login_page()


@public.post("/login")
@open_to_all
def check_login() -> ResponseReturnValue:
    """Log the client user in under a new session, or show the form again."""
    if current_user.is_authenticated and (refused := refuse_if_not_allowed(Policy("anyone"))) is not None:
        return refused
    username, password = request.form.get("username", ""), request.form.get("password", "")
    try:
        user = authentication.log_in_client(username=username, password=password, ip=g.ip, now=now())
    except OperationRefused as refusal:
        db.session.commit()
        return login_page({refusal.field or "password": refusal.message})
    except TooManyTries as limit:
        return too_many(login_page, limit)
    db.session.commit()
    log_in(user)
    return redirect(_next_page())


@public.post("/logout")
@client_only(impersonation="always")
def logout() -> ResponseReturnValue:
    """End the session. A staff member in the client's place wants to be out altogether: his own ends too."""
    response = make_response(redirect("/login"))
    stay = g.get("impersonation")
    if stay is not None:
        impersonation.stop(stay, now=now(), why="logged_out", with_staff_session=True)
        delete_cookie(response, SessionKind.STAFF)
    db.session.commit()
    session.end()  # type: ignore[attr-defined]
    return response


def login_page(errors: dict[str, str] | None = None) -> Response:
    html = render_template(
        "panel/login.html",
        errors=errors,
        values={"username": request.form.get("username", "")},
        reset_url="/reset-password",
        **visitors_frame(),
    )
    return make_response(html)


def visitors_frame() -> dict[str, object]:
    """What layout/plain.html reads for people who are not logged in."""
    return {"languages": list(LANGUAGES.items()), "language_url": "/language"}


def too_many(form_page: object, limit: TooManyTries) -> Response:
    """The form again, with the request to wait: 429, and for how many seconds."""
    minutes = -(-limit.retry_after // 60)
    response = form_page({"password": _("Too many tries. Try again in %(count)s minutes.", count=minutes)})  # type: ignore[operator]
    response.status_code = 429
    response.headers["Retry-After"] = str(limit.retry_after)
    return response


def _next_page() -> str:
    """The page of the panel that was asked for before the login."""
    url = request.form.get("next") or request.args.get("next") or ""
    return url if url.startswith("/panel/") else "/panel/"

"""A staff member in a client's panel: whether he may stay, what he may do, what is noted, the way back."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

import sqlalchemy as sa
from flask import Response, g, redirect, render_template, request, session
from flask.typing import ResponseReturnValue
from flask_babel import force_locale
from flask_babel import gettext as _
from flask_login import current_user
from sqlalchemy.exc import DBAPIError

from extensions import db, now
from models import Impersonation, Session, SessionKind
from operations import impersonation
from web.access import Policy
from web.sessions import SEEN_EVERY, STAFF_IDLE, kind_for, writing

SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
RETURN_URL = "/panel/return"
ALLOW_URL = "/panel/allow-changes"

log = logging.getLogger("clientdesk.web")


def resume(impersonation_id: int) -> Impersonation | None:
    """The stay that a client session is of, if it may go on; checked anew for every request.

    One that may not is ended here, in a transaction of its own, and the staff member is told on his next page
    of the admin. What he does in the panel keeps his own session from falling idle, never from ending.
    """
    stay = impersonation.find(impersonation_id)
    if stay is None:
        return None
    g.impersonation_return = stay.return_url
    if stay.ended_at is not None:
        return None
    why = impersonation.why_over(stay, now=now(), staff_idle=STAFF_IDLE)
    if why is None:
        _keep_staff_session(stay)
        return stay
    _end(impersonation_id, why)
    return None


def way_out() -> ResponseReturnValue:
    """Where a request goes whose stay is over: to the client list, or back to where its staff member was.

    The session stays behind as a sign to the way out, and opens nothing; returning removes it.
    """
    if request.path == RETURN_URL:
        session.end()  # type: ignore[attr-defined]
        return redirect(impersonation.admin_address(g.get("impersonation_return", "")))
    return redirect(impersonation.CLIENT_LIST)


def refuse_if_not_allowed(policy: Policy) -> ResponseReturnValue | None:
    """The page that says no, where a staff member in a client's place may not do this; else None."""
    stay = g.get("impersonation")
    if stay is None or request.method in SAFE_METHODS or policy.impersonation == "always":
        return None
    if policy.impersonation == "allow" and stay.allows_changes:
        return None
    impersonation.record_denial(stay, method=request.method, path=request.path)
    db.session.commit()
    if policy.impersonation == "allow":
        return page(403, _("You are only looking. To change something for the client, allow changes first."))
    return page(403, _("Only the client can do this. Nobody can do it in the client's place."))


def note_unsafe_request(response: Response) -> Response:
    """Write down an unsafe request of a stay, unless what it did stands in the audit already."""
    stay = g.get("impersonation")
    if stay is None or request.method in SAFE_METHODS or response.status_code >= 500:
        return response
    try:
        db.session.rollback()
        if not impersonation.is_recorded(stay, request_id=g.request_id):
            impersonation.record_request(stay, method=request.method, path=request.path, status=response.status_code)
            db.session.commit()
    except DBAPIError:
        log.exception("an unsafe request of a login-as was not recorded", extra={"request_id": g.request_id})
    return response


def banner() -> dict[str, Any] | None:
    """What every page of a stay shows after the greeting; None for the client himself."""
    stay = g.get("impersonation")
    if stay is None:
        return None
    left = max((stay.expires_at - now()).total_seconds(), 0)
    return {
        "staff_name": stay.staff.shown_name,
        "minutes_left": -int(-left // 60),
        "read_only": not stay.allows_changes,
        "return_url": RETURN_URL,
        "allow_url": ALLOW_URL,
    }


def page(code: int, text: str, title: str | None = None) -> Response:
    """A page that explains, with the banner of the stay and its way back."""
    if request.headers.get("X-Requested-With") == "fetch":
        return Response(text, status=code, mimetype="text/plain")
    stay = g.impersonation
    html = render_template(
        "panel/error.html",
        code=code,
        title=title or _("Not allowed"),
        text=text,
        request_id=g.get("request_id", ""),
        acting=banner(),
        greeting=greeting(stay.client_user),
        brand_name=stay.client_user.client.project.name,
    )
    return Response(html, status=code)


def error_page(code: int, *, title: str, text: str) -> Response | None:
    """An error page with the banner and the way back, for a staff member in a client's panel; else None."""
    if code == HTTPStatus.SERVICE_UNAVAILABLE or kind_for(request.path) is SessionKind.STAFF:
        return None
    try:
        # An address that is not there is refused before anybody asks who came.
        here = current_user.is_authenticated and g.get("impersonation") is not None
    except DBAPIError:
        return None
    return page(code, text, title) if here else None


def greeting(user: Any) -> str:
    return _("Hello, %(name)s!", name=user.full_name or user.client.contact_person or user.username)


def _end(impersonation_id: int, why: str) -> None:
    db.session.rollback()
    db.session.connection(execution_options={"reads_only": False})
    stay = impersonation.find(impersonation_id)
    if stay is not None and impersonation.force_end(stay, why=why, now=now()):
        _tell_staff(stay, why)
    db.session.commit()


def _tell_staff(stay: Impersonation, why: str) -> None:
    """Leave a message in the staff member's own session, if that still lives."""
    own = db.session.get(Session, stay.staff_session_id or 0)
    if own is None or own.kind is not SessionKind.STAFF or own.staff_id != stay.staff_id:
        return
    # The language is named, for asking for the person of this request would begin anew what is going on here.
    with force_locale(stay.staff.language.value):
        text = str(impersonation.FORCED_ENDS[why])
    own.data = {**own.data, "_flashes": [*own.data.get("_flashes", []), ["warning", text]]}
    db.session.flush()


def _keep_staff_session(stay: Impersonation) -> None:
    number, moment = stay.staff_session_id, now()
    seen_at = db.session.scalar(sa.select(Session.seen_at).where(Session.id == number))
    if seen_at is not None and seen_at + SEEN_EVERY <= moment:
        with writing() as connection:
            connection.execute(sa.update(Session).where(Session.id == number).values(seen_at=moment))

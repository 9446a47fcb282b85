"""Around every request: who asks, whether he may, in which language, and which headers the answer carries."""

from __future__ import annotations

import ipaddress
import re
import uuid
from datetime import datetime
from urllib.parse import urlencode

import sqlalchemy as sa
from flask import Flask, abort, current_app, g, has_request_context, redirect, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import refresh
from flask_login import current_user, login_user
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import joinedload
from werkzeug import Response
from werkzeug.middleware.proxy_fix import ProxyFix

from config import LANGUAGES
from extensions import babel, csrf, db, login_manager, now
from models import Client, ClientUser, SessionKind, Staff
from operations import audit
from web import impersonating
from web.access import Policy, policy_of
from web.sessions import DeskSession, DeskSessionInterface

SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
LOCAL_ADDRESS = re.compile(r"/(?![/\\])[^\\\x00-\x1f]*")
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; "
    "script-src 'self'; "
    "style-src 'self'; "
    "img-src 'self' data:; "
    "font-src 'self'; "
    "connect-src 'self'; "
    "frame-src 'self'; "
    "form-action 'self'; "
    "frame-ancestors 'none'; "
    "base-uri 'none'; "
    "object-src 'none'"
)


def register(app: Flask) -> None:
    """Put all of it around the application's requests."""
    settings = app.config["SETTINGS"]
    app.session_interface = DeskSessionInterface()
    if settings.trusted_proxies:
        count = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=count, x_proto=count, x_host=0, x_prefix=0)  # type: ignore[method-assign]
    babel.init_app(app, locale_selector=choose_locale, timezone_selector=choose_time_zone)
    login_manager.init_app(app)
    login_manager.session_protection = None
    login_manager.user_loader(load_principal)
    csrf.init_app(app)
    app.before_request(describe_request)
    app.before_request(guard_addresses)
    app.before_request(enforce_policy)
    app.after_request(set_headers)
    app.teardown_request(forget_actor)
    # The checks of forms' tokens come after the description of the request, so that a refusal has an id too.
    app.before_request_funcs[None].sort(key=lambda function: function is not describe_request)


def describe_request() -> None:
    """Note the request's id, address and browser where logs, audit and sessions find them."""
    g.request_id = uuid.uuid4().hex
    g.ip = _clean_address(request.remote_addr)
    g.user_agent = (request.user_agent.string or "").replace("\0", "")[:300]
    audit.set_actor(audit.Actor(name="anonymous", ip=g.ip, request_id=g.request_id))
    if fault := getattr(session, "fault", None):
        raise fault


def forget_actor(_error: BaseException | None) -> None:
    """What this thread does next is not done by who asked before."""
    audit.set_actor(audit.SYSTEM)


def _clean_address(value: str | None) -> str:
    try:
        return str(ipaddress.ip_address(value or ""))
    except ValueError:
        return ""


def guard_addresses() -> None:
    """Refuse targets of redirects that lead elsewhere, and text that no database takes."""
    for name in ("url", "next"):
        for value in (*request.args.getlist(name), *request.form.getlist(name)):
            if value and not is_local(value):
                abort(400, _("The address to return to is not one of ours."))
    if any("\0" in value for values in request.values.lists() for value in values[1]):
        abort(400, _("The request contains a character that cannot be kept."))


def is_local(address: str) -> bool:
    """Whether `address` is a path of this very site."""
    return LOCAL_ADDRESS.fullmatch(address) is not None


def load_principal(login_id: str) -> Staff | ClientUser | None:
    """The person of this session. A staff id is never looked for among client users, nor the other way round."""
    kind, _colon, number = login_id.partition(":")
    if not isinstance(session, DeskSession) and not number.isdigit():
        return None
    if kind != session.kind.value or not number.isdigit():  # type: ignore[attr-defined]
        return None
    return _load_staff(int(number)) if kind == "staff" else _load_client_user(int(number))


def _load_staff(number: int) -> Staff | None:
    staff = db.session.get(Staff, number)
    if staff is None or not staff.is_active:
        return None
    _note_viewer(staff)
    return staff


def _note_viewer(person: Staff | ClientUser) -> None:
    """Keep how the person reads, so that an error page needs no database for it."""
    g.viewer_language, g.viewer_zone = person.language.value, person.time_zone


def _load_client_user(number: int) -> ClientUser | None:
    row = session.row  # type: ignore[attr-defined]
    user = db.session.scalar(
        sa.select(ClientUser)
        .join(ClientUser.client)
        .options(joinedload(ClientUser.client).joinedload(Client.project))
        .where(ClientUser.id == number, ClientUser.is_active, Client.deleted_at.is_(None))
    )
    if row and row["impersonation_id"]:
        g.impersonation = impersonating.resume(row["impersonation_id"])
        if g.impersonation is None:
            return None
    if user is not None:
        _note_viewer(user)
    return user


def policy_for(app: Flask, endpoint: str) -> Policy | None:
    """What the endpoint demands, or None where nothing was said (then nobody may)."""
    if endpoint == "static":
        return Policy("anyone")
    view = app.view_functions[endpoint]
    marked = policy_of(view)
    if marked is not None:
        return marked
    name, _dot, method = endpoint.rpartition(".")
    for admin in app.extensions.get("admin", []):
        for admin_view in admin._views:  # noqa: SLF001  There is no other list of them.
            if admin_view.endpoint == name:
                return admin_view.policy_for(method)
    return None


def enforce_policy() -> ResponseReturnValue | None:
    """Let the request through, send it to the login, or refuse it."""
    if request.endpoint is None:
        return None
    policy = policy_for(current_app._get_current_object(), request.endpoint)  # type: ignore[attr-defined]
    if policy is None:
        abort(403)
    if policy.audience == "anyone":
        if request.method not in SAFE_METHODS and current_user.is_authenticated:
            # What those who are known change here is theirs as well: their language, say.
            _name_actor()
        return None
    if not current_user.is_authenticated:
        return _to_login(policy)
    if not isinstance(current_user._get_current_object(), Staff if policy.audience == "staff" else ClientUser):
        abort(403)
    _name_actor()
    if policy.audience == "staff":
        return _check_staff(policy)
    return _check_client(policy)


def _to_login(policy: Policy) -> ResponseReturnValue:
    if policy.audience == "client" and _impersonation_ended():
        return impersonating.way_out()
    if request.method != "GET" or request.headers.get("X-Requested-With") == "fetch":
        abort(401)
    login = url_for("admin.login") if policy.audience == "staff" else url_for("panel_public.login")
    return redirect(f"{login}?{_next_page()}" if _next_page() else login)


def _impersonation_ended() -> bool:
    row = getattr(session, "row", None)
    return bool(row and row["impersonation_id"])


def _next_page() -> str:
    return urlencode({"next": request.full_path.rstrip("?")}) if request.path not in {"/admin/", "/panel/"} else ""


def _name_actor() -> None:
    stay = g.get("impersonation")
    person = current_user._get_current_object()
    staff = person if isinstance(person, Staff) else (stay.staff if stay else None)
    user = person if isinstance(person, ClientUser) else None
    audit.set_actor(
        audit.actor_of(staff, user, ip=g.ip, request_id=g.request_id, impersonation_id=stay.id if stay else None)
    )


def _check_staff(policy: Policy) -> ResponseReturnValue | None:
    if current_user.must_change_password and request.endpoint not in {"admin.password", "admin.logout"}:
        return redirect(url_for("admin.password"))
    if policy.permission and not current_user.may(policy.permission):
        _note_denial(policy.permission)
        abort(403)
    return None


def _note_denial(permission: str) -> None:
    """Write down that something was to be changed without the right to it."""
    if request.method not in SAFE_METHODS:
        module, after = permission.partition(".")[0], {"permission": permission, "path": request.path}
        audit.record("denied", module=module, after=after)
        db.session.commit()


def _check_client(policy: Policy) -> ResponseReturnValue | None:
    user = current_user
    stay = g.get("impersonation")
    if user.must_change_password and not stay and request.endpoint not in {"panel.password", "panel.logout",
                                                                           "panel_public.logout"}:  # fmt: skip
        return redirect("/panel/password")
    if policy.area and not (user.is_owner or policy.area in user.permissions):
        abort(403)
    return impersonating.refuse_if_not_allowed(policy)


def choose_locale() -> str:
    """The person's language; a stranger's choice on the login page; else what his browser asks for."""
    if not has_request_context():
        # Jobs and commands speak English; letters name the language of who reads them.
        return "en"
    if _is_known():
        return str(g.viewer_language)
    chosen = session.get("language") if session is not None else None
    return chosen if chosen in LANGUAGES else request.accept_languages.best_match(LANGUAGES, "en")


def choose_time_zone() -> str:
    return str(g.viewer_zone) if _is_known() else "UTC"


def _is_known() -> bool:
    """Whether somebody is logged in; asking loads him, once."""
    if "viewer_language" not in g:
        try:
            bool(current_user and current_user.is_authenticated)
        except DBAPIError:
            return False
    return "viewer_language" in g


def log_in(person: Staff | ClientUser) -> None:
    """Make the session this person's, under a new token; its end is fixed now and does not move."""
    settings = current_app.config["SETTINGS"]
    session.renew()  # type: ignore[attr-defined]
    login_user(person)
    if isinstance(person, Staff):
        note_password()
        session.link(staff_id=person.id, expires_at=now() + settings.staff_session_lifetime)  # type: ignore[attr-defined]
    else:
        session.link(client_user_id=person.id, expires_at=now() + settings.client_session_lifetime)  # type: ignore[attr-defined]
    refresh()


def note_password() -> None:
    """Keep in the session that its person has just given the own password."""
    session["password_at"] = now().isoformat()


def password_given_at() -> datetime | None:
    """When the person of this session last gave the own password; where that is not kept, when it began."""
    kept = session.get("password_at")
    if kept:
        return datetime.fromisoformat(kept)
    began: datetime | None = session.row["created_at"] if session.row else None  # type: ignore[attr-defined]
    return began


def set_headers(response: Response) -> Response:
    """Security headers on every answer, errors and files included."""
    headers = response.headers
    headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Referrer-Policy"] = g.get("referrer_policy", "same-origin")
    headers["Permissions-Policy"] = "camera=(), geolocation=(), microphone=(), payment=()"
    headers["Cross-Origin-Opener-Policy"] = "same-origin"
    if current_app.config["SETTINGS"].is_https:
        headers["Strict-Transport-Security"] = "max-age=31536000"
    if not request.path.startswith("/static/"):
        headers.setdefault("Cache-Control", "no-store")
    if "request_id" in g:
        headers["X-Request-Id"] = g.request_id
    return response


def is_staff_path() -> bool:
    return getattr(session, "kind", None) is SessionKind.STAFF

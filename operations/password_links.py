"""Links by which a client user sets his own password: after forgetting it, or with the welcome letter.

A link is a signed token in an address. It is bound to the user, to his password hash and e-mail as they are,
and to the latest request for such a link; so it works once, and dies with a newer request, with a change of
the password and with a change of the e-mail. Nothing that could be used is kept in the database.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from flask import current_app
from itsdangerous import BadData, URLSafeSerializer

from extensions import db
from models import AuditEvent, Client, ClientUser, LoginFailure, SessionKind
from operations import audit, authentication, letters, staff
from operations.errors import OperationRefused

LIFETIMES = {"reset": timedelta(minutes=30), "welcome": timedelta(days=7)}
ACTIONS = {"reset": "password_reset_requested", "welcome": "password_link_made"}
PATH = "/reset-password/set"
REQUESTS_PER_NAME = 3


def grant(user: ClientUser, *, purpose: str, now: datetime) -> list[int]:
    """Allow `user` to set his password by a link; the links made for him before stop working.

    `purpose` is reset (good for 30 minutes) or welcome (7 days). What is returned goes into the letter's
    context; the link itself is made when the letter is, and never stands in the database.
    """
    audit.record(ACTIONS[purpose], module="users", record_id=user.id, client_id=user.client_id)
    return [user.id, _latest_request(user), int((now + LIFETIMES[purpose]).timestamp())]


def link_for(granted: list[int]) -> str:
    """The absolute address for what `grant` gave; it opens nothing if the user has gone."""
    user = db.session.get(ClientUser, granted[0])
    content = [granted[0], _fingerprint(user) if user else "", *granted[1:]]
    return f"{current_app.config['SETTINGS'].public_url}{PATH}?token={_serializer().dumps(content)}"


def make_link(user: ClientUser, *, purpose: str, now: datetime) -> str:
    """`grant` and `link_for` at once, for those who hand the address over themselves."""
    return link_for(grant(user, purpose=purpose, now=now))


def welcome(user: ClientUser, *, now: datetime) -> None:
    """Queue the letter that greets a new client's user, with a link to set his password."""
    granted = grant(user, purpose="welcome", now=now)
    _write(user, "welcome", now, {"granted": granted, "days": LIFETIMES["welcome"].days})


def read(token: str, now: datetime, *, lock: bool = False) -> ClientUser | None:
    """Whose password the token may set, None where it is none, too old, used, or overtaken. Changes nothing.

    With `lock` the user's row is held until the end of the transaction.
    """
    content = _content(token)
    if content is None or content[3] <= now.timestamp():
        return None
    statement = sa.select(ClientUser).join(ClientUser.client)
    statement = statement.where(ClientUser.id == content[0], ClientUser.is_active, Client.deleted_at.is_(None))
    if lock:
        statement = statement.with_for_update(of=ClientUser).execution_options(populate_existing=True)
    user = db.session.scalars(statement).first()
    if user is None or not hmac.compare_digest(content[1], _fingerprint(user)):
        return None
    return user if _latest_request(user) == content[2] else None


def send(*, name: str, ip: str, now: datetime) -> None:
    """Queue a letter with a link for the user of that e-mail or username, at the address kept for him.

    Says nothing of whether there is one. Asking again for the same name too often sends nothing more for ten
    minutes; asking too often from one address raises TooManyTries. The caller commits in any case.
    """
    wanted = name.strip().lower()
    authentication.refuse_too_many(SessionKind.CLIENT, _counted(wanted), ip, now)
    asked_before = _requests(wanted, now)
    db.session.execute(
        sa.insert(LoginFailure).values(at=now, kind=SessionKind.CLIENT, username=_counted(wanted), ip=ip)
    )
    user = _find(wanted)
    if user is None or not address_of(user) or asked_before >= REQUESTS_PER_NAME:
        return
    try:
        send_to(user, now=now)
    except OperationRefused:
        # An address that is none gets no letter, and the answer stays the same.
        return


def send_to(user: ClientUser, *, now: datetime) -> None:
    """Queue the letter with a link for this user. Refuses an address that is none."""
    granted = grant(user, purpose="reset", now=now)
    minutes = int(LIFETIMES["reset"].total_seconds() // 60)
    _write(user, "reset_password", now, {"granted": granted, "minutes": minutes})


def set_password(token: str, password: str, *, now: datetime) -> ClientUser | None:
    """Set the password by a link, end all sessions of the user and tell him; None where the link is dead.

    Refuses a password that breaks the rules (field `password`); the link stays good then.
    """
    user = read(token, now, lock=True)
    if user is None:
        return None
    change(user, password, now=now, action="password_reset")
    return user


def change(user: ClientUser, password: str, *, now: datetime, action: str = "password_changed") -> None:
    """Give the user a password of his own choice, end all his sessions, and tell him by letter."""
    staff.set_password(user, password)
    actor = audit.current_actor()
    by = actor if actor.client_user_id else audit.actor_of(None, user, ip=actor.ip, request_id=actor.request_id)
    audit.record(action, module="users", record_id=user.id, client_id=user.client_id, by=by)
    tell(user, "password_changed", now=now)


def address_of(user: ClientUser) -> str:
    """Where letters to the user go: his own address; the owner's may be that of the client."""
    return user.email or (user.client.email if user.is_owner else "")


def tell(user: ClientUser, template: str, *, now: datetime) -> None:
    """Queue a letter about the user's login."""
    try:
        _write(user, template, now, {})
    except OperationRefused:
        # Who has no address, or one that is none, cannot be told.
        return


def _write(user: ClientUser, template: str, now: datetime, context: dict[str, Any]) -> None:
    letters.queue(
        template=template,
        to=address_of(user),
        language=user.language,
        context={
            "person": user.shown_name,
            "username": user.username,
            "language": user.language.value,
            **context,
        },
        project=user.client.project,
        client=user.client,
        now=now,
    )


def _find(wanted: str) -> ClientUser | None:
    statement = (
        sa.select(ClientUser)
        .join(ClientUser.client)
        .where(sa.or_(ClientUser.email == wanted, ClientUser.username == wanted))
        .where(ClientUser.is_active, Client.deleted_at.is_(None))
        .order_by((ClientUser.email == wanted).desc())
        .limit(1)
    )
    return db.session.scalars(statement).first()


def _counted(wanted: str) -> str:
    """The name under which requests are counted, apart from the failed logins of the same name."""
    return f"reset:{wanted}".replace("\0", "")[:254]


def _requests(wanted: str, now: datetime) -> int:
    statement = sa.select(sa.func.count()).where(
        LoginFailure.kind == SessionKind.CLIENT,
        LoginFailure.username == _counted(wanted),
        LoginFailure.at > now - authentication.WINDOW,
    )
    return db.session.scalar(statement) or 0


def _fingerprint(user: ClientUser) -> str:
    text = "\n".join([user.password_hash, address_of(user)])
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _latest_request(user: ClientUser) -> int:
    """The id of the latest audit event of a request for a link, 0 without one."""
    statement = sa.select(sa.func.max(AuditEvent.id)).where(
        AuditEvent.module == "users",
        AuditEvent.record_id == user.id,
        AuditEvent.action.in_(ACTIONS.values()),
    )
    return db.session.scalar(statement) or 0


def _content(token: str) -> list[Any] | None:
    try:
        content = _serializer().loads(token)
    except BadData:
        return None
    return content if isinstance(content, list) and len(content) == 4 else None


def _serializer() -> URLSafeSerializer:
    settings = current_app.config["SETTINGS"]
    keys = [*settings.secret_key_fallbacks, settings.secret_key]
    return URLSafeSerializer(keys, salt="password-link", signer_kwargs={"digest_method": hashlib.sha256})

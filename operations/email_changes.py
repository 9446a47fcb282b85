"""A client user's change of e-mail: it holds once the new address has confirmed it, and the old one is told.

The link is a signed token bound to the user, both addresses and his password hash; it works for a day, once.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from flask import current_app
from flask_babel import gettext as _
from itsdangerous import BadData, URLSafeSerializer
from sqlalchemy.exc import IntegrityError

from extensions import db
from models import Client, ClientUser
from operations import audit, email_addresses, letters
from operations.errors import OperationRefused
from operations.password_links import address_of

LIFETIME = timedelta(days=1)
PATH = "/confirm-email"


def ask(user: ClientUser, *, email: str, now: datetime) -> None:
    """Queue a letter with a link to the new address; nothing changes before it is followed.

    Refuses what is no address, and the present one (field `email`). An address that another user has is not
    told from a free one: its owner gets no letter.
    """
    address = email_addresses.parse(email).lower()
    if address == (user.email or ""):
        raise OperationRefused(_("This is your address already."), field="email")
    audit.record("email_change_requested", module="users", record_id=user.id, client_id=user.client_id)
    if _is_taken(address):
        return
    granted = [user.id, address, int((now + LIFETIME).timestamp())]
    _write(user, "confirm_email", address, now, {"granted": granted, "hours": 24})


def link_for(granted: list[Any]) -> str:
    """The absolute address for what `ask` put into the letter's context."""
    user = db.session.get(ClientUser, granted[0])
    content = [*granted, _fingerprint(user) if user else ""]
    return f"{current_app.config['SETTINGS'].public_url}{PATH}?token={_serializer().dumps(content)}"


def read(token: str, now: datetime) -> tuple[ClientUser, str] | None:
    """Whose e-mail the token changes, and to what; None for a token that is none, old or used."""
    try:
        content = _serializer().loads(token)
    except BadData:
        return None
    if not isinstance(content, list) or len(content) != 4 or content[2] <= now.timestamp():
        return None
    user = db.session.scalar(
        sa.select(ClientUser)
        .join(ClientUser.client)
        .where(ClientUser.id == content[0], ClientUser.is_active, Client.deleted_at.is_(None))
    )
    if user is None or not hmac.compare_digest(content[3], _fingerprint(user)):
        return None
    return user, content[1]


def confirm(token: str, *, now: datetime) -> ClientUser | None:
    """Make the new address the user's, and the client's where the owner's was the same; tell the old one.

    None where the link is dead, or somebody else has taken the address meanwhile.
    """
    found = read(token, now)
    if found is None or _is_taken(found[1]):
        return None
    user, address = found
    before = address_of(user)
    if user.is_owner and (user.client.email or "").lower() == before.lower():
        user.client.email = address
    user.email = address
    try:
        db.session.flush()
    except IntegrityError:
        # Somebody else has confirmed the same address at the same time.
        return None
    if before:
        tell_old(user, old=before, now=now)
    return user


def tell_old(user: ClientUser, *, old: str, now: datetime) -> None:
    """Tell the address that was the user's before of the one that is now."""
    _write(user, "email_changed", old, now, {"email": user.email or ""})


def _write(user: ClientUser, template: str, to: str, now: datetime, context: dict[str, Any]) -> None:
    values = {
        "person": user.shown_name,
        "username": user.username,
        "language": user.language.value,
        **context,
    }
    try:
        letters.queue(
            template=template,
            to=to,
            language=user.language,
            context=values,
            project=user.client.project,
            client=user.client,
            now=now,
        )
    except OperationRefused:
        # An old address that is none cannot be told.
        return


def _is_taken(address: str) -> bool:
    return db.session.scalar(sa.select(ClientUser.id).where(ClientUser.email == address)) is not None


def _fingerprint(user: ClientUser) -> str:
    text = "\n".join([user.password_hash, user.email or ""])
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _serializer() -> URLSafeSerializer:
    settings = current_app.config["SETTINGS"]
    keys = [*settings.secret_key_fallbacks, settings.secret_key]
    return URLSafeSerializer(keys, salt="email-change", signer_kwargs={"digest_method": hashlib.sha256})

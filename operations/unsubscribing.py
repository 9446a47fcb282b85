"""Taking back the consent to news, by the link that every letter of news carries."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from flask import current_app
from itsdangerous import BadData, URLSafeSerializer

from extensions import db
from models import Client, ClientUser, Consent

# What the subject of a letter begins with that unsubscribes; the token of the link follows.
WORD = "unsubscribe"


def url_for_client(client_id: int) -> str:
    """The address that unsubscribes this client, and him alone; it does not wear out."""
    return f"{current_app.config['SETTINGS'].public_url}/unsubscribe/{_signer().dumps(client_id)}"


def mailto_for_client(client_id: int, *, to: str) -> str:
    """The same as a letter to `to`, which is an address whose letters come in here."""
    return f"mailto:{to}?subject={WORD}%20{_signer().dumps(client_id)}"


def client_in(subject: str) -> Client | None:
    """The client that a letter with this subject unsubscribes; None where it is no such letter."""
    word, _blank, token = " ".join(subject.split()).partition(" ")
    return client_of(token) if word.lower() == WORD else None


def client_of(token: str) -> Client | None:
    """The client of a link; None where the link was made up, or the client is gone."""
    try:
        number = _signer().loads(token)
    except BadData:
        return None
    return db.session.scalar(sa.select(Client).where(Client.id == number, Client.deleted_at.is_(None)))


def is_subscribed(client: Client) -> bool:
    consent = _consent(client)
    if consent is None or consent.withdrawn_at is None:
        return True
    return consent.given_at is not None and consent.given_at > consent.withdrawn_at


def unsubscribe(client: Client, *, source: str = "link", now: datetime) -> None:
    """Note that the client wants no more news. Once more changes nothing; so does a client without users."""
    user = _user(client)
    if user is None or not is_subscribed(client):
        return
    consent = _consent(client)
    if consent is None:
        consent = Consent(client_user_id=user.id, kind="news")
        db.session.add(consent)
    consent.withdrawn_at, consent.source = now, source
    db.session.flush()


def subscribe(client: Client, *, source: str = "link", now: datetime) -> None:
    """Note that the client wants news again."""
    consent = _consent(client)
    if consent is not None and not is_subscribed(client):
        consent.given_at, consent.withdrawn_at, consent.source = now, None, source
        db.session.flush()


def _user(client: Client) -> ClientUser | None:
    return db.session.scalar(sa.select(ClientUser).where(ClientUser.client_id == client.id, ClientUser.is_owner))


def _consent(client: Client) -> Consent | None:
    return db.session.scalar(
        sa.select(Consent)
        .join(ClientUser, ClientUser.id == Consent.client_user_id)
        .where(ClientUser.client_id == client.id, ClientUser.is_owner, Consent.kind == "news")
    )


def _signer() -> URLSafeSerializer:
    settings = current_app.config["SETTINGS"]
    # The last key signs, the ones before it are still believed: links in letters outlive a change of the key.
    return URLSafeSerializer([*settings.secret_key_fallbacks, settings.secret_key], salt="unsubscribe")

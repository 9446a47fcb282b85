"""Sessions on the server: a table of sessions, and two cookies that name rows of it.

Addresses under /admin use the staff cookie, all others the client cookie, so that a staff member can stand in
a client's panel without losing his own session. The cookie carries a random token; the table its hash.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from flask import Flask, Request, Response, current_app, g
from flask.sessions import SessionInterface, SessionMixin
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import joinedload
from werkzeug.datastructures import CallbackDict

from extensions import db, now, plain_rows
from models import Session, SessionKind, Staff
from operations import custom_fields, features, settings
from operations.waiting import answered_violations, last_heartbeat, open_hold, open_trip, waiting_for_staff

log = logging.getLogger("clientdesk.web")

ANONYMOUS_LIFETIME = timedelta(hours=2)
STAFF_IDLE = timedelta(minutes=30)
CLIENT_IDLE = timedelta(hours=24)
# How stale `seen_at` may be before a request writes it again.
SEEN_EVERY = timedelta(seconds=60)


def hash_of(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def kind_for(path: str) -> SessionKind:
    return SessionKind.STAFF if path == "/admin" or path.startswith("/admin/") else SessionKind.CLIENT


def cookie_name(kind: SessionKind) -> str:
    """The cookie's name; over https it carries the prefix that ties it to this host."""
    prefix = "__Host-" if current_app.config["SETTINGS"].is_https else ""
    return f"{prefix}{kind.value}_session"


def idle_limit(kind: SessionKind) -> timedelta:
    return STAFF_IDLE if kind is SessionKind.STAFF else CLIENT_IDLE


class DeskSession(CallbackDict[str, Any], SessionMixin):
    """Flask's session over one row of the table. `row` is None until it is first saved."""

    def __init__(self, kind: SessionKind, row: dict[str, Any] | None, data: dict[str, Any]) -> None:
        def changed(session: Any) -> None:
            session.modified = True

        super().__init__(data, changed)
        self.kind = kind
        self.row = row
        self.token: str | None = None
        self.modified = False
        self.ended = False
        self.renewed = False
        self.accessed = True
        self.links: dict[str, Any] = {}
        self.fault: DBAPIError | None = None

    @property
    def id(self) -> int | None:
        return self.row["id"] if self.row else None

    def renew(self) -> None:
        """Go on under a new token, empty of what was there before: nobody rides along."""
        self.clear()
        self.renewed = self.modified = True

    def link(self, **columns: Any) -> None:
        """Set columns of the session's row (staff_id, client_user_id, impersonation_id, expires_at)."""
        self.links.update(columns)
        self.modified = True

    def end(self) -> None:
        """Remove the session and its cookie."""
        self.clear()
        self.ended = True


COLUMNS = (
    Session.id,
    Session.kind,
    Session.staff_id,
    Session.client_user_id,
    Session.impersonation_id,
    Session.data,
    Session.created_at,
    Session.seen_at,
    Session.expires_at,
)
FIND = sa.select(*COLUMNS).where(
    Session.token_hash == sa.bindparam("hash"),
    Session.kind == sa.bindparam("wanted"),
    Session.expires_at > sa.bindparam("moment"),
)


@lru_cache(maxsize=2)
def find_staff(_dialect: str) -> Any:
    """A staff member's page needs him, his role, the settings, what waits and the version of the custom fields.

    All of it comes with the session.
    """
    return (
        sa.select(
            *COLUMNS,
            Staff,
            waiting_for_staff().label("waiting"),
            settings.all_kept().label("settings"),
            custom_fields.kept_version().label("custom_fields"),
            features.kept(features.ABUSE_HANDLING).label("abuse_handling"),
            answered_violations().label("answered"),
            open_trip().label("trip"),
            open_hold().label("hold"),
            last_heartbeat().label("heartbeat"),
        )
        .outerjoin(Staff, Staff.id == Session.staff_id)
        .options(joinedload(Staff.role, innerjoin=False))
        .where(
            Session.token_hash == sa.bindparam("hash"),
            Session.kind == SessionKind.STAFF,
            Session.expires_at > sa.bindparam("moment"),
        )
    )


class DeskSessionInterface(SessionInterface):
    """Reads and writes the table of sessions, in transactions of its own."""

    def open_session(self, app: Flask, request: Request) -> DeskSession | None:
        if request.path.startswith("/static/") or request.path in {"/healthz", "/readyz", "/metrics"}:
            return DeskSession(kind_for(request.path), None, {})
        kind = kind_for(request.path)
        token = request.cookies.get(cookie_name(kind))
        only_reads = request.method in {"GET", "HEAD"}
        try:
            row = self._found(kind, token, only_reads)
        except DBAPIError as error:
            # The request says so, once it is set up well enough for a page that does.
            session = DeskSession(kind, None, {})
            session.fault = error
            return session
        return DeskSession(kind, row, dict(row["data"]) if row else {})

    def _found(self, kind: SessionKind, token: str | None, only_reads: bool) -> dict[str, Any] | None:
        """The session's row. A connection that died since it was last used is replaced: nothing was asked of it yet."""
        for is_last_try in (False, True):
            try:
                if only_reads:
                    read_only()
                return self._find(kind, token)
            except DBAPIError as error:
                db.session.remove()
                if is_last_try or not error.connection_invalidated:
                    raise
        raise AssertionError

    def _find(self, kind: SessionKind, token: str | None) -> dict[str, Any] | None:
        if not token or len(token) > 128:
            return None
        values = {"hash": hash_of(token), "moment": now()}
        if kind is SessionKind.STAFF:
            row = db.session.execute(find_staff(db.engine.dialect.name), values).mappings().first()
        else:
            row = plain_rows(FIND, {**values, "wanted": kind}).mappings().first()
        if row is None or row["seen_at"] + idle_limit(kind) <= now():
            return None
        if kind is SessionKind.STAFF:
            # The staff member is held here, so that to load him finds him without another question.
            g.frame_facts = (row["Staff"], row["waiting"], row["answered"], row["trip"])
            g.desk_hold, g.last_heartbeat = row["hold"], row["heartbeat"]
            settings.remember(row["settings"])
            custom_fields.remember(row["custom_fields"])
            features.remember(features.ABUSE_HANDLING, row["abuse_handling"])
        return {column.key: row[column.key] for column in COLUMNS}

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        assert isinstance(session, DeskSession)
        response.headers.add("Vary", "Cookie")
        if session.fault:
            return
        if session.ended:
            self._remove(session)
            delete_cookie(response, session.kind)
        elif session.modified and (session or session.row or session.links):
            self._write(session, response)
        elif session.row and session.row["seen_at"] + SEEN_EVERY <= now():
            self._touch(session)

    def _remove(self, session: DeskSession) -> None:
        if session.row:
            with writing() as connection:
                connection.execute(sa.delete(Session).where(Session.id == session.row["id"]))

    def _touch(self, session: DeskSession) -> None:
        """Note that somebody is here. A database too busy for that must not cost him the page he asked for."""
        try:
            with writing() as connection:
                connection.execute(sa.update(Session).where(Session.id == session.id).values(seen_at=now()))
        except OperationalError:
            log.warning("the time of a session could not be written", exc_info=True)

    def _write(self, session: DeskSession, response: Response) -> None:
        values: dict[str, Any] = {"data": dict(session), "seen_at": now(), **session.links}
        with writing() as connection:
            if session.row and not session.renewed:
                connection.execute(sa.update(Session).where(Session.id == session.id).values(**values))
                return
            if session.row:
                connection.execute(sa.delete(Session).where(Session.id == session.id))
            token = start(connection, session.kind, **values)
        set_cookie(response, session.kind, token, values.get("expires_at"))


def read_only() -> None:
    """Ask the database without a transaction around: on PostgreSQL its begin and end are two questions more."""
    if db.engine.dialect.name == "postgresql":
        db.session.connection(execution_options={"isolation_level": "AUTOCOMMIT"})


def writing() -> Any:
    """A connection in a transaction of its own, for what is written beside the request's work."""
    db.session.rollback()
    return db.engine.execution_options(reads_only=False).begin()


def start(connection: sa.Connection, kind: SessionKind, **columns: Any) -> str:
    """Insert a session and return its token (256 random bits); only the token's hash is kept."""
    token = secrets.token_urlsafe(32)
    values: dict[str, Any] = {
        "data": {},
        "created_at": now(),
        "seen_at": now(),
        "expires_at": now() + ANONYMOUS_LIFETIME,
        "ip": g.get("ip", ""),
        "user_agent": g.get("user_agent", ""),
        **columns,
    }
    connection.execute(sa.insert(Session).values(token_hash=hash_of(token), kind=kind, **values))
    return token


def set_cookie(response: Response, kind: SessionKind, token: str, expires_at: datetime | None) -> None:
    response.set_cookie(
        cookie_name(kind),
        token,
        expires=expires_at,
        path="/",
        secure=current_app.config["SETTINGS"].is_https,
        httponly=True,
        samesite="Lax",
    )


def delete_cookie(response: Response, kind: SessionKind) -> None:
    response.delete_cookie(
        cookie_name(kind), path="/", secure=current_app.config["SETTINGS"].is_https, httponly=True, samesite="Lax"
    )


def forget_expired() -> int:
    """Remove sessions that ended by themselves; returns how many."""
    return db.session.execute(sa.delete(Session).where(Session.expires_at <= now())).rowcount

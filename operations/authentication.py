"""Logging in: who it is, and how often one may try. Failures are counted in the database."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from flask_babel import gettext as _

from extensions import db, rows_changed
from models import AuditEvent, Client, ClientUser, LoginFailure, Session, SessionKind, Staff
from operations import audit, passwords
from operations.errors import OperationRefused

WINDOW = timedelta(minutes=10)
PER_ADDRESS = 10
PER_NAME = 30
IN_ALL = 1000
# Events by which a person has shown at an address who he is.
PROOFS = ("login", "password_reset")


@dataclass(frozen=True)
class TooManyTries(Exception):
    """Logging in is refused for a while, whatever the password. `retry_after` in seconds."""

    retry_after: int


def log_in_staff(*, username: str, password: str, ip: str, now: datetime) -> Staff:
    """Return the staff member of that name and password, and note when he came.

    Refuses with OperationRefused (the same words for an unknown name, a wrong password and somebody disabled)
    and with TooManyTries. A failure is counted: the caller must commit in both cases.
    """
    name = username.strip().lower()
    refuse_too_many(SessionKind.STAFF, name, ip, now)
    staff = db.session.scalar(sa.select(Staff).where(Staff.username == name))
    if not _matches(staff, password) or staff is None or not staff.is_active:
        raise _failed(SessionKind.STAFF, name, ip, now, person=staff)
    _rehash(staff, password)
    staff.last_login_at = now
    audit.record("login", module="staff", record_id=staff.id, by=audit.actor_of(staff, ip=ip))
    return staff


def confirm_staff(staff: Staff, *, password: str, ip: str, now: datetime) -> None:
    """Check once more that it is `staff` who sits there. Refuses, counts and is to be committed as `log_in_staff`."""
    refuse_too_many(SessionKind.STAFF, staff.username, ip, now)
    if not _matches(staff, password):
        _failed(SessionKind.STAFF, staff.username, ip, now, person=staff)
        raise OperationRefused(_("This is not your present password."), field="password")


def log_in_client(*, username: str, password: str, ip: str, now: datetime) -> ClientUser:
    """Return the client user of that username or e-mail and password; refuses as `log_in_staff` does."""
    name = username.strip().lower()
    refuse_too_many(SessionKind.CLIENT, name, ip, now)
    user = db.session.scalar(
        sa.select(ClientUser)
        .join(Client, Client.id == ClientUser.client_id)
        .where(sa.or_(ClientUser.username == name, ClientUser.email == name), Client.deleted_at.is_(None))
        .order_by((ClientUser.username == name).desc())
        .limit(1)
    )
    if not _matches(user, password) or user is None or not user.is_active:
        raise _failed(SessionKind.CLIENT, name, ip, now, person=user)
    _rehash(user, password)
    user.last_login_at = now
    audit.record(
        "login", module="users", record_id=user.id, client_id=user.client_id,
        by=audit.actor_of(None, user, ip=ip),
    )  # fmt: skip
    return user


def _matches(person: Staff | ClientUser | None, password: str) -> bool:
    if len(password) > passwords.MAXIMUM_LENGTH:
        return False
    if person is None:
        passwords.spend_the_time_of_a_check(password)
        return False
    return passwords.verify(person.password_hash, password)


def _rehash(person: Staff | ClientUser, password: str) -> None:
    if passwords.needs_rehash(person.password_hash):
        person.password_hash = passwords.hash_password(password)


def _failed(
    kind: SessionKind, name: str, ip: str, now: datetime, *, person: Staff | ClientUser | None
) -> OperationRefused:
    """Count a failure, and note it in the audit of the person whose name it was, who was not there himself."""
    db.session.execute(sa.insert(LoginFailure).values(at=now, kind=kind, username=name.replace("\0", "")[:254], ip=ip))
    if person is not None:
        audit.record(
            "login_failed", module="staff" if isinstance(person, Staff) else "users", record_id=person.id,
            client_id=getattr(person, "client_id", None), by=audit.Actor(name=person.username, ip=ip),
        )  # fmt: skip
    return OperationRefused(_("The username or the password is wrong."), field="password")


def refuse_too_many(kind: SessionKind, name: str, ip: str, now: datetime) -> None:
    """Raise TooManyTries where this address, this name, or everybody together has failed too often.

    An address from which this very person has logged in before, or set his password by a link, is not shut out
    by others' failures.
    """
    if db.engine.dialect.name == "postgresql":
        # Tries from one address wait for one another, so that many at once are counted too.
        db.session.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtext(ip))))
    since = now - WINDOW
    by_address, by_name, in_all = db.session.execute(
        sa.select(
            sa.func.count(sa.case((LoginFailure.ip == ip, 1))),
            sa.func.count(sa.case((sa.and_(LoginFailure.username == name, LoginFailure.kind == kind), 1))),
            sa.func.count(),
        ).where(LoginFailure.at > since)
    ).one()
    if by_address >= PER_ADDRESS:
        raise TooManyTries(int(WINDOW.total_seconds()))
    if (by_name >= PER_NAME or in_all >= IN_ALL) and not _known_here(kind, name, ip):
        raise TooManyTries(int(WINDOW.total_seconds()))


def _known_here(kind: SessionKind, name: str, ip: str) -> bool:
    """Whether the person who goes by `name` has shown at this address that it is he."""
    if kind is SessionKind.STAFF:
        column, wanted = AuditEvent.staff_id, sa.select(Staff.id).where(Staff.username == name)
    else:
        column = AuditEvent.client_user_id
        wanted = sa.select(ClientUser.id).where(sa.or_(ClientUser.username == name, ClientUser.email == name))
    statement = sa.select(AuditEvent.id).where(
        AuditEvent.action.in_(PROOFS), AuditEvent.ip == ip, column.in_(wanted), AuditEvent.impersonation_id.is_(None)
    )
    return bool(db.session.scalar(statement.limit(1)))


def end_sessions(*, staff_id: int | None = None, client_user_id: int | None = None, but: int | None = None) -> int:
    """End all sessions of a person, except the one with the id `but`; returns how many.

    A staff member's stays in clients' panels end with his own sessions.
    """
    owner = Session.staff_id == staff_id if staff_id else Session.client_user_id == client_user_id
    statement = sa.delete(Session).where(owner)
    if not staff_id:
        # The stay of a staff member is not the client user's session: it ends by its own rules, and is told.
        statement = statement.where(Session.impersonation_id.is_(None))
    if but is not None:
        statement = statement.where(Session.id != but)
    return rows_changed(statement)


def forget_old_failures(*, now: datetime) -> None:
    """Remove failures that no longer count."""
    db.session.execute(sa.delete(LoginFailure).where(LoginFailure.at <= now - 6 * WINDOW))

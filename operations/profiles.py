"""What a client user does with his own login: contacts, language, sessions, and who has been here as him."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import available_timezones

import sqlalchemy as sa
from flask_babel import gettext as _

from extensions import db
from models import AuditEvent, ClientUser, Language, Session, SessionKind, Ticket
from operations import audit, impersonation, phones
from operations.errors import OperationRefused

HISTORY = 30


@dataclass(frozen=True)
class Visit:
    """One login as a user: by himself, or by a staff member, who then gave a reason or only looked."""

    at: datetime
    ip: str = ""
    staff_name: str = ""
    reason: str = ""
    until: datetime | None = None
    changes_allowed: bool = False


@lru_cache(maxsize=1)
def time_zones() -> list[str]:
    """The zones one may choose, by name."""
    return sorted(name for name in available_timezones() if "/" in name and not name.startswith(("Etc/", "posix/")))


def change(user: ClientUser, *, full_name: str, phone: str, language: Language, time_zone: str) -> None:
    """Change contacts, language and time zone. The owner's language is the one that the client is written in.

    Refuses a phone that is none and an unknown zone (OperationRefused with the field).
    """
    if phone.strip() != user.phone:
        # One that an import brought may be no number at all; it stays until the user changes it.
        phone = phones.parse(phone, user.client.country)
    if time_zone not in {"UTC", user.time_zone, *time_zones()}:
        raise OperationRefused(_("There is no such time zone."), field="time_zone")
    user.full_name, user.phone, user.time_zone = full_name.strip(), phone.strip(), time_zone
    set_language(user, language)


def set_language(user: ClientUser, language: Language) -> None:
    user.language = language
    if user.is_owner:
        user.client.language = language
    db.session.flush()


def sessions_of(user: ClientUser, *, now: datetime, idle: timedelta) -> list[Session]:
    """The user's own sessions that live, the latest used first; stays of staff are not among them."""
    statement = _own_sessions(user).where(Session.expires_at > now, Session.seen_at > now - idle)
    return list(db.session.scalars(statement.order_by(Session.seen_at.desc(), Session.id.desc())))


def end_session(user: ClientUser, session_id: int) -> bool:
    """End one of the user's own sessions; False where there is no such one."""
    found = db.session.scalar(_own_sessions(user).where(Session.id == session_id))
    if found is None:
        return False
    db.session.delete(found)
    db.session.flush()
    _record(user, 1)
    return True


def end_other_sessions(user: ClientUser, *, but: int | None) -> int:
    """End all of the user's own sessions except `but`; returns how many."""
    statement = (
        sa.delete(Session)
        .where(
            Session.kind == SessionKind.CLIENT,
            Session.client_user_id == user.id,
            Session.impersonation_id.is_(None),
            Session.id != (but or 0),
        )
        .returning(Session.id)
    )
    count = len(db.session.execute(statement).all())
    if count:
        _record(user, count)
    return count


def visits_of(user: ClientUser) -> list[Visit]:
    """The latest logins as the user, newest first, those of staff in his place among them."""
    logins = db.session.scalars(
        sa.select(AuditEvent)
        .where(
            AuditEvent.module == "users",
            AuditEvent.record_id == user.id,
            AuditEvent.action == "login",
            # SQLite may have given him the number of one who was removed.
            AuditEvent.at >= user.created_at,
        )
        .order_by(AuditEvent.id.desc())
        .limit(HISTORY)
    )
    own = [Visit(at=event.at, ip=event.ip) for event in logins]
    stays = [
        Visit(
            at=stay.started_at,
            staff_name=stay.staff.shown_name,
            reason=stay.reason,
            until=stay.ended_at,
            changes_allowed=stay.allows_changes,
        )
        for stay in impersonation.stays_of(user, limit=HISTORY)
    ]
    return sorted(own + stays, key=lambda visit: visit.at, reverse=True)[:HISTORY]


def mark_read(ticket: Ticket, *, now: datetime) -> None:
    """Note that the client has read the ticket as it is now; that is no edit of it."""
    statement = sa.update(Ticket).where(Ticket.id == ticket.id).values(client_read_at=now)
    db.session.execute(statement.execution_options(synchronize_session=False))
    db.session.expire(ticket)


def _own_sessions(user: ClientUser) -> sa.Select[Any]:
    return sa.select(Session).where(
        Session.kind == SessionKind.CLIENT,
        Session.client_user_id == user.id,
        Session.impersonation_id.is_(None),
    )


def _record(user: ClientUser, count: int) -> None:
    audit.record(
        "sessions_ended",
        module="users",
        record_id=user.id,
        client_id=user.client_id,
        after={"sessions": count},
    )

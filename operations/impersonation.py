"""Login-as: a staff member's stay in a client's panel, from its start to its end, whoever ends it.

The staff session is never replaced: the stay has a client session of its own, and it lives no longer than the
staff session it came from. Everything here is audited with both identities.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from urllib.parse import urlsplit

import sqlalchemy as sa
from babel.dates import format_datetime, get_timezone
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import joinedload

from extensions import db
from models import AuditEvent, Client, ClientUser, Impersonation, Session, SessionKind, Staff
from operations import audit, letters, settings
from operations.errors import OperationRefused

RIGHT = "clients.login_as"
REASON_LEAST = 3
REASON_MOST = 500
CLIENT_LIST = "/admin/clients/"

# Why a stay is over although nobody chose to leave, in the words that the staff member reads.
FORCED_ENDS = {
    "switched_off": _l("Logging in as a client has been switched off."),
    "expired": _l("The time in the client's panel is over."),
    "staff_disabled": _l("Your account has been disabled."),
    "right_lost": _l("You may no longer log in as a client."),
    "staff_session_ended": _l("Your own session has ended."),
    "client_deleted": _l("The client has been deleted, so you have left its panel."),
    "user_blocked": _l("The client's user has been blocked, so you have left the panel."),
}


def is_offered() -> bool:
    """Whether staff may log in as clients at all; the settings can switch it off."""
    return bool(settings.get("impersonation_enabled"))


def asks_for_password(*, confirmed_at: datetime | None, now: datetime) -> bool:
    """Whether who showed at `confirmed_at` that it is he has to show it once more; the settings say after how long."""
    minutes = settings.get("impersonation_password_minutes")
    return bool(minutes) and (confirmed_at is None or confirmed_at <= now - timedelta(minutes=minutes))


def start(
    *,
    by: Staff,
    staff_session_id: int,
    client: Client,
    user: ClientUser | None = None,
    reason: str = "",
    return_url: str = "",
    now: datetime,
) -> Impersonation:
    """Begin a stay of `by` in the panel of `client`, as `user` (its owner by default), for looking only.

    It ends after the minutes of the settings at the latest, and never after the staff session. An earlier
    stay of the same staff session ends here. Where the settings say so, the reason is demanded (3 to 500
    characters), and the client is told by letter. Raises OperationRefused when it is switched off, the right is
    missing, the staff session is not alive, the client is deleted, or the user is blocked or another client's.
    """
    if not is_offered():
        raise OperationRefused(str(FORCED_ENDS["switched_off"]))
    person = _person(by, client, user or client.owner)
    limit = _end_of_staff_session(staff_session_id, by, now)
    _check_reason(reason)
    _replace_earlier(staff_session_id, now)
    impersonation = Impersonation(
        staff=by,
        staff_session_id=staff_session_id,
        client_id=client.id,
        client_user=person,
        reason=reason.strip(),
        return_url=admin_address(return_url),
        started_at=now,
        expires_at=min(now + timedelta(minutes=settings.get("impersonation_minutes")), limit),
    )
    db.session.add(impersonation)
    db.session.flush()
    _record("login_as", impersonation, reason=impersonation.reason)
    if settings.get("impersonation_email"):
        _tell_client(impersonation, client)
    return impersonation


def refuse(*, by: Staff, client_id: int, user_id: int | None, why: str) -> None:
    """Write down that `by` was not let into the client's panel."""
    actor = replace(audit.current_actor(), staff_id=by.id, name=by.shown_name)
    audit.record(
        "login_as_refused",
        module="clients",
        record_id=client_id,
        client_id=client_id,
        after={"user": user_id, "why": why},
        by=actor,
    )


def find(impersonation_id: int) -> Impersonation | None:
    """The stay with its people, loaded at once."""
    statement = (
        sa.select(Impersonation)
        .where(Impersonation.id == impersonation_id)
        .options(
            joinedload(Impersonation.staff),
            joinedload(Impersonation.client_user).joinedload(ClientUser.client),
        )
    )
    return db.session.scalars(statement).unique().first()


def why_over(impersonation: Impersonation, *, now: datetime, staff_idle: timedelta) -> str | None:
    """Why the stay may not go on, a key of FORCED_ENDS; None when it may. Changes nothing.

    `staff_idle` is how long a staff session lives without a request.
    """
    user, staff = impersonation.client_user, impersonation.staff
    if impersonation.expires_at <= now:
        return "expired"
    if not is_offered():
        return "switched_off"
    if not staff.is_active:
        return "staff_disabled"
    if not staff.may(RIGHT):
        return "right_lost"
    if not _staff_session_lives(impersonation, now, staff_idle):
        return "staff_session_ended"
    if user.client.deleted_at is not None:
        return "client_deleted"
    return None if user.is_active else "user_blocked"


def current(impersonation_id: int, now: datetime, *, staff_idle: timedelta) -> Impersonation | None:
    """The stay, if it may go on; otherwise it is ended here (the caller commits), and None."""
    impersonation = find(impersonation_id)
    if impersonation is None or impersonation.ended_at is not None:
        return None
    why = why_over(impersonation, now=now, staff_idle=staff_idle)
    if why is None:
        return impersonation
    force_end(impersonation, why=why, now=now)
    return None


def force_end(impersonation: Impersonation, *, why: str, now: datetime) -> bool:
    """End the stay because it may not go on; says whether it was this call that ended it."""
    if not _end(impersonation, why, now):
        return False
    _record("login_as_expired" if why == "expired" else "forced_end", impersonation, end_reason=why)
    return True


def stop(impersonation: Impersonation, *, now: datetime, why: str = "return", with_staff_session: bool = False) -> None:
    """End the stay because the staff member leaves; nothing happens to one that has ended.

    With `with_staff_session` the session that it came from ends too.
    """
    if not _end(impersonation, why, now):
        return
    _record("login_as_return", impersonation, end_reason=why)
    if with_staff_session:
        own = Session.id == impersonation.staff_session_id
        db.session.execute(sa.delete(Session).where(own, Session.staff_id == impersonation.staff_id))


def allow_changes(impersonation: Impersonation, *, reason: str, now: datetime) -> None:
    """Let the staff member change what may be changed in a client's place.

    The reason (3 to 500 characters) is kept with the stay, where the client reads it. Raises OperationRefused
    for another length, and when the stay is over.
    """
    reason = reason.strip()
    _demand_reason(reason)
    if impersonation.ended_at is not None or impersonation.expires_at <= now:
        raise OperationRefused(_("The time in the client's panel is over."))
    if impersonation.allows_changes:
        return
    impersonation.allows_changes = True
    # The audit keeps each reason whole; the stay shows what fits.
    impersonation.reason = "; ".join(text for text in (impersonation.reason, reason) if text)[:REASON_MOST]
    db.session.flush()
    _record("login_as_allow_changes", impersonation, reason=reason)


def record_request(impersonation: Impersonation, *, method: str, path: str, status: int) -> None:
    """Write down an unsafe request of the stay."""
    _record("login_as_request", impersonation, method=method, path=path, status=status)


def record_denial(impersonation: Impersonation, *, method: str, path: str) -> None:
    """Write down a request of the stay that was not carried out."""
    _record("login_as_denied", impersonation, method=method, path=path)


def is_recorded(impersonation: Impersonation, *, request_id: str) -> bool:
    """Whether the audit has an event of this request in the stay."""
    statement = sa.select(AuditEvent.id).where(
        AuditEvent.impersonation_id == impersonation.id, AuditEvent.request_id == request_id
    )
    return db.session.execute(statement.limit(1)).first() is not None


def end_with_session(staff_session_id: int, *, now: datetime) -> None:
    """End the stays that began in a staff session, because it ends."""
    stays = _begun_in(staff_session_id)
    for each in stays:
        force_end(each, why="staff_session_ended", now=now)
    _forget_sessions([each.id for each in stays])


def end_as(user: ClientUser, *, why: str, now: datetime) -> None:
    """End the stays in the panel as `user`; each leaves at its next request."""
    mine = sa.select(Impersonation).where(Impersonation.client_user_id == user.id, Impersonation.ended_at.is_(None))
    for each in db.session.scalars(mine).all():
        force_end(each, why=why, now=now)


def end_expired(*, now: datetime) -> int:
    """End all stays whose time is over, with their sessions; returns how many."""
    due = sa.select(Impersonation).where(Impersonation.ended_at.is_(None), Impersonation.expires_at <= now)
    ended = [each for each in db.session.scalars(due).all() if force_end(each, why="expired", now=now)]
    _forget_sessions([each.id for each in ended])
    return len(ended)


def stays_of(user: ClientUser, *, limit: int) -> list[Impersonation]:
    """The latest stays of staff in the panel as `user`, newest first: what he may know of them."""
    statement = (
        sa.select(Impersonation)
        .where(Impersonation.client_user_id == user.id)
        .options(joinedload(Impersonation.staff))
        .order_by(Impersonation.id.desc())
        .limit(limit)
    )
    return list(db.session.scalars(statement).unique())


def actor_of(impersonation: Impersonation) -> audit.Actor:
    """The staff member in the client user's place, at the address of the present request."""
    here = audit.current_actor()
    return audit.actor_of(
        impersonation.staff,
        impersonation.client_user,
        impersonation_id=impersonation.id,
        ip=here.ip,
        request_id=here.request_id,
    )


def admin_address(url: str) -> str:
    """`url` if it is a page of the admin on this very host, else the client list."""
    harmless = url.isprintable() and "\\" not in url and not url.startswith("//") and len(url) <= 2000
    if not harmless or " " in url:
        return CLIENT_LIST
    parts = urlsplit(url)
    own = not parts.scheme and not parts.netloc and (parts.path == "/admin" or parts.path.startswith("/admin/"))
    return url if own and ".." not in parts.path.split("/") else CLIENT_LIST


def _check_reason(reason: str) -> None:
    if settings.get("impersonation_reason"):
        _demand_reason(reason.strip())
    elif len(reason) > REASON_MOST:
        raise OperationRefused(_("At most %(count)s characters, please.", count=REASON_MOST), field="reason")


def _demand_reason(reason: str) -> None:
    if not REASON_LEAST <= len(reason) <= REASON_MOST:
        text = _("Say why, in %(least)s to %(most)s characters.", least=REASON_LEAST, most=REASON_MOST)
        raise OperationRefused(text, field="reason")


def _tell_client(impersonation: Impersonation, client: Client) -> None:
    """Queue the letter that says who is in the client's panel; a client without an address cannot be told."""
    user = impersonation.client_user
    with suppress(OperationRefused):
        letters.queue(
            template="login_as",
            to=client.email or user.email or "",
            language=user.language,
            context={
                "person": user.shown_name,
                "username": user.username,
                "staff_name": impersonation.staff.shown_name,
                "reason": impersonation.reason,
                "at": format_datetime(
                    impersonation.started_at, "medium", tzinfo=get_timezone(user.time_zone), locale=user.language.value
                ),
                "zone": user.time_zone,
            },
            project=client.project,
            client=client,
            now=impersonation.started_at,
        )


def _person(by: Staff, client: Client, person: ClientUser | None) -> ClientUser:
    """The user to stand in for, if `by` may; refuses otherwise."""
    if not by.may(RIGHT):
        raise OperationRefused(_("You may not log in as a client."))
    if client.deleted_at is not None:
        raise OperationRefused(_("The client has been deleted."))
    if person is None:
        raise OperationRefused(_("The client has no user to log in as."), field="user")
    if person.client_id != client.id:
        raise OperationRefused(_("This user is not one of the client's."), field="user")
    if not person.is_active:
        raise OperationRefused(_("The user is blocked."), field="user")
    return person


def _end_of_staff_session(staff_session_id: int, by: Staff, now: datetime) -> datetime:
    """When the staff session ends; its row is locked, so that two starts follow one another."""
    statement = sa.select(Session).where(
        Session.id == staff_session_id,
        Session.kind == SessionKind.STAFF,
        Session.staff_id == by.id,
        Session.expires_at > now,
    )
    session = db.session.scalars(statement.with_for_update()).first()
    if session is None:
        raise OperationRefused(_("Your own session has ended. Log in again."))
    return session.expires_at


def _replace_earlier(staff_session_id: int, now: datetime) -> None:
    earlier = _begun_in(staff_session_id)
    for each in earlier:
        stop(each, now=now, why="replaced")
    _forget_sessions([each.id for each in earlier])


def _begun_in(staff_session_id: int) -> list[Impersonation]:
    """The stays of a staff session that are not over."""
    statement = sa.select(Impersonation).where(
        Impersonation.staff_session_id == staff_session_id, Impersonation.ended_at.is_(None)
    )
    return list(db.session.scalars(statement))


def _forget_sessions(impersonation_ids: list[int]) -> None:
    if impersonation_ids:
        db.session.execute(sa.delete(Session).where(Session.impersonation_id.in_(impersonation_ids)))


def _staff_session_lives(impersonation: Impersonation, now: datetime, idle: timedelta) -> bool:
    """Whether the session lives that the stay began in; a later one may have got the same id."""
    statement = sa.select(Session.id).where(
        Session.id == impersonation.staff_session_id,
        Session.kind == SessionKind.STAFF,
        Session.staff_id == impersonation.staff_id,
        Session.created_at <= impersonation.started_at,
        Session.expires_at > now,
        Session.seen_at > now - idle,
    )
    return db.session.execute(statement).first() is not None


def _end(impersonation: Impersonation, why: str, now: datetime) -> bool:
    """Mark the stay as over, once: of two who end it at the same time one is told True."""
    statement = (
        sa.update(Impersonation)
        .where(Impersonation.id == impersonation.id, Impersonation.ended_at.is_(None))
        .values(ended_at=now, end_reason=why)
        .returning(Impersonation.id)
        .execution_options(synchronize_session=False)
    )
    won = db.session.execute(statement).first() is not None
    db.session.expire(impersonation, ["ended_at", "end_reason"])
    return won


def _record(action: str, impersonation: Impersonation, **after: object) -> None:
    audit.record(
        action,
        module="clients",
        record_id=impersonation.client_id,
        client_id=impersonation.client_id,
        after=after,
        by=actor_of(impersonation),
    )

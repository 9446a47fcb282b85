"""The queue of letters: who has which letter, and until when.

Workers share nothing but the database: a letter is claimed by an UPDATE that repeats what was seen, for as
long as a lease, and taken back when the lease is over.
"""

from __future__ import annotations

import random
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from extensions import db
from models import EmailStatus, Mailing, MailingRecipient, MailingStatus, OutboundEmail, RecipientOutcome
from operations import delivery_notes, desk_mark
from operations.bulk import among
from operations.mailing_start import BULK_PRIORITY

LEASE = timedelta(seconds=80)
# The last error of a letter that waits because the server cannot be reached, or refuses the login, begins so.
NO_CONNECTION = "no connection: "
# One number for all workers on one PostgreSQL: who counts letters against a limit counts alone.
RATE_LOCK = 4_801_733
# One in so many of the letters that a limit allows is kept from mailings, so that an answer need not wait for a minute.
RESERVED = 10

emails: Any = OutboundEmail.__table__
recipients: Any = MailingRecipient.__table__

OUTCOME = (
    sa.update(recipients)
    .where(recipients.c.mailing_id == sa.bindparam("mailing"), recipients.c.client_id == sa.bindparam("client"))
    .values(outcome=sa.bindparam("result"), reason=sa.bindparam("why"))
)


def claim(*, worker: str, limit: int, rates: tuple[int, int] = (0, 0), now: datetime) -> list[int]:
    """Make up to `limit` due letters this worker's until the lease is over; the ids, most urgent first.

    Letters of mailings come after all others, and of several mailings each gets its share. None while the desk is held.
    """
    used = _used_by_domain(now) if any(rates) else Counter[str]()
    ids = _claim_urgent(limit, rates, used, now)
    ids += _claim_of_mailings(limit - len(ids), tuple(rate - rate // RESERVED for rate in rates), used, now)
    if ids:
        connection = db.session.connection()
        connection.execute(
            sa.update(emails)
            .where(among(connection, emails.c.id, ids), emails.c.status == EmailStatus.QUEUED)
            .values(status=EmailStatus.SENDING, claimed_by=worker, lease_until=now + LEASE,
                    attempts=emails.c.attempts + 1)
        )  # fmt: skip
    db.session.commit()
    return ids


def _claim_urgent(limit: int, rates: tuple[int, ...], used: Counter[str], moment: datetime) -> list[int]:
    """The ids of letters that belong to no mailing; counts them as used."""
    urgency = (emails.c.priority, emails.c.next_attempt_at, emails.c.id)
    room, full = _room(rates, limit, used)
    return _within_domain_rate(
        _due(emails.c.priority < BULK_PRIORITY, room, full, moment, order=urgency), rates[1], used
    )


def _claim_of_mailings(limit: int, rates: tuple[int, ...], used: Counter[str], moment: datetime) -> list[int]:
    """The ids of letters of mailings, of each its share; counts them as used."""
    room, full = _room(rates, limit, used)
    running = list(db.session.scalars(sa.select(Mailing.id).where(Mailing.status == MailingStatus.SENDING)))
    random.shuffle(running)
    found: list[tuple[int, str]] = []
    for number, mailing_id in enumerate(running):
        share = -(-(room - len(found)) // (len(running) - number))
        found += _due(emails.c.mailing_id == mailing_id, share, full, moment)
    return _within_domain_rate(found, rates[1], used)


def take_back(*, now: datetime) -> int:
    """Queue again the letters whose worker has not been heard of in time; returns how many.

    Those of which it is noted that they were sent, are sent.
    """
    delivery_notes.settle_left(now=now)
    lapsed = list(
        db.session.scalars(
            sa.select(OutboundEmail.id)
            .where(OutboundEmail.status == EmailStatus.SENDING, OutboundEmail.lease_until < now)
            .with_for_update(skip_locked=True)
            .limit(10_000)
        )
    )
    if lapsed:
        db.session.execute(
            sa.update(OutboundEmail)
            .where(OutboundEmail.id.in_(lapsed))
            .values(status=EmailStatus.QUEUED, claimed_by="", lease_until=None, next_attempt_at=now)
        )
        cancel_what_is_left(lapsed)
    return len(lapsed)


def cancel_what_is_left(ids: list[int]) -> None:
    """Of letters just put back, cancel those whose mailing was cancelled meanwhile."""
    cancelled = sa.select(Mailing.id).where(Mailing.status == MailingStatus.CANCELLED)
    found = db.session.execute(
        sa.select(OutboundEmail.id, OutboundEmail.mailing_id, OutboundEmail.client_id).where(
            OutboundEmail.id.in_(ids), OutboundEmail.mailing_id.in_(cancelled)
        )
    ).all()
    for number, mailing_id, client_id in found:
        db.session.execute(
            sa.update(OutboundEmail).where(OutboundEmail.id == number).values(status=EmailStatus.CANCELLED)
        )
        outcome = {
            "mailing": mailing_id,
            "client": client_id,
            "result": RecipientOutcome.CANCELLED,
            "why": "",
        }
        db.session.execute(OUTCOME, outcome)


def _due(
    which: Any, limit: int, full: set[str], moment: datetime, *, order: tuple[Any, ...] = ()
) -> list[tuple[int, str]]:
    """(id, domain) of due letters of one sort, locked until the transaction ends; others' are passed over."""
    if limit <= 0:
        return []
    statement = (
        sa.select(emails.c.id, emails.c.domain)
        .where(emails.c.status == EmailStatus.QUEUED, emails.c.next_attempt_at <= moment, which, desk_mark.free())
        .order_by(*order)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    if full:
        statement = statement.where(emails.c.domain.not_in(full))
    return [(number, domain) for number, domain in db.session.execute(statement)]


def anything_due(moment: datetime) -> bool:
    sending = sa.select(Mailing.id).where(Mailing.status == MailingStatus.SENDING)
    due = sa.select(emails.c.id).where(
        emails.c.status == EmailStatus.QUEUED, emails.c.next_attempt_at <= moment, desk_mark.free()
    )
    only_read()
    found = any(
        db.session.scalar(due.where(which).limit(1)) is not None
        for which in (emails.c.priority < BULK_PRIORITY, emails.c.mailing_id.in_(sending))
    )
    db.session.rollback()
    return found


def anything_held_up() -> bool:
    """Whether a letter waits because the server could not be reached."""
    only_read()
    found = db.session.scalar(
        sa.select(emails.c.id)
        .where(emails.c.status == EmailStatus.QUEUED, emails.c.last_error.startswith(NO_CONNECTION), desk_mark.free())
        .limit(1)
    )
    db.session.rollback()
    return found is not None


def only_read() -> None:
    """Let the transaction that begins now not queue among those that write."""
    if not db.session().in_transaction():
        db.session.connection(execution_options={"reads_only": True})


def _room(rates: tuple[int, ...], limit: int, used: Counter[str]) -> tuple[int, set[str]]:
    """How many letters may be claimed now, and the domains that may get none, under the limits per minute."""
    room = min(limit, max(0, rates[0] - used.total())) if rates[0] else limit
    return room, {domain for domain, count in used.items() if rates[1] and count >= rates[1]}


def _used_by_domain(moment: datetime) -> Counter[str]:
    """Letters of the last minute, and those being sent, per domain; who counts them counts alone."""
    if db.session.get_bind().dialect.name == "postgresql":
        db.session.execute(sa.select(sa.func.pg_advisory_xact_lock(RATE_LOCK)))
    recent = (emails.c.sent_at > moment - timedelta(minutes=1)) | (emails.c.status == EmailStatus.SENDING)
    rows = db.session.execute(sa.select(emails.c.domain, sa.func.count()).where(recent).group_by(emails.c.domain))
    return Counter(dict(rows.all()))


def _within_domain_rate(found: list[tuple[int, str]], rate: int, used: Counter[str]) -> list[int]:
    """The ids of those that the limit of their domain allows; counts them as used."""
    ids = []
    for number, domain in found:
        if not rate or used[domain] < rate:
            used[domain] += 1
            ids.append(number)
    return ids


def hasten(moment: datetime) -> None:
    """The server answers again: what waited for that alone is due at once."""
    db.session.execute(
        sa.update(OutboundEmail)
        .where(OutboundEmail.status == EmailStatus.QUEUED, OutboundEmail.next_attempt_at > moment,
               OutboundEmail.last_error.startswith(NO_CONNECTION))
        .values(next_attempt_at=moment)
    )  # fmt: skip
    db.session.commit()

"""Telling a sender that his letter was not taken: politely, rarely, and only where a setting says so."""

from __future__ import annotations

from datetime import datetime, timedelta

import sqlalchemy as sa

from extensions import db
from models import Client, InboundEmail, InboundOutcome, Language, Project, Staff
from operations import inbound_outcomes as why
from operations import letters, settings
from operations.errors import OperationRefused

# An address gets one such letter in so long, whatever it sends.
ONCE_IN = timedelta(days=1)


def tell(row: InboundEmail, *, now: datetime) -> bool:
    """Queue a letter that says why `row` was not taken, if that is to be told; whether it was.

    Nobody is told of what no person wrote. Where strangers are not told, only addresses are that the desk knows, for
    any other may have been made up to have us write to somebody.
    """
    if row.outcome is not InboundOutcome.REFUSED or row.reason not in why.TOLD or not row.sender:
        return False
    who = settings.get("inbound_notices")
    if who == "nobody" or (who == "known" and row.reason not in why.FROM_KNOWN) or _was_told(row, now):
        return False
    client = db.session.get(Client, row.client_id) if row.client_id else None
    project = client.project if client else _project_of(row)
    if project is None:
        return False
    try:
        letters.queue(
            template="inbound_not_taken",
            to=row.sender,
            language=_language(row, client, project).value,
            context={"subject": row.subject, "reason": row.reason, "answers": row.message_id},
            project=project,
            now=now,
        )
    except OperationRefused:
        return False
    row.told_at = now
    return True


def _was_told(row: InboundEmail, now: datetime) -> bool:
    told = sa.select(InboundEmail.id).where(
        InboundEmail.sender == row.sender, InboundEmail.told_at > now - ONCE_IN, InboundEmail.id != row.id
    )
    return row.told_at is not None or db.session.scalar(told.limit(1)) is not None


def _project_of(row: InboundEmail) -> Project | None:
    """The project whose address the letter was sent to, else the first."""
    addressed = [address.strip().lower() for address in f"{row.envelope_to},{row.recipients}".split(",")]
    projects = list(db.session.scalars(sa.select(Project).where(Project.is_active).order_by(Project.id)))
    named = [one for one in projects if one.support_email and one.support_email.lower() in addressed]
    return next(iter([*named, *projects]), None)


def _language(row: InboundEmail, client: Client | None, project: Project) -> Language:
    if row.reason == why.STAFF:
        staff = db.session.scalar(
            sa.select(Staff).where(Staff.is_active, sa.func.lower(Staff.email) == row.sender.lower()).limit(1)
        )
        if staff is not None:
            return staff.language
    return client.language if client else project.default_language


def words(reason: str) -> str:
    """What the sender is told, in the language of the moment."""
    return str(why.TOLD.get(reason, ""))

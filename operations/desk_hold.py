"""What waits while the desk is held, and how staff let it go on (how it comes to be held is in operations/desk_mark.py)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from flask_babel import gettext as _

from extensions import db, rows_changed
from models import (
    Client,
    DeliveryNote,
    DeskHold,
    EmailStatus,
    HoldReason,
    InboundEmail,
    InboundOutcome,
    Mailing,
    MailingRecipient,
    MailingStatus,
    OutboundEmail,
    RecipientOutcome,
    Service,
    ServiceStatus,
    Staff,
    TripReason,
    Violation,
    ViolationStatus,
)
from operations import audit, breaker, desk_mark, erasing, features, violation_clock, violations
from operations.errors import OperationRefused

MAILINGS_SHOWN = 50


@dataclass(frozen=True)
class Waiting:
    """How much would be done at once if the desk went on, and of that how much may have been done already (`old_…`).

    `kinds` are the letters by template, with "" for those of mailings.
    """

    letters: int
    old_letters: int
    mailings: int
    old_mailings: int
    recipients: int
    deadlines: int
    services: int
    reminders: int
    incoming: int
    erasures: int
    kinds: dict[str, int] = field(default_factory=dict)

    @property
    def figures(self) -> str:
        """All numbers as one text, by which a confirmation says what was seen."""
        return "-".join(str(getattr(self, one.name)) for one in fields(self) if one.name != "kinds")

    def by_name(self) -> dict[str, int]:
        return {one.name: getattr(self, one.name) for one in fields(self) if one.name != "kinds"}


def current() -> DeskHold | None:
    """The hold that is open now."""
    return db.session.scalar(sa.select(DeskHold).where(DeskHold.is_open))


def in_words(hold: DeskHold) -> str:
    """Why nothing is done by itself."""
    if hold.reason is HoldReason.OLDER:
        return _("The database is older than the files beside it: a copy was put back.")
    if hold.reason is HoldReason.COPIED:
        return _("The files (DATA_DIR) are a copy, or were moved to another disk.")
    if hold.reason is HoldReason.UNKNOWN:
        return _("The files (DATA_DIR) do not know this database: it is a clone, or one of the two was moved.")
    return _("It was held by hand (flask hold).")


# What waits


def waiting(hold: DeskHold, *, until: datetime) -> Waiting:
    """What waits, without what has come since `until`."""
    kinds = dict(
        db.session.execute(
            sa.select(OutboundEmail.template, sa.func.count())
            .where(_letters(), OutboundEmail.created_at <= until)
            .group_by(OutboundEmail.template)
            .order_by(sa.func.count().desc(), OutboundEmail.template)
        ).all()
    )
    due = sa.and_(_due(until), Violation.created_at <= until)
    is_on = features.abuse_handling()
    return Waiting(
        kinds=kinds,
        letters=sum(kinds.values()),
        old_letters=_count(OutboundEmail, _old_letters(hold)),
        mailings=_count(Mailing, _mailings(), Mailing.created_at <= until),
        old_mailings=_count(Mailing, _old_mailings(hold)),
        recipients=_count(
            MailingRecipient,
            MailingRecipient.mailing_id.in_(sa.select(Mailing.id).where(_mailings(), Mailing.created_at <= until)),
            MailingRecipient.outcome == RecipientOutcome.QUEUED,
        ),
        deadlines=_count(Violation, due) if is_on else 0,
        services=_count(Service, _stopped_by(due)) if is_on else 0,
        reminders=_count(Violation, _reminders(until)) if is_on else 0,
        incoming=_count(
            InboundEmail, InboundEmail.outcome == InboundOutcome.WAITING, InboundEmail.received_at <= until
        ),
        erasures=_count(Client, erasing.is_due(until)) + len(erasing.missing()),
    )


def mailings(until: datetime) -> list[tuple[Mailing, int]]:
    """The mailings that are scheduled or under way, with the recipients that each has left; the first of them."""
    left = (
        sa.select(sa.func.count())
        .where(MailingRecipient.mailing_id == Mailing.id, MailingRecipient.outcome == RecipientOutcome.QUEUED)
        .scalar_subquery()
    )
    rows = sa.select(Mailing, left).where(_mailings(), Mailing.created_at <= until)
    return [(one, count) for one, count in db.session.execute(rows.order_by(Mailing.starts_at).limit(MAILINGS_SHOWN))]


def _count(model: Any, *which: Any) -> int:
    return db.session.scalar(sa.select(sa.func.count()).select_from(model).where(*which)) or 0


def _letters() -> Any:
    """Letters that would leave: queued, or left by a worker that is gone; not those of mailings that do not go on."""
    noted = sa.exists().where(DeliveryNote.letter_id == OutboundEmail.id)
    goes_on = sa.select(Mailing.id).where(Mailing.status == MailingStatus.SENDING)
    return sa.and_(
        OutboundEmail.status.in_([EmailStatus.QUEUED, EmailStatus.SENDING]),
        sa.or_(OutboundEmail.mailing_id.is_(None), OutboundEmail.template != "", OutboundEmail.mailing_id.in_(goes_on)),
        ~noted,
    )


def _old_letters(hold: DeskHold) -> Any:
    return sa.and_(_letters(), OutboundEmail.created_at <= hold.before)


def _mailings() -> Any:
    return Mailing.status.in_([MailingStatus.SCHEDULED, MailingStatus.SENDING])


def _old_mailings(hold: DeskHold) -> Any:
    """Mailings that would have begun by then, or had."""
    return sa.and_(_mailings(), Mailing.starts_at <= hold.before, Mailing.created_at <= hold.before)


def _due(moment: datetime) -> Any:
    """Violations that would be carried out; those that the breaker holds need its own confirmation."""
    return sa.and_(violation_clock.is_due(moment), Violation.held_at.is_(None))


def _reminders(until: datetime) -> Any:
    return sa.and_(Violation.status == ViolationStatus.OPEN, Violation.remind_at <= until, Violation.deadline > until)


def _stopped_by(due: Any) -> Any:
    """The active services that violations would stop."""
    over_limit = sa.and_(Violation.limit_crossed_at.is_not(None), Violation.limit_executed_at.is_(None))
    of_it = sa.or_(over_limit, Violation.service_id.is_(None), Violation.service_id == Service.id)
    stops = sa.or_(over_limit, Violation.action.in_(violations.STOPS))
    stopped = sa.exists().where(Violation.client_id == Service.client_id, due, stops, of_it)
    return sa.and_(Service.status == ServiceStatus.ACTIVE, stopped)


# Going on


def hold_by_hand(*, now: datetime) -> DeskHold:
    """Hold the desk. Refuses when it is held already."""
    made = desk_mark.hold(HoldReason.HAND, before=now, now=now)
    if made is None:
        raise OperationRefused(_("The desk is held already."))
    return made


def release(hold_id: int, *, figures: str, until: datetime, drop: bool, by: Staff | None, now: datetime) -> Waiting:
    """Let the desk go on. With `drop`, what has probably been done already is not done again (`_drop`).

    `figures` are those that the confirming person has seen, as they were at `until`. Refused when they are others by
    now, and when somebody else has released it. The files in DATA_DIR know the database from here on.
    """
    hold = db.session.scalar(
        sa.select(DeskHold).where(DeskHold.id == hold_id, DeskHold.is_open).with_for_update(of=DeskHold)
    )
    if hold is None:
        raise OperationRefused(_("The desk is not held any more: a colleague was quicker."))
    found = waiting(hold, until=until)
    if found.figures != figures:
        raise OperationRefused(_("What waits has changed meanwhile. Look at it again, then confirm."))
    dropped = _drop(hold, now=now) if drop else {}
    hold.is_open, hold.released_at, hold.is_dropped = False, now, drop
    hold.released_by_id = by.id if by else None
    db.session.flush()
    said = {"reason": hold.reason, "waiting": found.by_name(), **({"dropped": dropped} if drop else {})}
    audit.record("release_desk", module="settings", after=said)
    try:
        desk_mark.renew(now=now)
    except OSError as error:
        raise OperationRefused(
            _("DATA_DIR cannot be written to: %(error)s", error=error.strerror or str(error))
        ) from error
    return found


def _drop(hold: DeskHold, *, now: datetime) -> dict[str, int]:
    """Do not do again what the original has probably done after this copy was made; how much of each.

    Letters and mailings from before are cancelled, reminders are left out, and deadlines that have passed wait for the
    list of the breaker: whether a client has answered since, this copy cannot know.
    """
    old = list(db.session.scalars(sa.select(Mailing.id).where(_old_mailings(hold)).with_for_update(of=Mailing)))
    letters = rows_changed(
        sa.update(OutboundEmail)
        .where(_old_letters(hold))
        .values(status=EmailStatus.CANCELLED, claimed_by="", lease_until=None)
    )
    _cancel_recipients(old)
    rows_changed(
        sa.update(Mailing)
        .where(Mailing.id.in_(old))
        .values(status=MailingStatus.CANCELLED, finished_at=now, row_version=Mailing.row_version + 1)
    )
    nobody = sa.cast(sa.null(), sa.Integer)
    audit.record_many("cancel", module="mailings", rows=sa.select(Mailing.id, nobody).where(Mailing.id.in_(old)))
    return {"letters": letters, "mailings": len(old), **_drop_deadlines(hold, now=now)}


def _cancel_recipients(mailing_ids: list[int]) -> None:
    """Whoever has not got a letter of these mailings gets none."""
    rows_changed(
        sa.update(MailingRecipient)
        .where(MailingRecipient.mailing_id.in_(mailing_ids), MailingRecipient.outcome == RecipientOutcome.QUEUED)
        .values(outcome=RecipientOutcome.CANCELLED, reason="")
    )


def _drop_deadlines(hold: DeskHold, *, now: datetime) -> dict[str, int]:
    if not features.abuse_handling():
        return {}
    reminders = rows_changed(
        sa.update(Violation)
        .where(_reminders(hold.before))
        .values(remind_at=None, row_version=Violation.row_version + 1)
    )
    due = _due(now)
    clients = db.session.scalar(sa.select(sa.func.count(sa.distinct(Violation.client_id))).where(due)) or 0
    if not clients:
        return {"reminders": reminders, "deadlines": 0}
    breaker.trip(TripReason.COPY, clients=clients, now=now)
    # What staff had released when the copy was made is asked about anew.
    rows_changed(sa.update(Violation).where(due, Violation.released_at.is_not(None)).values(released_at=None))
    return {"reminders": reminders, "deadlines": breaker.hold(due, now=now)}


# On the command line

WORDS = {
    "letters": "letters", "mailings": "mailings scheduled or under way", "recipients": "recipients of these left",
    "deadlines": "violations whose deadline has passed", "services": "services that they would stop",
    "reminders": "reminders of violations", "incoming": "letters that came in", "erasures": "clients to be erased",
    "old_letters": "letters from before", "old_mailings": "mailings from before",
}  # fmt: skip


def run_command(*, yes: bool, drop: bool, now: datetime, echo: Callable[[str], object]) -> int:
    """Say why the desk is held and what waits; with `yes` let it go on, and commit. The exit code."""
    found = current()
    if found is None:
        echo("The desk is not held.")
        return 0
    what = waiting(found, until=now)
    echo(f"Held since {found.held_at:%Y-%m-%d %H:%M} UTC. {in_words(found)}")
    for name, count in what.by_name().items():
        echo(f"  {WORDS[name]}{f' {found.before:%Y-%m-%d %H:%M} UTC' if name.startswith('old') else ''}: {count}")
    for template, count in what.kinds.items():
        echo(f"  letters, {template or 'mailing'}: {count}")
    if not yes:
        echo("Nothing is released. «release --yes» does all of it; «release --drop --yes» cancels what is from before.")
        return 1
    try:
        release(found.id, figures=what.figures, until=now, drop=drop, by=None, now=now)
        db.session.commit()
    except OperationRefused as refusal:
        db.session.rollback()
        echo(refusal.message)
        return 1
    echo("Released. Workers take up what waited within seconds.")
    return 0

"""Messages to many: confirming one, and what can be done to it until it has been sent.

What is sent, and to whom, is fixed at the confirmation. The sending itself is operations/mailing_start.py,
the letters operations/delivery.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from flask_babel import gettext as _

from extensions import db
from models import (
    Client,
    EmailStatus,
    Mailing,
    MailingRecipient,
    MailingStatus,
    OutboundEmail,
    RecipientOutcome,
    Selection,
    Service,
    Staff,
)
from operations import attachments, audit, features, mailing_pausing, mailing_plan, violations
from operations.attachments import StoredFile
from operations.errors import OperationRefused
from operations.mailing_plan import WITHOUT_LETTER, Draft

UNDER_WAY = (MailingStatus.SENDING, MailingStatus.PAUSED)


def create(
    *,
    by: Staff,
    draft: Draft,
    clients: sa.Select[Any],
    selection: Selection,
    starts_at: datetime,
    description: str = "",
    files: Sequence[StoredFile] = (),
    idempotency_key: str | None = None,
    now: datetime,
) -> Mailing:
    """Confirm a message: freeze its text and its recipients; it starts at `starts_at`.

    `clients` selects the ids of the living clients that `selection` means. Adds the mailing, a row for each
    client whether he gets it or not, and its files. Refuses a message with problems (at the first field),
    one that nobody would get, and parameters of a violation that are out of bounds.
    """
    for name, message in mailing_plan.problems(draft).items():
        raise OperationRefused(message, field=name)
    if draft.violation is not None:
        _refuse_bad_violation(draft, clients, starts_at=starts_at, now=now)
    mailing = Mailing(
        subject={code: draft.subject[code] for code in draft.languages},
        text={code: draft.text[code] for code in draft.languages},
        category=draft.category,
        selection_id=selection.id,
        staff_id=by.id,
        forbid_replies=draft.forbid_replies,
        move_to_sender=draft.move_to_sender and not draft.forbid_replies,
        strict_language=draft.strict_language,
        send_email=draft.send_email,
        attach_to_email=draft.attach_to_email,
        is_violation=draft.violation is not None,
        violation_parameters=draft.violation.kept(starts_at=starts_at) if draft.violation else {},
        starts_at=starts_at,
        created_at=now,
        filter_description=description,
        idempotency_key=idempotency_key,
    )
    db.session.add(mailing)
    db.session.flush()
    mailing.recipients_count = _freeze(mailing, draft, clients, selection)
    attachments.attach(files, mailing=mailing)
    selection.used_at = now
    db.session.flush()
    return mailing


def _refuse_bad_violation(draft: Draft, clients: sa.Select[Any], *, starts_at: datetime, now: datetime) -> None:
    wanted = draft.violation
    assert wanted is not None
    if not features.abuse_handling():
        raise OperationRefused(_("The handling of abuse is switched off."), field="violation")
    if draft.category is not None and draft.category.is_news:
        raise OperationRefused(
            _("News can be unsubscribed from, a violation cannot. Choose another category."), field="category"
        )
    if draft.forbid_replies:
        raise OperationRefused(_("A violation asks for an answer, so replies cannot be forbidden."), field="violation")
    violations.refuse_bad(wanted, starts_at=starts_at, now=now)
    if wanted.service_id is not None:
        named = violations.active_services(clients).where(Service.id == wanted.service_id)
        if db.session.scalar(named) is None:
            raise OperationRefused(_("Choose the service that is to be stopped."), field="service")


def _freeze(mailing: Mailing, draft: Draft, clients: sa.Select[Any], selection: Selection) -> int:
    """Write down every client of the selection with his language and, if he is left out, why; count them."""
    rows = mailing_plan.recipients(draft, clients).subquery()
    _insert_recipients(
        sa.select(
            sa.literal(mailing.id),
            rows.c.client_id,
            rows.c.user_id,
            rows.c.language,
            mailing_plan.outcome_of(rows.c.reason),
            rows.c.reason,
        ).order_by(rows.c.client_id)
    )
    if selection.ids is not None:
        _insert_recipients(
            sa.select(
                sa.literal(mailing.id),
                Client.id,
                sa.null(),
                Client.language,
                sa.literal(RecipientOutcome.SKIPPED.value),
                sa.literal("deleted"),
            ).where(Client.id.in_(mailing_plan.deleted_in(selection)))
        )
    counted = db.session.execute(
        sa.select(sa.func.count(), sa.func.count(sa.case((_gets_it(), 1)))).where(
            MailingRecipient.mailing_id == mailing.id
        )
    ).one()
    if not counted[1]:
        raise OperationRefused(_("Nobody would get this message."))
    return int(counted[0])


def _insert_recipients(rows: Any) -> None:
    names = ["mailing_id", "client_id", "user_id", "language", "outcome", "reason"]
    db.session.execute(sa.insert(MailingRecipient).from_select(names, rows, include_defaults=False))


def _gets_it() -> sa.ColumnElement[bool]:
    """Whether a recipient gets the message, by letter or in the panel alone."""
    queued = MailingRecipient.outcome == RecipientOutcome.QUEUED
    return queued | MailingRecipient.reason.in_(WITHOUT_LETTER)


def progress(mailing: Mailing) -> dict[str, Any]:
    """The figures of a mailing. Each recipient counts once; `queued` includes letters just being sent."""
    counts = dict(
        db.session.execute(
            sa.select(MailingRecipient.outcome, sa.func.count())
            .where(MailingRecipient.mailing_id == mailing.id)
            .group_by(MailingRecipient.outcome)
        ).all()
    )
    queued = counts.get(RecipientOutcome.QUEUED, 0)
    done = mailing.status is MailingStatus.SENDING and not queued
    return {
        "status": (MailingStatus.SENT if done else mailing.status).value,
        "recipients": sum(counts.values()),
        **{outcome.value: counts.get(outcome, 0) for outcome in RecipientOutcome},
    }


def call_back(mailing: Mailing) -> None:
    """Take a mailing back before it has started: nothing of it will reach anybody. Refuses a started one."""
    _lock(mailing)
    if mailing.status is not MailingStatus.SCHEDULED:
        raise OperationRefused(_("It cannot be called back: the sending has begun."))
    mailing.status = MailingStatus.CANCELLED
    _set_outcomes(mailing, RecipientOutcome.QUEUED, RecipientOutcome.CANCELLED)
    db.session.flush()


def pause(mailing: Mailing) -> None:
    """Hold back the letters that are not being sent yet. Refuses a mailing that is not being sent."""
    _change(mailing, (MailingStatus.SENDING,), MailingStatus.PAUSED)


def resume(mailing: Mailing) -> None:
    """Go on with a paused mailing."""
    _change(mailing, (MailingStatus.PAUSED,), MailingStatus.SENDING)
    mailing_pausing.forget(mailing)
    db.session.flush()


def cancel(mailing: Mailing, *, now: datetime) -> None:
    """Send no more letters of a mailing; those already handed over cannot be had back, tickets stay."""
    _change(mailing, UNDER_WAY, MailingStatus.CANCELLED)
    mailing.finished_at = now
    _set_letters(mailing, EmailStatus.QUEUED, status=EmailStatus.CANCELLED)
    _set_outcomes(mailing, RecipientOutcome.QUEUED, RecipientOutcome.CANCELLED, letters=EmailStatus.CANCELLED)
    db.session.flush()


def retry_failed(mailing: Mailing, *, now: datetime) -> int:
    """Queue again the letters that have failed, with a fresh count of attempts; returns how many."""
    _lock(mailing)
    if mailing.status not in {*UNDER_WAY, MailingStatus.SENT}:
        raise OperationRefused(_("There is nothing to try again."))
    _take_new_addresses(mailing)
    count = _set_letters(
        mailing, EmailStatus.FAILED, status=EmailStatus.QUEUED, attempts=0, next_attempt_at=now, last_error=""
    )
    if not count:
        raise OperationRefused(_("There is nothing to try again."))
    _set_outcomes(mailing, RecipientOutcome.FAILED, RecipientOutcome.QUEUED)
    audit.record("retry", module="mailings", record_id=mailing.id, after={"letters": count})
    if mailing.status is MailingStatus.SENT:
        mailing.status, mailing.finished_at = MailingStatus.SENDING, None
    db.session.flush()
    return count


def _take_new_addresses(mailing: Mailing) -> None:
    """Have the failed letters of a mailing go to the addresses that their clients have by now."""
    failed = sa.and_(
        OutboundEmail.mailing_id == mailing.id, OutboundEmail.status == EmailStatus.FAILED, OutboundEmail.template == ""
    )
    changed = sa.select(OutboundEmail, Client.email).join(Client, Client.id == OutboundEmail.client_id)
    for letter, address in db.session.execute(
        changed.where(failed, Client.email != "", Client.email != OutboundEmail.recipient)
    ):
        letter.recipient, letter.domain = address, address.rpartition("@")[2].lower()
    db.session.flush()


def finish(*, now: datetime) -> int:
    """Note as sent the mailings of which nothing is queued any more; returns how many."""
    waiting = sa.exists().where(
        MailingRecipient.mailing_id == Mailing.id, MailingRecipient.outcome == RecipientOutcome.QUEUED
    )
    done = db.session.scalars(
        sa.select(Mailing)
        .where(Mailing.status == MailingStatus.SENDING, ~waiting)
        .with_for_update(skip_locked=True, of=Mailing)
    ).all()
    for mailing in done:
        mailing.status, mailing.finished_at = MailingStatus.SENT, now
    db.session.flush()
    return len(done)


def _change(mailing: Mailing, allowed: tuple[MailingStatus, ...], wanted: MailingStatus) -> None:
    _lock(mailing)
    if mailing.status not in allowed:
        raise OperationRefused(
            _("This cannot be done: the mailing is «%(status)s».", status=str(mailing.status.label).lower())
        )
    mailing.status = wanted
    db.session.flush()


def _lock(mailing: Mailing) -> None:
    """Read the mailing again and keep others from changing it until the end of the transaction."""
    db.session.refresh(mailing, with_for_update={"of": Mailing})


def _set_letters(mailing: Mailing, having: EmailStatus, **values: Any) -> int:
    done = db.session.execute(
        sa.update(OutboundEmail)
        .where(
            OutboundEmail.mailing_id == mailing.id,
            OutboundEmail.status == having,
            OutboundEmail.template == "",
        )
        .values(**values)
    )
    return int(done.rowcount)  # type: ignore[attr-defined]


def _set_outcomes(
    mailing: Mailing,
    having: RecipientOutcome,
    outcome: RecipientOutcome,
    *,
    letters: EmailStatus | None = None,
) -> None:
    """Change an outcome; with `letters`, of those alone whose letter has that status."""
    statement = sa.update(MailingRecipient).where(
        MailingRecipient.mailing_id == mailing.id, MailingRecipient.outcome == having
    )
    if letters is not None:
        statement = statement.where(
            MailingRecipient.client_id.in_(
                sa.select(OutboundEmail.client_id).where(
                    OutboundEmail.mailing_id == mailing.id,
                    OutboundEmail.status == letters,
                    OutboundEmail.template == "",
                )
            )
        )
    db.session.execute(statement.values(outcome=outcome, reason=""))

"""Letters that came in: each becomes an answer or a ticket, or it is said why not. Each is handled exactly once.

A worker claims a letter for a while, takes it apart, and does all that follows from it in one transaction, which
begins by looking whether the letter still waits. What fails is tried again, some times; then it waits for staff.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from flask_babel import force_locale
from flask_babel import gettext as _

from extensions import db, rows_changed
from models import Client, InboundEmail, InboundOutcome, MessageLetter, Staff, Ticket, TicketCategory, TicketMessage
from operations import (
    attachments,
    audit,
    desk_mark,
    inbound_bounces,
    inbound_matching,
    inbound_notices,
    inbound_parsing,
    inbound_quotes,
    inbound_store,
    profiles,
    settings,
    tickets,
    unsubscribing,
)
from operations import inbound_outcomes as why
from operations.bulk import among
from operations.errors import OperationRefused
from operations.inbound_files import Files
from operations.inbound_outcomes import NotTaken
from operations.inbound_parsing import Letter
from operations.inbound_quotes import Parted

log = logging.getLogger("clientdesk.inbound")

# How long a worker has a letter that it handles; one that died is tried again by another then.
LEASE = timedelta(minutes=5)
# Pauses after failures, in minutes; after the last one it waits for staff.
PAUSES = (1, 5, 30)
CLAIMED_AT_ONCE = 20
# So many files that could not be kept are named.
MOST_NAMED = 50
# Letters of one address are handled one after the other; this tells its locks from others (PostgreSQL).
SENDER_LOCK = 4_801_734


def claim(*, now: datetime, limit: int = CLAIMED_AT_ONCE) -> list[int]:
    """Make up to `limit` waiting letters this worker's for a while, and commit; the ids, oldest first."""
    due = (
        sa.select(InboundEmail.id)
        .where(InboundEmail.outcome == InboundOutcome.WAITING, InboundEmail.next_attempt_at <= now, desk_mark.free())
        .order_by(InboundEmail.next_attempt_at, InboundEmail.id)
        .limit(limit)
    )
    ids = sorted(db.session.scalars(due.with_for_update(skip_locked=True)))
    if ids:
        taken = sa.update(InboundEmail).where(InboundEmail.id.in_(ids))
        rows_changed(taken.values(attempts=InboundEmail.attempts + 1, next_attempt_at=now + LEASE))
    db.session.commit()
    return ids


def handle(number: int, *, now: datetime) -> InboundOutcome | None:
    """Do what follows from a claimed letter, and commit; None where another has done it.

    Nothing that a letter contains raises: what fails is noted on it, and the others go on.
    """
    try:
        return _handle(number, now=now)
    except Exception as error:
        # Whatever is wrong with this letter, the others must be handled.
        log.exception("letter %s that came in cannot be handled", number)
        db.session.rollback()
        return _note_failure(number, error, now=now)


def _handle(number: int, *, now: datetime) -> InboundOutcome | None:
    db.session.rollback()
    db.session.connection(execution_options={"reads_only": True})
    stored_name = db.session.scalar(sa.select(InboundEmail.stored_name).where(InboundEmail.id == number))
    # Nothing is locked while the letter is taken apart, however long that takes.
    db.session.rollback()
    files = Files()
    letter = _taken_apart(stored_name or "", files)
    _lock_sender(letter.head.sender)
    row = _still_waiting(number)
    if row is None:
        db.session.rollback()
        files.drop()
        return None
    _settle(row, letter, files, now=now)
    db.session.commit()
    if row.ticket_message_id is None:
        files.drop()
    return row.outcome


def _settle(row: InboundEmail, letter: Letter, files: Files, *, now: datetime) -> None:
    """All that follows from the letter: a message, a note on a letter of ours, or the reason why not."""
    row.error, row.handled_at = "", now
    try:
        if not _note_bounce(row, letter) and not _unsubscribe(row, letter, now=now):
            _write(row, letter, files, now=now)
    except NotTaken as refused:
        # It is raised before anything is written.
        row.outcome = InboundOutcome.IGNORED if refused.is_ignored else InboundOutcome.REFUSED
        row.reason = refused.reason
        inbound_notices.tell(row, now=now)
    db.session.flush()


def _note_bounce(row: InboundEmail, letter: Letter) -> bool:
    bounce = inbound_bounces.read(letter)
    returned = inbound_bounces.note(bounce) if bounce is not None else None
    if bounce is None or returned is None:
        return False
    row.outcome, row.reason, row.error = InboundOutcome.BOUNCED, "", bounce.reason
    row.client_id, row.ticket_id = returned.client_id, returned.ticket_id
    return True


def _unsubscribe(row: InboundEmail, letter: Letter, *, now: datetime) -> bool:
    """Whoever has the token may do it, as by the link; mail programs send such letters for their users."""
    client = unsubscribing.client_in(letter.head.subject)
    if client is None:
        return False
    unsubscribing.unsubscribe(client, source="letter", now=now)
    row.outcome, row.reason, row.client_id = InboundOutcome.IGNORED, why.UNSUBSCRIBED, client.id
    return True


def _write(row: InboundEmail, letter: Letter, files: Files, *, now: datetime) -> None:
    inbound_matching.refuse_machines(letter.head, row)
    _refuse_second_copy(row, letter)
    if not letter.text.strip() and not files.stored and not letter.left_out:
        raise NotTaken(why.EMPTY, is_ignored=True)
    may_open = settings.get("inbound_without_ticket") == "ticket"
    match = inbound_matching.find(letter.head, row, may_open=may_open)
    _refuse_too_many(row, now)
    files.drop_beyond(attachments.room_of(match.user.client_id), letter)
    with audit.acting(audit.actor_of(None, match.user)), force_locale(match.user.client.language.value):
        try:
            if match.ticket is not None:
                parted = inbound_quotes.part(letter.text)
                message = tickets.reply(
                    match.ticket, text=_text_of(parted.fresh), by=match.user, files=files.stored, now=now
                )
                _keep_rest(message, row, letter, parted)
                # What the client writes himself is not news to him.
                profiles.mark_read(match.ticket, now=now)
                row.outcome = InboundOutcome.ANSWERED
            else:
                message = _open(row, letter, files, client=match.user.client, category=category(), now=now)
                row.outcome = InboundOutcome.NEW_TICKET
        except tickets.RepliesForbidden:
            raise NotTaken(why.REPLIES_FORBIDDEN) from None
    _mark_done(row, letter, message)


def _open(
    row: InboundEmail, letter: Letter, files: Files, *, client: Client, category: TicketCategory, now: datetime
) -> TicketMessage:
    """Open a ticket of the letter, in the name of the client's user with its address, else of the owner."""
    users = [user for user in client.users if (user.email or "") == row.sender.lower()]
    by = users[0] if users else client.owner
    if by is None:
        raise NotTaken(why.NO_USER)
    parted = inbound_quotes.part(letter.text)
    subject = " ".join(row.subject.split())[: tickets.LONGEST_SUBJECT].strip()
    ticket = tickets.open_ticket(
        client=client,
        category=category,
        subject=subject or _("(no subject)"),
        text=_text_of(parted.fresh),
        by=by,
        files=files.stored,
        now=now,
    )
    message = db.session.scalars(sa.select(TicketMessage).where(TicketMessage.ticket_id == ticket.id)).one()
    _keep_rest(message, row, letter, parted)
    return message


def _keep_rest(message: TicketMessage, row: InboundEmail, letter: Letter, parted: Parted) -> None:
    """Keep beside the message what was quoted, and the names of files that could not be kept."""
    quoted = parted.quoted
    if letter.is_cut or len(parted.fresh) > tickets.LONGEST_TEXT:
        quoted = "\n\n".join(filter(None, [quoted, _("The letter was longer; staff have all of it.")]))
    names = [attachments.clean_name(name)[:120] or "?" for name in letter.left_out[:MOST_NAMED]]
    kept = MessageLetter(
        message_id=message.id, sender=row.sender, quoted=quoted[: tickets.LONGEST_TEXT], left_out=names
    )
    db.session.add(kept)
    db.session.flush()


def _mark_done(row: InboundEmail, letter: Letter, message: TicketMessage) -> None:
    row.ticket_message_id, row.ticket_id = message.id, message.ticket_id
    row.client_id = message.ticket.client_id
    # A second copy that staff take by hand all the same has nothing to keep others out with.
    row.reason, row.handled_once = "", None if _is_second_copy(row, letter) else _fingerprint(letter)


def _text_of(fresh: str) -> str:
    """The text of a message; a letter that has only files says so itself."""
    return fresh[: tickets.LONGEST_TEXT].strip() or _("(files only)")


def category() -> TicketCategory:
    """The category of tickets that letters open: the one set, or the first that clients can choose."""
    chosen = str(settings.get("inbound_category"))
    open_to_clients = tickets.category_for_clients()
    found = None
    if chosen.isascii() and chosen.isdigit():
        found = db.session.scalar(open_to_clients.where(TicketCategory.id == int(chosen)))
    found = found or db.session.scalar(open_to_clients.limit(1))
    if found is None:
        raise OperationRefused(_("There is no category in which clients can open tickets."))
    return found


# What staff do with a letter by hand


def make_ticket(row: InboundEmail, *, client: Client, category: TicketCategory, by: Staff, now: datetime) -> Ticket:
    """Make a letter that nobody could be found for a ticket of `client`. Refuses one that is a message already."""
    message = _by_hand(row, lambda letter, files: _open(row, letter, files, client=client, category=category, now=now))
    return _noted(row, message, InboundOutcome.NEW_TICKET, by, now)


def add_to_ticket(row: InboundEmail, *, by: Staff, now: datetime) -> Ticket:
    """Make a letter an answer in the ticket that it named. It is no reaction to a violation: staff decide that."""

    def write(letter: Letter, files: Files) -> TicketMessage:
        if row.ticket is None or row.ticket.client.owner is None:
            raise OperationRefused(_("This letter names no ticket."))
        parted = inbound_quotes.part(letter.text)
        message = tickets.reply(
            row.ticket,
            text=_text_of(parted.fresh),
            by=row.ticket.client.owner,
            files=files.stored,
            is_reaction=False,
            now=now,
        )
        _keep_rest(message, row, letter, parted)
        return message

    return _noted(row, _by_hand(row, write), InboundOutcome.ANSWERED, by, now)


def try_again(row: InboundEmail, *, now: datetime) -> None:
    """Have a worker handle the letter once more, as if it had come now. Refuses one that is a message already."""
    _refuse_settled(row)
    row.outcome, row.reason, row.error = InboundOutcome.WAITING, "", ""
    row.attempts, row.next_attempt_at, row.handled_at = 0, now, None
    audit.record("retry_letter", module="inbound", record_id=row.id, client_id=row.client_id)
    db.session.flush()


def put_aside(row: InboundEmail, *, now: datetime) -> None:
    """Note that staff have seen the letter and nothing need be done. Refuses one that is a message already."""
    _refuse_settled(row)
    row.outcome, row.reason, row.handled_at = InboundOutcome.IGNORED, why.BY_STAFF, now
    audit.record("put_aside", module="inbound", record_id=row.id, client_id=row.client_id)
    db.session.flush()


def put_aside_all(chosen: sa.Select[Any], *, now: datetime) -> int:
    """The same for the letters of these ids; those that were handled already are left alone. Returns how many."""
    still_open = InboundEmail.outcome.in_([InboundOutcome.REFUSED, InboundOutcome.FAILED])
    rows = sa.select(InboundEmail.id).where(InboundEmail.id.in_(chosen), still_open).order_by(InboundEmail.id)
    ids = db.session.scalars(rows.with_for_update(of=InboundEmail)).all()
    mine = among(db.session.connection(), InboundEmail.id, ids)
    audit.record_many(
        "put_aside", module="inbound", rows=sa.select(InboundEmail.id, InboundEmail.client_id).where(mine)
    )
    put = {"outcome": InboundOutcome.IGNORED, "reason": why.BY_STAFF, "handled_at": now}
    return rows_changed(sa.update(InboundEmail).where(mine).values(**put))


def _by_hand(row: InboundEmail, write: Callable[[Letter, Files], TicketMessage]) -> TicketMessage:
    files = Files()
    letter = _taken_apart(row.stored_name, files)
    _refuse_settled(row)
    try:
        message = write(letter, files)
    except NotTaken as refused:
        raise OperationRefused(why.label(refused.reason)) from None
    _mark_done(row, letter, message)
    return message


def _noted(row: InboundEmail, message: TicketMessage, outcome: InboundOutcome, by: Staff, now: datetime) -> Ticket:
    row.outcome, row.handled_at, row.error = outcome, now, ""
    audit.record(
        "assign_letter", module="inbound", record_id=row.id, client_id=row.client_id,
        after={"ticket": message.ticket_id, "staff": by.id},
    )  # fmt: skip
    db.session.flush()
    return message.ticket


def _refuse_settled(row: InboundEmail) -> None:
    """Hold the row until the transaction ends; refuse what is a message already, or is not kept any more."""
    db.session.refresh(row, with_for_update={"of": InboundEmail})
    if row.outcome in {InboundOutcome.ANSWERED, InboundOutcome.NEW_TICKET, InboundOutcome.BOUNCED}:
        raise OperationRefused(_("This letter was handled already."))
    if not row.stored_name:
        raise OperationRefused(_("This letter is not kept any more."))


# Parts of handling


def _taken_apart(stored_name: str, files: Files) -> Letter:
    raw = inbound_store.open_raw(stored_name)
    if raw is None:
        raise OperationRefused(_("This letter is not kept any more."))
    with raw:
        return inbound_parsing.read(
            raw,
            largest_file=attachments.LARGEST_FILE,
            directory=inbound_store.directory(),
            take_file=files.take,
        )


def _still_waiting(number: int) -> InboundEmail | None:
    return db.session.scalar(
        sa.select(InboundEmail)
        .where(InboundEmail.id == number, InboundEmail.outcome == InboundOutcome.WAITING)
        .with_for_update(of=InboundEmail)
    )


def _lock_sender(sender: str) -> None:
    """Have letters of one address wait for each other, so that what is counted of it is right."""
    if sender and db.session.get_bind().dialect.name == "postgresql":
        db.session.execute(sa.select(sa.func.pg_advisory_xact_lock(SENDER_LOCK, sa.func.hashtext(sender.lower()))))


def _fingerprint(letter: Letter) -> str | None:
    if not letter.head.message_id:
        return None
    return hashlib.sha256(f"{letter.head.sender}\n{letter.head.message_id}".encode()).hexdigest()


def _refuse_second_copy(row: InboundEmail, letter: Letter) -> None:
    """A letter to two of our addresses comes twice, and is one message."""
    if _is_second_copy(row, letter):
        raise NotTaken(why.TWICE, is_ignored=True)


def _is_second_copy(row: InboundEmail, letter: Letter) -> bool:
    mark = _fingerprint(letter)
    same = sa.select(InboundEmail.id).where(InboundEmail.handled_once == mark, InboundEmail.id != row.id)
    return mark is not None and db.session.scalar(same) is not None


def _refuse_too_many(row: InboundEmail, now: datetime) -> None:
    made = sa.select(sa.func.count()).where(
        InboundEmail.sender == row.sender,
        InboundEmail.received_at > now - timedelta(hours=1),
        InboundEmail.outcome.in_([InboundOutcome.ANSWERED, InboundOutcome.NEW_TICKET]),
    )
    if (db.session.scalar(made) or 0) >= settings.get("inbound_per_hour"):
        raise NotTaken(why.TOO_MANY)


def _note_failure(number: int, error: Exception, *, now: datetime) -> InboundOutcome | None:
    row = _still_waiting(number)
    if row is None:
        db.session.rollback()
        return None
    row.error = " ".join(f"{type(error).__name__}: {error}".split())[:500]
    if row.attempts > len(PAUSES):
        row.outcome, row.handled_at = InboundOutcome.FAILED, now
    else:
        row.next_attempt_at = now + timedelta(minutes=PAUSES[row.attempts - 1])
    db.session.commit()
    return row.outcome

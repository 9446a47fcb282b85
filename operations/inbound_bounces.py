"""Letters that say that one of ours could not be delivered (RFC 3464)."""

from __future__ import annotations

import re
from dataclasses import dataclass

import sqlalchemy as sa

from extensions import db
from models import EmailStatus, OutboundEmail, RecipientOutcome
from operations.inbound_charsets import header
from operations.inbound_parsing import Letter
from operations.letter_queue import OUTCOME

LONGEST_REASON = 400


@dataclass(frozen=True)
class Bounce:
    """What a report says: which letters it is about, for whom, and why it failed for good."""

    message_ids: tuple[str, ...]
    recipient: str
    reason: str


def read(letter: Letter) -> Bounce | None:
    """What the letter reports, if it is a report of a failure for good; of a delay or a delivery it is nothing."""
    said = "\n".join(text for kind, text in letter.reports if kind.endswith("delivery-status"))
    original = "\n".join(text for kind, text in letter.reports if not kind.endswith("delivery-status"))
    ids = re.findall(r"^Message-ID:\s{0,5}(<[^<>\s]{3,250}>)", original, re.IGNORECASE | re.MULTILINE)
    if not said or _field(said, "Action").lower() != "failed" or not ids:
        return None
    diagnosis = _field(said, "Diagnostic-Code").partition(";")[2].strip()
    reason = " ".join(filter(None, [_field(said, "Status"), diagnosis]))
    recipient = _field(said, "Original-Recipient") or _field(said, "Final-Recipient")
    return Bounce(tuple(ids[:1]), recipient.partition(";")[2].strip().strip("<>").lower(), reason[:LONGEST_REASON])


def note(bounce: Bounce) -> OutboundEmail | None:
    """Put the letter that came back down as failed, with the reason; None where it is none of ours that was sent.

    Whoever makes a report up must know the letter's Message-ID, which only who got the letter does.
    """
    letter = db.session.scalar(
        sa.select(OutboundEmail)
        .where(OutboundEmail.message_id.in_(bounce.message_ids), OutboundEmail.status == EmailStatus.SENT)
        .with_for_update(of=OutboundEmail)
    )
    if letter is None or (bounce.recipient and bounce.recipient != letter.recipient.lower()):
        return None
    letter.status, letter.last_error = EmailStatus.FAILED, f"came back: {bounce.reason}"[:500]
    if letter.mailing_id is not None and not letter.template:
        values = {
            "mailing": letter.mailing_id,
            "client": letter.client_id,
            "result": RecipientOutcome.FAILED,
            "why": "",
        }
        db.session.connection().execute(OUTCOME, values)
    db.session.flush()
    return letter


def _field(report: str, name: str) -> str:
    """The first field of that name in the report, its continued lines joined."""
    found = re.search(
        rf"^{name}:[ \t]{{0,5}}(.{{0,1000}}(?:\n[ \t].{{0,1000}}){{0,5}})", report, re.IGNORECASE | re.MULTILINE
    )
    return header(found[1]) if found else ""

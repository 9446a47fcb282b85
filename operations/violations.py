"""Violations: what a client did against the rules, until when he may react, and what follows."""

from __future__ import annotations

import sqlalchemy as sa

from extensions import db
from models import Ticket, Violation, ViolationStatus


def note_reaction(ticket: Ticket) -> bool:
    """Note that the client has reacted: an open violation of the ticket is answered, and nothing is executed.

    What the clock has claimed already stays executed. Returns whether there was an open one.
    """
    open_one = db.session.scalar(
        sa.select(Violation)
        .where(Violation.ticket_id == ticket.id, Violation.status == ViolationStatus.OPEN)
        .with_for_update()
    )
    if open_one is None:
        return False
    open_one.status, open_one.remind_at = ViolationStatus.ANSWERED, None
    db.session.flush()
    return True

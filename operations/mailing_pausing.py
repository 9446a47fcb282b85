"""A mailing that pauses by itself: when many of its letters in a row were refused for good, something is wrong.

The server may take us for a spammer, or the addresses may be old; to go on would make either worse.
"""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from extensions import db
from models import Mailing, MailingStatus, Project
from operations import letters, settings

LONGEST_REASON = 500


def note_failure(*, mailing_id: int, project_id: int | None, error: str, now: datetime) -> bool:
    """Count a letter that failed for good; whether that made its mailing pause.

    The sender gets a letter about it. A letter of the mailing that is taken begins the count anew (see
    operations/delivery_notes.py). Flushes.
    """
    count = db.session.scalar(
        sa.update(Mailing)
        .where(Mailing.id == mailing_id)
        .values(failures_in_a_row=Mailing.failures_in_a_row + 1)
        .returning(Mailing.failures_in_a_row)
        .execution_options(synchronize_session=False)
    )
    limit = settings.get("mailing_failures")
    if not limit or count is None or count < limit:
        return False
    mailing = db.session.get_one(Mailing, mailing_id, with_for_update={"of": Mailing}, populate_existing=True)
    if mailing.status is not MailingStatus.SENDING:
        return False
    mailing.status, mailing.pause_reason = MailingStatus.PAUSED, error[:LONGEST_REASON]
    _tell_sender(mailing, project_id, now)
    db.session.flush()
    return True


def forget(mailing: Mailing) -> None:
    """Somebody has decided that it goes on: the count begins anew."""
    mailing.failures_in_a_row, mailing.pause_reason = 0, ""


def _tell_sender(mailing: Mailing, project_id: int | None, now: datetime) -> None:
    project = db.session.get(Project, project_id) if project_id else None
    if not mailing.staff.email or project is None:
        return
    letters.queue(
        template="mailing_paused",
        to=mailing.staff.email,
        language=mailing.staff.language.value,
        context={
            "subject": str(mailing),
            "count": mailing.failures_in_a_row,
            "error": mailing.pause_reason,
            "mailing_url": f"{letters.public_url()}/admin/mailings/details/?id={mailing.id}",
        },
        project=project,
        now=now,
    )

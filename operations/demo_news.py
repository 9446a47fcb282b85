"""The mailing of demo data: news that the first clients got some days ago."""

from __future__ import annotations

import base64
from datetime import datetime, timedelta
from typing import Any

from extensions import db
from models import EmailStatus, Mailing, MailingStatus, RecipientOutcome, TicketStatus
from operations.demo_catalogue import FULL_NAMES, Catalogue
from operations.demo_clients import Subject
from operations.demo_rows import Chance, Rows
from operations.demo_texts import NEWS

LAST_RECIPIENT = 150
DAYS_AGO = 9


class News:
    """A mailing, its recipients, their tickets and letters; most arrived, some did not."""

    def __init__(self, chance: Chance, rows: Rows, catalogue: Catalogue, *, now: datetime) -> None:
        self._chance, self._rows, self._catalogue = chance, rows, catalogue
        self._rng = chance.of("news")
        self._sent_at = (now - timedelta(days=DAYS_AGO)).replace(microsecond=0)
        self._count = 0
        self._mailing = Mailing(
            subject={language.value: subject for language, (subject, _text) in NEWS.items()},
            text={language.value: text for language, (_subject, text) in NEWS.items()},
            category_id=catalogue.news,
            staff_id=catalogue.staff["Manager"],
            forbid_replies=True,
            status=MailingStatus.SENT,
            starts_at=self._sent_at,
            started_at=self._sent_at,
            finished_at=self._sent_at + timedelta(minutes=3),
            created_at=self._sent_at - timedelta(minutes=5),
        )
        db.session.add(self._mailing)
        db.session.flush()

    def add(self, subject: Subject) -> None:
        """Send the news to `subject`, if it was there and is among the first clients."""
        if subject.id > LAST_RECIPIENT or subject.registered_at > self._sent_at:
            return
        self._rng = self._chance.of("news", subject.id)
        self._count += 1
        has_failed = not subject.is_unsubscribed and self._rng.random() < 0.03
        outcome = RecipientOutcome.FAILED if has_failed else RecipientOutcome.SENT
        self._rows.add(
            "mailing_recipients",
            {
                "mailing_id": self._mailing.id,
                "client_id": subject.id,
                "user_id": subject.owner_id,
                "language": subject.language,
                "outcome": RecipientOutcome.SKIPPED if subject.is_unsubscribed else outcome,
                "reason": "unsubscribed" if subject.is_unsubscribed else "",
            },
        )
        ticket = self._ticket(subject)
        if not subject.is_unsubscribed:
            self._letter(subject, ticket, has_failed=has_failed)

    def finish(self) -> None:
        """Note how many got it."""
        self._mailing.recipients_count = self._count
        db.session.flush()

    def _ticket(self, subject: Subject) -> dict[str, Any]:
        ticket_id, staff_id = self._rows.new_id("tickets"), self._catalogue.staff["Manager"]
        heading, text = (_filled(words, subject) for words in NEWS[subject.language])
        message: dict[str, Any] = {"ticket_id": ticket_id, "staff_id": staff_id, "client_user_id": None, "text": text}
        message |= {"client_id": subject.id, "is_internal": False, "created_at": self._sent_at}
        self._rows.add("ticket_messages", message)
        return self._rows.add(
            "tickets",
            {
                "id": ticket_id,
                "client_id": subject.id,
                "category_id": self._catalogue.news,
                "subject": heading,
                "status": TicketStatus.CLOSED,
                "assignee_id": None,
                "sender_id": staff_id,
                "replies_allowed": False,
                "mailing_id": self._mailing.id,
                "reference": base64.b32encode(self._rng.randbytes(10)).decode(),
                "created_at": self._sent_at,
                "updated_at": self._sent_at,
                "client_read_at": None,
            },
        )

    def _letter(self, subject: Subject, ticket: dict[str, Any], *, has_failed: bool) -> None:
        sent_at = self._sent_at + timedelta(seconds=self._rng.randint(1, 170))
        domain = subject.shop.brand.domain
        self._rows.add(
            "outbound_emails",
            {
                "mailing_id": self._mailing.id,
                "client_id": subject.id,
                "ticket_id": ticket["id"],
                "project_id": subject.shop.id,
                "recipient": subject.email,
                "domain": subject.email.rpartition("@")[2],
                "language": subject.language,
                "context": {},
                "status": EmailStatus.FAILED if has_failed else EmailStatus.SENT,
                "attempts": 1,
                "next_attempt_at": self._sent_at,
                "last_error": "550 5.1.1 No such user here" if has_failed else "",
                "message_id": f"<{ticket['reference']}@{domain}>",
                "created_at": self._sent_at,
                "sent_at": None if has_failed else sent_at,
            },
        )


def _filled(words: str, subject: Subject) -> str:
    """`words` as this client reads them."""
    values = {
        "%client_person%": subject.contact.name,
        "%project_name%": subject.shop.brand.name,
        "%admin_name%": FULL_NAMES["Manager"],
    }
    for macro, value in values.items():
        words = words.replace(macro, value)
    return words

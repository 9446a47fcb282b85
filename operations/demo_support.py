"""Correspondence of demo data: tickets, violations with their points; and discounts."""

from __future__ import annotations

import base64
from datetime import datetime, timedelta
from typing import NamedTuple

from models import TicketStatus, ViolationAction, ViolationStatus
from operations.demo_catalogue import Catalogue
from operations.demo_clients import Subject
from operations.demo_rows import Chance, Rows
from operations.demo_texts import DIALOGUES, VIOLATION, Dialogue

# Which client has the violation that is about to be executed, and how long from now.
AT_RISK = 3
TIME_LEFT = timedelta(minutes=2)
POINTS_LAST = timedelta(days=180)
# These clients of every so many have had a violation, one that ended in each way.
VIOLATIONS_EVERY = 300
ENDED = {
    4: ViolationStatus.EXECUTED,
    5: ViolationStatus.ANSWERED,
    6: ViolationStatus.RESOLVED,
    7: ViolationStatus.CANCELLED,
}


class Words(NamedTuple):
    """One message of a thread."""

    at: datetime
    text: str
    is_staff: bool
    is_internal: bool = False


class Support:
    def __init__(self, chance: Chance, rows: Rows, catalogue: Catalogue, *, now: datetime) -> None:
        self._chance, self._rows, self._catalogue, self._now = chance, rows, catalogue, now
        self._rng = chance.of("support")

    def add(self, subject: Subject) -> int | None:
        """Give `subject` what it has to do with support; returns the violation that stopped it."""
        self._rng = self._chance.of("support", subject.id)
        count = self._rng.choice((0, 0, 1, 2)) if subject.id <= 300 else int(self._rng.random() < 0.25)
        for _ticket in range(max(count, 2) if subject.id == 1 else count):
            self._question(subject)
        if self._rng.random() < 0.03:
            self._points(subject, None, self._earlier(subject, 300))
        if self._rng.random() < 0.03:
            self._discount(subject)
        if subject.id == AT_RISK:
            self._violation(subject, ViolationStatus.OPEN, self._now - timedelta(days=2))
        status = ENDED.get(subject.id % VIOLATIONS_EVERY)
        if status is None:
            return None
        violation_id = self._violation(subject, status, self._earlier(subject, 60))
        return violation_id if status is ViolationStatus.EXECUTED else None

    def _earlier(self, subject: Subject, most_days: int) -> datetime:
        """A moment of the last `most_days`, after the client came."""
        span = min(self._now - subject.registered_at, timedelta(days=most_days))
        return (self._now - span * self._rng.random()).replace(microsecond=0)

    def _question(self, subject: Subject) -> None:
        dialogue = self._rng.choice(DIALOGUES[subject.language])
        begun = self._earlier(subject, 120)
        answered = dialogue.turns[: self._rng.randint(0, len(dialogue.turns))]
        words, at = [Words(begun, dialogue.question, is_staff=False)], begun
        for number, text in enumerate(answered):
            at = self._later(at)
            words.append(Words(at, text, is_staff=number % 2 == 0))
        waits_for_staff = not words[-1].is_staff
        is_closed = len(words) > 1 and self._rng.random() < 0.6
        if waits_for_staff and not is_closed and self._rng.random() < 0.15:
            words.append(Words(self._later(at), "Escalated to engineering.", is_staff=True, is_internal=True))
        status = TicketStatus.WAITING_STAFF if waits_for_staff else TicketStatus.WAITING_CLIENT
        self._ticket(subject, dialogue, words, TicketStatus.CLOSED if is_closed else status)

    def _later(self, at: datetime) -> datetime:
        return min(at + timedelta(minutes=self._rng.randint(5, 900)), self._now.replace(microsecond=0))

    def _ticket(
        self,
        subject: Subject,
        dialogue: Dialogue,
        words: list[Words],
        status: TicketStatus,
        *,
        category_id: int | None = None,
    ) -> int:
        ticket_id = self._rows.new_id("tickets")
        staff_id = self._catalogue.staff[self._rng.choice(("Support", "Support", "Manager"))]
        has_answer = any(message.is_staff for message in words)
        seen = [message.at for message in words if message.is_staff and not message.is_internal]
        self._rows.add(
            "tickets",
            {
                "id": ticket_id,
                "client_id": subject.id,
                "category_id": category_id or self._rng.choice(self._catalogue.categories),
                "subject": dialogue.subject,
                "status": status,
                "assignee_id": staff_id if has_answer else None,
                "sender_id": staff_id if words[0].is_staff else None,
                "replies_allowed": True,
                "mailing_id": None,
                "reference": base64.b32encode(self._rng.randbytes(10)).decode(),
                "created_at": words[0].at,
                "updated_at": words[-1].at,
                "client_read_at": seen[-1] if seen and self._rng.random() < 0.7 else None,
            },
        )
        for message in words:
            self._rows.add(
                "ticket_messages",
                {
                    "ticket_id": ticket_id,
                    "client_id": subject.id,
                    "staff_id": staff_id if message.is_staff else None,
                    "client_user_id": None if message.is_staff else subject.owner_id,
                    "text": message.text,
                    "is_internal": message.is_internal,
                    "created_at": message.at,
                },
            )
        return ticket_id

    def _violation(self, subject: Subject, status: ViolationStatus, begun: datetime) -> int:
        """A complaint as staff send it, and how it went on."""
        dialogue = VIOLATION[subject.language]
        words = [Words(begun, dialogue.question % subject.contact.name, is_staff=True)]
        if status in {ViolationStatus.ANSWERED, ViolationStatus.RESOLVED}:
            words.append(Words(self._later(begun), dialogue.turns[0], is_staff=False))
        waiting = TicketStatus.WAITING_STAFF if status is ViolationStatus.ANSWERED else TicketStatus.WAITING_CLIENT
        is_over = status in {ViolationStatus.RESOLVED, ViolationStatus.CANCELLED}
        ticket_status = TicketStatus.CLOSED if is_over else waiting
        ticket_id = self._ticket(subject, dialogue, words, ticket_status, category_id=self._catalogue.abuse)
        is_open = status is ViolationStatus.OPEN
        deadline = self._now + TIME_LEFT if is_open else min(begun + timedelta(days=2), self._now)
        violation_id = self._rows.new_id("violations")
        self._rows.add(
            "violations",
            {
                "id": violation_id,
                "ticket_id": ticket_id,
                "client_id": subject.id,
                "deadline": deadline,
                "action": ViolationAction.SUSPEND_SERVICES,
                "points": 2,
                "comment": "Three complaints in one day",
                "status": status,
                "executed_at": deadline if status is ViolationStatus.EXECUTED else None,
                "created_at": begun,
            },
        )
        if not is_open and status is not ViolationStatus.CANCELLED:
            self._points(subject, violation_id, begun)
        return violation_id

    def _points(self, subject: Subject, violation_id: int | None, given: datetime) -> None:
        """Points that fade; of those given long ago some have faded already."""
        self._rows.add(
            "penalty_points",
            {
                "client_id": subject.id,
                "violation_id": violation_id,
                "points": 2 if violation_id else self._rng.randint(1, 5),
                "comment": "Complaints about mail" if violation_id else "Too many processes",
                "author_id": self._catalogue.staff["Support"],
                "created_at": given,
                "expires_at": given + POINTS_LAST,
            },
        )

    def _discount(self, subject: Subject) -> None:
        product = self._rng.choice(subject.shop.products)
        amount = None if self._rng.random() < 0.6 else product.prices[0][1] // 10
        self._rows.add(
            "discounts",
            {
                "client_id": subject.id,
                "product_id": product.id if amount else self._rng.choice((None, product.id)),
                "percent": None if amount else self._rng.choice((500, 1000, 1500)),
                "amount": amount,
                "starts_on": subject.registered_at.date(),
                "ends_on": (self._now + timedelta(days=365)).date() if self._rng.random() < 0.5 else None,
                "note": "Agreed with the manager",
            },
        )

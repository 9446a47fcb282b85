"""Making letters: what is needed for a batch is read at once, what many have in common is made once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import sqlalchemy as sa
from flask import current_app

from extensions import db, now, plain_rows
from models import (
    Attachment,
    Client,
    ClientUser,
    Mailing,
    OutboundEmail,
    Project,
    Setting,
    Ticket,
    TicketCategory,
    TicketMessage,
)
from operations import attachments, letters, mailing_plan, mime, unsubscribing
from operations.bulk import among

SORTS_KEPT = 12
# Programs that answer by themselves are asked not to.
AUTOMATIC = (("Auto-Submitted", "auto-generated"), ("X-Auto-Response-Suppress", "OOF, AutoReply"))
# What may stand before the @ at most.
LONGEST_LOCAL_PART = 64


class Skipped(Exception):
    """The letter is not to be sent any more; `reason` is one of those of the send plan."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Claimed(NamedTuple):
    """A letter that this worker has, with what it is made of. `text` is its ticket's first message."""

    id: int
    mailing_id: int | None
    client_id: int | None
    ticket_id: int | None
    recipient: str
    language: str
    template: str
    context: dict[str, Any]
    attempts: int
    message_id: str
    project_id: int | None
    project_name: str | None
    support_email: str | None
    is_deleted: bool
    is_unsubscribed: bool
    reference: str | None
    subject: str | None
    text: str | None
    has_plus_addresses: bool | None

    @property
    def address(self) -> str:
        return mime.address(self.recipient)


@dataclass(frozen=True)
class Sort:
    """What the letters of one mailing, language and project have in common."""

    panel_url: str
    host: str
    envelope: mime.Envelope
    frame: letters.Frame
    is_news: bool
    # Where a letter that unsubscribes is to be sent; "" where none is read.
    unsubscribe_to: str


def load(ids: Iterable[int]) -> list[Claimed]:
    """Read what the letters are made of, in the order of `ids`."""
    wanted = list(ids)
    if not wanted:
        return []
    text = (
        sa.select(TicketMessage.text)
        .where(TicketMessage.ticket_id == OutboundEmail.ticket_id, OutboundEmail.template == "")
        .order_by(TicketMessage.id)
        .limit(1)
        .correlate(OutboundEmail)
        .scalar_subquery()
    )
    plus_addresses = sa.select(Setting.value).where(Setting.code == "inbound_plus_addresses").scalar_subquery()
    statement = (
        sa.select(
            OutboundEmail.id, OutboundEmail.mailing_id, OutboundEmail.client_id, OutboundEmail.ticket_id,
            OutboundEmail.recipient, OutboundEmail.language, OutboundEmail.template, OutboundEmail.context,
            OutboundEmail.attempts, OutboundEmail.message_id, OutboundEmail.project_id, Project.name,
            Project.support_email, Client.deleted_at.is_not(None),
            sa.func.coalesce(TicketCategory.is_news, sa.false()) & mailing_plan.unsubscribed(),
            Ticket.reference, Ticket.subject, text, plus_addresses,
        )
        .outerjoin(Project, Project.id == OutboundEmail.project_id)
        .outerjoin(Client, Client.id == OutboundEmail.client_id)
        .outerjoin(ClientUser, (ClientUser.client_id == Client.id) & ClientUser.is_owner)
        .outerjoin(Ticket, Ticket.id == OutboundEmail.ticket_id)
        .outerjoin(Mailing, Mailing.id == OutboundEmail.mailing_id)
        .outerjoin(TicketCategory, TicketCategory.id == Mailing.category_id)
        .where(among(db.session.connection(), OutboundEmail.id, wanted))
    )  # fmt: skip
    found = {row[0]: Claimed(*row) for row in plain_rows(statement)}
    return [found[number] for number in wanted if number in found]


class Desk:
    """Makes letters, and keeps what the next ones will need as well."""

    def __init__(self) -> None:
        self._sorts: OrderedDict[tuple[Any, ...], Sort] = OrderedDict()
        self._files: tuple[int, list[mime.File]] | None = None

    def make(self, letter: Claimed) -> tuple[str, bytes]:
        """The sender's address and the letter as bytes. Raises Skipped, or whatever is wrong with it."""
        if letter.is_deleted:
            raise Skipped("deleted")
        if letter.is_unsubscribed:
            raise Skipped("unsubscribed")
        return self._of_mailing(letter) if letter.mailing_id and not letter.template else self._of_template(letter)

    def _of_template(self, letter: Claimed) -> tuple[str, bytes]:
        content = letters.render(
            letter.template,
            language=letter.language,
            context=letter.context,
            project_name=letter.project_name or "",
        )
        envelope = mime.Envelope(
            sender_name=letter.project_name or "",
            sender=letters.sender_of(letter.support_email or ""),
            headers=_automatic(),
        )
        return envelope.sender, envelope.letter(
            to=letter.address,
            subject=content.subject,
            message_id=letter.message_id,
            date=now(),
            text=content.text,
            html=content.html,
            headers=[*_thread(letter, letters.host()), *_answer_to(letter)],
        )

    def _of_mailing(self, letter: Claimed) -> tuple[str, bytes]:
        if letter.text is None or letter.subject is None or letter.ticket_id is None or letter.client_id is None:
            raise Skipped("deleted")
        sort = self._sort(letter)
        unsubscribe = unsubscribing.url_for_client(letter.client_id) if sort.is_news else ""
        to = sort.unsubscribe_to
        by_letter = unsubscribing.mailto_for_client(letter.client_id, to=to) if to else ""
        values = {
            "text": letter.text,
            "ticket_url": f"{sort.panel_url}tickets/{letter.ticket_id}/",
            "unsubscribe_url": unsubscribe,
            "reference": letter.reference or "",
        }
        return sort.envelope.sender, sort.envelope.letter(
            to=letter.address,
            subject=letter.subject,
            message_id=letter.message_id,
            date=now(),
            text=sort.frame.text(**values),
            html=sort.frame.html(**values),
            headers=[*_thread(letter, sort.host), *_one_click(unsubscribe, by_letter)],
        )

    def _sort(self, letter: Claimed) -> Sort:
        key = (letter.mailing_id, letter.language, letter.project_id)
        if key not in self._sorts:
            self._sorts[key] = self._new_sort(letter)
            if len(self._sorts) > SORTS_KEPT:
                self._sorts.popitem(last=False)
        return self._sorts[key]

    def _new_sort(self, letter: Claimed) -> Sort:
        mailing = db.session.get_one(Mailing, letter.mailing_id)
        project_name = letter.project_name or ""
        return Sort(
            panel_url=mailing_plan.panel_url(),
            host=letters.host(),
            envelope=mime.Envelope(
                sender_name=project_name,
                sender=letters.sender_of(letter.support_email or ""),
                headers=[*_automatic(), ("Precedence", "bulk")],
                files=self._files_of(mailing),
            ),
            frame=letters.Frame(
                language=letter.language,
                project_name=project_name,
                category=mailing.category.name_in(letter.language),
                replies_allowed=not mailing.forbid_replies,
                is_news=mailing.category.is_news,
            ),
            is_news=mailing.category.is_news,
            unsubscribe_to=_unsubscribe_to(letter) if mailing.category.is_news else "",
        )

    def _files_of(self, mailing: Mailing) -> list[mime.File]:
        """The mailing's files, encoded; kept for its other languages, one mailing's at a time."""
        if not mailing.attach_to_email:
            return []
        if self._files is None or self._files[0] != mailing.id:
            self._files = (mailing.id, [_file(attachment) for attachment in mailing.attachments])
        return self._files[1]


def _file(attachment: Attachment) -> mime.File:
    content = attachments.path_of(attachment).read_bytes()
    return mime.File(attachment.file_name, attachment.content_type, content)


def _thread(letter: Claimed, host: str) -> list[tuple[str, str]]:
    """What ties the letters of one ticket together; the letter that opened it has the ticket's own id."""
    if not letter.reference:
        return []
    root = f"<{letter.reference}@{host}>"
    found = [("X-Ticket", letter.reference), *_reply_to(letter)]
    return found if root == letter.message_id else [*found, ("In-Reply-To", root), ("References", root)]


def _reply_to(letter: Claimed) -> list[tuple[str, str]]:
    """Where answers go: to the project's address, with the ticket's reference behind a plus where that is set."""
    if not letter.support_email:
        return []
    local, _at, domain = letter.support_email.rpartition("@")
    tagged = f"{local}+{letter.reference}"
    is_tagged = bool(letter.has_plus_addresses) and len(tagged) <= LONGEST_LOCAL_PART
    return [("Reply-To", mime.address(f"{tagged}@{domain}" if is_tagged else letter.support_email))]


def _answer_to(letter: Claimed) -> list[tuple[str, str]]:
    """What a letter that answers one from outside is threaded by."""
    answered = str(letter.context.get("answers", ""))
    return [("In-Reply-To", answered), ("References", answered)] if answered else []


def _automatic() -> list[tuple[str, str]]:
    """What says that a machine has written this, and which; so nobody answers by machine, and we know our own."""
    return [*AUTOMATIC, ("X-Loop", letters.host())]


def _unsubscribe_to(letter: Claimed) -> str:
    has_inbox = current_app.config["SETTINGS"].inbox is not None
    return mime.address(letter.support_email) if letter.support_email and has_inbox else ""


def _one_click(url: str, by_letter: str) -> list[tuple[str, str]]:
    """How to unsubscribe: by one press (RFC 8058), and by a letter where letters come in."""
    if not url:
        return []
    ways = f"<{url}>, <{by_letter}>" if by_letter else f"<{url}>"
    return [("List-Unsubscribe", ways), ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")]

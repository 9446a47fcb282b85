"""Letters: putting one into the queue, and what stands in it.

A letter that belongs to no mailing is its template's name and values; it is made when it is sent. A letter of
a mailing is the first message of its ticket, within a frame that is made once per mailing and language.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from flask import current_app, render_template
from flask_babel import force_locale
from flask_babel import gettext as _
from markupsafe import Markup, escape

from extensions import db
from models import Client, Language, OutboundEmail, Project, Ticket
from operations import mime
from operations.errors import OperationRefused
from operations.macros import LINE_ENDS

URGENT = 10
LINK = re.compile(r"https?://(?:[^\s<>&\"']|&amp;)+[^\s<>&\"'.,;:!?)\]]")
# Stands in a frame where a value goes; nobody can write it into a message, as nobody knows it.
MARK = secrets.token_hex(12)
SLOTS = ("text", "ticket_url", "unsubscribe_url", "reference")


def queue(
    *,
    template: str,
    to: str,
    language: str,
    context: Mapping[str, Any],
    project: Project,
    client: Client | None = None,
    ticket: Ticket | None = None,
    priority: int = URGENT,
    now: datetime,
) -> OutboundEmail:
    """Put a letter into the queue; workers send it within seconds, the lower `priority` first.

    `template` names a folder of templates/email, `context` holds what it says (values that JSON can hold).
    Refuses an address that is none.
    """
    try:
        mime.address(to)
    except mime.BadLetter:
        raise OperationRefused(_("This is not an e-mail address."), field="email") from None
    letter = OutboundEmail(
        template=template,
        recipient=to,
        domain=to.rpartition("@")[2].lower(),
        language=Language(language),
        context=dict(context),
        project_id=project.id,
        client_id=client.id if client else None,
        ticket_id=ticket.id if ticket else None,
        priority=priority,
        next_attempt_at=now,
        created_at=now,
        message_id=f"<{secrets.token_hex(16)}@{host()}>",
    )
    db.session.add(letter)
    db.session.flush()
    return letter


@dataclass(frozen=True)
class Content:
    subject: str
    text: str
    html: str


def render(template: str, *, language: str, context: Mapping[str, Any], project_name: str) -> Content:
    """What stands in a letter of templates/email/`template`, in `language`."""
    values = {
        **context,
        "language": language,
        "project_name": project_name,
        "panel_url": f"{public_url()}/panel/",
        "as_html": html_of,
        "can_be_answered": current_app.config["SETTINGS"].inbox is not None,
    }
    with force_locale(language):
        return Content(
            subject=LINE_ENDS.sub(" ", render_template(f"email/{template}/subject.txt", **values)).strip(),
            text=render_template(f"email/{template}/body.txt", **values),
            html=render_template(f"email/{template}/body.html", **values),
        )


class Frame:
    """What stands around the messages of one mailing in one language, and the places for what differs."""

    def __init__(
        self, *, language: str, project_name: str, category: str, replies_allowed: bool, is_news: bool
    ) -> None:
        slots = {name: f"{MARK}{name};" for name in SLOTS}
        content = render(
            "mailing",
            language=language,
            context={**slots, "category": category, "replies_allowed": replies_allowed, "is_news": is_news},
            project_name=project_name,
        )
        self._text = re.split(f"{MARK}(\\w+);", content.text)
        self._html = re.split(f"{MARK}(\\w+);", content.html)

    def text(self, **values: str) -> str:
        return _filled(self._text, values)

    def html(self, *, text: str, **values: str) -> str:
        return _filled(
            self._html, {name: str(escape(value)) for name, value in values.items()} | {"text": as_html(text)}
        )


def _filled(pieces: list[str], values: Mapping[str, str]) -> str:
    return "".join(values[piece] if number % 2 else piece for number, piece in enumerate(pieces))


def as_html(text: str) -> str:
    """A plain text as HTML: paragraphs, line ends, and web addresses as links; everything else is shown."""
    escaped = str(escape(text.replace("\r\n", "\n").strip("\n")))
    linked = LINK.sub(lambda found: f'<a href="{found[0]}" rel="noopener nofollow">{found[0]}</a>', escaped)
    return "\n".join(f"<p>{paragraph}</p>".replace("\n", "<br>\n") for paragraph in re.split(r"\n{2,}", linked))


def html_of(text: str) -> Markup:
    """`text` for a page, as `as_html` writes it."""
    return Markup(as_html(text))  # noqa: S704 - as_html escapes


def sender_of(support_email: str) -> str:
    """The address that a project's letters come from; one of this machine where the project has none."""
    return support_email or f"noreply@{host() if re.search('[a-z]', host()) else 'localhost'}"


def ticket_url(ticket_id: int) -> str:
    return f"{public_url()}/panel/tickets/{ticket_id}/"


def public_url() -> str:
    return str(current_app.config["SETTINGS"].public_url)


def host() -> str:
    """The host of our own address, for Message-IDs."""
    return urlsplit(public_url()).hostname or "localhost"

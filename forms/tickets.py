"""The forms of a ticket: an answer, whose it is, and a client's question."""

from __future__ import annotations

import secrets
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from wtforms import BooleanField, HiddenField, MultipleFileField, StringField, TextAreaField
from wtforms.validators import StopValidation

from extensions import db
from forms.base import Form
from forms.fields import PlainText, RecordField, tidy
from forms.panel import RefusableForm
from models import Staff, TicketCategory
from operations.tickets import LONGEST_SUBJECT, category_for_clients


def written(label: Any, *, rows: int = 6, **more: Any) -> TextAreaField:
    """A text of several lines."""
    return TextAreaField(label, [PlainText(one_line=False)], filters=[tidy], render_kw={"rows": rows, **more})


class KeyedForm:
    """A form that has one effect however often it is sent: its key says which one it is."""

    def renew_key(self) -> None:
        self.idempotency_key.data = secrets.token_urlsafe(24)  # type: ignore[attr-defined]


class AnswerForm(KeyedForm, Form):
    """An answer of staff, or a note among them. `last_message` is the newest message that its writer saw."""

    idempotency_key = HiddenField()
    last_message = HiddenField()
    text = written(_l("Answer"), rows=8)
    attachments = MultipleFileField(_l("Files"))
    is_internal = BooleanField(_l("Internal note"), description=_l("Seen by staff alone; the client is told nothing."))


class HandOverForm(Form):
    """Who answers the ticket, and under which category it stands."""

    assignee = RecordField(_l("Assignee"), model=Staff, blank=_l("Nobody yet"), only_active=True)
    category = RecordField(_l("Category"), model=TicketCategory)


class OpenCategoryField(RecordField):
    """A category in which clients can open tickets: one in use, and not of news."""

    def _records(self) -> list[Any]:
        return list(db.session.scalars(category_for_clients()))

    def pre_validate(self, form: Any) -> None:
        super().pre_validate(form)
        if self.data is not None and self.data.is_news:
            raise StopValidation(_("Choose one of the list."))


class QuestionForm(KeyedForm, RefusableForm):
    """A ticket that a client opens."""

    idempotency_key = HiddenField()
    category = OpenCategoryField(_l("Category"), model=TicketCategory, only_active=True)
    subject = StringField(
        _l("Subject"), [PlainText(one_line=True)], filters=[tidy], render_kw={"maxlength": LONGEST_SUBJECT}
    )
    text = written(_l("Text"), rows=8)
    attachments = MultipleFileField(_l("Files"))


class ClientAnswerForm(KeyedForm, RefusableForm):
    """A client's answer."""

    idempotency_key = HiddenField()
    text = written(_l("Your answer"))
    attachments = MultipleFileField(_l("Files"))

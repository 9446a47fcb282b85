"""The message to clients: its options, a subject and a text per language, its files."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from wtforms import BooleanField, HiddenField, IntegerField, MultipleFileField, StringField, TextAreaField
from wtforms.validators import StopValidation
from wtforms.widgets import TextInput

from config import LANGUAGES
from extensions import now
from forms.base import Form
from forms.fields import LocalMomentField, PlainText, RecordField, tidy
from models import TicketCategory
from operations import mailing_plan
from operations.mailing_plan import Draft

UNTICKED = (False, "", "0", "false", "off", "no")
LONGEST_RECALL = 7 * 24 * 60
FURTHEST = timedelta(days=730)


class InTheFuture:
    """Refuses a moment that has passed, or one too far off to be meant."""

    field_flags: dict[str, Any] = {}

    def __call__(self, form: Any, field: Any) -> None:
        if field.data is None:
            return
        if field.data <= now():
            raise StopValidation(_("This time has passed."))
        if field.data > now() + FURTHEST:
            raise StopValidation(_("This is more than two years ahead."))


class MinutesField(IntegerField):
    """Whole minutes, none or up to a week of them."""

    widget = TextInput()

    def process_formdata(self, valuelist: list[Any]) -> None:
        if not valuelist:
            return
        text = valuelist[0].strip()
        if not (text.isascii() and text.isdigit() and len(text) < 9 and int(text) <= LONGEST_RECALL):
            self.data = None
            raise ValueError(_("A whole number of minutes, from 0 to %(most)s.", most=LONGEST_RECALL))
        self.data = int(text)


def tick(label: Any, description: Any = "", **more: Any) -> Any:
    return BooleanField(label, description=description, false_values=UNTICKED, **more)


class MailingForm(Form):
    """Fields beside these, added below: `subject_<language>` and `text_<language>`."""

    idempotency_key = HiddenField()
    category = RecordField(_l("Category"), model=TicketCategory, only_active=True,
                           description=_l("The correspondence goes on under it."))  # fmt: skip
    forbid_replies = tick(_l("Forbid replies"), _l("Clients cannot answer in the tickets of this message."))
    move_to_sender = tick(_l("Move ticket to me on reply"))
    strict_language = tick(_l("Strict language match"), _l("Only clients whose language has a text get the message."))
    attachments = MultipleFileField(_l("Files"))
    attach_to_email = tick(_l("Attach the files to the letter"))
    send_at = LocalMomentField(_l("Send at"), [InTheFuture()], description=_l("In your time zone."))
    recall_minutes = MinutesField(
        _l("Minutes to call it back"),
        render_kw={"inputmode": "numeric"},
        description=_l("So long the message waits before it is sent; 0 sends it at once."),
    )
    send_email = tick(_l("Send as e-mail"), default=True)
    skip_suspended = tick(_l("Leave out clients whose services are all suspended"))

    @property
    def pairs(self) -> list[dict[str, Any]]:
        """Subject and text of each language, with the language's name."""
        return [
            {"code": code, "name": name, "subject": self[f"subject_{code}"], "text": self[f"text_{code}"]}
            for code, name in LANGUAGES.items()
        ]

    def renew_key(self) -> None:
        self.idempotency_key.data = secrets.token_urlsafe(24)

    def draft(self) -> Draft:
        return Draft(
            category=self.category.data,
            subject={code: self[f"subject_{code}"].data or "" for code in LANGUAGES},
            text={code: self[f"text_{code}"].data or "" for code in LANGUAGES},
            forbid_replies=self.forbid_replies.data,
            move_to_sender=self.move_to_sender.data,
            strict_language=self.strict_language.data,
            send_email=self.send_email.data,
            attach_to_email=self.attach_to_email.data,
            skip_suspended=self.skip_suspended.data,
        )

    def check(self) -> bool:
        """Whether the message can go out as it is; what is wrong stands beside the fields."""
        valid = bool(self.validate())
        for name, message in mailing_plan.problems(self.draft()).items():
            if not self[name].errors:
                self[name].errors = [message]
            valid = False
        return valid


for _code in LANGUAGES:
    setattr(
        MailingForm,
        f"subject_{_code}",
        StringField(_l("Subject"), [PlainText(one_line=True)], filters=[tidy], render_kw={"lang": _code}),
    )
    setattr(
        MailingForm,
        f"text_{_code}",
        TextAreaField(_l("Text"), [PlainText(one_line=False)], filters=[tidy], render_kw={"rows": 14, "lang": _code}),
    )

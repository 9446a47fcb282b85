"""The message to clients: its options, a subject and a text per language, its files."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from wtforms import BooleanField, HiddenField, IntegerField, MultipleFileField, SelectField, StringField, TextAreaField
from wtforms.validators import StopValidation
from wtforms.widgets import TextInput

from config import LANGUAGES
from extensions import now
from forms.base import Form
from forms.fields import EnumField, LocalMomentField, PlainText, RecordField, tidy
from models import Service, TicketCategory, ViolationAction
from operations import mailing_plan
from operations.errors import OperationRefused
from operations.mailing_plan import Draft
from operations.points import LONGEST_COMMENT, MOST_POINTS
from operations.violations import Parameters, refuse_bad, refuse_deadline

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


class WholeField(IntegerField):
    """A whole number, not below nothing; nothing typed is 0."""

    widget = TextInput()

    def __init__(self, label: Any = None, validators: Any = None, *, most: int, **more: Any) -> None:
        super().__init__(label, validators, **more)
        self.most = most

    def process_formdata(self, valuelist: list[Any]) -> None:
        if not valuelist:
            return
        text = valuelist[0].strip() or "0"
        if not (text.isascii() and text.isdigit() and len(text) < 9 and int(text) <= self.most):
            self.data = None
            raise ValueError(_("A whole number from %(least)s to %(most)s.", least=0, most=self.most))
        self.data = int(text)


class ServiceField(SelectField):
    """One of the services that `offer` was given; the value is its id."""

    def __init__(self, label: Any = None, **more: Any) -> None:
        super().__init__(label, coerce=str, choices=[], validate_choice=False, **more)

    def offer(self, services: Sequence[Service]) -> None:
        self.choices = [("", "")] + [(str(service.id), service.name) for service in services]

    @property
    def chosen(self) -> int | None:
        offered = {value for value, _label in self.choices if value}
        return int(self.data) if self.data in offered else None


def tick(label: Any, description: Any = "", **more: Any) -> Any:
    return BooleanField(label, description=description, false_values=UNTICKED, **more)


class MailingForm(Form):
    """Fields beside these, added below: `subject_<language>` and `text_<language>`."""

    idempotency_key = HiddenField()
    # How many clients the selection meant when the plan was shown.
    recipients_seen = HiddenField()
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

    violation = tick(_l("Violation"), _l("Clients are given a deadline to answer, in the tab «Parameters»."))
    deadline = LocalMomentField(
        _l("Deadline"),
        description=_l("In your time zone. An answer of any of the client's users counts; what staff write does not."),
    )
    violation_action = EnumField(_l("If there is no reaction"), kind=ViolationAction, default=ViolationAction.TO_ACTIVE)
    service = ServiceField(_l("Service"))
    points = WholeField(_l("Penalty points"), most=MOST_POINTS, default=0, render_kw={"inputmode": "numeric"})
    comment = TextAreaField(
        _l("Comment"), [PlainText(one_line=False)], filters=[tidy], description=_l("On the points; for staff alone."),
        render_kw={"rows": 3, "maxlength": LONGEST_COMMENT},
    )  # fmt: skip

    PARAMETERS = ("deadline", "violation_action", "service", "points", "comment")

    def offer_violations(self, services: Sequence[Service] | None) -> None:
        """Offer violations; `services` are the active ones of the only recipient, None where there are many."""
        self.offers_violation = True
        if services is None:
            self.violation_action.offer([ViolationAction.TO_ACTIVE, ViolationAction.SUSPEND_SERVICES])
        else:
            self.service.offer(services)

    offers_violation = False

    @property
    def parameters(self) -> Parameters | None:
        """What the tab «Parameters» says; None where it is not asked for, or not understood."""
        if not self.violation.data or any(self[name].errors or self[name].process_errors for name in self.PARAMETERS):
            return None
        if self.deadline.data is None or self.violation_action.data is None:
            return None
        names_one = self.violation_action.data is ViolationAction.SUSPEND_SERVICE
        return Parameters(
            deadline=self.deadline.data,
            action=self.violation_action.data,
            points=self.points.data or 0,
            comment=self.comment.data or "",
            service_id=self.service.chosen if names_one else None,
        )

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
            violation=self.parameters,
        )

    def check(self, *, starts_at: datetime | None = None) -> bool:
        """Whether the message can go out as it is, starting then; what is wrong stands beside the fields."""
        self.validate()
        self._check_violation(starts_at)
        valid = not any(field.errors for field in self)
        for name, message in mailing_plan.problems(self.draft()).items():
            if not self[name].errors:
                self[name].errors = [message]
            valid = False
        return valid

    def _check_violation(self, starts_at: datetime | None) -> None:
        if not self.violation.data:
            for name in self.PARAMETERS:
                self[name].errors = ()
            return
        if not self.offers_violation:
            self.violation.errors = [_("The handling of abuse is switched off.")]
        elif self.forbid_replies.data:
            self.violation.errors = [_("A violation asks for an answer, so replies cannot be forbidden.")]
        if self.category.data is not None and self.category.data.is_news:
            self.category.errors = [_("News can be unsubscribed from, a violation cannot. Choose another category.")]
        wanted, starts_at = self.parameters, starts_at or now()
        if self.deadline.data is not None:
            # By itself as well, so that all that is wrong is said at once.
            self._refuse(lambda: refuse_deadline(self.deadline.data, starts_at=starts_at, now=now()))
        elif not self.deadline.errors:
            self.deadline.errors = [_("Say until when the client has time.")]
        if wanted:
            self._refuse(lambda: refuse_bad(wanted, starts_at=starts_at, now=now()))
        if self.violation_action.data is ViolationAction.SUSPEND_SERVICE and self.service.chosen is None:
            self.service.errors = [_("Choose the service that is to be stopped.")]

    def _refuse(self, check: Callable[[], None]) -> None:
        try:
            check()
        except OperationRefused as refusal:
            self[refusal.field].errors = [refusal.message]


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

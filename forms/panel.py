"""The forms of the client panel."""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import HiddenField, PasswordField, SelectField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import EqualTo, InputRequired, Length

from forms.fields import LongList
from models import Language
from operations.errors import OperationRefused
from operations.passwords import CLIENT_LENGTH, MAXIMUM_LENGTH

NEW = {"autocomplete": "new-password"}


class RefusableForm(FlaskForm):
    """A form that takes what an operation refuses as the error of the field concerned."""

    def refuse(self, refusal: OperationRefused) -> None:
        if refusal.field in self:
            field = self[refusal.field]
            field.errors = [*field.errors, refusal.message]
        else:
            self.form_errors.append(refusal.message)


class NewPasswordForm(RefusableForm):
    """A password, typed twice."""

    password = PasswordField(
        _l("New password"),
        [
            InputRequired(_l("Enter a password, please.")),
            Length(max=MAXIMUM_LENGTH, message=_l("This is too long.")),
        ],
        description=_l("At least %(count)s characters, with Latin letters and digits.", count=CLIENT_LENGTH),
        render_kw=NEW,
    )
    password_confirm = PasswordField(
        _l("Repeat the new password"),
        [EqualTo("password", _l("The two passwords differ."))],
        render_kw=NEW,
    )


class PasswordForm(NewPasswordForm):
    """The user's own change of password; one for one use was typed a moment ago and is not asked again."""

    current_password = PasswordField(
        _l("Present password"),
        [InputRequired(_l("Enter your present password, please."))],
        render_kw={"autocomplete": "current-password"},
    )

    def __init__(self, *arguments: Any, forced: bool = False, **more: Any) -> None:
        super().__init__(*arguments, **more)
        if forced:
            del self.current_password


class EmailForm(RefusableForm):
    email = StringField(
        _l("New e-mail"),
        [InputRequired(_l("Enter the new address, please.")), Length(max=254)],
        render_kw={"autocomplete": "email", "type": "email"},
    )
    current_password = PasswordField(
        _l("Present password"),
        [InputRequired(_l("Enter your present password, please."))],
        render_kw={"autocomplete": "current-password"},
    )


class ConfirmEmailForm(RefusableForm):
    token = HiddenField()


class ResetRequestForm(RefusableForm):
    email = StringField(
        _l("E-mail or username"),
        [InputRequired(_l("Enter your e-mail or your username, please.")), Length(max=254)],
        render_kw={"autocomplete": "username", "autocapitalize": "none", "spellcheck": "false"},
    )


class ResetForm(NewPasswordForm):
    token = HiddenField()


class ProfileForm(RefusableForm):
    full_name = StringField(_l("Full name"), [Length(max=200)], render_kw={"autocomplete": "name"})
    phone = StringField(_l("Phone"), [Length(max=40)], render_kw={"autocomplete": "tel", "type": "tel"})
    language = SelectField(_l("Language"), choices=[SelectChoice(each.value, each.label) for each in Language])
    time_zone = SelectField(_l("Time zone"), widget=LongList())

"""The forms of staff about themselves."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l
from wtforms import PasswordField, RadioField, SelectField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import EqualTo, InputRequired, Length, Optional

from forms.clients import Email
from forms.fields import EnumField, LongList, PlainText, tidy, time_zones
from forms.panel import RefusableForm
from models import Language
from operations.passwords import MAXIMUM_LENGTH


class LoginForm(RefusableForm):
    username = StringField(_l("Username"), [InputRequired(_l("Enter your username, please.")), Length(max=254)])
    password = PasswordField(_l("Password"), [InputRequired(_l("Enter the password, please."))])


class PasswordForm(RefusableForm):
    current_password = PasswordField(_l("Current password"), [InputRequired(_l("Enter the password you have now."))])
    password = PasswordField(
        _l("New password"), [InputRequired(_l("Enter a password, please.")), Length(max=MAXIMUM_LENGTH)]
    )
    password_confirm = PasswordField(
        _l("Confirm the password"), [EqualTo("password", _l("The two passwords are not the same."))]
    )


class ProfileForm(RefusableForm):
    full_name = StringField(_l("Full name"), [Length(max=200), PlainText(one_line=True)], filters=[tidy],
                            description=_l("Clients see it under your letters."))  # fmt: skip
    email = StringField(
        _l("E-mail"), [Optional(), Email()], filters=[tidy], description=_l("Tests of messages are sent to it.")
    )
    language = EnumField(_l("Language"), kind=Language)
    time_zone = SelectField(_l("Time zone"), widget=LongList(), choices=time_zones)
    row_height = RadioField(
        _l("Rows of lists"), choices=[SelectChoice("comfortable", _l("Comfortable")), SelectChoice("compact", _l("Compact"))],
        default="comfortable",
    )  # fmt: skip

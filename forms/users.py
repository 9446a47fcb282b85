"""The forms of a client's logins, as staff fill them in."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l
from wtforms import BooleanField, PasswordField, SelectField, SelectMultipleField
from wtforms.validators import DataRequired, EqualTo, Length, Optional

from forms.base import Form
from forms.clients import FILLED, Email, line
from forms.fields import EnumField, LongList, LookupField, time_zones
from models import Client, Language
from operations import passwords
from operations.client_users import AREAS

RULE = _l("At least 8 characters, with Latin letters and digits. The client changes it at the first login.")


class EditUserForm(Form):
    """What staff can change of a user. Who the owner is, and the password, are changed by pages of their own."""

    username = line(
        _l("Username"), 80, DataRequired(FILLED),
        description=_l("Latin letters, digits and . _ - @ +; what the user logs in with."),
    )  # fmt: skip
    full_name = line(_l("Full name"), 200)
    email = line(_l("E-mail"), 254, Optional(), Email(), description=_l("One can log in with it too. One user each."))
    phone = line(_l("Phone"), 40)
    language = EnumField(_l("Language"), kind=Language, default=Language.EN)
    time_zone = SelectField(
        _l("Time zone"), widget=LongList(), default="UTC",
        choices=time_zones,
    )  # fmt: skip
    permissions = SelectMultipleField(
        _l("May enter"), choices=lambda: list(AREAS.items()),
        description=_l("The owner of the client may enter all of the panel."),
    )  # fmt: skip
    is_active = BooleanField(
        _l("May log in"), default=True, description=_l("Without it the user is blocked, and his sessions end.")
    )


class CreateUserForm(EditUserForm):
    """What is asked of a new user."""

    client = LookupField(_l("Client"), model=Client, description=_l("By code, name or e-mail."))
    password = PasswordField(_l("Password"), [Length(max=passwords.MAXIMUM_LENGTH)], description=RULE)
    password_confirm = PasswordField(
        _l("Confirm the password"), [EqualTo("password", _l("The two passwords are not the same."))]
    )
    send_link = BooleanField(
        _l("Send a link to set the password"), description=_l("Then no password need be set here.")
    )


class PasswordForm(Form):
    """A password that staff set for a user."""

    password = PasswordField(
        _l("Password"), [Length(max=passwords.MAXIMUM_LENGTH)],
        description=_l("At least 8 characters, with Latin letters and digits. Empty: one is made up and shown to you once."),
    )  # fmt: skip
    password_confirm = PasswordField(
        _l("Confirm the password"), [EqualTo("password", _l("The two passwords are not the same."))]
    )

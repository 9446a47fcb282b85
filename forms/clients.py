"""The forms of clients: create, edit, and what bulk actions ask."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask_babel import lazy_gettext as _l
from flask_babel import lazy_pgettext
from wtforms import BooleanField, PasswordField, SelectField, StringField, TextAreaField
from wtforms.validators import DataRequired, EqualTo, InputRequired, Length, StopValidation

from forms.base import Form
from forms.fields import (
    CountryField,
    EnumField,
    LocalMomentField,
    LookupField,
    PlainText,
    RecordField,
    RecordsField,
    tidy,
)
from models import (
    AffiliateProgram,
    Characterization,
    Client,
    ClientGroup,
    Language,
    LegalStatus,
    Project,
)
from operations import clients, email_addresses, passwords, phones
from operations.errors import OperationRefused

FILLED = _l("This cannot be empty.")


def line(label: Any, length: int, *validators: Any, **more: Any) -> StringField:
    """One line of text of at most `length` characters."""
    return StringField(label, [*validators, PlainText(one_line=True), Length(max=length)], filters=[tidy], **more)


class Email:
    """An e-mail address, put into its normal form."""

    def __call__(self, form: Any, field: Any) -> None:
        try:
            field.data = email_addresses.parse(field.data or "")
        except OperationRefused as refusal:
            raise StopValidation(refusal.message) from refusal


class RequiredForCompany:
    """Asked for of a company, and of nobody else."""

    def __call__(self, form: Any, field: Any) -> None:
        if form.legal_status.data == LegalStatus.COMPANY and not field.data:
            raise StopValidation(str(_l("A company has a name.")))


class CreateClientForm(Form):
    """What is asked of a new client."""

    project = RecordField(_l("Project"), model=Project, only_active=True)
    username = line(_l("Username"), 80, DataRequired(FILLED), description=_l("What the client logs in with."))
    password = PasswordField(
        _l("Password"),
        [InputRequired(FILLED), Length(max=passwords.MAXIMUM_LENGTH)],
        description=_l(
            "At least 8 characters, with Latin letters and digits. The client changes it at the first login."
        ),
    )
    password_confirm = PasswordField(
        _l("Confirm the password"), [EqualTo("password", _l("The two passwords are not the same."))]
    )
    email = line(_l("E-mail"), 254, DataRequired(FILLED), Email(), description=_l("Where notifications are sent."))
    country = CountryField(_l("Country"))
    language = EnumField(_l("Language"), kind=Language, default=Language.EN)
    legal_status = EnumField(lazy_pgettext("customer", "Status"), kind=LegalStatus, default=LegalStatus.INDIVIDUAL)
    company_name = line(_l("Company name"), 200, RequiredForCompany())
    contact_person = line(_l("Contact person (full name)"), 200, DataRequired(FILLED))
    send_welcome = BooleanField(
        _l("Send a welcome letter"),
        description=_l("With a link to set the password; the password itself is never sent."),
    )

    def validate_username(self, field: Any) -> None:
        """A username that nobody has yet, told along with all else that is wrong."""
        _refused_as_message(lambda: clients.free_username(field.data))

    def validate_password(self, field: Any) -> None:
        """A password by the rules, and none of the names beside it."""
        names = (self.username.data, self.company_name.data, self.contact_person.data, str(self.project.data or ""))
        banned = tuple(name for name in names if name)
        _refused_as_message(lambda: passwords.refuse_weak(field.data, banned=banned))


def _refused_as_message(check: Callable[[], object]) -> None:
    try:
        check()
    except OperationRefused as refusal:
        raise StopValidation(refusal.message) from refusal


class EditClientForm(Form):
    """What can be changed of a client."""

    name = line(_l("Name"), 200, DataRequired(FILLED))
    project = RecordField(_l("Project"), model=Project)
    legal_status = EnumField(lazy_pgettext("customer", "Status"), kind=LegalStatus)
    company_name = line(_l("Company name"), 200, RequiredForCompany())
    contact_person = line(_l("Contact person (full name)"), 200)
    email = line(_l("E-mail"), 254, DataRequired(FILLED), Email())
    country = CountryField(_l("Country"))
    language = EnumField(_l("Language"), kind=Language)
    verified_phone = line(
        _l("Verified phone"), 40, description=_l("Checked for the client's country and kept with its code.")
    )
    note = TextAreaField(_l("Note"), [PlainText(one_line=False), Length(max=20_000)], filters=[tidy],
                         description=_l("Seen by staff alone."))  # fmt: skip
    characterization = RecordField(_l("Characterization"), model=Characterization)
    characterization_reason = line(
        _l("Why"), 500, description=_l("Belongs to the characterization: another one needs a reason of its own.")
    )
    referrer = LookupField(
        _l("Client who brought this one"), model=Client, blank=True, description=_l("By code, name or e-mail.")
    )
    affiliate_program = RecordField(_l("Affiliate program"), model=AffiliateProgram, blank=True)
    groups = RecordsField(_l("Groups"), model=ClientGroup)
    projects = RecordsField(_l("Available projects"), model=Project)
    hold_suspension_until = LocalMomentField(
        _l("Not suspended until"), description=_l("Until then no service is suspended for debt. Empty: no respite.")
    )

    def __init__(self, *arguments: Any, **more: Any) -> None:
        self.form_country: str | None = getattr(more.get("obj"), "country", None)
        super().__init__(*arguments, **more)

    def validate_verified_phone(self, field: Any) -> None:
        """A number of the client's country, put into E.164."""
        country = self.country.data if "country" in self else self.form_country
        if not field.data or not country:
            return
        number = phones.verified(field.data, country)
        if number is None:
            raise StopValidation(
                str(_l("This is no telephone number of the client's country. Begin with + and the country's code."))
            )
        field.data = number


class CharacterizationForm(Form):
    """What a change of characterization of many asks."""

    characterization = RecordField(_l("Characterization"), model=Characterization)
    characterization_reason = line(_l("Why"), 500)


class GroupForm(Form):
    """Which group clients are put into, or taken out of."""

    group = RecordField(_l("Group"), model=ClientGroup)


class ProjectForm(Form):
    """Which project clients are moved to."""

    project = RecordField(_l("Project"), model=Project, only_active=True)


class LanguageForm(Form):
    """In which language clients are written to."""

    language = EnumField(_l("Interface language"), kind=Language)


class FileForm(Form):
    """As what kind of file clients are exported."""

    format = SelectField(_l("File"), choices=lambda: [("csv", "CSV"), ("xlsx", "XLSX")], default="csv")

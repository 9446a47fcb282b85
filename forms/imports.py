"""The forms of an import of clients: the file with what is chosen for it, and the confirmation."""

from __future__ import annotations

from typing import Any, ClassVar

from flask_babel import lazy_gettext as _l
from wtforms import BooleanField, FileField
from wtforms.validators import StopValidation

from forms.base import Form
from forms.clients import line
from forms.fields import CountryField, RecordField
from models import Project
from operations.imports import LONGEST_SOURCE, Wish


class OptionalCountryField(CountryField):
    """A country, or none."""

    def pre_validate(self, form: Any) -> None:
        if self.data:
            super().pre_validate(form)


class FileGiven:
    """A file was chosen; what is in it is looked at later."""

    field_flags: ClassVar[dict[str, Any]] = {"required": True}

    def __call__(self, form: Any, field: Any) -> None:
        if not getattr(field.data, "filename", ""):
            raise StopValidation(str(_l("Choose a file.")))


class ImportForm(Form):
    """What to bring in, from where, into which project."""

    file = FileField(
        _l("File"),
        [FileGiven()],
        render_kw={"accept": ".csv,.txt,text/csv,text/plain"},
        description=_l("CSV with headings: an export of WHMCS, of FOSSBilling, or of this desk."),
    )
    project = RecordField(
        _l("Project"),
        model=Project,
        blank=True,
        description=_l("Of new clients. Not chosen: the one that the file names, else the first active one."),
    )
    source = line(
        _l("Source"),
        LONGEST_SOURCE,
        description=_l("Where the ids in the file come from. Without it, the format that the headings show."),
    )
    country = OptionalCountryField(
        _l("Country of clients without one"),
        description=_l("Where neither the line nor its phone tells. Not chosen: such lines are refused."),
    )

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.form_errors: list[str] = []

    def wish(self) -> Wish:
        return Wish(self.project.data, self.source.data or "", self.country.data or "")


class ConfirmImportForm(Form):
    """Whether refused lines are left out, or stop all."""

    skip_bad = BooleanField(_l("Leave out the refused lines"))

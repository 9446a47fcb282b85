"""Fields of forms: enums, money, countries, moments, names per language, and records looked up by code."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import sqlalchemy as sa
from flask_babel import get_locale, get_timezone
from flask_babel import gettext as _
from markupsafe import Markup, escape
from wtforms import Field, SelectField, SelectMultipleField
from wtforms.fields.choices import Choice
from wtforms.validators import StopValidation
from wtforms.widgets import DateTimeLocalInput, Select, TextInput, html_params

from config import LANGUAGES
from extensions import LabelledEnum, db
from operations import countries, filters

CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u2028\u2029]")
AMOUNT = re.compile(r"-?[0-9]{1,12}([.,][0-9]{1,2})?", re.ASCII)


def tidy(text: str | None) -> str:
    """Text as it is kept: composed (NFC), without outer blanks, lines ended by a line feed."""
    return unicodedata.normalize("NFC", text or "").replace("\r\n", "\n").strip()


class PlainText:
    """Refuses control characters; with `one_line`, line breaks too."""

    field_flags: dict[str, Any] = {}

    def __init__(self, *, one_line: bool) -> None:
        self.one_line = one_line

    def __call__(self, form: Any, field: Any) -> None:
        text = field.data or ""
        if CONTROL.search(text) or (self.one_line and "\n" in text):
            raise StopValidation(_("This contains a character that cannot be kept."))


class LongList(Select):
    """A select of very many fixed choices, a country say. To write them one by one takes longer than the page."""

    def __call__(self, field: Any, **attributes: Any) -> Markup:
        attributes.setdefault("id", field.id)
        for name in self.validation_attrs:
            if getattr(field.flags, name, None):
                attributes.setdefault(name, True)
        options = _as_options(tuple((str(one.value), str(one.label)) for one in field.iter_choices()))
        chosen = f'value="{escape("" if field.data is None else field.data)}">'
        options = options.replace(f"<option {chosen}", f"<option selected {chosen}", 1)
        return Markup(f"<select {html_params(name=field.name, **attributes)}>{options}</select>")  # noqa: S704  All of it is escaped.


@lru_cache(maxsize=16)
def _as_options(choices: tuple[tuple[str, str], ...]) -> str:
    return "".join(f'<option value="{escape(value)}">{escape(label)}</option>' for value, label in choices)


@lru_cache(maxsize=1)
def time_zones() -> list[tuple[str, str]]:
    """The zones to choose from. To find out which there are means to open hundreds of files."""
    return [(zone, zone) for zone in sorted(available_timezones())]


class EnumField(SelectField):
    """A choice of a LabelledEnum; the value is its member, or None where blank is allowed."""

    def __init__(
        self, label: Any = None, validators: Any = None, *, kind: type[LabelledEnum], blank: bool = False, **more: Any
    ) -> None:
        self.kind = kind
        self.blank = blank
        self.offered: Sequence[LabelledEnum] = tuple(kind)
        super().__init__(label, validators, coerce=self._coerce, choices=self._options, **more)

    def offer(self, members: Sequence[LabelledEnum]) -> None:
        """Offer these alone."""
        self.offered = tuple(members)
        self.choices = self._options()

    def _coerce(self, value: Any) -> LabelledEnum | None:
        return None if value in (None, "") else self.kind(value)

    def _options(self) -> list[tuple[str, Any]]:
        blank: list[tuple[str, Any]] = [("", "")] if self.blank else []
        return blank + [(member.value, member.label) for member in self.offered]

    def process_formdata(self, valuelist: list[Any]) -> None:
        if not valuelist:
            return
        try:
            self.data = self._coerce(valuelist[0])
        except ValueError:
            self.data = None
            raise ValueError(_("Choose one of the list.")) from None

    def pre_validate(self, form: Any) -> None:
        if self.data is None and not self.blank and not self.process_errors:
            raise StopValidation(_("Choose one of the list."))
        if self.data is not None and self.data not in self.offered:
            raise StopValidation(_("Choose one of the list."))


class CountryField(SelectField):
    """A country, ISO 3166 alpha-2."""

    widget = LongList()

    def __init__(self, label: Any = None, validators: Any = None, **more: Any) -> None:
        super().__init__(label, validators, choices=self._options, validate_choice=False, **more)

    def _options(self) -> list[tuple[str, str]]:
        return [("", ""), *countries.choices(str(get_locale() or "en"))]

    def pre_validate(self, form: Any) -> None:
        if not countries.is_known(self.data or ""):
            raise StopValidation(_("Choose a country from the list."))


class MoneyField(Field):
    """An amount with at most two places; ASCII digits, a comma or a point."""

    widget = TextInput()

    def __init__(self, label: Any = None, validators: Any = None, *, least: Decimal | None = None, **more: Any) -> None:
        super().__init__(label, validators, **more)
        self.least = least

    def _value(self) -> str:
        if self.raw_data:
            return str(self.raw_data[0])
        return "" if self.data is None else str(self.data)

    def process_formdata(self, valuelist: list[Any]) -> None:
        if not valuelist:
            return
        text = valuelist[0].strip()
        if not text:
            self.data = None
            return
        if not AMOUNT.fullmatch(text):
            self.data = None
            raise ValueError(_("This is no amount: digits, and at most two after the point."))
        self.data = Decimal(text.replace(",", "."))

    def pre_validate(self, form: Any) -> None:
        if self.least is not None and self.data is not None and self.data < self.least:
            raise StopValidation(_("The amount must not be below %(least)s.", least=self.least))


def moment_of(local: datetime, zone: str) -> datetime:
    """The instant, in UTC, at which clocks in `zone` show `local`.

    Where they show it twice, as summer time ends, the later one is meant. Where they never do, as it begins, the time
    counts on from before: 02:30 is then 03:30. Either way nobody has less time than was typed.
    """
    both = (local.replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC) for fold in (0, 1))
    return max(both)


class LocalMomentField(Field):
    """A moment, typed in the person's own time zone; the value is aware and in UTC."""

    widget = DateTimeLocalInput()

    def _value(self) -> str:
        if self.raw_data:
            return str(self.raw_data[0])
        if self.data is None:
            return ""
        return self.data.astimezone(get_timezone() or UTC).strftime("%Y-%m-%dT%H:%M")

    def process_formdata(self, valuelist: list[Any]) -> None:
        if not valuelist:
            return
        if not valuelist[0].strip():
            self.data = None
            return
        try:
            local = datetime.strptime(valuelist[0].strip()[:16], "%Y-%m-%dT%H:%M")  # noqa: DTZ007  Its zone comes next.
        except ValueError:
            self.data = None
            raise ValueError(_("This is no date and time.")) from None
        try:
            self.data = moment_of(local, str(get_timezone() or "UTC"))
        except OverflowError:
            self.data = None
            raise ValueError(_("This is no date and time.")) from None


class RecordField(SelectField):
    """One of the records of a small table, by id; the value is the record. `blank` allows none, and may say what none is."""

    def __init__(
        self,
        label: Any = None,
        validators: Any = None,
        *,
        model: Any,
        blank: Any = False,
        only_active: bool = False,
        **more: Any,
    ) -> None:
        self.model = model
        self.blank = blank
        self.only_active = only_active
        super().__init__(label, validators, coerce=str, choices=self._options, validate_choice=False, **more)

    def _records(self) -> list[Any]:
        statement = sa.select(self.model).order_by(self.model.id)
        return list(db.session.scalars(statement))

    def _options(self) -> list[tuple[str, str]]:
        rows = [row for row in self._records() if not self.only_active or row.is_active or row is self.data]
        blank = [("", "" if self.blank is True else str(self.blank))] if self.blank else []
        return blank + [(str(row.id), str(row)) for row in rows]

    def iter_choices(self) -> Any:
        chosen = self._chosen()
        for value, label in self._options():
            yield Choice(value, label, value == chosen, {})

    def _chosen(self) -> str:
        if self.raw_data:
            return str(self.raw_data[0])
        return str(self.data.id) if self.data is not None else ""

    def process_data(self, value: Any) -> None:
        self.data = value

    def process_formdata(self, valuelist: list[Any]) -> None:
        if not valuelist:
            return
        self.data = None
        if valuelist[0]:
            try:
                self.data = db.session.get(self.model, filters.whole_number(valuelist[0]))
            except ValueError:
                raise ValueError(_("Choose one of the list.")) from None

    def pre_validate(self, form: Any) -> None:
        if self.process_errors:
            return
        wanted = bool(self.raw_data and self.raw_data[0])
        if self.data is None and (wanted or not self.blank):
            raise StopValidation(_("Choose one of the list."))
        if self.data is not None and self.only_active and not self.data.is_active and self.data is not self.object_data:
            raise StopValidation(_("Choose one of the list."))


class RecordsField(SelectMultipleField):
    """Some of the records of a small table; the value is the list of them."""

    def __init__(self, label: Any = None, validators: Any = None, *, model: Any, **more: Any) -> None:
        self.model = model
        super().__init__(label, validators, choices=self._options, validate_choice=False, **more)

    def _options(self) -> list[tuple[str, str]]:
        return [(str(row.id), str(row)) for row in db.session.scalars(sa.select(self.model).order_by(self.model.id))]

    def iter_choices(self) -> Any:
        chosen = {str(row.id) for row in self.data or []}
        for value, label in self._options():
            yield Choice(value, label, value in chosen, {})

    def process_data(self, value: Any) -> None:
        self.data = list(value or [])

    def process_formdata(self, valuelist: list[Any]) -> None:
        try:
            numbers = {filters.whole_number(text) for text in valuelist if text}
        except ValueError:
            raise ValueError(_("Choose from the list.")) from None
        self.data = list(db.session.scalars(sa.select(self.model).where(self.model.id.in_(numbers))))
        if len(self.data) != len(numbers):
            raise ValueError(_("Choose from the list."))

    def pre_validate(self, form: Any) -> None:
        """Nothing more: what is not there was refused when it was read."""


class LookupField(Field):
    """A record of a large table, by its code; scripts turn it into a look-up. The value is the record.

    `alive` narrows what may be chosen, by a condition of the table.
    """

    widget = TextInput()

    def __init__(
        self, label: Any = None, validators: Any = None, *, model: Any, blank: bool = False, **more: Any
    ) -> None:
        self.model = model
        self.blank = blank
        super().__init__(label, validators, **more)

    def _value(self) -> str:
        if self.raw_data:
            return str(self.raw_data[0])
        return str(self.data.id) if self.data is not None else ""

    def process_formdata(self, valuelist: list[Any]) -> None:
        if not valuelist:
            return
        text = valuelist[0].strip().removeprefix("#")
        self.data = None
        if not text:
            return
        try:
            self.data = db.session.get(self.model, filters.whole_number(text))
        except ValueError:
            self.data = None
        owner = getattr(self.data, "client", self.data)
        is_gone = getattr(owner, "deleted_at", None) is not None and self.data is not self.object_data
        if self.data is None or is_gone:
            self.data = None
            raise ValueError(_("There is none with this code."))

    def pre_validate(self, form: Any) -> None:
        if self.data is None and not self.blank and not self.errors:
            raise StopValidation(_("Name one by its code."))


class NamesField(Field):
    """A name in each language of the interface; the value is a dictionary by language."""

    widget = TextInput()

    def process_formdata(self, valuelist: list[Any]) -> None:
        pass

    def process(self, formdata: Any, data: Any = None, extra_filters: Any = None) -> None:
        self.process_errors = []
        self.data = dict(data) if isinstance(data, dict) else {}
        self.object_data = self.data
        if formdata is not None:
            given = {
                code: tidy(formdata.get(f"{self.name}_{code}"))
                for code in LANGUAGES
                if f"{self.name}_{code}" in formdata
            }
            self.data = {**self.data, **given}

    def pre_validate(self, form: Any) -> None:
        if not any(self.data.values()):
            raise StopValidation(_("Give a name in one language at least."))
        if any(len(text) > 120 or "\n" in text or CONTROL.search(text) for text in self.data.values()):
            raise StopValidation(_("This name is too long, or contains a character that cannot be kept."))

    def populate_obj(self, obj: Any, name: str) -> None:
        setattr(obj, name, {code: text for code, text in self.data.items() if text})

    def __call__(self, **attributes: Any) -> Markup:
        rows = [
            Markup(
                '<div class="name-row"><span class="muted" aria-hidden="true">{}</span>'
                '<input class="form-control" name="{}_{}" id="{}" lang="{}" maxlength="120" aria-label="{}" value="{}"></div>'
            ).format(
                language, self.name, code, self.id if number == 0 else f"{self.id}_{code}", code, language,
                self.data.get(code, ""),
            )
            for number, (code, language) in enumerate(LANGUAGES.items())
        ]  # fmt: skip
        return Markup("").join(rows)

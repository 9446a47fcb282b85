"""Values of custom fields: read from what is typed, shown to people, written into files, found by filters.

`Client.custom` keeps them by the fields' codes, as JSON: a text and a choice as they are; a number as the text of its
shortest decimal form, so that it stays exact; a day as the text of its ISO form; yes and no as true and false. What a
client has no value of is not in it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from babel.numbers import format_decimal as decimal_in
from flask_babel import format_date, get_locale
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from models import Client, FieldType
from operations import custom_fields
from operations.custom_fields import Definition

LONGEST_TEXT = 500
# So many digits before and after the point fit exactly into the whole number that is searched.
NUMBER = re.compile(r"-?[0-9]{1,12}(\.[0-9]{1,6})?", re.ASCII)
DAY = re.compile(r"(\d{4})-(\d\d)-(\d\d)", re.ASCII)
DOTTED_DAY = re.compile(r"(\d\d?)\.(\d\d?)\.(\d{4})", re.ASCII)
FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
YES = frozenset({"1", "yes", "y", "true", "on", "да"})
NO = frozenset({"0", "no", "n", "false", "off", "нет"})
BLANKS = dict.fromkeys(map(ord, " \u00a0\u2009\u202f"))
FAULTS: dict[str, Any] = {
    "number": _l("This is no number: at most 12 digits, and 6 after the point."),
    "date": _l("This is no date: 2024-03-12 is understood, and 12.03.2024."),
    "choice": _l("Choose one of the list."),
    "yes_no": _l("This is neither yes nor no."),
    "long": _l("At most %(count)s characters.", count=LONGEST_TEXT),
    "control": _l("This contains a character that cannot be kept."),
}


class NoValue(ValueError):
    """The text is no value of the field; `code` is a key of FAULTS."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code

    @property
    def message(self) -> str:
        return str(FAULTS[self.code])


def read(field: Definition, text: str) -> Any:
    """The value, as it is kept, that `text` means; None for an empty one. Raises NoValue."""
    text = unicodedata.normalize("NFC", text).strip()
    return READERS[field.type](field, text) if text else None


def _text(_field: Definition, text: str) -> str:
    if FORBIDDEN.search(text):
        raise NoValue("control")
    if len(text) > LONGEST_TEXT:
        raise NoValue("long")
    return text


def number(text: str) -> Decimal:
    """The number that `text` is, exactly; raises NoValue."""
    plain = text.translate(BLANKS).replace("−", "-").replace(",", ".")
    if not NUMBER.fullmatch(plain):
        raise NoValue("number")
    return Decimal(plain)


def _number(_field: Definition, text: str) -> str:
    found = number(text)
    return format(found.normalize(), "f") if found else "0"


def day(text: str) -> date:
    """The day that `text` is; raises NoValue."""
    found, dotted = DAY.fullmatch(text), DOTTED_DAY.fullmatch(text)
    parts = found.groups() if found else dotted.groups()[::-1] if dotted else ("0", "0", "0")
    try:
        return date(*map(int, parts))
    except ValueError:
        raise NoValue("date") from None


def _day(_field: Definition, text: str) -> str:
    return day(text).isoformat()


def _choice(field: Definition, text: str) -> str:
    for choice in field.choices:
        if choice.lower() == text.lower():
            return choice
    raise NoValue("choice")


def _yes_no(_field: Definition, text: str) -> bool:
    if text.lower() not in YES | NO:
        raise NoValue("yes_no")
    return text.lower() in YES


READERS = {
    FieldType.TEXT: _text,
    FieldType.NUMBER: _number,
    FieldType.DATE: _day,
    FieldType.CHOICE: _choice,
    FieldType.YES_NO: _yes_no,
}


def shown(field: Definition, value: Any) -> str:
    """The value as a person reads it."""
    if value in (None, ""):
        return ""
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    try:
        if field.type == FieldType.NUMBER:
            return decimal_in(Decimal(value), "#,##0.######", locale=str(get_locale() or "en"))
        if field.type == FieldType.DATE:
            return format_date(date.fromisoformat(value), "dd.MM.yyyy")
    except (ArithmeticError, ValueError, TypeError):
        pass
    return str(value)


def typed(value: Any) -> str:
    """The value as a form and a file write it, and `read` understands it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)


def shown_as_typed(field: Definition, text: str) -> str:
    """The value that `typed` has written, as a person reads it."""
    try:
        return shown(field, read(field, text))
    except NoValue:
        return text


def cell(field: Definition, value: Any) -> Any:
    """The value for a spreadsheet: a number or a day where it is one."""
    if value in (None, "") or field.type not in custom_fields.RANGES:
        return typed(value) or None
    try:
        return Decimal(value) if field.type == FieldType.NUMBER else date.fromisoformat(value)
    except (ArithmeticError, ValueError, TypeError):
        return str(value)


def of_client(client: Client, *, for_client: bool = False) -> list[tuple[str, str]]:
    """Label and shown value of each field; with `for_client`, of those alone that clients may see."""
    return [
        (field.label, shown(field, client.custom.get(field.code)))
        for field in custom_fields.defined()
        if field.show_to_client or not for_client
    ]


def put(client: Client, field: Definition, value: Any) -> None:
    """Give the client a value of the field, or take it away (None)."""
    if client.custom is not None and client.custom.get(field.code) == value:
        return
    # A new dictionary, so that the audit sees the old one beside it.
    changed = {code: kept for code, kept in (client.custom or {}).items() if code != field.code}
    client.custom = changed if value is None else {**changed, field.code: value}


def by_name(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values by the names that their fields have in forms, columns and the audit."""
    return {f"{custom_fields.PREFIX}{code}": value for code, value in values.items()}

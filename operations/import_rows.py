"""One row of an import: its cells read, cleaned and checked, with every reason why it is refused."""

from __future__ import annotations

import html
import ipaddress
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from models import Language, LegalStatus
from operations import countries, custom_fields, custom_values, email_addresses, import_dates, phones
from operations.custom_fields import Definitions
from operations.import_formats import Sheet
from operations.import_messages import Message

# An apostrophe that keeps a spreadsheet from running the cell; exports put it there.
APOSTROPHE = re.compile(r"'+[=+\-@\t\r]")
FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
LIMITS = {
    "key": 200, "name": 200, "company_name": 200, "contact_person": 200, "email": 254, "phone": 40,
    "address": 500, "tax_id": 40, "referral_source": 300, "username": 80, "note": 60_000, "group": 120,
    "groups": 4_000,
}  # fmt: skip
SHORTEST_LIMIT = min(LIMITS.values())
# A cell of one short word in which nothing has to be cleaned: ASCII without blanks, no apostrophe first, no «&».
TOKEN = re.compile(rf"[(-~][!-%'-~]{{0,{SHORTEST_LIMIT - 1}}}").fullmatch
MOST_REMEMBERED, LONGEST_REMEMBERED = 2_000, 200
LANGUAGES = {
    "en": Language.EN, "eng": Language.EN, "english": Language.EN, "английский": Language.EN,
    "ru": Language.RU, "rus": Language.RU, "russian": Language.RU, "русский": Language.RU,
}  # fmt: skip
ADDRESS = ("address1", "address2", "city", "state", "postcode")
YES, NO = custom_values.YES, custom_values.NO
# What rows have whose file has no custom fields: one object for all, which is written into words once.
NOTHING: Mapping[str, Any] = {}
CLOSED = {"": False, "active": False, "inactive": False, "suspended": False,
          "closed": True, "canceled": True, "cancelled": True, "deleted": True}  # fmt: skip
LEGAL_STATUSES = frozenset(status.value for status in LegalStatus)
UNKNOWN = object()
EARLIEST = datetime(1980, 1, 1, tzinfo=UTC)
USERNAME = re.compile(r"[a-z0-9][a-z0-9._@-]*")


@dataclass(slots=True)
class Incoming:
    """A client as a row says it should be. None is what the row does not say."""

    line: int
    key: str
    name: str = ""
    legal_status: LegalStatus = LegalStatus.INDIVIDUAL
    company_name: str = ""
    contact_person: str = ""
    email: str = ""
    country: str = ""
    language: Language = Language.EN
    phone: str = ""
    address: str = ""
    tax_id: str = ""
    note: str = ""
    referral_source: str = ""
    registered_at: datetime | None = None
    is_closed: bool = False
    consent: bool | None = None
    groups: tuple[str, ...] = ()
    project: str = ""
    username: str = ""
    verified_phone: str = ""
    characterization: str = ""
    registration_ip: str = ""
    custom: Mapping[str, Any] = field(default_factory=lambda: NOTHING)
    said: frozenset[str] = frozenset()
    user_email: str | None = None
    remarks: list[Message] = field(default_factory=list)


class RowRefused(Exception):
    """The row cannot come in; `incoming` holds what is known of it."""

    def __init__(self, reasons: list[Message]) -> None:
        super().__init__(reasons)
        self.reasons = reasons


class RowReader:
    """Reads the rows of one sheet.

    `country` (alpha-2, or '') is that of rows which name none, `language` that of rows which name none that
    is offered. `custom` are the custom fields there are; those that the sheet has no column of say nothing.
    """

    def __init__(
        self, sheet: Sheet, *, country: str, language: Language, now: datetime, custom: Definitions = ()
    ) -> None:
        self._sheet = sheet
        self._columns = sheet.columns
        self._country = country
        self._language = language
        self._latest = now + timedelta(days=1)
        self._unescape = sheet.format == "whmcs"
        self._is_own = sheet.format == "clientdesk"
        self._custom = [one for one in custom if one.name in sheet.columns]
        self._order: bool | object | None = UNKNOWN
        # Where each field stands, with what its cells were cleaned to: most come again and again.
        self._places: list[tuple[str, int, dict[str, str]]] = [
            (name, place, {}) for name, places in sheet.columns.items() for place in places
        ]
        self._cells: list[str] = []
        self._texts: dict[str, str] = {}
        self._reasons: list[Message] = []

    def read(self, line: int, cells: list[str]) -> Incoming:
        """What the row says. Raises RowRefused with all that is wrong with it."""
        self._texts = {}
        if len(cells) != self._sheet.width:
            raise RowRefused([("cells", {"found": len(cells), "expected": self._sheet.width})])
        self._cells, self._reasons = cells, []
        self._texts = self._cleaned(cells)
        row = Incoming(line, self._text("key"))
        self._read_names(row)
        self._read_contacts(row)
        self._read_rest(row)
        if self._is_own:
            self._read_own(row)
        if self._custom:
            self._read_custom(row)
        if self._reasons:
            raise RowRefused(self._reasons)
        return row

    def about(self, cells: list[str]) -> tuple[str, str]:
        """The id and name of the row just read, as far as they can be told, if it is refused."""
        place = self._columns["key"][0]
        key = " ".join(cells[place].split())[:40] if place < len(cells) else ""
        person = f"{self._text('first_name')} {self._text('last_name')}".strip()
        return key, self._text("name") or self._text("company_name") or person

    def _read_names(self, row: Incoming) -> None:
        if not row.key:
            self._refuse("key_missing")
        row.company_name = self._text("company_name")
        row.contact_person = f"{self._text('first_name')} {self._text('last_name')}".strip()
        if self._is_own:
            row.contact_person = self._text("contact_person") or row.contact_person
        if len(row.contact_person) > LIMITS["contact_person"]:
            self._too_long("contact_person")
        row.legal_status = LegalStatus.COMPANY if row.company_name else LegalStatus.INDIVIDUAL
        row.name = row.company_name or row.contact_person
        if not row.name and not self._text("name"):
            self._refuse("name_missing")

    def _read_contacts(self, row: Incoming) -> None:
        email = self._text("email")
        row.email = email_addresses.normal(email) or ""
        if not row.email:
            self._refuse("email_wrong", value=email[:80]) if email else self._refuse("email_missing")
        phone = self._written_phone()
        row.country = self._row_country(phone)
        row.phone = self._phone(row, phone)
        texts = self._texts
        row.address = ", ".join([texts[name] for name in ADDRESS if name in texts])
        if len(row.address) > LIMITS["address"]:
            self._too_long("address")

    def _written_phone(self) -> str:
        text = self._text("phone")
        code = self._text("phone_cc").lstrip("+0")
        return f"+{code} {text}" if text and code and not text.startswith("+") else text

    def _row_country(self, phone: str) -> str:
        """The country named, else that of the phone's code, else the one chosen for such rows."""
        named = self._text("country")
        country = countries.recognise(named) if named else phones.country_of(phone) or self._country
        if not country:
            self._refuse("country_wrong", value=named[:80]) if named else self._refuse("country_missing")
        return country or ""

    def _phone(self, row: Incoming, text: str) -> str:
        number = phones.e164(text, row.country) if text else ""
        if number is not None:
            return number
        if sum(c.isdigit() for c in text) < 3 or any(c.isalpha() for c in text):
            self._refuse("phone_wrong", value=text[:80])
        row.remarks.append(("phone_kept", {"value": text}))
        return text

    def _read_rest(self, row: Incoming) -> None:
        row.tax_id = self._text("tax_id")
        row.note = self._text("note")
        row.referral_source = self._text("referral_source")
        row.language = self._row_language(row)
        row.registered_at = self._registered_at()
        row.consent = self._consent()
        group = self._text("group")
        row.groups = (group,) if group not in {"", "0"} else ()
        status = self._text("status").lower()
        if status not in CLOSED:
            self._refuse("status_wrong", value=self._text("status")[:80])
        elif status == "suspended":
            row.remarks.append(("suspended", {}))
        row.is_closed = CLOSED.get(status, False)
        row.said = self._said(row)

    def _said(self, row: Incoming) -> frozenset[str]:
        """What the row says of language and country; an empty cell says nothing of them."""
        language_known = LANGUAGES.get(_language_word(self._text("language"))) is not None
        country_named = bool(self._text("country"))
        return _SAID[language_known, country_named]

    def _row_language(self, row: Incoming) -> Language:
        text = self._text("language")
        found = LANGUAGES.get(_language_word(text))
        if text and found is None:
            row.remarks.append(("language_default", {"value": text[:40]}))
        return found or self._language

    def _registered_at(self) -> datetime | None:
        for place in self._columns.get("registered_at", ()):
            text = self._cells[place].strip()
            if not text or text.startswith("0000-00-00"):
                continue
            slashed = import_dates.SLASHED.fullmatch(text) if "/" in text else None
            moment = import_dates.slashed(slashed, self._day_comes_first()) if slashed else import_dates.moment(text)
            if moment is None:
                self._refuse("date_ambiguous" if slashed else "date_wrong", value=text[:40])
            elif not EARLIEST <= moment <= self._latest:
                self._refuse("date_wrong", value=text[:40])
            return moment
        return None

    def _day_comes_first(self) -> bool | None:
        """Which way the file writes its days, found out once by those that can be read in one way only."""
        if self._order is UNKNOWN:
            self._order = import_dates.order_of(self._sheet)
        return self._order  # type: ignore[return-value]

    def _consent(self) -> bool | None:
        """Whether news may be sent: not opted out, or opted in."""
        opted_out, opted_in = self._yes_no("opted_out"), self._yes_no("opted_in")
        if opted_out is None and opted_in is None:
            return None
        return opted_out is False or opted_in is True

    def _yes_no(self, name: str) -> bool | None:
        text = self._text(name).lower()
        if not text:
            return None
        if text not in YES and text not in NO:
            self._refuse("yes_no_wrong", value=text[:40], field="consent")
        return text in YES

    def _read_own(self, row: Incoming) -> None:
        """The columns that only our own exports have."""
        row.name = self._text("name") or row.name
        row.project = self._text("project")
        row.characterization = self._text("characterization")
        row.username = self._text("username").lower()
        if not USERNAME.fullmatch(row.username):
            row.username = ""
        row.groups = tuple(name for name in map(str.strip, self._text("groups").split(";")) if name)
        if any(len(name) > LIMITS["group"] for name in row.groups):
            self._too_long("group")
        legal_status = self._text("legal_status")
        if legal_status in LEGAL_STATUSES:
            row.legal_status = LegalStatus(legal_status)
        elif legal_status:
            self._refuse("legal_status_wrong", value=legal_status[:40])
        row.said |= {name for name in ("name", "legal_status") if self._text(name)}
        if phone := self._text("verified_phone"):
            row.verified_phone = phones.e164(phone, row.country) or ""
            if not row.verified_phone:
                self._refuse("phone_wrong", value=phone[:80])
        if address := self._text("registration_ip"):
            row.registration_ip = _ip(address) or self._refuse("ip_wrong", value=address[:80])

    def _read_custom(self, row: Incoming) -> None:
        found = {}
        for one in self._custom:
            text = self._text(one.name)
            try:
                value = custom_values.read(one, text) if text else None
            except custom_values.NoValue as fault:
                self._refuse_value(one.name, text, fault.code)
            else:
                if value is not None:
                    found[one.code] = value
        row.custom = found or NOTHING

    def _refuse_value(self, name: str, text: str, code: str) -> None:
        if code == "long":
            self._too_long(name)
        elif code == "control":
            self._refuse("control", field=name)
        else:
            self._refuse(f"custom_{code}", value=text[:80], field=name)

    def missing_in(self, row: Incoming) -> list[Message]:
        """The required custom fields that the sheet has a column of and a new client's row leaves empty."""
        return [
            ("custom_missing", {"field": one.name})
            for one in self._custom
            if one.is_required and one.code not in row.custom
        ]

    def _text(self, name: str) -> str:
        return self._texts.get(name, "")

    def _cleaned(self, cells: list[str]) -> dict[str, str]:
        """The fields that the row fills, each from its first cell that is not empty."""
        texts: dict[str, str] = {}
        for name, place, known in self._places:
            text = cells[place]
            if text and name not in texts:
                clean = known.get(text)
                if clean is None:
                    clean = text if TOKEN(text) else self._clean_once(text, name, known)
                if clean:
                    texts[name] = clean
        return texts

    def _clean_once(self, text: str, name: str, known: dict[str, str]) -> str:
        """The text as it is kept, remembered for cells that say the same; what is refused is refused each time."""
        before = len(self._reasons)
        clean = text if _is_clean(text) else self._clean(text, name)
        if len(self._reasons) == before and len(text) <= LONGEST_REMEMBERED:
            if len(known) >= MOST_REMEMBERED:
                known.clear()
            known[text] = clean
        return clean

    def _clean(self, text: str, name: str) -> str:
        """The text as it is kept: in one line, but for notes."""
        if text[0] == "'" and APOSTROPHE.match(text):
            text = text[1:]
        if self._unescape and "&" in text:
            text = html.unescape(text)
        if not text.isascii():
            text = unicodedata.normalize("NFC", text)
        if not text.isprintable() and FORBIDDEN.search(text):
            self._refuse("control", field=name)
        text = text.replace("\r\n", "\n").strip() if name == "note" else " ".join(text.split())
        if len(text) > _limit(name):
            self._too_long(name)
        return text

    def _too_long(self, name: str) -> None:
        self._refuse("too_long", field=name, limit=_limit(name))

    def _refuse(self, code: str, **values: str | int) -> str:
        if (code, values) not in self._reasons:
            self._reasons.append((code, values))
        return ""


def _limit(name: str) -> int:
    return custom_values.LONGEST_TEXT if name.startswith(custom_fields.PREFIX) else LIMITS.get(name, 200)


def _is_clean(text: str) -> bool:
    """Whether one look shows that there is nothing to clean; most cells are like that."""
    return (
        text.isascii()
        and text.isprintable()
        and text[0] > "'"
        and text[-1] != " "
        and "  " not in text
        and "&" not in text
        and len(text) <= SHORTEST_LIMIT
    )


_SAID = {
    (language, country): frozenset(name for name, is_said in (("language", language), ("country", country)) if is_said)
    for language in (True, False)
    for country in (True, False)
}


@lru_cache(maxsize=1024)
def _language_word(text: str) -> str:
    """«en» of «en_GB», «english» of «English (UK)»."""
    return (re.split(r"[^\w]|_", text.lower(), maxsplit=1) or [""])[0]


@lru_cache(maxsize=4096)
def _ip(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return ""

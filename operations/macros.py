"""Macros: the %words% that staff write into a message, and what each client reads in their place.

The registry below is the one place where a macro is made: help, preview, checks and sending all come from it.
A text is taken apart once and put together for each client in one pass, so that a value is never looked at
again, whatever it looks like.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l

from models import Client

# A percent sign, a word, a percent sign. Two hexadecimal digits are a part of an address (%D0%98), no macro.
WORD = re.compile(r"%(?![0-9A-Fa-f]{2}%)([^\W\d][\w-]*)%")
LINE_ENDS = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]+")
LONGEST_SUBJECT = 300
# Thousands and decimals, as the language writes them; the first is a no-break space in Russian.
NUMBER_SIGNS = {"en": (",", "."), "ru": ("\xa0", ",")}


class Addressee(NamedTuple):
    """What is known of one client while his message is made. `language` is that of the text he gets."""

    client_id: int
    name: str
    contact_person: str
    company_name: str
    username: str
    project_name: str
    balance: Decimal
    currency: str
    language: str
    staff_name: str
    panel_url: str


@dataclass(frozen=True)
class Macro:
    """`is_empty` is the condition on clients under which nothing would stand in the macro's place."""

    name: str
    label: Any
    example: str
    value: Callable[[Addressee], str]
    is_empty: sa.ColumnElement[bool] | None = None

    @property
    def code(self) -> str:
        """The macro as it is written in a text."""
        return f"%{self.name}%"


def formatted_balance(amount: Decimal, currency: str, language: str) -> str:
    thousands, decimals = NUMBER_SIGNS.get(language, NUMBER_SIGNS["en"])
    whole, _point, cents = f"{amount:,.2f}".partition(".")
    return f"{whole.replace(',', thousands)}{decimals}{cents}\xa0{currency}"


def _blank(column: Any) -> sa.ColumnElement[bool]:
    return sa.func.trim(column) == ""


REGISTRY: dict[str, Macro] = {
    macro.name: macro
    for macro in (
        Macro("client_person", _l("Contact person, else the client's name"), "Ivan Petrov",
              lambda to: to.contact_person if to.contact_person.strip() else to.name),
        Macro("admin_name", _l("Your name"), "Anna Ivanova", lambda to: to.staff_name),
        Macro("client_name", _l("Client's name"), "Romashka Ltd", lambda to: to.name),
        Macro("client_id", _l("Client's code"), "1042", lambda to: str(to.client_id)),
        Macro("username", _l("Username"), "ivan", lambda to: to.username, _blank(Client.owner_username)),
        Macro("company_name", _l("Company name"), "Romashka Ltd", lambda to: to.company_name,
              _blank(Client.company_name)),
        Macro("project_name", _l("Project"), "Alpha Hosting", lambda to: to.project_name),
        Macro("balance", _l("Balance"), "1,250.00\xa0EUR",
              lambda to: formatted_balance(to.balance, to.currency, to.language)),
        Macro("panel_url", _l("Address of the client panel"), "https://desk.example.com/panel/",
              lambda to: to.panel_url),
    )
}  # fmt: skip
KNOWN = re.compile("%(" + "|".join(REGISTRY) + ")%")


class Text:
    """A text taken apart: plain pieces, and between them the macros that it uses."""

    def __init__(self, text: str) -> None:
        # Splitting at a pattern with one group gives plain text and names in turn.
        pieces = KNOWN.split(text)
        self.plain = pieces[::2]
        self.macros = [REGISTRY[name] for name in pieces[1::2]]

    def for_(self, addressee: Addressee) -> str:
        """The text as this client reads it."""
        if not self.macros:
            return self.plain[0]
        parts = [self.plain[0]]
        for macro, plain in zip(self.macros, self.plain[1:], strict=True):
            parts += (macro.value(addressee), plain)
        return "".join(parts)


class Subject(Text):
    """A text that stays on one line, and within what a subject may have, whatever the values are."""

    def for_(self, addressee: Addressee) -> str:
        return LINE_ENDS.sub(" ", super().for_(addressee)).strip()[:LONGEST_SUBJECT]


def used(texts: Iterable[str]) -> list[Macro]:
    """The macros that stand in any of `texts`, in the order of the registry."""
    names = {name for text in texts for name in KNOWN.findall(text)}
    return [macro for macro in REGISTRY.values() if macro.name in names]


def unknown(text: str) -> list[str]:
    """What is written like a macro and is none, as it is written, each once, in order."""
    found = [match[0] for match in WORD.finditer(text) if match[1] not in REGISTRY]
    return list(dict.fromkeys(found))

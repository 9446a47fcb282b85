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

from extensions import db
from models import Client, Project

# A percent sign, a word, a percent sign. Two hexadecimal digits are a part of an address (%D0%98), no macro, also with
# letters behind them where the next sign has its two as well (caf%C3%A9-menu%20today).
HEX = "[0-9A-Fa-f]{2}"
WORD = re.compile(rf"%(?!{HEX}%)(?!{HEX}[\w-]*%{HEX})([^\W\d][\w-]*)%")
LINE_ENDS = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]+")
LONGEST_SUBJECT = 300
# The same for the databases, which know no classes of characters: as SQLite's GLOB and as a regular expression.
# A text of PostgreSQL has no NUL, and one that came in through a form has none either.
LINE_ENDS_OF_GLOB = "*[\x01-\x1f\x7f\x85\u2028\u2029]*"
LINE_ENDS_OF_REGEXP = r"[\u0001-\u001f\u007f\u0085\u2028\u2029]"
# What str.strip takes away.
BLANKS = "".join(filter(str.isspace, map(chr, range(0x10000))))
# Put together in one statement are no more macros than SQLite can nest.
MOST_IN_SQL = 100
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


class Same(NamedTuple):
    """What is the same for all who get one text."""

    language: str
    staff_name: str
    panel_url: str


@dataclass(frozen=True)
class Macro:
    """`value` is what stands in the macro's place, `column` the same for statements with Client and Project.

    `is_empty` is the condition on clients under which nothing would stand there.
    """

    name: str
    label: Any
    example: str
    value: Callable[[Addressee], str]
    column: Callable[[Same], Any]
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
    return sa.func.trim(column, BLANKS) == ""


def _formatted_balance(language: str) -> Any:
    """`formatted_balance`, by the database: both engines cut and join texts, neither writes numbers as we do."""
    thousands, decimals = (_text(sign) for sign in NUMBER_SIGNS.get(language, NUMBER_SIGNS["en"]))
    hundredths = sa.func.abs(sa.type_coerce(Client.balance, sa.BigInteger), type_=sa.BigInteger)
    whole = hundredths // 100
    digits = sa.cast(whole, sa.String)
    grouped = _grouped(digits, thousands)
    cents = sa.func.substr(sa.cast(100 + (hundredths - whole * 100), sa.String), 2, 2, type_=sa.String)
    sign = sa.case((sa.type_coerce(Client.balance, sa.BigInteger) < 0, "-"), else_="")
    return sign + grouped + decimals + cents + _text("\xa0") + Project.currency


def _grouped(digits: Any, sign: Any) -> Any:
    """The digits of a whole number in groups of three, with `sign` between."""
    length = sa.func.length(digits, type_=sa.Integer)

    def in_groups(count: int) -> Any:
        found = sa.func.substr(digits, 1, length - 3 * (count - 1), type_=sa.String)
        for place in range(count - 1, 0, -1):
            found = found + sign + sa.func.substr(digits, length - 3 * place + 1, 3, type_=sa.String)
        return found

    return sa.case(*((length <= 3 * count, in_groups(count)) for count in range(1, 6)), else_=in_groups(6))


def _text(value: str) -> Any:
    return sa.literal(value, sa.String)


REGISTRY: dict[str, Macro] = {
    macro.name: macro
    for macro in (
        Macro("client_person", _l("Contact person, else the client's name"), "Ivan Petrov",
              lambda to: to.contact_person if to.contact_person.strip() else to.name,
              lambda same: sa.case((_blank(Client.contact_person), Client.name), else_=Client.contact_person)),
        Macro("admin_name", _l("Your name"), "Anna Ivanova",
              lambda to: to.staff_name, lambda same: _text(same.staff_name)),
        Macro("client_name", _l("Client's name"), "Romashka Ltd", lambda to: to.name, lambda same: Client.name),
        Macro("client_id", _l("Client's code"), "1042",
              lambda to: str(to.client_id), lambda same: sa.cast(Client.id, sa.String)),
        Macro("username", _l("Username"), "ivan",
              lambda to: to.username, lambda same: Client.owner_username, _blank(Client.owner_username)),
        Macro("company_name", _l("Company name"), "Romashka Ltd",
              lambda to: to.company_name, lambda same: Client.company_name, _blank(Client.company_name)),
        Macro("project_name", _l("Project"), "Alpha Hosting",
              lambda to: to.project_name, lambda same: Project.name),
        Macro("balance", _l("Balance"), "1,250.00\xa0EUR",
              lambda to: formatted_balance(to.balance, to.currency, to.language),
              lambda same: _formatted_balance(same.language)),
        Macro("panel_url", _l("Address of the client panel"), "https://desk.example.com/panel/",
              lambda to: to.panel_url, lambda same: _text(same.panel_url)),
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

    @property
    def fits_sql(self) -> bool:
        return len(self.macros) <= MOST_IN_SQL

    def column(self, same: Same) -> Any:
        """`for_`, by the database: plain pieces and values joined once, and not looked at again."""
        found = _text(self.plain[0])
        for macro, plain in zip(self.macros, self.plain[1:], strict=True):
            found = found + macro.column(same)
            if plain:
                found = found + _text(plain)
        return found


class Subject(Text):
    """A text that stays on one line, and within what a subject may have, whatever the values are."""

    def for_(self, addressee: Addressee) -> str:
        return _one_line(super().for_(addressee))

    def column(self, same: Same) -> Any:
        """As `for_`, except where `has_line_ends`: those the database cannot put right."""
        if not self.macros:
            return _text(_one_line(self.plain[0]))
        trimmed = sa.func.trim(super().column(same), BLANKS, type_=sa.String)
        return sa.func.substr(trimmed, 1, LONGEST_SUBJECT, type_=sa.String)

    def has_line_ends(self, same: Same) -> Any:
        """Whether a value has brought line ends in; for statements with Client and Project."""
        if not self.macros:
            return sa.false()
        joined = super().column(same).self_group()
        if db.session.get_bind().dialect.name == "postgresql":
            return joined.op("~", is_comparison=True)(_text(LINE_ENDS_OF_REGEXP))
        return joined.op("GLOB", is_comparison=True)(_text(LINE_ENDS_OF_GLOB))


def _one_line(text: str) -> str:
    return LINE_ENDS.sub(" ", text).strip()[:LONGEST_SUBJECT]


def used(texts: Iterable[str]) -> list[Macro]:
    """The macros that stand in any of `texts`, in the order of the registry."""
    names = {name for text in texts for name in KNOWN.findall(text)}
    return [macro for macro in REGISTRY.values() if macro.name in names]


def unknown(text: str) -> list[str]:
    """What is written like a macro and is none, as it is written, each once, in order."""
    found = [match[0] for match in WORD.finditer(text) if match[1] not in REGISTRY]
    return list(dict.fromkeys(found))

"""Countries: their codes, their names in the reader's language, and the one that an imported text means."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

import pycountry
from babel import Locale
from flask_babel import get_locale

# What people and other systems write, beside the official names.
ALSO_CALLED = {
    "america": "US", "u s": "US", "u s a": "US", "united states of america": "US", "сша": "US",
    "great britain": "GB", "britain": "GB", "uk": "GB", "u k": "GB", "england": "GB", "scotland": "GB",
    "wales": "GB", "northern ireland": "GB", "англия": "GB",
    "russia": "RU", "russian federation": "RU", "россия": "RU", "российская федерация": "RU", "рф": "RU",
    "holland": "NL", "голландия": "NL", "белоруссия": "BY", "czech republic": "CZ",
    "чешская республика": "CZ",
    "macedonia": "MK", "moldova": "MD", "молдавия": "MD", "korea": "KR", "south korea": "KR", "turkey": "TR",
    "vietnam": "VN", "iran": "IR", "syria": "SY", "laos": "LA", "bolivia": "BO", "venezuela": "VE",
    "tanzania": "TZ", "taiwan": "TW", "ivory coast": "CI", "uae": "AE", "оаэ": "AE", "киргизия": "KG",
}  # fmt: skip
# «Republic of Belarus» is Belarus.
FORM_OF_STATE = re.compile(r"^(the )?((republic|kingdom|state) of |the |республика |королевство )")


@lru_cache(maxsize=1)
def codes() -> frozenset[str]:
    """All codes of ISO 3166-1 alpha-2."""
    return frozenset(country.alpha_2 for country in pycountry.countries)


def is_known(code: str) -> bool:
    return code in codes()


def name(code: str, language: str | None = None) -> str:
    """The country's name in `language`, by default the reader's; the code itself where there is none."""
    return names(language or str(get_locale() or "en")).get(code, code)


def choices(language: str | None = None) -> list[tuple[str, str]]:
    """All countries as (code, name), in the order of their names."""
    return list(_in_order(language or str(get_locale() or "en")))


@lru_cache(maxsize=8)
def _in_order(language: str) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(names(language).items(), key=lambda item: _folded(item[1])))


def recognise(text: str) -> str | None:
    """The code of the country that `text` names by a code or a name, in English or Russian; else None."""
    code = text.strip().upper()
    return code if code in codes() else _named(text)


@lru_cache(maxsize=4096)
def _named(text: str) -> str | None:
    words = _folded(text)
    known = _by_name()
    return known.get(words) or known.get(FORM_OF_STATE.sub("", words))


@lru_cache(maxsize=8)
def names(language: str) -> dict[str, str]:
    """The name of each country by its code, in `language`."""
    territories = Locale.parse(language).territories
    return {each.alpha_2: str(territories.get(each.alpha_2, each.name)) for each in pycountry.countries}


@lru_cache(maxsize=1)
def _by_name() -> dict[str, str]:
    known = {}
    for country in pycountry.countries:
        more = (getattr(country, field, "") for field in ("alpha_3", "name", "official_name", "common_name"))
        local = (names(language).get(country.alpha_2, "") for language in ("en", "ru"))
        known.update({_folded(each): country.alpha_2 for each in (*more, *local) if each})
    return known | ALSO_CALLED


def _folded(text: str) -> str:
    """`text` in lower case, without accents, marks and doubled blanks."""
    plain = unicodedata.normalize("NFKD", text.casefold().replace("ё", "е").replace("й", "\0"))
    kept = (" " if not c.isalnum() and c != "\0" else c for c in plain if not unicodedata.combining(c))
    return " ".join("".join(kept).replace("\0", "й").split())

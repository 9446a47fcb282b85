"""Currencies: those whose smallest part is a hundredth or more, for money is kept in hundredths."""

from __future__ import annotations

from functools import lru_cache

import pycountry
from babel.numbers import get_currency_name, get_currency_precision
from flask_babel import get_locale

COMMON = ("RUB", "EUR", "USD", "UAH", "KZT", "BYN", "GBP", "PLN")


@lru_cache(maxsize=1)
def codes() -> tuple[str, ...]:
    """ISO 4217 codes, those asked for most often first."""
    known = sorted(one.alpha_3 for one in pycountry.currencies if get_currency_precision(one.alpha_3) <= 2)
    return (*COMMON, *(code for code in known if code not in COMMON and not code.startswith("X")))


def choices() -> list[tuple[str, str]]:
    locale = str(get_locale() or "en")
    return [(code, f"{code} · {get_currency_name(code, locale=locale)}") for code in codes()]

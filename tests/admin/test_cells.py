"""How values stand in the cells of a list."""

from __future__ import annotations

from decimal import Decimal

import pytest
from babel.numbers import format_currency
from hypothesis import given
from hypothesis import strategies as st

from admin_views import cells

AMOUNTS = st.decimals(min_value=-(10**11), max_value=10**11, places=2)


@pytest.mark.parametrize("locale", ["en", "ru"])
@given(amount=AMOUNTS, currency=st.sampled_from(["EUR", "USD", "RUB", "KZT", "GBP"]))
def test_an_amount_reads_as_the_language_has_it(locale: str, amount: Decimal, currency: str) -> None:
    expected = format_currency(amount, currency, "#,##0.00\u00a0¤", locale=locale)
    assert cells.in_currency(amount, currency, locale) == expected


def test_what_is_owed_is_marked() -> None:
    assert cells.money(Decimal("-1250.5"), "EUR", "en") == '<span class="money negative">-1,250.50\u00a0€</span>'
    assert cells.money(Decimal("0.00"), "RUB", "ru") == '<span class="money">0,00\u00a0₽</span>'

"""Amounts of money as they are typed: exactly understood, or refused."""

from __future__ import annotations

from decimal import Decimal

import pytest
from flask import Flask
from werkzeug.datastructures import MultiDict

from extensions import minor_units
from forms.base import Form
from forms.fields import MoneyField


class Paid(Form):
    amount = MoneyField("Amount")


def typed(*texts: str) -> Paid:
    return Paid(MultiDict([("amount", text) for text in texts]))


@pytest.mark.engine("sqlite")
@pytest.mark.parametrize(
    "text",
    ["NaN", "nan", "Infinity", "-inf", "1e50", "1e2", "1_000", "１２", "٣.٥", "1.005", "1,5,0", "1.2.3", "0x10", "--1", "+1",
     "1 000", "10000000000000", "1.", ".5", "½", "²", "1\u00a0000", "5 EUR", "$5", "true", "[]", "1\n2"],
)  # fmt: skip
def test_what_is_no_amount_is_refused_beside_the_field(app: Flask, text: str) -> None:
    with app.test_request_context("/admin/"):
        form = typed(text)
        assert not form.validate()
        assert form.amount.errors
        assert form.amount._value() == text, "it stays as it was typed"


@pytest.mark.engine("sqlite")
@pytest.mark.parametrize(
    ("text", "exact", "kept"),
    [("0", "0", 0), ("1,5", "1.5", 150), ("1.50", "1.50", 150), ("999999999.99", "999999999.99", 99999999999), ("-0.01", "-0.01", -1)],
)  # fmt: skip
def test_an_amount_is_kept_to_the_hundredth(app: Flask, text: str, exact: str, kept: int) -> None:
    with app.test_request_context("/admin/"):
        form = typed(text)
        assert form.validate(), form.errors
        assert form.amount.data == Decimal(exact)
        assert minor_units(form.amount.data) == kept


@pytest.mark.engine("sqlite")
def test_of_an_amount_given_twice_only_one_counts(app: Flask) -> None:
    with app.test_request_context("/admin/"):
        form = typed("1", "1000")
        assert not form.validate() or form.amount.data == Decimal(1)


@pytest.mark.parametrize("value", [0.1, Decimal("NaN"), Decimal("Infinity")])
def test_no_float_and_no_nothing_reaches_the_database(value: object) -> None:
    with pytest.raises(ValueError, match=r"float|amount"):
        minor_units(value)

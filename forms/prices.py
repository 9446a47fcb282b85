"""The prices of a product: a row for each period and currency."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from flask_babel import gettext as _
from markupsafe import Markup
from wtforms import Field
from wtforms.validators import StopValidation
from wtforms.widgets import TextInput

from forms.fields import AMOUNT
from models import Period, ProductPrice
from operations import currencies

EMPTY_ROWS = 2


class PricesField(Field):
    """Rows of period, currency and price; the value is a list of (period, currency, text of the price)."""

    widget = TextInput()

    def process(self, formdata: Any, data: Any = None, extra_filters: Any = None) -> None:
        self.process_errors = []
        rows = data if isinstance(data, list) else []
        self.data = [(row.period.value, row.currency, str(row.price)) for row in rows]
        if formdata is not None and f"{self.name}_price" in formdata:
            columns = [formdata.getlist(f"{self.name}_{part}") for part in ("period", "currency", "price")]
            self.data = [row for row in zip(*columns, strict=False) if row[2].strip()]

    def pre_validate(self, form: Any) -> None:
        seen = set()
        for period, currency, text in self.data:
            if period not in {one.value for one in Period} or currency not in currencies.codes():
                raise StopValidation(_("Choose one of the list."))
            if not AMOUNT.fullmatch(text.strip()) or text.strip().startswith("-"):
                raise StopValidation(_("This is no amount: digits, and at most two after the point."))
            if (period, currency) in seen:
                raise StopValidation(_("There is one price for each period and currency."))
            seen.add((period, currency))

    def populate_obj(self, obj: Any, name: str) -> None:
        """Change the product's prices into those given, keeping the rows that stay."""
        wanted = {(period, currency): Decimal(text.strip().replace(",", ".")) for period, currency, text in self.data}
        kept = []
        for row in obj.prices:
            key = (row.period.value, row.currency)
            if key in wanted:
                row.price = wanted.pop(key)
                kept.append(row)
        obj.prices = kept + [
            ProductPrice(period=Period(period), currency=currency, price=price)
            for (period, currency), price in wanted.items()
        ]

    def __call__(self, **attributes: Any) -> Markup:
        rows = [*self.data, *[("month", "", "")] * EMPTY_ROWS]
        return Markup("").join(self._row(number, *row) for number, row in enumerate(rows))

    def _row(self, number: int, period: str, currency: str, price: str) -> Markup:
        periods = Markup("").join(_option(one.value, str(one.label), period) for one in Period)
        known = Markup("").join(_option(code, code, currency) for code in currencies.codes())
        return Markup(
            '<div class="price-row"><select class="form-select" name="{n}_period" aria-label="{a}">{periods}</select>'
            '<input class="form-control" id="{id}" name="{n}_price" inputmode="decimal" aria-label="{b}" value="{price}">'
            '<select class="form-select" name="{n}_currency" aria-label="{c}">{known}</select></div>'
        ).format(
            n=self.name, periods=periods, known=known, price=price, a=_("Period"), b=_("Price"), c=_("Currency"),
            id=self.id if number == 0 else f"{self.id}_{number}",
        )  # fmt: skip


def _option(value: str, label: str, chosen: str) -> Markup:
    mark = Markup(" selected") if value == chosen else ""
    return Markup('<option value="{}"{}>{}</option>').format(value, mark, label)

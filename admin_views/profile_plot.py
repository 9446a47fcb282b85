"""The plot of what a client paid and was charged by month, as numbers for an SVG that the template writes.

Lengths along the months are percents, so that the drawing fits any width and its letters keep their size; heights
are pixels. Each bar leads to the list of exactly what it adds up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any

from babel.dates import format_date as babel_date
from babel.numbers import format_compact_decimal
from flask_babel import get_locale
from flask_babel import gettext as _

from admin_views.cells import in_currency
from operations import filters
from operations.client_overview import MONTHS_SHOWN

HEIGHT, TOP, FOOT = 148, 10, 22
BASE = HEIGHT - FOOT
SLOT = 100 / MONTHS_SHOWN
BAR, GAP = SLOT * 0.34, SLOT * 0.04


@dataclass(frozen=True)
class Bar:
    """A sum of a month: where it is drawn, what is said of it, and the list that it adds up."""

    x: str
    y: int
    height: int
    text: str
    title: str
    url: str


@dataclass(frozen=True)
class Month:
    """A month's place, its name short and whole, and its two sums; None where there is nothing or one may not see."""

    x: str
    short: str
    name: str
    paid: Bar | None
    spent: Bar | None


@dataclass(frozen=True)
class Plot:
    """All that templates/admin/clients/profile/plot.html reads. `lines` are (y, amount) of the scale."""

    account_id: int
    account: str
    title: str
    description: str
    months: list[Month]
    lines: list[tuple[int, str]]
    totals: list[tuple[str, str, str, str]]
    height: int = HEIGHT
    base: int = BASE


def first_days(today: date, months: int = MONTHS_SHOWN) -> list[date]:
    """The first days of the last `months` months, that of `today` included, and of the next one."""
    place = today.year * 12 + today.month - 1
    return [date(number // 12, number % 12 + 1, 1) for number in range(place - months + 1, place + 2)]


def bounds(today: date) -> list[datetime]:
    """Where the months of the plot begin and end, in the reader's time zone."""
    return [filters.midnight(day) for day in first_days(today)]


class Drawing:
    """Draws the plots of a client, one for each account, for a person who may see payments, expenses, or both."""

    def __init__(self, client_id: int, *, today: date, payments: bool, expenses: bool, has_lists: bool = True) -> None:
        self.client_id, self.days, self.has_lists = client_id, first_days(today), has_lists
        self.payments, self.expenses = payments, expenses
        self.locale = str(get_locale() or "en")

    def plot(self, account: Any, sums: Sequence[tuple[Any, Any]]) -> Plot | None:
        """The plot of an account; None where nothing was paid or charged in all these months."""
        shown = [(paid if self.payments else None, spent if self.expenses else None) for paid, spent in sums]
        largest = max((amount for pair in shown for amount in pair if amount), default=None)
        if largest is None:
            return None
        ceiling = nice_ceiling(largest)
        months = [self._month(place, pair, account, ceiling) for place, pair in enumerate(shown)]
        totals = self._totals(shown, account)
        first, last = months[0].name, months[-1].name
        return Plot(
            account_id=account.id,
            account=f"{account.project}, {account.currency}",
            title=_("Payments and expenses by month, %(currency)s", currency=account.currency),
            description=_("From %(first)s to %(last)s.", first=first, last=last)
            + "".join(f" {label}: {text}." for _code, label, text, _url in totals),
            months=months,
            lines=[(_height(ceiling * part / 2, ceiling), self._compact(ceiling * part / 2)) for part in (2, 1)],
            totals=totals,
        )

    def _totals(self, shown: Sequence[tuple[Any, Any]], account: Any) -> list[tuple[str, str, str, str]]:
        """(code, label, sum, address) of what may be seen, over all months."""
        sums = [sum((pair[side] or Decimal(0) for pair in shown), Decimal(0)) for side in (0, 1)]
        start, stop = self.days[0], self.days[-1]
        offered = [
            (self.payments, "paid", _("Payments"), sums[0], self._payments(account.id, start, stop)),
            (self.expenses, "spent", _("Expenses"), sums[1], self._expenses(account.id, start, stop)),
        ]
        return [(code, label, in_currency(total, account.currency), url) for may, code, label, total, url in offered if may]  # fmt: skip

    def _month(self, place: int, pair: tuple[Any, Any], account: Any, ceiling: Decimal) -> Month:
        start, stop = self.days[place], self.days[place + 1]
        short, name = month_names(self.locale, start)
        left = SLOT * place + (SLOT - 2 * BAR - GAP) / 2

        def bar(amount: Decimal | None, x: float, label: str, list_of: Callable[[int, date, date], str]) -> Bar | None:
            if not amount:
                return None
            y = _height(amount, ceiling)
            text = in_currency(amount, account.currency)
            return Bar(_percent(x), y, BASE - y, text, f"{name}, {label}: {text}", list_of(account.id, start, stop))

        return Month(
            x=_percent(SLOT * (place + 0.5)),
            short=short,
            name=name,
            paid=bar(pair[0], left, _("Payments"), self._payments),
            spent=bar(pair[1], left + BAR + GAP, _("Expenses"), self._expenses),
        )

    def _payments(self, account_id: int, start: date, stop: date) -> str:
        return self._list("payments", f"account={account_id}&status=paid&{_days('paid', start, stop)}")

    def _expenses(self, account_id: int, start: date, stop: date) -> str:
        return self._list("expenses", f"account={account_id}&{_days('posted', start, stop)}")

    def _list(self, module: str, query: str) -> str:
        return f"/admin/{module}/?client={self.client_id}&{query}" if self.has_lists else ""

    def _compact(self, amount: Decimal) -> str:
        return str(format_compact_decimal(amount, locale=self.locale, fraction_digits=1))


def _days(name: str, start: date, stop: date) -> str:
    """The parameters of a list for all days before `stop`, from `start` on."""
    return f"{name}_from={start.isoformat()}&{name}_to={(stop - timedelta(days=1)).isoformat()}"


@lru_cache(maxsize=200)
def month_names(locale: str, day: date) -> tuple[str, str]:
    """What the month is called, short enough to stand under a bar, and whole with its year."""
    return babel_date(day, "LLLL", locale)[:3], babel_date(day, "LLLL y", locale)


def nice_ceiling(amount: Decimal) -> Decimal:
    """The next round number that is not below `amount`: 1, 2, 2.5, 5 or 10 times a power of ten."""
    power = Decimal(1).scaleb(amount.adjusted())
    return next(power * Decimal(step) for step in ("1", "2", "2.5", "5", "10") if power * Decimal(step) >= amount)


def _height(amount: Decimal, ceiling: Decimal) -> int:
    """From the top, in pixels; what is anything at all is seen."""
    return BASE - max(2, int(amount * (BASE - TOP) / ceiling))


def _percent(number: float) -> str:
    return f"{number:.2f}%"

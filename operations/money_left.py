"""How long a client's money lasts: when the first renewal comes that the account cannot pay."""

from __future__ import annotations

import calendar
import heapq
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from models import Period

MONTHS = {Period.MONTH: 1, Period.QUARTER: 3, Period.HALF_YEAR: 6, Period.YEAR: 12}
# Nobody asks further ahead, and prices do not hold for longer.
HORIZON = timedelta(days=730)


@dataclass(frozen=True)
class Renewal:
    """A service that is charged `price` when its time ends at `due`, and after each `period` again."""

    price: Decimal
    period: Period
    due: datetime


@dataclass(frozen=True)
class Forecast:
    """When the money is at an end: `at` is the first renewal that cannot be paid, None for none within HORIZON."""

    at: datetime | None


def runs_out(*, available: Decimal, renewals: Iterable[Renewal], now: datetime) -> Forecast | None:
    """When `available` (balance and credit limit together) no longer pays for what is renewed.

    Assumed is that nothing changes: each service is charged its present price on the day that its time ends, and
    then month by month, quarter by quarter and so on, on the same day (the last of shorter months); the services are
    all of one account and one currency. What is overdue is charged now, each period that was missed. Nothing else is foreseen: no payment that
    may come, no new order, no discount, no service sold once or not renewed by itself. Of renewals of the same moment
    those with the lower price are paid first. Who has overdrawn already has run out now.

    None where nothing is renewed that costs anything: then there is no answer.
    """
    charged = [one for one in renewals if one.price > 0 and one.period in MONTHS]
    if not charged:
        return None
    if available < 0:
        return Forecast(now)
    waiting = [(max(one.due, now), one.price, place, 0) for place, one in enumerate(charged)]
    heapq.heapify(waiting)
    while waiting:
        due, price, place, times = heapq.heappop(waiting)
        if due > now + HORIZON:
            return Forecast(None)
        if price > available:
            return Forecast(due)
        available -= price
        one = charged[place]
        later = _months_later(one.due, (times + 1) * MONTHS[one.period])
        heapq.heappush(waiting, (max(later, now), price, place, times + 1))
    return Forecast(None)


def _months_later(moment: datetime, months: int) -> datetime:
    """The same day and hour so many months later; where that month has no such day, its last."""
    years, month = divmod(moment.month - 1 + months, 12)
    year = moment.year + years
    day = min(moment.day, calendar.monthrange(year, month + 1)[1])
    return moment.replace(year=year, month=month + 1, day=day)

"""Services of demo data: what clients have, since when, and what that has cost them lately."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from models import Period, ServiceStatus, SuspensionReason
from operations.demo_books import Books, Charge, Purse, Standing, shifted
from operations.demo_catalogue import MONTHS, ForSale, Shop
from operations.demo_clients import Subject
from operations.demo_rows import Chance, Rows, shuffled_shares

# The first clients have a year behind them, so that plots show something; all others two months.
LONG_HISTORY, SHORT_HISTORY = 12, 2
WITH_LONG_HISTORY = 300
# The client whose panel one can log in to has something to show in it.
SHOWN_CLIENT = 1
STANDINGS = {
    Standing.EVEN: 0.38,
    Standing.AHEAD: 0.45,
    Standing.ASKED: 0.07,
    Standing.ON_CREDIT: 0.06,
    Standing.UNPAID: 0.04,
}
# What became of services that nothing special happened to, and why they were suspended.
FATES = {
    (ServiceStatus.ACTIVE, None): 0.84,
    (ServiceStatus.DELETED, None): 0.08,
    (ServiceStatus.ORDERED, None): 0.04,
    (ServiceStatus.SUSPENDED, SuspensionReason.STAFF): 0.02,
    (ServiceStatus.SUSPENDED, SuspensionReason.CLIENT): 0.02,
}
RUNNING = {ServiceStatus.ACTIVE, ServiceStatus.ORDERED}


@dataclass
class Sale:
    """One service while it is made: what was sold, what became of it, and its periods that count."""

    purse: Purse
    product: ForSale
    status: ServiceStatus
    reason: SuspensionReason | None
    period: Period
    price: int
    opened_at: datetime

    @property
    def first_day(self) -> date:
        """The day that its periods begin on; there is one in every month."""
        return self.opened_at.date().replace(day=min(self.opened_at.day, 28))


class Billing:
    def __init__(self, chance: Chance, rows: Rows, *, total: int, now: datetime) -> None:
        self._chance, self._rows, self._now = chance, rows, now
        self._rng = chance.of("billing")
        self._today = now.date()
        self._standings = shuffled_shares(chance.of("standings"), total, STANDINGS)
        self._fates = shuffled_shares(chance.of("fates"), 3 * total, FATES)
        self._books = Books(rows, total=total, now=now)
        self._to_cover: dict[int, list[ForSale]] = {}
        self._total = total

    def add(self, subject: Subject, *, violation_id: int | None = None, is_at_risk: bool = False) -> None:
        """Give `subject` an account, services and what follows from them.

        With `violation_id` its services are stopped for that violation; those of who is at risk all run.
        """
        self._rng = self._chance.of("billing", subject.id)
        standing = next(self._standings)
        is_shown = subject.id == SHOWN_CLIENT
        if is_at_risk or violation_id is not None:
            standing = Standing.EVEN
        elif is_shown:
            standing = Standing.AHEAD
        purse = Purse(subject, standing)
        stopped = SuspensionReason.UNPAID if standing is Standing.UNPAID else None
        if violation_id is not None:
            stopped = SuspensionReason.VIOLATION
        # What is sold nowhere else must not be stopped by and by.
        wanted = [] if stopped or is_at_risk else self._not_yet_sold(subject.shop)
        # Who owes something has something that runs.
        all_run = is_at_risk or is_shown or standing in {Standing.ASKED, Standing.ON_CREDIT}
        sales = self._sales(purse, wanted, stopped, all_run=all_run)
        statuses = [self._service(sale, violation_id) for sale in sales]
        subject.row["active_services"] = statuses.count(ServiceStatus.ACTIVE)
        subject.row["is_suspended"] = ServiceStatus.SUSPENDED in statuses and not RUNNING & set(statuses)
        self._books.keep(purse, self._chance.of("books", subject.id))

    def _not_yet_sold(self, shop: Shop) -> list[ForSale]:
        """Products that no client has yet, some for each client, so that in the end all are sold."""
        left = self._to_cover.setdefault(shop.id, list(shop.products))
        clients = max(int(self._total * shop.brand.share) // 2, 1)
        share = math.ceil(len(shop.products) / clients)
        taken, left[:share] = left[:share], []
        return taken

    def _sales(
        self, purse: Purse, wanted: list[ForSale], stopped: SuspensionReason | None, *, all_run: bool
    ) -> Iterator[Sale]:
        """What the client has: the products `wanted`, which run, and some others."""
        least = max(len(wanted), 3 if all_run else int(stopped is not None))
        for number in range(max(self._rng.choice((0, 1, 1, 2, 2, 3)), least)):
            is_wanted = number < len(wanted)
            product = wanted[number] if is_wanted else self._rng.choice(purse.subject.shop.products)
            fate = (ServiceStatus.ACTIVE, None) if is_wanted or all_run or stopped else next(self._fates)
            status, reason = (ServiceStatus.SUSPENDED, stopped) if stopped else fate
            # Most pay for the shortest period there is.
            period, price = product.prices[0] if self._rng.random() < 0.8 else self._rng.choice(product.prices)
            ago = (self._now - purse.subject.registered_at) * self._rng.random()
            opened_at = (self._now - ago).replace(microsecond=0)
            yield Sale(purse, product, status, reason, period, price, opened_at)

    def _service(self, sale: Sale, violation_id: int | None) -> ServiceStatus:
        """Make the service, and note what it has cost; returns its status."""
        subject, service_id = sale.purse.subject, self._rows.new_id("services")
        starts, ends = self._current_period(sale.first_day, MONTHS[sale.period])
        if sale.reason is SuspensionReason.UNPAID:
            # What was paid for is over; the next period was not paid.
            starts, ends = shifted(starts, -MONTHS[sale.period]), starts
        expires_at = datetime.combine(ends, time(), UTC)
        self._rows.add(
            "services",
            {
                "id": service_id,
                "client_id": subject.id,
                "product_id": sale.product.id,
                "account_id": subject.id,
                "name": f"{sale.product.name} · {subject.slug}",
                "status": sale.status,
                "suspension_reason": sale.reason,
                "suspended_by_violation_id": (violation_id if sale.reason is SuspensionReason.VIOLATION else None),
                "period": sale.period,
                "price": sale.price,
                "auto_renew": self._rng.random() < 0.85,
                "opened_at": sale.opened_at,
                "expires_at": None if sale.status is ServiceStatus.ORDERED else expires_at,
            },
        )
        if sale.status in {ServiceStatus.ACTIVE, ServiceStatus.SUSPENDED}:
            sale.purse.charges += self._charges(sale, service_id, starts)
        return sale.status

    def _current_period(self, first: date, months: int) -> tuple[date, date]:
        """The first day of the period that is running, and of the one after it."""
        passed = (self._today.year - first.year) * 12 + self._today.month - first.month
        if self._today.day < first.day:
            passed -= 1
        starts = shifted(first, max(passed, 0) // months * months)
        return starts, shifted(starts, months)

    def _charges(self, sale: Sale, service_id: int, last: date) -> Iterator[Charge]:
        """The charges of a service from the one that began on `last` back to the beginning of the history."""
        subject, months = sale.purse.subject, MONTHS[sale.period]
        history = LONG_HISTORY if subject.id <= WITH_LONG_HISTORY else SHORT_HISTORY
        earliest = max(shifted(self._today.replace(day=1), 1 - history), sale.first_day)
        starts = last
        while starts >= earliest:
            until = shifted(starts, months) - timedelta(days=1)
            yield Charge(service_id, sale.product.name, subject.id, sale.price, starts, until)
            starts = shifted(starts, -months)

"""Services of demo data: what clients have, since when, and what that has cost them lately."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta

from models import Period, ServiceStatus, SuspensionReason
from operations.demo_books import Books, Charge, Purse, Standing, shifted
from operations.demo_catalogue import MONTHS, ForSale, Shop
from operations.demo_clients import Subject
from operations.demo_rows import Rows, shuffled_shares

# The first clients have a year behind them, so that plots show something; all others two months.
LONG_HISTORY, SHORT_HISTORY = 12, 2
WITH_LONG_HISTORY = 300
STANDINGS = {
    Standing.EVEN: 0.68, Standing.AHEAD: 0.15, Standing.ASKED: 0.07, Standing.ON_CREDIT: 0.06, Standing.UNPAID: 0.04,
}  # fmt: skip


class Billing:
    def __init__(self, rng: random.Random, rows: Rows, *, total: int, now: datetime) -> None:
        self._rng, self._rows, self._now = rng, rows, now
        self._today = now.date()
        self._standings = shuffled_shares(rng, total, STANDINGS)
        self._books = Books(rng, rows, total=total, now=now)
        self._to_cover: dict[int, list[ForSale]] = {}
        self._total = total

    def add(self, subject: Subject, *, violation_id: int | None = None, must_be_active: bool = False) -> None:
        """Give `subject` an account, services and what follows from them.

        With `violation_id` its services are stopped for that violation; `must_be_active` keeps them running.
        """
        standing = next(self._standings)
        if must_be_active or violation_id is not None:
            standing = Standing.EVEN
        # Who owes something has something that runs.
        must_be_active = must_be_active or standing in {Standing.ASKED, Standing.ON_CREDIT}
        purse = Purse(subject, standing)
        statuses = self._services(purse, violation_id, must_be_active=must_be_active)
        subject.row["active_services"] = statuses.count(ServiceStatus.ACTIVE)
        subject.row["is_suspended"] = ServiceStatus.SUSPENDED in statuses and not (
            {ServiceStatus.ACTIVE, ServiceStatus.ORDERED} & set(statuses)
        )
        self._books.keep(purse)

    def _services(
        self, purse: Purse, violation_id: int | None, *, must_be_active: bool
    ) -> list[ServiceStatus]:
        """Give the client some services; returns what became of each."""
        shop, stopped = purse.subject.shop, self._stopped(purse, violation_id)
        wanted = [] if stopped else self._not_yet_sold(shop)
        least = 2 if must_be_active else int(stopped is not None)
        count = max(self._rng.choice((0, 1, 1, 2, 2, 3)), least, len(wanted))
        statuses = []
        for number in range(count):
            status, reason = ServiceStatus.ACTIVE, stopped
            if stopped:
                status = ServiceStatus.SUSPENDED
            elif not must_be_active and number >= len(wanted):
                status, reason = self._status()
            product = wanted[number] if number < len(wanted) else self._rng.choice(shop.products)
            self._service(purse, product, status, reason, violation_id)
            statuses.append(status)
        return statuses

    def _stopped(self, purse: Purse, violation_id: int | None) -> SuspensionReason | None:
        if violation_id is not None:
            return SuspensionReason.VIOLATION
        return SuspensionReason.UNPAID if purse.standing is Standing.UNPAID else None

    def _not_yet_sold(self, shop: Shop) -> list[ForSale]:
        """Products that no client has yet, some for each client, so that in the end all are sold."""
        left = self._to_cover.setdefault(shop.id, list(shop.products))
        clients = max(int(self._total * shop.brand.share) // 2, 1)
        share = math.ceil(len(shop.products) / clients)
        taken, left[:share] = left[:share], []
        return taken

    def _status(self) -> tuple[ServiceStatus, SuspensionReason | None]:
        dice = self._rng.random()
        if dice < 0.84:
            return ServiceStatus.ACTIVE, None
        if dice < 0.93:
            return ServiceStatus.DELETED, None
        if dice < 0.96:
            return ServiceStatus.ORDERED, None
        return ServiceStatus.SUSPENDED, self._rng.choice((SuspensionReason.STAFF, SuspensionReason.CLIENT))

    def _service(
        self,
        purse: Purse,
        product: ForSale,
        status: ServiceStatus,
        reason: SuspensionReason | None,
        violation_id: int | None,
    ) -> None:
        subject, service_id = purse.subject, self._rows.new_id("services")
        period, price = product.prices[0] if self._rng.random() < 0.8 else self._rng.choice(product.prices)
        opened = subject.registered_at + (self._now - subject.registered_at) * self._rng.random() ** 2
        starts, ends = self._current_period(opened.date(), MONTHS[period])
        if reason is SuspensionReason.UNPAID:
            # What was paid for is over; the next period was not paid.
            starts, ends = shifted(starts, -MONTHS[period]), starts
        self._rows.add(
            "services",
            {
                "id": service_id,
                "client_id": subject.id,
                "product_id": product.id,
                "account_id": subject.id,
                "name": f"{product.name} · {subject.slug}"[:200],
                "status": status,
                "suspension_reason": reason,
                "suspended_by_violation_id": violation_id if reason is SuspensionReason.VIOLATION else None,
                "period": period,
                "price": price,
                "auto_renew": self._rng.random() < 0.85,
                "opened_at": opened.replace(microsecond=0),
                "expires_at": None
                if status is ServiceStatus.ORDERED
                else datetime.combine(ends, time(), UTC),
            },
        )
        if status in {ServiceStatus.ACTIVE, ServiceStatus.SUSPENDED}:
            purse.charges += self._charges(
                subject, service_id, product.name, period, price, opened.date(), starts
            )

    def _current_period(self, opened: date, months: int) -> tuple[date, date]:
        """The first day of the period that is running, and of the one after it."""
        first = opened.replace(day=min(opened.day, 28))
        passed = (self._today.year - first.year) * 12 + self._today.month - first.month
        if self._today.day < first.day:
            passed -= 1
        starts = shifted(first, max(passed, 0) // months * months)
        return starts, shifted(starts, months)

    def _charges(
        self,
        subject: Subject,
        service_id: int,
        name: str,
        period: Period,
        price: int,
        opened: date,
        last: date,
    ) -> Iterator[Charge]:
        """The charges of a service from the one that began on `last` back to the beginning of the history."""
        history = LONG_HISTORY if subject.id <= WITH_LONG_HISTORY else SHORT_HISTORY
        earliest = max(
            shifted(self._today.replace(day=1), 1 - history), opened.replace(day=min(opened.day, 28))
        )
        starts = last
        while starts >= earliest:
            until = shifted(starts, MONTHS[period]) - timedelta(days=1)
            yield Charge(service_id, name, subject.id, price, starts, until)
            starts = shifted(starts, -MONTHS[period])

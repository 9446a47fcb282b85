"""A client as one staff member sees it: what was asked of the database for the page, and the figures of its head."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property
from typing import Any

from flask_babel import format_decimal, ngettext, npgettext
from flask_babel import gettext as _
from flask_login import current_user
from markupsafe import Markup

from admin_views import cells
from admin_views.listing import address
from extensions import now
from models import Client
from operations import client_overview, filters
from operations.client_overview import MOST_COUNTED, MOST_FORETOLD
from operations.money_left import Forecast, Renewal, runs_out

# Days until the money runs out: fewer than these are red, or amber.
URGENT, NEAR = 3, 14
MOST_ACCOUNTS_IN_HEAD = 3


@dataclass
class Part:
    """A piece of a figure, which leads to the list that it counts. `tone` is red, amber or nothing."""

    text: Any
    url: str | None = None
    tone: str = ""
    title: str = ""


@dataclass
class Figure:
    """A figure of the head: what it is, and its parts, the largest first."""

    code: str
    label: str
    parts: list[Part] = field(default_factory=list)


class Profile:
    """One client for the person of this request. Each question is asked once, when it is first needed."""

    soon = client_overview.SOON.days

    def __init__(self, record: Client) -> None:
        self.record = record
        self.id: int = record.id
        self.now: datetime = now()
        self.today: date = filters.today()

    def may(self, module: str, verb: str = "view") -> bool:
        if module == "violations" and not self.counts.handles_abuse:
            return False
        return bool(current_user.may(f"{module}.{verb}"))

    def list_of(self, module: str, **parameters: Any) -> str:
        """The list of the module with this client's records alone; nothing for a deleted client, which no list shows."""
        if self.record.deleted_at is not None:
            return ""
        return address(f"/admin/{module}/", {"client": self.id, **parameters})

    def url(self, tab: str = "", **more: Any) -> str:
        """The client's page, on the tab."""
        return address("/admin/clients/details/", {"id": self.id, "tab": tab, **more})

    @cached_property
    def counts(self) -> Any:
        return client_overview.figures(self.id, now=self.now)

    @cached_property
    def accounts(self) -> list[Any]:
        if not (self.may("accounts") or self.may("invoices") or self.may("payments") or self.may("expenses")):
            return []
        return client_overview.accounts(self.id, today=self.today)

    @cached_property
    def running(self) -> list[Any]:
        return client_overview.running_services(self.id) if self.may("services") else []

    @cached_property
    def ending(self) -> list[Any]:
        """Services whose time ends soon, or is over though they still run."""
        return [row for row in self.running if row.expires_at <= self.now + client_overview.SOON]

    @cached_property
    def forecasts(self) -> dict[int, Forecast]:
        """When the money of each account runs out, for those of which it can be told."""
        if not self.may("accounts") or len(self.running) > MOST_FORETOLD:
            return {}
        renewals: dict[int, list[Renewal]] = defaultdict(list)
        for row in self.running:
            if row.auto_renew:
                renewals[row.account_id].append(Renewal(row.price, row.period, row.expires_at))
        found = {
            account.id: runs_out(
                available=account.balance + account.credit_limit, renewals=renewals[account.id], now=self.now
            )
            for account in self.accounts
        }
        return {number: forecast for number, forecast in found.items() if forecast is not None}

    def money_lasts(self, account_id: int) -> Part | None:
        """Until when the account's money lasts, in words."""
        forecast = self.forecasts.get(account_id)
        if forecast is None:
            return None
        url = self.list_of("services", status="active", sort="expires_at")
        if forecast.at is None:
            return Part(_("enough for more than 2 years"), url)
        day = filters.day_of(forecast.at)
        days = (day - self.today).days
        title = _("Runs out on %(day)s if nothing is paid in and the services stay as they are.", day=cells.show(day))
        if forecast.at <= self.now:
            return Part(_("not enough for what is due"), url, "red", title)
        text = ngettext("runs out in %(num)s day", "runs out in %(num)s days", days) if days else _("runs out today")
        text = _("%(when)s, %(day)s", when=text, day=cells.show(day)) if days else text
        return Part(text, url, "red" if days <= URGENT else "amber" if days <= NEAR else "", title)

    # Figures

    def figures(self) -> list[Figure]:
        """The figures of the head. What there is none of, or what one may not see, is left out."""
        makers: list[Callable[[], list[Figure]]] = [
            self._balances, self._services, self._tickets, self._invoices, self._points,
        ]  # fmt: skip
        return [figure for make in makers for figure in make()]

    def _balances(self) -> list[Figure]:
        if not self.may("accounts"):
            return []
        figures = [self._balance(account) for account in self.accounts[:MOST_ACCOUNTS_IN_HEAD]]
        left = len(self.accounts) - len(figures)
        if left > 0:
            more = ngettext("and %(num)s more account", "and %(num)s more accounts", left)
            figures[-1].parts.append(Part(more, self.list_of("accounts")))
        return figures

    def _balance(self, account: Any) -> Figure:
        label = _("Balance") if account is self.accounts[0] else _("Balance, %(project)s", project=account.project)
        parts = [Part(cells.money(account.balance, account.currency), self.list_of("accounts"))]
        if lasts := self.money_lasts(account.id):
            parts.append(lasts)
        if account.credit_limit:
            limit = cells.in_currency(account.credit_limit, account.currency)
            parts.append(Part(_("credit limit %(amount)s", amount=limit), self.list_of("accounts")))
        return Figure("balance", label, parts)

    def _services(self) -> list[Figure]:
        active, suspended = self.counts.active, self.counts.suspended
        if not self.may("services") or not (active or suspended):
            return []
        parts = []
        if active:
            text = npgettext("services", "%(count)s active", "%(count)s active", active, count=counted(active))
            parts.append(Part(text, self.list_of("services", status="active")))
        if suspended:
            text = npgettext(
                "services", "%(count)s suspended", "%(count)s suspended", suspended, count=counted(suspended)
            )
            parts.append(Part(text, self.list_of("services", status="suspended"), "red"))
        return [Figure("services", _("Services"), parts)]

    def _tickets(self) -> list[Figure]:
        waiting = self.counts.waiting
        if not self.may("tickets") or not waiting:
            return []
        text = npgettext("tickets", "%(count)s waits for us", "%(count)s wait for us", waiting, count=counted(waiting))
        return [Figure("tickets", _("Tickets"), [Part(text, self.list_of("tickets", status="waiting_staff"), "amber")])]

    def _invoices(self) -> list[Figure]:
        unpaid = sum(account.unpaid or 0 for account in self.accounts)
        if not self.may("invoices") or not unpaid:
            return []
        parts = [Part(self._sum(unpaid, "unpaid_sum"), self.list_of("invoices", unpaid=1))]
        if overdue := sum(account.overdue or 0 for account in self.accounts):
            text = npgettext("invoices", "%(count)s overdue: %(sum)s", "%(count)s overdue: %(sum)s", overdue,
                            count=counted(overdue), sum=self._sums("overdue_sum"))  # fmt: skip
            parts.append(Part(text, self.list_of("invoices", overdue=1), "red"))
        label = ngettext("%(count)s unpaid invoice", "%(count)s unpaid invoices", unpaid, count=counted(unpaid))
        return [Figure("invoices", label, parts)]

    def _sum(self, count: int, name: str) -> str:
        """The sum of what was counted; of what is more than was counted, no sum is known."""
        sums = self._sums(name)
        return _("more than %(count)s", count=sums) if count > MOST_COUNTED else sums

    def _sums(self, name: str) -> str:
        """The sums of all accounts, those of a currency together."""
        sums: dict[str, Decimal] = defaultdict(Decimal)
        for account in self.accounts:
            if amount := getattr(account, name):
                sums[account.currency] += amount
        return " + ".join(cells.in_currency(amount, currency) for currency, amount in sums.items())

    @property
    def points(self) -> int:
        """The penalty points that have not faded, for those who may know of them."""
        return int(self.counts.points or 0) if self.may("violations") else 0

    def _points(self) -> list[Figure]:
        if not self.points:
            return []
        first, last = filters.day_of(self.counts.first_fades), filters.day_of(self.counts.last_fades)
        if first == last:
            fade = Part(_("fade on %(day)s", day=cells.show(last)))
        else:
            fade = Part(_("fade from %(day)s", day=cells.show(first)),
                        title=_("The last fade on %(day)s.", day=cells.show(last)))  # fmt: skip
        url = self.url("tickets") + "#points"
        return [Figure("points", _("Penalty points"), [Part(format_decimal(self.points), url), fade])]


def counted(number: int) -> str:
    """A count in words: no further than was counted."""
    if number > MOST_COUNTED:
        return _("more than %(count)s", count=format_decimal(MOST_COUNTED))
    return format_decimal(number)


def pre_line(text: str) -> Markup:
    """Text whose line breaks are kept."""
    return Markup('<span class="pre-line">{}</span>').format(text)

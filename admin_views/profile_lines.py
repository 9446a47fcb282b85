"""Records on a client's page: each a line with a link, what is to be known of it, and a figure at its end."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from flask_babel import format_timedelta
from flask_babel import gettext as _
from markupsafe import Markup

from admin_views import cells
from models import (
    ActStatus,
    InvoiceStatus,
    LegalStatus,
    PaymentStatus,
    Period,
    ServiceStatus,
    TicketStatus,
    ViolationAction,
    ViolationStatus,
)
from operations import countries, filters

URGENT = timedelta(days=1)
SHADES = {
    "waiting_staff": "amber", "waiting_client": "blue", "suspended": "red", "overdue": "red", "in_progress": "blue",
    "refunded": "violet", "answered": "blue", "executed": "red",
}  # fmt: skip


@dataclass
class Line:
    """One record. `notes` stand under its title, `end` at the end of the line with `end_note` under it."""

    url: str | None
    title: Any
    badge: Any = ""
    notes: tuple[Any, ...] = ()
    end: Any = ""
    end_note: Any = ""
    tone: str = ""


def state(kind: Any, value: str) -> Markup:
    """The state of a record as a badge."""
    return cells.badge(value, str(kind(value).label), color=SHADES.get(value, ""))


def _word(kind: Any, value: str) -> Markup:
    """The state of a record as a word in its colour."""
    return Markup('<span class="tone-{}">{}</span>').format(SHADES.get(value, "none"), kind(value).label)


def _when(moment: datetime, now: datetime) -> Markup:
    """How long ago, with the very time where the mouse rests."""
    return Markup('<time title="{}">{}</time>').format(cells.show(moment), ago(moment, now))


def ago(moment: datetime, now: datetime) -> str:
    """How long ago, or in how long: «in 5 days»."""
    return str(format_timedelta(moment - now, add_direction=True))


def _page(module: str, row: Any) -> str:
    return f"/admin/{module}/details/?id={row.id}"


def tickets(rows: Iterable[Any], now: datetime) -> list[Line]:
    """Tickets: what they are about, for whom they wait, and when something was last written."""
    return [
        Line(_page("tickets", row), row.title, notes=(_word(TicketStatus, row.state), _when(row.at, now)))
        for row in rows
    ]


def violations(rows: Iterable[Any], now: datetime) -> list[Line]:
    """Open violations. The deadline of one that was answered threatens nothing any more."""
    found = []
    for row in rows:
        is_open = row.state == ViolationStatus.OPEN
        tone = "red" if is_open and row.until - now < URGENT else "amber" if is_open else ""
        follows = _("then: %(action)s", action=ViolationAction(row.word).label)
        said = tuple(text for text in (row.note, follows if is_open else "") if text)
        badge = "" if is_open else state(ViolationStatus, row.state)
        found.append(Line(_page("violations", row), row.title, badge, said, ago(row.until, now),
                          cells.show(row.until), tone))  # fmt: skip
    return found


def ending(rows: Iterable[Any], now: datetime) -> list[Line]:
    """Services whose time ends soon: when, and whether they go on by themselves."""
    found = []
    for row in rows:
        goes_on = _("renewed by itself") if row.auto_renew else _("not renewed by itself")
        price = cells.in_currency(row.price, row.currency)
        tone = "red" if row.expires_at <= now else "" if row.auto_renew else "amber"
        found.append(Line(_page("services", row), row.name, "", (f"{price}, {goes_on}",),
                          cells.show(filters.day_of(row.expires_at)), ago(row.expires_at, now), tone))  # fmt: skip
    return found


def _money(module: str, kind: Any, settled: Any, row: Any, when: Any, *notes: Any) -> Line:
    badge = "" if row.state == settled else state(kind, row.state)
    said = tuple(note for note in (when, *notes) if note)
    return Line(_page(module, row), row.title, badge, said, cells.money(row.amount, row.currency))


def payments(rows: Iterable[Any]) -> list[Line]:
    """Payments, the last to come first."""
    return [
        _money("payments", PaymentStatus, PaymentStatus.PAID, row, cells.show(filters.day_of(row.at)), row.note)
        for row in sorted(rows, key=lambda row: row.at, reverse=True)
    ]


def acts(rows: Iterable[Any]) -> list[Line]:
    return [_money("acts", ActStatus, None, row, cells.show(row.day)) for row in rows]


def invoices(rows: Iterable[Any], today: Any) -> list[Line]:
    """Invoices with the day until which they are to be paid; one whose day is over is overdue, whatever it says."""
    found = []
    for row in rows:
        line = _money("invoices", InvoiceStatus, InvoiceStatus.PAID, row, _("due %(day)s", day=cells.show(row.day)))
        if row.state == InvoiceStatus.NEW and row.day < today:
            line.badge = state(InvoiceStatus, InvoiceStatus.OVERDUE.value)
        found.append(line)
    return found


def expenses(rows: Iterable[Any]) -> list[Line]:
    return [
        Line(_page("expenses", row), row.title or f"#{row.id}", notes=(cells.show(filters.day_of(row.at)),),
             end=cells.money(row.amount, row.currency))
        for row in rows
    ]  # fmt: skip


def users(rows: Iterable[Any], now: datetime, *, is_short: bool = False) -> list[Line]:
    """Users and when each last came; `is_short` leaves out how they are reached."""
    found = []
    for row in rows:
        badge = Markup("")
        if row.flag:
            badge += cells.badge("owner", _("Owner"), icon="key")
        if not row.number:
            badge += cells.badge("blocked", _("Blocked"), icon="ban", color="red")
        came = cells.show(row.at) if row.at else ""
        said = (row.note,) if is_short else (row.note, row.word, row.more)
        found.append(Line(_page("users", row), row.title, badge, tuple(text for text in said if text),
                          ago(row.at, now) if row.at else _("never came"), came))  # fmt: skip
    return found


def payers(rows: Iterable[Any]) -> list[Line]:
    return [
        Line(_page("payers", row), row.title,
             cells.badge("default", _("Default")) if row.flag else "",
             tuple(t for t in (LegalStatus(row.state).label, countries.name(row.word), row.note) if t))
        for row in rows
    ]  # fmt: skip


def services(rows: Iterable[Any], now: datetime) -> list[Line]:
    found = []
    for row in rows:
        price = cells.in_currency(row.amount, row.currency)
        period = str(Period(row.word).label)
        notes = [row.note, f"{price} / {period.lower()}"]
        if row.state == ServiceStatus.ACTIVE and row.word != Period.ONCE:
            notes.append(_("renewed by itself") if row.flag else _("not renewed by itself"))
        day = cells.show(filters.day_of(row.until)) if row.until else ""
        is_over = row.state == ServiceStatus.ACTIVE and row.until is not None and row.until <= now
        badge = "" if row.state == ServiceStatus.ACTIVE else state(ServiceStatus, row.state)
        found.append(Line(_page("services", row), row.title, badge, tuple(notes),
                          _("until %(day)s", day=day) if day else "", ago(row.until, now) if row.until else "",
                          "red" if is_over else ""))  # fmt: skip
    return found

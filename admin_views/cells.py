"""How values look in a cell: dates, money, enums, yes and no, records that lead to their own page."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from babel.numbers import get_currency_symbol, get_decimal_symbol, get_group_symbol, get_minus_sign_symbol
from flask import url_for
from flask_babel import format_decimal, get_locale, get_timezone
from flask_babel import gettext as _
from markupsafe import Markup, escape

from extensions import LabelledEnum
from operations.audit import SYSTEM

ICON = Markup('<svg class="icon" aria-hidden="true"><use href="{}#{}"/></svg>')
BADGE = Markup('<span class="badge{}" data-badge="{}" title="{}">{}<span>{}</span></span>')
COLORS = {"green": "good", "orange": "amber", "yellow": "amber", "purple": "violet"}
KNOWN_COLORS = {"good", "amber", "red", "blue", "violet", "teal"}


def show(value: Any) -> Any:
    """`value` as a person reads it; text comes back escaped."""
    if value is None or value == "":
        return ""
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, LabelledEnum):
        return escape(str(value.label))
    if isinstance(value, Decimal):
        return format_decimal(value, "#,##0.00")
    if isinstance(value, datetime):
        at = value.astimezone(get_timezone())
        return f"{_day(at)} {at.hour:02d}:{at.minute:02d}"
    if isinstance(value, date):
        return _day(value)
    return escape(", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value))


def _day(value: date) -> str:
    """The day as all languages here write it; Babel would look up for each how they do."""
    return f"{value.day:02d}.{value.month:02d}.{value.year:04d}"


def actor(name: str) -> str:
    """Who did it, as an audit event has it; what nobody did, the system did."""
    return _("system") if name == SYSTEM.name else name


def day_of(at: datetime | None) -> Markup | str:
    """The day of a moment in the reader's zone; the whole of it as a title."""
    if at is None:
        return ""
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        at.isoformat(), show(at), _day(at.astimezone(get_timezone()))
    )


def in_currency(amount: Decimal, currency: str, locale: str | None = None) -> str:
    """An amount with its currency behind it, so that figures of a column stand under one another."""
    symbol, minus, separators = _notation(currency, locale or str(get_locale() or "en"))
    return f"{minus if amount < 0 else ''}{f'{abs(amount):,.2f}'.translate(separators)}\u00a0{symbol}"


@lru_cache(maxsize=1_000)
def _notation(currency: str, locale: str) -> tuple[str, str, dict[int, str]]:
    """The currency's sign, the minus, and what stands for comma and point, in a language."""
    separators = {ord(","): get_group_symbol(locale), ord("."): get_decimal_symbol(locale)}
    return get_currency_symbol(currency, locale), get_minus_sign_symbol(locale), separators


def money(amount: Decimal, currency: str, locale: str | None = None) -> Markup:
    text = in_currency(amount, currency, locale)
    # Digits, separators and the sign of a currency have nothing to escape.
    return Markup(f'<span class="money{" negative" if amount < 0 else ""}">{text}</span>')  # noqa: S704


@lru_cache(maxsize=1)
def sprite() -> str:
    return url_for("static", filename="icons.svg")


def badge_class(color: str) -> str:
    """The classes of a badge of that colour."""
    shade = COLORS.get(color, color)
    return f"badge badge-{shade}" if shade in KNOWN_COLORS else "badge"


def badge(code: str, label: str, *, icon: str = "", color: str = "", title: str = "") -> Markup:
    """A badge: an icon and a word, its meaning in full as a title."""
    tint = badge_class(color).removeprefix("badge")
    picture = ICON.format(sprite(), icon) if icon else ""
    return BADGE.format(tint, code, title or label, picture, label)


def badge_html(named: Mapping[str, str]) -> Markup:
    """A badge from a dictionary as admin_views/client_badges.py makes it."""
    return badge(named["code"], named["label"], icon=named["icon"], color=named["color"], title=named["title"])


def link_to_client(client: Any) -> Markup:
    if client is None:
        return Markup("")
    return Markup('<a href="{}">{}</a>').format(f"/admin/clients/details/?id={client.id}", client.name)

"""How values look in a cell: dates, money, enums, yes and no, records that lead to their own page."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from babel.numbers import format_currency
from flask import url_for
from flask_babel import format_date, format_datetime, format_decimal, get_locale, to_user_timezone
from flask_babel import gettext as _
from markupsafe import Markup, escape

from extensions import LabelledEnum

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
        return format_datetime(value, "dd.MM.yyyy HH:mm")
    if isinstance(value, date):
        return format_date(value, "dd.MM.yyyy")
    return escape(", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value))


def day(value: datetime | None) -> str:
    """The day of a moment, in the viewer's zone; written the same in every language."""
    return to_user_timezone(value).strftime("%d.%m.%Y") if value else ""


def in_currency(amount: Decimal, currency: str) -> str:
    """An amount with its currency behind it, so that figures of a column stand under one another."""
    return _in_currency(amount, currency, str(get_locale() or "en"))


@lru_cache(maxsize=10_000)
def _in_currency(amount: Decimal, currency: str, locale: str) -> str:
    return format_currency(amount, currency, "#,##0.00\u00a0¤", locale=locale)


def money(amount: Decimal, currency: str) -> Markup:
    text = in_currency(amount, currency)
    return Markup('<span class="money{}">{}</span>').format(" negative" if amount < 0 else "", text)


@lru_cache(maxsize=1)
def sprite() -> str:
    return url_for("static", filename="icons.svg")


def badge(code: str, label: str, *, icon: str = "", color: str = "", title: str = "") -> Markup:
    """A badge: an icon and a word, its meaning in full as a title."""
    shade = COLORS.get(color, color)
    tint = f" badge-{shade}" if shade in KNOWN_COLORS else ""
    picture = ICON.format(sprite(), icon) if icon else ""
    return BADGE.format(tint, code, title or label, picture, label)


def link_to_client(client: Any) -> Markup:
    if client is None:
        return Markup("")
    return Markup('<a href="{}">{}</a>').format(f"/admin/clients/details/?id={client.id}", client.name)

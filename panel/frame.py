"""The frame of the panel: its menu, the greeting, who is really here; and the way its pages are rendered."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from flask import render_template, request
from flask_babel import format_currency, format_date, format_time
from flask_babel import gettext as _
from flask_login import current_user

from config import LANGUAGES
from extensions import db
from models import Ticket
from web import impersonating


def render(template: str, **context: Any) -> str:
    """The page of `template` in the frame."""
    return render_template(template, **frame(), **formats(), **context)


def frame() -> dict[str, Any]:
    """What layout/panel.html reads."""
    user = current_user
    client = user.client
    return {
        "brand_name": client.project.name,
        "home_url": "/panel/",
        "account": {"name": user.shown_name, "role": client.name, "url": "/panel/profile/"},
        "menu_groups": _menu(),
        "languages": list(LANGUAGES.items()),
        "language_url": "/panel/language",
        "logout_url": "/logout",
        "greeting": impersonating.greeting(user),
        "acting": impersonating.banner(),
        "balance": money(client.balance, client.project.currency) if may("finance") else None,
        "may": may,
        "may_change": may_change,
        "only_the_client": impersonating.banner() is not None,
    }


def formats() -> dict[str, Any]:
    return {"money": money, "day": day, "moment": moment}


def money(amount: Decimal, currency: str) -> str:
    """The amount in the reader's locale, its currency behind it as in the admin; it does not break over lines."""
    return format_currency(amount, currency, "#,##0.00\u00a0¤").replace(" ", "\N{NO-BREAK SPACE}")


def day(value: date | None) -> str:
    return format_date(value, "medium") if value else "—"


def moment(value: datetime | None) -> str:
    """The time in the reader's zone, to the minute."""
    return f"{format_date(value, 'medium')}, {format_time(value, 'short')}" if value else "—"


def may(area: str) -> bool:
    """Whether the user may enter the area: the owner all, others those they were given."""
    return current_user.is_owner or area in current_user.permissions


def may_change() -> bool:
    """Whether forms that a staff member may send in the client's place are shown."""
    stay = impersonating.banner()
    return stay is None or not stay["read_only"]


def unread(statement: sa.Select[Any]) -> sa.Select[Any]:
    """Narrow tickets to those with news that the client has not marked as read."""
    return statement.where(
        Ticket.client_id == current_user.client_id,
        sa.or_(Ticket.client_read_at.is_(None), Ticket.client_read_at < Ticket.updated_at),
        Ticket.status != "waiting_staff",
    )


def _menu() -> list[dict[str, Any]]:
    groups = [
        (None, [(None, "", _("Home"), "home"), ("services", "services", _("Services"), "server"),
                ("support", "tickets", _("Tickets"), "messages")]),
        (_("Money"), [("finance", "accounts", _("Accounts"), "wallet"),
                      ("finance", "invoices", _("Invoices"), "file-invoice"),
                      ("finance", "payments", _("Payments"), "credit-card"),
                      ("finance", "expenses", _("Expenses"), "receipt"),
                      ("finance", "acts", _("Acts"), "file-certificate"),
                      ("finance", "payers", _("Payers"), "id")]),
        (_("Access"), [("users", "users", _("Users"), "users"), (None, "profile", _("My profile"), "user")]),
    ]  # fmt: skip
    shown = [
        {"label": label, "items": [_item(*item[1:]) for item in items if item[0] is None or may(item[0])]}
        for label, items in groups
    ]
    return [group for group in shown if group["items"]]


def _item(name: str, label: str, icon: str) -> dict[str, Any]:
    url = f"/panel/{name}/" if name else "/panel/"
    active = request.path.startswith(url) if name else request.path == url
    return {
        "label": label,
        "url": url,
        "icon": icon,
        "active": active,
        "count": _waiting() if name == "tickets" else 0,
    }


def _waiting() -> int:
    return db.session.scalar(unread(sa.select(sa.func.count(Ticket.id)))) or 0

"""Settings of the desk: what the owner decides in the admin. A registry, with a default for each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from flask import g, has_request_context
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from extensions import JSONDocument, db, plain_rows
from models import Setting, TicketCategory
from operations.errors import OperationRefused


@dataclass(frozen=True)
class Kind:
    """A setting: a whole number between bounds, or (without bounds) a line of text."""

    code: str
    label: Any
    help: Any
    default: Any
    least: int | None = None
    most: int | None = None

    def clean(self, text: str) -> Any:
        """The value that `text` is; refuses, naming the field, what is out of bounds."""
        text = text.strip()
        if self.least is None or self.most is None:
            if len(text) > 200 or any(ord(c) < 32 for c in text):
                raise OperationRefused(_("One line of at most 200 characters."), field=self.code)
            return text
        if not (text.isascii() and text.isdigit() and len(text) < 10 and self.least <= int(text) <= self.most):
            raise OperationRefused(
                _("A whole number from %(least)s to %(most)s.", least=self.least, most=self.most), field=self.code
            )
        return int(text)


class Choice(Kind):
    """A setting that is one of a few words; `options` gives them with their labels."""

    def options(self) -> list[tuple[str, Any]]:
        return CHOICES[self.code]()

    def clean(self, text: str) -> str:
        """One of the words; refuses, naming the field, any other."""
        if text not in {word for word, _label in self.options()}:
            raise OperationRefused(_("Choose one of the list."), field=self.code)
        return text


class Switch(Kind):
    """A setting that is on or off."""

    def clean(self, text: str) -> bool:
        """On for what a ticked box sends, off for nothing."""
        return text.strip().lower() in {"1", "y", "yes", "on", "true"}


KINDS: dict[str, Kind] = {
    kind.code: kind
    for kind in (
        Kind("provider_name", _l("Name of the provider"), _l("Shown to staff and clients, on the login pages too."), "Clientdesk"),
        Kind("provider_company", _l("Company"), _l("The provider's name in full, as documents have it."), ""),
        Kind("provider_address", _l("Address of the company"), _l("Stands on documents."), ""),
        Kind("provider_numbers", _l("Numbers of the company"), _l("Tax and registration numbers, as they stand on documents."), ""),
        Kind("provider_contacts", _l("Contacts of the company"), _l("Phone and e-mail, as they stand on documents."), ""),
        Kind("recall_minutes", _l("Minutes to call a mailing back"), _l("How long a mailing waits before it starts; the form can change it for one mailing."), 5, 0, 1440),
        Kind("client_files_mb", _l("Megabytes of files from one client"), _l("So much may the files take that a client has sent in tickets, in the panel and by letter; further ones are refused. 0: no limit."), 1000, 0, 1_000_000),
        Kind("penalty_limit", _l("Limit of penalty points"), _l("A client with more points than this has all services stopped and cannot order. 0: points stop nothing."), 0, 0, 100_000),
        Kind("penalty_days", _l("Days until penalty points fade"), _l("Holds for points given from now on."), 180, 1, 3650),
        Kind("breaker_clients", _l("Most clients stopped at once"), _l("When the deadlines of more clients than this pass at the same time, nothing is stopped until staff have looked at the list and confirmed it."), 20, 1, 1_000_000),
        Kind("breaker_percent", _l("Most clients stopped at once, in per cent"), _l("The same for a part of all clients, from five clients on. 100: the number alone decides."), 5, 1, 100),
        Kind("mailing_failures", _l("Failed letters in a row that pause a mailing"), _l("When so many letters of a mailing in a row were refused for good, it pauses by itself and its sender gets a letter; 0: never."), 50, 0, 100_000),
        Kind("impersonation_minutes", _l("Minutes in a client's panel"), _l("After so long a stay in a client's panel ends by itself."), 60, 1, 720),
        Switch("impersonation_enabled", _l("Logging in as a client"), _l("Switched off, nobody can, and whoever is in a client's panel is out at the next click."), True),
        Switch("impersonation_reason", _l("Ask for a reason before the panel opens"), _l("The client reads it in the own history of logins. Switched off, it is asked for when changes are to be allowed."), False),
        Kind("impersonation_password_minutes", _l("Minutes until the password is asked for again"), _l("Who logged in longer ago than that confirms with the password before a client's panel opens. 0 never asks."), 15, 0, 720),
        Switch("impersonation_email", _l("Tell the client by e-mail"), _l("Each time a staff member logs in as the client, a letter says who, when and why."), False),
        Choice("inbound_without_ticket", _l("Letters that answer no ticket"), _l("From an address of exactly one client such a letter can open a ticket. Anybody can write any address into a letter, so trust its sender no more than that. All others are kept for staff to read."), "ticket"),
        Choice("inbound_category", _l("Category of tickets opened by letter"), _l("Who is responsible for it gets them."), "first"),
        Choice("inbound_notices", _l("Tell whose letter was not taken"), _l("A polite letter, at most one a day to an address. To strangers it may reach somebody whose address was made up."), "known"),
        Kind("inbound_per_hour", _l("Messages by letter in an hour"), _l("From one address; further letters wait for staff."), 20, 1, 1000),
        Kind("inbound_days_kept", _l("Days that letters are kept as they came"), _l("After that only the messages that became of them are left. Those that nobody has looked at stay."), 30, 1, 3650),
        Switch("inbound_plus_addresses", _l("Answers to an address of the ticket"), _l("Letters ask for answers to support+REFERENCE@…, so that they find their ticket even where a mail program leaves out all else. Your mail server must take such addresses."), False),
    )
}  # fmt: skip


def _categories() -> list[tuple[str, Any]]:
    """The categories that clients can open tickets in."""
    usable = sa.select(TicketCategory).where(TicketCategory.is_active, TicketCategory.is_news.is_(False))
    rows = db.session.scalars(usable.order_by(TicketCategory.id))
    return [("first", _("The first")), *((str(row.id), str(row)) for row in rows)]


CHOICES: dict[str, Callable[[], list[tuple[str, Any]]]] = {
    "inbound_without_ticket": lambda: [("ticket", _("open a ticket")), ("refuse", _("are not taken"))],
    "inbound_category": _categories,
    "inbound_notices": lambda: [
        ("nobody", _("nobody")), ("known", _("clients and staff")), ("everybody", _("everybody")),
    ],
}  # fmt: skip


ALL = sa.select(Setting.code, Setting.value)


def get(code: str) -> Any:
    """The value of a setting, or its default."""
    return all_values()[code]


def all_values() -> dict[str, Any]:
    """Every setting by its code. A request asks the database for them once."""
    if not has_request_context():
        return _with_defaults(_read())
    if "desk_settings" not in g:
        g.desk_settings = _with_defaults(_read())
    return dict(g.desk_settings)


def all_kept() -> sa.ScalarSelect[Any]:
    """The settings that were ever set, an object of them by code, as a part of a statement."""
    if db.engine.dialect.name == "postgresql":
        found = sa.func.jsonb_object_agg(Setting.code, Setting.value)
    else:
        found = sa.func.json_group_object(Setting.code, sa.func.json(Setting.value))
    return sa.select(sa.type_coerce(found, JSONDocument)).scalar_subquery()


def remember(kept: dict[str, Any] | None) -> None:
    """Take the settings of this request from what `all_kept` has found."""
    g.desk_settings = _with_defaults(kept or {})


def _read() -> dict[str, Any]:
    return {code: value for code, value in plain_rows(ALL)}  # noqa: C416


def _with_defaults(kept: dict[str, Any]) -> dict[str, Any]:
    return {code: kept.get(code, kind.default) for code, kind in KINDS.items()}


def change(code: str, value: Any) -> None:
    """Set a setting; the value must be one that its kind's `clean` gave."""
    row = db.session.scalar(sa.select(Setting).where(Setting.code == code))
    if row is None:
        if value != KINDS[code].default:
            db.session.add(Setting(code=code, value=value))
    elif row.value != value:
        row.value = value
    db.session.flush()
    if has_request_context():
        g.pop("desk_settings", None)

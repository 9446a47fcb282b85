"""The rows of the client list: what is read of each client, and how its cells are written."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from flask import g
from flask_babel import get_locale, get_timezone
from markupsafe import Markup

from admin_views import cells
from admin_views.client_badges import badge_of_characterization, other_badges
from admin_views.rows import html
from extensions import UTCDateTime, now, plain_rows
from models import Characterization, Client, PenaltyPoint, Project
from operations import countries, features, phones
from operations.client_filters import named_characterization

COLUMNS = (
    Client.id, Client.row_version, Client.name, Client.owner_username, Client.email, Client.contact_person,
    Client.verified_phone, Client.country, Client.language, Client.project_id, Client.characterization_id, Client.note,
    Client.balance, Client.active_services, Client.is_suspended, Client.registered_at, Client.referrer_id,
    Client.affiliate_program_id, Client.legal_status, Client.company_name,
    Project.name.label("project"), Project.currency.label("currency"),
    Characterization.name.label("characterization"), Characterization.code.label("characterization_code"),
    Characterization.icon.label("characterization_icon"), Characterization.color.label("characterization_color"),
    Characterization.is_default.label("is_ordinary"),
)  # fmt: skip


_POINTS = (
    sa.select(sa.func.sum(PenaltyPoint.points))
    .where(PenaltyPoint.client_id == Client.id, PenaltyPoint.expires_at > sa.bindparam("moment", type_=UTCDateTime))
    .scalar_subquery()
)
# One plain row for each client; penalty points are those that have not faded at `moment`.
ROWS = (
    sa.select(*COLUMNS, _POINTS.label("points"))
    .join(Project, Project.id == Client.project_id)
    .join(Characterization, Characterization.id == Client.characterization_id)
)
ROWS_WITH_CUSTOM = ROWS.add_columns(Client.custom)
ROWS_OF = ROWS_WITH_CUSTOM.where(Client.id.in_(sa.bindparam("ids", expanding=True)))


def rows_of(ids: Sequence[int]) -> dict[int, Any]:
    """The rows of the clients `ids`, by id."""
    return {row.id: row for row in plain_rows(ROWS_OF, {"ids": list(ids), "moment": now()})}


class Changed:
    """A client that was just edited, read like a row: the names of what it refers to are looked up when asked for."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    @property
    def characterization(self) -> str:
        return self._client.characterization.name

    @property
    def characterization_code(self) -> str:
        return self._client.characterization.code


class Cells:
    """The cells of a row, by the name of the column, as the person of this request reads them.

    What is not Markup is text, and escaped by who writes the row.
    """

    def __init__(self) -> None:
        self._locale = str(get_locale() or "en")
        self._zone = get_timezone()
        self._countries = countries.names(self._locale)

    def id(self, row: Any) -> int:
        return int(row.id)

    def name(self, row: Any) -> Markup:
        name, username = html(row.name), row.owner_username
        return Markup(f'{name} <span class="muted">({html(username)})</span>' if username else name)  # noqa: S704

    def email(self, row: Any) -> str:
        return str(row.email)

    def contact_person(self, row: Any) -> str:
        return str(row.contact_person)

    def note(self, row: Any) -> str:
        return str(row.note)

    def language(self, row: Any) -> str:
        return str(row.language.label)

    def properties(self, row: Any) -> str:
        shown = "" if row.is_ordinary else self._badge(row)
        points = row.points if row.points and features.abuse_handling() else 0
        if points or row.is_suspended or row.referrer_id is not None or row.affiliate_program_id is not None:
            brought = row.referrer_id is not None or row.affiliate_program_id is not None
            shown += _other(self._locale, brought, points, row.is_suspended)
        return Markup(f'<span class="badges">{shown}</span>') if shown else ""  # noqa: S704  Badges are escaped.

    def _badge(self, row: Any) -> str:
        return _of_characterization(
            self._locale,
            row.characterization_code,
            row.characterization,
            row.characterization_icon,
            row.characterization_color,
        )

    def project(self, row: Any) -> str:
        return str(row.project)

    def characterization(self, row: Any) -> str:
        return named_characterization(row.characterization_code, row.characterization)

    def country(self, row: Any) -> str:
        return self._countries.get(row.country, row.country)

    def verified_phone(self, row: Any) -> str:
        return _phone(row.verified_phone) if row.verified_phone else ""

    def balance(self, row: Any) -> Markup:
        return cells.money(row.balance, row.currency, self._locale)

    def active_services(self, row: Any) -> int:
        return int(row.active_services)

    def registered_at(self, row: Any) -> str:
        """The day, in the viewer's zone; written the same in every language."""
        at = row.registered_at.astimezone(self._zone)
        return f"{at.day:02d}.{at.month:02d}.{at.year}"


def writer(name: str) -> Any:
    """What writes the cells of the column `name`, or None where they are written like any other value."""
    if "client_cells" not in g:
        g.client_cells = Cells()
    return getattr(g.client_cells, name, None)


@lru_cache(maxsize=1_000)
def _of_characterization(_locale: str, code: str, name: str, icon: str, color: str) -> str:
    return str(cells.badge_html(badge_of_characterization(code=code, name=name, icon=icon, color=color)))


@lru_cache(maxsize=1_000)
def _other(_locale: str, brought: bool, points: int, suspended: bool) -> str:
    found = other_badges(is_referred=brought, points=points, is_suspended=suspended)
    return "".join(cells.badge_html(badge) for badge in found)


@lru_cache(maxsize=10_000)
def _phone(number: str) -> str:
    return phones.shown(number)

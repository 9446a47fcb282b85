"""The frame around every page of the admin: the menu, who is logged in, and the bar of the client filter."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from flask import current_app, flash, g, has_request_context, request, session
from flask_babel import format_datetime
from flask_babel import gettext as _
from flask_login import current_user
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import joinedload

from admin_views.cells import in_currency
from admin_views.client_badges import badges_of
from admin_views.desk_held import RIGHT
from admin_views.listing import address
from extensions import db, now
from models import Client, PenaltyPoint, Staff
from operations import features, filters, settings
from operations.waiting import MOST_COUNTED, silent_since
from web.requests import is_staff_path


def everywhere() -> dict[str, Any]:
    """For templates under /admin: the frame for staff, the provider's name for all."""
    if not has_request_context() or request.endpoint is None or not is_staff_path():
        return {}
    try:
        person = current_user._get_current_object()
        if not isinstance(person, Staff):
            return {"brand_name": settings.get("provider_name"), "language_url": "/admin/language"}
        _person, waiting, answered, trip = g.get("frame_facts") or (person, 0, 0, None)
        return {"brand_name": settings.get("provider_name"), **context(person, waiting, answered, trip)}
    except SQLAlchemyError:
        # An error page is shown with or without a database.
        return {"brand_name": "Clientdesk"}


def context(person: Staff, waiting: int, answered: int = 0, trip: int | None = None) -> dict[str, Any]:
    """What templates/layout/admin.html reads.

    `waiting` tickets wait for staff, `answered` violations for a judgement; `trip` says that the breaker is open.
    """
    return {
        "account": {"name": person.shown_name, "role": str(person.role), "url": "/admin/profile"},
        "menu": Menu(person, waiting, answered),
        "breaker": _breaker(person) if trip is not None and features.abuse_handling() else None,
        "desk_held": _held(person) if g.get("desk_hold") is not None else None,
        "worker_silent_since": _silent_since(),
        "language_url": "/admin/language",
        "logout_url": "/admin/logout",
        "home_url": "/admin/",
        "search_url": "/admin/search/",
        "keys_url": "/admin/keys/",
        "scope": g.get("scope_bar"),
        "scope_url": "/admin/clients/scope/",
    }


def _breaker(person: Staff) -> dict[str, Any]:
    """The banner while nothing is stopped by itself, with the way to the list for those who may see it."""
    return {"url": "/admin/violations/held/" if person.may("violations.view") else None}


def _held(person: Staff) -> dict[str, Any]:
    """The banner while nothing is done by the clock, with the way to the page for those who may let it go on."""
    return {"url": "/admin/held/" if person.may(RIGHT) else None}


def _silent_since() -> str | None:
    """Since when no worker has reported, in words, where that is too long ago."""
    since = silent_since(g.get("last_heartbeat"), now=now())
    return None if since is None else format_datetime(since, "short")


class Menu:
    """The menu of a person; `key` is all that it depends on."""

    def __init__(self, person: Staff, waiting: int, answered: int = 0) -> None:
        self.person = person
        self.counts = {"tickets": _count(waiting), "violations": _count(answered)}
        # Of one client everything is shown at once.
        self.is_scoped = g.get("client_scope") is not None
        self.hidden = set() if features.abuse_handling() else {"violations"}
        self.key = (
            *request.path.split("/")[2:3],
            *self.counts.values(),
            *self.hidden,
            self.is_scoped,
            *person.role.permissions,
        )

    def groups(self) -> list[dict[str, Any]]:
        """The menu in groups: the modules that this person may see."""
        home = {
            "label": _("Home"),
            "url": "/admin/",
            "icon": "home",
            "active": request.path == "/admin/",
            "count": None,
        }
        groups: list[dict[str, Any]] = [{"label": "", "items": [home]}]
        views = current_app.extensions["desk_views"]
        for label, modules in current_app.extensions["desk_menu"]:
            items = [
                self._item(module, views[module])
                for module in modules
                if module in views and module not in self.hidden and self.person.may(f"{module}.view")
            ]
            if items:
                groups.append({"label": label, "items": items})
        return groups

    def _item(self, module: str, view: Any) -> dict[str, Any]:
        parameters = {} if self.is_scoped else getattr(view, "menu_parameters", {})
        return {
            "label": view.name,
            "url": address(f"/admin/{module}/", parameters),
            "icon": view.icon,
            "active": request.path.startswith(f"/admin/{module}/"),
            "count": self.counts.get(module),
        }


def _count(number: int) -> str:
    return "99+" if number >= MOST_COUNTED else str(number or "")


def load_scope() -> None:
    """Find the client that this page is about: `?client=N` for one page, else the one kept in the session."""
    wanted = request.args.get("client", "").strip() if request.method in {"GET", "HEAD", "POST"} else ""
    kept = session.get("client_scope")
    if not wanted and not kept:
        return
    try:
        number = filters.whole_number(wanted.removeprefix("#")) if wanted else int(kept)
    except ValueError:
        number = 0
    client = db.session.scalar(
        sa.select(Client)
        .where(Client.id == number, Client.deleted_at.is_(None))
        .options(joinedload(Client.project), joinedload(Client.characterization))
    )
    if client is None:
        _without_client(wanted)
        return
    g.client_scope = client.id
    if current_user.may("clients.view"):
        g.scope_bar = scope_bar(client, only_here=bool(wanted) and client.id != kept)


def _without_client(wanted: str) -> None:
    """A client that is not there must not turn into all clients, and least of all for a form."""
    if wanted:
        g.client_scope, g.scope_fault = 0, _("Client: «%(value)s» was not understood.", value=wanted[:60])
        return
    session.pop("client_scope", None)
    flash(_("The client of the filter is not there any more. The filter is removed."), "warning")
    g.client_scope = None if request.method in {"GET", "HEAD"} else 0


def points_of(client_id: int) -> int:
    """The penalty points of a client that have not faded."""
    statement = sa.select(sa.func.sum(PenaltyPoint.points)).where(
        PenaltyPoint.client_id == client_id, PenaltyPoint.expires_at > now()
    )
    return db.session.scalar(statement) or 0


def scope_bar(client: Client, *, only_here: bool) -> dict[str, Any]:
    return {
        "id": client.id,
        "name": client.name,
        "username": client.owner_username,
        "badges": badges_of(client, points=points_of(client.id)),
        "balance": in_currency(client.balance, client.project.currency),
        "url": f"/admin/clients/details/?id={client.id}",
        "keep": only_here,
    }

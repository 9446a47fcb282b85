"""Lists of which each row is on or off for a client: the groups it is in, the projects that are open to it.

While a client is chosen (its toolbar, or the filter by client), such a list shows all rows, says of each whether it
is on for that client, and switches the ticked ones.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any

import sqlalchemy as sa
from flask import abort, flash, g, redirect, request
from flask.typing import ResponseReturnValue
from flask_admin.base import expose
from flask_babel import format_decimal, lazy_pgettext, pgettext
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from markupsafe import Markup

from admin_views import cells
from admin_views.bulk import BulkAction
from admin_views.listing import COUNTED_UP_TO, Page, capped_count
from extensions import db
from models import Client
from operations import client_filters, filters
from operations.bulk import among
from operations.errors import OperationRefused
from operations.filters import Yes
from operations.memberships import Switched

# What may be changed of a client by those alone who may change all of it.
_RIGHTS = {"permission": "clients.edit", "besides": "clients.create"}
SWITCHES = (
    BulkAction("on", lazy_pgettext("verb", "On"), "check", **_RIGHTS),
    BulkAction("off", lazy_pgettext("verb", "Off"), "x", **_RIGHTS),
)


class MembershipPages:
    """Adds the column, the tabs and the actions; goes before ModuleView. `switch` does it, `on_for` selects the ids."""

    switch: Callable[..., Switched]
    bulk_actions: Sequence[BulkAction] = SWITCHES

    def on_for(self, client_id: int) -> sa.Select[Any]:
        raise NotImplementedError

    def always_on_for(self, client_id: int) -> sa.Select[Any] | None:
        """The ids of the rows that cannot be switched off."""
        return None

    def chosen_client(self) -> int | None:
        """The client whose rows are switched, if one is chosen."""
        return g.get("client_scope") or None

    # The list

    def _all_filters(self) -> list[Any]:
        return [*super()._all_filters(), Yes("on", _l("Only what is on"), self._is_on)]  # type: ignore[misc]

    def _is_on(self) -> Any:
        client_id = self.chosen_client()
        if client_id is None:
            return sa.false()
        always = self.always_on_for(client_id)
        is_on = self.pk.in_(self.on_for(client_id))  # type: ignore[attr-defined]
        return is_on if always is None else sa.or_(is_on, self.pk.in_(always))  # type: ignore[attr-defined]

    def _filter_fields(self, asked: Any) -> list[dict[str, Any]]:
        fields: list[dict[str, Any]] = super()._filter_fields(asked)  # type: ignore[misc]
        return [field for field in fields if field["key"] != "on"]

    def list_tabs(self) -> list[dict[str, Any]]:
        if self.chosen_client() is None:
            return []
        is_on = request.args.get("on") == "1"
        pages = {"after": None, "before": None}
        return [
            {"label": _("All"), "url": self.list_url(**pages, on=None), "active": not is_on, "count": None},  # type: ignore[attr-defined]
            {"label": pgettext("state", "On"), "url": self.list_url(**pages, on="1"), "active": is_on, "count": None},  # type: ignore[attr-defined]
        ]

    def shown_columns(self) -> list[str]:
        names: list[str] = super().shown_columns()  # type: ignore[misc]
        return [*names[:2], "is_on", *names[2:]] if self.chosen_client() is not None else names

    def label_of(self, name: str) -> str:
        return _("For this client") if name == "is_on" else super().label_of(name)  # type: ignore[misc, no-any-return]

    def fetch_page(self, statement: Any, asked: Any) -> Page:
        page: Page = super().fetch_page(statement, asked)  # type: ignore[misc]
        client_id = self.chosen_client()
        if client_id is not None and page.ids:
            g.rows_on = set(db.session.scalars(self.on_for(client_id)))
            always = self.always_on_for(client_id)
            g.rows_always_on = set(db.session.scalars(always)) if always is not None else set()
        return page

    def cell(self, row: Any, name: str) -> Any:
        if name != "is_on":
            return super().cell(row, name)  # type: ignore[misc]
        if row.id in g.get("rows_always_on", ()):
            return Markup('{} <span class="muted">{}</span>').format(_on(), _("home project"))
        return (
            _on()
            if row.id in g.get("rows_on", ())
            else Markup('<span class="muted">{}</span>').format(pgettext("state", "Off"))
        )

    def bulk_buttons(self) -> list[dict[str, Any]]:
        return super().bulk_buttons() if self.chosen_client() is not None else []  # type: ignore[misc, no-any-return]

    def bar_key(self) -> tuple[Hashable, ...]:
        return (self.chosen_client() is not None,)

    # Switching

    @expose("/action/", methods=("POST",))
    def action_view(self) -> ResponseReturnValue:
        """Switch the ticked rows, or all that match, on or off for the client; in one transaction, and no question."""
        action = self._action(request.form.get("action", ""))  # type: ignore[attr-defined]
        back = request.values.get("url") or self._back()  # type: ignore[attr-defined]
        try:
            done = self._switched(is_on=action.name == "on")
            db.session.commit()
            flash(done.in_words(), "success" if done.names else "warning")
        except OperationRefused as refusal:
            db.session.rollback()
            flash(refusal.message, "error")
        return redirect(back)

    def _switched(self, *, is_on: bool) -> Switched:
        number = self.chosen_client()
        client = db.session.get(Client, number) if number else None
        if client is None:
            raise OperationRefused(_("Choose a client first: open this list from the client's toolbar."))
        return self.switch(client, self._wanted(), on=is_on)

    def _wanted(self) -> Sequence[Any]:
        statement = sa.select(self.model).order_by(self.model.id)  # type: ignore[attr-defined]
        if request.form.get("all") == "1":
            asked = self.list_request()  # type: ignore[attr-defined]
            if asked.asked.misunderstood:
                raise OperationRefused(" ".join(asked.asked.misunderstood))
            conditions = filters.conditions(asked.asked, self.known_filters)  # type: ignore[attr-defined]
            return db.session.scalars(statement.where(*conditions)).all()
        ids = set(self._ticked())  # type: ignore[attr-defined]
        if not ids:
            raise OperationRefused(_("Nothing is selected. Tick the rows first."))
        found = db.session.scalars(statement.where(among(db.session.connection(), self.pk, sorted(ids)))).all()  # type: ignore[attr-defined]
        return found if len(found) == len(ids) else abort(404)


def _on() -> Markup:
    return cells.badge("on", pgettext("state", "On"), icon="check", color="green")


def clients_as_link(name: str, number: int) -> Markup:
    """The living clients that match a filter of their list, counted as far as lists count, as a link to them."""
    matching = client_filters.client_ids(client_filters.understand([(name, str(number))]))
    count = capped_count(matching, Client.id)
    words = format_decimal(min(count, COUNTED_UP_TO))
    if count > COUNTED_UP_TO:
        words = _("more than %(count)s", count=words)
    return Markup('<a href="/admin/clients/?{}={}">{}</a>').format(name, number, words)

"""Saved filters: tabs over the client list, and the page on which they are renamed, shared, watched, deleted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlencode

from flask import abort, flash, g, redirect, request
from flask.typing import ResponseReturnValue
from flask_admin.base import expose
from flask_babel import gettext as _
from flask_login import current_user

from admin_views.base import needs
from admin_views.listing import LIST_PARAMETERS
from extensions import db, now
from models import SavedFilter, Staff
from operations import client_filters, filters, saved_filters
from operations.errors import OperationRefused

PAGE = "/admin/clients/filters/"
SHOWN_TABS = 12


def _staff() -> Staff:
    return db.session.get_one(Staff, current_user.id)


def address_of(saved: SavedFilter) -> str:
    """The client list with that filter on."""
    return f"/admin/clients/?{urlencode(saved.parameters)}"


def conditions_in(query: str) -> dict[str, str]:
    """The conditions of a list's address; its order, size and place are none."""
    return {name: text for name, text in parse_qsl(query) if name not in LIST_PARAMETERS}


def _count_of(saved: SavedFilter) -> int | None:
    return saved.state.count if saved.state else None


def count_in_tab(count: int | None) -> str:
    """What a worker counted; empty where none has, or the filter is not understood any more."""
    if count is None:
        return ""
    most = saved_filters.COUNTED_UP_TO
    return f"{most - 1}+" if count >= most else str(count)


class SavedFilterPages:
    """Adds `…/filters/` to the clients, and the tabs over their list."""

    def list_tabs(self) -> list[dict[str, Any]]:
        """«All», then the saved filters. None as long as nobody has saved one."""
        found = saved_filters.tabs_of(current_user._get_current_object())
        if not found:
            return []
        shown_now = {
            name: text.strip() for name, text in request.args.items() if name not in LIST_PARAMETERS and text.strip()
        }
        tabs = [{"label": _("All"), "url": "/admin/clients/", "active": not shown_now, "count": None, "fault": None}]
        tabs += [self._tab(saved, shown_now) for saved in found]
        # The tab one stands on is shown however many there are.
        return [tab for place, tab in enumerate(tabs) if place <= SHOWN_TABS or tab["active"]]

    def _tab(self, saved: Any, shown_now: dict[str, str]) -> dict[str, Any]:
        understood = saved_filters.is_understood(saved.parameters, self.filter_choices())  # type: ignore[attr-defined]
        return {
            "label": saved.name,
            "url": address_of(saved),
            "active": saved.parameters == shown_now,
            # In the filter by client a tab's number would be of all clients, and belie what is shown.
            "count": None if g.get("client_scope") is not None else count_in_tab(saved.counted) or None,
            "fault": None if understood else _("Something that this filter asks for is not there any more."),
        }

    def tabs_context(self, tabs: list[dict[str, Any]], count: int) -> dict[str, Any]:
        """What templates/admin/list.html reads of saved filters besides the tabs; `count` is that of this list."""
        is_new = not any(tab["active"] for tab in tabs)
        for tab in tabs[1:]:
            if tab["active"] and not tab["fault"] and g.get("client_scope") is None:
                tab["count"] = count_in_tab(count)
        return {
            "save_filter_url": f"{PAGE}save/" if is_new else None,
            "saved_filters_url": PAGE if tabs else None,
            "may_share_filters": saved_filters.may_share(current_user),
        }

    @expose("/filters/")
    @needs("clients.view")
    def saved_filters(self) -> ResponseReturnValue:
        """The saved filters, to be renamed, shared, watched and deleted."""
        return self._saved_filters_page()

    def _saved_filters_page(self, refused: dict[str, Any] | None = None) -> str:
        staff = _staff()
        watched = saved_filters.watched_by(staff)
        return self.render(  # type: ignore[attr-defined,no-any-return]
            "admin/clients/filters.html",
            page_title=_("Saved filters"),
            rows=[self._line(saved, staff, watched) for saved in saved_filters.visible_to(staff)],
            refused=refused,
            may_share=saved_filters.may_share(staff),
            may_message=staff.may("clients.message_all"),
            most_watched=saved_filters.MOST_WATCHED,
            longest=saved_filters.LONGEST_NAME,
        )

    def _line(self, saved: SavedFilter, staff: Staff, watched: set[int]) -> dict[str, Any]:
        asked = saved_filters.understood(saved)
        return {
            "saved": saved,
            "url": address_of(saved),
            "words": client_filters.in_words(asked),
            "faults": asked.misunderstood,
            "count": count_in_tab(_count_of(saved)),
            "is_own": saved.owner_id == staff.id,
            "may_edit": saved_filters.may_edit(saved, staff),
            "is_watched": saved.id in watched,
            "is_too_large": bool(saved.state and saved.state.is_too_large),
        }

    @expose("/filters/save/", methods=("POST",))
    @needs("clients.view")
    def save_filter(self) -> ResponseReturnValue:
        """Save the conditions of the list under a name."""
        query = request.form.get("parameters", "")[:4000]
        typed = {
            "name": request.form.get("name", ""),
            "is_shared": request.form.get("is_shared") == "1",
            "parameters": query,
        }
        try:
            saved = saved_filters.save(
                by=_staff(), name=typed["name"], parameters=conditions_in(query), is_shared=typed["is_shared"], now=now()
            )  # fmt: skip
            db.session.commit()
        except OperationRefused as refusal:
            return self._refused(refusal, {**typed, "id": None, "conditions": self._words_of(query)})
        saved_filters.count(saved.id, now=now())
        db.session.commit()
        flash(_("The filter «%(name)s» is saved.", name=saved.name), "success")
        return redirect(address_of(saved))

    def _words_of(self, query: str) -> list[str]:
        return client_filters.in_words(client_filters.understand(conditions_in(query).items()))

    def _refused(self, refusal: OperationRefused, typed: dict[str, Any]) -> ResponseReturnValue:
        """The page again, with what was typed and the message beside it."""
        db.session.rollback()
        if not refusal.field:
            flash(refusal.message, "error")
        return self._saved_filters_page({**typed, "field": refusal.field, "message": refusal.message}), 400

    @expose("/filters/edit/", methods=("POST",))
    @needs("clients.view")
    def edit_filter(self) -> ResponseReturnValue:
        """Rename a saved filter, give it to all or take it back."""
        saved = self._posted_filter()
        typed = {"name": request.form.get("name", ""), "is_shared": request.form.get("is_shared") == "1"}
        return self._carried_out(
            lambda: saved_filters.change(saved, by=_staff(), name=typed["name"], is_shared=typed["is_shared"]),
            _("Saved."),
            {**typed, "id": saved.id},
        )

    @expose("/filters/delete/", methods=("POST",))
    @needs("clients.view")
    def delete_filter(self) -> ResponseReturnValue:
        """Remove a saved filter; the clients stay as they are."""
        saved = self._posted_filter()
        said = _("The filter «%(name)s» is deleted.", name=saved.name)
        return self._carried_out(lambda: saved_filters.delete(saved, by=_staff()), said, {"id": saved.id})

    @expose("/filters/watch/", methods=("POST",))
    @needs("clients.view")
    def watch_filter(self) -> ResponseReturnValue:
        """Tell on the own home page who comes into the filter, or no longer."""
        saved = self._posted_filter()
        on = request.form.get("watch") == "1"
        said = (
            _("Your home page will tell who comes into «%(name)s».", name=saved.name)
            if on
            else _("«%(name)s» is not watched any more.", name=saved.name)
        )
        return self._carried_out(lambda: saved_filters.watch(saved, by=_staff(), on=on), said, {"id": saved.id})

    def _posted_filter(self) -> SavedFilter:
        try:
            number = filters.whole_number(request.form.get("id", ""))
        except ValueError:
            abort(404)
        return saved_filters.find(number, staff=_staff()) or abort(404)

    def _carried_out(self, verb: Callable[[], None], said: str, typed: dict[str, Any]) -> ResponseReturnValue:
        try:
            verb()
            db.session.commit()
        except OperationRefused as refusal:
            return self._refused(refusal, typed)
        flash(said, "success")
        return redirect(PAGE)

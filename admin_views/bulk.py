"""Bulk actions: the rows ticked, or all that match; a page that says what will be done; then one transaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from flask import Response, abort, flash, g, redirect, request
from flask.typing import ResponseReturnValue
from flask_admin.base import expose
from flask_babel import format_decimal
from flask_babel import gettext as _
from flask_login import current_user

from admin_views.listing import LIST_PARAMETERS
from extensions import db
from models import Selection
from operations import filters, selections
from operations.errors import OperationRefused


@dataclass(frozen=True)
class Menu:
    """Bulk actions that stand together in the toolbar; the one named «more» also takes what has no room."""

    name: str
    label: Any
    icon: str

    def button(self) -> dict[str, Any]:
        return {"name": self.name, "label": self.label, "icon": self.icon}


@dataclass(frozen=True)
class Chosen:
    """What a bulk action is carried out for: the selection, and how many rows it means now."""

    selection: Selection
    count: int


@dataclass(frozen=True)
class Report:
    """What a bulk action did, in words, and the id of the bulk change that can be undone, if there is one."""

    text: str
    undo: int | None = None


@dataclass(frozen=True)
class BulkAction:
    """Something that can be done to many rows at once.

    `permission` is what it takes, `besides` another right, where it takes both. `page` leads to the action's own
    form for a selection; without it the confirmation of this room is shown, with the fields of `form`, the lines
    of `preview`, and the button `verb`; then `run` does it and says what was done, or answers with a file.
    Actions of one `menu` stand together behind its name in the toolbar. What changes nothing `repeats` as often as
    its button is pressed; everything else is done once.
    """

    name: str
    label: Any
    icon: str
    permission: str
    besides: str | None = None
    menu: Menu | None = None
    danger: bool = False
    repeats: bool = False
    page: Callable[[Selection], str] | None = None
    form: Callable[[], Any] | None = None
    preview: Callable[[Selection], list[str]] | None = None
    verb: Callable[[int], str] | None = None
    run: Callable[[Chosen, Any], Report | Response] | None = None

    def is_allowed(self) -> bool:
        """Whether the person logged in may do this."""
        return bool(current_user.may(self.permission) and (self.besides is None or current_user.may(self.besides)))

    def button(self) -> dict[str, Any]:
        return {"name": self.name, "label": self.label, "icon": self.icon, "danger": self.danger}


class BulkPages:
    """Adds `…/action/`, which takes what was selected, and `…/bulk/`, which confirms and does it."""

    bulk_actions: Sequence[BulkAction] = ()

    def bulk_buttons(self) -> list[dict[str, Any]]:
        """The toolbar of bulk actions: buttons, and menus with buttons in them, as this person may use them."""
        found: list[dict[str, Any]] = []
        menus: dict[str, list[dict[str, Any]]] = {}
        for action in self.bulk_actions:
            if not action.is_allowed():
                continue
            if action.menu is None:
                found.append(action.button())
                continue
            if action.menu.name not in menus:
                menus[action.menu.name] = []
                found.append({**action.menu.button(), "actions": menus[action.menu.name]})
            menus[action.menu.name].append(action.button())
        return found

    @expose("/action/", methods=("POST",))
    def action_view(self) -> ResponseReturnValue:
        """Keep the selection and lead to the action's form. A filter not understood is refused."""
        action = self._action(request.form.get("action", ""))
        back = request.values.get("url") or self._back()
        try:
            selection = self._selected(action, back)
        except OperationRefused as refusal:
            db.session.rollback()
            flash(refusal.message, "error")
            return redirect(back)
        db.session.commit()
        if action.page is not None:
            return redirect(action.page(selection))
        return redirect(f"{self.url}/bulk/?selection={selection.id}")  # type: ignore[attr-defined]

    def _action(self, name: str) -> BulkAction:
        action = next((one for one in self.bulk_actions if one.name == name), None)
        if action is None:
            abort(404)
        if not action.is_allowed():
            abort(403)
        return action

    def _back(self) -> str:
        query = request.query_string.decode(errors="replace")
        return f"{self.url}/?{query}" if query else f"{self.url}/"  # type: ignore[attr-defined]

    def _selected(self, action: BulkAction, back: str) -> Selection:
        kept = {"staff": current_user._get_current_object(), "module": self.module, "action": action.name, "url": back}  # type: ignore[attr-defined]
        if request.form.get("all") != "1":
            return selections.create(ids=self._ticked(), **kept)
        asked = self.list_request()  # type: ignore[attr-defined]
        if asked.asked.misunderstood:
            raise OperationRefused(" ".join(asked.asked.misunderstood))
        parameters = {name: text for name, text in asked.asked.texts.items() if name not in LIST_PARAMETERS}
        if asked.scope is not None:
            parameters[selections.SCOPE] = str(asked.scope)
        return selections.create(parameters=parameters, **kept)

    def _ticked(self) -> list[int]:
        try:
            ids = [filters.whole_number(text) for text in request.form.getlist("rowid")]
        except ValueError:
            abort(404)
        scope = self.scope()  # type: ignore[attr-defined]
        if scope is not None and any(self.get_one(number) is None for number in ids):  # type: ignore[attr-defined]
            abort(404)
        return ids

    # What a selection means: of clients here, of other records in admin_views/record_bulk.py

    def selected_count(self, selection: Selection) -> int:
        return selections.count(selection)

    def selected_in_words(self, selection: Selection) -> list[str]:
        return selections.describe(selection)

    def reaches_beyond(self, selection: Selection, client_id: int) -> bool:
        return selections.reaches_beyond(selection, client_id)

    @expose("/bulk/", methods=("GET", "POST"))
    def bulk(self) -> ResponseReturnValue:
        """Say what the action will do to how many, and do it."""
        selection = self._selection()
        action = self._action(selection.action)
        if action.run is None:
            abort(404)
        form = action.form() if action.form else None
        count = self.selected_count(selection)
        if request.method == "POST" and (form is None or form.validate()):
            if request.form.get("count") == str(count):
                return self._carry_out(action, selection, form, count)
            flash(_("Meanwhile a different number of rows is meant. Look at it again."), "warning")
        return self.render("admin/confirm.html", **self._confirmation(action, selection, form, count))  # type: ignore[attr-defined]

    def _selection(self) -> Selection:
        try:
            number = filters.whole_number(request.values.get("selection", ""))
        except ValueError:
            abort(404)
        found = selections.find(number, staff=current_user._get_current_object(), module=self.module)  # type: ignore[attr-defined]
        scope = self.scope()  # type: ignore[attr-defined]
        if found is not None and scope is not None and self.reaches_beyond(found, scope):
            raise OperationRefused(
                _("This is for other clients too, and the filter by client is on. Remove the filter first.")
            )
        return found or abort(404)

    def _carry_out(self, action: BulkAction, selection: Selection, form: Any, count: int) -> ResponseReturnValue:
        assert action.run is not None
        url = selection.url or f"{self.url}/"  # type: ignore[attr-defined]
        try:
            if not action.repeats:
                selections.mark_used(selection)
            done = action.run(Chosen(selection, count), form)
            db.session.commit()
        except OperationRefused as refusal:
            db.session.rollback()
            flash(refusal.message, "error")
            return redirect(url)
        if isinstance(done, Response):
            return done
        flash(done.text, f"success undo:{done.undo}" if done.undo else "success")
        return redirect(url)

    def _confirmation(self, action: BulkAction, selection: Selection, form: Any, count: int) -> dict[str, Any]:
        scoped = bool((selection.parameters or {}).get(selections.SCOPE)) or g.get("client_scope") is not None
        return {
            "page_title": str(action.label),
            "question": _("Rows that this is for: %(count)s (%(words)s).", count=format_decimal(count),
                          words="; ".join(self.selected_in_words(selection))),
            "lines": action.preview(selection) if action.preview else [],
            "form": form,
            "hidden": {"selection": selection.id, "count": count},
            "verb": action.verb(count) if action.verb else str(action.label),
            "danger": action.danger,
            "cancel_url": selection.url or f"{self.url}/",  # type: ignore[attr-defined]
            "scope_note": _("The filter by client is on.") if scoped else None,
        }  # fmt: skip

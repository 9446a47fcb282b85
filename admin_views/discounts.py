"""Discounts: what a client or a group pays less."""

from __future__ import annotations

from datetime import date
from typing import Any

import sqlalchemy as sa
from flask import current_app, flash, g, request
from flask_babel import format_date, get_timezone, ngettext
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from markupsafe import Markup
from wtforms import DateField
from wtforms.validators import InputRequired

from admin_views import cells
from admin_views.base import ModuleView
from admin_views.bulk import BulkAction, Chosen, Report
from admin_views.record_bulk import RecordBulk
from extensions import now
from forms.base import Form
from models import ClientGroup, Discount, Product, Selection
from operations import discounts
from operations.discounts import State
from operations.errors import OperationRefused
from operations.filters import OneOf, Record

NOT_ADDED = _l("Discounts are not added up: the one that takes off the most counts.")


def today() -> date:
    """The day it is for the viewer."""
    return now().astimezone(get_timezone()).date()


class EndForm(Form):
    """When discounts end."""

    ends_on = DateField(_l("Last day"), [InputRequired()], default=today)


def _view() -> Any:
    return current_app.extensions["desk_views"]["discounts"]


def _end(chosen: Chosen, form: Any) -> Report:
    changed = discounts.end(_view().selected(chosen.selection), day=form.ends_on.data)
    done = ngettext("%(num)s discount ends on %(day)s.", "%(num)s discounts end on %(day)s.", changed,
                    day=format_date(form.ends_on.data, "dd.MM.yyyy"))  # fmt: skip
    left = chosen.count - changed
    return Report(
        " ".join([done, _("Skipped %(count)s: they end before or begin after.", count=left)] if left else [done])
    )


def _delete(chosen: Chosen, _form: Any) -> Report:
    gone = discounts.delete(_view().selected(chosen.selection))
    return Report(ngettext("%(num)s discount deleted.", "%(num)s discounts deleted.", gone))


def _preview(_selection: Selection) -> list[str]:
    return [_("Discounts of groups are left alone while the filter by client is on.")] if g.get("client_scope") else []


ACTIONS = (
    BulkAction("end", _l("End on a day"), "clock", "discounts.edit", form=lambda: EndForm(request.form if request.method == "POST" else None),
               preview=_preview, run=_end, verb=lambda n: ngettext("End %(num)s discount", "End %(num)s discounts", n)),
    BulkAction("delete", _l("Delete"), "trash", "discounts.delete", danger=True, preview=_preview, run=_delete,
               verb=lambda n: ngettext("Delete %(num)s discount", "Delete %(num)s discounts", n)),
)  # fmt: skip


class InState(OneOf):
    """Discounts that hold today, later, or no more."""

    def condition(self, value: str) -> Any:
        return discounts.in_state(State(value), today())


class DiscountsView(RecordBulk, ModuleView):
    module = "discounts"
    icon = "discount"
    create_label = _l("New discount")
    column_list = ("id", "client", "group", "product", "percent", "amount", "starts_on", "ends_on", "state", "note")
    column_details_list = column_list
    column_labels = {
        "id": _l("Code"), "client": _l("Client"), "group": _l("Group"), "product": _l("Product"),
        "percent": _l("Percent"), "amount": _l("Amount"), "starts_on": _l("From"), "ends_on": _l("To"),
        "note": _l("Note"), "state": _l("State"), "origin": _l("Where it comes from"),
    }  # fmt: skip
    column_export_list = ("id", "client", "group", "product", "percent", "amount", "starts_on", "ends_on", "note")
    column_editable_list = ("note",)
    form_columns = ("client", "group", "product", "percent", "amount", "starts_on", "ends_on", "note")
    form_args = {
        "product": {"description": _l("Empty: on all products.")},
        "group": {"description": _l("A client or a group, not both.")},
        "amount": {"description": _l("A percentage or an amount, not both.")},
        "starts_on": {"description": _l("The first day. Empty: it holds already.")},
        "ends_on": {"description": _l("The last day. Empty: it holds until it is ended.")},
    }
    list_filters = (
        Record("group", _l("Group"), Discount.group_id, ClientGroup),
        Record("product", _l("Product"), Discount.product_id, Product),
        InState("state", _l("State"), Discount.ends_on, State),
    )
    searched = ("note",)
    sortable = ("id", "starts_on", "ends_on")
    amount_columns = ("percent", "amount")
    bulk_actions = ACTIONS

    # A client's are its own and those of its groups

    def scope_condition(self, client_id: int) -> Any:
        return discounts.of_client(client_id)

    def selected(self, selection: Selection) -> sa.Select[Any]:
        chosen = super().selected(selection)
        scope = self.scope()
        return chosen if scope is None else chosen.where(Discount.client_id == scope)

    def shown_columns(self) -> list[str]:
        names = super().shown_columns()
        if self.scope() is None:
            return names
        return ["origin" if name == "client" else name for name in names if name != "group"]

    def cell(self, row: Any, name: str) -> Any:
        if name == "origin":
            if row.group is None:
                return _("the client's own")
            return Markup('<a href="/admin/groups/details/?id={}">{}</a>').format(
                row.group_id, _("group «%(name)s»", name=row.group.name)
            )
        if name == "state":
            state = discounts.state_of(row, today())
            colors = {State.NOW: "green", State.LATER: "blue", State.OVER: "secondary"}
            return cells.badge(state.value, str(state.label), color=colors[state])
        if name == "product" and row.product is None:
            return _("all products")
        if name == "percent" and row.percent is not None:
            return f"{cells.show(row.percent)} %"
        return super().cell(row, name)

    # One of them

    def row_title(self, row: Any) -> str:
        return in_words(row)

    def on_model_change(self, form: Any, model: Discount, is_created: bool) -> None:
        discounts.check(model)

    def get_save_return_url(self, model: Any, is_created: bool = False) -> str:
        _warn_of_others(model)
        return super().get_save_return_url(model, is_created)

    def details_context(self, record: Discount) -> dict[str, Any]:
        context = super().details_context(record)
        others = discounts.overlapping(record)
        if others:
            rows = [(_("Meets"), _link(other)) for other in others]
            context["groups"].append(
                {"title": _("Other discounts for the same"), "rows": [*rows, (_("So"), NOT_ADDED)]}
            )
        return context

    def delete_record(self, record: Discount) -> None:
        if self.scope() is not None and record.client_id is None:
            raise OperationRefused(_("This discount is of a whole group. Remove the filter by client first."))
        super().delete_record(record)

    def delete_context(self, record: Discount) -> dict[str, Any]:
        lines = [_("What was charged with it stays as it is.")]
        if record.group is not None:
            lines.append(_("It holds for all clients of the group «%(name)s».", name=record.group.name))
        return {**super().delete_context(record), "lines": lines}


def in_words(row: Discount) -> str:
    """A discount in a line: what it takes off, on what, when."""
    size = f"{cells.show(row.percent)} %" if row.percent is not None else str(cells.show(row.amount))
    what = row.product.name if row.product else _("all products")
    when = ""
    if row.starts_on or row.ends_on:
        when = " – ".join(str(cells.show(day)) if day else "…" for day in (row.starts_on, row.ends_on))
    return ", ".join(part for part in (f"#{row.id}", size, what, when) if part)


def _link(row: Discount) -> Markup:
    whose = _("group «%(name)s»", name=row.group.name) if row.group else row.client.code_and_name  # type: ignore[union-attr]
    return Markup('<a href="/admin/discounts/details/?id={}">{}</a> <span class="muted">{}</span>').format(
        row.id, in_words(row), whose
    )


def _warn_of_others(record: Discount) -> None:
    others = discounts.overlapping(record)
    if others:
        named = "; ".join(in_words(other) for other in others)
        flash(_("It meets other discounts: %(others)s.", others=named) + " " + str(NOT_ADDED), "warning")

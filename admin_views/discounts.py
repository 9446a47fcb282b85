"""Discounts: what a client or a group pays less."""

from __future__ import annotations

from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from admin_views.base import ModuleView
from models import ClientGroup, Discount, Product
from operations.errors import OperationRefused
from operations.filters import Record


class DiscountsView(ModuleView):
    module = "discounts"
    icon = "discount"
    create_label = _l("New discount")
    column_list = ("id", "client", "group", "product", "percent", "amount", "starts_on", "ends_on", "note")
    column_labels = {
        "id": _l("Code"), "client": _l("Client"), "group": _l("Group"), "product": _l("Product"),
        "percent": _l("Percent"), "amount": _l("Amount"), "starts_on": _l("From"), "ends_on": _l("To"),
        "note": _l("Note"),
    }  # fmt: skip
    column_editable_list = ("note",)
    form_columns = ("client", "group", "product", "percent", "amount", "starts_on", "ends_on", "note")
    form_args = {
        "product": {"description": _l("Empty: on all products.")},
        "group": {"description": _l("A client or a group, not both.")},
        "amount": {"description": _l("A percentage or an amount, not both.")},
    }
    list_filters = (
        Record("group", _l("Group"), Discount.group_id, ClientGroup),
        Record("product", _l("Product"), Discount.product_id, Product),
    )
    searched = ("note",)
    sortable = ("id", "starts_on", "ends_on")
    amount_columns = ("percent", "amount")

    def on_model_change(self, form: Any, model: Discount, is_created: bool) -> None:
        if (model.client is None) == (model.group is None):
            raise OperationRefused(_("Name a client or a group, one of the two."), field="client")
        if (model.percent is None) == (model.amount is None):
            raise OperationRefused(_("Give a percentage or an amount, one of the two."), field="percent")
        if model.percent is not None and not 0 <= model.percent <= 100:
            raise OperationRefused(_("From 0 to 100."), field="percent")
        if model.starts_on and model.ends_on and model.ends_on < model.starts_on:
            raise OperationRefused(_("It ends before it begins."), field="ends_on")

"""Services: products that clients have."""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import joinedload

from admin_views import cells
from admin_views.base import ModuleView
from models import Product, Service, ServiceStatus
from operations.filters import Day, OneOf, Record


class ServicesView(ModuleView):
    module = "services"
    icon = "server"
    can_create = can_edit = can_delete = False
    column_list = (
        "id", "name", "client", "product", "status", "suspension_reason", "period", "price", "expires_at",
    )  # fmt: skip
    column_details_list = column_export_list = (*column_list, "auto_renew", "opened_at")
    column_labels = {"id": _l("Code"), "name": _l("Name"), "client": _l("Client"), "product": _l("Product"), "status": _l("Status"), "suspension_reason": _l("Suspended because"), "period": _l("Period"), "price": _l("Price"), "auto_renew": _l("Renewed by itself"), "opened_at": _l("Opened"), "expires_at": _l("Paid until")}  # fmt: skip
    list_filters = (
        Record("product", _l("Product"), Service.product_id, Product),
        OneOf("status", _l("Status"), Service.status, ServiceStatus),
        Day("expires_from", _l("Paid until, from"), Service.expires_at),
        Day("expires_to", _l("Paid until, to"), Service.expires_at, upper=True),
    )
    searched = ("name",)
    sortable = ("id", "name", "expires_at")
    title_column = "name"
    amount_columns = ("price",)

    def row_title(self, row: Any) -> str:
        return f"#{row.id} {row}"

    def cell(self, row: Any, name: str) -> Any:
        if name in self.amount_columns:
            return cells.money(getattr(row, name), row.account.currency)
        if name == "expires_at":
            return cells.day_of(getattr(row, name))
        return super().cell(row, name)

    loads = (joinedload(Service.client), joinedload(Service.product), joinedload(Service.account))

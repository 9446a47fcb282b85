"""Payments."""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import joinedload

from admin_views import cells
from admin_views.base import ModuleView
from models import Payment, PaymentStatus
from operations.filters import Day, Number, OneOf


class PaymentsView(ModuleView):
    module = "payments"
    icon = "credit-card"
    can_create = can_edit = can_delete = False
    documents_stay = True
    column_list = ("id", "number", "client", "payer", "amount", "method", "status", "created_at", "paid_at")
    column_labels = {"id": _l("Code"), "number": _l("Number"), "client": _l("Client"), "payer": _l("Payer"), "amount": _l("Amount"), "method": _l("Method"), "status": _l("Status"), "created_at": _l("Created"), "paid_at": _l("Paid")}  # fmt: skip
    list_filters = (
        Number("account", _l("Account"), Payment.account_id),
        OneOf("status", _l("Status"), Payment.status, PaymentStatus),
        Day("paid_from", _l("Paid from"), Payment.paid_at),
        Day("paid_to", _l("Paid to"), Payment.paid_at, upper=True),
    )
    searched = ("number", "method")
    sortable = ("id", "number", "amount", "created_at", "paid_at")
    title_column = "number"
    amount_columns = ("amount",)

    def row_title(self, row: Any) -> str:
        return f"#{row.id} {row}"

    def cell(self, row: Any, name: str) -> Any:
        if name in self.amount_columns:
            return cells.money(getattr(row, name), row.account.currency)
        if name == "created_at":
            return cells.day_of(row.created_at)
        return super().cell(row, name)

    loads = (joinedload(Payment.client), joinedload(Payment.payer), joinedload(Payment.account))

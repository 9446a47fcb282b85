"""Invoices."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import joinedload

from admin_views import cells
from admin_views.base import ModuleView
from models import Invoice, InvoiceStatus
from operations.client_overview import UNPAID
from operations.filters import Condition, Day, OneOf, Yes, today


def overdue() -> Condition:
    """Not paid, and the reader's day of it is over, also where no job has said so yet."""
    late = sa.or_(Invoice.status == InvoiceStatus.OVERDUE, Invoice.due_on < today())
    return sa.and_(Invoice.status.in_(UNPAID), late)


class InvoicesView(ModuleView):
    module = "invoices"
    icon = "file-invoice"
    can_create = can_edit = can_delete = False
    documents_stay = True
    column_list = ("id", "number", "client", "payer", "amount", "status", "issued_on", "due_on")
    column_labels = {"id": _l("Code"), "number": _l("Number"), "client": _l("Client"), "payer": _l("Payer"), "amount": _l("Amount"), "status": _l("Status"), "issued_on": _l("Issued"), "due_on": _l("Due")}  # fmt: skip
    list_filters = (
        OneOf("status", _l("Status"), Invoice.status, InvoiceStatus),
        Yes("unpaid", _l("Not paid yet"), lambda: Invoice.status.in_(UNPAID)),
        Yes("overdue", _l("Overdue"), overdue),
        Day("issued_from", _l("Issued from"), Invoice.issued_on),
        Day("issued_to", _l("Issued to"), Invoice.issued_on, upper=True),
    )
    searched = ("number",)
    sortable = ("id", "number", "issued_on", "due_on", "amount")
    title_column = "number"
    amount_columns = ("amount",)

    def row_title(self, row: Any) -> str:
        return f"#{row.id} {row}"

    def cell(self, row: Any, name: str) -> Any:
        if name in self.amount_columns:
            return cells.money(getattr(row, name), row.account.currency)
        return super().cell(row, name)

    loads = (joinedload(Invoice.client), joinedload(Invoice.payer), joinedload(Invoice.account))

"""Expenses: what clients were charged."""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import joinedload

from admin_views import cells
from admin_views.base import ModuleView
from models import Expense
from operations.filters import Day, Number


class ExpensesView(ModuleView):
    module = "expenses"
    icon = "receipt"
    can_create = can_edit = can_delete = False
    documents_stay = True
    column_list = ("id", "client", "service", "amount", "period_from", "period_to", "posted_at")
    column_labels = {"id": _l("Code"), "client": _l("Client"), "service": _l("Service"), "amount": _l("Amount"), "period_from": _l("Period from"), "period_to": _l("Period to"), "posted_at": _l("Posted")}  # fmt: skip
    list_filters = (
        Number("account", _l("Account"), Expense.account_id),
        Day("posted_from", _l("Posted from"), Expense.posted_at),
        Day("posted_to", _l("Posted to"), Expense.posted_at, upper=True),
    )
    searched = ()
    sortable = ("id", "amount", "posted_at")
    title_column = "id"
    amount_columns = ("amount",)

    def row_title(self, row: Any) -> str:
        return f"#{row.id} {row}"

    def cell(self, row: Any, name: str) -> Any:
        if name in self.amount_columns:
            return cells.money(getattr(row, name), row.account.currency)
        return super().cell(row, name)

    loads = (joinedload(Expense.client), joinedload(Expense.service), joinedload(Expense.account))

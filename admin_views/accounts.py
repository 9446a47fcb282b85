"""Accounts: clients' money with projects."""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext as _l

from admin_views import cells
from admin_views.base import ModuleView
from models import Account, Project
from operations.filters import Amount, Record


class AccountsView(ModuleView):
    module = "accounts"
    icon = "wallet"
    can_create = can_edit = can_delete = False
    documents_stay = True
    column_list = ("id", "client", "project", "currency", "balance", "credit_limit")
    column_labels = {"id": _l("Code"), "client": _l("Client"), "project": _l("Project"), "currency": _l("Currency"), "balance": _l("Balance"), "credit_limit": _l("Credit limit")}  # fmt: skip
    list_filters = (
        Record("project", _l("Project"), Account.project_id, Project),
        Amount("balance_below", _l("Balance below"), Account.balance, above=False),
        Amount("balance_above", _l("Balance above"), Account.balance, above=True),
    )
    searched = ("currency",)
    sortable = ("id", "balance")
    title_column = "id"
    amount_columns = ("balance", "credit_limit")

    def row_title(self, row: Any) -> str:
        return f"#{row.id} {row}"

    def cell(self, row: Any, name: str) -> Any:
        if name in self.amount_columns:
            return cells.money(getattr(row, name), row.currency)
        return super().cell(row, name)

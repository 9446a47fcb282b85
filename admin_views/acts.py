"""Acts: certificates of work done."""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import joinedload

from admin_views import cells
from admin_views.base import ModuleView
from models import Act, ActStatus
from operations.filters import Day, OneOf


class ActsView(ModuleView):
    module = "acts"
    icon = "file-certificate"
    can_create = can_edit = can_delete = False
    documents_stay = True
    column_list = ("id", "number", "client", "payer", "amount", "issued_on", "period_from", "period_to", "status")
    column_labels = {"id": _l("Code"), "number": _l("Number"), "client": _l("Client"), "payer": _l("Payer"), "amount": _l("Amount"), "issued_on": _l("Issued"), "period_from": _l("Period from"), "period_to": _l("Period to"), "status": _l("Status")}  # fmt: skip
    list_filters = (
        OneOf("status", _l("Status"), Act.status, ActStatus),
        Day("issued_from", _l("Issued from"), Act.issued_on),
        Day("issued_to", _l("Issued to"), Act.issued_on, upper=True),
    )
    searched = ("number",)
    sortable = ("id", "number", "issued_on", "amount")
    title_column = "number"
    amount_columns = ("amount",)

    def row_title(self, row: Any) -> str:
        return f"#{row.id} {row}"

    def cell(self, row: Any, name: str) -> Any:
        if name in self.amount_columns:
            return cells.money(getattr(row, name), row.account.currency)
        return super().cell(row, name)

    loads = (joinedload(Act.client), joinedload(Act.payer), joinedload(Act.account))

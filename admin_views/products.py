"""Products: what is sold, and at which price."""

from __future__ import annotations

from typing import Any

from flask_babel import format_currency
from flask_babel import lazy_gettext as _l
from markupsafe import Markup
from sqlalchemy.orm import joinedload, selectinload

from admin_views.base import ModuleView
from forms.prices import PricesField
from models import Product, ProductPrice, Project
from operations.filters import Record


class ProductsView(ModuleView):
    module = "products"
    icon = "package"
    create_label = _l("New product")
    column_list = ("id", "name", "type", "project", "prices", "is_active")
    column_labels = {
        "id": _l("Code"), "name": _l("Name"), "type": _l("Type"), "project": _l("Project"), "prices": _l("Prices"),
        "is_active": _l("On sale"), "description": _l("Description"),
    }  # fmt: skip
    column_editable_list = ("name", "type", "is_active")
    form_columns = ("name", "type", "project", "description", "prices", "is_active")
    form_extra_fields = {"prices": PricesField(_l("Prices"))}
    list_filters = (Record("project", _l("Project"), Product.project_id, Project),)
    searched = ("name", "type")
    sortable = ("id", "name", "type")
    title_column = "name"
    loads = (joinedload(Product.project), selectinload(Product.prices))

    def row_title(self, row: Any) -> str:
        return str(row.name)

    def cell(self, row: Any, name: str) -> Any:
        if name == "prices":
            return Markup(", ").join(price_in_words(price) for price in row.prices)
        return super().cell(row, name)


def price_in_words(price: ProductPrice) -> str:
    return f"{format_currency(price.price, price.currency)} / {price.period.label}"

"""Payers: in whose name clients pay."""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext as _l
from markupsafe import Markup
from wtforms.validators import Optional

from admin_views.base import ModuleView
from forms.clients import Email
from forms.fields import CountryField
from models import LegalStatus, Payer
from operations import countries
from operations.filters import OneOf


class PayersView(ModuleView):
    module = "payers"
    icon = "id"
    create_label = _l("New payer")
    column_list = ("id", "name", "client", "legal_status", "country", "tax_id", "email", "is_default")
    column_labels = {
        "id": _l("Code"), "name": _l("Name"), "client": _l("Client"), "legal_status": _l("Status"),
        "country": _l("Country"), "tax_id": _l("Tax number"), "email": _l("E-mail"), "phone": _l("Phone"),
        "registration_reason_code": _l("Registration reason code"), "postal_address": _l("Postal address"),
        "legal_address": _l("Legal address"), "is_default": _l("Default"),
    }  # fmt: skip
    column_editable_list = ("tax_id", "email")
    form_columns = (
        "client", "name", "legal_status", "country", "tax_id", "registration_reason_code", "postal_address",
        "legal_address", "email", "phone", "is_default",
    )  # fmt: skip
    form_overrides = {"country": CountryField}
    form_args = {"email": {"validators": [Optional(), Email()]}, "country": {"validators": []}}
    list_filters = (OneOf("legal_status", _l("Status"), Payer.legal_status, LegalStatus),)
    searched = ("name", "tax_id", "email")
    sortable = ("id", "name")
    title_column = "name"

    def row_title(self, row: Any) -> str:
        return str(row.name)

    def cell(self, row: Any, name: str) -> Any:
        return Markup("{}").format(countries.name(row.country)) if name == "country" else super().cell(row, name)

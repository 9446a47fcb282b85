"""Payers: in whose name clients pay."""

from __future__ import annotations

from typing import Any

from flask import request
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from markupsafe import Markup
from wtforms.validators import Optional

from admin_views.base import ModuleView
from forms.clients import Email
from forms.fields import CountryField
from models import LegalStatus, Payer
from operations import countries, payers
from operations.filters import OneOf, Yes


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
    form_args = {
        "email": {"validators": [Optional(), Email()]},
        "country": {"validators": []},
        "tax_id": {"description": _l("In Russia 10 digits for a company, 12 for everybody else.")},
        "is_default": {"description": _l("New documents are made out to it. A client has one at most.")},
    }
    # A company has what others have not; without scripts all of it is shown.
    show_when = {
        "registration_reason_code": "legal_status=company",
        "legal_address": "legal_status=company|sole_proprietor",
    }
    sections = (
        (_l("Payer"), "", ("client", "legal_status", "name", "country", "is_default")),
        (_l("For documents"), _l("Stands in invoices and acts."),
         ("tax_id", "registration_reason_code", "legal_address", "postal_address")),
        (_l("Contacts"), "", ("email", "phone")),
    )  # fmt: skip
    list_filters = (
        OneOf("legal_status", _l("Status"), Payer.legal_status, LegalStatus),
        Yes("default", _l("Defaults only"), lambda: Payer.is_default),
    )
    searched = ("name", "tax_id", "email")
    sortable = ("id", "name")
    title_column = "name"
    column_details_list = (
        "id", "client", "legal_status", "name", "country", "is_default", "tax_id", "registration_reason_code",
        "legal_address", "postal_address", "email", "phone",
    )  # fmt: skip

    def create_form(self, obj: Any = None) -> Any:
        """Under the filter by client, as the client itself: most clients pay in their own name."""
        form = super().create_form(obj)
        if request.method == "GET" and form.client.data is not None:
            client = form.client.data
            form.name.data, form.country.data, form.email.data = client.name, client.country, client.email
            form.legal_status.data = client.legal_status
        return form

    def row_title(self, row: Any) -> str:
        return str(row.name)

    def cell(self, row: Any, name: str) -> Any:
        return Markup("{}").format(countries.name(row.country)) if name == "country" else super().cell(row, name)

    def on_model_change(self, form: Any, model: Payer, is_created: bool) -> None:
        payers.check(model, is_new=is_created)

    def delete_record(self, record: Payer) -> None:
        payers.remove(record)

    def delete_context(self, record: Payer) -> dict[str, Any]:
        why = payers.why_it_stays(record)
        lines = [why] if why else [_("No document names it. It cannot be brought back.")]
        if record.is_default:
            lines.append(_("It is the default payer: the client will have none until another is chosen."))
        return {**super().delete_context(record), "page_title": _("Remove a payer"), "lines": lines}

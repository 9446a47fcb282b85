"""The settings of the desk, each with its explanation."""

from __future__ import annotations

from typing import Any

from flask import flash, redirect, request
from flask.typing import ResponseReturnValue
from flask_admin import BaseView
from flask_admin.base import expose
from flask_babel import gettext as _
from wtforms import BooleanField, SelectField, StringField

from extensions import db
from forms.base import Form
from operations import settings
from operations.errors import OperationRefused
from web.access import Policy


class SettingsView(BaseView):
    module = "settings"
    icon = "settings"

    def __init__(self, **more: Any) -> None:
        super().__init__(endpoint=self.module, url=f"/admin/{self.module}", **more)

    def policy_for(self, method: str) -> Policy:
        return Policy("staff", permission="settings.edit" if request.method == "POST" else "settings.view")

    @expose("/", methods=("GET", "POST"))
    def index_view(self) -> ResponseReturnValue:
        """All settings in one form."""
        values = {
            code: value if isinstance(value, bool) else str(value) for code, value in settings.all_values().items()
        }
        form = _form(request.form if request.method == "POST" else None, values)
        if request.method == "POST" and self._save(form):
            flash(_("Saved."), "success")
            return redirect("/admin/settings/")
        return self.render(
            "admin/form.html", form=form, page_title=_("Settings"), submit_label=_("Save"), cancel_url="/admin/",
            sections=sections(),
        )  # fmt: skip

    def _save(self, form: Any) -> bool:
        clean: dict[str, Any] = {}
        for code, kind in settings.KINDS.items():
            try:
                clean[code] = kind.clean(str(form[code].data or ""))
            except OperationRefused as refusal:
                form[code].errors = [refusal.message]
        if len(clean) < len(settings.KINDS):
            return False
        for code, value in clean.items():
            settings.change(code, value)
        db.session.commit()
        return True


def sections() -> list[dict[str, Any]]:
    """The settings by what they are about; those of no group come first."""
    login_as = [code for code in settings.KINDS if code.startswith("impersonation_")]
    documents = ["provider_company", "provider_address", "provider_numbers", "provider_contacts"]
    abuse = [code for code in settings.KINDS if code.startswith(("penalty_", "breaker_"))]
    letters = [code for code in settings.KINDS if code.startswith("inbound_")]
    rest = [code for code in settings.KINDS if code not in {*login_as, *documents, *abuse, *letters}]
    return [
        {"title": _("In general"), "help": "", "fields": rest},
        {"title": _("On documents"), "help": _("Who the provider is, as it stands on documents."), "fields": documents},
        {
            "title": _("Login as a client"),
            "help": _("How staff enter clients' panels in their place."),
            "fields": login_as,
        },
        {
            "title": _("Violations"),
            "help": _("Penalty points, and the breaker that stands before the stopping of many services."),
            "fields": abuse,
        },
        {
            "title": _("Answers by e-mail"),
            "help": _("What becomes of letters that come in. Where they are fetched is INBOUND_URL."),
            "fields": letters,
        },
    ]


def _form(posted: Any, values: dict[str, Any]) -> Any:
    fields = {code: _field(kind) for code, kind in settings.KINDS.items()}
    form = type("SettingsForm", (Form,), fields)(posted, data=values)
    form.form_errors = []
    return form


def _field(kind: settings.Kind) -> Any:
    if isinstance(kind, settings.Choice):
        # What may be chosen is checked by the setting itself.
        return SelectField(kind.label, description=kind.help, choices=kind.options, validate_choice=False)
    return (BooleanField if isinstance(kind, settings.Switch) else StringField)(kind.label, description=kind.help)

"""Custom fields: what the owner keeps of clients besides."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from flask import request
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_babel import ngettext
from flask_login import current_user
from markupsafe import Markup

from admin_views import cells
from admin_views.base import ModuleView
from forms.custom_fields import CustomFieldForm
from models import CustomField, FieldType
from operations import codes, custom_fields
from operations.filters import OneOf


class CustomFieldsView(ModuleView):
    module = "custom-fields"
    icon = "forms"
    create_label = _l("New custom field")
    empty_title = _l("No custom fields yet")
    empty_text = _l("A field that you add here is at once in the forms, pages, filters and files of clients.")
    column_list = ("id", "label", "code", "type", "is_required", "show_in_list", "show_to_client")
    column_labels = {
        "id": _l("Code"), "label": _l("Label"), "code": _l("Name in files"), "type": _l("Type"),
        "choices": _l("Choices"), "is_required": _l("Required"), "show_in_list": _l("In the list"),
        "show_to_client": _l("Shown to the client"),
    }  # fmt: skip
    column_details_list = ("label", "code", "type", "choices", "is_required", "show_in_list", "show_to_client")
    form_columns = ("label", "code", "type", "choices", "is_required", "show_in_list", "show_to_client")
    list_filters = (OneOf("type", _l("Type"), CustomField.type, FieldType),)
    searched = ("label", "code")
    sortable = ("id", "label")
    title_column = "label"

    def row_title(self, row: Any) -> str:
        return str(row.label)

    # Forms

    def create_form(self, obj: Any = None) -> Any:
        return self._form(None)

    def edit_form(self, obj: Any = None) -> Any:
        form = self._form(obj)
        del form.code
        return form

    def _form(self, obj: Any) -> Any:
        form = CustomFieldForm(request.form if request.method == "POST" else None, obj=obj)
        form.form_errors = []
        return form

    def validate_form(self, form: Any) -> bool:
        return bool(form.validate())

    def form_sections(self, record: Any) -> Any:
        return (
            (_("Field"), _("What is kept of each client."), ("label", "code", "type", "choices")),
            (_("Where it is"), _("It is in the form, the page, the filters, the files and the audit of clients anyway."),
             ("is_required", "show_in_list", "show_to_client")),
        )  # fmt: skip

    def form_context(self, form: Any, record: Any) -> dict[str, Any]:
        context = super().form_context(form, record)
        if record is not None:
            count = custom_fields.count_values(record.id)
            context["facts"] = [(self.label_of("code"), record.code), (_("Clients that have a value"), count)]
        return context

    def on_model_change(self, form: Any, model: CustomField, is_created: bool) -> None:
        if is_created and not model.code:
            taken = {one.code for one in custom_fields.defined()}
            model.code = codes.made_of(
                model.label, is_free=lambda code: code not in taken and not custom_fields.is_reserved(code),
                otherwise="field",
            )  # fmt: skip
        custom_fields.check(model)

    def created_message(self, record: CustomField) -> str:
        return _("The field «%(name)s» is there: in forms, pages, filters and files of clients.", name=record.label)

    # One field

    def details_context(self, record: CustomField) -> dict[str, Any]:
        """The field, how many clients have a value, and the way to the list of them by its filters."""
        context = super().details_context(record)
        names = [name for name in self.column_details_list if name != "choices" or record.type == FieldType.CHOICE]
        rows = [(self.label_of(name), self.cell(record, name)) for name in names]
        rows.append((_("Clients that have a value"), custom_fields.count_values(record.id)))
        context["groups"] = [{"title": "", "rows": rows}]
        if record.type == FieldType.CHOICE and current_user.may("clients.view"):
            context["groups"].append({"title": _("Choices"), "rows": self._choices(record)})
        return context

    def _choices(self, record: CustomField) -> list[tuple[str, Any]]:
        name = f"{custom_fields.PREFIX}{record.code}"
        counts = custom_fields.counts_of_choices(record.id)
        return [
            (choice, Markup('<a href="/admin/clients/?{}">{}</a>').format(urlencode({name: choice}), counts.get(choice, 0)))
            for choice in record.choices
        ]  # fmt: skip

    def cell(self, row: Any, name: str) -> Any:
        return cells.show(row.choices) if name == "choices" else super().cell(row, name)

    def delete_context(self, record: CustomField) -> dict[str, Any]:
        count = custom_fields.count_values(record.id)
        lines = [_("It leaves the forms, the list, the filters, the files and the panel at once.")]
        if count:
            lines.insert(0, ngettext("%(num)s client has a value, which is removed", "%(num)s clients have a value, which is removed", count))  # fmt: skip
            lines.append(_("The audit keeps what was removed."))
        saved = custom_fields.count_saved_filters(record)
        if saved:
            lines.append(ngettext("%(num)s saved filter asks for it and will show no rows", "%(num)s saved filters ask for it and will show no rows", saved))  # fmt: skip
        return {
            **super().delete_context(record),
            "page_title": _("Delete a custom field"),
            "question": _("Delete the field «%(name)s»?", name=record.label),
            "lines": lines,
            "verb": _("Delete «%(name)s»", name=record.label),
        }

    def delete_record(self, record: CustomField) -> None:
        custom_fields.remove(record)

"""The custom fields of clients in the admin's pages: columns of the list, its filters and editors, forms, files."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from flask_babel import gettext as _
from flask_login import current_user

from admin_views import client_rows
from forms.base import one_field
from forms.clients import CreateClientForm, EditClientForm
from forms.custom_fields import EDITORS, with_custom_fields
from models import Client, FieldType
from operations import client_filters, custom_fields, custom_values
from operations.custom_fields import Definition
from operations.filters import Filter

HIDDEN = "custom_columns_hidden"
Reader = Callable[[Sequence[Any]], Iterable[Any]]


def section() -> list[tuple[Any, Any, Sequence[str]]]:
    """The section of a client's form that has the custom fields; none where there are none."""
    names = [one.name for one in custom_fields.defined()]
    return [(_("More about the client"), "", names)] if names else []


class CustomFieldsOfClients:
    """Adds the custom fields to the view of clients. A field is there from the next request on."""

    column_list: Sequence[str]

    # Columns

    def offered_columns(self) -> list[str]:
        """All columns that can be chosen."""
        return [*self.column_list, *(one.name for one in custom_fields.in_list())]

    def shown_custom_columns(self) -> list[str]:
        """Those that the person has not hidden: a new one shows at once."""
        hidden = current_user.preferences.get(HIDDEN, ())
        return [one.name for one in custom_fields.in_list() if one.name not in hidden]

    def columns_to_keep(self, chosen: Sequence[str]) -> dict[str, Any]:
        """What to keep of a choice of columns, for the person's preferences."""
        offered = [one.name for one in custom_fields.in_list()]
        return {
            "client_columns": [name for name in self.column_list if name in chosen],
            HIDDEN: [name for name in offered if name not in chosen],
        }

    def label_of(self, name: str) -> str:
        field = custom_fields.named(name)
        return field.label if field else super().label_of(name)  # type: ignore[misc,no-any-return]

    def _heading(self, name: str, asked: Any, editable: bool) -> dict[str, Any]:
        heading: dict[str, Any] = super()._heading(name, asked, editable)  # type: ignore[misc]
        field = custom_fields.named(name)
        return {**heading, "align": "end"} if field and field.type == FieldType.NUMBER else heading

    def rows_to_read(self) -> sa.Select[Any]:
        """What is read of each client of a page: custom values only where a column shows one."""
        return client_rows.ROWS_WITH_CUSTOM if self.shown_custom_columns() else client_rows.ROWS

    def custom_writer(self, name: str) -> Callable[[Any], Any] | None:
        """What writes the cells of the column, where it is a custom field's."""
        field = custom_fields.named(name)
        return _writer(field) if field else None

    # Filters

    @property
    def known_filters(self) -> dict[str, Filter]:
        return client_filters.known_filters()

    # Editing

    def editable_now(self) -> set[str]:
        names: set[str] = super().editable_now()  # type: ignore[misc]
        may_edit_all = self.fields_allowed() is None  # type: ignore[attr-defined]
        return names | {one.name for one in custom_fields.in_list()} if may_edit_all else names

    def custom_edit_spec(self, names: set[str]) -> dict[str, Any]:
        fields = [one for one in custom_fields.in_list() if one.name in names]
        return {one.name: _editor(one) for one in fields}

    def client_form(self, *, is_new: bool) -> Any:
        """The class of the form of a new client, or of one that is there."""
        return with_custom_fields(CreateClientForm if is_new else EditClientForm)

    def one_field_form(self, name: str) -> Any:
        return one_field(with_custom_fields(EditClientForm), name)

    def profile_facts(self, record: Client) -> list[tuple[Any, Any]]:
        return [*super().profile_facts(record), *custom_values.of_client(record)]  # type: ignore[misc]

    # Files

    def export_names(self) -> list[str]:
        names: list[str] = super().export_names()  # type: ignore[misc]
        return [*names, *(one.name for one in custom_fields.defined())]

    def export_heading(self, name: str) -> str:
        field = custom_fields.named(name)
        return field.code if field else name

    def export_column(self, name: str) -> tuple[Any, Reader] | None:
        """The column of a custom field's values in an export, and what makes its cells of them."""
        field = custom_fields.named(name)
        if field is None:
            return None
        column = Client.custom[field.code].as_string()
        return column, lambda values: [_exported(field, value) for value in values]


def _exported(field: Definition, value: Any) -> Any:
    if field.type == FieldType.YES_NO and value is not None:
        # The engines write a truth as «true» and as 1.
        value = str(value).lower() in {"true", "1"}
    return custom_values.cell(field, value)


def _writer(field: Definition) -> Callable[[Any], Any]:
    code, known = field.code, dict[Any, str]()

    def write(row: Any) -> str:
        value = row.custom.get(code)
        if value is None:
            return ""
        text = known.get(value)
        if text is None:
            text = known[value] = custom_values.shown(field, value)
        return text

    return write


def _editor(field: Definition) -> dict[str, Any]:
    if field.type in EDITORS:
        return {"kind": EDITORS[field.type], "label": field.label}
    choices = (
        [("yes", _("yes")), ("no", _("no"))]
        if field.type == FieldType.YES_NO
        else [(choice, choice) for choice in field.choices]
    )
    return {"kind": "select", "label": field.label, "options": [("", ""), *choices]}


def raw_value(row: Any, name: str) -> str:
    """What the editor of a custom field's cell begins with."""
    return custom_values.typed((row.custom or {}).get(name.removeprefix(custom_fields.PREFIX)))


def filters_key() -> Hashable:
    """What the panel of filters depends on besides what is asked."""
    return custom_fields.defined()

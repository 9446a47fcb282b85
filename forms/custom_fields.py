"""Custom fields in forms: a typed field for each, in the forms of clients; and the form of a custom field itself."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, ClassVar

import wtforms
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from wtforms import BooleanField, Field, SelectField, TextAreaField
from wtforms.fields.choices import Choice
from wtforms.validators import DataRequired, StopValidation
from wtforms.widgets import DateInput, TextInput

from forms.base import Form
from forms.clients import FILLED, line
from forms.fields import EnumField
from models import Client, FieldType
from operations import custom_fields, custom_values
from operations.custom_fields import Definition, Definitions


class Required:
    """Refuses an empty value; «no» is none."""

    field_flags: ClassVar[dict[str, Any]] = {"required": True}

    def __call__(self, form: Any, field: Any) -> None:
        if field.data in (None, "") and not field.process_errors:
            raise StopValidation(str(FILLED))


class CustomValueField(Field):
    """The value of a custom field, typed; what is kept of it stands in `data`."""

    widget = TextInput()

    def __init__(self, *, definition: Definition, **more: Any) -> None:
        self.definition = definition
        super().__init__(definition.label, [Required()] if definition.is_required else [], **more)

    def _value(self) -> str:
        return str(self.raw_data[0]) if self.raw_data else custom_values.typed(self.data)

    def process_formdata(self, valuelist: list[Any]) -> None:
        if not valuelist:
            return
        self.data = None
        if self.raw_data and valuelist[0] == custom_values.typed(self.object_data):
            # What stands there already stays, whatever has become of the field's definition.
            self.data = self.object_data
            return
        try:
            self.data = custom_values.read(self.definition, valuelist[0])
        except custom_values.NoValue as fault:
            raise ValueError(fault.message) from fault

    def populate_obj(self, obj: Any, name: str) -> None:
        custom_values.put(obj, self.definition, self.data)


class CustomDateField(CustomValueField):
    widget = DateInput()


class CustomChoiceField(CustomValueField, SelectField):
    """One of the choices, or yes and no; or nothing yet."""

    widget = SelectField.widget

    def __init__(self, *, definition: Definition, **more: Any) -> None:
        super().__init__(definition=definition, choices=[], validate_choice=False, **more)

    def options(self) -> list[tuple[str, str]]:
        if self.definition.type == FieldType.YES_NO:
            return [("yes", _("yes")), ("no", _("no"))]
        held = custom_values.typed(self.object_data)
        gone = [held] if held and held not in self.definition.choices else []
        return [(choice, choice) for choice in (*self.definition.choices, *gone)]

    def iter_choices(self) -> Any:
        chosen = self._value()
        for value, label in [("", ""), *self.options()]:
            yield Choice(value, label, value == chosen, {})

    def process_data(self, value: Any) -> None:
        self.data = value

    def pre_validate(self, form: Any) -> None:
        """Nothing more: what is no choice was refused when it was read."""


KINDS: dict[FieldType, tuple[type[CustomValueField], dict[str, Any]]] = {
    FieldType.TEXT: (CustomValueField, {"render_kw": {"maxlength": custom_values.LONGEST_TEXT}}),
    FieldType.NUMBER: (CustomValueField, {"render_kw": {"inputmode": "decimal"}}),
    FieldType.DATE: (CustomDateField, {}),
    FieldType.CHOICE: (CustomChoiceField, {}),
    FieldType.YES_NO: (CustomChoiceField, {}),
}
# How the list's editor in place asks for each.
EDITORS = {FieldType.TEXT: "text", FieldType.NUMBER: "text", FieldType.DATE: "date"}


class _WithValues:
    """A form that begins with the custom values of the client it is about."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        client = more.get("obj")
        held = custom_values.by_name(client.custom or {}) if isinstance(client, Client) else {}
        super().__init__(*arguments, **{**held, **more})


def with_custom_fields(form: type[wtforms.Form]) -> type[wtforms.Form]:
    """The form of a client with a field for each custom field there is now."""
    return _extended(form, custom_fields.defined())


@lru_cache(maxsize=64)
def _extended(form: type[wtforms.Form], definitions: Definitions) -> type[wtforms.Form]:
    if not definitions:
        return form
    return type(form.__name__, (_WithValues, form), {one.name: _unbound(one) for one in definitions})


def _unbound(definition: Definition) -> Any:
    kind, more = KINDS[definition.type]
    return kind(definition=definition, **more)


def typed_in(form: wtforms.Form) -> dict[str, Any]:
    """The custom values of a form, as a client keeps them."""
    return {
        field.definition.code: field.data
        for field in form
        if isinstance(field, CustomValueField) and field.data is not None
    }


class LinesField(TextAreaField):
    """A list of texts, one in each line."""

    def _value(self) -> str:
        return str(self.raw_data[0]) if self.raw_data else "\n".join(self.data or [])

    def process_formdata(self, valuelist: list[Any]) -> None:
        if valuelist:
            self.data = custom_fields.tidy_choices(valuelist[0].splitlines())


class CustomFieldForm(Form):
    """A custom field of clients."""

    label = line(_l("Label"), 120, DataRequired(FILLED), description=_l("What people read beside the value."))
    code = line(
        _l("Name in files"), 40,
        description=_l("Heads its column in files, and names it in addresses: Latin letters, digits and _. It stays for good; left empty, it is made of the label."),
    )  # fmt: skip
    type = EnumField(_l("Type"), kind=FieldType, default=FieldType.TEXT)
    choices = LinesField(
        _l("Choices"),
        description=_l("One in each line."),
        render_kw={"data-show-when": f"type={FieldType.CHOICE.value}", "rows": 6},
    )
    is_required = BooleanField(
        _l("Required"),
        description=_l("No client is saved in a form without it. Clients without a value stay as they are."),
    )
    show_in_list = BooleanField(
        _l("In the list"), description=_l("A column of the client list, which everybody can hide for oneself.")
    )
    show_to_client = BooleanField(
        _l("Shown to the client"), description=_l("Clients read it in their profile. They cannot change it.")
    )

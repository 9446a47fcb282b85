"""From a column to its field: what Flask-Admin makes of our own column types."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from flask_admin.contrib.sqla.form import AdminModelConverter
from flask_admin.model.form import converts
from wtforms import DateField, StringField, TextAreaField
from wtforms.validators import InputRequired, Length, Optional

from forms.fields import (
    EnumField,
    LocalMomentField,
    LookupField,
    MoneyField,
    PlainText,
    RecordField,
    RecordsField,
    tidy,
)

# Tables that are too large for a list to choose from.
LOOKED_UP = {"Client", "ClientUser", "Service", "Ticket", "Account", "Invoice", "Payer"}


class DeskConverter(AdminModelConverter):
    """Flask-Admin's converter, with the house's fields."""

    @converts("Labelled")
    def convert_labelled(self, column: Any, field_args: dict[str, Any], **_more: Any) -> EnumField:
        field_args["validators"] = []
        if column.default is not None and "default" not in field_args:
            field_args["default"] = column.default.arg
        return EnumField(kind=column.type.kind, blank=column.nullable, **field_args)

    @converts("Money")
    def convert_money(self, column: Any, field_args: dict[str, Any], **_more: Any) -> MoneyField:
        if not column.nullable:
            field_args["validators"] = [InputRequired()]
        return MoneyField(least=Decimal(0), **field_args)

    @converts("UTCDateTime")
    def convert_moment(self, field_args: dict[str, Any], **_more: Any) -> LocalMomentField:
        return LocalMomentField(**field_args)

    @converts("String")
    def convert_string(self, column: Any, field_args: dict[str, Any], **_more: Any) -> StringField:
        field_args["filters"] = [tidy]
        field_args["validators"] = [
            *field_args["validators"], PlainText(one_line=True), Length(max=column.type.length or 255),
        ]  # fmt: skip
        return StringField(**field_args)

    @converts("Text")
    def convert_text(self, field_args: dict[str, Any], **_more: Any) -> TextAreaField:
        field_args["filters"] = [tidy]
        field_args["validators"] = [*field_args["validators"], PlainText(one_line=False), Length(max=20_000)]
        return TextAreaField(**field_args)

    @converts("Date")
    def convert_day(self, column: Any, field_args: dict[str, Any], **_more: Any) -> DateField:
        if column.nullable:
            field_args["validators"] = [Optional()]
        return DateField(**field_args)

    def _model_select_field(self, prop: Any, multiple: Any, remote_model: Any, **given: Any) -> Any:
        blank = bool(given.pop("allow_blank", False))
        given["validators"] = []
        if multiple:
            return RecordsField(model=remote_model, **given)
        if remote_model.__name__ in LOOKED_UP:
            return LookupField(model=remote_model, blank=blank, **given)
        return RecordField(model=remote_model, blank=blank, **given)

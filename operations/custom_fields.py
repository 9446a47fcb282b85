"""Custom fields: what the owner keeps of clients besides. Which there are, and what may be done to them.

A field is there at once, in every process: what is known of the fields is kept under a version that the database
gives anew whenever one changes, and that comes along with what a request reads anyway.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from flask import g, has_app_context, has_request_context
from flask_babel import gettext as _
from flask_babel import ngettext

from extensions import db, plain_rows, rows_changed
from models import Client, ClientCustomValue, CustomField, CustomFieldsVersion, FieldType, SavedFilter
from operations import audit, json_sql
from operations.errors import OperationRefused
from operations.import_formats import HEADINGS, OWN_HEADINGS, normal_heading

# What begins the names of a field in forms, columns of the list, addresses and the audit.
PREFIX = "custom_"
CODE = re.compile(r"[a-z][a-z0-9_]{0,39}", re.ASCII)
LONGEST_CHOICE, MOST_CHOICES, MOST_FIELDS = 120, 200, 100
RANGES = (FieldType.NUMBER, FieldType.DATE)
MOST_KNOWN = 16


@dataclass(frozen=True)
class Definition:
    """A custom field as it is defined."""

    id: int
    code: str
    label: str
    type: FieldType
    choices: tuple[str, ...] = ()
    is_required: bool = False
    show_in_list: bool = False
    show_to_client: bool = False

    @property
    def name(self) -> str:
        """Its name in forms, columns of the list and the audit."""
        return f"{PREFIX}{self.code}"

    @property
    def parameters(self) -> tuple[str, ...]:
        """Its parameters in the address of the list."""
        return parameters_of(self.code, self.type)

    @property
    def headings(self) -> tuple[str, ...]:
        """What its column may be headed in a file, as headings are compared."""
        return tuple(dict.fromkeys(normal_heading(text) for text in (self.code, self.label, self.name)))


Definitions = tuple[Definition, ...]
_known: dict[str, Definitions] = {}


def defined() -> Definitions:
    """All fields, in the order they were added in. Asks the database only when one has changed."""
    version = _version() if has_app_context() else ""
    if not version:
        return ()
    found = _known.get(version)
    if found is None:
        found = _read()
        if len(_known) >= MOST_KNOWN:
            _known.clear()
        _known[version] = found
    return found


def kept_version() -> sa.ScalarSelect[Any]:
    """The version of the fields, as a part of a statement."""
    return sa.select(CustomFieldsVersion.value).scalar_subquery()


def remember(version: str | None) -> None:
    """Take the version for this request from what `kept_version` has found."""
    g.custom_fields_version = version or ""


def forget() -> None:
    """Have the rest of this request ask anew which fields there are."""
    if has_request_context():
        g.pop("custom_fields_version", None)


def _version() -> str:
    """What is another one after every change of a field; empty as long as there never was one."""
    if has_request_context() and "custom_fields_version" in g:
        return str(g.custom_fields_version)
    found = plain_rows(sa.select(CustomFieldsVersion.value)).scalar() or ""
    if has_request_context():
        remember(found)
    return str(found)


def _read() -> Definitions:
    field = CustomField
    rows = plain_rows(
        sa.select(
            field.id, field.code, field.label, field.type, field.choices, field.is_required, field.show_in_list,
            field.show_to_client,
        ).order_by(field.id)
    )  # fmt: skip
    return tuple(
        Definition(number, code, label, kind, tuple(choices or ()), *shown)
        for number, code, label, kind, choices, *shown in rows
    )


def in_list() -> Definitions:
    """The fields that are columns of the client list."""
    return tuple(one for one in defined() if one.show_in_list)


def named(name: str) -> Definition | None:
    """The field whose name in forms and columns is `name`."""
    if not name.startswith(PREFIX):
        return None
    return next((one for one in defined() if one.name == name), None)


def parameters_of(code: str, kind: FieldType) -> tuple[str, ...]:
    return tuple(f"{PREFIX}{code}{end}" for end in (("_from", "_to") if kind in RANGES else ("",)))


def check(field: CustomField) -> None:
    """Refuse a field, new or changed, that would not work, naming what of it is wrong.

    The code never changes, for addresses, files and saved filters rely on it. The type does not as long as clients
    have values, and no choice goes that a client has.
    """
    forget()
    others = [one for one in defined() if one.id != field.id]
    before = next((one for one in defined() if one.id == field.id), None)
    field.label = " ".join((field.label or "").split())
    field.choices = tidy_choices(field.choices) if field.type == FieldType.CHOICE else []
    if before is None:
        _check_new(field, others)
    else:
        _check_change(field, before)
    _check_label(field, others)
    if field.type == FieldType.CHOICE:
        _check_choices(field.choices)
    forget()


def _check_new(field: CustomField, others: Sequence[Definition]) -> None:
    if len(others) >= MOST_FIELDS:
        raise OperationRefused(_("There are %(count)s custom fields already, which is the most.", count=MOST_FIELDS))
    if not CODE.fullmatch(field.code or ""):
        raise OperationRefused(_("Latin letters, digits and _, beginning with a letter."), field="code")
    if is_reserved(field.code):
        raise OperationRefused(_("This name has a meaning already. Choose another one."), field="code")
    taken = {normal_heading(one.code) for one in others}
    parameters = {name for one in others for name in (*one.parameters, one.name)}
    own = {*parameters_of(field.code, field.type), f"{PREFIX}{field.code}"}
    if normal_heading(field.code) in taken or own & parameters:
        raise OperationRefused(_("Another custom field has this name, or one that is mistaken for it."), field="code")


def is_reserved(code: str) -> bool:
    """Whether it heads a column of files already, or is a column of clients."""
    headings = {name for names in (HEADINGS | OWN_HEADINGS).values() for name in names}
    columns = {normal_heading(attribute.key) for attribute in sa.inspect(Client).attrs}
    return normal_heading(code) in headings | columns | {"currency", "password"}


def _check_change(field: CustomField, before: Definition) -> None:
    if field.code != before.code:
        raise OperationRefused(_("The name in files does not change: addresses and files rely on it."), field="code")
    if field.type != before.type and (count := count_values(before.id)):
        raise OperationRefused(
            ngettext(
                "%(num)s client has a value, so the type cannot change. Add another field instead.",
                "%(num)s clients have a value, so the type cannot change. Add another field instead.",
                count,
            ),
            field="type",
        )
    if field.type == before.type == FieldType.CHOICE:
        for choice in before.choices:
            if choice not in field.choices and (count := count_values(before.id, choice=choice)):
                raise OperationRefused(
                    ngettext(
                        "%(num)s client has «%(choice)s», so it cannot be removed.",
                        "%(num)s clients have «%(choice)s», so it cannot be removed.",
                        count,
                        choice=choice,
                    ),
                    field="choices",
                )


def _check_label(field: CustomField, others: Iterable[Definition]) -> None:
    if not field.label:
        raise OperationRefused(_("This cannot be empty."), field="label")
    own = normal_heading(field.label)
    if any(own in one.headings for one in others):
        raise OperationRefused(_("Another custom field is called so."), field="label")


def _check_choices(choices: Sequence[str]) -> None:
    if not choices:
        raise OperationRefused(_("Give the choices, one in each line."), field="choices")
    if len(choices) > MOST_CHOICES or any(len(choice) > LONGEST_CHOICE for choice in choices):
        raise OperationRefused(
            _("At most %(count)s choices of %(length)s characters.", count=MOST_CHOICES, length=LONGEST_CHOICE),
            field="choices",
        )
    if len({choice.lower() for choice in choices}) < len(choices):
        raise OperationRefused(_("A choice stands there twice."), field="choices")


def tidy_choices(lines: Iterable[str] | None) -> list[str]:
    """The choices without outer and repeated blanks, empty ones left out."""
    return [text for text in (" ".join(str(line).split()) for line in lines or ()) if text]


def count_values(field_id: int, *, choice: str | None = None) -> int:
    """How many clients have a value of the field, deleted ones too; with `choice`, that one."""
    value = ClientCustomValue
    having = [value.field_id == field_id] if choice is None else [value.field_id == field_id, value.choice == choice]
    return db.session.scalar(sa.select(sa.func.count()).select_from(value).where(*having)) or 0


def counts_of_choices(field_id: int) -> dict[str, int]:
    """How many clients have each choice, deleted ones left out."""
    value = ClientCustomValue
    rows = db.session.execute(
        sa.select(value.choice, sa.func.count())
        .join(Client, Client.id == value.client_id)
        .where(value.field_id == field_id, value.choice.is_not(None), Client.deleted_at.is_(None))
        .group_by(value.choice)
    )
    return {choice or "": count for choice, count in rows}


def count_saved_filters(field: CustomField) -> int:
    """How many saved filters ask for the field."""
    asked = db.session.scalars(sa.select(SavedFilter.parameters))
    names = set(parameters_of(field.code, field.type))
    return sum(1 for parameters in asked if names & parameters.keys())


def remove(field: CustomField) -> int:
    """Remove the field and the values that clients have of it; the audit keeps them. Returns how many there were."""
    name, value = f"{PREFIX}{field.code}", ClientCustomValue
    having = sa.select(value.client_id).where(value.field_id == field.id)
    kept: Any = Client.custom.op("->")(field.code if json_sql.is_postgresql() else _path(field))
    rows = sa.select(
        Client.id.label("record_id"), Client.id.label("client_id"), json_sql.document(**{name: json_sql.nested(kept)})
    ).where(Client.id.in_(having))
    audit.record_many("edit", module="clients", rows=rows.order_by(Client.id))
    without: Any = (
        sa.type_coerce(Client.custom, sa.JSON).op("-")(sa.literal(field.code, sa.Text))
        if json_sql.is_postgresql()
        else sa.func.json_remove(Client.custom, _path(field))
    )
    count = rows_changed(
        sa.update(Client)
        .where(Client.id.in_(having))
        .values(custom=sa.type_coerce(without, Client.custom.type), row_version=Client.row_version + 1)
    )
    db.session.delete(field)
    db.session.flush()
    forget()
    return count


def _path(field: CustomField) -> str:
    return f'$."{field.code}"'

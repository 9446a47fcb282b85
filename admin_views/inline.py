"""Editing in place: one cell of a list, sent by a script, answered with the cell as it is now."""

from __future__ import annotations

from typing import Any

from flask import Response, abort, jsonify, request
from flask_admin.base import expose
from flask_babel import gettext as _
from markupsafe import escape
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm.exc import StaleDataError
from wtforms import BooleanField, DateField, SelectField, TextAreaField

from extensions import LabelledEnum, db
from forms.fields import RecordField
from operations.errors import OperationRefused

NOT_FIELDS = {"list_form_pk", "row_version", "csrf_token"}


def _refused(message: str, status: int) -> Response:
    return Response(message, status=status, mimetype="text/plain")


class InlinePages:
    """Adds `…/ajax/update/`. `column_editable_list` names the columns; each is validated as in the form."""

    def editable_now(self) -> set[str]:
        """The columns this person may change in place."""
        names = set(self.column_editable_list or ())  # type: ignore[attr-defined]
        allowed = self.fields_allowed()  # type: ignore[attr-defined]
        return names if allowed is None else names & allowed

    def raw_value(self, row: Any, name: str) -> Any:
        """What an editor of the cell begins with: an id for a reference, a value for a choice."""
        value = getattr(row, f"{name}_id") if hasattr(type(row), f"{name}_id") else getattr(row, name, None)
        if isinstance(value, LabelledEnum):
            return value.value
        if isinstance(value, bool):
            return "1" if value else "0"
        return value

    def edit_spec(self, names: set[str]) -> dict[str, Any]:
        """How a script asks for each editable column: its kind, label and choices."""
        form = self.edit_form()  # type: ignore[attr-defined]
        return {name: self._spec(form[name], name) for name in names if name in form}

    def _spec(self, field: Any, name: str) -> dict[str, Any]:
        spec: dict[str, Any] = {"kind": _kind(field, name), "label": self.label_of(name)}  # type: ignore[attr-defined]
        if isinstance(field, BooleanField):
            spec["options"] = [["1", _("yes")], ["0", _("no")]]
        elif isinstance(field, SelectField):
            spec["options"] = [[str(choice[0]), str(choice[1])] for choice in field.iter_choices()]
        return spec

    @expose("/ajax/update/", methods=("POST",))
    def ajax_update(self) -> Response:
        """Change one column of one row: 200 with the new cell, else a line of text that says what is wrong."""
        names = set(request.form) - NOT_FIELDS
        if not self.can_edit or not names or not names <= self.editable_now():  # type: ignore[attr-defined]
            abort(403)
        if len(names) > 1 or any(len(request.form.getlist(name)) > 1 for name in names):
            return _refused(_("One column at a time."), 400)
        name = names.pop()
        self.hold("list_form_pk")  # type: ignore[attr-defined]
        record = self.posted_or_404("list_form_pk")  # type: ignore[attr-defined]
        seen = request.form.get("row_version")
        if seen is not None and seen != str(getattr(record, "row_version", seen)):
            return _refused(_("Somebody else has changed this row meanwhile. Reload the page to see it."), 409)
        return self._update_cell(record, name)

    def cell_form(self, record: Any, name: str) -> Any:
        """The form of one column of `record`."""
        form = self.edit_form(obj=record)  # type: ignore[attr-defined]
        for other in [field.name for field in form if field.name != name]:
            del form[other]
        return form

    def _update_cell(self, record: Any, name: str) -> Response:
        form = self.cell_form(record, name)
        if isinstance(form[name], BooleanField):
            form[name].data = request.form[name] in {"1", "y", "true", "on"}
        if not form.validate():
            return _refused(" ".join(str(error) for error in form[name].errors), 400)
        try:
            with db.session.no_autoflush:
                form.populate_obj(record)
                self.on_model_change(form, record, False)  # type: ignore[attr-defined]
            db.session.flush()
            answer = self._cell_now(record, name)
            db.session.commit()
        except OperationRefused as refusal:
            db.session.rollback()
            return _refused(refusal.message, 400)
        except IntegrityError:
            db.session.rollback()
            return _refused(self.conflict_message(), 400)  # type: ignore[attr-defined]
        except StaleDataError:
            db.session.rollback()
            return _refused(_("Somebody else has changed this row meanwhile. Reload the page to see it."), 409)
        return answer

    def row_of(self, record: Any) -> Any:
        """What the list shows of a record that was just changed."""
        return self.fetch_rows([record.id])[0]  # type: ignore[attr-defined]

    def _cell_now(self, record: Any, name: str) -> Response:
        row = self.row_of(record)
        return jsonify(
            html=str(escape(self.cell(row, name))),  # type: ignore[attr-defined]
            value=self.raw_value(row, name),
            version=getattr(row, "row_version", ""),
        )


def _kind(field: Any, name: str) -> str:
    if isinstance(field, BooleanField | SelectField | RecordField):
        return "select"
    if isinstance(field, TextAreaField):
        return "textarea"
    if isinstance(field, DateField):
        return "date"
    return {"email": "email", "verified_phone": "tel", "phone": "tel"}.get(name, "text")

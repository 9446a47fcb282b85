"""Two people in the same form: the second who saves is told what the other changed, and chooses field by field.

A form carries what it showed when it was opened, signed, beside the version of the record. When the record has
another version by the time the form is sent, three values of each field are laid side by side: what it was, what it
is now, and what was typed. What only one of the two changed is merged, for the rest there is a choice; and all of
it is sent again, so that a third who comes in between is noticed in the same way.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from flask import current_app, request
from flask_babel import gettext as _
from itsdangerous import BadData, URLSafeSerializer
from werkzeug.datastructures import ImmutableMultiDict, MultiDict
from wtforms import BooleanField, FileField, MultipleFileField, PasswordField, SelectMultipleField

from admin_views import cells
from admin_views.field_values import Sent
from admin_views.lookup import label_of
from extensions import db, now
from forms.fields import LocalMomentField, LookupField, RecordField, RecordsField, tidy
from models import AuditEvent
from operations import filters

SEEN, CHOICE = "seen", "choice_"
THEIRS, MINE = "theirs", "mine"
# What is never told: secrets, files, and what no person typed.
UNTOLD = (PasswordField, FileField, MultipleFileField)
EVENTS_LOOKED_AT = 200
# What a field sends, by the names it sends it under: one, but for a field of several controls.
Values = dict[str, list[str]]


@dataclass(frozen=True)
class Row:
    """A field that the other changed, in words. `was` is None where it is not known; no `choice` where both agree."""

    name: str
    label: str
    was: str | None
    now: str
    choice: str
    who: str = ""
    when: str = ""


@dataclass(frozen=True)
class Snapshot:
    """What a form showed when it was opened."""

    version: str
    at: datetime
    fields: Mapping[str, Values]


# What a form shows, and what was sent


def values_of(form: Any) -> dict[str, Values]:
    """What each field of a form would send if nothing were typed."""
    return {field.name: _as_shown(field) for field in form if _is_told(field)}


def _is_told(field: Any) -> bool:
    return not isinstance(field, UNTOLD) and field.widget.__class__.__name__ != "HiddenInput"


def _as_shown(field: Any) -> Values:
    if isinstance(field, BooleanField):
        return {field.name: ["y"] if field.data else []}
    if isinstance(field, RecordsField):
        return {field.name: sorted(str(record.id) for record in field.data or [])}
    if isinstance(field, RecordField):
        return {field.name: [str(field.data.id) if field.data is not None else ""]}
    if hasattr(field, "iter_choices"):
        return {field.name: sorted(str(choice[0]) for choice in field.iter_choices() if choice[2])}
    if hasattr(field, "_value"):
        return {field.name: [_plain(field, field._value())]}  # noqa: SLF001  It is what the control shows.
    return Sent.by(field()).values


def _as_sent(field: Any, sent: Any) -> Values | None:
    """What was sent for the field; None for nothing, which leaves it as it was."""
    if isinstance(field, BooleanField):
        return {field.name: ["y"] if any(text not in {"", "false"} for text in sent.getlist(field.name)) else []}
    if isinstance(field, RecordsField | SelectMultipleField):
        return {field.name: sorted(sent.getlist(field.name))}
    if hasattr(field, "iter_choices") or hasattr(field, "_value"):
        return {field.name: [_plain(field, text) for text in sent.getlist(field.name)]} if field.name in sent else None
    parts = [name for name in sent if name.startswith((f"{field.name}_", f"{field.name}-"))]
    return {name: [tidy(text) for text in sent.getlist(name)] for name in parts} or None


def _plain(field: Any, text: Any) -> str:
    kept = tidy(str(text if text is not None else ""))
    return kept.removeprefix("#") if isinstance(field, LookupField) else kept


def _fresh(view: Any, form: Any, record: Any) -> Any:
    """The form as it would be opened now."""
    made = view.unsent_form(form, record)
    view.keep_allowed(made)
    return made


# What the form was opened with


def seal(view: Any, form: Any, record: Any) -> str:
    """What goes into the form beside the record's version: what it shows at that version, signed."""
    if not hasattr(record, "row_version"):
        return ""
    opened = _opened_with(view, record.id) if request.method == "POST" else None
    if opened is not None and opened.version == str(record.row_version):
        return request.form[SEEN]
    shown = values_of(form if request.method != "POST" else _fresh(view, form, record))
    content = [view.module, record.id, str(record.row_version), now().isoformat(), shown]
    return str(_serializer().dumps(content))


def _opened_with(view: Any, record_id: int) -> Snapshot | None:
    """What the form that was sent had been opened with; None where it does not say so, or says another version."""
    try:
        content = _serializer().loads(request.form.get(SEEN, ""))
    except BadData:
        return None
    module, number, version, at, fields = content
    if (module, number, version) != (view.module, record_id, request.form.get("row_version")):
        return None
    return Snapshot(version, datetime.fromisoformat(at), fields)


def _serializer() -> URLSafeSerializer:
    settings = current_app.config["SETTINGS"]
    keys = [*settings.secret_key_fallbacks, settings.secret_key]
    return URLSafeSerializer(keys, salt="seen-in-a-form", signer_kwargs={"digest_method": hashlib.sha256})


# What was chosen


def take_choices(view: Any, record_id: int) -> None:
    """Where the other's value was chosen, let the request say that value, as if it had been typed.

    Everything that reads the form from here on, of whatever module, knows nothing of the choice.
    """
    chosen = [name.removeprefix(CHOICE) for name in request.form if name.startswith(CHOICE)]
    seen = _opened_with(view, record_id) if chosen else None
    if seen is None:
        return
    theirs = [name for name in chosen if request.form[CHOICE + name] == THEIRS and name in seen.fields]
    sent = MultiDict(request.form)
    for name in chosen:
        sent.poplist(CHOICE + name)
    for name in theirs:
        for key, texts in seen.fields[name].items():
            sent.setlist(key, texts)
            if not texts:
                sent.poplist(key)
    request._get_current_object().form = ImmutableMultiDict(sent)  # type: ignore[attr-defined]


# What is different


def find(view: Any, form: Any, record: Any) -> list[Row]:
    """The fields of the form that somebody else has changed since it was opened; none if the record is as it was."""
    seen = request.form.get("row_version")
    if seen is None or not hasattr(record, "row_version") or seen == str(record.row_version):
        return []
    opened = _opened_with(view, record.id)
    fresh = _fresh(view, form, record)
    told = values_of(fresh)
    rows = [_row(form[name], fresh[name], current, opened) for name, current in told.items() if name in form]
    return _with_authors(view, record, [row for row in rows if row is not None], opened)


def _row(field: Any, fresh: Any, current: Values, opened: Snapshot | None) -> Row | None:
    was = opened.fields.get(field.name) if opened else None
    sent = _as_sent(field, request.form)
    typed = sent if sent is not None else (was or current)
    if current == was or (was is None and typed == current):
        return None
    choice = "" if typed == current else THEIRS if typed == was else MINE
    before = None if was is None else in_words(fresh, was)
    return Row(field.name, str(field.label.text), before, in_words(fresh, current), choice)


def in_words(field: Any, values: Values) -> str:
    """What a field sends, as a person reads it: names for codes, yes and no for a box."""
    texts = [text for each in values.values() for text in each if text]
    if isinstance(field, BooleanField):
        return str(cells.show(bool(texts)))
    if isinstance(field, LookupField):
        return ", ".join(_looked_up(field, text) for text in texts)
    if hasattr(field, "iter_choices"):
        labels = {str(choice[0]): str(choice[1]) for choice in field.iter_choices()}
        return ", ".join(labels.get(text, text) for text in texts)
    if isinstance(field, LocalMomentField):
        return ", ".join(text.replace("T", " ") for text in texts)
    return "; ".join(texts)


def _looked_up(field: Any, text: str) -> str:
    with suppress(ValueError):
        return label_of(db.session.get(field.model, filters.whole_number(text))) or f"#{text}"
    return text


def _with_authors(view: Any, record: Any, rows: list[Row], opened: Snapshot | None) -> list[Row]:
    """The rows, each with who changed the field last and when, by the audit."""
    if not rows:
        return rows
    statement = sa.select(AuditEvent).where(AuditEvent.module == view.module, AuditEvent.record_id == record.id)
    if opened is not None:
        statement = statement.where(AuditEvent.at >= opened.at)
    events = db.session.scalars(statement.order_by(AuditEvent.id.desc()).limit(EVENTS_LOOKED_AT)).all()
    return [_with_author(row, events) for row in rows]


def _with_author(row: Row, events: Iterable[AuditEvent]) -> Row:
    names = {row.name, f"{row.name}_id", row.name.partition("_")[0] if row.name.startswith("custom") else row.name}
    event = next((event for event in events if names & event.after.keys()), None)
    if event is None:
        return row
    return Row(row.name, row.label, row.was, row.now, row.choice, event.actor, str(cells.show(event.at)))


def context(rows: list[Row], sections: list[dict[str, Any]]) -> dict[str, Any]:
    """What templates/admin/conflict.html reads; fields with a choice stand there and not in their sections."""
    chosen = {row.name for row in rows if row.choice}
    left = [{**part, "fields": [name for name in part["fields"] if name not in chosen]} for part in sections]
    people = sorted({row.who for row in rows if row.who})
    title = _("Changed by %(names)s while you were editing", names=", ".join(people)) if people else ""
    return {
        "conflict": {"rows": rows, "title": title or _("Changed while you were editing")},
        "sections": [part for part in left if part["fields"]],
    }

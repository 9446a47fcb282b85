"""Notes on a client's page: written, changed, pinned and removed by staff, and seen by nobody else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import abort, flash, g, redirect, request
from flask.typing import ResponseReturnValue
from flask_admin import expose
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_babel import lazy_pgettext, pgettext
from flask_login import current_user
from wtforms import BooleanField, TextAreaField
from wtforms.validators import DataRequired, Length

from admin_views import cells
from admin_views.base import needs
from admin_views.client_profile import profiled, tab_named
from admin_views.profile import Profile, pre_line
from extensions import db, now
from forms.base import Form
from forms.clients import FILLED
from forms.fields import PlainText, tidy
from models import ClientNote, Staff
from operations import client_notes, filters
from operations.errors import OperationRefused


class NoteForm(Form):
    """What a note is: its text, and whether it stands on top of the client's page."""

    text = TextAreaField(lazy_pgettext("of a colleague", "Note"), [DataRequired(FILLED), PlainText(one_line=False), Length(max=client_notes.LONGEST)],
                         filters=[tidy], render_kw={"rows": 6})  # fmt: skip
    is_pinned = BooleanField(_l("Pin to the top of the client's page"))


class NotePages:
    """The addresses of notes; a part of the clients' view."""

    @expose("/notes/add/", methods=("POST",))
    @needs("clients.edit")
    def add_note(self) -> ResponseReturnValue:
        """Write a note on a client."""
        record = profiled(request.form.get("id", ""))
        form = NoteForm(request.form)
        form.form_errors = []
        if not form.validate():
            return self._refused_note(record, form)
        try:
            client_notes.add(record, text=form.text.data, is_pinned=form.is_pinned.data, by=_staff(), now=now())
            db.session.commit()
        except OperationRefused as refusal:
            db.session.rollback()
            form.text.errors = [refusal.message]
            return self._refused_note(profiled(request.form.get("id", "")), form)
        flash(_("The note is added."), "success")
        return redirect(_back(record.id))

    def _refused_note(self, record: Any, form: NoteForm) -> ResponseReturnValue:
        """The notes of the client again, with what was typed and the message beside it."""
        page = self.profile_page(Profile(record), tab_named("notes"), note_form=form)  # type: ignore[attr-defined]
        return page, 400

    @expose("/notes/edit/", methods=("GET", "POST"))
    @needs("clients.edit")
    def edit_note(self) -> ResponseReturnValue:
        """Change one's own note. Who saves second is shown what the note says now, and keeps what he typed."""
        note = _note()
        if not client_notes.may_edit(note, _staff()):
            abort(403)
        form = NoteForm(request.form if request.method == "POST" else None, obj=note)
        form.form_errors = []
        notice = None
        if request.method == "POST" and form.validate():
            try:
                client_notes.change(note, text=form.text.data, is_pinned=form.is_pinned.data, by=_staff(), seen=_seen())
                db.session.commit()
                flash(_("Saved."), "success")
                return redirect(_back(note.client_id))
            except OperationRefused as refusal:
                db.session.rollback()
                note, notice = _note(), refusal.message
        facts = [(_("What the note says now"), pre_line(note.text))] if notice else []
        page = self.render(  # type: ignore[attr-defined]
            "admin/form.html", form=form, page_title=pgettext("of a colleague", "Note"), notice=notice, facts=facts,
            crumb=(note.client.code_and_name, _page(note.client_id)), submit_label=_("Save"),
            record_version=note.row_version, cancel_url=_back(note.client_id),
            sections=[{"title": pgettext("of a colleague", "Note"), "help": _("Clients never see this."), "fields": ["text", "is_pinned"]}],
        )  # fmt: skip
        return page, 409 if notice else 200

    @expose("/notes/pin/", methods=("POST",))
    @needs("clients.edit")
    def pin_note(self) -> ResponseReturnValue:
        """Pin a note to the top of the page, or take it from there."""
        note, is_pinned = _note(), request.form.get("is_pinned") == "1"
        said = _("The note stands on top of the page.") if is_pinned else _("The note is not pinned any more.")
        return _carried_out(note, lambda: client_notes.pin(note, is_pinned=is_pinned, seen=_seen()), said)

    @expose("/notes/delete/", methods=("GET", "POST"))
    @needs("clients.edit")
    def delete_note(self) -> ResponseReturnValue:
        """Ask whether to remove a note, and remove it."""
        note, staff = _note(), _staff()
        if not client_notes.may_delete(note, staff):
            abort(403)
        if request.method == "POST":
            verb: Callable[[], None] = lambda: client_notes.delete(note, by=staff, seen=_seen())  # noqa: E731
            return _carried_out(note, verb, _("The note is removed."))
        author = note.author.shown_name if note.author else ""
        return self.render(  # type: ignore[attr-defined,no-any-return]
            "admin/confirm.html", page_title=_("Remove a note"), question=_("Remove this note?"),
            lines=[pre_line(note.text), " ".join(filter(None, (author, str(cells.show(note.created_at)))))],
            hidden={"id": note.id, "row_version": note.row_version, "url": _back(note.client_id)},
            verb=_("Remove the note"), danger=True, cancel_url=_back(note.client_id),
        )  # fmt: skip


def _carried_out(note: ClientNote, verb: Callable[[], None], said: str) -> ResponseReturnValue:
    back = _back(note.client_id)
    try:
        verb()
        db.session.commit()
        flash(said, "success")
    except OperationRefused as refusal:
        db.session.rollback()
        flash(refusal.message, "error")
    return redirect(back)


def _staff() -> Staff:
    return db.session.get_one(Staff, current_user.id)


def _note() -> ClientNote:
    """The note that is meant; 404 for none, and for one of another client than the admin is filtered to."""
    try:
        number = filters.whole_number(request.values.get("id", ""))
    except ValueError:
        abort(404)
    return client_notes.find(number, client_id=g.get("client_scope")) or abort(404)


def _seen() -> int:
    """The version of the note that the person had before him; one that is none was never there."""
    try:
        return filters.whole_number(request.form.get("row_version", ""))
    except ValueError:
        return 0


def _page(client_id: int) -> str:
    return f"/admin/clients/details/?id={client_id}"


def _back(client_id: int) -> str:
    """Where the person came from, else the client's page; at its notes."""
    return (request.values.get("url") or _page(client_id)).partition("#")[0] + "#notes"

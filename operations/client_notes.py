"""Notes on clients: dated remarks of staff, for staff alone. Each change is audited, with what stood before."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from flask_babel import gettext as _

from extensions import db
from models import Client, ClientNote, Staff
from operations.errors import OperationRefused

LONGEST = 5_000


def add(client: Client, *, text: str, is_pinned: bool, by: Staff, now: datetime) -> ClientNote:
    """Write a note on a client. Refuses, for the field `text`, an empty or too long one."""
    if client.deleted_at is not None:
        raise OperationRefused(_("This client is deleted: restore it first."))
    note = ClientNote(client=client, author=by, text=_checked(text), is_pinned=is_pinned, created_at=now)
    db.session.add(note)
    db.session.flush()
    return note


def change(note: ClientNote, *, text: str, is_pinned: bool, by: Staff, seen: int) -> None:
    """Change one's own note. Refuses another's, and one that has changed since the version `seen`."""
    _refuse_if_changed(note, seen)
    if not may_edit(note, by):
        raise OperationRefused(_("A note is changed by who wrote it."))
    note.text, note.is_pinned = _checked(text), is_pinned
    db.session.flush()


def pin(note: ClientNote, *, is_pinned: bool, seen: int) -> None:
    """Pin a note to the top of the profile, or take it from there. Any editor may, whoever wrote it."""
    _refuse_if_changed(note, seen)
    note.is_pinned = is_pinned
    db.session.flush()


def delete(note: ClientNote, *, by: Staff, seen: int) -> None:
    """Remove a note. One's own, and another's with the right to delete clients."""
    _refuse_if_changed(note, seen)
    if not may_delete(note, by):
        raise OperationRefused(_("A note of somebody else is removed by those who may delete clients."))
    db.session.delete(note)
    db.session.flush()


def may_edit(note: ClientNote, staff: Staff) -> bool:
    return note.author_id is not None and note.author_id == staff.id


def may_delete(note: ClientNote, staff: Staff) -> bool:
    return may_edit(note, staff) or staff.may("clients.delete")


def find(note_id: int, *, client_id: int | None = None) -> ClientNote | None:
    """A note of a client that is not deleted; with `client_id`, of that client alone."""
    statement = (
        sa.select(ClientNote).join(ClientNote.client).where(ClientNote.id == note_id, Client.deleted_at.is_(None))
    )
    if client_id is not None:
        statement = statement.where(ClientNote.client_id == client_id)
    return db.session.scalar(statement)


def _checked(text: str) -> str:
    text = text.strip()
    if not text:
        raise OperationRefused(_("This cannot be empty."), field="text")
    if len(text) > LONGEST:
        raise OperationRefused(_("A note has at most %(count)s characters.", count=LONGEST), field="text")
    return text


def _refuse_if_changed(note: ClientNote, seen: int) -> None:
    if note.row_version != seen:
        raise OperationRefused(
            _("Somebody else has changed this note meanwhile. Look at it, then say again what you want.")
        )

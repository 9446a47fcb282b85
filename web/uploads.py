"""Files that come with a form, kept from the first try on, so that a refused form loses none of them."""

from __future__ import annotations

from flask import request
from werkzeug.datastructures import FileStorage

from operations import attachments
from operations.attachments import StoredFile
from operations.errors import OperationRefused


def taken() -> tuple[list[StoredFile], str]:
    """What was uploaded now or with the same form before, and what was refused of it, in words."""
    kept = [file for token in request.form.getlist("kept_file") if (file := attachments.from_token(token))]
    uploads = [file for file in request.files.getlist("attachments") if isinstance(file, FileStorage) and file.filename]
    try:
        return attachments.store_all([(file.stream, file.filename or "") for file in uploads], kept=kept), ""
    except OperationRefused as refusal:
        return kept, refusal.message


def with_tokens(files: list[StoredFile]) -> list[tuple[StoredFile, str]]:
    """The files with what the form carries for each."""
    return [(file, attachments.token_for(file)) for file in files]

"""Files that come with a form, kept from the first try on, so that a refused form loses none of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from flask import request
from werkzeug.datastructures import FileStorage

from operations import attachments
from operations.attachments import StoredFile
from operations.errors import OperationRefused


def taken() -> tuple[list[StoredFile], str]:
    """What was uploaded now or with the same form before, each file once, and what was refused of it, in words."""
    kept = [file for token in request.form.getlist("kept_file") if (file := attachments.from_token(token))]
    files = list({file.stored_name: file for file in kept}.values())
    uploads = [file for file in request.files.getlist("attachments") if isinstance(file, FileStorage) and file.filename]
    refused: list[str] = []
    for upload in uploads:
        # The others that were chosen with one that is refused need not be chosen again.
        with _noted(refused):
            files = attachments.store_all([(upload.stream, upload.filename or "")], kept=files)
    with _noted(refused):
        attachments.refuse_too_many(files)
    return files, " ".join(dict.fromkeys(refused))


@contextmanager
def _noted(refused: list[str]) -> Iterator[None]:
    try:
        yield
    except OperationRefused as refusal:
        refused.append(refusal.message)


def with_tokens(files: list[StoredFile]) -> list[tuple[StoredFile, str]]:
    """The files with what the form carries for each."""
    return [(file, attachments.token_for(file)) for file in files]

"""Handing out files of correspondence to staff; the view that calls this has checked that he may see them."""

from __future__ import annotations

from flask import Response, abort, send_file

from models import Attachment
from operations import attachments


def send(attachment: Attachment) -> Response:
    """The file, to be saved and never shown in place, whatever it is."""
    path = attachments.path_of(attachment)
    if not path.is_file():
        abort(404)
    response = send_file(
        path,
        mimetype=attachment.content_type,
        as_attachment=True,
        download_name=attachment.file_name,
        max_age=0,
    )
    response.headers["Content-Security-Policy"] = "sandbox; default-src 'none'"
    response.headers["Cache-Control"] = "no-store"
    return response

"""The ready text that was chosen in a form which offers «Auto-fill»."""

from __future__ import annotations

from flask import flash, request
from flask_babel import gettext as _

from extensions import db
from models import ResponseTemplate
from operations import filters


def chosen() -> ResponseTemplate | None:
    """The ready text of the field `response_template`; None, and told so, where none was chosen."""
    try:
        found = db.session.get(ResponseTemplate, filters.whole_number(request.form.get("response_template", "")))
    except ValueError:
        found = None
    if found is None:
        flash(_("Choose a ready text first."), "warning")
    return found

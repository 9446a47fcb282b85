"""The ready texts that a form offers, and what becomes of the one that was chosen in it («Auto-fill»)."""

from __future__ import annotations

from itertools import groupby
from typing import Any, NamedTuple

import sqlalchemy as sa
from flask import flash, request
from flask_babel import gettext as _

from extensions import db
from models import ResponseTemplate, TicketCategory
from operations import filters


class ReadyText(NamedTuple):
    """One to choose: in which categories it is for use, and whether it is for use in the one that is chosen."""

    id: int
    name: str
    categories: list[int]
    is_for_all: bool
    fits: bool


def offered(category: TicketCategory | None) -> list[ReadyText]:
    """Those for messages in several languages: one for each name, whatever languages it is there in."""
    rows = db.session.execute(
        sa.select(ResponseTemplate.name, ResponseTemplate.id, ResponseTemplate.category_id).order_by(
            ResponseTemplate.name, ResponseTemplate.id
        )
    ).all()
    found = []
    for name, same in groupby(rows, key=lambda row: row.name):
        parts = list(same)
        categories = {part.category_id for part in parts}
        fits = category is None or category.id in categories or None in categories
        found.append(ReadyText(parts[0].id, name, sorted(categories - {None}), None in categories, fits))
    return found


def chosen() -> ResponseTemplate | None:
    """The ready text of the field `response_template`; None, and told so, where none was chosen."""
    try:
        found = db.session.get(ResponseTemplate, filters.whole_number(request.form.get("response_template", "")))
    except ValueError:
        found = None
    if found is None:
        flash(_("Choose a ready text first."), "warning")
    return found


def kept_of(text: str | None, column: Any) -> str:
    """What of a field is kept when a ready text comes into it: all that was typed, and nothing of another ready text."""
    if not text or db.session.scalar(sa.select(sa.exists().where(column == text))):
        return ""
    return text

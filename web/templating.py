"""What templates can use everywhere: the frame's figures, money and dates in the reader's own way."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any

from flask import Flask, current_app, g, has_request_context, request
from flask_babel import format_currency, format_decimal, get_locale
from flask_login import current_user
from sqlalchemy.exc import SQLAlchemyError

from admin_views import frame
from config import LANGUAGES
from models import Staff
from web.requests import is_staff_path


def register(app: Flask) -> None:
    app.jinja_env.globals.update(get_locale=get_locale, languages=list(LANGUAGES.items()))
    app.jinja_env.filters.update(numberformat=format_decimal, moneyformat=money)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = False
    app.context_processor(everywhere)
    app.url_defaults(version_static_files)


def version_static_files(endpoint: str, values: dict[str, Any]) -> None:
    """Name the file's version in its address, for browsers keep it a year."""
    if endpoint == "static" and "v" not in values:
        values["v"] = digest_of(values["filename"])


@lru_cache(maxsize=256)
def digest_of(filename: str) -> str:
    path = Path(current_app.static_folder or "") / filename
    return hashlib.sha256(path.read_bytes()).hexdigest()[:10] if path.is_file() else "0"


def money(amount: Any, currency: str) -> str:
    return format_currency(amount, currency, "#,##0.00\u00a0¤")


def everywhere() -> dict[str, Any]:
    """The frame of the admin for staff; of the panel its own room takes care."""
    if not has_request_context() or request.endpoint is None or not is_staff_path():
        return {"brand_name": "Clientdesk"}
    try:
        person = current_user._get_current_object()
        if isinstance(person, Staff) and not g.get("frameless"):
            return frame.context(person)
    except SQLAlchemyError:
        # An error page is shown with or without a database.
        return {"brand_name": "Clientdesk"}
    return {"brand_name": "Clientdesk", "language_url": "/admin/language"}

"""What templates can use everywhere: languages, money in the reader's own way, files by their version."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any

from flask import Flask, current_app
from flask_babel import format_currency, format_decimal, get_locale
from flask_babel import gettext as _

from config import LANGUAGES
from web.fragments import KeptParts


def register(app: Flask) -> None:
    app.jinja_env.add_extension(KeptParts)
    app.jinja_env.globals.update(get_locale=get_locale, languages=list(LANGUAGES.items()))
    app.jinja_env.filters.update(numberformat=format_decimal, moneyformat=money, sizeformat=size)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = False
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


def size(count: int) -> str:
    """A number of bytes as people read it."""
    if count < 1024:
        return _("%(count)s B", count=count)
    if count < 1024 * 1024:
        return _("%(count)s KB", count=format_decimal(round(count / 1024)))
    return _("%(count)s MB", count=format_decimal(round(count / 1024 / 1024, 1)))

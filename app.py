"""The application: create_app() puts the rooms together and decides nothing."""

from __future__ import annotations

import os
import sys
from datetime import timedelta
from typing import Any

from flask import Flask
from flask.json.provider import DefaultJSONProvider

import admin_views
import cli
import config
import panel
from extensions import db, migrate
from web import errors, health, logs, requests, templating


def create_app(settings: config.Settings | None = None, **overrides: Any) -> Flask:
    """Return the application for `settings` (the environment's by default).

    `overrides` are put into Flask's configuration. A setting that makes no sense ends the process with one
    line that names it.
    """
    if settings is None:
        settings = _settings_or_exit()
    # What the desk writes (database, attachments, keys) is its own business.
    os.umask(0o077)
    app = Flask(__name__)
    app.config.from_mapping(_flask_configuration(settings))
    app.config.update(overrides)
    app.json = DefaultJSONProvider(app)
    logs.register(app)
    db.init_app(app)
    migrate.init_app(app, db, render_as_batch=True)
    requests.register(app)
    templating.register(app)
    errors.register(app)
    health.register(app)
    admin_views.register(app)
    panel.register(app)
    cli.register(app)
    return app


def _settings_or_exit() -> config.Settings:
    try:
        return config.load()
    except config.ConfigError as error:
        print(error, file=sys.stderr)
        raise SystemExit(2) from None


def _flask_configuration(settings: config.Settings) -> dict[str, Any]:
    engine: dict[str, Any] = {"hide_parameters": True}
    if settings.database_url.startswith("postgresql"):
        engine |= {"connect_args": {"connect_timeout": 5, "options": "-c timezone=UTC"}}
    return {
        "SETTINGS": settings,
        "SECRET_KEY": settings.secret_key,
        "SECRET_KEY_FALLBACKS": list(settings.secret_key_fallbacks),
        "SQLALCHEMY_DATABASE_URI": settings.database_url,
        "SQLALCHEMY_ENGINE_OPTIONS": engine,
        "TESTING": settings.testing,
        "TRUSTED_HOSTS": list(settings.trusted_hosts) or None,
        "MAX_CONTENT_LENGTH": settings.max_upload,
        "MAX_FORM_MEMORY_SIZE": 8 * 1024 * 1024,
        # A list may stay open all day; its forms live as long as the session does.
        "WTF_CSRF_TIME_LIMIT": None,
        "SEND_FILE_MAX_AGE_DEFAULT": timedelta(days=365),
        "BABEL_DEFAULT_LOCALE": "en",
        "BABEL_TRANSLATION_DIRECTORIES": "translations",
    }

"""The client's side: `panel` at /panel, and `panel_public`, what stands before the login."""

from __future__ import annotations

from flask import Flask

from operations import email_changes, password_links
from panel import (  # noqa: F401  Each area puts its addresses on the blueprint when it is imported.
    accounts,
    acts,
    email,
    expenses,
    home,
    invoices,
    language,
    leave,
    login,
    password,
    payers,
    payments,
    profile,
    reset_password,
    services,
    tickets,
    unsubscribe,
    users,
)
from panel.blueprints import panel, public
from web import impersonating


def register(app: Flask) -> None:
    """Mount the panel and what stands before it."""
    app.register_blueprint(public)
    app.register_blueprint(panel)
    app.register_blueprint(unsubscribe.blueprint)
    app.after_request(impersonating.note_unsafe_request)
    # Letters ask for their links when they are made, by the worker too.
    app.add_template_global(password_links.link_for, "password_link")
    app.add_template_global(email_changes.link_for, "email_link")

"""The two blueprints, apart from the areas that fill them."""

from __future__ import annotations

from flask import Blueprint

panel = Blueprint("panel", __name__, url_prefix="/panel")
public = Blueprint("panel_public", __name__)

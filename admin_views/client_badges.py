"""The badges of a client: what staff should know at a glance. A registry: code, icon, colour and words."""

from __future__ import annotations

from typing import Any

from flask_babel import gettext as _
from flask_babel import ngettext

from models import Characterization
from operations import features
from operations.client_filters import named_characterization


def of_characterization(characterization: Characterization) -> dict[str, str] | None:
    """The badge of a characterization; the ordinary one has none."""
    if characterization.is_default:
        return None
    return badge_of_characterization(
        code=characterization.code,
        name=characterization.name,
        icon=characterization.icon,
        color=characterization.color,
    )


def named(characterization: Characterization) -> str:
    return named_characterization(characterization.code, characterization.name)


def badge_of_characterization(*, code: str, name: str, icon: str, color: str) -> dict[str, str]:
    label = named_characterization(code, name)
    return {"code": code, "label": label, "icon": icon, "color": color, "title": _("%(name)s client", name=label)}


def other_badges(*, is_referred: bool, points: int, is_suspended: bool) -> list[dict[str, str]]:
    """The badges that have nothing to do with the characterization."""
    found = []
    if is_referred:
        found.append({"code": "referred", "label": _("Partner"), "icon": "affiliate", "color": "blue",
                      "title": _("Brought by a partner")})  # fmt: skip
    if points and features.abuse_handling():
        found.append({"code": "points", "label": ngettext("%(num)s point", "%(num)s points", points), "icon": "flag",
                      "color": "violet", "title": _("Penalty points: %(count)s", count=points)})  # fmt: skip
    if is_suspended:
        found.append({"code": "suspended", "label": _("Suspended"), "icon": "player-pause", "color": "red",
                      "title": _("All services are suspended")})  # fmt: skip
    return found


def badges_of(client: Any, *, points: int = 0) -> list[dict[str, str]]:
    """All badges of a client, for templates/macros/badges.html."""
    characterization = of_characterization(client.characterization)
    others = other_badges(is_referred=client.is_referred, points=points, is_suspended=client.is_suspended)
    return [characterization, *others] if characterization else others

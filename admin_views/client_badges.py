"""The badges of a client: what staff should know at a glance. A registry: code, icon, colour and words."""

from __future__ import annotations

from typing import Any

from flask_babel import gettext as _
from flask_babel import ngettext

from models import Characterization
from operations.client_filters import named_characterization


def of_characterization(characterization: Characterization) -> dict[str, str] | None:
    """The badge of a characterization; the ordinary one has none."""
    if characterization.is_default:
        return None
    return {
        "code": characterization.code,
        "label": named(characterization),
        "icon": characterization.icon,
        "color": characterization.color,
        "title": _("%(name)s client", name=named(characterization)),
    }


def named(characterization: Characterization) -> str:
    return named_characterization(characterization.code, characterization.name)


def badges_of(client: Any, *, points: int = 0) -> list[dict[str, str]]:
    """All badges of a client, for templates/macros/badges.html."""
    found = [of_characterization(client.characterization)]
    if client.referrer_id is not None or client.affiliate_program_id is not None:
        found.append({"code": "referred", "label": _("Partner"), "icon": "affiliate", "color": "blue",
                      "title": _("Brought by a partner")})  # fmt: skip
    if points:
        label = ngettext("%(num)s point", "%(num)s points", points)
        found.append(
            {
                "code": "points",
                "label": label,
                "icon": "flag",
                "color": "violet",
                "title": _("Penalty points: %(count)s", count=points),
            }
        )
    if client.is_suspended:
        found.append({"code": "suspended", "label": _("Suspended"), "icon": "player-pause", "color": "red",
                      "title": _("All services are suspended")})  # fmt: skip
    return [badge for badge in found if badge]

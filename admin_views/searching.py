"""The search over everything: its page, and what is suggested while one types."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from flask import g, jsonify, request
from flask.typing import ResponseReturnValue
from flask_admin.base import expose
from flask_babel import gettext as _
from flask_login import current_user

from admin_views import cells, client_badges
from operations import filters, searching

PAGE = "/admin/search/"
KINDS = {kind.module: kind for kind in searching.KINDS}


class SearchPages:
    """Adds `/admin/search/` and `/admin/search/suggest.json` to the home of the admin."""

    @expose("/search/")
    def search(self) -> ResponseReturnValue:
        """All that has what was typed in it, a few of each module."""
        text = _typed()
        groups = _groups(text) if _is_searchable(text) else []
        return self.render(  # type: ignore[attr-defined,no-any-return]
            "admin/search.html",
            page_title=_("Search: %(text)s", text=text) if text else _("Search"),
            search_text=text,
            groups=groups,
            is_short=0 < len(text.removeprefix("#")) < searching.TRIPLE,
            is_long=not _is_searchable(text),
        )

    @expose("/search/suggest.json")
    def suggest(self) -> ResponseReturnValue:
        """The same for the field itself: groups of hits, each with its address."""
        text = _typed()
        return jsonify(_groups(text) if _is_searchable(text) else [])


def _typed() -> str:
    return " ".join(request.args.get("search", "").split())


def _is_searchable(text: str) -> bool:
    return len(text) <= filters.LONGEST_TEXT and "\0" not in text


def _groups(text: str) -> list[dict[str, Any]]:
    found = searching.find(text, by=current_user._get_current_object(), scope=g.get("client_scope"))
    return [_shown(group, text) for group in found]


def _hit(module: str, hit: searching.Hit) -> dict[str, Any]:
    shown = {"id": hit.id, "label": hit.label, "note": hit.note, "url": f"/admin/{module}/details/?id={hit.id}"}
    badge = client_badges.of_characterization(hit.characterization) if hit.characterization else None
    return {**shown, "badge": {**badge, "class": cells.badge_class(badge["color"])}} if badge else shown


def _shown(group: searching.Group, text: str) -> dict[str, Any]:
    kind = KINDS[group.module]
    return {
        "module": group.module,
        "label": str(kind.label),
        "icon": kind.icon,
        "hits": [_hit(group.module, hit) for hit in group.hits],
        "all": {"label": _("All in «%(module)s»", module=kind.label),
                "url": f"/admin/{group.module}/?{urlencode({'search': text})}"} if group.has_more else None,
    }  # fmt: skip

"""One client's page: the head that tells who this is, and tabs that are links.

Other parts of the clients' view add to it by methods that call `super()`: `profile_tools` for the menu,
`profile_facts` for what is known of the client.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from flask import abort, g, request
from flask.typing import ResponseReturnValue
from flask_admin import expose
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_babel import pgettext
from flask_login import current_user
from markupsafe import Markup

from admin_views import cells, profile_tabs
from admin_views.client_badges import badges_of, named
from admin_views.login_as import may_log_in_as_clients
from admin_views.profile import Profile
from admin_views.profile_tabs import TABS, Tab
from models import Client
from operations import client_notes, client_overview, countries, deletion, filters, phones

Tool = dict[str, Any]
# What the toolbar of a client leads to: (module, what it is called there, icon).
RECORDS = (
    ("groups", _l("Groups"), "users-group"),
    ("projects", _l("Available projects"), "world"),
    ("discounts", _l("Discounts"), "discount"),
    ("services", _l("Products and services"), "server"),
    ("payments", _l("Payments"), "credit-card"),
    ("acts", _l("Acts"), "file-certificate"),
    ("expenses", _l("Expenses"), "receipt"),
    ("accounts", _l("Accounts"), "wallet"),
    ("invoices", _l("Invoices"), "file-invoice"),
    ("tickets", _l("Tickets"), "message"),
    ("users", _l("Users"), "user"),
    ("payers", _l("Payers"), "id"),
    ("violations", _l("Violations"), "gavel"),
)


class ProfilePages:
    """The page of one client; a part of the clients' view."""

    @expose("/details/")
    def details_view(self) -> ResponseReturnValue:
        """One client at a glance."""
        client = profiled(request.values.get("id", ""))
        ended = self.page_of_ended(client)
        if ended is not None:
            return ended
        profile = Profile(client)
        wanted = request.args.get("tab", "") or TABS[0].code
        tab = next((one for one in TABS if one.code == wanted), None) or abort(404)
        return self.profile_page(profile, tab)

    def page_of_ended(self, client: Client) -> ResponseReturnValue | None:
        """What is shown of a client of which there is no profile any more; None for one that has one."""
        return None

    def profile_page(self, profile: Profile, tab: Tab, **more: Any) -> str:
        """The page on that tab; 403 for a tab that one may not see. `more` goes to its template."""
        if not tab.is_for(profile):
            abort(403)
        contents = tab.fill(profile)
        contents["contacts"] = contacts(profile.record, contents.pop("phone", ""))
        return self.render(  # type: ignore[attr-defined,no-any-return]
            "admin/clients/details.html", **{**self.profile_head(profile), "tab": tab, **contents, **more}
        )

    def profile_head(self, profile: Profile) -> dict[str, Any]:
        """What all tabs of templates/admin/clients/details.html read."""
        record = profile.record
        is_there = record.deleted_at is None
        return {
            "record": record,
            "profile": profile,
            "page_title": f"{record.name} ({record.owner_username})" if record.owner_username else record.name,
            "crumb": (self.name, "/admin/clients/"),  # type: ignore[attr-defined]
            "badges": self.profile_badges(profile),
            "figures": profile.figures(),
            "tabs": self._tabs(profile),
            "buttons": self.profile_buttons(record) if is_there else [],
            "tools": self.profile_tools(record),
            "links": [
                {"label": str(label), "icon": icon, "url": profile.list_of(module)}
                for module, label, icon in RECORDS
                if is_there and profile.may(module)
            ],
            "edit_url": f"/admin/clients/edit/?id={record.id}" if is_there and self.may("edit") else None,  # type: ignore[attr-defined]
            "deleted": None if is_there else self._deleted(profile),
            "facts": self.profile_facts(record),
            "kind": named(record.characterization),
            "may_write_notes": is_there and current_user.may("clients.edit"),
            "longest_note": client_notes.LONGEST,
            "show": cells.show,
        }

    def _tabs(self, profile: Profile) -> list[dict[str, Any]]:
        counts = {"notes": profile.counts.notes}
        return [
            {"code": tab.code, "label": tab.label, "url": profile.url("" if tab is TABS[0] else tab.code),
             "count": counts.get(tab.code)}
            for tab in TABS if tab.is_for(profile)
        ]  # fmt: skip

    def _deleted(self, profile: Profile) -> dict[str, Any]:
        """What is said of a deleted client: since when, and until when it can be brought back."""
        until = profile.record.deleted_at + deletion.RESTORABLE  # type: ignore[operator]
        return {
            "at": cells.show(profile.record.deleted_at),
            "until": cells.show(until) if until > profile.now else None,
            "url": "/admin/clients/deleted/" if current_user.may("clients.delete") else None,
        }

    # What can be done

    def profile_buttons(self, record: Client) -> list[Tool]:
        """What is done most, as buttons of the head."""
        here = f"/admin/clients/details/?id={record.id}"
        tools: list[Tool] = []
        if may_log_in_as_clients():
            tools.append({"label": _("Log in"), "icon": "login", "method": "post", "url": "/admin/clients/login-as/",
                          "fields": {"id": record.id, "url": here}})  # fmt: skip
        if current_user.may("clients.message"):
            tools.append({"label": _("Send message"), "icon": "send", "method": "post", "url": "/admin/clients/action/",
                          "fields": {"action": "message", "rowid": record.id, "url": here}})  # fmt: skip
        tools.append({"label": _("Filter"), "icon": "filter", "method": "post", "url": "/admin/clients/scope/",
                      "fields": {"id": record.id, "url": here}})  # fmt: skip
        return tools

    def profile_tools(self, record: Client) -> list[Tool]:
        """All else that can be done to the client, for the menu of the head.

        A tool is {label, icon, url}, and where it is so `method` "post" with `fields`, and `danger`. A part of the
        view that adds some returns `[*super().profile_tools(record), …]`; what is dangerous is shown last. Asked for
        deleted clients too: `record.deleted_at` says so.
        """
        if record.deleted_at is not None or not self.may("delete"):  # type: ignore[attr-defined]
            return []
        return [
            {"label": _("Delete"), "icon": "trash", "url": f"/admin/clients/delete/?id={record.id}", "danger": True}
        ]

    # What is known

    def profile_badges(self, profile: Profile) -> list[dict[str, Any]]:
        """The badges of the head, with what stands behind each: who said so, when and why; where it leads."""
        record = profile.record
        badges: list[dict[str, Any]] = [*badges_of(record, points=profile.points)]
        for badge in badges:
            if badge["code"] == "referred":
                badge.update(self._brought(record))
            elif badge["code"] == "points":
                badge["url"] = profile.url("tickets") + "#points"
            elif badge["code"] == "suspended":
                badge["url"] = profile.list_of("services", status="suspended") if profile.may("services") else None
            else:
                badge["title"] = self._characterized(record, badge["title"])
        return badges

    def _brought(self, record: Client) -> dict[str, Any]:
        if record.referrer is None:
            return {"title": _("Brought by the affiliate program %(name)s", name=record.affiliate_program)}
        return {
            "label": _("Brought by %(code)s", code=f"#{record.referrer.id}"),
            "title": _("Brought by %(name)s", name=record.referrer.code_and_name),
            "url": f"/admin/clients/details/?id={record.referrer.id}",
        }

    def _characterized(self, record: Client, title: str) -> str:
        """The title of the badge, with when, by whom and why it was set, as far as that is known."""
        said = [title]
        if record.characterization_at is not None:
            said.append(cells.show(record.characterization_at))
        if record.characterization_by is not None:
            said.append(str(record.characterization_by))
        if record.characterization_reason:
            said.append(f"«{record.characterization_reason}»")
        return ", ".join(map(str, said))

    def profile_facts(self, record: Client) -> list[tuple[Any, Any]]:
        """What is known of the client besides its contacts, as (label, value), for the overview.

        What has no value is left out. A part of the view that adds some returns
        `[*super().profile_facts(record), …]`.
        """
        facts: list[tuple[Any, Any]] = [
            (_("Project"), record.project.name),
            (pgettext("customer", "Status"), record.legal_status.label),
            (_("Company name"), record.company_name if record.company_name != record.name else ""),
            (_("Country"), countries.name(record.country)),
            (_("Language"), record.language.label),
            (_("Registered"), cells.show(record.registered_at)),
            (_("Registration address"), record.registration_ip),
            (_("Brought by a partner"), _brought_by(record)),
            (_("How you heard about us"), record.referral_source),
        ]  # fmt: skip
        return [(label, value) for label, value in facts if value not in (None, "")]


def _brought_by(record: Client) -> Any:
    if record.referrer is not None:
        link = Markup('<a href="/admin/clients/details/?id={}">{}</a>')
        return link.format(record.referrer.id, record.referrer.code_and_name)
    return record.affiliate_program.name if record.affiliate_program is not None else ""


def profiled(text: str) -> Client:
    """The client with that id, deleted ones too; 404 for none, and outside the client that the admin is filtered to."""
    try:
        number = filters.whole_number(text)
    except ValueError:
        abort(404)
    if g.get("client_scope") not in {None, number}:
        abort(404)
    return client_overview.find(number) or abort(404)


def tab_named(code: str) -> Tab:
    return next(tab for tab in profile_tabs.TABS if tab.code == code)


@dataclass(frozen=True)
class Contact:
    """A way to reach the client: what is read, what is copied, where a click leads."""

    icon: str
    label: str
    text: str
    copied: str
    url: str | None = None
    note: str = ""


def contacts(record: Client, phone_of_owner: str) -> list[Contact]:
    """How the client is reached; the owner user's own phone where no phone is verified."""
    found = [Contact("user", _("Contact person"), record.contact_person, record.contact_person)]
    if record.verified_phone:
        shown, url = phones.shown(record.verified_phone), f"tel:{record.verified_phone}"
        found.append(Contact("phone", _("Verified phone"), shown, record.verified_phone, url, _("verified")))
    elif phone_of_owner:
        dialled = "".join(sign for sign in phone_of_owner if sign in "+0123456789")
        url_of_it = f"tel:{dialled}" if dialled else None
        found.append(Contact("phone", _("Phone"), phone_of_owner, phone_of_owner, url_of_it, _("not verified")))
    found.append(Contact("mail", _("E-mail"), record.email, record.email, f"mailto:{quote(record.email, safe='@')}"))
    found.append(Contact("login-2", _("Username"), record.owner_username, record.owner_username))
    return [one for one in found if one.text]

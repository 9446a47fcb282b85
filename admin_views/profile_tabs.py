"""The tabs of a client's page: each asks for what it shows, and no more. A registry: code, label, who sees it, contents."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask import request
from flask_babel import lazy_gettext as _l
from flask_login import current_user

from admin_views import cells, profile_history, profile_lines, profile_plot
from admin_views.profile import Profile
from operations import client_notes, client_overview, client_records, filters

Context = dict[str, Any]
FEW, SOME, MANY = 4, 10, 50
RECENT_EVENTS = 4
EVENTS = 50
NOTES_ON_TOP = 6
GROUPS = 20


@dataclass(frozen=True)
class Tab:
    """One tab. Those see it who may see one of `modules`; without any, everybody who sees the client."""

    code: str
    label: Any
    fill: Callable[[Profile], Context]
    modules: tuple[str, ...] = ()

    def is_for(self, profile: Profile) -> bool:
        return not self.modules or any(profile.may(module) for module in self.modules)

    @property
    def template(self) -> str:
        return f"admin/clients/profile/{self.code}.html"


def _asked(profile: Profile, *wanted: tuple[str, str, int]) -> dict[str, list[Any]]:
    """The records of those kinds, (module, kind, how many), that the person may see."""
    kinds = [(kind, most) for module, kind, most in wanted if not module or profile.may(module)]
    return client_records.records(profile.id, kinds, now=profile.now)


def overview(profile: Profile) -> Context:
    """What is asked on the telephone: who it is, what waits, what ends, what was paid, who came."""
    found = _asked(
        profile, ("tickets", "waiting", FEW), ("tickets", "answered", FEW), ("violations", "violations", FEW),
        ("payments", "payments", FEW), ("acts", "acts", FEW - 1), ("users", "users", FEW), ("groups", "groups", GROUPS),
    )  # fmt: skip
    tickets = [*found.get("waiting", []), *found.get("answered", [])][:FEW]
    notes = client_overview.notes(profile.id, most=NOTES_ON_TOP)
    events = (
        client_overview.events(profile.id, most=RECENT_EVENTS, hidden=_hidden(profile))[0]
        if profile.may("audit")
        else []
    )
    return {
        "groups": found.get("groups", []),
        "phone": _phone_of_owner(found.get("users", [])),
        "notes": _notes(notes),
        "has_more_notes": profile.counts.notes > len(notes),
        "violations": profile_lines.violations(found.get("violations", []), profile.now),
        "ending": profile_lines.ending(profile.ending[:FEW], profile.now),
        "tickets": profile_lines.tickets(tickets, profile.now),
        "payments": profile_lines.payments(found.get("payments", [])),
        "acts": profile_lines.acts(found.get("acts", [])),
        "users": profile_lines.users(found.get("users", []), profile.now, is_short=True),
        "plots": plots(profile)[:1],
        "days": profile_history.by_day(profile.id, events) if events else [],
        "is_new": not (tickets or profile.counts.active or profile.counts.suspended or found.get("payments")),
    }


def _phone_of_owner(users: list[Any]) -> str:
    return next((row.more for row in users if row.flag and row.more), "")


def _notes(rows: list[Any]) -> list[dict[str, Any]]:
    """Notes with what the person may do to each."""
    staff = current_user._get_current_object()
    may_write = staff.may("clients.edit")
    return [
        {
            "id": row.id, "text": row.text, "is_pinned": row.is_pinned, "at": row.created_at,
            "version": row.row_version, "author": row.full_name or row.username or "",
            "may_pin": may_write,
            "may_edit": may_write and client_notes.may_edit(row, staff),
            "may_delete": may_write and client_notes.may_delete(row, staff),
        }
        for row in rows
    ]  # fmt: skip


def services(profile: Profile) -> Context:
    found = _asked(profile, ("services", "services", MANY))
    return {"services": profile_lines.services(found.get("services", []), profile.now),
            "is_all": len(found.get("services", [])) < MANY}  # fmt: skip


def money(profile: Profile) -> Context:
    found = _asked(
        profile, ("invoices", "invoices", SOME), ("payments", "payments", SOME), ("expenses", "expenses", SOME),
        ("acts", "acts", SOME),
    )  # fmt: skip
    return {
        "accounts": profile.accounts if profile.may("accounts") else [],
        "money": cells.money,
        "plots": plots(profile),
        "invoices": profile_lines.invoices(found.get("invoices", []), profile.today),
        "payments": profile_lines.payments(found.get("payments", [])),
        "expenses": profile_lines.expenses(found.get("expenses", [])),
        "acts": profile_lines.acts(found.get("acts", [])),
    }


def plots(profile: Profile) -> list[profile_plot.Plot]:
    """A plot of each account that something moved on, that of the home project first."""
    payments, expenses = profile.may("payments"), profile.may("expenses")
    if not (payments or expenses):
        return []
    sums = client_overview.by_month(profile.id, profile_plot.bounds(profile.today))
    drawing = profile_plot.Drawing(
        profile.id, today=profile.today, payments=payments, expenses=expenses,
        has_lists=profile.record.deleted_at is None,
    )  # fmt: skip
    drawn = [drawing.plot(account, sums.get(account.id, ())) for account in profile.accounts]
    return [plot for plot in drawn if plot is not None]


def tickets(profile: Profile) -> Context:
    found = _asked(
        profile, ("tickets", "waiting", SOME), ("tickets", "answered", SOME), ("tickets", "closed", SOME),
        ("violations", "violations", SOME), ("violations", "points", MANY),
    )  # fmt: skip
    return {
        "waiting": profile_lines.tickets(found.get("waiting", []), profile.now),
        "answered": profile_lines.tickets(found.get("answered", []), profile.now),
        "closed": profile_lines.tickets(found.get("closed", []), profile.now),
        "violations": profile_lines.violations(found.get("violations", []), profile.now),
        "points": found.get("points", []),
    }


def people(profile: Profile) -> Context:
    found = _asked(profile, ("users", "users", MANY), ("payers", "payers", MANY))
    return {
        "users": profile_lines.users(found.get("users", []), profile.now),
        "payers": profile_lines.payers(found.get("payers", [])),
    }


def notes(profile: Profile) -> Context:
    before = _cursor()
    rows = client_overview.notes(profile.id, most=EVENTS + 1, before=before)
    last = rows[EVENTS - 1] if len(rows) > EVENTS else None
    older = None if last is None else filters.LARGEST_ID if last.is_pinned else last.id
    return {"notes": _notes(rows[:EVENTS]), "is_first": before is None,
            "older_url": profile.url("notes", before=older) if older else None}  # fmt: skip


def _hidden(profile: Profile) -> tuple[str, ...]:
    """The modules that are not spoken of: violations, while their feature is off."""
    return () if profile.counts.handles_abuse else ("violations",)


def history(profile: Profile) -> Context:
    before = _cursor()
    events, has_more = client_overview.events(profile.id, most=EVENTS, before=before, hidden=_hidden(profile))
    return {
        "days": profile_history.by_day(profile.id, events),
        "older_url": profile.url("history", before=events[-1].id) if has_more else None,
        "newest_url": profile.url("history") if before else None,
        "audit_url": profile.list_of("audit"),
    }


def _cursor() -> int | None:
    """The event or note after which to go on; what is none begins at the newest."""
    try:
        return filters.whole_number(request.args.get("before", ""))
    except ValueError:
        return None


TABS = (
    Tab("overview", _l("Overview"), overview),
    Tab("services", _l("Services"), services, ("services",)),
    Tab("money", _l("Money"), money, ("accounts", "invoices", "payments", "expenses", "acts")),
    Tab("tickets", _l("Tickets"), tickets, ("tickets", "violations")),
    Tab("people", _l("Users and payers"), people, ("users", "payers")),
    Tab("notes", _l("Notes"), notes),
    Tab("history", _l("History"), history, ("audit",)),
)

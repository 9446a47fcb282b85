"""What waits while the desk is held, and the two ways to let it go on."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import abort, flash, redirect, request
from flask.typing import ResponseReturnValue
from flask_admin.base import expose
from flask_babel import gettext as _
from flask_babel import ngettext
from flask_login import current_user

from admin_views import cells
from extensions import db, now
from models import Staff
from operations import desk_hold
from operations.desk_hold import Waiting
from operations.errors import OperationRefused

HELD = "/admin/held/"
# What is needed to see the page and to confirm; it is what the breaker asks for, too.
RIGHT = "violations.edit"
VIEWS = {"held", "release"}
WAYS = {"all", "drop"}
# Letters by what they are about; all others are mailings' or among the rest.
ABOUT = {
    "ticket_answer": "tickets", "ticket_for_staff": "tickets", "ticket_assigned": "tickets",
    "violation_news": "violations", "violation_reminder": "violations", "violation_executed": "violations",
    "violation_failing": "violations", "violations_held": "violations",
    "welcome": "logins", "reset_password": "logins", "password_set": "logins", "password_changed": "logins",
    "email_changed": "logins", "confirm_email": "logins", "totp_reset": "logins", "login_as": "logins",
}  # fmt: skip


class HeldPages:
    """Adds `/admin/held/` to the home of the admin."""

    @expose("/held/")
    def held(self) -> ResponseReturnValue:
        """Why the desk is held, and what waits."""
        hold, until = desk_hold.current(), now()
        shown: dict[str, Any] = {}
        if hold is not None:
            waiting = desk_hold.waiting(hold, until=until)
            shown = {
                "why": desk_hold.in_words(hold), "waiting": waiting, "lines": lines(waiting),
                "letters": letters(waiting), "mailings": desk_hold.mailings(until),
            }  # fmt: skip
        return self.render(  # type: ignore[attr-defined,no-any-return]
            "admin/held.html", page_title=_("Held until you confirm"), hold=hold, until=until.isoformat(),
            show=cells.show, **shown,
        )  # fmt: skip

    @expose("/held/release", methods=("POST",))
    def release(self) -> ResponseReturnValue:
        """Let the desk go on, one way or the other."""
        way = request.form.get("way", "")
        try:
            until = datetime.fromisoformat(request.form.get("until", ""))
            hold_id = int(request.form.get("hold", ""))
        except ValueError:
            abort(400)
        if until.tzinfo is None or way not in WAYS or not 0 < hold_id < 2**31:
            abort(400)
        try:
            desk_hold.release(
                hold_id, figures=request.form.get("figures", ""), until=until, drop=way == "drop",
                by=db.session.get_one(Staff, current_user.id), now=now(),
            )  # fmt: skip
            db.session.commit()
        except OperationRefused as refusal:
            db.session.rollback()
            flash(refusal.message, "warning")
            return redirect(HELD)
        flash(_("The desk goes on: workers take up within seconds what waited."), "success")
        if way == "drop":
            flash(
                _("What was due before is cancelled, and deadlines that have passed wait for your confirmation."),
                "success",
            )
        return redirect("/admin/")


def letters(waiting: Waiting) -> list[str]:
    """The letters that wait, by what they are about."""
    counts: dict[str, int] = {}
    for template, count in waiting.kinds.items():
        about = "mailings" if not template else ABOUT.get(template, "rest")
        counts[about] = counts.get(about, 0) + count
    words = {
        "mailings": _("of mailings"), "tickets": _("about tickets"), "violations": _("about violations"),
        "logins": _("about logins and passwords"), "rest": _("others"),
    }  # fmt: skip
    return [f"{words[about]}: {count}" for about, count in counts.items()]


def lines(waiting: Waiting) -> list[tuple[str, str, str | None]]:
    """What else would be done at once: (text, icon, where it is seen); what there is none of is left out."""
    found = [
        (waiting.deadlines, "gavel", "/admin/violations/?status=open", _deadlines(waiting)),
        (waiting.reminders, "clock", None,
         ngettext("%(num)s reminder of a violation is due.", "%(num)s reminders of violations are due.", waiting.reminders)),
        (waiting.erasures, "trash", "/admin/clients/deleted/",
         ngettext("%(num)s deleted client is due to be erased for good.", "%(num)s deleted clients are due to be erased for good.", waiting.erasures)),
        (waiting.incoming, "inbox", "/admin/inbound/",
         ngettext("%(num)s letter that came in is to be handled.", "%(num)s letters that came in are to be handled.", waiting.incoming)),
    ]  # fmt: skip
    return [(text, icon, url if url and current_user.may(f"{url.split('/')[2]}.view") else None)
            for count, icon, url, text in found if count]  # fmt: skip


def _deadlines(waiting: Waiting) -> str:
    passed = ngettext(
        "The deadline of %(num)s violation has passed;", "The deadlines of %(num)s violations have passed;", waiting.deadlines,
    )  # fmt: skip
    stopped = ngettext("%(num)s service would be stopped.", "%(num)s services would be stopped.", waiting.services)
    return f"{passed} {stopped}"

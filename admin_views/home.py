"""The admin's home, logging in and out, the own password and language."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from flask import abort, current_app, flash, g, redirect, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_admin import AdminIndexView
from flask_admin.base import expose
from flask_babel import format_decimal
from flask_babel import gettext as _
from flask_login import current_user
from werkzeug.exceptions import TooManyRequests

from admin_views import desk_held
from admin_views.keys import KeyPages
from admin_views.saved_filters import address_of
from admin_views.searching import SearchPages
from config import LANGUAGES
from extensions import db, now
from forms.staff import LoginForm, PasswordForm, ProfileForm
from models import (
    Client,
    EmailStatus,
    InboundEmail,
    Language,
    Mailing,
    MailingStatus,
    OutboundEmail,
    Project,
    SavedFilter,
    Staff,
    Ticket,
    TicketStatus,
    Violation,
    ViolationStatus,
)
from operations import (
    audit,
    authentication,
    deletion,
    features,
    impersonation,
    inbound_sources,
    inbound_store,
    saved_filters,
)
from operations import staff as staff_operations
from operations.errors import OperationRefused
from operations.waiting import a_worker_lives
from web.access import Policy
from web.requests import is_local, log_in

ANYONE = {"login"}


class HomeView(desk_held.HeldPages, SearchPages, KeyPages, AdminIndexView):
    """/admin/ and what belongs to nobody's module."""

    def __init__(self) -> None:
        super().__init__(name="Clientdesk", endpoint="admin", url="/admin")

    def policy_for(self, method: str) -> Policy:
        if method in desk_held.VIEWS:
            return Policy("staff", permission=desk_held.RIGHT)
        return Policy("anyone") if method in ANYONE or method == "language" else Policy("staff")

    @expose("/")
    def index(self) -> ResponseReturnValue:
        """Home: what waits, and what is still worth setting."""
        return self.render("admin/home.html", greeting=_("Good day, %(name)s", name=current_user.shown_name),
                           checklist=checklist(), cards=cards(), lists=watched_filters(), page_title=_("Home"))  # fmt: skip

    @expose("/login", methods=("GET", "POST"))
    def login(self) -> ResponseReturnValue:
        """Staff log in."""
        if current_user.is_authenticated:
            return redirect("/admin/")
        form = LoginForm()
        if request.method == "POST" and form.validate():
            try:
                person = authentication.log_in_staff(
                    username=form.username.data, password=form.password.data, ip=g.ip, now=now()
                )
                db.session.commit()
                log_in(person)
                return redirect(next_page("/admin/"))
            except OperationRefused as refusal:
                db.session.commit()
                form.password.errors = [refusal.message]
            except authentication.TooManyTries as refusal:
                db.session.rollback()
                return too_many(refusal.retry_after)
        return self.render("admin/login.html", form=form, language_url="/admin/language")

    @expose("/logout", methods=("POST",))
    def logout(self) -> ResponseReturnValue:
        """End the session, on the server too."""
        staff_id = current_user.id
        impersonations_ended(session.id)  # type: ignore[attr-defined]
        audit.record("logout", module="staff", record_id=staff_id)
        db.session.commit()
        session.end()  # type: ignore[attr-defined]
        return redirect(url_for("admin.login"))

    @expose("/password", methods=("GET", "POST"))
    def password(self) -> ResponseReturnValue:
        """The own password; asked for at the first login with one for one use."""
        form = PasswordForm()
        if request.method == "POST" and form.validate():
            try:
                staff = db.session.get_one(Staff, current_user.id)
                staff_operations.change_own_password(staff, current=form.current_password.data, new=form.password.data)
                db.session.commit()
                log_in(staff)
                flash(_("The password is changed. All other sessions were ended."), "success")
                return redirect("/admin/")
            except OperationRefused as refusal:
                db.session.rollback()
                form.refuse(refusal)
        return self.render("admin/form.html", form=form, page_title=_("Change the password"), crumb=None,
                           sections=[{"title": "", "help": _("At least 12 characters, with Latin letters and digits."),
                                      "fields": ["current_password", "password", "password_confirm"]}],
                           submit_label=_("Change the password"), cancel_url="/admin/")  # fmt: skip

    @expose("/profile", methods=("GET", "POST"))
    def profile(self) -> ResponseReturnValue:
        """The own name, language and time zone."""
        staff = db.session.get_one(Staff, current_user.id)
        form = ProfileForm(obj=staff)
        if request.method == "POST" and form.validate():
            form.populate_obj(staff)
            staff.preferences = {**staff.preferences, "row_height": form.row_height.data}
            db.session.commit()
            flash(_("Saved."), "success")
            return redirect("/admin/profile")
        if request.method == "GET":
            form.row_height.data = staff.preferences.get("row_height", "comfortable")
        return self.render("admin/form.html", form=form, page_title=_("My profile"), crumb=None,
                           sections=[{"title": "", "help": "", "fields": list(form._fields)}],
                           submit_label=_("Save"), cancel_url="/admin/",
                           extra_links=[(_("Change the password"), "/admin/password")])  # fmt: skip

    @expose("/language", methods=("POST",))
    def language(self) -> ResponseReturnValue:
        """Choose the language of the interface."""
        code = request.form.get("language", "")
        if code not in LANGUAGES:
            abort(400)
        if current_user.is_authenticated:
            db.session.get_one(Staff, current_user.id).language = Language(code)
            db.session.commit()
        else:
            session["language"] = code
        return redirect(request.form.get("url") or "/admin/")


def impersonations_ended(session_id: int | None) -> None:
    """Logging out ends the stays in clients' panels that began in this session."""
    if session_id is not None:
        impersonation.end_with_session(session_id, now=now())


def next_page(default: str) -> str:
    target = request.values.get("next", "")
    return target if target.startswith("/admin/") and is_local(target) else default


def too_many(seconds: int) -> ResponseReturnValue:
    raise TooManyRequests(retry_after=seconds)


def checklist() -> list[dict[str, Any]]:
    """What is still worth setting, for those who may set it."""
    if not current_user.may("settings.edit"):
        return []
    settings = current_app.config["SETTINGS"]
    sender = not db.session.scalar(
        sa.select(sa.func.count(Project.id)).where(Project.is_active, Project.support_email == "")
    )
    items = [
        (bool(settings.mail_server), _("Mail server"), _("Letters wait in the queue until SMTP_URL names a server."), None),
        mailbox(),
        (a_worker_lives(now=now()), _("Worker"), _("Letters and mailings leave only while a worker runs: flask --app app worker."), None),
        (sender, _("Sender of letters"), _("Give every project the address that its letters come from."), "/admin/projects/"),
        (bool(db.session.scalar(sa.select(Client.id).limit(1))), _("Clients"), _("Bring them in from your old system, or add the first."), "/admin/clients/import/"),
        (bool(current_user.full_name), _("Your name"), _("Clients see it under your letters."), "/admin/profile"),
    ]  # fmt: skip
    return [
        {"done": done, "label": label, "text": "" if done else text, "url": None if done else url}
        for done, label, text, url in items
    ]


def mailbox() -> tuple[bool, str, str, None]:
    """Whether answers by e-mail come in, as a line of the checklist."""
    label = _("Answers by e-mail")
    if inbound_sources.inbox() is None:
        return False, label, _("Letters that clients write come in once INBOUND_URL names a mailbox."), None
    found = inbound_sources.state()
    is_silent = found is None or found.succeeded_at is None or found.succeeded_at < now() - inbound_sources.SILENCE
    if found is not None and found.last_error:
        return False, label, _("The mailbox cannot be reached: %(error)s", error=found.last_error), None
    return not is_silent, label, _("No worker has looked into the mailbox for some time."), None


def cards() -> list[dict[str, Any]]:
    """Figures that lead to their lists, each for those who may see it."""
    found: list[dict[str, Any]] = []
    if current_user.may("tickets.view"):
        found.append(_waiting_tickets())
    if current_user.may("violations.view") and features.abuse_handling():
        found += _violations()
    if current_user.may("clients.view"):
        new = _count(Client.deleted_at.is_(None), Client.registered_at > now() - timedelta(days=1), of=Client.id)
        label = _("Clients registered in the last 24 hours")
        found.append(_card(label, new, "users", "/admin/clients/?sort=-registered_at"))
    if current_user.may("mailings.view") and (paused := _count(Mailing.status == MailingStatus.PAUSED, of=Mailing.id)):
        found.append(
            _card(_("Mailings paused"), paused, "player-pause", "/admin/mailings/?status=paused", color="amber")
        )
    if current_user.may("inbound.view") and (unread := _count(inbound_store.to_look_at(), of=InboundEmail.id)):
        label = _("Incoming letters to look at")
        found.append(_card(label, unread, "inbox", "/admin/inbound/?unread=1", color="amber"))
    if current_user.may("emails.view"):
        living = deletion.is_of_the_living(OutboundEmail.client_id)
        for status, label, icon in (
            (EmailStatus.QUEUED, _("Letters in the queue"), "mail"),
            (EmailStatus.FAILED, _("Letters that failed"), "alert-triangle"),
        ):
            number = _count(OutboundEmail.status == status, living, of=OutboundEmail.id)
            found.append(_card(label, number, icon, f"/admin/emails/?status={status.value}"))
    return found


def _waiting_tickets() -> dict[str, Any]:
    mine = sa.func.count(sa.case((Ticket.assignee_id == current_user.id, 1)))
    waiting = sa.and_(Ticket.status == TicketStatus.WAITING_STAFF, deletion.is_of_the_living(Ticket.client_id))
    count, of_them_mine = db.session.execute(sa.select(sa.func.count(Ticket.id), mine).where(waiting)).one()
    note = _("%(count)s assigned to you", count=format_decimal(of_them_mine)) if of_them_mine else ""
    return _card(_("Tickets waiting for staff"), count, "message", "/admin/tickets/?status=waiting_staff", note=note)


def _violations() -> list[dict[str, Any]]:
    is_open = Violation.status == ViolationStatus.OPEN
    soon = sa.and_(is_open, Violation.deadline <= now() + timedelta(days=1))
    answered = Violation.status == ViolationStatus.ANSWERED
    shown = sa.and_(sa.or_(is_open, answered), deletion.is_of_the_living(Violation.client_id))
    figures = [sa.func.count(sa.case((each, 1))) for each in (is_open, soon, answered)]
    count, due, to_judge = db.session.execute(sa.select(*figures).where(shown)).one()
    note = _("%(count)s due within 24 hours", count=format_decimal(due)) if due else ""
    url = "/admin/violations/?status={}&sort=deadline"
    cards = [_card(_("Open violations"), count, "gavel", url.format("open"), note=note)]
    if to_judge:
        cards.append(_card(_("Violations answered"), to_judge, "gavel", url.format("answered"), color="amber",
                           note=_("They wait for staff to resolve or cancel them.")))  # fmt: skip
    return cards


def _count(*conditions: Any, of: Any) -> int:
    return db.session.scalar(sa.select(sa.func.count(of)).where(*conditions)) or 0


def _card(label: str, number: int, icon: str, url: str, *, color: str = "", note: str = "") -> dict[str, Any]:
    return {"label": label, "value": format_decimal(number), "icon": icon, "url": url, "color": color, "note": note}


def watched_filters() -> list[dict[str, Any]]:
    """Who came into the saved filters that this person watches, a list for each."""
    if not current_user.may("clients.view"):
        return []
    return [_watched(one) for one in saved_filters.watched(current_user._get_current_object(), now=now())]


def _watched(one: saved_filters.Watched) -> dict[str, Any]:
    url = address_of(one.saved)
    rows = [
        {"label": f"#{client.id} {client.name}", "url": f"/admin/clients/details/?id={client.id}"}
        for client in one.newcomers
    ]
    if one.count > len(rows):
        rows.append({"label": _("and %(count)s more", count=format_decimal(one.count - len(rows))), "url": url})
    return {
        "title": _("Came into «%(name)s» since yesterday", name=one.saved.name), "url": url, "rows": rows,
        "empty": _why_empty(one.saved),
    }  # fmt: skip


def _why_empty(saved: SavedFilter) -> str:
    if saved_filters.understood(saved).misunderstood:
        return _("Something that this filter asks for is not there any more.")
    if saved.state is not None and saved.state.is_too_large:
        most = format_decimal(saved_filters.MOST_WATCHED)
        return _("More than %(count)s clients match: too many to watch.", count=most)
    if saved.state is None or saved.state.members_at is None:
        return _("Watched from now on.")
    return _("Nobody came.")

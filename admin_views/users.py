"""Users: the logins of clients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa
from flask import abort, flash, redirect, request
from flask.typing import ResponseReturnValue
from flask_admin.base import expose
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from admin_views import cells
from admin_views.base import ModuleView, needs, refuse
from extensions import db, now
from forms.users import CreateUserForm, EditUserForm, PasswordForm
from models import Client, ClientUser
from operations import client_users, filters, profiles
from operations.errors import OperationRefused
from operations.filters import Number, Yes
from web.sessions import CLIENT_IDLE

LIST = "/admin/users/"


def page_of(user: ClientUser) -> str:
    return f"{LIST}details/?id={user.id}"


class UsersView(ModuleView):
    module = "users"
    icon = "user"
    details_template = "admin/users/details.html"
    create_label = _l("New user")
    column_list = (
        "id", "username", "client", "full_name", "email", "phone", "is_owner", "is_active", "last_login_at",
    )  # fmt: skip
    column_details_list = column_export_list = (*column_list, "language")
    column_labels = {
        "id": _l("Code"), "username": _l("Username"), "client": _l("Client"), "full_name": _l("Full name"),
        "email": _l("E-mail"), "phone": _l("Phone"), "language": _l("Language"), "is_owner": _l("Owner"),
        "is_active": _l("May log in"), "last_login_at": _l("Last login"), "time_zone": _l("Time zone"),
        "permissions": _l("May enter"),
    }  # fmt: skip
    column_editable_list = ("full_name", "phone", "language", "is_active")
    form_columns = ("full_name",)
    list_filters = (
        Number("client_id", _l("Client's code"), ClientUser.client_id),
        Yes("owner", _l("Owners only"), lambda: ClientUser.is_owner),
        Yes("blocked", _l("Blocked only"), lambda: ClientUser.is_active.is_(False)),
    )
    searched = ("username", "full_name", "email")
    sortable = ("id", "username", "full_name", "last_login_at")
    title_column = "username"

    def row_title(self, row: Any) -> str:
        return str(row.username)

    def row_tools(self) -> list[dict[str, Any]]:
        tools = super().row_tools()
        if self.may("edit"):
            tools.insert(1, {"label": _("Set a password"), "icon": "key", "method": "get",
                             "url": f"{LIST}password/?id={{id}}"})  # fmt: skip
        return tools

    # Forms

    def create_form(self, obj: Any = None) -> Any:
        form = CreateUserForm(request.form if request.method == "POST" else None)
        form.form_errors = []
        scope = self.scope()
        if request.method == "GET" and scope:
            form.client.data = db.session.get(Client, scope)
            form.language.data = form.client.data.language if form.client.data else form.language.data
        return form

    def edit_form(self, obj: Any = None) -> Any:
        form = EditUserForm(request.form if request.method == "POST" else None, obj=obj)
        form.form_errors = []
        return form

    def form_sections(self, record: Any) -> Sequence[tuple[Any, Any, Sequence[str]]]:
        login = ("client", "username", "password", "password_confirm", "send_link", "is_active")
        return (
            (_("Login"), "", login),
            (_("Person"), "", ("full_name", "email", "phone", "language", "time_zone")),
            (_("Rights in the panel"), _("They count for users who are not the owner."), ("permissions",)),
        )

    def form_context(self, form: Any, record: Any) -> dict[str, Any]:
        context = super().form_context(form, record)
        if record is not None:
            context["facts"] = [(_("Client"), cells.link_to_client(record.client)),
                                (_("Owner"), cells.show(record.is_owner))]  # fmt: skip
        return context

    def validate_form(self, form: Any) -> bool:
        scope = self.scope()
        valid = bool(form.validate())
        if valid and scope is not None and "client" in form and form.client.data.id != scope:
            form.client.errors = [_("The client filter is on: choose that client, or remove the filter.")]
            return False
        return valid

    def _insert(self, form: Any) -> ClientUser:
        with db.session.no_autoflush:
            user = ClientUser()
            names = ("client", "username", "full_name", "email", "phone", "language", "time_zone", "permissions",
                     "is_active")  # fmt: skip
            for name in names:
                setattr(user, name, form[name].data)
            client_users.check(user, now=now())
            client_users.create(user, password=form.password.data or "", send_link=form.send_link.data)
            db.session.add(user)
        db.session.flush()
        if form.send_link.data:
            client_users.send_link(user, now=now())
        return user

    def on_model_change(self, form: Any, model: ClientUser, is_created: bool) -> None:
        client_users.check(model, now=now())

    def conflict_message(self) -> str:
        return _("Another user has this username or e-mail.")

    def created_message(self, record: Any) -> str:
        return _("User %(name)s created.", name=record.username)

    def delete_record(self, record: ClientUser) -> None:
        client_users.remove(record, now=now())

    def delete_context(self, record: ClientUser) -> dict[str, Any]:
        lines = [
            _("%(name)s of %(client)s can no longer log in.", name=record.username, client=record.client.name),
            _("What the user wrote in tickets stays; the record and the login do not."),
        ]
        if record.is_owner:
            lines = [_("The owner user cannot be removed."), _("Make another user of the client the owner first.")]
        return {
            **super().delete_context(record),
            "page_title": _("Remove a user"),
            "lines": lines,
            "verb": _("Remove %(name)s", name=record.username),
        }

    # One user

    def details_context(self, record: ClientUser) -> dict[str, Any]:
        areas = [str(label) for area, label in client_users.AREAS.items() if area in record.permissions]
        context = super().details_context(record)
        context["groups"] = [
            {"title": "", "rows": [
                (_("Username"), record.username),
                (_("Client"), cells.link_to_client(record.client)),
                (_("Full name"), record.full_name),
                (_("E-mail"), record.email),
                (_("Phone"), record.phone),
                (_("Language"), record.language.label),
                (_("Time zone"), record.time_zone),
            ]},
            {"title": "", "rows": [
                (_("Owner"), cells.show(record.is_owner)),
                (_("May log in"), cells.show(record.is_active)),
                (_("May enter"), _("all of the panel") if record.is_owner else "; ".join(areas)),
                (_("Last login"), cells.show(record.last_login_at)),
                (_("Password for one login"), cells.show(record.must_change_password)),
                (_("Second factor"), cells.show(bool(record.totp_secret))),
            ]},
        ]  # fmt: skip
        context["actions"] = self._verbs_for(record) if self.may("edit") else []
        context["sessions"] = profiles.sessions_of(record, now=now(), idle=CLIENT_IDLE)
        context["may_end"] = self.may("edit")
        context["show"] = cells.show
        return context

    def _verbs_for(self, user: ClientUser) -> list[dict[str, Any]]:
        offered = [
            (True, "password", _("Set a password"), "key"),
            (True, "link", _("Send a link to set it"), "send"),
            (not user.is_owner, "owner", _("Make the owner"), "user"),
            (bool(user.totp_secret), "totp", _("Reset the second factor"), "shield"),
        ]
        return [
            {"label": label, "icon": icon, "method": "get", "url": f"{LIST}{page}/?id={user.id}"}
            for is_offered, page, label, icon in offered
            if is_offered
        ]

    @expose("/password/", methods=("GET", "POST"))
    @needs("users.edit")
    def password(self) -> ResponseReturnValue:
        """Set a password for one login. What was set is shown in the answer, once, and kept nowhere."""
        self.hold()
        user = self.posted_or_404()
        form = PasswordForm(request.form if request.method == "POST" else None)
        form.form_errors = []
        if request.method == "POST" and form.validate():
            try:
                chosen = client_users.set_password(user, form.password.data or "", now=now())
                db.session.commit()
            except OperationRefused as refusal:
                db.session.rollback()
                refuse(form, refusal)
            else:
                return self.render("admin/users/password_set.html", user=user, password=chosen, page_url=page_of(user),
                                   page_title=_("The password of %(name)s is set", name=user.username))  # fmt: skip
        return self.render("admin/confirm.html", **self._password_question(user), form=form)

    def _password_question(self, user: ClientUser) -> dict[str, Any]:
        return {
            "page_title": _("Set a password for %(name)s", name=user.username),
            "question": user.client.code_and_name,
            "lines": [
                _("It is good for one login: then the user has to choose his own."),
                _("All sessions of the user end now, and so does a login of staff in his place."),
                _("The user is told by a letter, without the password. Tell it him yourself."),
            ],
            "hidden": {"id": user.id},
            "verb": _("Set the password"),
            "danger": False,
            "cancel_url": page_of(user),
        }

    @expose("/link/", methods=("GET", "POST"))
    @needs("users.edit")
    def link(self) -> ResponseReturnValue:
        """Send the user a link to set his password."""
        user = self.posted_or_404()
        return self._confirmed(
            user,
            lambda: _("A link was sent to %(address)s.", address=client_users.send_link(user, now=now())),
            title=_("Send a link to set the password"),
            lines=[_("It works once, for 30 minutes; the present password is good until then.")],
            verb=_("Send the link"),
        )

    @expose("/owner/", methods=("GET", "POST"))
    @needs("users.edit")
    def owner(self) -> ResponseReturnValue:
        """Make the user the owner of his client."""
        user = self.posted_or_404()

        def make() -> str:
            client_users.make_owner(user)
            return _("%(name)s is the owner now.", name=user.username)

        present = db.session.scalar(
            sa.select(ClientUser.username).where(ClientUser.client_id == user.client_id, ClientUser.is_owner)
        )
        return self._confirmed(
            user, make, title=_("Make %(name)s the owner", name=user.username), verb=_("Make the owner"),
            lines=[
                _("The owner may do everything in the panel and gives other users their rights."),
                *([_("%(name)s stops being the owner.", name=present)] if present else []),
            ],
        )  # fmt: skip

    @expose("/totp/", methods=("GET", "POST"))
    @needs("users.edit")
    def totp(self) -> ResponseReturnValue:
        """Switch a lost second factor off."""
        user = self.posted_or_404()

        def reset() -> str:
            client_users.reset_totp(user, now=now())
            return _("The second factor of %(name)s is off.", name=user.username)

        return self._confirmed(
            user, reset, title=_("Reset the second factor"), verb=_("Reset the second factor"), danger=True,
            lines=[_("From now on the password alone is enough. All sessions of the user end, and he is told by letter.")],
        )  # fmt: skip

    def _confirmed(
        self, user: ClientUser, act: Callable[[], str], *, title: str, lines: list[str], verb: str, danger: bool = False
    ) -> ResponseReturnValue:
        """Ask, and carry it out when the question was answered."""
        if request.method == "POST":
            try:
                message = act()
                db.session.commit()
                flash(message, "success")
            except OperationRefused as refusal:
                db.session.rollback()
                flash(refusal.message, "error")
            return redirect(page_of(user))
        return self.render(
            "admin/confirm.html", page_title=title, question=f"{user.username}, {user.client.code_and_name}",
            lines=lines, hidden={"id": user.id}, verb=verb, danger=danger, cancel_url=page_of(user),
        )  # fmt: skip

    @expose("/sessions/", methods=("POST",))
    @needs("users.edit")
    def end_sessions(self) -> ResponseReturnValue:
        """End one session of the user (`session`), or all of them."""
        user = self.posted_or_404()
        text = request.form.get("session", "")
        if text:
            try:
                found = profiles.end_session(user, filters.whole_number(text))
            except ValueError:
                found = False
            if not found:
                abort(404)
            flash(_("The session has ended."), "success")
        else:
            profiles.end_other_sessions(user, but=None)
            flash(_("All sessions of the user have ended."), "success")
        db.session.commit()
        return redirect(page_of(user))

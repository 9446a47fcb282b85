"""The client list, and everything that begins at it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlencode

import sqlalchemy as sa
from flask import abort, g, redirect, request, session
from flask.typing import ResponseReturnValue
from flask_admin.base import expose
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_login import current_user

from admin_views import cells, client_custom, client_rows
from admin_views.base import ModuleView, needs
from admin_views.bulk_changes import BulkChangePages
from admin_views.case_file import CaseFilePages
from admin_views.client_bulk import CLIENT_ACTIONS
from admin_views.client_custom import CustomFieldsOfClients
from admin_views.client_ends import ClientEndPages
from admin_views.client_notes import NotePages
from admin_views.client_profile import RECORDS, ProfilePages
from admin_views.imports import ImportPages
from admin_views.listing import PAGE_SIZES, ListRequest, Page, fetch_page, sort_keys
from admin_views.login_as import LoginAsPages, may_log_in_as_clients
from admin_views.saved_filters import SavedFilterPages
from extensions import LabelledEnum, db, now
from forms.custom_fields import typed_in
from models import Client, Project, Staff
from operations import characterizing, client_filters, clients, features, filters
from operations.custom_fields import PREFIX
from operations.permissions import LIMITED_CLIENT_COLUMNS


def records_offered() -> list[tuple[str, Any, str]]:
    """The records of a client that this person may see."""
    hidden = set() if features.abuse_handling() else {"violations"}
    return [one for one in RECORDS if one[0] not in hidden and current_user.may(f"{one[0]}.view")]


def _points_link(record: Client) -> list[dict[str, str]]:
    if not features.abuse_handling() or not current_user.may("violations.view"):
        return []
    return [{"label": _("Penalty points"), "icon": "flag", "url": f"/admin/violations/points/?id={record.id}"}]


def _staff() -> Staff:
    return db.session.get_one(Staff, current_user.id)


def _row_height() -> str:
    return "compact" if request.form.get("row_height") == "compact" else "comfortable"


def _page_size() -> dict[str, int]:
    return next(({"page_size": size} for size in PAGE_SIZES if request.form.get("page_size") == str(size)), {})


def _first_page(url: str) -> str:
    """The list at `url` from its beginning, with as many rows as are chosen now."""
    path, _mark, query = url.partition("?")
    kept = [(name, text) for name, text in parse_qsl(query) if name not in {"page_size", "after", "before"}]
    return f"{path}?{urlencode(kept)}" if kept else path


# ProfilePages stands last but one, so that all parts before it can add to the page of a client.
class ClientsView(
    CustomFieldsOfClients,
    ClientEndPages,
    CaseFilePages,
    ImportPages,
    LoginAsPages,
    BulkChangePages,
    SavedFilterPages,
    NotePages,
    ProfilePages,
    ModuleView,
):
    module = "clients"
    icon = "users"
    list_template = "admin/clients/list.html"
    create_template = edit_template = "admin/clients/form.html"
    details_template = "admin/clients/details.html"
    scope_column = "id"
    tabbed = True
    create_label = _l("New client")
    empty_title = _l("No clients yet")
    empty_text = _l("Add the first one, or bring them in from the export of your old system.")
    import_address = "/admin/clients/import/"
    column_list = (
        "id", "name", "properties", "email", "contact_person", "verified_phone", "country", "language", "project",
        "characterization", "note", "balance", "active_services", "registered_at",
    )  # fmt: skip
    # What shows until a person chooses otherwise.
    shown_by_default = ("id", "name", "properties", "email", "project", "balance", "active_services", "registered_at")
    column_labels = {
        "id": _l("Code"), "name": _l("Name"), "properties": _l("Properties"), "email": _l("E-mail"),
        "contact_person": _l("Contact person"), "verified_phone": _l("Verified phone"), "country": _l("Country"),
        "language": _l("Language"), "project": _l("Project"), "characterization": _l("Characterization"),
        "note": _l("Note"), "balance": _l("Balance"), "active_services": _l("Active services"),
        "registered_at": _l("Registered"),
    }  # fmt: skip
    column_editable_list = (
        "contact_person", "email", "verified_phone", "language", "country", "characterization", "note",
    )  # fmt: skip
    column_export_list = (
        "id", "name", "owner_username", "legal_status", "company_name", "contact_person", "email", "country",
        "language", "verified_phone", "project", "characterization", "balance", "active_services", "note",
        "registered_at",
    )  # fmt: skip
    sortable = (
        "id", "name", "properties", "email", "contact_person", "verified_phone", "country", "language", "project",
        "characterization", "balance", "active_services", "registered_at",
    )  # fmt: skip
    title_column = "name"
    amount_columns = ("balance", "active_services")
    list_filters = tuple(client_filters.FILTERS.values())
    form_columns = ("name",)
    bulk_actions = CLIENT_ACTIONS

    # Rows

    def base_select(self) -> sa.Select[Any]:
        return super().base_select().where(Client.deleted_at.is_(None))

    def matching(self, asked: Any) -> sa.Select[Any]:
        return self.base_select().where(*client_filters.conditions(asked.asked))

    def sort_column(self, name: str) -> Any:
        return super().sort_column("characterization" if name == "properties" else name)

    def shown_columns(self) -> list[str]:
        chosen = [name for name in current_user.preferences.get("client_columns", ()) if name in self.column_list]
        return [*(chosen or self.shown_by_default), *self.shown_custom_columns()]

    def fetch_page(self, statement: sa.Select[Any], asked: ListRequest) -> Page:
        keys = sort_keys(self.sort_column(asked.sort), self.pk)
        return fetch_page(statement, keys, asked, rows=self.rows_to_read(), values={"moment": now()})

    def fetch_rows(self, ids: Sequence[int]) -> list[Any]:
        found = client_rows.rows_of(ids)
        return [found[number] for number in ids if number in found]

    def filter_choices(self) -> dict[str, list[tuple[str, str]]]:
        if "client_choices" not in g:
            g.client_choices = client_filters.choices()
        return dict(g.client_choices)

    def filters_key(self, asked: Any) -> Hashable:
        choices = tuple((key, *pairs) for key, pairs in self.filter_choices().items())
        return (choices, client_custom.filters_key(), features.abuse_handling(), *asked.asked.texts.items())

    def _filter_fields(self, asked: Any) -> list[dict[str, Any]]:
        texts = asked.asked.texts
        return [
            {"key": one.key, "label": one.label, "kind": one.kind, "value": texts.get(one.key, ""),
             "options": self.filter_choices().get(one.key) or one.options() or []}
            for one in self.known_filters.values()
            if one.key != "search" and (one.key != "has_points" or features.abuse_handling())
        ]  # fmt: skip

    def bar_key(self) -> tuple[Hashable, ...]:
        return (may_log_in_as_clients(), features.abuse_handling())

    def can_tick(self) -> bool:
        return True

    def edit_spec(self, names: set[str]) -> dict[str, Any]:
        options = {
            "characterization": self.filter_choices()["characterization"],
            "country": client_filters.FILTERS["country"].options(),
            "language": client_filters.FILTERS["language"].options(),
        }
        custom = self.custom_edit_spec(names)
        kinds = {"email": "email", "verified_phone": "tel", "note": "textarea"}
        return {
            name: {"kind": "select", "label": self.label_of(name), "options": options[name]}
            if name in options
            else {"kind": kinds.get(name, "text"), "label": self.label_of(name)}
            for name in names - custom.keys()
        } | custom

    def row_title(self, row: Any) -> str:
        return f"#{row.id} {row.name}"

    def cell_writer(self, name: str) -> Callable[[Any], Any]:
        plain = super().cell
        return client_rows.writer(name) or self.custom_writer(name) or (lambda row: plain(row, name))

    def cell(self, row: Any, name: str) -> Any:
        write = client_rows.writer(name) or self.custom_writer(name)
        return write(row) if write else super().cell(row, name)

    def raw_value(self, row: Any, name: str) -> Any:
        if name == "characterization":
            return row.characterization_id
        if name.startswith(PREFIX):
            return client_custom.raw_value(row, name)
        value = getattr(row, name)
        return value.value if isinstance(value, LabelledEnum) else value

    def row_tools(self) -> list[dict[str, Any]]:
        tools: list[dict[str, Any]] = []
        if may_log_in_as_clients():
            tools.append(
                {
                    "label": _("Log in"),
                    "icon": "login",
                    "method": "post",
                    "url": "/admin/clients/login-as/",
                    "field": "id",
                }
            )
        tools.append(
            {"label": _("Filter"), "icon": "filter", "method": "post", "url": "/admin/clients/scope/", "field": "id"}
        )
        if self.may("edit"):
            tools.append({"label": _("Edit"), "icon": "pencil", "method": "get", "url": "/admin/clients/edit/?id={id}"})
        return tools + [
            {"label": str(label), "icon": icon, "method": "get", "url": f"/admin/{module}/?client={{id}}"}
            for module, label, icon in records_offered()
        ]

    def fields_allowed(self) -> set[str] | None:
        return None if current_user.may("clients.create") else set(LIMITED_CLIENT_COLUMNS)

    # Forms

    def create_form(self, obj: Any = None) -> Any:
        form = self.client_form(is_new=True)(request.form if request.method == "POST" else None)
        form.form_errors = []
        if request.method == "GET":
            form.project.data = db.session.scalar(
                sa.select(Project).where(Project.is_active).order_by(Project.id).limit(1)
            )
            if form.project.data:
                form.language.data = form.project.data.default_language
        return form

    def edit_form(self, obj: Any = None) -> Any:
        form = self.client_form(is_new=False)(request.form if request.method == "POST" else None, obj=obj)
        form.form_errors = []
        return form

    def row_of(self, record: Client) -> Any:
        return client_rows.Changed(record)

    def cell_form(self, record: Any, name: str) -> Any:
        return self.one_field_form(name)(request.form, obj=record)

    def validate_form(self, form: Any) -> bool:
        return bool(form.validate())

    def form_sections(self, record: Any) -> Sequence[tuple[Any, Any, Sequence[str]]]:
        if record is None:
            return (
                (_("Login"), _("The project that the client belongs to, and what he logs in with."),
                 ("project", "username", "password", "password_confirm")),
                (_("Contacts"), _("Whom to write to, and in which language."),
                 ("contact_person", "email", "country", "language", "legal_status", "company_name", "send_welcome")),
                *client_custom.section(),
            )  # fmt: skip
        return (
            (_("Client"), "", ("name", "project", "legal_status", "company_name", "contact_person")),
            (_("Contacts"), "", ("email", "verified_phone", "country", "language")),
            (_("For staff"), _("Clients never see this."),
             ("characterization", "characterization_reason", "note", "hold_suspension_until")),
            *client_custom.section(),
            (_("Groups and projects"), "", ("groups", "projects")),
            (_("Origin"), _("Who brought the client, and by which program."), ("referrer", "affiliate_program")),
        )  # fmt: skip

    def form_context(self, form: Any, record: Any) -> dict[str, Any]:
        context = super().form_context(form, record)
        if record is not None:
            context["facts"] = [
                (_("Registered"), cells.show(record.registered_at)),
                (_("Registration address"), record.registration_ip),
                *([(_("How you heard about us"), record.referral_source)] if record.referral_source else []),
            ]
        context["similar"] = self._similar(form, record) if request.method == "POST" else []
        context["is_new"] = record is None
        context["show"] = cells.show
        context["characterized"] = characterizing.history(record) if record is not None else []
        return context

    def _similar(self, form: Any, record: Any) -> list[Client]:
        return clients.similar(
            email=form.email.data or "" if "email" in form else "",
            company_name=form.company_name.data or "" if "company_name" in form else "",
            but=record.id if record is not None else None,
        )

    @expose("/similar.json")
    @needs("clients.create")
    def similar(self) -> ResponseReturnValue:
        """Clients like the one that is being typed in, to be shown beside the form."""
        found = clients.similar(
            email=request.args.get("email", "")[:254],
            company_name=request.args.get("company_name", "")[:200],
            phone=request.args.get("phone", "")[:20],
        )
        return [
            {"id": one.id, "name": one.name, "email": one.email, "url": f"/admin/clients/details/?id={one.id}"}
            for one in found
        ]

    def _insert(self, form: Any) -> Client:
        return clients.create(
            project=form.project.data,
            username=form.username.data,
            password=form.password.data,
            email=form.email.data,
            country=form.country.data,
            language=form.language.data,
            legal_status=form.legal_status.data,
            company_name=form.company_name.data,
            contact_person=form.contact_person.data,
            send_welcome=form.send_welcome.data,
            client_columns={"custom": typed_in(form)},
            by=_staff(),
            now=now(),
        )

    def on_model_change(self, form: Any, model: Client, is_created: bool) -> None:
        characterizing.note(model, by=_staff(), now=now())
        if sa.inspect(model).session is not None:
            clients.check(model)

    def created_message(self, record: Any) -> str:
        return _("Client %(name)s created.", name=f"#{record.id} {record.name}")

    # One client

    def profile_tools(self, record: Client) -> list[dict[str, Any]]:
        points = _points_link(record) if record.deleted_at is None else []
        return [*points, *super().profile_tools(record)]

    # The client filter

    @expose("/scope/", methods=("POST",))
    @needs("clients.view")
    def set_scope(self) -> ResponseReturnValue:
        """Show one client's records alone in all modules, until it is ended; an empty id ends it."""
        text = (request.form.get("id") or request.form.get("rowid") or "").strip()
        if not text:
            session.pop("client_scope", None)
            return redirect(request.form.get("url") or "/admin/clients/")
        try:
            number = filters.whole_number(text)
        except ValueError:
            abort(404)
        client = db.session.scalar(sa.select(Client).where(Client.id == number, Client.deleted_at.is_(None)))
        if client is None:
            abort(404)
        session["client_scope"] = client.id
        return redirect(request.form.get("url") or "/admin/clients/")

    @expose("/columns/", methods=("POST",))
    @needs("clients.view")
    def columns(self) -> ResponseReturnValue:
        """Choose the columns of the list and how many rows it has, for oneself."""
        staff = _staff()
        kept = {**self.columns_to_keep(request.form.getlist("columns")), "row_height": _row_height(), **_page_size()}
        staff.preferences = {**staff.preferences, **kept}
        db.session.commit()
        session.pop("page_size", None)
        return redirect(_first_page(request.form.get("url") or "/admin/clients/"))

    def list_context(self, asked: Any, page: Any, rows: list[Any], count: int) -> dict[str, Any]:
        context = super().list_context(asked, page, rows, count)
        shown = self.shown_columns()
        offered = self.offered_columns()
        context["shown_key"] = (*shown, client_custom.filters_key())
        context |= self.tabs_context(context["tabs"], count)
        context["view_url"] = "/admin/clients/columns/"
        context["bulk_changes_url"] = "/admin/clients/bulk-changes/"
        context["deleted_url"] = "/admin/clients/deleted/" if self.may("delete") else None
        context["column_choices"] = lambda: [
            {"name": name, "label": self.label_of(name), "shown": name in shown} for name in offered
        ]
        return context

"""The view every module of the admin is a declaration on.

A module says its table, columns, filters and form; from here it gets lists by keyset, search, sorting, inline
edit, selection and bulk actions, export, forms, permissions, the client scope and messages instead of faults.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType
from typing import Any, TypeVar

import sqlalchemy as sa
from flask import abort, flash, g, redirect, request, session
from flask.typing import ResponseReturnValue
from flask_admin.base import expose
from flask_admin.contrib.sqla import ModelView
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_login import current_user
from markupsafe import escape
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import joinedload, selectinload
from sqlalchemy.orm.exc import StaleDataError

from admin_views import cells, conflicts
from admin_views.bulk import BulkPages
from admin_views.exporting import ExportPages
from admin_views.inline import InlinePages
from admin_views.listing import (
    FROM_THE_END,
    PAGE_SIZES,
    ListRequest,
    ManyRows,
    Page,
    address,
    capped_count,
    count_in_words,
    encode_cursor,
    fetch_page,
    sort_keys,
)
from admin_views.lookup import LookupPages
from admin_views.rows import html_of
from extensions import db
from forms.converter import DeskConverter
from models import Client
from operations import audit, deletion, filters, searching, versions
from operations.errors import OperationRefused
from operations.filters import Filter, Number, Yes
from web.access import Policy

# The filters of documents that ask for those of deleted clients.
OF_DELETED = {"deleted", "deleted_client"}
View = TypeVar("View", bound=Callable[..., Any])
VERB_OF = {
    "index_view": "view",
    "details_view": "view",
    "ajax_lookup": "view",
    "action_view": "view",
    "bulk": "view",
    "create_view": "create",
    "edit_view": "edit",
    "ajax_update": "edit",
    "delete_view": "delete",
    "export": "export",
}


def needs(permission: str | None) -> Callable[[View], View]:
    """Name the permission that an additional page of a module needs; None for every staff member."""

    def decorate(view: View) -> View:
        view.needs = permission or ""  # type: ignore[attr-defined]
        return view

    return decorate


class ModuleView(LookupPages, InlinePages, BulkPages, ExportPages, ModelView):
    """A module of the admin.

    `module` begins its permissions and is its address. `list_filters` are its filters, `searched` the columns
    that its search looks through, `loads` what the list loads beside the rows, `sections` the parts of its
    form: (title, help, field names), which with `tabbed` are tabs; `show_when` says which fields are shown for some
    values of another (`legal_status=company`). `scope_column` is the column that says which client a row is of.
    """

    module: str
    icon: str = "list"
    # What the menu asks the list for.
    menu_parameters: Mapping[str, str] = MappingProxyType({})
    group: Any = ""
    list_template = "admin/list.html"
    create_template = edit_template = "admin/form.html"
    details_template = "admin/details.html"
    model_form_converter = DeskConverter
    column_display_pk = True
    column_auto_select_related = False
    can_view_details = True
    can_export = True
    list_filters: Sequence[Filter] = ()
    searched: Sequence[str] = ()
    # Whether so many columns are long that each must be narrower for all to fit.
    is_dense = False
    sortable: Sequence[str] = ("id",)
    default_sort = "-id"
    title_column = "id"
    amount_columns: Sequence[str] = ()
    loads: Sequence[Any] = ()
    sections: Sequence[tuple[Any, Any, Sequence[str]]] = ()
    tabbed = False
    show_when: Mapping[str, str] = {}
    scope_column: str | None = None
    create_label: Any = None
    empty_title: Any = _l("Nothing here yet")
    empty_text: Any = ""
    import_address: str | None = None
    # What is of a deleted client leaves the lists with it. Documents of money stay: a filter shows them.
    leaves_with_client = True
    documents_stay = False

    def __init__(self, model: Any, **more: Any) -> None:
        if self.scope_column is None and hasattr(model, "client_id"):
            self.scope_column = "client_id"
        super().__init__(model, db, endpoint=self.module, url=f"/admin/{self.module}", **more)
        self.pk = sa.inspect(model).primary_key[0]
        self.many = ManyRows()
        self._own_filters = {one.key: one for one in self._all_filters()}

    @property
    def known_filters(self) -> dict[str, Filter]:
        """The filters of the list by their keys."""
        return self._own_filters

    def _all_filters(self) -> list[Filter]:
        own = list(self.list_filters)
        if self.searched and not any(one.key == "search" for one in own):
            own.append(SearchColumns(self.model, self.searched))
        if self.documents_stay:
            own.extend(of_deleted_clients(self.model.client_id))
        return own

    def _run_view(self, fn: Callable[..., Any], *arguments: Any, **more: Any) -> Any:
        """Call the view once. Flask-Admin tries another signature after a TypeError, which hides its cause."""
        return fn(self, *arguments, **more)

    # Who may

    def policy_for(self, method: str) -> Policy:
        """What the address of `method` demands of who calls it."""
        view = getattr(type(self), method, None)
        named = getattr(view, "needs", None)
        if named is not None:
            return Policy("staff", permission=named or None)
        return Policy("staff", permission=f"{self.module}.{VERB_OF.get(method, 'edit')}")

    def may(self, verb: str) -> bool:
        """Whether the person logged in has a right to this module, and the module offers it."""
        offered = {
            "create": self.can_create,
            "edit": self.can_edit,
            "delete": self.can_delete,
            "export": self.can_export,
        }
        return bool(offered.get(verb, True)) and current_user.may(f"{self.module}.{verb}")

    def is_accessible(self) -> bool:
        return bool(current_user.is_authenticated) and self.may("view")

    def is_visible(self) -> bool:
        return True

    def _handle_view(self, name: str, **_more: Any) -> None:
        """Nothing more: each address was asked for the right that it needs before it got here (web/requests.py).

        Flask-Admin would ask for the right to see the module, also of those who may only write a message in it.
        """

    def inaccessible_callback(self, name: str, **_more: Any) -> ResponseReturnValue:
        abort(403)

    def is_action_allowed(self, name: str) -> bool:
        return any(one.name == name and one.is_allowed() for one in self.bulk_actions)

    # Rows

    def scope(self) -> int | None:
        """The client that this page is about, if the client filter is on."""
        return g.get("client_scope") if self.scope_column else None

    def base_select(self) -> sa.Select[Any]:
        """All rows this person can see: those of the client that the filter is on, deleted clients' left out."""
        statement = sa.select(self.model)
        scope = self.scope()
        if scope is not None:
            statement = statement.where(self.scope_condition(scope))
        return statement if self.documents_stay else self.without_deleted(statement)

    def without_deleted(self, statement: sa.Select[Any]) -> sa.Select[Any]:
        """Without the rows of deleted clients, where rows are of clients at all."""
        key = getattr(self.model, "client_id", None) if self.leaves_with_client else None
        return statement if key is None else statement.where(deletion.is_of_the_living(key))

    def scope_condition(self, client_id: int) -> Any:
        return getattr(self.model, str(self.scope_column)) == client_id

    def get_query(self) -> Any:
        query = db.session.query(self.model)
        scope = self.scope()
        return query.filter(self.scope_condition(scope)) if scope is not None else query

    def get_one(self, id: Any) -> Any:
        """The row with that id, None for one outside the scope and for what is no id."""
        try:
            number = filters.whole_number(str(id))
        except ValueError:
            return None
        return db.session.scalar(self.base_select().where(self.pk == number))

    def one_or_404(self, id: Any) -> Any:
        return self.get_one(id) or abort(404)

    def posted_or_404(self, name: str = "id") -> Any:
        return self.one_or_404(request.values.get(name, ""))

    def fetch_rows(self, ids: Sequence[int]) -> list[Any]:
        """The rows of a page, in the order of `ids`."""
        found = {
            row.id: row
            for row in db.session.scalars(sa.select(self.model).where(self.pk.in_(ids)).options(*self._loads()))
        }
        return [found[number] for number in ids if number in found]

    def _loads(self) -> list[Any]:
        if self.loads:
            return list(self.loads)
        relations = sa.inspect(self.model).relationships
        named = [relations[name] for name in self.column_list if name in relations]
        return [
            (selectinload if relation.uselist else joinedload)(getattr(self.model, relation.key)) for relation in named
        ]

    # The list

    def list_request(self, parameters: Sequence[tuple[str, str]] | None = None) -> ListRequest:
        given = list(request.args.items(multi=True)) if parameters is None else parameters
        preferred = session.get("page_size") or current_user.preferences.get("page_size", 50)
        found = ListRequest.read(
            given, self.known_filters, sortable=self.sortable, default_sort=self.default_sort,
            page_size=preferred if preferred in PAGE_SIZES else 50, choices=self.filter_choices(),
        )  # fmt: skip
        found.scope = self.scope()
        if fault := g.get("scope_fault"):
            found.asked.misunderstood.append(fault)
        return found

    def filter_choices(self) -> Mapping[str, Sequence[tuple[str, str]]] | None:
        """The records that filters offer, by key, where one question finds them all."""
        return None

    def matching(self, asked: ListRequest) -> sa.Select[Any]:
        """All rows that match what was asked."""
        statement = self.base_select().where(*filters.conditions(asked.asked, self.known_filters))
        if self.documents_stay and not OF_DELETED & asked.asked.values.keys():
            return self.without_deleted(statement)
        return statement

    @expose("/")
    def index_view(self) -> ResponseReturnValue:
        """The list."""
        asked = self.list_request()
        statement = self.matching(asked)
        page = Page()
        if not asked.asked.misunderstood:
            page = self.fetch_page(statement, asked)
        count = 0 if asked.asked.misunderstood else self.count(statement, asked, page)
        self.remember_page_size(asked)
        return self.render(self.list_template, page=self.list_context(asked, page, page.rows, count))

    def count(self, statement: sa.Select[Any], asked: ListRequest, page: Page) -> int:
        question = (asked.scope, *sorted(asked.asked.texts.items()))
        return self.many.count(question, page, lambda: capped_count(statement, self.pk))

    def fetch_page(self, statement: sa.Select[Any], asked: ListRequest) -> Page:
        """One page of what `statement` selects, with its rows."""
        page = fetch_page(statement, sort_keys(self.sort_column(asked.sort), self.pk), asked)
        page.rows = self.fetch_rows(page.ids) if page.ids else []
        return page

    def remember_page_size(self, asked: ListRequest) -> None:
        """A page size chosen in the address holds for the rest of the session; for good it is chosen in a form."""
        if (
            "page_size" in request.args
            and not asked.asked.misunderstood
            and asked.page_size != session.get("page_size")
        ):
            session["page_size"] = asked.page_size

    def sort_column(self, name: str) -> Any:
        column = getattr(self.model, name)
        if hasattr(column, "property") and hasattr(column.property, "local_columns"):
            return getattr(self.model, f"{name}_id")
        return column

    def list_url(self, **changes: Any) -> str:
        """The list's address with some parameters changed; None takes one away."""
        if "list_parameters" not in g:
            g.list_parameters = {
                name: text for name, text in request.args.items() if text.strip() and name not in {"url", "login_as"}
            }
        return address(request.path, {**g.list_parameters, **changes})

    def shown_columns(self) -> list[str]:
        return list(self.column_list)

    def label_of(self, name: str) -> str:
        labels: Mapping[str, Any] = self.column_labels or {}
        return str(labels.get(name) or name.replace("_", " ").capitalize())

    def list_context(self, asked: ListRequest, page: Page, rows: list[Any], count: int) -> dict[str, Any]:
        """What templates/admin/list.html reads."""
        names = self.shown_columns()
        editable = self.editable_now() & set(names) if self.may("edit") else set()
        headings = [self._heading(name, asked, name in editable) for name in names]
        ticks = bool(rows) and self.can_tick()
        filters_key = self.filters_key(asked)
        preserved = self._preserved()
        export_urls = self.export_urls() if self.may("export") else []
        return {
            "title": self.name,
            "columns": headings,
            "rows": rows,
            "rows_html": html_of(self, rows, headings, ticks=ticks),
            "ticks": ticks,
            "pager": self._pager(asked, page, count),
            "chips": self._chips(asked),
            "clear_url": self.list_url(**dict.fromkeys([*self.known_filters, "after", "before"])),
            "filters": {"key": filters_key, "fields": lambda: self._filter_fields(asked)} if filters_key else None,
            "search": asked.asked.texts.get("search", "") if "search" in self.known_filters else None,
            "preserved": preserved,
            "preserved_key": tuple(preserved),
            "tabs": self.list_tabs(),
            "bar_key": (self.module, *self.bar_key(), *current_user.role.permissions),
            "bulk": self.bulk_buttons,
            "row_tools": self.row_tools,
            "create_url": self._with_scope(self.get_url(".create_view")) if self.may("create") else None,
            "create_label": self.create_label,
            "import_url": self.import_address if self.import_address and self.may("create") else None,
            "export_urls": export_urls,
            "export_key": tuple(export_urls),
            "count": count,
            "action_url": address(f"{self.url}/action/", dict(request.args.items())),
            "empty": {} if rows else self._empty(asked),
            "errors": asked.asked.misunderstood,
            "spec_key": (self.module, *sorted(editable), filters_key),
            "edit_spec": lambda: self.edit_spec(editable),
            "update_url": f"{self.url}/ajax/update/" if editable else None,
            "row_height": current_user.preferences.get("row_height", "comfortable"),
            "is_dense": self.is_dense,
            "page_size": asked.page_size,
            "page_sizes": PAGE_SIZES,
        }

    def bar_key(self) -> tuple[Hashable, ...]:
        """What the toolbar depends on besides the permissions."""
        return ()

    def can_tick(self) -> bool:
        """Whether there is anything to do with a row that is ticked."""
        return bool(self.bulk_buttons() or self.row_tools())

    def filters_key(self, asked: ListRequest) -> Hashable:
        """All that the panel of filters depends on, its choices included; nothing where there are no filters."""
        return tuple(
            (field["key"], field["value"], *(tuple(option) for option in field["options"]))
            for field in self._filter_fields(asked)
        )

    def list_tabs(self) -> list[dict[str, Any]]:
        return []

    def row_tools(self) -> list[dict[str, Any]]:
        """The toolbar of exactly one selected row."""
        tools = []
        if self.may("edit"):
            tools.append(
                {"label": _("Edit"), "icon": "pencil", "method": "get", "url": self.get_url(".edit_view") + "?id={id}"}
            )
        if self.may("delete"):
            tools.append(
                {
                    "label": _("Delete"),
                    "icon": "trash",
                    "method": "get",
                    "url": self.get_url(".delete_view") + "?id={id}",
                }
            )
        return tools

    def _heading(self, name: str, asked: ListRequest, editable: bool) -> dict[str, Any]:
        is_sorted = asked.sort == name
        direction = ("desc" if asked.descending else "asc") if is_sorted else None
        turned = name if is_sorted and asked.descending else f"-{name}" if is_sorted else name
        return {
            "name": name,
            "label": self.label_of(name),
            "sort_url": self.list_url(sort=turned, after=None, before=None) if name in self.sortable else None,
            "sorted": direction,
            "align": "end" if name in self.amount_columns or name == "balance" else None,
            "editable": editable,
            "link": name == self.title_column,
        }

    def row_title(self, row: Any) -> str:
        return f"#{row.id}"

    def cell_writer(self, name: str) -> Callable[[Any], Any]:
        """What writes the cells of one column."""
        return lambda row: self.cell(row, name)

    def cell(self, row: Any, name: str) -> Any:
        """One cell of the list, escaped."""
        formatter = (self.column_formatters or {}).get(name)
        if formatter is not None:
            return escape(formatter(self, None, row, name))
        value = getattr(row, name)
        if isinstance(value, Client):
            return cells.link_to_client(value)
        return cells.show(value)

    def _pager(self, asked: ListRequest, page: Page, count: int) -> dict[str, Any]:
        def other(**where: Any) -> str:
            return self.list_url(**{"after": None, "before": None, **where})

        return {
            "shown": len(page.ids),
            "count_text": count_in_words(count),
            "first_url": other() if page.has_previous else None,
            "prev_url": other(before=encode_cursor(page.first)) if page.has_previous else None,
            "next_url": other(after=encode_cursor(page.last)) if page.has_next else None,
            "last_url": other(before=FROM_THE_END) if page.has_next else None,
            "sizes": [
                {"n": size, "url": other(page_size=size), "active": size == asked.page_size} for size in PAGE_SIZES
            ],
        }

    def _chips(self, asked: ListRequest) -> list[dict[str, str]]:
        return [
            {
                "label": str(self.known_filters[key].label),
                "value": self.known_filters[key].shown(value),
                "remove_url": self.list_url(**{key: None, "after": None, "before": None}),
            }
            for key, value in asked.asked.values.items()
        ]

    def _filter_fields(self, asked: ListRequest) -> list[dict[str, Any]]:
        return [
            {"key": one.key, "label": one.label, "kind": one.kind, "options": one.options() or [],
             "value": asked.asked.texts.get(one.key, "")}
            for one in self.known_filters.values() if one.key != "search"
        ]  # fmt: skip

    def _preserved(self) -> list[tuple[str, str]]:
        """The parameters that a filter form carries along."""
        return [
            (name, text)
            for name, text in request.args.items()
            if text and name not in {"after", "before", "url", "login_as"}
        ]

    def _empty(self, asked: ListRequest) -> dict[str, Any]:
        if asked.asked.values:
            return {"title": _("Nothing matches"), "text": _("No row fulfils all the conditions."),
                    "action_url": self.list_url(**dict.fromkeys([*self.known_filters, "after", "before"])),
                    "action_label": _("Remove filter")}  # fmt: skip
        create = self._with_scope(self.get_url(".create_view")) if self.may("create") else None
        return {
            "title": self.empty_title,
            "text": self.empty_text,
            "action_url": create,
            "action_label": self.create_label or _("Create"),
        }

    def _with_scope(self, url: str) -> str:
        return address(url, {"client": request.args.get("client")})

    # Forms

    def create_form(self, obj: Any = None) -> Any:
        form = super().create_form(obj)
        scope = self.scope()
        if scope is not None and "client" in form and request.method == "GET":
            form.client.data = db.session.get(Client, scope)
        return form

    def fields_allowed(self) -> set[str] | None:
        """The fields this person may change of a record; None for all of the form."""
        return None

    def validate_form(self, form: Any) -> bool:
        scope = self.scope()
        valid = bool(super().validate_form(form))
        if (
            valid
            and scope is not None
            and "client" in form
            and (form.client.data is None or form.client.data.id != scope)
        ):
            form.client.errors = [_("The client filter is on: choose that client, or remove the filter.")]
            return False
        return valid

    @expose("/new/", methods=("GET", "POST"))
    def create_view(self) -> ResponseReturnValue:
        """The form for a new record."""
        if not self.can_create:
            abort(403)
        form = self.create_form()
        if request.method == "POST" and self.validate_form(form):
            record = self.create_model(form)
            if record:
                flash(self.created_message(record), "success")
                return redirect(self.after_create(record))
        return self.render(self.create_template, **self.form_context(form, None))

    @expose("/edit/", methods=("GET", "POST"))
    def edit_view(self) -> ResponseReturnValue:
        """The form of a record."""
        if not self.can_edit:
            abort(403)
        self.hold()
        record = self.posted_or_404()
        if request.method == "POST":
            conflicts.take_choices(self, record.id)
        form = self.edit_form(obj=record)
        self.keep_allowed(form)
        changed = self._changed_by_others(form, record) if request.method == "POST" else []
        if request.method == "POST" and not changed and self.validate_form(form):
            if self.update_model(form, record):
                flash(_("Saved."), "success")
                return redirect(self.get_save_return_url(record))
            record = self.posted_or_404()
            changed = conflicts.find(self, form, record)
        context = self.form_context(form, record)
        if changed:
            context |= conflicts.context(changed, context["sections"])
        return self.render(self.edit_template, **context)

    def hold(self, name: str = "id") -> None:
        """Keep everybody else from changing the record of a form that was sent, until this request is through."""
        if request.method != "POST":
            return
        with suppress(ValueError):
            number = filters.whole_number(request.values.get(name, ""))
            statement = sa.select(self.model).where(self.pk == number).with_for_update(of=self.model)
            db.session.scalars(statement.execution_options(populate_existing=True)).first()

    def keep_allowed(self, form: Any) -> None:
        """Take out of the form what this person may not change."""
        allowed = self.fields_allowed()
        for name in [field.name for field in form]:
            if allowed is not None and name not in allowed and name != "csrf_token":
                del form[name]

    def unsent_form(self, form: Any, record: Any) -> Any:
        """A form like `form`, of the record as it is now and of nothing that was sent."""
        return type(form)(None, obj=record)

    def _changed_by_others(self, form: Any, record: Any) -> list[conflicts.Row]:
        """The fields that somebody else has changed since the form was opened, told over the form."""
        changed = conflicts.find(self, form, record)
        if changed:
            form.form_errors.append(self.changed_meanwhile())
        return changed

    def changed_meanwhile(self) -> str:
        return _("Somebody else has changed this record meanwhile. Look at it, then save again what you want to keep.")

    def get_save_return_url(self, model: Any, is_created: bool = False) -> str:
        return request.values.get("url") or f"{self.url}/details/?id={model.id}"

    def after_create(self, record: Any) -> str:
        return self.get_save_return_url(record, is_created=True)

    def created_message(self, record: Any) -> str:
        return _("Created.")

    def form_context(self, form: Any, record: Any) -> dict[str, Any]:
        """What templates/admin/form.html reads."""
        fields = [field.name for field in form if field.name != "csrf_token"]
        named = [name for _title, _help, names in self.form_sections(record) for name in names]
        sections = [
            {"title": title, "help": text, "fields": [name for name in names if name in form]}
            for title, text, names in self.form_sections(record)
        ]
        rest = [name for name in fields if name not in named]
        if rest:
            sections.append({"title": _("Other") if self.tabbed else "", "help": "", "fields": rest})
        return {
            "form": form,
            "sections": [section for section in sections if section["fields"]],
            "record": record,
            "page_title": self.row_title(record) if record is not None else (self.create_label or _("New record")),
            "crumb": (self.name, self.get_url(".index_view")),
            "submit_label": _("Save") if record is not None else _("Create"),
            "cancel_url": request.values.get("url") or self.get_url(".index_view"),
            "record_version": getattr(record, "row_version", ""),
            "seen": conflicts.seal(self, form, record) if record is not None else "",
            "tabbed": self.tabbed and record is not None,
            "show_when": self.show_when,
            "lookups": self.lookups(form),
        }

    def form_sections(self, record: Any) -> Sequence[tuple[Any, Any, Sequence[str]]]:
        return self.sections

    # Writing

    def create_model(self, form: Any) -> Any:
        return self._write(form, self._insert)

    def _insert(self, form: Any) -> Any:
        with db.session.no_autoflush:
            record = self.build_new_instance()
            form.populate_obj(record)
            db.session.add(record)
            self.on_model_change(form, record, True)
        db.session.flush()
        return record

    def update_model(self, form: Any, model: Any) -> bool:
        def change(form: Any) -> Any:
            version = getattr(model, "row_version", None)
            with db.session.no_autoflush:
                form.populate_obj(model)
                self.on_model_change(form, model, False)
                lists_changed = version is not None and versions.lists_changed(model)
            db.session.flush()
            if lists_changed and model.row_version == version:
                versions.step(model)
            return model

        return bool(self._write(form, change))

    def _write(self, form: Any, change: Callable[[Any], Any]) -> Any:
        """Carry out `change` and commit; what is refused becomes a message of the form, with nothing written."""
        try:
            record = change(form)
            db.session.commit()
        except OperationRefused as refusal:
            db.session.rollback()
            refuse(form, refusal)
            return False
        except StaleDataError:
            db.session.rollback()
            form.form_errors.append(self.changed_meanwhile())
            return False
        except IntegrityError:
            db.session.rollback()
            form.form_errors.append(self.conflict_message())
            return False
        return record

    def conflict_message(self) -> str:
        return _("This does not fit with what is there already: is there another with the same name?")

    # One record

    @expose("/details/")
    def details_view(self) -> ResponseReturnValue:
        """One record."""
        record = self.posted_or_404()
        return self.render(self.details_template, **self.details_context(record))

    def details_context(self, record: Any) -> dict[str, Any]:
        """What templates/admin/details.html reads."""
        names = self.column_details_list or self.column_list
        return {
            "record": record,
            "page_title": self.row_title(record),
            "crumb": (self.name, self.get_url(".index_view")),
            "groups": [{"title": "", "rows": [(self.label_of(name), self.cell(record, name)) for name in names]}],
            "edit_url": f"{self.url}/edit/?id={record.id}" if self.may("edit") else None,
            "delete_url": f"{self.url}/delete/?id={record.id}" if self.may("delete") else None,
        }

    @expose("/delete/", methods=("GET", "POST"))
    def delete_view(self) -> ResponseReturnValue:
        """Ask whether to delete a record, and delete it."""
        if not self.can_delete:
            abort(403)
        record = self.posted_or_404()
        if request.method == "POST":
            try:
                self.delete_record(record)
                db.session.commit()
                flash(_("Deleted."), "success")
                return redirect(self.get_url(".index_view"))
            except (OperationRefused, IntegrityError) as refusal:
                db.session.rollback()
                flash(getattr(refusal, "message", None) or _("This is still in use, so it cannot be deleted."), "error")
                return redirect(self.get_url(".index_view"))
        return self.render("admin/confirm.html", **self.delete_context(record))

    def delete_record(self, record: Any) -> None:
        db.session.delete(record)
        db.session.flush()

    def delete_context(self, record: Any) -> dict[str, Any]:
        return {
            "page_title": _("Delete"),
            "question": _("Delete %(name)s?", name=self.row_title(record)),
            "lines": [],
            "hidden": {"id": record.id},
            "verb": _("Delete"),
            "danger": True,
            "cancel_url": f"{self.url}/details/?id={record.id}",
        }

    def render(self, template: str, **context: Any) -> str:
        """Render with the admin's frame; of a page about one record, with who changed it last."""
        record = context.get("record")
        if record is not None and isinstance(record, self.model):
            context["audit_trail"] = self.audit_trail(record)
        return super().render(template, **context)

    def audit_trail(self, record: Any) -> dict[str, Any] | None:
        """Who changed the record last, and where its history stands, for those who may read the audit."""
        if not hasattr(self.model, "__audit__") or not current_user.may("audit.view"):
            return None
        last = audit.last_change(module=self.module, record_id=record.id)
        return {
            "url": f"/admin/audit/?module={self.module}&record_id={record.id}",
            "when": cells.show(last.at) if last else "",
            "who": cells.actor(last.actor) if last else "",
        }


class SearchColumns(Filter):
    """A part of one of several columns; a number is also looked for as the code."""

    def __init__(self, model: Any, names: Sequence[str]) -> None:
        super().__init__("search", _l("Search"))
        self.model = model
        self.names = names

    def condition(self, value: str) -> Any:
        likeness = [searching.part_of(self.model, self.names, searching.unmarked(value))]
        with suppress(ValueError):
            likeness.append(self.model.id == filters.whole_number(value.removeprefix("#")))
        return sa.or_(*likeness)


class OfDeletedClient(Number):
    """What is of one deleted client, by its code."""

    def condition(self, value: int) -> Any:
        return sa.and_(super().condition(value), ~deletion.is_of_the_living(self.column))


def of_deleted_clients(column: Any) -> list[Filter]:
    """The filters of a module of documents that ask for those of deleted clients, which no list shows otherwise."""
    return [
        Yes("deleted", _l("Of deleted clients"), lambda: ~deletion.is_of_the_living(column)),
        OfDeletedClient("deleted_client", _l("Code of a deleted client"), column),
    ]


def refuse(form: Any, refusal: OperationRefused) -> None:
    """Put what was refused beside the field it is about, else over the form."""
    if refusal.field and refusal.field in form:
        form[refusal.field].errors = [*form[refusal.field].errors, refusal.message]
    else:
        form.form_errors.append(refusal.message)

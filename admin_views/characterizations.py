"""Characterizations: what staff should know of a client at a glance."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from flask import abort, flash, redirect, request
from flask.typing import ResponseReturnValue
from flask_admin.base import expose
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_login import current_user
from markupsafe import Markup, escape

from admin_views import cells
from admin_views.base import ModuleView, needs
from admin_views.client_badges import named
from extensions import db
from forms.characterizations import CharacterizationForm
from models import Characterization
from operations import characterizations, filters
from operations.errors import OperationRefused

ICONS: dict[str, Any] = {
    "star": _l("star"), "heart": _l("heart"), "heart-handshake": _l("handshake"), "mood-smile": _l("smile"),
    "mood-neutral": _l("neutral face"), "mood-angry": _l("angry face"), "user": _l("person"), "user-check": _l("person with a tick"),
    "user-search": _l("person with a magnifier"), "user-off": _l("person struck out"), "users": _l("people"),
    "building": _l("building"), "building-community": _l("houses"), "briefcase": _l("briefcase"), "moneybag": _l("money bag"),
    "coins": _l("coins"), "credit-card": _l("card"), "cash": _l("banknotes"), "shield": _l("shield"),
    "shield-lock": _l("shield with a lock"), "lock": _l("lock"), "key": _l("key"), "eye": _l("eye"), "flag": _l("flag"),
    "bookmark": _l("bookmark"), "tag": _l("tag"), "pin": _l("pin"), "bell": _l("bell"), "clock": _l("clock"),
    "hourglass": _l("hourglass"), "alert-triangle": _l("warning triangle"), "alert-circle": _l("warning circle"),
    "alert-octagon": _l("stop sign"), "ban": _l("prohibition"), "gavel": _l("gavel"), "circle-check": _l("tick in a circle"),
    "circle-x": _l("cross in a circle"), "speakerphone": _l("loudspeaker"), "affiliate": _l("links"), "server": _l("server"),
    "world": _l("globe"), "tool": _l("tool"), "discount": _l("discount"), "chart-line": _l("rising line"),
}  # fmt: skip
COLORS: dict[str, Any] = {
    "secondary": _l("Grey"), "green": _l("Green"), "orange": _l("Amber"), "red": _l("Red"),
    "blue": _l("Blue"), "violet": _l("Violet"), "teal": _l("Teal"),
}  # fmt: skip


def icon_choices() -> list[tuple[str, Markup]]:
    """The icons, each as it looks, its name for who cannot see it and as a title."""
    return [(name, _icon(name)) for name in ICONS]


def _icon(name: str) -> Markup:
    picture = cells.ICON.format(cells.sprite(), name)
    words = escape(str(ICONS[name]))
    return Markup('<span class="looked-at" title="{}">{}<span class="visually-hidden">{}</span></span>').format(
        words, picture, words
    )


def color_choices() -> list[tuple[str, Markup]]:
    """The colours, each as the badge that has it."""
    return [(color, cells.badge("sample", str(label), icon="tag", color=color)) for color, label in COLORS.items()]


class CharacterizationsView(ModuleView):
    module = "characterizations"
    icon = "heart"
    create_label = _l("New characterization")
    create_template = edit_template = "admin/characterizations/form.html"
    column_list = ("id", "name", "code", "is_default")
    column_labels = {
        "id": _l("Code"), "name": _l("Name"), "code": _l("Word for badges"), "icon": _l("Icon"),
        "color": _l("Colour"), "is_default": _l("For new clients"),
    }  # fmt: skip
    form_columns = ("name", "icon", "color", "code")
    searched = ("name", "code")
    sortable = ("id", "name")
    title_column = "name"

    def row_title(self, row: Any) -> str:
        return named(row)

    def cell(self, row: Any, name: str) -> Any:
        if name == "name":
            return cells.badge(row.code, named(row), icon=row.icon, color=row.color)
        return super().cell(row, name)

    def create_form(self, obj: Any = None) -> Any:
        return self._form(None, self._typed())

    def edit_form(self, obj: Any = None) -> Any:
        return self._form(obj, self._typed())

    def _typed(self) -> Any:
        return request.form if request.method == "POST" else None

    def unsent_form(self, form: Any, record: Any) -> Any:
        return self._form(record, None)

    def _form(self, obj: Any, typed: Any) -> Any:
        form = CharacterizationForm(typed, obj=obj, icons=icon_choices(), colors=color_choices())
        form.form_errors = []
        return form

    def validate_form(self, form: Any) -> bool:
        return bool(form.validate())

    def form_sections(self, record: Any) -> Any:
        return (
            (_("Badge"), _("An icon and a word, wherever the client stands."), ("name", "icon", "color")),
            (_("For files"), "", ("code",)),
        )

    def on_model_change(self, form: Any, model: Characterization, is_created: bool) -> None:
        characterizations.check(model)

    def details_context(self, record: Characterization) -> dict[str, Any]:
        """The badge, who has it, and the way to make it the one for new clients."""
        context = super().details_context(record)
        use = characterizations.use_of(record)
        rows = [(self.label_of(name), self.cell(record, name)) for name in ("name", "code", "is_default")]
        clients: Any = use.living
        if use.living and current_user.may("clients.view"):
            clients = Markup('<a href="{}">{}</a>').format(self._list_of(record), use.living)
        context["groups"] = [{"title": "", "rows": [*rows, (_("Clients"), clients)]}]
        if self.may("edit") and not record.is_default:
            context["actions"] = [
                {
                    "label": _("Give it to new clients"), "icon": "user-plus", "method": "post",
                    "url": f"{self.url}/default/",
                    "fields": {"id": record.id, "instead_of": self._default().id},
                }
            ]  # fmt: skip
        return context

    def _default(self) -> Characterization:
        return db.session.scalars(sa.select(Characterization).where(Characterization.is_default)).one()

    def _list_of(self, record: Characterization) -> str:
        return f"/admin/clients/?characterization={record.id}"

    @expose("/default/", methods=("POST",))
    @needs("characterizations.edit")
    def make_default(self) -> ResponseReturnValue:
        """Have new clients get this one."""
        record = self.posted_or_404()
        try:
            instead_of = filters.whole_number(request.form.get("instead_of", ""))
        except ValueError:
            abort(400)
        try:
            characterizations.make_default(record, instead_of=instead_of)
            db.session.commit()
            flash(_("New clients get «%(name)s» from now on.", name=named(record)), "success")
        except OperationRefused as refusal:
            db.session.rollback()
            flash(refusal.message, "error")
        return redirect(f"{self.url}/details/?id={request.form['id']}")

    @expose("/delete/", methods=("GET", "POST"))
    def delete_view(self) -> ResponseReturnValue:
        """Ask whether to delete it, and delete it; of one in use, say by how many clients and lead to them."""
        record = self.posted_or_404()
        use = characterizations.use_of(record)
        if not use.all:
            return super().delete_view()
        if request.method == "POST":
            flash(str(use), "error")
            return redirect(f"{self.url}/delete/?id={record.id}")
        return self.render(
            "admin/characterizations/in_use.html",
            page_title=_("Delete a characterization"),
            badge={"code": record.code, "label": named(record), "icon": record.icon, "color": record.color},
            message=str(use),
            clients_url=self._list_of(record) if use.living and current_user.may("clients.view") else None,
            cancel_url=f"{self.url}/details/?id={record.id}",
        )

    def delete_record(self, record: Characterization) -> None:
        characterizations.delete(record)

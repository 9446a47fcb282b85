"""Look-ups: a few records whose code or words begin to be typed, for fields that choose among very many."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import sqlalchemy as sa
from flask import Response, abort, g, jsonify, request
from flask_admin.base import expose
from flask_login import current_user

from extensions import db
from forms.fields import LookupField
from models import Account, Client, Invoice, Payer, Service, Ticket
from operations import client_filters, deletion, filters

MOST_FOUND = 20


class LookupPages:
    """Adds `…/ajax/lookup/?name=FIELD&query=TEXT`, which answers [[id, label], …]."""

    def lookups(self, form: Any) -> dict[str, tuple[str, str]]:
        """For each field of the form that is looked up: the address, and the label of what stands in it."""
        return {
            field.name: (f"{self.url}/ajax/lookup/?name={field.name}", label_of(field.data))  # type: ignore[attr-defined]
            for field in form
            if isinstance(field, LookupField)
        }

    @expose("/ajax/lookup/")
    def ajax_lookup(self) -> Response:
        """Records that the field could name: at most twenty, only what this person may see."""
        field = self._form_field(request.args.get("name", ""))
        query = request.args.get("query", "").strip()[: filters.LONGEST_TEXT]
        if field is None or "\0" in query:
            abort(404)
        if not current_user.may(f"{MODULE_OF.get(field.model, 'clients')}.view"):
            abort(403)
        return jsonify([[row.id, label_of(row)] for row in self._found(field.model, query)])

    def _form_field(self, name: str) -> Any:
        """The field of that name which looks records up, in the form for a new record or in that of one there is."""
        for form in (self.create_form(), self.edit_form()):  # type: ignore[attr-defined]
            field = form._fields.get(name)
            if isinstance(field, LookupField):
                return field
        return None

    def _found(self, model: Any, query: str) -> list[Any]:
        """The record whose code was typed stands first, then what has the words, the newest first."""
        statement = sa.select(model).order_by(model.id.desc()).limit(MOST_FOUND)
        if model is Client:
            statement = statement.where(Client.deleted_at.is_(None))
        else:
            statement = statement.where(deletion.is_of_the_living(model.client_id))
        scope = g.get("client_scope")
        if scope is not None:
            statement = statement.where((model.id if model is Client else model.client_id) == scope)
        exact: list[Any] = []
        if query:
            with suppress(ValueError):
                number = filters.whole_number(query.removeprefix("#"))
                exact = list(db.session.scalars(statement.where(model.id == number)))
            statement = statement.where(_matches(model, query))
        others = [row for row in db.session.scalars(statement) if row not in exact]
        return [*exact, *others][:MOST_FOUND]


MODULE_OF = {Client: "clients", Service: "services", Ticket: "tickets", Account: "accounts", Invoice: "invoices",
             Payer: "payers"}  # fmt: skip
WORDS = {Service: Service.name, Ticket: Ticket.subject, Invoice: Invoice.number, Payer: Payer.name,
         Account: Account.currency}  # fmt: skip


def _matches(model: Any, query: str) -> Any:
    if model is Client:
        return client_filters.FILTERS["search"].condition(query)
    return sa.func.lower(WORDS[model]).contains(query.lower(), autoescape=True)


def label_of(record: Any) -> str:
    if record is None:
        return ""
    extra = f" ({record.owner_username})" if isinstance(record, Client) and record.owner_username else ""
    return f"#{record.id} {record}{extra}"

"""The audit in words: what fields, values, modules and actions are called by people.

An event keeps the names of columns and the ids of records as they are in the tables, so that it can be read
by programs as well. Here they become «E-mail: a@x → b@x» and «Characterization: Ordinary → Good».
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import sqlalchemy as sa
from flask import current_app
from flask_babel import get_locale, lazy_pgettext, ngettext
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from markupsafe import Markup, escape

import models
from admin_views import cells, features
from config import LANGUAGES
from extensions import Labelled, LabelledEnum, Money, UTCDateTime, db
from models import AuditEvent
from operations import countries, custom_fields, custom_values, filters, settings

# What columns are called where the module's list does not say it; a reference is found without its `_id`.
FIELDS: dict[str, Any] = {
    "account": _l("Account"), "action": _l("Action"), "affiliate_program": _l("Affiliate program"),
    "amount": _l("Amount"), "assignee": _l("Assignee"), "attach_to_email": _l("Attach files to the e-mail"),
    "author": _l("Author"), "auto_renew": _l("Renewed automatically"), "category": _l("Category"),
    "characterization": _l("Characterization"), "characterization_at": _l("Characterized at"),
    "characterization_by": _l("Characterized by"), "characterization_reason": _l("Reason for the characterization"),
    "choices": _l("Choices"), "client": _l("Client"), "client_read_at": _l("Read by the client"),
    "client_user": _l("User"), "clients": _l("Clients"), "code": _l("Word for programs"), "color": _l("Colour"),
    "comment": _l("Comment"), "company_name": _l("Company name"), "contact_person": _l("Contact person"),
    "country": _l("Country"), "count": _l("How many"), "counts": _l("Counts"), "created_at": _l("Created"),
    "credit_limit": _l("Credit limit"), "currency": _l("Currency"), "custom": _l("Custom fields"),
    "deadline": _l("Deadline"), "erased_at": _l("Erased"), "removed": _l("Rows removed"), "kept": _l("Rows kept"),
    "merged_into": _l("Merged into"), "merged_client": _l("Merged with"), "default_language": _l("Default language"), "deleted_at": _l("Deleted"),
    "description": _l("Description"), "digest": _l("Checksum"), "done_at": _l("Done"), "due_on": _l("Due"),
    "email": _l("E-mail"), "end_reason": _l("Why it ended"), "ends_on": _l("To"), "executed_at": _l("Executed"),
    "expires_at": _l("Until"), "external_id": _l("Key in the source"), "external_source": _l("Source"),
    "failures_in_a_row": _l("Failures in a row"), "file_name": _l("File"), "filter": _l("Filter"), "filter_description": _l("Recipients in words"),
    "finished_at": _l("Finished"), "forbid_replies": _l("Forbid replies"), "format": _l("Format"),
    "full_name": _l("Full name"), "given_at": _l("Given"), "group": _l("Group"), "groups": _l("Groups"),
    "hold_suspension_until": _l("Not suspended until"), "icon": _l("Icon"), "id": _l("Code"),
    "idempotency_key": _l("Key of the form"), "import_batch": _l("Import"), "invoice": _l("Invoice"),
    "is_active": _l("Active"), "is_default": _l("Default"), "is_enabled": _l("On"), "is_news": _l("News"),
    "is_owner": _l("Owner"), "is_pinned": _l("Pinned"), "is_required": _l("Required"),
    "is_shared": _l("Shared with all"), "is_violation": _l("Violation"), "issued_on": _l("Issued"),
    "kind": _l("Kind"), "label": _l("Label"), "language": _l("Language"), "legal_address": _l("Legal address"),
    "legal_status": _l("Status"), "letters": _l("Letters"), "mailing": _l("Mailing"), "method": _l("Method"),
    "move_to_sender": _l("Move ticket to me on reply"), "must_change_password": _l("Password for one login"),
    "made_groups": _l("Groups that it made"), "undone": _l("What was taken back"),
    "name": _l("Name"), "note": _l("Note"), "number": _l("Number"), "opened_at": _l("Opened"),
    "owner": _l("Owner"), "paid_at": _l("Paid"), "parameters": _l("Conditions"), "path": _l("Page"),
    "pause_reason": _l("Why it paused"), "payer": _l("Payer"), "percent": _l("Percent"), "period": _l("Period"), "period_from": _l("Period from"),
    "period_to": _l("Period to"), "permission": _l("Right"), "permissions": _l("Permissions"), "phone": _l("Phone"),
    "points": _l("Penalty points"), "postal_address": _l("Postal address"), "posted_at": _l("Posted"),
    "price": _l("Price"), "product": _l("Product"), "project": _l("Project"), "projects": _l("Available projects"),
    "held_at": _l("Held"), "waiting": _l("Waited"), "dropped": _l("Not done again"),
    "old_letters": _l("Letters from before"), "old_mailings": _l("Mailings from before"), "mailings": _l("Mailings"),
    "recipients": _l("Recipients"), "deadlines": _l("Deadlines"), "services": _l("Services"), "reminders": _l("Reminders"),
    "incoming": _l("Incoming letters"), "erasures": _l("Clients to be erased"), "released_at": _l("Released"), "reminded_at": _l("Reminded"),
    "limit_crossed_at": _l("Over the limit of points"), "limit_executed_at": _l("Stopped over the limit of points"),
    "stopped": _l("Stopped services"), "resumed": _l("Services that run again"), "seconds": _l("Seconds"),
    "reason": _l("Reason"), "recipients_count": _l("Recipients"), "reference": _l("Reference in letters"),
    "referral_source": _l("How the client heard about us"), "referrer": _l("Brought by"),
    "registered_at": _l("Registered"), "registration_ip": _l("Registration address"),
    "registration_reason_code": _l("Registration reason code"), "remind_at": _l("Reminder"),
    "replies_allowed": _l("Replies allowed"), "responsible_role": _l("Responsible role"),
    "responsible_staff": _l("Responsible staff member"), "role": _l("Role"), "seed": _l("Seed"),
    "selection": _l("Selection"), "send_email": _l("Send as e-mail"), "sender": _l("Sender"),
    "service": _l("Service"), "sessions": _l("Sessions"), "show_in_list": _l("In the list"),
    "show_to_client": _l("Shown to the client"), "source": _l("Source"), "staff": _l("Staff member"),
    "started_at": _l("Started"), "starts_at": _l("Starts"), "starts_on": _l("From"), "status": _l("State"),
    "stored_name": _l("Stored file"), "strict_language": _l("Strict language match"), "subject": _l("Subject"),
    "support_email": _l("Sender of letters"), "suspended_by_violation": _l("Suspended by the violation"),
    "suspension_reason": _l("Why it is suspended"), "tax": _l("Tax number"), "text": _l("Text"),
    "ticket": _l("Ticket"), "time_zone": _l("Time zone"), "type": _l("Type"), "undone_at": _l("Taken back"),
    "updated_at": _l("Changed"), "user": _l("User"), "username": _l("Username"), "value": _l("Value"),
    "verified_phone": _l("Verified phone"), "violation": _l("Violation"),
    "violation_parameters": _l("Parameters of the violation"), "website": _l("Website"), "why": _l("Why"),
    "withdrawn_at": _l("Withdrawn"),
}  # fmt: skip

ACTIONS: dict[str, Any] = {
    "create": lazy_pgettext("audit", "created"), "edit": lazy_pgettext("audit", "changed"), "delete": lazy_pgettext("audit", "deleted"), "restore": lazy_pgettext("audit", "restored"),
    "login": lazy_pgettext("audit", "logged in"), "logout": lazy_pgettext("audit", "logged out"), "denied": lazy_pgettext("audit", "was refused"),
    "login_as": lazy_pgettext("audit", "logged in as the client"), "login_as_return": lazy_pgettext("audit", "left the client's panel"),
    "login_as_expired": lazy_pgettext("audit", "the time in the client's panel ended"), "forced_end": lazy_pgettext("audit", "had to leave the client's panel"),
    "login_as_allow_changes": lazy_pgettext("audit", "allowed changes in the client's panel"),
    "login_as_request": lazy_pgettext("audit", "sent a form in the client's panel"), "login_as_denied": lazy_pgettext("audit", "was refused in the client's panel"),
    "login_as_refused": lazy_pgettext("audit", "was not let into the client's panel"), "sessions_ended": lazy_pgettext("audit", "ended sessions"),
    "password_reset_requested": lazy_pgettext("audit", "asked for a link to set the password"),
    "password_link_made": lazy_pgettext("audit", "got a link to set the password"), "password_reset": lazy_pgettext("audit", "set the password by a link"),
    "password_set": lazy_pgettext("audit", "set a password for one login"), "totp_reset": lazy_pgettext("audit", "reset the second factor"),
    "password_changed": lazy_pgettext("audit", "changed the password"), "email_change_requested": lazy_pgettext("audit", "asked for another e-mail"),
    "reply": lazy_pgettext("audit", "answered"), "note": lazy_pgettext("audit", "wrote an internal note"),
    "export": lazy_pgettext("audit", "exported"), "import": lazy_pgettext("audit", "imported"), "demo": lazy_pgettext("audit", "filled with demo data"),
    "retry": lazy_pgettext("audit", "tried failed letters again"), "add_group": lazy_pgettext("audit", "added to a group"),
    "remove_group": lazy_pgettext("audit", "removed from a group"), "remove_project": lazy_pgettext("audit", "no longer open to the client, as it was removed"), "set_characterization": lazy_pgettext("audit", "set the characterization"),
    "set_project": lazy_pgettext("audit", "set the project"), "set_language": lazy_pgettext("audit", "set the language"),
    "note_add": lazy_pgettext("audit", "added a note"), "note_edit": lazy_pgettext("audit", "changed a note"), "note_delete": lazy_pgettext("audit", "removed a note"),
    "login_failed": lazy_pgettext("audit", "failed to log in"), "case_file": lazy_pgettext("audit", "saved the case file"),
    "erase": lazy_pgettext("audit", "erased"), "merge": lazy_pgettext("audit", "merged"),
    "undo_merge": lazy_pgettext("audit", "took a merging back"),
    "execute": lazy_pgettext("audit", "carried out"), "extend": lazy_pgettext("audit", "gave more time"),
    "resolve": lazy_pgettext("audit", "resolved"), "cancel": lazy_pgettext("audit", "cancelled"),
    "release": lazy_pgettext("audit", "confirmed what was held"), "trip": lazy_pgettext("audit", "held what was due"),
    "untrip": lazy_pgettext("audit", "ended the holding"), "suspend": lazy_pgettext("audit", "stopped"),
    "resume": lazy_pgettext("audit", "let run again"),
    "hold_desk": lazy_pgettext("audit", "held the desk"), "release_desk": lazy_pgettext("audit", "let the desk go on"),
    "undo": lazy_pgettext("audit", "took a bulk change back"), "undo_import": lazy_pgettext("audit", "took an import back"),
    "assign_letter": lazy_pgettext("audit", "put a letter that came in into a ticket"), "retry_letter": lazy_pgettext("audit", "had a letter handled again"),
    "put_aside": lazy_pgettext("audit", "put a letter aside"),
}  # fmt: skip

# Where the names of records stand, for those that events refer to.
NAMES: dict[Any, str] = {
    models.Role: "name", models.Staff: "username", models.Project: "name", models.Characterization: "name",
    models.AffiliateProgram: "name", models.ClientGroup: "name", models.Client: "name",
    models.ClientUser: "username", models.Payer: "name", models.Product: "name", models.Service: "name",
    models.Invoice: "number", models.Payment: "number", models.Act: "number", models.TicketCategory: "name",
    models.ResponseTemplate: "name", models.Mailing: "subject", models.Ticket: "subject",
    models.CustomField: "label", models.ImportBatch: "file_name", models.Setting: "code", models.Feature: "code",
}  # fmt: skip
LONGEST_IN_LIST = 120
# How many fields of a new or removed record the list shows; of a change it shows nearly all.
FIELDS_IN_LIST = 5
CHANGES_IN_LIST = 15
Key = tuple[Any, int]


def module_name(module: str) -> str:
    """The module as the menu calls it."""
    view = current_app.extensions["desk_views"].get(module)
    return str(view.name) if view is not None else module


def action_name(action: str) -> str:
    return str(ACTIONS.get(action, action.replace("_", " ")))


def field_name(module: str, field: str) -> str:
    """The column as its module calls it, else as it is called in general."""
    if module == "clients" and (custom := custom_fields.named(field)):
        return custom.label
    view = current_app.extensions["desk_views"].get(module)
    plain = field.removesuffix("_id")
    own = getattr(view, "column_labels", None) or {}
    label = own.get(field) or own.get(plain) or FIELDS.get(field) or FIELDS.get(plain)
    return str(label) if label else field.replace("_", " ").capitalize()


def all_modules() -> list[str]:
    """The modules under which events can stand."""
    return sorted(_tables())


def audited(module: str) -> list[Any]:
    """The tables whose changes stand under the module: its own first, then those of parts of its records."""
    return _tables().get(module, [])


def _tables() -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = defaultdict(list)
    for mapper in db.Model.registry.mappers:
        if module := getattr(mapper.class_, "__audit__", None):
            found[module].append(mapper.class_)
    for tables in found.values():
        tables.sort(key=lambda table: (hasattr(table, "__audit_of__"), table.__name__))
    return found


class Words:
    """Some events in words. The names of all records that they mention are asked for with one statement."""

    def __init__(self, events: Sequence[AuditEvent]) -> None:
        self._tables = _tables()
        self._by_table = {model.__tablename__: model for model in NAMES}
        self._names = self._find(set(self._mentioned(events)))

    def record(self, event: AuditEvent) -> Markup:
        """Which record the event is about, as a link where there is a page of it."""
        if event.record_id is None:
            return Markup("")
        text = self.named(event)
        if event.module == "settings" or event.module not in current_app.extensions["desk_views"]:
            return escape(text)
        return Markup('<a href="/admin/{}/details/?id={}">{}</a>').format(event.module, event.record_id, text)

    def named(self, event: AuditEvent) -> str:
        """What the record of the event is called."""
        if event.record_id is None:
            return ""
        model = next(iter(self._tables.get(event.module, [])), None)
        return f"#{event.record_id} {self._names.get((model, event.record_id), '')}".strip()

    def changes(self, event: AuditEvent) -> list[tuple[str, str | None, str]]:
        """(field, before, after) in words; before is None where there was nothing before."""
        return [self.change(event, field) for field in dict.fromkeys([*event.before, *event.after])]

    def change(self, event: AuditEvent, field: str) -> tuple[str, str | None, str]:
        """One field of an event: (what it is called, before, after)."""
        return (
            field_name(event.module, field),
            self.value(event.module, field, event.before[field]) if field in event.before else None,
            self.value(event.module, field, event.after.get(field)),
        )

    def text(self, event: AuditEvent) -> str:
        """The changes of an event as one text, whole."""
        return "; ".join(
            f"{field}: {after}" if before is None else f"{field}: {before} → {after}"
            for field, before, after in self.changes(event)
        )

    def line(self, event: AuditEvent) -> Markup:
        """The changes of an event, one below the other, each shortened; of very many the first."""
        changes = [each for each in self.changes(event) if each[0] != field_name(event.module, "id")]
        lines = [
            Markup("{}: {}").format(field, short(after))
            if before is None
            else Markup("{}: {} → {}").format(field, short(before), short(after))
            for field, before, after in changes[: CHANGES_IN_LIST if event.before and event.after else FIELDS_IN_LIST]
        ]
        if left := len(changes) - len(lines):
            lines.append(escape(ngettext("and %(num)s more field", "and %(num)s more fields", left)))
        return Markup('<div class="said">{}</div>').format(Markup("<br>").join(lines)) if lines else Markup("")

    def value(self, module: str, field: str, value: Any) -> str:
        """A value of the event in words: names for ids, labels for what is chosen, days and amounts as usual."""
        if value in (None, "", [], {}):
            return "—"
        if isinstance(value, list) and (model := self._many(module, field)):
            return ", ".join(self._named(model, number) for number in value)
        if model := self._one(module, field):
            return self._named(model, value)
        if isinstance(value, bool):
            return str(cells.show(value))
        if isinstance(value, dict):
            return "; ".join(f"{_key(key)}: {self.value(module, '', each)}" for key, each in value.items())
        if isinstance(value, list):
            return ", ".join(map(str, value))
        return self._typed(module, field, value)

    def _typed(self, module: str, field: str, value: Any) -> str:
        if module == "clients" and (custom := custom_fields.named(field)):
            return custom_values.shown(custom, value)
        if (module, field) == ("settings", "reason"):
            return str(models.HoldReason(value).label)
        if field == "country":
            return countries.name(str(value))
        if field == "kind" and str(value) in CASE_FILES:
            return str(CASE_FILES[str(value)])
        if field == "end_reason":
            return str(END_REASONS.get(str(value), value))
        kind = self._type(module, field)
        try:
            return str(_as(kind, value))
        except (ValueError, InvalidOperation):
            return str(value)

    # Tables and their columns

    def _column(self, module: str, field: str) -> Any:
        for table in self._tables.get(module, []):
            attribute = sa.inspect(table).column_attrs.get(field)
            if attribute is not None:
                return attribute.columns[0]
        return None

    def _type(self, module: str, field: str) -> Any:
        column = self._column(module, field)
        return None if column is None else column.type

    def _one(self, module: str, field: str) -> Any:
        """The table that the field refers to, None where it refers to nothing."""
        column = self._column(module, field)
        if column is None:
            return models.ClientUser if (module, field) == ("clients", "user") else None
        return next((self._by_table.get(key.column.table.name) for key in column.foreign_keys), None)

    def _many(self, module: str, field: str) -> Any:
        """The table of the many that the field refers to."""
        for table in self._tables.get(module, []):
            relation = sa.inspect(table).relationships.get(field)
            if relation is not None and relation.secondary is not None:
                return relation.mapper.class_
        return None

    # Names

    def _mentioned(self, events: Sequence[AuditEvent]) -> Iterable[Key]:
        for event in events:
            for table in self._tables.get(event.module, [])[:1]:
                if event.record_id is not None and table in NAMES:
                    yield table, event.record_id
            for values in (event.before, event.after):
                for field, value in values.items():
                    model = self._many(event.module, field) or self._one(event.module, field)
                    if model in NAMES:
                        numbers = value if isinstance(value, list) else [value]
                        yield from ((model, number) for number in numbers if _is_id(number))

    def _find(self, keys: set[Key]) -> dict[Key, str]:
        wanted: dict[Any, list[int]] = defaultdict(list)
        for model, number in sorted(keys, key=lambda key: (key[0].__name__, key[1])):
            wanted[model].append(number)
        order = list(wanted)
        parts = [
            sa.select(sa.literal(position), model.id, sa.cast(getattr(model, NAMES[model]), sa.Text)).where(
                model.id.in_(wanted[model])
            )
            for position, model in enumerate(order)
        ]
        if not parts:
            return {}
        found = db.session.execute(sa.union_all(*parts)).all()
        names = {(order[position], number): _in_words(order[position], text) for position, number, text in found}
        gone = keys - names.keys()
        return names | _last_names(gone) if gone else names

    def _named(self, model: Any, number: Any) -> str:
        return self._names.get((model, number)) or f"#{number}"


CASE_FILES = {"dispute": _l("For a dispute"), "client": _l("For the client")}
END_REASONS: dict[str, Any] = {
    "return": _l("went back"), "replaced": _l("went to another client"), "logged_out": _l("logged out"),
    "expired": _l("the time was over"), "staff_disabled": _l("the staff member was disabled"),
    "right_lost": _l("the right was taken away"), "staff_session_ended": _l("the staff member's session ended"),
    "client_deleted": _l("the client was deleted"), "user_blocked": _l("the user was blocked"),
    "switched_off": _l("login as a client was switched off"), "password_set": _l("staff set another password"),
    "totp_reset": _l("staff reset the second factor"), "user_removed": _l("the user was removed"),
}  # fmt: skip


def _last_names(keys: set[Key]) -> dict[Key, str]:
    """What records that are gone were called, by the events of their removal."""
    modules = {model.__audit__: model for model, _number in keys if hasattr(model, "__audit__")}
    wanted = [(model.__audit__, number) for model, number in keys if hasattr(model, "__audit__")]
    event = models.AuditEvent
    rows = db.session.execute(
        sa.select(event.module, event.record_id, event.before).where(
            sa.tuple_(event.module, event.record_id).in_(wanted), event.action == "delete"
        )
    )
    found: dict[Key, str] = {}
    for module, number, before in rows:
        model = modules[module]
        if name := before.get(NAMES[model]):
            found[model, number] = _in_words(model, json.dumps(name) if isinstance(name, dict) else str(name))
    return found


def short(text: str) -> str:
    return text if len(text) <= LONGEST_IN_LIST else text[: LONGEST_IN_LIST - 1] + "…"


def _as(kind: Any, value: Any) -> Any:
    """`value`, as JSON keeps it, shown as its column's kind is."""
    if isinstance(kind, Labelled):
        member: LabelledEnum = kind.kind(value)
        return member.label
    if isinstance(kind, UTCDateTime):
        return cells.show(datetime.fromisoformat(value))
    if isinstance(kind, sa.Date):
        return cells.show(date.fromisoformat(value))
    if isinstance(kind, Money):
        return cells.show(Decimal(str(value)))
    return value


def _in_words(model: Any, text: str) -> str:
    """A name as it is kept; of those kept per language, that of the reader."""
    if model in {models.TicketCategory, models.Mailing}:
        by_language = json.loads(text)
        return by_language.get(str(get_locale() or "en")) or next((name for name in by_language.values() if name), "")
    if model is models.Setting:
        return str(settings.KINDS[text].label) if text in settings.KINDS else text
    if model is models.Feature:
        return str(features.NAMES.get(text, text))
    if model is models.Role:
        return str(models.ROLES_OF_A_NEW_DESK.get(text, text))
    return _(text) if model is models.Characterization and text in {"Ordinary", "Good", "Conflict"} else text


def _key(name: Any) -> str:
    return str(LANGUAGES.get(name) or FIELDS.get(name) or name)


def _is_id(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= filters.LARGEST_ID

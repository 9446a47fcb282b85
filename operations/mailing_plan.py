"""The send plan: who gets a message, in which language, and who does not, and why.

What is shown before the sending and what is frozen at its confirmation are the same statement.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from flask import current_app
from flask_babel import gettext as _

from config import LANGUAGES
from extensions import db
from models import Client, ClientUser, Consent, Project, RecipientOutcome, Selection, Staff, TicketCategory
from operations import macros
from operations.bulk import among
from operations.macros import Addressee
from operations.violations import Parameters

LONGEST_SUBJECT = 200
LONGEST_TEXT = 100_000
SHOWN_NAMES = 20
# They read the message in their panel all the same; only the letter is left out.
WITHOUT_LETTER = ("no_address", "unsubscribed")


@dataclass(frozen=True)
class Draft:
    """A message as it was written. `subject` and `text` are per language."""

    category: TicketCategory | None
    subject: Mapping[str, str]
    text: Mapping[str, str]
    forbid_replies: bool = False
    move_to_sender: bool = False
    strict_language: bool = False
    send_email: bool = True
    attach_to_email: bool = False
    skip_suspended: bool = False
    violation: Parameters | None = None

    @property
    def languages(self) -> list[str]:
        """The languages that have a subject and a text; all of them while nothing is written yet."""
        filled = [code for code in LANGUAGES if self.subject.get(code) and self.text.get(code)]
        begun = any(self.subject.values()) or any(self.text.values())
        return filled if begun else list(LANGUAGES)

    @property
    def used_macros(self) -> list[macros.Macro]:
        return macros.used([*self.subject.values(), *self.text.values()])


@dataclass(frozen=True)
class Line:
    """One sentence of the plan: how many clients it is about, and who the first of them are."""

    code: str
    label: str
    count: int
    names: list[tuple[int, str]] = field(default_factory=list)


@dataclass(frozen=True)
class Plan:
    """`selected` counts what was asked for; `tickets` and `letters` who gets them; `lines` who does not."""

    selected: int
    by_language: list[tuple[str, int]]
    tickets: int
    letters: int
    lines: list[Line]
    empty_macros: list[Line]


def problems(draft: Draft) -> dict[str, str]:
    """What keeps the message from being sent: form field -> what is wrong with it."""
    found: dict[str, str] = {}
    for code in LANGUAGES:
        subject, text = draft.subject.get(code, ""), draft.text.get(code, "")
        if text and not subject:
            found[f"subject_{code}"] = _("The text in this language has no subject.")
        if subject and not text:
            found[f"text_{code}"] = _("The subject in this language has no text.")
        found |= _problems_of_one(f"subject_{code}", subject, LONGEST_SUBJECT, one_line=True)
        found |= _problems_of_one(f"text_{code}", text, LONGEST_TEXT)
    if not any(draft.subject.values()) and not any(draft.text.values()):
        first = next(iter(LANGUAGES))
        found[f"subject_{first}"] = found[f"text_{first}"] = _("Write the message in at least one language.")
    if draft.category is None:
        found["category"] = _("Choose a category.")
    return found


def _problems_of_one(name: str, value: str, longest: int, *, one_line: bool = False) -> dict[str, str]:
    if len(value) > longest:
        return {name: _("No more than %(count)s characters.", count=longest)}
    if one_line and macros.LINE_ENDS.search(value):
        return {name: _("A subject is one line of text.")}
    if unknown := macros.unknown(value):
        return {name: _("There is no macro %(macro)s.", macro=", ".join(unknown))}
    return {}


def recipients(draft: Draft, clients: sa.Select[Any]) -> sa.Select[Any]:
    """(client_id, user_id, language, reason) of each of `clients`: the reason is '' for who gets it all.

    The language is that of the text he gets; where there is none for him, his own.
    """
    language = _language(draft)
    return (
        sa.select(
            Client.id.label("client_id"),
            ClientUser.id.label("user_id"),
            sa.func.coalesce(language, _plain(Client.language)).label("language"),
            _reason(draft, language).label("reason"),
        )
        .join(Project, Project.id == Client.project_id)
        .outerjoin(ClientUser, (ClientUser.client_id == Client.id) & ClientUser.is_owner)
        .where(Client.id.in_(clients), Client.deleted_at.is_(None))
    )


def who_gets_it(draft: Draft, clients: sa.Select[Any]) -> sa.Select[Any]:
    """The ids of those of `clients` who get the message, by letter or in the panel alone."""
    rows = recipients(draft, clients).subquery()
    return sa.select(rows.c.client_id).where(rows.c.reason.in_(["", *WITHOUT_LETTER]))


def outcome_of(reason: Any) -> sa.Case[Any]:
    return sa.case((reason == "", RecipientOutcome.QUEUED.value), else_=RecipientOutcome.SKIPPED.value)


def unsubscribed() -> sa.ColumnElement[bool]:
    """Whether the client's owner user has taken back his consent to news; for statements with ClientUser."""
    later = (Consent.given_at.is_(None)) | (Consent.withdrawn_at >= Consent.given_at)
    return (
        sa.exists()
        .where(
            Consent.client_user_id == ClientUser.id,
            Consent.kind == "news",
            Consent.withdrawn_at.is_not(None),
            later,
        )
        .correlate(ClientUser)
    )


def deleted_in(selection: Selection) -> sa.Select[Any]:
    """The ids of clients that were ticked and are deleted."""
    ticked = among(db.session.connection(), Client.id, selection.ids or [])
    return sa.select(Client.id).where(ticked, Client.deleted_at.is_not(None))


def plan(draft: Draft, clients: sa.Select[Any], *, selection: Selection | None = None) -> Plan:
    """Count who gets the message and who does not. A fixed number of statements, however many clients."""
    rows = recipients(draft, clients).subquery()
    counts = db.session.execute(
        sa.select(rows.c.language, rows.c.reason, sa.func.count()).group_by(rows.c.language, rows.c.reason)
    ).all()
    gets = [(language, reason, count) for language, reason, count in counts if reason in {"", *WITHOUT_LETTER}]
    by_language = {code: sum(count for language, _r, count in gets if language == code) for code in LANGUAGES}
    lines = [
        Line(reason, label, count, _names(sa.select(rows.c.client_id).where(rows.c.reason == reason)))
        for reason, label in reasons().items()
        if (count := sum(count for _l, found, count in counts if found == reason))
    ]
    return Plan(
        selected=sum(count for _l, _r, count in counts),
        by_language=[(code, count) for code, count in by_language.items() if count],
        tickets=sum(by_language.values()),
        letters=sum(count for _l, reason, count in gets if not reason) if draft.send_email else 0,
        lines=lines + (_lines_of_selection(selection) if selection else []),
        empty_macros=_empty_macros(draft, rows),
    )


def reasons() -> dict[str, str]:
    """Why somebody gets no message, or no letter, in words."""
    return {
        "no_text": _("no text in their language"),
        "suspended": _("all services are suspended"),
        "no_address": _("no e-mail address: the message waits in the panel"),
        "unsubscribed": _("unsubscribed from news: the message waits in the panel"),
        "deleted": _("deleted"),
        "twice": _("twice in the selection: written to once"),
    }


def addressee(draft: Draft, clients: sa.Select[Any], *, position: int, staff: Staff) -> Addressee | None:
    """The recipient at `position` (from 1, by code) with what his message is made of."""
    rows = recipients(draft, clients).subquery()
    row = db.session.execute(
        sa.select(rows.c.language, *CLIENT_COLUMNS)
        .join(Client, Client.id == rows.c.client_id)
        .join(Project, Project.id == Client.project_id)
        .where(rows.c.reason.in_(["", *WITHOUT_LETTER]))
        .order_by(Client.id)
        .offset(position - 1)
        .limit(1)
    ).first()
    return addressee_from(row[1:], row[0], staff.shown_name) if row else None


def position_of(client_id: int, draft: Draft, clients: sa.Select[Any]) -> int:
    """At which position `addressee` has the client; 0 where it is none of the recipients."""
    rows = who_gets_it(draft, clients).subquery()
    up_to = sa.select(sa.func.count(), sa.func.max(rows.c.client_id)).where(rows.c.client_id <= client_id)
    count, last = db.session.execute(up_to).one()
    return int(count) if last == client_id else 0


CLIENT_COLUMNS = (
    Client.id,
    Client.name,
    Client.contact_person,
    Client.company_name,
    Client.owner_username,
    Project.name,
    Client.balance,
    Project.currency,
)


def addressee_from(columns: Any, language: str, staff_name: str) -> Addressee:
    """The addressee of a row of CLIENT_COLUMNS."""
    return Addressee._make((*columns, language, staff_name, panel_url()))


def panel_url() -> str:
    return f"{current_app.config['SETTINGS'].public_url}/panel/"


def _plain(column: Any) -> Any:
    return sa.type_coerce(column, sa.String)


def _language(draft: Draft) -> Any:
    """The language of the text that a client gets: his own, else his project's, else the first there is."""
    filled = draft.languages
    if not filled:
        return sa.null()
    own = (_plain(Client.language).in_(filled), _plain(Client.language))
    if draft.strict_language:
        return sa.case(own, else_=sa.null())
    of_project = (_plain(Project.default_language).in_(filled), _plain(Project.default_language))
    return sa.case(own, of_project, else_=filled[0])


def _reason(draft: Draft, language: Any) -> sa.Case[Any]:
    cases: list[Any] = [(language.is_(None), "no_text")]
    if draft.skip_suspended:
        cases.append((Client.is_suspended, "suspended"))
    if draft.send_email:
        cases.append((Client.email == "", "no_address"))
    if draft.send_email and draft.category is not None and draft.category.is_news:
        cases.append((unsubscribed(), "unsubscribed"))
    return sa.case(*cases, else_="")


def _lines_of_selection(selection: Selection) -> list[Line]:
    """What the ticked ids themselves have to say."""
    if selection.ids is None:
        return []
    words = reasons()
    lines = []
    deleted = deleted_in(selection)
    if count := db.session.scalar(sa.select(sa.func.count()).select_from(deleted.subquery())):
        lines.append(Line("deleted", words["deleted"], count, _names(deleted)))
    if twice := len(selection.ids) - len(set(selection.ids)):
        lines.append(Line("twice", words["twice"], twice))
    return lines


def _empty_macros(draft: Draft, rows: sa.Subquery) -> list[Line]:
    """For each macro that would leave a gap: how many clients it would hit, and who."""
    used = [macro for macro in draft.used_macros if macro.is_empty is not None]
    if not used:
        return []
    gets = rows.c.reason.in_(["", *WITHOUT_LETTER])
    counts = [sa.func.count(sa.case((macro.is_empty, 1))) for macro in used if macro.is_empty is not None]
    found = db.session.execute(
        sa.select(*counts).select_from(rows).join(Client, Client.id == rows.c.client_id).where(gets)
    ).one()
    return [
        Line(macro.name, macro.code, count, _names(sa.select(rows.c.client_id).where(gets), macro.is_empty))
        for macro, count in zip(used, found, strict=True)
        if count
    ]


def _names(ids: sa.Select[Any], condition: Any = None) -> list[tuple[int, str]]:
    statement = sa.select(Client.id, Client.name).where(Client.id.in_(ids)).order_by(Client.id).limit(SHOWN_NAMES)
    if condition is not None:
        statement = statement.where(condition)
    return [(number, name) for number, name in db.session.execute(statement)]

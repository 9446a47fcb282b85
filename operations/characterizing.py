"""What staff think of a client: noting who set a characterization, when and why, and the history of it.

The history comes from the audit, which has every setting whichever way it was made: in a form, in the list, for many
at once, by an import, by taking one of them back. An index of those events alone finds a client's few at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from extensions import db
from models import CHARACTERIZED, AuditEvent, Characterization, Client, Staff
from operations import json_sql
from operations.client_filters import named_characterization

SHOWN = 10


@dataclass(frozen=True)
class Setting:
    """One setting: the names before and after (the same where only the reason was changed), by whom and why.

    `before` is empty for the first one; `action` is that of the audit event: edit, set_characterization, import, …
    """

    at: datetime
    who: str
    before: str
    after: str
    reason: str
    action: str


def note(client: Client, *, by: Staff, now: datetime) -> None:
    """Note who has just set the client's characterization or its reason, and when; nothing where neither changed.

    A reason belongs to what it was given for: a new characterization without one of its own clears it.
    """
    attributes = sa.inspect(client).attrs
    is_new = any(attributes[name].history.has_changes() for name in ("characterization", "characterization_id"))
    has_reason = attributes["characterization_reason"].history.has_changes()
    if is_new and not has_reason:
        client.characterization_reason = ""
    if is_new or has_reason:
        client.characterization_by_id = by.id
        client.characterization_at = now


def history(client: Client, *, limit: int = SHOWN) -> list[Setting]:
    """The latest settings of the client's characterization, newest first; two statements whatever there is."""
    known = {row.id: row for row in db.session.scalars(sa.select(Characterization))}
    engine = "postgresql" if json_sql.is_postgresql() else "sqlite"
    # SQLite would take the index of all events of a record, which a plus before the column keeps it from.
    of_clients = sa.text("module = 'clients'" if engine == "postgresql" else "+module = 'clients'")
    events = db.session.scalars(
        sa.select(AuditEvent)
        .where(sa.text(CHARACTERIZED[engine]), of_clients, AuditEvent.record_id == client.id)
        .order_by(AuditEvent.id.desc())
        .limit(limit)
    ).all()
    found, now_named = [], _named(known, client.characterization_id)
    for event in events:
        after = _of(event.after, known) or now_named
        before = "" if event.action == "create" else _of(event.before, known) or after
        reason = str(event.after.get("characterization_reason") or "")
        found.append(Setting(event.at, event.actor, before, after, reason, event.action))
        now_named = before or after
    return found or _as_it_stands(client, now_named)


def _of(values: Mapping[str, Any], known: Mapping[int, Characterization]) -> str:
    """The characterization that an event tells of; imports tell it by its code or name."""
    if (number := values.get("characterization_id")) is not None:
        return _named(known, number)
    text = str(values.get("characterization") or "")
    by_word = {word.lower(): row for row in known.values() for word in (row.name, row.code)}
    row = by_word.get(text.lower())
    return named_characterization(row.code, row.name) if row else text


def _named(known: Mapping[int, Characterization], number: int) -> str:
    row = known.get(number)
    return named_characterization(row.code, row.name) if row else f"#{number}"


def _as_it_stands(client: Client, name: str) -> list[Setting]:
    """What the client's own row says, where there are no events: of demo data, say."""
    if client.characterization_at is None:
        return []
    who = client.characterization_by.shown_name if client.characterization_by else ""
    return [Setting(client.characterization_at, who, "", name, client.characterization_reason, "")]

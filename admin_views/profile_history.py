"""What happened to a client, in words, by day: the audit as a person tells it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from typing import Any

from flask_babel import format_date, format_time

from admin_views import audit_words, cells
from admin_views.audit_words import Words
from models import AuditEvent
from operations import filters

# Of a change so many fields are shown, of a new record fewer; the event's own page has them all.
FIELDS_SHOWN, FIELDS_OF_NEW = 6, 3
# Who and when stand there already, and whose it all is.
SAID_ALREADY = frozenset({"id", "client_id", "client", "author_id", "created_at", "user"})


@dataclass
class Happening:
    """One event: at what time, who did what to which record, and what was before and after."""

    id: int
    time: str
    who: str
    what: str
    record: Any
    module: str
    changes: list[tuple[str, str | None, str]]
    more: int


@dataclass
class Day:
    name: str
    happenings: list[Happening]


def by_day(client_id: int, events: Sequence[AuditEvent]) -> list[Day]:
    """The events in words, newest first, under the reader's days. The names in them are found with one statement."""
    words = Words(events)
    return [
        Day(_name(day), [_happening(client_id, event, words) for event in together])
        for day, together in groupby(events, key=lambda event: filters.day_of(event.at))
    ]


def _name(day: date) -> str:
    return format_date(day, "d MMMM y")


def _happening(client_id: int, event: AuditEvent, words: Words) -> Happening:
    fields = dict.fromkeys([*event.before, *event.after])
    changes = [
        (label, None if before is None else audit_words.short(before), audit_words.short(after))
        for field, (label, before, after) in zip(fields, words.changes(event), strict=True)
        if field not in SAID_ALREADY
    ]
    shown = FIELDS_SHOWN if event.before and event.after else FIELDS_OF_NEW
    is_own = event.module == "clients" and event.record_id in {client_id, None}
    return Happening(
        id=event.id,
        time=format_time(event.at, "HH:mm"),
        who=cells.actor(event.actor),
        what=audit_words.action_name(event.action),
        record="" if is_own else words.record(event),
        module="" if is_own else audit_words.module_name(event.module),
        changes=changes[:shown],
        more=max(0, len(changes) - shown),
    )

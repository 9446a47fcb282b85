"""Traces of an erased client elsewhere: in the audit, in what staff searched for, in files that were imported.

Events about the client and its users lose their values, not the names of the fields: that something was changed, when,
and by which staff member still stands there. Elsewhere the client is known by words that are its own, as whole words:
addresses, telephone numbers, usernames of five characters and more, names of two words or of ten characters and more.
A shorter one may be anybody's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import sqlalchemy as sa
from flask import current_app

from extensions import db
from models import (
    AuditEvent,
    Client,
    ClientUser,
    IdempotencyKey,
    Impersonation,
    ImportBatch,
    ImportChange,
    Mailing,
    OutboundEmail,
    Payer,
    SavedFilter,
    Selection,
    Session,
)
from operations import erasing_rows, json_sql

SHORTEST_USERNAME = 5
SHORTEST_NAME = 10
SHORTEST_NUMBER = 7
BLOCK = 1 << 20
SLICE = 1_000
NOTHING = "—"
# Where words of a client may stand that are in no row of the client itself.
ELSEWHERE: tuple[tuple[Any, tuple[str, ...], Any], ...] = (
    (Selection, ("parameters", "url"), None),
    (Mailing, ("filter_description",), None),
    (SavedFilter, ("name", "parameters"), None),
    (Session, ("data",), None),
    (IdempotencyKey, ("result_url",), None),
    (ImportBatch, ("undone",), None),
    (Impersonation, ("return_url",), None),
    (OutboundEmail, ("recipient", "domain", "context", "last_error"), OutboundEmail.client_id.is_(None)),
)


@dataclass(frozen=True)
class Person:
    """What is known of a client before it is erased: what is its own, and the words that are."""

    client_id: int
    users: tuple[int, ...]
    mailings: tuple[int, ...]
    imports: tuple[int, ...]
    words: tuple[str, ...]

    @property
    def ways(self) -> set[str]:
        """The words as they are written in texts and in addresses."""
        return {way for word in self.words for way in (word, quote(word), quote_plus(word))}

    @property
    def pattern(self) -> re.Pattern[str] | None:
        """What matches any of the words, blind to case."""
        longest_first = sorted(self.ways, key=len, reverse=True)
        text = "|".join(rf"(?<!\w){re.escape(way)}(?!\w)" for way in longest_first)
        return re.compile(text, re.IGNORECASE) if text else None


def person(client: Client) -> Person:
    """Read it while it is there."""
    users = db.session.scalars(sa.select(ClientUser).where(ClientUser.client_id == client.id)).all()
    batches = db.session.scalars(sa.select(ImportChange.batch_id).where(ImportChange.client_id == client.id))
    imports = {*batches, *([client.import_batch_id] if client.import_batch_id else [])}
    mailings = db.session.scalars(erasing_rows.mailings_to_it_alone(client.id))
    return Person(
        client_id=client.id,
        users=tuple(user.id for user in users),
        mailings=tuple(mailings),
        imports=tuple(sorted(imports)),
        words=tuple(sorted(_words(client, users))),
    )


def _words(client: Client, users: Sequence[ClientUser]) -> set[str]:
    payers = db.session.scalars(sa.select(Payer).where(Payer.client_id == client.id)).all()
    names = [client.name, client.company_name, client.contact_person, *(user.full_name for user in users)]
    addresses = [client.email, *(user.email for user in users), *(payer.email for payer in payers)]
    numbers = [client.verified_phone, *(user.phone for user in users), *(payer.phone for payer in payers)]
    return {
        *(name.strip() for name in names if " " in name.strip() or len(name.strip()) >= SHORTEST_NAME),
        *(user.username for user in users if len(user.username) >= SHORTEST_USERNAME),
        *(address.strip() for address in addresses if address and address.strip()),
        *(number.strip() for number in numbers if len(number.strip()) >= SHORTEST_NUMBER),
    }


# The audit


def blank_events(who: Person) -> int:
    """Take the values out of the events about the client and its users; how many events were changed.

    Only within an erasure: otherwise triggers refuse it.
    """
    about = sa.or_(
        AuditEvent.client_id == who.client_id,
        sa.and_(AuditEvent.module == "clients", AuditEvent.record_id == who.client_id),
        AuditEvent.client_user_id.in_(who.users),
        sa.and_(AuditEvent.module == "users", AuditEvent.record_id.in_(who.users)),
        sa.and_(AuditEvent.module == "mailings", AuditEvent.record_id.in_(who.mailings)),
    )
    count, last = 0, 0
    while rows := _events(sa.and_(about, AuditEvent.id > last)):
        count += _write(rows, [_blanked(row) for row in rows])
        last = rows[-1].id
    return count


def _events(condition: Any) -> Any:
    columns = (AuditEvent.id, AuditEvent.staff_id, AuditEvent.client_user_id, AuditEvent.actor, AuditEvent.ip,
               AuditEvent.before, AuditEvent.after)  # fmt: skip
    return db.session.execute(sa.select(*columns).where(condition).order_by(AuditEvent.id).limit(SLICE)).all()


def _blanked(row: Any) -> dict[str, Any]:
    by_the_client = row.client_user_id is not None or row.staff_id is None
    staff_name, arrow, _user = row.actor.partition(" → ")
    actor = row.actor
    if row.client_user_id is not None:
        actor = staff_name if row.staff_id is not None and arrow else ""
    return {
        "actor": actor,
        "ip": "" if by_the_client else row.ip,
        "before": dict.fromkeys(row.before),
        "after": dict.fromkeys(row.after),
    }


def _write(rows: Any, values: list[dict[str, Any]]) -> int:
    """Write what is different; how many were."""
    table: Any = AuditEvent.__table__
    different = [
        {"of": row.id, **new}
        for row, new in zip(rows, values, strict=True)
        if (row.actor, row.ip, row.before, row.after) != (new["actor"], new["ip"], new["before"], new["after"])
    ]
    if different:
        columns: dict[str, Any] = {name: sa.bindparam(name) for name in ("actor", "ip", "before", "after")}
        statement = sa.update(table).where(table.c.id == sa.bindparam("of")).values(columns)
        db.session.connection().execute(statement, different)
    return len(different)


# Elsewhere in the database


def blank_mentions(who: Person) -> None:
    """Take the client's words out of what speaks of it without being its own."""
    pattern = who.pattern
    if pattern is None:
        return
    for model, columns, condition in ELSEWHERE:
        for name in columns:
            _blank_column(model, name, condition, who, pattern)
    _blank_other_events(who, pattern)


def _blank_column(model: Any, name: str, condition: Any, who: Person, pattern: re.Pattern[str]) -> None:
    table = model.__table__
    column = table.c[name]
    statement = sa.select(table.c.id, column).where(_may_mention(column, who))
    rows = db.session.execute(statement if condition is None else statement.where(condition)).all()
    for number, value in rows:
        new = _without(value, pattern)
        if new != value:
            if column is SavedFilter.__table__.c.name:
                # Nobody has two filters of the same name.
                new = f"{new[:60]} ({number})"
            db.session.execute(sa.update(table).where(table.c.id == number).values({name: new}))


def _blank_other_events(who: Person, pattern: re.Pattern[str]) -> None:
    """Events about no client, such as an export by a filter: the values that mention it."""
    mentions = sa.or_(_may_mention(AuditEvent.before, who), _may_mention(AuditEvent.after, who))
    rows = _events(sa.and_(AuditEvent.client_id.is_(None), mentions))
    values = [
        {"actor": row.actor, "ip": row.ip, "before": _nulled(row.before, pattern), "after": _nulled(row.after, pattern)}
        for row in rows
    ]
    _write(rows, values)


def _nulled(values: dict[str, Any], pattern: re.Pattern[str]) -> dict[str, Any]:
    return {key: None if _without(value, pattern) != value else value for key, value in values.items()}


def _may_mention(column: Any, who: Person) -> Any:
    """Whether the column's text holds one of the words; in documents on SQLite other letters than Latin are escaped."""
    text = sa.cast(column, sa.Text)
    like = sa.func.lower(text) if json_sql.is_postgresql() else text
    ways = {way for word in who.ways for way in (word, json.dumps(word)[1:-1], word.lower())}
    return sa.or_(*(like.contains(way.lower() if json_sql.is_postgresql() else way, autoescape=True) for way in ways))


def _without(value: Any, pattern: re.Pattern[str]) -> Any:
    """The value with a dash for each word of the client."""
    if isinstance(value, str):
        return pattern.sub(NOTHING, value)
    if isinstance(value, dict):
        return {key: _without(each, pattern) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_without(each, pattern) for each in value]
    return value


# Files


def import_files(who: Person) -> list[Path]:
    """The files of imports that speak of the client: of those that brought or changed it, and any that has its words."""
    directory = current_app.config["SETTINGS"].data_dir / "imports"
    if not directory.exists():
        return []
    names = db.session.scalars(sa.select(ImportBatch.stored_name).where(ImportBatch.id.in_(who.imports)))
    known = {name for name in names if name}
    needles = _needles(who.words)
    return [path for path in sorted(directory.iterdir()) if path.stem in known or _holds(path, needles)]


def _needles(words: Iterable[str]) -> list[bytes]:
    found = set()
    for word in words:
        for way in (word, word.lower()):
            found |= {way.encode(), json.dumps(way)[1:-1].encode(), way.encode("utf-16-le")}
            found.add(way.encode("cp1251", errors="ignore"))
    return sorted(needle for needle in found if len(needle) >= SHORTEST_USERNAME)


def _holds(path: Path, needles: list[bytes]) -> bool:
    return any(needle in block for block in _blocks(path, max(map(len, needles), default=0)) for needle in needles)


def _blocks(path: Path, overlap: int) -> Iterator[bytes]:
    """The file in pieces, each with the end of the one before it, so that no word is cut in two."""
    end = b""
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            yield end + block
            end = (end + block)[-overlap:] if overlap else b""

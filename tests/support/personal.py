"""Where something personal still stands: in every table, in every file, and in the bytes of an SQLite database."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import quote, quote_plus

import sqlalchemy as sa
from flask import Flask

from extensions import db

CONTEXT = 40


def found(app: Flask, sentinels: Iterable[str], *, but: Iterable[str] = (), in_file: bool = True) -> list[str]:
    """Every place where one of the sentinels stands, «clients.email: …», blind to case.

    `but` are tables, or columns as `table.column`, that may hold it. `in_file` also reads the bytes of the database
    file of SQLite and of its journal.
    """
    words = sorted({word for word in sentinels if word})
    left_out = set(but)
    with app.app_context():
        places = [*_in_tables(words, left_out), *_in_files(Path(app.config["SETTINGS"].data_dir), words)]
        if in_file and db.engine.dialect.name == "sqlite":
            places += _in_database_file(Path(db.engine.url.database or ""), words)
    return places


def ways(word: str) -> set[str]:
    """How a word may be written: in JSON, in an address, in lower case."""
    plain = {word, word.lower(), word.upper()}
    return {way for each in plain for way in (each, json.dumps(each)[1:-1], quote(each), quote_plus(each))}


def _in_tables(words: list[str], left_out: set[str]) -> Iterator[str]:
    """The tables of the database itself, also those that no model knows; indexes of the search by what they match."""
    with db.engine.connect().execution_options(reads_only=True) as connection:
        inspector = sa.inspect(connection)
        for table in inspector.get_table_names():
            if table in left_out:
                continue
            names = [column["name"] for column in inspector.get_columns(table)]
            quoted = ", ".join(f'"{name}"' for name in names)
            for row in connection.execute(sa.text(f'SELECT {quoted} FROM "{table}"')):
                for name, value in zip(names, row, strict=True):
                    if f"{table}.{name}" not in left_out:
                        yield from _in_text(f"{table}.{name}", _text(value), words)
        if connection.dialect.name == "sqlite":
            yield from _in_search(connection, words)


def _in_search(connection: sa.Connection, words: list[str]) -> Iterator[str]:
    statement = sa.text("SELECT name FROM sqlite_master WHERE sql LIKE '%USING fts5(%'")
    for search in connection.scalars(statement).all():
        for word in words:
            phrase = '"{}"'.format(word.replace('"', '""'))
            match = sa.text(f"SELECT count(*) FROM {search} WHERE {search} MATCH :phrase")
            if connection.scalar(match, {"phrase": phrase}):
                yield f"{search}: {word}"


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)


def _in_text(place: str, text: str, words: list[str]) -> Iterator[str]:
    lowered = text.lower()
    for word in words:
        for way in ways(word):
            at = lowered.find(way.lower())
            if at >= 0:
                yield f"{place}: …{text[max(0, at - CONTEXT) : at + len(way) + CONTEXT]}…"
                break


def _in_files(directory: Path, words: list[str]) -> Iterator[str]:
    for path in sorted(directory.rglob("*")):
        if path.is_file():
            yield from _in_bytes(str(path.relative_to(directory)), path.read_bytes(), words)


def _in_database_file(path: Path, words: list[str]) -> list[str]:
    return [place for each in sorted(path.parent.glob(f"{path.name}*")) if each.is_file()
            for place in _in_bytes(each.name, each.read_bytes(), words)]  # fmt: skip


def _in_bytes(place: str, content: bytes, words: list[str]) -> Iterator[str]:
    lowered = content.lower()
    for word in words:
        for way in sorted({each for one in ways(word) for each in (one.encode(), one.encode("utf-16-le"))}):
            at = lowered.find(way.lower())
            if at >= 0:
                yield f"{place}: at {at}: {content[max(0, at - CONTEXT) : at + len(way) + CONTEXT]!r}"
                break

"""The client's own records, and no others: every page of the panel finds its rows here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

import sqlalchemy as sa
from flask import abort, request
from flask_login import current_user
from sqlalchemy.sql.base import ExecutableOption

from extensions import db
from models import ClientUser

Row = TypeVar("Row", bound=Any)
LARGEST_ID = 2**31 - 1
PAGE_SIZE = 20


@dataclass(frozen=True)
class Page:
    """Rows of a list, newest first, and the addresses of the pages around it."""

    rows: list[Any]
    older_url: str | None
    first_url: str | None


def me() -> ClientUser:
    """The user who is logged in, or whom a staff member stands in for."""
    return db.session.get_one(ClientUser, current_user.id)


def own(model: type[Row]) -> sa.Select[tuple[Row]]:
    """The rows of the table that are the client's."""
    return sa.select(model).where(model.client_id == current_user.client_id)


def one(model: type[Row], number: int, *options: ExecutableOption) -> Row:
    """The client's own row of that id; 404 for another's as for one that there is not."""
    if not 0 < number <= LARGEST_ID:
        abort(404)
    row = db.session.scalars(own(model).where(model.id == number).options(*options)).unique().first()
    return row if row is not None else abort(404)


def page_of(model: type[Row], *options: ExecutableOption, only: Any = None) -> Page:
    """The page of the client's own rows that the address asks for (`before`, an id)."""
    return page_from(own(model) if only is None else own(model).where(only), model.id, *options)


def page_from(statement: sa.Select[Any], key: Any, *options: ExecutableOption) -> Page:
    """The page of `statement`, by descending `key`, that the address asks for."""
    before = request.args.get("before", "")
    asked = before.isascii() and before.isdigit() and int(before[:12]) <= LARGEST_ID
    if asked:
        statement = statement.where(key < int(before))
    statement = statement.options(*options).order_by(key.desc()).limit(PAGE_SIZE + 1)
    found = list(db.session.scalars(statement).unique())
    rows = found[:PAGE_SIZE]
    older = f"{request.path}?before={rows[-1].id}" if len(found) > PAGE_SIZE else None
    return Page(rows, older, request.path if asked else None)

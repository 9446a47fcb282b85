"""Lists: what an address asks for, one page of rows by keyset, and what the template shows of it.

A page costs the same at any depth: it begins at the row where the last one ended (the cursor), found through
an index of the sort column and the id. Nothing is counted further than needed.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import sqlalchemy as sa
from flask_babel import format_decimal, ngettext
from flask_babel import gettext as _

from extensions import Labelled, Money, UTCDateTime, db
from operations import filters
from operations.filters import Asked, Filter

PAGE_SIZES = (20, 50, 100)
COUNTED_UP_TO = 10_000
LIST_PARAMETERS = ("sort", "page_size", "after", "before", "client", "url", "login_as")
FROM_THE_END = "end"


@dataclass
class ListRequest:
    """What an address asks of a list. `scope` is the client it is for, if any."""

    asked: Asked
    sort: str = ""
    descending: bool = True
    page_size: int = 50
    after: str = ""
    before: str = ""
    scope: int | None = None

    @classmethod
    def read(
        cls,
        parameters: Sequence[tuple[str, str]],
        known: Mapping[str, Filter],
        *,
        sortable: Sequence[str],
        page_size: int,
        default_sort: str,
    ) -> ListRequest:
        """Understand `parameters`; what is not understood is listed in `asked.misunderstood`."""
        asked = filters.read(parameters, known, known=LIST_PARAMETERS)
        given = {name: text.strip() for name, text in parameters if text.strip()}
        request = cls(asked, page_size=page_size, after=given.get("after", ""), before=given.get("before", ""))
        request._read_sort(given.get("sort", default_sort), sortable)
        request._read_size(given.get("page_size"))
        return request

    def _read_sort(self, text: str, sortable: Sequence[str]) -> None:
        name = text.removeprefix("-")
        if name not in sortable:
            self.asked.misunderstood.append(_("This list cannot be sorted by «%(name)s».", name=name[:40]))
            name = sortable[0]
        self.sort, self.descending = name, text.startswith("-")

    def _read_size(self, text: str | None) -> None:
        if text is None:
            return
        if text.isascii() and text.isdigit() and text in {str(size) for size in PAGE_SIZES}:
            self.page_size = int(text)
        else:
            self.asked.misunderstood.append(_("Pages have 20, 50 or 100 rows."))


@dataclass
class Page:
    """One page of ids, and whether there is more on either side."""

    ids: list[int] = field(default_factory=list)
    first: list[Any] = field(default_factory=list)
    last: list[Any] = field(default_factory=list)
    has_previous: bool = False
    has_next: bool = False


def sort_keys(column: Any, pk: Any) -> list[Any]:
    """What a list sorted by `column` is ordered by; rows without a value stand at one end, the id settles ties."""
    if column.key == pk.key:
        return [pk]
    nullable = getattr(column, "nullable", None)
    if nullable is None:
        nullable = getattr(getattr(column, "property", None), "columns", [None])[0].nullable
    return [sa.case((column.is_(None), 0), else_=1), column, pk] if nullable else [column, pk]


def fetch_page(statement: sa.Select[Any], keys: list[Any], request: ListRequest) -> Page:
    """The ids of the page asked for. `statement` selects nothing yet; `keys` end with the id."""
    backwards = bool(request.before)
    descending = request.descending != backwards
    cursor = request.before if backwards else request.after
    if cursor and cursor != FROM_THE_END:
        try:
            values = decode_cursor(cursor, keys)
        except ValueError:
            request.asked.misunderstood.append(_("The address of this page is not complete. This is the first page."))
            return Page()
        statement = statement.where(_beyond(keys, values, descending))
    order = [key.desc() if descending else key.asc() for key in keys]
    rows = db.session.execute(statement.with_only_columns(*keys).order_by(*order).limit(request.page_size + 1)).all()
    more = len(rows) > request.page_size
    rows = rows[: request.page_size]
    if backwards:
        rows.reverse()
    page = Page(ids=[row[-1] for row in rows])
    if rows:
        page.first, page.last = list(rows[0]), list(rows[-1])
    page.has_previous = more if backwards else bool(cursor)
    page.has_next = (cursor != FROM_THE_END) if backwards else more
    return page


def _beyond(keys: list[Any], values: list[Any], descending: bool) -> Any:
    """Rows after the one with `values` in the order of `keys`."""
    bound = [sa.literal(value, type_=_type_of(key)) for key, value in zip(keys, values, strict=True)]
    if len(keys) <= 2:
        left, right = sa.tuple_(*keys), sa.tuple_(*bound)
        return left < right if descending else left > right
    # A row without a value compares as neither less nor more, so the rank of being empty goes first.
    rank, column, pk = keys
    step = column < bound[1] if descending else column > bound[1]
    further = pk < bound[2] if descending else pk > bound[2]
    same = sa.and_(
        rank == bound[0], sa.or_(sa.and_(column == bound[1], further), sa.and_(column.is_(None), further), step)
    )
    other = rank < bound[0] if descending else rank > bound[0]
    return sa.or_(other, same)


def _type_of(key: Any) -> Any:
    return key.type


def encode_cursor(values: list[Any]) -> str:
    plain = [_plain(value) for value in values]
    return base64.urlsafe_b64encode(json.dumps(plain, separators=(",", ":")).encode()).decode().rstrip("=")


def _plain(value: Any) -> Any:
    if isinstance(value, datetime | date):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal) else value


def decode_cursor(text: str, keys: list[Any]) -> list[Any]:
    """The values of a cursor; ValueError for anything that is none for these keys."""
    try:
        plain = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (binascii.Error, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(text) from error
    if not isinstance(plain, list) or len(plain) != len(keys):
        raise ValueError(text)
    return [_value(key, item) for key, item in zip(keys, plain, strict=True)]


def _value(key: Any, item: Any) -> Any:
    kind = _type_of(key)
    if item is None:
        return None
    for column_type, read in READERS:
        if isinstance(kind, column_type):
            return read(kind, item)
    raise ValueError(item)


def _moment(_kind: Any, item: Any) -> datetime:
    moment = datetime.fromisoformat(item if isinstance(item, str) else "")
    if moment.tzinfo is None:
        raise ValueError(item)
    return moment


def _plain_value(wanted: type, item: Any) -> Any:
    fits = type(item) is wanted and (wanted is not int or abs(item) <= filters.LARGEST_ID)
    if not fits or (wanted is str and "\0" in item):
        raise ValueError(item)
    if wanted is str:
        item.encode()  # A half of a character raises ValueError here, not in the database's driver.
    return item


def _amount(item: Any) -> Decimal:
    try:
        amount = Decimal(item) if isinstance(item, str) else None
    except ArithmeticError as error:
        raise ValueError(item) from error
    if amount is None or not amount.is_finite() or abs(amount) > 10**13:
        raise ValueError(item)
    return amount


READERS: tuple[tuple[Any, Any], ...] = (
    (UTCDateTime, _moment),
    (sa.Date, lambda _kind, item: date.fromisoformat(item if isinstance(item, str) else "")),
    (Money, lambda _kind, item: _amount(item)),
    (Labelled, lambda kind, item: kind.kind(item)),
    (sa.Boolean, lambda _kind, item: _plain_value(bool, item)),
    (sa.Integer, lambda _kind, item: _plain_value(int, item)),
    (sa.String, lambda _kind, item: _plain_value(str, item)),
)


def capped_count(statement: sa.Select[Any], pk: Any) -> int:
    """How many rows match, counted no further than one past the limit."""
    rows = statement.with_only_columns(pk).order_by(None).limit(COUNTED_UP_TO + 1).subquery()
    return db.session.scalar(sa.select(sa.func.count()).select_from(rows)) or 0


def count_in_words(count: int) -> str:
    if count > COUNTED_UP_TO:
        return _("more than %(count)s", count=format_decimal(COUNTED_UP_TO))
    return ngettext("%(num)s row", "%(num)s rows", count)


def address(path: str, parameters: Mapping[str, Any]) -> str:
    """`path` with the parameters that are not empty."""
    given = [(name, value) for name, value in parameters.items() if value not in (None, "")]
    return f"{path}?{urlencode(given)}" if given else path

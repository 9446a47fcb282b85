"""Lists: what an address asks for, one page of rows by keyset, and what the template shows of it.

A page costs the same at any depth: it begins at the row where the last one ended (the cursor), found through
an index of the sort column and the id. Nothing is counted further than needed.
"""

from __future__ import annotations

import base64
import binascii
import json
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import sqlalchemy as sa
from flask_babel import format_decimal, ngettext
from flask_babel import gettext as _

from extensions import Labelled, Money, UTCDateTime, plain_rows
from operations import filters
from operations.filters import Asked, Filter

PAGE_SIZES = (20, 50, 100)
COUNTED_UP_TO = 10_000
MOST_QUESTIONS, SECONDS_KNOWN = 1_000, 60
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
        choices: Mapping[str, Sequence[tuple[str, str]]] | None = None,
    ) -> ListRequest:
        """Understand `parameters`; what is not understood is listed in `asked.misunderstood`."""
        asked = filters.read(parameters, known, known=LIST_PARAMETERS, choices=choices)
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
    """One page of ids, and whether there is more on either side. `rows` are what was read along with the ids."""

    ids: list[int] = field(default_factory=list)
    rows: list[Any] = field(default_factory=list)
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


def fetch_page(
    statement: sa.Select[Any],
    keys: list[Any],
    request: ListRequest,
    *,
    rows: sa.Select[Any] | None = None,
    values: Mapping[str, Any] | None = None,
) -> Page:
    """The page asked for. `statement` selects nothing yet; `keys` end with the id.

    With `rows`, a statement that reads rows of the same table with the parameters `values`, they are read in the
    same breath.
    """
    backwards = bool(request.before)
    descending = request.descending != backwards
    cursor = request.before if backwards else request.after
    if cursor and cursor != FROM_THE_END:
        try:
            place = decode_cursor(cursor, keys)
        except ValueError:
            request.asked.misunderstood.append(_("The address of this page is not complete. This is the first page."))
            return Page()
        statement = statement.where(_beyond(keys, place, descending))
    order = [key.desc() if descending else key.asc() for key in keys]
    ids = statement.with_only_columns(*keys).order_by(*order).limit(request.page_size + 1)
    found = plain_rows(ids if rows is None else _joined(ids, rows, keys, descending), values).all()
    more = len(found) > request.page_size
    found = list(found[: request.page_size])
    if backwards:
        found.reverse()
    return _page(found, len(keys), rows is not None, cursor, more, backwards)


def _joined(ids: sa.Select[Any], rows: sa.Select[Any], keys: list[Any], descending: bool) -> sa.Select[Any]:
    """`rows` of those `ids`, in their order; the values of the keys stand last in each row."""
    page = ids.subquery("page")
    names = list(page.c)
    order = [column.desc() if descending else column.asc() for column in names]
    return rows.add_columns(*names).join(page, names[-1] == keys[-1]).order_by(None).order_by(*order)


def _page(found: list[Any], width: int, with_rows: bool, cursor: str, more: bool, backwards: bool) -> Page:
    page = Page(ids=[row[-1] for row in found], rows=found if with_rows else [])
    if found:
        page.first, page.last = list(found[0])[-width:], list(found[-1])[-width:]
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
    return int(plain_rows(sa.select(sa.func.count()).select_from(rows)).scalar_one())


class ManyRows:
    """Which questions were found to have more rows than are counted; so they are not counted anew for every page.

    What is known is forgotten after a minute, and each process finds out for itself.
    """

    def __init__(self) -> None:
        self._known: dict[Hashable, float] = {}

    def count(self, question: Hashable, page: Page, count: Callable[[], int]) -> int:
        """The number of rows; one past the limit where that was known. A page that has all its rows is counted."""
        is_all_here = not page.has_previous and not page.has_next
        if not is_all_here and self._known.get(question, 0) > time.monotonic():
            return COUNTED_UP_TO + 1
        found = count()
        if found > COUNTED_UP_TO:
            if len(self._known) >= MOST_QUESTIONS:
                self._known.clear()
            self._known[question] = time.monotonic() + SECONDS_KNOWN
        return found


def count_in_words(count: int) -> str:
    if count > COUNTED_UP_TO:
        return _("more than %(count)s", count=format_decimal(COUNTED_UP_TO))
    return ngettext("%(num)s row", "%(num)s rows", count)


def address(path: str, parameters: Mapping[str, Any]) -> str:
    """`path` with the parameters that are not empty."""
    given = [(name, value) for name, value in parameters.items() if value not in (None, "")]
    return f"{path}?{urlencode(given)}" if given else path

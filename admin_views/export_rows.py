"""The rows of an export: read past the object layer, a chunk at a time, all as they stood at one moment."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from markupsafe import escape
from sqlalchemy.orm import Session as OrmSession
from sqlalchemy.orm import aliased

from extensions import Labelled, db
from models import (
    Act,
    AffiliateProgram,
    Client,
    ClientGroup,
    ClientUser,
    Invoice,
    Payer,
    Payment,
    Product,
    Project,
    Service,
    Ticket,
)
from operations.bulk import among, modest

# What records are called by, where that is a column; of others there are few, and each says it itself.
CALLED_BY = {
    Client: "name", ClientUser: "username", Payer: "name", Product: "name", Service: "name", Project: "name",
    ClientGroup: "name", AffiliateProgram: "name", Invoice: "number", Payment: "number", Act: "number",
    Ticket: "subject",
}  # fmt: skip
Values = Iterable[Any]
Reader = Callable[[Sequence[Any]], Values]


@contextmanager
def snapshot() -> Iterator[sa.Connection]:
    """A connection on which all is read as it stands now, whatever is written meanwhile; it keeps nobody waiting."""
    options: dict[str, Any] = {"reads_only": True}
    if db.engine.dialect.name == "postgresql":
        options |= {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    with db.engine.connect().execution_options(**options) as connection, modest(connection):
        yield connection


class ExportRows:
    """Reads the columns `names` of a view's table, for the ids that a select gives in its order."""

    def __init__(self, view: Any, names: Sequence[str]) -> None:
        self._view = view
        self._statement = sa.select(view.pk)
        self._readers: list[Reader | None] = []
        self._titles: dict[Any, dict[int, str]] = {}
        self._connection: sa.Connection | None = None
        self._of_list: list[str] = []
        self._texts: tuple[Sequence[int], dict[str, list[str]]] = ((), {})
        for name in names:
            self._readers.append(self._add(name))

    def _add(self, name: str) -> Reader | None:
        """Select one column more; what makes its cells of its values, where they are not the cells already."""
        mapper = sa.inspect(self._view.model)
        if own := self._view.export_column(name):
            self._statement = self._statement.add_columns(own[0])
            return own[1]  # type: ignore[no-any-return]
        if name in mapper.column_attrs:
            column = getattr(self._view.model, name)
            is_enum = isinstance(column.type, Labelled)
            self._statement = self._statement.add_columns(sa.type_coerce(column, sa.String) if is_enum else column)
            return None
        relation = mapper.relationships.get(name)
        if relation is not None and not relation.uselist:
            return self._add_reference(getattr(self._view.model, name), relation)
        self._statement = self._statement.add_columns(self._view.pk)
        self._of_list.append(name)
        return lambda numbers: self._shown(name, numbers)

    def _add_reference(self, attribute: Any, relation: Any) -> Reader | None:
        target = relation.mapper.class_
        if target in CALLED_BY:
            other = aliased(target)
            self._statement = self._statement.outerjoin(attribute.of_type(other))
            self._statement = self._statement.add_columns(getattr(other, CALLED_BY[target]))
            return None
        [column] = relation.local_columns
        self._statement = self._statement.add_columns(column)
        return lambda numbers: self._called(target, numbers)

    def chunks(self, ids: sa.Select[Any], size: int) -> Iterator[list[Sequence[Any]]]:
        """The cells of the rows, in the order of `ids`, so many rows at a time."""
        with snapshot() as connection:
            self._connection = connection
            found = connection.execute(ids, execution_options={"yield_per": size})
            for some in found.partitions():
                yield self._cells(connection, [row[0] for row in some])

    def _cells(self, connection: sa.Connection, numbers: list[int]) -> list[Sequence[Any]]:
        chosen = self._statement.where(among(connection, self._view.pk, numbers))
        by_id = {row[0]: row for row in connection.execute(chosen)}
        columns = list(zip(*[by_id[number] for number in numbers], strict=True))[1:]
        read = [
            values if reader is None else reader(values) for values, reader in zip(columns, self._readers, strict=True)
        ]
        return list(zip(*read, strict=True))

    def _called(self, model: Any, numbers: Sequence[int | None]) -> Values:
        """What the records of a small table are called, in the reader's language."""
        titles = self._titles.setdefault(model, {})
        missing = {number for number in numbers if number is not None and number not in titles}
        if missing:
            assert self._connection is not None
            with OrmSession(self._connection) as session:
                records = session.scalars(sa.select(model).where(model.id.in_(missing)))
                titles |= {record.id: str(record) for record in records.unique()}
        return [titles.get(number, "") if number is not None else None for number in numbers]

    def _shown(self, name: str, numbers: Sequence[int]) -> Values:
        """What the list shows in that column, as text: for what is no column of the table."""
        if self._texts[0] != numbers:
            self._texts = (numbers, self._read_list(numbers))
        return self._texts[1][name]

    def _read_list(self, numbers: Sequence[int]) -> dict[str, list[str]]:
        """The cells of the list, by column, of all columns that are asked for, so that its rows are read once."""
        db.session.connection(execution_options={"reads_only": True})
        rows = {row.id: row for row in self._view.fetch_rows(numbers)}
        texts = {
            name: [
                escape(self._view.cell(rows[number], name)).striptags() if number in rows else "" for number in numbers
            ]
            for name in self._of_list
        }
        db.session.rollback()
        return texts

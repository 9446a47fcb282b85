"""The kinds of columns that tables are made of."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.ext.mutable import MutableDict
from sqlalchemy.orm import Mapped, declared_attr, mapped_column

from extensions import JSONDocument, Labelled, LabelledEnum, Money, UTCDateTime, now

SECRET = {"secret": True}


def primary_key() -> Mapped[int]:
    return mapped_column(sa.Integer, primary_key=True)


def reference(target: str, *, required: bool = True, on_delete: str = "RESTRICT", index: bool = True) -> Mapped[Any]:
    """A foreign key column to `target` (a table's name)."""
    return mapped_column(sa.Integer, ForeignKey(f"{target}.id", ondelete=on_delete), nullable=not required, index=index)


def enum_column(kind: type[LabelledEnum], default: LabelledEnum | None = None, *, nullable: bool = False) -> Any:
    return mapped_column(
        Labelled(kind), default=default, server_default=default.value if default else None, nullable=nullable
    )


def moment(*, nullable: bool = False, index: bool = False, default: bool = False) -> Any:
    """A column for an instant, UTC; with `default`, the time of the insert."""
    return mapped_column(UTCDateTime, nullable=nullable, index=index, default=now if default else None)


def text_column(length: int, *, default: str | None = "", nullable: bool = False) -> Any:
    return mapped_column(String(length), nullable=nullable, default=default, server_default=default)


def long_text() -> Any:
    return mapped_column(Text, nullable=False, default="", server_default="")


def flag(default: bool = False) -> Any:
    return mapped_column(
        sa.Boolean,
        nullable=False,
        default=default,
        server_default=sa.true() if default else sa.false(),
    )


def document(default: type = dict, *, audited_as: str = "") -> Any:
    """A JSON column; changes inside a dictionary are noticed.

    With `audited_as` the audit keeps each of its values as a field of its own, whose name begins so.
    """
    kind = MutableDict.as_mutable(JSONDocument.copy()) if default is dict else JSONDocument
    info = {"audited_as": audited_as} if audited_as else {}
    server_default = "{}" if default is dict else "[]"
    return mapped_column(kind, nullable=False, default=default, server_default=server_default, info=info)


def money(default: int | None = 0) -> Any:
    return mapped_column(
        Money, nullable=False, default=Decimal(default) if default is not None else None,
        server_default=str(default) if default is not None else None,
    )  # fmt: skip


def row_version() -> Any:
    return mapped_column(sa.Integer, nullable=False, default=1, server_default="1")


class Versioned:
    """A row that people edit: its version rises with each change, and who edits says which he saw."""

    row_version: Mapped[int] = row_version()

    @declared_attr.directive
    def __mapper_args__(cls) -> dict[str, Any]:  # noqa: N805  It is asked of the class.
        return {"version_id_col": cls.__table__.c.row_version}  # type: ignore[attr-defined]

"""What the whole house shares: the database and its column types, the clock, and Flask's extensions."""

from __future__ import annotations

import enum
import sqlite3
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any

import psycopg
import sqlalchemy as sa
from flask import g, has_request_context, request
from flask_babel import Babel, Domain
from flask_login import LoginManager
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from flask_wtf.csrf import CSRFProtect
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    metadata = sa.MetaData(naming_convention=NAMING)


db = SQLAlchemy(model_class=Base)
if TYPE_CHECKING:
    # What db.Model is: the type checker cannot see a class that is made at run time.
    Model = Base
else:
    Model = db.Model


class KeptDomain(Domain):  # type: ignore[misc]  # It comes without types.
    """Flask-Babel's texts, with the catalogue found once for a request and its language, not for each text."""

    def get_translations(self) -> Any:
        context = getattr(g._get_current_object(), "_flask_babel", None)
        locale = getattr(context, "babel_locale", None)
        kept = getattr(context, "kept_translations", None)
        if kept is not None and locale is not None and kept[0] is locale:
            return kept[1]
        found = super().get_translations()
        if context is not None:
            context.kept_translations = (context.babel_locale, found)
        return found


migrate = Migrate(compare_type=True)
babel = Babel()
babel.domain_instance = KeptDomain()
csrf = CSRFProtect()
login_manager = LoginManager()


class Clock:
    """The time. Everything asks it, so that a test can set it.

    `set` and `move` act on this process alone; `now` is aware and in UTC.
    """

    def __init__(self) -> None:
        self._shift = timedelta(0)
        self._fixed: datetime | None = None

    def now(self) -> datetime:
        return (self._fixed or datetime.now(UTC)) + self._shift

    def set(self, moment: datetime) -> None:
        self._fixed, self._shift = moment.astimezone(UTC), timedelta(0)

    def move(self, **by: float) -> None:
        self._shift += timedelta(**by)

    def reset(self) -> None:
        self._fixed, self._shift = None, timedelta(0)


clock = Clock()


def now() -> datetime:
    """The current time, aware, in UTC."""
    return clock.now()


class UTCDateTime(sa.types.TypeDecorator[datetime]):
    """An instant. Takes aware times only, stores UTC, gives aware UTC back, on SQLite too."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone cannot be stored")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Money(sa.types.TypeDecorator[Decimal]):
    """An exact amount: Decimal with two places in code, a whole number of hundredths in the database.

    Currencies with three places are not offered anywhere. An amount with more than two places is rounded
    half up; what is no finite number is refused with ValueError.
    """

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: Decimal | int | None, dialect: Dialect) -> int | None:
        return None if value is None else minor_units(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> Decimal | None:
        return None if value is None else Decimal(value).scaleb(-2)


def minor_units(amount: Decimal | int) -> int:
    """`amount` in hundredths of its currency, rounded half up. Floats and NaN raise ValueError."""
    if isinstance(amount, float):
        raise ValueError("money is never a float")
    exact = Decimal(amount)
    if not exact.is_finite():
        raise ValueError("not an amount")
    return int(exact.scaleb(2).quantize(Decimal(1), rounding=ROUND_HALF_UP))


class LabelledEnum(enum.StrEnum):
    """A string enum whose members carry a translatable label: `GOOD = "good", _l("Good")`."""

    label: Any

    def __new__(cls, value: str, label: Any = None) -> LabelledEnum:
        member = str.__new__(cls, value)
        member._value_ = value
        member.label = label if label is not None else value
        return member


class Labelled(sa.types.TypeDecorator[LabelledEnum]):
    """A column of one LabelledEnum, kept as its value; the table checks that it is one of them."""

    impl = sa.String(32)
    cache_ok = True

    def __init__(self, kind: type[LabelledEnum]) -> None:
        self.kind = kind
        super().__init__()

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else self.kind(value).value

    def process_result_value(self, value: str | None, dialect: Dialect) -> LabelledEnum | None:
        return None if value is None else self.kind(value)


def rows_changed(statement: Any) -> int:
    """Carry out an UPDATE, DELETE or INSERT over many rows in the current transaction; how many it touched."""
    quiet = statement.execution_options(synchronize_session=False, preserve_rowcount=True)
    return int(db.session.execute(quiet).rowcount)  # type: ignore[attr-defined]


def plain_rows(statement: Any, values: Mapping[str, Any] | None = None) -> sa.CursorResult[*tuple[Any, ...]]:
    """Run a SELECT of columns in the current transaction, past the object layer, which costs more than the rows do.

    Nothing that waits in the session is flushed first.
    """
    return db.session.connection().execute(statement, values)


JSONDocument = sa.JSON().with_variant(JSONB(), "postgresql")


def casefold(text: str | None) -> str | None:
    """Lower case for comparing, Cyrillic included; SQLite's own knows ASCII only."""
    return None if text is None else text.lower()


@sa.event.listens_for(sa.Engine, "connect")
def _prepare_sqlite(connection: Any, _record: Any) -> None:
    """Give every SQLite connection what a server has: foreign keys, waiting for locks, Unicode lower()."""
    if not isinstance(connection, sqlite3.Connection):
        return
    # SQLAlchemy begins the transactions itself (below), so that writers queue instead of failing.
    connection.isolation_level = None
    connection.create_function("lower", 1, casefold, deterministic=True)
    for pragma in (
        "foreign_keys=ON",
        "recursive_triggers=ON",
        "journal_mode=WAL",
        "synchronous=NORMAL",
        "busy_timeout=30000",
        # What is deleted is overwritten, so that nothing of an erased client can be read in the file.
        "secure_delete=ON",
        # Kibibytes for each connection, of which a process has one for each of its threads. The system keeps the rest.
        "cache_size=-4096",
    ):
        connection.execute(f"PRAGMA {pragma}")


@sa.event.listens_for(sa.Engine, "begin")
def _begin_sqlite(connection: sa.Connection) -> None:
    """Begin as a writer unless it is known that nothing will be written.

    A transaction that reads first and writes later fails at once when another has written meanwhile,
    however long it is ready to wait; one that begins as a writer waits its turn.
    """
    if connection.dialect.name != "sqlite":
        return
    reads_only = connection.get_execution_options().get("reads_only")
    if reads_only is None:
        reads_only = has_request_context() and request.method in {"GET", "HEAD", "OPTIONS"}
    connection.exec_driver_sql("BEGIN" if reads_only else "BEGIN IMMEDIATE")


SECONDS_TRUSTED = 1


@sa.event.listens_for(sa.Pool, "checkin")
def _note_return(_connection: Any, record: Any) -> None:
    record.info["returned_at"] = time.monotonic()


@sa.event.listens_for(sa.Pool, "checkout")
def _ask_whether_it_lives(connection: Any, record: Any, _proxy: Any) -> None:
    """Ask a connection that has rested whether it still lives, as the server may have been started anew meanwhile.

    One that was used a moment ago is trusted: to ask each time would be one more question for every request.
    """
    if isinstance(connection, sqlite3.Connection):
        return
    if time.monotonic() - record.info.get("returned_at", 0) > SECONDS_TRUSTED:
        try:
            connection.autocommit = True
            connection.execute("SELECT 1")
            connection.autocommit = False
        except psycopg.OperationalError as error:
            raise sa.exc.DisconnectionError from error

"""What must hold is refused by the tables themselves, whoever writes: bad rows, and changes to what is for good."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from flask import Flask

from extensions import db, now
from models import AuditEvent, LedgerEntry
from tests import factories as make
from tests.cast import Cast

LONG = "x" * 2000
# A column of client A's record in that module, and what it must not become.
BAD_VALUES = [
    ("clients", "name", ""), ("clients", "name", LONG), ("clients", "email", LONG), ("clients", "legal_status", "duck"),
    ("clients", "language", "xx"), ("clients", "project_id", 99999), ("clients", "project_id", None),
    ("clients", "characterization_id", 99999), ("clients", "affiliate_program_id", 99999),
    ("client_users", "username", ""), ("client_users", "username", "boris"), ("client_users", "username", LONG),
    ("client_users", "email", "taken@clients.example"), ("client_users", "client_id", 99999),
    ("accounts", "currency", "EURO"), ("accounts", "credit_limit", -1), ("accounts", "client_id", 99999),
    ("payers", "legal_status", "duck"), ("payers", "client_id", 99999), ("payers", "name", LONG),
    ("services", "status", "duck"), ("services", "period", "duck"), ("services", "price", -1),
    ("services", "suspension_reason", "unpaid"), ("services", "status", "suspended"), ("services", "product_id", 99999),
    ("discounts", "percent", 10001), ("discounts", "amount", 5), ("discounts", "client_id", None),
    ("invoices", "status", "duck"), ("invoices", "amount", -1), ("invoices", "number", "taken"),
    ("invoices", "account_id", 99999), ("payments", "status", "duck"), ("payments", "amount", 0),
    ("payments", "number", "taken"), ("expenses", "amount", 0), ("expenses", "client_id", 99999),
    ("acts", "status", "duck"), ("acts", "amount", -1), ("acts", "number", "taken"),
    ("tickets", "status", "duck"), ("tickets", "client_id", 99999), ("tickets", "category_id", 99999),
    ("outbound_emails", "status", "duck"), ("violations", "status", "duck"), ("violations", "action", "duck"),
    ("violations", "ticket_id", 99999),
]  # fmt: skip
MODULES = {"client_users": "users", "outbound_emails": "emails"}
# Tables of money, whose rows a client's deletion must not take along.
MONEY = ("ledger_entries", "invoices", "payments", "expenses", "acts", "accounts")


def is_refused(statement: sa.Executable) -> bool:
    try:
        with db.session.begin_nested():
            db.session.execute(statement)
    except sa.exc.DBAPIError:
        return True
    return False


def take_names(cast: Cast) -> None:
    """Give client B what is unique, so that A cannot have it."""
    for table, column, value in (
        ("client_users", "email", "taken@clients.example"), ("invoices", "number", "taken"),
        ("payments", "number", "taken"), ("acts", "number", "taken"),
    ):  # fmt: skip
        rows = db.metadata.tables[table]
        number = cast.b.records[MODULES.get(table, table)]
        db.session.execute(sa.update(rows).where(rows.c.id == number).values({column: value}))


def test_no_table_takes_a_bad_value(app: Flask, cast: Cast) -> None:
    accepted = []
    with make.scene(app):
        take_names(cast)
        for table, column, value in BAD_VALUES:
            number = cast.a.records[MODULES.get(table, table)]
            statement = sa.text(f"UPDATE {table} SET {column} = :value WHERE id = :id").bindparams(
                value=value, id=number
            )
            assert db.session.scalar(sa.text(f"SELECT count(*) FROM {table} WHERE id = {number}")) == 1
            if not is_refused(statement):
                accepted.append((table, column, value))
    assert accepted == []


def test_a_pair_that_must_be_one_is_one(app: Flask, cast: Cast) -> None:
    with make.scene(app):
        pairs = (
            ("mailing_recipients", {"mailing_id": cast.mailing, "client_id": cast.a.id, "language": "en", "outcome": "queued"}),
            ("idempotency_keys", {"principal": "staff:1", "key": "k", "fingerprint": "f", "created_at": now()}),
            ("accounts", {"client_id": cast.a.id, "project_id": cast.project_b, "currency": "RUB"}),
        )  # fmt: skip
        for table, values in pairs:
            once = sa.insert(db.metadata.tables[table]).values(values)
            assert not is_refused(once), table
            assert is_refused(once), table


def test_entries_and_events_are_for_good_however_one_tries(app: Flask, cast: Cast, engine: str) -> None:
    """Not changed, not removed, and not replaced either, which on SQLite is a way round a trigger."""
    with make.scene(app):
        for table in (LedgerEntry.__table__, AuditEvent.__table__):
            before = db.session.execute(sa.select(table)).all()
            assert before
            assert is_refused(sa.update(table).values(id=table.c.id))
            assert is_refused(sa.delete(table))
            if engine == "sqlite":
                replace = f"INSERT OR REPLACE INTO {table.name} SELECT * FROM {table.name} LIMIT 1"
                assert is_refused(sa.text(replace))
            assert db.session.execute(sa.select(table)).all() == before
        assert is_refused(sa.insert(LedgerEntry.__table__).values(
            account_id=cast.a.records["accounts"], amount=0, kind="payment", posted_at=now()))  # fmt: skip


def test_a_client_with_money_is_not_deleted_nor_is_its_account(app: Flask, cast: Cast) -> None:
    with make.scene(app):
        counts = {table: db.session.scalar(sa.text(f"SELECT count(*) FROM {table}")) for table in MONEY}
        assert all(counts.values())
        assert is_refused(sa.text(f"DELETE FROM clients WHERE id = {cast.a.id}"))
        assert is_refused(sa.text(f"DELETE FROM accounts WHERE id = {cast.a.records['accounts']}"))
        assert counts == {table: db.session.scalar(sa.text(f"SELECT count(*) FROM {table}")) for table in MONEY}


@pytest.mark.engine("sqlite")
def test_no_row_points_to_one_that_is_not_there(app: Flask, cast: Cast) -> None:
    with make.scene(app):
        assert db.session.execute(sa.text("PRAGMA foreign_key_check")).all() == []
        assert db.session.scalar(sa.text("PRAGMA integrity_check")) == "ok"

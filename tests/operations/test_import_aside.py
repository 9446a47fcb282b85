"""What is set aside while clients come in: the result is the same as row by row, and others go on as ever."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from extensions import Clock, db
from models import Client, ClientUser, Language
from operations import bulk, checking, import_aside, import_pass, imports
from operations.import_formats import open_sheet
from operations.import_rows import RowReader
from tests import factories as make
from tests.imports_data import as_csv, spoil_whmcs, whmcs_rows
from tests.support.importing import Importer
from tests.support.people import client as person

MOMENT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
KEPT = "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE type IN ('trigger', 'index') ORDER BY type, name"


@pytest.fixture
def importer(session: Any, tmp_path: Path, clock: Clock) -> Importer:
    clock.set(MOMENT)
    return Importer(tmp_path)


def kept_beside() -> list[Any]:
    """All that is derived, of every client, and what the search finds."""
    found: list[Any] = db.session.execute(
        sa.select(
            Client.name, Client.owner_username, Client.usernames, Client.balance, Client.active_services,
            Client.is_suspended, Client.search_text,
        ).order_by(Client.id)
    ).all()  # fmt: skip
    if db.engine.dialect.name == "sqlite":
        for word in ("client1", "Щукин", "example-3", "Ромашка"):
            statement = sa.text("SELECT rowid FROM client_search WHERE client_search MATCH :word ORDER BY rowid")
            found += db.session.execute(statement, {"word": f'"{word}"'}).all()
    return found


def search_is_right() -> None:
    if db.engine.dialect.name == "sqlite":
        for search in import_aside.SEARCHED.values():
            db.session.execute(sa.text(f"INSERT INTO {search} ({search}, rank) VALUES ('integrity-check', 1)"))


def nothing_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the database keep everything row by row."""
    monkeypatch.setattr(import_aside.Aside, "take", lambda self, *, rows: None)


def remove_all() -> None:
    """Remove the clients, and have the next ones get the same ids."""
    tables = ("consents", "client_group_members", "payers", "accounts", "client_users", "import_changes", "clients")
    for table in tables:
        db.session.execute(sa.text(f"DELETE FROM {table}"))
    if db.engine.dialect.name == "postgresql":
        db.session.execute(sa.text("SELECT setval('clients_id_seq', 1, false)"))
    db.session.commit()


@pytest.mark.parametrize("fewest", [1, 5_000], ids=["indexes too", "indexes stay"])
def test_the_result_is_that_of_row_by_row(importer: Importer, monkeypatch: pytest.MonkeyPatch, fewest: int) -> None:
    monkeypatch.setattr(import_aside, "FEWEST_ROWS", fewest)
    file = as_csv(spoil_whmcs(whmcs_rows(1_200)))
    is_sqlite = db.engine.dialect.name == "sqlite"
    schema = db.session.execute(sa.text(KEPT)).all() if is_sqlite else []
    importer.bring_in(file, skip_bad=True)
    search_is_right()
    assert checking.faults() == []
    assert not is_sqlite or db.session.execute(sa.text(KEPT)).all() == schema
    fast = kept_beside()
    assert len(fast) >= 1_160
    remove_all()
    nothing_aside(monkeypatch)
    importer.bring_in(file, skip_bad=True)
    assert kept_beside() == fast


def test_what_is_not_brought_in_leaves_everything_as_it_was(importer: Importer) -> None:
    is_sqlite = db.engine.dialect.name == "sqlite"
    schema = db.session.execute(sa.text(KEPT)).all() if is_sqlite else []
    batch = importer.rehearse(as_csv(spoil_whmcs(whmcs_rows(60))))
    with pytest.raises(imports.ImportStopped):
        importer.confirm(batch)
    db.session.rollback()
    assert not is_sqlite or db.session.execute(sa.text(KEPT)).all() == schema
    added = person("Somebody")
    db.session.expire_all()
    assert db.session.get_one(Client, added.id).owner_username
    search_is_right()


def test_a_client_changed_by_a_later_row_is_found_by_its_new_name(
    importer: Importer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows of our own export may speak of a client that an earlier row of the same file has made."""
    monkeypatch.setattr(import_pass, "CHUNK", 1)
    row = {"contact_person": "Anna", "legal_status": "individual", "email": "a@b.org", "country": "RU",
           "characterization": "ordinary", "registered_at": MOMENT.isoformat()}  # fmt: skip
    first = {"id": "old", "username": "", "name": "First"} | row
    next_id = (db.session.scalar(sa.select(sa.func.max(Client.id))) or 0) + 1
    if db.engine.dialect.name == "postgresql":
        next_id = db.session.execute(sa.text("SELECT last_value FROM clients_id_seq")).scalar_one()
    second = {"id": str(next_id), "username": "a", "name": "Second"} | row
    importer.bring_in(as_csv([first, second]))
    assert list(db.session.scalars(sa.select(Client.name))) == ["Second"]
    search_is_right()


@pytest.mark.engine("postgresql")
def test_others_are_counted_while_an_import_runs(
    app: Flask, importer: Importer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The setting is the import's own transaction's: another's users and accounts are counted as ever, and so later."""
    other = make.client("Here before", username="before")
    db.session.commit()
    other_id, written = other.id, []
    original = import_pass.Pass._chunk

    def chunk(self: Any, rows: Any) -> Any:
        lines = original(self, rows)
        with db.engine.begin() as connection:
            values = {"client_id": other_id, "username": f"another{len(written)}", "password_hash": "!"}
            connection.execute(sa.insert(ClientUser).values(values))
            written.append(values["username"])
        return lines

    monkeypatch.setattr(import_pass.Pass, "_chunk", chunk)
    batch = importer.rehearse(as_csv(whmcs_rows(3)))
    importer.confirm(batch)
    make.user(db.session.get_one(Client, other_id), "later")
    db.session.commit()
    db.session.expire_all()
    assert db.session.get_one(Client, other_id).usernames == "before another0 another1 later"
    assert db.session.scalar(sa.select(sa.func.current_setting(import_aside.COUNTS_ARE_GIVEN, True))) in {"", None}


# Cells


@pytest.fixture(scope="module")
def sheet(tmp_path_factory: pytest.TempPathFactory) -> Any:
    path = tmp_path_factory.mktemp("sheet") / "one.csv"
    path.write_text("id,firstname,email,notes,phonenumber\n")
    return open_sheet(path)


cells = st.text(st.sampled_from("aЯ1 '=+-@&;\t\r\n\x00\x85\u00a0\u2028é.,<>~!\"(") | st.characters(), max_size=60)


@given(st.lists(cells, min_size=1, max_size=4))
def test_short_cuts_clean_as_the_long_way_does(sheet: Any, texts: list[str]) -> None:
    """A cell of one word is taken as it is, and one that came before as it was cleaned then."""
    reader = RowReader(sheet, country="", language=Language.EN, now=MOMENT)
    for text in [*texts, *texts]:
        slow = RowReader(sheet, country="", language=Language.EN, now=MOMENT)
        expected = {}
        for name in ("key", "first_name", "email", "note", "phone"):
            if text and (clean := slow._clean(text, name)):
                expected[name] = clean
        reader._reasons = []
        assert reader._cleaned([text] * 5) == expected
        assert sorted(map(repr, reader._reasons)) == sorted(map(repr, slow._reasons))


def test_documents_are_converted_once_each() -> None:
    told: list[Any] = []
    convert = bulk._once_each(lambda value: told.append(value) or len(told))
    same, other = {"a": 1}, {"a": 1}
    assert [convert(same), convert(same), convert(other), convert(same)] == [1, 1, 2, 1]

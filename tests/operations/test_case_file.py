"""The stream of a client: every source in one order, page by page, forwards and backwards, on both engines."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from extensions import db
from models import (
    Account,
    AuditEvent,
    Client,
    ClientNote,
    Impersonation,
    LedgerEntry,
    PenaltyPoint,
    Ticket,
    TicketMessage,
)
from operations import audit, case_file, upkeep
from operations.case_file_sources import SOURCES, Place, Question, branches
from tests import factories as make

MIDNIGHT = datetime(2026, 3, 1, tzinfo=UTC)
EVERYTHING = {source.code for source in SOURCES}


def question(client_id: int, may: Callable[[str], bool] = lambda right: True, **more: Any) -> Question:
    return Question(client_id=client_id, may=may, **more)


def fill(client: Client, moments: list[datetime]) -> None:
    """A record of each kind at each of the moments, and of those that have a day alone on its day."""
    staff, user = make.staff(), client.users[0]
    for at in moments:
        ticket = make.ticket(client, created_at=at)
        db.session.execute(sa.update(TicketMessage).where(TicketMessage.ticket_id == ticket.id).values(created_at=at))
        rows: list[Any] = [
            TicketMessage(ticket=ticket, text="among us", is_internal=True, created_at=at, staff=staff),
            ClientNote(client=client, author=staff, text="pays late", created_at=at),
            PenaltyPoint(client=client, points=1, created_at=at, expires_at=at + timedelta(days=9), author_id=staff.id),
            Impersonation(staff=staff, client_id=client.id, client_user=user, started_at=at, expires_at=at),
        ]
        db.session.add_all(rows)
        make.letter(client, created_at=at)
        make.entry(client, "1.00", posted_at=at)
        make.payment(client, created_at=at)
        make.expense(client, posted_at=at)
        make.invoice(client, issued_on=at.date())
        make.act(client, issued_on=at.date())
        make.violation(client, created_at=at)
        event = {"at": at, "module": "services", "action": "edit", "client_id": client.id, "actor": "x"}
        db.session.execute(sa.insert(AuditEvent), [{**event, "before": {}, "after": {}}])
    db.session.flush()


def walk(asked: Question, *, size: int, **more: Any) -> list[Place]:
    """All places, by asking for one page after the other, each of which says so itself."""
    found: list[Place] = []
    page = case_file.page(asked, size=size, **more)
    while True:
        assert len(page.rows) <= size
        found += [Place(row.at, _rank(row), row.record.id) for row in page.rows]
        if not page.has_next:
            return found
        assert page.last is not None
        page = case_file.page(asked, size=size, after=case_file.decode(case_file.encode(page.last)), **more)


def _rank(row: case_file.Row) -> int:
    return [source.code for source in SOURCES].index(row.source)


@pytest.fixture
def full(session: Any, keep: Any) -> int:
    """A client with records of every kind, many of them at the very same moments, and a neighbour with as many."""

    def fill_both() -> int:
        moments = [MIDNIGHT + timedelta(hours=hours) for hours in (-30, -24, 0, 0, 7, 24, 25)]
        client, other = make.client(), make.client()
        for each in (client, other):
            fill(each, moments)
        session.commit()
        return client.id

    return keep("full", fill_both)


@pytest.mark.heavy
@pytest.mark.parametrize("oldest_first", [False, True])
def test_pages_of_any_size_give_every_entry_once_and_in_order(full: int, oldest_first: bool) -> None:
    asked = question(full, since=MIDNIGHT - timedelta(days=9), until=MIDNIGHT + timedelta(days=9),
                     since_day=date(2026, 2, 1), until_day=date(2026, 3, 30))  # fmt: skip
    wanted = case_file.places(asked, descending=not oldest_first, limit=10_000)
    assert {SOURCES[place.rank].code for place in wanted} == EVERYTHING
    assert len(wanted) == 7 * len(EVERYTHING)
    keys = [(place.at, place.rank, place.id) for place in wanted]
    assert keys == sorted(keys, reverse=not oldest_first)
    for size in (1, 3, 10, 200):
        assert walk(asked, size=size, oldest_first=oldest_first) == wanted


def test_a_page_leads_back_to_the_one_before(full: int) -> None:
    asked = question(full)
    first = case_file.page(asked, size=7)
    second = case_file.page(asked, size=7, after=first.last)
    back = case_file.page(asked, size=7, before=second.first)
    assert [row.record.id for row in back.rows] == [row.record.id for row in first.rows]
    assert (first.has_previous, second.has_previous, back.has_previous, back.has_next) == (False, True, False, True)


def test_it_is_the_clients_own_and_nobody_elses(full: int, session: Any) -> None:
    page = case_file.page(question(full), size=1000)
    for row in page.rows:
        account = getattr(row.record, "account", None)
        assert getattr(row.record, "client_id", None) == full or (account is not None and account.client_id == full)


def test_days_times_and_days_alone_are_within_the_bounds(full: int) -> None:
    asked = question(full, since=MIDNIGHT, until=MIDNIGHT + timedelta(days=1), since_day=MIDNIGHT.date(),
                     until_day=MIDNIGHT.date())  # fmt: skip
    rows = case_file.page(asked, size=1000).rows
    assert len(rows) == 3 * len(EVERYTHING)
    assert {row.at.astimezone(UTC).date() for row in rows} == {MIDNIGHT.date()}


def test_kinds_people_and_parts_of_text(full: int, session: Any) -> None:
    def sources(**more: Any) -> set[str]:
        return {row.source for row in case_file.page(question(full, **more), size=1000).rows}

    assert sources(kinds=frozenset({"money"})) == {"ledger", "payment", "invoice", "act", "expense"}
    assert sources(kinds=frozenset({"note", "letter"})) == {"internal", "note", "letter"}
    staff = session.scalars(sa.select(ClientNote.author_id).where(ClientNote.client_id == full)).first()
    assert sources(staff_id=staff) == {"internal", "note", "points", "stay"}
    user = session.get_one(Client, full).users[0].id
    assert sources(user_id=user) == {"stay"}
    assert sources(text="PAYS") == {"note"}, "the event of its making would tell it twice"
    assert sources(text="pays%") == set()
    session.execute(sa.update(ClientNote).where(ClientNote.client_id == full).values(text="Платит ПОЗДНО"))
    assert sources(text="поздно") == {"note"}


def test_a_part_of_an_old_or_new_value_is_found_in_the_audit(full: int, session: Any) -> None:
    audit.record("edit", module="clients", record_id=full, client_id=full,
                 before={"contact_person": "Иван Петров"}, after={"contact_person": "50% O'Neil"})  # fmt: skip
    for text, count in (("петров", 1), ("o'neil", 1), ("50%", 1), ("5_%", 0), ("contact_person", 0)):
        assert len(case_file.page(question(full, text=text), size=9).rows) == count, text


def test_what_a_person_has_no_right_to_is_not_in_it(full: int) -> None:
    rights = {"clients.view", "tickets.view", "services.view"}
    rows = case_file.page(question(full, rights.__contains__), size=1000).rows
    assert {row.source for row in rows} == {"message", "internal", "note", "audit"}
    assert {row.record.module for row in rows if row.source == "audit"} == {"services"}
    assert not case_file.page(question(full, {"clients.edit"}.__contains__), size=9).rows


def test_the_clients_own_copy_is_without_notes(full: int) -> None:
    found = {row.source for row in case_file.page(question(full, for_client=True), size=1000).rows}
    assert found == EVERYTHING - {"internal", "note"}


def test_a_stay_is_told_once_and_a_record_that_tells_itself_too(session: Any) -> None:
    client = make.client()
    invoice = make.invoice(client)
    invoice.status = "paid"
    session.flush()
    staff = make.staff("s", make.role("r", "clients.login_as"))
    stay = Impersonation(staff=staff, client_id=client.id, client_user=client.users[0], expires_at=MIDNIGHT)
    session.add(stay)
    session.flush()
    for action in ("login_as", "login_as_return", "login_as_request"):
        audit.record(action, module="clients", record_id=client.id, client_id=client.id)
    rows = case_file.page(question(client.id), size=100).rows
    told = [(row.record.module, row.record.action) for row in rows if row.source == "audit"]
    assert ("invoices", "create") not in told
    assert told.count(("invoices", "edit")) == 1
    assert [action for _module, action in told if action.startswith("login_as")] == ["login_as_request"]
    assert [row.source for row in rows].count("stay") == 1


def test_movements_of_all_accounts_stand_in_it(session: Any) -> None:
    client = make.client()
    second = Account(client=client, project=make.project(), currency="USD")
    session.add(second)
    session.flush()
    make.entry(client, "1.00")
    session.add(LedgerEntry(account=second, amount=2, kind="payment"))
    session.flush()
    rows = case_file.page(question(client.id, kinds=frozenset({"money"})), size=9).rows
    assert {row.record.account.currency for row in rows} == {"EUR", "USD"}


def test_a_message_belongs_to_the_client_of_its_ticket_also_when_that_changes(session: Any) -> None:
    client, other = make.client(), make.client()
    ticket = make.ticket(client)

    def owners() -> list[int | None]:
        return list(session.scalars(sa.select(TicketMessage.client_id).where(TicketMessage.ticket_id == ticket.id)))

    assert owners() == [client.id]
    session.execute(sa.update(Ticket).where(Ticket.id == ticket.id).values(client_id=other.id))
    assert owners() == [other.id]


def test_the_whole_is_counted_to_one_past_the_limit(full: int) -> None:
    count, rows = case_file.whole(question(full), oldest_first=True, limit=20)
    assert count == 21
    assert len(list(rows)) == 20


@pytest.mark.parametrize(
    "text", ["", "x", "W10", "WzEsMiwzXQ", "e30", "!!!!", "W" * 5000, "WyIyMDI2LTAxLTAxIiwxLDFd", "é"]
)
def test_what_is_no_place_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        case_file.decode(text)


# The cost


def many(client: Client, count: int) -> None:
    """`count` events, messages and letters of a client, spread over a year, and some of the rarer kinds."""
    rng = random.Random(1)
    moments = [MIDNIGHT + timedelta(seconds=rng.randrange(31_536_000)) for _each in range(count)]
    event = {"module": "clients", "action": "edit", "record_id": client.id, "client_id": client.id, "actor": "x",
             "before": {"note": "a"}, "after": {"note": "b"}}  # fmt: skip
    tickets = [make.ticket(client).id for _each in range(50)]
    for start in range(0, count, 5000):
        some = moments[start : start + 5000]
        db.session.execute(sa.insert(AuditEvent), [{**event, "at": at} for at in some[::2]])
        message = {"client_id": client.id, "text": "Good day.", "is_internal": False}
        db.session.execute(
            sa.insert(TicketMessage),
            [{**message, "ticket_id": rng.choice(tickets), "created_at": at} for at in some[1::2]],
        )
    db.session.commit()


def plan(statement: Any) -> str:
    compiled = statement.compile(db.engine, compile_kwargs={"literal_binds": True})
    word = "EXPLAIN" if db.engine.dialect.name == "postgresql" else "EXPLAIN QUERY PLAN"
    return "\n".join(str(row) for row in db.session.execute(sa.text(f"{word} {_escaped(str(compiled))}")))


def _escaped(text: str) -> str:
    return text.replace(":", "\\:")


def test_every_branch_is_read_in_order_by_its_index(app: Flask, session: Any) -> None:
    """No branch sorts: each stops after a page of rows, however many the client has."""
    client = make.client()
    many(client, 5000)
    session.execute(sa.text("ANALYZE"))
    session.commit()
    if db.engine.dialect.name == "postgresql":
        # A table of few rows is cheaper to sort than its index to read; what is asked here is whether it could be.
        session.execute(sa.text("SET enable_sort = off"))
        session.execute(sa.text("SET enable_seqscan = off"))
    place = Place(MIDNIGHT + timedelta(days=100), 3, 7)
    for descending in (True, False):
        for branch in branches(question(client.id), place=place, descending=descending, limit=51):
            said = plan(branch)
            assert "USE TEMP B-TREE" not in said, said
            assert "Sort" not in said or "Incremental" in said, said
            assert "SCAN" not in said.replace("SCAN CONSTANT", ""), said


@pytest.mark.long
def test_a_client_with_very_many_entries_costs_the_same_per_page(app: Flask, session: Any) -> None:
    """Pages anywhere in the stream of a client with 100,000 entries, beside one with 200."""
    few, lots = make.client(), make.client()
    many(few, 200)
    many(lots, 100_000)
    upkeep.keep_statistics()
    if db.engine.dialect.name == "postgresql":
        session.execute(sa.text("ANALYZE"))
        session.commit()
    middle = Place(MIDNIGHT + timedelta(days=180), 3, 7)
    small = min(_seconds(question(few.id), None) for _each in range(5))
    for place in (None, middle, Place(MIDNIGHT + timedelta(days=2), 3, 7)):
        large = min(_seconds(question(lots.id), place) for _each in range(5))
        assert large < max(2 * small, small + 0.02), (place, small, large)
    for more in ({"text": "nothing like it"}, {"kinds": frozenset({"login"})}, {"kinds": frozenset({"mailing"})}):
        spent = _seconds(question(lots.id, **more), None)
        assert spent < 2


def _seconds(asked: Question, place: Place | None) -> float:
    db.session.expire_all()
    start = time.perf_counter()
    case_file.page(asked, size=50, after=place)
    return time.perf_counter() - start

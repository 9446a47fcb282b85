"""Merging two records of the same client, and taking that back while nothing has been changed since."""

from __future__ import annotations

import threading
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from extensions import db, now
from models import (
    Account,
    AuditEvent,
    Client,
    ClientMerge,
    ClientUser,
    Invoice,
    LedgerEntry,
    MailingRecipient,
    Payer,
    Service,
    Staff,
    Ticket,
    client_group_members,
)
from operations import audit, checking, deletion, erasing, merge_moving, merge_undoing, merging
from operations.errors import OperationRefused
from tests import factories as make
from tests.support import lives, personal
from tests.support.lives import SENTINELS


def merge(kept: int, other: int, by: int | None = None, **choices: str) -> ClientMerge:
    staff = db.session.get_one(Staff, by) if by else make.staff()
    with audit.acting(audit.actor_of(staff)):
        record = merging.merge(kept_id=kept, other_id=other, choices=choices, by=staff, now=now())
    db.session.commit()
    return record


def undo(record: ClientMerge) -> None:
    merge_undoing.undo(record, by=db.session.get_one(Staff, record.staff_id), now=now())
    db.session.commit()


def count_of(model: Any, client_id: int) -> int:
    return db.session.scalar(sa.select(sa.func.count()).where(model.client_id == client_id)) or 0


def everything(*ids: int) -> dict[str, Any]:
    """All rows of two clients, but for what a merging and its undoing leave on purpose: entries, events, versions."""
    db.session.expire_all()
    found = {}
    for table in db.metadata.sorted_tables:
        keys = [key.parent for key in table.foreign_keys if key.column.table.name == "clients"]
        if table.name == "clients":
            keys = [table.c.id]
        if not keys or table.name == "client_merges":
            continue
        columns = [column for column in table.c if column.name not in {"row_version", "ended_at", "end_reason"}]
        mine = sa.or_(*(key.in_(ids) for key in keys))
        rows = db.session.execute(sa.select(*columns).where(mine).order_by(*table.primary_key)).all()
        found[table.name] = [tuple(row) for row in rows]
    return found


@pytest.fixture
def two(session: Any) -> tuple[int, int]:
    """A client with everything, and its double, both with money in the same project."""
    kept = make.client("Anna Alpha", username="anna", note="Calls often", email="anna@people.example")
    make.payer(kept, "Anna", is_default=True)
    make.invoice(kept, "0.00")
    make.entry(kept, "100.00")
    life = lives.live()
    other = db.session.get_one(Client, life.client)
    make.entry(other, "-2.50")
    foreign = make.project("Elsewhere", currency="RUB")
    db.session.add(Account(client_id=other.id, project_id=foreign.id, currency="RUB"))
    db.session.commit()
    return kept.id, life.client


# What comes along


def test_everything_comes_along_and_the_other_is_deleted(two: tuple[int, int]) -> None:
    kept, other = two
    before = {name: count_of(model, other) for name, model in merge_moving.MOVING.items()}
    were = {name: count_of(model, kept) for name, model in merge_moving.MOVING.items()}
    assert all(before.values()) or {name for name, count in before.items() if not count} <= {"expenses", "acts"}
    record = merge(kept, other)
    for name, model in merge_moving.MOVING.items():
        assert (count_of(model, kept), count_of(model, other)) == (were[name] + before[name], 0), name
    gone = db.session.get_one(Client, other)
    assert gone.deleted_at is not None
    assert gone.merged_into is not None
    assert gone.merged_into.id == kept
    assert (record.kept_id, record.merged_id) == two
    assert db.session.scalar(sa.select(Client.referrer_id).where(Client.name == "Somebody brought")) == kept
    assert checking.faults() == []


def test_money_is_moved_by_entries_that_sum_to_zero(two: tuple[int, int]) -> None:
    kept, other = two
    entries = db.session.execute(sa.select(LedgerEntry.__table__).order_by(LedgerEntry.id)).all()
    record = merge(kept, other)
    assert (
        db.session.execute(sa.select(LedgerEntry.__table__).order_by(LedgerEntry.id)).all()[: len(entries)] == entries
    )
    pair = db.session.scalars(sa.select(LedgerEntry).where(LedgerEntry.source_type == "client_merges")).all()
    assert sorted(entry.amount for entry in pair) == [Decimal("-7.50"), Decimal("7.50")]
    assert {(entry.kind, entry.source_id) for entry in pair} == {("transfer", record.id)}
    home = make.account(db.session.get_one(Client, kept))
    assert home.balance == Decimal("107.50")
    [emptied] = db.session.scalars(sa.select(Account).where(Account.client_id == other)).all()
    assert emptied.balance == 0
    assert set(db.session.scalars(sa.select(Account.currency).where(Account.client_id == kept))) == {"EUR", "RUB"}
    assert set(db.session.scalars(sa.select(Service.account_id).where(Service.client_id == kept))) == {home.id}
    unpaid = sa.select(Invoice.account_id).where(Invoice.client_id == kept, Invoice.status == "new")
    assert set(db.session.scalars(unpaid)) == {home.id}
    assert db.session.get_one(Client, kept).balance == Decimal("107.50")
    assert checking.faults() == []


def test_what_is_paid_stays_with_the_account_of_its_entries(two: tuple[int, int]) -> None:
    kept, other = two
    theirs = make.account(db.session.get_one(Client, other)).id
    paid = make.invoice(db.session.get_one(Client, other), "0.00", status="paid").id
    db.session.commit()
    merge(kept, other)
    invoice = db.session.get_one(Invoice, paid)
    assert (invoice.client_id, invoice.account_id) == (kept, theirs)


def test_the_owner_stays_and_the_others_come_as_ordinary_users(two: tuple[int, int]) -> None:
    kept, other = two
    former = (
        db.session.scalars(sa.select(ClientUser).where(ClientUser.client_id == other, ClientUser.is_owner)).one().id
    )
    merge(kept, other)
    owners = db.session.scalars(sa.select(ClientUser.username).where(ClientUser.client_id == kept, ClientUser.is_owner))
    assert list(owners) == ["anna"]
    user = db.session.get_one(ClientUser, former)
    assert (user.client_id, user.is_owner, user.permissions) == (kept, False, ["finance", "services", "support"])
    defaults = db.session.scalars(sa.select(Payer.name).where(Payer.client_id == kept, Payer.is_default))
    assert list(defaults) == ["Anna"]
    client = db.session.get_one(Client, kept)
    assert client.owner_username == "anna"
    assert "zqusername" in client.usernames
    assert db.session.get_one(Client, other).usernames == ""


def test_a_client_without_an_owner_gets_the_others(session: Any) -> None:
    kept, other = make.client("Nobody", username=None), make.client("Anna", username="anna")
    db.session.commit()
    merge(kept.id, other.id)
    assert db.session.get_one(Client, kept.id).owner_username == "anna"


def test_rows_of_the_same_mailing_and_group_do_not_collide(session: Any) -> None:
    staff = make.staff()
    kept, other = make.client("Anna"), make.client("Anna again")
    mailing, group = make.mailing(staff), make.group("Both", kept, other)
    more = make.group("One", other)
    tickets = [make.ticket(client, "News", mailing=mailing).id for client in (kept, other)]
    for client in (kept, other):
        db.session.add(MailingRecipient(mailing_id=mailing.id, client_id=client.id))
        make.letter(client, mailing_id=mailing.id, template="")
    db.session.commit()
    record = merge(kept.id, other.id)
    rows = db.session.execute(sa.select(Ticket.id, Ticket.mailing_id).where(Ticket.client_id == kept.id)).all()
    assert dict(map(tuple, rows)) == {tickets[0]: mailing.id, tickets[1]: None}
    members = client_group_members.c
    groups = db.session.scalars(sa.select(members.group_id).where(members.client_id == kept.id))
    assert sorted(groups) == sorted([group.id, more.id])
    undo(record)
    assert db.session.get_one(Ticket, tickets[1]).mailing_id == mailing.id
    assert [one.id for one in db.session.get_one(Client, kept.id).groups] == [group.id]


def test_every_table_that_speaks_of_clients_was_thought_of() -> None:
    """A new one comes along by its column, in a way of its own, or stays for a reason that is said here."""
    own_way = {"client_users", "payers", "accounts", "clients", *merge_moving.LINKS}
    staying = {
        "import_changes",  # what an import changed of the other is no change of the kept client
        "saved_filter_members",  # workers note them anew
        "client_merges",  # says what was merged into the other before; its address leads on from there
        "client_custom_values",  # triggers make them of the client's own column
    }
    pointing = {
        table.name
        for table in db.metadata.sorted_tables
        for key in table.foreign_keys
        if key.column.table.name == "clients"
    }
    assert pointing <= {*merge_moving.MOVING, *own_way, *staying}, "say what becomes of it when clients are merged"


# Which values stay


def test_values_are_chosen_field_by_field(two: tuple[int, int]) -> None:
    kept, other = two
    merge(kept, other, name="other", note="both", email="kept", **{"custom.contract": "other"})
    client = db.session.get_one(Client, kept)
    assert client.name == "Жъименник zqname"
    assert client.note == "Calls often\nzqnote"
    assert client.email == "anna@people.example"
    assert client.custom == {"contract": "zqcustom"}
    assert client.verified_phone == "+4930901820", "what is empty is filled where nobody chose"
    edits = db.session.scalars(
        sa.select(AuditEvent).where(
            AuditEvent.record_id == kept, AuditEvent.module == "clients", AuditEvent.action == "edit"
        )
    ).all()
    event = next(one for one in edits if "name" in one.after)
    assert (event.before["name"], event.after["name"]) == ("Anna Alpha", "Жъименник zqname")
    about = sa.select(AuditEvent).where(AuditEvent.action == "merge").order_by(AuditEvent.id)
    of_other, of_kept = db.session.scalars(about).all()
    assert (of_other.record_id, of_other.before["name"], of_other.after) == (
        other, "Жъименник zqname", {"merged_into_id": kept},
    )  # fmt: skip
    assert (of_kept.record_id, of_kept.after) == (kept, {"merged_client_id": other})


def test_values_that_do_not_fit_together_are_refused(session: Any) -> None:
    kept = make.client("Anna")
    other = make.client("Anna again", legal_status="company", company_name="Alpha")
    db.session.commit()
    a_company = {"legal_status": "other", "company_name": "kept"}
    for choices, field in ((a_company, "company_name"), ({"country": "neither"}, "country")):
        with pytest.raises(OperationRefused) as refused:
            merge(kept.id, other.id, **choices)
        assert refused.value.field == field
        db.session.rollback()
    assert db.session.get_one(Client, other.id).deleted_at is None


def test_clients_without_an_address_can_be_merged(session: Any) -> None:
    kept, other = make.client("Anna", email=""), make.client("Anna again", email="")
    db.session.commit()
    merge(kept.id, other.id)
    assert db.session.get_one(Client, other.id).deleted_at is not None


def test_a_circle_of_referrers_is_opened(session: Any) -> None:
    kept, other, between = make.client("Kept"), make.client("Other"), make.client("Between")
    between.referrer_id, kept.referrer_id = other.id, between.id
    db.session.commit()
    record = merge(kept.id, other.id)
    assert db.session.get_one(Client, between.id).referrer_id == kept.id
    assert db.session.get_one(Client, kept.id).referrer_id is None
    undo(record)
    assert db.session.get_one(Client, between.id).referrer_id == other.id
    assert db.session.get_one(Client, kept.id).referrer_id == between.id


# What is refused


def test_with_itself_with_a_deleted_one_and_with_nobody(session: Any) -> None:
    one, gone = make.client("One"), make.client("Gone", deleted_at=now())
    db.session.commit()
    for kept, other, message in (
        (one.id, one.id, "A client cannot be merged with itself."),
        (one.id, gone.id, f"Client #{gone.id} has been deleted."),
        (gone.id, one.id, f"Client #{gone.id} has been deleted."),
        (one.id, 10**6, "There is no client #1000000."),
    ):
        with pytest.raises(OperationRefused) as refused:
            merge(kept, other)
        assert refused.value.message == message
        db.session.rollback()
    assert db.session.scalar(sa.select(sa.func.count()).select_from(ClientMerge)) == 0


def test_not_after_one_of_them_was_changed_meanwhile(session: Any) -> None:
    kept, other, by = make.client("One"), make.client("Two"), make.staff()
    db.session.commit()
    seen = merging.version_of(merging.pair(kept_id=kept.id, other_id=other.id))
    other.note = "changed"
    db.session.commit()
    with pytest.raises(OperationRefused, match="changed meanwhile"):
        merging.merge(kept_id=kept.id, other_id=other.id, choices={}, by=by, now=now(), version=seen)


@pytest.mark.parametrize("rival", ["the same", "the other way round", "a deletion"])
def test_of_two_at_once_one_wins(app: Flask, session: Any, rival: str) -> None:
    one, two, by = make.client("One"), make.client("Two"), make.staff()
    make.entry(two, "5.00")
    db.session.commit()
    ids, staff = (one.id, two.id), by.id
    db.session.remove()
    start, told = threading.Barrier(2), []

    def act(kept: int, other: int, *, deletes: bool = False) -> None:
        with app.app_context():
            start.wait()
            try:
                if deletes:
                    deletion.delete_one(db.session.get_one(Client, other), now=now())
                else:
                    person = db.session.get_one(Staff, staff)
                    merging.merge(kept_id=kept, other_id=other, choices={}, by=person, now=now())
                db.session.commit()
                told.append("done")
            except OperationRefused as refusal:
                db.session.rollback()
                told.append(refusal.message)

    rivals = {
        "the same": ((ids, {}), (ids, {})),
        "the other way round": ((ids, {}), (ids[::-1], {})),
        "a deletion": ((ids, {}), (ids, {"deletes": True})),
    }
    threads = [threading.Thread(target=act, args=pair, kwargs=more) for pair, more in rivals[rival]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert told.count("done") == 1, told
    assert any("deleted" in text for text in told)
    assert db.session.scalar(sa.select(sa.func.count()).where(Client.id.in_(ids), Client.deleted_at.is_(None))) == 1
    assert checking.faults() == []


# Taking it back


def test_taken_back_all_is_as_it_was(two: tuple[int, int]) -> None:
    kept, other = two
    before = everything(*two)
    record = merge(kept, other, name="other", note="other")
    assert everything(*two) != before
    undo(record)
    after = everything(*two)
    for table, rows in before.items():
        assert after[table] == rows, table
    assert checking.faults() == []
    entries = db.session.scalars(sa.select(LedgerEntry).where(LedgerEntry.source_type == "client_merges")).all()
    assert len(entries) == 4
    assert sum(entry.amount for entry in entries) == 0
    assert db.session.get_one(ClientMerge, record.id).undone_at is not None
    with pytest.raises(OperationRefused, match="taken back already"):
        undo(record)
    db.session.rollback()
    # The same two can be merged once more.
    merge(kept, other)
    assert checking.faults() == []


CHANGES = {
    "The clients themselves": lambda client: setattr(client, "note", "new"),
    "Users": lambda client: make.user(client, "newcomer"),
    "Payers": make.payer,
    "Movements of money": lambda client: make.entry(client, "1.00"),
    "Services": make.service,
    "Payments": make.payment,
    "Tickets, Messages of tickets": make.ticket,
    "Penalty points": make.points,
    "Discounts": make.discount,
    "Groups": lambda client: make.group("New", client),
}  # fmt: skip


@pytest.mark.parametrize("what", CHANGES)
def test_not_after_something_was_changed_and_it_says_what(two: tuple[int, int], what: str) -> None:
    record = merge(*two)
    CHANGES[what](db.session.get_one(Client, two[0]))
    db.session.commit()
    before = everything(*two)
    with pytest.raises(merge_undoing.ChangedSince) as refused:
        undo(record)
    db.session.rollback()
    assert ", ".join(refused.value.what) == what
    assert everything(*two) == before


def test_a_login_a_read_ticket_and_a_letter_sent_are_no_changes(two: tuple[int, int]) -> None:
    record = merge(*two)
    user = db.session.scalars(sa.select(ClientUser).where(ClientUser.client_id == two[0])).first()
    user.last_login_at = now()
    db.session.execute(sa.update(Ticket).values(client_read_at=now()))
    make.letter(db.session.get_one(Client, two[0]))
    db.session.commit()
    undo(record)
    assert db.session.get_one(Client, two[1]).deleted_at is None


# The merged record's own end


def test_it_is_not_restored_by_itself(two: tuple[int, int]) -> None:
    merge(*two)
    with pytest.raises(OperationRefused, match="was merged into"):
        deletion.restore(db.session.get_one(Client, two[1]), now=now())


def test_its_thirty_days_end_in_its_erasing_and_the_kept_client_keeps_everything(
    two: tuple[int, int], clock: Any
) -> None:
    kept, other = two
    record = merge(kept, other)
    tickets, balance = count_of(Ticket, kept), db.session.get_one(Client, kept).balance
    clock.move(days=31)
    assert [number for _at, number in erasing.due(now=now())] == [other]
    erasing.finish(erasing.erase_due(client_id=other, now=now()))
    db.session.commit()
    assert count_of(Ticket, kept) == tickets
    assert db.session.get_one(Client, kept).balance == balance
    assert db.session.get_one(ClientMerge, record.id).before == {}
    with pytest.raises(OperationRefused, match="has been erased"):
        undo(db.session.get_one(ClientMerge, record.id))
    db.session.rollback()
    assert merge_undoing.latest(kept) is None
    assert checking.faults() == []


@pytest.mark.heavy
def test_erased_on_request_the_person_goes_with_all_records(app: Flask, two: tuple[int, int]) -> None:
    kept, other = two
    merge(kept, other, name="other")
    by = make.staff()
    client = db.session.get_one(Client, kept)
    erasing.finish(erasing.erase(client, confirmation=str(kept), by=by, now=now()))
    db.session.commit()
    assert all(db.session.get_one(Client, number).erased_at for number in two)
    assert personal.found(app, SENTINELS, in_file=False) == []
    assert checking.faults() == []

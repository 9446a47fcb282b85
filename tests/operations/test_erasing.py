"""Erasing: what goes, what stays because a document needs it, and that nothing personal is left anywhere."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from extensions import db, now
from models import (
    Account,
    Attachment,
    AuditEvent,
    Client,
    ClientUser,
    Erasure,
    Impersonation,
    Invoice,
    Mailing,
    MailingRecipient,
    Payer,
    SavedFilter,
    Service,
    Staff,
)
from operations import checking, deletion, erasing, erasing_rows, upkeep
from operations.errors import OperationRefused
from tests import factories as make
from tests.support import lives, personal
from tests.support.lives import ON_DOCUMENTS, SENTINELS, Life


def delete(client_id: int, *, days: float = 0) -> None:
    deletion.delete(clients=sa.select(Client.id).where(Client.id == client_id), now=now() - timedelta(days=days))
    db.session.commit()


def erase(client_id: int) -> list[erasing.Erased]:
    done = erasing.erase_due(client_id=client_id, now=now())
    db.session.commit()
    erasing.finish(done)
    return done


def lived(**more: Any) -> Life:
    life = lives.live(**more)
    db.session.commit()
    return life


def test_the_scan_finds_every_word_of_a_client_who_is_there(app: Flask, session: Any) -> None:
    """Otherwise that it finds nothing later would say little."""
    lived()
    places = personal.found(app, [*SENTINELS, *ON_DOCUMENTS])
    missing = [
        each for each in (*SENTINELS, *ON_DOCUMENTS) if not any(each.lower() in place.lower() for place in places)
    ]
    assert [each for each in missing if each != "Жъименник"] == []
    assert any("clients.name" in place for place in places)
    assert {place.partition(":")[0] for place in places} >= {
        "tickets.subject", "audit_events.after", "imports/brought.lines", "imports/waiting.csv", "sessions.data",
    }  # fmt: skip


def test_a_client_without_documents_goes_for_good_with_all_that_hangs_on_it(
    app: Flask, session: Any, data_dir: Path
) -> None:
    life = lived(documents=False)
    make.client("The latest")
    delete(life.client, days=31)
    [done] = erase(life.client)
    assert (done.client_id, done.is_gone) == (life.client, True)
    assert db.session.get(Client, life.client) is None
    upkeep.forget_traces()
    assert personal.found(app, SENTINELS) == []
    assert [path for path in (data_dir / "attachments").iterdir() if path.name in life.stored_names] == []
    assert checking.faults() == []
    for table in db.metadata.sorted_tables:
        for key in table.foreign_keys:
            if key.column.table.name == "clients":
                left = sa.select(sa.func.count()).select_from(table).where(key.parent == life.client)
                assert db.session.scalar(left) == 0, table.name


def test_of_a_client_with_documents_these_stay_as_they_were_issued(app: Flask, session: Any) -> None:
    life = lived()
    before = documents_of(life.client)
    delete(life.client, days=31)
    [done] = erase(life.client)
    assert not done.is_gone
    upkeep.forget_traces()
    assert personal.found(app, SENTINELS) == []
    assert documents_of(life.client) == before
    client = db.session.get_one(Client, life.client)
    assert (client.name, client.email, client.custom, client.owner_username) == ("—", "", {}, f"erased-{life.owner}")
    payer = db.session.scalars(sa.select(Payer).where(Payer.client_id == life.client)).one()
    assert (payer.name, payer.tax_id, payer.legal_address, payer.postal_address, payer.email) == (
        "zqpayer", "zqtax", "zqlegal", "", "",
    )  # fmt: skip
    on_documents = personal.found(app, ON_DOCUMENTS, but={"payers", "invoice_lines"}, in_file=False)
    assert {place.partition(".")[0].partition(":")[0] for place in on_documents} <= {"payers_search"}
    assert checking.faults() == []


def documents_of(client_id: int) -> dict[str, list[Any]]:
    """The documents and movements of money, but for remarks about them."""
    accounts = sa.select(Account.id).where(Account.client_id == client_id)
    remarks = {"note", "row_version"}
    found = {}
    for name, model in erasing_rows.DOCUMENTS.items():
        key = model.account_id.in_(accounts) if name == "ledger_entries" else model.client_id == client_id
        rows = db.session.execute(sa.select(model.__table__).where(key).order_by(model.id)).mappings()
        found[name] = [{key: value for key, value in row.items() if key not in remarks} for row in rows]
    return found


def test_the_postal_address_stays_where_a_document_has_no_other(session: Any) -> None:
    client = make.client("Anna")
    make.invoice(client, payer=make.payer(client, "Anna", postal_address="Street 1"))
    db.session.commit()
    delete(client.id, days=31)
    erase(client.id)
    assert db.session.scalars(sa.select(Payer.postal_address)).one() == "Street 1"


def test_it_is_kept_that_it_was_done_and_nothing_personal_with_it(session: Any) -> None:
    life = lived()
    delete(life.client, days=31)
    erase(life.client)
    row = db.session.scalars(sa.select(Erasure)).one()
    assert (row.client_id, row.way, row.staff_id, row.finished_at is not None) == (life.client, "clock", None, True)
    assert row.kept == {"invoices": 1, "payments": 1, "ledger_entries": 1}
    assert row.removed["tickets"] == 2
    assert row.removed["ticket_messages"] == 2
    assert row.removed["payers"] == 1
    event = db.session.scalars(sa.select(AuditEvent).where(AuditEvent.action == "erase")).one()
    assert (event.client_id, event.actor, event.after["kept"]) == (life.client, "system", 3)


# The audit


def test_events_lose_their_values_and_keep_that_something_was_done(session: Any) -> None:
    life = lived()
    staff = db.session.get_one(Staff, life.staff)
    before = {row.id: row for row in db.session.execute(sa.select(AuditEvent.__table__)).all()}
    delete(life.client, days=31)
    erase(life.client)
    events = db.session.scalars(sa.select(AuditEvent).where(AuditEvent.id.in_(before))).all()
    assert len(events) == len(before)
    for event in events:
        old = before[event.id]
        assert (event.at, event.module, event.action, event.record_id, event.staff_id) == (
            old.at, old.module, old.action, old.record_id, old.staff_id,
        )  # fmt: skip
        assert (set(event.before), set(event.after)) == (set(old.before), set(old.after))
        if event.client_id == life.client:
            assert not any(event.after.values()), event.action
    login = next(event for event in events if event.action == "login")
    assert (login.actor, login.ip) == ("", "")
    neighbour = next(event for event in events if event.after.get("name") == "Neighbour")
    assert neighbour.after["country"] == "DE"
    assert staff.username


def test_nothing_else_can_change_an_event(session: Any) -> None:
    life = lived()
    values = {"after": {}, "before": {}}
    with pytest.raises(sa.exc.DBAPIError, match="cannot be changed"), db.session.begin_nested():
        db.session.execute(sa.update(AuditEvent).where(AuditEvent.client_id == life.client).values(**values))
    delete(life.client, days=31)
    erase(life.client)
    with pytest.raises(sa.exc.DBAPIError, match="cannot be changed"), db.session.begin_nested():
        db.session.execute(sa.update(AuditEvent).values(**values))
    for statement in ("DELETE FROM audit_events", "DELETE FROM erasures", "UPDATE erasures SET finished_at = NULL"):
        with pytest.raises(sa.exc.DBAPIError, match="cannot be changed"), db.session.begin_nested():
            db.session.execute(sa.text(statement))


@pytest.mark.parametrize(
    "values",
    [
        {"after": {"name": "another"}}, {"actor": "Somebody else"}, {"action": "edit"}, {"client_id": 10**6}, {"ip": "::1"},
        {"after": {"name": None, "invented": 1}},
    ],
    ids=lambda values: next(iter(values)),
)  # fmt: skip
def test_not_even_an_erasure_can_put_other_values_in(session: Any, values: dict[str, Any]) -> None:
    life = lived()
    running = {"client_id": life.client, "mark": "x", "at": now(), "removed": {}, "kept": {}}
    db.session.execute(sa.insert(Erasure).values(**running))
    mine = sa.update(AuditEvent).where(AuditEvent.client_id == life.client, AuditEvent.action == "create")
    with pytest.raises(sa.exc.DBAPIError, match="cannot be changed"), db.session.begin_nested():
        db.session.execute(mine.values(**values))
    db.session.execute(mine.values(actor="", ip="", after={"name": None}))


# Others


def test_what_is_others_stays(session: Any) -> None:
    life = lived()
    delete(life.client, days=31)
    erase(life.client)
    assert db.session.scalar(sa.select(Client.referrer_id).where(Client.name == "Somebody brought")) is None
    many = db.session.scalars(sa.select(Mailing).where(Mailing.text != sa.literal({}, Mailing.text.type))).one()
    assert many.subject == {"en": "For many"}
    recipients = sa.select(sa.func.count()).where(MailingRecipient.mailing_id == many.id)
    assert db.session.scalar(recipients) == 2
    [saved] = db.session.scalars(sa.select(SavedFilter)).all()
    assert saved.parameters == {"search": "—"}
    [stay] = db.session.scalars(sa.select(Impersonation)).all()
    assert (stay.staff_id, stay.reason, stay.return_url) == (life.staff, "", "")


def test_two_erased_clients_may_have_had_the_same_words(session: Any) -> None:
    """What is made empty must not meet another of the same name."""
    one, other = lived(documents=True), lived(documents=True, username="other")
    for life in (one, other):
        delete(life.client, days=31)
        erase(life.client)
    names = db.session.scalars(
        sa.select(ClientUser.username).where(ClientUser.client_id.in_([one.client, other.client]))
    )
    assert len(set(names)) == 4
    assert set(db.session.scalars(sa.select(Service.name).where(Service.client_id == one.client))) == {"—"}


# When, and who


def test_not_before_thirty_days_nor_one_that_was_restored(session: Any) -> None:
    client = make.client("Anna")
    delete(client.id, days=29.99)
    assert erasing.due(now=now()) == []
    assert erase(client.id) == []
    later = now() + timedelta(days=1)
    assert [number for _at, number in erasing.due(now=later)] == [client.id]
    deletion.restore(db.session.get_one(Client, client.id), now=now())
    db.session.commit()
    assert erasing.due(now=later) == []
    assert erasing.erase_due(client_id=client.id, now=later) == []


def test_an_erased_client_is_not_restored_and_not_erased_twice(session: Any) -> None:
    life = lived()
    delete(life.client, days=31)
    erase(life.client)
    assert erase(life.client) == []
    with pytest.raises(OperationRefused, match="has been erased"):
        deletion.restore(db.session.get_one(Client, life.client), now=now())
    assert db.session.scalar(sa.select(sa.func.count()).select_from(Erasure)) == 1


@pytest.mark.parametrize("typed", ["", "1", "Somebody", "#"])
def test_at_once_only_with_the_code_or_the_name_typed(session: Any, typed: str) -> None:
    client = make.client("Anna  Alpha")
    by = make.staff()
    with pytest.raises(OperationRefused, match="code or name"):
        erasing.erase(client, confirmation=typed if typed != "1" else str(client.id + 1), by=by, now=now())
    for good in (str(client.id), f" #{client.id} ", "anna alpha", "Anna  Alpha"):
        assert erasing.is_confirmed(client, good)


def test_at_once_of_a_living_client_too(session: Any) -> None:
    client, by = make.client("Anna Alpha"), make.staff()
    make.client("The latest")
    db.session.commit()
    number = client.id
    [done] = erasing.erase(client, confirmation="Anna Alpha", by=by, now=now())
    db.session.commit()
    assert done.is_gone
    assert db.session.get(Client, number) is None
    row = db.session.scalars(sa.select(Erasure)).one()
    assert (row.way, row.staff_id) == ("request", by.id)
    actions = db.session.scalars(sa.select(AuditEvent.action).where(AuditEvent.record_id == number,
                                                                    AuditEvent.module == "clients"))  # fmt: skip
    assert set(actions) >= {"delete", "erase"}


def test_the_code_of_an_erased_client_is_given_to_nobody(session: Any) -> None:
    from operations import bulk

    client = make.client("The latest")
    db.session.commit()
    number = client.id
    delete(number, days=31)
    erase(number)
    assert bulk.reserve_ids(db.session.connection(), Client.__table__, 1)[0] > number


# Files


def test_a_file_stays_until_the_commit_and_an_orphan_is_swept(session: Any, data_dir: Path) -> None:
    life = lived(documents=False)
    files = [data_dir / "attachments" / name for name in life.stored_names]
    delete(life.client, days=31)
    erasing.erase_due(client_id=life.client, now=now())
    assert all(path.exists() for path in files)
    db.session.rollback()
    assert db.session.scalar(sa.select(sa.func.count()).select_from(Attachment)) == 1
    # The process dies between the commit and the removal of the files.
    erasing.erase_due(client_id=life.client, now=now())
    db.session.commit()
    assert all(path.exists() for path in files)
    from operations import attachments

    assert attachments.forget_orphans(now=now() + timedelta(days=2)) == len(files)
    assert not any(path.exists() for path in files)


# An older copy that is put back


def test_an_older_copy_is_gone_over_again(session: Any, data_dir: Path) -> None:
    client = make.client("Anna Alpha")
    db.session.commit()
    number, mark = client.id, erasing.mark_of(client.id, client.registered_at)
    (data_dir / erasing.LIST).write_text(f"{number},{mark}\n{number + 1},{mark}\n")
    assert erasing.missing() == [(number, mark), (number + 1, mark)]
    assert erasing.erase_again(client_id=number, mark="another", now=now()) == []
    [done] = erasing.erase_again(client_id=number, mark=mark, now=now())
    db.session.commit()
    erasing.finish([done])
    assert db.session.get(Client, number) is None
    assert db.session.scalars(sa.select(Erasure.way)).one() == "again"
    assert erasing.missing() == [(number + 1, mark)]
    assert (data_dir / erasing.LIST).stat().st_mode & 0o777 == 0o600


def test_every_table_that_speaks_of_clients_or_their_users_was_thought_of() -> None:
    """A new one has to go, or to be made empty, with the client."""
    handled = {*erasing_rows.GOING, *erasing_rows.GOING_WITH_ALL, *erasing_rows.LINKS, *erasing_rows.DOCUMENTS}
    # By name: removed with the users, with the tickets, or made empty.
    handled |= {"clients", "consents", "sessions", "ticket_messages", "client_merges", "inbound_emails"}
    # Kept by triggers from a column of the client that is made empty, and removed with it.
    handled |= {"client_custom_values"}
    pointing = {
        table.name
        for table in db.metadata.sorted_tables
        for key in table.foreign_keys
        if key.column.table.name in {"clients", "client_users"}
    }
    assert pointing <= handled, pointing - handled


def test_the_database_itself_refuses_to_remove_a_client_with_documents(session: Any) -> None:
    remove = sa.text("DELETE FROM clients WHERE id = :id")
    for documents in (make.invoice, make.payment, make.expense, make.act):
        client = make.client()
        documents(client)
        db.session.commit()
        with pytest.raises(sa.exc.IntegrityError), db.session.begin_nested():
            db.session.execute(remove, {"id": client.id})
    paid = make.client()
    make.entry(paid, "5.00")
    db.session.commit()
    for table, key in (("accounts", "client_id"), ("clients", "id")):
        statement = sa.text(f"DELETE FROM {table} WHERE {key} = :id")
        with pytest.raises(sa.exc.IntegrityError), db.session.begin_nested():
            db.session.execute(statement, {"id": paid.id})
    assert db.session.scalar(sa.select(sa.func.count()).select_from(Invoice)) == 1

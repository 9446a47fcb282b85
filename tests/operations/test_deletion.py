"""Deleting and restoring: what a deletion leaves as it is, and what comes of one at the same moment as something else."""

from __future__ import annotations

import threading
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from extensions import db, now
from models import AuditEvent, Client, LedgerEntry, MailingRecipient, OutboundEmail, Service, Violation
from operations import checking, deletion, mailing_start
from operations.errors import OperationRefused
from tests import factories as make


def delete(*ids: int) -> int:
    count = deletion.delete(clients=sa.select(Client.id).where(Client.id.in_(ids)), now=now())
    db.session.commit()
    return count


def test_a_deletion_leaves_everything_but_letters_and_sessions_as_it_was(session: Any) -> None:
    client = make.client("Anna")
    service, violation = make.service(client), make.violation(client)
    make.entry(client, "5.00")
    db.session.commit()
    assert delete(client.id) == 1
    assert db.session.get_one(Service, service.id).status == "active"
    assert db.session.get_one(Violation, violation.id).status == "open"
    deletion.restore(db.session.get_one(Client, client.id), now=now())
    db.session.commit()
    restored = db.session.get_one(Client, client.id)
    assert (restored.deleted_at, restored.balance, restored.active_services) == (None, Decimal(5), 1)
    actions = db.session.scalars(sa.select(AuditEvent.action).where(AuditEvent.client_id == client.id))
    assert {"delete", "restore"} <= set(actions)


def test_a_mailing_that_starts_later_leaves_it_out(session: Any) -> None:
    gone, there = make.client("Gone"), make.client("There")
    mailing = make.mailing(make.staff(), "News")
    for client in (gone, there):
        db.session.add(MailingRecipient(mailing_id=mailing.id, client_id=client.id))
    db.session.commit()
    delete(gone.id)
    mailing_start.start(mailing_id=mailing.id, now=now())
    db.session.commit()
    outcomes = db.session.execute(
        sa.select(MailingRecipient.client_id, MailingRecipient.outcome, MailingRecipient.reason)
    )
    assert {row[0]: (row[1].value, row[2]) for row in outcomes} == {
        gone.id: ("skipped", "deleted"), there.id: ("queued", ""),
    }  # fmt: skip
    assert list(db.session.scalars(sa.select(OutboundEmail.client_id))) == [there.id]


def test_of_two_who_delete_one_is_refused(app: Flask, session: Any) -> None:
    number = make.client("Anna").id
    db.session.commit()
    db.session.remove()
    start, told = threading.Barrier(2), []

    def work() -> None:
        with app.app_context():
            client = db.session.get_one(Client, number)
            db.session.rollback()
            start.wait()
            try:
                deletion.delete_one(client, now=now())
                db.session.commit()
                told.append("deleted")
            except OperationRefused as refusal:
                db.session.rollback()
                told.append(refusal.message)

    threads = [threading.Thread(target=work) for _number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(told) == ["This client is deleted already.", "deleted"]
    assert db.session.scalar(sa.select(sa.func.count()).where(AuditEvent.action == "delete")) == 1


def test_a_payment_at_the_same_moment_is_not_lost(app: Flask, session: Any) -> None:
    """A deletion only takes the client out of the lists: the money that comes at that moment is there with it."""
    client = make.client("Anna")
    number, account = client.id, make.account(client).id
    db.session.commit()
    db.session.remove()
    start = threading.Barrier(2)

    def pay() -> None:
        with app.app_context():
            start.wait()
            entry = {"account_id": account, "amount": Decimal(5), "kind": "payment", "posted_at": now()}
            db.session.execute(sa.insert(LedgerEntry).values(entry))
            db.session.commit()

    def remove() -> None:
        with app.app_context():
            start.wait()
            delete(number)

    threads = [threading.Thread(target=work) for work in (pay, remove)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    deleted = db.session.get_one(Client, number)
    assert (deleted.balance, deleted.deleted_at is not None) == (Decimal(5), True)
    assert checking.faults() == []


@pytest.mark.parametrize(("days", "restored"), [(29.99, True), (30, False), (31, False)])
def test_thirty_days_are_exact(session: Any, days: float, restored: bool) -> None:
    moment = now()
    client = make.client(deleted_at=moment - timedelta(days=days))
    db.session.commit()
    assert (client in deletion.recently_deleted(now=moment)) is restored
    if restored:
        deletion.restore(client, now=moment)
        assert client.deleted_at is None
    else:
        with pytest.raises(OperationRefused, match="more than 30 days"):
            deletion.restore(client, now=moment)

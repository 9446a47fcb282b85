"""A mailing whose letters are refused one after the other pauses by itself, and says so."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from extensions import db
from models import AuditEvent, Mailing, MailingStatus, OutboundEmail
from operations import mailings, settings
from tests.support import mailings as cast

pytestmark = pytest.mark.usefixtures("session")

ANSWER = "550 5.7.1 you are on a list"


@pytest.fixture(autouse=True)
def pauses_after_three(session: Any) -> None:
    settings.change("mailing_failures", 3)
    db.session.commit()


def refuse(smtp: Any, *clients: int) -> None:
    smtp.refusals |= {f"client-{number}@client.example": ANSWER for number in clients}


def test_after_so_many_failures_in_a_row_it_pauses_and_its_sender_gets_a_letter(smtp: Any) -> None:
    staff = cast.sender(email="mary@desk.example")
    mailing = cast.confirm(cast.clients(10), by=staff)
    refuse(smtp, *range(1, 11))
    cast.work()
    db.session.expire_all()
    assert (mailing.status, mailing.pause_reason) == (MailingStatus.PAUSED, ANSWER)
    figures = mailings.progress(mailing)
    assert (figures["failed"], figures["queued"], figures["recipients"]) == (3, 7, 10)
    cast.work()
    (notice,) = smtp.to("mary@desk.example")
    assert notice.subject == "Paused: Hello %client_person%"
    assert "3 letters in a row have failed" in notice.text
    assert ANSWER in notice.text
    assert f"/admin/mailings/details/?id={mailing.id}" in notice.text
    assert len(smtp.letters) == 1, "nobody else gets one while it is paused"
    event = db.session.scalars(
        sa.select(AuditEvent).where(AuditEvent.module == "mailings", AuditEvent.action == "edit")
        .order_by(AuditEvent.id.desc())
    ).first()  # fmt: skip
    assert event is not None
    assert event.after["status"] == "paused"


def test_resumed_the_rest_goes_out_and_the_count_begins_anew(smtp: Any) -> None:
    mailing = cast.confirm(cast.clients(10))
    refuse(smtp, *range(1, 11))
    cast.work()
    db.session.expire_all()
    mailings.resume(mailing)
    db.session.commit()
    assert (mailing.failures_in_a_row, mailing.pause_reason) == (0, "")
    smtp.refusals.clear()
    cast.work()
    assert mailings.progress(mailing)["sent"] == 7
    mailings.retry_failed(db.session.get_one(Mailing, mailing.id), now=mailing.created_at)
    db.session.commit()
    cast.work()
    assert mailings.progress(mailing) | {"status": "sent", "sent": 10, "failed": 0} == mailings.progress(mailing)


def test_one_that_is_taken_in_between_ends_the_row(smtp: Any) -> None:
    mailing = cast.confirm(cast.clients(9))
    refuse(smtp, 1, 2, 4, 5, 7, 8)
    cast.work()
    db.session.expire_all()
    assert mailing.status is MailingStatus.SENT
    figures = mailings.progress(mailing)
    assert (figures["sent"], figures["failed"]) == (3, 6)


def test_refusals_for_now_do_not_count(smtp: Any) -> None:
    mailing = cast.confirm(cast.clients(6))
    smtp.data_reply = "451 try later"
    cast.work()
    db.session.expire_all()
    assert (mailing.status, mailing.failures_in_a_row) == (MailingStatus.SENDING, 0)
    assert {letter.status.value for letter in cast.letters_of(mailing)} == {"queued"}


def test_nought_means_never(smtp: Any) -> None:
    settings.change("mailing_failures", 0)
    db.session.commit()
    mailing = cast.confirm(cast.clients(6))
    refuse(smtp, *range(1, 7))
    cast.work()
    db.session.expire_all()
    figures = mailings.progress(mailing)
    assert (figures["status"], figures["failed"]) == ("sent", 6)


def test_of_the_letters_that_had_been_claimed_none_is_lost(smtp: Any) -> None:
    mailing = cast.confirm(cast.clients(10))
    refuse(smtp, 3, 4, 5)
    cast.work()
    db.session.expire_all()
    statuses = [letter.status.value for letter in cast.letters_of(mailing)]
    assert statuses == ["sent", "sent", "failed", "failed", "failed", *["queued"] * 5]
    untouched = db.session.scalars(sa.select(OutboundEmail.attempts).where(OutboundEmail.status == "queued")).all()
    assert set(untouched) == {0}

"""Messages to many: who gets what, fixed at the confirmation, carried out at once when the time comes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

import jobs
from extensions import Clock, db, now
from models import (
    AuditEvent,
    Client,
    ClientUser,
    Consent,
    Mailing,
    MailingRecipient,
    MailingStatus,
    Project,
    Staff,
    Ticket,
    TicketMessage,
)
from operations import mailing_plan, mailing_start, mailings, selections, unsubscribing
from operations.errors import OperationRefused
from tests.support import mailings as cast

pytestmark = pytest.mark.usefixtures("session")


def outcomes(mailing: Mailing) -> dict[int, tuple[str, str]]:
    db.session.expire_all()
    rows = db.session.scalars(sa.select(MailingRecipient).where(MailingRecipient.mailing_id == mailing.id))
    return {row.client_id: (row.outcome.value, row.reason) for row in rows}


def tickets(mailing: Mailing) -> dict[int, Ticket]:
    db.session.expire_all()
    return {row.client_id: row for row in db.session.scalars(sa.select(Ticket).where(Ticket.mailing_id == mailing.id))}


def change(client_id: int, **columns: Any) -> None:
    for name, value in columns.items():
        setattr(db.session.get_one(Client, client_id), name, value)
    db.session.commit()


def plan_for(ids: list[int], **changes: Any) -> mailing_plan.Plan:
    chosen = cast.selection(cast.sender(), ids)
    return mailing_plan.plan(cast.draft(**changes), selections.client_ids(chosen), selection=chosen)


# The languages


def test_each_client_gets_the_text_of_his_language() -> None:
    mailing = cast.confirm(cast.clients(4))
    jobs.start_mailings()
    assert {number: ticket.subject for number, ticket in tickets(mailing).items()} == {
        1: "Здравствуйте, Person 1",
        2: "Hello Person 2",
        3: "Здравствуйте, Person 3",
        4: "Hello Person 4",
    }
    texts = dict(db.session.execute(sa.select(Ticket.client_id, TicketMessage.text).join(TicketMessage.ticket)).all())
    assert texts[1] == "Уважаемый Person 1,\nздравствуйте."


@pytest.mark.parametrize(
    ("written", "of_project", "expected"),
    [(["en"], "ru", "en"), (["ru"], "en", "ru"), (["en", "ru"], "ru", "own")],
)
def test_without_strict_match_the_projects_language_else_the_first_written_is_taken(
    written: list[str], of_project: str, expected: str
) -> None:
    ids = cast.clients(2)
    db.session.scalars(sa.select(Project)).one().default_language = of_project
    texts = {code: cast.TEXTS[code] for code in written}
    plan = plan_for(ids, subject={code: cast.SUBJECTS[code] for code in written}, text=texts)
    assert plan.by_language == ([("en", 1), ("ru", 1)] if expected == "own" else [(expected, 2)])


def test_with_strict_match_who_has_no_text_in_his_language_is_left_out_and_counted() -> None:
    ids = cast.clients(5)
    only_english = {"subject": {"en": "Hi"}, "text": {"en": "Hello"}, "strict_language": True}
    plan = plan_for(ids, **only_english)
    assert (plan.tickets, plan.letters) == (2, 2)
    assert [(line.code, line.count, line.names) for line in plan.lines] == [
        ("no_text", 3, [(1, "client-1"), (3, "client-3"), (5, "client-5")])
    ]
    mailing = cast.confirm(
        ids, by=db.session.scalars(sa.select(Staff).where(Staff.username == "mary")).one(), **only_english
    )
    jobs.start_mailings()
    assert set(tickets(mailing)) == {2, 4}
    assert outcomes(mailing)[1] == ("skipped", "no_text")


# Who gets it


def test_who_has_no_address_or_unsubscribed_from_news_gets_the_ticket_and_no_letter() -> None:
    ids = cast.clients(4)
    change(1, email="")
    unsubscribing.unsubscribe(db.session.get_one(Client, 2), now=now())
    mailing = cast.confirm(ids, category=cast.category(news=True))
    jobs.start_mailings()
    assert set(tickets(mailing)) == {1, 2, 3, 4}
    assert [letter.client_id for letter in cast.letters_of(mailing)] == [3, 4]
    assert outcomes(mailing) == {
        1: ("skipped", "no_address"),
        2: ("skipped", "unsubscribed"),
        3: ("queued", ""),
        4: ("queued", ""),
    }


def test_what_is_no_news_cannot_be_refused() -> None:
    ids = cast.clients(1)
    unsubscribing.unsubscribe(db.session.get_one(Client, 1), now=now())
    mailing = cast.confirm(ids)
    jobs.start_mailings()
    assert len(cast.letters_of(mailing)) == 1


def test_who_subscribed_again_gets_news_again() -> None:
    ids = cast.clients(1)
    client = db.session.get_one(Client, 1)
    unsubscribing.unsubscribe(client, now=now())
    unsubscribing.subscribe(client, now=now())
    db.session.commit()
    assert plan_for(ids, category=cast.category(news=True)).letters == 1


def test_clients_that_are_suspended_get_it_unless_they_are_left_out() -> None:
    ids = cast.clients(3)
    db.session.execute(sa.update(Client).where(Client.id == 2).values(is_suspended=True))
    assert plan_for(ids).tickets == 3
    plan = mailing_plan.plan(cast.draft(skip_suspended=True), sa.select(Client.id))
    assert plan.tickets == 2
    assert [(line.code, line.count) for line in plan.lines] == [("suspended", 1)]


def test_deleted_clients_of_the_selection_are_named_and_get_nothing() -> None:
    ids = cast.clients(3)
    staff = cast.sender()
    chosen = cast.selection(staff, ids)
    change(2, deleted_at=now())
    plan = mailing_plan.plan(cast.draft(), selections.client_ids(chosen), selection=chosen)
    assert [(line.code, line.count, line.names) for line in plan.lines] == [("deleted", 1, [(2, "client-2")])]
    mailing = mailings.create(
        by=staff,
        draft=cast.draft(),
        clients=selections.client_ids(chosen),
        selection=chosen,
        starts_at=now(),
        now=now(),
    )
    db.session.commit()
    jobs.start_mailings()
    assert set(tickets(mailing)) == {1, 3}
    assert outcomes(mailing)[2] == ("skipped", "deleted")
    assert mailings.progress(mailing)["recipients"] == 3


def test_the_recipients_are_fixed_at_the_confirmation_and_deleted_ones_drop_out(clock: Clock) -> None:
    ids = cast.clients(3)
    staff = cast.sender()
    chosen = selections.create(staff=staff, module="clients", action="message", parameters={})
    mailing = mailings.create(
        by=staff,
        draft=cast.draft(),
        clients=selections.client_ids(chosen),
        selection=chosen,
        starts_at=now() + timedelta(minutes=5),
        now=now(),
    )
    db.session.commit()
    late = cast.clients(1)
    change(ids[0], deleted_at=now())
    change(ids[1], email="")
    clock.move(minutes=6)
    jobs.start_mailings()
    assert set(tickets(mailing)) == {ids[1], ids[2]}
    assert late[0] not in outcomes(mailing)
    assert outcomes(mailing) == {1: ("skipped", "deleted"), 2: ("skipped", "no_address"), 3: ("queued", "")}


def test_two_clients_with_one_address_get_a_ticket_and_a_letter_each() -> None:
    ids = cast.clients(2, email="shared@client.example")
    mailing = cast.confirm(ids)
    jobs.start_mailings()
    assert len(tickets(mailing)) == 2
    assert [letter.recipient for letter in cast.letters_of(mailing)] == ["shared@client.example"] * 2
    assert len({letter.message_id for letter in cast.letters_of(mailing)}) == 2


def test_a_message_that_nobody_would_get_is_refused() -> None:
    ids = cast.clients(1, language="ru")
    with pytest.raises(OperationRefused, match="Nobody"):
        cast.confirm(ids, subject={"en": "Hi"}, text={"en": "Hello"}, strict_language=True)


# What is wrong with a message


@pytest.mark.parametrize(
    ("changes", "field", "message"),
    [
        ({"text": {"en": "Dear %foo%"}, "subject": {"en": "Hi"}}, "text_en", "There is no macro %foo%."),
        ({"subject": {"ru": "Привет, %bar%"}, "text": {"ru": "x"}}, "subject_ru", "There is no macro %bar%."),
        (
            {"subject": {"en": "Hi"}, "text": {"en": "x", "ru": "y"}},
            "subject_ru",
            "The text in this language has no subject.",
        ),
        (
            {"subject": {"en": "Hi", "ru": "П"}, "text": {"en": "x"}},
            "text_ru",
            "The subject in this language has no text.",
        ),
        ({"subject": {}, "text": {}}, "subject_en", "Write the message in at least one language."),
        (
            {"subject": {"en": "Hi\nBcc: x@example.com"}, "text": {"en": "x"}},
            "subject_en",
            "A subject is one line of text.",
        ),
        ({"subject": {"en": "x" * 201}, "text": {"en": "x"}}, "subject_en", "No more than 200 characters."),
    ],
)
def test_what_is_wrong_is_said_of_its_field_and_stops_the_sending(
    changes: dict[str, Any], field: str, message: str
) -> None:
    ids = cast.clients(1)
    assert mailing_plan.problems(cast.draft(**changes))[field] == message
    with pytest.raises(OperationRefused) as refusal:
        cast.confirm(ids, **changes)
    db.session.rollback()
    assert refusal.value.field is not None
    assert db.session.scalar(sa.select(sa.func.count(Mailing.id))) == 0


def test_a_macro_that_would_come_out_empty_names_whom_it_would_hit() -> None:
    ids = cast.clients(3)
    change(2, company_name="Romashka")
    plan = plan_for(ids, text={"en": "To %company_name% %client_person%", "ru": "%company_name%"})
    assert [(line.label, line.count, line.names) for line in plan.empty_macros] == [
        ("%company_name%", 2, [(1, "client-1"), (3, "client-3")])
    ]


# The start


def test_a_hostile_name_is_written_as_it_is_and_run_by_nobody() -> None:
    ids = cast.clients(1, language="en")
    hostile = r"%admin_name% {{7*7}} {0.__class__} ${7*7} %s \1 <b>"
    change(1, contact_person=hostile)
    mailing = cast.confirm(ids, text={"en": "{{config}} %client_person%"}, subject={"en": "%client_person%"})
    jobs.start_mailings()
    assert tickets(mailing)[1].subject == hostile
    message = db.session.scalars(sa.select(TicketMessage)).one()
    assert message.text == "{{config}} " + hostile


def test_nothing_happens_before_its_time_and_everything_at_it(clock: Clock) -> None:
    mailing = cast.confirm(cast.clients(2), starts_in=300)
    clock.move(seconds=299)
    jobs.start_mailings()
    assert not tickets(mailing)
    assert mailings.progress(mailing) == {
        "status": "scheduled",
        "recipients": 2,
        "queued": 2,
        "sent": 0,
        "failed": 0,
        "skipped": 0,
        "cancelled": 0,
    }
    clock.move(seconds=1)
    jobs.start_mailings()
    assert len(tickets(mailing)) == 2
    assert mailing.status is MailingStatus.SENDING


def test_tickets_say_who_sent_them_and_what_may_be_done_with_them() -> None:
    ids = cast.clients(1)
    open_one = cast.confirm(ids, move_to_sender=True)
    closed_one = cast.confirm(ids, by=open_one.staff, move_to_sender=True, forbid_replies=True)
    jobs.start_mailings()
    ticket, shut = tickets(open_one)[1], tickets(closed_one)[1]
    assert (ticket.replies_allowed, ticket.move_to_sender, ticket.sender_id) == (
        True,
        True,
        open_one.staff_id,
    )
    assert (ticket.status, ticket.assignee_id, ticket.category_id) == (
        "waiting_client",
        None,
        open_one.category_id,
    )
    # «Forbid replies» does away with «move to me».
    assert (shut.replies_allowed, shut.move_to_sender, shut.status) == (False, False, "closed")
    assert ticket.messages[0].staff_id == open_one.staff_id


def test_starting_twice_or_after_a_fault_makes_no_ticket_twice(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    mailing = cast.confirm(cast.clients(3))

    def fail(*_: object) -> None:
        raise RuntimeError("in the middle")

    with monkeypatch.context() as patch:
        patch.setattr(mailing_start, "_queue_letters", fail)
        jobs.start_mailings()
    assert not tickets(mailing)
    assert mailing.status is MailingStatus.SCHEDULED
    clock.move(minutes=2)
    jobs.start_mailings()
    assert mailing_start.start(mailing_id=mailing.id, now=now()) is None
    assert len(tickets(mailing)) == 3


def test_without_letters_the_ticket_is_all_and_the_mailing_is_sent() -> None:
    mailing = cast.confirm(cast.clients(2, email=""), send_email=False)
    cast.work()
    assert len(tickets(mailing)) == 2
    assert not cast.letters_of(mailing)
    assert mailings.progress(mailing)["sent"] == 2
    assert mailing.status is MailingStatus.SENT


def test_every_ticket_is_in_the_history_of_its_client_with_the_sender() -> None:
    mailing = cast.confirm(cast.clients(2))
    jobs.start_mailings()
    events = list(db.session.scalars(sa.select(AuditEvent).where(AuditEvent.module == "tickets")))
    assert {(event.client_id, event.staff_id, event.action) for event in events} == {
        (1, mailing.staff_id, "create"),
        (2, mailing.staff_id, "create"),
    }


def test_a_start_takes_a_fixed_number_of_statements_however_many_clients() -> None:
    counted: list[str] = []

    def count(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        counted.append(statement)

    def statements_for(size: int) -> int:
        mailing = cast.confirm(cast.clients(size), by=db.session.scalars(sa.select(Staff)).first() or cast.sender())
        counted.clear()
        mailing_start.start(mailing_id=mailing.id, now=now())
        db.session.commit()
        return len(counted)

    sa.event.listen(db.engine, "before_cursor_execute", count)
    try:
        assert statements_for(3) == statements_for(300)
    finally:
        sa.event.remove(db.engine, "before_cursor_execute", count)


# What can be done to a mailing


def test_until_it_starts_it_can_be_called_back() -> None:
    mailing = cast.confirm(cast.clients(2), starts_in=300)
    mailings.call_back(mailing)
    db.session.commit()
    cast.work()
    assert not tickets(mailing)
    assert mailings.progress(mailing) == {
        "status": "cancelled",
        "recipients": 2,
        "queued": 0,
        "sent": 0,
        "failed": 0,
        "skipped": 0,
        "cancelled": 2,
    }


def test_once_started_it_cannot_be_called_back() -> None:
    mailing = cast.confirm(cast.clients(1))
    jobs.start_mailings()
    with pytest.raises(OperationRefused, match="has begun"):
        mailings.call_back(mailing)


def test_paused_nothing_goes_out_resumed_the_rest_does(smtp: Any) -> None:
    mailing = cast.confirm(cast.clients(3))
    jobs.start_mailings()
    mailings.pause(mailing)
    db.session.commit()
    cast.work()
    assert not smtp.letters
    assert mailings.progress(mailing)["status"] == "paused"
    mailings.resume(mailing)
    db.session.commit()
    cast.work()
    assert len(smtp.letters) == 3
    assert mailing.status is MailingStatus.SENT


def test_cancelled_the_rest_stays_here_and_is_counted(smtp: Any) -> None:
    mailing = cast.confirm(cast.clients(3))
    jobs.start_mailings()
    mailings.cancel(mailing, now=now())
    db.session.commit()
    cast.work()
    assert not smtp.letters
    assert mailings.progress(mailing)["cancelled"] == 3
    with pytest.raises(OperationRefused):
        mailings.resume(mailing)
    with pytest.raises(OperationRefused):
        mailings.retry_failed(mailing, now=now())


def test_failed_letters_can_be_tried_again(smtp: Any) -> None:
    mailing = cast.confirm(cast.clients(2))
    smtp.refusals["client-1@client.example"] = "550 no such user"
    cast.work()
    figures = mailings.progress(mailing)
    assert (figures["status"], figures["sent"], figures["failed"]) == ("sent", 1, 1)
    smtp.refusals.clear()
    assert mailings.retry_failed(mailing, now=now()) == 1
    db.session.commit()
    cast.work()
    figures = mailings.progress(mailing)
    assert (figures["status"], figures["sent"], figures["failed"]) == ("sent", 2, 0)
    with pytest.raises(OperationRefused):
        mailings.retry_failed(mailing, now=now())


def test_what_was_done_to_a_mailing_is_in_the_audit() -> None:
    mailing = cast.confirm(cast.clients(1), starts_in=60)
    mailings.call_back(mailing)
    db.session.commit()
    events = list(
        db.session.scalars(sa.select(AuditEvent).where(AuditEvent.module == "mailings").order_by(AuditEvent.id))
    )
    assert events[0].action == "create"
    assert events[-1].before["status"] == "scheduled"
    assert events[-1].after["status"] == "cancelled"


# Unsubscribing


def test_unsubscribing_twice_is_once_and_a_made_up_link_is_nobodys() -> None:
    cast.clients(1)
    client = db.session.get_one(Client, 1)
    for _ in range(2):
        unsubscribing.unsubscribe(client, now=now())
        db.session.commit()
    assert db.session.scalar(sa.select(sa.func.count(Consent.id))) == 1
    token = unsubscribing.url_for_client(1).rpartition("/")[2]
    assert unsubscribing.client_of(token) is client
    assert unsubscribing.client_of(token[:-1] + ("A" if token[-1] != "A" else "B")) is None
    assert (
        db.session.scalars(sa.select(ClientUser)).one().id
        == db.session.scalars(sa.select(Consent)).one().client_user_id
    )

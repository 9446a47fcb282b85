"""Delivery: what leaves, in which order, and what becomes of a letter when the server is not willing."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

import jobs
from extensions import Clock, db, now
from models import Client, DeliveryNote, EmailStatus, Mailing, MailingRecipient, OutboundEmail, Project, Ticket
from operations import (
    attachments,
    delivery,
    delivery_notes,
    letter_making,
    letter_queue,
    letters,
    mailings,
    unsubscribing,
)
from operations.errors import OperationRefused
from tests.support import mailings as cast
from tests.support import people

pytestmark = pytest.mark.usefixtures("session")


@pytest.fixture
def postman() -> Iterator[delivery.Postman]:
    made = delivery.Postman(worker="test")
    yield made
    made.close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that was away is tried again at once."""
    monkeypatch.setattr(delivery, "UNREACHABLE_PAUSES", (0,))
    monkeypatch.setattr(delivery, "LOGIN_PAUSE", 0)


def queued(count: int = 1, **columns: Any) -> list[OutboundEmail]:
    """Letters of their own, to one-1, one-2 and so on."""
    project = people.first(Project)
    made = [
        letters.queue(
            template="mailing_test",
            to=f"one-{number}@client.example",
            language="en",
            project=project,
            context={"subject": f"Letter {number}", "text": "Hello", "recipient": "Anna"},
            now=now(),
            **columns,
        )
        for number in range(1, count + 1)
    ]
    db.session.commit()
    return made


def state(letter: OutboundEmail) -> tuple[str, int]:
    db.session.expire_all()
    return letter.status.value, letter.attempts


def lines(text: str) -> str:
    """`text` with its lines ended as they are outside of letters."""
    return text.replace("\r\n", "\n")


# What leaves


def test_a_letter_of_a_mailing_is_well_formed_and_says_what_its_ticket_says(smtp: Any) -> None:
    project = people.first(Project)
    project.name, project.support_email = 'Хостинг "Альфа"', "support@alpha.example"
    ids = cast.clients(2)
    client = db.session.get_one(Client, 1)
    client.contact_person = 'Иван <b>"Грозный"</b>'
    text = "Уважаемый %client_person%,\n\n.точка\nhttps://example.com/?a=1&b=2.\n" + "длинная строка " * 100
    mailing = cast.confirm(ids, text={"ru": text}, subject={"ru": "Здравствуйте, %client_person%"})
    cast.work()
    (letter,) = smtp.to("client-1@client.example")
    message = letter.message
    ticket = db.session.scalars(sa.select(Ticket).where(Ticket.client_id == 1)).one()
    assert not message.defects
    assert letter.sender == "support@alpha.example"
    assert letter.recipients == ("client-1@client.example",)
    assert message["To"] == "client-1@client.example"
    assert message["Cc"] is message["Bcc"] is None
    assert message["From"].addresses[0].display_name == 'Хостинг "Альфа"'
    assert letter.subject == ticket.subject == 'Здравствуйте, Иван <b>"Грозный"</b>'
    assert message["Reply-To"] == "support@alpha.example"
    assert abs(parsedate_to_datetime(message["Date"]) - now()) < timedelta(minutes=1)
    assert message["Message-ID"] == cast.letters_of(mailing)[0].message_id == f"<{ticket.reference}@127.0.0.1>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["X-Ticket"] == ticket.reference
    assert message["List-Unsubscribe"] is None
    assert lines(letter.text).startswith('Уважаемый Иван <b>"Грозный"</b>,\n\n.точка\n')
    assert f"[#{ticket.reference}]" in letter.text
    assert "Иван &lt;b&gt;&#34;Грозный&#34;&lt;/b&gt;,</p>" in letter.html
    assert '<a href="https://example.com/?a=1&amp;b=2" rel="noopener nofollow">' in letter.html
    assert max(len(line) for line in letter.raw.split(b"\r\n")) <= 998


def test_each_letter_has_the_data_of_its_own_client_alone(smtp: Any) -> None:
    cast.confirm(cast.clients(30))
    cast.work()
    assert len(smtp.letters) == 30
    for letter in smtp.letters:
        number = letter.recipients[0].split("@")[0].removeprefix("client-")
        assert f"Person {number}" in letter.text
        assert letter.text.count("Person") == 1


def test_news_can_be_unsubscribed_from_with_one_click(smtp: Any) -> None:
    cast.confirm(cast.clients(1), category=cast.category(news=True))
    cast.work()
    (letter,) = smtp.letters
    link = unsubscribing.url_for_client(1)
    assert letter.message["List-Unsubscribe"] == f"<{link}>"
    assert letter.message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert link in letter.text
    assert link in letter.html


def test_files_go_along_where_that_is_wished(smtp: Any, app: Flask) -> None:
    from io import BytesIO

    content = b"%PDF-" + bytes(range(256)) * 40
    file = attachments.store(BytesIO(content), "Договор №1.pdf")
    with_files = cast.confirm(cast.clients(1), files=[file], attach_to_email=True)
    without = cast.confirm([1], by=with_files.staff, files=[attachments.store(BytesIO(b"x"), "a.txt")])
    cast.work()
    assert [letter.attachments for letter in smtp.letters] in (
        [{"Договор №1.pdf": content}, {}],
        [{}, {"Договор №1.pdf": content}],
    )
    assert [len(mailing.attachments) for mailing in (with_files, without)] == [1, 1]
    assert len(list(attachments.directory().iterdir())) == 2


def test_a_letter_of_its_own_is_made_of_its_template_in_its_language(smtp: Any) -> None:
    letters.queue(
        template="mailing_test",
        to="anna@client.example",
        language="ru",
        project=people.first(Project),
        context={"subject": "Тема", "text": "a <b>\n{{ 7*7 }}", "recipient": "Анна"},
        now=now(),
    )
    db.session.commit()
    cast.work()
    (letter,) = smtp.letters
    assert letter.subject == "Тема"
    assert lines(letter.text).startswith("a <b>\n{{ 7*7 }}\n")
    assert "<p>a &lt;b&gt;<br>\n{{ 7*7 }}</p>" in lines(letter.html)
    assert '<html lang="ru">' in letter.html


@pytest.mark.parametrize("address", ["x@y, z@w", '"Evil <a@b>,"', "a@b\r\nBcc: c@d", "no address", "", "a b@c.d"])
def test_what_is_no_address_gets_no_letter(address: str) -> None:
    with pytest.raises(OperationRefused):
        letters.queue(
            template="mailing_test",
            to=address,
            language="en",
            context={},
            project=people.first(Project),
            now=now(),
        )


def test_urgent_letters_leave_before_those_of_mailings(smtp: Any) -> None:
    cast.confirm(cast.clients(5))
    jobs.start_mailings()
    queued(2)
    cast.work()
    assert [letter.recipients[0].split("-")[0] for letter in smtp.letters] == ["one"] * 2 + ["client"] * 5


@pytest.mark.heavy
def test_of_two_mailings_the_short_one_need_not_wait_for_the_long_one(smtp: Any) -> None:
    long = cast.confirm(cast.clients(60))
    short = cast.confirm(cast.clients(2), by=long.staff)
    jobs.start_mailings()
    cast.work()
    places = [
        number
        for number, letter in enumerate(smtp.letters)
        if letter.recipients[0] in {"client-61@client.example", "client-62@client.example"}
    ]
    assert max(places) < 20
    assert mailings.progress(short)["status"] == "sent"


def test_who_was_deleted_or_unsubscribed_after_the_start_gets_no_letter(smtp: Any) -> None:
    mailing = cast.confirm(cast.clients(3), category=cast.category(news=True))
    jobs.start_mailings()
    db.session.get_one(Client, 1).deleted_at = now()
    unsubscribing.unsubscribe(db.session.get_one(Client, 2), now=now())
    db.session.commit()
    cast.work()
    assert [letter.recipients for letter in smtp.letters] == [("client-3@client.example",)]
    figures = mailings.progress(mailing)
    assert (figures["status"], figures["sent"], figures["skipped"]) == ("sent", 1, 2)


# When the server is not willing


# Servers that take several commands at once are told of the next letter early; others are not.
either = pytest.mark.parametrize("pipelining", [True, False])


@either
def test_a_refusal_for_good_fails_at_once_and_is_not_tried_again(smtp: Any, clock: Clock, pipelining: bool) -> None:
    smtp.pipelining = pipelining
    before, letter, bad, *after = queued(5)
    smtp.refusals["one-2@client.example"] = "550 no such user"
    bad.template = "no such template"
    db.session.commit()
    cast.work()
    assert state(letter) == ("failed", 1)
    assert "550 no such user" in letter.last_error
    assert state(bad) == ("failed", 1)
    assert [state(other) for other in (before, *after)] == [("sent", 1)] * 3
    assert [taken.recipients for taken in smtp.letters] == [(f"one-{n}@client.example",) for n in (1, 4, 5)]
    assert [taken.message_id for taken in smtp.letters] == [other.message_id for other in (before, *after)]
    clock.move(days=5)
    cast.work()
    assert state(letter) == ("failed", 1)


@pytest.mark.parametrize("how", ["at the address", "after the letter"])
def test_a_refusal_for_now_is_tried_again_after_growing_pauses(smtp: Any, clock: Clock, how: str) -> None:
    (letter,) = queued()
    if how == "at the address":
        smtp.refusals["one-1@client.example"] = "450 try later"
    else:
        smtp.data_reply = "451 try later"
    for attempt, minutes in enumerate([1, 5, 30, 120, 360, 360], start=1):
        cast.work()
        assert state(letter) == ("queued", attempt)
        assert timedelta(minutes=minutes) <= letter.next_attempt_at - now() <= timedelta(minutes=minutes * 1.2)
        clock.move(minutes=minutes * 0.9)
        cast.work()
        assert state(letter) == ("queued", attempt)
        clock.move(minutes=minutes * 0.31)
    smtp.refusals.clear()
    smtp.data_reply = "250 OK"
    cast.work()
    assert state(letter) == ("sent", 7)
    assert len({kept.message["Message-ID"] for kept in smtp.letters}) == 1


@pytest.mark.heavy
def test_in_the_end_it_is_given_up(smtp: Any, clock: Clock) -> None:
    (letter,) = queued()
    smtp.refusals["one-1@client.example"] = "450 try later"
    for _ in range(delivery.MOST_ATTEMPTS):
        cast.work()
        clock.move(days=1)
    assert state(letter) == ("failed", delivery.MOST_ATTEMPTS)
    assert "450 try later" in letter.last_error


def test_a_server_that_is_away_costs_one_letter_an_attempt_and_no_letter_is_lost(
    smtp: Any, postman: delivery.Postman, impatient: None
) -> None:
    made = queued(3)
    smtp.stop()
    assert postman.deliver() == 0
    assert sorted(state(letter) for letter in made) == [("queued", 0), ("queued", 0), ("queued", 1)]
    smtp.start()
    assert postman.deliver() == 3
    assert [state(letter)[0] for letter in made] == ["sent"] * 3


def test_a_worker_that_starts_after_an_outage_sends_what_waited_for_the_server(smtp: Any) -> None:
    (letter,) = queued()
    smtp.stop()
    cast.work()
    assert state(letter) == ("queued", 1)
    assert letter.last_error.startswith("no connection: ")
    smtp.start()
    cast.work()
    assert state(letter) == ("sent", 2)


@either
def test_a_connection_that_breaks_in_the_middle_puts_the_letter_off_and_the_rest_goes_on(
    smtp: Any, postman: delivery.Postman, impatient: None, pipelining: bool
) -> None:
    smtp.pipelining = pipelining
    made = queued(3)
    smtp.data_reply = "421 closing"
    smtp.on_letter = lambda letter: setattr(smtp, "data_reply", "250 OK")
    postman.deliver()
    while postman.deliver():
        pass
    assert sorted(state(letter) for letter in made) == [("queued", 1), ("sent", 1), ("sent", 1)]


def test_a_server_that_is_silent_is_given_up_after_a_while_and_nothing_is_lost(
    smtp: Any, postman: delivery.Postman, impatient: None, clock: Clock
) -> None:
    made = queued(2)
    postman._connection._timeout = 0.3
    smtp.delay = 1.0
    started = time.monotonic()
    postman.deliver()
    assert time.monotonic() - started < 10
    assert [state(letter) for letter in made] == [("queued", 1)] * 2
    smtp.delay = 0
    clock.move(minutes=2)
    assert postman.deliver() == 2
    assert [state(letter) for letter in made] == [("sent", 2)] * 2


def test_a_refused_login_stops_the_queue_and_burns_no_attempt(make_app: Callable[..., Flask], smtp: Any) -> None:
    (letter,) = queued()
    number = letter.id
    db.session.rollback()
    app = make_app(SMTP_URL=f"smtp://user:wrong@127.0.0.1:{smtp.port}")
    with app.app_context():
        cast.work()
        found = db.session.get_one(OutboundEmail, number)
        assert (found.status, found.attempts, found.next_attempt_at <= now()) == (EmailStatus.QUEUED, 0, True)
        assert found.last_error.startswith("no connection: ")
    assert not smtp.letters


def test_a_letter_that_cannot_be_made_fails_alone(smtp: Any) -> None:
    made = queued(3)
    made[0].template = "there/is/none"
    made[1].recipient = "a@b, c@d"
    db.session.commit()
    cast.work()
    assert [state(letter)[0] for letter in made] == ["failed", "failed", "sent"]
    assert "not an e-mail address" in made[1].last_error


def test_a_database_that_is_away_while_a_letter_is_made_costs_it_an_attempt_alone(
    smtp: Any, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    mailing = cast.confirm(cast.clients(1))
    real = letter_making.Desk._new_sort

    def away(*_: Any) -> Any:
        raise sa.exc.OperationalError("SELECT 1", {}, Exception("the server closed the connection"))

    monkeypatch.setattr(letter_making.Desk, "_new_sort", away)
    cast.work()
    [letter] = cast.letters_of(mailing)
    assert (letter.status, letter.attempts, letter.last_error) == (EmailStatus.QUEUED, 1, "the database was away")
    monkeypatch.setattr(letter_making.Desk, "_new_sort", real)
    clock.move(minutes=2)
    cast.work()
    assert len(smtp.letters) == 1


def test_what_has_failed_is_tried_again_at_the_address_that_the_client_has_by_now(smtp: Any) -> None:
    ids = cast.clients(2)
    smtp.refusals[f"client-{ids[0]}@client.example"] = "550 no such user"
    mailing = cast.confirm(ids)
    cast.work()
    db.session.get_one(Client, ids[0]).email = "Fixed@Other.example"
    db.session.commit()
    mailings.retry_failed(db.session.get_one(Mailing, mailing.id), now=now())
    db.session.commit()
    cast.work()
    assert min(one.recipients[0] for one in smtp.letters) == "Fixed@Other.example"
    [letter] = [one for one in cast.letters_of(mailing) if one.client_id == ids[0]]
    assert (letter.status, letter.domain) == (EmailStatus.SENT, "other.example")


def test_without_a_mail_server_letters_wait(make_app: Callable[..., Flask], smtp: Any) -> None:
    (letter,) = queued()
    with make_app(SMTP_URL=None).app_context():
        cast.work()
    assert state(letter) == ("queued", 0)


# Who has which letter


def test_two_workers_never_have_the_same_letter() -> None:
    queued(10)
    first = letter_queue.claim(worker="a", limit=6, now=now())
    second = letter_queue.claim(worker="b", limit=6, now=now())
    assert len(first) == 6
    assert len(second) == 4
    assert not set(first) & set(second)


def test_a_claim_is_taken_back_when_its_worker_has_not_been_heard_of_and_not_before(clock: Clock) -> None:
    (letter,) = queued()
    letter_queue.claim(worker="dead", limit=1, now=now())
    assert state(letter) == ("sending", 1)
    clock.move(seconds=letter_queue.LEASE.total_seconds() - 1)
    jobs.take_back_letters()
    assert state(letter) == ("sending", 1)
    clock.move(seconds=2)
    jobs.take_back_letters()
    assert state(letter) == ("queued", 1)
    assert letter_queue.claim(worker="alive", limit=1, now=now()) == [letter.id]
    # Within two minutes of the death, with the pause between two looks.
    assert letter_queue.LEASE + timedelta(
        seconds={sweep.__name__: s for sweep, s in jobs.SWEEPS}["take_back_letters"]
    ) < timedelta(minutes=2)


def test_a_lease_that_is_renewed_is_kept(clock: Clock, postman: delivery.Postman) -> None:
    (letter,) = queued()
    postman._claim()
    for _ in range(3):
        clock.move(seconds=60)
        postman.renew_lease()
        jobs.take_back_letters()
    assert state(letter) == ("sending", 1)


def test_who_lost_his_lease_does_not_send(smtp: Any, postman: delivery.Postman) -> None:
    queued()
    postman._claim()
    postman._leased_until = time.monotonic() - 1
    assert postman._send_batch() == 0
    assert not smtp.letters


def test_a_letter_in_flight_while_the_mailing_is_cancelled_is_cancelled_when_it_comes_back(smtp: Any) -> None:
    mailing = cast.confirm(cast.clients(2))
    jobs.start_mailings()
    held = letter_queue.claim(worker="slow", limit=1, now=now())
    mailings.cancel(mailing, now=now())
    db.session.commit()
    figures = mailings.progress(mailing)
    assert (figures["queued"], figures["cancelled"]) == (1, 1)
    db.session.execute(
        sa.update(OutboundEmail).where(OutboundEmail.id.in_(held)).values(lease_until=now() - timedelta(seconds=1))
    )
    db.session.commit()
    jobs.take_back_letters()
    assert mailings.progress(mailing)["cancelled"] == 2
    cast.work()
    assert not smtp.letters


def test_every_recipient_counts_once_at_every_moment(smtp: Any) -> None:
    mailing = cast.confirm(cast.clients(12))
    number, seen = mailing.id, []
    smtp.refusals["client-3@client.example"] = "550 no"
    app = _app()

    def look(_letter: object) -> None:
        with app.app_context():
            seen.append(mailings.progress(db.session.get_one(Mailing, number)))

    smtp.on_letter = look
    cast.work()
    seen.append(mailings.progress(mailing))
    assert len(seen) == 12
    for figures in seen:
        parts = [figures[name] for name in ("queued", "sent", "failed", "skipped", "cancelled")]
        assert sum(parts) == figures["recipients"] == 12
    assert (seen[-1]["sent"], seen[-1]["failed"], seen[-1]["status"]) == (11, 1, "sent")
    assert db.session.scalar(sa.select(sa.func.count(MailingRecipient.id))) == 12


def _app() -> Flask:
    from flask import current_app

    return current_app._get_current_object()  # type: ignore[attr-defined]


def test_what_is_noted_as_sent_is_sent_though_its_worker_died_before_it_said_so(
    smtp: Any, postman: delivery.Postman, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    mailing = cast.confirm(cast.clients(3))
    jobs.start_mailings()
    # As if it had been killed: neither settled nor put back.
    with monkeypatch.context() as patch:
        patch.setattr(delivery_notes, "settle", lambda letters: None)
        assert postman.deliver() == 3
    assert mailings.progress(mailing)["queued"] == 3
    noted = sa.select(sa.func.count()).select_from(DeliveryNote)
    assert db.session.scalar(noted) == 3
    jobs.take_back_letters()
    assert mailings.progress(mailing)["queued"] == 3, "its lease is not over"
    clock.move(seconds=delivery.LEASE.total_seconds() + 1)
    jobs.take_back_letters()
    figures = mailings.progress(mailing)
    assert (figures["sent"], figures["status"]) == (3, "sent")
    assert [(letter.status.value, letter.attempts) for letter in cast.letters_of(mailing)] == [("sent", 1)] * 3
    assert db.session.scalar(noted) == 0
    cast.work()
    assert len(smtp.letters) == 3


def test_a_letter_is_noted_before_the_next_one_is_handed_over(smtp: Any) -> None:
    cast.confirm(cast.clients(5))
    app, noted = _app(), []

    def look(_letter: object) -> None:
        with app.app_context():
            sent = db.session.scalar(sa.select(sa.func.count(OutboundEmail.id)).where(OutboundEmail.status == "sent"))
            noted.append(sent + db.session.scalar(sa.select(sa.func.count()).select_from(DeliveryNote)))

    smtp.on_letter = look
    cast.work()
    assert noted == [0, 1, 2, 3, 4]


def test_a_letter_of_which_the_server_was_told_does_not_go_out_if_the_worker_stops(
    smtp: Any, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was told to whom, and got nothing else: it makes no empty letter of that."""
    made, told = queued(3), []
    postman = delivery.Postman(worker="stopping", stop=lambda: bool(smtp.letters))
    withdraw = postman._connection.withdraw
    monkeypatch.setattr(
        postman._connection, "withdraw", lambda: (told.append(postman._connection._offered.to), withdraw())
    )
    monkeypatch.setattr(postman, "_batch", 3)
    assert postman.deliver() == 1
    assert told == ["one-2@client.example"]
    assert [state(letter) for letter in made] == [("sent", 1), ("queued", 0), ("queued", 0)]
    cast.work()
    assert [taken.recipients for taken in smtp.letters] == [(f"one-{n}@client.example",) for n in (1, 2, 3)]
    assert [state(letter) for letter in made] == [("sent", 1)] * 3


def test_a_note_outlives_the_loss_of_its_connection_and_waits_for_who_writes(smtp: Any, engine: str) -> None:
    """Of five letters each is taken once, though the database drops the connection or is busy after the second."""
    mailing = cast.confirm(cast.clients(5))
    app, path, lost = _app(), db.engine.url.database, []

    def lose(_letter: object) -> None:
        if len(smtp.letters) != 2:
            return
        with app.app_context():
            if engine == "postgresql":
                others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'INSERT INTO delivery_notes%'"
                lost.extend(db.session.scalars(sa.text(others)))
                db.session.rollback()
                return
        other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        other.execute("BEGIN IMMEDIATE")
        lost.append(True)
        threading.Timer(0.4, lambda: (other.rollback(), other.close())).start()

    smtp.on_letter = lose
    cast.work()
    assert lost == [True]
    assert len(smtp.letters) == 5
    assert [(letter.status.value, letter.attempts) for letter in cast.letters_of(mailing)] == [("sent", 1)] * 5
    assert db.session.scalar(sa.select(sa.func.count()).select_from(DeliveryNote)) == 0


# Limits


def test_of_what_a_limit_allows_mailings_leave_some_to_the_others(
    make_app: Callable[..., Flask], smtp: Any, clock: Clock
) -> None:
    """So an answer leaves at once, and not when the minute that a mailing has used up is over."""
    cast.confirm(cast.clients(30))
    clock.set(now())
    with make_app(MAIL_RATE="20", MAIL_RATE_PER_DOMAIN="20").app_context():
        cast.work()
        cast.work()
        assert len(smtp.letters) == 18
        queued(3)
        cast.work()
        assert len(smtp.letters) == 20
        assert [letter.recipients[0] for letter in smtp.letters[-2:]] == [
            "one-1@client.example",
            "one-2@client.example",
        ]


def test_no_more_letters_leave_in_a_minute_than_are_allowed(
    make_app: Callable[..., Flask], smtp: Any, clock: Clock
) -> None:
    queued(7)
    clock.set(now())
    with make_app(MAIL_RATE="3").app_context():
        for expected in (3, 3, 6, 6, 7):
            cast.work()
            assert len(smtp.letters) == expected
            clock.move(seconds=31)


def test_one_domain_at_its_limit_does_not_hinder_the_others(
    make_app: Callable[..., Flask], smtp: Any, clock: Clock
) -> None:
    made = queued(6)
    for letter in made[4:]:
        letter.recipient, letter.domain = letter.recipient.replace("client.", "other."), "other.example"
    db.session.commit()
    clock.set(now())
    with make_app(MAIL_RATE_PER_DOMAIN="2").app_context():
        cast.work()
        cast.work()
    domains = [letter.recipients[0].rpartition("@")[2] for letter in smtp.letters]
    assert sorted(domains) == ["client.example"] * 2 + ["other.example"] * 2

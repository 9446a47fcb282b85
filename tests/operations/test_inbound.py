"""Letters that come in become answers and tickets, once; or it is said why not, and nothing of them is lost."""

from __future__ import annotations

import io
import resource
import stat
import zipfile
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import unquote

import pytest
import sqlalchemy as sa

import jobs
from extensions import db, now
from models import (
    Attachment,
    AuditEvent,
    Client,
    Consent,
    InboundEmail,
    InboundOutcome,
    MailingRecipient,
    OutboundEmail,
    Ticket,
    TicketMessage,
    TicketStatus,
    Violation,
    ViolationStatus,
)
from operations import attachments, erasing, inbound, inbound_parsing, inbound_store, settings, tickets, unsubscribing
from operations.errors import OperationRefused
from operations.inbound_store import Arrival
from tests import factories as make
from tests.support import letters_in as mail
from tests.support import mailings
from tests.support.letters_in import PDF, PNG, Written, bring

pytestmark = pytest.mark.usefixtures("session")
REFERENCE = "0123456789ABCDEF"


@pytest.fixture
def ticket() -> Ticket:
    """A ticket of anna@clients.example, to which staff have written."""
    project = make.project("Alpha Hosting", support_email="support@alpha.example")
    client = make.client("Anna", username="anna", email="anna@clients.example", project=project)
    found = make.ticket(client, "The server", reference=REFERENCE, status="waiting_client")
    db.session.commit()
    return found


def answer(**more: Any) -> Written:
    """An answer of Anna's to the ticket, as her mail program writes it."""
    headers = [("In-Reply-To", f"<{REFERENCE}@127.0.0.1>"), *more.pop("headers", [])]
    return Written(**{"sender": "Anna <anna@clients.example>", "subject": "Re: The server", "headers": headers, **more})


def messages(ticket: Ticket) -> list[TicketMessage]:
    db.session.expire_all()
    return list(
        db.session.scalars(
            sa.select(TicketMessage).where(TicketMessage.ticket_id == ticket.id).order_by(TicketMessage.id)
        )
    )


def told() -> list[OutboundEmail]:
    return list(db.session.scalars(sa.select(OutboundEmail).where(OutboundEmail.template == "inbound_not_taken")))


def setting(code: str, value: Any) -> None:
    settings.change(code, value)
    db.session.commit()


# Unsubscribing


def test_a_letter_with_the_token_unsubscribes_as_the_link_does_and_a_made_up_one_does_not(
    ticket: Ticket, smtp: Any, make_app: Any
) -> None:
    client_id = ticket.client_id
    db.session.rollback()
    with make_app(INBOUND_URL="imap://desk:secret@127.0.0.1:1/").app_context():
        news = mailings.confirm([client_id], category=mailings.category(news=True))
        mailings.confirm([client_id], by=news.staff)
        mailings.work()
        db.session.rollback()
    [taken] = [letter for letter in smtp.letters if letter.message["List-Unsubscribe"]]
    assert len(smtp.letters) == 2
    link, mailto = str(taken.message["List-Unsubscribe"]).split(", ")
    assert link == f"<{unsubscribing.url_for_client(client_id)}>"
    to, _mark, query = mailto.strip("<>").removeprefix("mailto:").partition("?")
    assert to == "support@alpha.example"
    subject = unquote(query.removeprefix("subject="))
    client = ticket.client
    forged = subject[:-3] + ("abc" if not subject.endswith("abc") else "xyz")
    for wrong in (forged, subject.replace("unsubscribe ", "Re: "), "unsubscribe"):
        bring(Written(sender="anna@clients.example", subject=wrong, text="x"))
        assert unsubscribing.is_subscribed(client)
    said = len(messages(ticket))
    row = bring(Written(sender="program@mail.example", subject=subject, headers=[("Auto-Submitted", "auto-generated")]))
    assert (row.outcome, row.reason, row.client_id) == (InboundOutcome.IGNORED, "unsubscribed", client.id)
    assert not unsubscribing.is_subscribed(client)
    consent = db.session.scalars(sa.select(Consent)).one()
    assert consent.source == "letter"
    bring(Written(sender="program@mail.example", subject=subject, text="again"))
    assert not unsubscribing.is_subscribed(client)
    assert len(messages(ticket)) == said


# Answers


def test_an_answer_stands_in_its_ticket_as_if_written_in_the_panel(ticket: Ticket) -> None:
    quoted = "On Tue, Mar 3, 2026 at 12:31, Support <support@alpha.example> wrote:\n> Good day"
    row = bring(
        answer(text=f"It works <b>again</b>, спасибо.\n\n{quoted}", files=[("Договор №1.pdf", "application/pdf", PDF)])
    )
    assert (row.outcome, row.reason, row.ticket_id) == (InboundOutcome.ANSWERED, "", ticket.id)
    message = messages(ticket)[-1]
    assert row.ticket_message_id == message.id
    assert message.text == "It works <b>again</b>, спасибо."
    assert message.client_user_id == ticket.client.owner.id
    assert message.staff_id is None
    assert not message.is_internal
    assert message.letter.quoted == quoted
    assert message.letter.sender == "anna@clients.example"
    [file] = message.attachments
    assert file.file_name == "Договор №1.pdf"
    assert attachments.path_of(file).read_bytes() == PDF
    assert ticket.status is TicketStatus.WAITING_STAFF
    event = db.session.scalars(sa.select(AuditEvent).where(AuditEvent.action == "reply")).one()
    assert event.client_user_id == message.client_user_id


def test_each_way_of_naming_the_ticket_finds_it(ticket: Ticket) -> None:
    make.letter(ticket.client, ticket=ticket, message_id="<of-the-answer@127.0.0.1>")
    db.session.commit()
    ways = [
        {"headers": [("References", f"<other@x.example> <{REFERENCE}@127.0.0.1>")]},
        {"headers": [("In-Reply-To", "<of-the-answer@127.0.0.1>")]},
        {"headers": [("In-Reply-To", f"<{REFERENCE.lower()}@127.0.0.1>")]},
        {"subject": f"AW: Fwd: anything [#{REFERENCE}]"},
        {"to": f"support+{REFERENCE}@alpha.example"},
        {"headers": [("Delivered-To", f"support+{REFERENCE}@alpha.example")]},
    ]
    for number, way in enumerate(ways):
        letter = Written(
            **{"sender": "anna@clients.example", "subject": "Re", "message_id": f"<{number}@x.example>", **way}
        )
        assert bring(letter).outcome is InboundOutcome.ANSWERED, way
    envelope = bring(
        Written(sender="anna@clients.example", message_id="<7@x>"), envelope_to=(f"support+{REFERENCE}@alpha.example",)
    )
    assert envelope.outcome is InboundOutcome.ANSWERED
    assert len(messages(ticket)) == 1 + len(ways) + 1


def test_what_names_no_ticket_truly_finds_none(ticket: Ticket) -> None:
    setting("inbound_without_ticket", "refuse")
    for number, way in enumerate(
        [
            {"headers": [("X-Ticket", REFERENCE)]},
            {"headers": [("In-Reply-To", f"<{REFERENCE}@elsewhere.example>")]},
            {"subject": f"[#{REFERENCE[:-1]}0]"},
            {"subject": "[#%]"},
            {"to": f"other+{REFERENCE}@alpha.example"},
        ]
    ):
        letter = Written(**{"sender": "anna@clients.example", "message_id": f"<{number}@x.example>", **way})
        row = bring(letter)
        assert (row.outcome, row.reason) == (InboundOutcome.REFUSED, "no_tickets"), way
    assert len(messages(ticket)) == 1


def test_users_of_the_client_answer_in_their_own_name_as_far_as_they_may(ticket: Ticket) -> None:
    able = make.user(ticket.client, "able", email="able@clients.example", permissions=["support"])
    make.user(ticket.client, "other", email="other@clients.example", permissions=["finance"])
    make.user(ticket.client, "gone", email="gone@clients.example", permissions=["support"], is_active=False)
    make.payer(ticket.client, email="payer@clients.example")
    db.session.commit()
    assert bring(answer(sender="ABLE@Clients.Example", message_id="<1@x>")).outcome is InboundOutcome.ANSWERED
    assert messages(ticket)[-1].client_user_id == able.id
    for address, reason in (("other", "not_allowed"), ("gone", "not_allowed"), ("payer", "not_of_client")):
        row = bring(answer(sender=f"{address}@clients.example", message_id=f"<{address}@x>"))
        assert (row.outcome, row.reason, row.ticket_id) == (InboundOutcome.REFUSED, reason, ticket.id)
    assert len(messages(ticket)) == 2


def test_another_clients_letter_does_not_get_into_the_ticket(ticket: Ticket) -> None:
    """Who knows the reference of a ticket is not its client yet."""
    boris = make.client("Boris", username="boris", email="boris@other.example")
    db.session.commit()
    row = bring(answer(sender="boris@other.example"))
    assert (row.outcome, row.client_id) == (InboundOutcome.NEW_TICKET, boris.id)
    assert len(messages(ticket)) == 1
    assert db.session.get_one(Ticket, row.ticket_id).client_id == boris.id
    setting("inbound_without_ticket", "refuse")
    row = bring(answer(sender="boris@other.example", message_id="<2@x>"))
    assert (row.outcome, row.reason) == (InboundOutcome.REFUSED, "not_of_client")


def test_a_client_that_is_deleted_or_has_no_user_is_not_answered_for(ticket: Ticket) -> None:
    ticket.client.deleted_at = now()
    lonely = make.client("Lonely", username=None, email="lonely@clients.example")
    db.session.commit()
    assert bring(answer()).reason == "deleted"
    row = bring(Written(sender="lonely@clients.example", message_id="<2@x>"))
    assert (row.outcome, row.reason, row.client_id) == (InboundOutcome.REFUSED, "no_user", lonely.id)


def test_replies_that_are_forbidden_are_not_taken(ticket: Ticket) -> None:
    ticket.replies_allowed = False
    db.session.commit()
    row = bring(answer())
    assert (row.outcome, row.reason) == (InboundOutcome.REFUSED, "replies_forbidden")
    assert len(messages(ticket)) == 1
    assert ticket.status is TicketStatus.WAITING_CLIENT
    [notice] = told()
    assert notice.recipient == "anna@clients.example"
    assert bring(answer(message_id="<2@x>", text="once more")).reason == "replies_forbidden"
    assert len(told()) == 1, "an address is told once a day"


def test_staff_do_not_answer_by_letter(ticket: Ticket) -> None:
    """Anybody can write a staff member's address into a letter, and nothing here can tell."""
    make.staff("mary", email="mary@provider.example")
    db.session.commit()
    row = bring(answer(sender="Mary <mary@provider.example>"))
    assert (row.outcome, row.reason, row.ticket_id) == (InboundOutcome.REFUSED, "staff", ticket.id)
    assert len(messages(ticket)) == 1
    assert [letter.recipient for letter in told()] == ["mary@provider.example"]


def test_an_answer_is_a_reaction_to_a_violation_and_a_machine_s_is_not() -> None:
    client = make.client("Anna", username="anna", email="anna@clients.example")
    violation = make.violation(client)
    violation.ticket.reference = REFERENCE
    db.session.commit()
    machines = [("Auto-Submitted", "auto-replied"), ("Precedence", "bulk"), ("X-Auto-Response-Suppress", "All")]
    for number, header in enumerate(machines):
        assert bring(answer(message_id=f"<{number}@x>", headers=[header])).outcome is InboundOutcome.IGNORED
    bring(answer(message_id="<away@x>", subject="Автоответ: меня нет"))
    db.session.refresh(violation)
    assert violation.status is ViolationStatus.OPEN
    assert bring(answer(message_id="<9@x>")).outcome is InboundOutcome.ANSWERED
    db.session.refresh(violation)
    assert violation.status is ViolationStatus.ANSWERED


def test_a_closed_ticket_opens_again_and_moves_to_its_sender() -> None:
    client = make.client("Anna", username="anna", email="anna@clients.example")
    sender = make.staff("mary")
    found = make.ticket(client, reference=REFERENCE, status="closed", move_to_sender=True, sender_id=sender.id)
    db.session.commit()
    bring(answer())
    db.session.refresh(found)
    assert (found.status, found.assignee_id) == (TicketStatus.WAITING_STAFF, sender.id)


# What they hold


def test_files_that_may_not_be_attached_are_named_and_the_rest_is_kept(ticket: Ticket) -> None:
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(20 * 1024 * 1024))
    files = [
        ("good.pdf", "application/pdf", PDF), ("virus.exe", "application/pdf", b"MZ"), ("x.svg", "image/png", b"<svg onload=alert(1)>"),
        ("wrong.png", "image/png", b"<html>"), ("empty.txt", "text/plain", b""), ("../../up.pdf", "application/pdf", PDF),
        ("bomb.zip", "application/zip", bomb.getvalue()), ("page.html", "text/html", b"<script>"), ("\u202egpj.exe", "image/jpeg", b"MZ"),
    ]  # fmt: skip
    row = bring(answer(files=files))
    assert row.outcome is InboundOutcome.ANSWERED
    message = messages(ticket)[-1]
    assert [file.file_name for file in message.attachments] == ["good.pdf", "up.pdf", "bomb.zip"]
    assert message.letter.left_out == ["virus.exe", "x.svg", "wrong.png", "empty.txt", "page.html", "gpj.exe"]
    for file in message.attachments:
        assert stat.S_IMODE(attachments.path_of(file).stat().st_mode) == 0o600
    assert len(list(attachments.directory().iterdir())) == 3, "nothing is left of what was refused"


def test_a_letter_of_files_alone_and_a_long_one_are_taken(ticket: Ticket) -> None:
    bring(answer(text="", message_id="<1@x>", files=[("photo.png", "image/png", PNG)]))
    assert messages(ticket)[-1].text == "(files only)"
    bring(answer(text="a " * 100_000, message_id="<2@x>"))
    assert 90_000 < len(messages(ticket)[-1].text) <= tickets.LONGEST_TEXT
    assert messages(ticket)[-1].letter.quoted == "The letter was longer; staff have all of it."
    assert bring(answer(text=" \n ", message_id="<3@x>")).reason == "empty"


@pytest.mark.heavy
def test_too_many_files_and_too_much_in_all_are_left_out(ticket: Ticket) -> None:
    many = [(f"{number}.txt", "text/plain", b"x") for number in range(12)]
    bring(answer(files=many))
    message = messages(ticket)[-1]
    assert (len(message.attachments), message.letter.left_out) == (10, ["10.txt", "11.txt"])
    large = [(f"{number}.txt", "text/plain", b"x" * 9 * 1024 * 1024) for number in range(2)]
    bring(answer(message_id="<2@x>", files=[*large, ("small.txt", "text/plain", b"x")]))
    assert len(messages(ticket)[-1].attachments) == 3
    alone = attachments.LARGEST_FILE + 1
    bring(answer(message_id="<3@x>", files=[("huge.txt", "text/plain", b"x" * alone)]))
    assert messages(ticket)[-1].letter.left_out == ["huge.txt"]


def test_files_beyond_the_room_of_the_client_are_left_out_and_named(ticket: Ticket) -> None:
    setting("client_files_mb", 1)
    half = b"x" * (600 << 10)
    files = [("one.txt", "text/plain", half), ("two.txt", "text/plain", half)]
    assert bring(answer(files=files)).outcome is InboundOutcome.ANSWERED
    message = messages(ticket)[-1]
    assert [file.file_name for file in message.attachments] == ["one.txt"]
    assert message.letter.left_out == ["two.txt"]
    assert len(list(attachments.directory().iterdir())) == 1


def test_hostile_text_is_text(ticket: Ticket) -> None:
    text = "<script>alert(1)</script> {{7*7}} %admin_name% ${7*7}\x00\x1b\u2028next"
    bring(answer(text=text, subject="Re: \r\n Bcc: x@y.example"))
    assert messages(ticket)[-1].text == "<script>alert(1)</script> {{7*7}} %admin_name% ${7*7}\nnext"


# Strangers


def test_a_letter_without_a_ticket_opens_one_where_its_sender_is_one_client(ticket: Ticket) -> None:
    row = bring(Written(sender="anna@clients.example", subject="  Новый\tвопрос  ", text="Как мне?\n-- \nAnna"))
    assert row.outcome is InboundOutcome.NEW_TICKET
    made = db.session.get_one(Ticket, row.ticket_id)
    assert (made.client_id, made.subject, made.status) == (ticket.client_id, "Новый вопрос", TicketStatus.WAITING_STAFF)
    assert messages(made)[0].text == "Как мне?"
    assert messages(made)[0].letter.quoted == "--\nAnna"
    assert (
        bring(Written(sender="anna@clients.example", subject="", message_id="<2@x>")).ticket.subject == "(no subject)"
    )
    other = inbound.category().id + 1
    setting("inbound_category", str(other))
    assert bring(Written(sender="anna@clients.example", message_id="<3@x>")).ticket.category_id == other


def test_an_address_that_is_nobody_s_or_several_clients_makes_no_ticket(ticket: Ticket) -> None:
    make.client("Twin", username="twin", email="anna@clients.example")
    db.session.commit()
    before = db.session.scalar(sa.select(sa.func.count(Ticket.id)))
    assert bring(Written(sender="anna@clients.example")).reason == "several_clients"
    assert bring(Written(sender="nobody@elsewhere.example", message_id="<2@x>")).reason == "stranger"
    assert bring(Written(sender="x@y.example, z@y.example", message_id="<3@x>")).reason == "sender"
    assert bring(answer(sender="nobody@elsewhere.example", message_id="<4@x>")).reason == "not_of_client"
    assert db.session.scalar(sa.select(sa.func.count(Ticket.id))) == before
    assert {letter.recipient for letter in told()} == {"anna@clients.example"}, "strangers are not written to"
    # An answer to one ticket says which of the twins it is.
    assert bring(answer(message_id="<5@x>")).outcome is InboundOutcome.ANSWERED


def test_strangers_are_told_where_that_is_set_and_at_most_once_a_day(clock: Any) -> None:
    setting("inbound_notices", "everybody")
    for number in range(3):
        bring(Written(sender="nobody@elsewhere.example", message_id=f"<{number}@x>"))
    bring(Written(sender="other@elsewhere.example", message_id="<9@x>"))
    assert [letter.recipient for letter in told()] == ["nobody@elsewhere.example", "other@elsewhere.example"]
    clock.move(hours=25)
    bring(Written(sender="nobody@elsewhere.example", message_id="<10@x>"))
    assert len(told()) == 3
    setting("inbound_notices", "nobody")
    bring(Written(sender="third@elsewhere.example", message_id="<11@x>"))
    assert len(told()) == 3


def test_a_notice_is_marked_as_a_machine_s_and_its_answer_is_ignored(smtp: Any) -> None:
    setting("inbound_notices", "everybody")
    bring(Written(sender="nobody@elsewhere.example", subject="Помогите <b>", message_id="<1@x.example>"))
    jobs.run_once()
    [letter] = smtp.to("nobody@elsewhere.example")
    assert letter.message["Auto-Submitted"] == "auto-generated"
    assert letter.message["In-Reply-To"] == "<1@x.example>"
    assert "Помогите <b>" in letter.text
    assert "not known to us" in letter.text
    assert "Помогите &lt;b&gt;" in letter.html
    # Sent back to us as it is, it is known for our own.
    row = bring(letter.raw)
    assert (row.outcome, row.reason) == (InboundOutcome.IGNORED, "own")


# Loops


@pytest.mark.parametrize(
    ("headers", "sender", "reason"),
    [
        ([("Auto-Submitted", "auto-replied (vacation)")], "", "automatic"), ([("Precedence", "junk")], "", "automatic"),
        ([("X-Autoreply", "yes")], "", "automatic"), ([("X-Auto-Response-Suppress", "DR, OOF, AutoReply")], "", "automatic"),
        ([], "noreply@clients.example", "automatic"), ([], "MAILER-DAEMON@clients.example", "automatic"),
        ([("List-Id", "<all.clients.example>")], "", "list"), ([("Return-Path", "<>")], "", "bounce"), ([("X-Loop", "127.0.0.1")], "", "own"),
    ],
)  # fmt: skip
def test_what_no_person_wrote_is_ignored(ticket: Ticket, headers: Any, sender: str, reason: str) -> None:
    setting("inbound_notices", "everybody")
    if sender:
        ticket.client.email = sender
        db.session.commit()
    row = bring(answer(headers=headers, **({"sender": sender} if sender else {})))
    assert (row.outcome, row.reason) == (InboundOutcome.IGNORED, reason)
    assert len(messages(ticket)) == 1
    assert told() == []


@pytest.mark.parametrize(
    ("subject", "is_machine_s"),
    [
        ("Automatic reply: The server", True), ("Out of Office AutoReply: The server", True), ("Out of office", True),
        ("[Auto-Reply] The server", True), ("Автоответ: Сервер", True), ("Автоматический ответ: Сервер", True),
        ("Auto reply of my mailbox does not work", False), ("Automatic reply cannot be switched on", False),
        ("Автоответ не настраивается", False), ("Out of office messages are lost", False),
    ],
)  # fmt: skip
def test_who_asks_about_automatic_answers_is_no_machine(ticket: Ticket, subject: str, is_machine_s: bool) -> None:
    row = bring(Written(sender="Anna <anna@clients.example>", subject=subject))
    assert row.outcome is (InboundOutcome.IGNORED if is_machine_s else InboundOutcome.NEW_TICKET)


def test_a_client_may_write_as_its_own_postmaster_and_nobody_else(ticket: Ticket) -> None:
    ticket.client.email = "postmaster@clients.example"
    db.session.commit()
    own = bring(answer(sender="postmaster@clients.example"))
    assert own.outcome is InboundOutcome.ANSWERED
    other = bring(answer(sender="postmaster@elsewhere.example", message_id="<2@x>"))
    assert (other.outcome, other.reason) == (InboundOutcome.IGNORED, "automatic")


def test_an_address_that_is_its_own_name_is_one_sender(ticket: Ticket) -> None:
    row = bring(answer(sender="anna@clients.example <anna@clients.example>"))
    assert row.outcome is InboundOutcome.ANSWERED
    two = bring(answer(sender="anna@clients.example, <eve@elsewhere.example>", message_id="<2@x>"))
    assert (two.outcome, two.reason, two.ticket_id) == (InboundOutcome.REFUSED, "sender", ticket.id)


def test_auto_submitted_no_is_a_person(ticket: Ticket) -> None:
    assert bring(answer(headers=[("Auto-Submitted", "no")])).outcome is InboundOutcome.ANSWERED


def test_one_address_can_write_so_much_in_an_hour(ticket: Ticket, clock: Any) -> None:
    setting("inbound_per_hour", 3)
    outcomes = [bring(answer(message_id=f"<{number}@x>")).reason for number in range(5)]
    assert outcomes == ["", "", "", "too_many", "too_many"]
    clock.move(hours=2)
    assert bring(answer(message_id="<9@x>")).outcome is InboundOutcome.ANSWERED


def test_two_copies_of_one_letter_are_one_message(ticket: Ticket, clock: Any) -> None:
    clock.set(now())
    first = bring(answer(headers=[("Delivered-To", "a@alpha.example")]))
    second = bring(answer(headers=[("Delivered-To", "b@alpha.example")]))
    assert (first.outcome, second.outcome, second.reason) == (InboundOutcome.ANSWERED, InboundOutcome.IGNORED, "twice")
    assert mail.take(answer(headers=[("Delivered-To", "b@alpha.example")])) is None
    assert len(messages(ticket)) == 2
    assert len(list(inbound_store.directory().iterdir())) == 2
    # Whoever wrote something else under the same number is heard, if staff say so.
    with pytest.raises(OperationRefused, match="handled already"):
        inbound.add_to_ticket(first, by=make.staff("mary"), now=now())
    db.session.rollback()
    made = inbound.make_ticket(
        second, client=ticket.client, category=inbound.category(), by=make.staff("mary"), now=now()
    )
    db.session.commit()
    assert (second.outcome, second.ticket_id) == (InboundOutcome.NEW_TICKET, made.id)


# Letters that come back


def report(message_id: str, recipient: str, action: str = "failed") -> bytes:
    status = f"Reporting-MTA: dns; mx.example\r\n\r\nFinal-Recipient: rfc822; {recipient}\r\nAction: {action}\r\nStatus: 5.1.1\r\nDiagnostic-Code: smtp; 550 5.1.1 No such\r\n mailbox here\r\n"
    parts = mail.multipart(
        "report",
        mail.part("text/plain", b"Sorry."),
        mail.part("message/delivery-status", status.encode(), encoding="7bit"),
        mail.part("text/rfc822-headers", f"Subject: Hello\r\nMessage-ID: {message_id}\r\n".encode(), encoding="7bit"),
        more="; report-type=delivery-status",
    )
    return b"Return-Path: <>\r\nFrom: MAILER-DAEMON@mx.example\r\nTo: support@alpha.example\r\n" + parts


def test_a_letter_that_came_back_is_put_down_as_failed(smtp: Any) -> None:
    ids = mailings.clients(2)
    mailing = mailings.confirm(ids)
    mailings.work()
    letter = mailings.letters_of(mailing)[0]
    assert bring(report(letter.message_id, letter.recipient, action="delayed")).outcome is InboundOutcome.IGNORED
    assert bring(report(letter.message_id, "somebody@else.example")).outcome is InboundOutcome.IGNORED
    assert bring(report("<unknown@127.0.0.1>", letter.recipient)).reason == "bounce"
    db.session.refresh(letter)
    assert letter.status.value == "sent"
    row = bring(report(letter.message_id, letter.recipient.upper()))
    assert (row.outcome, row.client_id) == (InboundOutcome.BOUNCED, letter.client_id)
    assert row.error == "5.1.1 550 5.1.1 No such mailbox here"
    db.session.refresh(letter)
    assert letter.status.value == "failed"
    assert letter.last_error == "came back: 5.1.1 550 5.1.1 No such mailbox here"
    outcomes = dict(db.session.execute(sa.select(MailingRecipient.client_id, MailingRecipient.outcome)).all())
    assert [outcomes[number].value for number in ids] == ["failed", "sent"]


# What fails


def test_a_letter_that_cannot_be_handled_waits_for_staff_and_the_others_go_on(
    ticket: Ticket, monkeypatch: pytest.MonkeyPatch, clock: Any
) -> None:
    real = inbound_parsing.read

    def read(stream: Any, **more: Any) -> Any:
        if b"poison" in stream.peek(2000):
            raise RecursionError("too deep")
        return real(stream, **more)

    monkeypatch.setattr(inbound_parsing, "read", read)
    poison, good = mail.take(answer(subject="poison")), mail.take(answer(message_id="<2@x>"))
    assert poison is not None
    assert good is not None
    jobs.handle_letters()
    db.session.expire_all()
    assert (poison.outcome, good.outcome) == (InboundOutcome.WAITING, InboundOutcome.ANSWERED)
    for _ in range(5):
        clock.move(hours=1)
        jobs.handle_letters()
    db.session.expire_all()
    assert (poison.outcome, poison.attempts) == (InboundOutcome.FAILED, 4)
    assert poison.error == "RecursionError: too deep"
    clock.move(days=1000)
    jobs.forget_letters()
    db.session.expire_all()
    assert (inbound_store.directory() / poison.stored_name).is_file(), "it stays until somebody has seen to it"
    monkeypatch.undo()
    inbound.try_again(poison, now=now())
    db.session.commit()
    jobs.handle_letters()
    db.session.expire_all()
    assert poison.outcome is InboundOutcome.ANSWERED


def test_what_failed_half_way_leaves_nothing(ticket: Ticket, monkeypatch: pytest.MonkeyPatch) -> None:
    from operations import ticket_letters

    def fail(*_: Any, **__: Any) -> None:
        raise ValueError("no")

    monkeypatch.setattr(ticket_letters, "tell", fail)
    row = bring(answer(files=[("a.pdf", "application/pdf", PDF)]))
    assert (row.outcome, row.error) == (InboundOutcome.WAITING, "ValueError: no")
    assert len(messages(ticket)) == 1
    assert db.session.scalar(sa.select(sa.func.count(Attachment.id))) == 0
    assert ticket.status is TicketStatus.WAITING_CLIENT


def test_a_claimed_letter_is_nobody_else_s_until_its_time_is_over(ticket: Ticket, clock: Any) -> None:
    row = mail.take(answer())
    assert row is not None
    assert inbound.claim(now=now()) == [row.id]
    assert inbound.claim(now=now()) == []
    clock.move(minutes=6)
    assert inbound.claim(now=now()) == [row.id], "whoever had it is dead"
    assert inbound.handle(row.id, now=now()) is InboundOutcome.ANSWERED
    assert inbound.handle(row.id, now=now()) is None
    assert len(messages(ticket)) == 2


# How long


def test_letters_are_kept_as_they_came_for_the_time_set(ticket: Ticket, clock: Any) -> None:
    kept, stranger = bring(answer()), bring(Written(sender="nobody@elsewhere.example", message_id="<2@x>"))
    for row in (kept, stranger):
        path = inbound_store.directory() / row.stored_name
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(inbound_store.directory().stat().st_mode) == 0o700
    numbers = (kept.id, stranger.id)
    clock.move(days=29)
    jobs.forget_letters()
    assert len(list(inbound_store.directory().iterdir())) == 2
    clock.move(days=2)
    jobs.forget_letters()
    # Nobody has looked at the stranger's letter yet.
    assert [path.name for path in inbound_store.directory().iterdir()] == [stranger.stored_name]
    assert inbound.put_aside_all(sa.select(InboundEmail.id), now=now()) == 1
    db.session.commit()
    jobs.forget_letters()
    assert list(inbound_store.directory().iterdir()) == []
    db.session.expire_all()
    assert db.session.get_one(InboundEmail, numbers[0]).stored_name == ""
    assert db.session.get(InboundEmail, numbers[1]) is None
    assert messages(ticket)[-1].letter is not None


def test_what_is_erased_with_a_client_is_gone_from_disk_too(ticket: Ticket) -> None:
    bring(answer())
    client = db.session.get_one(Client, ticket.client_id)
    done = erasing.erase(client, confirmation=str(client.id), by=make.staff(), now=now())
    db.session.commit()
    assert len(list(inbound_store.directory().iterdir())) == 1, "not before it is committed"
    erasing.finish(done)
    assert list(inbound_store.directory().iterdir()) == []
    assert mail.rows() == []


@pytest.mark.engine("sqlite")
def test_a_letter_of_a_gigabyte_is_not_taken_and_takes_no_memory(ticket: Ticket) -> None:
    head = answer().raw
    piece = b"x" * 76 + b"\r\n"

    def pieces() -> Iterator[bytes]:
        yield head
        for _ in range(1024**3 // (len(piece) * 4000)):
            yield piece * 4000

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    row = inbound_store.take(pieces(), Arrival(source="imap"), now=now())
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 20 * 1024
    assert row is not None
    assert (row.outcome, row.reason, row.sender) == (InboundOutcome.REFUSED, "too_large", "anna@clients.example")
    assert row.size > 10**9
    assert (inbound_store.directory() / row.stored_name).stat().st_size == inbound_store.KEPT_OF_TOO_LARGE


# By hand


def test_staff_make_a_stranger_s_letter_a_ticket_of_a_client(ticket: Ticket) -> None:
    row = bring(
        Written(sender="nobody@elsewhere.example", subject="Помогите", files=[("a.pdf", "application/pdf", PDF)])
    )
    by = make.staff("mary")
    made = inbound.make_ticket(row, client=ticket.client, category=inbound.category(), by=by, now=now())
    db.session.commit()
    assert (row.outcome, row.client_id, row.ticket_id) == (InboundOutcome.NEW_TICKET, ticket.client_id, made.id)
    [message] = messages(made)
    assert message.client_user_id == ticket.client.owner.id
    assert message.letter.sender == "nobody@elsewhere.example"
    assert [file.file_name for file in message.attachments] == ["a.pdf"]
    with pytest.raises(OperationRefused, match="handled already"):
        inbound.make_ticket(row, client=ticket.client, category=inbound.category(), by=by, now=now())


def test_staff_add_a_colleague_s_letter_to_the_ticket_which_is_no_reaction(ticket: Ticket) -> None:
    violation = Violation(ticket=ticket, client=ticket.client, action="to_active", deadline=now() + timedelta(days=1))
    db.session.add(violation)
    by = make.staff("mary")
    db.session.commit()
    row = bring(answer(sender="colleague@clients.example"))
    assert row.reason == "not_of_client"
    inbound.add_to_ticket(row, by=by, now=now())
    db.session.commit()
    assert messages(ticket)[-1].letter.sender == "colleague@clients.example"
    db.session.refresh(violation)
    assert violation.status is ViolationStatus.OPEN
    stranger = bring(Written(sender="nobody@elsewhere.example", message_id="<2@x>"))
    with pytest.raises(OperationRefused, match="names no ticket"):
        inbound.add_to_ticket(stranger, by=by, now=now())

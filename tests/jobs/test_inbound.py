"""Letters come in from where they are: a mailbox over IMAP, a maildir, LMTP and SMTP; each once, and none is lost."""

from __future__ import annotations

import os
import smtplib
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

import config
import jobs
from config import Inbox
from extensions import db, now
from models import InboundOutcome, InboundSource, MessageLetter, Ticket, TicketMessage
from operations import inbound_listener, inbound_sources, inbound_store
from tests import factories as make
from tests.conftest import ROOT
from tests.support import mail
from tests.support.imap import TLS, ImapServer
from tests.support.letters_in import PDF, Written, rows

REFERENCE = "0123456789ABCDEF"


@pytest.fixture
def imap() -> Iterator[ImapServer]:
    with ImapServer().running() as server:
        yield server


@pytest.fixture
def with_inbox(make_app: Callable[..., Flask]) -> Iterator[Callable[[str], Flask]]:
    """An application that fetches its letters from an address; the test is in its context."""
    contexts = []

    def begin(url: str) -> Flask:
        app = make_app(INBOUND_URL=url)
        context = app.app_context()
        context.push()
        contexts.append(context)
        client = make.client("Anna", username="anna", email="anna@clients.example")
        make.ticket(client, reference=REFERENCE)
        db.session.commit()
        return app

    yield begin
    for context in reversed(contexts):
        db.session.remove()
        context.pop()


def answer(number: int = 1, **more: Any) -> bytes:
    headers = [("In-Reply-To", f"<{REFERENCE}@127.0.0.1>")]
    return Written(
        **{"sender": "anna@clients.example", "message_id": f"<{number}@x.example>", "headers": headers, **more}
    ).raw


def fetch() -> int:
    return inbound_sources.fetch(worker="test", now=now)


def texts() -> list[str]:
    db.session.expire_all()
    return list(db.session.scalars(sa.select(TicketMessage.text).order_by(TicketMessage.id)))[1:]


def count() -> int:
    """How many letters were kept; nothing stays locked after it is asked."""
    found = len(rows())
    db.session.rollback()
    return found


def source() -> InboundSource:
    db.session.expire_all()
    return db.session.scalars(sa.select(InboundSource)).one()


# IMAP


def test_letters_are_fetched_from_a_mailbox_and_marked_when_they_are_kept(imap: ImapServer, with_inbox: Any) -> None:
    with_inbox(imap.url())
    large = [("Договор №1.pdf", "application/pdf", PDF + bytes(1024 * 1024))]
    imap.put(answer(1, text="First"))
    imap.put(answer(2, text="Second", files=large))
    imap.put(b"not a letter at all")
    jobs.run_once()
    assert texts() == ["First", "Second"]
    assert [row.outcome.value for row in rows()] == ["answered", "answered", "ignored"]
    assert imap.seen == {("INBOX", 1), ("INBOX", 2), ("INBOX", 3)}
    assert not any("BODY[]" in command for command in imap.log), "to fetch a letter does not mark it"
    assert all("<" in command for command in imap.log if "BODY" in command), "it is fetched piece by piece"
    assert (source().last_error, source().failing_since, source().claimed_by) == ("", None, "")
    assert source().succeeded_at is not None
    imap.log.clear()
    jobs.run_once()
    assert len(rows()) == 3
    assert not any("FETCH" in command for command in imap.log)


def test_another_folder_can_be_named(imap: ImapServer, with_inbox: Any) -> None:
    with_inbox(imap.url("Desk/%D0%9E%D1%82%D0%B2%D0%B5%D1%82%D1%8B%20%26%20Co"))
    imap.folders["Desk/&BB4EQgQyBDUEQgRL- &- Co"] = {1: answer(1, text="Here")}
    imap.put(answer(2, text="Not here"))
    jobs.run_once()
    assert texts() == ["Here"]


@pytest.mark.engine("sqlite")
@pytest.mark.parametrize("how", ["imaps", "starttls"])
def test_what_is_said_to_a_mailbox_is_encrypted_and_its_certificate_looked_at(
    imap: ImapServer, with_inbox: Any, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    imap.encrypted = how
    with_inbox(imap.url())
    imap.put(answer(1, text="Secret"))
    assert fetch() == 0
    assert "certificate" in source().last_error
    assert "LOGIN" not in imap.log, "the password was told to somebody who cannot show who he is"
    monkeypatch.setenv("SSL_CERT_FILE", str(TLS / "certificate.pem"))
    jobs.run_once()
    assert texts() == ["Secret"]
    assert source().last_error == ""
    assert ("STARTTLS" in imap.log) == (how == "starttls")
    assert imap.log.index("LOGIN") > (imap.log.index("STARTTLS") if how == "starttls" else -1)


@pytest.mark.engine("sqlite")
def test_a_mailbox_out_of_reach_is_told_of_and_comes_back_by_itself(imap: ImapServer, with_inbox: Any) -> None:
    with_inbox(imap.url(password="wrong"))
    imap.put(answer())
    assert fetch() == 0
    assert "the login is refused" in source().last_error
    since = source().failing_since
    assert since is not None
    assert fetch() == 0
    assert source().failing_since == since
    imap.password = "wrong"
    imap.folders["Other"] = imap.folders.pop("INBOX")
    assert fetch() == 0
    assert "the folder INBOX cannot be opened" in source().last_error
    imap.folders["INBOX"] = imap.folders.pop("Other")
    assert fetch() == 1
    assert (source().last_error, source().failing_since) == ("", None)
    assert "wrong" not in source().name


@pytest.mark.engine("sqlite")
@pytest.mark.parametrize("place", ["LOGIN", "SELECT", "SEARCH", "RFC822.SIZE", "BODY.PEEK", "STORE"])
def test_a_connection_that_breaks_anywhere_loses_nothing_and_doubles_nothing(
    imap: ImapServer, with_inbox: Any, place: str
) -> None:
    with_inbox(imap.url())
    for number in (1, 2):
        imap.put(answer(number, text=f"Letter {number}"))
    imap.hang_up_at = place
    fetch()
    assert source().last_error
    imap.hang_up_at = ""
    fetch()
    jobs.handle_letters()
    assert texts() == ["Letter 1", "Letter 2"]
    assert imap.seen == {("INBOX", 1), ("INBOX", 2)}
    assert len(list(inbound_store.directory().iterdir())) == 2


@pytest.mark.engine("sqlite")
def test_a_letter_that_is_too_large_is_not_fetched_but_its_beginning_is(imap: ImapServer, with_inbox: Any) -> None:
    with_inbox(imap.url())
    imap.put(answer(1) + b"x" * 2_000_000)
    imap.sizes[1] = 1024**3
    fetch()
    [row] = rows()
    assert (row.reason, row.sender, row.size) == ("too_large", "anna@clients.example", 1024**3)
    assert imap.sent <= inbound_store.KEPT_OF_TOO_LARGE
    assert imap.seen == {("INBOX", 1)}


@pytest.mark.engine("sqlite")
def test_a_letter_that_cannot_be_kept_stays_and_the_others_come(
    imap: ImapServer, with_inbox: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_inbox(imap.url())
    imap.put(answer(1, text="poison"))
    imap.put(answer(2, text="Good"))
    real = inbound_store.take

    def take(pieces: Iterator[bytes], *rest: Any, **more: Any) -> Any:
        whole = b"".join(pieces)
        if b"<1@x.example>" in whole:
            raise ValueError("no")
        return real([whole], *rest, **more)

    monkeypatch.setattr(inbound_store, "take", take)
    fetch()
    assert imap.seen == {("INBOX", 2)}
    monkeypatch.undo()
    assert fetch() == 1
    assert imap.seen == {("INBOX", 1), ("INBOX", 2)}


@pytest.mark.engine("sqlite")
def test_a_password_is_not_sent_in_the_clear_to_another_machine(
    monkeypatch: pytest.MonkeyPatch, imap: ImapServer, with_inbox: Any
) -> None:
    with_inbox(imap.url())
    monkeypatch.setattr(inbound_sources, "_is_here", lambda _socket: False)
    assert fetch() == 0
    assert "offers no encryption" in source().last_error
    assert "LOGIN" not in imap.log


def test_one_worker_at_a_time_has_the_mailbox(imap: ImapServer, with_inbox: Any, clock: Any) -> None:
    with_inbox(imap.url())
    imap.put(answer())
    assert inbound_sources._claim(inbound_sources.inbox(), "another", now())
    assert fetch() == 0
    assert imap.log == []
    clock.move(minutes=6)
    assert fetch() == 1, "whoever had it is dead"


# Maildir


def maildir(path: Path, *letters: bytes) -> Path:
    for name in ("new", "cur", "tmp"):
        (path / name).mkdir(parents=True, exist_ok=True)
    for number, raw in enumerate(letters, start=1):
        (path / "new" / f"100{number}.host").write_bytes(raw)
    return path


def test_letters_are_taken_from_a_maildir_and_moved(tmp_path: Path, with_inbox: Any) -> None:
    path = maildir(tmp_path / "box", answer(1, text="First"), answer(2, text="Second"))
    (path / "new" / "link").symlink_to("/etc/passwd")
    with_inbox(f"maildir:{path}")
    jobs.run_once()
    assert texts() == ["First", "Second"]
    assert sorted(entry.name for entry in (path / "cur").iterdir()) == ["1001.host:2,S", "1002.host:2,S"]
    assert [entry.name for entry in (path / "new").iterdir()] == ["link"]
    # Put back by somebody, it is known.
    (path / "cur" / "1001.host:2,S").rename(path / "new" / "1001.host")
    assert fetch() == 0
    assert len(rows()) == 2


@pytest.mark.engine("sqlite")
def test_a_maildir_that_is_not_there_is_told_of(tmp_path: Path, with_inbox: Any) -> None:
    with_inbox(f"maildir:{tmp_path}/none")
    assert fetch() == 0
    assert "is no maildir" in source().last_error


def test_a_client_answers_our_letter_and_the_answer_comes_back(imap: ImapServer, with_inbox: Any, smtp: Any) -> None:
    """The whole way: staff write, the letter leaves, the client's mail program answers it, the ticket has it."""
    from operations import tickets

    with_inbox(imap.url())
    ticket = db.session.scalars(sa.select(Ticket)).one()
    ticket.client.project.support_email = "support@provider.example"
    tickets.reply(ticket, text="Does it work?", by=make.staff("mary", full_name="Mary"), now=now())
    db.session.commit()
    jobs.run_once()
    [letter] = smtp.to("anna@clients.example")
    assert "Answer this letter, or in your panel:" in letter.text
    quoted = "\n".join(f"> {line}".rstrip() for line in letter.text.splitlines())
    imap.put(
        Written(
            sender="anna@clients.example",
            to=letter.message["Reply-To"],
            subject=letter.subject,
            text=f"Yes, it does.\n\nOn Tue, Mar 3, 2026 at 12:31, Support <support@provider.example> wrote:\n{quoted}",
            headers=[("In-Reply-To", letter.message_id), ("References", f"{letter.message['References']} {letter.message_id}")],
        ).raw
    )  # fmt: skip
    jobs.run_once()
    assert texts() == ["Does it work?", "Yes, it does."]
    assert "Does it work?" in db.session.scalars(sa.select(MessageLetter.quoted)).one()


# LMTP and SMTP


@pytest.fixture
def free_port() -> int:
    with mail.listening_socket() as probe:
        return int(probe.getsockname()[1])


@pytest.fixture
def listening(with_inbox: Any, free_port: int) -> Iterator[Callable[[str], tuple[Flask, Inbox]]]:
    started = []

    def begin(kind: str) -> tuple[Flask, Inbox]:
        app = with_inbox(f"{kind}://127.0.0.1:{free_port}")
        listener = inbound_listener.Listener(app, app.config["SETTINGS"].inbox)
        started.append(listener)
        assert listener.listen()
        return app, app.config["SETTINGS"].inbox

    yield begin
    for listener in started:
        listener.close()


def test_letters_are_taken_over_lmtp_with_a_reply_for_each_recipient(listening: Any, free_port: int) -> None:
    listening("lmtp")
    with smtplib.LMTP("127.0.0.1", free_port) as peer:
        peer.ehlo("mx.example")
        peer.mail("anna@clients.example")
        peer.rcpt("desk@provider.example")
        peer.rcpt(f"desk+{REFERENCE}@provider.example")
        code, _words = peer.data(answer(text="line\n.dotted\n..twice"))
        assert code == 250
        assert peer.getreply()[0] == 250
        assert peer.noop()[0] == 250
    [row] = rows()
    assert (row.return_path, row.source) == ("<anna@clients.example>", "lmtp")
    assert row.envelope_to == f"desk@provider.example, desk+{REFERENCE}@provider.example"
    jobs.handle_letters()
    assert texts() == ["line\n.dotted\n..twice"]


@pytest.mark.engine("sqlite")
def test_letters_are_taken_over_smtp_and_a_bounce_is_known_by_its_sender(listening: Any, free_port: int) -> None:
    listening("smtp")
    with smtplib.SMTP("127.0.0.1", free_port) as peer:
        peer.sendmail("", ["desk@provider.example"], answer())
        assert peer.docmd("LHLO x")[0] == 500
        assert peer.docmd("DATA")[0] == 503
    jobs.handle_letters()
    assert [(row.outcome.value, row.reason) for row in rows()] == [("ignored", "bounce")]


def test_taken_is_said_only_after_it_is_kept(listening: Any, free_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    listening("lmtp")

    def fail(*_: Any, **__: Any) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(inbound_store.Incoming, "keep", fail)
    with smtplib.LMTP("127.0.0.1", free_port) as peer, pytest.raises(smtplib.SMTPDataError) as refused:
        peer.sendmail("anna@clients.example", ["desk@provider.example"], answer())
    assert refused.value.smtp_code == 451
    assert count() == 0
    assert list(inbound_store.directory().iterdir()) == []
    monkeypatch.undo()
    with smtplib.LMTP("127.0.0.1", free_port) as peer:
        letter = answer()
        peer.sendmail("anna@clients.example", ["desk@provider.example"], letter)
        assert count() == 1, "it stands in the database when 250 comes"
        # Brought once more, because the 250 was lost on its way, it is the same.
        peer.sendmail("anna@clients.example", ["desk@provider.example"], letter)
    assert count() == 1


def test_a_letter_is_the_same_in_whatever_pieces_it_comes() -> None:
    """Dots at the start of lines are doubled on the way, and the end may be cut anywhere."""
    import random

    chance = random.Random(1)
    for _ in range(2000):
        letter = b"".join(chance.choices([b"\r\n", b".", b"a", b"\r", b"\n", b".."], k=chance.randint(0, 12))) + b"\r\n"
        doubled = (b"." if letter.startswith(b".") else b"") + letter.replace(b"\r\n.", b"\r\n..")
        wire = doubled + b".\r\n" + b"QUIT\r\n"
        peer = Pieces(wire, chance)
        receiving = inbound_listener._Receiver._receive(peer, peer)  # type: ignore[arg-type]
        with pytest.raises(StopIteration):
            receiving.send(None)
        assert peer.written == letter
        assert bytes(peer._buffer) + peer.left == b"QUIT\r\n"


class Pieces:
    """A connection that gives what it has a few bytes at a time, and keeps what is written; it is its own clock."""

    def __init__(self, wire: bytes, chance: Any) -> None:
        self.left, self._chance, self._buffer, self.written = wire, chance, bytearray(), b""
        self._reader = self.loop = self

    def time(self) -> float:
        return 0

    async def read(self, _size: int) -> bytes:
        size = self._chance.randint(1, 6)
        piece, self.left = self.left[:size], self.left[size:]
        return piece

    def write(self, piece: bytes) -> None:
        self.written += piece


@pytest.mark.engine("sqlite")
def test_hostile_peers_are_borne(listening: Any, free_port: int) -> None:
    """A letter beyond the limit, one of nothing but line ends, one that breaks off; afterwards others are served."""
    import resource

    listening("smtp")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with smtplib.SMTP("127.0.0.1", free_port) as peer:
        peer.ehlo()
        for piece in (b"x" * 65536, b"\r\n" * 32768):
            peer.mail("a@b.example")
            peer.rcpt("desk@provider.example")
            assert peer.docmd("DATA")[0] == 354
            for _ in range(inbound_store.LARGEST_LETTER // len(piece) + 2):
                peer.sock.sendall(piece)
            peer.sock.sendall(b"\r\n.\r\n")
            assert peer.getreply()[0] == 552
        assert peer.mail("a@b.example", [f"SIZE={2**40}"])[0] == 552
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 20 * 1024, f"{grown} KB"
    broken = socket.create_connection(("127.0.0.1", free_port))
    broken.sendall(
        b"EHLO x\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\nFrom: a@b.example\r\n\r\nhalf"
    )
    time.sleep(0.2)
    broken.close()
    with smtplib.SMTP("127.0.0.1", free_port) as peer:
        peer.sendmail("anna@clients.example", ["desk@provider.example"], answer())
    assert len(rows()) == 1
    deadline = time.monotonic() + 5
    while len(list(inbound_store.directory().iterdir())) > 1:
        assert time.monotonic() < deadline, "the half letter is still there"
        time.sleep(0.05)


@pytest.mark.engine("sqlite")
def test_where_another_worker_listens_already_one_waits_for_its_end(listening: Any) -> None:
    app, box = listening("lmtp")
    second = inbound_listener.Listener(app, box)
    assert not second.listen()
    assert source().last_error == ""


# Workers


@pytest.mark.heavy
def test_two_workers_take_each_letter_once(imap: ImapServer, with_inbox: Any, environ: dict[str, str]) -> None:
    with_inbox(imap.url())
    for number in range(30):
        imap.put(answer(number, text=f"Letter {number}", sender="anna@clients.example"))
    from operations import settings

    settings.change("inbound_per_hour", 1000)
    db.session.commit()
    db.session.remove()
    command = [sys.executable, "-m", "flask", "--app", "app", "worker"]
    wanted = {"PATH": os.environ["PATH"], **environ, "INBOUND_URL": imap.url()}
    workers = [subprocess.Popen(command, cwd=ROOT, env=wanted, stderr=subprocess.DEVNULL) for _ in range(2)]
    try:
        deadline = time.monotonic() + 60
        while True:
            done = sum(row.outcome is InboundOutcome.ANSWERED for row in rows())
            db.session.rollback()
            if done == 30:
                break
            assert time.monotonic() < deadline, f"{done} of 30"
            time.sleep(0.3)
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
    assert sorted(texts()) == sorted(f"Letter {number}" for number in range(30))
    assert len(imap.seen) == 30


# The settings


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("http://mail", "expected imaps://"), ("imaps://mail", "needs user:password@"), ("imap://user@mail", "needs user:password@"),
        ("imaps://user:pass@mail:port", "the port is no number"), ("maildir:box", "the whole path"), ("lmtp://127.0.0.1:24/x", "nothing else"),
        ("smtp://user:pass@127.0.0.1", "nothing else"), ("imaps://u:p%0A@mail", "cannot be meant"), ("imaps://u:p@mail?x=1", "expected imaps://"),
    ],
)  # fmt: skip
def test_an_address_that_makes_no_sense_is_told_in_one_line(tmp_path: Path, value: str, said: str) -> None:
    with pytest.raises(config.ConfigError) as refusal:
        config.load({"DATA_DIR": str(tmp_path), "INBOUND_URL": value})
    assert str(refusal.value).startswith("INBOUND_URL: ")
    assert said in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_addresses_are_understood_and_shown_without_the_password(tmp_path: Path) -> None:
    def load(value: str) -> Inbox:
        found = config.load({"DATA_DIR": str(tmp_path), "INBOUND_URL": value}).inbox
        assert found is not None
        return found

    box = load("imaps://desk%40x.example:s%3Acret@mail.example/Desk/In")
    assert (box.kind, box.host, box.port, box.path, box.username, box.password) == (
        "imaps",
        "mail.example",
        993,
        "Desk/In",
        "desk@x.example",
        "s:cret",
    )
    assert "s:cret" not in box.name + repr(box)
    assert load("maildir:/var/mail/desk").path == load("maildir:///var/mail/desk").path == "/var/mail/desk"
    assert load("lmtp://127.0.0.1:2424").is_listened
    assert config.load({"DATA_DIR": str(tmp_path)}).inbox is None

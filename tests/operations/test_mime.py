"""Letters as bytes: whatever is put in is what a mail program reads."""

from __future__ import annotations

from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operations import mime

NOON = datetime(2026, 11, 23, 12, 0, 30, 5, tzinfo=UTC)
# What a text can hold: no control characters but line ends, no halves of characters.
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from(" \n.=?_"), max_size=400)
LINES = TEXTS.map(lambda text: " ".join(text.split()))


def parsed(**values: object) -> EmailMessage:
    envelope = mime.Envelope(sender_name=str(values.pop("sender_name", "Alpha")), sender="desk@alpha.example",
                             files=values.pop("files", ()))  # type: ignore[arg-type]  # fmt: skip
    letter = {
        "to": "a@b.example",
        "subject": "Hi",
        "message_id": "<1@b.example>",
        "date": NOON,
        "text": "x",
        "html": "y",
    }
    raw = envelope.letter(**{**letter, **values})  # type: ignore[arg-type]
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    message = BytesParser(EmailMessage, policy=policy.default).parsebytes(raw)
    assert not [part.defects for part in message.walk() if part.defects]
    return message


def text_of(message: EmailMessage, kind: str = "plain") -> str:
    part = message.get_body((kind,))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


@given(LINES)
def test_every_subject_is_read_as_it_was_written(subject: str) -> None:
    assert str(parsed(subject=subject)["Subject"]).strip() == subject.strip()


@given(TEXTS)
def test_every_text_is_read_as_it_was_written(text: str) -> None:
    message = parsed(text=text, html=text)
    for kind in ("plain", "html"):
        assert text_of(message, kind).rstrip("\n") == text.rstrip("\n")


@pytest.mark.parametrize(
    "subject",
    [
        "Здравствуйте! " * 20,
        "x" * 290,
        "words " * 40,
        "=?utf-8?q?evil?=",
        'He said "no"',
        "😀" * 70,
        "a   b",
        "é" + "x" * 200,
    ],
)
def test_long_and_foreign_subjects(subject: str) -> None:
    assert str(parsed(subject=subject)["Subject"]).strip() == subject.strip()


@pytest.mark.parametrize("name", ["Alpha", 'A "quoted" \\ one', "Хостинг «Альфа», ООО", "x <evil@example.com>", ""])
def test_the_senders_name_is_only_a_name(name: str) -> None:
    (sender,) = parsed(sender_name=name)["From"].addresses
    assert (sender.display_name, sender.addr_spec) == (name, "desk@alpha.example")


@pytest.mark.parametrize("text", [".", ".\n..\n.x", "x" * 5000, "слово " * 2000, "From me\n", "= =20\t \n end ", ""])
def test_texts_that_are_hard_on_mail(text: str) -> None:
    assert text_of(parsed(text=text)).rstrip("\n") == text.rstrip("\n")


def test_files_keep_their_names_and_content() -> None:
    names = [
        "plain.pdf",
        "Договор №1.pdf",
        'with "quotes".txt',
        "длинное имя " * 15 + ".pdf",
        "semi;colon=1.txt",
    ]
    content = bytes(range(256)) * 300
    message = parsed(files=[mime.File(name, "application/pdf", content) for name in names])
    assert [part.get_filename() for part in message.iter_attachments()] == names
    assert {part.get_payload(decode=True) for part in message.iter_attachments()} == {content}


@pytest.mark.parametrize(
    "address",
    [
        "x@y, z@w",
        '"Evil <a@b>,"',
        "a@b\r\nBcc: c@d",
        "a b@c",
        "",
        "@b",
        "a@",
        "a@b@c",
        "a@b>",
        "a\u2028@b",
        "a@b\0",
    ],
)
def test_what_is_no_address_makes_no_letter(address: str) -> None:
    with pytest.raises(mime.BadLetter):
        mime.address(address)


def test_a_domain_in_other_letters_is_written_in_ascii() -> None:
    assert mime.address("ivan@пример.рф") == "ivan@xn--e1afmkfd.xn--p1ai"


def test_no_header_breaks_out_of_its_line() -> None:
    message = parsed(subject="Hi\r\nBcc: evil@example.com\r\n\r\nbody")
    assert message["Bcc"] is None
    assert message["Subject"] == "Hi Bcc: evil@example.com body"
    with pytest.raises(mime.BadLetter):
        parsed(headers=[("X-Ticket", "1\nBcc: evil@example.com")])

"""Letters taken apart: charsets right and wrong, names of files in every spelling, shapes that are broken or hostile."""

from __future__ import annotations

import io
import resource
from collections.abc import Iterator
from email.header import Header
from pathlib import Path
from typing import IO

import pytest

from operations import inbound_mime, inbound_parsing
from operations.inbound_parsing import Letter
from tests.support import letters_in as mail
from tests.support.letters_in import PDF, PNG, Written

RUSSIAN = "Здравствуйте! Съешь же ещё этих мягких французских булок, да выпей чаю."
GERMAN = "Grüße aus Köln, schöne Straße"


class Taken(dict[str, bytes]):
    """The files of a letter by name, as they are given."""

    def take(self, stream: IO[bytes], name: str) -> bool:
        self[name] = stream.read()
        return True


def read(raw: bytes, tmp_path: Path, *, largest_file: int = 10 * 1024 * 1024) -> tuple[Letter, Taken]:
    files = Taken()
    letter = inbound_parsing.read(io.BytesIO(raw), largest_file=largest_file, directory=tmp_path, take_file=files.take)
    return letter, files


def said(raw: bytes, tmp_path: Path) -> str:
    return read(raw, tmp_path)[0].text


# Charsets


@pytest.mark.parametrize("encoding", ["base64", "quoted-printable", "8bit"])
@pytest.mark.parametrize(
    "charset", ["utf-8", "koi8-r", "windows-1251", "cp866", "iso-8859-5", "x-unknown", "us-ascii", ""]
)
def test_russian_is_read_in_any_charset_and_encoding(tmp_path: Path, charset: str, encoding: str) -> None:
    import quopri

    real = charset if charset not in {"x-unknown", "us-ascii", ""} else "windows-1251"
    content = RUSSIAN.encode(real)
    if encoding == "quoted-printable":
        content = quopri.encodestring(content)
    named = f"text/plain; charset={charset}" if charset else "text/plain"
    raw = b"From: a@b.example\r\n" + mail.part(named, content, encoding=encoding)
    assert said(raw, tmp_path).strip() == RUSSIAN


@pytest.mark.parametrize(
    ("named", "real", "text"),
    [
        ("utf-8", "windows-1251", RUSSIAN), ("utf-8", "koi8-r", RUSSIAN), ("iso-8859-1", "windows-1251", RUSSIAN),
        ("windows-1252", "koi8-r", RUSSIAN), ("us-ascii", "utf-8", RUSSIAN), ("iso-8859-1", "iso-8859-1", GERMAN),
        ("windows-1252", "cp1252", GERMAN + " €"), ("us-ascii", "cp1252", GERMAN), ("\"utf-8\"", "utf-8", RUSSIAN),
        ("iso-8859-1", "cp1252", "It\u2019s 100\u20ac \u2014 \u201cok\u201d"), ("iso-8859-9", "cp1254", "\u201cİyi günler\u201d"),
        ("gb2312", "gbk", "朱镕基 今天 你好吗"), ("gbk", "gb18030", "朱镕基 今天"), ("shift_jis", "cp932", "①㈱ 髙島"),
        ("euc-kr", "cp949", "똠방각하 안녕하세요"), ("iso-8859-8-i", "iso8859-8", "שלום עולם"), ("windows-874", "cp874", "สวัสดีครับ"),
        ("zlib_codec", "utf-8", RUSSIAN), ("idna", "utf-8", RUSSIAN), ("utf-16", "utf-16", RUSSIAN),
    ],
)  # fmt: skip
def test_a_wrong_charset_is_seen_through(tmp_path: Path, named: str, real: str, text: str) -> None:
    raw = b"From: a@b.example\r\n" + mail.part(f"text/plain; charset={named}", text.encode(real))
    assert said(raw, tmp_path).strip() == text


def test_bytes_that_are_no_text_do_no_harm(tmp_path: Path) -> None:
    raw = b"From: a@b.example\r\n" + mail.part(
        "text/plain; charset=utf-8", b"good \xff\xfe\x00\x01\x1b[31m\xed\xa0\x80 text\xc3"
    )
    letter = said(raw, tmp_path)
    assert letter.startswith("good ")
    assert "text" in letter
    assert not {"\0", "\x01", "\x1b"} & set(letter)
    letter.encode()


# Which text


def test_the_plain_text_goes_before_html_unless_it_is_empty(tmp_path: Path) -> None:
    assert said(Written(text="Plain", html="<p>Rich</p>").raw, tmp_path) == "Plain"
    assert said(Written(text=" \n", html="<p>Rich <b>text</b></p>").raw, tmp_path) == "Rich text"
    only = b"From: a@b.example\r\n" + mail.part("text/html; charset=utf-8", "<p>Только HTML</p>".encode())
    assert said(only, tmp_path) == "Только HTML"
    meta = b"From: a@b.example\r\n" + mail.part("text/html", "<meta charset=koi8-r><p>Кои восемь</p>".encode("koi8-r"))
    assert said(meta, tmp_path) == "Кои восемь"


def test_texts_beside_each_other_are_all_kept(tmp_path: Path) -> None:
    """HTML with a footer of plain text that somebody's gateway has put under it; text round a picture."""
    html, foot = mail.part("text/html; charset=utf-8", b"<p>The message</p>"), mail.part("text/plain", b"Scanned.")
    assert said(b"From: a@b.example\r\n" + mail.multipart("mixed", html, foot), tmp_path) == "The message\n\nScanned."
    picture = mail.part('image/png; name="p.png"', PNG, "Content-Disposition: inline", "Content-ID: <1>")
    raw = b"From: a@b.example\r\n" + mail.multipart(
        "mixed", mail.part("text/plain", b"one"), picture, mail.part("text/plain", b"two")
    )
    letter, files = read(raw, tmp_path)
    assert letter.text == "one\n\ntwo"
    assert files == {"p.png": PNG}


def test_pictures_within_html_are_files_and_signatures_are_not(tmp_path: Path) -> None:
    rich = mail.part("text/html; charset=utf-8", b"<p>See <img src=cid:1></p>")
    inner = mail.multipart("related", rich, mail.part("image/png", PNG, "Content-ID: <1>"))
    both = mail.multipart("alternative", mail.part("text/plain", b"See"), inner)
    signed = mail.multipart("signed", both, mail.part("application/pgp-signature; name=signature.asc", b"-----BEGIN"))
    letter, files = read(b"From: a@b.example\r\n" + signed, tmp_path)
    assert letter.text == "See"
    assert list(files.values()) == [PNG]
    assert next(iter(files)).endswith(".png")


FLOWED = "Look at \nthis page.\n\nhttps://example.com/a-very-long/ \naddress\n> what \n> was said\n> before\n from the start\n-- \nAnna"


def test_lines_that_a_program_has_parted_are_joined(tmp_path: Path) -> None:
    def flowed(more: str) -> str:
        raw = b"From: a@b.example\r\n" + mail.part(f"text/plain; charset=utf-8; format=flowed{more}", FLOWED.encode())
        return said(raw, tmp_path)

    end = "> what was said\n> before\nfrom the start\n-- \nAnna"
    assert flowed("") == f"Look at this page.\n\nhttps://example.com/a-very-long/ address\n{end}"
    assert flowed("; delsp=yes") == f"Look atthis page.\n\nhttps://example.com/a-very-long/address\n{end}".replace(
        "what was", "whatwas"
    )


def test_html_that_is_hidden_by_a_tag_never_closed_is_read(tmp_path: Path) -> None:
    for html in (
        "<html><head><meta charset=utf-8><body><p>My text</p></body></html>", "<title>x<p>My text</p>",
        '<body style="display:none!important"><p>My text</p></body>', "<head><style>p {}</style><p>My text",
    ):  # fmt: skip
        raw = b"From: a@b.example\r\n" + mail.part("text/html; charset=utf-8", html.encode())
        assert said(raw, tmp_path).endswith("My text"), html
    hidden = '<div style="display:none">for machines</div><p>My text</p>'
    raw = b"From: a@b.example\r\n" + mail.part("text/html; charset=utf-8", hidden.encode())
    assert said(raw, tmp_path) == "My text"


# Names of files


@pytest.mark.parametrize(
    "written",
    [
        "filename*=utf-8''%D0%94%D0%BE%D0%B3%D0%BE%D0%B2%D0%BE%D1%80%20%E2%84%961.pdf",
        "filename*0*=utf-8''%D0%94%D0%BE%D0%B3%D0%BE; filename*1*=%D0%B2%D0%BE%D1%80%20%E2%84%96; filename*2=1.pdf",
        f'filename="{Header("Договор №1.pdf", "utf-8").encode()}"',
        'filename="=?utf-8?B?0JTQvtCz0L7QstC+0YA=?= =?utf-8?Q?_=E2=84=961.pdf?="',
        'filename="Договор №1.pdf"',
        "filename=\"______.pdf\"; filename*=utf-8''%D0%94%D0%BE%D0%B3%D0%BE%D0%B2%D0%BE%D1%80%20%E2%84%961.pdf",
        "filename*=windows-1251''%C4%EE%E3%EE%E2%EE%F0%20%B91.pdf",
    ],
)
def test_a_file_comes_byte_for_byte_and_with_its_name(tmp_path: Path, written: str) -> None:
    letter, files = read(Written(files=[(written, "application/pdf", PDF)]).raw, tmp_path)
    assert files == {"Договор №1.pdf": PDF}
    assert letter.left_out == []


def test_a_text_attached_without_a_name_is_a_file_and_whole(tmp_path: Path) -> None:
    content = b"line of a log\n" * 150_000
    raw = b"From: a@b.example\r\n" + mail.multipart(
        "mixed",
        mail.part("text/plain", b"See the log."),
        mail.part("text/plain", content, "Content-Disposition: attachment"),
    )
    letter, files = read(raw, tmp_path)
    assert letter.text.strip() == "See the log."
    assert list(files.values()) == [content]


def test_names_cannot_carry_line_ends_or_leave_their_place(tmp_path: Path) -> None:
    names = [
        'filename="../../etc/passwd"',
        "filename*=utf-8''a%0D%0ABcc:%20x%00.pdf",
        'filename="a\tb.pdf"',
        'filename=""',
    ]
    raw = Written(files=[(name, "application/pdf", PDF) for name in names]).raw
    _letter, files = read(raw, tmp_path)
    assert list(files)[:3] == ["../../etc/passwd", "a Bcc: x.pdf", "a b.pdf"]
    assert not any(ord(character) < 32 for name in files for character in name)


# Heads


def test_a_head_is_read_whatever_it_is_written_in() -> None:
    lines = [
        "From: =?koi8-r?B?" + "8M/Q79c=" + "?= <Ivan@Client.EXAMPLE>", "To: Desk <desk@provider.example>, \"a, b\" <c@d.example>",
        f"Subject: {Header(RUSSIAN, 'utf-8', maxlinelen=60).encode()}".replace("\n", "\r\n"),
        "Message-ID: <1@mail.example>", "In-Reply-To: <2@desk.example>", "References: <3@desk.example>\r\n <4@desk.example>",
    ]  # fmt: skip
    head = inbound_parsing.read_head(io.BytesIO("\r\n".join(lines).encode() + b"\r\n\r\nbody"))
    assert head.sender == "Ivan@client.example"
    assert head.recipients == ["desk@provider.example", "c@d.example"]
    assert head.subject == RUSSIAN
    assert head.message_id == "<1@mail.example>"
    assert head.references == ["<2@desk.example>", "<4@desk.example>", "<3@desk.example>"]


@pytest.mark.parametrize("charset", ["utf-8", "windows-1251", "koi8-r"])
def test_a_subject_that_is_not_encoded_at_all_is_read(charset: str) -> None:
    head = inbound_parsing.read_head(
        io.BytesIO(b"From: a@b.example\r\nSubject: " + RUSSIAN.encode(charset) + b"\r\n\r\n")
    )
    assert head.subject == RUSSIAN


@pytest.mark.parametrize("charset", ["utf-8", "windows-1251", "koi8-r"])
def test_all_lines_of_a_head_that_is_not_encoded_are_in_one_charset(charset: str) -> None:
    lines = ["Received: from mail.example.com (mail.example.com [10.0.0.1]) by mx with ESMTP id 4711", "From: Иван <a@b.example>",
             "Subject: Не работает сайт www.example.com", "X-Mailer: A program with a long name in English"]  # fmt: skip
    head = inbound_parsing.read_head(io.BytesIO("\r\n".join([*lines, "", ""]).encode(charset)))
    assert (head.sender, head.sender_name) == ("a@b.example", "Иван")
    assert head.subject == "Не работает сайт www.example.com"


@pytest.mark.parametrize(
    "line",
    [
        "From: a@b.example, c@d.example", "From: a@b.example\r\nFrom: c@d.example", "From: nobody", "From:", "Subject: no sender",
        "From: a@b.example <c@d.example>, <e@f.example>", "From: " + "(" * 5000, "From: " + "a@b.example," * 3000,
    ],
)  # fmt: skip
def test_a_letter_with_no_sender_or_several_has_none(line: str) -> None:
    assert inbound_parsing.read_head(io.BytesIO(f"{line}\r\n\r\n".encode())).sender == ""


def test_no_field_begins_within_another() -> None:
    raw = "From: a@b.example\r\nSubject: one\u2028X-Loop: desk\rX-Other: 1\x85X-Third: 2\r\n =?utf-8?Q?two=0D=0ABcc:_x@y.example?=\r\n\r\n".encode()
    head = inbound_parsing.read_head(io.BytesIO(raw))
    assert [name for name, _value in head.lines()] == ["From", "Subject"]
    assert "\n" not in head.subject
    assert "Bcc: x@y.example" in head.subject


# Shapes


def test_broken_shapes_lose_no_text(tmp_path: Path) -> None:
    head = b"From: a@b.example\r\n"
    without_end = mail.multipart(
        "mixed", mail.part("text/plain", b"said"), mail.part("application/pdf; name=a.pdf", PDF)
    )
    letter, files = read(head + without_end[:-20], tmp_path)
    assert letter.text == "said"
    assert files["a.pdf"].startswith(PDF[:100])
    assert (
        said(head + b"Content-Type: multipart/mixed; boundary=nowhere\r\n\r\nsaid all the same", tmp_path)
        == "said all the same"
    )
    assert said(head + b"Content-Type: multipart/mixed\r\n\r\nno boundary", tmp_path) == ""  # It is none of the texts.
    assert said(head + b"\r\nbare", tmp_path) == "bare"
    assert (
        said(head + b"Content-Type: text/plain; charset\r\nContent-Transfer-Encoding: x\r\n\r\nodd", tmp_path) == "odd"
    )
    assert said(b"", tmp_path) == ""
    assert said(b"\r\n\r\n", tmp_path) == ""
    assert said(b"From a@b.example Tue Mar  3\r\nSubject: of a mailbox\r\n\r\ntext", tmp_path) == "text"


def test_letters_within_letters_are_files(tmp_path: Path) -> None:
    inner = Written(subject="Inner", text="inner text", files=[("a.pdf", "application/pdf", PDF)]).raw
    raw = Written(text="outer", parts=[b"Content-Type: message/rfc822\r\n\r\n" + inner]).raw
    letter, files = read(raw, tmp_path)
    assert letter.text == "outer"
    assert [name.rpartition(".")[2] for name in files] == ["eml"]


@pytest.fixture
def memory() -> Iterator[None]:
    """Fail a test that makes this process much larger than it ever was."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 40 * 1024, f"{grown} KB more"


class Endless(io.RawIOBase):
    """A letter of any size that is nowhere: a beginning, then the same piece again and again."""

    def __init__(self, head: bytes, piece: bytes, size: int) -> None:
        self.head, self.piece, self.size, self.at = head, piece * (65536 // len(piece)), size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        self.at = offset if whence == 0 else self.at + offset
        return self.at

    def tell(self) -> int:
        return self.at

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        if self.at >= self.size:
            return 0
        if self.at < len(self.head):
            found = self.head[self.at : self.at + len(buffer)]
        else:
            start = (self.at - len(self.head)) % len(self.piece)
            found = self.piece[start : start + len(buffer)]
        buffer[: len(found)] = found
        self.at += len(found)
        return len(found)


@pytest.mark.long
@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (b"From: a@b.example\r\n\r\n", b"a"),  # One line without an end.
        (b"From: a@b.example\r\n\r\n", b"\r\n"),  # Nothing but lines.
        (b"From: a@b.example\r\n", b"X: y\r\n"),  # Nothing but a head.
        (b"From: a@b.example\r\nSubject: ", b"a\r\n "),  # One field over very many lines.
        (b"From: a@b.example\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n", b"--b\r\n\r\n"),  # Very many parts.
        (b"From: a@b.example\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n", b"--b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"),
        (b"From: a@b.example\r\nContent-Type: application/pdf; name=a.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n", b"QUJD\r\n"),
        (b"From: a@b.example\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n", b"=41=\r\n"),
    ],
    ids=["line", "lines", "head", "field", "parts", "nested", "base64", "quoted"],
)  # fmt: skip
@pytest.mark.usefixtures("memory")
def test_a_hostile_letter_takes_no_memory_to_speak_of(tmp_path: Path, head: bytes, piece: bytes) -> None:
    files: list[int] = []

    def take(stream: IO[bytes], name: str) -> bool:
        files.append(stream.seek(0, 2))
        return False

    stream = io.BufferedReader(Endless(head, piece, 5 * 1024 * 1024))
    letter = inbound_parsing.read(stream, largest_file=100_000, directory=tmp_path, take_file=take)
    assert len(letter.text) <= inbound_mime.LARGEST_TEXT
    assert all(size <= 100_001 for size in files)
    assert len(files) <= inbound_mime.MOST_PARTS
    assert list(tmp_path.iterdir()) == []


def test_one_field_with_very_many_quotes_is_soon_read(tmp_path: Path) -> None:
    """Python looks for the end of a parameter with the square of the field's length."""
    import time

    for field in (
        'Content-Type: text/plain; a="' + ";" * 250_000,
        "Content-Type: multipart/mixed; " + "b=1;" * 60_000,
        "Subject: " + "=?a?q?" * 40_000,
        "References: " + "<" * 200_000,
    ):
        started = time.process_time()
        read(f"From: a@b.example\r\n{field}\r\n\r\nx".encode(), tmp_path)
        assert time.process_time() - started < 5, field[:30]

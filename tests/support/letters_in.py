"""Letters that come in, for tests: written as mail programs write them, and brought to the desk."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from email.header import Header
from email.utils import format_datetime

import sqlalchemy as sa

import jobs
from extensions import db, now
from models import InboundEmail
from operations import inbound_store
from operations.inbound_store import Arrival

PDF = b"%PDF-1.4\n\x00\xff\r\n.\r\nrows of bytes " * 40
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))


@dataclass
class Written:
    """A letter, put together by hand, as a library would not let us write the wrong ones."""

    sender: str = "client1@clients.example"
    to: str = "desk@provider.example"
    subject: str = "Hello"
    text: str = "It works again, thank you."
    charset: str = "utf-8"
    message_id: str = "<one@mail.example>"
    headers: Sequence[tuple[str, str]] = ()
    html: str = ""
    files: Sequence[tuple[str, str, bytes]] = ()
    parts: list[bytes] = field(default_factory=list)

    @property
    def raw(self) -> bytes:
        subject = self.subject if self.subject.isascii() else Header(self.subject, "utf-8", maxlinelen=60).encode()
        fields = [("From", self.sender), ("To", self.to), ("Subject", subject), ("Date", format_datetime(now()))]
        if self.message_id:
            fields.append(("Message-ID", self.message_id))
        head = "".join(f"{name}: {value}\r\n" for name, value in [*fields, *self.headers, ("MIME-Version", "1.0")])
        return head.encode("utf-8", "surrogateescape") + self._body()

    def _body(self) -> bytes:
        text = part(f"text/plain; charset={self.charset}", self.text.encode(self.charset, "surrogateescape"))
        if self.html:
            text = multipart("alternative", text, part("text/html; charset=utf-8", self.html.encode()))
        more = [*(attached(*one) for one in self.files), *self.parts]
        return multipart("mixed", text, *more) if more else text


def part(content_type: str, content: bytes, *headers: str, encoding: str = "base64") -> bytes:
    body = base64.encodebytes(content) if encoding == "base64" else content
    lines = [f"Content-Type: {content_type}", f"Content-Transfer-Encoding: {encoding}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def attached(name: str, content_type: str, content: bytes) -> bytes:
    """A file under a name written as a header of its own, e.g. `filename="a.pdf"` or `filename*=utf-8''a.pdf`."""
    disposition = name if "=" in name else f'filename="{name}"'
    return part(content_type, content, f"Content-Disposition: attachment; {disposition}")


def multipart(kind: str, *parts: bytes, more: str = "") -> bytes:
    boundary = f"=-{kind}-{len(parts)}-{abs(hash(parts))}"
    body = b"".join(b"--" + boundary.encode() + b"\r\n" + one + b"\r\n" for one in parts)
    return f'Content-Type: multipart/{kind}{more};\r\n boundary="{boundary}"\r\n\r\n'.encode() + body + b"--" + boundary.encode() + b"--\r\n"  # fmt: skip


def take(letter: Written | bytes, **arrival: object) -> InboundEmail | None:
    """Bring the letter to the desk, as a source does."""
    raw = letter if isinstance(letter, bytes) else letter.raw
    return inbound_store.take([raw], Arrival(**{"source": "imap", **arrival}), now=now())  # type: ignore[arg-type]


def bring(letter: Written | bytes, **arrival: object) -> InboundEmail:
    """Bring it, and have it handled; the row as it is then."""
    row = take(letter, **arrival)
    assert row is not None
    number = row.id
    jobs.handle_letters()
    db.session.expire_all()
    return db.session.get_one(InboundEmail, number)


def rows() -> list[InboundEmail]:
    db.session.expire_all()
    return list(db.session.scalars(sa.select(InboundEmail).order_by(InboundEmail.id)))

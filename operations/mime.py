"""Letters as bytes. What letters of one sort have in common is written once; values are put in between.

Making an EmailMessage for each letter would cost more than sending it.
"""

from __future__ import annotations

import base64
import binascii
import re
import secrets
from collections.abc import Iterable, Sequence
from datetime import datetime
from email.utils import format_datetime
from functools import lru_cache
from urllib.parse import quote

# What may follow a header without being encoded; «=?» would be taken for something encoded.
PLAIN_HEADER = re.compile(r"(?!.*=\?)[ -~]*")
ADDRESS = re.compile(r"[^\s@<>(),;:\\\"\[\]\x00-\x20\x7f-\xa0]{1,64}@[^\s@<>(),;:\\\"\x00-\x20\x7f-\xa0/]{1,253}")
WIDTH = 76
# 45 bytes become 60 characters, so that an encoded word stays below the 75 that it may have.
ENCODED_WORD_BYTES = 45
LONGEST_LINE = 900


class BadLetter(ValueError):
    """A letter that cannot be made: an address that is none, a header that would break out of its line."""


@lru_cache(maxsize=1_000)
def address(value: str) -> str:
    """`value` as it stands in an envelope and in a header: the domain in ASCII. Raises BadLetter."""
    if not ADDRESS.fullmatch(value):
        raise BadLetter(f"not an e-mail address: {value[:100]!r}")
    local, _at, domain = value.rpartition("@")
    try:
        return f"{local}@{domain.encode('idna').decode() if not domain.isascii() else domain}"
    except UnicodeError as error:
        raise BadLetter(f"not an e-mail address: {value[:100]!r}") from error


def header(value: str) -> str:
    """An unstructured header's value: folded, and encoded where it is not plain ASCII."""
    if PLAIN_HEADER.fullmatch(value):
        return value if len(value) <= WIDTH - 12 else _folded(value)
    return "\r\n ".join(_encoded_words(value))


def mailbox(name: str, address_: str) -> str:
    """A name with an address, as it stands in From."""
    if not name:
        return address_
    if PLAIN_HEADER.fullmatch(name):
        escaped = name.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}" <{address_}>'
    return "\r\n ".join([*_encoded_words(name), f"<{address_}>"])


def body(text: str) -> tuple[str, bytes]:
    """The transfer encoding that suits `text`, and `text` in it, its lines ending as lines of letters do."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if text.isascii() and max(map(len, text.split("\n"))) <= LONGEST_LINE:
        return "7bit", text.replace("\n", "\r\n").encode()
    content = text.replace("\n", "\r\n").encode("utf-8", "replace")
    if len(content) - len(text.replace("\n", "\r\n")) < len(text) // 4:
        # Where the text itself has no line end, the ones put in are of the wrong kind.
        encoded = binascii.b2a_qp(content, istext=True)
        return "quoted-printable", encoded.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    return "base64", in_base64(content)


def in_base64(content: bytes) -> bytes:
    """`content` in lines of base64."""
    encoded = binascii.b2a_base64(content, newline=False)
    return b"\r\n".join([encoded[at : at + WIDTH] for at in range(0, len(encoded), WIDTH)]) + b"\r\n"


@lru_cache(maxsize=8)
def _date(moment: datetime) -> str:
    return format_datetime(moment)


class File:
    """An attachment, encoded once for all letters that carry it."""

    def __init__(self, name: str, content_type: str, content: bytes) -> None:
        self.part = (
            f"Content-Type: {content_type}\r\nContent-Transfer-Encoding: base64\r\n"
            f"Content-Disposition: attachment;\r\n {_file_name(name)}\r\n\r\n"
        ).encode() + in_base64(content)


class Envelope:
    """All that letters of one sort have in common: the sender, headers that do not change, attachments."""

    def __init__(
        self,
        *,
        sender_name: str,
        sender: str,
        headers: Iterable[tuple[str, str]] = (),
        files: Sequence[File] = (),
    ) -> None:
        self.sender = address(sender)
        # Neither can occur in a text, as nobody can know them.
        inner, outer = f"=_{secrets.token_hex(16)}", f"=_{secrets.token_hex(16)}"
        alternative = f'Content-Type: multipart/alternative;\r\n boundary="{inner}"\r\n'
        mixed = f'Content-Type: multipart/mixed;\r\n boundary="{outer}"\r\n\r\n--{outer}\r\n' if files else ""
        self.head = (
            f"From: {mailbox(_one_line(sender_name), self.sender)}\r\n"
            + "".join(f"{name}: {header(value)}\r\n" for name, value in headers)
            + f"MIME-Version: 1.0\r\n{mixed}{alternative}\r\n"
        ).encode()
        self.text_part = f"--{inner}\r\nContent-Type: text/plain; charset=utf-8\r\n".encode()
        self.html_part = f"\r\n--{inner}\r\nContent-Type: text/html; charset=utf-8\r\n".encode()
        # Files stay whole and shared: they may be large, and many envelopes have the same.
        self.tail = [f"\r\n--{inner}--\r\n".encode()]
        for file in files:
            self.tail += [f"\r\n--{outer}\r\n".encode(), file.part]
        if files:
            self.tail.append(f"\r\n--{outer}--\r\n".encode())

    def letter(
        self,
        *,
        to: str,
        subject: str,
        message_id: str,
        date: datetime,
        text: str,
        html: str,
        headers: Iterable[tuple[str, str]] = (),
    ) -> bytes:
        """One letter. `to` and the values of `headers` must be fit for headers already (see `address`)."""
        own = "".join(f"{name}: {value}\r\n" for name, value in headers)
        if "\n" in own.replace("\r\n", "") or "\n" in message_id:
            raise BadLetter("a header with a line end in it")
        start = (
            f"To: {to}\r\nSubject: {header(_one_line(subject))}\r\n"
            f"Date: {_date(date.replace(microsecond=0))}\r\n"
            f"Message-ID: {message_id}\r\n{own}"
        )
        return b"".join(
            (
                start.encode(),
                self.head,
                self.text_part,
                *_encoded_part(text),
                self.html_part,
                *_encoded_part(html),
                *self.tail,
            )
        )


def _encoded_part(text: str) -> tuple[bytes, bytes]:
    encoding, content = body(text)
    return f"Content-Transfer-Encoding: {encoding}\r\n\r\n".encode(), content


def _one_line(value: str) -> str:
    return re.sub(r"[\x00-\x1f\x7f\x85\u2028\u2029]+", " ", value)


def _folded(value: str) -> str:
    """Break a long line before spaces; where there are none, it is encoded, as an encoded word can be cut."""
    lines, line = [], ""
    for piece in re.findall(r" *[^ ]+| +$", value):
        if line and len(line) + len(piece) > WIDTH - 12:
            lines.append(line)
            line = ""
        line += piece
    lines.append(line)
    if any(len(line) > WIDTH * 2 or not line.strip() for line in lines):
        return "\r\n ".join(_encoded_words(value))
    return "\r\n".join(lines)


def _encoded_words(value: str) -> list[str]:
    words, rest = [], value.encode("utf-8", "replace")
    while len(rest) > ENCODED_WORD_BYTES:
        end = ENCODED_WORD_BYTES
        # Not within a character: those bytes that follow its first one begin with the bits 10.
        while rest[end] & 0xC0 == 0x80:
            end -= 1
        words.append(rest[:end])
        rest = rest[end:]
    return [f"=?utf-8?b?{base64.b64encode(word).decode()}?=" for word in (*words, rest)]


def _file_name(name: str) -> str:
    """The parameter `filename`; long or foreign names in numbered pieces, as lines may not be long."""
    if re.fullmatch(r"[\w .,()+-]{1,60}", name, re.ASCII):
        return f'filename="{name}"'
    pieces = [""]
    for character in name:
        # A character is never cut in two: some programs decode each piece alone.
        escaped = quote(character.encode("utf-8", "replace"), safe="")
        pieces = [*pieces, escaped] if len(pieces[-1] + escaped) > 60 else [*pieces[:-1], pieces[-1] + escaped]
    if len(pieces) == 1:
        return f"filename*=utf-8''{pieces[0]}"
    return ";\r\n ".join(
        f"filename*{number}*={'' if number else 'utf-8' + chr(39) * 2}{piece}" for number, piece in enumerate(pieces)
    )

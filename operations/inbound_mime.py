"""A letter taken apart while it is read, a line at a time, with a bound on everything that a sender decides.

However large, deep or broken a letter is, memory holds one line, a few texts, and the beginning of what goes to
disk. What is beyond a bound is left out, and said to be. Nothing is ever unpacked.
"""

from __future__ import annotations

import binascii
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.errors import MessageError
from email.message import Message
from email.parser import HeaderParser
from email.policy import compat32
from pathlib import Path
from typing import IO

from operations import inbound_charsets

LONGEST_LINE = 64 * 1024
LARGEST_HEAD = 256 * 1024
MOST_HEADER_LINES = 2_000
# Python takes the square of a field's length for some fields.
LONGEST_FIELD = 16 * 1024
MOST_PARTS = 200
DEEPEST = 20
LARGEST_TEXT = 1024 * 1024
IN_MEMORY = 128 * 1024
# These are texts about a letter that came back.
REPORTS = ("message/delivery-status", "text/rfc822-headers", "message/rfc822", "message/global-delivery-status")
LINE_ENDS = re.compile(rb"\r|\xe2\x80[\xa8\xa9]")
NO_BASE64 = re.compile(rb"[^A-Za-z0-9+/]")


@dataclass
class Part:
    """One leaf of a letter: its head, and its content with the transfer encoding undone.

    `content` is at its beginning; None where nobody wants it. `size` is that of all of it, also where `is_cut`.
    `alternative` is the number of the multipart/alternative that it stands in, `container` the type of what it
    stands in.
    """

    head: Message
    alternative: int | None = None
    container: str = ""
    content: IO[bytes] | None = None
    size: int = 0
    is_cut: bool = False

    @property
    def content_type(self) -> str:
        return self.head.get_content_type()


@dataclass
class Open:
    """A multipart that is being read. `ended` once its closing boundary was met."""

    boundary: bytes
    kind: str
    alternative: int | None


@dataclass
class Reader:
    """Goes through a letter and gives its leaves. `largest_file` bounds what of a leaf is kept, in bytes."""

    stream: IO[bytes]
    directory: Path
    largest_file: int
    head: Message = field(default_factory=Message)
    is_cut: bool = False
    _parts: int = 0
    _open: list[Open] = field(default_factory=list)
    _alternatives: int = 0

    def leaves(self) -> Iterator[Part]:
        """The leaves in their order. Each one's content must be used before the next is asked for."""
        self.head = read_head(self.stream)
        body_at = self.stream.tell()
        yield from self._entity(self.head)
        while self._to_next_part():
            self._parts += 1
            if self._parts > MOST_PARTS:
                self.is_cut = True
                return
            yield from self._entity(read_head(self.stream))
        if self._parts == 0 and _boundary_of(self.head):
            # It says that it has parts, and has none: it is one text then.
            self.stream.seek(body_at)
            self._open.clear()
            yield from self._leaf(Message())

    def _entity(self, head: Message) -> Iterator[Part]:
        """Begin a multipart, or give the leaf that `head` is the head of."""
        boundary = _boundary_of(head)
        if boundary and len(self._open) < DEEPEST:
            kind = head.get_content_type()
            if kind == "multipart/alternative":
                self._alternatives += 1
            inside = self._open[-1].alternative if self._open else None
            alternative = self._alternatives if kind == "multipart/alternative" else inside
            self._open.append(Open(boundary, kind, alternative))
        else:
            yield from self._leaf(head)

    def _leaf(self, head: Message) -> Iterator[Part]:
        within = self._open[-1] if self._open else None
        part = Part(head, within.alternative if within else None, within.kind if within else "")
        # On disk where it is large, under no name.
        with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY, dir=str(self.directory)) as content:
            self._read_content(part, content)
            content.seek(0)
            part.content = content
            yield part

    def _read_content(self, part: Part, content: IO[bytes]) -> None:
        """Undo the transfer encoding up to the next boundary, which is left to be met again."""
        is_text = part.content_type.startswith("text/") or part.content_type in REPORTS
        is_file = part.head.get_content_disposition() == "attachment" or bool(part.head.get_filename())
        limit = LARGEST_TEXT if is_text and not is_file else self.largest_file
        decode = _Decoder(str(part.head.get("Content-Transfer-Encoding", "")))
        held_end = b""
        for line in self._lines():
            # The line end before a boundary belongs to the boundary.
            plain, held_end = _without_end(held_end + line)
            _write(part, content, decode.feed(plain), limit)
        _write(part, content, decode.rest(), limit)

    def _lines(self) -> Iterator[bytes]:
        """Lines up to a boundary of any multipart that is open, or to the end."""
        while line := self.stream.readline(LONGEST_LINE):
            if line.startswith(b"--") and self._boundary(line) is not None:
                self.stream.seek(-len(line), 1)
                return
            yield line

    def _boundary(self, line: bytes) -> tuple[int, bool] | None:
        """Which open multipart the line bounds, counted from the outside, and whether it closes it."""
        text = line.rstrip()
        for number in range(len(self._open) - 1, -1, -1):
            mark = b"--" + self._open[number].boundary
            if text == mark or text == mark + b"--":
                return number, text != mark
        return None

    def _to_next_part(self) -> bool:
        """Go on to where the head of the next part begins; False at the end of the letter."""
        while line := self.stream.readline(LONGEST_LINE):
            met = self._boundary(line) if line.startswith(b"--") else None
            if met is None:
                continue
            number, closes = met
            del self._open[number + (0 if closes else 1) :]
            if not closes:
                return True
        return False


def read_head(stream: IO[bytes]) -> Message:
    """The head that begins here; afterwards the stream is at the body. What is beyond the bounds is passed over."""
    lines: list[bytes] = []
    size = field_size = 0
    while line := stream.readline(LONGEST_LINE):
        if not line.strip(b"\r\n"):
            break
        if not lines and line.startswith((b"From ", b">From ")):
            continue  # The line that mailbox files put before a letter.
        size += len(line)
        field_size = len(line) if line[:1] not in {b" ", b"\t"} else field_size + len(line)
        if size <= LARGEST_HEAD and field_size <= LONGEST_FIELD and len(lines) < MOST_HEADER_LINES:
            # Whatever else is taken for the end of a line somewhere must not begin another field.
            lines.append(LINE_ENDS.sub(b" ", line.rstrip(b"\r\n")) + b"\n")
    try:
        return HeaderParser(policy=compat32).parsestr(inbound_charsets.head(lines))
    except (MessageError, ValueError, LookupError, RecursionError):
        return Message()


def _boundary_of(head: Message) -> bytes:
    if head.get_content_maintype() != "multipart":
        return b""
    try:
        found = head.get_boundary("") or ""
    except (ValueError, LookupError):
        return b""
    return found.encode("utf-8", "surrogateescape").rstrip()[:200]


def _without_end(line: bytes) -> tuple[bytes, bytes]:
    """A line, and its end apart."""
    for end in (b"\r\n", b"\n"):
        if line.endswith(end):
            return line[: -len(end)], end
    return line, b""


def _write(part: Part, content: IO[bytes], piece: bytes, limit: int) -> None:
    room = limit - part.size
    part.size += len(piece)
    if room > 0:
        content.write(piece[:room])
    part.is_cut = part.is_cut or len(piece) > room


class _Decoder:
    """Undoes a transfer encoding piece by piece. What is no such encoding passes as it is."""

    def __init__(self, name: str) -> None:
        self._name = name.strip().lower()
        self._held = b""

    def feed(self, piece: bytes) -> bytes:
        """What `piece` stands for, as far as that is known without what follows it."""
        if self._name == "base64":
            return self._feed_base64(NO_BASE64.sub(b"", piece))
        if self._name == "quoted-printable":
            return self._feed_quoted(piece)
        return piece

    def rest(self) -> bytes:
        """What is left when nothing more comes."""
        held, self._held = self._held, b""
        if self._name == "base64":
            usable = held if len(held) % 4 != 1 else held[:-1]
            return binascii.a2b_base64(usable + b"=" * (-len(usable) % 4)) if usable else b""
        return binascii.a2b_qp(held) if self._name == "quoted-printable" else held

    def _feed_base64(self, piece: bytes) -> bytes:
        held = self._held + piece
        whole = len(held) // 4 * 4
        self._held = held[whole:]
        return binascii.a2b_base64(held[:whole]) if whole else b""

    def _feed_quoted(self, piece: bytes) -> bytes:
        held = self._held + piece
        cut = held.rfind(b"\n") + 1 or (len(held) if len(held) > LONGEST_LINE else 0)
        self._held = held[cut:]
        return binascii.a2b_qp(held[:cut]) if cut else b""

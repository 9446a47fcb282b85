"""A letter that came in: who wrote it, what it answers, what it says, and the files that came along."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from email.errors import MessageError
from email.message import Message
from email.utils import getaddresses
from pathlib import Path
from typing import IO, Any

from operations import email_addresses, inbound_charsets, inbound_html, inbound_mime
from operations.inbound_charsets import header, one_line
from operations.inbound_mime import Part

MOST_ADDRESSES = 50
MOST_REFERENCES = 60
MESSAGE_ID = re.compile(r"<([!-;=?-~]{3,250})>")
SIGNATURES = frozenset({"application/pgp-signature", "application/pkcs7-signature", "application/x-pkcs7-signature"})
# Endings for what comes without a name, mostly pictures within a text.
ENDINGS = {"image/png": "png", "image/jpeg": "jpg", "image/gif": "gif", "image/webp": "webp", "application/pdf": "pdf",
           "text/plain": "txt", "text/html": "html", "text/calendar": "ics", "message/rfc822": "eml"}  # fmt: skip

# Takes a file (content, name) in, or says False.
TakeFile = Callable[[IO[bytes], str], bool]


@dataclass
class Head:
    """The head of a letter. Addresses are in their normal form; `sender` is empty where there is not exactly one."""

    fields: Message
    sender: str = ""
    sender_name: str = ""
    recipients: list[str] = field(default_factory=list)
    delivered_to: list[str] = field(default_factory=list)
    return_path: str = ""
    subject: str = ""
    message_id: str = ""
    references: list[str] = field(default_factory=list)

    def get(self, name: str) -> str:
        """A field as one line of text, '' without one."""
        return header(self.fields.get(name, ""))

    def lines(self) -> list[tuple[str, str]]:
        """All fields as they came, each as one line."""
        return [(one_line(name), header(value)) for name, value in self.fields.items()]


@dataclass
class Letter:
    """All of a letter. `left_out` are names of files that were not taken, `reports` parts about another letter."""

    head: Head
    text: str = ""
    left_out: list[str] = field(default_factory=list)
    reports: list[tuple[str, str]] = field(default_factory=list)
    is_cut: bool = False


def read_head(stream: IO[bytes]) -> Head:
    """The head of the letter that begins here."""
    return _head(inbound_mime.read_head(stream))


def read(stream: IO[bytes], *, largest_file: int, directory: Path, take_file: TakeFile | None = None) -> Letter:
    """Take a letter apart. Files are given to `take_file` one after the other; what it refuses is left out.

    `largest_file` in bytes: of a file no more than that and one byte are given. `directory` is where parts wait.
    """
    reader = inbound_mime.Reader(stream, directory, largest_file + 1)
    letter = Letter(Head(Message()))
    texts: list[_Text] = []
    for number, part in enumerate(reader.leaves(), start=1):
        if _is_report(part):
            letter.reports.append((part.content_type, _as_text(part)))
        if _is_body(part):
            texts.append(_Text(part.alternative, part.content_type == "text/html", _as_text(part)))
            letter.is_cut = letter.is_cut or part.is_cut
        elif not _is_passed_over(part):
            _take(part, number, take_file, letter)
    letter.head = _head(reader.head)
    letter.text = _chosen(texts)
    letter.is_cut = letter.is_cut or reader.is_cut
    return letter


@dataclass(frozen=True)
class _Text:
    alternative: int | None
    is_html: bool
    text: str

    @property
    def plain(self) -> str:
        return inbound_html.to_text(self.text) if self.is_html else self.text


def _chosen(texts: list[_Text]) -> str:
    """The texts in their order; of those that say the same the plain one, unless it is empty."""
    said: list[str] = []
    done: set[int] = set()
    for one in texts:
        if one.alternative is None:
            said.append(one.plain)
        elif one.alternative not in done:
            done.add(one.alternative)
            same = [other for other in texts if other.alternative == one.alternative]
            plain = [other.text for other in same if not other.is_html and other.text.strip()]
            said.append("\n".join(plain) if plain else "\n".join(other.plain for other in same if other.is_html))
    return "\n\n".join(filter(None, (text.strip("\n") for text in said)))


def _take(part: Part, number: int, take_file: TakeFile | None, letter: Letter) -> None:
    name = _name_of(part, number)
    assert part.content is not None
    if take_file is None or not take_file(part.content, name):
        letter.left_out.append(name)


def _is_body(part: Part) -> bool:
    """Whether the part is text to be read in place, not a file."""
    is_file = part.head.get_content_disposition() == "attachment" or bool(_given_name(part.head))
    return part.content_type in {"text/plain", "text/html"} and not is_file


def _is_report(part: Part) -> bool:
    return part.content_type in inbound_mime.REPORTS and part.container == "multipart/report"


def _is_passed_over(part: Part) -> bool:
    """What is neither text nor a file that somebody attached."""
    return part.content_type in SIGNATURES or part.head.get_content_maintype() == "multipart" or _is_report(part)


def _as_text(part: Part) -> str:
    assert part.content is not None
    content = part.content.read(inbound_mime.LARGEST_TEXT)
    part.content.seek(0)
    try:
        charset = part.head.get_content_charset("") or ""
    except (LookupError, ValueError):
        charset = ""
    if not charset and part.content_type == "text/html":
        named = re.search(rb"charset\s{0,5}=\s{0,5}[\"']?([\w-]{3,20})", content[:2000])
        charset = named[1].decode() if named else ""
    text = inbound_charsets.decode(content, charset)
    said = str(part.head.get_param("format", "")).lower()
    if part.content_type != "text/plain" or said != "flowed":
        return text
    return _unflowed(text, deletes_blank=str(part.head.get_param("delsp", "")).lower() == "yes")


def _unflowed(text: str, *, deletes_blank: bool) -> str:
    """`text` with the lines joined that a mail program has parted, which end with a blank (RFC 3676)."""
    joined: list[list[str]] = []
    last_depth = -1
    for line in text.split("\n"):
        said = line.lstrip(">")
        depth = len(line) - len(said)
        said = said.removeprefix(" ")
        goes_on = said.endswith(" ") and said != "-- "
        piece = said[:-1] if goes_on and deletes_blank else said
        if depth == last_depth and said != "-- ":
            joined[-1].append(piece)
        else:
            joined.append([">" * depth + " " * bool(depth), piece])
        last_depth = depth if goes_on else -1
    return "\n".join("".join(pieces) for pieces in joined)


def _name_of(part: Part, number: int) -> str:
    given = one_line(_given_name(part.head))
    if given:
        return given
    ending = ENDINGS.get(part.content_type, "bin")
    kind = "image" if part.content_type.startswith("image/") else "file"
    return f"{kind}-{number}.{ending}"


def _given_name(head: Message) -> str:
    """The file's name, in whichever of the ways it is written: RFC 2231, RFC 2047, or raw."""
    try:
        found = _best(head, "content-disposition", "filename") or _best(head, "content-type", "name")
    except (LookupError, ValueError, MessageError):
        return ""
    if isinstance(found, tuple):
        charset, _language, value = found
        return inbound_charsets.decode(str(value).encode("latin-1", "replace"), charset or "utf-8")
    return header(found) if found else ""


def _best(head: Message, name: str, parameter: str) -> Any:
    """A parameter of a field; where it is there twice, the one that says its charset, as the other is for old programs."""
    found = [value for key, value in head.get_params([], name) if key.lower() == parameter]
    return next((value for value in found if isinstance(value, tuple)), found[0] if found else None)


def _head(fields: Message) -> Head:
    found = Head(fields)
    # An address that stands before itself as a name, without quotation marks, reads as two.
    senders = {address: name for name, address in _addresses(fields, "From")}
    if len(senders) == 1 and len(fields.get_all("From", [])) == 1:
        found.sender, found.sender_name = next(iter(senders.items()))
    found.recipients = [address for _name, address in _addresses(fields, "To", "Cc")]
    found.delivered_to = [address for _name, address in _addresses(fields, "Delivered-To", "X-Original-To")]
    found.return_path = one_line(str(fields.get("Return-Path", "")))[:254]
    found.subject = header(fields.get("Subject", ""))
    ids = MESSAGE_ID.findall(str(fields.get("Message-ID", "")))
    found.message_id = f"<{ids[0]}>" if ids else ""
    answered = MESSAGE_ID.findall(str(fields.get("In-Reply-To", "")))
    before = MESSAGE_ID.findall(str(fields.get("References", "")))
    # What it answers most directly first.
    found.references = list(dict.fromkeys(f"<{one}>" for one in [*answered, *reversed(before)]))[:MOST_REFERENCES]
    return found


def _addresses(fields: Message, *names: str) -> list[tuple[str, str]]:
    """(name, address) of all that can be written to, in lower case as far as that changes nothing."""
    values = [str(value) for name in names for value in fields.get_all(name, [])]
    try:
        parsed = getaddresses(values)[:MOST_ADDRESSES]
    except (ValueError, IndexError, RecursionError):
        return []
    found = []
    for name, address in parsed:
        normal = email_addresses.normal(one_line(address)) if address else None
        if normal is not None:
            found.append((header(name), normal))
    return found

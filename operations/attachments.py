"""Files that people attach: taken in, kept outside of what the web serves, and found again.

A file is kept once, under a random name, as it came; its own name is only data. Nothing is unpacked,
converted or looked into beyond its first bytes.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO

import sqlalchemy as sa
from flask import current_app
from flask_babel import gettext as _
from itsdangerous import BadData, URLSafeSerializer

from extensions import db
from models import Attachment, Mailing, Ticket, TicketMessage
from operations import settings
from operations.errors import OperationRefused

LARGEST_FILE = 10 * 1024 * 1024
LARGEST_TOTAL = 20 * 1024 * 1024
MOST_FILES = 10
LONGEST_NAME = 255
# A file that no record names is one whose form was never sent; it may still be, for a day.
ORPHANED_AFTER = timedelta(days=1)
CHUNK = 64 * 1024

ZIP = (b"PK\x03\x04", b"PK\x05\x06")
OLE = (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",)
# What may be attached: ending, type that it is served with, and what it begins with (nothing: it is text).
TYPES: dict[str, tuple[str, tuple[bytes, ...]]] = {
    "pdf": ("application/pdf", (b"%PDF-",)),
    "png": ("image/png", (b"\x89PNG\r\n\x1a\n",)),
    "jpg": ("image/jpeg", (b"\xff\xd8\xff",)),
    "jpeg": ("image/jpeg", (b"\xff\xd8\xff",)),
    "gif": ("image/gif", (b"GIF87a", b"GIF89a")),
    "webp": ("image/webp", (b"RIFF",)),
    "zip": ("application/zip", ZIP),
    "docx": ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", ZIP),
    "xlsx": ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", ZIP),
    "pptx": ("application/vnd.openxmlformats-officedocument.presentationml.presentation", ZIP),
    "odt": ("application/vnd.oasis.opendocument.text", ZIP),
    "ods": ("application/vnd.oasis.opendocument.spreadsheet", ZIP),
    "doc": ("application/msword", OLE),
    "xls": ("application/vnd.ms-excel", OLE),
    "rtf": ("application/rtf", (b"{\\rtf",)),
    "txt": ("text/plain; charset=utf-8", ()),
    "log": ("text/plain; charset=utf-8", ()),
    "csv": ("text/csv; charset=utf-8", ()),
}
# Controls, and the marks that turn the direction of writing: «exe.pdf» must not be shown for «fdp.exe».
UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")


@dataclass(frozen=True)
class StoredFile:
    """A file on disk that belongs to no record yet. `size` in bytes, `digest` SHA-256."""

    stored_name: str
    file_name: str
    content_type: str
    size: int
    digest: str


def clean_name(name: str) -> str:
    """The file's own name without path, unseen characters or more than 255 characters; the ending stays."""
    last = UNSEEN.sub("", unicodedata.normalize("NFC", re.split(r"[/\\]", name)[-1])).strip()
    if len(last) <= LONGEST_NAME:
        return last
    stem, dot, ending = last.rpartition(".")
    return stem[: LONGEST_NAME - len(dot + ending)] + dot + ending if stem else last[:LONGEST_NAME]


def store(stream: IO[bytes], file_name: str, *, room: int = LARGEST_TOTAL) -> StoredFile:
    """Keep one uploaded file (mode 600) and say what it is.

    Refuses (field `attachments`) what is empty, larger than one file or than `room` bytes, of a kind that
    may not be attached, or not what its name says.
    """
    name = clean_name(file_name)
    content_type = _content_type(name, stream)
    stored_name = secrets.token_hex(20)
    path = directory() / stored_name
    try:
        size, digest = _copy(stream, path, min(room, LARGEST_FILE), name)
    except (OperationRefused, OSError):
        path.unlink(missing_ok=True)
        raise
    return StoredFile(stored_name, name, content_type, size, digest)


def store_all(uploads: Iterable[tuple[IO[bytes], str]], *, kept: Iterable[StoredFile] = ()) -> list[StoredFile]:
    """Keep several files (content and name) beside those `kept` before; refuses too many or too large."""
    files = list(kept)
    for stream, name in uploads:
        if len(files) >= MOST_FILES:
            raise _too_many()
        files.append(store(stream, name, room=LARGEST_TOTAL - sum(file.size for file in files)))
    return files


def refuse_too_many(files: Sequence[StoredFile]) -> None:
    """Refuse (field `attachments`) more files, or larger ones, than one message may have."""
    if len(files) > MOST_FILES:
        raise _too_many()
    if sum(file.size for file in files) > LARGEST_TOTAL:
        raise _refused(_("The files are too large: %(total)s MB in all.", total=LARGEST_TOTAL >> 20))


def room_of(client_id: int) -> int | None:
    """How many bytes of files the client may still send, under the setting; None without a limit."""
    most = int(settings.get("client_files_mb"))
    if not most:
        return None
    sent = (
        sa.select(sa.func.sum(Attachment.size))
        .join(TicketMessage, TicketMessage.id == Attachment.message_id)
        .join(Ticket, Ticket.id == TicketMessage.ticket_id)
        .where(Ticket.client_id == client_id, TicketMessage.client_user_id.is_not(None))
    )
    return max(0, (most << 20) - (db.session.scalar(sent) or 0))


def refuse_beyond(room: int | None, files: Sequence[StoredFile]) -> None:
    """Refuse (field `attachments`) files for which there is no `room`, as `room_of` gives it."""
    if room is not None and files and sum(file.size for file in files) > room:
        raise _refused(
            _("There is no room left for files of this account. Please write without files, and ask us for more room.")
        )


def attach(
    files: Iterable[StoredFile], *, mailing: Mailing | None = None, message: TicketMessage | None = None
) -> None:
    """Make stored files those of a mailing or of a message, which must have been flushed."""
    for file in files:
        db.session.add(
            Attachment(
                mailing_id=mailing.id if mailing else None,
                message_id=message.id if message else None,
                **asdict(file),
            )
        )
    db.session.flush()


def path_of(attachment: Attachment) -> Path:
    return directory() / attachment.stored_name


def directory() -> Path:
    """Where files are kept; made (mode 700) where it is not there yet."""
    path: Path = current_app.config["SETTINGS"].attachments_dir
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def token_for(file: StoredFile) -> str:
    """What a form carries for a file it has already sent; nobody can make one up."""
    return _signer().dumps(list(asdict(file).values()))


def from_token(token: str) -> StoredFile | None:
    """The file of a token, None where the token is not ours or the file is gone."""
    try:
        file = StoredFile(*_signer().loads(token))
    except (BadData, TypeError):
        return None
    return file if (directory() / file.stored_name).is_file() else None


def forget_orphans(*, now: datetime) -> int:
    """Remove files older than a day that no record names; returns how many."""
    old = [
        path
        for path in directory().iterdir()
        if datetime.fromtimestamp(path.stat().st_mtime, UTC) + ORPHANED_AFTER < now
    ]
    removed = 0
    for path in old:
        if not db.session.scalar(sa.select(Attachment.id).where(Attachment.stored_name == path.name).limit(1)):
            path.unlink(missing_ok=True)
            removed += 1
    return removed


def _content_type(name: str, stream: IO[bytes]) -> str:
    """The type that the ending stands for; refuses other endings, and content that does not look like it."""
    ending = name.rpartition(".")[2].lower()
    if ending not in TYPES or name.startswith("."):
        endings = ", ".join(TYPES)
        raise _refused(
            _(
                "%(name)s: this kind of file cannot be attached (only %(endings)s).",
                name=name,
                endings=endings,
            )
        )
    content_type, beginnings = TYPES[ending]
    start = stream.read(CHUNK)
    stream.seek(0)
    looks_right = start.startswith(beginnings) if beginnings else b"\0" not in start
    if start and not looks_right:
        raise _refused(_("%(name)s is not what its name says.", name=name))
    return content_type


def _copy(stream: IO[bytes], path: Path, room: int, name: str) -> tuple[int, str]:
    size, digest = 0, hashlib.sha256()
    path.touch(mode=0o600, exist_ok=False)
    with path.open("wb") as target:
        while chunk := stream.read(CHUNK):
            size += len(chunk)
            if size > room:
                raise _refused(
                    _(
                        "%(name)s is too large: %(size)s MB at most, %(total)s MB in all.",
                        name=name,
                        size=LARGEST_FILE >> 20,
                        total=LARGEST_TOTAL >> 20,
                    )
                )
            digest.update(chunk)
            target.write(chunk)
    if not size:
        raise _refused(_("%(name)s is empty.", name=name))
    return size, digest.hexdigest()


def _too_many() -> OperationRefused:
    return _refused(_("No more than %(count)s files can be attached.", count=MOST_FILES))


def _refused(message: str) -> OperationRefused:
    return OperationRefused(message, field="attachments")


def _signer() -> URLSafeSerializer:
    return URLSafeSerializer(current_app.config["SETTINGS"].secret_key, salt="stored file")

"""The files of a letter that comes in, under the rules for all attachments."""

from __future__ import annotations

from typing import IO

from operations import attachments
from operations.attachments import StoredFile
from operations.errors import OperationRefused
from operations.inbound_parsing import Letter


class Files:
    """The files of one letter as they are kept, until they are those of a message."""

    def __init__(self) -> None:
        self.stored: list[StoredFile] = []

    def take(self, stream: IO[bytes], name: str) -> bool:
        """Keep a file; False where the rules refuse it."""
        try:
            self.stored = attachments.store_all([(stream, name)], kept=self.stored)
        except OperationRefused:
            return False
        return True

    def drop_beyond(self, room: int | None, letter: Letter) -> None:
        """Remove the last files for which the client has no room, and say so of them as of others that are left out."""
        while room is not None and self.stored and sum(file.size for file in self.stored) > room:
            last = self.stored.pop()
            letter.left_out.append(last.file_name)
            _remove(last)

    def drop(self) -> None:
        """Remove what became no message's."""
        for file in self.stored:
            _remove(file)
        self.stored = []


def _remove(file: StoredFile) -> None:
    (attachments.directory() / file.stored_name).unlink(missing_ok=True)

"""Where the files of imports wait: in a directory of their own, under names that nobody can guess."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import time
from datetime import timedelta
from pathlib import Path
from typing import IO

from models import ImportBatch

BLOCK = 1024 * 1024


def plain_name(name: str) -> str:
    """The file's own name without its place, as it can be shown."""
    own = re.split(r"[\\/]", name)[-1]
    return "".join(c for c in own if c.isprintable())[:255]


def keep(file: IO[bytes], directory: Path) -> tuple[str, str]:
    """Copy the file to where only we can read it; returns its new name and its content's SHA-256."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    name = secrets.token_hex(16)
    descriptor = os.open(directory / f"{name}.csv", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    digest = hashlib.sha256()
    with open(descriptor, "wb") as kept:  # noqa: PTH123  (a Path cannot open a descriptor)
        while block := file.read(BLOCK):
            digest.update(block)
            kept.write(block)
    return name, digest.hexdigest()


def digest_of(path: Path) -> str:
    """The SHA-256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def upload(batch: ImportBatch, directory: Path) -> Path:
    """The file that was given."""
    return directory / f"{batch.stored_name}.csv"


def report(batch: ImportBatch, directory: Path) -> Path:
    """What was said of its lines."""
    return directory / f"{batch.stored_name}.lines"


def remove(batch: ImportBatch, directory: Path) -> None:
    upload(batch, directory).unlink(missing_ok=True)
    report(batch, directory).unlink(missing_ok=True)


def remove_old(directory: Path, age: timedelta) -> None:
    """Remove what has lain there for so long, whether or not a batch knows of it."""
    if directory.exists():
        for path in directory.iterdir():
            if path.stat().st_mtime < time.time() - age.total_seconds():
                path.unlink(missing_ok=True)

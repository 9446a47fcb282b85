"""Files: taken in as they are, under names that nobody can guess, and only such as may be."""

from __future__ import annotations

import os
from datetime import timedelta
from io import BytesIO

import pytest
import sqlalchemy as sa

import jobs
from extensions import Clock, db
from models import Attachment
from operations import attachments
from operations.errors import OperationRefused
from tests.support import mailings as cast

pytestmark = [pytest.mark.usefixtures("session"), pytest.mark.engine("sqlite")]
PDF, PNG = b"%PDF-1.7\n", b"\x89PNG\r\n\x1a\n"


def store(content: bytes, name: str) -> attachments.StoredFile:
    return attachments.store(BytesIO(content), name)


def test_a_file_comes_out_as_it_went_in_under_its_own_name() -> None:
    content = PDF + os.urandom(200_000)
    file = store(content, "Договор №1.pdf")
    assert (file.file_name, file.content_type, file.size) == (
        "Договор №1.pdf",
        "application/pdf",
        len(content),
    )
    path = attachments.directory() / file.stored_name
    assert path.read_bytes() == content
    assert (path.stat().st_mode & 0o777, attachments.directory().stat().st_mode & 0o777) == (0o600, 0o700)
    assert "pdf" not in file.stored_name


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("../../etc/x.png", "x.png"),
        ("..\\x.png", "x.png"),
        ("a\0.png", "a.png"),
        ("evil\u202egnp.png", "evilgnp.png"),
        ("x" * 300 + ".png", "x" * 251 + ".png"),
        ("  й.png ", "й.png"),
    ],
)
def test_names_are_only_names(name: str, kept: str) -> None:
    assert store(PNG, name).file_name == kept


@pytest.mark.parametrize("name", [".htaccess", "x.svg", "x.html", "x.exe", "x", "x.png.html", ".png", "x.PHP", ""])
def test_other_kinds_are_refused(name: str) -> None:
    with pytest.raises(OperationRefused) as refusal:
        store(PNG, name)
    assert refusal.value.field == "attachments"
    assert not list(attachments.directory().iterdir())


@pytest.mark.parametrize(
    ("content", "name"),
    [(b"<html>", "x.png"), (b"MZ\0\0", "x.txt"), (PNG, "x.pdf"), (b"", "x.pdf"), (b"", "x.txt")],
)
def test_what_is_not_what_its_name_says_is_refused(content: bytes, name: str) -> None:
    with pytest.raises(OperationRefused):
        store(content, name)
    assert not list(attachments.directory().iterdir())


def test_too_large_and_too_many_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attachments, "LARGEST_FILE", 1000)
    monkeypatch.setattr(attachments, "LARGEST_TOTAL", 1500)
    assert store(PDF + b"x" * 991, "a.pdf").size == 1000
    with pytest.raises(OperationRefused, match="too large"):
        store(PDF + b"x" * 992, "a.pdf")
    with pytest.raises(OperationRefused, match="too large"):
        attachments.store_all([(BytesIO(PDF + b"x" * 791), "a.pdf"), (BytesIO(PDF + b"x" * 791), "b.pdf")])
    with pytest.raises(OperationRefused, match="No more than 10"):
        attachments.store_all([(BytesIO(b"x"), "a.txt")] * 11)


def test_a_token_stands_for_the_file_and_cannot_be_made_up() -> None:
    file = store(PDF, "a.pdf")
    token = attachments.token_for(file)
    assert attachments.from_token(token) == file
    assert attachments.from_token(token[:-2] + "xx") is None
    assert attachments.from_token("") is None
    (attachments.directory() / file.stored_name).unlink()
    assert attachments.from_token(token) is None


def test_one_file_for_many_is_on_disk_once_and_what_nobody_names_goes_after_a_day(clock: Clock) -> None:
    kept, orphan = store(PDF, "a.pdf"), store(PDF, "b.pdf")
    cast.confirm(cast.clients(5), files=[kept], attach_to_email=True)
    jobs.start_mailings()
    assert db.session.scalar(sa.select(sa.func.count(Attachment.id))) == 1
    db.session.rollback()
    clock.move(hours=23)
    jobs.tidy_up()
    assert (attachments.directory() / orphan.stored_name).exists()
    clock.move(hours=2)
    jobs.tidy_up()
    assert [path.name for path in attachments.directory().iterdir()] == [kept.stored_name]
    assert timedelta(days=1) == attachments.ORPHANED_AFTER

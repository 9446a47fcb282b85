"""Bringing in clients as the admin and the command do it, for tests without HTTP."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from extensions import db, now
from models import ImportBatch
from operations import imports
from operations.import_report import Line
from tests.imports_data import as_csv


class Importer:
    """Rehearses and confirms texts as the admin does, and runs the command."""

    def __init__(self, tmp_path: Path) -> None:
        self.directory = tmp_path / "imports"
        self._file = tmp_path / "clients.csv"

    def rehearse(self, content: str | bytes, **wish: Any) -> ImportBatch:
        data = content.encode() if isinstance(content, str) else content
        batch = imports.rehearse(
            io.BytesIO(data),
            "clients.csv",
            wish=imports.Wish(**wish),
            by=None,
            now=now(),
            directory=self.directory,
        )
        imports.remember(batch, now=now(), directory=self.directory)
        db.session.commit()
        return batch

    def confirm(self, batch: ImportBatch, *, skip_bad: bool = False) -> dict[str, int]:
        counts = imports.confirm(batch, skip_bad=skip_bad, now=now(), directory=self.directory)
        db.session.commit()
        imports.forget_file(batch, directory=self.directory)
        return counts

    def bring_in(self, content: str | bytes, *, skip_bad: bool = False, **wish: Any) -> list[Line]:
        batch = self.rehearse(content, **wish)
        self.confirm(batch, skip_bad=skip_bad)
        return self.lines(batch)

    def lines(self, batch: ImportBatch) -> list[Line]:
        return imports.lines_of(batch, directory=self.directory)

    def said(self, content: str | bytes, **wish: Any) -> dict[int, list[str]]:
        """What a rehearsal says of each line, as codes."""
        lines = self.lines(self.rehearse(content, **wish))
        return {line.number: [line.outcome, *(code for code, _values in line.messages)] for line in lines}

    def command(self, content: str | bytes, **options: Any) -> tuple[int, list[str]]:
        self._file.write_bytes(content.encode() if isinstance(content, str) else content)
        said: list[str] = []
        return imports.run_command(self._file, echo=said.append, **options), said


def whmcs(**columns: str) -> str:
    """A WHMCS file of one good client, with some cells changed."""
    row = {
        "id": "7", "firstname": "Анна", "lastname": "Щукина", "companyname": "", "email": "Anna@Example.org",
        "address1": "ул. Мира, 1", "address2": "", "city": "Казань", "state": "", "postcode": "420000",
        "country": "RU", "phonenumber": "+7.9161234567", "tax_id": "1655000000", "datecreated": "2019-05-06",
        "notes": "", "groupid": "0", "status": "Active", "language": "russian", "emailoptout": "0",
    }  # fmt: skip
    return as_csv([row | columns])

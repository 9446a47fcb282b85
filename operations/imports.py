"""Bringing in clients from a file: a rehearsal that writes nothing to them, then the import itself.

The file of a rehearsal is kept for a day, under a name that nobody can guess, until it is confirmed. The
confirmation goes over it anew, so what is written is what the database, as it is by then, makes of the file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, Any

import sqlalchemy as sa
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import joinedload

from extensions import db
from extensions import now as current_time
from models import Characterization, ImportBatch, Project, Staff
from operations import audit, bulk, countries, custom_fields, import_aside, import_files, import_report
from operations.errors import OperationRefused
from operations.import_aside import Aside
from operations.import_formats import Sheet, open_sheet
from operations.import_messages import field_name, in_words, value_in_words
from operations.import_pass import Pass
from operations.import_report import CHANGED, NEW, OUTCOMES, REFUSED, UNCHANGED, Line
from operations.import_rows import RowReader
from operations.import_writing import HomeProject, Writer

Keeper = Callable[[Iterator[Line]], dict[str, int]]
LONGEST_SOURCE = 40
REHEARSED, DONE, DROPPED = "rehearsed", "done", "dropped"
OUTCOME_NAMES = {
    NEW: _l("new"),
    CHANGED: _l("changed"),
    UNCHANGED: _l("unchanged"),
    REFUSED: _l("refused"),
}
KEPT = timedelta(days=1)
ONE_AT_A_TIME = 7_301_001  # the number of the lock that imports take on PostgreSQL


class ImportStopped(OperationRefused):
    """Some lines are refused, and all or nothing was asked for. Nothing may stay of what was written."""

    def __init__(self, counts: dict[str, int]) -> None:
        super().__init__(_("Nothing was brought in: %(count)s of the lines are refused.", count=counts[REFUSED]))
        self.counts = counts


@dataclass(frozen=True)
class Wish:
    """What is chosen for an import.

    `project` is for all new clients, or None: the file's own where it names any, else the first active one.
    `source` names the source, '' for the recognised format. `country` (alpha-2 or '') is that of rows
    without one.
    """

    project: Project | None = None
    source: str = ""
    country: str = ""


def rehearse(
    file: IO[bytes], file_name: str, *, wish: Wish, by: Staff | None, now: datetime, directory: Path
) -> ImportBatch:
    """Keep the file in `directory` and say what it would bring in; the batch is not in the database yet.

    Only reads, so that nobody waits for it; `remember` adds the batch. Raises BrokenFile where the file
    cannot be read, and keeps nothing of it then.
    """
    stored_name, digest = import_files.keep(file, directory)
    batch = ImportBatch(
        file_name=import_files.plain_name(file_name), digest=digest, stored_name=stored_name,
        status=REHEARSED,
        created_at=now, staff_id=by.id if by else None, project_id=wish.project.id if wish.project else None,
    )  # fmt: skip
    try:
        sheet = _sheet(import_files.upload(batch, directory))
        batch.source = _source(wish, sheet)
        with _reading() as connection:
            lines = _pass(sheet, batch.source, wish, connection, now).lines()
            report = import_files.report(batch, directory)
            batch.counts = import_report.write(report, lines, country=wish.country)
    except BaseException:
        import_files.remove(batch, directory)
        raise
    return batch


def remember(batch: ImportBatch, *, now: datetime, directory: Path) -> None:
    """Add a rehearsed batch, which can be confirmed for a day; files of older ones are removed."""
    drop_forgotten(now=now, directory=directory)
    db.session.add(batch)
    db.session.flush()


def confirm(batch: ImportBatch, *, skip_bad: bool, now: datetime, directory: Path) -> dict[str, int]:
    """Bring in what the kept file says; returns the counts of what was done.

    With `skip_bad` refused lines are left out; else one of them stops all (ImportStopped). Refuses a batch
    that was confirmed already or whose file is gone. The caller commits, then calls `forget_file`.
    """
    if not batch.stored_name or not import_files.upload(batch, directory).exists():
        raise OperationRefused(_("The file is no longer kept. Please upload it again."))
    _claim(batch, now)
    report = import_files.report(batch, directory)
    country = import_report.country_of(report)
    project = db.session.get(Project, batch.project_id) if batch.project_id else None
    return _carry_out(
        _sheet(import_files.upload(batch, directory)),
        batch,
        Wish(project, batch.source, country),
        skip_bad=skip_bad,
        keep=lambda lines: import_report.write(report, lines, country=country),
    )


def _sheet(path: Path) -> Sheet:
    return open_sheet(path, more={one.name: one.headings for one in custom_fields.defined()})


def _claim(batch: ImportBatch, now: datetime) -> None:
    """Make the batch ours: of two confirmations at once, one goes on."""
    statement = sa.update(ImportBatch).where(ImportBatch.id == batch.id, ImportBatch.status == REHEARSED)
    won: Any = db.session.execute(statement.values(status=DONE, done_at=now))
    if won.rowcount != 1:
        raise OperationRefused(_("This import was carried out already."))
    db.session.refresh(batch)


def _carry_out(sheet: Sheet, batch: ImportBatch, wish: Wish, *, skip_bad: bool, keep: Keeper) -> dict[str, int]:
    """Write what the sheet says, and the batch's counts; `keep` takes the lines and returns their counts."""
    connection = db.session.connection()
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(ONE_AT_A_TIME)))
    now = batch.done_at or current_time()
    with _told_of_conflicts(connection), bulk.modest(connection):
        with import_aside.set_aside(connection, rows=sheet.most_rows()) as aside:
            writer = _writer(batch, wish, now, aside)
            steps = _pass(sheet, batch.source, wish, connection, now, writer=writer, skips_bad=skip_bad)
            counts = keep(steps.lines())
            if counts[REFUSED] and not skip_bad:
                raise ImportStopped(counts)
        writer.finish()
    batch.counts = counts
    db.session.flush()
    about = {"import_batch": batch.id, "file": batch.file_name, "source": batch.source, **counts}
    audit.record("import", module="clients", after=about)
    return counts


def _writer(batch: ImportBatch, wish: Wish, now: datetime, aside: Aside) -> Writer:
    project = wish.project or first_project()
    ordinary = db.session.scalars(sa.select(Characterization.id).where(Characterization.is_default)).one()
    return Writer(
        batch=batch,
        project=HomeProject.of(project),
        projects={} if wish.project else {each.name.lower(): HomeProject.of(each) for each in _projects()},
        ordinary=ordinary,
        now=now,
        aside=aside,
    )


def _pass(
    sheet: Sheet,
    source: str,
    wish: Wish,
    connection: sa.Connection,
    now: datetime,
    *,
    writer: Writer | None = None,
    skips_bad: bool = False,
) -> Pass:
    project = wish.project or first_project()
    return Pass(
        sheet,
        connection=connection,
        reader=RowReader(
            sheet, country=wish.country, language=project.default_language, now=now, custom=custom_fields.defined()
        ),
        source=source,
        projects=None if wish.project else {each.name.lower() for each in _projects()},
        writer=writer,
        skips_bad=skips_bad,
    )


@contextmanager
def _reading() -> Iterator[sa.Connection]:
    """A connection of its own that holds nobody up: what a rehearsal makes on it is gone with it."""
    with db.engine.connect().execution_options(reads_only=True) as connection:
        yield connection
        connection.rollback()


@contextmanager
def _told_of_conflicts(connection: sa.Connection) -> Iterator[None]:
    """Say so when somebody else took a username, an address or a key between the check and the writing."""
    try:
        yield
    except (sa.exc.IntegrityError, connection.dialect.loaded_dbapi.IntegrityError) as error:
        raise OperationRefused(
            _("Somebody changed clients while the import ran. Nothing was written; please try again.")
        ) from error


def first_project() -> Project:
    """The first active project, which clients come into unless another is chosen."""
    for project in _projects():
        if project.is_active:
            return project
    raise OperationRefused(_("There is no active project."), field="project")


def project_named(name: str) -> Project:
    for project in _projects():
        if project.name.lower() == name.strip().lower():
            return project
    raise OperationRefused(_("There is no project «%(name)s».", name=name), field="project")


def _projects() -> list[Project]:
    return list(db.session.scalars(sa.select(Project).order_by(Project.id)))


def _source(wish: Wish, sheet: Sheet) -> str:
    source = " ".join(wish.source.split()) or sheet.format
    if len(source) > LONGEST_SOURCE:
        raise OperationRefused(_("At most %(count)s characters, please.", count=LONGEST_SOURCE), field="source")
    return source


# The files


def latest(count: int, *, before: int | None = None) -> list[ImportBatch]:
    """The last imports and rehearsals, newest first; those older than number `before` where it is given."""
    statement = sa.select(ImportBatch).order_by(ImportBatch.id.desc()).limit(count)
    if before is not None:
        statement = statement.where(ImportBatch.id < before)
    return list(db.session.scalars(statement.options(joinedload(ImportBatch.staff))))


def lines_of(
    batch: ImportBatch,
    *,
    directory: Path,
    outcome: str | None = None,
    skip: int = 0,
    count: int | None = None,
) -> list[Line]:
    """What was said of the rows, in the order of the file; nothing where that is no longer kept."""
    if not batch.stored_name:
        return []
    return import_report.read(import_files.report(batch, directory), outcome=outcome, skip=skip, count=count)


def is_waiting(batch: ImportBatch, *, directory: Path) -> bool:
    """Whether the batch can still be confirmed."""
    is_kept = bool(batch.stored_name) and import_files.upload(batch, directory).exists()
    return batch.status == REHEARSED and is_kept


def forget_file(batch: ImportBatch, *, directory: Path) -> None:
    """Remove the file that was brought in; what was said of its lines stays for the day."""
    import_files.upload(batch, directory).unlink(missing_ok=True)


def drop_forgotten(*, now: datetime, directory: Path) -> int:
    """Remove the files of imports older than a day; those not confirmed by then cannot be any more."""
    old = list(
        db.session.scalars(
            sa.select(ImportBatch).where(ImportBatch.stored_name != "", ImportBatch.created_at < now - KEPT)
        )
    )
    for batch in old:
        import_files.remove(batch, directory)
        batch.stored_name = ""
        if batch.status == REHEARSED:
            batch.status = DROPPED
    import_files.remove_old(directory, KEPT)
    db.session.flush()
    return len(old)


# The command


def run_command(
    path: Path,
    *,
    dry_run: bool = False,
    project: str | None = None,
    source: str | None = None,
    skip_bad: bool = False,
    country: str | None = None,
    echo: Callable[[str], Any] = print,
) -> int:
    """Bring in the clients of `path`, saying each line's outcome to `echo`; returns the exit code.

    It is the edge: it commits when all went well, and writes nothing otherwise. In a dry run it only reads.
    """
    try:
        wish = Wish(project_named(project) if project else None, source or "", _country(country))
        counts = _dry_run(path, wish, echo) if dry_run else _run(path, wish, skip_bad, echo)
    except ImportStopped as stopped:
        db.session.rollback()
        echo(_totals(stopped.counts))
        echo(stopped.message)
        return 1
    except OperationRefused as refused:
        db.session.rollback()
        echo(refused.message)
        return 1
    echo(_totals(counts))
    return 1 if counts[REFUSED] and not skip_bad else 0


def _dry_run(path: Path, wish: Wish, echo: Callable[[str], Any]) -> dict[str, int]:
    sheet = _sheet(path)
    with _reading() as connection:
        return _said(_pass(sheet, _source(wish, sheet), wish, connection, current_time()).lines(), echo)


def _run(path: Path, wish: Wish, skip_bad: bool, echo: Callable[[str], Any]) -> dict[str, int]:
    sheet, now = _sheet(path), current_time()
    batch = ImportBatch(
        file_name=import_files.plain_name(path.name), digest=import_files.digest_of(path),
        source=_source(wish, sheet),
        status=DONE, created_at=now, done_at=now, project_id=wish.project.id if wish.project else None,
    )  # fmt: skip
    db.session.add(batch)
    db.session.flush()
    counts = _carry_out(sheet, batch, wish, skip_bad=skip_bad, keep=lambda lines: _said(lines, echo))
    db.session.commit()
    return counts


def _said(lines: Iterator[Line], echo: Callable[[str], Any]) -> dict[str, int]:
    counts = dict.fromkeys(OUTCOMES, 0)
    names = {outcome: outcome_name(outcome) for outcome in OUTCOMES}
    for line in lines:
        counts[line.outcome] += 1
        echo(in_one_line(line, names[line.outcome]))
    return counts


def in_one_line(line: Line, outcome: str) -> str:
    """«12: changed: 1042 Ivan Petrov: e-mail: a@example.org -> b@example.org»."""
    changes = [f"{field_name(name)}: {_short(name, old)} -> {_short(name, new)}" for name, old, new in line.changes]
    about = "; ".join(changes + [in_words(message) for message in line.messages])
    who = f"{line.key} {line.name}".strip()
    return ": ".join(part for part in (str(line.number), outcome, who, about) if part)


def outcome_name(outcome: str) -> str:
    """The outcome in the reader's language."""
    return str(OUTCOME_NAMES[outcome])


def _short(name: str, value: str) -> str:
    text = " ".join(value_in_words(name, value).split())
    return f"{text[:117]}…" if len(text) > 118 else text


def _totals(counts: dict[str, int]) -> str:
    text = _("New: %(new)s, changed: %(changed)s, unchanged: %(unchanged)s, refused: %(refused)s.", **counts)
    return str(text)


def _country(text: str | None) -> str:
    code = countries.recognise(text) if text else ""
    if code is None:
        raise OperationRefused(_("«%(value)s» is no country.", value=text), field="country")
    return code

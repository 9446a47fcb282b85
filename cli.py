"""The commands of `flask --app app`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import sqlalchemy as sa
from flask import Flask, current_app
from flask.cli import with_appcontext

import jobs
from extensions import db, now
from models import ClientUser, Staff
from operations import checking, demo, desk_hold, exports, import_undoing, imports, passwords
from operations import staff as staff_operations
from operations.errors import OperationRefused


def register(app: Flask) -> None:
    for command in (create_staff, set_password, worker, demo_data, import_clients, undo_import, export_clients, check,
                    hold, release):  # fmt: skip
        app.cli.add_command(command)


@contextmanager
def one_transaction() -> Iterator[None]:
    """Commit what the command did; a refusal ends it with one line and nothing written."""
    try:
        yield
        db.session.commit()
    except OperationRefused as refusal:
        db.session.rollback()
        raise click.ClickException(refusal.message) from None


def _command(name: str) -> Callable[[Callable[..., Any]], click.Command]:
    def decorate(function: Callable[..., Any]) -> click.Command:
        return click.command(name)(with_appcontext(function))

    return decorate


@_command("create-staff")
@click.option("--username", required=True)
@click.option("--password", default=None, help="At least 12 characters; made up and printed when not given.")
@click.option("--role", default="Owner", show_default=True)
@click.option("--full-name", default="")
@click.option("--email", default="")
def create_staff(username: str, password: str | None, role: str, full_name: str, email: str) -> None:
    """Add a staff member."""
    made = password or passwords.generate()
    with one_transaction():
        staff_operations.create(
            username=username,
            password=made,
            role=staff_operations.role_named(role),
            full_name=full_name,
            email=email,
            must_change_password=password is None,
        )
    click.echo(f"Staff member {username} created." + ("" if password else f" Password for one use: {made}"))


@_command("set-password")
@click.option("--staff", "staff_name", default=None, help="Username of a staff member.")
@click.option("--user", "user_name", default=None, help="Username of a client user.")
@click.option("--password", default=None, help="Made up and printed when not given.")
def set_password(staff_name: str | None, user_name: str | None, password: str | None) -> None:
    """Set the password of a staff member or a client user."""
    if bool(staff_name) == bool(user_name):
        raise click.UsageError("Name one of --staff and --user.")
    kind = Staff if staff_name else ClientUser
    name = (staff_name or user_name or "").lower()
    made = password or passwords.generate()
    with one_transaction():
        person = db.session.scalar(sa.select(kind).where(kind.username == name))
        if person is None:
            raise click.ClickException(f"There is nobody called {name}.")
        staff_operations.set_password(person, made)
    click.echo(f"Password of {name} set." + ("" if password else f" It is {made}"))


@_command("worker")
def worker() -> None:
    """Run what the clock does: mailings, letters, tidying up."""
    jobs.run_worker(current_app._get_current_object())  # type: ignore[attr-defined]


@_command("demo")
@click.option("--clients", default=300, show_default=True, type=click.IntRange(min=20))
@click.option("--seed", default=1, show_default=True, type=int)
def demo_data(clients: int, seed: int) -> None:
    """Fill the database with believable data."""
    with one_transaction():
        password = demo.create(clients=clients, seed=seed, now=now())
    if password:
        path = current_app.config["SETTINGS"].data_dir / "demo_login.txt"
        path.touch(mode=0o600)
        path.write_text(f"admin {password}\n")
        click.echo(f"Log in at /admin/login as admin with the password {password}")
        click.echo(f"The client user {demo.client_login()} has it as well, at /login.")


@_command("import-clients")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@click.option("--project", default=None, help="Name of the project; the first active one by default.")
@click.option("--source", default=None, help="Name of the source; the recognised format by default.")
@click.option("--skip-bad", is_flag=True, help="Bring in the good lines when there are bad ones.")
def import_clients(file: Path, dry_run: bool, project: str | None, source: str | None, skip_bad: bool) -> None:
    """Bring in clients from another system's export."""
    sys.exit(
        imports.run_command(file, dry_run=dry_run, project=project, source=source, skip_bad=skip_bad, echo=click.echo)
    )


@_command("undo-import")
@click.argument("number", type=click.IntRange(1, 2**31 - 1))
@click.option("--dry-run", is_flag=True, help="Only say what would be done, and what stands in its way.")
def undo_import(number: int, dry_run: bool) -> None:
    """Take import NUMBER back: its clients go, and those that it changed get their old values."""
    sys.exit(import_undoing.run_command(number, dry_run=dry_run, echo=click.echo))


@_command("export-clients")
@click.option("--output", default="-", type=click.File("w", encoding="utf-8", lazy=False))
def export_clients(output: Any) -> None:
    """Write all clients as CSV."""
    for chunk in exports.all_clients_csv():
        output.write(chunk)


@_command("check")
def check() -> None:
    """Prove that balances equal their entries and that documents' lines add up."""
    faults = checking.faults()
    for fault in faults:
        click.echo(fault)
    if faults:
        sys.exit(1)
    click.echo("Everything adds up.")


@_command("hold")
def hold() -> None:
    """Have nothing done by the clock until it is released: first of all after putting back a copy."""
    with one_transaction():
        desk_hold.hold_by_hand(now=now())
    click.echo("The desk is held. No letter leaves and no deadline is carried out until it is released.")


@_command("release")
@click.option("--yes", is_flag=True, help="Do it. Without this it is only said what waits.")
@click.option("--drop", is_flag=True, help="Cancel what was due before and has probably been done already.")
def release(yes: bool, drop: bool) -> None:
    """Let a held desk go on, after saying why it is held and what waits. The exit code is 1 while it is held."""
    sys.exit(desk_hold.run_command(yes=yes, drop=drop, now=now(), echo=click.echo))

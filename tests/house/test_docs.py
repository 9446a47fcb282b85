"""The documents are true: what they name exists, what they print is printed, and their example works."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import click
import pytest
import sqlalchemy as sa
from flask import Flask

import config
from extensions import db
from models import AuditEvent, Role
from operations import (
    authentication,
    deletion,
    delivery,
    inbound,
    inbound_store,
    password_links,
    passwords,
    permissions,
)
from operations import settings as desk_settings
from scripts import run
from tests import cast as people_of
from tests.cast import Cast, Desk
from tests.support import page as pages
from web import sessions

ROOT = Path(__file__).resolve().parents[2]
DECISIONS = sorted(path for path in (ROOT / "docs/decisions").glob("*.md") if path.name != "README.md")
DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
LARGEST_PICTURE = 250 * 1000
# A program of ours, at the beginning of a command: `.venv/bin/flask --app app check`.
COMMAND = re.compile(r"\bflask --app app ([a-z][a-z-]*(?: [^`|#]*)?)")
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)|(?:src|srcset)=\"([^\"]+)\"")
CODE = re.compile(r"`([^`\n]+)`")
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
VARIABLE = re.compile(r"^\| `([A-Z_]+)` \|", re.MULTILINE)


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def named(paths: list[Path]) -> Any:
    return pytest.mark.parametrize("document", paths, ids=lambda path: str(path.relative_to(ROOT)))


# What is named exists


@named(DOCUMENTS)
def test_links_lead_somewhere(document: Path) -> None:
    for found in LINK.finditer(document.read_text(encoding="utf-8")):
        address, _hash, heading = (found[1] or found[2]).partition("#")
        assert "://" not in address, f"{address} is elsewhere"
        target = document.parent / address if address else document
        assert target.exists(), f"{document.name} links to {address}, which is not there"
        if heading:
            assert heading in headings(target), f"{address or document.name} has no heading #{heading}"


def headings(document: Path) -> set[str]:
    """The anchors of a document, as they are made of its headings."""
    titles = re.findall(r"^#+ (.+)$", document.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@named(DOCUMENTS)
def test_files_that_are_named_are_there(document: Path) -> None:
    for code in CODE.findall(document.read_text(encoding="utf-8")):
        if re.fullmatch(r"[\w.-]+(/[\w.-]+)+\.(py|txt|md|js|css|svg|scss|html)", code):
            assert (ROOT / code).exists() or code in new_files(), f"{code} is not there"


def test_every_test_that_is_named_is_there() -> None:
    named_tests = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", text_of("docs/security.md"))
    assert len(named_tests) > 50
    missing = [f"{file}::{test}" for file, test in named_tests if f"def {test}(" not in text_of(file)]
    assert missing == []


@named(DOCUMENTS)
def test_targets_of_make_exist(document: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", text_of("Makefile"), re.MULTILINE))
    mentioned = set(re.findall(r"(?:`|\$ )(?:[A-Z]+=\S+ )?make ([a-z-]+)", document.read_text(encoding="utf-8")))
    assert mentioned <= targets


@pytest.mark.engine("sqlite")
def test_commands_and_their_options_exist(app: Flask) -> None:
    used = list(commands_used())
    assert {"create-staff", "set-password", "import-clients", "export-clients", "check", "worker"} <= {
        words[0] for words in used
    }
    for words in used:
        command: Any = app.cli
        while isinstance(command, click.Group):
            found = command.get_command(click.Context(command), words.pop(0))
            assert found is not None, f"there is no command {words}"
            command = found
        known = {option for parameter in command.params for option in parameter.opts}
        wrong = {word for word in words if word.startswith("--")} - known
        assert not wrong, f"{command.name} has no {wrong}"


def commands_used() -> Iterator[list[str]]:
    for document in DOCUMENTS:
        for line in document.read_text(encoding="utf-8").splitlines():
            for found in COMMAND.finditer(line):
                yield shlex.split(found[1].rstrip(" .,;:"))


@pytest.mark.engine("sqlite")
def test_addresses_that_are_named_are_answered(app: Flask) -> None:
    adapter = app.url_map.bind("127.0.0.1")
    ours = re.compile(r"/(?:admin/|panel/|healthz|readyz|metrics)[^?]*")
    found = [code for document in DOCUMENTS for code in CODE.findall(document.read_text(encoding="utf-8"))]
    addresses = {match[0] for code in found if (match := ours.match(code))}
    assert {"/admin/clients/", "/readyz"} <= addresses
    for address in addresses:
        of_the_example = address.startswith(URL)
        assert of_the_example or adapter.allowed_methods(address), f"{address} leads nowhere"


# What is said is so


class Asked(dict[str, str]):
    """An environment that notes what it is asked for."""

    def __init__(self, given: dict[str, str]) -> None:
        super().__init__(given)
        self.names: set[str] = set()

    def get(self, name: str, default: Any = None) -> Any:
        self.names.add(name)
        return super().get(name, default)


def test_the_settings_are_those_that_are_read(tmp_path: Path) -> None:
    environ = Asked({"DATA_DIR": str(tmp_path)})
    config.load(environ)

    assert set(VARIABLE.findall(text_of("docs/install.md"))) == environ.names | set(of_gunicorn())
    assert set(VARIABLE.findall(text_of("README.md"))) <= environ.names


def test_the_defaults_are_those_that_hold(tmp_path: Path) -> None:
    rows = re.findall(r"^\| `(\w+)` \| `([^`]+)` \|", text_of("docs/install.md"), re.MULTILINE)
    said = dict(rows)
    made = config.load({"DATA_DIR": str(tmp_path)})
    assert said["PUBLIC_URL"] == made.public_url
    assert int(said["TRUSTED_PROXIES"]) == made.trusted_proxies
    assert int(said["MAIL_RATE"]) == made.mail_rate
    assert int(said["MAIL_RATE_PER_DOMAIN"]) == made.mail_rate_per_domain
    assert int(said["MAX_UPLOAD_MB"]) * 1024**2 == made.max_upload
    assert {name: said[name] for name in of_gunicorn()} == of_gunicorn()


def of_gunicorn() -> dict[str, str]:
    """What gunicorn.conf.py reads from the environment, with the default of each."""
    return dict(re.findall(r"""environ\.get\(['"](\w+)['"], ['"]([^'"]+)['"]\)""", text_of("gunicorn.conf.py")))


def test_the_output_of_make_run_is_what_it_prints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = next(block for _kind, block in BLOCK.findall(text_of("README.md")) if "$ make run" in block)
    value = dict(re.findall(r"^  (\w+) +(.+)$", shown, re.MULTILINE))
    for step in re.findall(r"^\w.+ …$", shown, re.MULTILINE):
        assert step in text_of("Makefile") + text_of("scripts/run.py")
    logins = tuple(value[who].partition("login")[2].strip() for who in ("Staff", "Clients"))
    monkeypatch.setattr(run, "logins", lambda _settings: logins)

    run.welcome(config.load({"DATA_DIR": str(tmp_path)}), {"PORT": "5000"}, value["Letters"])
    printed = capsys.readouterr().out.replace(str(tmp_path), value["Data"])
    assert printed.strip() in shown


def test_the_settings_of_the_desk_are_all_explained() -> None:
    said = text_of("docs/administer.md")
    for kind in desk_settings.KINDS.values():
        default = {True: "on", False: "off"}[kind.default] if isinstance(kind.default, bool) else kind.default
        if isinstance(kind, desk_settings.Choice):
            default = {"ticket": "open a ticket", "first": "the first", "known": "clients and staff"}[kind.default]
        assert f"| {kind.label} | {default} |" in said


def test_the_permissions_that_stand_alone_are_all_named() -> None:
    said = text_of("docs/administer.md")
    assert all(f"`{permission}`" in said for permission in permissions.STANDING_ALONE)


@pytest.mark.engine("sqlite")
def test_the_roles_are_those_that_are_there(session: Any) -> None:
    roles = list(session.scalars(sa.select(Role.name).order_by(Role.id)))
    assert f"from the start: {', '.join(roles)}." in text_of("docs/administer.md")
    assert ", ".join(f"`{name.lower()}`" for name in roles) in text_of("README.md").replace("\n", " ")


def in_minutes(time: timedelta) -> int:
    return int(time.total_seconds() // 60)


def sentences_with_figures(made: config.Settings) -> dict[str, list[str]]:
    """What documents must say, with the figures that hold."""
    hasher = passwords_hasher()
    return {
        "docs/security.md": [
            f"ends after {in_minutes(sessions.STAFF_IDLE)} minutes without a request",
            f"after {in_minutes(made.staff_session_lifetime) // 60} hours in any case",
            f"a client's after {in_minutes(sessions.CLIENT_IDLE) // 60} hours",
            f"after {made.client_session_lifetime.days} days. Activity never moves",
            f"({hasher['memory_cost'] * 1024 // 1024**2} MiB, {hasher['time_cost']} passes)",
            f"Staff need {passwords.STAFF_LENGTH} characters, clients {passwords.CLIENT_LENGTH}",
            f"After {authentication.PER_ADDRESS} failed logins from one address",
            f"within {in_minutes(authentication.WINDOW)} minutes that address waits",
            f"after {authentication.PER_NAME} for one name",
            f"set a password is good for {in_minutes(password_links.LIFETIMES['reset'])} minutes",
            f"It ends after {desk_settings.KINDS['impersonation_minutes'].default} minutes",
        ],
        "docs/administer.md": [
            f"after {', '.join(map(str, delivery.PAUSES[:3]))} and {delivery.PAUSES[3]} minutes",
            f"{delivery.MOST_ATTEMPTS} times in all",
            f"back within {deletion.RESTORABLE.days} days",
            f"larger than {inbound_store.LARGEST_LETTER >> 20} MB",
            f"after {', '.join(map(str, inbound.PAUSES[:-1]))} and {inbound.PAUSES[-1]} minutes, then it waits",
        ],
        "docs/decisions/deletion.md": [f"For {deletion.RESTORABLE.days} days it can be restored"],
        "docs/decisions/mail-promise.md": [f"lease of {int(delivery.LEASE.total_seconds())} seconds"],
        "docs/decisions/password-rule.md": [
            f"{passwords.CLIENT_LENGTH} characters for clients and {passwords.STAFF_LENGTH} for staff",
            f"up to {passwords.MAXIMUM_LENGTH}",
            f"have {passwords.GENERATED_LENGTH} characters",
        ],
    }


def test_the_figures_are_those_of_the_code(tmp_path: Path) -> None:
    for name, sentences in sentences_with_figures(config.load({"DATA_DIR": str(tmp_path)})).items():
        said = " ".join(text_of(name).split())
        assert not [sentence for sentence in sentences if sentence not in said], name


def passwords_hasher() -> dict[str, int]:
    """How the program hashes passwords; the tests themselves use something quicker."""
    made = re.search(r"PasswordHasher\((.+)\)", text_of("operations/passwords.py"))
    assert made is not None
    return {name: int(value) for name, value in re.findall(r"(\w+)=(\d+)", made[1])}


# How they are kept


@named(DECISIONS)
def test_a_decision_is_a_page_of_three_parts(document: Path) -> None:
    lines = document.read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line.startswith("## ")] == [
        "## Context",
        "## Decision",
        "## What it costs",
    ]
    assert 15 <= len(lines) <= 35


def test_every_document_is_linked_from_where_one_looks_for_it() -> None:
    readme, index = text_of("README.md"), text_of("docs/decisions/README.md")
    for document in (ROOT / "docs").glob("*.md"):
        assert f"(docs/{document.name})" in readme
    assert all(f"({document.name})" in index for document in DECISIONS)


def test_pictures_are_small_and_used() -> None:
    for picture in (ROOT / "docs/images").iterdir():
        assert picture.stat().st_size < LARGEST_PICTURE, f"{picture.name} is too large"
        assert f"docs/images/{picture.name}" in text_of("README.md")


# The example of docs/add-a-module.md

URL = "/admin/equipment/"
ROUTER, MODEM = 1, 2


def new_files() -> dict[str, str]:
    """The files that the example writes, by name. Each begins with its name."""
    blocks = [block for kind, block in BLOCK.findall(text_of("docs/add-a-module.md")) if kind == "python"]
    return {block.splitlines()[0].removeprefix("# "): block.partition("\n")[2] for block in blocks}


def changes() -> list[tuple[str, str, str]]:
    """The changes that the example makes to files that are there: (name, old text, new text)."""
    found = []
    for kind, block in BLOCK.findall(text_of("docs/add-a-module.md")):
        if kind == "diff":
            first, *lines = block.splitlines()
            old = "\n".join(line[1:] for line in lines if line[:1] != "+")
            new = "\n".join(line[1:] for line in lines if line[:1] != "-")
            found.append((first.removeprefix("--- "), old, new))
    return found


def write_out(copy: Path, name: str) -> None:
    (copy / name).write_text(new_files()[name], encoding="utf-8")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The program with the example carried out in it, but for the database."""
    target = tmp_path / "desk"
    left_out = shutil.ignore_patterns(".*", "data", "__pycache__", "docs", "benchmarks", "*.db*")
    shutil.copytree(ROOT, target, ignore=left_out)
    for name, old, new in changes():
        before = (target / name).read_text(encoding="utf-8")
        assert before.count(old) == 1, f"{name} does not have this once:\n{old}"
        (target / name).write_text(before.replace(old, new), encoding="utf-8")
    shutil.copytree(ROOT / "docs", target / "docs")
    write_out(target, "schema/equipment.py")
    write_out(target, "admin_views/equipment.py")
    return target


@pytest.mark.heavy
@pytest.mark.timeout(300)
def test_the_example_of_a_new_module_works(copy: Path, environ: dict[str, str]) -> None:
    def execute(*command: str) -> None:
        done = subprocess.run(
            [sys.executable, *command],
            cwd=copy,
            env={"PATH": os.environ["PATH"], **environ},
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    migrate = next(words for words in commands_used() if words[:2] == ["db", "migrate"])
    execute("-m", "flask", "--app", "app", *migrate)
    write_out(copy, "migrations/versions/0901_equipment_rights.py")
    execute("-m", "flask", "--app", "app", "db", "upgrade")
    execute("-c", "from tests.house.test_docs import work_with_equipment; work_with_equipment()")


def work_with_equipment() -> None:
    """In a process of its own, on the copy: use the new module as staff do."""
    from app import create_app

    app = create_app(config.load())
    cast = people_of.perform(app)
    owner = people_of.log_in(app.test_client(), cast.owner)
    _is_in_the_menu_of_those_who_may(app, cast, owner)
    _is_filled_by_its_form(cast, owner)
    _is_found(cast, owner)
    _is_edited_in_place(owner)
    _is_exported(owner)
    _keeps_to_the_client_that_is_filtered_by(cast, owner)
    _is_in_the_audit(app, cast, owner)


def _is_in_the_menu_of_those_who_may(app: Flask, cast: Cast, owner: Desk) -> None:
    assert owner.page("/admin/").all("a", href=URL)
    support = people_of.log_in(app.test_client(), cast.support)
    assert not support.page("/admin/").all("a", href=URL)
    assert support.get(URL).status_code == 403
    assert support.post(f"{URL}new/", serial_number="X").status_code == 403

    with app.app_context():
        role = db.session.scalars(sa.select(Role).where(Role.name == "Support")).one()
        given, number = role.permissions, role.id
    answer = owner.post(f"/admin/roles/edit/?id={number}", name="Support", permissions=[*given, "equipment.view"])
    assert answer.status_code == 302
    assert support.page("/admin/").all("a", href=URL)
    assert support.get(URL).status_code == 200
    assert support.get(f"{URL}new/").status_code == 403
    assert support.post(f"{URL}ajax/update/", list_form_pk=1, note="x").status_code == 403
    assert support.get(f"{URL}export/csv/").status_code == 403


def _is_filled_by_its_form(cast: Cast, owner: Desk) -> None:
    router = {"client": cast.a.id, "kind": "router", "serial_number": "SN-100", "lent_on": "2026-03-01"}
    modem = {"client": cast.b.id, "kind": "modem", "serial_number": "SN-200", "lent_on": "2026-06-01"}
    for row in ({**router, "note": "attic"}, modem):
        owner.follow(owner.post(f"{URL}new/", row))
    assert owner.ids(URL) == [MODEM, ROUTER]

    refused = owner.refused(f"{URL}new/", {**modem, "note": "typed"})
    assert "serial_number" in pages.errors(refused)
    assert pages.values(refused)["note"] == ["typed"]
    assert "kind" in pages.errors(owner.refused(f"{URL}new/", {**modem, "serial_number": "SN-300", "kind": "fridge"}))

    owner.follow(owner.post(f"{URL}edit/?id={MODEM}", {**modem, "note": "in the hall"}))
    assert pages.cell(owner.page(URL), MODEM, "Note").text == "in the hall"


def _is_found(cast: Cast, owner: Desk) -> None:
    for question, rows in {
        "kind=router": [ROUTER],
        "lent_from=2026-05-01": [MODEM],
        "search=ATTIC": [ROUTER],
        "search=sn-2": [MODEM],
        "sort=serial_number": [ROUTER, MODEM],
        "sort=-serial_number": [MODEM, ROUTER],
        f"client={cast.a.id}": [ROUTER],
        "kind=fridge": [],
    }.items():
        assert owner.ids(f"{URL}?{question}") == rows, question


def _is_edited_in_place(owner: Desk) -> None:
    edit = f"{URL}ajax/update/"
    assert owner.post(edit, list_form_pk=ROUTER, note="=cellar()").status_code == 200
    assert owner.post(edit, list_form_pk=ROUTER, kind="tv_box").json["html"] == "TV box"  # type: ignore[index]
    assert owner.post(edit, list_form_pk=ROUTER, kind="fridge").status_code == 400
    assert owner.post(edit, list_form_pk=ROUTER, serial_number="SN-1").status_code == 403
    assert owner.post(edit, list_form_pk=ROUTER, note="late", row_version="1").status_code == 409
    assert pages.cell(owner.page(URL), ROUTER, "Note").text == "=cellar()"


def _is_exported(owner: Desk) -> None:
    lines = owner.get(f"{URL}export/csv/?kind=tv_box").text.removeprefix("\ufeff").splitlines()
    assert lines == [
        "id,client,kind,serial_number,lent_on,note",
        "1,Anna Alpha,tv_box,SN-100,2026-03-01,'=cellar()",
    ]


def _keeps_to_the_client_that_is_filtered_by(cast: Cast, owner: Desk) -> None:
    owner.post("/admin/clients/scope/", id=cast.b.id)
    assert owner.ids(URL) == [MODEM]
    for page in ("details", "edit", "delete"):
        assert owner.get(f"{URL}{page}/?id={ROUTER}").status_code == 404
    assert owner.post(f"{URL}ajax/update/", list_form_pk=ROUTER, note="x").status_code == 404
    owner.post("/admin/clients/scope/", id="")
    assert owner.ids(URL) == [MODEM, ROUTER]


def _is_in_the_audit(app: Flask, cast: Cast, owner: Desk) -> None:
    owner.post(f"{URL}delete/", id=MODEM)
    assert owner.ids(URL) == [ROUTER]
    with app.app_context():
        events = db.session.scalars(
            sa.select(AuditEvent).where(AuditEvent.module == "equipment").order_by(AuditEvent.id)
        ).all()
        refused = [event for event in events if event.action == "denied"]
        done = [event for event in events if event not in refused]
    happened = [(event.action, event.record_id) for event in done]
    assert happened == [
        ("create", ROUTER),
        ("create", MODEM),
        ("edit", MODEM),
        ("edit", ROUTER),
        ("edit", ROUTER),
        ("export", None),
        ("delete", MODEM),
    ], happened
    assert (done[3].before, done[3].after) == ({"note": "attic"}, {"note": "=cellar()"})
    assert all(event.staff_id == cast.owner.id for event in done)
    assert refused

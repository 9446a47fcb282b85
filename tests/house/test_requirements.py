"""What the code imports is asked for in requirements.in, with a reason; and nothing else is."""

from __future__ import annotations

import ast
import re
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OURS = {path.stem for path in ROOT.glob("*.py")} | {path.name for path in ROOT.iterdir() if path.is_dir()}
NOT_SHIPPED = {"tests", "benchmarks"}
# Started or loaded by name, never imported by us.
NOT_IMPORTED = {"gunicorn", "psycopg"}
# They come with a package that is asked for, and are that package's own words in our code.
COME_ALONG = {"alembic", "babel", "click", "itsdangerous", "jinja2", "markupsafe", "werkzeug", "openpyxl"}
LINE = re.compile(r"(?P<name>[a-z0-9-]+)(?:\[[a-z]+\])?(?P<version>[=<]=?[^ ]+) *# .+")


def asked_for(file: str) -> set[str]:
    lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
    wanted = [line for line in lines if line and line[0] not in "#-"]
    return {match["name"] for line in wanted if (match := LINE.fullmatch(line))}


def imported() -> set[str]:
    """Distributions that the shipped code imports."""
    names: set[str] = set()
    for path in [*ROOT.glob("*.py"), *ROOT.glob("[a-z]*/**/*.py")]:
        if path.relative_to(ROOT).parts[0] in NOT_SHIPPED:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names.add((node.module or "").partition(".")[0])
    of = packages_distributions()
    return {of.get(name, [name])[0].lower().replace("_", "-") for name in names - OURS - set(sys.stdlib_module_names)}


def test_everything_imported_is_asked_for() -> None:
    assert imported() - COME_ALONG <= asked_for("requirements.in")


def test_everything_asked_for_is_used() -> None:
    assert asked_for("requirements.in") - NOT_IMPORTED <= imported()


@pytest.mark.parametrize("name", ["requirements", "requirements-dev", "requirements-bench"])
def test_every_wish_has_a_reason_and_a_pin_with_digests(name: str) -> None:
    wishes = [line for line in (ROOT / f"{name}.in").read_text().splitlines() if line and line[0] not in "#-"]
    assert all(LINE.fullmatch(line) for line in wishes), "each line says which version, and behind # why"

    pinned = re.findall(r"^([a-z0-9-]+)==\S+ \\\n    --hash=", (ROOT / f"{name}.txt").read_text(), re.MULTILINE)
    assert asked_for(f"{name}.in") <= set(pinned)


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt", "requirements-bench.txt"])
def test_the_pins_name_no_place(name: str) -> None:
    place = r"://|--index|--find-links|--extra|file:/| @ |/(work|opt|home|tmp)/"
    assert not re.search(place, (ROOT / name).read_text())

"""The arrow of the house: app, cli -> admin_views | panel | jobs -> operations -> models -> extensions."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FLOOR = {"config"}
MAY_IMPORT = {
    "config": set(),
    "extensions": FLOOR,
    "schema": FLOOR | {"extensions"},
    "models": FLOOR | {"extensions", "schema"},
    "operations": FLOOR | {"extensions", "models"},
    "forms": FLOOR | {"extensions", "models", "operations"},
    "jobs": FLOOR | {"extensions", "models", "operations"},
    "web": FLOOR | {"extensions", "models", "operations"},
    "panel": FLOOR | {"extensions", "models", "operations", "forms", "web"},
    "admin_views": FLOOR | {"extensions", "models", "operations", "forms", "web"},
}
MAY_IMPORT["cli"] = set(MAY_IMPORT)
MAY_IMPORT["app"] = set(MAY_IMPORT)
APART = {"mail_catcher", "gunicorn.conf"}  # Programs of their own, which know nothing of the application.
OUTSIDE = {"tests", "benchmarks", "scripts", "migrations"}
LONGEST_OPERATIONS_MODULE = 400


def rooms() -> dict[str, list[Path]]:
    """The files of every room, a room being a module or a package at the top."""
    found: dict[str, list[Path]] = {}
    for path in [*ROOT.glob("*.py"), *ROOT.glob("[a-z]*/**/*.py")]:
        room = path.relative_to(ROOT).parts[0].removesuffix(".py")
        if room not in OUTSIDE | APART:
            found.setdefault(room, []).append(path)
    return found


def imported_rooms(path: Path) -> set[str]:
    """Which rooms a file imports from, inside of functions too."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add(node.module or "")
    return {name.partition(".")[0] for name in names} & set(MAY_IMPORT)


@pytest.mark.parametrize("room", sorted(rooms()))
def test_a_room_imports_only_what_lies_below_it(room: str) -> None:
    for path in rooms()[room]:
        wrong = imported_rooms(path) - MAY_IMPORT.get(room, set()) - {room}
        assert room in MAY_IMPORT, f"{room} has no place in the arrow yet: say here what it may import"
        assert not wrong, f"{path.relative_to(ROOT)} imports {', '.join(sorted(wrong))}"


def test_the_programs_apart_know_nothing_of_the_application() -> None:
    for name in APART:
        assert not imported_rooms(ROOT / f"{name}.py")


@pytest.mark.parametrize("path", sorted((ROOT / "operations").glob("**/*.py")), ids=lambda path: path.stem)
def test_an_operations_module_stays_one_activity(path: Path) -> None:
    length = len(path.read_text(encoding="utf-8").splitlines())
    assert length < LONGEST_OPERATIONS_MODULE, f"{path.name} has {length} lines: is it two activities?"


def test_the_test_sees_an_arrow_that_points_back(tmp_path: Path) -> None:
    wrong = tmp_path / "ledger.py"
    wrong.write_text("def post():\n    from panel.accounts import show\n    import admin_views.base, models\n")
    assert imported_rooms(wrong) - MAY_IMPORT["operations"] == {"panel", "admin_views"}

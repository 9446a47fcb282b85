"""The Russian catalogue is complete and sound, and no English is left on pages in Russian."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import wtforms
from babel.messages.catalog import Catalog, Message
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po
from flask import Flask
from flask_admin.form import BaseForm
from flask_wtf import FlaskForm

import forms.base
from config import LANGUAGES
from tests import cast as people_of
from tests.cast import Cast, Desk
from tests.support import page as pages
from tests.support.page import Node

ROOT = Path(__file__).resolve().parents[2]
RUSSIAN = ROOT / "translations" / "ru" / "LC_MESSAGES" / "messages.po"
PLACEHOLDER = re.compile(r"%\((\w+)\)([sd])")
CYRILLIC = re.compile("[А-Яа-яЁё]")
# The functions that mark a text, by the names under which `make translate` looks for them.
COLLECTED = {
    "gettext": {"_"},
    "lazy_gettext": {"_l"},
    "ngettext": {"ngettext"},
    "pgettext": {"pgettext"},
    "npgettext": {"npgettext"},
    "lazy_pgettext": {"lazy_pgettext"},
}
READ_ALOUD = ("title", "aria-label", "placeholder", "alt", "data-label", "data-text-some")


# The catalogue


@pytest.fixture(scope="module")
def collected(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """The texts of code and templates as they are now."""
    target = tmp_path_factory.mktemp("texts") / "messages.pot"
    command = ["-F", "pyproject.toml", "-k", "_l", "-k", "lazy_pgettext:1c,2", "-o", str(target), "."]
    pybabel = Path(sys.executable).with_name("pybabel")
    environ = {**os.environ, "PYTHONPATH": "."}
    subprocess.run([pybabel, "--quiet", "extract", *command], cwd=ROOT, env=environ, check=True, timeout=120)
    with target.open("rb") as file:
        return read_po(file)


@pytest.fixture(scope="module")
def russian() -> Catalog:
    with RUSSIAN.open("rb") as file:
        return read_po(file)


def entries(catalog: Catalog) -> Iterator[Message]:
    return (message for message in catalog if message.id)


def forms_of(text: Any) -> tuple[str, ...]:
    """A text, or all the forms of one that counts."""
    return (text,) if isinstance(text, str) else tuple(text)


def test_every_language_offered_has_a_catalogue() -> None:
    kept = {path.parent.parent.name for path in ROOT.glob("translations/*/LC_MESSAGES/messages.po")}
    assert kept | {"en"} == set(LANGUAGES)


def test_every_text_has_its_russian(collected: Catalog, russian: Catalog) -> None:
    missing = []
    for message in entries(collected):
        known = russian.get(message.id, message.context)
        if known is None or known.fuzzy or not all(text.strip() for text in forms_of(known.string)):
            missing.append(message.id)
    assert not missing, f"`make translate` collects them, then {RUSSIAN} wants Russian: {missing}"


def test_the_catalogue_keeps_nothing_that_is_not_said_any_more(collected: Catalog, russian: Catalog) -> None:
    old = [message.id for message in entries(russian) if collected.get(message.id, message.context) is None]
    assert not old, f"`make translate` takes them out: {old}"


def test_a_text_that_counts_has_all_the_forms_of_russian(russian: Catalog) -> None:
    assert russian.num_plurals == 3
    counted = [message for message in entries(russian) if message.pluralizable]
    assert counted
    assert not [message.id for message in counted if len(message.string) != 3]


def test_placeholders_are_the_same_in_russian(russian: Catalog) -> None:
    wrong = []
    for message in entries(russian):
        wanted = set(PLACEHOLDER.findall(forms_of(message.id)[-1]))
        if any(set(PLACEHOLDER.findall(text)) != wanted for text in forms_of(message.string)):
            wrong.append(message.id)
    assert not wrong


def test_a_percent_sign_is_never_left_to_be_a_placeholder(russian: Catalog) -> None:
    """Templates fill every text in, also one without placeholders: a lone % ends in an error page."""
    texts = [text for message in entries(russian) for text in (*forms_of(message.id), *forms_of(message.string))]
    assert not [text for text in texts if "%" in PLACEHOLDER.sub("", text).replace("%%", "")]


def test_what_is_compiled_is_what_is_written(russian: Catalog) -> None:
    with RUSSIAN.with_suffix(".mo").open("rb") as file:
        compiled = read_mo(file)
    assert _said(compiled) == _said(russian), "`make translate` compiles the catalogue"


def _said(catalog: Catalog) -> dict[tuple[str, tuple[str, ...]], tuple[str, ...]]:
    """What stands for what, by context; a compiled catalogue has its contexts as bytes."""
    return {
        (context.decode() if isinstance(context, bytes) else context or "", forms_of(message.id)): forms_of(
            message.string
        )
        for message in entries(catalog)
        for context in [message.context]
    }


def test_texts_are_marked_with_names_that_are_collected() -> None:
    unknown = []
    for path in ROOT.glob("**/*.py"):
        inside = path.relative_to(ROOT).parts
        if inside[0] in {".venv", "tests", "benchmarks"}:
            continue
        for name, known_as in _imported(path):
            if name.endswith("gettext") and known_as not in COLLECTED.get(name, set()):
                unknown.append(f"{'/'.join(inside)}: {name} as {known_as}")
    assert not unknown


def _imported(path: Path) -> Iterator[tuple[str, str]]:
    """What the module takes from Flask-Babel: (name, name in the module)."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "flask_babel":
            yield from ((each.name, each.asname or each.name) for each in node.names)


# The pages


@pytest.fixture
def staff_member(owner: Desk) -> Desk:
    """The owner, reading Russian."""
    assert owner.post("/admin/language", language="ru", url="/admin/").status_code == 302
    return owner


@pytest.fixture
def client_user(app: Flask, cast: Cast) -> Desk:
    """Client B's owner, reading Russian."""
    desk = people_of.log_in(app.test_client(), cast.b.owner)
    assert desk.post("/panel/language", language="ru", url="/panel/").status_code == 302
    return desk


class English:
    """The texts of which the Russian differs: those that say the same each time, and those with gaps."""

    def __init__(self, catalog: Catalog) -> None:
        differing = [
            text
            for message in entries(catalog)
            for text in forms_of(message.id)
            if text not in forms_of(message.string) and len(PLACEHOLDER.sub("", text).strip(" .:")) > 3
        ]
        self.plain = {text.strip(" .:") for text in differing if not PLACEHOLDER.search(text)}
        gaps = [
            "[^%]+".join(map(re.escape, PLACEHOLDER.split(text)[::3])) for text in differing if PLACEHOLDER.search(text)
        ]
        self.with_gaps = re.compile("|".join(gaps))

    def of(self, page: Node) -> set[str]:
        """What the page says in English."""
        said = {text.strip(" .:\n") for text in shown(page)}
        return {text for text in said if text in self.plain or self.with_gaps.fullmatch(text)}


@pytest.fixture(scope="module")
def english(russian: Catalog) -> English:
    return English(russian)


def shown(node: Node) -> Iterator[str]:
    """All that a page says to eyes and ears, and what its scripts have to say."""
    for child in node.children:
        if isinstance(child, str):
            if node.tag not in {"script", "style"}:
                yield " ".join(child.split())
            elif node.get("type") == "application/json":
                yield from _strings(json.loads(child))
        else:
            yield from (child.get(name) for name in READ_ALOUD)
            yield from shown(child)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _strings(each)
    elif isinstance(value, list):
        for each in value:
            yield from _strings(each)


def crawl(desk: Desk, start: str) -> Iterator[tuple[str, Node]]:
    """Every page under `start` that links lead to, beginning there; of each path the first address."""
    ahead, seen = deque([start]), {start}
    while ahead:
        url = ahead.popleft()
        answer = desk.get(url)
        if answer.mimetype != "text/html" or answer.status_code != 200:
            continue
        page = pages.read(answer.text)
        yield url, page
        for link in page.all("a", href=None):
            path = link["href"].partition("?")[0].partition("#")[0]
            if path.startswith(start) and path not in seen and "download" not in link.attributes:
                seen.add(path)
                ahead.append(link["href"])


def left_in_english(desk: Desk, start: str, english: English) -> tuple[int, dict[str, set[str]]]:
    """How many pages there are, and what is English on them."""
    found = {url: english.of(page) for url, page in crawl(desk, start)}
    return len(found), {url: texts for url, texts in found.items() if texts}


@pytest.mark.engine("sqlite")
def test_no_english_is_left_for_staff(staff_member: Desk, english: English) -> None:
    count, left = left_in_english(staff_member, "/admin/", english)
    assert count > 60
    assert not left


@pytest.mark.engine("sqlite")
def test_no_english_is_left_for_clients(client_user: Desk, english: English) -> None:
    count, left = left_in_english(client_user, "/panel/", english)
    assert count > 15
    assert not left


@pytest.mark.engine("sqlite")
def test_no_english_is_left_in_a_message(staff_member: Desk, cast: Cast, english: English) -> None:
    chosen = [
        ("action", "message"),
        ("rowid", str(cast.a.id)),
        ("rowid", str(cast.b.id)),
        ("url", "/admin/clients/"),
    ]
    answer = staff_member.post("/admin/clients/action/", chosen)
    assert "Сообщение для клиентов" in staff_member.follow(answer).text
    assert not english.of(staff_member.page(answer.location))
    assert not english.of(staff_member.refused(answer.location, send="1"))


@pytest.mark.engine("sqlite")
@pytest.mark.parametrize("url", ["/admin/login", "/login", "/reset-password", "/nowhere"])
def test_no_english_is_left_before_the_login(app: Flask, english: English, url: str) -> None:
    visitor = app.test_client()
    page = pages.read(visitor.get(url, headers={"Accept-Language": "ru-RU,ru;q=0.9"}).text)
    assert CYRILLIC.search(page.text)
    assert not english.of(page)


# What the fields themselves say


@pytest.mark.engine("sqlite")
@pytest.mark.parametrize(
    ("url", "given", "field"),
    [
        ("/admin/clients/new/", {"contact_person": "x" * 201}, "contact_person"),
        ("/admin/groups/new/", {"name": "x" * 300}, "name"),
        ("/admin/profile", {"full_name": "x" * 201}, "full_name"),
    ],
)
def test_fields_refuse_in_russian(
    staff_member: Desk, english: English, url: str, given: dict[str, str], field: str
) -> None:
    page = staff_member.refused(url, given)
    refusals = pages.errors(page)
    assert "не должно содержать более" in refusals[field]
    assert all(CYRILLIC.search(text) for text in refusals.values()), refusals
    assert not english.of(page)


@pytest.mark.engine("sqlite")
def test_every_form_refuses_in_the_readers_language(app: Flask) -> None:
    translated = (forms.base.Form, FlaskForm, BaseForm)
    own = [
        kind
        for kind in _descendants(wtforms.Form)
        if kind.__module__.split(".")[0] in {"forms", "panel", "admin_views"}
    ]
    assert own
    assert not [kind.__qualname__ for kind in own if not issubclass(kind, translated)]


def _descendants(kind: type) -> Iterator[type]:
    for each in kind.__subclasses__():
        yield each
        yield from _descendants(each)

"""Templates and what comes of them: nothing that the content policy forbids, and pages that hold together."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from tests import cast as people_of
from tests.cast import Cast, Desk
from tests.house.test_access import filled, matrix
from tests.support import page as pages
from tests.support.page import Node

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = ROOT / "templates"
STATIC = ROOT / "static"
# Letters and documents are read elsewhere, where no policy of ours holds.
READ_ELSEWHERE = ("email/", "documents/")
INERT_SCRIPTS = {"application/json"}
PLACES = {"src", "href", "action", "formaction", "poster", "data", "srcset", "xlink:href"}


def page_templates() -> list[str]:
    names = [str(path.relative_to(TEMPLATES)) for path in TEMPLATES.rglob("*.html")]
    return sorted(name for name in names if not name.startswith(READ_ELSEWHERE))


# As written


@pytest.mark.engine("sqlite")
def test_every_template_compiles(app: Flask) -> None:
    names = [name for name in app.jinja_env.list_templates() if (TEMPLATES / name).exists()]
    assert len(names) > 40
    for name in names:
        app.jinja_env.get_template(name)


@pytest.mark.parametrize("name", page_templates())
def test_a_template_has_no_script_or_style_of_its_own_and_nothing_from_elsewhere(name: str) -> None:
    text = (TEMPLATES / name).read_text(encoding="utf-8")
    text = re.sub(r"\{#.*?#\}", "", text, flags=re.DOTALL)
    assert not re.search(r"\son[a-z]+\s*=\s*[\"']", text), "an event handler in an attribute"
    assert not re.search(r"\sstyle\s*=", text), "a style in an attribute"
    assert "<style" not in text
    assert not re.search(r"javascript:", text, re.IGNORECASE)
    assert not re.search(r"\|\s*safe\b", text), "text that was put in is escaped"
    assert not re.search(r"autoescape\s+false", text)
    for script in re.findall(r"<script\b[^>]*>", text):
        assert "src=" in script or 'type="application/json"' in script, script
    for place in re.findall(r"(?:src|href|action)=[\"']([^\"']*)", text):
        assert not re.match(r"(https?:)?//", place), f"an asset from elsewhere: {place}"


@pytest.mark.parametrize("path", sorted((STATIC / "js").glob("*.js")), ids=lambda path: path.name)
def test_a_script_of_ours_makes_no_code_out_of_text(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for forbidden in (r"\beval\s*\(", r"\bnew Function\b", r"document\.write", r"https?://(?!www\.w3\.org)"):
        assert not re.search(forbidden, text), forbidden
    # A cell that was edited in place comes back from the server as it stands in the list, badges and all.
    assert len(re.findall(r"\.innerHTML\s*=", text)) == (1 if path.name == "inline_edit.js" else 0)


@pytest.mark.parametrize("path", sorted(STATIC.rglob("*.css")), ids=lambda path: path.name)
def test_a_style_sheet_fetches_nothing_from_elsewhere(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"url\(\s*[\"']?(https?:)?//", text)
    assert not re.search(r"@import\s+[\"']?(url\()?[\"']?(https?:)?//", text)


# As it comes out


def problems_of(page: Node, url: str) -> Iterator[str]:
    """What is wrong with a page: the policy, its ids and labels, its forms."""
    yield from _against_the_policy(page)
    ids = [node["id"] for node in page.walk() if "id" in node.attributes]
    yield from (f"the id {name} twice" for name in sorted({name for name in ids if ids.count(name) > 1}))
    for label in page.all("label", for_=None):
        if label["for"] not in ids:
            yield f"a label for {label['for']}, which is not there"
    for form in page.all("form", method="post"):
        if not form.all("input", name="csrf_token"):
            yield f"a form without a token: {form.get('action', url)}"
    for field in page.walk():
        is_typed = field.tag in {"input", "select", "textarea"} and field.get("type") not in {"hidden", "submit"}
        if is_typed and not _has_name(field, page):
            yield f"a field without a label: {field.get('name') or field.get('id')}"
    if len(page.all("h1")) != 1:
        yield f"{len(page.all('h1'))} headings of the page"
    if not page.one("html").get("lang"):
        yield "no language"


def _against_the_policy(page: Node) -> Iterator[str]:
    for node in page.walk():
        for name, value in node.attributes.items():
            if name.startswith("on") or name == "style":
                yield f"the attribute {name} of {node.tag}"
            if name in PLACES and re.match(r"\s*((https?:)?//|javascript:|data:(?!image/))", value, re.IGNORECASE):
                yield f"{node.tag} {name}={value}"
        if node.tag == "style" or (
            node.tag == "script" and "src" not in node.attributes and node.get("type") not in INERT_SCRIPTS
        ):
            yield f"a {node.tag} in the page"
        if node.tag == "script" and node.get("type") in INERT_SCRIPTS:
            json.loads("".join(str(child) for child in node.children))


def _has_name(field: Node, page: Node) -> bool:
    if field.get("aria-label") or field.get("aria-labelledby") or field.get("title"):
        return True
    if field.get("id") and page.all("label", for_=field["id"]):
        return True
    above = field.parent
    while above is not None:
        if above.tag == "label":
            return bool(above.text)
        above = above.parent
    return False


@pytest.mark.timeout(300)
@pytest.mark.engine("sqlite")
def test_every_page_keeps_the_content_policy_and_holds_together(app: Flask, cast: Cast, owner: Desk) -> None:
    user = people_of.log_in(app.test_client(), cast.b.owner)
    problems, seen = [], 0
    for line in matrix():
        if line.method != "GET" or line.who == "nobody":
            continue
        url = filled(line, cast)
        answer = (owner if url.startswith("/admin") else user).get(url)
        if answer.status_code == 200 and answer.mimetype == "text/html":
            seen += 1
            problems += [f"{url}: {problem}" for problem in problems_of(pages.read(answer.text), url)]
    assert not problems, "\n".join(problems)
    assert seen > 110


@pytest.mark.engine("sqlite")
def test_forms_that_came_back_and_errors_hold_together_too(app: Flask, cast: Cast, owner: Desk) -> None:
    answers = {
        "/admin/clients/new/": owner.post("/admin/clients/new/", username="!"),
        "/admin/clients/edit/": owner.post(f"/admin/clients/edit/?id={cast.a.id}", name=""),
        "/admin/products/new/": owner.post("/admin/products/new/", prices_price="x"),
        "/admin/settings/": owner.post("/admin/settings/"),
        "/admin/login": Desk(app.test_client(), "/admin/login").post("/admin/login", username="nobody", password="x"),
        "/login": Desk(app.test_client(), "/login").post("/login", username="nobody", password="x"),
        "/admin/nowhere": owner.get("/admin/nowhere"),
        "/admin/logout": owner.get("/admin/logout"),
    }
    problems = [
        f"{url}: {problem}" for url, answer in answers.items() for problem in problems_of(pages.read(answer.text), url)
    ]
    assert not problems, "\n".join(problems)


# A button of a page's head that is not the main one: on a telephone it shrinks to its icon where a main one stands beside it.
SHRINKING = re.compile(
    r'<(?:a|button|summary)[^>]*class="btn(?: btn-danger)?"[^>]*>(.*?)</(?:a|button|summary)>', re.DOTALL
)


def test_buttons_that_shrink_to_an_icon_have_words_that_can_be_hidden() -> None:
    for path in sorted((ROOT / "templates" / "admin").rglob("*.html")):
        head = path.read_text(encoding="utf-8").partition("{% block page_actions %}")[2].partition("{% endblock %}")[0]
        for inside in SHRINKING.findall(head):
            assert "icon(" not in inside or 'class="label"' in inside, f"{path.relative_to(ROOT)}: {inside}"

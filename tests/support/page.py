"""Pages as a person or a program reads them: the HTML taken apart, and what stands where in it."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from html import unescape
from html.parser import HTMLParser

VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}


class Node:
    """An element. `attributes` are as written, entities resolved; an attribute without a value is ''."""

    __slots__ = ("attributes", "children", "parent", "tag")

    def __init__(self, tag: str, attributes: dict[str, str], parent: Node | None) -> None:
        self.tag = tag
        self.attributes = attributes
        self.parent = parent
        self.children: list[Node | str] = []

    def __getitem__(self, name: str) -> str:
        return self.attributes[name]

    def get(self, name: str, default: str = "") -> str:
        return self.attributes.get(name, default)

    def walk(self) -> Iterator[Node]:
        """All elements within, in the order of the page."""
        ahead = self.children[::-1]
        while ahead:
            child = ahead.pop()
            if isinstance(child, Node):
                yield child
                ahead.extend(reversed(child.children))

    def all(self, tag: str = "", /, **attributes: str | None) -> list[Node]:
        """Elements within, by tag and attributes: `class_` one of the classes, `data_id` is data-id, None any value."""
        wanted = {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items()}
        return [node for node in self.walk() if (not tag or node.tag == tag) and node.matches(wanted)]

    def matches(self, wanted: dict[str, str | None]) -> bool:
        for name, value in wanted.items():
            if name not in self.attributes:
                return False
            has = self.attributes[name].split() if name == "class" else [self.attributes[name]]
            if value is not None and value not in has:
                return False
        return True

    def one(self, tag: str = "", /, **attributes: str | None) -> Node:
        found = self.all(tag, **attributes)
        assert len(found) == 1, f"{len(found)} elements {tag} {attributes} in: {self.text[:2000]}"
        return found[0]

    def first(self, tag: str = "", /, **attributes: str | None) -> Node:
        found = self.all(tag, **attributes)
        assert found, f"no element {tag} {attributes} in: {self.text[:2000]}"
        return found[0]

    @property
    def text(self) -> str:
        """All text within, blanks folded; scripts are none."""
        return " ".join("".join(self._texts()).split())

    def _texts(self) -> Iterator[str]:
        for child in self.children:
            if isinstance(child, str):
                yield child
            elif child.tag not in {"script", "style"}:
                yield from child._texts()


class _Builder(HTMLParser):
    """Reads any HTML."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = self.here = Node("", {}, None)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        node = Node(tag, {name: value or "" for name, value in attrs}, self.here)
        self.here.children.append(node)
        if tag not in VOID:
            self.here = node

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.here.children.append(Node(tag, {name: value or "" for name, value in attrs}, self.here))

    def handle_endtag(self, tag: str) -> None:
        self.here = _after(self.here, tag)

    def handle_data(self, data: str) -> None:
        self.here.children.append(data)


def read(html: str) -> Node:
    return _read_plain(html) or _read_any(html)


def _read_any(html: str) -> Node:
    builder = _Builder()
    builder.feed(html)
    builder.close()
    return builder.root


# Pages are read by the ten thousand, and the standard library's reader is slow. So what is written as our templates
# write is read by one expression, and with the first sign of anything else the whole page is left to the other.
# tests/house/test_reading_pages.py holds that both find the same.
_TOKEN = re.compile(
    r"([^<]*)"
    r"(?:"
    r"""<([a-zA-Z][a-zA-Z0-9-]*)((?:[^<>"'/]+|"[^"]*"|'[^']*')*)(/?)>"""
    r"|</([a-zA-Z][a-zA-Z0-9-]*)>"
    r"|<!--(?!-?>)[^-]*(?:-[^-]+)*-->"
    r"|<!(?:doctype|DOCTYPE)[^<>\[]*>"
    r"|\Z)"
)
_ATTRIBUTE = r"""[ \n]+([a-zA-Z_:][a-zA-Z0-9_:.-]*)(?:="([^"]*)"|='([^']*)'|=([\w.#%-]+)(?![^ \n]))?"""
_ATTRIBUTES, _ATTRIBUTE = re.compile(rf"(?:{_ATTRIBUTE})*[ \n]*"), re.compile(_ATTRIBUTE)
_ODD_REFERENCE = re.compile(r"&(?!(?:#[1-9][0-9]{1,4}|amp|lt|gt|quot|nbsp|times|middot|hellip|laquo|raquo);)")
# What stands in these is no element, whatever it looks like.
_TEXT = {
    **{tag: re.compile(rf"[^<]*(?:<(?![/!])[^<]*)*(?=</{tag}>)") for tag in ("script", "style")},
    **{tag: re.compile(rf"[^<]*(?=</{tag}>)") for tag in ("textarea", "title")},
    **{tag: re.compile(r"(?!)") for tag in ("iframe", "noembed", "noframes", "plaintext", "xmp")},
}


def _read_plain(html: str) -> Node | None:
    """The page, None where something in it is not plain."""
    if "\0" in html or _ODD_REFERENCE.search(html):
        return None
    here = root = Node("", {}, None)
    position = 0
    while position < len(html):
        token = _TOKEN.match(html, position)
        if token is None:
            return None
        position = token.end()
        text, tag, written, is_empty, ended = token.groups()
        if text:
            here.children.append(unescape(text) if "&" in text else text)
        if ended:
            here = _after(here, ended.lower())
        elif tag:
            attributes = _attributes(written)
            if attributes is None:
                return None
            node = Node(tag.lower(), attributes.copy(), here)
            here.children.append(node)
            if not is_empty and node.tag not in VOID:
                here = node
                position = _past_its_text(node, html, position) if node.tag in _TEXT else position
    return None if position > len(html) else root


def _past_its_text(node: Node, html: str, position: int) -> int:
    """Where to read on in an element that holds text alone; past the end of the page where it does not."""
    inner = _TEXT[node.tag].match(html, position)
    if inner is None:
        return len(html) + 1
    if node.tag in HTMLParser.CDATA_CONTENT_ELEMENTS and inner[0]:
        node.children.append(inner[0])
        return inner.end()
    return position


@functools.lru_cache(maxsize=4096)
def _attributes(written: str) -> dict[str, str] | None:
    """What is written in a tag, None where it is not plain."""
    if not _ATTRIBUTES.fullmatch(written):
        return None
    found = _ATTRIBUTE.findall(written)
    return {name.lower(): unescape(double or single or bare) for name, double, single, bare in found}


def _after(here: Node, ended: str) -> Node:
    """Where what follows the end of a tag belongs: an end without a beginning ends nothing."""
    node: Node | None = here
    while node is not None and node.tag != ended:
        node = node.parent
    return here if node is None or node.parent is None else node.parent


# What the pages of the desk are made of


def row_ids(page: Node) -> list[int]:
    """The ids of a list's rows, in their order."""
    return [int(row["data-id"]) for row in page.all("tr", data_id=None)]


def columns(page: Node) -> list[str]:
    """The headings of a list, the box to tick all left out."""
    return [head.text for head in page.all("th") if "tick" not in head.get("class")]


def cell(page: Node, row_id: int, heading: str) -> Node:
    """The cell of that row under that heading."""
    row = page.one("tr", data_id=str(row_id))
    return row.one("td", data_label=heading)


def badges(node: Node) -> list[str]:
    return [badge["data-badge"] for badge in node.all(class_="badge", data_badge=None)]


def messages(page: Node) -> list[tuple[str, str]]:
    """What the last action had to say: (category, text)."""
    return [(node["data-category"], node.text) for node in page.all(data_category=None)]


def alerts(page: Node) -> str:
    """All that is said aloud: messages, refusals, warnings."""
    return " ".join(node.text for node in page.all(class_="alert"))


def link(page: Node, rel: str) -> str | None:
    """The address of the link with this relation, None where there is none."""
    found = page.all("a", rel=rel)
    return found[0]["href"] if found else None


def errors(page: Node) -> dict[str, str]:
    """What is wrong, by field, as it stands beside each."""
    return {
        field["data-field"]: field.one(class_="field-error").text
        for field in page.all(data_field=None)
        if field.tag == "div" and field.all(class_="field-error")
    }


def values(page: Node) -> dict[str, list[str]]:
    """What the page's main form holds, by the names of its fields, as a browser would send it."""
    form = next(node for node in page.all("form") if "form-page" in node.get("class"))
    held: dict[str, list[str]] = {}
    for field in form.walk():
        name = field.get("name")
        if not name or "disabled" in field.attributes:
            continue
        if field.tag == "input" and field.get("type") in {"checkbox", "radio"}:
            if "checked" in field.attributes:
                held.setdefault(name, []).append(field.get("value", "on"))
        elif field.tag == "input":
            held.setdefault(name, []).append(field.get("value"))
        elif field.tag == "textarea":
            held.setdefault(name, []).append("".join(field._texts()).replace("\r\n", "\n").removeprefix("\n"))
        elif field.tag == "select":
            held.setdefault(name, []).extend(_chosen(field))
    return held


def _chosen(select: Node) -> list[str]:
    options = select.all("option")
    chosen = [option for option in options if "selected" in option.attributes]
    if not chosen and "multiple" not in select.attributes:
        chosen = options[:1]
    return [option.get("value") for option in chosen]

"""The HTML of a letter as plain text. It is never shown as HTML, so this need be readable, not exact.

It goes through the text once, whatever stands in it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html import unescape

# What stands in these is not for people.
UNSHOWN = frozenset({"script", "style", "head", "title", "template", "noscript", "svg", "object", "iframe", "select"})
NEVER_SHOWN = frozenset({"script", "style", "svg", "object", "iframe"})
BLOCKS = frozenset(
    {"p", "div", "table", "tr", "ul", "ol", "li", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "pre", "blockquote",
     "section", "article", "header", "footer", "address", "center", "dl", "dt", "dd", "body", "form", "fieldset"}
)  # fmt: skip
SPACED = frozenset({"p", "h1", "h2", "h3", "h4", "h5", "h6", "pre", "ul", "ol", "blockquote"})
VOID = frozenset({"br", "hr", "img", "input", "meta", "link", "col", "wbr", "area", "base", "source"})
NAME = re.compile(r"/?([a-zA-Z][a-zA-Z0-9]*)")
ATTRIBUTE = re.compile(r"([a-zA-Z-]{1,40})\s{0,10}=\s{0,10}(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>]+))")
HIDDEN = re.compile(r"display\s{0,5}:\s{0,5}none|visibility\s{0,5}:\s{0,5}hidden", re.IGNORECASE)
LINK = re.compile(r"(?:https?://|mailto:)\S+", re.IGNORECASE)
LONGEST_TAG = 20_000
DEEPEST_QUOTE = 10
# Lines grow piece by piece, which for one endless line would take the square of its length.
LONGEST_LINE = 2_000


def to_text(html: str) -> str:
    """What a reader would see of it, quotes marked by `>`, links with their address.

    Where that is nothing, what is hidden counts as well: it may be so by a tag that was never closed.
    """
    return _read(html, _Reader()) or _read(html, _Reader(unshown=NEVER_SHOWN))


def _read(html: str, reader: _Reader) -> str:
    at = 0
    while (start := html.find("<", at)) >= 0:
        reader.text(html[at:start])
        at = _after_tag(html, start, reader)
    reader.text(html[at:])
    return reader.result()


def _after_tag(html: str, start: int, reader: _Reader) -> int:
    """Read what begins with `<`, and return where it ends."""
    if html.startswith("<!--", start):
        end = html.find("-->", start + 4)
        # A comment without an end hides all that follows, as it does in browsers.
        return end + 3 if end >= 0 else len(html)
    name = NAME.match(html, start + 1)
    if name is None and html[start + 1 : start + 2] not in {"!", "?"}:
        reader.text("<")
        return start + 1
    end = html.find(">", start)
    if end < 0:
        return len(html)
    if name is not None:
        reader.tag(name[1].lower(), html[start : min(end + 1, start + LONGEST_TAG)], closes=name[0].startswith("/"))
    return end + 1


@dataclass
class _Reader:
    unshown: frozenset[str] = UNSHOWN
    lines: list[str] = field(default_factory=lambda: [""])
    hidden: list[str] = field(default_factory=list)
    links: list[tuple[str, str]] = field(default_factory=list)
    quotes: int = 0
    preformatted: int = 0
    _marks: list[int] = field(default_factory=lambda: [0])

    def text(self, piece: str) -> None:
        if self.hidden or not piece:
            return
        plain = unescape(piece)
        if len(self.lines[-1]) > LONGEST_LINE:
            self._new_line()
        if self.preformatted:
            for number, line in enumerate(plain.split("\n")):
                if number:
                    self._new_line()
                self.lines[-1] += line
            return
        squeezed = re.sub(r"[ \t\r\n\f]+", " ", plain)
        self.lines[-1] += squeezed.lstrip(" ") if self.lines[-1].endswith(" ") or not self.lines[-1] else squeezed

    def tag(self, name: str, whole: str, *, closes: bool) -> None:
        if self.hidden == ["head"] and name in BLOCKS and not closes:
            # What cannot stand in a head ends it.
            self.hidden.pop()
        if self.hidden:
            self._hide(name, whole, closes=closes)
        elif not closes and (name in self.unshown or (name not in VOID and self._is_hidden(whole))):
            self.hidden.append(name)
        elif name == "br":
            self._new_line()
        elif name == "a":
            self._link(whole, closes=closes)
        elif name in {"td", "th"} and not closes and self.lines[-1].strip():
            self.lines[-1] += " "
        elif name in BLOCKS:
            self._block(name, closes=closes)

    def _hide(self, name: str, whole: str, *, closes: bool) -> None:
        """Within what is hidden only its own end counts, and more of the same kind inside."""
        if name == self.hidden[-1] and not whole.endswith("/>"):
            if closes:
                self.hidden.pop()
            elif len(self.hidden) < 1_000:
                self.hidden.append(name)

    def _block(self, name: str, *, closes: bool) -> None:
        if self.lines[-1].strip():
            self._new_line()
        if name in SPACED and len(self.lines) > 1 and self.lines[-2].strip():
            self._new_line()
        if name == "blockquote":
            self.quotes = max(0, self.quotes - 1) if closes else self.quotes + 1
            self._mark_blank_lines()
        elif name == "pre":
            self.preformatted = max(0, self.preformatted - 1) if closes else self.preformatted + 1
        elif name == "li" and not closes:
            self.lines[-1] += "- "
        elif name == "hr":
            self.lines[-1] = "________"
            self._new_line()

    def _mark_blank_lines(self) -> None:
        """Lines that were begun and have nothing in them yet belong to what comes."""
        for number in range(len(self.lines) - 1, max(-1, len(self.lines) - 4), -1):
            if self.lines[number].strip():
                break
            self._marks[number] = self.quotes

    def _link(self, whole: str, *, closes: bool) -> None:
        if not closes:
            self.links.append((_attributes(whole).get("href", "").strip(), self.lines[-1]))
            return
        address, before = self.links.pop() if self.links else ("", "")
        shown = self.lines[-1].removeprefix(before)
        bare = re.sub(r"^(?:mailto:|https?://)|/$", "", address, flags=re.IGNORECASE)
        if shown.strip() and LINK.fullmatch(address) and bare not in shown:
            self.lines[-1] += f" ({address})"

    def _is_hidden(self, whole: str) -> bool:
        if self.unshown is NEVER_SHOWN or "style" not in whole.lower():
            return False
        return bool(HIDDEN.search(_attributes(whole).get("style", "")))

    def _new_line(self) -> None:
        self.lines.append("")
        self._marks.append(self.quotes)

    def result(self) -> str:
        marked = [
            ("> " * min(quotes, DEEPEST_QUOTE) + line.replace("\u00a0", " ").rstrip())
            for line, quotes in zip(self.lines, self._marks, strict=True)
        ]
        return re.sub(r"\n{3,}", "\n\n", "\n".join(line.rstrip() for line in marked)).strip("\n")


def _attributes(whole: str) -> dict[str, str]:
    return {name.lower(): unescape(double or single or bare) for name, double, single, bare in ATTRIBUTE.findall(whole)}

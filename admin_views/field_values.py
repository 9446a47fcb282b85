"""What the controls of a field would send, read from the HTML they are written as."""

from __future__ import annotations

from html.parser import HTMLParser

from forms.fields import tidy


class Sent(HTMLParser):
    """Collects what a browser would send for inputs and selects, by their names."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.values: dict[str, list[str]] = {}
        self._select = ""
        self._options: list[tuple[str, bool]] = []

    @classmethod
    def by(cls, html: object) -> Sent:
        reader = cls()
        reader.feed(str(html))
        reader.close()
        return reader

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "select":
            self._select, self._options = given.get("name", ""), []
        elif tag == "option":
            self._options.append((given.get("value", ""), "selected" in given))
        elif tag == "input" and given.get("name"):
            is_box = given.get("type") in {"checkbox", "radio"}
            if not is_box or "checked" in given:
                self._add(given["name"], given.get("value", "on" if is_box else ""))

    def handle_endtag(self, tag: str) -> None:
        if tag != "select" or not self._select:
            return
        chosen = [value for value, is_chosen in self._options if is_chosen]
        for value in chosen or [value for value, _is_chosen in self._options[:1]]:
            self._add(self._select, value)
        self._select = ""

    def _add(self, name: str, value: str) -> None:
        self.values.setdefault(name, []).append(tidy(value))

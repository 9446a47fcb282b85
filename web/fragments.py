"""Parts of pages that are the same for many requests, written once and kept.

    {% kept 'menu', menu.key %} … {% endkept %}

What follows the name is all that the part depends on besides the language; two requests that agree on it get
the same text. The form token of the session and the address of the page (`here`) may stand in a part: they
are put in anew each time.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from threading import Lock
from typing import Any

from flask import g, request
from flask_babel import get_locale
from flask_wtf.csrf import generate_csrf
from jinja2 import nodes
from jinja2.ext import Extension
from jinja2.parser import Parser
from markupsafe import Markup, escape

MOST_KEPT = 400
# What stands for the changing parts while a text is kept; nobody can guess it and put it into a name.
TOKEN, HERE = (f"[[{secrets.token_hex(12)}]]" for _each in range(2))


class Fragments:
    """The texts that are kept, the longest unused one forgotten first. All threads of a process share them."""

    def __init__(self) -> None:
        self._texts: OrderedDict[Hashable, str] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Hashable, write: Callable[[], str]) -> str:
        with self._lock:
            found = self._texts.get(key)
            if found is not None:
                self._texts.move_to_end(key)
                return found
        text = write()
        with self._lock:
            self._texts[key] = text
            while len(self._texts) > MOST_KEPT:
                self._texts.popitem(last=False)
        return text

    def clear(self) -> None:
        with self._lock:
            self._texts.clear()


class KeptParts(Extension):
    """The tag `kept`."""

    tags = {"kept"}

    def __init__(self, environment: Any) -> None:
        super().__init__(environment)
        environment.extend(fragments=Fragments())
        environment.globals["here"] = Markup(HERE)  # noqa: S704  A mark of our own, replaced by an escaped address.

    def parse(self, parser: Parser) -> nodes.Node:
        line = next(parser.stream).lineno
        key = [parser.parse_expression()]
        while parser.stream.skip_if("comma"):
            key.append(parser.parse_expression())
        body = parser.parse_statements(("name:endkept",), drop_needle=True)
        call = self.call_method("_kept", [nodes.List(key)])
        return nodes.CallBlock(call, [], [], body).set_lineno(line)

    def _kept(self, key: Iterable[Any], caller: Callable[[], str]) -> str:
        fragments: Fragments = self.environment.fragments  # type: ignore[attr-defined]
        kept = fragments.get((str(get_locale()), *key), lambda: _without_token(str(caller())))
        if TOKEN in kept:
            kept = kept.replace(TOKEN, generate_csrf())
        return kept.replace(HERE, address_of_this_page())


def _without_token(text: str) -> str:
    return text.replace(g.csrf_token, TOKEN) if "csrf_token" in g else text


def address_of_this_page() -> str:
    """The path and query of this request, escaped."""
    if "here" not in g:
        g.here = str(escape(request.full_path.rstrip("?")))
    return str(g.here)

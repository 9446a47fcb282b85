"""Other people in the same story, each with a browser of his own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest


@pytest.fixture
def another(browser: Any, browser_problems: Any) -> Iterator[Callable[[], Any]]:
    """Makes pages of other people, each with a browser profile of his own."""
    made: list[Any] = []

    def make_page() -> Any:
        context = browser.new_context(locale="en-GB", viewport={"width": 1280, "height": 900})
        context.set_default_timeout(10_000)
        browser_problems.watch(context)
        made.append(context)
        return context.new_page()

    yield make_page
    for context in made:
        context.close()

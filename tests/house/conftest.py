"""The cast, for all tests of this room."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask

from tests import cast as people_of
from tests.cast import Cast, Desk


@pytest.fixture
def log_in(app: Flask, cast: Cast) -> Callable[[str], Desk]:
    """`log_in("support")`: that member of the cast, at work in a browser of his own."""
    return lambda role: people_of.log_in(app.test_client(), cast.of(role))


@pytest.fixture
def owner(log_in: Callable[[str], Desk]) -> Desk:
    """The owner, who may do everything, logged in."""
    return log_in("owner")

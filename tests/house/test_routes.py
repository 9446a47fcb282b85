"""Every address stands in routes.txt, so that a new or a lost one is seen by whoever reads the change."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask

from scripts.routes import lines


@pytest.mark.engine("sqlite")
def test_the_list_of_addresses_is_up_to_date(app: Flask) -> None:
    written = Path(__file__).with_name("routes.txt").read_text(encoding="utf-8").splitlines()
    assert lines(app) == written, "`make routes` writes them down"

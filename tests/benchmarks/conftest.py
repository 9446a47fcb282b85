"""A filled database of the test's engine."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask

from benchmarks import fill
from benchmarks.databases import Filled

CLIENTS, SEED = 300, 3


@pytest.fixture
def filled(app: Flask, database_url: str, tmp_path: Any) -> Filled:
    password = fill.fill(app, clients=CLIENTS, seed=SEED)
    return Filled(database_url, tmp_path / "data", CLIENTS, password, SEED)

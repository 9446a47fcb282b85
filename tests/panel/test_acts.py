"""Acts and their lines."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from tests.support.books import Books


def test_the_list_leads_to_the_page_of_one(as_anna: FlaskClient, annas: Books) -> None:
    assert annas.paths()["acts"] in as_anna.get("/panel/acts/").text


@pytest.mark.parametrize("text", ["ACT-anna", "Line of anna", "4.20", "Jan 31, 2026"])
def test_the_page_of_one_says_what_there_is_to_know(as_anna: FlaskClient, annas: Books, text: str) -> None:
    assert text in as_anna.get(annas.paths()["acts"]).text


def test_an_empty_list_says_so(as_anna: FlaskClient) -> None:
    assert "<tr data-id=" not in as_anna.get("/panel/acts/").text

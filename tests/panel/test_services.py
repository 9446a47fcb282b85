"""Services: what there is, until when, for how much."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from tests.support.books import Books


def test_the_list_leads_to_the_page_of_one(as_anna: FlaskClient, annas: Books) -> None:
    assert annas.paths()["services"] in as_anna.get("/panel/services/").text


@pytest.mark.parametrize("text", ["Server of anna", "Product of anna", "10.50"])
def test_the_page_of_one_says_what_there_is_to_know(as_anna: FlaskClient, annas: Books, text: str) -> None:
    assert text in as_anna.get(annas.paths()["services"]).text


def test_an_empty_list_says_so(as_anna: FlaskClient) -> None:
    assert "<tr data-id=" not in as_anna.get("/panel/services/").text

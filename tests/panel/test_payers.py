"""Payers."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from tests.support.books import Books


def test_the_list_leads_to_the_page_of_one(as_anna: FlaskClient, annas: Books) -> None:
    assert annas.paths()["payers"] in as_anna.get("/panel/payers/").text


@pytest.mark.parametrize("text", ["Payer of anna", "7701"])
def test_the_page_of_one_says_what_there_is_to_know(as_anna: FlaskClient, annas: Books, text: str) -> None:
    assert text in as_anna.get(annas.paths()["payers"]).text


def test_an_empty_list_says_so(as_anna: FlaskClient) -> None:
    assert "<tr data-id=" not in as_anna.get("/panel/payers/").text

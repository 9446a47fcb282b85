"""Accounts and their movements."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from tests.support.books import Books


def test_the_list_leads_to_the_page_of_one(as_anna: FlaskClient, annas: Books) -> None:
    assert annas.paths()["accounts"] in as_anna.get("/panel/accounts/").text


@pytest.mark.parametrize("text", ["4.20", "Expense"])
def test_the_page_of_one_says_what_there_is_to_know(as_anna: FlaskClient, annas: Books, text: str) -> None:
    assert text in as_anna.get(annas.paths()["accounts"]).text


def test_the_account_is_there_from_the_start(as_anna: FlaskClient) -> None:
    assert "<tr data-id=" in as_anna.get("/panel/accounts/").text

"""Two clients with their users, for the tests of the panel."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.support import books, people
from tests.support.books import Books
from tests.support.people import Person


@pytest.fixture
def anna(app: Flask) -> Person:
    """The owner of a client."""
    with app.app_context():
        return people.client("anna")


@pytest.fixture
def boris(app: Flask) -> Person:
    """The owner of another client."""
    with app.app_context():
        return people.client("boris")


@pytest.fixture
def as_anna(app: Flask, anna: Person) -> FlaskClient:
    return people.log_in(app.test_client(), "anna")


@pytest.fixture
def as_boris(app: Flask, boris: Person) -> FlaskClient:
    return people.log_in(app.test_client(), "boris")


@pytest.fixture
def annas(app: Flask, anna: Person) -> Books:
    """One record of each kind of Anna's."""
    with app.app_context():
        return books.of(anna.client_id, "anna")


@pytest.fixture
def boriss(app: Flask, boris: Person) -> Books:
    """One record of each kind of Boris's."""
    with app.app_context():
        return books.of(boris.client_id, "boris")

"""Whatever the area: a client sees its own records, another's are as if they were not there."""

from __future__ import annotations

import re
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from extensions import db
from models import Client, ClientUser
from tests.support import people
from tests.support.books import Books
from tests.support.people import Person

AREAS = ["services", "accounts", "invoices", "payments", "expenses", "acts", "payers", "tickets"]
FINANCE = ["accounts", "invoices", "payments", "expenses", "acts", "payers"]


def body(text: str) -> str:
    """The page without what differs from request to request."""
    return re.sub(r"[0-9a-f]{32}", "", people.TOKEN.sub("", text))


@pytest.mark.parametrize("area", AREAS)
def test_a_list_shows_the_client_s_own_records_alone(
    as_anna: FlaskClient, annas: Books, boriss: Books, area: str
) -> None:
    page = as_anna.get(f"/panel/{area}/").text
    assert page.count("<tr data-id=") == 1
    assert annas.paths()[area] in page
    assert boriss.paths()[area] not in page


@pytest.mark.parametrize("area", AREAS)
def test_another_s_record_answers_as_one_that_is_not_there(
    as_anna: FlaskClient, annas: Books, boriss: Books, area: str
) -> None:
    assert as_anna.get(annas.paths()[area]).status_code == 200
    another, nobody = as_anna.get(boriss.paths()[area]), as_anna.get(f"/panel/{area}/987654321/")
    assert another.status_code == nobody.status_code == 404
    assert body(another.text) == body(nobody.text)
    assert "boris" not in another.text


@pytest.mark.parametrize("number", ["0", "-1", "2147483648", "1" + "0" * 20, "abc", "1e3", "%00"])
def test_a_number_that_is_none_is_not_found(as_anna: FlaskClient, number: str) -> None:
    for area in [*AREAS, "users"]:
        assert as_anna.get(f"/panel/{area}/{number}/").status_code in {400, 404}, area


@pytest.mark.parametrize("before", ["0", "-1", "2147483648", "1" + "0" * 20, "abc", "", "%ff%fe", "1&before=2"])
def test_a_page_that_is_none_is_no_fault(as_anna: FlaskClient, annas: Books, before: str) -> None:
    for area in [*AREAS, "users", f"accounts/{annas.account}"]:
        assert as_anna.get(f"/panel/{area}/?before={before}").status_code in {200, 400, 404}, area


def test_a_user_enters_the_areas_he_was_given(app: Flask, anna: Person, annas: Books) -> None:
    """The owner enters all; of the others each finds links to his areas alone, and is refused elsewhere."""
    given = {"support": ["tickets"], "services": ["services"], "finance": FINANCE}
    for right, areas in given.items():
        with app.app_context():
            people.user(anna.client_id, f"with.{right}", permissions=[right])
        visitor = people.log_in(app.test_client(), f"with.{right}")
        home = visitor.get("/panel/").text
        for area in [*AREAS, "users"]:
            assert visitor.get(f"/panel/{area}/").status_code == (200 if area in areas else 403), (
                right,
                area,
            )
            assert (f'href="/panel/{area}/"' in home) == (area in areas), (right, area)
        assert ("INV-anna" in home) == (right == "finance")
        assert ("Question of anna" in home) == (right == "support")
        assert ("Server of anna" in home) == (right == "services")


def test_columns_that_are_not_the_client_s_to_write_stay_whatever_is_posted(
    app: Flask, as_anna: FlaskClient, anna: Person
) -> None:
    def rows() -> list[Any]:
        with app.app_context():
            client = db.session.execute(sa.select(*Client.__table__.columns)).one()
            user = db.session.execute(sa.select(*ClientUser.__table__.columns)).one()
            left_out = {"row_version", "language", "full_name", "phone", "time_zone", "search_text"}
            return [
                {key: value for key, value in row._mapping.items() if key not in left_out} for row in (client, user)
            ]

    before = rows()
    posted = dict.fromkeys([*Client.__table__.columns.keys(), *ClientUser.__table__.columns.keys()], "1")
    allowed = {"language": "ru", "full_name": "New Name", "phone": "", "time_zone": "UTC"}
    answer = people.post(as_anna, "/panel/profile/", **{**posted, **allowed})
    assert answer.status_code == 302, answer.text
    assert rows() == before


def test_nobody_who_is_not_logged_in_sees_any_of_it(client: FlaskClient, annas: Books) -> None:
    for path in ["/panel/", *annas.paths().values()]:
        answer = client.get(path)
        assert answer.status_code == 302, path
        assert answer.location.startswith("/login")


def test_the_note_on_a_payment_is_the_staff_s(as_anna: FlaskClient, annas: Books) -> None:
    for path in [f"/panel/{area}/" for area in AREAS] + list(annas.paths().values()):
        assert "SENTINEL" not in as_anna.get(path).text, path

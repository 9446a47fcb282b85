"""Nothing is changed without the token of the session's own forms, and nothing by looking."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask

from tests import cast as people_of
from tests.cast import Cast, Desk
from tests.house.test_access import Line, filled, leaves, matrix

# Addresses that a program calls which has no session: the mail program's own button (RFC 8058).
WITHOUT_TOKEN = {"/unsubscribe/<token>"}


def unsafe_lines() -> list[Line]:
    return [line for line in matrix() if line.method != "GET" and line.address not in WITHOUT_TOKEN]


def desk_for(line: Line, owner: Desk, user: Desk) -> Desk:
    return owner if line.address.startswith("/admin") else user


@pytest.fixture
def user(app: Flask, cast: Cast) -> Desk:
    """The owner of client B, in the panel."""
    return people_of.log_in(app.test_client(), cast.b.owner)


def forged(line: Line, cast: Cast) -> dict[str, str]:
    """What a forged form would send: what the address wants."""
    number = str(cast.record(line.module))
    return {"id": number, "list_form_pk": number, "note": "forged"}


@pytest.mark.timeout(300)
@pytest.mark.engine("sqlite")
def test_no_form_is_taken_without_the_token_of_this_session(app: Flask, cast: Cast, owner: Desk, user: Desk) -> None:
    before = people_of.digest(app)
    foreign = people_of.log_in(app.test_client(), cast.manager).token
    problems = []
    for line in unsafe_lines():
        desk = desk_for(line, owner, user)
        for token in ({}, {"csrf_token": foreign}):
            answer = desk.visitor.post(filled(line, cast), data={**forged(line, cast), **token})
            if answer.status_code not in {400, 403}:
                problems.append(f"{line.address} {token}: {answer.status_code}")
    assert not problems, "\n".join(problems)
    assert people_of.digest(app) == before
    assert owner.get("/admin/").status_code == 200, "the sessions are as they were, too"
    assert user.get("/panel/").status_code == 200


def test_a_script_that_edits_in_place_without_the_token_is_told_so_in_a_line_of_text(cast: Cast, owner: Desk) -> None:
    fields = {"list_form_pk": cast.a.id, "note": "forged"}
    answer = owner.visitor.post("/admin/clients/ajax/update/", data=fields)
    assert answer.status_code == 400
    assert answer.mimetype == "text/plain"
    assert "reload the page" in answer.text


@pytest.mark.parametrize("token", ["", "made-up", "IjQ2.aaaa.bbbb", "я" * 3000])
@pytest.mark.engine("sqlite")
def test_what_is_no_token_at_all_is_refused_as_well(app: Flask, cast: Cast, owner: Desk, token: str) -> None:
    before = people_of.digest(app)
    answer = owner.visitor.post("/admin/clients/delete/", data={"id": cast.a.id, "csrf_token": token})
    assert answer.status_code == 400
    assert people_of.digest(app) == before


@pytest.mark.engine("sqlite")
def test_the_token_may_come_in_a_header_as_scripts_send_it(app: Flask, cast: Cast, owner: Desk) -> None:
    fields = {"list_form_pk": cast.a.id, "note": "from a script"}
    headers = {"X-CSRFToken": owner.token}
    assert owner.visitor.post("/admin/clients/ajax/update/", data=fields, headers=headers).status_code == 200
    assert people_of.client_row(app, cast.a.id)["note"] == "from a script"


@pytest.mark.parametrize(("side", "address"), [("staff", "/admin/profile"), ("client", "/panel/profile/")])
@pytest.mark.engine("sqlite")
def test_the_token_of_one_side_is_refused_on_the_other(
    app: Flask, owner: Desk, user: Desk, side: str, address: str
) -> None:
    one, other = (owner, user) if side == "staff" else (user, owner)
    answer = one.visitor.post(address, data={"csrf_token": other.token})
    assert answer.status_code == 400


@pytest.mark.engine("sqlite")
def test_the_token_of_before_the_login_is_no_good_after_it(app: Flask, cast: Cast) -> None:
    visitor = app.test_client()
    early = Desk(visitor, "/admin/login").token
    people_of.log_in(visitor, cast.owner)
    assert visitor.post("/admin/profile", data={"csrf_token": early}).status_code == 400


@pytest.mark.engine("sqlite")
def test_the_token_of_before_the_logout_is_no_good_after_it(owner: Desk) -> None:
    token = owner.token
    assert owner.post("/admin/logout").status_code == 302
    assert owner.visitor.post("/admin/clients/delete/", data={"csrf_token": token, "id": 1}).status_code in {400, 401}


# Looking changes nothing


def pages_of(line: Line, cast: Cast) -> list[str]:
    """The address as it is, and of a list with the client filter and a page size in it."""
    address = filled(line, cast)
    is_list = line.address.startswith("/admin/") and not line.page
    return [address, f"{address}?client={cast.a.id}&page_size=20"] if is_list else [address]


@pytest.mark.heavy
@pytest.mark.timeout(300)
def test_no_get_changes_anything(app: Flask, cast: Cast, owner: Desk, user: Desk) -> None:
    before = people_of.digest(app)
    for line in matrix():
        if line.method == "GET" and line.who != "nobody":
            for url in pages_of(line, cast):
                assert people_of.is_no_fault(desk_for(line, owner, user).get(url)), url
    assert people_of.digest(app) == before


@pytest.mark.timeout(300)
@pytest.mark.engine("sqlite")
def test_what_changes_something_cannot_be_called_by_get(app: Flask, cast: Cast, owner: Desk, user: Desk) -> None:
    """An address that only takes forms says so to a GET, and a HEAD does no more than a GET."""
    before = people_of.digest(app)
    safe = {line.address for line in matrix() if line.method == "GET"}
    for line in unsafe_lines():
        desk = desk_for(line, owner, user)
        if line.address not in safe:
            assert desk.get(filled(line, cast)).status_code == 405, line.address
            assert desk.visitor.head(filled(line, cast)).status_code == 405, line.address
        assert desk.visitor.put(filled(line, cast)).status_code in {400, 405}, line.address
        assert not leaves(line) or desk.get("/admin/" if desk is owner else "/panel/").status_code == 200
    assert people_of.digest(app) == before


def test_a_form_that_was_left_open_is_told_apart_from_a_fault(log_in: Callable[[str], Desk]) -> None:
    answer = log_in("manager").visitor.post("/admin/groups/new/", data={"name": "Late"})
    assert answer.status_code == 400
    assert "This form is too old, or came from another page." in answer.text

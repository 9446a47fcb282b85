"""Parameters that nobody would type: understood or refused, never a fault, on both engines."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from flask import Flask

from tests import cast as people_of
from tests.cast import Cast, Desk
from tests.house.test_statements import LISTS
from tests.support import page as pages

# As they stand in an address, already quoted.
VALUES = (
    "-1", "0", "2147483648", "9223372036854775808", "1" + "0" * 20, "abc", "", "%00", "%ff%fe", "%5B%5D", "%27%22%5C",
    "%25_", "%F0%9F%91%8D", "1e5", "NaN", "%D9%A3", "2026-13-45", "0001-01-01", "9999-12-31", "%2B1",
)  # fmt: skip
# For filters of lists other than the clients', which are of the same kinds.
FEWER = ("-1", "2147483648", "1" + "0" * 20, "abc", "%00", "%ff%fe", "%27%25_")
# What all lists understand is tried on these: they sort by numbers, money, times, days and texts.
ALL_KINDS = ("clients", "payments", "invoices", "audit")
COMMON = ("sort", "page_size", "after", "before", "client")


def cursor(*values: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")


CURSORS = [
    cursor(), cursor(1), cursor("1"), cursor(None), cursor(True), cursor(2**70), cursor(-1), cursor(1.5), cursor([1]),
    cursor({"a": 1}), cursor(1, 2, 3, 4), cursor("x", 1), cursor("\0", 1), cursor("2026-01-01T00:00:00", 1),
    cursor("2026-01-01T00:00:00+00:00", "1"), cursor("10.5", 1), cursor("NaN", 1), cursor("1e99", 1), cursor("\ud800", 1),
    cursor(1, None, 1), cursor(1, "x", None), "e30", "!!!!", "%C3%A9", "W10", "YWJj", "=" * 9,
    "W" * 5000,
]  # fmt: skip


def faults(desk: Desk, urls: Iterator[str]) -> list[str]:
    """The addresses whose answer is a fault of the server."""
    return [url[:300] for url in urls if not people_of.is_no_fault(desk.get(url))]


@pytest.mark.heavy
@pytest.mark.timeout(400)
def test_filters_of_every_list(app: Flask, owner: Desk) -> None:
    def urls() -> Iterator[str]:
        for module in LISTS:
            for key in app.extensions["desk_views"][module].known_filters:
                tried = VALUES if module == "clients" else FEWER
                yield from (f"/admin/{module}/?{key}={value}" for value in tried)
                yield f"/admin/{module}/?{key}=1&{key}=2"

    assert faults(owner, urls()) == []


@pytest.mark.heavy
@pytest.mark.timeout(400)
def test_order_size_and_place_of_lists(owner: Desk) -> None:
    def urls() -> Iterator[str]:
        for module in ALL_KINDS:
            for key in COMMON:
                yield from (f"/admin/{module}/?{key}={value}" for value in VALUES)
                yield f"/admin/{module}/?{key}=1&{key}=2"

    assert faults(owner, urls()) == []


@pytest.mark.timeout(400)
def test_made_up_cursors(app: Flask, owner: Desk) -> None:
    def urls() -> Iterator[str]:
        for module, sort in (("clients", "name"), ("clients", "-registered_at"), ("clients", "balance"),
                             ("invoices", "due_on"), ("users", "last_login_at")):  # fmt: skip
            yield from (f"/admin/{module}/?sort={sort}&after={one}" for one in CURSORS)
        yield from (f"/admin/clients/?before={one}" for one in CURSORS)

    assert faults(owner, urls()) == []


@pytest.mark.heavy
@pytest.mark.timeout(400)
def test_numbers_of_records(owner: Desk, cast: Cast) -> None:
    def urls() -> Iterator[str]:
        for module in ("clients", "payers", "audit", "tickets", "mailings"):
            for page in ("details/", "edit/", "delete/", "bulk/"):
                yield from (f"/admin/{module}/{page}?id={value}&selection={value}" for value in VALUES)
        for value in VALUES:
            yield f"/admin/payers/ajax/lookup/?name={value}&query=a"
            yield f"/admin/payers/ajax/lookup/?name=client&query={value}"
            yield f"/admin/clients/similar.json?email={value}&phone={value}&company_name={value}"
            yield f"/admin/clients/export/{value or 'x'}/"
            yield f"/admin/clients/bulk-changes/undo/?id={value}"
            yield f"/admin/clients/details/?id={cast.a.id}&tab={value}"
            yield f"/admin/clients/details/?id={cast.a.id}&tab=history&before={value}"
            yield f"/admin/clients/details/?id={cast.a.id}&tab=notes&before={value}"
            yield f"/admin/clients/notes/edit/?id={value}"
            yield f"/admin/clients/notes/delete/?id={value}"
            yield f"/admin/login?next={value}"
            yield f"/admin/{value}"

    assert faults(owner, urls()) == []


@pytest.mark.heavy
@pytest.mark.timeout(400)
def test_the_same_in_forms(app: Flask, owner: Desk, cast: Cast) -> None:
    """In the body of a form: ids of what to delete, to scope to, to edit in place, to act on."""
    before = people_of.digest(app, but=("selections",))
    token = quote(owner.token)
    problems = []
    for value in VALUES:
        for url, name, more in (
            ("/admin/clients/delete/", "id", ""),
            ("/admin/clients/scope/", "id", ""),
            ("/admin/clients/restore/", "id", ""),
            ("/admin/clients/bulk-changes/undo/", "id", ""),
            ("/admin/clients/login-as/", "id", ""),
            ("/admin/clients/ajax/update/", "list_form_pk", "&note=changed"),
            ("/admin/clients/ajax/update/", "row_version", f"&note=changed&list_form_pk={cast.a.id}"),
            ("/admin/clients/action/", "rowid", "&action=delete"),
            ("/admin/clients/action/", "action", f"&rowid={cast.a.id}"),
            ("/admin/clients/bulk/", "selection", ""),
            ("/admin/payers/delete/", "id", ""),
            ("/admin/clients/notes/add/", "id", "&text=x"),
            ("/admin/clients/notes/pin/", "id", "&is_pinned=1"),
            ("/admin/clients/notes/pin/", "row_version", "&is_pinned=1"),
            ("/admin/clients/notes/edit/", "id", "&text=x"),
            ("/admin/clients/notes/delete/", "id", ""),
        ):
            body = f"csrf_token={token}&{name}={value}{more}"
            answer = owner.visitor.post(url, data=body, content_type="application/x-www-form-urlencoded")
            if not people_of.is_no_fault(answer):
                problems.append(f"{url} {name}={value}: {answer.status_code}")
    assert problems == []
    owner.post("/admin/clients/scope/", id="")
    assert people_of.digest(app, but=("selections",)) == before


@pytest.mark.timeout(400)
def test_very_long_ones(owner: Desk) -> None:
    long = "a" * 200_000
    urls = (
        f"/admin/{address}{long}"
        for address in ("clients/?search=", "clients/?name=", "clients/?sort=", "clients/?after=", "clients/?id=", "clients/?client=",
                        "audit/?module=", "clients/details/?id=", "payers/ajax/lookup/?name=client&query=")
    )  # fmt: skip
    assert faults(owner, urls) == []


def test_a_text_of_two_hundred_characters_is_searched_and_a_longer_one_is_told(cast: Cast, owner: Desk) -> None:
    assert pages.row_ids(owner.page("/admin/clients/?search=" + "a" * 200)) == []
    page = owner.page("/admin/clients/?search=" + "a" * 201)
    assert pages.row_ids(page) == []
    assert "was not understood" in pages.alerts(page)


@pytest.mark.parametrize("module", ["clients", "tickets", "users"])
def test_a_text_never_becomes_a_part_of_the_statement(app: Flask, owner: Desk, module: str) -> None:
    """Were it one, these would be true of every row, or an error."""
    for text in (
        "' OR 1=1 --",
        "' OR ''='",
        "x') OR (1=1",
        '" OR 1=1 --',
        "\\' OR 1=1 --",
        "%' OR 1=1 --",
        "'; SELECT 1; --",
    ):
        for key in ("search", "name", "sort", "after"):
            answer = owner.get(f"/admin/{module}/", query_string={key: text})
            assert answer.status_code == 200
            assert pages.row_ids(pages.read(answer.text)) == []


@pytest.mark.heavy
@pytest.mark.timeout(400)
def test_the_case_file_and_the_audit(cast: Cast, owner: Desk) -> None:
    def urls() -> Iterator[str]:
        for key in ("id", "from", "to", "text", "person", "kind", "order", "after", "before"):
            yield from (f"/admin/clients/case-file/?id={cast.a.id}&{key}={value}" for value in VALUES)
        yield from (f"/admin/clients/case-file/?id={cast.a.id}&after={one}" for one in CURSORS)
        for key in ("value", "field", "at_from", "user"):
            yield from (f"/admin/audit/?{key}={value}" for value in VALUES)

    assert faults(owner, urls()) == []

"""A list page runs a fixed number of statements, whatever the rows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from extensions import db, now
from models import AuditEvent, Client, Staff, TicketCategory
from tests import cast as people_of
from tests import factories as make
from tests.cast import Desk
from tests.house.test_access import matrix

MOST = 12
ROWS = 100
LISTS = sorted({line.module for line in matrix() if line.page == "" and line.who == f"{line.module}.view"} - {"settings"})
# A desk has few of these by nature: the test does not make a hundred.
FEW = {"features", "roles", "characterizations"}


@contextmanager
def counted(app: Flask) -> Iterator[list[str]]:
    """The statements that run within, those that begin transactions left out."""
    found: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if not statement.startswith(("BEGIN", "SAVEPOINT", "RELEASE")):
            found.append(statement)

    with app.app_context():
        engine = db.engine
    sa.event.listen(engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        sa.event.remove(engine, "before_cursor_execute", note)


@pytest.fixture
def crowd(app: Flask) -> Desk:
    """A hundred of everything, each of another client, product, payer and project; and the owner, logged in."""
    with make.scene(app):
        owner = make.staff("owner", people_of._seeded("owner"))
        for number in range(ROWS):
            home = make.project(f"Project no. {number}")
            client = make.client(f"Client no. {number}", project=home, referrer=db.session.get(Client, number))
            _belongings(client, owner, number)
        # Who did it is somebody else each time, too.
        people = [make.staff(f"colleague{number}").id for number in range(ROWS)]
        db.session.execute(
            sa.insert(AuditEvent), [{"staff_id": number, "module": "clients", "action": "edit"} for number in people]
        )
        db.session.flush()
        person = people_of.Person(owner.id)
    return people_of.log_in(app.test_client(), person)


def _belongings(client: Client, owner: Staff, number: int) -> None:
    service = make.service(client, make.product(f"Product no. {number}", project=client.project), status="suspended")
    payer = make.payer(client)
    bill = make.invoice(client, payer=payer)
    make.payment(client, payer=payer, invoice=bill)
    make.expense(client, service=service)
    make.act(client, payer=payer)
    make.discount(client, product=service.product)
    make.points(client, 2, expires_at=now() + timedelta(days=1 + number))
    make.violation(client)
    make.letter(client, ticket=make.ticket(client))
    make.group(f"Group no. {number}", client)
    make.mailing(owner)
    make.program()
    make.custom_field()
    category = TicketCategory(name={"en": f"Category no. {number}"}, responsible_staff=make.staff())
    db.session.add(category)
    make.template(category=category)


@pytest.mark.timeout(300)
def test_a_page_of_twenty_and_of_a_hundred_rows_run_the_same_few_statements(app: Flask, crowd: Desk) -> None:
    problems = []
    for module in LISTS:
        url = f"/admin/{module}/"
        crowd.get(f"{url}?page_size=20")
        with counted(app) as few:
            short = crowd.ids(f"{url}?page_size=20")
        with counted(app) as many:
            long = crowd.ids(f"{url}?page_size=100")
        if module not in FEW and (len(short), len(long)) != (20, 100):
            problems.append(f"{module}: {len(short)} and {len(long)} rows")
        if len(many) != len(few) or len(many) > MOST:
            problems.append(f"{module}: {len(few)} and {len(many)} statements\n  " + "\n  ".join(sorted(set(many))))
    assert not problems, "\n".join(problems)


def test_a_page_deep_in_the_list_with_filters_and_all_columns_costs_no_more(app: Flask, crowd: Desk) -> None:
    everything = [("columns", name) for name in app.extensions["desk_views"]["clients"].column_list]
    assert crowd.post("/admin/clients/columns/", everything).status_code == 302
    url = "/admin/clients/?search=client&language=en&has_points=1&page_size=50&sort=-name"
    page = crowd.page(url)
    deep = people_of.pages.link(page, "next")
    assert deep is not None
    with counted(app) as statements:
        assert len(crowd.ids(deep)) == 50
    assert len(statements) <= MOST + 1, "\n".join(statements)


@pytest.mark.engine("sqlite")
def test_an_export_reads_a_thousand_rows_with_as_few_statements(app: Flask, crowd: Desk) -> None:
    with counted(app) as statements:
        assert crowd.get("/admin/clients/export/csv/").text.count("Client no.") >= ROWS
    assert len(statements) <= MOST, "\n".join(statements)

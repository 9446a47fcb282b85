"""A list page runs a fixed number of statements, whatever the rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from extensions import db, now
from models import (
    AffiliateProgram,
    AuditEvent,
    ClientGroup,
    CustomField,
    Discount,
    InboundEmail,
    Mailing,
    OutboundEmail,
    PenaltyPoint,
    Product,
    Project,
    ResponseTemplate,
    Staff,
    Ticket,
    TicketCategory,
    Violation,
)
from operations import demo
from tests import cast as people_of
from tests import factories as make
from tests.cast import Desk
from tests.house.test_access import matrix
from tests.support import page as pages
from tests.support.people import Person

MOST = 12
ROWS = 100
LISTS = sorted(
    {line.module for line in matrix() if line.page == "" and line.who == f"{line.module}.view"} - {"settings"}
)
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
    """Demo data, and besides a hundred of all that it has few of, each of another client; and the owner, logged in."""
    with make.scene(app):
        demo.create(clients=240, seed=3, now=now())
        owner = db.session.scalars(sa.select(Staff).where(Staff.username == "owner")).one()
        _many_small_things(owner)
        _many_things_of_clients()
        person = Person(owner.id)
    return people_of.log_in(app.test_client(), person)


def _insert(model: Any, rows: Iterable[dict[str, Any]]) -> list[int]:
    return list(db.session.scalars(sa.insert(model).returning(model.id), list(rows)))


def _many_small_things(owner: Staff) -> None:
    numbers = range(ROWS)
    projects = _insert(Project, ({"name": f"Project no. {n}"} for n in numbers))
    _insert(Product, ({"name": f"Product no. {n}", "project_id": id} for n, id in enumerate(projects)))
    _insert(ClientGroup, ({"name": f"Group no. {n}"} for n in numbers))
    _insert(AffiliateProgram, ({"name": f"Program no. {n}"} for n in numbers))
    _insert(CustomField, ({"code": f"field{n}", "label": f"Field no. {n}"} for n in numbers))
    held = {"password_hash": "none", "role_id": owner.role_id}
    people = _insert(Staff, ({"username": f"colleague{n}", **held} for n in numbers))
    categories = _insert(
        TicketCategory, ({"name": {"en": f"Category {id}"}, "responsible_staff_id": id} for id in people)
    )
    named = {"language": "en", "subject": "Good day"}
    _insert(ResponseTemplate, ({"name": f"Template {id}", "category_id": id, **named} for id in categories))
    words = {"subject": {"en": "News"}, "starts_at": now()}
    pairs = zip(people, categories, strict=True)
    _insert(Mailing, ({"staff_id": one, "category_id": other, **words} for one, other in pairs))
    _insert(AuditEvent, ({"staff_id": id, "module": "clients", "action": "edit"} for id in people))


def _many_things_of_clients() -> None:
    """A discount, a violation, points and a letter of a hundred clients each."""
    statement = sa.select(Ticket.client_id, sa.func.min(Ticket.id)).group_by(Ticket.client_id).limit(ROWS)
    tickets = db.session.execute(statement).all()
    assert len(tickets) == ROWS
    products = db.session.scalars(sa.select(Product.id).order_by(Product.id.desc()).limit(ROWS)).all()
    later = now() + timedelta(days=9)
    _insert(
        Discount,
        ({"client_id": c, "product_id": p, "percent": 5} for (c, _t), p in zip(tickets, products, strict=True)),
    )
    _insert(Violation, ({"client_id": c, "ticket_id": t, "deadline": later, "action": "to_active"} for c, t in tickets))
    _insert(InboundEmail, ({"client_id": c, "ticket_id": t, "digest": f"{t:064}", "size": 1} for c, t in tickets))
    _insert(PenaltyPoint, ({"client_id": c, "points": 2, "expires_at": later} for c, _t in tickets))
    _insert(
        OutboundEmail,
        ({"client_id": c, "ticket_id": t, "recipient": "a@b.example", "message_id": f"<{t}@desk>"} for c, t in tickets),
    )


@pytest.mark.heavy
@pytest.mark.timeout(300)
def test_a_page_of_twenty_and_of_a_hundred_rows_run_the_same_few_statements(app: Flask, crowd: Desk) -> None:
    problems = []
    for module in LISTS:
        url = f"/admin/{module}/"
        crowd.get(f"{url}?page_size=20")
        with counted(app) as few:
            short = crowd.ids(f"{url}?page_size=20")
        # The first visit with another page size remembers it in the session.
        crowd.get(f"{url}?page_size=100")
        with counted(app) as many:
            long = crowd.ids(f"{url}?page_size=100")
        if module not in FEW and (len(short), len(long)) != (20, 100):
            problems.append(f"{module}: {len(short)} and {len(long)} rows")
        if len(many) != len(few) or len(many) > MOST:
            problems.append(f"{module}: {len(few)} and {len(many)} statements\n  " + "\n  ".join(sorted(set(many))))
    assert not problems, "\n".join(problems)


def test_a_page_deep_in_the_list_with_all_columns_and_an_export_cost_no_more(app: Flask, crowd: Desk) -> None:
    everything = [("columns", name) for name in app.extensions["desk_views"]["clients"].column_list]
    assert crowd.post("/admin/clients/columns/", everything).status_code == 302
    deep = pages.link(crowd.page("/admin/clients/?search=e&has_points=1&page_size=20&sort=-name"), "next")
    assert deep is not None
    with counted(app) as statements:
        assert len(crowd.ids(deep)) == 20
    assert len(statements) <= MOST + 1, "\n".join(statements)

    with counted(app) as statements:
        assert len(crowd.get("/admin/clients/export/csv/").text.splitlines()) > 2 * ROWS
    assert len(statements) <= MOST, "\n".join(statements)

"""The first page of the panel."""

from __future__ import annotations

import re
from datetime import timedelta

import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from extensions import db, now
from models import Account, Project, Service
from tests.support import people
from tests.support.books import Books
from tests.support.people import Person


def test_what_needs_doing_stands_first(as_anna: FlaskClient, annas: Books) -> None:
    page = as_anna.get("/panel/").text
    assert "Hello, Anna User!" in page
    for kind, path in [("invoice", "invoices"), ("ticket", "tickets"), ("service", "services")]:
        assert f'data-todo="{kind}"' in page
        assert annas.paths()[path] in page
    assert page.index("data-todo") < page.index("/panel/accounts/1/")


def test_there_is_a_balance_for_each_account(app: Flask, as_anna: FlaskClient, anna: Person) -> None:
    with app.app_context():
        people.pay_in(anna.client_id, "1250.00")
        other = Project(name="Second brand", currency="USD")
        db.session.add(other)
        db.session.flush()
        db.session.add(Account(client_id=anna.client_id, project_id=other.id, currency="USD", credit_limit=100))
        db.session.commit()
    page = as_anna.get("/panel/").text
    assert "1,250.00" in page
    assert "Second brand" in page
    assert "0.00\u00a0$" in page
    assert "100.00\u00a0$" in page


def test_a_client_without_anything_reads_so(as_anna: FlaskClient) -> None:
    assert "Nothing at the moment" in as_anna.get("/panel/").text


def test_services_that_end_later_and_paid_invoices_need_nothing(app: Flask, as_anna: FlaskClient, annas: Books) -> None:
    with app.app_context():
        db.session.execute(sa.update(Service).values(expires_at=now() + timedelta(days=60)))
        db.session.execute(sa.text("UPDATE invoices SET status = 'paid'"))
        db.session.commit()
    page = as_anna.get("/panel/").text
    assert 'data-todo="service"' not in page
    assert 'data-todo="invoice"' not in page
    assert 'data-todo="ticket"' in page


def test_every_link_of_the_page_leads_somewhere(as_anna: FlaskClient, annas: Books) -> None:
    page = as_anna.get("/panel/").text
    links = set(re.findall(r'href="(/panel/[^"]*)"', page))
    assert len(links) > 10
    for link in links:
        assert as_anna.get(link).status_code == 200, link


def test_the_interface_speaks_the_user_s_language(app: Flask, as_anna: FlaskClient) -> None:
    people.post(as_anna, "/panel/language", page="/panel/", language="ru", url="/panel/tickets/")
    assert '<html lang="ru"' in as_anna.get("/panel/").text
    with app.app_context():
        client = db.session.execute(sa.text("SELECT language FROM clients")).scalar()
    assert client == "ru"

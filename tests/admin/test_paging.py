"""Turning the pages of the client list: each row once, in every order, forwards and backwards, whatever changes."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from extensions import db
from models import Client
from tests import factories as make
from tests.cast import Desk
from tests.support import page as pages

LIST = "/admin/clients/"
CLIENTS = 45
SORTS = ("id", "name", "properties", "email", "contact_person", "verified_phone", "country", "language", "project",
         "characterization", "balance", "active_services", "registered_at")  # fmt: skip
DAY = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def crowd(app: Flask) -> list[int]:
    """Clients of whom very many have the same value in every column; their ids."""
    rng = random.Random(5)
    with make.scene(app):
        projects = [make.project().id for _n in range(2)]
        kinds = [make.characterization(code).id for code in ("ordinary", "good")]
        rows = [
            {
                "project_id": rng.choice(projects), "characterization_id": rng.choice(kinds),
                "name": rng.choice(("a", "Б", "b")), "contact_person": rng.choice(("", "x")),
                "email": rng.choice(("a@x.example", "b@x.example")), "verified_phone": rng.choice(("", "+49301234567")),
                "country": rng.choice(("DE", "RU")), "language": rng.choice(("en", "ru")),
                "balance": Decimal(rng.randrange(-1, 2)), "active_services": rng.randrange(2),
                "registered_at": DAY + timedelta(days=rng.randrange(2)),
            }
            for _n in range(CLIENTS)
        ]  # fmt: skip
        table = Client.__table__
        return list(db.session.scalars(sa.insert(table).returning(table.c.id), rows))


def walk(desk: Desk, url: str | None, rel: str, between: Callable[[list[int]], Any] | None = None) -> list[list[int]]:
    """The ids of all pages from `url` on; `between` is done after each page."""
    found: list[list[int]] = []
    while url is not None:
        page = desk.page(url)
        found.append(pages.row_ids(page))
        if between:
            between(found[-1])
        url = pages.link(page, rel)
        assert len(found) < 20, "the pages have no end"
    return found


def flat(found: list[list[int]]) -> list[int]:
    return [id for page in found for id in page]


def test_all_orders_are_tried_here(app: Flask, owner: Desk) -> None:
    assert set(app.extensions["desk_views"]["clients"].sortable) == set(SORTS)


@pytest.mark.heavy
@pytest.mark.parametrize("filtered", ["", "&not_group=999999", "&language=ru&search=x.example"])
def test_over_ties_each_row_is_shown_once_forwards_and_backwards(
    app: Flask, owner: Desk, crowd: list[int], filtered: str
) -> None:
    with make.scene(app):
        group = make.group("Nobody").id
    filtered = filtered.replace("999999", str(group))
    chosen = ("id", "name", "-balance") if filtered else [f"{'-' * (n % 2)}{sort}" for n, sort in enumerate(SORTS)]
    for order in chosen:
        first = f"{LIST}?sort={order}&page_size=20{filtered}"
        forwards = walk(owner, first, "next")
        assert len(set(flat(forwards))) == len(flat(forwards)), order
        assert filtered.startswith("&lang") or len(flat(forwards)) >= CLIENTS, order
        last = pages.link(owner.page(first), "last")
        # What fits on one page has no last one.
        assert last is not None or len(forwards) == 1
        if last is not None:
            backwards = walk(owner, last, "prev")
            assert flat(backwards[::-1]) == flat(forwards), order
            assert len(backwards[0]) == 20


@pytest.mark.parametrize("order", ["name", "-registered_at", "balance", "-id"])
def test_rows_that_change_or_go_meanwhile_hide_no_other(app: Flask, owner: Desk, crowd: list[int], order: str) -> None:
    """Rows on pages already seen change places, come and go; those that stay as they are show once each."""
    rng = random.Random(9)
    touched: set[int] = set()

    def change(seen: list[int]) -> None:
        chosen = rng.sample(seen, 4)
        touched.update(chosen)
        with make.scene(app):
            for id in chosen[:2]:
                db.session.execute(
                    sa.update(Client).where(Client.id == id).values(
                        name=rng.choice(("A", "zz", "Ю")), balance=Decimal(rng.randrange(-5, 5)),
                        registered_at=DAY + timedelta(hours=rng.randrange(-99, 99)),
                    )
                )  # fmt: skip
            db.session.execute(sa.update(Client).where(Client.id.in_(chosen[2:])).values(deleted_at=DAY))
            touched.add(make.client(rng.choice(("a", "b", "Я"))).id)

    for rel, start in (("next", f"{LIST}?sort={order}&page_size=20"), ("prev", None)):
        touched.clear()
        with app.app_context():
            alive = set(db.session.scalars(sa.select(Client.id).where(Client.deleted_at.is_(None))))
        url = start or pages.link(owner.page(f"{LIST}?sort={order}&page_size=20"), "last")
        shown = flat(walk(owner, url, rel, change))
        untouched = [id for id in shown if id not in touched]
        assert len(untouched) == len(set(untouched))
        assert set(untouched) == alive - touched

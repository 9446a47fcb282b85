"""What is measured: the pages of BENCH's table, by the ids of what is in the middle of each kind."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from benchmarks.databases import Filled
from benchmarks.fill import RARE_NAME

DEPTH = 0.9
PAGE = 50


@dataclass(frozen=True)
class Case:
    """One page of the list. `parameters` are the filters, by the names that the product gives them.

    `is_newest_first` sorts by registration; `skipped` rows stand before the page, and `after` is the id of the last of
    them.
    """

    code: str
    title: str
    parameters: dict[str, str]
    is_newest_first: bool = False
    skipped: int = 0
    after: int | None = None


def cases(filled: Filled) -> list[Case]:
    """All pages, in the order in which they are visited."""
    engine = sa.create_engine(filled.url)
    with engine.connect() as connection:
        project = connection.scalar(sa.text("SELECT min(id) + 1 FROM projects"))
        good = connection.scalar(sa.text("SELECT id FROM characterizations WHERE code = 'good'"))
        product = connection.scalar(sa.text("SELECT min(id) + 7 FROM products"))
        group = connection.scalar(sa.text("SELECT min(id) + 4 FROM client_groups"))
    engine.dispose()
    both = {"project": str(project), "characterization": str(good)}
    # Whole pages, for the peers that count them. The list begins with the highest code.
    skipped = round(filled.clients * DEPTH / PAGE) * PAGE
    return [
        Case("a", "first page", {}),
        Case("b", "page at 90 % of the rows", {}, skipped=skipped, after=filled.clients - skipped + 1),
        Case("c", "project and characterization, newest first", both, is_newest_first=True),
        Case("d", "search «ivan»", {"search": "ivan"}),
        Case("d2", "search with one hit", {"search": RARE_NAME.split()[1].lower()}),
        Case("e", "has a product active", {"product": str(product)}),
        Case("f", "in a group", {"group": str(group)}),
    ]

"""The changes that are measured really change the rows, and each is undone by the next."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from benchmarks import writing
from benchmarks.databases import Filled
from benchmarks.servers import Failed
from extensions import db
from models import Characterization, Client

SINCE = datetime.fromisoformat(writing.SINCE).replace(tzinfo=UTC)


class Obedient:
    """Takes the place of the product: changes all clients that it is asked for, but no more than `most`."""

    name = "obedient"

    def __init__(self, app: Flask, most: int) -> None:
        self._app, self._most = app, most
        self.asked: list[str] = []

    def choose(self, query: str, ticked: list[tuple[str, str]]) -> str:
        self.asked.append(query)
        assert ticked == [("all", "1")]
        return "/confirm"

    def confirmation(self, address: str) -> tuple[str, list[tuple[str, str]]]:
        return address, []

    def confirm(self, _asked: Any, kind: int) -> None:
        chosen = sa.select(Client.id).where(Client.registered_at >= SINCE).limit(self._most)
        statement = sa.update(Client).where(Client.id.in_(chosen)).values(characterization_id=kind)
        db.session.execute(statement, execution_options={"synchronize_session": False})
        db.session.commit()


def test_all_that_match_go_to_and_fro(app: Flask, filled: Filled) -> None:
    with app.app_context():
        product = Obedient(app, most=1000)
        found = writing.All(filled, product, None).measure(rounds=2)  # type: ignore[arg-type]
        kinds = Counter(
            db.session.scalars(sa.select(Characterization.code).join(Client).where(Client.registered_at >= SINCE))
        )
    assert set(found.spent) == {product.name, writing.RAW}
    assert all(len(spent) == 2 and min(spent) > 0 for spent in found.spent.values())
    assert product.asked == ["registered_from=2030-01-01"] * 2
    # Four changes, the last of which set back what the third had set.
    assert kinds == {"ordinary": found.rows}
    assert 0.05 < found.rows / filled.clients < 0.15


def test_a_change_that_leaves_rows_out_is_noticed(app: Flask, filled: Filled) -> None:
    with app.app_context(), pytest.raises(Failed, match="changed"):
        writing.All(filled, Obedient(app, most=3), None).measure(rounds=1)  # type: ignore[arg-type]

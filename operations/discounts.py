"""Discounts: which of them meet, and ending several at once.

Discounts are never added up: where several hold for the same thing, the one that takes off the most counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import sqlalchemy as sa
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from extensions import LabelledEnum, db, rows_changed
from models import Discount, client_group_members
from operations import audit, json_sql
from operations.errors import OperationRefused

MOST_TOLD = 10
MEMBERS = client_group_members.c


class State(LabelledEnum):
    """Whether a discount holds on a day."""

    NOW = "now", _l("in force")
    LATER = "later", _l("not yet")
    OVER = "over", _l("ended")


def state_of(discount: Discount, day: date) -> State:
    if discount.starts_on and discount.starts_on > day:
        return State.LATER
    return State.OVER if discount.ends_on and discount.ends_on < day else State.NOW


def in_state(state: State, day: date) -> sa.ColumnElement[bool]:
    """The condition of `state_of`."""
    begun = sa.or_(Discount.starts_on.is_(None), Discount.starts_on <= day)
    over = sa.and_(Discount.ends_on.is_not(None), Discount.ends_on < day)
    return {State.LATER: ~begun, State.OVER: sa.and_(begun, over), State.NOW: sa.and_(begun, ~over)}[state]


def of_client(client_id: int) -> sa.ColumnElement[bool]:
    """The discounts that hold for a client: its own, and those of its groups."""
    groups = sa.select(MEMBERS.group_id).where(MEMBERS.client_id == client_id)
    return sa.or_(Discount.client_id == client_id, Discount.group_id.in_(groups))


def check(discount: Discount) -> None:
    """Refuse, naming the field, a discount that is for nobody or two, takes off nothing, or ends before it begins."""
    if (discount.client is None) == (discount.group is None):
        raise OperationRefused(_("Name a client or a group, one of the two."), field="client")
    if (discount.percent is None) == (discount.amount is None):
        raise OperationRefused(_("Give a percentage or an amount, one of the two."), field="percent")
    if discount.percent is not None and not 0 <= discount.percent <= 100:
        raise OperationRefused(_("From 0 to 100."), field="percent")
    if discount.starts_on and discount.ends_on and discount.ends_on < discount.starts_on:
        raise OperationRefused(_("It ends before it begins."), field="ends_on")


def overlapping(discount: Discount) -> Sequence[Discount]:
    """Other discounts that hold for one of the same clients, on the same product, on the same day; a few of them."""
    conditions = [Discount.id != discount.id, _same_people(discount)]
    if discount.product_id is not None:
        conditions.append(sa.or_(Discount.product_id.is_(None), Discount.product_id == discount.product_id))
    if discount.starts_on is not None:
        conditions.append(sa.or_(Discount.ends_on.is_(None), Discount.ends_on >= discount.starts_on))
    if discount.ends_on is not None:
        conditions.append(sa.or_(Discount.starts_on.is_(None), Discount.starts_on <= discount.ends_on))
    return db.session.scalars(sa.select(Discount).where(*conditions).order_by(Discount.id).limit(MOST_TOLD)).all()


def _same_people(discount: Discount) -> sa.ColumnElement[bool]:
    if discount.client_id is not None:
        return of_client(discount.client_id)
    mine = sa.select(MEMBERS.client_id).where(MEMBERS.group_id == discount.group_id)
    return sa.or_(Discount.group_id == discount.group_id, Discount.client_id.in_(mine))


def end(chosen: sa.Select[Any], *, day: date) -> int:
    """Let the discounts of these ids end on `day`, its last; returns how many it changed.

    Those that end before it already, and those that begin after it, are left alone.
    """
    running = (
        Discount.id.in_(chosen),
        sa.or_(Discount.ends_on.is_(None), Discount.ends_on > day),
        sa.or_(Discount.starts_on.is_(None), Discount.starts_on <= day),
    )
    ids = db.session.scalars(sa.select(Discount.id).where(*running).order_by(Discount.id).with_for_update()).all()
    mine = Discount.id.in_(ids)
    rows = sa.select(Discount.id, Discount.client_id, json_sql.document(ends_on=Discount.ends_on)).where(mine)
    audit.record_many("edit", module="discounts", rows=rows, field="ends_on", after=day)
    return rows_changed(sa.update(Discount).where(mine).values(ends_on=day, row_version=Discount.row_version + 1))


def delete(chosen: sa.Select[Any]) -> int:
    """Remove the discounts of these ids; returns how many there were."""
    rows = db.session.scalars(sa.select(Discount).where(Discount.id.in_(chosen)).with_for_update(of=Discount)).all()
    for row in rows:
        db.session.delete(row)
    db.session.flush()
    return len(rows)

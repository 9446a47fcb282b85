"""Saved filters: named conditions of the client list, for oneself or for all; counting and watching them.

Tabs show a count that a worker found out: no page waits for it, and it goes no further than `COUNTED_UP_TO`.
Who came into a watched filter is told by its members as they were noted the time before.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from flask_babel import gettext as _
from sqlalchemy.orm import joinedload

from extensions import UTCDateTime, db, plain_rows, rows_changed
from models import Client, SavedFilter, SavedFilterMember, SavedFilterState, Staff, saved_filter_watches
from operations import client_filters, custom_fields
from operations.bulk import among
from operations.errors import OperationRefused
from operations.filters import Asked

LONGEST_NAME = 80
MOST_OF_ONE = 100
# A tab says «999+» for more.
COUNTED_UP_TO = 1_000
COUNT_AGAIN_AFTER = timedelta(minutes=1)
# Counting one filter may take this part of one worker's time.
SHARE_OF_TIME = 100
MOST_WATCHED = 10_000
NOTE_AGAIN_AFTER = timedelta(hours=1)
CAME_WITHIN = timedelta(days=1)
SHOWN_NEWCOMERS = 5


@dataclass(frozen=True)
class Watched:
    """A filter that somebody watches: who came into it lately (the newest first, a few), and how many."""

    saved: SavedFilter
    count: int
    newcomers: Sequence[Client]


# Who sees which, and who may change it


def visible_to(staff: Staff) -> list[SavedFilter]:
    """The filters that this person has as tabs: the own, and those for all; by name."""
    return list(db.session.scalars(_visible(staff).order_by(sa.func.lower(SavedFilter.name), SavedFilter.id)))


TABS = (
    sa.select(SavedFilter.name, SavedFilter.parameters, SavedFilterState.count.label("counted"))
    .outerjoin(SavedFilterState, SavedFilterState.saved_filter_id == SavedFilter.id)
    .where(sa.or_(SavedFilter.owner_id == sa.bindparam("staff"), SavedFilter.is_shared))
    .order_by(sa.func.lower(SavedFilter.name), SavedFilter.id)
)


def tabs_of(staff: Staff) -> Sequence[Any]:
    """The same as plain rows for the tabs: name, parameters, and how many were `counted`."""
    return plain_rows(TABS, {"staff": staff.id}).all()


def _visible(staff: Staff) -> sa.Select[Any]:
    return (
        sa.select(SavedFilter)
        .where(sa.or_(SavedFilter.owner_id == staff.id, SavedFilter.is_shared))
        .options(joinedload(SavedFilter.owner), joinedload(SavedFilter.state))
    )


def find(number: int, *, staff: Staff) -> SavedFilter | None:
    """The filter of that id, if this person sees it."""
    return db.session.scalar(_visible(staff).where(SavedFilter.id == number))


def may_edit(saved: SavedFilter, staff: Staff) -> bool:
    """The owner may change a filter; one for all also who may edit staff."""
    return saved.owner_id == staff.id or (saved.is_shared and staff.may("staff.edit"))


def may_share(staff: Staff) -> bool:
    """Giving everybody a tab is for those who may change clients."""
    return staff.may("clients.edit")


# Writing


def save(*, by: Staff, name: str, parameters: Mapping[str, str], is_shared: bool, now: datetime) -> SavedFilter:
    """Keep the conditions `parameters` of the client list under a name.

    Refuses (OperationRefused) when there is no condition or one that is not understood; naming the field, an
    empty, too long or repeated name, and sharing by who may not.
    """
    asked = client_filters.understand(parameters.items())
    if asked.misunderstood:
        raise OperationRefused(" ".join(asked.misunderstood))
    if not asked.texts:
        raise OperationRefused(_("There is nothing to save: no filter is on."))
    if _count_of(by) >= MOST_OF_ONE:
        raise OperationRefused(_("You have %(count)s saved filters. Delete one first.", count=MOST_OF_ONE))
    _refuse_sharing(by, is_shared)
    saved = SavedFilter(owner=by, name=_free_name(name, owner_id=by.id), is_shared=is_shared, parameters=asked.texts)
    db.session.add(saved)
    db.session.flush()
    db.session.add(SavedFilterState(saved_filter_id=saved.id, count_due_at=now))
    db.session.flush()
    return saved


def change(saved: SavedFilter, *, by: Staff, name: str, is_shared: bool) -> None:
    """Give the filter another name, or to all, or to its owner alone. Refuses as `save` does, and others' filters."""
    _refuse_strangers(saved, by)
    if is_shared != saved.is_shared:
        _refuse_sharing(by, is_shared)
    saved.name = _free_name(name, owner_id=saved.owner_id, but=saved.id)
    saved.is_shared = is_shared
    if not is_shared:
        others = saved_filter_watches.c.staff_id != saved.owner_id
        db.session.execute(
            sa.delete(saved_filter_watches).where(saved_filter_watches.c.saved_filter_id == saved.id, others)
        )
    db.session.flush()


def delete(saved: SavedFilter, *, by: Staff) -> None:
    """Remove the filter with all that is known of it. Clients are not touched."""
    _refuse_strangers(saved, by)
    db.session.delete(saved)
    db.session.flush()


def watch(saved: SavedFilter, *, by: Staff, on: bool) -> None:
    """Have the home page tell this person who comes into the filter, or no longer."""
    pair = {"saved_filter_id": saved.id, "staff_id": by.id}
    table = saved_filter_watches
    db.session.execute(sa.delete(table).where(table.c.saved_filter_id == saved.id, table.c.staff_id == by.id))
    if on:
        db.session.execute(sa.insert(table).values(pair))
    elif not db.session.scalar(sa.select(sa.exists().where(table.c.saved_filter_id == saved.id))):
        # Who watches it again later is told of those who come from then on.
        _forget_members(saved.id)
        _write_state(saved.id, members_at=None, members_due_at=None, is_too_large=False)


def watched_by(staff: Staff) -> set[int]:
    """The ids of the filters that this person watches."""
    table = saved_filter_watches
    return set(db.session.scalars(sa.select(table.c.saved_filter_id).where(table.c.staff_id == staff.id)))


def _free_name(name: str, *, owner_id: int, but: int = 0) -> str:
    name = " ".join(name.split())
    if not name:
        raise OperationRefused(_("Give the filter a name."), field="name")
    if len(name) > LONGEST_NAME:
        raise OperationRefused(_("The name has at most %(count)s characters.", count=LONGEST_NAME), field="name")
    same = sa.func.lower(SavedFilter.name) == name.lower()
    if db.session.scalar(
        sa.select(SavedFilter.id).where(SavedFilter.owner_id == owner_id, same, SavedFilter.id != but)
    ):
        raise OperationRefused(_("There is a saved filter of this name already."), field="name")
    return name


def _count_of(staff: Staff) -> int:
    own = sa.select(sa.func.count(SavedFilter.id)).where(SavedFilter.owner_id == staff.id)
    return db.session.scalar(own) or 0


def _refuse_sharing(by: Staff, is_shared: bool) -> None:
    if is_shared and not may_share(by):
        raise OperationRefused(_("You may save filters for yourself only."), field="is_shared")


def _refuse_strangers(saved: SavedFilter, by: Staff) -> None:
    if not may_edit(saved, by):
        raise OperationRefused(_("Only who saved the filter can change it."))


# What a filter means


def understood(saved: SavedFilter) -> Asked:
    """Its conditions; those that are not understood any more (a project that went) are told."""
    return client_filters.understand(saved.parameters.items())


def is_understood(parameters: Mapping[str, str], choices: Mapping[str, Sequence[tuple[str, str]]]) -> bool:
    """Whether all records that `parameters` name are among `choices`, without a statement for each; so for fields."""
    custom = {key: text for key, text in parameters.items() if key.startswith(custom_fields.PREFIX)}
    if custom and client_filters.understand(custom.items()).misunderstood:
        return False
    return all(
        text in {value for value, _label in choices[key]} for key, text in parameters.items() if key in choices
    )  # fmt: skip


# What workers do


def begin_to_look_after() -> int:
    """Give a state to filters that came without one, from demo data say; how many there were."""
    state = SavedFilterState.saved_filter_id
    without = sa.select(SavedFilter.id).where(~sa.exists().where(state == SavedFilter.id))
    if not db.session.scalar(sa.select(without.exists())):
        return 0
    return rows_changed(sa.insert(SavedFilterState).from_select(["saved_filter_id"], without))


def due_for_count(*, now: datetime) -> list[int]:
    """The ids of filters that are to be counted again."""
    return list(db.session.scalars(sa.select(SavedFilterState.saved_filter_id).where(_count_is_due(now))))


def claim_count(number: int, *, now: datetime) -> bool:
    """Take the counting of the filter upon oneself; False when another worker has."""
    return _claim(number, _count_is_due(now), count_due_at=now + COUNT_AGAIN_AFTER)


def count(number: int, *, now: datetime) -> None:
    """Find out how many match, no further than a tab shows. What takes long is done more seldom."""
    saved = db.session.get(SavedFilter, number)
    if saved is None:
        return
    begun = time.perf_counter()
    found = _capped(understood(saved), COUNTED_UP_TO)
    spent = timedelta(seconds=time.perf_counter() - begun)
    db.session.rollback()
    _write_state(number, count=found, count_due_at=now + max(COUNT_AGAIN_AFTER, spent * SHARE_OF_TIME))


def due_for_members(*, now: datetime) -> list[int]:
    """The ids of watched filters whose members are to be noted again."""
    state = SavedFilterState
    watched = state.saved_filter_id.in_(sa.select(saved_filter_watches.c.saved_filter_id))
    due = sa.select(state.saved_filter_id).where(watched, _members_are_due(now))
    return list(db.session.scalars(due.order_by(state.saved_filter_id)))


def claim_members(number: int, *, now: datetime) -> bool:
    """Take the noting of the filter's members upon oneself; False when another worker has."""
    return _claim(number, _members_are_due(now), members_due_at=now + NOTE_AGAIN_AFTER)


def _count_is_due(now: datetime) -> sa.ColumnElement[bool]:
    return sa.or_(SavedFilterState.count_due_at.is_(None), SavedFilterState.count_due_at <= now)


def _members_are_due(now: datetime) -> sa.ColumnElement[bool]:
    return sa.or_(SavedFilterState.members_due_at.is_(None), SavedFilterState.members_due_at <= now)


def _claim(number: int, is_due: sa.ColumnElement[bool], **until: datetime) -> bool:
    own = SavedFilterState.saved_filter_id == number
    return bool(rows_changed(sa.update(SavedFilterState).where(own, is_due).values(**until)))


def note_members(number: int, *, now: datetime) -> None:
    """Note who is in the filter: who came gets `now`, who left is forgotten; the first time all were there.

    Reads the filter before it writes, so that a filter that takes long holds no writer up. One that matches
    more than `MOST_WATCHED` is not watched, and says so; one that is not understood is left as it was.
    """
    saved = db.session.get(SavedFilter, number)
    asked = understood(saved) if saved is not None else None
    if saved is None or asked is None or asked.misunderstood:
        return
    is_first = saved.state is None or saved.state.members_at is None
    ids = list(db.session.scalars(client_filters.client_ids(asked).limit(MOST_WATCHED + 1)))
    db.session.rollback()
    if len(ids) > MOST_WATCHED:
        _forget_members(number)
        _write_state(number, members_at=None, is_too_large=True)
        return
    _replace_members(number, ids, came=None if is_first else now)
    _write_state(number, members_at=now, is_too_large=False)


def _replace_members(number: int, ids: list[int], *, came: datetime | None) -> None:
    """Make the clients `ids` the members; those who were none so far came at `came`."""
    member, connection = SavedFilterMember, db.session.connection()
    left = sa.and_(member.saved_filter_id == number, ~among(connection, member.client_id, ids))
    rows_changed(sa.delete(member).where(left))
    known = sa.select(member.client_id).where(member.saved_filter_id == number)
    row = (sa.literal(number), Client.id, sa.literal(came, type_=UTCDateTime()))
    newcomers = sa.select(*row).where(among(connection, Client.id, ids), Client.id.not_in(known))
    names = ["saved_filter_id", "client_id", "since"]
    rows_changed(sa.insert(member).from_select(names, newcomers))


def watched(staff: Staff, *, now: datetime) -> list[Watched]:
    """What this person's home page tells: for each filter watched, who came into it within a day."""
    watching = watched_by(staff)
    if not watching:
        return []
    return [_watched(saved, now=now) for saved in visible_to(staff) if saved.id in watching]


def _watched(saved: SavedFilter, *, now: datetime) -> Watched:
    member = SavedFilterMember
    came = sa.and_(
        member.saved_filter_id == saved.id, member.since > now - CAME_WITHIN,
        member.client_id == Client.id, Client.deleted_at.is_(None),
    )  # fmt: skip
    rows = sa.select(Client).join(member, came).order_by(member.since.desc(), Client.id.desc())
    newcomers = list(db.session.scalars(rows.limit(SHOWN_NEWCOMERS)))
    how_many = len(newcomers)
    if how_many == SHOWN_NEWCOMERS:
        how_many = db.session.scalar(sa.select(sa.func.count(Client.id)).join(member, came)) or 0
    return Watched(saved, how_many, newcomers)


def _capped(asked: Asked, most: int) -> int | None:
    if asked.misunderstood:
        return None
    rows = client_filters.client_ids(asked).limit(most).subquery()
    return db.session.scalar(sa.select(sa.func.count()).select_from(rows)) or 0


def _write_state(number: int, **values: object) -> None:
    rows_changed(sa.update(SavedFilterState).where(SavedFilterState.saved_filter_id == number).values(**values))


def _forget_members(number: int) -> None:
    rows_changed(sa.delete(SavedFilterMember).where(SavedFilterMember.saved_filter_id == number))

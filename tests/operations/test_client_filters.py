"""Every filter of the client list, alone and in pairs, against a reference in plain Python over random clients.

The clients are made once for each engine; hypothesis chooses what is asked of them.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import combinations
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from extensions import db, now
from models import (
    Account,
    Client,
    ClientUser,
    LedgerEntry,
    PenaltyPoint,
    Service,
    client_group_members,
)
from operations import client_filters
from tests import factories as make

CLIENTS = 150
SYLLABLES = ("an", "На", "ov", "Iv", "я", " ", "%", "_", "\\", '"', "'", "O", "ö", "Ё", "12", "-", "x", "Ж", "*", "👍")
FIRST_DAY = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Known:
    """A client as the reference knows it."""

    id: int
    name: str
    row: dict[str, Any]
    username: str
    balance: Decimal
    groups: set[int]
    services: list[tuple[int, str]]
    points_until: list[datetime]

    @property
    def searched(self) -> str:
        parts = (self.id, self.name, self.username, self.row["company_name"], self.row["contact_person"],
                 self.row["email"], self.row["verified_phone"])  # fmt: skip
        return " ".join(map(str, parts)).lower()


@dataclass
class World:
    """All that lives, and ids to ask for; some of them are of nothing."""

    clients: list[Known] = field(default_factory=list)
    projects: list[int] = field(default_factory=list)
    products: list[int] = field(default_factory=list)
    groups: list[int] = field(default_factory=list)
    characterizations: list[int] = field(default_factory=list)
    moment: datetime = FIRST_DAY


@pytest.fixture
def world(session: Any) -> World:
    made = World(moment=now())
    rng = random.Random(7)
    projects = [make.project() for _n in range(4)]
    programs = [make.program() for _n in range(2)]
    made.projects = [project.id for project in projects]
    made.products = [make.product(project=projects[n % 3]).id for n in range(5)]
    made.groups = [make.group().id for _n in range(5)]
    made.characterizations = [make.characterization(code).id for code in ("ordinary", "good", "conflict")]
    rows = [_row(rng, made, [program.id for program in programs], number) for number in range(CLIENTS)]
    table = Client.__table__
    ids = db.session.scalars(sa.insert(table).returning(table.c.id, sort_by_parameter_order=True), rows).all()
    for number, (id, row) in enumerate(zip(ids, rows, strict=True)):
        known = Known(
            id, row["name"], row, f"user{number}{rng.choice(('.x', '-анна', ''))}", Decimal(rng.randrange(-300, 300)) / 4,
            set(rng.sample(made.groups[:4], rng.choice((0, 0, 1, 2)))),
            [(rng.choice(made.products[:4]), rng.choice(("active", "active", "suspended", "deleted"))) for _n in range(rng.choice((0, 1, 1, 3)))],
            [made.moment + timedelta(days=rng.choice((-3, 3))) for _n in range(rng.choice((0, 0, 1, 2)))],
        )  # fmt: skip
        if row["deleted_at"] is None:
            made.clients.append(known)
        _belongings(known)
    db.session.flush()
    return made


def _text(rng: random.Random, most: int) -> str:
    return "".join(rng.choice(SYLLABLES) for _n in range(rng.randrange(most))).strip()


def _row(rng: random.Random, world: World, programs: list[int], number: int) -> dict[str, Any]:
    registered = FIRST_DAY + timedelta(days=rng.randrange(6), seconds=rng.choice((0, 1, 43_200, 86_399)))
    return {
        "project_id": rng.choice(world.projects[:3]),
        "name": _text(rng, 6) or f"Client {number}",
        "company_name": _text(rng, 4),
        "contact_person": _text(rng, 4),
        "email": f"{rng.choice(('a', 'Info', 'x1'))}{number}@clients.example",
        "verified_phone": f"+49{rng.randrange(10**8, 10**9)}" if rng.random() < 0.5 else "",
        "legal_status": rng.choice(("company", "sole_proprietor", "individual")),
        "country": rng.choice(("DE", "RU", "US")),
        "language": rng.choice(("en", "ru")),
        "characterization_id": rng.choice(world.characterizations),
        "registered_at": registered,
        "affiliate_program_id": rng.choice((None, None, None, *programs)),
        "deleted_at": world.moment if rng.random() < 0.1 else None,
    }


def _belongings(known: Known) -> None:
    user = {"username": known.username, "password_hash": "!", "is_owner": True}
    db.session.execute(sa.insert(ClientUser).values(client_id=known.id, **user))
    account = db.session.scalar(
        sa.insert(Account).returning(Account.id).values(client_id=known.id, project_id=known.row["project_id"], currency="EUR")
    )  # fmt: skip
    if known.balance:
        db.session.execute(sa.insert(LedgerEntry).values(account_id=account, amount=known.balance, kind="payment"))
    for group in known.groups:
        db.session.execute(sa.insert(client_group_members).values(client_id=known.id, group_id=group))
    for product, status in known.services:
        reason = "unpaid" if status == "suspended" else None
        db.session.execute(
            sa.insert(Service).values(
                client_id=known.id, product_id=product, account_id=account, name="s", status=status,
                suspension_reason=reason, price=Decimal(1),
            )
        )  # fmt: skip
    for until in known.points_until:
        db.session.execute(sa.insert(PenaltyPoint).values(client_id=known.id, points=1, expires_at=until))


# The reference


def _day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _search(known: Known, text: str, _world: World) -> bool:
    number = text.removeprefix("#")
    return (number if number.isdigit() else text).lower() in known.searched


REFERENCE: dict[str, Callable[[Known, str, World], bool]] = {
    "id": lambda known, text, world: known.id == int(text),
    "name": lambda known, text, world: text.lower() in known.name.lower(),
    "project": lambda known, text, world: known.row["project_id"] == int(text),
    "product": lambda known, text, world: (int(text), "active") in known.services,
    "language": lambda known, text, world: known.row["language"] == text,
    "registered_from": lambda known, text, world: known.row["registered_at"] >= _day(text),
    "registered_to": lambda known, text, world: known.row["registered_at"] < _day(text) + timedelta(days=1),
    "group": lambda known, text, world: int(text) in known.groups,
    "not_group": lambda known, text, world: int(text) not in known.groups,
    "characterization": lambda known, text, world: known.row["characterization_id"] == int(text),
    "not_characterization": lambda known, text, world: known.row["characterization_id"] != int(text),
    "legal_status": lambda known, text, world: known.row["legal_status"] == text,
    "country": lambda known, text, world: known.row["country"] == text,
    "balance_below": lambda known, text, world: known.balance < Decimal(text.replace(",", ".")),
    "balance_above": lambda known, text, world: known.balance > Decimal(text.replace(",", ".")),
    "has_points": lambda known, text, world: any(until > world.moment for until in known.points_until),
    "referred": lambda known, text, world: known.row["affiliate_program_id"] is not None,
    "search": _search,
}


def _values(world: World) -> dict[str, list[str]]:
    """What is asked of each filter; the last of the records in question has nothing, or nobody."""
    days = [(FIRST_DAY + timedelta(days=n)).date().isoformat() for n in range(-1, 7)]
    amounts = ["0", "-75", "-0.25", "0.25", "12.5", "12,50", "1000", "-1000"]
    parts = [
        *(text for text in SYLLABLES if text.strip()),
        "user1",
        "clients",
        "@",
        "+49",
        "0",
        "#1",
        "ANO",
        "яна",
        "nothing of that",
    ]
    parts += [known.name[1:4].strip() or known.name for known in world.clients[:20]]
    return {
        "id": [str(known.id) for known in world.clients[:5]] + ["2000000000"],
        "name": parts,
        "project": list(map(str, world.projects)),
        "product": list(map(str, world.products)),
        "language": ["en", "ru"],
        "registered_from": days,
        "registered_to": days,
        "group": list(map(str, world.groups)),
        "not_group": list(map(str, world.groups)),
        "characterization": list(map(str, world.characterizations)),
        "not_characterization": list(map(str, world.characterizations)),
        "legal_status": ["company", "sole_proprietor", "individual"],
        "country": ["DE", "RU", "US", "FR"],
        "balance_below": amounts,
        "balance_above": amounts,
        "has_points": ["1"],
        "referred": ["1"],
        "search": parts,
    }  # fmt: skip


def _found(asked: dict[str, str]) -> list[int]:
    understood = client_filters.understand(asked.items())
    assert not understood.misunderstood, understood.misunderstood
    return sorted(db.session.scalars(client_filters.client_ids(understood)))


def _expected(world: World, asked: dict[str, str]) -> list[int]:
    return [
        known.id
        for known in world.clients
        if all(REFERENCE[key](known, text, world) for key, text in asked.items())
    ]  # fmt: skip


def test_the_reference_knows_every_filter_of_the_list() -> None:
    assert set(REFERENCE) == set(client_filters.FILTERS)


def test_every_filter_alone_with_every_value(world: World) -> None:
    wrong = [
        f"{key}={text}"
        for key, texts in _values(world).items()
        for text in texts
        if _found({key: text}) != _expected(world, {key: text})
    ]
    assert wrong == []


# Which value each filter is asked for, as a number to be taken modulo how many there are.
NUMBERS = st.integers(0, 999)


def _chosen(world: World, numbers: dict[str, int]) -> dict[str, str]:
    values = _values(world)
    return {key: values[key][number % len(values[key])] for key, number in numbers.items()}


@pytest.mark.heavy
@settings(max_examples=6)
@given(numbers=st.fixed_dictionaries(dict.fromkeys(REFERENCE, NUMBERS)))
def test_every_pair_of_filters(world: World, numbers: dict[str, int]) -> None:
    chosen = _chosen(world, numbers)
    wrong = []
    for one, other in combinations(chosen, 2):
        asked = {one: chosen[one], other: chosen[other]}
        if _found(asked) != _expected(world, asked):
            wrong.append(asked)
    assert wrong == []


@given(numbers=st.dictionaries(st.sampled_from(sorted(REFERENCE)), NUMBERS, max_size=6))
def test_any_number_of_filters_together(world: World, numbers: dict[str, int]) -> None:
    asked = _chosen(world, numbers)
    assert _found(asked) == _expected(world, asked)


def test_letters_that_are_latin_in_lower_case_alone_are_found_on_both_engines(session: Any) -> None:
    """SQLite's own comparing knows no case of them."""
    for name in ("ALİ Demir", "Anders \u212aelvin", "Ali Plain", "Kelvin Plain"):
        make.client(name, username="".join(c for c in name.lower() if c.isascii() and c.isalpha()))
    db.session.commit()

    def found(**parameters: str) -> list[str]:
        asked = client_filters.understand(parameters.items())
        ids = db.session.scalars(client_filters.client_ids(asked)).all()
        return sorted(db.session.scalars(sa.select(Client.name).where(Client.id.in_(ids))))

    assert found(name="k") == ["Anders \u212aelvin", "Kelvin Plain"]
    assert found(name="i") == ["ALİ Demir", "Ali Plain", "Anders \u212aelvin", "Kelvin Plain"]
    assert found(name="l") == ["ALİ Demir", "Ali Plain", "Anders \u212aelvin", "Kelvin Plain"]
    assert found(name="DE") == ["ALİ Demir", "Anders \u212aelvin"]

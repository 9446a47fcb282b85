"""Guessing passwords at four web processes: the counts are in the database, so no process can be played against
another, and a restart forgets nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from flask import Flask

from extensions import db, now
from models import ClientUser, LoginFailure
from operations import password_links
from tests.support import people
from tests.support.processes import Answer, Caller, Web

WRONG = "wrong horse battery 1"
NEW_PASSWORD = "another horse battery 2"
Guess = tuple[str, str]


@pytest.fixture
def web(app: Flask, environ: dict[str, str], port: int) -> Iterator[Web]:
    """Four processes behind one proxy, which tells where a visitor comes from."""
    started = Web({**environ, "TRUSTED_PROXIES": "1"}, port, processes=4)
    started.start()
    yield started
    started.kill()


def log_in(web: Web, side: str, name: str, password: str, address: str) -> Answer:
    caller = Caller(web.port, address=address)
    return caller.post(side, {"csrf_token": caller.token(side), "username": name, "password": password})


def guess(web: Web, side: str, guesses: list[Guess]) -> list[Answer]:
    """Guess (name, address) many at a time, each visitor with a session and a token of his own."""

    def one(each: Guess) -> Answer:
        return log_in(web, side, each[0], WRONG, each[1])

    with ThreadPoolExecutor(12) as pool:
        return list(pool.map(one, guesses))


def statuses(answers: list[Answer]) -> Counter[int]:
    for answer in answers:
        assert answer.status in {200, 429}
        assert answer.status != 429 or 0 < int(answer.headers["Retry-After"]) <= 600
    return Counter(answer.status for answer in answers)


def failures(app: Flask, address: str) -> int:
    with app.app_context():
        return db.session.scalar(sa.select(sa.func.count()).where(LoginFailure.ip == address)) or 0


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("side", ["/admin/login", "/login"])
def test_two_hundred_guesses_at_four_processes_with_a_restart_between_are_ten(app: Flask, web: Web, side: str) -> None:
    with app.app_context():
        people.staff("olga")
        people.client("anna")
    name = "olga" if side == "/admin/login" else "anna"
    attacker = "203.0.113.1"
    answers = guess(web, side, [(name, attacker)] * 100)
    web.restart()
    answers += guess(web, side, [(name, attacker)] * 100)
    assert statuses(answers) == {200: 10, 429: 190}
    assert failures(app, attacker) == 10, "only these were compared with the hash"
    assert log_in(web, side, name, people.PASSWORD, attacker).status == 429, "the right one, guessed at last, is no use"

    other = "203.0.113.2"
    answers = guess(web, side, [(f"name-{number}", other) for number in range(200)])
    assert statuses(answers) == {200: 10, 429: 190}, "nor do two hundred names, one guess each"
    assert failures(app, other) == 10

    third = "203.0.113.3"
    assert statuses(guess(web, side, [("somebody", third)] * 9)) == {200: 9}
    assert log_in(web, side, name, people.PASSWORD, third).status == 302
    assert log_in(web, side, name, WRONG, third).status == 200
    assert log_in(web, side, name, people.PASSWORD, third).status == 429, "a success has not reset the count"


@pytest.mark.long
@pytest.mark.timeout(600)
def test_who_is_guessed_at_from_everywhere_gets_in_where_he_is_known_and_by_a_link(app: Flask, web: Web) -> None:
    with app.app_context():
        anna = people.client("anna")
    home, elsewhere = "198.51.100.7", "198.51.100.8"
    assert log_in(web, "/login", "anna@user.example", people.PASSWORD, home).status == 302
    for name in ("anna", "anna@user.example"):
        answers = guess(web, "/login", [(name, f"192.0.2.{number}") for number in range(60)])
        assert statuses(answers)[200] <= 42, "thirty, and as many as were under way beside them"
    for name in ("anna", "anna@user.example"):
        assert log_in(web, "/login", name, people.PASSWORD, elsewhere).status == 429
        assert log_in(web, "/login", name, people.PASSWORD, home).status == 302
    with app.app_context():
        user = db.session.get_one(ClientUser, anna.id)
        link = password_links.make_link(user, purpose="reset", now=now())
        db.session.commit()
    caller = Caller(web.port, address=elsewhere)
    address = "/reset-password/set?" + link.partition("?")[2]
    fields = {"csrf_token": caller.token(address), "token": link.partition("token=")[2]}
    fields |= {"password": NEW_PASSWORD, "password_confirm": NEW_PASSWORD}
    assert caller.post("/reset-password/set", fields).location == "/login"
    assert log_in(web, "/login", "anna", NEW_PASSWORD, elsewhere).status == 302
    assert log_in(web, "/login", "anna", NEW_PASSWORD, "198.51.100.9").status == 429

"""A worker that has gone without a word: said on every page of the admin, and to the machine that asks."""

from __future__ import annotations

from datetime import timedelta

from flask import Flask

from extensions import db, now
from models import Heartbeat
from tests import cast as people_of
from tests import factories as make
from tests.cast import Cast, Desk
from tests.support.page import Node


def heard(app: Flask, **workers: int) -> None:
    """Let each worker have given its last sign of life so many seconds ago."""
    with make.scene(app):
        for name, seconds in workers.items():
            moment = now() - timedelta(seconds=seconds)
            db.session.add(Heartbeat(worker=name, started_at=moment, seen_at=moment))


def bar(desk: Desk, url: str = "/admin/") -> list[Node]:
    return desk.page(url).all("div", data_worker_silent="")


def test_a_silent_worker_is_told_to_all_staff_and_to_the_machine(app: Flask, owner: Desk, cast: Cast) -> None:
    visitor = app.test_client()
    assert bar(owner) == [], "no worker has run yet, or all were ended properly"
    assert visitor.get("/readyz").status_code == 200
    heard(app, killed=290)
    assert bar(owner) == []
    heard(app, older=86_000)
    assert bar(owner) == [], "another one is alive"
    assert visitor.get("/readyz").text == "ok\n"
    with make.scene(app):
        db.session.query(Heartbeat).filter_by(worker="killed").update({"seen_at": now() - timedelta(seconds=310)})
    auditor = people_of.log_in(app.test_client(), cast.auditor)
    for desk in (owner, auditor):
        for url in ("/admin/", "/admin/clients/"):
            [said] = bar(desk, url)
            assert "no letter is sent and no deadline carried out" in said.text
    answer = visitor.get("/readyz")
    assert (answer.status_code, answer.text) == (503, "fail\nworker\n")
    assert visitor.get("/healthz").status_code == 200
    heard(app, started_again=1)
    assert bar(owner) == []
    assert visitor.get("/readyz").text == "ok\n"

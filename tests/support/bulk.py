"""Bulk actions as staff do them: choose, read the question, press the button."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from flask import Flask
from werkzeug.test import TestResponse

from extensions import db
from models import AuditEvent, BulkChange
from tests.cast import Desk
from tests.support import page as pages
from tests.support.page import Node

ACTION = "/admin/clients/action/"
UNDO = "/admin/clients/bulk-changes/undo/"


def tick(desk: Desk, action: str, *ids: int, **fields: Any) -> Node:
    """The page that the action leads to for these rows."""
    return desk.follow(desk.post(ACTION, [("action", action), *(("rowid", str(one)) for one in ids), *fields.items()]))


def all_that_match(desk: Desk, action: str, query: str = "") -> Node:
    return desk.follow(desk.post(f"{ACTION}?{query}", action=action, all="1"))


def press(desk: Desk, page: Node, **fields: Any) -> TestResponse:
    """Press the button of the confirmation."""
    return desk.post("/admin/clients/bulk/", {**pages.values(page), **fields})


def said(desk: Desk, page: Node, **fields: Any) -> list[tuple[str, str]]:
    """Press the button of the confirmation; what is said then."""
    return pages.messages(desk.follow(press(desk, page, **fields)))[-1:]


def question(page: Node) -> str:
    return page.one("form", class_="form-page").text


def lines(page: Node) -> list[str]:
    return [line.text for line in page.one(class_="impact").all("li")]


def last_change(app: Flask) -> int:
    with app.app_context():
        return db.session.scalars(sa.select(BulkChange.id).order_by(BulkChange.id.desc()).limit(1)).one()


def undo(desk: Desk, change: int) -> list[tuple[str, str]]:
    """Take a bulk change back; what is said then."""
    return pages.messages(desk.follow(desk.post(UNDO, id=change)))[-1:]


def events(app: Flask, change: int, module: str = "clients") -> dict[int, tuple[dict[str, Any], dict[str, Any]]]:
    """What the audit tells of a bulk change: old and new values by record."""
    with app.app_context():
        found = db.session.scalars(
            sa.select(AuditEvent).where(AuditEvent.bulk_change_id == change, AuditEvent.module == module)
        )
        return {event.record_id or 0: (dict(event.before), dict(event.after)) for event in found}

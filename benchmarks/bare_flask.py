"""The limit: a bare Flask application with the best hand-written SQL and one plain table of the same rows.

It has what no list can do without: a session cookie, one look-up of who is logged in, 50 rows with their
badges escaped into a table. It uses the product's tables and indexes.
"""

from __future__ import annotations

import os
import re
import sqlite3
import threading
from typing import Any

import psycopg
from flask import Flask, Response, abort, redirect, render_template_string, request, session
from sqlalchemy.engine import make_url

COLUMNS = """
SELECT c.id, c.name, c.owner_username, c.email, c.country, c.registered_at, c.is_suspended,
    c.referrer_id IS NOT NULL OR c.affiliate_program_id IS NOT NULL AS is_referred,
    h.code, p.name AS project,
    (SELECT sum(points) FROM penalty_points n WHERE n.client_id = c.id AND n.expires_at > :now) AS points
FROM ({ids}) page
JOIN clients c ON c.id = page.id
JOIN projects p ON p.id = c.project_id
JOIN characterizations h ON h.id = c.characterization_id
ORDER BY {order}
"""
BY_ID, BY_TIME = "c.id DESC", "c.registered_at DESC, c.id DESC"
LIVING = "FROM clients WHERE deleted_at IS NULL"
MEMBERS = "JOIN clients c ON c.id = m.client_id AND c.deleted_at IS NULL"
# How the ids of each case's page are found, and how it is sorted.
PAGES = {
    "a": (f"SELECT id {LIVING} ORDER BY id DESC LIMIT 50", BY_ID),
    "b": (f"SELECT id {LIVING} AND id < :after ORDER BY id DESC LIMIT 50", BY_ID),
    "c": (
        (
            f"SELECT id {LIVING} AND project_id = :project AND characterization_id = :characterization "
            "ORDER BY registered_at DESC, id DESC LIMIT 50"
        ),
        BY_TIME,
    ),
    "d": (f"SELECT id {LIVING} AND search_text LIKE :like ORDER BY id DESC LIMIT 50", BY_ID),
    "e": (
        (
            f"SELECT DISTINCT m.client_id AS id FROM services m {MEMBERS} "
            "WHERE m.product_id = :product AND m.status = 'active' ORDER BY m.client_id DESC LIMIT 50"
        ),
        BY_ID,
    ),
    "f": (
        (
            f"SELECT m.client_id AS id FROM client_group_members m {MEMBERS} "
            "WHERE m.group_id = :group ORDER BY m.client_id DESC LIMIT 50"
        ),
        BY_ID,
    ),
}
SQLITE_SEARCH = "SELECT rowid AS id FROM client_search WHERE client_search MATCH :match ORDER BY rowid DESC LIMIT 50"
WHO = "SELECT id, username, full_name FROM staff WHERE id = :id"
EDIT = "UPDATE clients SET note = :note, row_version = row_version + 1 WHERE id = :id"
CHANGE = """UPDATE clients SET characterization_id = :characterization, characterization_by_id = :staff,
characterization_at = :now, characterization_reason = '', row_version = row_version + 1
WHERE deleted_at IS NULL AND characterization_id <> :characterization AND {chosen}"""
TEMPLATE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Clients</title></head><body>
<p>{{ who }}</p>
<table><thead><tr><th>Code<th>Name<th>Properties<th>E-mail<th>Project<th>Country<th>Registered</tr></thead><tbody>
{% for row in rows %}<tr data-id="{{ row[0] }}"><td>{{ row[0] }}</td><td>{{ row[1] }} ({{ row[2] }})</td><td>
{%- if row[8] != "ordinary" %}<span class="badge">{{ row[8] }}</span>{% endif -%}
{%- if row[7] %}<span class="badge">referred</span>{% endif -%}
{%- if row[10] %}<span class="badge">{{ row[10] }} points</span>{% endif -%}
{%- if row[6] %}<span class="badge">suspended</span>{% endif -%}
</td><td>{{ row[3] }}</td><td>{{ row[9] }}</td><td>{{ row[4] }}</td><td>{{ row[5] }}</td></tr>
{% endfor %}</tbody></table></body></html>
"""


class Database:
    """One connection per thread to the database of `url`, statements prepared once."""

    def __init__(self, url: str) -> None:
        self.url = make_url(url)
        self.is_sqlite = self.url.drivername == "sqlite"
        self._kept = threading.local()

    def statement(self, case: str) -> str:
        ids, order = PAGES["d" if case == "d2" else case]
        if self.is_sqlite and case in {"d", "d2"}:
            ids = SQLITE_SEARCH
        return COLUMNS.format(ids=ids, order=order)

    def all(self, sql: str, values: dict[str, Any]) -> list[Any]:
        return self.execute(sql, values).fetchall()

    def change(self, sql: str, values: dict[str, Any]) -> int:
        """Carry out a change; how many rows it touched."""
        return int(self.execute(sql, values).rowcount)

    def execute(self, sql: str, values: dict[str, Any]) -> Any:
        if not hasattr(self._kept, "connection"):
            self._kept.connection = self._connect()
        if self.is_sqlite:
            return self._kept.connection.execute(sql, values)
        return self._kept.connection.execute(re.sub(r":(\w+)", r"%(\1)s", sql), values, prepare=True)

    def close(self) -> None:
        """Close this thread's connection."""
        if hasattr(self._kept, "connection"):
            self._kept.connection.close()
            del self._kept.connection

    def _connect(self) -> Any:
        if self.is_sqlite:
            connection = sqlite3.connect(str(self.url.database), isolation_level=None)
            connection.execute("PRAGMA cache_size=-65536")
            connection.execute("PRAGMA synchronous=NORMAL")
            connection.execute("PRAGMA busy_timeout=30000")
            # The generated column of the search text is made with it.
            connection.create_function("lower", 1, lambda text: text and text.lower(), deterministic=True)
            return connection
        name = self.url.set(drivername="postgresql").render_as_string(hide_password=False)
        return psycopg.connect(name, autocommit=True)


def bound(case: str, given: dict[str, str], now: str) -> dict[str, Any]:
    """The values of a case's statement, from the parameters of its address."""
    search = given.get("search", "")
    values: dict[str, dict[str, Any]] = {
        "b": {"after": given.get("after")},
        "c": {"project": given.get("project"), "characterization": given.get("characterization")},
        "d": {"like": f"%{search.lower()}%", "match": f'search_text : "{search}"'},
        "e": {"product": given.get("product")},
        "f": {"group": given.get("group")},
    }
    chosen = values.get("d" if case == "d2" else case, {})
    numbers = {name: int(value) if name not in {"like", "match"} else value for name, value in chosen.items()}
    return {"now": now, **numbers}


def create_app() -> Flask:
    """The application for DATABASE_URL; BARE_STAFF logs in, BARE_NOW is the time, BARE_KEY signs cookies."""
    app = Flask(__name__)
    app.secret_key = os.environ["BARE_KEY"]
    database = app.extensions["database"] = Database(os.environ["DATABASE_URL"])
    template = app.jinja_env.from_string(TEMPLATE)
    moment = os.environ["BARE_NOW"]

    def who() -> Any:
        found = database.all(WHO, {"id": session.get("staff", 0)})
        return found[0] if found else abort(403)

    @app.get("/login")
    def login() -> Any:
        session["staff"] = int(os.environ["BARE_STAFF"])
        return redirect("/clients/a")

    @app.get("/clients/<case>")
    def clients(case: str) -> str:
        staff = who()
        rows = database.all(database.statement(case), bound(case, request.args.to_dict(), moment))
        return template.render(rows=rows, who=staff[1])

    @app.post("/edit")
    def edit() -> Response:
        who()
        database.change(EDIT, {"id": int(request.form["id"]), "note": request.form["note"]})
        return Response(render_template_string("{{ note }}", note=request.form["note"]))

    @app.post("/change")
    def change() -> Response:
        staff = who()
        ids = ", ".join(str(int(text)) for text in request.form.getlist("id"))
        values = {"characterization": int(request.form["characterization"]), "staff": staff[0], "now": moment}
        database.change(CHANGE.format(chosen=f"id IN ({ids})"), values)
        return Response("changed")

    return app

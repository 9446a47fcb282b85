"""What is measured: cases, and the applications that can be asked for each of them.

A further application is one more Application, named in benchmarks/run.py; a further case is one more line in
`cases`, and its address or statement in each application.
"""

from __future__ import annotations

import secrets
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import urlencode

import sqlalchemy as sa

from admin_views.listing import encode_cursor
from benchmarks import bare_flask
from benchmarks.databases import Filled
from benchmarks.fill import RARE_NAME, USERNAME
from benchmarks.servers import Answer, Failed, Server, Visitor, token_of

DEPTH = 0.9
# The clock of the bare pages, for what has not faded yet.
BARE_NOW = "2030-01-01 00:00:00.000000"


@dataclass(frozen=True)
class Case:
    """`parameters` are those of the product's list; `is_write` cases come last and change a client's note."""

    code: str
    title: str
    parameters: dict[str, str]
    after: int | None = None
    is_write: bool = False


def cases(filled: Filled) -> list[Case]:
    """All cases, with ids of what is in the middle of each kind."""
    engine = sa.create_engine(filled.url)
    with engine.connect() as connection:
        project = connection.scalar(sa.text("SELECT min(id) + 1 FROM projects"))
        good = connection.scalar(sa.text("SELECT id FROM characterizations WHERE code = 'good'"))
        product = connection.scalar(sa.text("SELECT min(id) + 7 FROM products"))
        group = connection.scalar(sa.text("SELECT min(id) + 4 FROM client_groups"))
    engine.dispose()
    newest_good = {"project": str(project), "characterization": str(good), "sort": "-registered_at"}
    # The list begins with the highest code, so nine tenths of it are above a tenth of the codes.
    after = round(filled.clients * (1 - DEPTH))
    return [
        Case("a", "first page", {}),
        Case("b", "page at 90 % of the rows", {}, after=after),
        Case("c", "project and characterization, newest first", newest_good),
        Case("d", "search «ivan»", {"search": "ivan"}),
        Case("d2", "search with one hit", {"search": RARE_NAME.split()[1].lower()}),
        Case("e", "has a product active", {"product": str(product)}),
        Case("f", "in a group", {"group": str(group)}),
        Case("g", "one inline edit", {}, is_write=True),
    ]


class Application(ABC):
    """Something that is served and visited: `factory` is what gunicorn serves."""

    name: ClassVar[str]
    factory: ClassVar[str]

    def __init__(self, filled: Filled, *, workers: int) -> None:
        """Start serving, and log in."""
        environ = {"DATABASE_URL": filled.url, "DATA_DIR": str(filled.data_dir), **self.environ(filled)}
        self.server = Server(self.name, self.factory, environ, workers=workers)
        self.visitor = Visitor(self.server)
        try:
            self.log_in(filled)
        except BaseException:
            self.stop()
            raise

    def environ(self, filled: Filled) -> dict[str, str]:
        """What the application has to be told besides the database."""
        return {}

    @abstractmethod
    def log_in(self, filled: Filled) -> None:
        """Give the visitor the cookies of somebody who may see the list."""

    @abstractmethod
    def visit(self, case: Case, client_id: int, number: int) -> Answer:
        """Ask for the page of `case`; a write gives the note of client `client_id` the `number`."""

    def stop(self) -> None:
        self.visitor.close()
        self.server.stop()


class Product(Application):
    """Clientdesk itself, as its staff member `bench` sees it, with all that the owner may."""

    name = "Clientdesk"
    factory = "app:create_app()"

    def log_in(self, filled: Filled) -> None:
        form = self.visitor.get("/admin/login")
        fields = {"username": USERNAME, "password": filled.password, "csrf_token": token_of(form)}
        answer = self.visitor.post("/admin/login", fields)
        if answer.status != 302:
            raise Failed(f"the login answered {answer.status}")
        self._token = token_of(self.visitor.get("/admin/clients/"))

    def visit(self, case: Case, client_id: int, number: int) -> Answer:
        if case.is_write:
            fields = {"list_form_pk": str(client_id), "note": f"Note {number}", "csrf_token": self._token}
            return self.visitor.post("/admin/clients/ajax/update/", fields)
        return self.visitor.get(product_address(case))


def product_address(case: Case) -> str:
    cursor = {} if case.after is None else {"after": encode_cursor([case.after])}
    return f"/admin/clients/?{urlencode({**case.parameters, **cursor})}"


class BareFlask(Application):
    """The limit."""

    name = "bare Flask"
    factory = "benchmarks.bare_flask:create_app()"

    def environ(self, filled: Filled) -> dict[str, str]:
        return {"BARE_NOW": BARE_NOW, "BARE_STAFF": _staff_id(filled), "BARE_KEY": secrets.token_hex()}

    def log_in(self, filled: Filled) -> None:
        self.visitor.get("/login")

    def visit(self, case: Case, client_id: int, number: int) -> Answer:
        if case.is_write:
            return self.visitor.post("/edit", {"id": str(client_id), "note": f"Note {number}"})
        return self.visitor.get(bare_address(case))


def bare_address(case: Case) -> str:
    return f"/clients/{case.code}?{urlencode(bare_parameters(case))}"


def bare_parameters(case: Case) -> dict[str, Any]:
    return {**case.parameters, **({} if case.after is None else {"after": str(case.after)})}


def _staff_id(filled: Filled) -> str:
    engine = sa.create_engine(filled.url)
    with engine.connect() as connection:
        found = connection.scalar(sa.text("SELECT id FROM staff WHERE username = :name"), {"name": USERNAME})
    engine.dispose()
    return str(found)


class SqlAlone:
    """The limit's statement without anything around it, in this process."""

    name = "SQL alone"

    def __init__(self, filled: Filled) -> None:
        self._database = bare_flask.Database(filled.url)

    def close(self) -> None:
        self._database.close()

    def run(self, case: Case) -> list[Any]:
        values = bare_flask.bound(case.code, bare_parameters(case), BARE_NOW)
        return self._database.all(self._database.statement(case.code), values)

"""Who is measured: each is served by gunicorn, logged in to, and asked for the same pages and changes."""

from __future__ import annotations

import re
import secrets
from abc import ABC, abstractmethod
from collections.abc import Sequence
from http.client import HTTPException
from typing import Any, ClassVar
from urllib.parse import urlencode

import sqlalchemy as sa

from admin_views.listing import encode_cursor
from benchmarks import bare_flask
from benchmarks.cases import PAGE, Case
from benchmarks.databases import Filled, run
from benchmarks.fill import USERNAME
from benchmarks.servers import Answer, Failed, Server, Visitor, token_of

# The clock of pages other than the product's own, for what has not faded yet.
NOW = "2030-01-01 00:00:00.000000"


class Application(ABC):
    """Something that is served and visited: `factory` is what gunicorn serves, `row` finds a row's id in its pages."""

    name: ClassVar[str]
    factory: ClassVar[str]
    row: ClassVar[re.Pattern[str]]

    def __init__(self, filled: Filled, *, workers: int = 1, suffix: str = "") -> None:
        """Start serving, and log in. `suffix` goes behind the name, which tells two of a kind apart."""
        self.filled, self.label = filled, self.name + suffix
        self.environ = {"DATABASE_URL": filled.url, "DATA_DIR": str(filled.data_dir), **self.told()}
        self.prepare()
        self.server = Server(self.label, self.factory, self.environ, workers=workers)
        self.visitor = Visitor(self.server)
        try:
            self.log_in()
        except BaseException as error:
            self.stop()
            if isinstance(error, OSError | HTTPException):
                # The worker ended; why stands in its log.
                raise Failed(f"{self.label} does not answer:\n{self.server.log()}") from error
            raise

    def told(self) -> dict[str, str]:
        """What the application has to be told besides the database."""
        return {}

    def prepare(self) -> None:  # noqa: B027  Most need nothing.
        """What must be in the database before the application starts."""

    @abstractmethod
    def log_in(self) -> None:
        """Give the visitor the cookies of somebody who may see the list."""

    @abstractmethod
    def address(self, case: Case) -> str:
        """Where the page of `case` is."""

    @abstractmethod
    def edit(self, client_id: int, number: int) -> None:
        """Change one cell of one client's row in place, to something with `number` in it."""

    @abstractmethod
    def change(self, ids: Sequence[int], characterization: int) -> None:
        """Give the clients `ids`, rows of the first page, that characterization."""

    def page(self, case: Case) -> Answer:
        return checked(self.visitor.get(self.address(case)))

    def rows(self, answer: Answer) -> list[int]:
        """The ids of a page's rows, in its order."""
        return [int(number) for number in self.row.findall(answer.text)]

    def stop(self) -> None:
        self.visitor.close()
        self.server.stop()


class Product(Application):
    """Clientdesk itself, as its staff member `bench` sees it, with all that the owner may."""

    name = "Clientdesk"
    factory = "app:create_app()"
    row = re.compile(r'<tr[^>]*\bdata-id="(\d+)"')

    def log_in(self) -> None:
        log_in(self.visitor, "/admin/login", password=self.filled.password)
        self.token = token_of(self.visitor.get("/admin/clients/"))

    def address(self, case: Case) -> str:
        return product_address(case)

    def edit(self, client_id: int, number: int) -> None:
        fields = {"list_form_pk": str(client_id), "note": f"Note {number}", "csrf_token": self.token}
        checked(self.visitor.post("/admin/clients/ajax/update/", fields))

    def change(self, ids: Sequence[int], characterization: int) -> None:
        ticked = [("rowid", str(number)) for number in ids]
        self.confirm(self.confirmation(self.choose("", ticked)), characterization)

    # The three steps of a bulk change

    def choose(self, query: str, ticked: Sequence[tuple[str, str]]) -> str:
        """Press the button of the action; returns where the confirmation is."""
        fields = [("action", "set_characterization"), ("csrf_token", self.token), *ticked]
        return led_on(self.visitor.post(f"/admin/clients/action/?{query}", fields))

    def confirmation(self, address: str) -> tuple[str, list[tuple[str, str]]]:
        """Look at the confirmation: its address, and what its form carries along."""
        page = checked(self.visitor.get(address))
        form = next((text for text in page.text.split("<form") if 'name="selection"' in text), None)
        if form is None:
            raise Failed(f"no confirmation at {address}")
        hidden = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form.partition("</form>")[0])
        return address, [(name, value) for name, value in hidden if name != "csrf_token"]

    def confirm(self, asked: tuple[str, list[tuple[str, str]]], characterization: int) -> None:
        address, hidden = asked
        fields = [*hidden, ("characterization", str(characterization)), ("csrf_token", self.token)]
        led_on(self.visitor.post(address, fields))


class BareFlask(Application):
    """The limit."""

    name = "bare Flask"
    factory = "benchmarks.bare_flask:create_app()"
    row = re.compile(r'<tr data-id="(\d+)"')

    def told(self) -> dict[str, str]:
        return {"BARE_NOW": NOW, "BARE_STAFF": str(staff_id(self.filled)), "BARE_KEY": secrets.token_hex()}

    def log_in(self) -> None:
        led_on(self.visitor.get("/login"))

    def address(self, case: Case) -> str:
        return bare_address(case)

    def edit(self, client_id: int, number: int) -> None:
        checked(self.visitor.post("/edit", {"id": str(client_id), "note": f"Note {number}"}))

    def change(self, ids: Sequence[int], characterization: int) -> None:
        fields = [("id", str(number)) for number in ids]
        checked(self.visitor.post("/change", [*fields, ("characterization", str(characterization))]))


class FlaskAdmin(Application):
    """Flask-Admin as it comes, with the same columns, filters, search, inline editing and a bulk action."""

    name = "Flask-Admin"
    factory = "benchmarks.stock_flask_admin:create_app()"
    row = re.compile(r'name="rowid"[^>]*value="(\d+)"')
    # Filters are numbered in the order in which the view names them.
    FILTERS = ("project", "characterization", "product", "group")

    def told(self) -> dict[str, str]:
        return {"STOCK_NOW": NOW, "STOCK_KEY": secrets.token_hex()}

    def log_in(self) -> None:
        log_in(self.visitor, "/login", password=self.filled.password)

    def address(self, case: Case) -> str:
        given: dict[str, Any] = {"page": case.skipped // PAGE} if case.skipped else {}
        if case.is_newest_first:
            given |= {"sort": 6, "desc": 1}
        for place, (name, value) in enumerate(case.parameters.items()):
            given["search" if name == "search" else f"flt{place}_{self.FILTERS.index(name)}"] = value
        return f"/admin/client/?{urlencode(given)}"

    def edit(self, client_id: int, number: int) -> None:
        checked(
            self.visitor.post("/admin/client/ajax/update/", {"list_form_pk": str(client_id), "note": f"Note {number}"})
        )

    def change(self, ids: Sequence[int], characterization: int) -> None:
        fields = [("action", f"characterize_{characterization}"), ("url", "/admin/client/")]
        led_on(self.visitor.post("/admin/client/action/", [*fields, *(("rowid", str(number)) for number in ids)]))


class Django(Application):
    """Django's admin, tuned: see benchmarks/tuned_django/admin.py for what was done."""

    name = "Django, tuned"
    factory = "benchmarks.tuned_django.wsgi:application"
    row = re.compile(r'name="_selected_action" value="(\d+)"')
    LIST = "/admin/tuned_django/client/"

    def told(self) -> dict[str, str]:
        settings = {"DJANGO_SETTINGS_MODULE": "benchmarks.tuned_django.settings", "DJANGO_NOW": NOW}
        return {**settings, "DJANGO_KEY": secrets.token_hex(32)}

    def prepare(self) -> None:
        run("-m", "django", "migrate", "--verbosity=0", environ=self.environ)
        staff = {"DJANGO_SUPERUSER_USERNAME": USERNAME, "DJANGO_SUPERUSER_PASSWORD": self.filled.password}
        run("-m", "django", "createsuperuser", "--noinput", "--email=", environ={**self.environ, **staff})

    def log_in(self) -> None:
        log_in(self.visitor, "/admin/login/", password=self.filled.password)
        self._first = self.page(Case("a", "", {}))

    def address(self, case: Case) -> str:
        names = {"project": "project__id__exact", "characterization": "characterization__id__exact", "search": "q"}
        given: dict[str, Any] = {names.get(name, name): value for name, value in case.parameters.items()}
        if case.skipped:
            given["p"] = case.skipped // PAGE + 1
        if case.is_newest_first:
            given["o"] = "-7"
        return f"{self.LIST}?{urlencode(given)}"

    def edit(self, client_id: int, number: int) -> None:
        """Save the editable column of the first page with one row changed: Django has a form about the whole page."""
        places = re.findall(r'name="form-(\d+)-id" value="(\d+)"', self._first.text)
        emails = dict(re.findall(r'name="form-(\d+)-email" value="([^"]*)"', self._first.text))
        changed = str(client_id % len(places))
        fields = [("form-TOTAL_FORMS", str(len(places))), ("form-INITIAL_FORMS", str(len(places)))]
        for place, row in places:
            email = f"changed.{number}@example.com" if place == changed else emails[place]
            fields += [(f"form-{place}-id", row), (f"form-{place}-email", email)]
        led_on(self.visitor.post(self.LIST, [*fields, ("_save", "Save"), self._token()]))

    def _token(self) -> tuple[str, str]:
        return "csrfmiddlewaretoken", token_of(self._first)

    def change(self, ids: Sequence[int], characterization: int) -> None:
        self._act([("_selected_action", str(number)) for number in ids], characterization, query="")

    def change_all(self, query: str, any_id: int, characterization: int) -> None:
        """The same for all rows that match `query`."""
        self._act([("_selected_action", str(any_id)), ("select_across", "1")], characterization, query=query)

    def _act(self, ticked: list[tuple[str, str]], characterization: int, *, query: str) -> None:
        fields = [("action", f"characterize_{characterization}"), ("index", "0"), *ticked, self._token()]
        led_on(self.visitor.post(f"{self.LIST}?{query}", fields))


class SqlAlone:
    """The limit's statement without anything around it, in this process."""

    name = "SQL alone"

    def __init__(self, filled: Filled, *, suffix: str = "") -> None:
        self.label = self.name + suffix
        self._database = bare_flask.Database(filled.url)

    def close(self) -> None:
        self._database.close()

    def run(self, case: Case) -> list[Any]:
        values = bare_flask.bound(case.code, bare_parameters(case), NOW)
        return self._database.all(self._database.statement(case.code), values)


def product_address(case: Case) -> str:
    more = {"sort": "-registered_at"} if case.is_newest_first else {}
    if case.after is not None:
        more["after"] = encode_cursor([case.after])
    return f"/admin/clients/?{urlencode({**case.parameters, **more})}"


def bare_address(case: Case) -> str:
    return f"/clients/{case.code}?{urlencode(bare_parameters(case))}"


def bare_parameters(case: Case) -> dict[str, Any]:
    return {**case.parameters, **({} if case.after is None else {"after": str(case.after)})}


def log_in(visitor: Visitor, address: str, *, password: str) -> None:
    """Send the login form that stands at `address`, with its token if it has one."""
    page = checked(visitor.get(address))
    names = {"csrf_token", "csrfmiddlewaretoken"} & set(re.findall(r'name="(csrf\w+)"', page.text))
    fields = {"username": USERNAME, "password": password, **{name: token_of(page) for name in names}}
    led_on(visitor.post(address, fields))


def checked(answer: Answer) -> Answer:
    if answer.status != 200:
        raise Failed(f"status {answer.status}, {answer.location}:\n{answer.text[:2000]}")
    return answer


def led_on(answer: Answer) -> str:
    """Where a change that went well leads."""
    if answer.status not in {302, 303}:
        raise Failed(f"status {answer.status}, where another address was expected:\n{answer.text[:2000]}")
    return answer.location


def staff_id(filled: Filled) -> int:
    engine = sa.create_engine(filled.url)
    with engine.connect() as connection:
        found = connection.scalar(sa.text("SELECT id FROM staff WHERE username = :name"), {"name": USERNAME})
    engine.dispose()
    return int(found)

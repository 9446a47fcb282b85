"""Who may call which address: tests/house/matrix.txt says it, and every role tries every line of it.

A line is `METHOD address who`. Who is `anyone`; `staff`, or the permission that staff need; `client`, or
`client.<area>` for client users with the right to an area; `nobody` where a module does not offer it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from extensions import db
from models import ClientUser, Role
from tests import cast as people_of
from tests.cast import ROLES, Cast, Desk
from web.requests import policy_for

MATRIX = Path(__file__).with_name("matrix.txt")
REFUSED = {401, 403}
UNKNOWN = str(2**31 - 1)
# What an address may answer to a question that makes no sense, once it has let somebody in.
SENSELESS = {400, 404, 409, 410}


class Line(NamedTuple):
    method: str
    address: str
    who: str

    @property
    def module(self) -> str:
        return self.address.split("/")[2] if self.address.startswith("/admin/") else ""

    @property
    def page(self) -> str:
        """What comes after the module: `edit/`, `ajax/update/`, nothing for the list."""
        return self.address.partition(f"/{self.module}/")[2]


def matrix() -> list[Line]:
    lines = MATRIX.read_text(encoding="utf-8").splitlines()
    return [Line(*line.split()) for line in lines if line and not line.startswith("#")]


def demanded(app: Flask, method: str, endpoint: str) -> str:
    """What the code itself says of an address, in the words of the matrix."""
    with app.test_request_context("/", method=method):
        policy = policy_for(app, endpoint)
    assert policy is not None, f"{endpoint} does not say who may call it"
    if policy.audience == "client" and policy.area:
        return f"client.{policy.area}"
    return policy.permission or policy.audience


def routes(app: Flask) -> dict[tuple[str, str], str]:
    return {
        (method, rule.rule): demanded(app, method, rule.endpoint)
        for rule in app.url_map.iter_rules()
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
    }


# What is written


@pytest.mark.engine("sqlite")
def test_every_route_declares_its_policy_and_stands_in_the_matrix(app: Flask) -> None:
    written = {(line.method, line.address): line.who for line in matrix()}
    real = routes(app)
    missing = [
        f"{method} {address} {real[method, address]}" for method, address in sorted(real.keys() - written.keys())
    ]
    assert not missing, "these lines are not in matrix.txt; is it so that they are meant?\n" + "\n".join(missing)
    gone = [" ".join(line) for line in sorted(written.keys() - real.keys())]
    assert not gone, "these lines of matrix.txt are of no address any more:\n" + "\n".join(gone)
    different = [
        f"{' '.join(key)}: written {who}, demanded {real[key]}"
        for key, who in written.items()
        if who not in {"nobody", real[key]}
    ]
    assert not different, "\n".join(different)


@pytest.mark.engine("sqlite")
def test_a_route_that_says_nothing_answers_nobody(make_app: Callable[..., Flask]) -> None:
    app = make_app()
    app.add_url_rule("/forgotten", "forgotten", lambda: "secret")
    app.add_url_rule("/admin/forgotten", "admin_forgotten", lambda: "secret")
    owner = people_of.log_in(app.test_client(), people_of.perform(app).owner)
    for url in ("/forgotten", "/admin/forgotten"):
        assert owner.get(url).status_code == 403
        assert "secret" not in owner.get(url).text


def test_anyone_is_said_of_few_addresses() -> None:
    """The list is written out, so that nothing joins it unseen."""
    assert {line.address for line in matrix() if line.who == "anyone"} <= {
        "/", "/healthz", "/readyz", "/metrics", "/static/<path:filename>", "/admin/login", "/admin/login/code",
        "/admin/language", "/login", "/language", "/reset-password", "/reset-password/sent", "/reset-password/set",
        "/unsubscribe/<token>", "/unsubscribe/<token>/undo", "/confirm-email",
    }  # fmt: skip


def test_the_seeded_roles_hold_what_they_are_for(app: Flask) -> None:
    with app.app_context():
        held = {role.name: set(role.permissions) for role in db.session.scalars(sa.select(Role))}
    assert set(held) == {"Owner", "Manager", "Support", "Accountant", "Auditor"}
    everything = held["Owner"]
    assert "clients.login_as_spend" not in set().union(*held.values()), "nobody spends in a client's name by default"
    assert all(rights <= everything for rights in held.values())
    money = {"accounts.view", "invoices.view", "payments.view", "expenses.view", "acts.view"}
    assert {"clients.create", "clients.edit", "clients.message_all", "tickets.edit", "services.edit", *money} <= held[
        "Manager"
    ]
    assert not {"staff.edit", "roles.edit", "settings.edit", "money.post", "payments.create"} & held["Manager"]
    assert {"clients.view", "clients.edit", "tickets.edit", "clients.message", "clients.login_as"} <= held["Support"]
    assert not {"clients.create", "clients.delete", "clients.export", "clients.message_all", *money} & held["Support"]
    assert {"clients.view", "money.post", "payments.create", "invoices.edit", *money} <= held["Accountant"]
    assert not {"clients.edit", "clients.login_as", "clients.message", "staff.view"} & held["Accountant"]
    assert {right.rpartition(".")[2] for right in held["Auditor"]} == {"view"}
    assert {f"{line.module}.view" for line in matrix() if line.page == "" and line.module} - {"login.view"} >= {
        "clients.view"
    }


# What is done


def filled(line: Line, cast: Cast) -> str:
    """The address with the parts that it asks for, about records that there are."""
    url = line.address.replace("<export_type>", "csv").replace("<path:filename>", "css/clientdesk.css")
    for part in ("<int:number>", "<int:batch_id>", "<int:file_number>"):
        url = url.replace(part, str(number_for(line, cast)) if part == "<int:number>" else "1")
    of_one = {
        "details/", "edit/", "delete/", "link/", "owner/", "password/", "totp/", "case-file/", "case-file/pdf/",
        "erase/", "merge/",
    }  # fmt: skip
    if line.method == "GET" and line.page in of_one:
        url += f"?id={number_for(line, cast)}"
    return url.replace("<token>", "none")


def number_for(line: Line, cast: Cast) -> int:
    if "/sessions/" in line.address:
        return int(UNKNOWN)  # Not the one that the test itself has.
    if line.address.startswith("/panel/"):
        return cast.b.records.get(line.address.split("/")[2], 1)
    return cast.record(line.module)


def call(desk: Desk, line: Line, cast: Cast) -> TestResponse:
    url = filled(line, cast)
    if line.method == "GET":
        return desk.get(url)
    fields = (
        {"list_form_pk": UNKNOWN, editable(desk.app, line.module): ""}
        if line.page == "ajax/update/"
        else {"id": UNKNOWN}
    )
    return desk.post(url, fields)


def editable(app: Flask, module: str) -> str:
    """A column that is edited in place; of clients one that all may edit who may edit any."""
    columns = app.extensions["desk_views"][module].column_editable_list
    return "note" if module == "clients" else next(iter(columns or ()), "id")


def needs_more(line: Line) -> bool:
    """Whether the address asks for something that this test does not give it: then 404 is an answer, too."""
    return (
        line.method == "POST"
        or line.page.startswith(
            (
                "ajax/",
                "bulk/",
                "bulk-changes/undo/",
                "merge/undo/",
                "import/",
                "file/",
                "recipients/",
                "notes/",
                "many/",
                "points/",
            )
        )
        or line.address.endswith((".json", "/files/<int:file_number>/"))
        or "progress" in line.address
        or line.address.startswith(("/unsubscribe/", "/admin/static/"))
    )


def judge(line: Line, answer: TestResponse, *, allowed: bool) -> str | None:
    """What is wrong with the answer, or None."""
    code = answer.status_code
    if not people_of.is_no_fault(answer):
        return f"{line.method} {line.address}: {code}, a fault"
    if not allowed:
        refused = REFUSED | {404} if line.who == "nobody" else REFUSED
        return None if code in refused else f"{line.method} {line.address}: {code} although not allowed"
    good = {200, 302} | (SENSELESS if needs_more(line) else set())
    return None if code in good else f"{line.method} {line.address}: {code} although allowed"


def leaves(line: Line) -> bool:
    """Whether the address ends the session that it is called with, so that it has to come last."""
    return line.address.endswith(("/logout", "/return"))


def try_all(desk: Desk, lines: list[Line], cast: Cast, allows: Callable[[str], bool]) -> list[str]:
    ordered = sorted(lines, key=leaves)
    found = [judge(line, call(desk, line, cast), allowed=allows(line.who)) for line in ordered if not leaves(line)]
    return [problem for problem in found if problem]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("role", ROLES)
@pytest.mark.engine("sqlite")
def test_every_role_gets_through_exactly_where_the_matrix_says(
    app: Flask, cast: Cast, log_in: Callable[[str], Desk], role: str
) -> None:
    with app.app_context():
        statement = sa.select(Role.permissions).where(sa.func.lower(Role.name) == role)
        held = {"staff", "anyone", *db.session.scalars(statement).one()}
    lines = [line for line in matrix() if line.address.startswith("/admin/") and line.who != "anyone"]
    problems = try_all(log_in(role), lines, cast, lambda who: who in held)
    assert not problems, "\n".join(problems)


@pytest.mark.timeout(300)
@pytest.mark.engine("postgresql")
def test_the_owner_opens_every_page_on_postgresql_too(cast: Cast, owner: Desk) -> None:
    lines = [line for line in matrix() if line.address.startswith("/admin/") and line.method == "GET"]
    problems = try_all(owner, lines, cast, lambda who: who != "nobody")
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize("area", ["", "finance", "services", "support", "users"])
@pytest.mark.engine("sqlite")
def test_a_client_user_enters_the_areas_he_was_given_and_no_other(app: Flask, cast: Cast, area: str) -> None:
    with app.app_context():
        db.session.get_one(ClientUser, cast.b.limited.id).permissions = [area] if area else []
        db.session.commit()
    limited = people_of.log_in(app.test_client(), cast.b.limited)
    lines = [line for line in matrix() if line.who.startswith("client") and line.address.startswith("/panel/")]
    problems = try_all(limited, lines, cast, lambda who: who in {"client", f"client.{area}"})
    assert not problems, "\n".join(problems)


@pytest.mark.engine("sqlite")
def test_the_owner_of_a_client_enters_all_areas(app: Flask, cast: Cast) -> None:
    desk = people_of.log_in(app.test_client(), cast.b.owner)
    lines = [line for line in matrix() if line.who.startswith("client") and line.address.startswith("/panel/")]
    problems = try_all(desk, lines, cast, lambda who: True)
    assert not problems, "\n".join(problems)


# Strangers


def stranger(client: FlaskClient) -> Desk:
    """A visitor who is not logged in, with the tokens that login pages give."""
    return Desk(client, "/login")


def refuses(line: Line, answer: TestResponse) -> str | None:
    """Anybody unknown is sent to a login page by a GET, and refused whatever else he sends."""
    if line.method == "GET" and answer.status_code == 302:
        login = "/admin/login" if line.address.startswith("/admin") else "/login"
        return None if answer.location.partition("?")[0] == login else f"{line.address} leads to {answer.location}"
    return None if answer.status_code in REFUSED else f"{line.method} {line.address}: {answer.status_code}"


@pytest.mark.timeout(300)
@pytest.mark.engine("sqlite")
def test_a_stranger_is_let_in_nowhere(app: Flask, cast: Cast) -> None:
    before = people_of.digest(app)
    panel, admin = Desk(app.test_client(), "/login"), Desk(app.test_client(), "/admin/login")
    problems = []
    for line in matrix():
        if line.who == "anyone":
            continue
        desk = admin if line.address.startswith("/admin") else panel
        problems.append(refuses(line, call(desk, line, cast)))
    assert not any(problems), "\n".join(filter(None, problems))
    assert people_of.digest(app) == before


@pytest.mark.timeout(300)
@pytest.mark.engine("sqlite")
def test_a_client_user_is_let_into_no_page_of_the_admin_nor_staff_into_the_panel(
    app: Flask, cast: Cast, owner: Desk
) -> None:
    """Each brings his own cookie under either name: it counts for its own side alone."""
    before = people_of.digest(app)
    user = people_of.log_in(app.test_client(), cast.b.owner)
    both = (("staff_session", user, "/admin/login"), ("client_session", owner, "/login"))
    problems = []
    for cookie, desk, login in both:
        own = desk.visitor.get_cookie("client_session") or desk.visitor.get_cookie("staff_session")
        assert own is not None
        visitor = app.test_client()
        visitor.set_cookie(cookie, own.value)
        other_side = Desk(visitor, login)
        begins = "/admin" if cookie == "staff_session" else "/panel"
        guarded = [line for line in matrix() if line.who != "anyone" and line.address.startswith(begins)]
        problems += [refuses(line, call(other_side, line, cast)) for line in guarded]
    assert not any(problems), "\n".join(filter(None, problems))
    assert people_of.digest(app) == before


def test_what_a_role_may_is_asked_at_every_request(app: Flask, cast: Cast, log_in: Callable[[str], Desk]) -> None:
    support = log_in("support")
    assert support.get("/admin/tickets/").status_code == 200
    with app.app_context():
        role = db.session.scalars(sa.select(Role).where(Role.name == "Support")).one()
        role.permissions = [right for right in role.permissions if not right.startswith("tickets.")]
        db.session.commit()
    assert support.get("/admin/tickets/").status_code == 403
    assert "/admin/tickets/" not in support.get("/admin/").text

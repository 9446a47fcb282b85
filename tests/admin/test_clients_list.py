"""The client list: what it shows, in which order, page by page, and what each filter leaves of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest
import sqlalchemy as sa
from flask import Flask

from extensions import Clock, db, now
from models import Client, ClientGroup, Product, Project, Staff
from tests import cast as people_of
from tests import factories as make
from tests.cast import Desk
from tests.support import page as pages
from tests.support.page import Node
from tests.support.people import Person

LIST = "/admin/clients/"


@pytest.fixture
def desk(app: Flask) -> Desk:
    """Somebody who may do everything with clients."""
    with make.scene(app):
        person = Person(make.staff("olga", people_of._seeded("owner")).id)
    return people_of.log_in(app.test_client(), person)


def day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.fixture
def known(app: Flask) -> dict[str, int]:
    """Six clients who differ in everything that can be asked for, by their names."""
    with make.scene(app):
        alpha, beta = make.project("Alpha"), make.project("Beta", currency="RUB")
        hosting, domain = make.product("Hosting", project=alpha), make.product("Domain", project=alpha)
        good, conflict = make.characterization("good"), make.characterization("conflict")
        ivan = make.client("Иван Петров", username="petrov", project=beta, language="ru", country="RU",
                           registered_at=day("2026-01-01T10:00"), characterization=good, email="ivan@mail.ru",
                           verified_phone="+79161234567")  # fmt: skip
        acme = make.client("Acme, Inc.", username="acme", project=alpha, legal_status="company", company_name="Acme Holding",
                           country="US", registered_at=day("2026-02-15T00:00"), email="office@acme.example")  # fmt: skip
        zoe = make.client("Zoë Çelik", username="zoe", project=alpha, country="DE", registered_at=day("2026-02-15T23:59"),
                          referrer=acme, characterization=conflict)  # fmt: skip
        hundred = make.client("100% _Sure_", username="hundred", project=alpha, country="DE", registered_at=day("2026-03-01T12:00"),
                              affiliate_program=make.program("Friends"), legal_status="sole_proprietor")  # fmt: skip
        stopped = make.client(
            "Stopped", username="stopped", project=alpha, country="FR", registered_at=day("2026-03-02T12:00")
        )
        gone = make.client(
            "Gone", username="gone", project=alpha, registered_at=day("2026-03-03T12:00"), deleted_at=now()
        )
        make.group("Wholesale", ivan, acme, gone)
        make.service(ivan, hosting)
        make.service(ivan, domain, "suspended")
        make.service(acme, domain)
        make.service(acme, domain)
        make.service(zoe, hosting, "deleted")
        make.service(stopped, hosting, "suspended")
        make.service(gone, hosting)
        make.points(ivan, 3)
        make.points(ivan, 4)
        make.points(acme, 5, expires_at=now() - timedelta(seconds=1))
        make.entry(ivan, "-150.50")
        make.entry(acme, "1000.00")
        make.entry(zoe, "0.01")
        return {
            "ivan": ivan.id,
            "acme": acme.id,
            "zoe": zoe.id,
            "hundred": hundred.id,
            "stopped": stopped.id,
            "gone": gone.id,
        }


def id_of(app: Flask, model: Any, name: str) -> int:
    with app.app_context():
        return db.session.scalars(sa.select(model.id).where(model.name == name)).one()


# What a row says


def test_the_columns_and_what_stands_in_them(desk: Desk, known: dict[str, int]) -> None:
    page = desk.page(LIST)
    assert pages.columns(page) == [
        "Code",
        "Name",
        "Properties",
        "E-mail",
        "Project",
        "Balance",
        "Active services",
        "Registered",
    ]
    ivan = known["ivan"]
    assert pages.cell(page, ivan, "Code").text == str(ivan)
    name = pages.cell(page, ivan, "Name")
    assert name.text == "Иван Петров (petrov)"
    assert name.one("a")["href"] == f"/admin/clients/details/?id={ivan}"
    assert pages.cell(page, ivan, "E-mail").text == "ivan@mail.ru"
    assert pages.cell(page, ivan, "Project").text == "Beta"
    assert "150.50" in pages.cell(page, ivan, "Balance").text
    assert "RUB" in pages.cell(page, ivan, "Balance").text
    assert "negative" in pages.cell(page, ivan, "Balance").one(class_="money")["class"]
    assert pages.cell(page, known["acme"], "Balance").text == "1,000.00 €"
    assert pages.cell(page, ivan, "Active services").text == "1"
    assert pages.cell(page, known["acme"], "Active services").text == "2"
    assert pages.cell(page, ivan, "Registered").text == "01.01.2026"


def test_the_badges_say_what_there_is_to_know_at_a_glance(desk: Desk, known: dict[str, int]) -> None:
    page = desk.page(LIST)

    def of(name: str) -> list[str]:
        return pages.badges(pages.cell(page, known[name], "Properties"))

    assert of("ivan") == ["good", "points"]
    assert of("acme") == [], "points that have faded are none"
    assert of("zoe") == ["conflict", "referred"]
    assert of("hundred") == ["referred"]
    assert of("stopped") == ["suspended"]
    points = pages.cell(page, known["ivan"], "Properties").one(data_badge="points")
    assert points.text == "7 points"
    for badge in page.all(class_="badge", data_badge=None):
        assert badge.text, "each has a text for screen readers"
        assert badge["title"]


def test_a_deleted_client_is_in_no_list(desk: Desk, known: dict[str, int]) -> None:
    assert known["gone"] not in desk.ids(LIST)
    assert desk.ids(f"{LIST}?id={known['gone']}") == []
    assert desk.ids(f"{LIST}?search=gone") == []


def test_an_empty_list_says_how_to_begin(desk: Desk) -> None:
    page = desk.page(LIST)
    assert pages.row_ids(page) == []
    assert "No clients yet" in page.one(class_="nothing").text
    assert page.one(class_="nothing").one("a")["href"] == "/admin/clients/new/"


# Which columns, how many rows: each person's own choice


def test_columns_are_chosen_by_each_for_himself_and_remembered(app: Flask, desk: Desk, known: dict[str, int]) -> None:
    wanted = ["id", "name", "contact_person", "verified_phone", "country", "language", "characterization", "note"]
    answer = desk.post("/admin/clients/columns/", [("columns", name) for name in [*wanted, "password_hash"]])
    page = desk.follow(answer)
    assert pages.columns(page) == [
        "Code", "Name", "Contact person", "Verified phone", "Country", "Language", "Characterization", "Note",
    ]  # fmt: skip
    assert pages.cell(page, known["ivan"], "Verified phone").text == "+7 916 123-45-67"
    assert pages.cell(page, known["ivan"], "Country").text == "Russia"
    with make.scene(app):
        colleague = Person(make.staff("boris", people_of._seeded("owner")).id)
    assert "Contact person" not in pages.columns(people_of.log_in(app.test_client(), colleague).page(LIST))
    again = people_of.log_in(app.test_client(), _person(app, "olga"))
    assert "Contact person" in pages.columns(again.page(LIST))
    desk.post("/admin/clients/columns/", [])
    assert pages.columns(desk.page(LIST))[:3] == ["Code", "Name", "Properties"]


def _person(app: Flask, username: str) -> Person:
    with app.app_context():
        return Person(db.session.scalars(sa.select(Staff.id).where(Staff.username == username)).one())


def test_how_many_rows_is_chosen_and_remembered(app: Flask, desk: Desk) -> None:
    with make.scene(app):
        make.clients([f"Client {number:03}" for number in range(120)])
    assert len(desk.ids(LIST)) == 50
    for size in (20, 100, 50):
        page = desk.page(f"{LIST}?page_size={size}")
        assert len(pages.row_ids(page)) == size
        chosen = [link.text for link in page.one(class_="pager").all("a", aria_current="true")]
        assert chosen == [str(size)]
    answer = desk.post("/admin/clients/columns/", [("page_size", "20")])
    assert len(pages.row_ids(desk.follow(answer))) == 20
    assert len(people_of.log_in(app.test_client(), _person(app, "olga")).ids(LIST)) == 20
    assert len(desk.ids("/admin/groups/")) == 0, "other lists open as well"
    for wrong in ("19", "0", "1000", "-20", "20.0", "x"):
        page = desk.page(f"{LIST}?page_size={wrong}")
        assert "Pages have 20, 50 or 100 rows." in pages.alerts(page)
        assert pages.row_ids(page) == []


# Order


KEYS: dict[str, Callable[[Client], Any]] = {
    "id": lambda row: row.id,
    "name": lambda row: row.name,
    "properties": lambda row: row.characterization_id,
    "email": lambda row: row.email,
    "contact_person": lambda row: row.contact_person,
    "verified_phone": lambda row: row.verified_phone,
    "country": lambda row: row.country,
    "language": lambda row: row.language.value,
    "project": lambda row: row.project_id,
    "characterization": lambda row: row.characterization_id,
    "balance": lambda row: row.balance,
    "active_services": lambda row: row.active_services,
    "registered_at": lambda row: row.registered_at,
}


def in_order(app: Flask, sort: str, *conditions: Any) -> list[int]:
    """The ids of all living clients, sorted by another hand."""
    name, descending = sort.removeprefix("-"), sort.startswith("-")
    with app.app_context():
        rows = db.session.scalars(sa.select(Client).where(Client.deleted_at.is_(None), *conditions)).all()
        return [row.id for row in sorted(rows, key=lambda row: (KEYS[name](row), row.id), reverse=descending)]


@pytest.fixture
def ties(app: Flask) -> list[int]:
    """A hundred and seventeen clients of whom many have the same values."""
    with make.scene(app):
        projects = [make.project(f"Project {number}").id for number in range(3)]
        kinds = [make.characterization(code).id for code in ("ordinary", "good", "conflict")]
        rows = [
            {
                "name": f"Name {number % 7}", "email": f"{number % 5}@a.example", "contact_person": f"Person {number % 4}",
                "country": ("DE", "FR", "RU")[number % 3], "language": ("en", "ru")[number % 2], "project_id": projects[number % 3],
                "characterization_id": kinds[number % 3], "registered_at": day("2026-01-01") + timedelta(days=number % 6),
                "verified_phone": ("", "+4930123456")[number % 2], "balance": Decimal(number % 9 - 4) / 3,
                "active_services": number % 3,
            }
            for number in range(117)
        ]  # fmt: skip
        table = Client.__table__
        return list(db.session.scalars(sa.insert(table).returning(table.c.id), rows))


@pytest.mark.timeout(300)
@pytest.mark.parametrize("sort", list(KEYS))
def test_every_column_sorts_each_way_and_pages_lead_through_ties_to_the_end_and_back(
    app: Flask, desk: Desk, ties: list[int], sort: str
) -> None:
    """Six pages of twenty, forwards and backwards, are the whole list once, in order."""
    desk.post("/admin/clients/columns/", [("columns", name) for name in KEYS])
    wanted = in_order(app, f"-{sort}")
    assert _walk(desk, f"{LIST}?sort=-{sort}&page_size=20", "next") == wanted
    assert len(wanted) == len(ties)
    upwards = in_order(app, sort)
    page = desk.page(f"{LIST}?sort={sort}&page_size=100")
    assert pages.row_ids(page) == upwards[:100]
    heading = next(head for head in page.all("th") if "aria-sort" in head.attributes)
    assert heading["aria-sort"] == "ascending"
    last = pages.link(page, "last")
    assert last is not None
    assert _back_from(desk, last.replace("page_size=100", "page_size=20")) == upwards


def _walk(desk: Desk, url: str, rel: str) -> list[int]:
    """All ids on the way along the links of this relation."""
    found: list[int] = []
    here: str | None = url
    while here:
        page = desk.page(here)
        found += pages.row_ids(page)
        here = pages.link(page, rel)
    return found


def _back_from(desk: Desk, url: str) -> list[int]:
    """All ids from the last page on, going back."""
    found: list[int] = []
    here: str | None = url
    while here:
        page = desk.page(here)
        found = pages.row_ids(page) + found
        here = pages.link(page, "prev")
    return found


def test_the_first_page_has_no_way_back_and_the_last_none_forwards(desk: Desk, ties: list[int]) -> None:
    first = desk.page(f"{LIST}?page_size=50")
    assert pages.link(first, "prev") is None
    assert pages.link(first, "first") is None
    second = desk.page(pages.link(first, "next") or "")
    assert pages.row_ids(desk.page(pages.link(second, "prev") or "")) == pages.row_ids(first)
    last = desk.page(pages.link(first, "last") or "")
    assert pages.link(last, "next") is None
    assert pages.link(last, "last") is None
    assert pages.link(desk.page(f"{LIST}?page_size=100&search=name 0"), "next") is None
    assert "117 rows" in first.one(class_="pager").text


def test_a_page_stays_where_it_is_when_rows_come_and_go_before_it(app: Flask, desk: Desk, ties: list[int]) -> None:
    first = desk.page(f"{LIST}?sort=id&page_size=20")
    following = pages.link(first, "next") or ""
    second = desk.ids(following)
    with make.scene(app):
        db.session.get_one(Client, ties[3]).deleted_at = now()
    assert desk.ids(following) == second


def test_paging_keeps_filter_sort_and_size(desk: Desk, ties: list[int]) -> None:
    page = desk.page(f"{LIST}?country=DE&sort=-name&page_size=20")
    query = parse_qs(urlsplit(pages.link(page, "next") or "").query)
    assert {name: query[name] for name in ("country", "sort", "page_size")} == {
        "country": ["DE"], "sort": ["-name"], "page_size": ["20"],
    }  # fmt: skip
    assert len(_walk(desk, f"{LIST}?country=DE&sort=-name&page_size=20", "next")) == 39


def test_sorting_begins_at_the_first_page_and_turns_at_a_second_click(desk: Desk, ties: list[int]) -> None:
    page = desk.page(pages.link(desk.page(f"{LIST}?page_size=20"), "next") or "")
    head = next(head for head in page.all("th") if head.text == "Name")
    url = head.one("a")["href"]
    assert "after" not in url
    turned = next(head for head in desk.page(url).all("th") if head.text == "Name").one("a")["href"]
    assert "sort=-name" in turned


def test_what_cannot_be_sorted_by_is_told(desk: Desk, known: dict[str, int]) -> None:
    for wrong in ("note", "password_hash", "name;drop", "--name", "-"):
        page = desk.page(f"{LIST}?sort={wrong}")
        assert "cannot be sorted by" in pages.alerts(page)
        assert pages.row_ids(page) == []


# Filters


def found(desk: Desk, known: dict[str, int], query: str) -> set[str]:
    """The names of the known clients that the list shows for the query."""
    names = {number: name for name, number in known.items()}
    return {names[number] for number in desk.ids(f"{LIST}?{query}") if number in names}


def test_every_filter_alone_and_some_together(app: Flask, desk: Desk, known: dict[str, int]) -> None:
    alpha, beta = id_of(app, Project, "Alpha"), id_of(app, Project, "Beta")
    hosting, domain = id_of(app, Product, "Hosting"), id_of(app, Product, "Domain")
    group = id_of(app, ClientGroup, "Wholesale")
    with app.app_context():
        good, conflict = make.characterization("good").id, make.characterization("conflict").id
    everybody = {"ivan", "acme", "zoe", "hundred", "stopped"}
    expected = {
        "": everybody,
        f"id={known['zoe']}": {"zoe"},
        f"id=%23{known['zoe']}": {"zoe"},
        "id=2147483647": set(),
        "name=acme": {"acme"},
        "name=o": {"zoe", "stopped"},
        "name=ПЕТР": {"ivan"},
        "name=petrov": set(),
        f"project={alpha}": everybody - {"ivan"},
        f"project={beta}": {"ivan"},
        f"product={hosting}": {"ivan"},
        f"product={domain}": {"acme"},
        "language=ru": {"ivan"},
        "language=en": everybody - {"ivan"},
        "registered_from=2026-02-15": everybody - {"ivan"},
        "registered_to=2026-02-15": {"ivan", "acme", "zoe"},
        "registered_from=2026-02-15&registered_to=2026-02-15": {"acme", "zoe"},
        "registered_from=2026-02-16&registered_to=2026-03-01": {"hundred"},
        f"group={group}": {"ivan", "acme"},
        f"characterization={good}": {"ivan"},
        f"characterization={conflict}": {"zoe"},
        "legal_status=company": {"acme"},
        "legal_status=sole_proprietor": {"hundred"},
        "country=DE": {"zoe", "hundred"},
        "balance_below=0": {"ivan"},
        "balance_below=0.01": {"ivan", "hundred", "stopped"},
        "balance_above=0": {"acme", "zoe"},
        "balance_above=999,99": {"acme"},
        "balance_above=1000": set(),
        "balance_below=-150.5": set(),
        "balance_below=-150.49": {"ivan"},
        "has_points=1": {"ivan"},
        "referred=1": {"zoe", "hundred"},
        # Together
        "referred=1&country=DE&balance_above=0": {"zoe"},
        f"group={group}&language=ru": {"ivan"},
        f"project={alpha}&product={domain}&legal_status=company": {"acme"},
        "balance_above=-1&balance_below=1&country=DE": {"zoe", "hundred"},
        "name=e&search=example&legal_status=company": {"acme"},
        "name=acme&search=holding": {"acme"},
        # Empty ones are as if they were not there.
        "name=&country=&has_points=&search=&id=": everybody,
        "name=%20&country=DE": {"zoe", "hundred"},
    }
    assert {query: found(desk, known, query) for query in expected} == expected


def test_search_looks_in_code_name_username_company_person_email_and_phone_blind_to_case(
    app: Flask, desk: Desk, known: dict[str, int]
) -> None:
    expected = {
        "иван": {"ivan"}, "ИВАН": {"ivan"}, "ван пет": {"ivan"}, "п": {"ivan"}, "Пе": {"ivan"},
        "PETROV": {"ivan"}, "etro": {"ivan"}, "ivan@mail": {"ivan"}, "@MAIL.RU": {"ivan"}, "9161234": {"ivan"},
        "+79161234567": {"ivan"}, "acme holding": {"acme"}, "HOLD": {"acme"}, "office@": {"acme"},
        "zoë": {"zoe"}, "ÇELIK": {"zoe"}, "ë": {"zoe"}, "  acme  ": {"acme"},
        "100%": {"hundred"}, "%": {"hundred"}, "_": {"hundred"}, "_sure_": {"hundred"}, "%%": set(), "\\": set(),
        '"': set(), "acme*": set(), "acme OR zoe": set(), "name:acme": set(), "-acme": set(), "'": set(), "(": set(),
        "nobody at all": set(),
    }  # fmt: skip
    assert {text: found(desk, known, f"search={quote(text)}") for text in expected} == expected
    assert known["zoe"] in desk.ids(f"{LIST}?search={known['zoe']}")


def test_letters_of_two_parts_are_found_as_one(app: Flask, desk: Desk) -> None:
    """A Mac types й as и with a breve; it is the same letter."""
    with make.scene(app):
        number = make.client("Андрей Чайкин").id
    for text in ("Чайкин", "чаи\u0306кин", "и\u0306"):
        assert desk.ids(f"{LIST}?search={quote(text)}") == [number]
        assert desk.ids(f"{LIST}?name={quote(text)}") == [number]


def test_search_follows_what_changes(app: Flask, desk: Desk, known: dict[str, int]) -> None:
    with make.scene(app):
        client = db.session.get_one(Client, known["acme"])
        client.company_name = "Renamed"
        make.user(client, "newcomer")
    assert found(desk, known, "search=renamed") == {"acme"}
    assert found(desk, known, "search=newcomer") == {"acme"}
    assert found(desk, known, "search=holding") == set()


def test_days_begin_at_midnight_of_who_looks(app: Flask, desk: Desk) -> None:
    with make.scene(app):
        early = make.client(registered_at=day("2026-05-01T21:30")).id  # the 2nd in Moscow
        late = make.client(registered_at=day("2026-05-02T21:30")).id
        db.session.scalars(sa.select(Staff).where(Staff.username == "olga")).one().time_zone = "Europe/Moscow"
    assert desk.ids(f"{LIST}?registered_from=2026-05-02&registered_to=2026-05-02") == [early]
    assert desk.ids(f"{LIST}?registered_from=2026-05-03") == [late]
    assert pages.cell(desk.page(LIST), early, "Registered").text == "02.05.2026"


def test_points_fade_in_the_list_too(app: Flask, desk: Desk, known: dict[str, int], clock: Clock) -> None:
    assert found(desk, known, "has_points=1") == {"ivan"}
    clock.move(days=31)
    again = people_of.log_in(app.test_client(), _person(app, "olga"))
    assert found(again, known, "has_points=1") == set()
    assert pages.badges(pages.cell(again.page(LIST), known["ivan"], "Properties")) == ["good"]


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("id=abc", "Code: «abc» was not understood."),
        ("id=-1", "«-1» was not understood."),
        ("project=999", "Project: «999» was not understood."),
        ("project=Alpha", "«Alpha» was not understood."),
        ("product=0", "«0» was not understood."),
        ("group=999", "Group: «999» was not understood."),
        ("characterization=good", "«good» was not understood."),
        ("language=de", "Interface language: «de» was not understood."),
        ("legal_status=llc", "«llc» was not understood."),
        ("country=XX", "Country: «XX» was not understood."),
        ("country=de", "Country: «de» was not understood."),
        ("registered_from=01.02.2026", "Registered from: «01.02.2026» was not understood."),
        ("registered_to=2026-02-30", "«2026-02-30» was not understood."),
        ("registered_to=20260201", "«20260201» was not understood."),
        ("registered_from=26-02-01", "«26-02-01» was not understood."),
        ("balance_below=lots", "Balance below: «lots» was not understood."),
        ("balance_above=1.234", "«1.234» was not understood."),
        ("balance_above=1e3", "«1e3» was not understood."),
        ("balance_above=NaN", "«NaN» was not understood."),
        ("has_points=yes", "Has penalty points: «yes» was not understood."),
        ("referred=0", "«0» was not understood."),
        ("balence_below=0", "«balence_below» is no condition of this list."),
        ("country=DE&country=FR", "«country» is no condition of this list."),
        ("name=acme&id=abc", "«abc» was not understood."),
    ],
)
@pytest.mark.engine("sqlite")
def test_what_is_not_understood_is_told_and_shows_no_rows(
    desk: Desk, known: dict[str, int], query: str, told: str
) -> None:
    page = desk.page(f"{LIST}?{query}")
    assert told in pages.alerts(page)
    assert pages.row_ids(page) == []
    assert page.all(class_="nothing") == [], "it is not said that there are none"


# The bar over the list


def test_each_condition_has_its_own_end_and_one_ends_them_all(app: Flask, desk: Desk, known: dict[str, int]) -> None:
    alpha = id_of(app, Project, "Alpha")
    page = desk.page(f"{LIST}?project={alpha}&country=DE&registered_from=2026-02-01&has_points=1&sort=-name")
    chips = {chip.one("span", class_="muted").text: chip for chip in page.all("li", class_="chip")}
    assert {label: chip.text for label, chip in chips.items()} == {
        "Project:": "Project: Alpha", "Country:": "Country: Germany", "Registered from:": "Registered from: 01.02.2026",
        "Has penalty points:": "Has penalty points: yes",
    }  # fmt: skip
    without = chips["Country:"].one("a")
    assert without["aria-label"] == "Remove the condition Country"
    query = parse_qs(urlsplit(without["href"]).query)
    assert set(query) == {"project", "registered_from", "has_points", "sort"}
    clear = page.first(class_="chips").all("a")[-1]
    assert clear.text == "Remove filter"
    assert parse_qs(urlsplit(clear["href"]).query) == {"sort": ["-name"]}
    assert page.one(class_="nothing").text.startswith("Nothing matches")


def test_the_filter_stands_in_its_form_as_it_was_typed(desk: Desk, known: dict[str, int]) -> None:
    page = desk.page(f"{LIST}?balance_below=-1,5&country=DE&language=ru&name=%22x%22&referred=1")
    form = page.one("form", class_="filter-panel")
    assert form.one("input", name="balance_below")["value"] == "-1,5"
    assert form.one("input", name="name")["value"] == '"x"'
    assert "checked" in form.one("input", name="referred").attributes
    assert _chosen(form, "country") == "DE"
    assert _chosen(form, "language") == "ru"
    keys = {
        field["name"] for field in form.walk() if field.tag in {"input", "select"} and field.get("type") != "hidden"
    }
    assert keys >= {
        "id", "name", "project", "product", "language", "registered_from", "registered_to", "group", "characterization",
        "legal_status", "country", "balance_below", "balance_above", "has_points", "referred",
    }  # fmt: skip


def _chosen(form: Node, name: str) -> str:
    return next(
        option["value"] for option in form.one("select", name=name).all("option") if "selected" in option.attributes
    )


def test_more_than_ten_thousand_are_not_counted_further(
    app: Flask, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    from admin_views import listing

    monkeypatch.setattr(listing, "COUNTED_UP_TO", 100)
    with make.scene(app):
        make.clients([f"Client {number}" for number in range(102)])
    assert "more than 100" in desk.page(LIST).one(class_="pager").text
    assert "102 rows" not in desk.page(LIST).text


# Who may see which tools


def test_tools_and_buttons_are_shown_to_those_who_may(app: Flask, known: dict[str, int]) -> None:
    with make.scene(app):
        people = {role: Person(make.staff(role, people_of._seeded(role)).id) for role in people_of.ROLES}

    def page_of(role: str) -> Node:
        return people_of.log_in(app.test_client(), people[role]).page(LIST)

    def actions(page: Node) -> set[str]:
        return {button["value"] for button in page.all("button", name="action")}

    owner, support, auditor, accountant = (page_of(role) for role in ("owner", "support", "auditor", "accountant"))
    assert actions(owner) >= {"message", "set_characterization", "delete"}
    assert actions(support) == {"message", "set_characterization"}
    assert actions(auditor) == set()
    assert actions(accountant) <= {"export"}
    assert owner.all("a", href="/admin/clients/new/")
    assert not support.all("a", href="/admin/clients/new/")
    assert owner.all("td", data_edit="email")
    assert {cell["data-edit"] for cell in support.all("td", data_edit=None)} <= {"note", "characterization"}
    assert not auditor.all("td", data_edit=None)
    assert any(link["href"].startswith("/admin/clients/export/csv/") for link in owner.all("a", href=None))
    assert not any("/export/" in link["href"] for link in support.all("a", href=None))
    assert owner.all("button", formaction="/admin/clients/login-as/")
    assert not auditor.all("button", formaction="/admin/clients/login-as/")


def test_the_toolbar_of_one_client_leads_to_its_records(desk: Desk, known: dict[str, int]) -> None:
    page = desk.page(LIST)
    places = {link["data-href"] for link in page.all("a", data_href=None)}
    for module in ("groups", "projects", "discounts", "services", "payments", "acts", "expenses", "accounts", "invoices",
                   "tickets", "users", "payers", "violations"):  # fmt: skip
        assert f"/admin/{module}/?client={{id}}" in places
        assert desk.get(f"/admin/{module}/?client={known['ivan']}").status_code == 200

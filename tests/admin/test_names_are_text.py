"""What people type is text wherever it stands: never markup, never a macro, never an instruction to a template."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from extensions import db
from models import AuditEvent, Characterization, Client, ClientNote, Feature, Staff, TicketCategory
from tests import cast as people_of
from tests import factories as make
from tests.cast import Desk
from tests.house.test_statements import LISTS
from tests.house.test_templates import problems_of
from tests.support import page as pages
from tests.support.page import Node
from tests.support.people import Person

HOSTILE = "%admin_name% {{7*7}} {0.__class__} ${7*7} %s \\1 <b>x</b><script>boom()</script> \"' onload=boom() --> ]]> &lt;i&gt;"
# How it must read on a page, in one piece.
AS_READ = " ".join(HOSTILE.split())


def evil(length: int = 200) -> str:
    return HOSTILE[:length]


@pytest.fixture
def hostile(app: Flask) -> dict[str, Any]:
    """A desk where every text is hostile, with one client."""
    with make.scene(app):
        owner = make.staff("olga", people_of._seeded("owner"), full_name=evil())
        db.session.execute(sa.update(Feature).values(is_enabled=True))
        home = make.project(evil(120), website="javascript:boom()")
        kind = Characterization(code="evil", name=evil(80), icon="heart", color="red")
        category = TicketCategory(name={"en": evil(120), "ru": evil(120)})
        db.session.add_all([kind, category])
        client = make.client(evil(), username="hostile", project=home, characterization=kind, company_name=evil(), contact_person=evil(),
                             note=evil(), referral_source=evil(), characterization_reason=evil(), affiliate_program=make.program(evil(120)))  # fmt: skip
        make.group(evil(120), client)
        user = make.user(client, "hostile.second", full_name=evil())
        payer = make.payer(client, evil(), tax_id=evil(40), postal_address=evil())
        service = make.service(client, make.product(evil(), project=home, description=evil()), name=evil())
        bill = make.invoice(client, payer=payer, number=evil(60))
        make.payment(client, payer=payer, invoice=bill, number=evil(60), method=evil(60), note=evil())
        make.expense(client, service=service)
        make.act(client, payer=payer, number=evil(60))
        make.discount(client, note=evil())
        ticket = make.ticket(client, evil(), text=evil(), category=category)
        make.violation(client, comment=evil())
        make.points(client, 3)
        db.session.add(ClientNote(client=client, author=owner, text=evil(), is_pinned=True))
        # A client of a hostile name that brought this one, and one who is brought by a program of such a name.
        client.referrer = make.client(evil(), username="brought.it")
        make.letter(client, last_error=evil(), recipient=f"{evil(40)}@x.example", ticket=ticket)
        make.template(evil(120), subject=evil(), text=evil())
        make.custom_field("evil", label=evil(120), choices=[evil()])
        make.mailing(owner, evil())
        db.session.add(AuditEvent(actor=evil(), module="clients", action=evil(60), before={evil(60): evil()}, after={evil(60): evil()},
                                  staff_id=owner.id, client_id=client.id))  # fmt: skip
        make.role(evil(80))
        return {"person": Person(owner.id), "client": client.id, "user": Person(user.id, client.id), "kind": kind.id}


@pytest.fixture
def desk(app: Flask, hostile: dict[str, Any]) -> Desk:
    return people_of.log_in(app.test_client(), hostile["person"])


def live(page: Node) -> Iterator[str]:
    """What of the hostile text has come to life on a page."""
    for node in page.walk():
        if node.tag in {"b", "i"} and node.text in {"x", "i"}:
            yield f"an element of ours: {node.tag}"
        if (
            node.tag == "script"
            and "boom" in "".join(map(str, node.children))
            and "src" not in node.attributes
            and node.get("type") == ""
        ):
            yield "a script"
        if any(name.startswith("on") for name in node.attributes):
            yield f"a handler of {node.tag}"
        if node.get("href", "").lower().startswith("javascript:"):
            yield "a link that runs"
    if "{{7*7}}" not in page.text and " 49 " in page.text:
        yield "a template that was run"


def addresses(client: int) -> Iterator[str]:
    for module in LISTS:
        yield f"/admin/{module}/"
    yield from (
        "/admin/", "/admin/profile", f"/admin/clients/details/?id={client}", f"/admin/clients/edit/?id={client}",
        f"/admin/clients/delete/?id={client}", f"/admin/tickets/?client={client}", "/admin/clients/deleted/", "/admin/clients/new/",
        "/admin/discounts/new/", "/admin/clients/notes/edit/?id=1", "/admin/clients/notes/delete/?id=1",
    )  # fmt: skip
    for tab in ("services", "money", "tickets", "people", "notes", "history"):
        yield f"/admin/clients/details/?id={client}&tab={tab}"


@pytest.mark.timeout(300)
@pytest.mark.engine("sqlite")
def test_every_page_of_the_admin_stays_as_it_is_meant(desk: Desk, hostile: dict[str, Any]) -> None:
    everything = [("columns", name) for name in desk.app.extensions["desk_views"]["clients"].column_list]
    desk.post("/admin/clients/columns/", everything)
    problems = []
    for url in addresses(hostile["client"]):
        page = desk.page(url)
        problems += [f"{url}: {problem}" for problem in (*live(page), *problems_of(page, url))]
        module = url.split("/")[2]
        if url == f"/admin/{module}/" and module in LISTS and (ids := pages.row_ids(page)):
            for verb in ("details", "edit", "delete"):
                view = desk.app.extensions["desk_views"][module]
                if verb == "details" or getattr(view, f"can_{verb}"):
                    inner = desk.page(f"/admin/{module}/{verb}/?id={ids[0]}")
                    problems += [f"{url}{verb}: {problem}" for problem in (*live(inner), *problems_of(inner, url))]
    assert problems == []


@pytest.mark.timeout(300)
@pytest.mark.engine("sqlite")
def test_every_page_of_the_panel_stays_as_it_is_meant(app: Flask, hostile: dict[str, Any]) -> None:
    with make.scene(app):
        client = db.session.get_one(Client, hostile["client"])
        user = Person(client.users[0].id, client.id)
    desk = people_of.log_in(app.test_client(), user)
    problems = []
    for area in (
        "",
        "services/",
        "accounts/",
        "invoices/",
        "payments/",
        "expenses/",
        "acts/",
        "payers/",
        "users/",
        "tickets/",
        "profile/",
    ):
        url = f"/panel/{area}"
        page = desk.page(url)
        problems += [f"{url}: {problem}" for problem in (*live(page), *problems_of(page, url))]
        inside = {
            link["href"] for link in page.all("a", href=None) if link["href"].startswith(url) and link["href"] != url
        }
        for link in sorted(inside)[:3]:
            inner = desk.page(link)
            problems += [f"{link}: {problem}" for problem in (*live(inner), *problems_of(inner, link))]
    assert problems == []


def test_the_list_shows_exactly_what_was_typed(app: Flask, desk: Desk, hostile: dict[str, Any]) -> None:
    desk.post(
        "/admin/clients/columns/",
        [("columns", name) for name in ("name", "properties", "contact_person", "note", "project")],
    )
    page = desk.page("/admin/clients/")
    number = hostile["client"]
    assert pages.cell(page, number, "Name").text == f"{AS_READ} (hostile)"
    assert pages.cell(page, number, "Contact person").text == AS_READ
    assert pages.cell(page, number, "Contact person")["data-value"] == evil()
    assert pages.cell(page, number, "Note").text == AS_READ
    assert pages.cell(page, number, "Project").text == " ".join(evil(120).split())
    assert pages.badges(pages.cell(page, number, "Properties")) == ["evil", "referred", "points"]
    badge = pages.cell(page, number, "Properties").one(data_badge="evil")
    assert badge.text == " ".join(evil(80).split())
    assert evil(80) in badge["title"]
    assert pages.cell(page, number, "Name").one("a")["title"] == f"#{number} {evil()}"


def test_chips_forms_confirmations_and_the_scope_bar_show_it_as_text(
    app: Flask, desk: Desk, hostile: dict[str, Any]
) -> None:
    number, kind = hostile["client"], hostile["kind"]
    page = desk.page(f"/admin/clients/?characterization={kind}&name=%3Cb%3Ex%3C%2Fb%3E")
    chips = [chip.text for chip in page.all("li", class_="chip")]
    assert f"Characterization: {' '.join(evil(80).split())}" in chips
    assert "Name: <b>x</b>" in chips
    assert pages.row_ids(page) == [number]
    wrong = desk.page("/admin/clients/?country=%3Cscript%3Eboom()%3C/script%3E")
    assert "«<script>boom()</script>» was not understood." in pages.alerts(wrong)

    held = pages.values(desk.page(f"/admin/clients/edit/?id={number}"))
    assert held["name"] == [evil()]
    assert held["note"] == [evil()]
    assert desk.post(f"/admin/clients/edit/?id={number}", held).status_code == 302
    assert people_of.client_row(app, number)["name"] == evil(), "to save it again changes nothing"

    confirmation = desk.page(f"/admin/clients/delete/?id={number}")
    assert f"Delete #{number} {AS_READ}?" in confirmation.text
    bulk = desk.follow(desk.post("/admin/clients/action/", action="set_characterization", rowid=number))
    assert " ".join(f"Now {evil(80)}: 1".split()) in bulk.one(class_="impact").text
    done = desk.follow(desk.post("/admin/clients/bulk/", {**pages.values(bulk), "characterization": str(kind)}))
    desk.post("/admin/clients/scope/", id=number)
    bar = desk.page("/admin/tickets/").one("section", class_="scope-bar")
    assert AS_READ in bar.text
    for one in (page, wrong, confirmation, bulk, done, bar):
        assert list(live(one)) == []


def test_what_is_inside_json_for_scripts_cannot_end_the_script(desk: Desk, hostile: dict[str, Any]) -> None:
    desk.post("/admin/clients/columns/", columns="characterization")
    text = desk.get("/admin/clients/").text
    start = text.index('id="edit-spec"')
    inside = text[start : text.index("</script>", start)]
    assert "<script" not in inside
    assert "\\u003cscript\\u003e" in inside, "the hostile name is in it, made harmless"
    answer = desk.get("/admin/discounts/ajax/lookup/?name=client&query=hostile")
    assert answer.mimetype == "application/json"
    assert answer.json == [[hostile["client"], f"#{hostile['client']} {evil()} (hostile)"]]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_a_new_client_of_that_name_is_announced_as_text(app: Flask, desk: Desk) -> None:
    fields = {"project": "1", "username": "new.one", "password": "horse staple 77", "password_confirm": "horse staple 77",
              "email": "new@one.example", "country": "DE", "language": "en", "legal_status": "individual", "contact_person": evil()}  # fmt: skip
    page = desk.follow(desk.post("/admin/clients/new/", fields))
    [(category, said)] = pages.messages(page)
    assert category == "success"
    assert AS_READ in said
    assert list(live(page)) == []
    refused = desk.refused("/admin/clients/new/", {**fields, "username": "<script>boom()</script>"})
    assert list(live(refused)) == []
    assert pages.values(refused)["username"] == ["<script>boom()</script>"]


def test_a_failed_login_and_a_strange_browser_are_text_in_what_is_written_down(app: Flask, desk: Desk) -> None:
    stranger = app.test_client()
    token = Desk(stranger, "/admin/login").token
    fields = {"csrf_token": token, "username": evil(), "password": "x"}
    answer = stranger.post(
        "/admin/login", data=fields, headers={"User-Agent": evil(), "Referer": f"http://localhost/{evil(20)}"}
    )
    assert answer.status_code == 200
    assert list(live(pages.read(answer.text))) == []
    assert list(live(desk.page("/admin/audit/"))) == []
    with app.app_context():
        assert db.session.scalar(sa.select(sa.func.count(Staff.id))) == 1


def test_two_lines_in_a_name_make_no_header(desk: Desk, hostile: dict[str, Any]) -> None:
    answer = desk.get("/admin/clients/?url=/x%0d%0aSet-Cookie:%20a=b")
    assert answer.status_code == 400
    assert "Set-Cookie" not in answer.text

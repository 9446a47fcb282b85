"""Filter by client: the whole admin about one client, until it is ended, or one page of it by its address."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import sqlalchemy as sa
from flask import Flask

from extensions import db, now
from models import Client, Discount, MailingRecipient, Selection, Staff
from tests import cast as people_of
from tests import factories as make
from tests.cast import OF_CLIENTS, Cast, Desk
from tests.support import page as pages
from tests.support.page import Node

# What is about no client in particular stays as it is.
OF_NOBODY = ("staff", "roles", "features", "characterizations", "products", "affiliate-programs", "ticket-categories",
             "response-templates", "custom-fields")  # fmt: skip


def bar(page: Node) -> Node | None:
    found = page.all("section", class_="scope-bar")
    return found[0] if found else None


@pytest.fixture
def scoped(cast: Cast, owner: Desk) -> Desk:
    """The owner, with the admin filtered to client A."""
    answer = owner.post("/admin/clients/scope/", id=cast.a.id)
    assert (answer.status_code, answer.location) == (302, "/admin/clients/")
    return owner


# What is seen


def test_every_module_shows_that_client_alone_until_the_filter_is_ended(app: Flask, cast: Cast, owner: Desk) -> None:
    without = {module: owner.ids(f"/admin/{module}/") for module in (*OF_CLIENTS, *OF_NOBODY)}
    owner.post("/admin/clients/scope/", id=cast.a.id)
    for module in OF_CLIENTS:
        assert cast.b.records[module] in without[module]
        shown = owner.ids(f"/admin/{module}/")
        assert cast.a.records[module] in shown, module
        assert not set(shown) & _of_b(app, cast, module), module
    for module in OF_NOBODY:
        assert owner.ids(f"/admin/{module}/") == without[module], module
    assert owner.post("/admin/clients/scope/", id="").status_code == 302
    for module, ids in without.items():
        assert owner.ids(f"/admin/{module}/") == ids


def _of_b(app: Flask, cast: Cast, module: str) -> set[int]:
    """The ids of all rows of the module that are client B's."""
    with app.app_context():
        model = app.extensions["desk_views"][module].model
        column = model.id if module == "clients" else model.client_id
        return set(db.session.scalars(sa.select(model.id).where(column == cast.b.id)))


def test_audit_and_mailings_are_those_of_the_client_and_groups_and_projects_say_which_are_its(
    app: Flask, cast: Cast, scoped: Desk
) -> None:
    with make.scene(app):
        a, b = (db.session.get_one(Client, side.id) for side in (cast.a, cast.b))
        mine, _theirs = make.group("Mine", a), make.group("Theirs", b)
        third = make.project("Third")
        a.projects.append(third)
        own = make.mailing(make.first(Staff))
        db.session.add(MailingRecipient(mailing_id=own.id, client_id=a.id))
        group, project, mailing = mine.id, third.id, own.id
    assert len(scoped.ids("/admin/groups/")) == 3, "all of them, to be switched"
    assert scoped.ids("/admin/groups/?on=1") == [group]
    assert set(scoped.ids("/admin/projects/?on=1")) == {cast.project_a, project}
    assert scoped.ids("/admin/mailings/") == [mailing]
    scoped.post("/admin/clients/ajax/update/", list_form_pk=cast.a.id, note="x")
    page = scoped.page("/admin/audit/")
    assert page.all("tr", data_id=None)
    with app.app_context():
        events = app.extensions["desk_views"]["audit"].model
        clients = set(db.session.scalars(sa.select(events.client_id).where(events.id.in_(pages.row_ids(page)))))
    assert clients == {cast.a.id}


def test_a_bar_on_every_page_names_the_client_with_badges_and_balance_and_ends_it(
    app: Flask, cast: Cast, scoped: Desk
) -> None:
    with make.scene(app):
        client = db.session.get_one(Client, cast.a.id)
        client.characterization = make.characterization("conflict")
        make.points(client, 3)
    for url in ("/admin/", "/admin/clients/", "/admin/tickets/", "/admin/staff/", "/admin/groups/new/", "/admin/profile",
                f"/admin/payers/edit/?id={cast.a.records['payers']}"):  # fmt: skip
        shown = bar(scoped.page(url))
        assert shown is not None, url
        assert "Anna Alpha" in shown.text
        assert "(anna)" in shown.text
        assert "100.00" in shown.text
        assert pages.badges(shown) == ["conflict", "points"]
        end = shown.one("form")
        assert end["action"] == "/admin/clients/scope/"
        assert end.one("input", name="id")["value"] == ""


def test_the_filter_is_of_this_session_and_of_nobody_else(
    cast: Cast, scoped: Desk, log_in: Callable[[str], Desk]
) -> None:
    other = log_in("owner")
    assert bar(other.page("/admin/clients/")) is None
    assert len(other.ids("/admin/clients/")) == 2
    assert bar(scoped.page("/admin/clients/")) is not None


# By the address


def test_client_in_an_address_is_for_that_page_with_a_button_to_keep_it(app: Flask, cast: Cast, owner: Desk) -> None:
    before = people_of.digest(app)
    for module in OF_CLIENTS:
        assert owner.ids(f"/admin/{module}/?client={cast.b.id}")[0] in _of_b(app, cast, module)
        assert cast.a.records[module] not in owner.ids(f"/admin/{module}/?client={cast.b.id}")
    page = owner.page(f"/admin/tickets/?client={cast.b.id}")
    shown = bar(page)
    assert shown is not None
    assert "only on this page" in shown.text
    assert people_of.digest(app) == before
    assert bar(owner.page("/admin/tickets/")) is None, "the next page knows nothing of it"
    form = shown.one("form")
    owner.post(form["action"], id=form.one("input", name="id")["value"], url="/admin/tickets/")
    assert owner.ids("/admin/tickets/") == owner.ids(f"/admin/tickets/?client={cast.b.id}")


def test_the_links_of_such_a_page_keep_the_client(cast: Cast, owner: Desk) -> None:
    page = owner.page(f"/admin/discounts/?client={cast.b.id}")
    links = [link["href"] for link in page.one("table").one("thead").all("a")]
    assert links
    assert all(f"client={cast.b.id}" in link for link in links)
    assert any(link["href"] == f"/admin/discounts/new/?client={cast.b.id}" for link in page.all("a", href=None))


def test_an_address_wins_over_the_kept_filter_on_that_page(cast: Cast, scoped: Desk) -> None:
    assert scoped.ids(f"/admin/clients/?client={cast.b.id}") == [cast.b.id]
    assert scoped.ids("/admin/clients/") == [cast.a.id]


@pytest.mark.parametrize("client", ["999", "abc", "-1", "0", "1e3", "2147483648"])
def test_a_client_that_is_not_there_shows_nothing_and_it_is_said(cast: Cast, owner: Desk, client: str) -> None:
    for url in ("/admin/clients/", "/admin/tickets/", "/admin/payers/"):
        page = owner.page(f"{url}?client={client}")
        assert pages.row_ids(page) == []
        assert "was not understood" in pages.alerts(page)
    assert owner.post(f"/admin/clients/action/?client={client}", action="delete", all="1").status_code in {302, 404}
    assert len(owner.ids("/admin/clients/")) == 2


def test_when_the_client_of_the_filter_goes_it_is_said_and_no_form_means_everybody(
    app: Flask, cast: Cast, scoped: Desk
) -> None:
    with make.scene(app):
        db.session.get_one(Client, cast.a.id).deleted_at = now()
    before = people_of.digest(app)
    answer = scoped.post("/admin/clients/action/", action="delete", all="1")
    if answer.status_code == 302:
        page = scoped.follow(answer)
        assert pages.values(page)["count"] == ["0"] if page.all("form", class_="form-page") else pages.messages(page)
    assert people_of.digest(app, but=("selections",)) == {
        name: rows for name, rows in before.items() if name != "selections"
    }
    scoped.post("/admin/clients/scope/", id=cast.b.id)
    with make.scene(app):
        db.session.get_one(Client, cast.b.id).deleted_at = now()
    page = scoped.page("/admin/clients/")
    assert "The client of the filter is not there any more" in pages.alerts(page)
    assert bar(page) is None


# What is not seen is not there


def test_records_of_other_clients_are_not_found_by_any_door(app: Flask, cast: Cast, scoped: Desk) -> None:
    before = people_of.digest(app)
    views = app.extensions["desk_views"]
    for module in OF_CLIENTS:
        number, view = cast.b.records[module], views[module]
        url = f"/admin/{module}"
        assert scoped.get(f"{url}/details/?id={number}").status_code == 404, module
        if view.can_edit:
            assert scoped.get(f"{url}/edit/?id={number}").status_code == 404, module
            assert scoped.post(f"{url}/edit/?id={number}", name="forged").status_code == 404, module
            for column in view.column_editable_list or ():
                assert scoped.post(f"{url}/ajax/update/", {"list_form_pk": number, column: "1"}).status_code == 404, (
                    module,
                    column,
                )
        if view.can_delete:
            assert scoped.get(f"{url}/delete/?id={number}").status_code == 404, module
            assert scoped.post(f"{url}/delete/", id=number).status_code == 404, module
        assert scoped.ids(f"{url}/?search={number}" if "search" in view.known_filters else f"{url}/") != [number]
    assert people_of.digest(app) == before


def test_bulk_actions_mean_the_client_of_the_filter_and_say_so(app: Flask, cast: Cast, scoped: Desk) -> None:
    for ids in ([cast.b.id], [cast.a.id, cast.b.id]):
        fields = [("action", "delete"), *(("rowid", str(number)) for number in ids)]
        assert scoped.post("/admin/clients/action/", fields).status_code == 404
    page = scoped.follow(scoped.post("/admin/clients/action/", action="delete", all="1"))
    assert pages.values(page)["count"] == ["1"]
    assert "The filter by client is on." in page.one("form", class_="form-page").text
    assert scoped.post("/admin/clients/bulk/", pages.values(page)).status_code == 302
    with app.app_context():
        assert db.session.get_one(Client, cast.a.id).deleted_at is not None
        assert db.session.get_one(Client, cast.b.id).deleted_at is None


def test_a_selection_made_before_the_filter_does_not_reach_beyond_it(app: Flask, cast: Cast, owner: Desk) -> None:
    page = owner.follow(owner.post("/admin/clients/action/", action="delete", all="1"))
    owner.post("/admin/clients/scope/", id=cast.a.id)
    answer = owner.post("/admin/clients/bulk/", pages.values(page))
    with app.app_context():
        assert db.session.get_one(Client, cast.b.id).deleted_at is None, answer.status_code


def test_a_message_to_all_means_the_client_of_the_filter(app: Flask, cast: Cast, scoped: Desk) -> None:
    answer = scoped.post("/admin/clients/action/", action="message", all="1")
    assert answer.status_code == 302
    with app.app_context():
        selection = db.session.scalars(sa.select(Selection).order_by(Selection.id.desc())).first()
        assert selection is not None
        assert (selection.count, selection.parameters) == (1, {"client": str(cast.a.id)})


def test_exports_look_ups_and_login_as_keep_to_it(app: Flask, cast: Cast, scoped: Desk) -> None:
    for module in OF_CLIENTS:
        text = scoped.get(f"/admin/{module}/export/csv/").text
        assert "Boris" not in text, module
    rows = scoped.get("/admin/clients/export/csv/").text.splitlines()
    assert len(rows) == 2
    assert scoped.get("/admin/payers/ajax/lookup/?name=client&query=").json == [
        [cast.a.id, f"#{cast.a.id} Anna Alpha (anna)"]
    ]
    assert scoped.get("/admin/payers/ajax/lookup/?name=client&query=boris").json == []
    assert scoped.post("/admin/clients/login-as/", id=cast.b.id).status_code == 404
    assert scoped.post("/admin/clients/login-as/", id=cast.a.id).status_code == 302


# What is made


def test_new_records_are_made_for_the_client_of_the_filter(app: Flask, cast: Cast, scoped: Desk) -> None:
    page = scoped.page("/admin/discounts/new/")
    assert pages.values(page)["client"] == [str(cast.a.id)]
    fields = {**pages.values(page), "percent": "5"}
    page = scoped.refused("/admin/discounts/new/", {**fields, "client": str(cast.b.id)})
    assert pages.errors(page) == {"client": "The client filter is on: choose that client, or remove the filter."}
    assert scoped.post("/admin/discounts/new/", fields).status_code == 302
    with app.app_context():
        newest = db.session.scalars(sa.select(Discount).order_by(Discount.id.desc())).first()
        assert newest is not None
        assert newest.client_id == cast.a.id


def test_a_record_cannot_be_handed_over_to_another_client_past_the_filter(app: Flask, cast: Cast, scoped: Desk) -> None:
    url = f"/admin/payers/edit/?id={cast.a.records['payers']}"
    fields = {**pages.values(scoped.page(url)), "client": str(cast.b.id)}
    assert set(pages.errors(scoped.refused(url, fields))) == {"client"}


# Setting it


def test_the_filter_is_set_by_a_form_for_clients_that_are_there(app: Flask, cast: Cast, owner: Desk) -> None:
    with make.scene(app):
        gone = make.client("Gone", deleted_at=now()).id
    for number in (gone, 999, "abc", -1, "2147483648"):
        assert owner.post("/admin/clients/scope/", id=str(number)).status_code == 404
    assert owner.get(f"/admin/clients/scope/?id={cast.a.id}").status_code == 405
    assert bar(owner.page("/admin/")) is None
    answer = owner.post("/admin/clients/scope/", id=cast.a.id, url=f"/admin/clients/details/?id={cast.a.id}")
    assert answer.location == f"/admin/clients/details/?id={cast.a.id}"
    assert owner.post("/admin/clients/scope/", id="", url="//evil.example").status_code == 400


def test_who_sees_no_clients_sets_no_filter(app: Flask, cast: Cast) -> None:
    with make.scene(app):
        nobody = people_of.Person(make.staff("nobody", make.role("Catalogue", "products.view")).id)
    desk = people_of.log_in(app.test_client(), nobody)
    assert desk.post("/admin/clients/scope/", id=cast.a.id).status_code == 403
    page = desk.page(f"/admin/products/?client={cast.a.id}")
    assert bar(page) is None, "nor learns a name by an address"
    assert "(anna)" not in page.text

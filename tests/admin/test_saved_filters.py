"""Saved filters: kept under a name, shown as tabs, shared, changed, deleted, written to, and watched."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import Flask

import jobs
from extensions import Clock, db
from models import AuditEvent, Client, Project, SavedFilter, SavedFilterMember, SavedFilterState, Selection
from operations import saved_filters
from tests import cast as people_of
from tests import factories as make
from tests.cast import Cast, Desk
from tests.support import page as pages
from tests.support.page import Node
from tests.support.people import Person

LIST = "/admin/clients/"
PAGE = "/admin/clients/filters/"


def save(desk: Desk, query: str = "language=ru", name: str = "Russian", **more: str) -> Node:
    return desk.follow(desk.post(f"{PAGE}save/", parameters=query, name=name, **more))


def tabs(page: Node) -> list[tuple[str, str]]:
    """The tabs over a list: what they say, and where they lead; the way to all saved filters left out."""
    found = page.all("nav", class_="tabs")
    return [(a.text, a["href"]) for a in found[0].all("a") if "tabs-end" not in a.get("class")] if found else []


def active(page: Node) -> str:
    return page.one("nav", class_="tabs").one("a", aria_current="page").text


def stored(app: Flask) -> list[SavedFilter]:
    with app.app_context():
        return list(db.session.scalars(sa.select(SavedFilter).order_by(SavedFilter.id)))


# Saving


def test_a_filter_is_saved_from_the_list_and_becomes_a_tab_with_its_count(app: Flask, owner: Desk, cast: Cast) -> None:
    assert tabs(owner.page(LIST)) == []
    page = owner.page(f"{LIST}?language=ru&sort=name&page_size=20")
    form = next(form for form in page.all("form") if form.get("action") == f"{PAGE}save/")
    query = form.one("input", name="parameters")["value"]
    page = save(owner, query)
    assert ("success", "The filter «Russian» is saved.") in pages.messages(page)
    assert pages.row_ids(page) == [cast.b.id]
    assert tabs(page) == [("All", LIST), ("Russian 1", f"{LIST}?language=ru")]
    assert active(page) == "Russian 1"
    (saved,) = stored(app)
    assert (saved.name, saved.parameters, saved.is_shared) == ("Russian", {"language": "ru"}, False)
    assert active(owner.page(LIST)) == "All"
    # A filter that has its tab is not offered to be saved again; its order makes it no other filter.
    again = owner.page(f"{LIST}?language=ru&sort=-name")
    assert active(again) == "Russian 1"
    assert not any(form.get("action") == f"{PAGE}save/" for form in again.all("form"))
    with app.app_context():
        assert db.session.scalar(sa.select(AuditEvent.after).where(AuditEvent.after["name"].as_string() == "Russian"))


def test_the_same_name_twice_too_long_a_name_and_none_are_refused_with_all_that_was_typed(
    app: Flask, owner: Desk
) -> None:
    save(owner)
    for name, message in (
        ("russian", "There is a saved filter of this name already."),
        ("x" * 81, "The name has at most 80 characters."),
        ("  ", "Give the filter a name."),
    ):
        page = owner.refused(f"{PAGE}save/", parameters="country=DE", name=name, is_shared="1")
        form = next(form for form in page.all("form") if form.get("action") == f"{PAGE}save/")
        assert form.one(class_="field-error").text == message
        assert form.one("input", name="name")["value"] == name
        assert form.one("input", name="parameters")["value"] == "country=DE"
        assert "checked" in form.one("input", name="is_shared").attributes
        assert "Country: Germany" in page.text
    assert len(stored(app)) == 1
    save(owner, "country=DE", "x" * 80)
    assert len(stored(app)) == 2


@pytest.mark.parametrize("query", ["", "sort=name&page_size=20", "after=abc"])
def test_there_must_be_something_to_save(app: Flask, owner: Desk, query: str) -> None:
    page = owner.refused(f"{PAGE}save/", parameters=query, name="Nothing")
    assert "There is nothing to save" in pages.alerts(page)
    assert stored(app) == []


def test_what_is_not_understood_is_not_saved(app: Flask, owner: Desk) -> None:
    page = owner.refused(f"{PAGE}save/", parameters="language=xx&nonsense=1", name="Odd")
    assert "was not understood" in pages.alerts(page)
    assert stored(app) == []


# Who sees it, and who may change it


def test_only_a_shared_one_is_seen_by_others_and_only_its_owner_changes_it(
    app: Flask, owner: Desk, log_in: Callable[[str], Desk]
) -> None:
    manager, support = log_in("manager"), log_in("support")
    save(manager, name="Mine")
    save(manager, "country=DE", "Ours", is_shared="1")
    mine, ours = stored(app)
    assert [text for text, _url in tabs(support.page(LIST))] == ["All", "Ours 1"]
    page = support.page(PAGE)
    assert [row["data-id"] for row in page.all("li", class_="saved-filter")] == [str(ours.id)]
    assert not any(form.get("action") in {f"{PAGE}edit/", f"{PAGE}delete/"} for form in page.all("form"))
    before = people_of.digest(app)
    for number, status in ((mine.id, 404), (ours.id, 400)):
        assert support.post(f"{PAGE}edit/", id=number, name="Stolen").status_code == status
        assert support.post(f"{PAGE}delete/", id=number).status_code == status
    assert support.post(f"{PAGE}watch/", id=mine.id, watch=1).status_code == 404
    assert people_of.digest(app) == before
    # Who may edit staff keeps order among what is for all; the others' own are not theirs.
    assert owner.post(f"{PAGE}delete/", id=mine.id).status_code == 404
    assert owner.post(f"{PAGE}edit/", id=ours.id, name="All ours", is_shared="1").status_code == 302
    assert [saved.name for saved in stored(app)] == ["Mine", "All ours"]


def test_sharing_is_for_those_who_may_change_clients(app: Flask, log_in: Callable[[str], Desk]) -> None:
    auditor = log_in("auditor")
    page = auditor.refused(f"{PAGE}save/", parameters="country=DE", name="Theirs", is_shared="1")
    assert "You may save filters for yourself only." in page.text
    save(auditor, "country=DE", "Own")
    (own,) = stored(app)
    assert auditor.post(f"{PAGE}edit/", id=own.id, name="Own", is_shared="1").status_code == 400
    assert not stored(app)[0].is_shared


def test_renaming_sharing_and_deleting(app: Flask, owner: Desk, log_in: Callable[[str], Desk]) -> None:
    save(owner)
    save(owner, "country=DE", "German")
    first, second = stored(app)
    page = owner.follow(owner.post(f"{PAGE}edit/", id=first.id, name=" In  Russian ", is_shared="1"))
    assert ("success", "Saved.") in pages.messages(page)
    assert [text for text, _url in tabs(log_in("support").page(LIST))] == ["All", "In Russian 1"]
    page = owner.refused(f"{PAGE}edit/", id=second.id, name="in russian")
    line = page.one("li", data_id=str(second.id))
    assert line.one(class_="field-error").text == "There is a saved filter of this name already."
    assert line.one("input", name="name")["value"] == "in russian"
    owner.follow(owner.post(f"{PAGE}edit/", id=first.id, name="In Russian"))
    assert tabs(log_in("support").page(LIST)) == []
    owner.post(f"{PAGE}watch/", id=first.id, watch=1)
    page = owner.follow(owner.post(f"{PAGE}delete/", id=first.id))
    assert ("success", "The filter «In Russian» is deleted.") in pages.messages(page)
    assert [saved.name for saved in stored(app)] == ["German"]
    assert owner.ids(f"{LIST}?language=ru")


def test_one_that_asks_for_what_went_says_so_and_shows_no_rows(app: Flask, owner: Desk, cast: Cast) -> None:
    with make.scene(app):
        gone = make.project("Gone").id
    save(owner, f"project={gone}", "Of the old project")
    with make.scene(app):
        db.session.delete(db.session.get(Project, gone))
    (_all, (label, url)) = tabs(owner.page(LIST))
    assert label == "Of the old project"
    page = owner.page(LIST)
    assert "is not there any more" in page.one("nav", class_="tabs").all("a")[1]["title"]
    page = owner.page(url)
    assert pages.row_ids(page) == []
    assert "was not understood" in pages.alerts(page)
    assert "The filter shows no rows." in owner.page(PAGE).text
    with app.app_context():
        jobs.count_saved_filters()
    assert owner.page(LIST).one("nav", class_="tabs").all(class_="count") == []
    (saved,) = stored(app)
    before = people_of.digest(app)
    assert owner.post("/admin/mailings/choose/", recipients=saved.id).status_code == 400
    assert people_of.digest(app) == before


# Counts


def test_a_worker_counts_again_after_a_minute_and_no_further_than_the_tab_shows(
    app: Flask, owner: Desk, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(owner)
    with make.scene(app):
        make.clients(["a", "b", "c"], language="ru")
    with app.app_context():
        jobs.count_saved_filters()
    assert tabs(owner.page(LIST))[1][0] == "Russian 1"
    # On its own tab it is counted now.
    assert active(owner.page(f"{LIST}?language=ru")) == "Russian 4"
    clock.move(seconds=61)
    with app.app_context():
        jobs.count_saved_filters()
        assert saved_filters.due_for_count(now=clock.now()) == []
    assert tabs(owner.page(LIST))[1][0] == "Russian 4"
    monkeypatch.setattr(saved_filters, "COUNTED_UP_TO", 3)
    clock.move(seconds=61)
    with app.app_context():
        jobs.count_saved_filters()
    assert tabs(owner.page(LIST))[1][0] == "Russian 2+"


def test_one_that_came_another_way_is_looked_after_too(app: Flask, owner: Desk, cast: Cast) -> None:
    with make.scene(app):
        values = {"name": "Of old", "owner_id": cast.owner.id, "parameters": {"country": "DE"}}
        db.session.execute(sa.insert(SavedFilter).values(values))
    assert tabs(owner.page(LIST))[1][0] == "Of old"
    (saved,) = stored(app)
    owner.post(f"{PAGE}watch/", id=saved.id, watch=1)
    with app.app_context():
        jobs.count_saved_filters()
        jobs.note_members_of_filters()
    assert tabs(owner.page(LIST))[1][0] == "Of old 1"
    assert home(app, cast.owner).endswith("Nobody came.")


def test_what_takes_long_to_count_is_counted_more_seldom(
    app: Flask, owner: Desk, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(owner)
    clock.move(seconds=61)
    ticks = iter((0.0, 9.0))
    monkeypatch.setattr(saved_filters.time, "perf_counter", lambda: next(ticks))
    with app.app_context():
        number = saved_filters.due_for_count(now=clock.now())[0]
        assert saved_filters.claim_count(number, now=clock.now())
        assert not saved_filters.claim_count(number, now=clock.now())
        saved_filters.count(number, now=clock.now())
        due = db.session.get(SavedFilterState, number).count_due_at
        assert due >= clock.now() + timedelta(seconds=899)
        db.session.rollback()


def test_in_the_filter_by_client_tabs_have_no_numbers(owner: Desk, cast: Cast) -> None:
    save(owner)
    page = owner.page(f"{LIST}?client={cast.a.id}")
    assert page.one("nav", class_="tabs").all(class_="count") == []


# Recipients


def test_a_message_is_written_to_the_clients_of_a_saved_filter(app: Flask, owner: Desk, cast: Cast) -> None:
    save(owner)
    (saved,) = stored(app)
    page = owner.page("/admin/mailings/")
    assert any(a["href"] == "/admin/mailings/choose/" and a.text == "New message" for a in page.all("a"))
    page = owner.page("/admin/mailings/choose/")
    assert [radio["value"] for radio in page.all("input", name="recipients")] == [str(saved.id), "all"]
    page = owner.follow(owner.post("/admin/mailings/choose/", recipients=saved.id))
    assert page.one(class_="recipients")["data-recipients"] == "1"
    assert "Interface language: Русский" in page.one(class_="recipients").text
    with app.app_context():
        selection = db.session.scalars(sa.select(Selection)).one()
        assert (selection.parameters, selection.count, selection.action) == ({"language": "ru"}, 1, "message")
    page = owner.follow(owner.post("/admin/mailings/choose/", recipients="all"))
    assert page.one(class_="recipients")["data-recipients"] == "2"


def test_without_a_choice_without_recipients_and_without_the_right(
    app: Flask, owner: Desk, log_in: Callable[[str], Desk], cast: Cast
) -> None:
    save(owner, "country=FR", "Nobody")
    (saved,) = stored(app)
    assert "Choose who is to get the message." in owner.refused("/admin/mailings/choose/").text
    assert "No client matches now." in owner.refused("/admin/mailings/choose/", recipients=saved.id).text
    assert owner.post("/admin/mailings/choose/", recipients="77777").status_code == 404
    assert log_in("support").post("/admin/mailings/choose/", recipients="all").status_code == 403
    assert not any(a.text == "New message" for a in log_in("support").page("/admin/mailings/").all("a"))
    with app.app_context():
        assert db.session.scalars(sa.select(Selection)).all() == []


def test_in_the_filter_by_client_the_message_is_for_that_client_alone(owner: Desk, cast: Cast) -> None:
    save(owner)
    (saved,) = stored(owner.app)
    owner.post("/admin/clients/scope/", id=cast.b.id)
    assert "This client" in owner.page("/admin/mailings/choose/").text
    page = owner.follow(owner.post("/admin/mailings/choose/", recipients="all"))
    assert page.one(class_="recipients")["data-recipients"] == "1"
    owner.post("/admin/clients/scope/", id=cast.a.id)
    assert "No client matches now." in owner.refused("/admin/mailings/choose/", recipients=saved.id).text


# Watching


def home(app: Flask, person: Person) -> str:
    """What that person's home page says of the filter watched; in a new session, as time goes fast here."""
    page = people_of.log_in(app.test_client(), person).page("/admin/")
    return next((s.text for s in page.all("section") if "Came into" in s.text), "")


def look(app: Flask) -> None:
    with app.app_context():
        jobs.note_members_of_filters()


def test_the_home_page_tells_who_came_into_a_watched_filter(app: Flask, owner: Desk, cast: Cast, clock: Clock) -> None:
    save(owner, is_shared="1")
    (saved,) = stored(app)
    look(app)
    assert home(app, cast.owner) == ""
    page = owner.follow(owner.post(f"{PAGE}watch/", id=saved.id, watch=1))
    assert ("success", "Your home page will tell who comes into «Russian».") in pages.messages(page)
    assert home(app, cast.owner) == "Came into «Russian» since yesterdayWatched from now on."
    look(app)
    assert home(app, cast.owner) == "Came into «Russian» since yesterdayNobody came."
    with make.scene(app):
        new = make.client("New One", language="ru").id
        db.session.get(Client, cast.a.id).language = "ru"
    look(app)
    assert home(app, cast.owner).endswith("Nobody came.")
    clock.move(hours=1, seconds=1)
    look(app)
    assert home(app, cast.owner) == f"Came into «Russian» since yesterday#{new} New One#{cast.a.id} Anna Alpha"
    assert home(app, cast.manager) == ""
    clock.move(hours=23)
    look(app)
    assert "New One" in home(app, cast.owner)
    clock.move(hours=2)
    assert home(app, cast.owner).endswith("Nobody came.")


def test_who_leaves_and_comes_again_has_come(app: Flask, owner: Desk, cast: Cast, clock: Clock) -> None:
    save(owner)
    (saved,) = stored(app)
    owner.post(f"{PAGE}watch/", id=saved.id, watch=1)
    look(app)
    for language in ("en", "ru"):
        with make.scene(app):
            db.session.get(Client, cast.b.id).language = language
        clock.move(hours=1, seconds=1)
        look(app)
    assert "Boris Beta" in home(app, cast.owner)
    with make.scene(app):
        db.session.get(Client, cast.b.id).deleted_at = clock.now()
    assert home(app, cast.owner).endswith("Nobody came.")


def test_a_filter_of_very_many_is_not_watched_and_says_so(
    app: Flask, owner: Desk, cast: Cast, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(owner, "search=e", "Many")
    (saved,) = stored(app)
    owner.post(f"{PAGE}watch/", id=saved.id, watch=1)
    monkeypatch.setattr(saved_filters, "MOST_WATCHED", 1)
    look(app)
    assert home(app, cast.owner).endswith("too many to watch.")
    assert "too many to watch" in owner.page(PAGE).text
    with app.app_context():
        assert db.session.scalars(sa.select(SavedFilterMember)).all() == []
    monkeypatch.setattr(saved_filters, "MOST_WATCHED", 10)
    clock.move(hours=1, seconds=1)
    look(app)
    # Those who are there when it becomes small enough have not just come.
    assert home(app, cast.owner).endswith("Nobody came.")


def test_ending_the_watch_forgets_who_was_there(app: Flask, owner: Desk, cast: Cast) -> None:
    save(owner)
    (saved,) = stored(app)
    owner.post(f"{PAGE}watch/", id=saved.id, watch=1)
    look(app)
    owner.post(f"{PAGE}watch/", id=saved.id, watch=0)
    assert home(app, cast.owner) == ""
    with app.app_context():
        assert db.session.scalars(sa.select(SavedFilterMember)).all() == []
        assert saved_filters.due_for_members(now=saved.created_at + timedelta(days=9)) == []


def test_one_that_cannot_be_looked_at_does_not_hold_up_the_others(
    app: Flask, owner: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    save(owner)
    save(owner, "country=DE", "German")
    first, second = stored(app)
    for saved in (first, second):
        owner.post(f"{PAGE}watch/", id=saved.id, watch=1)
    noting = saved_filters.note_members

    def fail(number: int, **more: object) -> None:
        if number == first.id:
            raise RuntimeError("broken")
        noting(number, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(saved_filters, "note_members", fail)
    look(app)
    assert "could not be looked at" in caplog.text
    with app.app_context():
        assert db.session.get(SavedFilterState, first.id).members_at is None
        assert db.session.get(SavedFilterState, second.id).members_at is not None

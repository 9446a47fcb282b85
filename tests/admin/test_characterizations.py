"""Characterizations as data: the owner adds «VIP», and it is everywhere where good and conflict are."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from admin_views.cells import badge_class
from admin_views.characterizations import COLORS, ICONS
from extensions import db
from models import Characterization, Client
from operations import characterizations, codes, exports
from operations.errors import OperationRefused
from tests import factories as make
from tests.cast import Cast, Desk
from tests.support import page as pages

NEW, LIST, DELETE = "/admin/characterizations/new/", "/admin/clients/", "/admin/characterizations/delete/"
STATIC = Path(__file__).resolve().parents[2] / "static"


def details(number: int) -> str:
    return f"/admin/characterizations/details/?id={number}"


@pytest.fixture
def vip(app: Flask, owner: Desk) -> int:
    """«VIP», added by the owner."""
    owner.follow(owner.post(NEW, name="VIP", icon="star", color="violet", code=""))
    with app.app_context():
        return db.session.scalars(sa.select(Characterization.id).where(Characterization.code == "vip")).one()


def default_of(app: Flask) -> list[str]:
    with app.app_context():
        return list(db.session.scalars(sa.select(Characterization.code).where(Characterization.is_default)))


def test_icon_and_colour_are_chosen_by_looking_and_the_word_is_made_of_the_name(app: Flask, owner: Desk) -> None:
    form = owner.page(NEW)
    icons = form.all("input", name="icon")
    assert [field["value"] for field in icons] == list(ICONS)
    assert all(field["type"] == "radio" for field in icons)
    shown = {use["href"].partition("#")[2] for use in form.all("use")}
    assert set(ICONS) <= shown
    assert {span["class"] for span in form.all("span", data_badge="sample")} == {badge_class(color) for color in COLORS}
    page = owner.follow(owner.post(NEW, name="Ключевой клиент", icon="key", color="teal", code=""))
    badge = page.one("span", data_badge="klyuchevoy_klient")
    assert badge["class"] == "badge badge-teal"
    assert badge.one("use")["href"].endswith("#key")
    assert badge.text == "Ключевой клиент"


def test_every_icon_is_in_the_sprite_and_every_colour_can_be_read_in_light_and_dark() -> None:
    sprite = set(re.findall(r'<symbol id="([^"]+)"', (STATIC / "icons.svg").read_text(encoding="utf-8")))
    assert set(ICONS) <= sprite
    css = (STATIC / "css" / "clientdesk.css").read_text(encoding="utf-8")
    for color in COLORS:
        name = badge_class(color).removeprefix("badge").strip().removeprefix("badge-") or "grey"
        inks, tints = (re.search(rf"--{part}: light-dark\((#\w+), (#\w+)\)", css) for part in (name, f"{name}-tint"))
        assert inks is not None
        assert tints is not None
        for ink, tint in zip(inks.groups(), tints.groups(), strict=True):
            assert _contrast(ink, tint) >= 4.5, (color, ink, tint)


def _contrast(one: str, other: str) -> float:
    def light(color: str) -> float:
        parts = [int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    high, low = sorted((light(one), light(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_words_are_made_of_names() -> None:
    def made(name: str, *taken: str) -> str:
        return codes.made_of(name, is_free=lambda code: code not in taken, otherwise="badge")

    assert [made(name) for name in ("VIP", "Щедрый ёж", "Très chère!", "24 hours", "日本", "№ 1")] == [
        "vip", "shchedryy_ezh", "tres_chere", "badge_24_hours", "badge", "no_1",
    ]  # fmt: skip
    assert made("VIP", "vip", "vip_2") == "vip_3"
    assert re.fullmatch(r"[a-z][a-z0-9_]{0,39}", made("x" * 80, "x" * 40))


def test_vip_is_everywhere_where_good_and_conflict_are(app: Flask, cast: Cast, owner: Desk, vip: int) -> None:
    page = owner.page(LIST)
    assert [option.text for option in page.one("select", id="filter-characterization").all("option")][-1] == "VIP"
    assert [option.text for option in page.one("select", id="filter-not_characterization").all("option")][-1] == "VIP"
    columns = [("columns", name) for name in ("id", "name", "properties", "characterization")]
    owner.post("/admin/clients/columns/", columns)
    editors = re.search(r'id="edit-spec">(.*?)</script>', owner.get(LIST).text)
    assert editors is not None
    assert json.loads(editors[1])["characterization"]["options"][-1] == [str(vip), "VIP"]
    cell = {"list_form_pk": str(cast.a.id), "characterization": str(vip)}
    assert owner.post("/admin/clients/ajax/update/", cell).status_code == 200
    row = owner.page(f"{LIST}?characterization={vip}")
    assert pages.row_ids(row) == [cast.a.id]
    assert pages.badges(pages.cell(row, cast.a.id, "Properties")) == ["vip"]
    assert pages.cell(row, cast.a.id, "Properties").one("span", data_badge="vip").text == "VIP"
    assert "Characterization: VIP" in " ".join(row.one("li", class_="chip").text.split())
    asked = owner.post("/admin/clients/action/", {"action": "set_characterization", "rowid": str(cast.b.id)})
    confirm = owner.follow(asked)
    assert "VIP" in confirm.one("select", name="characterization").text
    done = owner.post(asked.location, {**pages.values(confirm), "characterization": str(vip)})
    assert done.status_code == 302
    assert sorted(owner.ids(f"{LIST}?characterization={vip}")) == sorted([cast.a.id, cast.b.id])
    saved = {"name": "Dear ones", "parameters": f"characterization={vip}"}
    assert owner.post("/admin/clients/filters/save/", saved).status_code == 302
    assert "Characterization: VIP" in owner.page("/admin/clients/filters/").text
    assert "VIP" in owner.page(f"/admin/clients/edit/?id={cast.a.id}").one("select", name="characterization").text
    for url in (
        f"/admin/clients/details/?id={cast.a.id}",
        f"/admin/tickets/details/?id={cast.a.records['tickets']}",
        f"/admin/payers/?client={cast.a.id}",
        "/admin/search/?search=anna",
    ):
        badge = owner.page(url).all("span", data_badge="vip")
        assert badge, url
        assert badge[0]["class"] == "badge badge-violet", url
        assert badge[0].one("use")["href"].endswith("#star"), url
    [found] = [
        group for group in owner.get("/admin/search/suggest.json?search=anna").json if group["module"] == "clients"
    ]
    assert found["hits"][0]["badge"] == {
        "code": "vip", "label": "VIP", "icon": "star", "color": "violet", "title": "VIP client", "class": "badge badge-violet",
    }  # fmt: skip
    assert ",VIP," in owner.get(f"{LIST}export/csv/?characterization={vip}").text
    with app.app_context():
        assert ",vip," in "".join(exports.all_clients_csv())
    audit = owner.page("/admin/audit/?module=clients").text
    assert "VIP" in audit


def test_an_import_brings_it_in_by_word_and_by_name(app: Flask, cast: Cast, owner: Desk, vip: int) -> None:
    from tests.support.importing import Importer

    with app.app_context():
        text = "".join(exports.all_clients_csv())
        lines = text.replace(",ordinary,", ",vip,", 1).replace(",ordinary,", ",VIP,", 1)
        importer = Importer(Path(app.config["SETTINGS"].data_dir))
        importer.bring_in(lines)
        held = db.session.scalars(sa.select(Client.characterization_id).order_by(Client.id)).all()
    assert list(held) == [vip, vip]


def test_one_that_clients_have_is_not_deleted_and_the_way_to_them_is_shown(
    app: Flask, cast: Cast, owner: Desk, vip: int
) -> None:
    with make.scene(app):
        db.session.get_one(Client, cast.a.id).characterization_id = vip
        gone = make.client("Gone", characterization=db.session.get_one(Characterization, vip))
        gone.deleted_at = gone.registered_at
    page = owner.page(f"{DELETE}?id={vip}")
    assert "2 clients have it, so it cannot be deleted. Of them deleted: 1." in page.text
    assert f"/admin/clients/?characterization={vip}" in [link["href"] for link in page.all("a")]
    page = owner.follow(owner.post(DELETE, id=vip))
    assert pages.messages(page)[0] == ("error", "2 clients have it, so it cannot be deleted. Of them deleted: 1.")
    with make.scene(app):
        ordinary = make.characterization().id
        db.session.execute(sa.update(Client).values(characterization_id=ordinary))
    assert "Delete VIP?" in owner.page(f"{DELETE}?id={vip}").text
    assert owner.post(DELETE, id=vip).status_code == 302
    with app.app_context():
        assert db.session.get(Characterization, vip) is None


def test_new_clients_get_another_one_and_two_tabs_do_no_harm(app: Flask, cast: Cast, owner: Desk, vip: int) -> None:
    with app.app_context():
        good, ordinary = make.characterization("good").id, make.characterization().id
    assert owner.page(details(vip)).one("input", name="instead_of")["value"] == str(ordinary)
    page = owner.follow(owner.post("/admin/characterizations/default/", id=vip, instead_of=ordinary))
    assert pages.messages(page)[0] == ("success", "New clients get «VIP» from now on.")
    assert default_of(app) == ["vip"]
    page = owner.follow(owner.post("/admin/characterizations/default/", id=good, instead_of=ordinary))
    assert pages.messages(page)[0] == (
        "error",
        "Somebody has made «VIP» the one for new clients meanwhile. Look again.",
    )
    assert default_of(app) == ["vip"]
    assert owner.post("/admin/characterizations/default/", id=vip, instead_of=ordinary).status_code == 302
    assert default_of(app) == ["vip"]
    assert (
        pages.messages(owner.follow(owner.post(DELETE, id=vip)))[-1][1]
        == "New clients get this one, so it cannot be deleted."
    )
    with make.scene(app):
        assert make.client("New one").characterization.code == "ordinary"
        from operations.clients import default_characterization

        assert default_characterization().code == "vip"
    for wrong in ("", "x", "-1", "9" * 20):
        assert owner.post("/admin/characterizations/default/", id=good, instead_of=wrong).status_code == 400
    assert default_of(app) == ["vip"]


def test_of_two_who_choose_at_the_very_same_time_one_wins(app: Flask, cast: Cast) -> None:
    with app.app_context():
        ids = {code: make.characterization(code).id for code in ("ordinary", "good", "conflict")}
    begin, said = threading.Barrier(2), []

    def choose(code: str) -> None:
        with app.app_context():
            begin.wait()
            try:
                characterizations.make_default(
                    db.session.get_one(Characterization, ids[code]), instead_of=ids["ordinary"]
                )
                db.session.commit()
                said.append(code)
            except OperationRefused:
                db.session.rollback()
            db.session.remove()

    threads = [threading.Thread(target=choose, args=(code,)) for code in ("good", "conflict")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(said) == 1
    assert default_of(app) == said


def test_who_may_not_edit_them_cannot(cast: Cast, vip: int, log_in: Callable[[str], Any]) -> None:
    support = log_in("support")
    assert support.post("/admin/characterizations/default/", id=vip, instead_of=1).status_code == 403
    assert support.post(NEW, name="Mine", icon="star", color="blue").status_code == 403
    assert "Give it to new clients" not in support.page(details(vip)).text

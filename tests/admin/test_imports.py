"""Import in the admin: the file is rehearsed, looked at line by line, and confirmed."""

from __future__ import annotations

import io
import threading
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from extensions import Clock, db
from models import AuditEvent, Client, ClientUser, ImportBatch, OutboundEmail, Project, Staff
from tests.imports_data import as_csv, spoil_whmcs, whmcs_rows
from tests.support import page, people
from tests.support.page import Node

ADDRESS = "/admin/clients/import/"


@pytest.fixture
def boss(app: Flask, client: FlaskClient) -> FlaskClient:
    """Somebody logged in who may create and edit clients."""
    with app.app_context():
        people.staff("boss", "clients.view", "clients.create", "clients.edit")
    return people.log_in_staff(client, "boss")


def upload(visitor: FlaskClient, content: str | bytes, name: str = "clients.csv", **fields: Any) -> TestResponse:
    data = content.encode() if isinstance(content, str) else content
    return people.post(visitor, ADDRESS, file=(io.BytesIO(data), name), **fields)


def rehearse(visitor: FlaskClient, content: str | bytes, **fields: Any) -> str:
    """Upload the file; returns the address of what was said of it."""
    answer = upload(visitor, content, **fields)
    assert answer.status_code == 302, answer.text
    return answer.location


def confirm(visitor: FlaskClient, address: str, **fields: Any) -> Node:
    answer = people.post(visitor, f"{address}confirm/", page=address, **fields)
    assert answer.status_code == 302, answer.text
    return see(visitor, answer.location)


def see(visitor: FlaskClient, address: str) -> Node:
    answer = visitor.get(address)
    assert answer.status_code == 200
    return page.read(answer.text)


def tabs(seen: Node) -> dict[str, str]:
    """How many lines there are of each outcome, as the tabs say."""
    links = seen.first("nav", class_="tabs").all("a")
    return {
        link.text.removesuffix(link.one(class_="count").text).strip(): link.one(class_="count").text for link in links
    }


def lines(seen: Node) -> list[tuple[int, str]]:
    return [(int(row["data-line"]), row["data-outcome"]) for row in seen.all("tr", data_line=None)]


def clients() -> int:
    return db.session.scalar(sa.select(sa.func.count()).select_from(Client)) or 0


def test_from_the_file_to_the_clients(app: Flask, boss: FlaskClient) -> None:
    assert "multipart/form-data" in boss.get(ADDRESS).text
    address = rehearse(boss, as_csv(spoil_whmcs(whmcs_rows(300))))
    seen = see(boss, address)
    assert tabs(seen) == {"All lines": "300", "New": "290", "Changed": "0", "Unchanged": "0", "Refused": "10"}
    with app.app_context():
        assert clients() == 0

    refused = see(boss, f"{address}?outcome=refused")
    assert {outcome for _number, outcome in lines(refused)} == {"refused"}
    assert "«no address» is no e-mail address" in refused.text

    done = confirm(boss, address, skip_bad="1")
    assert page.messages(done) == [("success", "Brought in: 290 new clients, 0 changed; 0 unchanged, 10 refused.")]
    assert not done.all("form", action=f"{address}confirm/")
    with app.app_context():
        assert clients() == 290
        batch = db.session.scalars(sa.select(ImportBatch)).one()
        assert batch.staff.username == "boss"
        events = sa.select(AuditEvent.staff_id, AuditEvent.ip).where(AuditEvent.action == "import").distinct()
        assert db.session.execute(events).all() == [(batch.staff_id, "127.0.0.1")]

    again = see(boss, rehearse(boss, as_csv(spoil_whmcs(whmcs_rows(300)))))
    assert tabs(again)["Unchanged"] == "290"
    past = see(boss, ADDRESS)
    assert [row.one("a").text for row in past.first("table", class_="plain-table").one("tbody").all("tr")] == [
        "clients.csv"
    ] * 2


def test_without_leaving_out_a_refused_line_stops_all(app: Flask, boss: FlaskClient) -> None:
    address = rehearse(boss, as_csv(spoil_whmcs(whmcs_rows(60))))
    seen = confirm(boss, address)
    assert page.messages(seen) == [("error", "Nothing was brought in: 2 of the lines are refused.")]
    assert [outcome for _number, outcome in lines(seen)] == ["refused", "refused"]
    with app.app_context():
        assert clients() == 0
    confirm(boss, address, skip_bad="1")
    with app.app_context():
        assert clients() == 58


def test_changes_stand_as_old_and_new(boss: FlaskClient) -> None:
    rows = list(whmcs_rows(2))
    confirm(boss, rehearse(boss, as_csv(rows)))
    rows[0]["notes"] = "<script>alert(1)</script>"
    rows[0]["country"] = "CZ"
    address = rehearse(boss, as_csv(rows))
    seen = see(boss, address)
    assert lines(seen)[0][1] == "changed"
    assert lines(seen)[1][1] == "unchanged"
    told = seen.all("tr", data_outcome="changed")[0].text
    assert "country: " in told
    assert "→ Czechia" in told
    assert "→ <script>alert(1)</script>" in told
    assert "<script>alert" not in boss.get(address).text


def test_lines_come_in_pages(boss: FlaskClient) -> None:
    address = rehearse(boss, as_csv(whmcs_rows(250)))
    first = see(boss, address)
    following = page.link(first, "next")
    assert following
    second = see(boss, following)
    third = see(boss, page.link(second, "next") or "")
    assert [len(lines(each)) for each in (first, second, third)] == [100, 100, 50]
    numbers = [number for each in (first, second, third) for number, _outcome in lines(each)]
    assert numbers == sorted(set(numbers))
    assert page.link(third, "next") is None
    assert page.link(second, "prev") == address
    for odd in ("0", "-1", "x", "99999999999", "%ff"):
        assert boss.get(f"{address}?page={odd}&outcome={odd}").status_code == 200


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "Line 1: The file is empty."),
        (b"id,firstname,email\n1,A,a@b.org\n2,B\x00,b@b.org\n", "Line 3: There is a NUL character"),
        (
            b'id,firstname,email\n1,A,a@b.org\n2,"B,b@b.org\n',
            "Line 3: In the row that begins here a quotation mark",
        ),
        (b"sky,blue\n", "Line 1: There are no headings here"),
    ],
)
def test_a_broken_file_is_told_beside_the_field_and_the_rest_stays(
    app: Flask, boss: FlaskClient, content: bytes, said: str
) -> None:
    answer = upload(boss, content, source="old billing", country="DE")
    assert answer.status_code == 200
    seen = page.read(answer.text)
    assert page.errors(seen)["file"].startswith(said)
    held = page.values(seen)
    assert (held["source"], held["country"]) == (["old billing"], ["DE"])
    with app.app_context():
        assert db.session.scalars(sa.select(ImportBatch)).all() == []
        assert not list(Path(app.config["SETTINGS"].data_dir, "imports").glob("*"))


def test_no_file_and_wrong_choices_are_told_beside_their_fields(boss: FlaskClient) -> None:
    answer = people.post(boss, ADDRESS, source="x" * 41, country="XX", project="999")
    assert set(page.errors(page.read(answer.text))) == {"file", "source", "country", "project"}


def test_project_source_and_country_are_taken_over(app: Flask, boss: FlaskClient) -> None:
    with app.app_context():
        db.session.add(Project(name="Beta", currency="RUB"))
        db.session.commit()
        beta = db.session.scalars(sa.select(Project.id).where(Project.name == "Beta")).one()
    rows = [row | {"country": "", "phonenumber": ""} for row in whmcs_rows(2)]
    confirm(boss, rehearse(boss, as_csv(rows), project=str(beta), source="old billing", country="ES"))
    with app.app_context():
        found = db.session.execute(sa.select(Client.project_id, Client.external_source, Client.country).distinct())
        assert found.all() == [(beta, "old billing", "ES")]


def test_a_rehearsal_not_confirmed_within_a_day_is_gone(app: Flask, boss: FlaskClient, clock: Clock) -> None:
    address = rehearse(boss, as_csv(whmcs_rows(2)))
    with app.app_context():
        batch = db.session.scalars(sa.select(ImportBatch)).one()
        token = people.token_of(boss.get(address))
        for path in Path(app.config["SETTINGS"].data_dir, "imports").iterdir():
            path.unlink()
        batch_id = batch.id
    answer = boss.post(f"{ADDRESS}{batch_id}/confirm/", data={"csrf_token": token})
    seen = see(boss, answer.location)
    assert page.messages(seen) == [("error", "The file is no longer kept. Please upload it again.")]
    assert not seen.all("form", action=f"{address}confirm/")
    with app.app_context():
        assert clients() == 0


def test_pressing_twice_brings_in_once(app: Flask, boss: FlaskClient) -> None:
    address = rehearse(boss, as_csv(whmcs_rows(3)))
    token = people.token_of(boss.get(address))
    for expected in ("success", "error"):
        answer = boss.post(f"{address}confirm/", data={"csrf_token": token})
        assert page.messages(see(boss, answer.location))[0][0] == expected
    with app.app_context():
        assert clients() == 3


@pytest.mark.parametrize(
    "rights", [(), ("clients.view",), ("clients.view", "clients.edit"), ("clients.view", "clients.create")]
)
def test_who_may_not_create_and_edit_clients_is_refused(
    app: Flask, client: FlaskClient, rights: tuple[str, ...]
) -> None:
    with app.app_context():
        people.staff("anna", *rights)
        db.session.add(ImportBatch(file_name="x.csv", status="rehearsed", counts={}))
        db.session.commit()
    visitor = people.log_in_staff(client, "anna")
    token = people.token_of(visitor.get("/admin/"))
    assert visitor.get(ADDRESS).status_code == 403
    assert visitor.get(f"{ADDRESS}1/").status_code == 403
    for address in (ADDRESS, f"{ADDRESS}1/confirm/"):
        assert visitor.post(address, data={"csrf_token": token}).status_code == 403
    assert app.test_client().get(ADDRESS).status_code == 302


def test_what_is_not_there_and_what_has_no_token(boss: FlaskClient) -> None:
    assert boss.get(f"{ADDRESS}77/").status_code == 404
    assert boss.get(f"{ADDRESS}99999999999999999999/").status_code == 404
    assert boss.get(f"{ADDRESS}1/confirm/").status_code == 405
    assert boss.post(ADDRESS, data={"file": (io.BytesIO(b"x"), "x.csv")}).status_code == 400


def test_names_of_files_are_names_only(app: Flask, boss: FlaskClient) -> None:
    for name in ("../../etc/passwd", "/my/<u>.csv", "я" * 300 + ".csv"):
        address = rehearse(boss, as_csv(whmcs_rows(1)), name=name)
        assert "<u>" not in boss.get(address).text
    with app.app_context():
        names = list(db.session.scalars(sa.select(ImportBatch.file_name).order_by(ImportBatch.id)))
    assert names == ["passwd", "<u>.csv", "я" * 255]


def test_reasons_are_in_the_persons_language(app: Flask, boss: FlaskClient) -> None:
    """What is kept are codes, so the same report speaks to each reader in his own language."""
    address = rehearse(boss, as_csv([next(whmcs_rows(1)) | {"country": "Narnia"}]))
    assert "«Narnia» is no country" in see(boss, address).text
    kept = next(Path(app.config["SETTINGS"].data_dir, "imports").glob("*.lines")).read_text(encoding="utf-8")
    assert '"country_wrong"' in kept
    assert "is no country" not in kept


def test_owners_log_in_only_after_they_set_a_password(app: Flask, boss: FlaskClient) -> None:
    confirm(boss, rehearse(boss, as_csv(whmcs_rows(1))))
    with app.app_context():
        username = db.session.scalars(sa.select(ClientUser.username)).one()
        kept = db.session.scalars(sa.select(ClientUser.password_hash)).one()
        assert db.session.scalars(sa.select(Staff.username)).all() == ["boss"]
    visitor = app.test_client()
    for password in ("", kept, "!"):
        answer = people.post(visitor, "/login", username=username, password=password)
        assert answer.status_code != 302, "nobody's password opens the panel"


@pytest.mark.engine("sqlite")
def test_others_write_while_a_file_is_rehearsed(app: Flask, boss: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """A long rehearsal keeps nobody from writing, though this database has one writer at a time."""
    from operations import import_pass

    written: list[bool] = []
    original = import_pass.Pass._chunk

    def somebody_writes() -> None:
        with app.app_context():
            db.session.add(Project(name=f"P{len(written)}"))
            db.session.commit()
            written.append(True)

    def chunk(self: Any, rows: Any) -> Any:
        other = threading.Thread(target=somebody_writes)
        other.start()
        other.join(timeout=10)
        return original(self, rows)

    monkeypatch.setattr(import_pass.Pass, "_chunk", chunk)
    rehearse(boss, as_csv(whmcs_rows(3)))
    assert written == [True]


def test_the_lists_own_export_comes_back_unchanged(app: Flask, client: FlaskClient) -> None:
    with app.app_context():
        people.staff("boss", "clients.view", "clients.create", "clients.edit", "clients.export")
    boss = people.log_in_staff(client, "boss")
    confirm(boss, rehearse(boss, as_csv(whmcs_rows(60))))
    with app.app_context():
        living = clients() - 2
    exported = boss.get("/admin/clients/export/csv/")
    assert exported.status_code == 200
    seen = see(boss, rehearse(boss, exported.data))
    assert tabs(seen)["Unchanged"] == tabs(seen)["All lines"] == str(living)


def test_an_imported_owner_sets_a_password_by_the_link_for_a_forgotten_one(app: Flask, boss: FlaskClient) -> None:
    confirm(boss, rehearse(boss, as_csv(whmcs_rows(1))))
    with app.app_context():
        address = db.session.scalars(sa.select(ClientUser.email)).one()
    people.post(app.test_client(), "/reset-password", email=address)
    with app.app_context():
        letter = db.session.scalars(sa.select(OutboundEmail)).one()
        assert letter.recipient == address

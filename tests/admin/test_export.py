"""Lists as files: what is in them, what no spreadsheet may run, and who may have them."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from decimal import Decimal

import pytest
import sqlalchemy as sa
from flask import Flask

from extensions import db, now
from models import AuditEvent, Client, ClientUser, OutboundEmail, Session, Staff
from tests import cast as people_of
from tests import factories as make
from tests.cast import Cast, Desk
from tests.house.test_statements import LISTS
from tests.support import page as pages
from tests.support import xlsx

CSV, XLSX = "/admin/clients/export/csv/", "/admin/clients/export/xlsx/"
FORMULAS = [
    "=1+2", "+1+2", "-1+2", "@SUM(A1)", "\t=1", '=HYPERLINK("http://evil.example","x")', "=cmd|' /C calc'!A0", "'=1", "=", "-",
]  # fmt: skip
LIVE = ("=", "+", "-", "@", "\t", "\r")


def table(desk: Desk, url: str) -> list[dict[str, str]]:
    """The file at `url`, read as a spreadsheet reads it."""
    answer = desk.get(url)
    assert answer.status_code == 200, answer.status_code
    return list(csv.DictReader(io.StringIO(answer.get_data().decode("utf-8-sig"), newline="")))


def ids(desk: Desk, url: str) -> list[int]:
    return [int(row["id"]) for row in table(desk, url)]


def events(app: Flask) -> list[AuditEvent]:
    with app.app_context():
        found = list(
            db.session.scalars(sa.select(AuditEvent).where(AuditEvent.action == "export").order_by(AuditEvent.id))
        )
        db.session.expunge_all()
        return found


def test_the_file_has_a_line_for_each_client_with_its_values(app: Flask, cast: Cast, owner: Desk) -> None:
    with make.scene(app):
        client = db.session.get_one(Client, cast.b.id)
        client.note = 'Says "hello", often;\nin two lines'
        client.contact_person = "Пётр Ёлкин"
        make.entry(client, "-105.25")
    answer = owner.get(CSV)
    assert answer.mimetype == "text/csv"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="clients-{now():%Y-%m-%d}.csv"'
    assert answer.get_data().startswith(b"\xef\xbb\xbf"), "so that spreadsheets take it for UTF-8"
    rows = {int(row["id"]): row for row in table(owner, CSV)}
    assert set(rows) == {cast.a.id, cast.b.id}
    row = rows[cast.b.id]
    wanted = {
        "name": "Boris Beta", "owner_username": "boris", "country": "RU", "language": "ru", "project": "Beta Telecom",
        "characterization": "Ordinary", "note": 'Says "hello", often;\nin two lines', "contact_person": "Пётр Ёлкин",
        "active_services": "1", "legal_status": "individual",
    }  # fmt: skip
    assert {name: row[name] for name in wanted} == wanted
    assert Decimal(row["balance"]) == Decimal("-5.25"), "a number stays one, below nothing too"
    assert row["registered_at"].startswith(f"{now():%Y-}")


@pytest.mark.timeout(120)
def test_no_cell_is_run_as_a_formula(app: Flask, cast: Cast, owner: Desk) -> None:
    with make.scene(app):
        for number, formula in enumerate(FORMULAS):
            shown = formula.replace("\t", "")
            client = make.client(formula, company_name=formula, contact_person=formula, note=formula)
            make.payer(client, formula, tax_id=formula[:40])
            make.group(f"{formula}{number}")
            make.ticket(client, shown)
            make.template(f"{shown}{number}", subject=shown)
            make.staff(full_name=formula)
    numeric = {"id", "balance", "amount", "credit_limit", "price", "percent", "active_services", "record_id", "client_id", "points",
               "attempts", "recipients_count"}  # fmt: skip
    live = []
    for module in LISTS:
        if app.extensions["desk_views"][module].can_export:
            for row in table(owner, f"/admin/{module}/export/csv/"):
                live += [
                    f"{module} {name}: {cell}"
                    for name, cell in row.items()
                    if cell.startswith(LIVE) and name not in numeric
                ]
    assert live == []
    names = [row["name"] for row in table(owner, f"{CSV}?sort=id")][2:]
    assert names == [f"'{formula}" if formula.startswith(LIVE) else formula for formula in FORMULAS]


def test_every_list_is_a_workbook_too(app: Flask, cast: Cast, owner: Desk) -> None:
    """The same rows as in CSV; numbers and moments are such, and no text is run."""
    with make.scene(app):
        client = make.client("=1+2", company_name="@SUM(A1)", note="<b> & 'quoted'\nin two lines")
        make.entry(client, "-105.25")
        number = client.id
    answer = owner.get(XLSX)
    assert answer.mimetype == "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="clients-{now():%Y-%m-%d}.xlsx"'
    row = next(row for row in xlsx.read(answer.get_data()) if row["id"] == number)
    assert row["name"] == "'=1+2"
    assert row["company_name"] == "'@SUM(A1)"
    assert row["note"] == "<b> & 'quoted'\nin two lines"
    assert row["balance"] == Decimal("-105.25")
    assert row["registered_at"].date() == now().date()
    for module in LISTS:
        if app.extensions["desk_views"][module].can_export:
            plain = table(owner, f"/admin/{module}/export/csv/?sort=id")
            found = xlsx.read(owner.get(f"/admin/{module}/export/xlsx/?sort=id").get_data())
            # In the audit the export of a moment ago stands besides.
            assert [str(row["id"]) for row in found][: len(plain)] == [row["id"] for row in plain], module
            assert not plain or set(found[0]) == set(plain[0]), module
            assert not [cell for row in plain for cell in row.values() if "object at 0x" in cell or "<models" in cell]
    links = [link["href"] for link in owner.page("/admin/clients/?search=1").all("a", href=None)]
    assert f"{XLSX}?search=1" in links


def test_filter_search_order_and_deletion_count_in_the_file_too(app: Flask, cast: Cast, owner: Desk) -> None:
    with make.scene(app):
        french = [make.client(name, country="FR").id for name in ("Zeta", "Eta", "Theta")]
        make.client("Gone", country="FR", deleted_at=now())
    assert ids(owner, f"{CSV}?country=FR&sort=name") == [french[1], french[2], french[0]]
    assert ids(owner, f"{CSV}?country=FR&sort=-name&page_size=20") == [french[0], french[2], french[1]]
    assert ids(owner, f"{CSV}?search=heta") == [french[1 + 1]]
    assert ids(owner, f"{CSV}?country=IT") == []
    links = [link["href"] for link in owner.page("/admin/clients/?country=FR&sort=name&search=eta").all("a", href=None)]
    [link] = [link for link in links if "/export/csv/" in link]
    assert ids(owner, link) == [french[1], french[2], french[0]]


def test_a_place_in_the_list_does_not_shorten_the_file(app: Flask, cast: Cast, owner: Desk) -> None:
    with make.scene(app):
        make.clients([f"Client {number}" for number in range(30)])
    following = pages.link(owner.page("/admin/clients/?page_size=20"), "next") or ""
    assert len(ids(owner, f"{CSV}?{following.partition('?')[2]}")) == 32


def test_a_long_file_is_written_piece_by_piece_and_has_each_row_once(
    app: Flask, cast: Cast, owner: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    from admin_views import exporting

    monkeypatch.setattr(exporting, "CHUNK", 7)
    with make.scene(app):
        made = make.clients(["Same name"] * 40)
    for sort in ("name", "-registered_at", "balance", "country"):
        found = ids(owner, f"{CSV}?sort={sort}&name=same")
        assert len(found) == 40
        assert sorted(found) == made


def test_what_is_not_understood_gives_no_file(app: Flask, cast: Cast, owner: Desk) -> None:
    """A wrong filter must not come to mean all clients."""
    for query in ("country=XX", "countri=FR", "sort=note", "client=999"):
        answer = owner.get(f"{CSV}?{query}")
        assert answer.status_code == 302
        assert pages.messages(owner.follow(answer))[0][0] == "error"
    assert events(app) == []


def test_it_is_a_right_of_its_own_and_written_down(
    app: Flask, cast: Cast, owner: Desk, log_in: Callable[[str], Desk]
) -> None:
    support = log_in("support")
    assert support.get(CSV).status_code == 403
    assert not any("/export/" in link["href"] for link in support.page("/admin/clients/").all("a", href=None))
    assert log_in("auditor").get("/admin/payments/export/csv/").status_code == 403
    assert events(app) == []
    assert log_in("accountant").get(f"{CSV}?country=RU&search=bor").status_code == 200
    [event] = events(app)
    assert (event.module, event.staff_id, event.ip) == ("clients", cast.accountant.id, "127.0.0.1")
    assert event.after == {"filter": {"country": "RU", "search": "bor"}, "format": "csv", "count": 1}


def test_other_kinds_of_files_are_not_there(cast: Cast, owner: Desk) -> None:
    for kind in ("exe", "CSV", "json", "csv%00", "..%2fcsv"):
        assert owner.get(f"/admin/clients/export/{kind}/").status_code in {400, 404}
    assert owner.get("/admin/features/export/csv/").status_code == 404
    assert owner.post(CSV).status_code == 405


def test_no_secret_is_in_any_file(app: Flask, cast: Cast, owner: Desk) -> None:
    with make.scene(app):
        db.session.get_one(ClientUser, cast.a.owner.id).totp_secret = "SENTINEL-SEED"
        db.session.get_one(Staff, cast.support.id).totp_secret = "SENTINEL-SEED"
        db.session.get_one(OutboundEmail, cast.a.records["emails"]).context = {"token": "SENTINEL-TOKEN"}
        db.session.get_one(Staff, cast.support.id).full_name = "Changed, so that the audit tells"
        hashes = set(db.session.scalars(sa.select(Session.token_hash)))
    for module in LISTS:
        text = owner.get(f"/admin/{module}/export/csv/").text
        assert "SENTINEL" not in text, module
        assert "argon2" not in text, module
        assert not any(token in text for token in hashes), module
        assert "password" not in text.splitlines()[0] if text else True


def test_every_module_that_offers_a_file_gives_one(app: Flask, cast: Cast, owner: Desk) -> None:
    for module in LISTS:
        if not app.extensions["desk_views"][module].can_export:
            continue
        rows = table(owner, f"/admin/{module}/export/csv/")
        assert {int(row["id"]) for row in rows} >= {cast.record(module)} or module == "audit", module
    assert len(events(app)) == sum(app.extensions["desk_views"][module].can_export for module in LISTS)
    assert people_of.is_no_fault(owner.get("/admin/audit/export/csv/?module=clients"))

"""Export: what goes out comes in again as it was, and no spreadsheet runs any of it."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from extensions import db
from models import (
    Characterization,
    Client,
    ClientGroup,
    ClientUser,
    Consent,
    LedgerEntry,
    LegalStatus,
    Payer,
    Project,
)
from operations import exports, imports
from operations.import_rows import APOSTROPHE
from tests.imports_data import spoil_whmcs, whmcs_rows, write_csv
from tests.support import people

HOSTILE = ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "'=1", "''=1", "'quoted'", '=HYPERLINK("http://x")')

pytestmark = pytest.mark.usefixtures("session")


def exported() -> list[dict[str, str]]:
    text = "".join(exports.all_clients_csv())
    assert text.startswith("\ufeffid,")
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline="")))


def export_to(path: Path) -> Path:
    path.write_text("".join(exports.all_clients_csv()), encoding="utf-8", newline="")
    return path


def run(path: Path, **options: bool) -> str:
    said: list[str] = []
    assert imports.run_command(path, echo=said.append, **options) == 0, said[-3:]  # type: ignore[arg-type]
    return said[-1]


def a_full_client() -> Client:
    people.client("anna")
    client = db.session.scalars(sa.select(Client)).one()
    client.name, client.company_name = "Наш «Свет»", 'АО "Свет"; филиал'
    client.legal_status = LegalStatus.SOLE_PROPRIETOR
    client.note = "Первая\nвторая, =1"
    client.verified_phone = "+79161234567"
    client.referral_source = "@friend"
    client.registered_at = datetime(2020, 2, 3, 4, 5, 6, 789012, tzinfo=UTC)
    client.registration_ip = "2001:db8::1"
    client.characterization = db.session.scalars(
        sa.select(Characterization).where(Characterization.code == "conflict")
    ).one()
    client.groups = [ClientGroup(name="Опт"), ClientGroup(name="VIP")]
    owner = client.owner
    assert owner is not None
    owner.phone = "+74951234567"
    db.session.add(Consent(client_user_id=owner.id, kind="news", withdrawn_at=client.registered_at))
    payer = Payer(client_id=client.id, name="x", country="RU", tax_id="770", postal_address="Москва, 1")
    payer.is_default = True
    db.session.add(payer)
    db.session.commit()
    return client


def test_all_of_a_client_is_in_its_row() -> None:
    client = a_full_client()
    people.pay_in(client.id, "-5.00")
    db.session.expire_all()
    (row,) = exported()
    assert row == {
        "id": str(client.id), "project": client.project.name, "name": "Наш «Свет»", "username": "anna",
        "legal_status": "sole_proprietor", "company": 'АО "Свет"; филиал', "contact_person": "Anna Person",
        "email": "anna@client.example", "phone": "'+74951234567", "verified_phone": "'+79161234567",
        "address": "Москва, 1", "tax_id": "770", "country": "RU", "language": "en",
        "characterization": "conflict", "groups": "VIP;Опт",
        "note": "Первая\nвторая, =1", "referred_by": "'@friend",
        "marketing_emails_opt_in": "0", "registration_ip": "2001:db8::1",
        "created_at": "2020-02-03T04:05:06.789012+00:00", "status": "active", "balance": "-5.00",
        "currency": client.project.currency, "active_services": "0",
    }  # fmt: skip
    assert db.session.scalars(sa.select(LedgerEntry.amount)).one() == Decimal("-5.00")


def test_its_own_export_changes_nothing_where_it_was_made(tmp_path: Path) -> None:
    a_full_client()
    run(write_csv(tmp_path / "old.csv", spoil_whmcs(whmcs_rows(60))), skip_bad=True)
    living = db.session.scalar(sa.select(sa.func.count()).where(Client.deleted_at.is_(None)))
    path = export_to(tmp_path / "own.csv")
    assert run(path) == f"New: 0, changed: 0, unchanged: {living}, refused: 0."


def test_an_edited_export_changes_the_clients_it_was_made_of(tmp_path: Path) -> None:
    client = a_full_client()
    path = export_to(tmp_path / "own.csv")
    path.write_text(path.read_text(encoding="utf-8").replace("conflict", "good").replace("Anna Person", "Анна"))
    assert run(path) == "New: 0, changed: 1, unchanged: 0, refused: 0."
    db.session.expire_all()
    assert (client.contact_person, client.characterization.code) == ("Анна", "good")
    assert client.name == "Наш «Свет»"
    assert client.characterization_at is not None


def test_an_export_moves_clients_to_another_desk(tmp_path: Path) -> None:
    """Codes, usernames and groups are others' there; a second time nothing changes."""
    client = a_full_client()
    path = export_to(tmp_path / "own.csv")
    db.session.add(Project(name="Other"))
    client.registered_at = datetime(2021, 1, 1, tzinfo=UTC)  # As if another client had that code here.
    client.owner.username = "somebody"  # type: ignore[union-attr]
    db.session.commit()
    assert run(path) == "New: 1, changed: 0, unchanged: 0, refused: 0."
    moved = db.session.scalars(sa.select(Client).where(Client.external_source == "clientdesk")).one()
    assert moved.owner_username == "anna"
    assert (moved.name, moved.legal_status, moved.note) == (client.name, client.legal_status, client.note)
    assert (moved.verified_phone, moved.registration_ip) == (client.verified_phone, client.registration_ip)
    assert moved.registered_at == datetime(2020, 2, 3, 4, 5, 6, 789012, tzinfo=UTC)
    assert moved.characterization is client.characterization
    assert {group.name for group in moved.groups} == {"Опт", "VIP"}
    assert moved.referral_source == "@friend"
    assert run(path) == "New: 0, changed: 0, unchanged: 1, refused: 0."


def test_a_username_that_is_taken_is_made_anew(tmp_path: Path) -> None:
    client = a_full_client()
    path = export_to(tmp_path / "own.csv")
    client.registered_at = datetime(2021, 1, 1, tzinfo=UTC)
    db.session.commit()
    said: list[str] = []
    assert imports.run_command(path, echo=said.append) == 0
    assert "the username anna is taken" in said[0]
    names = list(db.session.scalars(sa.select(ClientUser.username).order_by(ClientUser.id)))
    assert names[0] == "anna" != names[1]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_cell_is_a_formula_and_all_come_back(tmp_path: Path, text: str) -> None:
    client = a_full_client()
    client.note = client.contact_person = client.company_name = kept = text.strip()
    db.session.commit()
    (row,) = exported()
    for cell in row.values():
        assert not cell.startswith(("=", "+", "@", "\t", "\r"))
    path = export_to(tmp_path / "own.csv")
    assert run(path) == "New: 0, changed: 0, unchanged: 1, refused: 0."
    client.registered_at = datetime(2021, 1, 1, tzinfo=UTC)
    db.session.commit()
    run(path)
    copy = db.session.scalars(sa.select(Client).where(Client.external_source == "clientdesk")).one()
    assert (copy.note, copy.contact_person, copy.company_name) == (kept, kept, kept)


@given(st.text(alphabet="'=+-@\t\rab ", max_size=8))
def test_what_is_made_harmless_can_be_made_what_it_was(text: str) -> None:
    harmless = exports.harmless(text)
    assert not harmless.startswith(("=", "+", "-", "@", "\t", "\r"))
    assert (harmless[1:] if APOSTROPHE.match(harmless) else harmless) == text


def test_deleted_clients_stay_out() -> None:
    client = a_full_client()
    client.deleted_at = client.registered_at
    db.session.commit()
    assert exported() == []


def test_a_long_export_has_every_client_once(tmp_path: Path) -> None:
    rows = (dict(row, status="Active") for row in whmcs_rows(2300))
    run(write_csv(tmp_path / "old.csv", rows))
    ids = [int(row["id"]) for row in exported()]
    assert ids == list(db.session.scalars(sa.select(Client.id).order_by(Client.id)))

"""Import: what is recognised, what each line becomes, that all or nothing is written, and what is written."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from extensions import Clock, db, now
from models import (
    Account,
    AuditEvent,
    Client,
    ClientGroup,
    ClientUser,
    Consent,
    ImportBatch,
    Language,
    LegalStatus,
    Payer,
    Project,
)
from operations import imports, passwords
from operations.errors import OperationRefused
from operations.import_formats import BrokenFile, open_sheet
from tests.imports_data import (
    SECRETS,
    as_csv,
    fossbilling_rows,
    spoil_whmcs,
    whmcs_rows,
    write_csv,
)
from tests.support.importing import Importer, whmcs

MOMENT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

pytestmark = pytest.mark.usefixtures("session")


@pytest.fixture(autouse=True)
def _at_a_moment(clock: Clock) -> None:
    clock.set(MOMENT)


@pytest.fixture
def importer(tmp_path: Path) -> Importer:
    return Importer(tmp_path)


def count(model: type) -> int:
    return db.session.scalar(sa.select(sa.func.count()).select_from(model)) or 0


def client_of(key: str, source: str = "whmcs") -> Client:
    db.session.expire_all()
    return db.session.scalars(
        sa.select(Client).where(Client.external_id == key, Client.external_source == source)
    ).one()


# Recognising


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1251", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_encodings_and_delimiters_are_found_out(importer: Importer, encoding: str, delimiter: str) -> None:
    rows = [{"id": "1", "firstname": "Пётр", "lastname": "Щукин", "companyname": 'ООО "Ёж"; и Ко',
             "email": "a@b.org", "country": "RU", "datecreated": "2020-01-02"}]  # fmt: skip
    importer.bring_in(as_csv(rows, delimiter=delimiter).encode(encoding))
    assert client_of("1").name == 'ООО "Ёж"; и Ко'
    assert client_of("1").contact_person == "Пётр Щукин"


@pytest.mark.parametrize(
    ("headings", "format_"),
    [
        ("id,firstname,lastname,companyname,email,phonenumber", "whmcs"),
        ("ID,First Name,Last Name,Company Name,Email,Date Created", "whmcs"),
        ("id,email,first_name,last_name,phone_cc,phone,company,company_vat", "fossbilling"),
        ("id,username,contact_person,legal_status,email,characterization", "clientdesk"),
        ("uuid,email,first_name,last_name", "whmcs"),
        ("id,email,first name", "csv"),
    ],
)
def test_the_format_is_recognised_by_its_headings(tmp_path: Path, headings: str, format_: str) -> None:
    path = tmp_path / "some.csv"
    path.write_text(f"{headings}\n")
    assert open_sheet(path).format == format_


@pytest.mark.parametrize(
    "headings",
    [
        ("id", "firstname", "lastname", "companyname", "email", "phonenumber", "address1", "postcode",
         "tax_id", "country", "language", "datecreated", "notes", "groupid", "referred_by",
         "emailoptout", "status"),
        ("AID", "First Name", "LAST_NAME", "Company", "E mail", "Phone", "Address", "ZIP", "company_vat",
         "Country", "Lang", "Created At", "Note", "client_group_id", "Referred By", "Email Opt Out",
         "Status"),
        ("uuid", "first_name", "last name", "company_name", "EMAIL", "PHONE NUMBER", "address_1", "Post Code",
         "Tax ID", "COUNTRY", "LANGUAGE", "Date_Created", "NOTES", "Group ID", "referredby", "email_opt_out",
         "STATUS"),
    ],
    ids=["whmcs", "other", "spaced"],
)  # fmt: skip
def test_every_heading_is_known_in_each_of_its_forms(importer: Importer, headings: tuple[str, ...]) -> None:
    cells = ("55", "Анна", "Щукина", "АО «Свет»", "anna@example.org", "+79161234567", "ул. Мира, 1",
             "420000", "77", "RU", "ru", "2019-05-06", "Не звонить",
             "VIP", "Google", "1", "Closed")  # fmt: skip
    importer.bring_in(as_csv([dict(zip(headings, cells, strict=True))]), source="old")
    client = client_of("55", "old")
    payer = db.session.scalars(sa.select(Payer)).one()
    consent = db.session.scalars(sa.select(Consent)).one()
    assert (client.name, client.contact_person, client.email) == (
        "АО «Свет»",
        "Анна Щукина",
        "anna@example.org",
    )
    assert (client.country, client.language, client.note) == ("RU", Language.RU, "Не звонить")
    assert (client.referral_source, client.registered_at) == ("Google", datetime(2019, 5, 6, tzinfo=UTC))
    assert (payer.postal_address, payer.tax_id, payer.phone) == ("ул. Мира, 1, 420000", "77", "+79161234567")
    assert [group.name for group in client.groups] == ["VIP"]
    assert consent.withdrawn_at == MOMENT
    assert client.deleted_at == MOMENT


def test_what_must_not_be_read_is_nowhere(importer: Importer) -> None:
    importer.bring_in(as_csv(whmcs_rows(3)))
    for table in db.metadata.sorted_tables:
        kept = repr(db.session.execute(sa.select(table)).all())
        assert not [secret for secret in SECRETS if secret in kept], table.name
    for path in importer.directory.iterdir():
        assert not [secret for secret in SECRETS if secret in path.read_text(encoding="utf-8")], path.suffix


# Files that cannot be read


@pytest.mark.parametrize(
    ("content", "line", "said"),
    [
        (b"", 1, "empty"),
        (b"PK\x03\x04\x14\x00rest", 1, "spreadsheet"),
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n\x00\x00", 3, "NUL"),
        (b"id,firstname,email\n1,A,a@b.org\n2,B\x00,b@b.org\n", 3, "NUL"),
        ("id,firstname,email\n1,Пётр,a@b.org\n".encode() + b"2,\xff\xfe,b@b.org\n", 3, "UTF-8"),
        ("id,firstname,email\n1,A,a@b.org\n2,José,b@b.org\n".encode("latin-1"), 3, "UTF-8"),
        (b"<html><body>\nnot a table\n", 1, "headings"),
        (b"name,colour\nsky,blue\n", 1, "column with the client's id"),
        (b"firstname,email\nA,a@b.org\n", 1, "id"),
        (b"id,firstname\n1,A\n", 1, "e-mail"),
        (b"id,email\n1,a@b.org\n", 1, "name"),
        (b'id,firstname,email\n1,A,a@b.org\n2,"B,b@b.org\n3,C,c@b.org\n', 3, "quotation mark"),
        (b'id,firstname,email\n1,"A\nB",a@b.org\n2,"B" x,b@b.org\n', 4, "quotation mark"),
        (b'id,firstname,email\n1,"' + b"A\n" * 80_000 + b'",a@b.org\n', 2, "quotation mark"),
    ],
    ids=["empty", "xlsx", "pdf", "nul", "broken-utf-8", "latin-1", "html", "other-table", "no-id",
         "no-e-mail", "no-name", "unclosed", "astray", "endless-cell"],
)  # fmt: skip
def test_a_broken_file_says_where_and_why_and_nothing_is_kept(
    importer: Importer, content: bytes, line: int, said: str
) -> None:
    with pytest.raises(BrokenFile) as refused:
        importer.rehearse(content)
    assert refused.value.line == line
    assert refused.value.message.startswith(f"Line {line}: ")
    assert said in refused.value.message
    assert not list(importer.directory.iterdir())
    db.session.rollback()
    assert not count(ImportBatch)

    code, told = importer.command(content, skip_bad=True)
    assert (code, told[-1]) == (1, refused.value.message)
    assert not count(Client)


# Rows


def test_good_rows_become_clients_with_all_that_is_theirs(importer: Importer) -> None:
    project = db.session.scalars(sa.select(Project)).one()
    project.credit_limit = Decimal("25.50")
    project.currency = "RUB"
    db.session.commit()
    importer.bring_in(
        whmcs(companyname="ООО &quot;Ромашка&quot; &amp; Ко", notes='Строка "раз"\r\nи два', groupid="VIP")
    )
    client = client_of("7")
    owner = client.owner
    assert owner is not None
    assert client.legal_status is LegalStatus.COMPANY
    assert client.name == client.company_name == 'ООО "Ромашка" & Ко'
    assert client.note == 'Строка "раз"\nи два'
    assert client.email == "Anna@example.org"
    assert client.project is project
    assert client.characterization.is_default
    assert (owner.username, owner.email, owner.phone) == ("anna", "anna@example.org", "+79161234567")
    assert (owner.full_name, owner.language, owner.is_active) == ("Анна Щукина", Language.RU, True)
    assert not any(passwords.verify(owner.password_hash, text) for text in ("", "!", owner.password_hash))
    assert (client.owner_username, client.usernames, client.balance) == ("anna", "anna", 0)
    account = db.session.scalars(sa.select(Account)).one()
    assert (account.currency, account.credit_limit, account.balance) == ("RUB", Decimal("25.50"), 0)
    payer = db.session.scalars(sa.select(Payer)).one()
    assert payer.is_default
    assert (payer.name, payer.tax_id, payer.country) == (client.name, "1655000000", "RU")
    assert payer.postal_address == "ул. Мира, 1, Казань, 420000"
    consent = db.session.scalars(sa.select(Consent)).one()
    assert (consent.given_at, consent.withdrawn_at, consent.source) == (MOMENT, None, "import whmcs")


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"email": ""}, "email_missing"),
        ({"email": "no address"}, "email_wrong"),
        ({"email": "a@b.org, c@d.org"}, "email_wrong"),
        ({"email": '"Evil <a@b>," <x@y.org>'}, "email_wrong"),
        ({"firstname": "", "lastname": ""}, "name_missing"),
        ({"id": " "}, "key_missing"),
        ({"country": "Narnia"}, "country_wrong"),
        ({"country": "", "phonenumber": ""}, "country_missing"),
        ({"phonenumber": "call me"}, "phone_wrong"),
        ({"datecreated": "soon"}, "date_wrong"),
        ({"datecreated": "2019-02-30"}, "date_wrong"),
        ({"datecreated": "2999-01-01"}, "date_wrong"),
        ({"datecreated": "03/04/2019"}, "date_ambiguous"),
        ({"status": "Asleep"}, "status_wrong"),
        ({"emailoptout": "perhaps"}, "yes_no_wrong"),
        ({"firstname": "A\x07"}, "control"),
        ({"firstname": "A\u2028B"}, "control"),
        ({"companyname": "Я" * 201}, "too_long"),
        ({"firstname": "Я" * 150, "lastname": "Я" * 60}, "too_long"),
        ({"tax_id": "1" * 41}, "too_long"),
    ],
)
def test_a_bad_cell_refuses_its_line(importer: Importer, columns: dict[str, str], reason: str) -> None:
    assert importer.said(whmcs(**columns)) == {2: ["refused", reason]}


def test_a_refused_line_says_whom_it_is_about(importer: Importer) -> None:
    (line,) = importer.lines(importer.rehearse(whmcs(email="?")))
    assert (line.number, line.key, line.name) == (2, "7", "Анна Щукина")
    (line,) = importer.lines(importer.rehearse("id,firstname,email\n7,Анна\n"))
    assert (line.number, line.key, line.name) == (2, "7", "")


def test_all_that_is_wrong_with_a_line_is_said_at_once(importer: Importer) -> None:
    assert importer.said(whmcs(email="?", country="Narnia", datecreated="soon")) == {
        2: ["refused", "email_wrong", "country_wrong", "date_wrong"]
    }


@pytest.mark.parametrize(
    ("columns", "kept"),
    [
        ({"phonenumber": "8 (916) 123-45-67"}, "+79161234567"),
        ({"phonenumber": "020 7946 0018", "country": "GB"}, "+442079460018"),
        ({"phonenumber": "+44.2079460018", "country": "RU"}, "+442079460018"),
        ({"phonenumber": "123"}, "123"),
        ({"phonenumber": ""}, ""),
    ],
)
def test_phones_are_understood_for_their_country(importer: Importer, columns: dict[str, str], kept: str) -> None:
    importer.bring_in(whmcs(**columns))
    assert client_of("7").owner.phone == kept  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("text", "code"),
    [("ru", "RU"), ("Russian Federation", "RU"), ("Германия", "DE"), ("USA", "US"), ("GBR", "GB")],
)
def test_countries_are_recognised_by_code_and_name(importer: Importer, text: str, code: str) -> None:
    importer.bring_in(whmcs(country=text))
    assert client_of("7").country == code


def test_an_empty_country_is_that_of_the_phone_else_the_one_chosen(importer: Importer) -> None:
    importer.bring_in(whmcs(country="", phonenumber="+4930123456"), country="ES")
    assert client_of("7").country == "DE"
    importer.bring_in(whmcs(id="8", email="b@b.org", country="", phonenumber="912345678"), country="ES")
    assert client_of("8").country == "ES"
    assert client_of("8").owner.phone == "+34912345678"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("text", "language"),
    [("english", Language.EN), ("Russian", Language.RU), ("ru_RU", Language.RU), ("en-GB", Language.EN),
     ("", Language.RU), ("german", Language.RU)],
)  # fmt: skip
def test_a_language_not_offered_is_the_projects(importer: Importer, text: str, language: Language) -> None:
    db.session.scalars(sa.select(Project)).one().default_language = Language.RU
    db.session.commit()
    importer.bring_in(whmcs(language=text))
    assert client_of("7").language is language


@pytest.mark.parametrize(
    ("written", "day"),
    [("06.05.2019", 6), ("2019-05-06 23:59:59", 6), ("2019-05-06T01:00:00+03:00", 5), ("13/05/2019", 13),
     ("05/13/2019", 13)],
)  # fmt: skip
def test_days_are_read_in_the_usual_forms(importer: Importer, written: str, day: int) -> None:
    importer.bring_in(whmcs(datecreated=written))
    registered = client_of("7").registered_at
    assert (registered.year, registered.month, registered.day) == (2019, 5, day)


def test_one_clear_day_tells_how_all_slashed_days_are_meant(importer: Importer) -> None:
    good = dict(next(whmcs_rows(1)))
    rows = [
        good | {"id": str(i), "email": f"a{i}@b.org", "datecreated": day}
        for i, day in enumerate(("03/04/2019", "25/12/2019"))
    ]
    importer.bring_in(as_csv(rows))
    assert client_of("0").registered_at == datetime(2019, 4, 3, tzinfo=UTC)


@pytest.mark.parametrize("nothing", ["", "0000-00-00"])
def test_without_a_day_a_client_is_registered_now(importer: Importer, nothing: str) -> None:
    importer.bring_in(whmcs(datecreated=nothing))
    assert client_of("7").registered_at == MOMENT


@pytest.mark.parametrize(
    ("columns", "given"),
    [
        ({"emailoptout": "0"}, True),
        ({"emailoptout": "1"}, False),
        ({"emailoptout": "1", "marketing_emails_opt_in": "1"}, True),
        ({"emailoptout": "", "marketing_emails_opt_in": "0"}, False),
        ({"emailoptout": "", "marketing_emails_opt_in": "yes"}, True),
        ({"emailoptout": ""}, None),
    ],
)
def test_consent_is_not_opted_out_or_opted_in(importer: Importer, columns: dict[str, str], given: bool | None) -> None:
    importer.bring_in(whmcs(**columns))
    consents = db.session.scalars(sa.select(Consent)).all()
    assert [consent.withdrawn_at is None for consent in consents] == ([] if given is None else [given])


def test_lines_are_counted_as_an_editor_does(importer: Importer) -> None:
    text = (
        'id,firstname,email,country,notes\r\n1,A,a@b.org,RU,"one\r\ntwo\r\n\r\nfour"\r\n'
        "\r\n2,B,bad,RU,\r\n3,C,c@b.org,RU\r\n"
    )
    assert importer.said(text, source="x") == {
        2: ["new"], 7: ["refused", "email_wrong"], 8: ["refused", "cells"],
    }  # fmt: skip


def test_an_id_that_comes_twice_is_refused_the_second_time(importer: Importer) -> None:
    rows = list(whmcs_rows(2500))
    rows[2400] |= {"id": rows[3]["id"], "email": "other@example.org"}
    lines = [line for line in importer.lines(importer.rehearse(as_csv(rows))) if line.outcome == "refused"]
    first = importer.lines(importer.rehearse(as_csv(rows)))[3].number
    assert [(line.key, line.messages) for line in lines] == [
        (rows[3]["id"], [("key_again", {"key": rows[3]["id"], "line": first})])
    ]


def test_a_repeated_address_goes_to_the_client_alone(importer: Importer) -> None:
    wanted = (
        ("gone@example.org", "Closed"),
        ("Same@example.org", "Closed"),
        ("same@example.org", "Active"),
        ("same@example.org", "Active"),
    )
    good = dict(next(whmcs_rows(1)))
    rows = [good | {"id": str(i), "email": email, "status": status} for i, (email, status) in enumerate(wanted)]
    lines = importer.bring_in(as_csv(rows))
    clients = [client_of(str(number)) for number in range(4)]
    assert [client.email.lower() for client in clients] == ["gone@example.org"] + ["same@example.org"] * 3
    owners = [client.owner.email for client in clients]  # type: ignore[union-attr]
    assert owners == ["gone@example.org", None, "same@example.org", None], "who is served goes first"
    assert "email_taken" in [code for code, _values in lines[3].messages]


def test_usernames_are_made_of_addresses_and_unique(importer: Importer) -> None:
    addresses = ("info@a.org", "info@b.org", "Info+x@c.org", "info-2@d.org", "я@пример.рф", "info@e.org")
    rows = [dict(next(whmcs_rows(1)), id=str(i), email=address) for i, address in enumerate(addresses)]
    importer.bring_in(as_csv(rows))
    names = list(db.session.scalars(sa.select(ClientUser.username).order_by(ClientUser.id)))
    assert names[0] == "info"
    assert names[2] == "infox"
    assert len(set(names)) == len(names)
    assert all(name.startswith("info") or name == "client" for name in names)
    for client in db.session.scalars(sa.select(Client)):
        assert client.owner_username == client.usernames == client.owner.username  # type: ignore[union-attr]


# Rehearsal and confirmation


def snapshot() -> str:
    tables = (
        "clients",
        "client_users",
        "accounts",
        "payers",
        "consents",
        "client_groups",
        "client_group_members",
    )
    return repr([db.session.execute(sa.select(db.metadata.tables[name])).all() for name in tables])


def test_a_rehearsal_writes_nothing_to_clients(importer: Importer) -> None:
    importer.bring_in(as_csv(whmcs_rows(30)))
    before = snapshot()
    batch = importer.rehearse(as_csv(spoil_whmcs(whmcs_rows(90, seed=4))))
    assert batch.counts["new"] > 0 < batch.counts["changed"]
    assert snapshot() == before
    code, _said = importer.command(as_csv(whmcs_rows(90, seed=4)), dry_run=True)
    assert code == 0
    assert snapshot() == before
    assert count(ImportBatch) == 2


def test_300_clients_come_in_and_a_second_time_nothing_changes(importer: Importer) -> None:
    file = as_csv(spoil_whmcs(whmcs_rows(300)))
    batch = importer.rehearse(file)
    assert batch.counts == {"new": 290, "changed": 0, "unchanged": 0, "refused": 10}
    rehearsed = importer.lines(batch)
    assert importer.confirm(batch, skip_bad=True) == batch.counts
    assert importer.lines(batch) == rehearsed, "what was done is what had been said"
    assert count(Client) == count(ClientUser) == count(Account) == count(Payer) == 290
    assert set(db.session.scalars(sa.select(Client.import_batch_id))) == {batch.id}

    before = snapshot()
    again = importer.rehearse(file)
    assert again.counts == {"new": 0, "changed": 0, "unchanged": 290, "refused": 10}
    importer.confirm(again, skip_bad=True)
    assert snapshot() == before


def test_one_bad_line_stops_all_unless_it_is_left_out(importer: Importer) -> None:
    batch = importer.rehearse(as_csv(spoil_whmcs(whmcs_rows(60))))
    with pytest.raises(imports.ImportStopped) as stopped:
        importer.confirm(batch)
    db.session.rollback()
    assert stopped.value.counts["refused"] == 2
    assert (count(Client), count(ClientGroup)) == (0, 0)
    assert imports.is_waiting(batch, directory=importer.directory), "it can be confirmed still"
    importer.confirm(batch, skip_bad=True)
    assert count(Client) == 58


def test_the_confirmation_writes_what_fits_by_then(importer: Importer) -> None:
    importer.bring_in(whmcs())
    batch = importer.rehearse(as_csv([dict(next(whmcs_rows(1)), id="7"), dict(next(whmcs_rows(1, seed=9)), id="8")]))
    assert batch.counts["changed"] == 1
    db.session.delete(client_of("7").accounts[0])
    db.session.flush()
    db.session.delete(client_of("7"))
    db.session.commit()
    assert importer.confirm(batch) == {"new": 2, "changed": 0, "unchanged": 0, "refused": 0}
    assert [line.outcome for line in importer.lines(batch)] == ["new", "new"]
    assert batch.counts["new"] == 2


def test_a_batch_is_carried_out_once(importer: Importer) -> None:
    batch = importer.rehearse(whmcs())
    importer.confirm(batch)
    with pytest.raises(OperationRefused):
        importer.confirm(batch)
    db.session.rollback()
    assert count(Client) == 1


def test_files_wait_for_a_day_under_names_nobody_guesses(importer: Importer, clock: Clock) -> None:
    batch = importer.rehearse(whmcs())
    assert importer.directory.stat().st_mode & 0o777 == 0o700
    files = list(importer.directory.iterdir())
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    assert {path.suffix for path in files} == {".csv", ".lines"}
    assert all(len(path.stem) == 32 for path in files)

    clock.move(hours=25)
    assert imports.drop_forgotten(now=now(), directory=importer.directory) == 1
    db.session.commit()
    assert not list(importer.directory.iterdir())
    assert batch.status == imports.DROPPED
    with pytest.raises(OperationRefused):
        importer.confirm(batch)


def test_what_no_batch_knows_of_goes_after_a_day_too(importer: Importer) -> None:
    importer.rehearse(whmcs())
    stray = importer.directory / "stray.csv"
    stray.touch()
    old = stray.stat().st_mtime - timedelta(days=2).total_seconds()
    os.utime(stray, (old, old))
    imports.drop_forgotten(now=now(), directory=importer.directory)
    assert not stray.exists()
    assert len(list(importer.directory.iterdir())) == 2


def test_the_confirmed_file_is_removed_and_what_was_said_stays_for_the_day(importer: Importer, clock: Clock) -> None:
    batch = importer.rehearse(whmcs())
    importer.confirm(batch)
    assert [path.suffix for path in importer.directory.iterdir()] == [".lines"]
    clock.move(hours=25)
    imports.drop_forgotten(now=now(), directory=importer.directory)
    assert importer.lines(batch) == []
    assert batch.status == imports.DONE


# Clients that are here already


def test_changes_are_told_and_carried_out(importer: Importer) -> None:
    importer.bring_in(whmcs())
    lines = importer.bring_in(whmcs(
        lastname="Петрова", email="new@example.org", phonenumber="+7.9160000000", address1="ул. Новая, 2",
        tax_id="99", country="DE", language="english", notes="Переехала", groupid="VIP", emailoptout="1",
    ))  # fmt: skip
    assert {change[0]: change[1:] for change in lines[0].changes} == {
        "contact_person": ("Анна Щукина", "Анна Петрова"),
        "name": ("Анна Щукина", "Анна Петрова"),
        "email": ("Anna@example.org", "new@example.org"),
        "country": ("RU", "DE"),
        "language": ("ru", "en"),
        "note": ("", "Переехала"),
        "phone": ("+79161234567", "+79160000000"),
        "address": ("ул. Мира, 1, Казань, 420000", "ул. Новая, 2, Казань, 420000"),
        "tax_id": ("1655000000", "99"),
        "group": ("", "VIP"),
        "consent": ("yes", "no"),
    }
    client = client_of("7")
    payer = db.session.scalars(sa.select(Payer)).one()
    owner = client.owner
    assert owner is not None
    assert (client.name, client.email, client.country) == ("Анна Петрова", "new@example.org", "DE")
    assert (owner.full_name, owner.email, owner.phone) == ("Анна Петрова", "new@example.org", "+79160000000")
    assert (owner.username, owner.language) == ("anna", Language.EN)
    assert (payer.name, payer.tax_id, payer.phone) == ("Анна Петрова", "99", "+79160000000")
    assert payer.country == "DE"
    assert client.row_version == 2
    assert db.session.scalars(sa.select(Consent)).one().withdrawn_at == MOMENT
    assert count(Account) == 1


def test_what_staff_made_of_a_client_stays(importer: Importer) -> None:
    importer.bring_in(whmcs())
    client = client_of("7")
    client.name, client.note, client.legal_status = "Наша Анна", "Своя", LegalStatus.SOLE_PROPRIETOR
    consent = db.session.scalars(sa.select(Consent)).one()
    consent.withdrawn_at = MOMENT
    db.session.commit()
    assert importer.said(whmcs()) == {2: ["unchanged"]}
    lines = importer.lines(importer.rehearse(whmcs(lastname="Петрова")))
    assert [change[0] for change in lines[0].changes] == ["contact_person"]


def test_an_empty_cell_empties_nothing(importer: Importer) -> None:
    importer.bring_in(whmcs(notes="Важно", companyname="АО «Свет»"))
    empty = whmcs(phonenumber="", tax_id="", address1="", city="", postcode="", country="", language="",
                  companyname="АО «Свет»")  # fmt: skip
    assert importer.said(empty, country="ES") == {2: ["unchanged"]}


def test_a_client_closed_in_the_source_is_deleted_here_and_does_not_come_back(importer: Importer) -> None:
    importer.bring_in(whmcs())
    lines = importer.bring_in(whmcs(status="Closed"))
    assert lines[0].changes == [("status", "active", "closed")]
    assert client_of("7").deleted_at == MOMENT
    assert importer.said(whmcs(status="Closed")) == {2: ["unchanged"]}
    assert importer.said(whmcs(lastname="Петрова")) == {2: ["unchanged", "stays_deleted"]}


def test_a_new_address_that_another_user_has_stays_with_the_client(importer: Importer) -> None:
    importer.bring_in(as_csv([dict(next(whmcs_rows(1)), id=i, email=f"{i}@example.org") for i in ("1", "2")]))
    importer.bring_in(as_csv([dict(next(whmcs_rows(1)), id="2", email="1@example.org")]))
    assert client_of("2").email == "1@example.org"
    assert client_of("2").owner.email == "2@example.org"  # type: ignore[union-attr]


def test_the_same_id_of_another_source_is_another_client(importer: Importer) -> None:
    importer.bring_in(whmcs())
    importer.bring_in(whmcs(email="b@b.org"), source="second whmcs")
    assert count(Client) == 2
    assert client_of("7", "second whmcs").email == "b@b.org"


# Groups, projects, audit


def test_groups_are_found_by_name_and_made_where_unknown(importer: Importer) -> None:
    db.session.add(ClientGroup(name="vip"))
    db.session.commit()
    rows = [dict(next(whmcs_rows(1)), id=str(i), email=f"a{i}@b.org", groupid=group, language="russian")
            for i, group in enumerate(("VIP", "3", "0", "3", ""))]  # fmt: skip
    lines = importer.bring_in(as_csv(rows))
    assert [line.messages for line in lines] == [[], [("group_new", {"value": "3"})], [], [], []]
    groups = {group.name: group for group in db.session.scalars(sa.select(ClientGroup))}
    assert set(groups) == {"vip", "3"}
    assert [[group.name for group in client_of(str(i)).groups] for i in range(5)] == [
        ["vip"],
        ["3"],
        [],
        ["3"],
        [],
    ]


def test_the_project_is_the_first_active_or_the_one_chosen(importer: Importer) -> None:
    db.session.scalars(sa.select(Project)).one().is_active = False
    first, second = Project(name="Alpha", currency="USD"), Project(name="Beta", currency="RUB")
    db.session.add_all([first, second])
    db.session.commit()
    importer.bring_in(whmcs())
    assert client_of("7").project is first
    importer.bring_in(whmcs(), source="b", project=second)
    assert client_of("7", "b").project is second
    code, _said = importer.command(whmcs(), project="beta", source="c")
    assert (code, client_of("7", "c").project) == (0, second)
    code, said = importer.command(whmcs(), project="Gamma")
    assert (code, said) == (1, ["There is no project «Gamma»."])


def test_every_client_leaves_an_event_and_so_does_the_batch(importer: Importer) -> None:
    batch = importer.rehearse(as_csv(whmcs_rows(5)))
    importer.confirm(batch)
    importer.bring_in(as_csv([dict(next(whmcs_rows(1)), id="1001", notes="Новое")]))
    events = sa.select(AuditEvent).where(AuditEvent.action == "import").order_by(AuditEvent.id)
    ids = sa.select(Client.id).order_by(Client.id)
    created = db.session.scalars(events).all()
    single = [event for event in created if event.client_id is not None]
    assert [event.after for event in single[:5]] == [{"import_batch": batch.id}] * 5
    assert [event.client_id for event in single[:5]] == list(db.session.scalars(ids))
    assert single[5].client_id == client_of("1001").id
    assert single[5].after["note"] == "Новое"
    whole = [event.after for event in created if event.client_id is None]
    assert whole[0] == {"import_batch": batch.id, "file": "clients.csv", "source": "whmcs", **batch.counts}
    assert (len(whole), whole[1]["changed"]) == (2, 1)


# Other formats


def test_fossbillings_export_comes_in(importer: Importer) -> None:
    rows = list(fossbilling_rows(60))
    batch = importer.rehearse(as_csv(rows))
    assert (batch.source, batch.counts["refused"]) == ("fossbilling", 0)
    importer.confirm(batch)
    assert count(Client) == 60
    row = rows[3]
    client = client_of(row["id"], "fossbilling")
    assert (client.name, client.company_name) == (row["company"], row["company"])
    assert client.owner.phone == f"+{row['phone_cc']}{row['phone']}"  # type: ignore[union-attr]
    assert client.registered_at.hour == 9
    payer = db.session.scalars(sa.select(Payer).where(Payer.client_id == client.id)).one()
    assert payer.tax_id == row["company_vat"]
    assert importer.rehearse(as_csv(rows)).counts["unchanged"] == 60


# The command


def test_the_command_says_every_line_and_stops_at_a_bad_one(importer: Importer) -> None:
    file = as_csv(spoil_whmcs(whmcs_rows(40), every=20))
    code, said = importer.command(file)
    assert code == 1
    assert [line for line in said if ": refused: " in line and "«no address» is no e-mail address" in line]
    assert said[-2:] == [
        "New: 38, changed: 0, unchanged: 0, refused: 2.",
        "Nothing was brought in: 2 of the lines are refused.",
    ]
    assert len(said) == 42
    assert (count(Client), count(ImportBatch)) == (0, 0)

    code, said = importer.command(file, skip_bad=True)
    assert (code, count(Client)) == (0, 38)
    assert said[-1] == "New: 38, changed: 0, unchanged: 0, refused: 2."
    batch = db.session.scalars(sa.select(ImportBatch)).one()
    assert (batch.status, batch.counts["new"], len(batch.digest)) == ("done", 38, 64)

    code, said = importer.command(file, dry_run=True, skip_bad=True)
    assert (code, said[-1]) == (0, "New: 0, changed: 0, unchanged: 38, refused: 2.")


def test_a_change_is_told_as_old_and_new(importer: Importer) -> None:
    importer.command(whmcs())
    code, said = importer.command(whmcs(notes="Первая\nвторая", status="Closed"), dry_run=True)
    assert (code, said[0]) == (
        0, "2: changed: 7 Анна Щукина: note:  -> Первая вторая; status: active -> closed, so it is deleted",
    )  # fmt: skip
    code, said = importer.command(whmcs(email="bad"), dry_run=True)
    assert code == 1, "a rehearsal with refused lines says that the import would stop"


@pytest.mark.engine("sqlite")
def test_flask_import_clients(flask_command: Callable[..., Any], tmp_path: Path) -> None:
    path = write_csv(tmp_path / "old.csv", spoil_whmcs(whmcs_rows(31)))
    done = flask_command("import-clients", str(path), "--dry-run", check=False)
    assert done.returncode == 1
    assert "New: 30, changed: 0, unchanged: 0, refused: 1." in done.stdout
    assert flask_command("import-clients", str(path), check=False).returncode == 1
    assert count(Client) == 0
    db.session.rollback()
    assert flask_command("import-clients", str(path), "--skip-bad", "--source", "old").returncode == 0
    assert count(Client) == 30


@pytest.mark.engine("sqlite")
def test_memory_does_not_grow_with_the_file(importer: Importer) -> None:
    """The command keeps a thousand rows at a time, whatever the file has."""
    import tracemalloc

    def peak(rows: int) -> int:
        file = as_csv(whmcs_rows(rows))
        tracemalloc.start()
        importer.command(file, dry_run=True)
        _current, highest = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return highest - 2 * len(file)

    peak(10)
    assert peak(3500) < peak(1500) + 1_500_000


def test_json_of_custom_fields_is_an_object(importer: Importer) -> None:
    importer.bring_in(whmcs())
    assert client_of("7").custom == {}
    assert json.dumps(client_of("7").owner.permissions) == "[]"  # type: ignore[union-attr]


def test_csv_written_by_others_is_what_it_should_be() -> None:
    """The made-up export itself: cells with quotes, line breaks and commas read as written."""
    rows = list(whmcs_rows(50))
    assert list(csv.DictReader(io.StringIO(as_csv(rows), newline=""))) == rows

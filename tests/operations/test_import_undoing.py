"""Taking an import back: what goes, what comes back, what stands in its way, and that it happens once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from extensions import Clock, db, now
from models import (
    Account,
    AuditEvent,
    Client,
    ClientGroup,
    ClientMerge,
    ClientNote,
    ClientUser,
    Consent,
    Impersonation,
    ImportBatch,
    LegalStatus,
    MailingRecipient,
    Payer,
)
from operations import bulk_changes, checking, deletion, import_hanging, import_undoing, imports
from operations.errors import OperationRefused
from operations.import_undoing import Impact, UndoRefused
from tests import factories as make
from tests.imports_data import as_csv, spoil_whmcs, whmcs_rows
from tests.support.importing import Importer, whmcs

MOMENT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

pytestmark = pytest.mark.usefixtures("session")


@pytest.fixture(autouse=True)
def _at_a_moment(clock: Clock) -> None:
    clock.set(MOMENT)


@pytest.fixture
def importer(tmp_path: Path) -> Importer:
    return Importer(tmp_path)


def done(importer: Importer, content: str | bytes, **wish: Any) -> ImportBatch:
    batch = importer.rehearse(content, **wish)
    importer.confirm(batch, skip_bad=True)
    return batch


def undo(batch: ImportBatch) -> Impact:
    impact = import_undoing.undo(batch, now=now())
    db.session.commit()
    return impact


def count(model: type) -> int:
    return db.session.scalar(sa.select(sa.func.count()).select_from(model)) or 0


def one_client() -> Client:
    db.session.expire_all()
    return db.session.scalars(sa.select(Client).order_by(Client.id)).first()  # type: ignore[return-value]


def snapshot() -> dict[str, list[Any]]:
    names = ("clients", "client_users", "accounts", "payers", "consents", "client_groups", "client_group_members")
    tables = [db.metadata.tables[name] for name in names]
    db.session.rollback()
    return {
        table.name: [
            tuple(value for column, value in row._mapping.items() if column not in {"row_version", "id"})
            for row in db.session.execute(sa.select(table).order_by(*table.primary_key))
        ]
        for table in tables
    }


def search_is_right() -> None:
    """SQLite's index of the search holds what the clients say, no more and no less."""
    if db.engine.dialect.name == "sqlite":
        db.session.execute(sa.text("INSERT INTO client_search (client_search, rank) VALUES ('integrity-check', 1)"))
        db.session.rollback()


# What goes


def test_all_that_came_goes_and_the_same_file_comes_in_again(importer: Importer, clock: Clock) -> None:
    make.client("Here before", username="before")
    db.session.commit()
    before = snapshot()
    file = as_csv(spoil_whmcs(whmcs_rows(300)))
    batch = done(importer, file)
    assert count(Client) == 291
    assert {"1", "VIP"} <= set(db.session.scalars(sa.select(ClientGroup.name)))

    clock.move(hours=1)
    impact = undo(batch)
    assert (impact.clients, impact.users, impact.payers, impact.accounts) == (290,) * 4
    assert (impact.deleted, impact.restored, impact.kept_clients) == (10, 0, 0)
    assert (impact.groups, impact.groups_kept) == (["1", "VIP"], [])
    assert snapshot() == before
    search_is_right()
    assert checking.faults() == []
    db.session.refresh(batch)
    assert (batch.status, batch.undone_at) == ("undone", now())

    gone = db.session.scalars(
        sa.select(AuditEvent).where(AuditEvent.action == "undo_import").order_by(AuditEvent.id)
    ).all()
    assert len({event.client_id for event in gone} - {None}) == 290
    assert gone[-1].client_id is None
    assert gone[-1].after["import_batch"] == batch.id
    assert gone[-1].after["clients"] == 290

    again = done(importer, file)
    assert again.counts == {"new": 290, "changed": 0, "unchanged": 0, "refused": 10}
    undo(again)
    assert snapshot() == before


def test_a_cyrillic_file_is_taken_back(importer: Importer) -> None:
    batch = done(importer, whmcs(companyname="ООО «Ёж»", groupid="Оптовики").encode("cp1251"))
    assert one_client().name == "ООО «Ёж»"
    assert undo(batch).lines() == [
        "1 client goes for good", "1 user goes", "1 payer goes", "1 account without any movement goes",
        "groups that it made go: Оптовики",
    ]  # fmt: skip
    assert (count(Client), count(ClientGroup)) == (0, 0)
    search_is_right()


def test_clients_deleted_since_go_too(importer: Importer, clock: Clock) -> None:
    batch = done(importer, as_csv(whmcs_rows(3)))
    clock.move(days=2)
    deletion.delete(clients=sa.select(Client.id).where(Client.id == one_client().id), now=now())
    db.session.commit()
    impact, hanging = import_undoing.impact(batch)
    assert (impact.clients, impact.deleted, hanging.clients) == (3, 1, 0)
    undo(batch)
    assert count(Client) == 0


def test_groups_that_are_used_stay(importer: Importer) -> None:
    batch = done(importer, as_csv([row | {"groupid": group} for row, group in zip(
        whmcs_rows(3), ("used", "priced", "free"), strict=True)]))  # fmt: skip
    groups = {group.name: group for group in db.session.scalars(sa.select(ClientGroup))}
    other = make.client("Other", username="other")
    other.groups.append(groups["used"])
    priced = make.discount(make.client("Another", username="another"))
    priced.client, priced.group = None, groups["priced"]
    db.session.commit()
    impact, _hanging = import_undoing.impact(batch)
    expected = (["free"], ["priced", "used"])
    assert (impact.groups, impact.groups_kept) == expected
    impact = undo(batch)
    assert (impact.groups, impact.groups_kept) == expected
    assert set(db.session.scalars(sa.select(ClientGroup.name))) == {"used", "priced"}


# What stands in its way


def _log_in(client: Client) -> None:
    client.users[0].last_login_at = now()


def _log_in_as(client: Client) -> None:
    db.session.add(
        Impersonation(staff=make.staff(), client_id=client.id, client_user=client.users[0], expires_at=now())
    )


def _message(client: Client) -> None:
    mailing = make.mailing(make.staff())
    db.session.add(MailingRecipient(mailing_id=mailing.id, client=client))


def _edit(client: Client) -> None:
    client.note = "Calls on Mondays"


def _edit_user(client: Client) -> None:
    client.users[0].full_name = "Somebody else"


def _characterize(client: Client) -> None:
    mine = sa.select(Client.id).where(Client.id == client.id)
    asked = bulk_changes.Asked(clients=mine, count=1, by=make.staff(), now=now())
    bulk_changes.set_characterization(asked, characterization=make.characterization("good"), reason="")


def _bring_another(client: Client) -> None:
    make.client("Brought", username="brought", referrer=client)


def _merge_into(client: Client) -> None:
    db.session.add(ClientMerge(kept_id=make.client("Another").id, merged_id=client.id))


def _keep(client: Client) -> None:
    db.session.add(ClientMerge(kept_id=client.id, merged_id=make.client("Another").id))


HANGING: dict[str, list[Callable[[Client], Any]]] = {
    "services": [make.service],
    "tickets": [make.ticket],
    "messages": [make.letter, make.letter_in, _message],
    "invoices": [make.invoice],
    "payments": [make.payment],
    "expenses": [make.expense],
    "acts": [make.act],
    "money": [lambda client: make.entry(client, "5.00")],
    "violations": [make.violation],
    "points": [make.points],
    "notes": [lambda client: db.session.add(ClientNote(client=client, text="Careful"))],
    "discounts": [make.discount],
    "logins": [_log_in],
    "login_as": [_log_in_as],
    "referred": [_bring_another],
    "merged": [_merge_into, _keep],
    "edited": [_edit, _edit_user, _characterize, make.payer, make.user],
}


def test_each_thing_that_hangs_on_a_client_is_a_reason(importer: Importer) -> None:
    batch = done(importer, as_csv(whmcs_rows(3)))
    for reason, ways in HANGING.items():
        for happens in ways:
            held = one_client()
            happens(held)
            db.session.flush()
            _impact, hanging = import_undoing.impact(batch)
            assert hanging.clients == 1, reason
            assert reason in hanging.by_reason
            assert [(one.id, one.name) for one in hanging.first] == [(held.id, held.name)], reason
            assert reason in hanging.first[0].reasons
            db.session.rollback()
    _impact, hanging = import_undoing.impact(batch)
    assert hanging.by_reason == {}
    assert set(HANGING) | {"imported"} == set(import_hanging.LABELS)


def test_every_table_that_speaks_of_clients_was_thought_of() -> None:
    """A new thing that can belong to a client is a reason not to take its import back, unless it is said here."""
    goes_along = {"client_users", "payers", "accounts", "client_group_members", "client_projects", "import_changes",
                  "saved_filter_members", "client_custom_values"}  # fmt: skip
    asked = {"services", "tickets", "mailing_recipients", "outbound_emails", "inbound_emails", "invoices", "payments", "expenses", "acts",
             "violations", "penalty_points", "client_notes", "discounts", "impersonations", "clients", "client_merges"}  # fmt: skip
    pointing = {
        table.name
        for table in db.metadata.sorted_tables
        for key in table.foreign_keys
        if key.column.table.name == "clients"
    }
    assert pointing == goes_along | asked


def test_what_hangs_on_one_client_keeps_all(importer: Importer) -> None:
    batch = done(importer, as_csv(whmcs_rows(3)))
    make.ticket(one_client())
    db.session.commit()
    before = snapshot()
    with pytest.raises(UndoRefused) as refused:
        import_undoing.undo(batch, now=now())
    db.session.rollback()
    assert refused.value.message == "Nothing was taken back: something hangs on 1 client of this import."
    assert snapshot() == before
    db.session.refresh(batch)
    assert (batch.status, batch.undone_at) == ("done", None)


def test_all_who_are_held_are_counted_and_the_first_are_named(importer: Importer) -> None:
    batch = done(importer, as_csv(whmcs_rows(60)))
    for client in db.session.scalars(sa.select(Client)):
        make.points(client)
        make.discount(client)
    db.session.commit()
    _impact, hanging = import_undoing.impact(batch)
    assert (hanging.clients, hanging.by_reason) == (60, {"points": 60, "discounts": 60})
    assert len(hanging.first) == 50
    assert {tuple(one.reasons) for one in hanging.first} == {("points", "discounts")}


# What comes back


CHANGES = {
    "lastname": "Петрова", "companyname": "АО «Свет»", "email": "new@example.org", "phonenumber": "+7.9160000000",
    "address1": "ул. Новая, 2", "tax_id": "99", "country": "DE", "language": "english", "notes": "Переехала",
    "groupid": "VIP", "emailoptout": "1", "referred_by": "",
}  # fmt: skip


@pytest.mark.parametrize("optout", ["0", ""], ids=["consent known", "consent new"])
def test_what_was_changed_gets_its_old_values_back(importer: Importer, clock: Clock, optout: str) -> None:
    done(importer, whmcs(emailoptout=optout))
    before = snapshot()
    clock.move(days=1)
    batch = done(importer, whmcs(**CHANGES | {"status": "Closed"}))
    assert one_client().deleted_at == now()
    assert snapshot() != before
    clock.move(days=1)
    impact = undo(batch)
    assert (impact.clients, impact.restored, impact.kept_clients, impact.unknown) == (0, 1, 0, 0)
    assert impact.groups == ["VIP"]
    assert snapshot() == before
    search_is_right()
    event = db.session.scalars(
        sa.select(AuditEvent).where(AuditEvent.action == "undo_import", AuditEvent.client_id.is_not(None))
    ).one()
    assert (event.before["country"], event.after["country"]) == ("DE", "RU")
    assert (event.before["status"], event.after["status"]) == ("closed", "active")


def test_a_characterization_comes_back_with_who_set_it(importer: Importer, clock: Clock) -> None:
    client = make.client("Anna", username="anna", contact_person="Anna", registered_at=now())
    staff, good = make.staff(), make.characterization("good")
    mine = sa.select(Client.id).where(Client.id == client.id)
    asked = bulk_changes.Asked(clients=mine, count=1, by=staff, now=now())
    bulk_changes.set_characterization(asked, characterization=good, reason="kind")
    db.session.commit()
    clock.move(hours=1)
    row = {"id": str(client.id), "name": "Anna", "username": "anna", "contact_person": "Anna", "email": client.email,
           "country": client.country, "legal_status": client.legal_status.value, "characterization": "conflict",
           "registered_at": MOMENT.isoformat()}  # fmt: skip
    batch = done(importer, as_csv([row]))
    assert batch.counts["changed"] == 1
    assert one_client().characterization.code == "conflict"
    undo(batch)
    client = one_client()
    assert (client.characterization.code, client.characterization_at) == ("good", MOMENT)
    assert client.characterization_by_id == staff.id


def test_what_was_changed_since_stays_and_is_told(importer: Importer, clock: Clock) -> None:
    done(importer, whmcs())
    clock.move(days=1)
    batch = done(importer, whmcs(**CHANGES))
    clock.move(days=1)
    client = one_client()
    client.note = "Mine"
    client.users[0].email = "other@example.org"
    payer = db.session.scalars(sa.select(Payer)).one()
    payer.tax_id = "100"
    client.groups.clear()
    db.session.scalars(sa.select(Consent)).one().withdrawn_at = now()
    db.session.commit()

    impact, _hanging = import_undoing.impact(batch)
    kept = dict(impact.kept[0].fields)
    assert kept == dict.fromkeys(("note", "email", "tax_id", "consent"), "changed")
    assert undo(batch).kept == impact.kept
    client = one_client()
    assert (client.note, client.country, client.legal_status) == ("Mine", "RU", LegalStatus.INDIVIDUAL)
    assert (client.email, client.users[0].email) == ("Anna@example.org", "other@example.org")
    assert db.session.scalars(sa.select(Payer.tax_id)).one() == "100"
    assert db.session.scalars(sa.select(Consent.withdrawn_at)).one() == now()
    assert batch.undone["kept"][0]["name"] == "АО «Свет»"


def test_an_address_that_another_user_has_by_now_stays_with_him(importer: Importer) -> None:
    done(importer, whmcs())
    batch = done(importer, whmcs(email="new@example.org"))
    make.user(make.client("Other", username="owner"), "other", email="anna@example.org")
    db.session.commit()
    impact = undo(batch)
    assert impact.kept[0].fields == [("email", "taken")]
    client = one_client()
    assert (client.email, client.users[0].email) == ("Anna@example.org", "new@example.org")


def test_a_changed_client_that_is_gone_is_told(importer: Importer) -> None:
    first = done(importer, whmcs())
    second = done(importer, whmcs(notes="Новое"))
    db.session.delete(one_client().accounts[0])
    db.session.flush()
    db.session.delete(one_client())
    db.session.commit()
    impact = undo(second)
    assert impact.lines() == ["1 changed client is gone, or its old values are not known"]
    assert undo(first).lines() == []


def test_of_two_imports_the_later_is_taken_back_first(importer: Importer, clock: Clock) -> None:
    first = done(importer, whmcs())
    before = snapshot()
    clock.move(hours=1)
    second = done(importer, as_csv([dict(next(whmcs_rows(1)), id="7"), dict(next(whmcs_rows(1, seed=9)), id="8")]))
    assert (second.counts["new"], second.counts["changed"]) == (1, 1)
    _impact, hanging = import_undoing.impact(first)
    assert hanging.by_reason == {"imported": 1}
    with pytest.raises(UndoRefused):
        import_undoing.undo(first, now=now())
    db.session.rollback()

    impact = undo(second)
    assert (impact.clients, impact.restored) == (1, 1)
    assert snapshot() == before
    undo(first)
    assert count(Client) == 0


def test_the_later_imports_value_stays_when_the_earlier_of_two_changes_is_taken_back(importer: Importer) -> None:
    done(importer, whmcs())
    first = done(importer, whmcs(notes="One", tax_id="11"))
    done(importer, whmcs(notes="Two", tax_id="11"))
    impact = undo(first)
    assert impact.kept[0].fields == [("note", "changed")]
    assert one_client().note == "Two"
    assert db.session.scalars(sa.select(Payer.tax_id)).one() == "1655000000"


# Once


def test_a_second_time_is_refused(importer: Importer) -> None:
    batch = done(importer, whmcs())
    undo(batch)
    with pytest.raises(OperationRefused, match="taken back already"):
        import_undoing.undo(batch, now=now())
    db.session.rollback()
    waiting = importer.rehearse(whmcs())
    with pytest.raises(OperationRefused, match="never carried out"):
        import_undoing.undo(waiting, now=now())
    db.session.rollback()
    assert waiting.status == imports.REHEARSED


def test_twice_at_once_is_once(app: Flask, importer: Importer) -> None:
    batch_id = done(importer, as_csv(whmcs_rows(40))).id
    db.session.remove()
    start = threading.Barrier(2)
    said: list[str] = []

    def take_back() -> None:
        with app.app_context():
            start.wait()
            try:
                undo(db.session.get_one(ImportBatch, batch_id))
                said.append("done")
            except OperationRefused as refused:
                db.session.rollback()
                said.append(refused.message)

    both = [threading.Thread(target=take_back) for _each in range(2)]
    for each in both:
        each.start()
    for each in both:
        each.join(30)
    assert sorted(said) == ["This import was taken back already.", "done"]
    assert count(Client) == 0
    whole = sa.select(AuditEvent).where(AuditEvent.action == "undo_import", AuditEvent.client_id.is_(None))
    assert len(db.session.scalars(whole).all()) == 1


# The command


def command(number: int, **options: Any) -> tuple[int, list[str]]:
    said: list[str] = []
    return import_undoing.run_command(number, echo=said.append, **options), said


def test_the_command_says_first_and_does_then(importer: Importer) -> None:
    done(importer, whmcs())
    batch = done(importer, as_csv([dict(next(whmcs_rows(1)), id="8"), *whmcs_rows(3)]))
    before = snapshot()
    code, told = command(batch.id, dry_run=True)
    assert (code, told[0]) == (0, "4 clients go for good")
    assert snapshot() == before
    assert command(batch.id) == (0, told)
    assert count(Client) == 1
    assert command(batch.id) == (1, ["This import was taken back already."])
    assert command(batch.id, dry_run=True)[0] == 1
    assert command(999) == (1, ["There is no import 999."])


def test_the_command_names_what_stands_in_the_way(importer: Importer) -> None:
    batch = done(importer, as_csv(whmcs_rows(2)))
    client = one_client()
    make.points(client)
    make.discount(client)
    db.session.commit()
    for dry_run in (True, False):
        assert command(batch.id, dry_run=dry_run) == (1, [
            f"#{client.id} {client.name}: Penalty points, Discounts",
            "Nothing was taken back: something hangs on 1 client of this import.",
        ])  # fmt: skip
    assert count(Client) == 2


@pytest.mark.engine("sqlite")
def test_flask_undo_import(importer: Importer, flask_command: Callable[..., Any]) -> None:
    batch_id = done(importer, as_csv(whmcs_rows(2))).id
    db.session.remove()
    assert "2 clients go for good" in flask_command("undo-import", str(batch_id), "--dry-run").stdout
    assert count(Client) == 2
    db.session.remove()
    assert "2 clients go for good" in flask_command("undo-import", str(batch_id)).stdout
    assert flask_command("undo-import", str(batch_id), check=False).returncode == 1
    assert (count(Client), count(ClientUser), count(Account)) == (0, 0, 0)

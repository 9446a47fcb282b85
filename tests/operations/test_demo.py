"""Demo data: the same for the same numbers, in the shares that are promised, and sound."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import phonenumbers
import pytest
import sqlalchemy as sa

from extensions import db
from models import (
    Account,
    AuditEvent,
    Characterization,
    Client,
    ClientGroup,
    ClientUser,
    EntryKind,
    Expense,
    Feature,
    Invoice,
    InvoiceStatus,
    Language,
    LedgerEntry,
    LegalStatus,
    Mailing,
    MailingRecipient,
    OutboundEmail,
    Payer,
    Payment,
    PaymentStatus,
    Product,
    Project,
    RecipientOutcome,
    ResponseTemplate,
    Role,
    Service,
    ServiceStatus,
    Staff,
    SuspensionReason,
    TicketMessage,
    Violation,
    ViolationStatus,
    client_group_members,
)
from operations import checking, demo, passwords
from operations.demo_rows import shuffled_shares
from operations.demo_support import AT_RISK
from operations.errors import OperationRefused

NOW = datetime(2031, 5, 17, 9, 30, tzinfo=UTC)
CLIENTS = 60


@pytest.fixture
def password(session: Any, keep: Any) -> str:
    """The password of a database that demo data has just been put into."""

    def fill() -> str:
        made = demo.create(clients=CLIENTS, seed=7, now=NOW)
        session.commit()
        assert made
        return made

    return keep("password", fill)


def count(*conditions: Any) -> int:
    return db.session.scalar(sa.select(sa.func.count()).where(*conditions)) or 0


def content() -> dict[str, list[Any]]:
    """All rows of all tables but passwords and the times and ids that the audit gives to itself."""
    return {
        name: sorted(
            repr([value for key, value in row.items() if key not in {"password_hash", "created_at"}])
            for row in db.session.execute(sa.select(table)).mappings()
        )
        for name, table in db.metadata.tables.items()
        if name != "audit_events"
    }


@pytest.mark.engine("sqlite")
def test_same_numbers_make_same_data(session: Any) -> None:
    seen = []
    for seed in (7, 7, 8):
        demo.create(clients=30, seed=seed, now=NOW)
        seen.append(content())
        session.rollback()
    assert seen[0] == seen[1]
    assert seen[0]["clients"] != seen[2]["clients"]


def who_there_is() -> list[Any]:
    """What has nothing to do with time: who the clients are, who brought them, and what they have."""
    clients = sa.select(
        Client.id, Client.name, Client.email, Client.country, Client.verified_phone, Client.registration_ip,
        Client.referrer_id, Client.characterization_id, Client.owner_username,
    )  # fmt: skip
    services = sa.select(Service.client_id, Service.product_id, Service.status, Service.period)
    groups = sa.select(client_group_members)
    payers = sa.select(Payer.client_id, Payer.name, Payer.tax_id)
    return [sorted(map(repr, db.session.execute(rows))) for rows in (clients, services, groups, payers)]


@pytest.mark.engine("sqlite")
def test_clients_are_the_same_on_any_day(session: Any) -> None:
    seen = []
    for days in (0, 1, 37, 400):
        demo.create(clients=60, seed=7, now=NOW + timedelta(days=days))
        seen.append(who_there_is())
        session.rollback()
    assert seen[0] == seen[1] == seen[2] == seen[3]


def test_shares_of_clients(password: str) -> None:
    codes = Counter(db.session.scalars(sa.select(Characterization.code).join(Client)))
    assert codes == {"good": 6, "conflict": 2, "ordinary": 52}
    referred = sum(client.is_referred for client in db.session.scalars(sa.select(Client)))
    assert referred in {7, 8}
    statuses = Counter(db.session.scalars(sa.select(Client.legal_status)))
    assert set(statuses) == set(LegalStatus)
    assert set(db.session.scalars(sa.select(Client.language))) == set(Language)


def test_no_project_has_more_than_half(password: str) -> None:
    shares = Counter(db.session.scalars(sa.select(Client.project_id)))
    assert len(shares) == count(Project.id > 0) >= 3
    assert max(shares.values()) <= CLIENTS / 2
    assert all("@" in address for address in db.session.scalars(sa.select(Project.support_email)))


def products_in_use() -> set[int]:
    """Products with a service that runs, and will in two minutes."""
    running = sa.select(Service.product_id).where(Service.status == ServiceStatus.ACTIVE, Service.client_id != AT_RISK)
    return set(db.session.scalars(running))


def test_every_product_is_in_use(password: str) -> None:
    assert products_in_use() == set(db.session.scalars(sa.select(Product.id)))


@pytest.mark.parametrize("clients", [20, 23, 33])
@pytest.mark.engine("sqlite")
def test_every_product_is_in_use_with_few_clients(session: Any, clients: int) -> None:
    demo.create(clients=clients, seed=3, now=NOW)
    assert products_in_use() == set(db.session.scalars(sa.select(Product.id)))
    assert max(Counter(db.session.scalars(sa.select(Client.project_id))).values()) <= clients / 2


def test_books_are_in_order(password: str) -> None:
    assert checking.faults() == []
    balances = list(db.session.scalars(sa.select(Account.balance)))
    assert any(balance < 0 for balance in balances)
    assert any(balance > 0 for balance in balances)
    assert count(Account.balance < -Account.credit_limit) == 0


def test_balances_are_those_of_the_entries(password: str) -> None:
    sums: Counter[int] = Counter()
    for account_id, amount in db.session.execute(sa.select(LedgerEntry.account_id, LedgerEntry.amount)):
        sums[account_id] += amount
    for account in db.session.scalars(sa.select(Account)):
        assert account.balance == sums[account.id]
        if account.project_id == account.client.project_id:
            assert account.client.balance == account.balance


def test_counts_beside_clients_are_those_that_triggers_give(session: Any, password: str) -> None:
    columns = (Client.id, Client.active_services, Client.is_suspended, Client.balance, Client.usernames)
    made = session.execute(sa.select(*columns).order_by(Client.id)).all()
    session.execute(sa.update(Service).values(status=Service.status))
    session.execute(sa.update(ClientUser).values(username=ClientUser.username + "x"))
    session.execute(sa.update(ClientUser).values(username=sa.func.rtrim(ClientUser.username, "x")))
    session.execute(sa.update(Account).values(balance=Account.balance))
    assert session.execute(sa.select(*columns).order_by(Client.id)).all() == made


def test_triggers_work_afterwards(session: Any, password: str) -> None:
    account = session.scalars(sa.select(Account).order_by(Account.id)).first()
    before = account.balance
    session.add(LedgerEntry(account_id=account.id, amount=5, kind=EntryKind.PAYMENT))
    session.commit()
    session.refresh(account)
    assert account.balance == before + 5
    assert session.get_one(Client, account.client_id).balance == before + 5
    with pytest.raises(sa.exc.DBAPIError):
        session.execute(sa.delete(LedgerEntry))
    session.rollback()


def test_clients_can_be_found(session: Any, engine: str, password: str) -> None:
    client = session.get_one(Client, 17)
    wanted = client.email.partition("@")[0]
    query = (
        "SELECT rowid FROM client_search WHERE client_search MATCH :text"
        if engine == "sqlite"
        else "SELECT id FROM clients WHERE search_text LIKE '%' || :text || '%'"
    )
    text = f'"{wanted}"' if engine == "sqlite" else wanted
    assert 17 in session.scalars(sa.text(query), {"text": text}).all()


def test_new_rows_get_free_ids(session: Any, password: str) -> None:
    group = ClientGroup(name="One more")
    code = session.scalar(sa.select(Characterization.id).limit(1))
    client = Client(name="Somebody new", country="DE", project_id=1, characterization_id=code)
    session.add_all([group, client])
    session.commit()
    assert client.id == CLIENTS + 1


def test_documents_are_numbered_without_gaps(password: str) -> None:
    for kind in (Invoice, Payment):
        series: dict[tuple[str, str], list[int]] = {}
        for number in db.session.scalars(sa.select(kind.number)):
            project, year, place = number.split("-")
            series.setdefault((project, year), []).append(int(place))
        assert all(sorted(places) == list(range(1, len(places) + 1)) for places in series.values())
    dates = [
        (invoice.number, invoice.issued_on)
        for invoice in db.session.scalars(sa.select(Invoice).where(Invoice.number.startswith("1-2031-")))
    ]
    assert [issued for _number, issued in sorted(dates)] == sorted(issued for _number, issued in dates)


def test_everything_that_money_can_be(password: str) -> None:
    assert set(db.session.scalars(sa.select(Invoice.status))) >= {
        InvoiceStatus.NEW, InvoiceStatus.PAID, InvoiceStatus.OVERDUE,
    }  # fmt: skip
    assert PaymentStatus.PAID in set(db.session.scalars(sa.select(Payment.status)))
    reasons = set(db.session.scalars(sa.select(Service.suspension_reason)))
    assert reasons >= {SuspensionReason.UNPAID, SuspensionReason.VIOLATION}
    assert set(db.session.scalars(sa.select(Service.status))) >= {
        ServiceStatus.ACTIVE, ServiceStatus.SUSPENDED, ServiceStatus.DELETED,
    }  # fmt: skip
    assert count(Expense.id > 0) > CLIENTS


def test_nothing_comes_from_the_future(password: str) -> None:
    for moment in (LedgerEntry.posted_at, Payment.created_at, Client.registered_at, TicketMessage.created_at):
        assert db.session.scalar(sa.select(sa.func.max(moment))) <= NOW
    registered = list(db.session.scalars(sa.select(Client.registered_at).order_by(Client.id)))
    assert registered == sorted(registered)
    assert registered[-1] - registered[0] > timedelta(days=365)


def test_one_violation_is_about_to_be_executed(password: str) -> None:
    violation = db.session.scalars(sa.select(Violation).where(Violation.status == ViolationStatus.OPEN)).one()
    assert violation.deadline == NOW + timedelta(minutes=2)
    assert violation.client.active_services >= 2
    assert violation.ticket.replies_allowed
    assert {feature.is_enabled for feature in db.session.scalars(sa.select(Feature))} == {True}


def test_a_mailing_was_sent(password: str) -> None:
    mailing = db.session.scalars(sa.select(Mailing)).one()
    recipients = db.session.scalars(sa.select(MailingRecipient)).all()
    assert mailing.recipients_count == len(recipients) > CLIENTS / 2
    letters = {letter.client_id: letter.status for letter in db.session.scalars(sa.select(OutboundEmail))}
    for recipient in recipients:
        if recipient.outcome == RecipientOutcome.SKIPPED:
            assert (recipient.reason, recipient.client_id in letters) == ("unsubscribed", False)
        else:
            assert letters[recipient.client_id] == recipient.outcome
    assert not any("%" in text for text in db.session.scalars(sa.select(TicketMessage.text)))


def test_staff_of_every_role_can_log_in(password: str) -> None:
    staff = {person.username: person for person in db.session.scalars(sa.select(Staff))}
    roles = set(db.session.scalars(sa.select(Role.name)))
    assert {person.role.name for name, person in staff.items() if name == person.role.name.lower()} == roles
    assert staff["admin"].role.name == "Owner"
    assert all(passwords.verify(person.password_hash, password) for person in staff.values())
    passwords.refuse_weak(password, staff=True)


def test_users_of_the_first_client_can_log_in_and_no_others(password: str) -> None:
    users = db.session.scalars(sa.select(ClientUser).where(ClientUser.client_id.in_([1, 2]))).all()
    assert demo.client_login() == users[0].username
    for user in users:
        assert passwords.verify(user.password_hash, password) == (user.client_id == 1)
    assert any(not user.is_owner for user in users)


def test_telephone_numbers_are_valid(password: str) -> None:
    for phone, country in db.session.execute(sa.select(Client.verified_phone, Client.country)):
        if phone:
            number = phonenumbers.parse(phone)
            assert phonenumbers.is_valid_number(number), phone
            assert phonenumbers.region_code_for_number(number) == country


def test_templates_are_in_both_languages(password: str) -> None:
    names = Counter(db.session.scalars(sa.select(ResponseTemplate.name)))
    assert names
    assert set(names.values()) == {len(Language)}


def test_twice_is_refused(session: Any, password: str) -> None:
    with pytest.raises(OperationRefused, match="has clients already"):
        demo.create(clients=CLIENTS, seed=7, now=NOW)
    assert count(Client.id > 0) == CLIENTS


@pytest.mark.engine("sqlite")
def test_a_password_of_admin_that_is_there_stays(session: Any) -> None:
    owner = session.scalar(sa.select(Role).where(Role.name == "Owner"))
    session.add(Staff(username="admin", password_hash=passwords.hash_password("Chosen-by-me-1"), role=owner))
    session.commit()
    assert demo.create(clients=20, seed=1, now=NOW) is None
    support = session.scalar(sa.select(Staff).where(Staff.username == "support"))
    assert passwords.verify(support.password_hash, "Chosen-by-me-1")


@pytest.mark.engine("sqlite")
def test_the_audit_says_that_it_is_demo_data(session: Any, password: str) -> None:
    event = session.scalars(sa.select(AuditEvent).where(AuditEvent.action == "demo")).one()
    assert event.after == {"clients": CLIENTS, "seed": 7}


def test_shares_hold_for_any_number() -> None:
    import random

    for total in (1, 7, 60, 401):
        dealt = Counter(shuffled_shares(random.Random(1), total, {"a": 0.5, "b": 0.3, "c": 0.2}))
        assert sum(dealt.values()) == total
        assert abs(dealt["a"] - total / 2) <= 1 + total / 200

"""One client at a glance: when its money runs out, and what the profile asks of the database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session, scoped_session

from extensions import db, now
from models import Account, Client, ClientNote, Feature, Period
from operations import client_overview, client_records
from operations.money_left import HORIZON, Forecast, Renewal, runs_out
from tests import factories as make

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)


def day(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}T12:00:00+00:00")


def monthly(price: str, due: str, period: Period = Period.MONTH) -> Renewal:
    return Renewal(Decimal(price), period, day(due))


def end(available: str, *renewals: Renewal) -> Forecast | None:
    return runs_out(available=Decimal(available), renewals=renewals, now=NOW)


# When the money runs out


def test_the_first_renewal_that_cannot_be_paid_is_the_end() -> None:
    assert end("25", monthly("10", "2026-03-20")) == Forecast(day("2026-05-20"))
    assert end("29.99", monthly("10", "2026-03-20")) == Forecast(day("2026-05-20"))
    assert end("30", monthly("10", "2026-03-20")) == Forecast(day("2026-06-20"))
    assert end("9.99", monthly("10", "2026-03-20")) == Forecast(day("2026-03-20"))
    assert end("0", monthly("10", "2026-03-20")) == Forecast(day("2026-03-20"))


def test_several_services_are_charged_in_the_order_of_their_days() -> None:
    services = monthly("10", "2026-03-20"), monthly("100", "2026-04-01", Period.YEAR), monthly("3", "2026-03-15")
    # 3 on 15 March, 10 on the 20th, 100 on 1 April, 3 on 15 April, 10 on the 20th.
    assert end("112.99", *services) == Forecast(day("2026-04-01"))
    assert end("113", *services) == Forecast(day("2026-04-15"))
    assert end("116", *services) == Forecast(day("2026-04-20"))


def test_of_the_same_moment_the_cheaper_is_paid_first() -> None:
    assert end("5", monthly("100", "2026-03-20"), monthly("5", "2026-03-20")) == Forecast(day("2026-03-20"))
    assert end("105", monthly("100", "2026-03-20"), monthly("5", "2026-03-20")) == Forecast(day("2026-04-20"))


@pytest.mark.parametrize(
    ("period", "second"),
    [
        (Period.MONTH, "2026-04-30"),
        (Period.QUARTER, "2026-06-30"),
        (Period.HALF_YEAR, "2026-09-30"),
        (Period.YEAR, "2027-03-31"),
    ],
)
def test_periods_are_calendar_months_and_the_last_day_stays_the_last(period: Period, second: str) -> None:
    assert end("10", monthly("10", "2026-03-31", period)) == Forecast(day(second))


def test_after_a_short_month_the_day_is_the_old_one_again() -> None:
    assert end("40", monthly("10", "2026-03-31")) == Forecast(day("2026-07-31"))


def test_what_is_overdue_is_charged_now_each_period_of_it() -> None:
    assert end("9", monthly("10", "2026-03-01")) == Forecast(NOW)
    assert end("10", monthly("10", "2026-03-01")) == Forecast(day("2026-04-01"))
    assert end("10", monthly("10", "2026-02-01")) == Forecast(NOW)


def test_who_has_overdrawn_has_run_out_now() -> None:
    assert end("-0.01", monthly("10", "2026-12-01")) == Forecast(NOW)


def test_enough_for_all_that_can_be_foreseen_is_no_day() -> None:
    assert end("1000000", monthly("10", "2026-03-20")) == Forecast(None)
    assert end("10", monthly("20", (NOW + HORIZON + timedelta(days=1)).date().isoformat())) == Forecast(None)


def test_without_anything_that_is_renewed_and_costs_there_is_no_answer() -> None:
    assert end("10") is None
    assert end("-10") is None
    assert end("10", monthly("0", "2026-03-20"), monthly("99", "2026-03-20", Period.ONCE)) is None


# What the profile asks


@pytest.fixture
def anna(session: scoped_session[Session]) -> Client:
    return make.client("Anna")


def test_figures_count_what_is_the_clients_and_no_more(anna: Client) -> None:
    other = make.client("Other")
    for owner, times in ((anna, 2), (other, 5)):
        for _each in range(times):
            make.service(owner)
            make.ticket(owner, status="waiting_staff")
        make.service(owner, status="suspended")
        make.service(owner, status="deleted")
        make.ticket(owner, status="closed")
    soon, later = now() + timedelta(days=3), now() + timedelta(days=9)
    make.points(anna, 2, expires_at=later)
    make.points(anna, 3, expires_at=soon)
    make.points(anna, 50, expires_at=now() - timedelta(seconds=1))
    make.violation(anna)
    make.violation(anna, status="resolved")
    db.session.add(ClientNote(client=anna, text="Calls in the evening"))
    db.session.flush()
    found = client_overview.figures(anna.id, now=now())
    assert (found.active, found.suspended, found.violations, found.notes) == (2, 1, 1, 1)
    # A violation has a ticket of its own, which waits as well.
    assert found.waiting == 4
    assert (found.points, found.first_fades, found.last_fades) == (5, soon, later)


def test_figures_of_a_new_client_are_nothing(anna: Client) -> None:
    found = client_overview.figures(anna.id, now=now())
    assert (found.active, found.suspended, found.waiting, found.violations, found.notes) == (0, 0, 0, 0, 0)
    assert (found.points, found.first_fades, found.last_fades) == (None, None, None)


def test_whether_abuse_is_handled_comes_with_the_figures(anna: Client) -> None:
    feature = db.session.scalars(sa.select(Feature).where(Feature.code == "abuse_handling")).one()
    for on in (True, False):
        feature.is_enabled = on
        db.session.flush()
        assert bool(client_overview.figures(anna.id, now=now()).handles_abuse) is on


def test_counts_end_at_a_thousand(anna: Client) -> None:
    ticket = make.ticket(anna)
    table = type(ticket).__table__
    row = {"client_id": anna.id, "category_id": ticket.category_id, "subject": "x", "status": "waiting_staff"}
    times = {"created_at": now(), "updated_at": now()}
    db.session.execute(sa.insert(table), [{**row, **times, "reference": f"many-{n}"} for n in range(1100)])
    assert client_overview.figures(anna.id, now=now()).waiting == client_overview.MOST_COUNTED + 1


def test_accounts_come_with_what_is_unpaid_and_the_home_account_first(anna: Client) -> None:
    abroad = make.project("Abroad", currency="USD")
    first = Account(client=anna, project=abroad, currency="USD", balance=Decimal(7))
    db.session.add(first)
    db.session.flush()
    today = NOW.date()
    make.invoice(anna, "10.50", due_on=today)
    make.invoice(anna, "20.25", due_on=today - timedelta(days=1))
    make.invoice(anna, "1.25", status="overdue", due_on=today + timedelta(days=5))
    make.invoice(anna, "500", status="paid", due_on=today - timedelta(days=9))
    make.invoice(make.client("Other"), "77")
    db.session.add(Account(client=anna, project=anna.project, currency="CHF"))
    db.session.flush()
    found = client_overview.accounts(anna.id, today=today)
    assert [(row.project, row.currency) for row in found] == [
        (anna.project.name, "EUR"), ("Abroad", "USD"), (anna.project.name, "CHF"),
    ]  # fmt: skip
    home = found[0]
    assert (home.unpaid, home.unpaid_sum) == (3, Decimal("32.00"))
    assert (home.overdue, home.overdue_sum) == (2, Decimal("21.50"))
    assert (found[1].unpaid, found[1].balance) == (None, Decimal(7))


def test_running_services_are_the_active_ones_the_next_to_end_first(anna: Client) -> None:
    late = make.service(anna, expires_at=NOW + timedelta(days=30))
    early = make.service(anna, expires_at=NOW - timedelta(days=1), auto_renew=False)
    make.service(anna, expires_at=None)
    make.service(anna, status="suspended", expires_at=NOW)
    found = client_overview.running_services(anna.id)
    assert [row.id for row in found] == [early.id, late.id]
    assert [(row.price, row.currency, row.auto_renew) for row in found] == [
        (Decimal(5), "EUR", False), (Decimal(5), "EUR", True),
    ]  # fmt: skip


def test_months_hold_what_was_paid_and_charged_between_their_bounds(anna: Client) -> None:
    bounds = [datetime(2026, month, 1, tzinfo=UTC) for month in (1, 2, 3)]
    second = timedelta(seconds=1)
    for amount, at, status in (
        ("1", bounds[0] - second, "paid"),
        ("2", bounds[0], "paid"),
        ("4", bounds[1] - second, "paid"),
        ("8", bounds[1], "paid"),
        ("16", bounds[1], "refunded"),
        ("32", bounds[2], "paid"),
    ):
        make.payment(anna, amount, paid_at=at, status=status)
    make.expense(anna, "3", posted_at=bounds[1])
    make.expense(anna, "0.50", posted_at=bounds[1] + second)
    make.payment(make.client("Other"), "1000", paid_at=bounds[0], status="paid")
    account = make.account(anna).id
    assert client_overview.by_month(anna.id, bounds) == {
        account: [(Decimal(6), None), (Decimal(8), Decimal("3.50"))],
    }


def test_records_of_every_kind_come_with_one_statement_each_in_its_order(anna: Client) -> None:
    moment = now()
    old = make.ticket(anna, "Old", updated_at=moment - timedelta(days=2))
    new = make.ticket(anna, "New", updated_at=moment)
    make.ticket(anna, "Answered", status="waiting_client")
    service = make.service(anna, make.product("Hosting L"), name="anna.example", expires_at=moment)
    make.service(anna, status="deleted")
    make.expense(anna, "1.10", service=service)
    make.expense(anna, "2.20")
    first, second = make.payment(anna, "5"), make.payment(anna, "6", status="paid", paid_at=moment)
    make.act(anna)
    make.invoice(anna)
    make.payer(anna, "Payer A", tax_id="77")
    make.payer(anna, "Payer B", is_default=True)
    make.user(anna, "second", is_active=False)
    make.group("Wholesale", anna)
    make.points(anna, 3)
    make.violation(anna, comment="spam", points=2)
    other = make.client("Other")
    for each in (make.ticket, make.payment, make.service, make.payer):
        each(other)
    make.group("B", other)
    found = client_records.records(anna.id, [(kind, 5) for kind in client_records.KINDS], now=moment)
    assert set(found) == set(client_records.KINDS)
    # The violation's own ticket is the newest.
    assert [row.id for row in found["waiting"]][1:] == [new.id, old.id]
    assert [row.title for row in found["answered"]] == ["Answered"]
    (sold,) = found["services"]
    assert (sold.title, sold.note, sold.state, sold.amount, sold.currency, sold.word, sold.flag, sold.until) == (
        "anna.example", "Hosting L", "active", Decimal(5), "EUR", "month", True, moment,
    )  # fmt: skip
    assert [(row.title, row.amount) for row in found["expenses"]] == [
        (None, Decimal("2.20")), ("anna.example", Decimal("1.10")),
    ]  # fmt: skip
    assert [row.id for row in found["payments"]] == [second.id, first.id]
    assert [row.at for row in found["payments"]] == [moment, first.created_at]
    assert [(row.title, row.flag) for row in found["payers"]] == [("Payer B", True), ("Payer A", False)]
    assert [(row.flag, row.number) for row in found["users"]] == [(True, 1), (False, 0)]
    assert [row.title for row in found["groups"]] == ["Wholesale"]
    assert [row.number for row in found["points"]] == [3]
    assert [(row.note, row.number, row.word) for row in found["violations"]] == [("spam", 2, "to_active")]
    assert client_records.records(anna.id, [], now=moment) == {}
    assert len(client_records.records(anna.id, [("payments", 1)], now=moment)["payments"]) == 1


def test_notes_come_pinned_first_then_the_newest(anna: Client) -> None:
    for text, pinned in (("a", False), ("b", True), ("c", False), ("d", True)):
        db.session.add(ClientNote(client=anna, text=text, is_pinned=pinned))
        db.session.flush()
    assert [row.text for row in client_overview.notes(anna.id, most=10)] == ["d", "b", "c", "a"]
    assert [row.text for row in client_overview.notes(anna.id, most=3)] == ["d", "b", "c"]


def test_events_go_back_from_any_of_them(anna: Client) -> None:
    for text in "abcd":
        anna.note = text
        db.session.flush()
    newest, more = client_overview.events(anna.id, most=2)
    assert (more, [event.after["note"] for event in newest]) == (True, ["d", "c"])
    older, more = client_overview.events(anna.id, most=50, before=newest[-1].id)
    assert (more, [event.after.get("note") for event in older][:2]) == (False, ["b", "a"])


def test_a_deleted_client_is_found_and_one_that_is_not_there_is_none(anna: Client) -> None:
    anna.deleted_at = now()
    db.session.flush()
    found: Any = client_overview.find(anna.id)
    assert found is anna
    assert client_overview.find(10**6) is None

"""The tickets of a mailing: what the database puts together is what macros.py would, to the letter."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

import jobs
from extensions import db
from models import Client, Mailing, MailingRecipient, Project, Ticket, TicketMessage
from operations import bulk, macros, mailing_plan, mailing_tickets
from operations.macros import Subject, Text
from tests.support import mailings as cast

pytestmark = pytest.mark.usefixtures("session")

ALL = " ".join(macro.code for macro in macros.REGISTRY.values())
SUBJECT = {"en": f"  %client_person%: {ALL}", "ru": f"%client_name%; {ALL} "}
TEXT = {"en": f"%%client_id%% {ALL}\nDear %client_person%, \\1 %s {{{{7*7}}}}", "ru": f"Уважаемый {ALL} ы"}
NAMES = [
    "%admin_name%", "{{7*7}}", "%s %(x)s :x ?", r"\1 \g<0>", "<b>' \" -- ;", "' || name || '", "%%", "%client_person%",
    "\u202eevil", "Ёж 🦔", "x" * 120, "\xa0 \u3000", "\t", "  blanks  ", "a\u2028b", "c\r\nBcc: x@y.example", "d\x85\x85e",
    "line\nend", "[a-z]*?", "\x1f", "\x7f",
]  # fmt: skip
AMOUNTS = ["0", "0.05", "-0.05", "9.9", "-12.34", "999.99", "1000", "-1000.01", "123456.78", "-1234567.89",
           "999999999.99", "1000000000", "123456789012.34", "-999999999999999.99"]  # fmt: skip


def clients() -> list[int]:
    """Clients with every name and every amount, in both languages."""
    ids = cast.clients(2 * len(NAMES))
    for number in ids:
        name, amount = NAMES[number // 2 % len(NAMES)], Decimal(AMOUNTS[number % len(AMOUNTS)])
        values = {
            "contact_person": name,
            "name": f"{number}-{name}"[:120],
            "company_name": name,
            "owner_username": f"u{name}"[:60],
        }
        db.session.execute(sa.update(Client).where(Client.id == number).values(balance=amount, **values))
    db.session.commit()
    return ids


def written(mailing: Mailing) -> dict[int, tuple[str, str]]:
    rows = db.session.execute(
        sa.select(Ticket.client_id, Ticket.subject, TicketMessage.text)
        .join(TicketMessage, TicketMessage.ticket_id == Ticket.id)
        .where(Ticket.mailing_id == mailing.id)
    ).all()
    assert len({row[0] for row in rows}) == len(rows)
    return {row[0]: (row[1], row[2]) for row in rows}


def expected(mailing: Mailing) -> dict[int, tuple[str, str]]:
    """What macros.py makes of it."""
    rows = db.session.execute(
        sa.select(MailingRecipient.language, *mailing_plan.CLIENT_COLUMNS)
        .join(Client, Client.id == MailingRecipient.client_id)
        .join(Project, Project.id == Client.project_id)
        .where(MailingRecipient.mailing_id == mailing.id)
    )
    found = {}
    for language, *columns in rows:
        to = mailing_plan.addressee_from(columns, str(language), mailing.staff.shown_name)
        found[to.client_id] = (
            Subject(mailing.subject[to.language]).for_(to),
            Text(mailing.text[to.language]).for_(to),
        )
    return found


def test_the_database_puts_together_what_macros_would_whatever_names_and_amounts_are() -> None:
    mailing = cast.confirm(clients(), subject=SUBJECT, text=TEXT)
    jobs.start_mailings()
    found = written(mailing)
    assert found == expected(mailing)
    assert len(found) == 2 * len(NAMES)
    for subject, _text in found.values():
        assert not macros.LINE_ENDS.search(subject)
        assert len(subject) <= macros.LONGEST_SUBJECT


@pytest.mark.parametrize("macro", list(macros.REGISTRY.values()), ids=lambda macro: macro.name)
def test_each_macro_by_itself(macro: macros.Macro) -> None:
    mailing = cast.confirm(clients(), subject={"en": macro.code}, text={"en": f"{macro.code}{macro.code}"})
    jobs.start_mailings()
    assert written(mailing) == expected(mailing)


def test_only_who_needs_it_is_written_row_by_row(monkeypatch: pytest.MonkeyPatch) -> None:
    rows: list[Any] = []
    insert = bulk.insert
    monkeypatch.setattr(bulk, "insert", lambda *given: (rows.append(given[-1]), insert(*given))[1])
    ids = cast.clients(6)
    db.session.execute(sa.update(Client).where(Client.id == ids[2]).values(contact_person="two\nlines"))
    db.session.commit()
    mailing = cast.confirm(ids)
    jobs.start_mailings()
    assert [len(each) for each in rows] == [1, 1], "a ticket and a message, of the one with two lines"
    assert written(mailing) == expected(mailing)
    assert written(mailing)[ids[2]][0].endswith("two lines")
    assert "two\nlines" in written(mailing)[ids[2]][1]


@pytest.mark.heavy
def test_very_many_macros_are_replaced_too() -> None:
    many = "%client_id%, " * (macros.MOST_IN_SQL + 1)
    mailing = cast.confirm(cast.clients(2), text={"en": many, "ru": many})
    jobs.start_mailings()
    assert written(mailing) == expected(mailing)
    most = "%balance%, " * macros.MOST_IN_SQL
    mailing = cast.confirm([1, 2], by=mailing.staff, text={"en": most, "ru": most})
    jobs.start_mailings()
    assert written(mailing) == expected(mailing)


def test_references_are_of_sixteen_digits_and_no_two_alike() -> None:
    mailing = cast.confirm(cast.clients(300))
    jobs.start_mailings()
    found = db.session.scalars(sa.select(Ticket.reference).where(Ticket.mailing_id == mailing.id)).all()
    assert len(set(found)) == 300
    assert all(re.fullmatch("[0-9A-F]{16}", reference) for reference in found)
    for place in range(16):
        assert len({reference[place] for reference in found}) > 8, "no digit is fixed"
    assert re.fullmatch("[0-9A-F]{16}", mailing_tickets.new_reference())

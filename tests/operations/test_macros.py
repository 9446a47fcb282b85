"""Macros: replaced once, literally, whatever the values look like."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operations import letters, macros
from operations.macros import Addressee, Subject, Text

HOSTILE = [
    "%admin_name%",
    "{{7*7}}",
    "{0.__class__}",
    "${7*7}",
    "%s",
    r"\1",
    r"\g<0>",
    "<b>",
    "%client_person%",
    "%%",
]


def addressee(**changes: object) -> Addressee:
    values = {
        "client_id": 1042,
        "name": "Romashka Ltd",
        "contact_person": "Ivan Petrov",
        "company_name": "Romashka Ltd",
        "username": "ivan",
        "project_name": "Alpha Hosting",
        "balance": Decimal("1250.5"),
        "currency": "RUB",
        "language": "en",
        "staff_name": "Anna Ivanova",
        "panel_url": "https://desk.example.com/panel/",
    }
    return Addressee(**{**values, **changes})  # type: ignore[arg-type]


def test_every_macro_is_replaced() -> None:
    text = Text(" ".join(macro.code for macro in macros.REGISTRY.values()))
    assert text.for_(addressee()) == (
        "Ivan Petrov Anna Ivanova Romashka Ltd 1042 ivan Romashka Ltd Alpha Hosting 1,250.50\xa0RUB "
        "https://desk.example.com/panel/"
    )


@pytest.mark.parametrize("typed", ["", "  "])
def test_without_a_contact_person_the_name_stands_in_its_place(typed: str) -> None:
    assert Text("Dear %client_person%,").for_(addressee(contact_person=typed)) == "Dear Romashka Ltd,"


def test_the_balance_is_written_as_the_language_writes_numbers() -> None:
    assert Text("%balance%").for_(addressee(language="ru", balance=Decimal("-1250.5"))) == "-1\xa0250,50\xa0RUB"


@pytest.mark.parametrize("value", HOSTILE)
def test_a_value_is_never_looked_at_again(value: str) -> None:
    to = addressee(contact_person=value, name=value, company_name="%username%")
    assert Text("%client_person%|%client_name%|%company_name%|%admin_name%").for_(to) == (
        f"{value}|{value}|%username%|Anna Ivanova"
    )


@pytest.mark.parametrize("value", HOSTILE)
def test_in_html_a_value_is_shown_as_it_is(value: str) -> None:
    html = letters.as_html(Text("Dear %client_person%").for_(addressee(contact_person=value)))
    assert html == "<p>Dear " + value.replace("<", "&lt;").replace(">", "&gt;") + "</p>"


def test_what_looks_like_a_template_or_a_format_stays_as_it_was_written() -> None:
    text = "{{config}} {0} %s %(name)s ${x} 100% %D0%98 50% of %"
    assert Text(text).for_(addressee()) == text


@given(st.text(), st.text(), st.text())
def test_plain_text_and_values_come_out_as_they_went_in(before: str, value: str, after: str) -> None:
    plain = (before + after).replace("%", "")
    made = Text(plain + "%client_person%" + plain).for_(addressee(contact_person=value, name=value))
    assert made == plain + value + plain


def test_percent_signs_around_a_macro_do_no_harm() -> None:
    assert Text("100%%client_id%% %client_id%client_id%").for_(addressee()) == "100%1042% 1042client_id%"


@pytest.mark.parametrize(
    ("text", "unknown"),
    [
        ("Dear %foo%, %client_person%, %foo%", ["%foo%"]),
        ("%Client_Person% %client-person% %имя%", ["%Client_Person%", "%client-person%", "%имя%"]),
        ("https://ru.wikipedia.org/wiki/%D0%98%D0%B2%D0%B0%D0%BD %d0%b8%d0", []),
        ("https://example.com/caf%C3%A9-menu%20today na%C3%AFve%20x %d0%bfa%d1%82", []),
        ("%A9-menu% %abcdef%", ["%A9-menu%", "%abcdef%"]),
        ("a discount of 10% - 20% for all; 5%", []),
        ("%client_person%admin_name%", []),
    ],
)
def test_what_is_written_like_a_macro_and_is_none_is_found(text: str, unknown: list[str]) -> None:
    assert macros.unknown(text) == unknown


def test_a_subject_stays_on_one_line_and_within_its_length() -> None:
    to = addressee(contact_person="Ivan\r\nBcc: evil@example.com\u2028x" + "y" * 400)
    made = Subject("Hello %client_person%").for_(to)
    assert made.startswith("Hello Ivan Bcc: evil@example.com x")
    assert len(made) == 300


def test_used_macros_are_listed_once_in_the_order_of_the_registry() -> None:
    assert [macro.name for macro in macros.used(["%balance% %client_id%", "%client_id% %nothing%"])] == [
        "client_id",
        "balance",
    ]

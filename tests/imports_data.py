"""Exports as other systems write them, made up: always the same for the same number of clients."""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from pathlib import Path

WHMCS_HEADINGS = (
    "id", "uuid", "firstname", "lastname", "companyname", "email", "address1", "address2", "city", "state",
    "postcode", "country", "phonenumber", "tax_id", "password", "currency", "defaultgateway", "credit",
    "securityqid", "securityqans", "datecreated", "notes", "billingcid", "groupid", "cardtype",
    "cardlastfour", "cardnum", "bankname", "bankacct", "lastlogin", "ip", "host", "status", "language",
    "emailoptout",
    "marketing_emails_opt_in", "created_at", "updated_at",
)  # fmt: skip
FOSSBILLING_HEADINGS = (
    "id", "aid", "client_group_id", "role", "email", "pass", "status", "type", "first_name", "last_name",
    "phone_cc", "phone", "company", "company_vat", "company_number", "address_1", "address_2", "city",
    "state", "postcode", "country", "notes", "currency", "lang", "ip", "referred_by",
    "created_at", "updated_at",
)  # fmt: skip
SECRETS = ("$2y$10$PaSsWoRdHaSh", "my first dog", "4111111111111111", "40702810900000001234")

FIRST_NAMES = ("Иван", "Мария", "Пётр", "Анна", "Сергей", "Ольга", "John", "Maria", "Jürgen", "Zoë", "Seán")
LAST_NAMES = (
    "Петров",
    "Иванова",
    "Щукин",
    "Ёлкина",
    "О'Нил",
    "Smith",
    "García",
    "Müller",
    "O'Brien",
    "Łukasz",
)
COMPANIES = (
    'ООО "Ромашка"',
    "АО «Свет»",
    "Smith & Sons, Ltd",
    "Müller GmbH",
    'ИП Ёлкина; "Мёд"',
    "Acme, Inc.",
)
STREETS = ("ул. Ленина, д. 5", "пр-т Мира, 12-34", "10 Downing St", "Hauptstraße 7", "Calle Mayor, 1")
CITIES = (("RU", "Москва", "+7.916"), ("RU", "Казань", "+7.843"), ("GB", "London", "+44.2079"),
          ("DE", "Berlin", "+49.3012"), ("ES", "Madrid", "+34.9123"),
          ("US", "New York", "+1.212555"))  # fmt: skip
NOTES = (
    "", "", "Платит вовремя.",
    'Просил "скидку";\nперезвонить после 18:00\n\nи не раньше',
    "Line one\r\nline two, with a comma\r\nand a \"quote\"",
)  # fmt: skip
LANGUAGES = ("russian", "english", "", "german")


def whmcs_rows(count: int, *, seed: int = 1, first_id: int = 1001) -> Iterator[dict[str, str]]:
    """Good rows of a WHMCS table of clients; every fortieth has the address of an earlier one."""
    chance = random.Random(seed)
    for number in range(count):
        country, city, phone = chance.choice(CITIES)
        own = number - 7 if number % 40 == 39 else number
        row = {
            "id": str(first_id + number),
            "uuid": f"{chance.getrandbits(64):016x}",
            "firstname": chance.choice(FIRST_NAMES),
            "lastname": chance.choice(LAST_NAMES),
            "companyname": chance.choice(COMPANIES) if chance.random() < 0.4 else "",
            "email": f"client{own}@example-{own % 900}.com",
            "address1": chance.choice(STREETS),
            "address2": chance.choice(("", "кв. 7", "floor 3")),
            "city": city,
            "state": "",
            "postcode": f"{chance.randrange(100000, 999999)}",
            "country": country,
            "phonenumber": _phone(chance, phone, country),
            "tax_id": f"{chance.randrange(10**9, 10**10)}" if chance.random() < 0.3 else "",
            "password": SECRETS[0], "securityqans": SECRETS[1], "cardnum": SECRETS[2], "bankacct": SECRETS[3],
            "currency": "1",
            "defaultgateway": "banktransfer",
            "credit": "0.00",
            "securityqid": "1",
            "datecreated": (date(2015, 1, 1) + timedelta(days=chance.randrange(3500))).isoformat(),
            "notes": chance.choice(NOTES),
            "groupid": chance.choice(("0", "0", "1", "VIP")),
            "status": "Closed" if number % 25 == 24 else "Active",
            "language": chance.choice(LANGUAGES),
            "emailoptout": "1" if number % 10 == 9 else "0",
            "marketing_emails_opt_in": "",
            "created_at": "0000-00-00 00:00:00",
        }  # fmt: skip
        yield dict.fromkeys(WHMCS_HEADINGS, "") | row


def _phone(chance: random.Random, begin: str, country: str) -> str:
    length = {"RU": 10, "GB": 10, "DE": 10, "ES": 9, "US": 10}[country]
    given = len(begin.partition(".")[2])
    return begin + "".join(str(chance.randrange(10)) for _digit in range(length - given))


def spoil_whmcs(rows: Iterable[dict[str, str]], *, every: int = 30) -> Iterator[dict[str, str]]:
    """Among good rows, now and then one that cannot come in."""
    spoilers = (
        {"email": "no address"}, {"email": ""}, {"country": "Narnia"}, {"datecreated": "soon"},
        {"firstname": "", "lastname": "", "companyname": ""}, {"status": "Asleep"},
        {"phonenumber": "call me"}, {"id": ""},
    )  # fmt: skip
    for number, row in enumerate(rows):
        is_bad = number % every == every - 1
        yield row | spoilers[number // every % len(spoilers)] if is_bad else row


def fossbilling_rows(count: int, *, seed: int = 2) -> Iterator[dict[str, str]]:
    """Good rows of a FOSSBilling table of clients."""
    chance = random.Random(seed)
    for number in range(count):
        country, city, phone = chance.choice(CITIES)
        code, _dot, _start = phone.partition(".")
        row = {
            "id": str(number + 1),
            "client_group_id": chance.choice(("", "2", "Оптовики")),
            "role": "client",
            "email": f"person{number}@example.org",
            "pass": SECRETS[0],
            "status": chance.choice(("active", "active", "suspended", "canceled")),
            "type": "company" if number % 3 == 0 else "individual",
            "first_name": chance.choice(FIRST_NAMES),
            "last_name": chance.choice(LAST_NAMES),
            "phone_cc": code.lstrip("+"),
            "phone": _phone(chance, phone, country).partition(".")[2],
            "company": chance.choice(COMPANIES) if number % 3 == 0 else "",
            "company_vat": f"DE{chance.randrange(10**8, 10**9)}" if number % 3 == 0 else "",
            "address_1": chance.choice(STREETS),
            "city": city,
            "postcode": "10115",
            "country": country,
            "notes": chance.choice(NOTES),
            "currency": "EUR",
            "lang": chance.choice(("ru_RU", "en_US", "")),
            "referred_by": chance.choice(("", "Google", "от друзей")),
            "created_at": f"2021-0{chance.randrange(1, 10)}-1{chance.randrange(10)}T12:30:00+03:00",
        }
        yield dict.fromkeys(FOSSBILLING_HEADINGS, "") | row


def as_csv(rows: Iterable[dict[str, str]], *, delimiter: str = ",", headings: Iterable[str] | None = None) -> str:
    """The rows as CSV, lines ended as PHP and Excel do; `headings` instead of the rows' own."""
    every = iter(rows)
    first = next(every)
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter)
    writer.writerow(headings or first)
    writer.writerow(first.values())
    writer.writerows(row.values() for row in every)
    return text.getvalue()


def write_csv(path: Path, rows: Iterable[dict[str, str]], *, encoding: str = "utf-8", delimiter: str = ",") -> Path:
    """Write the rows as a CSV file, one after the other, however many they are."""
    every = iter(rows)
    first = next(every)
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerow(first)
        writer.writerow(first.values())
        writer.writerows(row.values() for row in every)
    return path

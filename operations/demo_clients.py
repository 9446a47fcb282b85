"""The clients of demo data, with their users, payers, groups, notes and who brought them."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from models import Language, LegalStatus
from operations import demo_names as names
from operations.demo_catalogue import Catalogue, Shop
from operations.demo_rows import Rows, shuffled_shares
from operations.demo_texts import NOTES, REASONS, REMARKS

YEARS = 8
# Nobody can log in with it: it is the hash of no password.
NO_PASSWORD = "!"
CHARACTERIZATIONS = {"good": 1 / 10, "conflict": 1 / 25, "ordinary": 1 - 1 / 10 - 1 / 25}
# One in eight was brought by somebody: a client, or a program.
BROUGHT_BY = {"client": 1 / 16, "program": 1 / 16, "nobody": 7 / 8}
LEGAL_STATUSES = {LegalStatus.COMPANY: 0.4, LegalStatus.SOLE_PROPRIETOR: 0.15, LegalStatus.INDIVIDUAL: 0.45}
RIGHTS = (["finance"], ["services", "support"], ["support"], ["finance", "services", "support"])


@dataclass(frozen=True)
class Subject:
    """A client that was made: what the other modules of the demo need to know of it.

    `row` is what will be written of it. The account with its home project has the client's own id; `second`
    is another project open to it.
    """

    id: int
    row: dict[str, Any]
    shop: Shop
    second: Shop | None
    language: Language
    contact: str
    slug: str
    registered_at: datetime
    owner_id: int
    payer_id: int | None
    referrer_id: int | None


class Clients:
    """Makes clients one after the other, the longest registered first."""

    def __init__(
        self,
        rng: random.Random,
        rows: Rows,
        catalogue: Catalogue,
        *,
        total: int,
        password_hash: str,
        now: datetime,
    ) -> None:
        self._rng, self._rows, self._catalogue = rng, rows, catalogue
        self._total, self._password_hash, self._now = total, password_hash, now
        self._usernames: set[str] = set()
        # Which project each client has, a byte each: who brings a client is a client of the same project.
        self.homes = bytearray()

    def make(self) -> Iterator[Subject]:
        """Make all of them; after each, what it refers to may be added."""
        shares = {place: shop.brand.share for place, shop in enumerate(self._catalogue.shops)}
        decks = zip(
            shuffled_shares(self._rng, self._total, shares),
            shuffled_shares(self._rng, self._total, CHARACTERIZATIONS),
            shuffled_shares(self._rng, self._total, BROUGHT_BY),
            shuffled_shares(self._rng, self._total, LEGAL_STATUSES),
            strict=True,
        )
        for home, characterization, brought_by, legal_status in decks:
            yield self._client(home, characterization, brought_by, legal_status)

    def _client(
        self, home: int, characterization: str, brought_by: str, legal_status: LegalStatus
    ) -> Subject:
        rng, shop = self._rng, self._catalogue.shops[home]
        client_id = self._rows.new_id("clients")
        countries = shop.brand.countries
        country = names.COUNTRIES[rng.choices(tuple(countries), tuple(countries.values()))[0]]
        language = country.language if rng.random() < 0.9 else Language.EN
        contact = names.person(rng, country.language)
        company = names.company(rng, country) if legal_status is LegalStatus.COMPANY else None
        slug = self._username(company.latin if company else contact.latin, client_id)
        registered_at = self._registered_at(client_id)
        email = f"info@{slug}.example.com" if company else f"{slug}@{rng.choice(names.DOMAINS)}"
        phone = names.phone(rng, country) if rng.random() < 0.6 else ""
        referrer_id = self._referrer(home) if brought_by == "client" else None
        self.homes.append(home)
        row = self._rows.add(
            "clients",
            {
                "id": client_id,
                "project_id": shop.id,
                "name": company.name if company else contact.name,
                "legal_status": legal_status,
                "company_name": company.name if company else "",
                "contact_person": contact.name,
                "email": email,
                "country": country.code,
                "language": language,
                "verified_phone": phone,
                "note": rng.choice(NOTES[language]) if rng.random() < 0.35 else "",
                "referral_source": (
                    rng.choice(names.REFERRAL_SOURCES[language]) if rng.random() < 0.3 else ""
                ),
                "referrer_id": referrer_id,
                "affiliate_program_id": self._program(brought_by, referrer_id),
                "registered_at": registered_at,
                "registration_ip": names.ip_address(rng),
                "hold_suspension_until": self._now + timedelta(days=14) if rng.random() < 0.01 else None,
                "custom": {},
                "owner_username": slug,
                "active_services": 0,
                "is_suspended": False,
                **self._characterized(characterization, language, registered_at),
            },
        )
        second = self._second_project(client_id, home)
        self._groups(client_id)
        self._remarks(client_id, language, registered_at)
        person = (country, language, contact, slug)
        owner_id, usernames = self._users(client_id, email, phone, registered_at, person, company)
        row["usernames"] = " ".join(usernames)
        return Subject(
            id=client_id,
            row=row,
            shop=shop,
            second=second,
            language=language,
            contact=contact.name,
            slug=slug,
            registered_at=registered_at,
            owner_id=owner_id,
            payer_id=self._payer(client_id, email, phone, legal_status, country, contact, company),
            referrer_id=referrer_id,
        )

    def _username(self, wanted: str, client_id: int) -> str:
        """A username that is free: the first clients have plain ones, all others a number."""
        if len(self._usernames) < 2000 and wanted not in self._usernames:
            self._usernames.add(wanted)
            return wanted
        return f"{wanted}{client_id}"

    def _registered_at(self, client_id: int) -> datetime:
        """Spread over the years up to now, more of them lately, in the order of the codes."""
        share = (client_id - self._rng.random()) / self._total
        ago = timedelta(days=365 * YEARS) * (1 - math.sqrt(min(max(share, 0), 1)))
        return (self._now - ago - timedelta(hours=1)).replace(microsecond=0)

    def _characterized(self, code: str, language: Language, registered_at: datetime) -> dict[str, Any]:
        ordinary = code == "ordinary"
        since = registered_at + (self._now - registered_at) * self._rng.random()
        return {
            "characterization_id": self._catalogue.characterizations[code],
            "characterization_by_id": None if ordinary else self._catalogue.staff["Support"],
            "characterization_at": None if ordinary else since.replace(microsecond=0),
            "characterization_reason": "" if ordinary else REASONS[code][language],
        }

    def _referrer(self, home: int) -> int | None:
        """An earlier client of the same project; None while there is none."""
        for _try in range(20):
            if self.homes:
                candidate = self._rng.randrange(len(self.homes))
                if self.homes[candidate] == home:
                    return candidate + 1
        return None

    def _program(self, brought_by: str, referrer_id: int | None) -> int | None:
        if brought_by == "nobody" or referrer_id is not None:
            return None
        return self._rng.choice(self._catalogue.programs)

    def _second_project(self, client_id: int, home: int) -> Shop | None:
        if self._rng.random() > 0.08:
            return None
        shop = self._rng.choice([shop for place, shop in enumerate(self._catalogue.shops) if place != home])
        self._rows.add("client_projects", {"client_id": client_id, "project_id": shop.id})
        return shop

    def _groups(self, client_id: int) -> None:
        for group in self._rng.sample(self._catalogue.groups, self._rng.choice((0, 0, 0, 1, 1, 2, 3))):
            self._rows.add("client_group_members", {"client_id": client_id, "group_id": group})

    def _remarks(self, client_id: int, language: Language, registered_at: datetime) -> None:
        if self._rng.random() > 0.1:
            return
        written = registered_at + (self._now - registered_at) * self._rng.random()
        self._rows.add(
            "client_notes",
            {
                "client_id": client_id,
                "author_id": self._catalogue.staff[self._rng.choice(("Manager", "Support"))],
                "text": self._rng.choice(REMARKS[language]),
                "is_pinned": self._rng.random() < 0.3,
                "created_at": written,
            },
        )

    def _users(
        self,
        client_id: int,
        email: str,
        phone: str,
        registered_at: datetime,
        person: tuple[names.Country, Language, names.Person, str],
        company: names.Company | None,
    ) -> tuple[int, list[str]]:
        """The owner, and for some companies colleagues with fewer rights: the owner's id, and all usernames."""
        country, language, contact, slug = person
        count = self._rng.choice((0, 0, 1, 2)) if company else 0
        if client_id == 1:
            count = max(count, 1)
        owner_id = self._user(
            client_id, slug, contact.name, email, phone, registered_at, country, language, None
        )
        colleagues = [f"{slug}-{number}" for number in range(2, count + 2)]
        for number, username in enumerate(colleagues, start=2):
            colleague, rights = names.person(self._rng, country.language), self._rng.choice(RIGHTS)
            address = f"{colleague.latin}.{number}@{slug}.example.com"
            self._user(
                client_id, username, colleague.name, address, "", registered_at, country, language, rights
            )
        return owner_id, [slug, *colleagues]

    def _user(
        self,
        client_id: int,
        username: str,
        full_name: str,
        email: str,
        phone: str,
        registered_at: datetime,
        country: names.Country,
        language: Language,
        rights: list[str] | None,
    ) -> int:
        """One user; without `rights` it is the owner. The users of client 1 have the demo's password."""
        user_id = self._rows.new_id("client_users")
        seen = registered_at + (self._now - registered_at) * self._rng.random()
        self._rows.add(
            "client_users",
            {
                "id": user_id,
                "client_id": client_id,
                "username": username,
                "password_hash": self._password_hash if client_id == 1 else NO_PASSWORD,
                "full_name": full_name,
                "email": email,
                "phone": phone,
                "language": language,
                "time_zone": country.time_zone,
                "is_owner": rights is None,
                "permissions": rights or [],
                "last_login_at": seen.replace(microsecond=0) if self._rng.random() < 0.8 else None,
                "created_at": registered_at,
            },
        )
        if self._rng.random() < 0.06:
            self._unsubscribe(user_id, seen, registered_at)
        return user_id

    def _unsubscribe(self, user_id: int, when: datetime, registered_at: datetime) -> None:
        self._rows.add(
            "consents",
            {
                "client_user_id": user_id,
                "kind": "news",
                "given_at": registered_at,
                "withdrawn_at": when.replace(microsecond=0),
                "source": "link",
            },
        )

    def _payer(
        self,
        client_id: int,
        email: str,
        phone: str,
        legal_status: LegalStatus,
        country: names.Country,
        contact: names.Person,
        company: names.Company | None,
    ) -> int | None:
        if legal_status is LegalStatus.INDIVIDUAL and self._rng.random() < 0.5:
            return None
        payer_id = self._rows.new_id("payers")
        address = names.address(self._rng, country)
        sole = "ИП {}" if country.code == "RU" and legal_status is LegalStatus.SOLE_PROPRIETOR else "{}"
        reason_code = "770101001" if country.code == "RU" and company else ""
        self._rows.add(
            "payers",
            {
                "id": payer_id,
                "client_id": client_id,
                "legal_status": legal_status,
                "name": company.name if company else sole.format(contact.formal),
                "country": country.code,
                "tax_id": names.tax_id(self._rng, country, legal_status),
                "registration_reason_code": reason_code,
                "postal_address": address,
                "legal_address": address if company else "",
                "email": email,
                "phone": phone,
                "is_default": True,
            },
        )
        return payer_id

"""The clients of demo data, with their users, payers, groups, notes and who brought them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from models import Language, LegalStatus
from operations import demo_names as names
from operations.demo_catalogue import Catalogue, Shop
from operations.demo_rows import Chance, Rows, shuffled_shares
from operations.demo_texts import NOTES, REASONS, REMARKS

YEARS = 8
# Nobody can log in with it: no password has this hash.
NO_HASH = "!"
CHARACTERIZATIONS = {"good": 1 / 10, "conflict": 1 / 25, "ordinary": 1 - 1 / 10 - 1 / 25}
# One in eight was brought by somebody: a client, or a program.
BROUGHT_BY = {"client": 1 / 16, "program": 1 / 16, "nobody": 7 / 8}
LEGAL_STATUSES = {LegalStatus.COMPANY: 0.4, LegalStatus.SOLE_PROPRIETOR: 0.15, LegalStatus.INDIVIDUAL: 0.45}
RIGHTS = (["finance"], ["services", "support"], ["support"], ["finance", "services", "support"])


@dataclass
class Subject:
    """A client while it is made. `row` is what will be written of it; `slug` is its name in addresses.

    The account with its home project has the client's own id; `second` is another project open to it.
    """

    id: int
    shop: Shop
    legal_status: LegalStatus
    country: names.Country
    language: Language
    contact: names.Person
    company: names.Company | None
    slug: str
    email: str
    phone: str
    registered_at: datetime
    referrer_id: int | None
    row: dict[str, Any] = field(default_factory=dict)
    second: Shop | None = None
    owner_id: int = 0
    is_unsubscribed: bool = False
    payer_id: int | None = None

    @property
    def name(self) -> str:
        return self.company.name if self.company else self.contact.name


class Clients:
    """Makes clients one after the other, the longest registered first."""

    def __init__(
        self,
        chance: Chance,
        rows: Rows,
        catalogue: Catalogue,
        *,
        total: int,
        password_hash: str,
        now: datetime,
    ) -> None:
        self._chance, self._rows, self._catalogue = chance, rows, catalogue
        self._rng = chance.of("clients")
        self._total, self._password_hash, self._now = total, password_hash, now
        self._usernames: set[str] = set()
        # Which project each client has, a byte each: who brings a client is a client of the same project.
        self._homes = bytearray()

    def make(self) -> Iterator[Subject]:
        """Make all of them; after each, what it refers to may be added."""
        total = self._total
        homes = {place: shop.brand.share for place, shop in enumerate(self._catalogue.shops)}
        decks = (
            shuffled_shares(self._chance.of("homes"), total, homes),
            shuffled_shares(self._chance.of("characterizations"), total, CHARACTERIZATIONS),
            shuffled_shares(self._chance.of("who brings"), total, BROUGHT_BY),
        )
        legal_statuses = shuffled_shares(self._chance.of("legal statuses"), total, LEGAL_STATUSES)
        for home, code, brought_by in zip(*decks, strict=True):
            subject = self._subject(home, next(legal_statuses), is_brought=brought_by == "client")
            self._homes.append(home)
            values = {**self._row(subject), **self._characterized(subject, code)}
            values["affiliate_program_id"] = self._program(subject, brought_by)
            subject.row = self._rows.add("clients", values)
            subject.second = self._second_project(subject, home)
            self._groups(subject)
            self._remark(subject)
            self._users(subject)
            subject.payer_id = self._payer(subject)
            yield subject

    def _subject(self, home: int, legal_status: LegalStatus, *, is_brought: bool) -> Subject:
        shop, client_id = self._catalogue.shops[home], self._rows.new_id("clients")
        rng = self._rng = self._chance.of("clients", client_id)
        countries = shop.brand.countries
        country = names.COUNTRIES[rng.choices(tuple(countries), tuple(countries.values()))[0]]
        contact = names.person(rng, country.language)
        company = names.company(rng, country) if legal_status is LegalStatus.COMPANY else None
        slug = self._username(company.latin if company else contact.latin, client_id)
        return Subject(
            id=client_id,
            shop=shop,
            legal_status=legal_status,
            country=country,
            language=country.language if rng.random() < 0.9 else Language.EN,
            contact=contact,
            company=company,
            slug=slug,
            email=f"info@{slug}.example.com" if company else f"{slug}@{rng.choice(names.DOMAINS)}",
            phone=names.phone(rng, country) if rng.random() < 0.6 else "",
            registered_at=self._registered_at(client_id),
            referrer_id=self._referrer(home) if is_brought else None,
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

    def _row(self, subject: Subject) -> dict[str, Any]:
        rng, language = self._rng, subject.language
        sources = names.REFERRAL_SOURCES[language]
        return {
            "id": subject.id,
            "project_id": subject.shop.id,
            "name": subject.name,
            "legal_status": subject.legal_status,
            "company_name": subject.company.name if subject.company else "",
            "contact_person": subject.contact.name,
            "email": subject.email,
            "country": subject.country.code,
            "language": language,
            "verified_phone": subject.phone,
            "note": rng.choice(NOTES[language]) if rng.random() < 0.35 else "",
            "referral_source": rng.choice(sources) if rng.random() < 0.3 else "",
            "referrer_id": subject.referrer_id,
            "registered_at": subject.registered_at,
            "registration_ip": names.ip_address(rng),
            "hold_suspension_until": self._now + timedelta(days=14) if rng.random() < 0.01 else None,
            "custom": {},
            "owner_username": subject.slug,
            "balance": 0,
            "active_services": 0,
            "is_suspended": False,
        }

    def _characterized(self, subject: Subject, code: str) -> dict[str, Any]:
        """Who found the client good or in conflict, when and why."""
        ordinary = code == "ordinary"
        return {
            "characterization_id": self._catalogue.characterizations[code],
            "characterization_by_id": None if ordinary else self._catalogue.staff["Support"],
            "characterization_at": None if ordinary else self._since(subject),
            "characterization_reason": "" if ordinary else REASONS[code][subject.language],
        }

    def _since(self, subject: Subject) -> datetime:
        """A moment between the client's registration and now."""
        passed = (self._now - subject.registered_at) * self._rng.random()
        return (subject.registered_at + passed).replace(microsecond=0)

    def _referrer(self, home: int) -> int | None:
        """An earlier client of the same project; None while there is none."""
        for _try in range(20):
            if self._homes:
                candidate = self._rng.randrange(len(self._homes))
                if self._homes[candidate] == home:
                    return candidate + 1
        return None

    def _program(self, subject: Subject, brought_by: str) -> int | None:
        """A program, also for who would have been brought by a client, had there been one."""
        if brought_by == "nobody" or subject.referrer_id is not None:
            return None
        return self._rng.choice(self._catalogue.programs)

    def _second_project(self, subject: Subject, home: int) -> Shop | None:
        if self._rng.random() > 0.08:
            return None
        shop = self._rng.choice([shop for place, shop in enumerate(self._catalogue.shops) if place != home])
        self._rows.add("client_projects", {"client_id": subject.id, "project_id": shop.id})
        return shop

    def _groups(self, subject: Subject) -> None:
        for group in self._rng.sample(self._catalogue.groups, self._rng.choice((0, 0, 0, 1, 1, 2, 3))):
            self._rows.add("client_group_members", {"client_id": subject.id, "group_id": group})

    def _remark(self, subject: Subject) -> None:
        if self._rng.random() > 0.1:
            return
        self._rows.add(
            "client_notes",
            {
                "client_id": subject.id,
                "author_id": self._catalogue.staff[self._rng.choice(("Manager", "Support"))],
                "text": self._rng.choice(REMARKS[subject.language]),
                "is_pinned": self._rng.random() < 0.3,
                "created_at": self._since(subject),
            },
        )

    def _users(self, subject: Subject) -> None:
        """The owner, and for some companies colleagues with fewer rights."""
        slug = subject.slug
        subject.owner_id = self._user(subject, slug, subject.contact.name, subject.email)
        count = self._rng.choice((0, 0, 1, 2)) if subject.company else 0
        # Whoever looks at the panel as the first client should see a colleague.
        usernames = [f"{slug}-{number}" for number in range(2, max(count, int(subject.id == 1)) + 2)]
        for number, username in enumerate(usernames, start=2):
            colleague = names.person(self._rng, subject.country.language)
            address = f"{colleague.latin}.{number}@{slug}.example.com"
            self._user(subject, username, colleague.name, address, rights=self._rng.choice(RIGHTS))
        subject.row["usernames"] = " ".join([slug, *usernames])

    def _user(
        self, subject: Subject, username: str, full_name: str, email: str, *, rights: list[str] | None = None
    ) -> int:
        """One user; without `rights` it is the owner. The users of client 1 have the demo's password."""
        user_id, is_owner = self._rows.new_id("client_users"), rights is None
        self._rows.add(
            "client_users",
            {
                "id": user_id,
                "client_id": subject.id,
                "username": username,
                "password_hash": self._password_hash if subject.id == 1 else NO_HASH,
                "full_name": full_name,
                "email": email,
                "phone": subject.phone if is_owner else "",
                "language": subject.language,
                "time_zone": subject.country.time_zone,
                "is_owner": is_owner,
                "permissions": rights or [],
                "last_login_at": self._since(subject) if self._rng.random() < 0.8 else None,
                "created_at": subject.registered_at,
            },
        )
        if self._rng.random() < 0.06:
            self._unsubscribe(subject, user_id)
            subject.is_unsubscribed |= is_owner
        return user_id

    def _unsubscribe(self, subject: Subject, user_id: int) -> None:
        self._rows.add(
            "consents",
            {
                "client_user_id": user_id,
                "kind": "news",
                "given_at": subject.registered_at,
                "withdrawn_at": self._since(subject),
                "source": "link",
            },
        )

    def _payer(self, subject: Subject) -> int | None:
        """In whose name the client pays; half of the individuals have not said."""
        if subject.legal_status is LegalStatus.INDIVIDUAL and self._rng.random() < 0.5:
            return None
        payer_id, is_company = self._rows.new_id("payers"), subject.company is not None
        address, is_russian = names.address(self._rng, subject.country), subject.country.code == "RU"
        is_sole = is_russian and subject.legal_status is LegalStatus.SOLE_PROPRIETOR
        person = f"ИП {subject.contact.formal}" if is_sole else subject.contact.formal
        self._rows.add(
            "payers",
            {
                "id": payer_id,
                "client_id": subject.id,
                "legal_status": subject.legal_status,
                "name": subject.name if is_company else person,
                "country": subject.country.code,
                "tax_id": names.tax_id(self._rng, subject.country, subject.legal_status),
                "registration_reason_code": "770101001" if is_russian and is_company else "",
                "postal_address": address,
                "legal_address": address if is_company else "",
                "email": subject.email,
                "phone": subject.phone,
                "is_default": True,
            },
        )
        return payer_id

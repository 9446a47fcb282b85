"""Writes what an import brings in: many clients at a time, each with owner, account and payer."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from extensions import db
from models import (
    Account,
    AuditEvent,
    Client,
    ClientGroup,
    ClientUser,
    Consent,
    ImportBatch,
    ImportChange,
    Payer,
    Project,
    client_group_members,
)  # fmt: skip
from operations import audit, bulk, deletion, import_keeping, passwords
from operations.import_aside import Aside
from operations.import_changes import Change
from operations.import_matching import NEWS, characterization_ids, ids_by_name, taken
from operations.import_rows import Incoming

NOTHING = Decimal(0)
SLICE = 500
NOT_IN_USERNAMES = re.compile(r"[^a-z0-9._-]+")

CLIENT_COLUMNS = (
    "id", "project_id", "name", "legal_status", "company_name", "contact_person", "email", "country",
    "language", "verified_phone", "note", "referral_source", "characterization_id", "registered_at",
    "registration_ip", "external_id", "external_source", "import_batch_id", "deleted_at",
    "owner_username", "usernames", "custom",
)  # fmt: skip
USER_COLUMNS = (
    "id", "client_id", "username", "password_hash", "full_name", "email", "phone", "language",
    "is_owner", "created_at",
)  # fmt: skip
ACCOUNT_COLUMNS = ("client_id", "project_id", "currency", "balance", "credit_limit")
PAYER_COLUMNS = (
    "client_id", "legal_status", "name", "country", "tax_id", "postal_address", "email", "phone",
    "is_default",
)  # fmt: skip
CONSENT_COLUMNS = ("client_user_id", "kind", "given_at", "withdrawn_at", "source")


@dataclass(frozen=True)
class HomeProject:
    """What a new client takes from its project."""

    id: int
    currency: str
    credit_limit: Decimal

    @classmethod
    def of(cls, project: Project) -> HomeProject:
        return cls(project.id, project.currency, project.credit_limit)


class Writer:
    """Writes for one import, within the session's transaction.

    `project` is that of rows which name none of `projects` (by name in lower case), `ordinary` the
    characterization of those which name none.
    """

    def __init__(
        self,
        *,
        batch: ImportBatch,
        project: HomeProject,
        projects: dict[str, HomeProject],
        ordinary: int,
        now: datetime,
        aside: Aside,
    ) -> None:
        self._connection = db.session.connection()
        self._batch = batch
        self._batch_id, self._source, self._staff = batch.id, batch.source, batch.staff
        self._project = project
        self._projects = projects
        self._characterizations = characterization_ids(self._connection)
        self._ordinary = ordinary
        # Owners set a password by the link for a forgotten one. Until then theirs is one that nobody knows, and
        # checking it takes its usual time, so that nobody can tell from outside who has none.
        self._nobodys = passwords.hash_password(secrets.token_urlsafe(32))
        self._groups = ids_by_name(self._connection, ClientGroup.name, ClientGroup.id)
        self._now = now
        self._aside = aside

    def create(self, rows: Sequence[Incoming]) -> None:
        """Bring in new clients, in the order of `rows`."""
        if not rows:
            return
        ids = bulk.reserve_ids(self._connection, Client.__table__, len(rows))
        user_ids = bulk.reserve_ids(self._connection, ClientUser.__table__, len(rows))
        usernames = self._usernames(rows, ids)
        self._insert(Client, CLIENT_COLUMNS, map(self._client, rows, ids, usernames))
        self._insert(ClientUser, USER_COLUMNS, map(self._user, rows, ids, user_ids, usernames))
        self._insert(Account, ACCOUNT_COLUMNS, map(self._account, rows, ids))
        self._insert(Payer, PAYER_COLUMNS, map(self._payer, rows, ids))
        consents = ((row.consent, id_) for row, id_ in zip(rows, user_ids, strict=True))
        said = (self._consent(consent, id_) for consent, id_ in consents if consent is not None)
        self._insert(Consent, CONSENT_COLUMNS, said)
        self._join_groups((id_, name) for row, id_ in zip(rows, ids, strict=True) for name in row.groups)
        # The same two documents for all, which are then put into words once.
        nothing: dict[str, Any] = {}
        batch = {"import_batch": self._batch_id}
        self._record((id_, nothing, batch) for id_ in ids)

    def change(self, changes: Sequence[Change]) -> None:
        """Carry out what rows make of clients that are here already."""
        if not changes:
            return
        if any(self._aside.is_new(change.old.id) for change in changes):
            self._aside.index_new()
        self._give_addresses([change for change in changes if "email" in change.user])
        for change in changes:
            if "characterization_id" in change.client:
                change.client["characterization_at"] = self._now
                change.client["characterization_by_id"] = self._staff and self._staff.id
                # The reason was for the one before.
                change.client["characterization_reason"] = ""
        self._update(Client, [(change.old.id, change.client) for change in changes])
        self._update(ClientUser, [(change.old.user_id, change.user) for change in changes])
        self._update(Payer, [(change.old.payer_id, change.payer) for change in changes])
        self._withdraw([change for change in changes if change.withdraws_consent])
        self._close([change.old.id for change in changes if change.closes])
        self._join_groups((change.old.id, name) for change in changes for name in change.groups)
        self._keep(changes)
        self._record((change.old.id, *_before_and_after(change)) for change in changes)

    def finish(self) -> None:
        """Give owners of closed clients the addresses that nobody else has: those who are served go first."""
        address = sa.func.lower(Client.email)
        first = (
            sa.select(sa.func.min(ClientUser.id))
            .join(Client, Client.id == ClientUser.client_id)
            .where(Client.import_batch_id == self._batch_id, Client.deleted_at.is_not(None))
            .where(ClientUser.email.is_(None))
            .where(~sa.exists().where(_others.c.email == address))
            .group_by(address)
        )
        value = sa.select(address).where(Client.id == ClientUser.client_id).scalar_subquery()
        # A statement keeps what it changes until it is through, so none of them changes too much.
        chosen = self._connection.scalars(first).all()
        if chosen:
            # What is not indexed yet cannot be corrected in the index.
            self._aside.index_new()
        for ids in bulk.slices(chosen, SLICE):
            mine = bulk.among(self._connection, ClientUser.id, ids)
            self._connection.execute(sa.update(ClientUser).where(mine).values(email=value))

    # New clients

    def _client(self, row: Incoming, id_: int, username: str) -> bulk.Row:
        return (
            id_, self._home(row).id, row.name, row.legal_status, row.company_name, row.contact_person,
            row.email, row.country, row.language, row.verified_phone, row.note, row.referral_source,
            self._characterizations.get(row.characterization.lower(), self._ordinary),
            row.registered_at or self._now, row.registration_ip, row.key, self._source, self._batch_id,
            self._now if row.is_closed else None, username, username, row.custom,
        )  # fmt: skip

    def _user(self, row: Incoming, client_id: int, id_: int, username: str) -> bulk.Row:
        return (
            id_, client_id, username, self._nobodys, row.contact_person, row.user_email, row.phone,
            row.language, True, row.registered_at or self._now,
        )  # fmt: skip

    def _account(self, row: Incoming, client_id: int) -> bulk.Row:
        home = self._home(row)
        return (client_id, home.id, home.currency, NOTHING, home.credit_limit)

    def _payer(self, row: Incoming, client_id: int) -> bulk.Row:
        return (
            client_id, row.legal_status, row.name, row.country, row.tax_id, row.address, row.email,
            row.phone, True,
        )  # fmt: skip

    def _consent(self, is_given: bool, user_id: int) -> bulk.Row:
        given, withdrawn = (self._now, None) if is_given else (None, self._now)
        return (user_id, NEWS, given, withdrawn, f"import {self._source}"[:40])

    def _home(self, row: Incoming) -> HomeProject:
        return self._projects.get(row.project.lower(), self._project) if row.project else self._project

    def _usernames(self, rows: Sequence[Incoming], ids: Sequence[int]) -> list[str]:
        """A username for each: the row's own, else made of the e-mail, with the client's code if need be."""
        wanted = [row.username or _username(row.email) for row in rows]
        used = taken(self._connection, ClientUser.username, set(wanted))
        names = []
        for name, id_ in zip(wanted, ids, strict=True):
            names.append(f"{name}-{id_}" if name in used else name)
            used.add(name)
        numbered = {name for name, plain in zip(names, wanted, strict=True) if name != plain}
        again = taken(self._connection, ClientUser.username, numbered) | (numbered & set(wanted))
        return [f"{name}-{secrets.token_hex(3)}" if name in again else name for name in names]

    def _join_groups(self, joins: Iterable[tuple[int, str]]) -> None:
        members = {(client_id, self._group(name)) for client_id, name in joins}
        bulk.insert(self._connection, client_group_members, ("client_id", "group_id"), sorted(members))

    def _group(self, name: str) -> int:
        known = self._groups.get(name.lower())
        if known is None:
            group = ClientGroup(name=name)
            db.session.add(group)
            db.session.flush()
            self._batch.made_groups = [*self._batch.made_groups, group.id]
            known = self._groups[name.lower()] = group.id
        return known

    def _insert(self, model: Any, names: Sequence[str], rows: Iterable[bulk.Row]) -> None:
        bulk.insert(self._connection, model.__table__, names, list(rows))

    # Clients that are here already

    def _give_addresses(self, changes: Sequence[Change]) -> None:
        """Let owners have their client's new address where nobody else has it."""
        used = taken(self._connection, ClientUser.email, {change.user["email"] for change in changes})
        for change in changes:
            if change.user["email"] in used:
                del change.user["email"]
            else:
                used.add(change.user["email"])

    def _update(self, model: Any, updates: Iterable[tuple[int | None, dict[str, Any]]]) -> None:
        """Set other columns in each row that there is."""
        bulk.update(self._connection, model.__table__, [(id_, new) for id_, new in updates if id_ is not None])

    def _withdraw(self, changes: Sequence[Change]) -> None:
        new = [change.old.user_id for change in changes if change.old.consent_id is None]
        self._insert(Consent, CONSENT_COLUMNS, [self._consent(False, user_id) for user_id in new])
        known = [change.old.consent_id for change in changes if change.old.consent_id is not None]
        if known:
            statement = sa.update(Consent).where(bulk.among(self._connection, Consent.id, known))
            self._connection.execute(statement.values(withdrawn_at=self._now))

    def _keep(self, changes: Sequence[Change]) -> None:
        """Keep the old values, so that the import can be taken back."""
        kept = [self._kept(change) for change in changes]
        self._insert(ImportChange, ("batch_id", "client_id", "before", "after"), kept)

    def _kept(self, change: Change) -> bulk.Row:
        groups = [self._group(name) for name in change.groups]
        return (self._batch_id, change.old.id, *import_keeping.before_and_after(change, groups))

    def _close(self, ids: list[int]) -> None:
        if ids:
            clients = sa.select(Client.id).where(bulk.among(self._connection, Client.id, ids))
            deletion.delete(clients=clients, now=self._now)

    def _record(self, events: Iterable[tuple[int, dict[str, Any], dict[str, Any]]]) -> None:
        """Write the audit events of clients: (client, fields before, fields after)."""
        actor = audit.current_actor()
        names = (
            "at", "staff_id", "client_user_id", "impersonation_id", "actor", "ip", "request_id", "module",
            "action", "record_id", "client_id", "before", "after",
        )  # fmt: skip
        who = (
            self._now, actor.staff_id, actor.client_user_id, actor.impersonation_id, actor.name, actor.ip,
            actor.request_id, "clients", "import",
        )  # fmt: skip
        self._insert(AuditEvent, names, ((*who, id_, id_, before, after) for id_, before, after in events))


def _before_and_after(change: Change) -> tuple[dict[str, str], dict[str, str]]:
    return {name: old for name, old, _new in change.fields}, {name: new for name, _old, new in change.fields}


_others = ClientUser.__table__.alias("others")


def _username(email: str) -> str:
    local = email.rpartition("@")[0].lower()
    return NOT_IN_USERNAMES.sub("", local).strip("._-")[:60] or "client"

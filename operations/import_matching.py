"""What the database already knows of the rows of an import: their clients, addresses and usernames in use."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from models import Characterization, Client, ClientUser, Consent, Payer, client_group_members
from operations import bulk
from operations.import_rows import Incoming

NEWS = "news"
CODE = re.compile("[1-9][0-9]{0,8}", re.ASCII)
KEY, EMAIL, USERNAME = "k", "e", "u"

_seen = sa.Table(
    "import_seen",
    sa.MetaData(),
    sa.Column("kind", sa.String(1), primary_key=True),
    sa.Column("value", sa.Text, primary_key=True),
    sa.Column("line", sa.Integer, nullable=False),
    prefixes=["TEMPORARY"],
    sqlite_with_rowid=False,
)


class Seen:
    """What earlier rows of the file had, in a table of the connection's own: files may be of any size."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        connection.execute(sa.text("DROP TABLE IF EXISTS import_seen"))
        _seen.create(connection, checkfirst=False)

    def close(self) -> None:
        self._connection.execute(sa.text("DROP TABLE import_seen"))

    def add(self, kind: str, lines: dict[str, int]) -> dict[str, int]:
        """Remember the values, each with its line; returns those that stood in an earlier line, and which."""
        if not lines:
            return {}
        known = self._connection.execute(
            sa.select(_seen.c.value, _seen.c.line).where(
                _seen.c.kind == kind, bulk.among(self._connection, _seen.c.value, list(lines))
            )
        )
        earlier: dict[str, int] = dict(known.all())
        added = [(kind, value, line) for value, line in lines.items() if value not in earlier]
        bulk.insert(self._connection, _seen, ("kind", "value", "line"), added)
        return earlier


_default_payer = (
    sa.select(sa.func.min(Payer.id))
    .where(Payer.client_id == Client.id, Payer.is_default)
    .correlate(Client)
    .scalar_subquery()
)
_known_clients = (
    sa.select(
        Client.id, Client.external_id, Client.name, Client.legal_status, Client.company_name,
        Client.contact_person, Client.email, Client.country, Client.language,
        Client.verified_phone, Client.note, Client.referral_source, Client.characterization_id,
        Client.characterization_at, Client.characterization_by_id, Client.characterization_reason,
        Client.registered_at, Client.owner_username, Client.deleted_at, Client.custom,
        ClientUser.id.label("user_id"), ClientUser.full_name, ClientUser.phone,
        ClientUser.email.label("user_email"), ClientUser.language.label("user_language"),
        Payer.id.label("payer_id"), Payer.name.label("payer_name"), Payer.country.label("payer_country"),
        Payer.postal_address, Payer.tax_id, Payer.phone.label("payer_phone"),
        Payer.email.label("payer_email"),
        Consent.id.label("consent_id"), Consent.withdrawn_at,
    )
    .outerjoin(ClientUser, sa.and_(ClientUser.client_id == Client.id, ClientUser.is_owner))
    .outerjoin(Payer, Payer.id == _default_payer)
    .outerjoin(Consent, sa.and_(Consent.client_user_id == ClientUser.id, Consent.kind == NEWS))
)  # fmt: skip


def known_clients(
    connection: sa.Connection, rows: Sequence[Incoming], *, source: str, is_own: bool, lock: bool
) -> dict[str, Any]:
    """The clients here that the rows speak of, by the rows' keys.

    A row of our own export that was made here is known by its code, username and registration; every other
    by its key in the source.
    """
    found = _by_key(connection, [row.key for row in rows], source, lock)
    return found | _by_code(connection, rows, lock) if is_own else found


def _by_key(connection: sa.Connection, keys: list[str], source: str, lock: bool) -> dict[str, Any]:
    statement = _known_clients.where(Client.external_source == source, bulk.among(connection, Client.external_id, keys))
    return {row.external_id: row for row in _fetch(connection, statement, lock)}


def _by_code(connection: sa.Connection, rows: Sequence[Incoming], lock: bool) -> dict[str, Any]:
    wanted = {int(row.key): row for row in rows if CODE.fullmatch(row.key)}
    statement = _known_clients.where(bulk.among(connection, Client.id, list(wanted)))
    return {
        wanted[found.id].key: found
        for found in _fetch(connection, statement, lock)
        if found.owner_username == wanted[found.id].username and found.registered_at == wanted[found.id].registered_at
    }


def _fetch(connection: sa.Connection, statement: Any, lock: bool) -> Sequence[Any]:
    if lock:
        statement = statement.with_for_update(of=Client)
    return connection.execute(statement).all()


def groups_of(connection: sa.Connection, client_ids: Iterable[int]) -> set[tuple[int, int]]:
    """The memberships of the clients: (client, group)."""
    members = client_group_members.c
    ids = list(client_ids)
    if not ids:
        return set()
    statement = sa.select(members.client_id, members.group_id).where(bulk.among(connection, members.client_id, ids))
    return {(client, group) for client, group in connection.execute(statement)}


def taken(connection: sa.Connection, column: Any, values: Iterable[str]) -> set[str]:
    """Which of the values are in use in a column of client users."""
    wanted = list(values)
    if not wanted:
        return set()
    return set(connection.scalars(sa.select(column).where(bulk.among(connection, column, wanted))))


def ids_by_name(connection: sa.Connection, name: Any, id_: Any) -> dict[str, int]:
    """Ids by name in lower case; of names that differ in case only, the first."""
    rows = connection.execute(sa.select(name, id_).order_by(id_.desc()))
    return {text.lower(): number for text, number in rows}


def characterization_ids(connection: sa.Connection) -> dict[str, int]:
    """Ids of characterizations by their codes, and by their names where no code is the same."""
    by_name = ids_by_name(connection, Characterization.name, Characterization.id)
    return by_name | ids_by_name(connection, Characterization.code, Characterization.id)

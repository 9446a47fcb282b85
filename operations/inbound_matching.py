"""Whose letter it is: the ticket that it answers, the person who wrote it, and whether anybody wrote it at all."""

from __future__ import annotations

import re
from dataclasses import dataclass

import sqlalchemy as sa

from extensions import db
from models import Client, ClientUser, InboundEmail, OutboundEmail, Project, Staff, Ticket
from operations import inbound_outcomes as why
from operations import letters
from operations.inbound_outcomes import NotTaken
from operations.inbound_parsing import Head

REFERENCE = r"[0-9A-Za-z-]{8,40}"
IN_SUBJECT = re.compile(rf"\[#({REFERENCE})\]")
MOST_CANDIDATES = 20
# Names before the @ that belong to machines.
MACHINES = re.compile(
    r"mailer-daemon|postmaster|no-?reply|do-?not-?reply|noreply[.+_-].*|bounces?|bounces?[+_-].*|.*-bounces?|autoreply",
    re.IGNORECASE,
)
# A person may well ask about automatic answers: as a subject of one counts what is nothing else, or stands before a colon.
AWAY = re.compile(
    r"(\[)?(?:automatic reply|auto[- ]?reply|auto[- ]?response|out of (?:the )?office(?:[- ]auto[- ]?reply)?"
    r"|автоответ|автоматический ответ|abwesenheitsnotiz)(?:\s{0,3}(?::.*)?|(?(1)\].*|(?!)))",
    re.IGNORECASE,
)
BULK = frozenset({"bulk", "junk", "list", "auto_reply", "auto-reply"})


@dataclass(frozen=True)
class Match:
    """Who writes, and in which ticket; None: he begins a new one."""

    user: ClientUser
    ticket: Ticket | None


def refuse_machines(head: Head, row: InboundEmail) -> None:
    """Raise NotTaken (ignored) for what no person has sent: bounces, automatic answers, lists, our own letters."""
    if _is_own(head):
        raise NotTaken(why.OWN, is_ignored=True)
    if _is_bounce(head, row):
        raise NotTaken(why.BOUNCE, is_ignored=True)
    if _is_automatic(head):
        raise NotTaken(why.AUTOMATIC, is_ignored=True)
    if head.get("List-Id") or head.get("List-Post") or head.get("List-Unsubscribe"):
        raise NotTaken(why.LIST, is_ignored=True)


def _is_own(head: Head) -> bool:
    host = letters.host()
    if head.get("X-Loop") == host:
        return True
    domain = head.message_id.rpartition("@")[2].rstrip(">")
    if domain == host and re.search("[a-z]", host) and host != "localhost":
        return True
    known = sa.select(OutboundEmail.id).where(OutboundEmail.message_id == head.message_id)
    return bool(head.message_id) and db.session.scalar(known) is not None


def _is_bounce(head: Head, row: InboundEmail) -> bool:
    return row.return_path == "<>" or head.fields.get_content_type() == "multipart/report"


def _is_automatic(head: Head) -> bool:
    said, suppressed = head.get("Auto-Submitted").lower(), head.get("X-Auto-Response-Suppress").lower()
    return bool(
        (said and not said.startswith("no"))
        or head.get("Precedence").lower() in BULK
        or head.get("X-Autoreply")
        or head.get("X-Autorespond")
        or "all" in suppressed
        or "autoreply" in suppressed
        or AWAY.fullmatch(head.subject)
        or _is_machine_s(head.sender)
    )


def _is_machine_s(address: str) -> bool:
    """Whether an address belongs to a machine by its name; some clients are known to us by that of their postmaster."""
    local = address.rpartition("@")[0]
    return bool(MACHINES.fullmatch(local)) and not (local.lower() == "postmaster" and clients_with(address))


def find(head: Head, row: InboundEmail, *, may_open: bool) -> Match:
    """Find who writes and in which ticket. Raises NotTaken with the reason.

    A letter belongs to a ticket when it names its reference, which nobody can guess, and comes from somebody of the
    ticket's client: its own address, or that of one of its users. With `may_open` any other begins a new ticket if
    its sender's address is that of exactly one client. On the way the row learns of ticket and client.
    """
    tickets = _tickets_named(head, row)
    if not head.sender:
        row.ticket = tickets[0] if tickets else None
        raise NotTaken(why.SENDER)
    for ticket in tickets:
        user = _user_of(ticket.client, head.sender)
        if user is not None:
            row.ticket, row.client = ticket, ticket.client
            return Match(_able(user), ticket)
    if tickets:
        row.ticket = tickets[0]
    if _is_staff(head.sender):
        raise NotTaken(why.STAFF)
    return _stranger(head, row, tickets, may_open=may_open)


def _stranger(head: Head, row: InboundEmail, tickets: list[Ticket], *, may_open: bool) -> Match:
    clients = clients_with(head.sender)
    if len(clients) > 1:
        raise NotTaken(why.SEVERAL_CLIENTS)
    if not clients:
        raise NotTaken(why.NOT_OF_CLIENT if tickets else why.STRANGER)
    row.client = clients[0]
    if not may_open:
        raise NotTaken(why.NOT_OF_CLIENT if tickets else why.NO_TICKETS)
    row.ticket = None
    user = _user_of(clients[0], head.sender)
    if user is None:
        raise NotTaken(why.NO_USER)
    return Match(_able(user), None)


def _tickets_named(head: Head, row: InboundEmail) -> list[Ticket]:
    """The tickets that the letter says it answers, the likeliest first."""
    own = f"@{letters.host()}>".lower()
    names: list[str] = []
    by_id: dict[str, int] = {}
    ids = head.references[:MOST_CANDIDATES]
    sent = sa.select(OutboundEmail.message_id, OutboundEmail.ticket_id).where(
        OutboundEmail.message_id.in_(ids), OutboundEmail.ticket_id.is_not(None)
    )
    if ids:
        by_id = {message_id: ticket_id for message_id, ticket_id in db.session.execute(sent) if ticket_id}
    names += [one[1 : -len(own)] for one in ids if one.lower().endswith(own)]
    names += _in_addresses([*row.envelope_to.split(", "), *head.delivered_to, *head.recipients])
    names += IN_SUBJECT.findall(head.subject)
    names = [name for name in dict.fromkeys(names) if re.fullmatch(REFERENCE, name)][:MOST_CANDIDATES]
    found = {
        ticket.reference.upper(): ticket
        for ticket in db.session.scalars(
            sa.select(Ticket).where(Ticket.reference.in_([*names, *(name.upper() for name in names)]))
        )
    }
    by_reference = [found[name.upper()] for name in names if name.upper() in found]
    by_letter = [db.session.get_one(Ticket, by_id[one]) for one in ids if one in by_id]
    return list(dict.fromkeys([*by_letter, *by_reference]))


def _in_addresses(addresses: list[str]) -> list[str]:
    """References that stand behind a plus in addresses of ours."""
    ours = {email.lower() for email in db.session.scalars(sa.select(Project.support_email)) if email}
    found = []
    for address in addresses:
        local, _at, domain = address.strip("<> ").rpartition("@")
        base, plus, tag = local.partition("+")
        if plus and f"{base}@{domain}".lower() in ours:
            found.append(tag)
    return found


def _user_of(client: Client, address: str) -> ClientUser | None:
    """In whose name somebody with that address writes for the client; None for who is nobody there.

    The address of the client itself is that of its owner.
    """
    wanted = address.lower()
    for user in client.users:
        if (user.email or "").lower() == wanted:
            return user
    if client.email.lower() != wanted:
        return None
    if client.owner is None:
        raise NotTaken(why.NO_USER)
    return client.owner


def _able(user: ClientUser) -> ClientUser:
    if user.client.deleted_at is not None:
        raise NotTaken(why.DELETED)
    if not user.is_active or not (user.is_owner or "support" in user.permissions):
        raise NotTaken(why.NOT_ALLOWED)
    return user


def _is_staff(address: str) -> bool:
    held = sa.select(Staff.id).where(Staff.is_active, sa.func.lower(Staff.email) == address.lower()).limit(1)
    return db.session.scalar(held) is not None


def clients_with(address: str) -> list[Client]:
    """The living clients that an address is of, by their own or a user's; no more than two."""
    wanted = address.lower()
    of_user = sa.select(ClientUser.client_id).where(ClientUser.email == wanted)
    ids = set(db.session.scalars(of_user))
    ids |= set(
        db.session.scalars(
            sa.select(Client.id).where(Client.deleted_at.is_(None), sa.func.lower(Client.email) == wanted).limit(2)
        )
    )
    chosen = sa.select(Client).where(Client.id.in_(ids), Client.deleted_at.is_(None)).order_by(Client.id).limit(2)
    return list(db.session.scalars(chosen))

"""A client with all that a client can have, and words of its own in every place that takes words.

`live(words)` makes it; `SENTINELS` are those words, `ON_DOCUMENTS` those that stand on what was issued to it.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa
from flask import current_app

from extensions import db, now
from models import (
    Attachment,
    Client,
    ClientNote,
    ClientUser,
    Consent,
    IdempotencyKey,
    Impersonation,
    ImportBatch,
    ImportChange,
    InboundEmail,
    InvoiceLine,
    LoginFailure,
    MailingRecipient,
    MessageLetter,
    Payer,
    SavedFilter,
    SavedFilterMember,
    Selection,
    Session,
    Staff,
    TicketMessage,
)
from operations import attachments, audit, inbound_store
from tests import factories as make

# Each place has a word of its own, so that what is left says where it came from.
PLACES = (
    "name", "company", "contact", "client-mail", "note", "heard", "reason", "external", "custom", "username", "fullname",
    "user-mail", "ticket", "message", "file", "content", "remark", "points", "rule", "discount", "letter", "letter-error",
    "visit", "payer-unused", "payer-mail", "postal", "payment-note", "service", "import", "rehearsal", "session-data",
    "alone", "searched", "second-user", "letter-in", "letter-raw", "quoted", "unknown-letter",
)  # fmt: skip
ON_DOCUMENTS = ("zqpayer", "zqlegal", "zqtax", "zqline")


def word(place: str) -> str:
    return f"zq{place.replace('-', '')}"


SENTINELS = (*(word(place) for place in PLACES), "Жъименник", "+4930901820", "203.0.113.77")


@dataclass(frozen=True)
class Life:
    """The ids of what was made."""

    client: int
    owner: int
    staff: int
    stored_names: tuple[str, ...]


def live(*, documents: bool = True, name: str = "Жъименник zqname", username: str = "") -> Life:
    """Add the client and flush; the caller commits."""
    staff = make.staff()
    client = make.client(
        name, username=username or word("username"), company_name=word("company"), contact_person=word("contact"),
        email=f"{word('client-mail')}@people.example", note=word("note"), referral_source=word("heard"),
        characterization_reason=word("reason"), external_id=f"{word('external')}{username}", external_source="whmcs",
        verified_phone="+4930901820", registration_ip="203.0.113.77", custom={"contract": word("custom")},
    )  # fmt: skip
    owner = db.session.scalars(sa.select(ClientUser).where(ClientUser.client_id == client.id)).one()
    owner.full_name, owner.email = word("fullname"), f"{word('user-mail')}{username}@people.example"
    make.user(client, f"{word('second-user')}{username}")
    make.group("", client)
    client.projects.append(make.project())
    brought = make.client("Somebody brought")
    brought.referrer_id = client.id
    db.session.flush()
    with audit.acting(audit.actor_of(None, owner, ip="203.0.113.77")):
        audit.record("login", module="users", record_id=owner.id, client_id=client.id)
    stored = _correspondence(client, owner, staff)
    _lists(client, owner, staff)
    _money(client, documents=documents)
    return Life(client.id, owner.id, staff.id, stored)


def _correspondence(client: Client, owner: ClientUser, staff: Staff) -> tuple[str, ...]:
    ticket = make.ticket(client, word("ticket"), text=word("message"))
    message = db.session.scalars(sa.select(TicketMessage).where(TicketMessage.ticket_id == ticket.id)).one()
    message.client_user_id = owner.id
    stored = attachments.store(io.BytesIO(word("content").encode()), f"{word('file')}.txt")
    attachments.attach([stored], message=message)
    _letters_in(client, message)
    violation = make.violation(client, comment=word("rule"))
    points = make.points(client)
    points.comment, points.violation_id = word("points"), violation.id
    make.discount(client, note=word("discount"))
    make.letter(client, ticket_id=ticket.id, context={"person": word("letter")}, last_error=word("letter-error"))
    alone = make.mailing(staff, f"For {word('alone')}", filter_description=f"Name: {word('searched')}")
    other = make.mailing(staff, "For many")
    neighbour = make.client("Neighbour")
    for mailing, to in ((alone, client), (other, client), (other, neighbour)):
        db.session.add(MailingRecipient(mailing_id=mailing.id, client_id=to.id, outcome="sent"))
    stays = {"staff_id": staff.id, "client_id": client.id, "client_user_id": owner.id}
    db.session.add_all([
        ClientNote(client_id=client.id, author_id=staff.id, text=word("remark")),
        Impersonation(**stays, reason=word("visit"), return_url=f"/admin/clients/?search={word('visit')}", expires_at=now()),
        Consent(client_user_id=owner.id, kind="news"),
    ])  # fmt: skip
    db.session.flush()
    return tuple(db.session.scalars(sa.select(Attachment.stored_name)))


def _letters_in(client: Client, message: TicketMessage) -> None:
    """A letter of the client that became a message, and one of the same address that nobody knew whose it was."""
    for place, whose in (("letter-in", client.id), ("unknown-letter", None)):
        name = f"{word(place)}{client.id}"
        (inbound_store.directory() / name).write_text(f"Subject: {word('letter-raw')}\n\n{word(place)}")
        db.session.add(
            InboundEmail(
                digest=name, stored_name=name, size=1, sender=client.email, sender_name=word("contact"),
                subject=word(place), message_id=f"<{name}@people.example>", client_id=whose,
                ticket_message_id=message.id if whose else None,
            )
        )  # fmt: skip
    db.session.add(MessageLetter(message_id=message.id, sender=client.email, quoted=word("quoted")))
    db.session.flush()


def _lists(client: Client, owner: ClientUser, staff: Staff) -> None:
    directory = current_app.config["SETTINGS"].data_dir / "imports"
    directory.mkdir(exist_ok=True)
    batch = ImportBatch(stored_name="brought", status="done", source="whmcs",
                        undone={"kept": [{"id": client.id, "name": client.name}]})  # fmt: skip
    rehearsed = ImportBatch(stored_name="waiting")
    saved = SavedFilter(name=f"{word('user-mail')}@people.example", owner_id=staff.id,
                        parameters={"search": f"{word('client-mail')}@people.example"})  # fmt: skip
    db.session.add_all([batch, rehearsed, saved])
    db.session.flush()
    client.import_batch_id = batch.id
    (directory / "brought.lines").write_text(word("import"))
    (directory / "waiting.csv").write_text(f"name,email\n{word('rehearsal')},{client.email}\n")
    searched = f"{word('client-mail')}@people.example"
    db.session.add_all([
        ImportChange(batch_id=batch.id, client_id=client.id, before={"clients": {"note": word("note")}}),
        SavedFilterMember(saved_filter_id=saved.id, client_id=client.id),
        Selection(staff_id=staff.id, module="clients", action="export", parameters={"search": searched}, count=1,
                  url=f"/admin/clients/?search={searched.replace('@', '%40')}"),
        LoginFailure(kind="client", username=owner.username, ip="203.0.113.77"),
        LoginFailure(kind="client", username=f"reset:{owner.email}", ip="203.0.113.77"),
        IdempotencyKey(principal=f"client:{owner.id}", key="one", result_url=f"/panel/{word('session-data')}"),
        Session(token_hash=f"theirs {client.id}", kind="client", client_user_id=owner.id, ip="203.0.113.77",
                data={"typed": word("session-data")}, expires_at=now() + timedelta(days=1)),
        Session(token_hash=f"staff's {client.id}", kind="staff", staff_id=staff.id,
                data={"_flashes": [["success", f"Client {client.name} created."]]}, expires_at=now() + timedelta(days=1)),
    ])  # fmt: skip
    audit.record("export", module="clients", after={"filter": f"Search: {searched}", "count": 1})
    db.session.flush()


def _money(client: Client, *, documents: bool) -> None:
    make.payer(client, word("payer-unused"))
    make.service(client, name=word("service"))
    if not documents:
        return
    payer = make.payer(client, "zqpayer", legal_address="zqlegal", tax_id="zqtax", postal_address=word("postal"),
                       email=f"{word('payer-mail')}@people.example", is_default=True)  # fmt: skip
    invoice = make.invoice(client, payer=payer)
    charged = make.service(client, name=word("service"))
    db.session.add(
        InvoiceLine(invoice_id=invoice.id, service_id=charged.id, description="zqline", amount=invoice.amount)
    )
    make.payment(client, payer=payer, invoice=invoice, note=word("payment-note"))
    make.entry(client, "10.00")
    db.session.flush()
    assert db.session.scalar(sa.select(sa.func.count()).select_from(Payer).where(Payer.client_id == client.id)) == 2

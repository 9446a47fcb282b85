"""Deleting clients: they leave every list, and can come back for thirty days."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from flask_babel import gettext as _
from flask_babel import ngettext

from extensions import db, rows_changed
from models import (
    Act,
    Client,
    ClientUser,
    EmailStatus,
    Invoice,
    InvoiceStatus,
    MailingRecipient,
    OutboundEmail,
    Payment,
    RecipientOutcome,
    Service,
    ServiceStatus,
    Session,
    Ticket,
    TicketStatus,
)
from operations import audit
from operations.errors import OperationRefused

RESTORABLE = timedelta(days=30)


@dataclass(frozen=True)
class Impact:
    """What hangs on clients that are to be deleted."""

    clients: int
    services: int
    unpaid_invoices: int
    documents: int
    open_tickets: int
    users: int

    def lines(self) -> list[str]:
        """What hangs on them, in words, a line each; what there is none of is left out."""
        said = [
            (self.users, ngettext("%(num)s user will not be able to log in", "%(num)s users will not be able to log in", self.users)),
            (self.services, ngettext("%(num)s service is not ended", "%(num)s services are not ended", self.services)),
            (self.unpaid_invoices, ngettext("%(num)s invoice is not paid", "%(num)s invoices are not paid", self.unpaid_invoices)),
            (self.documents, ngettext("%(num)s financial document stays", "%(num)s financial documents stay", self.documents)),
            (self.open_tickets, ngettext("%(num)s ticket is open", "%(num)s tickets are open", self.open_tickets)),
        ]  # fmt: skip
        return [line for count, line in said if count]


def is_of_the_living(column: Any) -> sa.ColumnElement[bool]:
    """Whether `column`, which names a client, names one that is not deleted; true where it names none.

    It asks for each row that a list passes by, so that the cost of a page depends neither on how many clients are
    deleted nor on how many there are.
    """
    living = sa.exists().where(Client.id == column, Client.deleted_at.is_(None)).correlate_except(Client)
    is_given = all(not each.nullable for each in getattr(column, "property", column).columns)
    return living if is_given else sa.or_(column.is_(None), living)


def impact(clients: sa.Select[Any]) -> Impact:
    """Count what hangs on `clients`, a select of ids."""

    def count(model: Any, *conditions: Any) -> int:
        statement = sa.select(sa.func.count()).select_from(model).where(model.client_id.in_(clients), *conditions)
        return db.session.scalar(statement) or 0

    unpaid = Invoice.status.in_([InvoiceStatus.NEW, InvoiceStatus.OVERDUE])
    return Impact(
        clients=db.session.scalar(sa.select(sa.func.count()).select_from(clients.subquery())) or 0,
        services=count(Service, Service.status != ServiceStatus.DELETED),
        unpaid_invoices=count(Invoice, unpaid),
        documents=count(Invoice) + count(Payment) + count(Act),
        open_tickets=count(Ticket, Ticket.status != TicketStatus.CLOSED),
        users=count(ClientUser),
    )


def delete(*, clients: sa.Select[Any], now: datetime, bulk_change_id: int | None = None) -> int:
    """Take `clients` (a select of ids) out of every list, end their users' sessions, and stop their letters.

    They can be restored for thirty days. Returns how many there were.
    """
    _record_all("delete", clients, bulk_change_id)
    if bulk_change_id is not None:
        clients = audit.clients_of(bulk_change_id)
    users = sa.select(ClientUser.id).where(ClientUser.client_id.in_(clients))
    # The session of a login-as stays until its next request, which ends it and leads the staff member back.
    theirs = sa.and_(Session.client_user_id.in_(users), Session.impersonation_id.is_(None))
    rows_changed(sa.delete(Session).where(theirs))
    rows_changed(
        sa.update(MailingRecipient)
        .where(MailingRecipient.client_id.in_(clients), MailingRecipient.outcome == RecipientOutcome.QUEUED)
        .values(outcome=RecipientOutcome.SKIPPED, reason="deleted")
    )
    waiting = sa.and_(OutboundEmail.client_id.in_(clients), OutboundEmail.status == EmailStatus.QUEUED)
    rows_changed(sa.update(OutboundEmail).where(waiting).values(status=EmailStatus.SKIPPED))
    return rows_changed(
        sa.update(Client)
        .where(Client.id.in_(clients), Client.deleted_at.is_(None))
        .values(deleted_at=now, row_version=Client.row_version + 1)
    )


def delete_one(client: Client, *, now: datetime) -> None:
    """As `delete`, of one client. Refused when somebody else has deleted it meanwhile."""
    if not delete(clients=sa.select(Client.id).where(Client.id == client.id), now=now):
        raise OperationRefused(_("This client is deleted already."))


def restore(client: Client, *, now: datetime) -> None:
    """Bring a deleted client back, and with it its logins. Refused after thirty days, and of one that was merged.

    An erasing at the same moment either comes first, then this is refused, or finds the client restored.
    """
    db.session.refresh(client, with_for_update=True)
    if client.deleted_at is None:
        raise OperationRefused(_("This client is not deleted."))
    if client.erased_at is not None:
        raise OperationRefused(_("This client has been erased."))
    if client.merged_into is not None:
        into = client.merged_into.code_and_name
        raise OperationRefused(_("This client was merged into %(name)s. Take the merging back instead.", name=into))
    if client.deleted_at + RESTORABLE <= now:
        raise OperationRefused(_("This client was deleted more than 30 days ago."))
    client.deleted_at = None
    audit.record("restore", module="clients", record_id=client.id, client_id=client.id)
    db.session.flush()


def recently_deleted(*, now: datetime, limit: int = 200) -> list[Client]:
    """The clients deleted in the last thirty days, the latest first; those that were erased left out."""
    recent = sa.select(Client).where(Client.deleted_at > now - RESTORABLE, Client.erased_at.is_(None))
    return list(db.session.scalars(recent.order_by(Client.deleted_at.desc()).limit(limit)))


def _record_all(action: str, clients: sa.Select[Any], bulk_change_id: int | None) -> None:
    """Write an event for each of the clients, whom nobody else changes from here on."""
    rows = (
        sa.select(Client.id.label("record_id"), Client.id.label("client_id"))
        .where(Client.id.in_(clients), Client.deleted_at.is_(None))
        .order_by(Client.id)
        .with_for_update(of=Client)
    )
    audit.record_many(action, module="clients", rows=rows, bulk_change_id=bulk_change_id)

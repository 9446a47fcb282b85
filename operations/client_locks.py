"""Holding whole clients until the end of the transaction, for what changes or moves everything that hangs on them."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from extensions import db
from models import Account, Client, Ticket

# An answer, and the clock of violations, lock a ticket before its client; a movement of money locks an account first.
ORDER: tuple[tuple[Any, Any], ...] = ((Ticket, Ticket.client_id), (Account, Account.client_id), (Client, Client.id))


def take(*client_ids: int) -> None:
    """Lock the clients, and first their tickets and accounts: in the order of everybody else, so none wait crosswise.

    Whoever adds something to one of them from here on waits. SQLite has one writer, and needs none of it.
    """
    for model, key in ORDER:
        db.session.execute(sa.select(model.id).where(key.in_(client_ids)).order_by(model.id).with_for_update())

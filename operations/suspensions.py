"""Services that are stopped, and run again. Whatever stops a service comes through here.

A service is its row: it is suspended when the row says so. What works the servers themselves hangs on these two
verbs, which act once on each service however many call them.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import sqlalchemy as sa

from extensions import JSONDocument, db, rows_changed
from models import Client, Service, ServiceStatus, SuspensionReason
from operations import audit


class Touched(NamedTuple):
    """A service that was stopped, or runs again."""

    id: int
    name: str


def suspend(*which: Any, reason: SuspensionReason, violation_id: int | None = None) -> list[Touched]:
    """Stop the active services that fulfil `which`, conditions of the table; returns those that it stopped.

    What is stopped already, for whatever reason, stays as it is and is not among them. Each leaves an audit event.
    """
    after = {"status": ServiceStatus.SUSPENDED, "suspension_reason": reason, "suspended_by_violation_id": violation_id}
    return _change(ServiceStatus.ACTIVE, which, "suspend", after)


def resume(*which: Any) -> list[Touched]:
    """Let the suspended services that fulfil `which` run again; returns those that do."""
    after = {"status": ServiceStatus.ACTIVE, "suspension_reason": None, "suspended_by_violation_id": None}
    return _change(ServiceStatus.SUSPENDED, which, "resume", after)


def stopped_by(violation_id: Any) -> Any:
    """The condition that a service is stopped now, and by this violation (its id, or the column of it)."""
    return sa.and_(
        Service.suspended_by_violation_id == violation_id,
        Service.status == ServiceStatus.SUSPENDED,
        Service.suspension_reason == SuspensionReason.VIOLATION,
    )


def _change(having: ServiceStatus, which: tuple[Any, ...], action: str, after: dict[str, Any]) -> list[Touched]:
    # The client first, as the triggers that count its services lock it as well: so nobody waits crosswise.
    owners = sa.select(Service.client_id).where(Service.status == having, *which)
    db.session.execute(
        sa.select(Client.id).where(Client.id.in_(owners)).order_by(Client.id).with_for_update(of=Client, key_share=True)
    )
    found = db.session.execute(
        sa.select(Service.id, Service.name)
        .where(Service.status == having, *which)
        .order_by(Service.id)
        .with_for_update(of=Service)
    ).all()
    if not found:
        return []
    ids = [number for number, _name in found]
    audit.record_many(
        action,
        module="services",
        rows=sa.select(
            Service.id,
            Service.client_id,
            sa.literal({"status": having.value}, JSONDocument),
            sa.literal({name: audit.plain(value) for name, value in after.items() if value is not None}, JSONDocument),
        ).where(Service.id.in_(ids)),
    )
    rows_changed(
        sa.update(Service)
        .where(Service.id.in_(ids), Service.status == having)
        .values(**after, row_version=Service.row_version + 1)
    )
    for service in [row for row in db.session.identity_map.values() if isinstance(row, Service) and row.id in ids]:
        db.session.expire(service)
    return [Touched(number, name) for number, name in found]

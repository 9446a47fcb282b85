"""Violations for tests: clients with services, a violation each, and what became of them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import sqlalchemy as sa

import jobs
from extensions import db, now
from models import (
    AuditEvent,
    BreakerTrip,
    Client,
    Feature,
    OutboundEmail,
    Project,
    Service,
    Setting,
    Ticket,
    TicketCategory,
    TicketMessage,
    Violation,
)
from tests import factories as make


def switch(is_on: bool) -> None:
    db.session.execute(sa.update(Feature).where(Feature.code == "abuse_handling").values(is_enabled=is_on))
    db.session.commit()


def setting(code: str, value: Any) -> None:
    db.session.add(Setting(code=code, value=value))
    db.session.commit()


def client_with_services(count: int = 2, **more: Any) -> Client:
    owner = make.client(**more)
    sold = make.product()
    for _number in range(count):
        make.service(owner, sold)
    return owner


def violation(owner: Client | None = None, *, hours: float = -1, **more: Any) -> int:
    """An open violation whose deadline is so many hours ahead; the id. Nothing stays locked."""
    values = {"action": "suspend_services", "deadline": now() + timedelta(hours=hours), "points": 0, **more}
    number = make.violation(owner or client_with_services(), **values).id
    db.session.commit()
    return int(number)


def many(count: int, *, services: int = 1, deadline_in: timedelta = timedelta(hours=-1)) -> list[int]:
    """So many clients with services and an overdue violation each; the ids of the violations."""
    moment = now()
    project, category = make.first(Project), make.first(TicketCategory)
    sold = make.product()
    ids = make.clients([f"Many {number}" for number in range(count)])
    accounts = _insert_accounts(ids, project)
    _insert(Service, [
        {"client_id": one, "product_id": sold.id, "account_id": accounts[one], "name": f"s{one}-{n}.example",
         "status": "active", "price": 5, "opened_at": moment}
        for one in ids for n in range(services)
    ])  # fmt: skip
    tickets = _insert(Ticket, [
        {"client_id": one, "category_id": category.id, "subject": f"Abuse {one}", "status": "waiting_client",
         "reference": f"many-{one}", "created_at": moment, "updated_at": moment}
        for one in ids
    ])  # fmt: skip
    _insert(TicketMessage, [{"ticket_id": one, "text": "Stop it.", "created_at": moment} for one in tickets])
    made = _insert(Violation, [
        {"ticket_id": ticket, "client_id": one, "deadline": moment + deadline_in, "action": "suspend_services",
         "status": "open", "created_at": moment}
        for ticket, one in zip(tickets, ids, strict=True)
    ])  # fmt: skip
    db.session.commit()
    return made


def _insert_accounts(ids: list[int], project: Project) -> dict[int, int]:
    from models import Account

    made = _insert(Account, [{"client_id": one, "project_id": project.id, "currency": project.currency} for one in ids])
    return dict(zip(ids, made, strict=True))


def _insert(model: Any, rows: list[dict[str, Any]]) -> list[int]:
    table = model.__table__
    return list(db.session.scalars(sa.insert(table).returning(table.c.id, sort_by_parameter_order=True), rows))


def work() -> None:
    """One round of a worker that has just started."""
    jobs.Worker().look_after_violations()
    db.session.rollback()


def found(number: int) -> Violation:
    db.session.expire_all()
    return db.session.get_one(Violation, number)


def services_of(client_id: int) -> list[tuple[str, str | None, int | None]]:
    """(status, reason, violation) of the client's services, by id."""
    rows = db.session.execute(
        sa.select(Service.status, Service.suspension_reason, Service.suspended_by_violation_id)
        .where(Service.client_id == client_id)
        .order_by(Service.id)
    ).all()
    return [(status.value, reason.value if reason else None, by) for status, reason, by in rows]


def letters(template: str = "violation_executed") -> list[OutboundEmail]:
    return list(
        db.session.scalars(
            sa.select(OutboundEmail).where(OutboundEmail.template == template).order_by(OutboundEmail.id)
        )
    )


def events(action: str, module: str = "violations") -> list[AuditEvent]:
    return list(
        db.session.scalars(
            sa.select(AuditEvent)
            .where(AuditEvent.action == action, AuditEvent.module == module)
            .order_by(AuditEvent.id)
        )
    )


def trip() -> BreakerTrip | None:
    return db.session.scalar(sa.select(BreakerTrip).where(BreakerTrip.is_open))


def each_once(ids: list[int], *, services: int = 1) -> None:
    """Assert that each violation was carried out once: its services stopped, one event, one letter."""
    db.session.expire_all()
    statuses = list(db.session.scalars(sa.select(Violation.status).where(Violation.id.in_(ids))))
    assert {status.value for status in statuses} == {"executed"}, statuses
    stopped = db.session.scalar(
        sa.select(sa.func.count()).select_from(Service).where(Service.suspended_by_violation_id.in_(ids))
    )
    assert stopped == len(ids) * services
    assert sorted(event.record_id or 0 for event in events("execute")) == sorted(ids)
    assert len(events("suspend", "services")) == len(ids) * services
    assert len({letter.client_id for letter in letters()}) == len(letters()) == len(ids)

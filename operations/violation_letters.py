"""Letters about violations: to the client what is asked of him and what was done, to staff what needs them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import sqlalchemy as sa
from babel.dates import format_datetime

from extensions import db
from models import BreakerTrip, Client, Project, Staff, Ticket, Violation
from operations import letters, violations

MOST_STAFF = 20
# So many services are named in a letter; of more, it says how many.
MOST_NAMED = 50


def in_zone(moment: datetime, *, zone: str, language: str) -> str:
    """The moment to the minute, with the name of its zone."""
    try:
        tzinfo = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError):
        tzinfo = ZoneInfo("UTC")
    return format_datetime(moment, "d MMMM yyyy, HH:mm (zzz)", tzinfo=tzinfo, locale=language)


def remind(violation: Violation, *, now: datetime) -> None:
    """Queue the letter half-way to the deadline."""
    stops = [service.name for service in violations.services_at_stake(violation)]
    _tell_client("violation_reminder", violation, _named(stops), now)


def tell_executed(violation: Violation, *, because: Sequence[str], services: Sequence[str], now: datetime) -> None:
    """Queue the letter that tells what was done: `because` of the deadline, the limit of points, or both."""
    _tell_client("violation_executed", violation, {"because": list(because), **_named(services)}, now)


def tell_news(violation: Violation, *, what: str, services: Sequence[str] = (), now: datetime) -> None:
    """Queue the letter that staff have extended, resolved or cancelled the violation."""
    _tell_client("violation_news", violation, {"what": what, **_named(services)}, now)


def tell_of_trip(trip: BreakerTrip, *, now: datetime) -> None:
    """Queue the letters that tell staff that nothing is stopped until they confirm."""
    values = {"reason": trip.reason.value, "clients": trip.clients, "hours": round(trip.seconds / 3600)}
    _tell_staff("violations_held", {**values, "url": f"{letters.public_url()}/admin/violations/held/"}, now)


def tell_of_failure(violation: Violation, *, error: str, now: datetime) -> None:
    """Queue the letters that tell staff that a violation cannot be carried out."""
    url = f"{letters.public_url()}/admin/violations/details/?id={violation.id}"
    _tell_staff("violation_failing", {"number": violation.id, "error": error, "url": url}, now)


def _named(services: Sequence[str]) -> dict[str, Any]:
    return {"services": list(services[:MOST_NAMED]), "more": max(0, len(services) - MOST_NAMED)}


def _tell_client(template: str, violation: Violation, more: dict[str, Any], now: datetime) -> None:
    client = db.session.get_one(Client, violation.client_id)
    if not client.email or client.deleted_at is not None:
        return
    ticket = db.session.get_one(Ticket, violation.ticket_id)
    language, owner = client.language.value, client.owner
    letters.queue(
        template=template,
        to=client.email,
        language=language,
        context={
            "subject": ticket.subject,
            "deadline": in_zone(violation.deadline, zone=owner.time_zone if owner else "UTC", language=language),
            "action": violation.action.value,
            "ticket_url": letters.ticket_url(ticket.id),
            "reference": ticket.reference,
            "replies_allowed": ticket.replies_allowed,
            **more,
        },
        project=client.project,
        client=client,
        ticket=ticket,
        now=now,
    )


def _tell_staff(template: str, context: dict[str, Any], now: datetime) -> None:
    project = db.session.scalars(sa.select(Project).order_by(Project.id)).first()
    for person in _who_may_act():
        if project is not None:
            letters.queue(
                template=template, to=person.email, language=person.language.value, context=context, project=project,
                now=now,
            )  # fmt: skip


def _who_may_act() -> list[Staff]:
    rows = db.session.scalars(sa.select(Staff).where(Staff.is_active, Staff.email != "").order_by(Staff.id))
    return [person for person in rows.unique() if person.may("violations.edit")][:MOST_STAFF]

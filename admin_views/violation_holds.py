"""The list before which staff decide whether what the breaker holds is carried out."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from flask import abort, flash, redirect, request
from flask.typing import ResponseReturnValue
from flask_admin.base import expose
from flask_babel import gettext as _
from flask_babel import ngettext
from flask_login import current_user
from sqlalchemy.orm import joinedload

from admin_views import cells
from admin_views.base import needs
from admin_views.violation_words import deadline
from extensions import db, now
from models import Client, Service, ServiceStatus, Staff, Violation
from operations import breaker, violations
from operations.errors import OperationRefused

SHOWN = 200
HELD = "/admin/violations/held/"


class HoldPages:
    """Adds `…/held/` and `…/confirm/` to the violations."""

    @expose("/held/")
    @needs("violations.view")
    def held_view(self) -> ResponseReturnValue:
        """What is held, and why."""
        trip = breaker.open_trip()
        rows = db.session.scalars(
            sa.select(Violation)
            .where(breaker.held())
            .options(joinedload(Violation.client), joinedload(Violation.ticket))
            .order_by(Violation.deadline, Violation.id)
            .limit(SHOWN)
        ).all()
        count, until = db.session.execute(
            sa.select(sa.func.count(), sa.func.max(Violation.held_at)).where(breaker.held())
        ).one()
        services = _services(rows)
        return self.render(  # type: ignore[attr-defined,no-any-return]
            "admin/violations/held.html",
            trip=trip,
            why=breaker.in_words(trip) if trip else "",
            rows=rows,
            count=count,
            until=until.isoformat() if until else "",
            services=services,
            services_count=len({number for row in rows for number in services[row.id]}),
            clients_count=len({row.client_id for row in rows}),
            deadline=deadline,
            show=cells.show,
            now=now(),
            may_confirm=current_user.may("violations.edit"),
        )

    @expose("/confirm/", methods=("POST",))
    @needs("violations.edit")
    def confirm_view(self) -> ResponseReturnValue:
        """Release what stood in the list."""
        try:
            until = datetime.fromisoformat(request.form.get("until") or now().isoformat())
            count = int(request.form.get("count", ""))
        except ValueError:
            abort(404)
        if until.tzinfo is None:
            abort(404)
        try:
            released, waiting = breaker.confirm(
                by=db.session.get_one(Staff, current_user.id), count=count, until=until, now=now()
            )
            db.session.commit()
        except OperationRefused as refusal:
            db.session.rollback()
            flash(refusal.message, "warning")
            return redirect(HELD)
        for text in _said(released, waiting):
            flash(text, "success")
        return redirect(HELD)


def _said(released: int, waiting: int) -> list[str]:
    found = []
    if released:
        found.append(
            ngettext(
                "%(num)s violation is carried out within seconds.", "%(num)s violations are carried out within seconds.", released,
            )
        )  # fmt: skip
    if waiting:
        found.append(
            ngettext(
                "%(num)s violation is not due yet and waits for its deadline.", "%(num)s violations are not due yet and wait for their deadlines.", waiting,
            )
        )  # fmt: skip
    return found or [_("The breaker is closed.")]


def _services(rows: Any) -> dict[int, dict[int, str]]:
    """For each of the violations the services that would be stopped, names by id, found with one statement."""
    found = db.session.execute(
        sa.select(Service.client_id, Service.id, Service.name)
        .join(Client, Client.id == Service.client_id)
        .where(Service.client_id.in_([row.client_id for row in rows]), Service.status == ServiceStatus.ACTIVE)
        .order_by(Service.id)
    ).all()
    named: dict[int, dict[int, str]] = {}
    for row in rows:
        over_limit = row.limit_crossed_at is not None and row.limit_executed_at is None
        stops = over_limit or row.action in violations.STOPS
        one = row.service_id if row.service_id is not None and not over_limit else None
        named[row.id] = {
            number: name for owner, number, name in found
            if stops and owner == row.client_id and one in (None, number)
        }  # fmt: skip
    return named

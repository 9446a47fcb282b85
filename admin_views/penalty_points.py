"""A client's penalty points: the entries with what they are for, adding some and taking some back."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from flask import abort, flash, redirect, request
from flask.typing import ResponseReturnValue
from flask_admin.base import expose
from flask_babel import gettext as _
from flask_babel import ngettext
from flask_login import current_user

from admin_views import cells
from admin_views.base import needs
from extensions import db, now
from forms.violations import PointsForm
from models import Client, PenaltyPoint, Service, Staff
from operations import filters, points, suspensions
from operations.errors import OperationRefused


class PointPages:
    """Adds `…/points/?id=<client>` to the violations."""

    @expose("/points/")
    @needs("violations.view")
    def points_view(self) -> ResponseReturnValue:
        """The points of a client."""
        return self._points_page(self._client(), PointsForm())

    @expose("/points/add/", methods=("POST",))
    @needs("violations.edit")
    def add_points_view(self) -> ResponseReturnValue:
        """Give points by hand."""
        client, form = self._client(), PointsForm(request.form)
        if not form.validate():
            return self._points_page(client, form), 400
        try:
            stopped = points.give(
                client, points=form.points.data or 0, comment=form.comment.data or "",
                by=db.session.get_one(Staff, current_user.id), now=now(),
            )  # fmt: skip
            db.session.commit()
        except OperationRefused as refusal:
            db.session.rollback()
            form[refusal.field].errors = [refusal.message]
            return self._points_page(client, form), 400
        flash(_("The points are added."), "success")
        if stopped:
            flash(_over_the_limit(stopped), "warning")
        return redirect(_page(client))

    @expose("/points/remove/", methods=("POST",))
    @needs("violations.edit")
    def remove_points_view(self) -> ResponseReturnValue:
        """Take points back."""
        client = self._client()
        entry = db.session.get(PenaltyPoint, _number("entry"))
        if entry is None or entry.client_id != client.id:
            abort(404)
        points.take_back(entry)
        db.session.commit()
        flash(_("The points are taken back."), "success")
        return redirect(_page(client))

    @expose("/points/resume/", methods=("POST",))
    @needs("violations.edit")
    def resume_after_points_view(self) -> ResponseReturnValue:
        """Let the services run again that were stopped for points given by hand."""
        client = self._client()
        resumed = suspensions.resume(points.stopped_for_points(client.id))
        db.session.commit()
        flash(ngettext("%(num)s service runs again.", "%(num)s services run again.", len(resumed)), "success")
        return redirect(_page(client))

    def _client(self) -> Client:
        scope = self.scope()  # type: ignore[attr-defined]
        found = db.session.scalar(sa.select(Client).where(Client.id == _number("id"), Client.deleted_at.is_(None)))
        if found is None or (scope is not None and found.id != scope):
            abort(404)
        return found

    def _points_page(self, client: Client, form: PointsForm) -> str:
        moment = now()
        return str(
            self.render(  # type: ignore[attr-defined]
                "admin/violations/points.html",
                client=client,
                form=form,
                entries=points.entries_of(client.id),
                total=points.of_client(client.id, now=moment),
                limit=points.limit(),
                stopped=db.session.scalars(sa.select(Service).where(points.stopped_for_points(client.id))).all(),
                authors=_authors(client),
                moment=moment,
                show=cells.show,
                may_edit=current_user.may("violations.edit"),
                may_see_client=current_user.may("clients.view"),
            )
        )


def _number(name: str) -> int:
    try:
        return filters.whole_number(request.values.get(name, ""))
    except ValueError:
        abort(404)


def _page(client: Client) -> str:
    return f"/admin/violations/points/?id={client.id}"


def _authors(client: Client) -> dict[int, str]:
    authors = sa.select(PenaltyPoint.author_id).where(PenaltyPoint.client_id == client.id)
    return {
        one.id: one.shown_name for one in db.session.scalars(sa.select(Staff).where(Staff.id.in_(authors))).unique()
    }


def _over_the_limit(stopped: list[Any]) -> str:
    return ngettext(
        "The client is over the limit: %(num)s service is stopped.", "The client is over the limit: %(num)s services are stopped.", len(stopped),
    )  # fmt: skip

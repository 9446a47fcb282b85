"""One violation: its page, and what staff do with it; the same for many at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from flask import abort, flash, redirect, request
from flask.typing import ResponseReturnValue
from flask_admin.base import expose
from flask_babel import format_decimal, ngettext
from flask_babel import gettext as _
from flask_login import current_user

from admin_views import audit_words, cells
from admin_views.base import needs
from admin_views.violation_words import deadline, state
from extensions import db, now
from forms.violations import CancelForm, ExtendForm
from models import AuditEvent, Service, Staff, Ticket, Violation, ViolationStatus, ViolationTry
from operations import features, filters, selections, suspensions, violation_steering, violations
from operations.errors import OperationRefused

HISTORY = 50
MOST_AT_ONCE = 1000
# How many of those that were left alone are named.
SHOWN_SKIPPED = 5
VERBS = {"resolve": violation_steering.resolve, "cancel": violation_steering.cancel}


def offers(violation: Violation) -> dict[str, bool]:
    """What can be done with the violation by who is logged in."""
    may = bool(current_user.may("violations.edit"))
    waits = violation.status in violation_steering.WAITING
    return {
        "extend": may and waits,
        "resolve": may and (waits or violation.status is ViolationStatus.EXECUTED),
        "cancel": may and waits,
    }


def box_of(ticket: Ticket) -> list[dict[str, Any]]:
    """What the ticket's page shows of its violations (templates/admin/violations/box.html)."""
    if not features.abuse_handling() or not current_user.may("violations.view"):
        return []
    return [
        {"record": one, "state": state(one), "deadline": deadline(one), "offers": offers(one)}
        for one in violations.of_ticket(ticket)
    ]


class ViolationPages:
    """Adds a violation's own page, and its verbs, to the violations."""

    @expose("/details/")
    def details_view(self) -> ResponseReturnValue:
        """One violation."""
        return self._violation_page(self.posted_or_404())  # type: ignore[attr-defined]

    @expose("/extend/", methods=("POST",))
    @needs("violations.edit")
    def extend_view(self) -> ResponseReturnValue:
        """Give the client more time."""
        violation = self.posted_or_404()  # type: ignore[attr-defined]
        form = ExtendForm(request.form)
        if not form.validate() or form.deadline.data is None:
            form.deadline.errors = form.deadline.errors or [_("Say until when the client has time.")]
            return self._violation_page(violation, form), 400
        try:
            violation_steering.extend(violation, deadline=form.deadline.data, now=now())
            db.session.commit()
        except OperationRefused as refusal:
            db.session.rollback()
            form.deadline.errors = [refusal.message]
            return self._violation_page(self.posted_or_404(), form), 400  # type: ignore[attr-defined]
        flash(_("The client has time until %(when)s.", when=cells.show(violation.deadline)), "success")
        return redirect(self._return_to(violation))

    @expose("/resolve/", methods=("POST",))
    @needs("violations.edit")
    def resolve_view(self) -> ResponseReturnValue:
        """Note that the matter is settled; what it stopped runs again."""
        return self._steer(violation_steering.resolve, _("The violation is resolved."))

    @expose("/cancel/", methods=("POST",))
    @needs("violations.edit")
    def cancel_view(self) -> ResponseReturnValue:
        """Take the violation back before it is carried out."""
        keeps = bool(CancelForm(request.form).keep_points.data)

        def cancel(violation: Violation, **more: Any) -> list[suspensions.Touched]:
            return violation_steering.cancel(violation, keep_points=keeps, **more)

        return self._steer(cancel, _("The violation is cancelled."))

    def _steer(self, verb: Callable[..., list[suspensions.Touched]], said: str) -> ResponseReturnValue:
        violation = self.posted_or_404()  # type: ignore[attr-defined]
        try:
            resumed = verb(violation, now=now())
            db.session.commit()
            flash(" ".join(filter(None, [said, in_words(resumed)])), "success")
        except OperationRefused as refusal:
            db.session.rollback()
            flash(refusal.message, "warning")
        return redirect(self._return_to(violation))

    def _return_to(self, violation: Violation) -> str:
        return request.form.get("url") or f"/admin/violations/details/?id={violation.id}"

    def _violation_page(self, violation: Violation, form: ExtendForm | None = None) -> str:
        stopped = db.session.scalars(
            sa.select(Service).where(suspensions.stopped_by(violation.id)).order_by(Service.id)
        ).all()
        return str(
            self.render(  # type: ignore[attr-defined]
                "admin/violations/details.html",
                **self.details_context(violation),  # type: ignore[attr-defined]
                state=state(violation),
                offers=offers(violation),
                extend_form=form or ExtendForm(data={"deadline": None}),
                cancel_form=CancelForm(),
                at_stake=violations.services_at_stake(violation) if offers_stop(violation) else [],
                stopped=stopped,
                failed=db.session.get(ViolationTry, violation.id),
                show=cells.show,
                history=_history(violation),
            )
        )

    # Many at once

    @expose("/many/", methods=("GET", "POST"))
    @needs("violations.edit")
    def many_view(self) -> ResponseReturnValue:
        """Resolve or cancel those that were selected, after a look at how many they are."""
        verb = request.values.get("verb", "")
        if verb not in VERBS:
            abort(404)
        ids, back = self._selected_ids(verb)
        if len(ids) > MOST_AT_ONCE:
            flash(_("More than %(count)s at once are too many. Narrow the list.", count=format_decimal(MOST_AT_ONCE)), "error")  # fmt: skip
            return redirect(back)
        if request.method == "POST":
            if request.form.get("count") == str(len(ids)):
                return self._carry_out_many(verb, ids, back)
            flash(_("Meanwhile a different number of rows is meant. Look at it again."), "warning")
        return self.render("admin/confirm.html", **_question(verb, ids, back))  # type: ignore[attr-defined,no-any-return]

    def _selected_ids(self, verb: str) -> tuple[list[int], str]:
        try:
            number = filters.whole_number(request.values.get("selection", ""))
        except ValueError:
            abort(404)
        staff = db.session.get_one(Staff, current_user.id)
        found = selections.find(number, staff=staff, module="violations") or abort(404)
        if found.action != verb:
            abort(404)
        if found.ids is not None:
            statement = self.base_select().where(Violation.id.in_(found.ids))  # type: ignore[attr-defined]
        else:
            asked = self.list_request([*(found.parameters or {}).items()])  # type: ignore[attr-defined]
            statement = self.matching(asked)  # type: ignore[attr-defined]
        ids = statement.with_only_columns(Violation.id).order_by(Violation.id).limit(MOST_AT_ONCE + 1)
        return list(db.session.scalars(ids)), found.url or "/admin/violations/"

    def _carry_out_many(self, verb: str, ids: list[int], back: str) -> ResponseReturnValue:
        """Each for which it is not too late; the others are left alone, and named."""
        resumed: list[suspensions.Touched] = []
        skipped: list[str] = []
        for number in ids:
            try:
                resumed += VERBS[verb](db.session.get_one(Violation, number), now=now())
            except OperationRefused as refusal:
                skipped.append(f"#{number}: {refusal.message}")
        db.session.commit()
        done = len(ids) - len(skipped)
        words = {
            "resolve": ngettext("%(num)s violation is resolved.", "%(num)s violations are resolved.", done),
            "cancel": ngettext("%(num)s violation is cancelled.", "%(num)s violations are cancelled.", done),
        }
        flash(" ".join(filter(None, [words[verb], in_words(resumed)])), "success")
        if skipped:
            left = ngettext("%(num)s was left alone.", "%(num)s were left alone.", len(skipped))
            flash(f"{left} {' '.join(skipped[:SHOWN_SKIPPED])}", "warning")
        return redirect(back)


def offers_stop(violation: Violation) -> bool:
    """Whether the violation may still stop something by its deadline."""
    return violation.status in violation_steering.WAITING


def in_words(resumed: list[suspensions.Touched]) -> str:
    if not resumed:
        return ""
    names = ", ".join(one.name for one in resumed[:SHOWN_SKIPPED])
    return ngettext("%(num)s service runs again: %(names)s.", "%(num)s services run again: %(names)s.", len(resumed), names=names)  # fmt: skip


def _question(verb: str, ids: list[int], back: str) -> dict[str, Any]:
    count = len(ids)
    titles = {"resolve": _("Resolve violations"), "cancel": _("Cancel violations")}
    verbs = {
        "resolve": ngettext("Resolve %(num)s violation", "Resolve %(num)s violations", count),
        "cancel": ngettext("Cancel %(num)s violation", "Cancel %(num)s violations", count),
    }
    lines = {
        "resolve": [
            _("Services that they stopped run again, and no others."),
            _("Penalty points stay until they fade."),
        ],
        "cancel": [
            _("Those that were carried out are left alone: resolve them."),
            _("Their penalty points are taken back."),
        ],
    }
    return {
        "page_title": titles[verb],
        "question": ngettext("This is for %(num)s violation.", "This is for %(num)s violations.", count),
        "lines": [*lines[verb], _("The clients are told by letter.")],
        "hidden": {"selection": request.values.get("selection", ""), "verb": verb, "count": count},
        "verb": verbs[verb],
        "danger": verb == "cancel",
        "cancel_url": back,
        "action_url": "/admin/violations/many/",
    }


def _history(violation: Violation) -> list[dict[str, Any]]:
    """What happened to the violation, newest first."""
    events = list(
        db.session.scalars(
            sa.select(AuditEvent)
            .where(AuditEvent.module == "violations", AuditEvent.record_id == violation.id)
            .order_by(AuditEvent.id.desc())
            .limit(HISTORY)
        )
    )
    words = audit_words.Words(events)
    return [
        {"when": cells.show(one.at), "who": cells.actor(one.actor), "what": audit_words.action_name(one.action), "line": words.line(one)}
        for one in events
    ]  # fmt: skip

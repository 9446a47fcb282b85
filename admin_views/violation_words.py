"""How a violation's state and deadline look."""

from __future__ import annotations

from flask_babel import format_timedelta
from flask_babel import gettext as _
from markupsafe import Markup

from admin_views import cells
from extensions import now
from models import Violation, ViolationStatus

COLORS = {"open": "amber", "answered": "blue", "executed": "red", "resolved": "good", "cancelled": ""}
ICONS = {"open": "hourglass", "answered": "message", "executed": "gavel", "resolved": "check", "cancelled": "x"}


def state(violation: Violation) -> Markup:
    """The state as a badge, and another one for what is held."""
    status = violation.status
    shown = cells.badge(status.value, str(status.label), icon=ICONS[status.value], color=COLORS[status.value])
    if violation.held_at is None:
        return shown
    return shown + " " + cells.badge("held", _("Held"), icon="player-pause", color="red", title=_("Waits until staff confirm it"))  # fmt: skip


def deadline(violation: Violation) -> Markup:
    """The deadline, and how far off it is while the clock runs."""
    shown = Markup('<time datetime="{}">{}</time>').format(
        violation.deadline.isoformat(), cells.show(violation.deadline)
    )
    if violation.status is not ViolationStatus.OPEN:
        return shown
    away = format_timedelta(violation.deadline - now(), granularity="minute", add_direction=True, threshold=1.9)
    return shown + Markup(' <span class="time-left muted">{}</span>').format(away)

"""The user's own page: contacts, language and time zone, sessions, and who has logged in as him."""

from __future__ import annotations

from flask import abort, flash, redirect, session
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from extensions import db, now
from forms.panel import ProfileForm
from models import ClientUser, Language
from operations import custom_values, profiles
from operations.errors import OperationRefused
from panel.blueprints import panel
from panel.frame import render
from panel.records import LARGEST_ID, me
from web.access import client_only
from web.sessions import CLIENT_IDLE

PROFILE = "/panel/profile/"


@panel.route("/profile/", methods=["GET", "POST"])
@client_only(impersonation="allow")
def profile() -> ResponseReturnValue:
    """Show the page; a POST changes contacts, language and time zone."""
    user = me()
    form = ProfileForm(obj=user)
    form.time_zone.choices = _time_zones(user)
    if form.validate_on_submit() and _change(user, form):
        db.session.commit()
        flash(_("Your profile has been saved."), "success")
        return redirect(PROFILE)
    return render(
        "panel/profile/profile.html",
        form=form,
        user=user,
        sessions=profiles.sessions_of(user, now=now(), idle=CLIENT_IDLE),
        this_session=session.id,  # type: ignore[attr-defined]
        visits=profiles.visits_of(user),
        custom=custom_values.of_client(user.client, for_client=True),
    )


@panel.post("/profile/sessions/<int:number>/end")
@client_only()
def end_session(number: int) -> ResponseReturnValue:
    """End one of the user's own sessions."""
    if number > LARGEST_ID or not profiles.end_session(me(), number):
        abort(404)
    db.session.commit()
    flash(_("The session has ended."), "success")
    return redirect(PROFILE)


@panel.post("/profile/sessions/end-others")
@client_only()
def end_other_sessions() -> ResponseReturnValue:
    """End all of the user's sessions but this one."""
    profiles.end_other_sessions(me(), but=session.id)  # type: ignore[attr-defined]
    db.session.commit()
    flash(_("All other sessions have ended."), "success")
    return redirect(PROFILE)


def _change(user: ClientUser, form: ProfileForm) -> bool:
    """Carry the form out, or put what is wrong beside the field."""
    try:
        profiles.change(
            user,
            full_name=form.full_name.data or "",
            phone=form.phone.data or "",
            language=Language(form.language.data),
            time_zone=form.time_zone.data or "UTC",
        )
    except OperationRefused as refusal:
        db.session.rollback()
        form.refuse(refusal)
        return False
    return True


def _time_zones(user: ClientUser) -> list[str]:
    """The zones to choose from; the user's own is among them whatever it is."""
    zones = ["UTC", *profiles.time_zones()]
    return zones if user.time_zone in zones else [user.time_zone, *zones]

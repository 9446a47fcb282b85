"""The logins of a client, as staff see to them: made, changed, blocked, removed; their passwords and sessions.

A client has one owner. Whoever changes which user that is, or blocks or removes one, waits for whoever does so of
the same client at the same time.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from extensions import db
from models import Client, ClientUser
from operations import (
    audit,
    authentication,
    email_addresses,
    email_changes,
    impersonation,
    password_links,
    passwords,
    phones,
)
from operations import staff as staff_operations
from operations.errors import OperationRefused

# What a user who is not the owner can be let into: areas of the panel.
AREAS: dict[str, Any] = {
    "finance": _l("Money: accounts, invoices, payments, expenses, acts and payers"),
    "services": _l("Services: order, renew and stop them"),
    "support": _l("Tickets"),
    "users": _l("Users of the client"),
}


def check(user: ClientUser, *, now: datetime) -> None:
    """Put a user that is going to be written into form; refuse, naming the field, what cannot be.

    Refuses a username or e-mail that another user goes by, letters of mixed alphabets, a phone that is none, and
    blocking the owner. Blocking ends the user's sessions, and staff's in his place. An e-mail that replaces another
    is told to the old address.
    """
    attributes = sa.inspect(user).attrs
    user.username = _free_username(user)
    user.email = _free_email(user)
    if attributes.phone.history.has_changes() and user.phone:
        # One that an import brought may be no number at all; it stays until it is changed.
        user.phone = phones.e164(user.phone, user.client.country) or user.phone
    if attributes.permissions.history.has_changes():
        user.permissions = [area for area in AREAS if area in user.permissions]
    if attributes.is_active.history.has_changes() and not user.is_active and user.id is not None:
        hold(user.client_id)
        if _is_owner(user):
            raise OperationRefused(_("The owner user cannot be blocked. Make another user the owner first."), field="is_active")  # fmt: skip
        # A stay of staff in his place ends at its next request, which tells them why.
        authentication.end_sessions(client_user_id=user.id)
    if user.id is not None and attributes.email.history.has_changes():
        _tell_old_address(user, attributes.email.history.deleted, now)


def create(user: ClientUser, *, password: str, send_link: bool) -> None:
    """Give a new user, not written yet, a password for one login, or a letter with a link to set one.

    Refuses (field `password`) a weak password, and none at all where no link is sent; and (field `email`) a link
    that cannot be sent anywhere.
    """
    if not password and not send_link:
        raise OperationRefused(_("Enter a password, or have a link sent."), field="password")
    if password:
        passwords.refuse_weak(password, banned=staff_operations.names_of(user))
    user.password_hash = passwords.hash_password(password or passwords.generate())
    user.must_change_password = bool(password)
    hold(user.client.id)
    user.is_owner = not db.session.scalar(sa.select(sa.exists().where(ClientUser.client_id == user.client.id)))
    if send_link and not password_links.address_of(user):
        raise OperationRefused(_("A link can be sent to a user with an e-mail address alone."), field="email")


def set_password(user: ClientUser, password: str, *, now: datetime) -> str:
    """Set a password for one login, made up where `password` is empty, and return it; it is kept nowhere.

    Ends all the user's sessions, and staff's in his place, and tells him by a letter without the password. Refuses a
    weak one (field `password`).
    """
    chosen = password or passwords.generate()
    staff_operations.set_password(user, chosen, for_one_use=True)
    _end_access(user, now=now, why="password_set")
    audit.record("password_set", module="users", record_id=user.id, client_id=user.client_id)
    password_links.tell(user, "password_set", now=now)
    return chosen


def send_link(user: ClientUser, *, now: datetime) -> str:
    """Queue a letter with a link to set the password; returns the address. Refuses a user who has none."""
    address = password_links.address_of(user)
    if not address:
        raise OperationRefused(_("This user has no e-mail address."))
    if not user.is_active:
        raise OperationRefused(_("The user is blocked."))
    password_links.send_to(user, now=now)
    return address


def reset_totp(user: ClientUser, *, now: datetime) -> None:
    """Switch the second factor off, because it is lost; ends all sessions, and tells the user by letter."""
    if not user.totp_secret:
        raise OperationRefused(_("This user has no second factor."))
    user.totp_secret = None
    db.session.flush()
    _end_access(user, now=now, why="totp_reset")
    audit.record("totp_reset", module="users", record_id=user.id, client_id=user.client_id)
    password_links.tell(user, "totp_reset", now=now)


def make_owner(user: ClientUser) -> None:
    """Make the user the owner of his client, in the place of the present one. Refuses a blocked user."""
    hold(user.client_id)
    db.session.refresh(user)
    if not user.is_active:
        raise OperationRefused(_("The user is blocked."))
    owner = db.session.scalar(
        sa.select(ClientUser).where(ClientUser.client_id == user.client_id, ClientUser.is_owner, ClientUser.id != user.id)
    )  # fmt: skip
    if owner is not None:
        # Written before the new one: a client has one owner at most at every moment.
        owner.is_owner = False
        db.session.flush()
    user.is_owner = True
    db.session.flush()


def remove(user: ClientUser, *, now: datetime) -> None:
    """Remove a user for good. Refuses the owner."""
    hold(user.client_id)
    if _is_owner(user):
        raise OperationRefused(_("The owner user cannot be removed."))
    _end_access(user, now=now, why="user_removed")
    db.session.delete(user)
    db.session.flush()


def _end_access(user: ClientUser, *, now: datetime, why: str) -> None:
    """End the user's sessions and the stays of staff in his place, in all processes."""
    impersonation.end_as(user, why=why, now=now)
    authentication.end_sessions(client_user_id=user.id)


def hold(client_id: int) -> None:
    """Keep others from changing the users, payers and memberships of the client until the transaction ends."""
    db.session.execute(sa.select(Client.id).where(Client.id == client_id).with_for_update())


def _is_owner(user: ClientUser) -> bool:
    """Whether the user is the owner now, whatever was read before."""
    return bool(db.session.scalar(sa.select(ClientUser.is_owner).where(ClientUser.id == user.id)))


def _free_username(user: ClientUser) -> str:
    name = staff_operations.canonical_username(user.username or "")
    _refuse_taken(user, name, "username", _("This username is taken."))
    return name


def _free_email(user: ClientUser) -> str | None:
    if not user.email:
        return None
    address = email_addresses.parse(user.email).lower()
    if sa.inspect(user).attrs.email.history.has_changes():
        email_addresses.refuse_mixed(address)
        _refuse_taken(user, address, "email", _("Another user has this e-mail."))
    return address


def _refuse_taken(user: ClientUser, text: str, field: str, message: str) -> None:
    """One can log in by username and by e-mail, so that neither may be the other of somebody else."""
    goes_by = sa.or_(ClientUser.username == text, ClientUser.email == text)
    if db.session.scalar(sa.select(ClientUser.id).where(goes_by, ClientUser.id != (user.id or 0)).limit(1)):
        raise OperationRefused(message, field=field)


def _tell_old_address(user: ClientUser, before: Any, now: datetime) -> None:
    old = (before or [None])[0]
    if old and old != user.email:
        email_changes.tell_old(user, old=old, now=now)

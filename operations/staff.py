"""Staff: making them, and setting passwords."""

from __future__ import annotations

import re

import sqlalchemy as sa
from flask_babel import gettext as _

from extensions import db
from models import ClientUser, Role, Staff
from operations import authentication, passwords
from operations.errors import OperationRefused

USERNAME = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,79}")


def canonical_username(username: str) -> str:
    """The username as it is kept: lower case. Refuses what is none (field `username`)."""
    name = username.strip().lower()
    if not USERNAME.fullmatch(name):
        raise OperationRefused(
            _("A username has Latin letters, digits and . _ - @ +, and begins with a letter or digit."),
            field="username",
        )
    return name


def create(*, username: str, password: str, role: Role, full_name: str = "", email: str = "",
           must_change_password: bool = False) -> Staff:  # fmt: skip
    """Add a staff member. Refuses a username that is taken and a password that breaks the rules."""
    name = canonical_username(username)
    if db.session.scalar(sa.select(Staff.id).where(Staff.username == name)):
        raise OperationRefused(_("This username is taken."), field="username")
    passwords.refuse_weak(password, staff=True, banned=(name, full_name))
    staff = Staff(
        username=name,
        password_hash=passwords.hash_password(password),
        full_name=full_name,
        email=email,
        role=role,
        must_change_password=must_change_password,
    )
    db.session.add(staff)
    db.session.flush()
    return staff


def set_password(person: Staff | ClientUser, password: str, *, for_one_use: bool = False) -> None:
    """Set a password and end all sessions of its owner. Refuses one that breaks the rules."""
    is_staff = isinstance(person, Staff)
    passwords.refuse_weak(password, staff=is_staff, banned=names_of(person))
    person.password_hash = passwords.hash_password(password)
    person.must_change_password = for_one_use
    db.session.flush()
    if is_staff:
        authentication.end_sessions(staff_id=person.id)
    else:
        authentication.end_sessions(client_user_id=person.id)


def names_of(person: Staff | ClientUser) -> tuple[str, ...]:
    """The names that a person's password must not be: his own, his client's and the project's."""
    own = (person.username or "", person.full_name or "", person.email or "")
    if isinstance(person, Staff):
        return own
    client = person.client
    return (*own, client.name, client.company_name, client.contact_person, client.project.name)


def role_named(name: str) -> Role:
    role = db.session.scalar(sa.select(Role).where(sa.func.lower(Role.name) == name.lower()))
    if role is None:
        raise OperationRefused(_("There is no role «%(name)s».", name=name), field="role")
    return role


def change_own_password(staff: Staff, *, current: str, new: str) -> None:
    """Change the own password: the present one is asked for, and all sessions end."""
    if not passwords.verify(staff.password_hash, current):
        raise OperationRefused(_("This is not your present password."), field="current_password")
    if new == current:
        raise OperationRefused(_("This is the password you have now."), field="password")
    set_password(staff, new)


def check(staff: Staff, *, by: Staff, password: str) -> None:
    """Refuse a change to a staff member that gives rights which `by` lacks, or leaves nobody in charge.

    A password given is set for one use and ends the person's sessions; a new staff member needs one.
    """
    staff.username = canonical_username(staff.username or "")
    rights = rights_of(by)
    if set(staff.role.permissions) - rights:
        raise OperationRefused(_("This role has rights that you do not have."), field="role")
    is_new = staff.id is None
    if not is_new and staff.id != by.id:
        held = db.session.scalar(sa.select(Role).join(Staff, Staff.role_id == Role.id).where(Staff.id == staff.id))
        if held is not None and set(held.permissions) - rights:
            raise OperationRefused(_("This staff member has rights that you do not have."), field="role")
    if is_new and not password:
        raise OperationRefused(_("Enter a password, please."), field="password")
    if password:
        passwords.refuse_weak(password, staff=True, banned=(staff.username, staff.full_name))
        staff.password_hash = passwords.hash_password(password)
        staff.must_change_password = True
    if not is_new:
        if password or not staff.is_active:
            authentication.end_sessions(staff_id=staff.id)
        _refuse_nobody_in_charge(staff)


def rights_of(by: Staff) -> set[str]:
    """What `by` may do as it stands in the tables, whatever is being changed of him or his role just now."""
    with db.session.no_autoflush:
        statement = sa.select(Role.permissions).join(Staff, Staff.role_id == Role.id).where(Staff.id == by.id)
        return set(db.session.scalars(statement).one())


def _refuse_nobody_in_charge(staff: Staff) -> None:
    """Somebody who may edit staff and can log in must remain. Changes of this kind wait for one another."""
    db.session.execute(sa.select(Role.id).order_by(Role.id).with_for_update()).all()
    others = db.session.scalars(sa.select(Staff).where(Staff.is_active, Staff.id != staff.id))
    if (staff.is_active and "staff.edit" in staff.role.permissions) or any(one.may("staff.edit") for one in others):
        return
    raise OperationRefused(_("Somebody must remain who may log in and edit staff."), field="is_active")


def check_role(role: Role, *, by: Staff) -> None:
    """Refuse permissions that `by` lacks and unknown ones, and a role that leaves nobody in charge."""
    wanted = set(role.permissions)
    history = sa.inspect(role).attrs.permissions.history
    before = set(history.deleted[0]) if history.deleted else wanted if role.id else set()
    if not role.name:
        raise OperationRefused(_("This cannot be empty."), field="name")
    if (wanted ^ before) - rights_of(by):
        raise OperationRefused(_("You can give and take only rights that you have yourself."), field="permissions")
    if role.id is not None and "staff.edit" not in wanted:
        refuse_if_last_owner(role)


def refuse_if_last_owner(role: Role) -> None:
    """Refuse when nobody outside this role may log in and edit staff."""
    others = db.session.scalars(sa.select(Staff).where(Staff.is_active, Staff.role_id != role.id))
    if not any(one.may("staff.edit") for one in others):
        raise OperationRefused(_("Somebody must remain who may log in and edit staff."))

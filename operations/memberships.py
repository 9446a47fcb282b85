"""Which groups a client is in and which projects are open to it: switched on and off, several at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from extensions import db
from models import Client, ClientGroup, Project, client_group_members, client_projects
from operations import client_users, versions

HOME, WAS_SO = "home", "was_so"
REASONS = {HOME: _l("the home project is always on"), WAS_SO: _l("it was so already")}
NAMES_TOLD = 5


@dataclass(frozen=True)
class Switched:
    """The names of what was switched, and how many were left alone, by reason."""

    on: bool
    names: list[str] = field(default_factory=list)
    skipped: dict[str, int] = field(default_factory=dict)

    def in_words(self) -> str:
        """What was done, in a sentence or two."""
        told = ", ".join(self.names[:NAMES_TOLD])
        if len(self.names) > NAMES_TOLD:
            told = _("%(names)s and %(count)s more", names=told, count=len(self.names) - NAMES_TOLD)
        done = _("Switched on: %(names)s.", names=told) if self.on else _("Switched off: %(names)s.", names=told)
        left = [
            _("Skipped %(count)s: %(reason)s.", count=count, reason=REASONS[reason])
            for reason, count in self.skipped.items()
        ]
        return " ".join([done if self.names else _("Nothing was changed."), *left])


def switch_groups(client: Client, groups: Sequence[ClientGroup], *, on: bool) -> Switched:
    """Put the client into the groups, or take it out of them."""
    return _switch(client, "groups", groups, on)


def switch_projects(client: Client, projects: Sequence[Project], *, on: bool) -> Switched:
    """Open the projects to the client, or close them; its home project is always open."""
    return _switch(client, "projects", projects, on)


def groups_of(client_id: int) -> sa.Select[Any]:
    """The ids of the groups that the client is in."""
    members = client_group_members.c
    return sa.select(members.group_id).where(members.client_id == client_id)


def projects_of(client_id: int) -> sa.Select[Any]:
    """The ids of the projects open to the client besides its home project."""
    return sa.select(client_projects.c.project_id).where(client_projects.c.client_id == client_id)


def home_of(client_id: int) -> sa.Select[Any]:
    return sa.select(Client.project_id).where(Client.id == client_id)


def _switch(client: Client, relation: str, records: Sequence[Any], on: bool) -> Switched:
    """Change the list of the client by what is wanted; one change of its version, one event with all of it."""
    client_users.hold(client.id)
    db.session.refresh(client, [relation, "row_version", "project_id"])
    present = {record.id: record for record in getattr(client, relation)}
    done = Switched(on)
    for record in records:
        reason = _why_not(client, relation, record, on, record.id in present)
        if reason:
            done.skipped[reason] = done.skipped.get(reason, 0) + 1
            continue
        done.names.append(record.name)
        if on:
            present[record.id] = record
        else:
            del present[record.id]
    if done.names:
        setattr(client, relation, list(present.values()))
        db.session.flush()
        versions.step(client)
    return done


def _why_not(client: Client, relation: str, record: Any, on: bool, is_present: bool) -> str:
    if relation == "projects" and record.id == client.project_id:
        return WAS_SO if on else HOME
    return WAS_SO if is_present is on else ""

"""Characterizations: what the owner makes of them. Putting one to clients is in clients and bulk_changes."""

from __future__ import annotations

import re
from dataclasses import dataclass

import sqlalchemy as sa
from flask_babel import gettext as _
from flask_babel import ngettext

from extensions import db
from models import Characterization, Client
from operations import codes
from operations.errors import OperationRefused

CODE = re.compile(r"[a-z][a-z0-9_]{0,39}", re.ASCII)
# Words that badges of clients have which no characterization gives them.
OF_OTHER_BADGES = frozenset({"referred", "points", "suspended"})


@dataclass(frozen=True)
class Use:
    """How many clients have a characterization: those that live, and those that are deleted and can come back."""

    living: int
    deleted: int

    @property
    def all(self) -> int:
        return self.living + self.deleted

    def __str__(self) -> str:
        text = ngettext(
            "%(num)s client has it, so it cannot be deleted.",
            "%(num)s clients have it, so it cannot be deleted.",
            self.all,
        )
        if not self.deleted:
            return text
        gone = _("Of them deleted: %(count)s.", count=self.deleted)
        return f"{text} {gone}"


def check(one: Characterization) -> None:
    """Refuse a characterization, new or changed, naming what is wrong. A code left empty is made of the name.

    The code is the word of its badges, which must not be mistaken for those of other badges.
    """
    one.name = " ".join((one.name or "").split())
    others = {row.code for row in db.session.scalars(sa.select(Characterization)) if row is not one}
    if not one.code:
        taken = others | OF_OTHER_BADGES
        one.code = codes.made_of(one.name, is_free=lambda code: code not in taken, otherwise="badge")
    if not CODE.fullmatch(one.code):
        raise OperationRefused(_("Latin letters, digits and _, beginning with a letter."), field="code")
    if one.code in OF_OTHER_BADGES:
        raise OperationRefused(_("Another badge has this word already."), field="code")


def use_of(one: Characterization) -> Use:
    """Who has it."""
    is_alive = Client.deleted_at.is_(None)
    rows = sa.select(is_alive, sa.func.count()).where(Client.characterization_id == one.id).group_by(is_alive)
    found = {bool(alive): count for alive, count in db.session.execute(rows)}
    return Use(living=found.get(True, 0), deleted=found.get(False, 0))


def delete(one: Characterization) -> None:
    """Remove it. Refused for the one that new clients get, and for one that clients have."""
    if one.is_default:
        raise OperationRefused(_("New clients get this one, so it cannot be deleted."))
    if (use := use_of(one)).all:
        raise OperationRefused(str(use))
    db.session.delete(one)
    db.session.flush()


def make_default(one: Characterization, *, instead_of: int) -> None:
    """Have new clients get it, instead of the one with the id `instead_of`.

    Refused where another one is the default by now: whoever chose did not see that. Of two who choose at once the
    second waits for the first, so there is always exactly one.
    """
    rows = sa.select(Characterization).order_by(Characterization.id).with_for_update()
    every = list(db.session.scalars(rows.execution_options(populate_existing=True)))
    before = next((each for each in every if each.is_default), None)
    if before is one:
        return
    if before is None or before.id != instead_of:
        now = str(before) if before else "—"
        raise OperationRefused(
            _("Somebody has made «%(name)s» the one for new clients meanwhile. Look again.", name=now)
        )
    before.is_default = False
    # One after the other: the database allows one default at a time.
    db.session.flush()
    one.is_default = True
    db.session.flush()

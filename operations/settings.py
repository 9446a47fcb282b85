"""Settings of the desk: what the owner decides in the admin. A registry, with a default for each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from extensions import db, plain_rows
from models import Setting
from operations.errors import OperationRefused


@dataclass(frozen=True)
class Kind:
    """A setting: a whole number between bounds, or (without bounds) a line of text."""

    code: str
    label: Any
    help: Any
    default: Any
    least: int | None = None
    most: int | None = None

    def clean(self, text: str) -> Any:
        """The value that `text` is; refuses, naming the field, what is out of bounds."""
        text = text.strip()
        if self.least is None or self.most is None:
            if len(text) > 200 or any(ord(c) < 32 for c in text):
                raise OperationRefused(_("One line of at most 200 characters."), field=self.code)
            return text
        if not (text.isascii() and text.isdigit() and len(text) < 10 and self.least <= int(text) <= self.most):
            raise OperationRefused(
                _("A whole number from %(least)s to %(most)s.", least=self.least, most=self.most), field=self.code
            )
        return int(text)


KINDS = {
    kind.code: kind
    for kind in (
        Kind("provider_name", _l("Name of the provider"), _l("Shown to staff and clients, on the login pages too."), "Clientdesk"),
        Kind("recall_minutes", _l("Minutes to call a mailing back"), _l("How long a mailing waits before it starts; the form can change it for one mailing."), 5, 0, 1440),
        Kind("impersonation_minutes", _l("Minutes in a client's panel"), _l("After so long a stay in a client's panel ends by itself."), 60, 1, 720),
    )
}  # fmt: skip


VALUE = sa.select(Setting.value).where(Setting.code == sa.bindparam("code"))


def value_of(code: str) -> sa.ScalarSelect[Any]:
    """The value kept of a setting, nothing where it was never set, as a part of a statement."""
    return sa.select(Setting.value).where(Setting.code == code).scalar_subquery()


def get(code: str) -> Any:
    """The value of a setting, or its default."""
    row = plain_rows(VALUE, {"code": code}).first()
    return row.value if row is not None else KINDS[code].default


def all_values() -> dict[str, Any]:
    kept = {row.code: row.value for row in db.session.scalars(sa.select(Setting))}
    return {code: kept.get(code, kind.default) for code, kind in KINDS.items()}


def change(code: str, value: Any) -> None:
    """Set a setting; the value must be one that its kind's `clean` gave."""
    row = db.session.scalar(sa.select(Setting).where(Setting.code == code))
    if row is None:
        if value != KINDS[code].default:
            db.session.add(Setting(code=code, value=value))
    elif row.value != value:
        row.value = value
    db.session.flush()

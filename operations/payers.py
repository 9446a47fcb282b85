"""Payers of a client: what their numbers look like, which one is the default, and when one has to stay."""

from __future__ import annotations

import re
from typing import Any

import sqlalchemy as sa
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_babel import ngettext

from extensions import db, rows_changed
from models import Act, Invoice, LegalStatus, Payer, Payment
from operations import audit, client_users
from operations.errors import OperationRefused

# What a tax number looks like, where that is simple: (companies, everybody else, in words). Check digits are not
# looked at: what the tax office issues is no business of ours, a number of the wrong length is a mistake in typing.
TAX_NUMBERS: dict[str, tuple[str, str, Any]] = {
    "RU": (r"\d{10}", r"\d{12}", _l("10 digits for a company, 12 for everybody else")),
    "BY": (r"\d{9}", r"[A-Z]{2}\d{7}|\d{9}", _l("9 digits")),
    "KZ": (r"\d{12}", r"\d{12}", _l("12 digits")),
    "UA": (r"\d{8}|\d{12}", r"\d{10}|\d{12}", _l("8 or 12 digits for a company, 10 for everybody else")),
}
ANY_TAX_NUMBER = re.compile(r"(?=.*\d)[A-Z0-9](?:[A-Z0-9 ./-]{0,38}[A-Z0-9])?", re.IGNORECASE | re.ASCII)
REASON_CODE = re.compile(r"\d{4}[0-9A-Z]{2}\d{3}", re.ASCII)
DOCUMENTS = (Invoice, Payment, Act)


def check(payer: Payer, *, is_new: bool) -> None:
    """Put a payer that is going to be written into form; refuse, naming the field, what cannot be.

    Numbers are looked at when they, the country or the status change: what an import brought stays. The first payer
    of a client becomes its default; another default takes the place of the one before, in the same transaction.
    """
    _check_numbers(payer)
    client_users.hold(payer.client.id)
    others = sa.select(Payer.id).where(Payer.client_id == payer.client.id, Payer.id != (payer.id or 0))
    if is_new and not db.session.scalar(sa.select(sa.exists(others))):
        payer.is_default = True
    if payer.is_default:
        _unset_default(others)


def _check_numbers(payer: Payer) -> None:
    changed = {
        name
        for name in ("tax_id", "registration_reason_code", "country", "legal_status")
        if sa.inspect(payer).attrs[name].history.has_changes()
    }
    if not changed:
        return
    payer.tax_id = " ".join((payer.tax_id or "").split())
    payer.registration_reason_code = "".join((payer.registration_reason_code or "").split()).upper()
    if payer.tax_id:
        _check_tax_number(payer)
    if payer.registration_reason_code and payer.country == "RU" and "registration_reason_code" in changed:
        if payer.legal_status != LegalStatus.COMPANY:
            raise OperationRefused(_("A company alone has this code."), field="registration_reason_code")
        if not REASON_CODE.fullmatch(payer.registration_reason_code):
            raise OperationRefused(_("9 characters: digits, of which the fifth and sixth may be letters."),
                                   field="registration_reason_code")  # fmt: skip


def _check_tax_number(payer: Payer) -> None:
    rule = TAX_NUMBERS.get(payer.country)
    if rule is None:
        if not ANY_TAX_NUMBER.fullmatch(payer.tax_id):
            raise OperationRefused(_("A tax number has digits, Latin letters and . / - between them."), field="tax_id")
        return
    compact = re.sub(r"[ .-]", "", payer.tax_id).upper()
    company, other, words = rule
    if not re.fullmatch(company if payer.legal_status == LegalStatus.COMPANY else other, compact, re.ASCII):
        raise OperationRefused(_("In this country a tax number has: %(rule)s.", rule=words), field="tax_id")
    payer.tax_id = compact


def _unset_default(others: sa.Select[Any]) -> None:
    """Take the mark of the default from the client's other payers, before it is given to one."""
    defaults = db.session.execute(others.add_columns(Payer.client_id).where(Payer.is_default)).all()
    for number, client_id in defaults:
        audit.record("edit", module="payers", record_id=number, client_id=client_id,
                     before={"is_default": True}, after={"is_default": False})  # fmt: skip
    ids = [number for number, _client in defaults]
    if ids:
        rows_changed(
            sa.update(Payer).where(Payer.id.in_(ids)).values(is_default=False, row_version=Payer.row_version + 1)
        )


def documents_of(payer: Payer) -> dict[str, int]:
    """How many documents name the payer, by their tables; of tables without one nothing."""
    counts = {
        model.__tablename__: db.session.scalar(sa.select(sa.func.count()).where(model.payer_id == payer.id)) or 0
        for model in DOCUMENTS
    }
    return {name: count for name, count in counts.items() if count}


def why_it_stays(payer: Payer) -> str:
    """Why the payer cannot be removed, in a sentence with what can be done instead; empty where it can."""
    counts = documents_of(payer)
    if not counts:
        return ""
    words = {
        "invoices": lambda n: ngettext("%(num)s invoice", "%(num)s invoices", n),
        "payments": lambda n: ngettext("%(num)s payment", "%(num)s payments", n),
        "acts": lambda n: ngettext("%(num)s act", "%(num)s acts", n),
    }
    named = ", ".join(words[name](count) for name, count in counts.items())
    return _("Documents name this payer, so it stays: %(documents)s. Make another payer the default instead; new "
             "documents will not name this one.", documents=named)  # fmt: skip


def remove(payer: Payer) -> None:
    """Remove a payer. Refuses one that documents name."""
    client_users.hold(payer.client_id)
    if message := why_it_stays(payer):
        raise OperationRefused(message)
    db.session.delete(payer)
    db.session.flush()

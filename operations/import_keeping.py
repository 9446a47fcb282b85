"""What an import keeps of the clients that it changes: the values before and after, as JSON can hold them."""

from __future__ import annotations

from typing import Any

from operations import audit, custom_fields
from operations.import_changes import Change

Values = dict[str, Any]
CLIENT, USER, PAYER = "clients", "client_users", "payers"
# What an import adds to a client, beside columns: groups joined, news no longer agreed to, the deletion.
GROUPS, CONSENT, CLOSED = "groups", "consent", "closed"
IDS = "ids"
CUSTOM = "custom"
# Where the old values of users and payers stand among those of the client.
_OLD_NAMES = {
    USER: {"email": "user_email", "language": "user_language"},
    PAYER: {"name": "payer_name", "country": "payer_country", "phone": "payer_phone", "email": "payer_email"},
}


def before_and_after(change: Change, groups: list[int]) -> tuple[Values, Values]:
    """The values that a change replaced and those it set, by table and column; `groups` are those joined."""
    old = change.old
    after: Values = {IDS: {USER: old.user_id, PAYER: old.payer_id}}
    before: Values = {}
    for table, values in ((CLIENT, change.client), (USER, change.user), (PAYER, change.payer)):
        if values and (table == CLIENT or after[IDS][table] is not None):
            names = _OLD_NAMES.get(table, {})
            had = {column: getattr(old, names.get(column, column)) for column in values}
            before[table], after[table] = _kept(had), _kept(values)
    if CUSTOM in change.client:
        _keep_custom(before[CLIENT], after[CLIENT])
    if groups:
        after[GROUPS] = groups
    if change.withdraws_consent:
        after[CONSENT] = "new" if old.consent_id is None else "known"
    if change.closes:
        after[CLOSED] = True
    return before, after


def _kept(values: Values) -> Values:
    return {column: audit.plain(value) for column, value in values.items()}


def _keep_custom(before: Values, after: Values) -> None:
    """Keep each custom value by itself, those alone that have changed: others may be changed by somebody later."""
    old, new = before.pop(CUSTOM) or {}, after.pop(CUSTOM)
    for code in [code for code in new if old.get(code) != new[code]]:
        name = f"{custom_fields.PREFIX}{code}"
        before[name], after[name] = old.get(code), new[code]

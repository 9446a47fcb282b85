"""What an import keeps of the clients that it changes: the values before and after, as JSON can hold them."""

from __future__ import annotations

from typing import Any

from operations import audit
from operations.import_changes import Change

Values = dict[str, Any]
CLIENT, USER, PAYER = "clients", "client_users", "payers"
# What an import adds to a client, beside columns: groups joined, news no longer agreed to, the deletion.
GROUPS, CONSENT, CLOSED = "groups", "consent", "closed"
IDS = "ids"
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
            before[table] = {column: audit.plain(getattr(old, names.get(column, column))) for column in values}
            after[table] = {column: audit.plain(value) for column, value in values.items()}
    if groups:
        after[GROUPS] = groups
    if change.withdraws_consent:
        after[CONSENT] = "new" if old.consent_id is None else "known"
    if change.closes:
        after[CLOSED] = True
    return before, after

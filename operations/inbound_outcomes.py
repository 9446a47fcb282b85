"""Why a letter that came in was not taken, or nothing was done with it: codes, and what they are called."""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext as _l

# Ignored: nobody wrote these, or they were here before.
AUTOMATIC = "automatic"
BOUNCE = "bounce"
LIST = "list"
OWN = "own"
TWICE = "twice"
EMPTY = "empty"
BY_STAFF = "by_staff"
UNSUBSCRIBED = "unsubscribed"
# Not taken: somebody wrote them, and may want to know.
STRANGER = "stranger"
SEVERAL_CLIENTS = "several_clients"
NOT_OF_CLIENT = "not_of_client"
STAFF = "staff"
NO_USER = "no_user"
NOT_ALLOWED = "not_allowed"
REPLIES_FORBIDDEN = "replies_forbidden"
DELETED = "deleted"
NO_TICKETS = "no_tickets"
TOO_MANY = "too_many"
TOO_LARGE = "too_large"
SENDER = "sender"

LABELS: dict[str, Any] = {
    AUTOMATIC: _l("Written by a machine"),
    BOUNCE: _l("Says that a letter could not be delivered"),
    LIST: _l("From a mailing list"),
    OWN: _l("One of our own letters"),
    TWICE: _l("Came twice"),
    EMPTY: _l("Empty"),
    BY_STAFF: _l("Put aside by staff"),
    UNSUBSCRIBED: _l("Unsubscribes from news"),
    STRANGER: _l("The address is nobody's"),
    SEVERAL_CLIENTS: _l("The address is that of several clients"),
    NOT_OF_CLIENT: _l("The sender is nobody of the ticket's client"),
    STAFF: _l("From a staff member: staff answer in the admin"),
    NO_USER: _l("The client has no user in whose name to write"),
    NOT_ALLOWED: _l("The user may not write in tickets"),
    REPLIES_FORBIDDEN: _l("Replies to the ticket are forbidden"),
    DELETED: _l("The client is deleted"),
    NO_TICKETS: _l("Letters without a ticket are not taken"),
    TOO_MANY: _l("Too many letters from this address in an hour"),
    TOO_LARGE: _l("Too large"),
    SENDER: _l("Has no sender, or several"),
}

# What the sender is told of a letter that was not taken, if told at all. Of anything else nobody is told.
TOLD: dict[str, Any] = {
    STRANGER: _l("This address is not known to us. Please write from the address of your account, or in your panel."),
    SEVERAL_CLIENTS: _l("Several accounts have this address, so we cannot tell which one it is about. Please write in your panel."),
    NOT_OF_CLIENT: _l("This address is not one of the account that the ticket belongs to. Please write from that account's address, or in its panel."),
    STAFF: _l("Answers of staff are not taken by e-mail. Please answer in the admin."),
    NO_USER: _l("Please write in your panel."),
    NOT_ALLOWED: _l("You may not write in tickets of this account. Please ask its owner."),
    REPLIES_FORBIDDEN: _l("The message that you answered takes no replies. Please open a ticket in your panel."),
    NO_TICKETS: _l("Letters that answer no message of ours are not read here. Please open a ticket in your panel."),
    TOO_MANY: _l("Too many letters came from this address in a short time. Please write again in an hour, or in your panel."),
    TOO_LARGE: _l("Your letter is too large. Please send its files in your panel, or make them smaller."),
}  # fmt: skip
# These come from somebody of a client, or from staff; the address of any other may be made up.
FROM_KNOWN = frozenset({SEVERAL_CLIENTS, STAFF, NO_USER, NOT_ALLOWED, REPLIES_FORBIDDEN, NO_TICKETS, TOO_MANY})
# Somebody of the staff should look at these: a person wrote, and nobody has read it.
TO_LOOK_AT = (STRANGER, SEVERAL_CLIENTS, NOT_OF_CLIENT, NO_USER, NOT_ALLOWED, TOO_MANY, TOO_LARGE, SENDER)


class NotTaken(Exception):
    """The letter makes no message; `reason` is one of the codes. `is_ignored`: nobody wrote it."""

    def __init__(self, reason: str, *, is_ignored: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.is_ignored = is_ignored


def label(reason: str) -> str:
    return str(LABELS.get(reason, reason))

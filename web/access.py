"""Who may call an address. Every route says it; what says nothing answers nobody.

Views of the admin carry their permission (admin_views/base.py); all other routes are marked with one of the
decorators here. The mark is looked up before each request.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

View = TypeVar("View", bound=Callable[..., Any])


@dataclass(frozen=True)
class Policy:
    """`audience` is anyone, staff or client. `permission` is what staff need, `area` what client users need.

    `impersonation` says what a staff member in a client's place may do with an unsafe method: "deny" never,
    "allow" once changes are allowed, "always" (leaving) even without.
    """

    audience: str
    permission: str | None = None
    area: str | None = None
    impersonation: str = "deny"


def mark(policy: Policy) -> Callable[[View], View]:
    def decorate(view: View) -> View:
        view.policy = policy  # type: ignore[attr-defined]
        return view

    return decorate


def public(view: View) -> View:
    """Anyone may call it."""
    return mark(Policy("anyone"))(view)


def staff_only(permission: str | None = None) -> Callable[[View], View]:
    """Staff may call it; with `permission`, those whose role has it."""
    return mark(Policy("staff", permission=permission))


def client_only(area: str | None = None, *, impersonation: str = "deny") -> Callable[[View], View]:
    """Client users may call it: the owner, and those with the right to `area`."""
    return mark(Policy("client", area=area, impersonation=impersonation))


def policy_of(view: Any) -> Policy | None:
    return getattr(view, "policy", None)

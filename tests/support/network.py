"""In tests nothing leaves this machine: whoever tries fails, and the test as well.

The guard hangs on the interpreter's own audit events, so no library gets round it, in no thread.
"""

from __future__ import annotations

import ipaddress
import socket

attempts: list[str] = []


class OutsideConnection(AssertionError):
    """A test tried to reach a machine other than its own."""


def guard(event: str, arguments: tuple[object, ...]) -> None:
    """To be given to sys.addaudithook."""
    if event in {"socket.connect", "socket.sendto", "socket.sendmsg"}:
        address = arguments[1]
        host = address[0] if isinstance(address, tuple) else None
    elif event in {"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"}:
        # smtplib asks for the full name of this machine to say who it is.
        host = None if arguments[0] == socket.gethostname() else arguments[0]
    else:
        return
    if not is_here(host):
        attempts.append(f"{event} {host}")
        raise OutsideConnection(f"a test may not reach {host}")


def is_here(host: object) -> bool:
    if isinstance(host, bytes):
        host = host.decode("ascii", "replace")
    if host in {None, "", "localhost"}:
        return True
    try:
        return ipaddress.ip_address(str(host)).is_loopback
    except ValueError:
        return False

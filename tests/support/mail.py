"""A real mail server for tests: it keeps what it is given, and can refuse, dawdle or be away."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from email import policy
from email.message import EmailMessage
from email.parser import BytesHeaderParser, BytesParser

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session


@dataclass(frozen=True)
class Letter:
    """A letter as it was handed over: the envelope, and what it says."""

    sender: str
    recipients: tuple[str, ...]
    raw: bytes

    @property
    def message(self) -> EmailMessage:
        return BytesParser(EmailMessage, policy=policy.default).parsebytes(self.raw)

    @property
    def message_id(self) -> str:
        """As `message["Message-ID"]`, without taking the whole letter apart."""
        return BytesHeaderParser(policy=policy.default).parsebytes(self.raw)["Message-ID"]

    @property
    def subject(self) -> str:
        return str(self.message["Subject"])

    @property
    def text(self) -> str:
        """The plain text part, '' without one."""
        return self._body("plain")

    @property
    def html(self) -> str:
        """The HTML part, '' without one."""
        return self._body("html")

    @property
    def attachments(self) -> dict[str, bytes]:
        return {part.get_filename() or "": part.get_payload(decode=True) for part in self.message.iter_attachments()}

    def _body(self, kind: str) -> str:
        part = self.message.get_body((kind,))
        return part.get_content() if part else ""


class MailServer:
    """`letters` in the order of arrival. The rest says how it behaves, and is forgotten with `clear`.

    `pipelining`: whether it takes several commands at once. `refusals` maps a recipient to the reply that it gets at
    RCPT, `data_reply` is the reply to a whole letter,
    `delay` the seconds before that reply, to which `dawdle` adds for each letter anew, `on_letter` is called
    before it (a test may kill somebody).
    """

    def __init__(self) -> None:
        self._socket = listening_socket()
        self.port = self._socket.getsockname()[1]
        self._controller: Controller | None = None
        self.clear()

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    def clear(self) -> None:
        self.letters: list[Letter] = []
        self.pipelining = True
        self.refusals: dict[str, str] = {}
        self.data_reply = "250 OK"
        self.delay = 0.0
        self.dawdle: Callable[[], float] = lambda: 0.0
        self.on_letter = lambda letter: None

    def start(self) -> None:
        if self._controller is None:
            if self._socket.fileno() == -1:
                self._socket = listening_socket(self.port)
            self._controller = _OnSocket(self, self._socket)
            self._controller.start()

    def stop(self) -> None:
        """Be away: connections are refused until `start`."""
        if self._controller is not None:
            self._controller.stop()
            self._controller = None
            self._socket.close()

    def to(self, recipient: str) -> list[Letter]:
        return [letter for letter in self.letters if recipient in letter.recipients]

    def wait_for(self, count: int, seconds: float = 10) -> list[Letter]:
        """Return the letters as soon as there are `count` of them; fail when time is up."""
        deadline = time.monotonic() + seconds
        while len(self.letters) < count:
            assert time.monotonic() < deadline, f"{len(self.letters)} of {count} letters came in {seconds} s"
            time.sleep(0.02)
        return self.letters

    async def handle_EHLO(
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        return [responses[0], *(["250-PIPELINING"] if self.pipelining else []), *responses[1:]]

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, rcpt_options: list[str]
    ) -> str:
        if address in self.refusals:
            return self.refusals[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        letter = Letter(envelope.mail_from or "", tuple(envelope.rcpt_tos), envelope.content)
        await asyncio.sleep(self.delay + self.dawdle())
        reply = self.data_reply
        if reply.startswith("2"):
            self.letters.append(letter)
        self.on_letter(letter)
        return reply


def listening_socket(port: int = 0) -> socket.socket:
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind(("127.0.0.1", port))
    return made


class _OnSocket(Controller):
    """Serves on a socket that is bound already, so that no two test processes can want one port."""

    def __init__(self, handler: MailServer, bound: socket.socket) -> None:
        super().__init__(handler, hostname="127.0.0.1", port=handler.port, server_hostname="test", enable_SMTPUTF8=True)
        self._bound = bound

    def _create_server(self):
        return self.loop.create_server(self._factory_invoker, sock=self._bound)

"""The connection to the mail server: kept open, encrypted where the server can, and three ways to fail."""

from __future__ import annotations

import logging
import smtplib
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

from config import MailServer

log = logging.getLogger("clientdesk.mail")

# Seconds that the server may take over one reply.
TIMEOUT = 60
# A connection unused for longer is asked whether it still stands, or given up, before it is used.
ASK_AFTER = 10
CLOSE_AFTER = 30
LOGIN_WANTED = {530, 534, 535, 538}
CLOSING = 421
OK = 250
GO_ON = 354


class Unreachable(Exception):
    """The server cannot be spoken to, or the talk broke off: no letter is at fault."""


class LoginRefused(Exception):
    """The server does not take our name and password: nothing can be sent until somebody sees to it."""


class Refused(Exception):
    """The server does not take this letter, for good (5yz) or for now (4yz)."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code} {message}")
        self.code = code

    @property
    def is_permanent(self) -> bool:
        return 500 <= self.code < 600


class Envelope(NamedTuple):
    """What is said of a letter before its content; `size` in bytes."""

    sender: str
    to: str
    size: int


class Connection:
    """One connection, made when it is needed and kept while it is used."""

    def __init__(self, server: MailServer, *, own_name: str, timeout: float = TIMEOUT) -> None:
        self._server = server
        self._own_name = own_name if not own_name[:1].isdigit() else f"[{own_name}]"
        self._timeout = timeout
        self._smtp: smtplib.SMTP | None = None
        # The letter that the server was told of and has nothing of yet.
        self._offered: Envelope | None = None
        self._used_at = 0.0

    def open(self) -> None:
        """Be connected and logged in. Raises Unreachable or LoginRefused."""
        if self._smtp is not None and time.monotonic() - self._used_at > ASK_AFTER and not self._still_stands():
            self.close()
        if self._smtp is None:
            self._smtp = self._connect()
            self._used_at = time.monotonic()

    def hand_over(self, *, sender: str, to: str, letter: bytes, following: Envelope | None = None) -> None:
        """Give the server one letter; whether it has taken it says `taken`. Raises any of the three failures.

        The addresses must be fit for an envelope already, and the letter's lines end as lines of letters do. A server
        that takes several commands at once is told behind the letter which one is `following`; it has nothing of that
        one yet, and takes none if the connection ends. That a letter's content may begin such a group of commands, and
        DATA must end it, says RFC 2920, 3.1.
        """
        if self._smtp is None:
            raise Unreachable("not connected")
        with self._heard():
            wanted = Envelope(sender, to, len(letter))
            if self._offered not in (None, wanted):
                raise smtplib.SMTPServerDisconnected("another letter was offered")
            at_once = self._smtp.has_extn("pipelining")
            self._end_if_refused(self._smtp, self._replies(self._smtp, wanted, at_once=at_once))
            end = b".\r\n" if letter.endswith(b"\r\n") else b"\r\n.\r\n"
            commands = b""
            if following is not None and at_once:
                with suppress(Refused):
                    commands = self._commands(self._smtp, following)
                    self._offered = following
            self._smtp.send(b"".join((letter.replace(b"\r\n.", b"\r\n.."), end, commands)))

    def taken(self) -> None:
        """Wait until the server has the letter that was handed over last. Raises any of the three failures."""
        if self._smtp is None:
            raise Unreachable("not connected")
        with self._heard():
            code, text = self._smtp.getreply()
            if code != OK:
                raise smtplib.SMTPResponseException(code, text)

    def withdraw(self) -> None:
        """Take back the letter that the server was told of, if anything was: by ending the connection, as there is no other way."""
        if self._offered is not None:
            self.close()

    @contextmanager
    def _heard(self) -> Iterator[None]:
        """Within the block, what the server says and what becomes of the connection is one of the three failures."""
        try:
            yield
        except smtplib.SMTPResponseException as error:
            raise self._refusal(error.smtp_code, error.smtp_error) from error
        except (OSError, smtplib.SMTPException) as error:
            raise self._lost(error) from error
        finally:
            self._used_at = time.monotonic()

    def _replies(self, smtp: smtplib.SMTP, wanted: Envelope, *, at_once: bool) -> list[tuple[int, bytes]]:
        """What the server says to MAIL, RCPT and DATA, which it may have been told already."""
        if not at_once:
            replies: list[tuple[int, bytes]] = []
            for command in self._commands(smtp, wanted).splitlines(keepends=True):
                if all(code < 400 for code, _text in replies):
                    smtp.send(command)
                    replies.append(smtp.getreply())
            return replies
        if self._offered is None:
            smtp.send(self._commands(smtp, wanted))
        self._offered = None
        return [smtp.getreply() for _command in range(3)]

    def _commands(self, smtp: smtplib.SMTP, of: Envelope) -> bytes:
        options = self._options(smtp, of.sender, of.to, of.size)
        return f"MAIL FROM:<{of.sender}>{options}\r\nRCPT TO:<{of.to}>\r\nDATA\r\n".encode()

    def _end_if_refused(self, smtp: smtplib.SMTP, replies: list[tuple[int, bytes]]) -> None:
        """Raise the first refusal among the replies to MAIL, RCPT and DATA; the server waits for the next."""
        refusal = next(((code, text) for code, text in replies if code >= 400 or code < 200), None)
        if refusal is None:
            return
        if replies[-1][0] == GO_ON:
            # It was told all three at once and asks for the letter: it gets an empty one, for nobody.
            smtp.send(b".\r\n")
            smtp.getreply()
        if refusal[0] != CLOSING:
            smtp.send(b"RSET\r\n")
            smtp.getreply()
        raise smtplib.SMTPResponseException(*refusal)

    @property
    def is_open(self) -> bool:
        return self._smtp is not None

    def close(self) -> None:
        smtp, self._smtp, self._offered = self._smtp, None, None
        if smtp is not None:
            try:
                smtp.close()
            except OSError:
                log.debug("the connection to the mail server broke while it was closed")

    def close_if_idle(self) -> None:
        if self._smtp is not None and time.monotonic() - self._used_at > CLOSE_AFTER:
            try:
                self._smtp.quit()
            except (OSError, smtplib.SMTPException):
                log.debug("the mail server did not wait for our goodbye")
            self.close()

    def _connect(self) -> smtplib.SMTP:
        try:
            smtp = self._socket()
            try:
                self._introduce(smtp)
            except BaseException:
                smtp.close()
                raise
        except smtplib.SMTPAuthenticationError as error:
            words = _words(error.smtp_code, error.smtp_error)
            raise (LoginRefused(words) if error.smtp_code >= 500 else Unreachable(words)) from error
        except smtplib.SMTPNotSupportedError as error:
            raise LoginRefused(str(error)) from error
        except (OSError, smtplib.SMTPException) as error:
            raise Unreachable(f"{self._server.host}:{self._server.port}: {error}") from error
        return smtp

    def _socket(self) -> smtplib.SMTP:
        server = self._server
        if server.security == "tls":
            return smtplib.SMTP_SSL(
                server.host,
                server.port,
                local_hostname=self._own_name,
                timeout=self._timeout,
                context=ssl.create_default_context(),
            )
        return smtplib.SMTP(server.host, server.port, local_hostname=self._own_name, timeout=self._timeout)

    def _introduce(self, smtp: smtplib.SMTP) -> None:
        """Encrypt if the server offers it, with its certificate checked, and log in."""
        smtp.ehlo_or_helo_if_needed()
        if self._server.security == "starttls" and smtp.has_extn("starttls"):
            smtp.starttls(context=ssl.create_default_context())
        if self._server.username:
            smtp.login(self._server.username, self._server.password or "")

    def _still_stands(self) -> bool:
        assert self._smtp is not None
        try:
            return self._smtp.noop()[0] < 400
        except (OSError, smtplib.SMTPException):
            return False

    def _options(self, smtp: smtplib.SMTP, sender: str, to: str, size: int) -> str:
        """What MAIL says beside the sender; foreign letters before the @ need a server that knows them."""
        options = f" SIZE={size}" if smtp.has_extn("size") else ""
        if sender.isascii() and to.isascii():
            return options
        if not smtp.has_extn("smtputf8"):
            raise Refused(550, "the mail server takes no such address")
        return f"{options} SMTPUTF8"

    def _refusal(self, code: int, message: bytes | str) -> Exception:
        if code == CLOSING or code < 400:
            self.close()
        words = _words(code, message)
        if code in LOGIN_WANTED:
            self.close()
            return LoginRefused(words)
        return Refused(code, words.partition(" ")[2])

    def _lost(self, error: Exception) -> Unreachable:
        self.close()
        return Unreachable(f"{self._server.host}:{self._server.port}: {error}")


def _words(code: int, message: bytes | str) -> str:
    text = message.decode("utf-8", "replace") if isinstance(message, bytes) else message
    return f"{code} {' '.join(text.split())}"[:400]

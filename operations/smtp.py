"""The connection to the mail server: kept open, encrypted where the server can, and three ways to fail."""

from __future__ import annotations

import logging
import smtplib
import ssl
import time

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


class Connection:
    """One connection, made when it is needed and kept while it is used."""

    def __init__(self, server: MailServer, *, own_name: str, timeout: float = TIMEOUT) -> None:
        self._server = server
        self._own_name = own_name if not own_name[:1].isdigit() else f"[{own_name}]"
        self._timeout = timeout
        self._smtp: smtplib.SMTP | None = None
        self._used_at = 0.0

    def open(self) -> None:
        """Be connected and logged in. Raises Unreachable or LoginRefused."""
        if self._smtp is not None and time.monotonic() - self._used_at > ASK_AFTER and not self._still_stands():
            self.close()
        if self._smtp is None:
            self._smtp = self._connect()
            self._used_at = time.monotonic()

    def send(self, *, sender: str, to: str, letter: bytes) -> None:
        """Hand one letter over; when this returns the server has it. Raises any of the three.

        Both addresses must be fit for an envelope already, and the letter's lines end as lines of letters do.
        """
        if self._smtp is None:
            raise Unreachable("not connected")
        try:
            self._hand_over(self._smtp, sender, to, letter)
        except smtplib.SMTPResponseException as error:
            raise self._refusal(error.smtp_code, error.smtp_error) from error
        except (OSError, smtplib.SMTPException) as error:
            raise self._lost(error) from error
        finally:
            self._used_at = time.monotonic()

    def _hand_over(self, smtp: smtplib.SMTP, sender: str, to: str, letter: bytes) -> None:
        options = self._options(smtp, sender, to, len(letter))
        commands = [f"MAIL FROM:<{sender}>{options}", f"RCPT TO:<{to}>", "DATA"]
        if smtp.has_extn("pipelining"):
            smtp.send("".join(f"{command}\r\n" for command in commands).encode())
            replies = [smtp.getreply() for _command in commands]
        else:
            replies = []
            while len(replies) < len(commands) and all(code < 400 for code, _text in replies):
                smtp.send(f"{commands[len(replies)]}\r\n".encode())
                replies.append(smtp.getreply())
        self._end_if_refused(smtp, replies)
        smtp.send(letter.replace(b"\r\n.", b"\r\n..") + (b".\r\n" if letter.endswith(b"\r\n") else b"\r\n.\r\n"))
        code, text = smtp.getreply()
        if code != OK:
            raise smtplib.SMTPResponseException(code, text)

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
        smtp, self._smtp = self._smtp, None
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

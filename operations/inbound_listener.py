"""Letters that are brought to us, over LMTP or SMTP. «250» is said only after the letter is kept.

A letter goes to disk while it comes, so that neither a large one nor one of very many short lines takes memory.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import threading
from collections.abc import Callable
from typing import Any

from aiosmtpd.smtp import SMTP
from flask import Flask

from config import Inbox
from extensions import now
from operations import desk_mark, inbound_sources
from operations.inbound_charsets import one_line
from operations.inbound_store import LARGEST_LETTER, Arrival, Incoming

log = logging.getLogger("clientdesk.inbound")

LONGEST_LINE = 64 * 1024
# A peer that says nothing for so long is let go, in seconds.
PATIENCE = 120
RENEWED_AFTER = 10
LINE_END = b"\r\n"
BEGINNINGS = (b"\r\n.\r", b"\r\n.", b"\r\n", b"\r")
MOST_RECIPIENTS = 100


class Listener:
    """Takes letters in at the address of INBOUND_URL, as long as no other worker on this machine does."""

    def __init__(self, app: Flask, box: Inbox) -> None:
        self._app, self._box = app, box
        self._server: _Server | None = None

    def listen(self) -> bool:
        """Be listening, if the address is free and the desk is not held; whether we are."""
        if not desk_mark.is_free():
            self.close()
            return False
        if self._server is None:
            try:
                self._server = _Server(self._app, self._box)
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    inbound_sources.note_failure(self._box, str(error), now=now())
                return False
            log.info("letters are taken in at %s", self._box.name)
        inbound_sources.note_success(self._box, now=now())
        return True

    def close(self) -> None:
        """Say goodbye to whoever is connected, and give the address free."""
        server, self._server = self._server, None
        if server is not None:
            server.close()


class _Server:
    """An event loop in a thread of its own. Raises OSError where the address cannot be had."""

    def __init__(self, app: Flask, box: Inbox) -> None:
        self._socket = socket.create_server((box.host, box.port), family=_family(box.host))
        self._loop = asyncio.new_event_loop()
        self._receivers = (app, box)
        self._thread = threading.Thread(target=self._run, name="letters in", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        app, box = self._receivers
        serving = self._loop.create_server(lambda: _Receiver(app, box, self._loop), sock=self._socket)
        server = self._loop.run_until_complete(serving)
        try:
            self._loop.run_forever()
        finally:
            server.close()
            tasks = asyncio.all_tasks(self._loop)
            for task in tasks:
                task.cancel()
            self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
            self._loop.run_until_complete(self._loop.shutdown_default_executor())
            self._loop.close()


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


class _Nothing:
    """aiosmtpd asks a handler what it thinks of each command: nothing."""


class _Receiver(SMTP):
    """One connection."""

    line_length_limit = LONGEST_LINE

    def __init__(self, app: Flask, box: Inbox, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(
            _Nothing(),
            data_size_limit=LARGEST_LETTER,
            enable_SMTPUTF8=True,
            hostname="clientdesk",
            ident="Clientdesk",
            timeout=PATIENCE,
            loop=loop,
        )
        self._app, self._box = app, box

    async def smtp_LHLO(self, arg: str) -> None:  # noqa: N802  aiosmtpd finds commands by their names.
        """Greet as LMTP does."""
        if self._box.kind != "lmtp":
            await self.push("500 Error: this is SMTP")
            return
        await self.smtp_EHLO(arg)

    async def smtp_RCPT(self, arg: str) -> None:  # noqa: N802
        if self.envelope is not None and len(self.envelope.rcpt_tos) >= MOST_RECIPIENTS:
            await self.push("452 Too many recipients")
            return
        await super().smtp_RCPT(arg)

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802
        """Take a letter: to disk line by line, then into the database, and only then «250»."""
        if await self.check_helo_needed():
            return
        if self.envelope is None or not self.envelope.rcpt_tos:
            await self.push("503 Error: need RCPT command")
            return
        if arg:
            await self.push("501 Syntax: DATA")
            return
        await self.push("354 End data with <CR><LF>.<CR><LF>")
        reply = await self._take()
        replies = len(self.envelope.rcpt_tos) if self._box.kind == "lmtp" else 1
        self._set_post_data_state()  # type: ignore[no-untyped-call]
        # Over LMTP each recipient gets a reply of its own.
        for _recipient in range(replies):
            await self.push(reply)

    async def _take(self) -> str:
        incoming: Incoming | None = None
        try:
            incoming = await self._aside(self._begun)
            await self._receive(incoming)
            if incoming.is_too_large:
                return "552 The letter is too large"
            await self._aside(lambda: self._keep(incoming))
        except (asyncio.CancelledError, asyncio.IncompleteReadError, ConnectionError):
            raise
        except Exception:
            log.exception("a letter could not be taken in")
            return "451 Try again later"
        finally:
            if incoming is not None:
                incoming.__exit__(None, None, None)
        return "250 OK"

    def _begun(self) -> Incoming:
        return Incoming().__enter__()

    def _keep(self, incoming: Incoming) -> None:
        assert self.envelope is not None
        if not desk_mark.is_free():
            raise RuntimeError("the desk is held")
        arrival = Arrival(
            source=self._box.kind,
            return_path=f"<{one_line(self.envelope.mail_from or '').strip('<>')[:252]}>",
            envelope_to=tuple(one_line(address)[:254] for address in self.envelope.rcpt_tos),
        )
        incoming.keep(arrival, now=now())

    async def _aside(self, work: Callable[[], Any]) -> Any:
        """Do what waits for disk and database in another thread, where others can be answered meanwhile."""

        def within() -> Any:
            with self._app.app_context():
                return work()

        return await self.loop.run_in_executor(None, within)

    async def _receive(self, incoming: Incoming) -> None:
        """Write the letter up to the line with the lone dot, dots that were doubled at the start of lines as one."""
        # What came before ends a line, so that a dot at the very beginning is seen; it is not written.
        held, begun, renewed_at = LINE_END, len(LINE_END), self.loop.time()
        while True:
            piece = await self._reader.read(LONGEST_LINE)
            if not piece:
                raise ConnectionResetError("the connection ended within a letter")
            held += piece
            end = held.find(LINE_END + b"." + LINE_END)
            cut = end + len(LINE_END) if end >= 0 else _before_a_dot(held)
            incoming.write(held[:cut].replace(LINE_END + b"..", LINE_END + b".")[begun:])
            if end >= 0:
                # What follows the letter are commands again.
                self._reader._buffer[:0] = held[cut + 3 :]  # type: ignore[attr-defined]  # noqa: SLF001
                return
            held, begun = held[cut:], 0 if cut else begun
            if self.loop.time() - renewed_at > RENEWED_AFTER:
                renewed_at = self.loop.time()
                self._reset_timeout()


def _before_a_dot(held: bytes) -> int:
    """How much can be written without knowing what follows: all but what may begin the end, or a doubled dot."""
    return len(held) - next((len(part) for part in BEGINNINGS if held.endswith(part)), 0)

"""A mail server that takes everything and keeps nothing: as fast as one process in Python can be.

It prints its port. Besides SMTP it knows `XFIGURES`, which tells in JSON what came since the last time it was asked:
letters, recipients (each counted once), bytes, and when the first and the last letter came.
"""

from __future__ import annotations

import asyncio
import json
import time

END = b"\r\n.\r\n"


class Figures:
    def __init__(self) -> None:
        self.letters = self.bytes = 0
        self.first = self.last = 0.0
        self.recipients: set[bytes] = set()

    def note(self, size: int) -> None:
        self.last = time.monotonic()
        self.first = self.first or self.last
        self.letters += 1
        self.bytes += size

    def told(self) -> bytes:
        kept = {"letters": self.letters, "bytes": self.bytes, "first": self.first, "last": self.last}
        return json.dumps({**kept, "recipients": len(self.recipients)}).encode()


class Talk(asyncio.Protocol):
    """One connection. Commands may come several at once, as PIPELINING has it."""

    figures = Figures()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport, self._buffer, self._in_letter = transport, bytearray(), False
        self._searched = 0
        transport.write(b"220 sink\r\n")

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        replies: list[bytes] = []
        while self._letter(replies) if self._in_letter else self._command(replies):
            pass
        self._transport.write(b"".join(replies))

    def _letter(self, replies: list[bytes]) -> bool:
        end = self._buffer.find(END, self._searched)
        if end < 0:
            self._searched = max(0, len(self._buffer) - len(END))
            return False
        self.figures.note(end)
        del self._buffer[: end + len(END)]
        self._in_letter, self._searched = False, 0
        replies.append(b"250 taken\r\n")
        return True

    def _command(self, replies: list[bytes]) -> bool:
        end = self._buffer.find(b"\r\n")
        if end < 0:
            return False
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        replies.append(self._reply(line, line[:4].upper()))
        return True

    def _reply(self, line: bytes, verb: bytes) -> bytes:
        if verb == b"DATA":
            self._in_letter = True
            return b"354 go on\r\n"
        if verb == b"RCPT":
            type(self).figures.recipients.add(line[8:].rstrip(b">"))
        elif verb == b"EHLO":
            return b"250-sink\r\n250-PIPELINING\r\n250-SIZE 33554432\r\n250 8BITMIME\r\n"
        elif verb == b"QUIT":
            asyncio.get_running_loop().call_soon(self._transport.close)
            return b"221 bye\r\n"
        elif verb == b"XFIG":
            told, type(self).figures = type(self).figures.told(), Figures()
            return b"250 " + told + b"\r\n"
        elif verb == b"XNOW":
            return b"250 %d\r\n" % self.figures.letters
        return b"250 ok\r\n"


async def serve() -> None:
    server = await asyncio.get_running_loop().create_server(Talk, "127.0.0.1", 0, backlog=100)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve())

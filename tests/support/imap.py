"""A small IMAP server for tests: one account, some folders, real conversations over a real socket.

It knows what a mailbox that is fetched needs (RFC 3501: LOGIN, SELECT, UID SEARCH UNSEEN, UID FETCH in parts, UID
STORE, LOGOUT), and can be made to refuse, to hang up in the middle, or to say nothing.
"""

from __future__ import annotations

import re
import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

TLS = Path(__file__).with_name("tls")
CONTEXT = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
CONTEXT.load_cert_chain(TLS / "server.pem")
FETCH = re.compile(r"(\d+) \((.+)\)$")
PARTIAL = re.compile(r"BODY\.PEEK\[\]<(\d+)\.(\d+)>")


def wrapped(connection: socket.socket) -> ssl.SSLSocket:
    return CONTEXT.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)


class ImapServer:
    """`folders` maps names to letters by UID; `seen` are (folder, UID) that were marked.

    `password` is what LOGIN needs. `hang_up_at` ends the connection when that word is in a command; `log` has every
    command without passwords; `size_of` says something else than the truth about sizes. `encrypted` is "imaps", "starttls"
    or nothing; its certificate is tests/support/tls/certificate.pem, which nobody trusts unless he is told to.
    """

    def __init__(self) -> None:
        self.folders: dict[str, dict[int, bytes]] = {"INBOX": {}}
        self.seen: set[tuple[str, int]] = set()
        self.password = "secret"
        self.hang_up_at = ""
        self.log: list[str] = []
        self.sizes: dict[int, int] = {}
        self.sent = 0
        self.encrypted = ""
        server = self

        class Handler(socketserver.StreamRequestHandler):
            def setup(self) -> None:
                if server.encrypted == "imaps":
                    self.request = wrapped(self.request)
                super().setup()

            def finish(self) -> None:
                super().finish()
                self.connection.close()

            def handle(self) -> None:
                # One who does not like the certificate goes away.
                with suppress(ssl.SSLError):
                    Conversation(server, self).go()

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]

    def url(self, folder: str = "", password: str = "") -> str:
        return f"{'imaps' if self.encrypted == 'imaps' else 'imap'}://desk:{password or self.password}@127.0.0.1:{self.port}/{folder}"

    def put(self, raw: bytes, folder: str = "INBOX") -> int:
        letters = self.folders.setdefault(folder, {})
        letters[len(letters) + 1] = raw
        return len(letters)

    @contextmanager
    def running(self) -> Iterator[ImapServer]:
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            thread.join()
            self._server.server_close()


class Conversation:
    def __init__(self, server: ImapServer, handler: socketserver.StreamRequestHandler) -> None:
        self.server, self.handler = server, handler
        self.rfile, self.wfile = handler.rfile, handler.wfile
        self.folder = ""

    def go(self) -> None:
        self.say("* OK ready")
        while line := self.rfile.readline(10_000).decode().strip():
            tag, _space, command = line.partition(" ")
            word = command.split(" ")[0].upper()
            self.server.log.append("LOGIN" if word == "LOGIN" else command)
            if self.server.hang_up_at and self.server.hang_up_at in command:
                return
            answer = self.answer(word, command)
            self.say(f"{tag} {answer}")
            if word == "STARTTLS" and answer.startswith("OK"):
                self.encrypt()
            if word == "LOGOUT":
                return

    def answer(self, word: str, command: str) -> str:
        if word == "CAPABILITY":
            can = " STARTTLS" if self.server.encrypted == "starttls" else ""
            self.say(f"* CAPABILITY IMAP4rev1{can}")
        elif word == "STARTTLS" and self.server.encrypted != "starttls":
            return "BAD not here"
        elif word == "LOGIN":
            if command.split(" ")[2].strip('"') != self.server.password:
                return "NO [AUTHENTICATIONFAILED] wrong password"
        elif word == "SELECT":
            return self.select(command.partition(" ")[2].strip('"'))
        elif word == "UID":
            return self.by_uid(command.partition(" ")[2])
        elif word == "LOGOUT":
            self.say("* BYE")
        return f"OK {word} done"

    def encrypt(self) -> None:
        handler = self.handler
        handler.rfile.close()
        handler.wfile.close()
        handler.connection = wrapped(handler.connection)
        self.rfile = handler.rfile = handler.connection.makefile("rb")
        self.wfile = handler.wfile = handler.connection.makefile("wb", buffering=0)

    def select(self, folder: str) -> str:
        if folder not in self.server.folders:
            return "NO there is no such folder"
        self.folder = folder
        self.say(f"* {len(self.letters)} EXISTS")
        return "OK [READ-WRITE] selected"

    @property
    def letters(self) -> dict[int, bytes]:
        return self.server.folders[self.folder]

    def by_uid(self, rest: str) -> str:
        verb, _space, what = rest.partition(" ")
        if verb == "SEARCH":
            unseen = [str(uid) for uid in self.letters if (self.folder, uid) not in self.server.seen]
            self.say("* SEARCH " + " ".join(unseen))
        elif verb == "STORE":
            self.server.seen.add((self.folder, int(what.split(" ")[0])))
        elif verb == "FETCH":
            self.fetch(what)
        return f"OK {verb} done"

    def fetch(self, what: str) -> None:
        found = FETCH.match(what)
        assert found, what
        uid = int(found[1])
        if uid not in self.letters:
            return
        raw = self.letters[uid]
        if found[2] == "RFC822.SIZE":
            self.say(f"* {uid} FETCH (UID {uid} RFC822.SIZE {self.server.sizes.get(uid, len(raw))})")
            return
        part = PARTIAL.match(found[2])
        assert part, what
        piece = raw[int(part[1]) : int(part[1]) + int(part[2])]
        self.server.sent += len(piece)
        self.wfile.write(f"* {uid} FETCH (UID {uid} BODY[]<{part[1]}> {{{len(piece)}}}\r\n".encode() + piece + b")\r\n")

    def say(self, line: str) -> None:
        self.wfile.write(line.encode() + b"\r\n")

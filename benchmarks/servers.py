"""The applications that are measured, served by gunicorn on ports of this machine, and their visitors."""

from __future__ import annotations

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from benchmarks.databases import ROOT

SECONDS_TO_START = 30
SECONDS_TO_STOP = 10
SECONDS_TO_ANSWER = 600
# Less than `keepalive` in gunicorn.conf.py.
SECONDS_TO_KEEP = 8
TOKEN = re.compile(r'name="csrf(?:_|middleware)token"[^>]*value="([^"]+)"')
Fields = Mapping[str, str] | Sequence[tuple[str, str]]


class Failed(Exception):
    """A page was not what it has to be; there is nothing to measure."""


class Server:
    """One application under gunicorn, with the configuration of the product for all."""

    def __init__(self, name: str, application: str, environ: Mapping[str, str], *, workers: int) -> None:
        self.name = name
        self.port = _free_port()
        self._log = Path(environ["DATA_DIR"]) / f"{name}.log".replace(" ", "_")
        variables = {"PORT": str(self.port), "WEB_CONCURRENCY": str(workers), "TESTING": ""}
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "gunicorn", "--config", "gunicorn.conf.py", application],
                cwd=ROOT,
                env={**os.environ, **environ, **variables, "PUBLIC_URL": f"http://127.0.0.1:{self.port}"},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + SECONDS_TO_START
        while time.monotonic() < deadline and self._process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        self.stop()
        raise Failed(f"{self.name} does not start:\n{self.log()}")

    def log(self) -> str:
        """The end of what the server had to say."""
        return self._log.read_text()[-3000:]

    def _workers(self) -> list[Path]:
        pid = self._process.pid
        return [Path(f"/proc/{child}") for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def cpu_seconds(self) -> float:
        """Processor time that the workers have had so far."""
        return sum(_processor_time(worker) for worker in self._workers())

    def megabytes(self) -> float:
        """Memory of the worker that has most, now (VmRSS)."""
        return max(memory(worker, "VmRSS") for worker in self._workers())

    def peak_megabytes(self) -> float:
        """The most memory that one worker has held at once (VmHWM), since it began or `forget_peak`."""
        return max(memory(worker, "VmHWM") for worker in self._workers())

    def forget_peak(self) -> None:
        """Let the peak begin anew at what is held now."""
        for worker in self._workers():
            (worker / "clear_refs").write_text("5")

    def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(SECONDS_TO_STOP)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


@dataclass(frozen=True)
class Answer:
    status: int
    text: str
    location: str = ""


class Visitor:
    """A browser of sorts: one kept connection, and the cookies that it was given."""

    def __init__(self, server: Server, cookies: Mapping[str, str] | None = None) -> None:
        self.server = server
        self.cookies = dict(cookies or {})
        self._connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=SECONDS_TO_ANSWER)
        self._connect()

    def _connect(self) -> None:
        self._connection.close()
        self._connection.connect()
        # Small requests must not wait for one another's acknowledgement.
        self._connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._used = time.monotonic()

    def wake(self) -> None:
        """Connect again if nobody has been here for so long that the server will have hung up."""
        if time.monotonic() - self._used > SECONDS_TO_KEEP:
            self._connect()

    def another(self) -> Visitor:
        """The same person through a connection of its own."""
        return Visitor(self.server, self.cookies)

    def get(self, path: str) -> Answer:
        return self._send("GET", path, None)

    def post(self, path: str, fields: Fields) -> Answer:
        return self._send("POST", path, urlencode(fields))

    def _send(self, method: str, path: str, body: str | None) -> Answer:
        response = self._request(method, path, body)
        text = response.read().decode()
        if response.status >= 500:
            raise Failed(f"{self.server.name} answered {response.status} at {path}:\n{text[:500]}\n{self.server.log()}")
        return Answer(response.status, text, response.getheader("Location", ""))

    def stream(self, path: str) -> Iterator[bytes]:
        """The answer's body in pieces, as they come."""
        response = self._request("GET", path, None)
        if response.status != 200:
            raise Failed(f"{path} answered {response.status}")
        while piece := response.read1(1 << 16):
            yield piece

    def _request(self, method: str, path: str, body: str | None) -> http.client.HTTPResponse:
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        self.wake()
        self._connection.request(method, path, body, headers)
        response = self._connection.getresponse()
        self._used = time.monotonic()
        for name, value in response.getheaders():
            if name.lower() == "set-cookie":
                cookie, _sign, rest = value.partition("=")
                self.cookies[cookie] = rest.partition(";")[0]
        return response

    def close(self) -> None:
        self._connection.close()


def token_of(page: Answer) -> str:
    """The CSRF token of the first form of a page."""
    found = TOKEN.search(page.text)
    if found is None:
        raise Failed(f"no form in a page of status {page.status}:\n{page.text[:2000]}")
    return found[1]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _processor_time(process: Path) -> float:
    """Seconds that all threads of a process have run."""
    return sum(_nanoseconds(task) for task in (process / "task").iterdir()) / 1e9


def _nanoseconds(task: Path) -> int:
    try:
        return int((task / "schedstat").read_text().split()[0])
    except (FileNotFoundError, ProcessLookupError):
        return 0  # The thread has ended meanwhile.


def memory(process: Path, name: str) -> float:
    for line in (process / "status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 1024
    return 0.0

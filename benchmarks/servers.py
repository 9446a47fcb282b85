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
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from benchmarks.databases import ROOT

SECONDS_TO_START = 30
SECONDS_TO_STOP = 10
TOKEN = re.compile(r'name="csrf_token"[^>]*value="([^"]+)"')
ROW = re.compile(r'<tr[^>]*\bdata-id="(\d+)"')


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
        raise Failed(f"{self.name} does not start:\n{self._log.read_text()[-3000:]}")

    def _workers(self) -> list[Path]:
        pid = self._process.pid
        return [Path(f"/proc/{child}") for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def cpu_seconds(self) -> float:
        """Processor time that the workers have had so far."""
        return sum(_processor_time(worker) for worker in self._workers())

    def peak_megabytes(self) -> float:
        """The most memory that one worker has held at once (VmHWM)."""
        return max(_high_water_mark(worker) for worker in self._workers())

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

    @property
    def rows(self) -> list[int]:
        return [int(number) for number in ROW.findall(self.text)]


class Visitor:
    """A browser of sorts: one kept connection, and the cookies that it was given."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
        self._connection.connect()
        # Small requests must not wait for one another's acknowledgement.
        self._connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._cookies: dict[str, str] = {}

    def get(self, path: str) -> Answer:
        return self._send("GET", path, None)

    def post(self, path: str, fields: Mapping[str, str]) -> Answer:
        return self._send("POST", path, urlencode(fields))

    def _send(self, method: str, path: str, body: str | None) -> Answer:
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self._cookies.items())}
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        self._connection.request(method, path, body, headers)
        response = self._connection.getresponse()
        text = response.read().decode()
        for name, value in response.getheaders():
            if name.lower() == "set-cookie":
                cookie, _sign, rest = value.partition("=")
                self._cookies[cookie] = rest.partition(";")[0]
        return Answer(response.status, text, response.getheader("Location", ""))

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
    """Seconds, as user and in the kernel; they stand behind the name, which may have blanks in it."""
    fields = (process / "stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _high_water_mark(process: Path) -> float:
    for line in (process / "status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0

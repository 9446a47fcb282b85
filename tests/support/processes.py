"""The application in several real processes, as gunicorn serves it, and a visitor who speaks HTTP to them.

What must hold across processes, and while they are killed, is tested on these.
"""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlencode

from tests.support import page as pages

ROOT = Path(__file__).resolve().parents[2]


class Web:
    """`gunicorn "app:create_app()"` with so many processes; to be killed and started as often as wished."""

    def __init__(self, environ: Mapping[str, str], port: int, processes: int) -> None:
        self.port = port
        self._environ = {
            "PATH": os.environ["PATH"],
            **environ,
            "PORT": str(port),
            "WEB_CONCURRENCY": str(processes),
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start, and return once it answers."""
        command = [sys.executable, "-m", "gunicorn", "--preload", "app:create_app()"]
        self._process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=self._environ,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        deadline = time.monotonic() + 60
        while True:
            assert self._process.poll() is None, "gunicorn has ended"
            try:
                assert Caller(self.port).get("/readyz").status == 200
            except OSError:
                assert time.monotonic() < deadline, "gunicorn does not answer"
                time.sleep(0.05)
            else:
                return

    @property
    def pid(self) -> int:
        """The process that the others are children of."""
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """SIGKILL for all its processes at once."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def restart(self) -> None:
        self.kill()
        self.start()


class Answer:
    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = response.headers
        self.text = response.read().decode("utf-8", "replace")

    @property
    def location(self) -> str:
        return self.headers.get("Location", "")

    @property
    def page(self) -> pages.Node:
        return pages.read(self.text)


class Caller:
    """A visitor with his cookies, and the address that a proxy in front would have seen."""

    def __init__(self, port: int, *, address: str = "") -> None:
        self.port = port
        self.address = address
        self.cookies: dict[str, str] = {}

    def get(self, url: str) -> Answer:
        return self._send("GET", url, None, {})

    def post(self, url: str, fields: list[tuple[str, str]] | dict[str, str]) -> Answer:
        """Send a form as it is; its token must be among the fields."""
        body = urlencode(fields)
        return self._send("POST", url, body, {"Content-Type": "application/x-www-form-urlencoded"})

    def token(self, url: str) -> str:
        """The form token on the page at `url`."""
        return self.get(url).page.first("input", name="csrf_token")["value"]

    def _send(self, method: str, url: str, body: str | None, headers: dict[str, str]) -> Answer:
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        if self.address:
            headers["X-Forwarded-For"] = self.address
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, url, body, headers)
            answer = Answer(connection.getresponse())
        except http.client.HTTPException as error:
            raise ConnectionError(str(error)) from error
        finally:
            connection.close()
        for line in answer.headers.get_all("Set-Cookie") or []:
            name, _equals, rest = line.partition("=")
            self.cookies[name] = rest.partition(";")[0]
        return answer

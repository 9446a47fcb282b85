"""`make run`: from an empty data directory to a desk one can log in to, and back to silence."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.mail import listening_socket

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 300


def get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as response:  # noqa: S310  (our own address)
        return str(response.read().decode())


def free_ports(count: int) -> list[str]:
    with ExitStack() as open_sockets:
        sockets = [open_sockets.enter_context(listening_socket()) for _position in range(count)]
        return [str(each.getsockname()[1]) for each in sockets]


def children(pid: int) -> set[int]:
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    return {int(child) for child in listed.stdout.split()}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process of `make run` on a free port, and its address."""
    port, smtp_port, letters_port = free_ports(3)
    environ = {
        "PATH": os.environ["PATH"],
        "DATA_DIR": str(tmp_path / "data"),
        "PORT": port,
        "SMTP_PORT": smtp_port,
        "LETTERS_PORT": letters_port,
    }
    process = subprocess.Popen(
        [sys.executable, "scripts/run.py"],
        cwd=ROOT,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # A shell has what it starts in the background ignore Ctrl-C, and the tests may have been started so.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
    )
    yield process, f"http://127.0.0.1:{port}"
    if process.poll() is None:
        process.kill()
    process.communicate()


def said(process: subprocess.Popen[str], last: str) -> str:
    """What the process printed up to the line that contains `last`."""
    assert process.stdout is not None
    printed = ""
    for line in process.stdout:
        printed += line
        if last in line:
            return printed
    raise AssertionError(f"ended without saying «{last}»:\n{printed}")


@pytest.mark.timeout(SECONDS)
def test_an_empty_directory_becomes_a_desk_that_stops_when_asked(desk, tmp_path: Path) -> None:
    process, address = desk

    welcome = said(process, "Ctrl-C")
    password = (tmp_path / "data" / "demo_login.txt").read_text().split()[1]
    assert f"{address}/admin/login" in welcome
    assert f"username admin, password {password}" in welcome
    letters = next(line.split()[1] for line in welcome.splitlines() if "Letters" in line)
    assert "csrf_token" in get(f"{address}/admin/login")
    assert "Letters" in get(letters)

    started = children(process.pid)
    assert len(started) == 3
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=60)
    assert process.returncode == 0, rest
    assert "Traceback" not in rest
    assert not any(Path(f"/proc/{pid}").exists() for pid in started)


@pytest.mark.long
@pytest.mark.timeout(SECONDS)
def test_when_one_process_ends_the_others_are_stopped_and_it_is_said_which(desk) -> None:
    process, _address = desk
    said(process, "Ctrl-C")

    started = children(process.pid)
    web = next(pid for pid in started if b"gunicorn" in Path(f"/proc/{pid}/cmdline").read_bytes())
    os.kill(web, signal.SIGKILL)
    rest, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "The web ended with code -9" in rest
    assert not any(Path(f"/proc/{pid}").exists() for pid in started)


def test_a_taken_port_is_said_in_one_line(tmp_path: Path) -> None:
    with listening_socket() as taken:
        taken.listen()
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [sys.executable, "scripts/run.py"],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], "PORT": port, "DATA_DIR": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == f"Clientdesk cannot start: port {port} is taken; PORT=5001 make run takes another\n"

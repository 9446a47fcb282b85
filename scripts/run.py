"""`make run`: the whole desk on this machine, until Ctrl-C.

Brings the database up to date, fills an empty one with demo data, then keeps three processes going: the web
application, the worker and a mail catcher. When one of them ends, the others are stopped as well.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import sqlalchemy as sa  # noqa: E402  (the checkout has to be on the path first)

import config  # noqa: E402

DEMO = ("--clients", "300", "--seed", "1")
# Where web, mail catcher and its pages are. For the last two the next free port will do as well.
PORTS = {"PORT": "5000", "SMTP_PORT": "1025", "LETTERS_PORT": "8025"}
SECONDS_TO_START = 60
SECONDS_TO_STOP = 35
PARENT_DEATH_SIGNAL = 1


class CannotRun(Exception):
    """Why the desk cannot be started, in one line."""


def main() -> int:
    # Database, letters and keys are for their owner alone.
    os.umask(0o077)
    signal.signal(signal.SIGTERM, _as_interrupt)
    signal.signal(signal.SIGHUP, _as_interrupt)
    try:
        environ, letters = environment()
        settings = config.load(environ)
        prepare_database(settings, environ)
        with processes(commands(environ, settings, letters), environ) as running:
            wait_until_up(running, address(environ))
            welcome(settings, environ, letters)
            return watch(running)
    except (CannotRun, config.ConfigError) as error:
        print(f"Clientdesk cannot start: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped.")
        return 0


def _as_interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def environment() -> tuple[dict[str, str], str | None]:
    """Return the environment of all processes, and where letters are read (None: a mail server is set)."""
    environ = {**os.environ, "PYTHONUNBUFFERED": "1"}
    environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environ.get('PATH', '')}"
    environ.setdefault("DATA_DIR", str(ROOT / "data"))
    for name, usual in PORTS.items():
        environ.setdefault(name, usual)
        if not environ[name].isdigit() or not 0 < int(environ[name]) < 65536:
            raise CannotRun(f"{name}: expected a number from 1 to 65535")
    if not is_free(int(environ["PORT"])):
        raise CannotRun(f"port {environ['PORT']} is taken; PORT=5001 make run takes another")
    environ.setdefault("PUBLIC_URL", address(environ))
    if environ.get("SMTP_URL"):
        return environ, None
    environ["SMTP_URL"] = f"smtp://127.0.0.1:{free_port(int(environ['SMTP_PORT']))}"
    return environ, f"http://127.0.0.1:{free_port(int(environ['LETTERS_PORT']))}/"


def address(environ: dict[str, str]) -> str:
    return f"http://127.0.0.1:{environ['PORT']}"


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port(first: int) -> int:
    """Return `first`, or the next port after it that is free."""
    return next(port for port in range(first, first + 100) if is_free(port))


def prepare_database(settings: config.Settings, environ: dict[str, str]) -> None:
    """Bring the schema up to date; fill a database in which nobody works yet with demo data."""
    flask("db", "upgrade", environ=environ)
    if is_unused(settings.database_url):
        print("Making demo data …", flush=True)
        flask("demo", *DEMO, environ=environ)


def flask(*arguments: str, environ: dict[str, str]) -> None:
    """Run a command of the application; its output is shown only when it fails (the password is kept)."""
    command = [sys.executable, "-m", "flask", "--app", "app", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.stderr.write(done.stdout + done.stderr)
        raise CannotRun(f"flask {' '.join(arguments)} failed")


def is_unused(database_url: str) -> bool:
    return not ask(database_url, "SELECT count(*) FROM staff")


def ask(database_url: str, question: str) -> Any:
    """Return the first value that the database answers with."""
    engine = sa.create_engine(database_url)
    try:
        with engine.connect() as connection:
            return connection.scalar(sa.text(question))
    finally:
        engine.dispose()


def commands(environ: dict[str, str], settings: config.Settings, letters: str | None) -> dict[str, list[str]]:
    """The processes by name. Without `letters` there is no catcher."""
    python = sys.executable
    wanted = {
        "web": [python, "-m", "gunicorn", "--config", "gunicorn.conf.py", "app:create_app()"],
        "worker": [python, "-m", "flask", "--app", "app", "worker"],
    }
    if letters:
        smtp_port = environ["SMTP_URL"].rpartition(":")[2]
        web_port = letters.strip("/").rpartition(":")[2]
        kept = str(settings.data_dir / "outbox")
        wanted["mail catcher"] = [
            *(python, "mail_catcher.py", "--quiet", "--directory", kept),
            *("--smtp-port", smtp_port, "--web-port", web_port),
        ]
    return wanted


@contextmanager
def processes(wanted: dict[str, list[str]], environ: dict[str, str]) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    """Start `wanted`, and stop whatever of it still runs in the end.

    Each has a session of its own, so that Ctrl-C reaches this process alone and the others are asked to
    finish what they are doing; should this process be killed, the system asks them.
    """
    running: dict[str, subprocess.Popen[bytes]] = {}
    try:
        for name, command in wanted.items():
            running[name] = subprocess.Popen(
                command,
                cwd=ROOT,
                env=environ,
                start_new_session=True,
                preexec_fn=_end_with_parent,  # noqa: PLW1509  (this process has no threads)
            )
        yield running
    finally:
        stop(list(running.values()))


def _end_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PARENT_DEATH_SIGNAL, signal.SIGTERM)


def stop(running: list[subprocess.Popen[bytes]]) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    # One after the other: the mail catcher, last of all, still takes what the worker is handing over.
    for process in running:
        process.terminate()
        try:
            process.wait(SECONDS_TO_STOP)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_until_up(running: dict[str, subprocess.Popen[bytes]], base: str) -> None:
    """Wait until the web application answers; CannotRun when a process ends or it takes too long."""
    deadline = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < deadline:
        for name, process in running.items():
            if process.poll() is not None:
                raise CannotRun(f"the {name} ended with code {process.returncode}")
        if answers(f"{base}/healthz"):
            return
        time.sleep(0.1)
    raise CannotRun(f"{base} does not answer after {SECONDS_TO_START} seconds")


def answers(url: str) -> bool:
    # Without the proxies of the environment: this is about this machine alone.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=5) as response:
            return int(response.status) == 200
    except urllib.error.HTTPError as error:
        # It is up when it answers at all, as with a host name that it is told not to serve.
        return error.code < 500
    except OSError:
        return False


def welcome(settings: config.Settings, environ: dict[str, str], letters: str | None) -> None:
    base = address(environ)
    staff, client = logins(settings)
    print()
    print(f"  Clientdesk   {base}/")
    print(f"  Staff        {base}/admin/login   {staff}")
    print(f"  Clients      {base}/login         {client}")
    print(f"  Letters      {letters or 'go to the mail server of SMTP_URL'}")
    print(f"  Data         {settings.data_dir}")
    print("  Ctrl-C stops it.\n", flush=True)


def logins(settings: config.Settings) -> tuple[str, str]:
    """How staff and clients log in: what the demo command kept, while it is there."""
    try:
        username, password = (settings.data_dir / "demo_login.txt").read_text().split()[:2]
    except (OSError, ValueError):
        return "with your own username and password", "with the username and password of a client"
    client = ask(settings.database_url, "SELECT owner_username FROM clients WHERE id = 1")
    return (
        f"username {username}, password {password}",
        f"username {client}, the same password" if client else "",
    )


def watch(running: dict[str, subprocess.Popen[bytes]]) -> int:
    """Return 1 as soon as one of the processes has ended."""
    while True:
        for name, process in running.items():
            if process.poll() is not None:
                print(
                    f"The {name} ended with code {process.returncode}; stopping the rest.",
                    file=sys.stderr,
                    flush=True,
                )
                return 1
        time.sleep(0.5)


if __name__ == "__main__":
    sys.exit(main())

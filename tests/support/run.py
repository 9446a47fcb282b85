"""What all processes of one test run share: a directory, in memory where there is room, and its end.

The directory and the database server in it belong to the first pytest process. A small shell waits on a
pipe that this process alone holds open: however it ends, the server is stopped and the directory removed.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

VARIABLE = "CLIENTDESK_TEST_RUN"
ENOUGH_MEMORY = 3 * 1024**3

WATCH = """
{
    read -r _ <"$1/pipe"
    if [ -f "$1/data/postmaster.pid" ]; then
        kill -INT "$(head -n 1 "$1/data/postmaster.pid")"
        for _ in $(seq 100); do [ -f "$1/data/postmaster.pid" ] || break; sleep 0.05; done
    fi
    [ -L "$1/binaries" ] && rm -rf "$(readlink "$1/binaries")"
    rm -rf "$1"
} &
"""


def begin() -> None:
    """Make the directory of this run; workers that are started later find it in their environment."""
    if VARIABLE in os.environ:
        return
    run = Path(tempfile.mkdtemp(prefix="clientdesk-", dir=_fast_directory()))
    run.chmod(0o755)
    os.mkfifo(run / "pipe")
    # Kept open, and not inherited, until this process is gone. Read and write, so that opening does not wait.
    os.open(run / "pipe", os.O_RDWR)
    subprocess.run(
        ["/bin/sh", "-c", WATCH, "sh", run],
        check=True,
        cwd="/",
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.environ[VARIABLE] = str(run)


def directory() -> Path:
    return Path(os.environ[VARIABLE])


@contextmanager
def lock(name: str) -> Iterator[None]:
    """Let one process of the run at a time do what `name` stands for."""
    with (directory() / f"{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _fast_directory() -> str | None:
    memory = "/dev/shm"
    if os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > ENOUGH_MEMORY:
        return memory
    return None

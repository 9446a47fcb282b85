"""A worker that is asked to stop, whatever its main thread is at."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

import jobs


@pytest.fixture
def handlers() -> Iterator[None]:
    """Put back who is called by the signals."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.timeout(20)
def test_the_signal_may_come_while_a_sweep_is_being_handed_out(handlers: None) -> None:
    """The main thread holds the executor's lock then, which to stop it takes as well."""
    executor: Any = ThreadPoolExecutor(max_workers=1)
    scheduler = BackgroundScheduler(timezone="UTC", executors={"default": executor})
    scheduler.start()
    worker: Any = SimpleNamespace(stopping=threading.Event())
    jobs._stop_on_signals(scheduler, worker)
    with executor._pool._shutdown_lock:
        signal.raise_signal(signal.SIGTERM)
        assert worker.stopping.is_set()
    deadline = time.monotonic() + 10
    while scheduler.running:
        assert time.monotonic() < deadline
        time.sleep(0.02)

"""How gunicorn serves Clientdesk; it reads this file by itself when started in this directory.

PORT, HOST and WEB_CONCURRENCY (processes) come from the environment.
"""

import ctypes
import os
from contextlib import suppress
from pathlib import Path

bind = f"{os.environ.get('HOST', '127.0.0.1')}:{os.environ.get('PORT', '5000')}"
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))
worker_class = "gthread"
threads = 8
graceful_timeout = 30
keepalive = 15

# The application counts its proxies itself (TRUSTED_PROXIES); nobody else may say how a request came.
forwarded_allow_ips = ""

# The proxy in front keeps the access log; errors go to standard error.
accesslog = None
loglevel = "warning"

# What the processes write is for their owner alone.
umask = 0o077

# The heartbeat of a process must not wait for a disk.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None

# The threads of a process share two heaps: with one for each, what one has freed no other can use.
M_ARENA_MAX, HEAPS = -8, 2
with suppress(OSError, AttributeError):
    ctypes.CDLL(None).mallopt(M_ARENA_MAX, HEAPS)

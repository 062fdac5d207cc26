"""A job: one workload for one client in one process, and the meter that it is measured with.

It knows neither the clients nor what the workloads are.
"""

import json
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import unquote, urlsplit

__all__ = ["Address", "Figures", "Job"]

PROCESS: Final = Path("/proc/self")
"""Where Linux tells a process of its memory; elsewhere those figures are 0."""


class Figures(NamedTuple):
    """What one run has taken."""

    cpu: float
    """Microseconds a message, of all threads, in the program and in the kernel."""
    system: float
    """Those of them in the kernel."""
    wall: float
    """Microseconds of the clock a message."""
    idle_memory: int
    """KiB that the process held when the work began: imported, connected, a channel open."""
    memory_growth: int
    """KiB that it held more than that at the most."""


class Address(NamedTuple):
    """A broker's URL in its parts, for clients that take those."""

    host: str
    port: int
    login: str
    password: str
    virtualhost: str


class Job:
    """What a client has to do.

    Args:
        url: The broker's.
        queue_name: The queue to publish to or to consume from; for RPC, the server's.
        count: How many messages.
        body_size: How large they are.
    """

    def __init__(self, url: str, queue_name: str, count: int, body_size: int) -> None:
        self.url = url
        self.queue_name = queue_name
        self.count = count
        self.body = b"x" * body_size
        self._began = self._ended = _Spent(0.0, 0.0, 0.0)
        self._idle_memory = self._memory_growth = 0

    @property
    def address(self) -> Address:
        """The URL's parts."""
        parts = urlsplit(self.url)
        return Address(
            parts.hostname or "127.0.0.1",
            parts.port or 5672,
            unquote(parts.username or "guest"),
            unquote(parts.password or "guest"),
            unquote(parts.path[1:]) or "/",
        )

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Measure what is done in the block: CPU time of all threads, and the clock's."""
        self.start()
        yield
        self.stop()

    def start(self) -> None:
        """Begin to measure, for those whose work is no block."""
        with suppress(OSError):  # there is no such file, or we may not
            (PROCESS / "clear_refs").write_text("5")  # the peak is what is held now
        self._idle_memory = _memory("VmRSS")
        self._began = _Spent.by_now()

    def stop(self) -> None:
        """Take what has been spent since `start`."""
        self._ended = _Spent.by_now()
        self._memory_growth = max(0, _memory("VmHWM") - self._idle_memory)

    @property
    def figures(self) -> Figures:
        """What it has taken."""
        user, system, wall = (
            (ended - began) / self.count * 1e6
            for began, ended in zip(self._began, self._ended, strict=True)
        )
        return Figures(user + system, system, wall, self._idle_memory, self._memory_growth)

    def report(self) -> str:
        """Give the figures as JSON."""
        return json.dumps(self.figures)


class _Spent(NamedTuple):
    """Seconds that a process has spent."""

    user: float
    system: float
    wall: float

    @classmethod
    def by_now(cls) -> "_Spent":
        """Tell what it is up to now."""
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return cls(usage.ru_utime, usage.ru_stime, time.perf_counter())


def _memory(name: str) -> int:
    """Give a figure of this process's memory in KiB, or 0 where the system does not tell."""
    with suppress(OSError):
        for line in (PROCESS / "status").read_text().splitlines():
            if line.startswith(name):
                return int(line.split()[1])
    return 0

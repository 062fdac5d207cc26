"""A job: one workload for one client in one process, and the meter that it is measured with.

It knows neither the clients nor what the workloads are.
"""

import json
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

__all__ = ["Address", "Job"]


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
        self._cpu = 0.0
        self._wall = 0.0

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
        self._wall = time.perf_counter()
        self._cpu = _cpu_seconds()

    def stop(self) -> None:
        """Take what has been spent since `start`."""
        self._cpu = _cpu_seconds() - self._cpu
        self._wall = time.perf_counter() - self._wall

    def report(self) -> str:
        """Give the microseconds of CPU and clock a message, as JSON."""
        return json.dumps([self._cpu / self.count * 1e6, self._wall / self.count * 1e6])


def _cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime

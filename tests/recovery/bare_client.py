"""The soonest that any client can have had traffic after a node was started again.

A bare client does nothing else: it connects at once, publishes a message to a queue or consumes
one, and begins again if the server does not let it. So it is as early as the server is.
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Self

from ammoo_wire import BasicNackParameters
from tests.support.frames import ServerClosedChannel, ServerClosedConnection, WaitedTooLong
from tests.support.peer import EndOfStream, Peer

__all__ = ["BareClients"]

PATIENCE = 0.5
"""Seconds until a bare client tries on another connection what the server does not answer."""
GIVE_UP_AFTER = 60.0
NOT_YET = (
    OSError,
    AssertionError,
    EndOfStream,
    ServerClosedChannel,
    ServerClosedConnection,
    WaitedTooLong,
)


def publish(peer: Peer, queue: str) -> None:
    channel = peer.channel()
    channel.select_confirm()
    channel.confirmed_publish("", queue, b"bare", delivery_mode=2)


def consume(peer: Peer, queue: str) -> None:
    """Consume a message, and put it back."""
    channel = peer.channel()
    channel.qos(1)
    channel.consume(queue)
    delivered = channel.delivery()
    channel.send(BasicNackParameters(delivered.parameters.delivery_tag, requeue=True))
    peer.close()


class BareClients:
    """One that publishes and one that consumes for each of some queues, each in its own thread.

    Args:
        url: The node.
        queues: The queues.
    """

    def __init__(self, url: str, queues: Sequence[str]) -> None:
        self._url = url
        self._queues = queues
        self._threads = ThreadPoolExecutor(2 * len(queues))
        self._published: list[Future[float]] = []
        self._consumed: list[Future[float]] = []

    def start(self) -> None:
        """Begin; the node listens."""
        self._published = [self._threads.submit(self._until, publish, q) for q in self._queues]
        self._consumed = [self._threads.submit(self._until, consume, q) for q in self._queues]

    def done_after(self, moment: float) -> tuple[float, float]:
        """Wait until all are done; return how many seconds after a moment.

        Returns:
            When the last queue had a confirm, and when the last queue had a delivery.
        """
        published, consumed = (
            max(each.result() for each in futures) - moment
            for futures in (self._published, self._consumed)
        )
        return published, consumed

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Begin nothing more, and wait for the threads."""
        self._threads.shutdown(cancel_futures=True)

    def _until(self, succeeds: Callable[[Peer, str], None], queue: str) -> float:
        deadline = time.monotonic() + GIVE_UP_AFTER
        while time.monotonic() < deadline:
            with suppress(*NOT_YET), Peer.connect(self._url, seconds=PATIENCE) as peer:
                succeeds(peer, queue)
                return time.monotonic()
            time.sleep(0.002)  # nothing tells when a node listens
        raise TimeoutError(f"queue {queue!r} had no traffic")

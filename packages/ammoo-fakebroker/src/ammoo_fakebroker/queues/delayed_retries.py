"""Delayed retries of quorum queues, since RabbitMQ 4.3: messages that have come back wait some time.

The queue decides how long a message waits, and takes the messages whose time is over.
See https://www.rabbitmq.com/docs/quorum-queues#delayed-retry
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from .quorum_messages import size_of

if TYPE_CHECKING:
    from ..clocks.clock import Clock, Timer
    from ..messages.copying import Copying
    from ..messages.message import Message, QueuedMessage

__all__ = ["DelayedRetries"]


class DelayedRetries:
    """The messages of one queue that wait before they are ready again.

    Args:
        clock: The clock of the delays.
        on_due: Called when a delay is over.
    """

    def __init__(self, clock: Clock, on_due: Callable[[], object]) -> None:
        self._clock = clock
        self._on_due = on_due
        self._waiting: list[tuple[float, int, QueuedMessage]] = []  # a heap: ready at, position
        self._timer: Timer | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def octets(self) -> int:
        """The total size of the messages, as `size_of` counts it."""
        return sum(size_of(queued) for _, _, queued in self._waiting)

    def messages(self) -> Iterator[Message]:
        """Yield the messages, the earliest first."""
        for _, _, queued in sorted(self._waiting):
            yield queued.message

    def add(self, queued: QueuedMessage, delay: float) -> None:
        """Keep a message for `delay` seconds."""
        ready_at = self._clock.time() + delay
        heapq.heappush(self._waiting, (ready_at, queued.position, queued))
        if self._waiting[0][2] is queued:
            self.await_next()

    def copy_messages(self, source: DelayedRetries, copying: Copying) -> None:
        """Take copies of the messages of another queue, with the rest of their delays."""
        self._waiting = [
            (ready_at + copying.seconds, position, copying.queued(queued))
            for ready_at, position, queued in source._waiting
        ]

    def take_due(self) -> list[QueuedMessage]:
        """Remove the messages whose delay is over, and return them, the earliest first."""
        now = self._clock.time()
        due = []
        while self._waiting and self._waiting[0][0] <= now:
            due.append(heapq.heappop(self._waiting)[2])
        return due

    def await_next(self) -> None:
        """Start the timer for the next message whose delay ends."""
        self.stop()
        if self._waiting:
            delay = self._waiting[0][0] - self._clock.time()
            self._timer = self._clock.call_later(max(delay, 0), self._on_due)

    def clear(self) -> None:
        """Drop all messages."""
        self._waiting.clear()

    def stop(self) -> None:
        """Cancel the timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

"""The ready messages of a queue, in order.

Messages are taken from the front. A message that comes back (requeued, or unacknowledged on a closed
channel) returns to its old place. It is older than all messages that were never taken, because these
stand behind it. So it goes to a separate heap, and never into the middle of the long deque. Apart from
the logarithm of the heap, each operation costs the same at a depth of 1,000,000.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterator
from typing import Self

from ..messages.message import QueuedMessage

__all__ = ["Copied", "PrioritizedMessages", "ReadyMessages"]

Copied = Callable[[QueuedMessage], QueuedMessage]


class ReadyMessages:
    """Ready messages, first in, first out.

    Attributes:
        octets: The total size of their bodies.
    """

    __slots__ = ("_fresh", "_returned", "octets")

    def __init__(self) -> None:
        self._fresh: deque[QueuedMessage] = deque()
        self._returned: list[tuple[int, QueuedMessage]] = []
        self.octets: int = 0

    def __len__(self) -> int:
        return len(self._fresh) + len(self._returned)

    def __iter__(self) -> Iterator[QueuedMessage]:
        """Yield the messages in the order in which they would be taken."""
        yield from (queued for _, queued in sorted(self._returned))
        yield from self._fresh

    def fill(self, source: Self, copied: Copied) -> None:
        """Take copies of the messages of another collection, in the same places.

        Args:
            source: The collection, of the same kind.
            copied: Returns the copy of a message.
        """
        self._fresh = deque(map(copied, source._fresh))
        self._returned = [(position, copied(queued)) for position, queued in source._returned]
        self.octets = source.octets

    def append(self, queued: QueuedMessage) -> None:
        """Add a new message at the back."""
        self._fresh.append(queued)
        self.octets += len(queued.message.body)

    def restore(self, queued: QueuedMessage) -> None:
        """Put a taken message back into its place."""
        heapq.heappush(self._returned, (queued.position, queued))
        self.octets += len(queued.message.body)

    def peek(self) -> QueuedMessage:
        """Return the first message without taking it.

        Raises:
            IndexError: There is no message.
        """
        return self._returned[0][1] if self._returned else self._fresh[0]

    def pop(self) -> QueuedMessage:
        """Take the first message.

        Raises:
            IndexError: There is no message.
        """
        returned = self._returned
        queued = heapq.heappop(returned)[1] if returned else self._fresh.popleft()
        self.octets -= len(queued.message.body)
        return queued


class PrioritizedMessages(ReadyMessages):
    """Ready messages of a queue with priorities: the highest first, each level in order.

    Args:
        max_priority: The highest level; messages of a higher priority belong to it as well.
    """

    __slots__ = ("_heap", "_max_priority")
    octets: int

    def __init__(self, max_priority: int) -> None:
        super().__init__()
        self._max_priority = max_priority
        self._heap: list[tuple[int, int, QueuedMessage]] = []

    def __len__(self) -> int:
        return len(self._heap)

    def __iter__(self) -> Iterator[QueuedMessage]:
        return (queued for _, _, queued in sorted(self._heap))

    def fill(self, source: Self, copied: Copied) -> None:
        super().fill(source, copied)
        self._heap = [(level, position, copied(queued)) for level, position, queued in source._heap]

    def append(self, queued: QueuedMessage) -> None:
        """Add a new message behind those of its level."""
        level = min(queued.message.parsed.priority or 0, self._max_priority)
        heapq.heappush(self._heap, (-level, queued.position, queued))
        self.octets += len(queued.message.body)

    def restore(self, queued: QueuedMessage) -> None:
        """Put a taken message back into its place in its level."""
        self.append(queued)

    def peek(self) -> QueuedMessage:
        """Return the first message without taking it; raise IndexError if there is none."""
        return self._heap[0][2]

    def pop(self) -> QueuedMessage:
        """Take the first message; raise IndexError if there is none."""
        queued = heapq.heappop(self._heap)[2]
        self.octets -= len(queued.message.body)
        return queued

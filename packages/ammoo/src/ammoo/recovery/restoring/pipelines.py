"""Requests that are pipelined on one private channel, and which of them an error refuses.

The server answers in order. A channel.close refuses the oldest unanswered request: the server
has executed all requests before it, and none behind it. The pipeline removes that request, and sends
the rest again on another channel.
"""

from collections import deque
from collections.abc import Iterable
from typing import Final, Generic, TypeVar

__all__ = ["MOST_IN_FLIGHT", "LockedPauses", "Pipeline", "spread"]

MOST_IN_FLIGHT: Final = 64
"""How many requests are in flight on one channel at most."""

FIRST_PAUSE: Final = 0.05
MAX_PAUSE: Final = 0.4
LOCKED_PATIENCE: Final = 1.0
DELETED_IN_A_SECOND: Final = 400
"""If no request of any pipeline succeeds for this second and the time that a loaded server needs, the
lost connection is not what locks the queues."""

_ItemT = TypeVar("_ItemT")


class Pipeline(Generic[_ItemT]):
    """The items that a channel has yet to send, and those whose answers it awaits.

    Args:
        items: The items, in the order in which they are sent.
    """

    __slots__ = ("_in_flight", "_pending")

    def __init__(self, items: Iterable[_ItemT]) -> None:
        self._pending = deque(items)
        self._in_flight: deque[_ItemT] = deque()

    def __bool__(self) -> bool:
        """Return whether an item is not done yet."""
        return bool(self._pending or self._in_flight)

    def next_to_send(self) -> _ItemT | None:
        """Return the next item, and count it as sent; None if none can be sent now."""
        if not self._pending or len(self._in_flight) >= MOST_IN_FLIGHT:
            return None
        item = self._pending.popleft()
        self._in_flight.append(item)
        return item

    @property
    def oldest(self) -> _ItemT | None:
        """The item that the next answer or error belongs to."""
        return self._in_flight[0] if self._in_flight else None

    @property
    def in_flight(self) -> tuple[_ItemT, ...]:
        """The items that are sent and not answered, the oldest first."""
        return tuple(self._in_flight)

    def answered(self) -> _ItemT:
        """Remove and return the oldest item: the server has answered it."""
        return self._in_flight.popleft()

    def refused(self) -> _ItemT:
        """Remove and return the oldest item, which has closed the channel; send the rest again."""
        culprit = self._in_flight.popleft()
        self._pending.extendleft(reversed(self._in_flight))
        self._in_flight.clear()
        return culprit

    def postpone(self, item: _ItemT) -> None:
        """Send a refused item once more, behind all others."""
        self._pending.append(item)


class LockedPauses:
    """How long a pipeline pauses while the lost connection still locks its exclusive queues.

    The server deletes these queues one after the other, in an order that the client does not know.
    Each refused request costs a channel, and delays the server's deleting.

    Args:
        queues: How many queues may be locked, in all pipelines together.
    """

    __slots__ = ("_done", "_patience", "_pause", "_since")

    def __init__(self, queues: int) -> None:
        self._patience = LOCKED_PATIENCE + queues / DELETED_IN_A_SECOND
        self._pause = FIRST_PAUSE
        self._done = 0
        self._since: float | None = None

    def next_pause(self, done: int, now: float) -> float | None:
        """Return how many seconds to pause; None if no item was done for too long.

        Args:
            done: How many items of all pipelines are done: one pipeline may have nothing left but the
                queues that the server deletes last.
            now: The time, in seconds.
        """
        if self._since is None or done > self._done:
            self._since, self._done = now, done
        elif now - self._since >= self._patience:
            return None
        pause = self._pause
        self._pause = min(2 * pause, MAX_PAUSE)
        return pause


def spread(items: Iterable[_ItemT], pipelines: int) -> list[list[_ItemT]]:
    """Deal items out to pipelines, in turn; there are no empty pipelines."""
    dealt: list[list[_ItemT]] = [[] for _ in range(max(1, pipelines))]
    for index, item in enumerate(items):
        dealt[index % len(dealt)].append(item)
    return [each for each in dealt if each]

"""Requests that are pipelined on one private channel, and which of them an error refuses.

The server answers in order. A channel.close refuses the oldest unanswered request: the server
has executed all requests before it, and none behind it. The pipeline removes that request, and sends
the rest again on another channel.
"""

from collections import deque
from collections.abc import Iterable
from typing import Final, Generic, TypeVar

__all__ = ["MOST_IN_FLIGHT", "Pipeline", "spread"]

MOST_IN_FLIGHT: Final = 64
"""How many requests are in flight on one channel at most."""

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

    def withdraw(self) -> None:
        """Remove the item that `next_to_send` has returned last: it is not sent."""
        self._in_flight.pop()

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


def spread(items: Iterable[_ItemT], pipelines: int) -> list[list[_ItemT]]:
    """Deal items out to pipelines, in turn; there are no empty pipelines."""
    dealt: list[list[_ItemT]] = [[] for _ in range(max(1, pipelines))]
    for index, item in enumerate(items):
        dealt[index % len(dealt)].append(item)
    return [each for each in dealt if each]

"""A lane: requests that are pipelined on one private channel, and whose error an error is.

The server answers in order. A channel.close belongs to the oldest request that is not answered;
those before it are done, and none behind it was executed. So the culprit is taken out, and the
rest is sent again on another channel.
"""

from collections import deque
from collections.abc import Iterable
from typing import Final, Generic, TypeVar

__all__ = ["MOST_IN_FLIGHT", "Lane", "spread"]

MOST_IN_FLIGHT: Final = 64
"""So many requests are in flight on one channel."""

_ItemT = TypeVar("_ItemT")


class Lane(Generic[_ItemT]):
    """What is still to be sent on a channel, and what is not answered yet.

    Args:
        items: What is to be sent, in its order.
    """

    __slots__ = ("_in_flight", "_pending")

    def __init__(self, items: Iterable[_ItemT]) -> None:
        self._pending = deque(items)
        self._in_flight: deque[_ItemT] = deque()

    def __bool__(self) -> bool:
        """Return whether anything is not done."""
        return bool(self._pending or self._in_flight)

    def next_to_send(self) -> _ItemT | None:
        """Return what is to be sent next, and count it as sent; None if nothing is for now."""
        if not self._pending or len(self._in_flight) >= MOST_IN_FLIGHT:
            return None
        item = self._pending.popleft()
        self._in_flight.append(item)
        return item

    @property
    def oldest(self) -> _ItemT | None:
        """What the next answer, or error, belongs to."""
        return self._in_flight[0] if self._in_flight else None

    @property
    def in_flight(self) -> tuple[_ItemT, ...]:
        """What is sent and not answered, the oldest first."""
        return tuple(self._in_flight)

    def answered(self) -> _ItemT:
        """Take out the oldest: it is done."""
        return self._in_flight.popleft()

    def refused(self) -> _ItemT:
        """Take out the oldest, which has closed the channel; the rest is to be sent again."""
        culprit = self._in_flight.popleft()
        self._pending.extendleft(reversed(self._in_flight))
        self._in_flight.clear()
        return culprit


def spread(items: Iterable[_ItemT], lanes: int) -> list[list[_ItemT]]:
    """Deal items out to lanes, in turn; there are no empty lanes."""
    dealt: list[list[_ItemT]] = [[] for _ in range(max(1, lanes))]
    for index, item in enumerate(items):
        dealt[index % len(dealt)].append(item)
    return [each for each in dealt if each]

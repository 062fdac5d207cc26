"""A lane: requests that are pipelined on one private channel, and whose error an error is.

The server answers in order. A channel.close belongs to the oldest request that is not answered;
those before it are done, and none behind it was executed. So the culprit is taken out, and the
rest is sent again on another channel.
"""

from collections import deque
from collections.abc import Iterable
from typing import Final, Generic, TypeVar

__all__ = ["MOST_IN_FLIGHT", "Lane", "LockedPauses", "spread"]

MOST_IN_FLIGHT: Final = 64
"""So many requests are in flight on one channel."""

FIRST_PAUSE: Final = 0.05
MAX_PAUSE: Final = 0.4
LOCKED_PATIENCE: Final = 1.0
DELETED_IN_A_SECOND: Final = 400
"""If nothing of a lane is done for this second, and for as long as a server takes that is under
load, its queues are locked by something else."""

_ItemT = TypeVar("_ItemT")


class Lane(Generic[_ItemT]):
    """What is still to be sent on a channel, and what is not answered yet.

    Args:
        items: What is to be sent, in its order.

    Attributes:
        done: How many are done.
    """

    __slots__ = ("_in_flight", "_pending", "done")

    def __init__(self, items: Iterable[_ItemT]) -> None:
        self.done: int = 0
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
        self.done += 1
        return self._in_flight.popleft()

    def refused(self) -> _ItemT:
        """Take out the oldest, which has closed the channel; the rest is to be sent again."""
        culprit = self._in_flight.popleft()
        self._pending.extendleft(reversed(self._in_flight))
        self._in_flight.clear()
        return culprit

    def postpone(self, item: _ItemT) -> None:
        """Send what was refused once more, behind all else."""
        self._pending.append(item)


class LockedPauses:
    """How long a lane pauses while queues are locked by the connection that was lost.

    The server deletes its exclusive queues one after the other, in an order of its own. To ask for
    each of them all the time would cost a channel each time, and keep the server from deleting.

    Args:
        queues: How many queues may be locked, in all lanes together.
    """

    __slots__ = ("_done", "_patience", "_pause", "_since")

    def __init__(self, queues: int) -> None:
        self._patience = LOCKED_PATIENCE + queues / DELETED_IN_A_SECOND
        self._pause = FIRST_PAUSE
        self._done = 0
        self._since: float | None = None

    def next_pause(self, done: int, now: float) -> float | None:
        """Return for how many seconds to pause; None if nothing was done for too long.

        Args:
            done: How many of the lane are done.
            now: The time, in seconds.
        """
        if self._since is None or done > self._done:
            self._since, self._done = now, done
        elif now - self._since >= self._patience:
            return None
        pause = self._pause
        self._pause = min(2 * pause, MAX_PAUSE)
        return pause


def spread(items: Iterable[_ItemT], lanes: int) -> list[list[_ItemT]]:
    """Deal items out to lanes, in turn; there are no empty lanes."""
    dealt: list[list[_ItemT]] = [[] for _ in range(max(1, lanes))]
    for index, item in enumerate(items):
        dealt[index % len(dealt)].append(item)
    return [each for each in dealt if each]

"""How much memory a node's messages take, and the alarm that limits it.

The count includes what clients can grow without limit: messages that are ready, unacknowledged, in
open transactions or on their way. It does not include Python's own memory. Memory is counted again
only when enough octets were received to make a difference, so a publish does not pay for it.
See https://www.rabbitmq.com/docs/memory
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..clocks.clock import Clock, Timer

__all__ = ["MemoryWatch"]

_SMALLEST_STEP = 262_144
"""Octets that must be received before memory is counted again."""
_RECHECK = 0.1
"""Seconds between two counts during an alarm, because consumers free memory with few octets."""


class MemoryWatch:
    """Raises the memory alarm of a node, and clears it.

    Args:
        limit: The memory that the node's messages may take, in octets; None for any amount.
        clock: The clock of the counts during an alarm.
        count: Returns how much memory they take, in octets.
        raise_alarm: Called when the memory is above the limit.
        clear_alarm: Called when it is not.
    """

    def __init__(
        self,
        limit: int | None,
        clock: Clock,
        *,
        count: Callable[[], int],
        raise_alarm: Callable[[], object],
        clear_alarm: Callable[[], object],
    ) -> None:
        self._limit = limit
        self._clock = clock
        self._count = count
        self._raise_alarm = raise_alarm
        self._clear_alarm = clear_alarm
        self._received = 0
        self._step = _SMALLEST_STEP
        self._used = 0
        self._timer: Timer | None = None

    def received(self, count: int) -> None:
        """Record that octets were received from a client."""
        self._received += count
        if self._received >= self._step and self._limit is not None and self._timer is None:
            self._check(self._limit)

    def _check(self, limit: int) -> None:
        self._timer = None
        used = self._count()
        if used > limit:
            self._raise_alarm()
            self._timer = self._clock.call_later(_RECHECK, lambda: self._check(limit))
        else:
            self._clear_alarm()
        self._step = self._next_step(limit - used, used - self._used)
        self._used = used
        self._received = 0

    def _next_step(self, room: int, growth: int) -> int:
        """Return how many octets may be received before the next count: a quarter of the room.

        A message that goes to thousands of queues takes more memory than its octets, so the octets
        are weighted with the growth of memory. This may begin at any time, so a step is at most twice
        the last one.
        """
        factor = max(growth / max(self._received, 1), 1.0)
        return max(min(int(room / (4 * factor)), 2 * self._step), _SMALLEST_STEP)

    def stop(self) -> None:
        """Cancel the next count."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

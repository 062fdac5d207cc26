"""Time, handed in: the broker's core asks a clock and never the system.

A server runs on its event loop's time; a test can hold a `ManualClock` and move it by hand,
so that an hour's expiry costs nothing.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count
from typing import Protocol

__all__ = ["Clock", "ManualClock", "Timer"]


class Timer(Protocol):
    """Something that was asked for with `Clock.call_later`."""

    def cancel(self) -> None:
        """Take it back; harmless if it has already happened."""


class Clock(Protocol):
    """What the core knows about time."""

    def time(self) -> float:
        """Give seconds that only ever go forward, from an arbitrary start."""
        ...

    def timestamp(self) -> float:
        """Give seconds since 1970, for what is shown to clients."""
        ...

    def call_later(self, delay: float, callback: Callable[[], object]) -> Timer:
        """Call `callback` in `delay` seconds."""
        ...


class _ManualTimer:
    __slots__ = ("callback", "when")

    def __init__(self, when: float, callback: Callable[[], object]) -> None:
        self.when = when
        self.callback: Callable[[], object] | None = callback

    def cancel(self) -> None:
        self.callback = None


class ManualClock:
    """A clock that stands still until it is moved.

    Args:
        timestamp: Where the calendar begins, in seconds since 1970.
    """

    def __init__(self, timestamp: float = 1_700_000_000.0) -> None:
        self._now = 0.0
        self._epoch = timestamp
        self._order = count()
        self._timers: list[tuple[float, int, _ManualTimer]] = []

    def time(self) -> float:
        """Give the seconds that the clock has been moved by."""
        return self._now

    def timestamp(self) -> float:
        """Give the calendar's seconds since 1970."""
        return self._epoch + self._now

    def call_later(self, delay: float, callback: Callable[[], object]) -> Timer:
        """Call `callback` once the clock has been moved by `delay` seconds."""
        timer = _ManualTimer(self._now + max(delay, 0.0), callback)
        heapq.heappush(self._timers, (timer.when, next(self._order), timer))
        return timer

    def advance(self, seconds: float) -> None:
        """Move the clock, and call what falls due on the way, in order."""
        target = self._now + seconds
        while self._timers and self._timers[0][0] <= target:
            when, _, timer = heapq.heappop(self._timers)
            self._now = max(self._now, when)
            callback, timer.callback = timer.callback, None
            if callback is not None:
                callback()
        self._now = target

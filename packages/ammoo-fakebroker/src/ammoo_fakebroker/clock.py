"""Time, handed in: the broker's core asks a clock and never the system.

A server runs on its event loop's time; a test can hold a `ManualClock` and move it by hand,
so that an hour's expiry costs nothing. Each broker that runs on a `ManualClock` has a timeline of its
own, which nobody but the broker's thread touches: moving the clock moves each where it lives.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from functools import partial
from itertools import count
from typing import Protocol

__all__ = ["Clock", "ManualClock", "Timeline", "Timer"]

_Call = Callable[[Callable[[], None]], None]


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


class Timeline:
    """A broker's share of a `ManualClock`: its time and its timers, for one thread.

    Args:
        now: What `time` gives at first.
        timestamp: Where the calendar begins, in seconds since 1970.
    """

    def __init__(self, now: float, timestamp: float) -> None:
        self._now = now
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

    def advance_to(self, time: float) -> None:
        """Move on to a time, and call what falls due on the way, in order; never moves back."""
        while self._timers and self._timers[0][0] <= time:
            when, _, timer = heapq.heappop(self._timers)
            self._now = max(self._now, when)
            callback, timer.callback = timer.callback, None
            if callback is not None:
                callback()
        self._now = max(self._now, time)


class ManualClock:
    """A clock that stands still until it is moved, for one broker or several.

    `advance` can be called from any thread, though not from two at once: each broker that runs on
    the clock does what falls due in its own.

    Args:
        timestamp: Where the calendar begins, in seconds since 1970.
    """

    def __init__(self, timestamp: float = 1_700_000_000.0) -> None:
        self._epoch = timestamp
        self._time = 0.0
        self._own = self.timeline()
        self._brokers: dict[Timeline, _Call] = {}

    def time(self) -> float:
        """Give the seconds that the clock has been moved by."""
        return self._own.time()

    def timestamp(self) -> float:
        """Give the calendar's seconds since 1970."""
        return self._own.timestamp()

    def call_later(self, delay: float, callback: Callable[[], object]) -> Timer:
        """Call `callback` once the clock has been moved by `delay` seconds.

        It is called by `advance`, in the thread that moves the clock.
        """
        return self._own.call_later(delay, callback)

    def timeline(self) -> Timeline:
        """Make a timeline, for a broker that is going to run on this clock."""
        return Timeline(self._time, self._epoch)

    def attach(self, timeline: Timeline, call: _Call) -> None:
        """Move a timeline along from now on.

        Args:
            timeline: What `timeline` has made.
            call: Calls a function in the timeline's thread, and returns when that is done.
        """
        self._brokers[timeline] = call
        call(partial(timeline.advance_to, self._time))

    def detach(self, timeline: Timeline) -> None:
        """Let a timeline stand still."""
        self._brokers.pop(timeline, None)

    def advance(self, seconds: float) -> None:
        """Move the clock, and call what falls due on the way, in order.

        What brokers do then is done in their threads, one broker after the other, before this
        returns.

        Args:
            seconds: How far; a clock does not go back.

        Raises:
            ValueError: That is less than nothing.
        """
        if not seconds >= 0:
            raise ValueError(f"seconds is {seconds!r}; a clock can be moved forward only")
        time = self._time = self._time + seconds
        self._own.advance_to(time)
        for timeline, call in list(self._brokers.items()):
            call(partial(timeline.advance_to, time))

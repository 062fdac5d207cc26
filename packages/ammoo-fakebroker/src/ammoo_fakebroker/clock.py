"""Clocks: the broker's core asks a clock for the time, and never the system.

A server uses the time of its event loop. A test can move a `ManualClock` instead, so that an hour's
expiry takes no time. Each broker on a `ManualClock` has a timeline, which only the broker's thread
uses: moving the clock moves each timeline in its thread.
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
    """A call that was planned with `Clock.call_later`."""

    def cancel(self) -> None:
        """Do not call; has no effect if the call has been made."""


class Clock(Protocol):
    """What the broker's core needs of a clock."""

    def time(self) -> float:
        """Return seconds that never go back, from an arbitrary start."""
        ...

    def timestamp(self) -> float:
        """Return the seconds since 1970, for times that clients see."""
        ...

    def call_later(self, delay: float, callback: Callable[[], object]) -> Timer:
        """Call a function in `delay` seconds."""
        ...


class _ManualTimer:
    __slots__ = ("callback", "when")

    def __init__(self, when: float, callback: Callable[[], object]) -> None:
        self.when = when
        self.callback: Callable[[], object] | None = callback

    def cancel(self) -> None:
        self.callback = None


class Timeline:
    """The time and the timers of one broker on a `ManualClock`, used by one thread.

    Args:
        now: The first value of `time`, in seconds.
        timestamp: The calendar's time at 0, in seconds since 1970.
    """

    def __init__(self, now: float, timestamp: float) -> None:
        self._now = now
        self._epoch = timestamp
        self._order = count()
        self._timers: list[tuple[float, int, _ManualTimer]] = []

    def time(self) -> float:
        """Return the seconds that the clock has been moved by."""
        return self._now

    def timestamp(self) -> float:
        """Return the calendar's seconds since 1970."""
        return self._epoch + self._now

    def call_later(self, delay: float, callback: Callable[[], object]) -> Timer:
        """Call a function when the clock has been moved by `delay` seconds."""
        timer = _ManualTimer(self._now + max(delay, 0.0), callback)
        heapq.heappush(self._timers, (timer.when, next(self._order), timer))
        return timer

    def advance_to(self, time: float) -> None:
        """Move forward to a time, and make the calls that fall due, in order."""
        while self._timers and self._timers[0][0] <= time:
            when, _, timer = heapq.heappop(self._timers)
            self._now = max(self._now, when)
            callback, timer.callback = timer.callback, None
            if callback is not None:
                callback()
        self._now = max(self._now, time)


class ManualClock:
    """A clock that stands still until a test moves it, for one broker or several.

    `advance` can be called from any thread, but not from two at once. Each broker does what falls
    due in its own thread.

    Example::

        clock = ManualClock()
        with FakeBroker(clock=clock) as broker:
            ...                      # declare a queue with x-message-ttl, and publish
            clock.advance(3600)      # the messages have expired

    Args:
        timestamp: The calendar's time at the start, in seconds since 1970; by default
            2023-11-14 22:13:20 UTC. The times in x-death headers count from it.
    """

    def __init__(self, timestamp: float = 1_700_000_000.0) -> None:
        self._epoch = timestamp
        self._time = 0.0
        self._own = self.timeline()
        self._brokers: dict[Timeline, _Call] = {}

    def time(self) -> float:
        """Return the seconds that the clock has been moved by."""
        return self._own.time()

    def timestamp(self) -> float:
        """Return the calendar's seconds since 1970."""
        return self._own.timestamp()

    def call_later(self, delay: float, callback: Callable[[], object]) -> Timer:
        """Call a function when the clock has been moved by `delay` seconds.

        `advance` calls it, in the thread that moves the clock.

        Args:
            delay: How long to wait, in seconds.
            callback: The function.

        Returns:
            A timer, whose `cancel` takes the call back.
        """
        return self._own.call_later(delay, callback)

    def timeline(self) -> Timeline:
        """Create a timeline for a broker that will use this clock."""
        return Timeline(self._time, self._epoch)

    def attach(self, timeline: Timeline, call: _Call) -> None:
        """Move a timeline with the clock from now on.

        Args:
            timeline: A timeline that `timeline` created.
            call: Calls a function in the timeline's thread, and returns when it has returned.
        """
        self._brokers[timeline] = call
        call(partial(timeline.advance_to, self._time))

    def detach(self, timeline: Timeline) -> None:
        """Stop moving a timeline."""
        self._brokers.pop(timeline, None)

    def advance(self, seconds: float) -> None:
        """Move the clock, and do what falls due, in order.

        The brokers on the clock do it in their threads, one broker after the other; all of them
        have finished when this returns.

        Args:
            seconds: How far to move the clock, in seconds.

        Raises:
            ValueError: `seconds` is negative, or not a number.
        """
        if not seconds >= 0:
            raise ValueError(f"seconds is {seconds!r}; expected a number from 0 on")
        time = self._time = self._time + seconds
        self._own.advance_to(time)
        for timeline, call in list(self._brokers.items()):
            call(partial(timeline.advance_to, time))

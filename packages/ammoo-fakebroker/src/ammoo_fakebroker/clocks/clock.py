"""Clocks: the broker's core gets the time from a clock, never from the system.

A server uses the time of its event loop. A test can use a `ManualClock` instead: an expiry after an
hour then takes no time. Each broker on a `ManualClock` has a timeline, which only the broker's thread
uses; moving the clock moves each timeline in its thread.
"""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count
from typing import NamedTuple, Protocol, TypeVar

from ..attribute_names import names_attributes
from ..call_checks import check_seconds, checks_arguments

__all__ = ["BackgroundClock", "Clock", "ManualClock", "Observation", "Timeline", "Timer"]

_Result = TypeVar("_Result")
_Callback = Callable[[], object]


class _Call(Protocol):
    """Calls a function in the thread of a timeline, and returns its result."""

    def __call__(self, function: Callable[[], _Result], /) -> _Result: ...


class Timer(Protocol):
    """A call that was planned with `Clock.call_later`."""

    def cancel(self) -> None:
        """Cancel the call; do nothing if it has been made."""


class Clock(Protocol):
    """What the broker's core asks of a clock."""

    def time(self) -> float:
        """Return the seconds since an arbitrary start; they never decrease."""
        ...

    def timestamp(self) -> float:
        """Return the seconds since 1970, for times that clients see."""
        ...

    def call_later(self, delay: float, callback: _Callback, *, only_looks: bool = False) -> Timer:
        """Call a function in `delay` seconds.

        Args:
            delay: How long to wait, in seconds.
            callback: The function.
            only_looks: Whether the function only checks for something overdue, perhaps
                periodically. `FakeBroker.auto_advance` never moves the clock for such a timer.
        """
        ...


class BackgroundClock:
    """A clock whose timers all have `only_looks` (see `Clock.call_later`).

    Args:
        clock: The clock that it uses.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def time(self) -> float:
        """Return the clock's seconds."""
        return self._clock.time()

    def timestamp(self) -> float:
        """Return the calendar's seconds since 1970."""
        return self._clock.timestamp()

    def call_later(self, delay: float, callback: _Callback, *, only_looks: bool = True) -> Timer:
        """Call a function in `delay` seconds."""
        return self._clock.call_later(delay, callback, only_looks=True)


class Observation(NamedTuple):
    """The activity of a broker at a moment."""

    activity: int
    """A number that grows whenever a client arrives, sends or leaves."""
    busy_with: str | None
    """Why it is not idle, as text; None if it is idle."""


class _ManualTimer:
    __slots__ = ("callback", "only_looks", "when")

    def __init__(self, when: float, callback: _Callback, only_looks: bool) -> None:
        self.when = when
        self.callback: _Callback | None = callback
        self.only_looks = only_looks

    def cancel(self) -> None:
        self.callback = None


class Timeline:
    """The time and the timers of one broker on a `ManualClock`, used by one thread.

    Args:
        now: The first value of `time`, in seconds.
        timestamp: The calendar's time at 0, in seconds since 1970.

    Attributes:
        on_call: Called with each function that falls due, before the function itself; not for
            timers with `only_looks`. None for no call.
    """

    def __init__(self, now: float, timestamp: float) -> None:
        self.on_call: Callable[[_Callback], object] | None = None
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

    def call_later(self, delay: float, callback: _Callback, *, only_looks: bool = False) -> Timer:
        """Call a function when the clock has been moved by `delay` seconds."""
        timer = _ManualTimer(self._now + max(delay, 0.0), callback, only_looks)
        heapq.heappush(self._timers, (timer.when, next(self._order), timer))
        return timer

    def advance_to(self, time: float) -> float | None:
        """Move forward to a time, and make the calls that fall due, in order.

        Returns:
            The time of the next call; None if none is planned.
        """
        while self._timers and self._timers[0][0] <= time:
            when, _, timer = heapq.heappop(self._timers)
            self._now = max(self._now, when)
            callback, timer.callback = timer.callback, None
            if callback is not None:
                if self.on_call is not None and not timer.only_looks:
                    self.on_call(callback)
                callback()
        self._now = max(self._now, time)
        return self.next_call()

    def next_call(self) -> float | None:
        """Return the time of the next call; None if none is planned."""
        while self._timers and self._timers[0][2].callback is None:
            heapq.heappop(self._timers)
        return self._timers[0][0] if self._timers else None

    def next_deadline(self) -> float | None:
        """Return the time of the next call without `only_looks`; None if none is planned."""
        return min(
            (
                when
                for when, _, timer in self._timers
                if timer.callback is not None and not timer.only_looks
            ),
            default=None,
        )


class _Attached(NamedTuple):
    """A timeline that moves with a clock."""

    timeline: Timeline
    call: _Call
    observe: Callable[[bool], Observation]
    runs_here: Callable[[], bool]


@names_attributes
@checks_arguments
class ManualClock:
    """A clock that stands still until a test moves it, for one broker or several.

    `advance` can be called from any thread. Each broker makes the calls that fall due in its own
    thread.

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
        self._epoch = check_seconds("timestamp", timestamp)
        self._time = 0.0
        self._own = self._timeline()
        self._itself = _Attached(
            self._own, _call_here, lambda _: Observation(0, None), lambda: False
        )
        self._brokers: dict[Timeline, _Attached] = {}
        self._moving = threading.RLock()

    def time(self) -> float:
        """Return the seconds that the clock has been moved by."""
        return self._own.time()

    def timestamp(self) -> float:
        """Return the calendar's seconds since 1970."""
        return self._own.timestamp()

    def call_later(
        self, delay: float, callback: Callable[[], object], *, only_looks: bool = False
    ) -> Timer:
        """Call a function when the clock has been moved by `delay` seconds.

        `advance` calls it, in the thread that moves the clock.

        Args:
            delay: How long to wait, in seconds.
            callback: The function.
            only_looks: Whether the function only checks for something; if so,
                `FakeBroker.auto_advance` does not move the clock for it. False by default.

        Returns:
            A timer, whose `cancel` cancels the call.
        """
        return self._own.call_later(delay, callback, only_looks=only_looks)

    def _timeline(self) -> Timeline:
        """Create a timeline for a broker that will use this clock."""
        return Timeline(self._time, self._epoch)

    def _attach(
        self,
        timeline: Timeline,
        call: _Call,
        observe: Callable[[bool], Observation] = lambda _: Observation(0, None),
        runs_here: Callable[[], bool] = lambda: False,
    ) -> None:
        """Move a timeline with the clock from now on.

        Args:
            timeline: A timeline that `_timeline` created.
            call: Calls a function in the timeline's thread, and returns its result.
            observe: Returns the activity of the timeline's broker. It is called in the timeline's
                thread; its argument is whether a broker can be idle while a consumer holds a
                message.
            runs_here: Returns whether the caller is in the timeline's thread.
        """
        self._brokers[timeline] = _Attached(timeline, call, observe, runs_here)
        call(partial(timeline.advance_to, self._time))

    def _detach(self, timeline: Timeline) -> None:
        """Stop moving a timeline.

        Args:
            timeline: The timeline.
        """
        self._brokers.pop(timeline, None)

    def advance(self, seconds: float) -> None:
        """Move the clock, and make the calls that fall due, in order.

        The brokers on the clock make their calls in their own threads, in the order of all deadlines.
        When this returns, all calls have been made.

        Args:
            seconds: How far to move the clock, in seconds.

        Raises:
            RuntimeError: Another thread moves the clock, and waits for a broker of this thread.
            TypeError: `seconds` is not a number.
            ValueError: `seconds` is negative.
        """
        with self._turn():
            self._move_to(self._time + seconds)

    def advance_to(self, time: float) -> None:
        """Move the clock to a time, as `advance` does; do nothing if the time is over.

        Args:
            time: The value of `time` to move to, in seconds.

        Raises:
            RuntimeError: Another thread moves the clock, and waits for a broker of this thread.
            TypeError: `time` is not a number.
            ValueError: `time` is negative.
        """
        with self._turn():
            self._move_to(max(time, self._time))

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Wait until no other thread moves the clock, unless that thread waits for this one."""
        if not self._moving.acquire(blocking=False):
            if self._runs_here():
                raise RuntimeError(
                    "another thread moves the clock, and needs this event loop for it, because a"
                    " broker runs in it: await asyncio.to_thread(clock.advance, …) here as well"
                )
            self._moving.acquire()
        try:
            yield
        finally:
            self._moving.release()

    def _move_to(self, time: float) -> None:
        """Move to the next deadline of all timelines, and so on, until the time is reached."""
        calls = {each: each.call(each.timeline.next_call) for each in self._all()}
        while True:
            due = [when for when in calls.values() if when is not None and when <= time]
            if len(calls) == 2 and calls[self._itself] is None:
                due.clear()  # one broker makes all its calls in order by itself
            self._time = max(min(due, default=time), self._time)
            calls = {
                each: each.call(partial(each.timeline.advance_to, self._time))
                for each in self._all()
            }
            if self._time >= time:
                return

    def _runs_here(self) -> bool:
        """Return whether a broker on the clock runs in this thread."""
        return any(each.runs_here() for each in self._all())

    def _all(self) -> list[_Attached]:
        return [self._itself, *self._brokers.values()]

    def _observe(self, while_unacknowledged: bool) -> tuple[Observation, float | None]:
        """Return the activity of the brokers on the clock, and their next deadline.

        Args:
            while_unacknowledged: Whether a broker can be idle while a consumer holds a message.

        Returns:
            The observations of all brokers as one, and the time of the next call without
            `only_looks`; None if none is planned.
        """
        seen = [each.call(partial(_observe, each, while_unacknowledged)) for each in self._all()]
        observation = Observation(
            sum(each.activity for each, _ in seen),
            next((each.busy_with for each, _ in seen if each.busy_with is not None), None),
        )
        return observation, min((when for _, when in seen if when is not None), default=None)

    def _watch_calls(self, on_call: Callable[[_Callback], object] | None) -> None:
        """Call a function with each function that falls due; not for timers with `only_looks`.

        Args:
            on_call: The function; None to stop calling it.
        """
        for each in self._all():
            each.timeline.on_call = on_call


def _observe(attached: _Attached, while_unacknowledged: bool) -> tuple[Observation, float | None]:
    return attached.observe(while_unacknowledged), attached.timeline.next_deadline()


def _call_here(function: Callable[[], _Result], /) -> _Result:
    return function()

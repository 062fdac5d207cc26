"""The time of the event loop that a broker runs in."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, TimerHandle

    from .clock import Timer

__all__ = ["LoopClock"]


class _PlannedTimer:
    """A timer that was planned before the start."""

    __slots__ = ("_callback", "_handle", "_is_cancelled", "when")

    def __init__(self, when: float, callback: Callable[[], object]) -> None:
        self.when = when
        self._callback = callback
        self._handle: TimerHandle | None = None
        self._is_cancelled = False

    def start(self, loop: AbstractEventLoop, delay: float) -> None:
        """Let a loop make the call, unless it was cancelled."""
        if not self._is_cancelled:
            self._handle = loop.call_later(delay, self._callback)

    def cancel(self) -> None:
        """Cancel the call."""
        self._is_cancelled = True
        if self._handle is not None:
            self._handle.cancel()


class LoopClock:
    """The time of the event loop that a server runs in, which may be virtual.

    Before the start, without a loop, it is real time, and its timers wait for the loop.

    Attributes:
        on_change: Called when a timer has made its call, if a test waits; None otherwise.
    """

    def __init__(self) -> None:
        self.on_change: Callable[[], object] | None = None
        self._loop: AbstractEventLoop | None = None
        self._loop_time: Callable[[], float] = time.monotonic
        self._ahead = 0.0  # difference to the loop's time: the clock must not jump at the start
        self._epoch = time.time() - time.monotonic()
        self._planned: list[_PlannedTimer] = []

    def attach(self, loop: AbstractEventLoop) -> None:
        """Use the time and the timers of a loop from now on."""
        self._ahead = self.time() - loop.time()
        self._loop_time = loop.time
        self._loop = loop
        for timer in self._planned:
            timer.start(loop, max(timer.when - self.time(), 0.0))
        self._planned.clear()

    def time(self) -> float:
        """Return seconds that never decrease, at the speed of the loop's time."""
        return self._loop_time() + self._ahead

    def timestamp(self) -> float:
        """Return the seconds since 1970, at the speed of the loop's time."""
        return self._epoch + self.time()

    def call_later(
        self, delay: float, callback: Callable[[], object], *, only_looks: bool = False
    ) -> Timer:
        """Call `callback` from the loop, in `delay` seconds."""
        if self._loop is not None:
            return self._loop.call_later(delay, self._run, callback)
        timer = _PlannedTimer(self.time() + delay, partial(self._run, callback))
        self._planned.append(timer)
        return timer

    def _run(self, callback: Callable[[], object]) -> None:
        callback()
        if self.on_change is not None:
            self.on_change()

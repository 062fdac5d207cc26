"""The time of the event loop that a broker runs in."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

    from .clock import Timer

__all__ = ["LoopClock"]


class LoopClock:
    """The time of the event loop that a server runs in, which may be virtual.

    Before the start, without a loop, it is real time.

    Attributes:
        on_change: Called when a timer has made its call, if a test waits; None otherwise.
    """

    def __init__(self) -> None:
        self.on_change: Callable[[], object] | None = None
        self._loop: AbstractEventLoop | None = None
        self._loop_time: Callable[[], float] = time.monotonic
        self._ahead = 0.0  # difference to the loop's time: the clock must not jump at the start
        self._epoch = time.time() - time.monotonic()

    def attach(self, loop: AbstractEventLoop) -> None:
        """Use the time and the timers of a loop from now on."""
        self._ahead = self.time() - loop.time()
        self._loop_time = loop.time
        self._loop = loop

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
        if self._loop is None:
            raise RuntimeError("the broker has not been started; its clock does not run yet")
        return self._loop.call_later(delay, self._run, callback)

    def _run(self, callback: Callable[[], object]) -> None:
        callback()
        if self.on_change is not None:
            self.on_change()

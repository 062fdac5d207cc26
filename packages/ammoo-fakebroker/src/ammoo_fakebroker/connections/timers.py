"""The timers of one connection, each known by what it is for.

All of them run in the network's time but the one whose clock is named.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..clock import Clock, Timer

__all__ = ["Timers"]


class Timers:
    """Timers by their purposes; there is one for each at a time.

    Args:
        clock: The time that they wait in unless another is named.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._timers: dict[str, Timer] = {}

    def call_later(
        self,
        purpose: str,
        delay: float,
        callback: Callable[[], object],
        *,
        clock: Clock | None = None,
    ) -> None:
        """Call a function in so many seconds."""
        self._timers[purpose] = (clock or self._clock).call_later(delay, callback)

    def is_waiting(self, purpose: str) -> bool:
        """Return whether something was asked for and not cancelled; it may have been called."""
        return purpose in self._timers

    def cancel(self, purpose: str) -> None:
        """Do not call any more, if it was still to be called."""
        timer = self._timers.pop(purpose, None)
        if timer is not None:
            timer.cancel()

    def cancel_all(self) -> None:
        """Call nothing any more."""
        for purpose in list(self._timers):
            self.cancel(purpose)

"""The timers of one connection, by their purposes.

They use the network's clock by default.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..clocks.clock import Clock, Timer

__all__ = ["Timers"]


class Timers:
    """Timers by their purposes, at most one for each.

    Args:
        clock: The default clock.
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
        only_looks: bool = False,
    ) -> None:
        """Call a function in `delay` seconds (see `Clock.call_later`)."""
        timers = clock or self._clock
        self._timers[purpose] = timers.call_later(delay, callback, only_looks=only_looks)

    def was_started(self, purpose: str) -> bool:
        """Return whether a timer was started and not cancelled; it may have fired."""
        return purpose in self._timers

    def cancel(self, purpose: str) -> None:
        """Cancel a timer, if there is one."""
        timer = self._timers.pop(purpose, None)
        if timer is not None:
            timer.cancel()

    def cancel_all(self) -> None:
        """Cancel all timers."""
        for purpose in list(self._timers):
            self.cancel(purpose)

"""How long to wait before each round of connecting again.

The delay is random between 0 and a bound (full jitter): the clients of a restarted server then
come back one after the other. The bound is a hundredth of the time since the loss, and at least
`LEAST_DELAY`. After ten seconds the delay therefore adds at most 1 % to an outage, unless the
server needs more time (`SLOW_DELAY`). A bound that doubles each round can add 100 %.

This module computes with numbers; the caller passes the time.
"""

from collections.abc import Callable
from typing import Final

__all__ = ["Outage"]

FIRST_DELAY: Final = 0.2
"""The bound before the first round, in seconds."""
LEAST_DELAY: Final = 0.1
GROWTH: Final = 0.01
"""The bound as a share of the outage."""
SLOW_DELAY: Final = 20.0
"""The bound, in seconds, for failures that need a longer delay: three rounds take 30 s on average."""
STABLE_AFTER: Final = 10.0
"""After so many seconds a connection is stable: its loss begins a new outage."""
CREDIT: Final = 10.0
"""How many seconds an outage is shortened by for each second that the connection was open. Only a
connection that is lost at once, again and again, makes the delays grow."""


class Outage:
    """The rounds of an outage; the loss of a connection that is not stable yet continues it.

    Args:
        max_delay: The highest bound, in seconds.
        random: Returns a number from 0 up to 1.

    Attributes:
        attempt: How many rounds have begun since the connection was last stable.
    """

    __slots__ = ("_age_when_opened", "_began", "_max_delay", "_opened", "_random", "attempt")

    def __init__(self, max_delay: float, random: Callable[[], float]) -> None:
        self._max_delay = max_delay
        self._random = random
        self._began: float | None = None
        self._age_when_opened = 0.0
        self._opened: float | None = None
        self.attempt: int = 0

    def lost(self, now: float, heartbeat_interval: float = 0) -> None:
        """Begin an outage, or continue the last one if the connection was not open for long."""
        opened, age = self._opened, self._age_when_opened
        if opened is None or now - opened >= max(STABLE_AFTER, 2 * heartbeat_interval):
            age = self.attempt = 0
        elif age:
            age = max(0.0, age - CREDIT * (now - opened))
        self._began = now - age

    def opened(self, now: float) -> None:
        """Record that the connection is open again."""
        self._age_when_opened = self.age(now)
        self._opened = now

    def age(self, now: float) -> float:
        """Return for how many seconds the outage has lasted."""
        return 0.0 if self._began is None else now - self._began

    def next_delay(self, now: float, *, slowly: bool = False) -> float:
        """Return for how many seconds to wait before the next round, and count it."""
        bound = min(self._bound(now, slowly=slowly), self._max_delay)
        self.attempt += 1
        return bound * self._random()

    def _bound(self, now: float, *, slowly: bool) -> float:
        if slowly:
            return SLOW_DELAY
        if self.attempt == 0:
            return FIRST_DELAY
        return max(LEAST_DELAY, GROWTH * self.age(now))

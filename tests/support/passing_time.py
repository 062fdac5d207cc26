"""How time passes for the peers of tests/behaviour: by itself, or on a fake broker by hand.

A peer that waits for something on a fake broker moves the broker's clock, but only when the broker
has read all that was sent to it and has nothing to say. So no test waits for a time to live or a
time-out of the fake, and a busy machine changes nothing about the order of what happens.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Protocol

from ammoo_fakebroker import FakeBroker, ManualClock

__all__ = ["REAL_TIME", "PassingTime", "hand_moved", "time_at"]

STEP = 0.01
"""Seconds that the clock of a fake is moved by at a time."""
PAUSE = 0.005
"""Seconds between two looks at a RabbitMQ."""
TURNS = 3
"""Calls into the thread of a fake after which it has read and answered what was sent before."""


class PassingTime(Protocol):
    """The time of a broker."""

    is_moved_by_hand: bool

    def now(self) -> float:
        """Return seconds that never go back, from an arbitrary start."""

    def date(self) -> datetime:
        """Return the broker's date and time."""

    def settle(self) -> None:
        """Wait until the broker has read and answered all that was sent before."""

    def pause(self) -> None:
        """Let a moment pass between two looks at something."""


class RealTime:
    """The time of a RabbitMQ."""

    is_moved_by_hand = False

    def now(self) -> float:
        return time.monotonic()

    def date(self) -> datetime:
        return datetime.now(UTC)

    def settle(self) -> None:
        pass

    def pause(self) -> None:
        time.sleep(PAUSE)


REAL_TIME = RealTime()


class HandMovedTime:
    """The time of a fake broker, which waiting peers move."""

    is_moved_by_hand = True

    def __init__(self, fake: FakeBroker, clock: ManualClock) -> None:
        self._fake = fake
        self._clock = clock

    def now(self) -> float:
        return self._clock.time()

    def date(self) -> datetime:
        return datetime.fromtimestamp(self._clock.timestamp(), UTC)

    def settle(self) -> None:
        for _ in range(TURNS):
            _ = self._fake.virtualhosts

    def pause(self) -> None:
        self._clock.advance(STEP)
        self.settle()


_times: dict[int, PassingTime] = {}


def time_at(port: int) -> PassingTime:
    """Return the time of the broker that listens on a port of this machine."""
    return _times.get(port, REAL_TIME)


@contextmanager
def hand_moved(compatibility: str, **options: Any) -> Iterator[FakeBroker]:
    """Run a fake broker whose time passes when a peer waits, that of its connections too."""
    clock = ManualClock(time.time())
    broker = FakeBroker(
        compatibility=compatibility,
        clock=clock,
        connection_time="clock",
        **options,
    )
    with broker as fake:
        _times[fake.port] = HandMovedTime(fake, clock)
        yield fake
        del _times[fake.port]

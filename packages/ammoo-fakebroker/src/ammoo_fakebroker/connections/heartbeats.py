"""Heartbeats of one connection: when to send one, and when its client is gone.

RabbitMQ's rule (rabbit_heartbeat): it looks at what was sent every half interval, and sends a
heartbeat if that was nothing; it looks at what was received every interval, and drops a client of
which nothing came between three looks in a row. So a client is dropped between two and three
intervals after its last octet.
See https://www.rabbitmq.com/docs/heartbeats
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..clock import Clock, Timer

__all__ = ["Heartbeats"]

_MOST_SILENT_LOOKS = 2


class Heartbeats:
    """Sends the heartbeats of a connection, and drops a silent client, until it is stopped.

    Args:
        interval: The negotiated seconds between two heartbeats.
        clock: The network's clock.
        is_reading: Returns whether the connection is read; if not, its client may be sending.
        send: Sends a heartbeat.
        drop: Is called when the client is gone.

    Attributes:
        has_received: Whether something was received since the last look; the connection sets it.
    """

    def __init__(
        self,
        interval: int,
        clock: Clock,
        *,
        is_reading: Callable[[], bool],
        send: Callable[[], object],
        drop: Callable[[], object],
    ) -> None:
        self.has_received: bool = True
        self._has_sent = False
        self._is_own = True  # whether what is sent next does not count: open-ok, then heartbeats
        self._silent_looks = 0
        self._interval = interval
        self._clock = clock
        self._is_reading = is_reading
        self._send = send
        self._drop = drop
        self._timers: list[Timer] = []
        self._look_in()

    def stop(self) -> None:
        """Send nothing more, and drop no client."""
        for timer in self._timers:
            timer.cancel()

    def data_sent(self) -> None:
        """Record that something was sent."""
        self._has_sent = not self._is_own
        self._is_own = False

    def _look_in(self) -> None:
        call_later, interval = self._clock.call_later, self._interval
        self._timers = [
            call_later(interval / 2, self._look_at_sent),
            call_later(interval, self._look_at_all),
        ]

    def _look_at_sent(self) -> None:
        if not self._has_sent:
            self._is_own = True
            self._send()
        self._has_sent = False

    def _look_at_all(self) -> None:
        if self.has_received or not self._is_reading():
            self._silent_looks = 0
        else:
            self._silent_looks += 1
        self.has_received = False
        if self._silent_looks == _MOST_SILENT_LOOKS:
            self._drop()
            return
        self._look_at_sent()
        self._look_in()

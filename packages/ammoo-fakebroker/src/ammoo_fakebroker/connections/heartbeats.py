"""Heartbeats of one connection: when to send one, and when the client counts as lost.

RabbitMQ's rule (rabbit_heartbeat): each half interval it checks whether it has sent octets, and sends a
heartbeat if not. Each interval it checks whether it has received octets, and disconnects a client from
which it has received none in two consecutive intervals. So a client is disconnected between two and
three intervals after its last octet.
See https://www.rabbitmq.com/docs/heartbeats
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..clocks.clock import Clock, Timer

__all__ = ["Heartbeats"]

_MOST_SILENT_CHECKS = 2


class Heartbeats:
    """Sends the heartbeats of a connection, and disconnects a silent client, until it is stopped.

    Args:
        interval: The negotiated seconds between two heartbeats.
        clock: The network's clock.
        is_reading: Returns whether the broker reads from the client. While it does not, the client
            may be sending.
        send: Sends a heartbeat.
        disconnect: Disconnects the client.

    Attributes:
        has_received: Whether octets were received since the last check; the connection sets it.
    """

    def __init__(
        self,
        interval: int,
        clock: Clock,
        *,
        is_reading: Callable[[], bool],
        send: Callable[[], object],
        disconnect: Callable[[], object],
    ) -> None:
        self.has_received: bool = True
        self._has_sent = False
        self._is_own = True  # whether the next octets do not count: open-ok, then heartbeats
        self._silent_checks = 0
        self._interval = interval
        self._clock = clock
        self._is_reading = is_reading
        self._send = send
        self._disconnect = disconnect
        self._timers: list[Timer] = []
        self._start_timers()

    def stop(self) -> None:
        """Cancel the timers."""
        for timer in self._timers:
            timer.cancel()

    def data_sent(self) -> None:
        """Record that octets were sent."""
        self._has_sent = not self._is_own
        self._is_own = False

    def _start_timers(self) -> None:
        call_later, interval = self._clock.call_later, self._interval
        self._timers = [
            call_later(interval / 2, self._check_sent),
            call_later(interval, self._check_both),
        ]

    def _check_sent(self) -> None:
        if not self._has_sent:
            self._is_own = True
            self._send()
        self._has_sent = False

    def _check_both(self) -> None:
        if self.has_received or not self._is_reading():
            self._silent_checks = 0
        else:
            self._silent_checks += 1
        self.has_received = False
        if self._silent_checks == _MOST_SILENT_CHECKS:
            self._disconnect()
            return
        self._check_sent()
        self._start_timers()

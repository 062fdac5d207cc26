"""Heartbeats of one connection: when to send one, and when its client must be gone.

The rule itself is the wire's (`ammoo_wire.Heartbeat`); here it gets its timer.
See https://www.rabbitmq.com/docs/heartbeats
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ammoo_wire import Heartbeat, HeartbeatVerdict

if TYPE_CHECKING:
    from ..clock import Clock, Timer

__all__ = ["Heartbeats"]

_SHORTEST_WAIT = 0.001


class Heartbeats:
    """Looks after the heartbeats of a connection until it is stopped.

    Args:
        interval: Seconds between two heartbeats, as it was tuned.
        clock: The time in which the client lives.
        is_reading: Tells whether the connection is read; if not, its client may be sending.
        send: Sends a heartbeat.
        on_client_gone: Is called when the client is gone.

    Attributes:
        heartbeat: What is to be told of all traffic.
    """

    def __init__(
        self,
        interval: int,
        clock: Clock,
        *,
        is_reading: Callable[[], bool],
        send: Callable[[], object],
        on_client_gone: Callable[[], object],
    ) -> None:
        self.heartbeat: Heartbeat = Heartbeat(interval, clock.time())
        self._clock = clock
        self._is_reading = is_reading
        self._send = send
        self._on_client_gone = on_client_gone
        self._timer: Timer | None = None
        self._wait()

    def stop(self) -> None:
        """Send nothing more, and miss nothing."""
        if self._timer is not None:
            self._timer.cancel()

    def _wait(self) -> None:
        delay = max(self.heartbeat.next_check() - self._clock.time(), _SHORTEST_WAIT)
        self._timer = self._clock.call_later(delay, self._check)

    def _check(self) -> None:
        heartbeat, now = self.heartbeat, self._clock.time()
        if not self._is_reading():
            heartbeat.data_received(now)
        verdict = heartbeat.check(now)
        if verdict is HeartbeatVerdict.PEER_GONE:
            self._on_client_gone()
            return
        if verdict is HeartbeatVerdict.SEND:
            self._send()
            heartbeat.data_sent(now)
        self._wait()

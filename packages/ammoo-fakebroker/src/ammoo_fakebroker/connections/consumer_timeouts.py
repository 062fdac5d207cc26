"""The consumer timeout of channels: a delivery that is not settled in time closes its channel.

RabbitMQ does this until 4.2, for queues of all types. Since 4.3 quorum queues take such deliveries
back (`queues/quorum_since_4_3.py`).
See https://www.rabbitmq.com/docs/consumers#acknowledgement-timeout
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from ..rabbitmq import errors

if TYPE_CHECKING:
    from ..clocks.clock import Clock
    from ..node.limits import Limits
    from .channel import Channel
    from .channel_table import ChannelTable
    from .timers import Timers

__all__ = ["ConsumerTimeouts"]

_Checks = deque[tuple[float, int]]
"""The times of former checks, and the last delivery tag at each of them."""


class ConsumerTimeouts:
    """Closes the channels of one connection whose deliveries were not settled in time.

    The time of each delivery is not recorded. Each check records the last delivery tag, and RabbitMQ
    checks once a minute.

    Args:
        channels: The channels of the connection.
        timers: The timers of the connection.
        clock: The clock of deliveries.
        limits: The timeout of queues that have none, and the time between two checks.
    """

    def __init__(
        self, channels: ChannelTable, timers: Timers, clock: Clock, limits: Limits
    ) -> None:
        self._channels = channels
        self._timers = timers
        self._clock = clock
        self._limits = limits
        self._checks: dict[Channel, _Checks] = {}

    def start(self) -> None:
        """Start the timer of the next check."""
        interval = self._limits.consumer_timeout_check
        self._timers.call_later(
            "consumer timeout", interval, self._check, clock=self._clock, only_looks=True
        )

    def _check(self) -> None:
        """Close channels whose deliveries have exceeded the consumer timeout."""
        self._checks = {
            channel: self._checks.get(channel, deque()) for channel in self._channels.open.values()
        }
        for channel, checks in self._checks.items():
            timeout = self._exceeded_timeout(channel, checks)
            if timeout is not None:
                error = errors.acknowledgement_timed_out(channel.number, timeout)
                self._channels.close(channel, error)
        self.start()

    def _exceeded_timeout(self, channel: Channel, checks: _Checks) -> int | None:
        """Return the timeout that the oldest unacknowledged delivery has exceeded, in milliseconds."""
        oldest = next(iter(channel.unacked), None)
        if oldest is None:
            checks.clear()
            return None
        now = self._clock.time()
        checks.append((now, channel.last_delivery_tag))
        while checks[0][1] < oldest:
            checks.popleft()
        own = channel.unacked[oldest].queue.settings.consumer_timeout
        timeout = self._limits.consumer_timeout if own is None else own
        return timeout if timeout is not None and checks[0][0] <= now - timeout / 1000 else None

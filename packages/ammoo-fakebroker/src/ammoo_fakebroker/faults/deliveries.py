"""Faults that strike deliveries: the message counts as unacknowledged, but is not sent yet.

A kept delivery counts for the consumer's prefetch. If its channel closes, it returns to its queue,
as a delivery does that the client has not settled.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from ..call_checks import check_count
from ..queues.delivery import Settlement, Unacked
from .fault import Fault

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from ..connections.channel import Channel
    from ..messages.message import QueuedMessage
    from ..queues.consumers import Consumer
    from .ports import FaultHost

__all__ = ["DelayDeliveries", "DeliveryFault", "HeldDeliveries"]


class _Kept(NamedTuple):
    """A delivery that is kept."""

    channel: Channel
    consumer: Consumer
    queued: QueuedMessage

    def is_awaited(self) -> bool:
        """Whether the channel is open, and has not returned the message to its queue."""
        return self.channel.is_open and (
            self.consumer.no_ack or self.queued in self.channel.withheld
        )


class DeliveryFault(Fault):
    """A fault that takes deliveries."""

    _noun: ClassVar[tuple[str, str]] = ("delivery", "deliveries")
    _seconds: float = 0.0
    """How long it keeps a delivery; 0 until it is released."""

    def __init__(
        self, host: FaultHost, ordinal: int, seed: int, options: Mapping[str, Any]
    ) -> None:
        super().__init__(host, ordinal, seed, options)
        self._kept: dict[QueuedMessage, _Kept] = {}

    def _keep(self, channel: Channel, consumer: Consumer, queued: QueuedMessage) -> None:
        """Keep a delivery, as unacknowledged."""
        if not consumer.no_ack:
            consumer.limiter.outstanding += 1
            consumer.shared_limiter.outstanding += 1
            channel.withheld[queued] = Unacked(consumer.queue, queued, consumer)
        self._kept[queued] = _Kept(channel, consumer, queued)

    def _keep_for(
        self, channel: Channel, consumer: Consumer, queued: QueuedMessage, seconds: float
    ) -> None:
        """Keep a delivery for a time, on the broker's clock."""
        self._keep(channel, consumer, queued)
        kept = self._kept[queued]
        self._host.node.clock.call_later(seconds, partial(self._send_late, kept))

    def _send_late(self, kept: _Kept) -> None:
        """Send a delivery whose time is over, unless its message has been delivered anew."""
        if self._kept.get(kept.queued) is kept:
            self._send(kept.queued)

    def _ended(self) -> None:
        for queued in list(self._kept):
            self._send(queued)

    def _send(self, queued: QueuedMessage) -> None:
        """Send a delivery; return it to its queue if its consumer is gone."""
        kept = self._kept.pop(queued, None)
        if kept is None or not kept.is_awaited() or kept.consumer.queue.is_deleted:
            return
        channel, consumer, _ = kept
        channel.withheld.pop(queued, None)
        if channel.consumers.get(consumer.tag) is not consumer:
            if not consumer.no_ack:
                consumer.queue.settle(Settlement.REQUEUE, [queued], consumer)
            return
        if not consumer.no_ack:
            consumer.limiter.outstanding -= 1
            consumer.shared_limiter.outstanding -= 1
        self._host.deliver_unstruck(consumer, queued)


class HeldDeliveries(DeliveryFault):
    """Deliveries that are held: the return value of `Faults.hold_deliveries`."""

    name: ClassVar[str] = "hold_deliveries"

    @property
    def held_count(self) -> int:
        """How many deliveries are held now."""
        return self._host.call(lambda: sum(kept.is_awaited() for kept in self._kept.values()))

    def release(self, count: int | None = None) -> None:
        """Send held deliveries to their consumers, the oldest first.

        Args:
            count: How many to send; None for all that are held.

        Raises:
            TypeError: `count` is not an integer.
            ValueError: `count` is negative.
        """
        if count is not None:
            check_count("count", count, lowest=0)
        self._host.call(lambda: self._release(count))

    def _release(self, count: int | None) -> None:
        awaited = [queued for queued, kept in self._kept.items() if kept.is_awaited()]
        for queued in awaited[:count]:
            self._send(queued)


class DelayDeliveries(DeliveryFault):
    """See `Faults.delay_deliveries`."""

    name: ClassVar[str] = "delay_deliveries"
    _own_options: ClassVar[frozenset[str]] = frozenset(("seconds",))

    def __init__(
        self, host: FaultHost, ordinal: int, seed: int, options: Mapping[str, Any]
    ) -> None:
        super().__init__(host, ordinal, seed, options)
        self._seconds: float = check_seconds(options["seconds"])


def check_seconds(value: object) -> float:
    """Return a delay in seconds.

    Raises:
        TypeError: The value is not an integer and not a float.
        ValueError: The value is not above 0.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"seconds is {value!r}; expected a number above 0")
    if not value > 0:
        raise ValueError(f"seconds is {value!r}; expected a number above 0")
    return float(value)

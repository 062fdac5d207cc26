"""A queue's consumers, and which of them gets the next message.

Active consumers take turns, in one round for each priority. A consumer is blocked while it is at its
prefetch limit, or while its client does not read, and is not asked until it is unblocked. So choosing
the next consumer costs the same with one consumer and with 10,000.
See https://www.rabbitmq.com/docs/consumer-priority
"""

from __future__ import annotations

import itertools
from collections import OrderedDict
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ammoo_wire import BasicDeliverParameters, method_of

from .prefetch import PrefetchLimiter

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from ..messages.message import QueuedMessage
    from .ports import ConsumerChannel
    from .queue import Queue

__all__ = ["Consumer", "QueueConsumers"]

_encode_deliver = method_of(BasicDeliverParameters).encode
_ages = itertools.count()
_blockings = itertools.count(1)


class Consumer:
    """A consumer of a queue, on a channel.

    Attributes:
        tag: Its consumer tag.
        channel: The channel that its messages are delivered on.
        queue: The queue that it consumes from.
        no_ack: Whether its deliveries need no acknowledgement.
        exclusive: Whether the queue may have no other consumer.
        priority: Its priority; consumers of higher priority are served first.
        limiter: Its own prefetch, fixed when it was started.
        shared_limiter: The prefetch of its channel, if its queue supports that.
        arguments: The arguments of basic.consume.
        age: How many consumers were started before it, on any channel.
        blocked_at: The number of the last time that it was blocked, counted over all queues.
    """

    __slots__ = (
        "age",
        "arguments",
        "blocked_at",
        "channel",
        "exclusive",
        "limiter",
        "no_ack",
        "priority",
        "queue",
        "shared_limiter",
        "tag",
    )

    def __init__(
        self,
        tag: str,
        channel: ConsumerChannel,
        queue: Queue,
        *,
        no_ack: bool,
        exclusive: bool,
        priority: int,
        prefetch_count: int,
        arguments: Mapping[str, Any],
    ) -> None:
        self.tag: str = tag
        self.channel: ConsumerChannel = channel
        self.queue: Queue = queue
        self.no_ack: bool = no_ack
        self.exclusive: bool = exclusive
        self.priority: int = priority
        self.limiter: PrefetchLimiter = PrefetchLimiter(prefetch_count)
        self.shared_limiter: PrefetchLimiter = (
            channel.limiter if queue.supports_global_prefetch else PrefetchLimiter()
        )
        self.arguments: Mapping[str, Any] = arguments
        self.blocked_at: int = 0
        self.age: int = next(_ages)

    def can_take(self) -> bool:
        """Return whether a message may be delivered to it now."""
        if not self.channel.connection.is_deliverable or self.shared_limiter.is_exhausted:
            return False
        return self.no_ack or not self.limiter.is_exhausted

    def deliver(self, queued: QueuedMessage) -> None:
        """Send a message to the client (basic.deliver), unless a fault prevents it."""
        channel = self.channel
        connection = channel.connection
        strike = connection.strike_points.deliver
        if strike is not None and strike(self, queued):
            return
        message = queued.message
        if self.no_ack:
            delivery_tag = channel.next_delivery_tag()
        else:
            self.limiter.outstanding += 1
            self.shared_limiter.outstanding += 1
            delivery_tag = channel.await_acknowledgement(self.queue, queued, self)
        recorder = self.queue.recorder
        if recorder is not None:
            recorder.delivered(
                channel,
                message,
                self.queue.name,
                self.tag,
                delivery_tag,
                queued.redelivered,
                self.no_ack,
            )
        connection.send_content(
            channel.number,
            _encode_deliver(
                self.tag,
                delivery_tag,
                queued.redelivered,
                message.exchange_name,
                message.routing_key,
            ),
            message.properties,
            message.body,
        )


class QueueConsumers:
    """All consumers of a queue, active and blocked.

    Attributes:
        is_handing_over: Whether no consumer gets messages until the active one has settled all of its
            deliveries; see `SingleActiveConsumer`.
    """

    def __init__(self) -> None:
        self.is_handing_over: bool = False
        self._all: dict[Consumer, None] = {}
        self._rounds: dict[int, OrderedDict[Consumer, None]] = {}
        self._priorities: list[int] = []

    def __len__(self) -> int:
        return len(self._all)

    def __iter__(self) -> Iterator[Consumer]:
        """Yield the consumers in the order in which they were started."""
        return iter(self._all)

    def __contains__(self, consumer: Consumer) -> bool:
        return consumer in self._all

    @property
    def has_exclusive(self) -> bool:
        """Whether there is an exclusive consumer."""
        return len(self._all) == 1 and next(iter(self._all)).exclusive

    def add(self, consumer: Consumer) -> None:
        """Add a new consumer, last in the round of its priority."""
        self._all[consumer] = None
        self.unblock(consumer)

    def remove(self, consumer: Consumer) -> None:
        """Remove a consumer."""
        del self._all[consumer]
        self.block(consumer)

    def unblock(self, consumer: Consumer) -> None:
        """Make a consumer active that may be able to take messages again."""
        level = self._rounds.get(consumer.priority)
        if level is None:
            if len(self._rounds) == 1 and not any(self._rounds.values()):
                self._rounds.clear()
            level = self._rounds[consumer.priority] = OrderedDict()
            self._priorities = sorted(self._rounds, reverse=True)
        level[consumer] = None

    def block(self, consumer: Consumer) -> None:
        """Take a consumer out of its round until it is unblocked."""
        level = self._rounds.get(consumer.priority)
        if level is not None and consumer in level:
            del level[consumer]
            # The only round is kept even if it is empty. A single consumer at its prefetch limit would
            # remove and create it with each message, which costs 0.5 µs.
            if not level and len(self._rounds) > 1:
                del self._rounds[consumer.priority]
                self._priorities.remove(consumer.priority)

    def hand_over(self, *, requeued: bool) -> None:
        """Do nothing: only a single active consumer is replaced."""

    def suspend(self, consumer: Consumer) -> None:
        """Do nothing: the limiter of the consumer lets it take no message."""

    def resume(self, consumer: Consumer) -> None:
        """Make a consumer active again whose deliveries had timed out."""
        self.unblock(consumer)

    def next(self) -> Consumer | None:
        """Return the next active consumer of the highest priority, or None."""
        while self._priorities:
            level = self._rounds[self._priorities[0]]
            if not level:
                return None
            consumer = next(iter(level))
            if consumer.can_take():
                if len(level) > 1:
                    level.move_to_end(consumer)
                return consumer
            consumer.blocked_at = next(_blockings)
            self.block(consumer)
        return None


class SingleActiveConsumer(QueueConsumers):
    """The consumers of a queue that delivers to only one of them, the active one.

    Args:
        by_priority: Whether a new consumer of higher priority takes over (quorum queues since 4.0).
        waits_after_requeue: Whether no consumer takes over when the last delivery was requeued (until
            4.0).

    See https://www.rabbitmq.com/docs/consumers#single-active-consumer
    """

    is_handing_over: bool

    def __init__(self, *, by_priority: bool = False, waits_after_requeue: bool = True) -> None:
        super().__init__()
        self._by_priority = by_priority
        self._waits_after_requeue = waits_after_requeue
        self.active: Consumer | None = None

    @property
    def has_exclusive(self) -> bool:
        """False: the single active consumer takes the place of an exclusive one."""
        return False

    def add(self, consumer: Consumer) -> None:
        """Add a new consumer; the first one becomes active."""
        self._all[consumer] = None
        self._choose()

    def remove(self, consumer: Consumer) -> None:
        """Remove a consumer; if it was active, the next one takes over."""
        del self._all[consumer]
        if self.active is consumer:
            self.active = None
        self._choose()

    def _choose(self) -> None:
        """Make the next consumer active if none is, or if a consumer of higher priority waits.

        A consumer of higher priority takes over when the active one has settled all its deliveries.
        """
        active = self.active
        eligible = [consumer for consumer in self._all if not consumer.limiter.is_suspended]
        foremost = max(eligible, key=lambda consumer: consumer.priority, default=None)
        if active is None:
            self.active = foremost
            self.is_handing_over = False
        elif self._by_priority and foremost is not None and foremost.priority > active.priority:
            self.is_handing_over = active.limiter.outstanding > 0
            if not self.is_handing_over:
                self._retire(active)
                self.active = foremost

    def _retire(self, active: Consumer) -> None:
        """Put the active consumer behind those that wait."""
        del self._all[active]
        self._all[active] = None
        self.active = None

    def hand_over(self, *, requeued: bool) -> None:
        """Let the next consumer take over if the active one has settled all its deliveries.

        If its last delivery was requeued, RabbitMQ 4.0.5 leaves no consumer active until one is
        added or removed, or a delivery is acknowledged.
        """
        if self.active is not None and not self.active.limiter.outstanding:
            self._retire(self.active)
        if self.active is None and not (requeued and self._waits_after_requeue):
            self._choose()

    def suspend(self, consumer: Consumer) -> None:
        """Make the next consumer active in place of one whose deliveries have timed out."""
        if consumer is self.active:
            self._retire(consumer)
            self._choose()

    def resume(self, consumer: Consumer) -> None:
        """Choose the active consumer: one whose deliveries had timed out can be chosen again."""
        self._choose()

    def unblock(self, consumer: Consumer) -> None:
        """Do nothing: `next` asks the active consumer each time."""

    def next(self) -> Consumer | None:
        """Return the active consumer if it can take a message, or None."""
        active = self.active
        if active is None or self.is_handing_over or not active.can_take():
            return None
        return active

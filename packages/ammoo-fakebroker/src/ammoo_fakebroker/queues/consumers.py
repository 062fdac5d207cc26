"""A queue's consumers, and whose turn it is.

Consumers that could take a message stand in rounds, one for each priority; those that could not
(their prefetch is used up, their client does not read) stand aside until something changes for
them. Picking the next one therefore costs the same with one consumer and with 10,000.
See https://www.rabbitmq.com/docs/consumer-priority
"""

from __future__ import annotations

import itertools
from collections import OrderedDict
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ammoo_wire import BasicDeliverParameters, method_of

from .limiter import Limiter

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from ..messages.message import QueuedMessage
    from .ports import ConsumerChannel
    from .queue import Queue

__all__ = ["Consumer", "QueueConsumers"]

_encode_deliver = method_of(BasicDeliverParameters).encode
_ages = itertools.count()


class Consumer:
    """Somebody on a channel who wants a queue's messages.

    Attributes:
        tag: Its name on the channel.
        channel, queue: Between which it stands.
        no_ack: Whether deliveries count as acknowledged at once.
        exclusive: Whether nobody else may consume from the queue.
        priority: Higher ones are served first.
        limiter: Its own prefetch, frozen when it was started.
        shared_limiter: That of its channel, if its queue minds it.
        age: How many consumers were started before it, on whatever channel.
        blocked_at: When it last turned out to be unable to take a message, as a number.
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
        self.limiter: Limiter = Limiter(prefetch_count)
        self.shared_limiter: Limiter = (
            channel.limiter if queue.supports_global_prefetch else Limiter()
        )
        self.arguments: Mapping[str, Any] = arguments
        self.blocked_at: int = 0
        self.age: int = next(_ages)

    def can_take(self) -> bool:
        """Whether a message may be delivered right now."""
        if not self.channel.connection.is_deliverable or self.shared_limiter.is_exhausted:
            return False
        return self.no_ack or not self.limiter.is_exhausted

    def deliver(self, queued: QueuedMessage) -> None:
        """Send a message to the client (basic.deliver)."""
        channel = self.channel
        message = queued.message
        if self.no_ack:
            delivery_tag = channel.next_delivery_tag()
        else:
            self.limiter.outstanding += 1
            self.shared_limiter.outstanding += 1
            delivery_tag = channel.await_acknowledgement(self.queue, queued, self)
        channel.connection.send_content(
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
    """All consumers of a queue.

    Attributes:
        is_handing_over: Whether nobody is served before something has been settled; see `settled`.
    """

    def __init__(self) -> None:
        self.is_handing_over: bool = False
        self._all: dict[Consumer, None] = {}
        self._rounds: dict[int, OrderedDict[Consumer, None]] = {}
        self._priorities: list[int] = []
        self._times_blocked = 0

    def __len__(self) -> int:
        return len(self._all)

    def __iter__(self) -> Iterator[Consumer]:
        """Give them in the order in which they came."""
        return iter(self._all)

    def __contains__(self, consumer: Consumer) -> bool:
        return consumer in self._all

    @property
    def has_exclusive(self) -> bool:
        """Whether one of them tolerates no other."""
        return len(self._all) == 1 and next(iter(self._all)).exclusive

    def add(self, consumer: Consumer) -> None:
        """Take a new consumer up, last in its round."""
        self._all[consumer] = None
        self.unblock(consumer)

    def remove(self, consumer: Consumer) -> None:
        """Forget a consumer."""
        del self._all[consumer]
        self.block(consumer)

    def unblock(self, consumer: Consumer) -> None:
        """Let a consumer take part that could not take messages and now perhaps can."""
        level = self._rounds.get(consumer.priority)
        if level is None:
            if len(self._rounds) == 1 and not any(self._rounds.values()):
                self._rounds.clear()
            level = self._rounds[consumer.priority] = OrderedDict()
            self._priorities = sorted(self._rounds, reverse=True)
        level[consumer] = None

    def block(self, consumer: Consumer) -> None:
        """Let a consumer sit out until it is activated again."""
        level = self._rounds.get(consumer.priority)
        if level is not None and consumer in level:
            del level[consumer]
            # The only round stays when it is empty (no other does): around a consumer that works
            # at its prefetch it would come and go with each message, for half a microsecond.
            if not level and len(self._rounds) > 1:
                del self._rounds[consumer.priority]
                self._priorities.remove(consumer.priority)

    def hand_over(self, *, requeued: bool) -> None:
        """Nothing to note: nobody waits for others here. Only while `is_handing_over`."""

    def next(self) -> Consumer | None:
        """Pick the consumer whose turn it is, of the highest priority that has one."""
        while self._priorities:
            level = self._rounds[self._priorities[0]]
            if not level:
                return None
            consumer = next(iter(level))
            if consumer.can_take():
                if len(level) > 1:
                    level.move_to_end(consumer)
                return consumer
            self._times_blocked = consumer.blocked_at = self._times_blocked + 1
            self.block(consumer)
        return None


class SingleActiveConsumer(QueueConsumers):
    """The consumers of a queue that serves one of them only, the others waiting in line.

    Args:
        by_priority: Whether a newcomer of higher priority takes over (quorum queues of 4.0).

    See https://www.rabbitmq.com/docs/consumers#single-active-consumer
    """

    is_handing_over: bool

    def __init__(self, *, by_priority: bool = False) -> None:
        super().__init__()
        self._by_priority = by_priority
        self.active: Consumer | None = None

    @property
    def has_exclusive(self) -> bool:
        """Nobody is exclusive here: being the active one takes its place."""
        return False

    def add(self, consumer: Consumer) -> None:
        """Take a new consumer up; the first becomes the active one."""
        self._all[consumer] = None
        self._choose()

    def remove(self, consumer: Consumer) -> None:
        """Forget a consumer; the next in line takes over from the active one."""
        del self._all[consumer]
        if self.active is consumer:
            self.active = None
        self._choose()

    def _choose(self) -> None:
        """Let the next in line take over, if nobody is active or a more important one waits.

        That one waits for everything to be settled that the active one has.
        """
        active = self.active
        foremost = max(self._all, key=lambda consumer: consumer.priority, default=None)
        if active is None:
            self.active = foremost
            self.is_handing_over = False
        elif self._by_priority and foremost is not None and foremost.priority > active.priority:
            self.is_handing_over = active.limiter.outstanding > 0
            if not self.is_handing_over:
                self._retire(active)
                self.active = foremost

    def _retire(self, active: Consumer) -> None:
        """Put the active consumer last in line."""
        del self._all[active]
        self._all[active] = None
        self.active = None

    def hand_over(self, *, requeued: bool) -> None:
        """Go on with handing over: something that was delivered is settled.

        When the last of it was requeued, RabbitMQ 4.0.5 has nobody active, and lets nobody take
        over before somebody comes or goes, or something is settled for good.
        """
        if self.active is not None and not self.active.limiter.outstanding:
            self._retire(self.active)
        if self.active is None and not requeued:
            self._choose()

    def unblock(self, consumer: Consumer) -> None:
        """Nothing to note: `next` asks the active one each time."""

    def next(self) -> Consumer | None:
        """Give the active consumer if it can take a message."""
        active = self.active
        if active is None or self.is_handing_over or not active.can_take():
            return None
        return active

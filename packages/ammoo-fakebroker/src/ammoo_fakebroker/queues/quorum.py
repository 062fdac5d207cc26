"""What quorum queues are in all releases, as far as one node and AMQP 0-9-1 show them.

They count how often a message came back, tell consumers in a header, and dead-letter it beyond the
delivery limit. How they count, and where messages go that come back, differs: `early_quorum.py` is
what they did up to 4.2, `retrying_quorum.py` what they do from 4.3 on.
See https://www.rabbitmq.com/docs/quorum-queues
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from ammoo_wire import Int64, decode_properties

from ..messages.headers import with_headers
from ..messages.message import Message, QueuedMessage
from ..rabbitmq import errors
from ..rabbitmq.arguments import QUORUM, QueueSettings
from .consumers import QueueConsumers, SingleActiveConsumer
from .dead_letter_worker import DeadLetterWorker
from .fifo import FifoQueue

if TYPE_CHECKING:
    from .consumers import Consumer
    from .delivery import Unacked
    from .ports import ConsumerChannel

__all__ = ["QuorumQueue", "age_of_holder", "name_of_holder", "with_counts"]


def name_of_holder(item: tuple[int, Unacked]) -> bytes:
    """Return a sort key: consumers by their tags, each basic.get by its delivery tag in digits."""
    delivery_tag, (_, _, consumer) = item
    return (str(delivery_tag) if consumer is None else consumer.tag).encode()


def age_of_holder(item: tuple[int, Unacked]) -> tuple[int, int, bytes]:
    """Return a sort key: consumers in the order of their start, then each basic.get."""
    consumer = item[1].consumer
    return (1, 0, name_of_holder(item)) if consumer is None else (0, consumer.age, b"")


def with_counts(message: Message, **counts: int) -> Message:
    """Return a queue's own copy of a message, whose headers state counts.

    Args:
        message: The message; of its headers those count that it was published with.
        counts: The counts by their headers, such as x_delivery_count.
    """
    properties = decode_properties(message.own_properties)
    headers = {name.replace("_", "-"): Int64(count) for name, count in counts.items()}
    return message.with_properties(
        with_headers(properties, {**(properties.headers or {}), **headers})
    )


class QuorumQueue(FifoQueue):
    """A quorum queue with one member."""

    queue_type = QUORUM
    supports_server_named = False
    supports_global_prefetch = False
    _expires_on_every_publish = True

    def _apply(self, settings: QueueSettings) -> None:
        """Use these settings; dead letters that need not arrive any more are dropped."""
        super()._apply(settings)
        worker = self.dead_letter_worker
        if worker is None and settings.dead_letters_at_least_once:
            self.dead_letter_worker = DeadLetterWorker(self)
        elif worker is not None and not settings.dead_letters_at_least_once:
            worker.stop()
            self.dead_letter_worker = None

    def stop_timers(self) -> None:
        super().stop_timers()
        if self.dead_letter_worker is not None:
            self.dead_letter_worker.stop()

    def _would_overflow(self, message: Message) -> bool:
        """Return whether the queue is over its limit already: RabbitMQ accepts one message more."""
        count, octets = len(self.ready), self.ready.octets
        if self.dead_letter_worker is not None:
            count += len(self.dead_letter_worker)
            octets += self.dead_letter_worker.octets
        if self._limit is not None and count > self._limit:
            return True
        return self._limit_octets is not None and octets > self._limit_octets

    def _deliver(self, consumer: Consumer, queued: QueuedMessage) -> None:
        """Deliver a message; a consumer whose credit is used up has its turn behind the others."""
        super()._deliver(consumer, queued)
        if not consumer.no_ack and consumer.limiter.is_exhausted:
            self.consumers.block(consumer)

    # -- what clients ask for ------------------------------------------------------------------

    def get(
        self,
        answer: Callable[[QueuedMessage], None],
        channel: ConsumerChannel,
        *,
        no_ack: bool,
    ) -> bool:
        if isinstance(self.consumers, SingleActiveConsumer):
            raise errors.get_with_single_active_consumer(
                self.host.name, self.name, as_term=self.host.profile.refusals_print_queue_type
            )
        return super().get(answer, channel, no_ack=no_ack)

    def _got(self, queued: QueuedMessage, *, no_ack: bool) -> None:
        """Drop expired messages only if the message needs no acknowledgement.

        RabbitMQ looks for them with the next command of a quorum queue, which settling would be.
        """
        if no_ack:
            self._drop_expired()

    def check_deletion(self, *, if_unused: bool, if_empty: bool) -> int:
        for flag, is_set in (("if-unused", if_unused), ("if-empty", if_empty)):
            if is_set:
                raise errors.delete_flag_not_supported(self.host.name, self.name, flag)
        return self.message_count

    # -- consumers -----------------------------------------------------------------------------

    def _create_consumers(self) -> QueueConsumers:
        if self.settings.single_active_consumer:
            profile = self.host.profile
            return SingleActiveConsumer(
                by_priority=profile.single_active_consumer_by_priority,
                waits_after_requeue=profile.handover_waits_after_requeue,
            )
        return QueueConsumers()

    def _check_consumer(self, consumer: Consumer) -> None:
        if consumer.channel.limiter.limit:
            raise errors.global_qos_not_supported(self.host.name, self.name)

    def count_consumers(self, unacked: Iterable[Unacked]) -> int:
        """Count the active consumers, and the cancelled ones that have not settled everything.

        A single active consumer that waits does not count; each basic.get counts until it is
        settled.
        """
        consumers = self.consumers
        if isinstance(consumers, SingleActiveConsumer):
            served = [] if consumers.active is None else [consumers.active]
        else:
            served = list(consumers)
        holders = [delivery.consumer for delivery in unacked if delivery.queue is self]
        named = {(c.channel, c.tag) for c in (*served, *holders) if c is not None}
        return holders.count(None) + len(named)

    # -- messages come back --------------------------------------------------------------------

    def _serve_returned(self) -> None:
        """Deliver what has come back before the limits apply: they are for what stays."""
        self._dispatch()
        self._trim()

    def _dead_letter_of(self, queued: QueuedMessage) -> Message:
        """Return a message without the counts of this queue."""
        return queued.message.without_counts()

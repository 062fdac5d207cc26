"""What the quorum queues of all releases share, as far as one node and AMQP 0-9-1 show them.

RabbitMQ 4.3 counts returned messages in another way, and puts them to another place. So there are two
types: `quorum_until_4_2.py` and `quorum_since_4_3.py`.
See https://www.rabbitmq.com/docs/quorum-queues
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

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

__all__ = ["QuorumQueue", "age_of_holder", "name_of_holder"]


def name_of_holder(item: tuple[int, Unacked]) -> bytes:
    """Return a sort key: consumers by their tags, each basic.get by its delivery tag in digits."""
    delivery_tag, (_, _, consumer) = item
    return (str(delivery_tag) if consumer is None else consumer.tag).encode()


def age_of_holder(item: tuple[int, Unacked]) -> tuple[int, int, bytes]:
    """Return a sort key: consumers in the order of their start, then each basic.get."""
    consumer = item[1].consumer
    return (1, 0, name_of_holder(item)) if consumer is None else (0, consumer.age, b"")


class QuorumQueue(FifoQueue):
    """A quorum queue with one member."""

    queue_type = QUORUM
    supports_server_named = False
    supports_global_prefetch = False
    _expires_on_every_publish = True

    def _apply(self, settings: QueueSettings) -> None:
        """Use other settings; drop dead letters that need not arrive any more."""
        super()._apply(settings)
        worker = self.dead_letter_worker
        if worker is None and settings.dead_letters_at_least_once:
            self.dead_letter_worker = DeadLetterWorker(self.host.dead_letters, self.host.clock)
        elif worker is not None and not settings.dead_letters_at_least_once:
            worker.stop()
            self.dead_letter_worker = None

    def come_up(self) -> None:
        super().come_up()
        if self.dead_letter_worker is not None:
            self.dead_letter_worker.come_up()

    def all_messages(self) -> Iterator[Message]:
        yield from super().all_messages()
        if self.dead_letter_worker is not None:
            yield from self.dead_letter_worker.messages()

    def stop_timers(self) -> None:
        super().stop_timers()
        if self.dead_letter_worker is not None:
            self.dead_letter_worker.stop()

    def _would_overflow(self, message: Message) -> bool:
        """Return whether the queue is over its limit: RabbitMQ accepts one message above the limit."""
        count, octets = len(self.ready), self.ready.octets
        if self.dead_letter_worker is not None:
            count += len(self.dead_letter_worker)
            octets += self.dead_letter_worker.octets
        if self._limit is not None and count > self._limit:
            return True
        return self._limit_octets is not None and octets > self._limit_octets

    def _deliver(self, consumer: Consumer, queued: QueuedMessage) -> None:
        """Deliver a message; a consumer at its prefetch limit takes its next turn behind the others."""
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
        """Drop expired messages, but only if the message needs no acknowledgement.

        RabbitMQ drops them with the next command of the queue, which is the settlement. A message that
        needs no acknowledgement is settled at once.
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

        With a single active consumer the waiting ones do not count. Each basic.get counts until its
        message is settled.
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
        """Deliver what has come back, and then apply the limits to what stays in the queue."""
        self._dispatch()
        self._trim()

    def _dead_letter_of(self, queued: QueuedMessage) -> Message:
        """Return a message without the counts of this queue."""
        return queued.message.without_counts()

"""Quorum queues, as one node and AMQP 0-9-1 show them.

They count how often a message came back, show it in the header x-delivery-count, and dead-letter the
message beyond the delivery limit. A message that comes back is delivered next if the queue has a
delivery limit, or if its channel is closed; otherwise it goes to the back of the queue.
See https://www.rabbitmq.com/docs/quorum-queues
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from ammoo_wire import Int64, decode_properties

from ..messages.message import Message, QueuedMessage
from ..messages.properties import with_headers
from ..rabbitmq import errors
from ..rabbitmq.arguments import QUORUM, QueueSettings
from .consumers import QueueConsumers, SingleActiveConsumer
from .dead_letter_worker import DeadLetterWorker
from .fifo import FifoQueue
from .ready_messages import ReadyMessages

if TYPE_CHECKING:
    from .consumers import Consumer
    from .delivery import Unacked

__all__ = ["QuorumQueue"]

_HEADER = "x-delivery-count"
_HIGHEST_NORMAL_PRIORITY = 4
_TURNS = 3
_NORMAL_TURN = 2
_BEHIND_NUMBERS = 1 << 64


class _QuorumMessages(ReadyMessages):
    """Ready messages in up to three deques: returned, high priority and normal priority.

    Returned messages come first, or go behind all others. High-priority messages get two of every
    three deliveries, and the third as well if the first of them is older than the first normal one.

    Args:
        has_priorities: Whether priorities above 4 are high; if not, all are normal.

    Attributes:
        returns_first: Whether messages that are restored next come first.
    """

    __slots__ = ("_has_priorities", "_high", "_returns", "_turn", "returns_first")

    def __init__(self, *, has_priorities: bool) -> None:
        super().__init__()
        self.returns_first = True
        self._has_priorities = has_priorities
        self._returns: deque[QueuedMessage] = deque()
        self._high: deque[QueuedMessage] = deque()
        self._turn = 0

    def __len__(self) -> int:
        return len(self._fresh) + len(self._high) + len(self._returns)

    def __iter__(self) -> Iterator[QueuedMessage]:
        """Yield one deque after the other."""
        yield from self._returns
        yield from self._high
        yield from self._fresh

    def append(self, queued: QueuedMessage) -> None:
        is_high = self._has_priorities and queued.message.parsed.priority > _HIGHEST_NORMAL_PRIORITY
        (self._high if is_high else self._fresh).append(queued)
        self.octets += len(queued.message.body)

    def restore(self, queued: QueuedMessage) -> None:
        if self.returns_first:
            self._returns.append(queued)
            self.octets += len(queued.message.body)
        else:
            self.append(queued)

    def _next_deque(self) -> deque[QueuedMessage]:
        if self._returns:
            return self._returns
        if not self._high or not self._fresh:
            return self._high or self._fresh
        is_older = self._fresh[0].position < self._high[0].position
        return self._fresh if is_older and self._turn == _NORMAL_TURN else self._high

    def peek(self) -> QueuedMessage:
        return self._next_deque()[0]

    def pass_turn(self) -> None:
        """Count a delivery, even of a message that never was ready."""
        self._turn = (self._turn + 1) % _TURNS

    def pop(self) -> QueuedMessage:
        line = self._next_deque()
        queued = line.popleft()
        if line is not self._returns:
            self.pass_turn()
        self.octets -= len(queued.message.body)
        return queued


def _age_of_holder(item: tuple[int, Unacked]) -> tuple[int, int]:
    """Return a sort key: consumers in the order of their start, then each basic.get."""
    delivery_tag, (_, _, consumer) = item
    return (1, delivery_tag) if consumer is None else (0, consumer.age)


def _name_of_holder(item: tuple[int, Unacked]) -> tuple[int, str]:
    """Return a sort key: each basic.get by its delivery tag, then consumers by their tags."""
    delivery_tag, (_, _, consumer) = item
    return (delivery_tag, "") if consumer is None else (_BEHIND_NUMBERS, consumer.tag)


def _with_delivery_count(message: Message, delivery_count: int) -> Message:
    """Return a copy of a message with the header x-delivery-count."""
    properties = decode_properties(message.parsed.outgoing)
    headers = {**(properties.headers or {}), _HEADER: Int64(delivery_count)}
    return message.with_properties(with_headers(properties, headers))


class _QuorumMessage(QueuedMessage):
    """A message in a quorum queue, which may have been dead-lettered by another quorum queue.

    Its failed deliveries there are shown in x-delivery-count until it comes back in this queue, but
    do not count for the delivery limit.
    """

    __slots__ = ()

    def __init__(self, message: Message, position: int, deadline: float | None) -> None:
        # Not by super().__init__: that call would cost each publish 0.2 µs of 2.4.
        failures = message.parsed.failed_deliveries
        self.message = _with_delivery_count(message, failures) if failures else message
        self.position = position
        self.deadline = deadline
        self.redelivered = failures > 0
        self.delivery_count = 0


class QuorumQueue(FifoQueue):
    """A quorum queue with one member."""

    queue_type = QUORUM
    supports_server_named = False
    supports_global_prefetch = False
    registers_enqueuers = True
    _queued_message = _QuorumMessage
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

    # -- ready messages ------------------------------------------------------------------------

    def _create_ready(self) -> ReadyMessages:
        self._quorum_messages = _QuorumMessages(
            has_priorities=self.host.profile.quorum_queues_have_priorities
        )
        return self._quorum_messages

    def _would_overflow(self, message: Message) -> bool:
        """Return whether the queue is over its limit already: RabbitMQ accepts one message more."""
        count, octets = len(self.ready), self.ready.octets
        if self.dead_letter_worker is not None:
            count += len(self.dead_letter_worker)
            octets += self.dead_letter_worker.octets
        if self._limit is not None and count > self._limit:
            return True
        return self._limit_octets is not None and octets > self._limit_octets

    def _deliver_directly(self, consumer: Consumer, queued: QueuedMessage) -> None:
        self._quorum_messages.pass_turn()
        self._deliver(consumer, queued)

    # -- what clients ask for ------------------------------------------------------------------

    def get(self, answer: Callable[[QueuedMessage], None], *, no_ack: bool) -> bool:
        if isinstance(self.consumers, SingleActiveConsumer):
            raise errors.get_with_single_active_consumer(self.host.name, self.name)
        return super().get(answer, no_ack=no_ack)

    def _got(self, queued: QueuedMessage, *, no_ack: bool) -> None:
        """Drop expired messages only if the message needs no acknowledgement.

        RabbitMQ looks for them with the next command of a quorum queue, which settling would be.
        """
        if self.host.profile.first_get_tells_delivery_count:
            queued.message = _with_delivery_count(queued.message, queued.delivery_count)
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
            by_priority = self.host.profile.single_active_consumer_by_priority
            return SingleActiveConsumer(by_priority=by_priority)
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

    def requeue(self, returned: Iterable[QueuedMessage]) -> None:
        """Put messages in front of all others if there is a delivery limit, else behind them."""
        self._quorum_messages.returns_first = self.settings.delivery_limit is not None
        super().requeue(returned)

    def _serve_returned(self) -> None:
        """Deliver what has come back before the limits apply: they are for what stays."""
        self._dispatch()
        self._trim()

    def _take_back(self, unacked: Mapping[int, Unacked]) -> None:
        """Put messages in front of all others, one consumer's after another's."""
        by_age = self.host.profile.quorum_consumers_return_by_age
        key = _age_of_holder if by_age else _name_of_holder
        self._quorum_messages.returns_first = True
        returned = [delivery.queued for _, delivery in sorted(unacked.items(), key=key)]
        self._count_failures(returned)
        self._restore(returned)
        self._serve_returned()

    def reject(self, returned: Iterable[QueuedMessage]) -> None:
        refused = list(returned)
        self._count_failures(refused)
        if not self.is_deleted:
            for queued in refused:
                self._discard(queued, "rejected")

    def _count_failures(self, returned: Iterable[QueuedMessage]) -> None:
        """Count deliveries that failed, for the queues that the messages may be dead-lettered to.

        A delivery that the client requeues is no failure.
        """
        keeps_failures = self.host.profile.dead_letters_keep_failed_deliveries
        if not keeps_failures or self.settings.dead_letter_exchange is None:
            return
        for queued in returned:
            parsed = queued.message.parsed
            failures = parsed.failed_deliveries + 1
            queued.message = queued.message.with_parsed(parsed._replace(failed_deliveries=failures))

    def _restore(self, returned: Iterable[QueuedMessage]) -> None:
        """Dead-letter messages that have exceeded the delivery limit, then put back the others."""
        limit = self.settings.delivery_limit
        again: list[QueuedMessage] = []
        for queued in returned:
            queued.delivery_count += 1
            if limit is None or queued.delivery_count <= limit:
                queued.message = _with_delivery_count(queued.message, queued.delivery_count)
                again.append(queued)
            else:
                self._discard(queued, "delivery_limit")
        for queued in again:
            self._put_back(queued)

    def _dead_letter(self, message: Message, reason: str) -> None:
        super()._dead_letter(message.with_properties(message.parsed.outgoing), reason)

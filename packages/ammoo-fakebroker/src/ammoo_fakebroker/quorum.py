"""Quorum queues, as far as one node and AMQP 0-9-1 show them.

They count how often a message came back, tell consumers in x-delivery-count, and dead-letter it
beyond the delivery limit. What comes back is served next, in the order of coming back.
See https://www.rabbitmq.com/docs/quorum-queues
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

from ammoo_wire import Int64

from .arguments import QUORUM
from .consumers import ConsumerRounds, SingleActiveConsumer
from .message import Message, PropertyFacts, QueuedMessage, with_header
from .queue import Queue
from .ready import ReadyMessages

__all__ = ["QuorumQueue"]


class _ReturnsFirst(ReadyMessages):
    """Waiting messages; what comes back stands in a line of its own, which is served first."""

    __slots__ = ("_line",)

    def __init__(self) -> None:
        super().__init__()
        self._line: deque[QueuedMessage] = deque()

    def __len__(self) -> int:
        return len(self._fresh) + len(self._line)

    def __iter__(self) -> Iterator[QueuedMessage]:
        yield from self._line
        yield from self._fresh

    def restore(self, queued: QueuedMessage) -> None:
        self._line.append(queued)
        self.octets += len(queued.message.body)

    def peek(self) -> QueuedMessage:
        return self._line[0] if self._line else self._fresh[0]

    def pop(self) -> QueuedMessage:
        queued = self._line.popleft() if self._line else self._fresh.popleft()
        self.octets -= len(queued.message.body)
        return queued


class QuorumQueue(Queue):
    """A quorum queue with one member."""

    queue_type = QUORUM

    def _create_ready(self) -> ReadyMessages:
        return _ReturnsFirst()

    def _create_consumers(self) -> ConsumerRounds:
        if self.settings.single_active_consumer:
            by_priority = self.virtualhost.profile.single_active_consumer_by_priority
            return SingleActiveConsumer(by_priority=by_priority)
        return ConsumerRounds()

    def requeue(self, returned: Iterable[QueuedMessage]) -> None:
        """Count the failed delivery; dead-letter what has failed too often, requeue the rest."""
        limit = self.settings.delivery_limit
        again: list[QueuedMessage] = []
        for queued in returned:
            queued.delivery_count += 1
            if limit is None or queued.delivery_count <= limit:
                queued.message = _with_delivery_count(queued)
                again.append(queued)
            elif not self.is_deleted:
                self.unacknowledged -= 1
                self._dead_letter(queued.message, "delivery_limit")
        super().requeue(again)


def _with_delivery_count(queued: QueuedMessage) -> Message:
    """Give this queue's own copy of a message, which tells how often it came back."""
    message = queued.message
    count = Int64(queued.delivery_count)
    properties = with_header(message.properties, "x-delivery-count", count)
    facts = PropertyFacts(
        expiration=message.expiration,
        priority=message.priority,
        carbon_copies=message.carbon_copies,
        blind_carbon_copies=message.blind_carbon_copies,
    )
    copy = Message(message.exchange_name, message.routing_key, properties, message.body, facts)
    copy.has_died = message.has_died
    return copy

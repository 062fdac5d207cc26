"""Quorum queues, as far as one node and AMQP 0-9-1 show them.

They count how often a message came back, tell consumers in x-delivery-count, and dead-letter it
beyond the delivery limit. With a limit, what comes back is served next; without one it goes to the
back of the queue.
See https://www.rabbitmq.com/docs/quorum-queues
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

from ammoo_wire import Int64, decode_properties

from .arguments import QUORUM
from .consumers import ConsumerRounds, SingleActiveConsumer
from .message import Message, QueuedMessage
from .properties import with_headers
from .queue import Queue
from .ready import ReadyMessages

__all__ = ["QuorumQueue"]

_HEADER = "x-delivery-count"


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


class _ReturnsLast(ReadyMessages):
    """Waiting messages; what comes back goes behind all others."""

    __slots__ = ()

    def restore(self, queued: QueuedMessage) -> None:
        self.append(queued)


class QuorumQueue(Queue):
    """A quorum queue with one member."""

    queue_type = QUORUM

    def _create_ready(self) -> ReadyMessages:
        return _ReturnsLast() if self.settings.delivery_limit is None else _ReturnsFirst()

    def _create_consumers(self) -> ConsumerRounds:
        if self.settings.single_active_consumer:
            by_priority = self.virtualhost.profile.single_active_consumer_by_priority
            return SingleActiveConsumer(by_priority=by_priority)
        return ConsumerRounds()

    def get(self, *, no_ack: bool) -> QueuedMessage | None:
        """Take the message in front (basic.get), or None if there is none."""
        queued = super().get(no_ack=no_ack)
        if queued is not None and self.virtualhost.profile.first_get_tells_delivery_count:
            self._tell_delivery_count(queued)
        return queued

    def requeue(self, returned: Iterable[QueuedMessage]) -> None:
        """Count the failed delivery; dead-letter what has failed too often, requeue the rest."""
        limit = self.settings.delivery_limit
        again: list[QueuedMessage] = []
        for queued in returned:
            queued.delivery_count += 1
            if limit is None or queued.delivery_count <= limit:
                self._tell_delivery_count(queued)
                again.append(queued)
            elif not self.is_deleted:
                self.unacknowledged -= 1
                self._dead_letter(queued.message, "delivery_limit")
        super().requeue(again)

    def _tell_delivery_count(self, queued: QueuedMessage) -> None:
        """Let consumers see in a header of this queue's own copy how often it came back."""
        message = queued.message
        properties = decode_properties(message.facts.outgoing)
        headers = {**(properties.headers or {}), _HEADER: Int64(queued.delivery_count)}
        sort = self.virtualhost.profile.sorts_headers
        queued.message = message.with_properties(with_headers(properties, headers, sort=sort))

    def _dead_letter(self, message: Message, reason: str) -> None:
        super()._dead_letter(message.with_properties(message.facts.outgoing), reason)

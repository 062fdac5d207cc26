"""Streams, as far as AMQP 0-9-1 shows them: logs that consumers read without taking anything away.

Every consumer has its own place in the log, chosen with x-stream-offset, and is told the offset of
each message in a header. Acknowledgements only make room for further deliveries.
See https://www.rabbitmq.com/docs/streams
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ammoo_wire import Int64, Timestamp, decode_properties

from .arguments import STREAM, age_milliseconds
from .message import Message, QueuedMessage
from .properties import with_headers
from .queue import Queue

if TYPE_CHECKING:
    from .channel import Unacknowledged
    from .consumers import Consumer

__all__ = ["StreamQueue"]


class StreamQueue(Queue):
    """A stream with one replica.

    Retention (x-max-length-bytes, x-max-age) works on whole segments of half a gigabyte in
    RabbitMQ, and so never becomes visible in a test; here everything is kept.
    """

    queue_type = STREAM
    minds_global_prefetch = False

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._log: list[Message] = []
        self._times: list[float] = []
        self._offsets: dict[Consumer, int] = {}

    @property
    def message_count(self) -> int:
        """How many messages the log holds; nobody takes any away."""
        return len(self._log)

    def waiting_messages(self) -> Iterable[QueuedMessage]:
        """Give all messages of the log."""
        return (QueuedMessage(message, offset, None) for offset, message in enumerate(self._log))

    def publish(self, message: Message) -> bool:
        """Append a message to the log."""
        self._log.append(message)
        self._times.append(self.virtualhost.clock.timestamp())
        for consumer in list(self._offsets):
            self._feed(consumer)
        return True

    def add_consumer(self, consumer: Consumer) -> None:
        """Start a consumer at the offset it asks for; without one, at what comes next."""
        self._offsets[consumer] = self._first_offset(consumer.arguments.get("x-stream-offset"))
        super().add_consumer(consumer)
        self._feed(consumer)

    def remove_consumer(self, consumer: Consumer) -> None:
        """Forget a consumer."""
        self._offsets.pop(consumer, None)
        super().remove_consumer(consumer)

    def forget(self, consumers: Iterable[Consumer]) -> None:
        for consumer in consumers:
            self._offsets.pop(consumer, None)
        super().forget(consumers)

    def wake(self, *consumers: Consumer) -> None:
        """Go on with consumers that may be able to take messages again."""
        for consumer in consumers:
            if consumer in self._offsets:
                self._feed(consumer)

    def acknowledge(self, queued: QueuedMessage) -> None:
        """Nothing to forget: the log keeps everything."""

    def requeue(self, returned: Iterable[QueuedMessage]) -> None:
        """Nothing to put back: nothing was taken."""

    def _restore(self, returned: Iterable[QueuedMessage]) -> None:
        """Nothing to put back: nothing was taken."""

    def count_consumers(self, held: Iterable[Unacknowledged]) -> int:
        """RabbitMQ does not count them."""
        return 0

    def reject(self, returned: Iterable[QueuedMessage]) -> None:
        """Nothing to dead-letter: the log keeps everything."""

    def _first_offset(self, wanted: Any) -> int:
        end = len(self._log)
        if wanted is None or wanted == "next":
            return end
        if wanted == "first":
            return 0
        if wanted == "last":
            return max(end - 1, 0)
        if isinstance(wanted, datetime):
            return bisect_left(self._times, wanted.timestamp())
        if isinstance(wanted, Timestamp):
            return bisect_left(self._times, float(wanted))
        if isinstance(wanted, str):
            age = age_milliseconds(wanted) or 0
            return bisect_left(self._times, self.virtualhost.clock.timestamp() - age / 1000)
        return max(int(wanted), 0)

    def _feed(self, consumer: Consumer) -> None:
        offset = self._offsets[consumer]
        while offset < len(self._log) and consumer.can_take():
            self._offsets[consumer] = offset + 1
            consumer.deliver(QueuedMessage(self._outgoing(offset), offset, None))
            offset += 1

    def _outgoing(self, offset: int) -> Message:
        """Give a copy of a message that tells where in the log it stands."""
        message = self._log[offset]
        properties = decode_properties(message.properties)
        profile = self.virtualhost.profile
        # Streams store AMQP 1.0, whose application properties hold no arrays and no tables; 4.0
        # keeps some headers in annotations instead, which may hold them.
        headers = {
            name: value
            for name, value in (properties.headers or {}).items()
            if not isinstance(value, list | dict)
            or (profile.streams_have_annotations and (name.startswith("x-") or name == "CC"))
        }
        headers["x-stream-offset"] = Int64(offset)
        if properties.delivery_mode is None and profile.streams_set_delivery_mode:
            properties = properties._replace(delivery_mode=1)
        return message.with_properties(with_headers(properties, headers))

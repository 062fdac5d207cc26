"""Streams, as AMQP 0-9-1 shows them: logs whose messages stay when consumers read them.

Each consumer has its own offset in the log, which it chooses with x-stream-offset. A header of each
delivery states the offset of the message. Acknowledgements only make room for further deliveries.
See https://www.rabbitmq.com/docs/streams
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from ammoo_wire import BasicHeaderProperties, Int64, Timestamp

from ..messages.headers import with_headers
from ..messages.message import MESSAGE_SIZE, Message, QueuedMessage
from ..messages.stream_properties import NotConvertible, stored_properties
from ..rabbitmq import errors
from ..rabbitmq.arguments import (
    STREAM,
    QueueSettings,
    StreamFilter,
    age_milliseconds,
    check_stream_offset_is_one,
    stream_filter,
)
from .queue import Queue
from .stream_segments import StreamSegments

if TYPE_CHECKING:
    from ..clocks.clock import Timer
    from ..messages.copying import Copying
    from .consumers import Consumer
    from .delivery import Unacked
    from .ports import ConsumerChannel, QueueHost

__all__ = ["StreamQueue"]

AGE_CHECK = 3600.0
"""Seconds between two checks for old segments while no message is published."""

_CHUNK_SIZE = 140
"""The octets that RabbitMQ writes with each message besides its body and its properties."""


class _Entry(NamedTuple):
    """A message of the log, with the properties that the log keeps."""

    message: Message
    properties: BasicHeaderProperties

    def delivered_as(self, offset: int) -> Message:
        """Return a copy of the message with its offset in a header."""
        headers = {**(self.properties.headers or {}), "x-stream-offset": Int64(offset)}
        return self.message.with_properties(with_headers(self.properties, headers))


class _Reader:
    """The offset of a consumer in the log, and its filter.

    Attributes:
        offset: The lowest offset that may be delivered next.
        filter: The filter of the messages; None for all messages.
    """

    __slots__ = ("filter", "offset")

    def __init__(self, offset: int, wanted: StreamFilter | None) -> None:
        self.offset = offset
        self.filter = wanted


class StreamQueue(Queue):
    """A stream with one replica.

    RabbitMQ writes messages of the same moment into one chunk, and filters whole chunks. Here each
    message is a chunk.
    """

    queue_type = STREAM
    supports_server_named = False
    supports_global_prefetch = False

    def __init__(self, name: str, host: QueueHost, **options: Any) -> None:
        super().__init__(name, host, **options)
        self._segments = StreamSegments(self.settings.max_segment_size)
        self._apply_retention()
        self._log: list[_Entry] = []
        self._log_offsets: list[int] = []
        self._times: list[float] = []
        self._readers: dict[Consumer, _Reader] = {}
        self._age_timer: Timer | None = None

    def _apply_retention(self) -> None:
        self._segments.limit(self.settings.max_length_bytes, self.settings.max_age)

    def change_settings(self, settings: QueueSettings) -> None:
        """Apply other retention limits from now on; the size of segments stays."""
        self.settings = settings
        self._apply_retention()
        self._cancel_age_timer()
        self._drop_old()

    @property
    def message_count(self) -> int:
        """The length of the log.

        RabbitMQ counts the list of publishers in each segment as a message.
        """
        return self._segments.next_offset - self._segments.first_offset

    def memory_size(self) -> int:
        return self._segments.octets + MESSAGE_SIZE * len(self._log)

    def ready_messages(self) -> Iterable[QueuedMessage]:
        """Return all messages of the log."""
        return (
            QueuedMessage(message, offset, None)
            for (message, _), offset in zip(self._log, self._log_offsets, strict=True)
        )

    def publish(self, message: Message) -> bool:
        """Append a message to the log; a dead letter is lost if the log cannot keep it.

        Raises:
            ProtocolError: 541, the filter value is not a string, or a header a decimal number.
        """
        is_dead_letter = message.parsed.history is not None
        if is_dead_letter and not self.host.profile.streams_take_dead_letters:
            return True
        try:
            entry = self._stored(message, keeps_deaths=is_dead_letter)
        except NotConvertible:
            if is_dead_letter:
                return True
            raise errors.internal_error() from None
        if message.parsed.filter_value is None and not is_dead_letter:
            raise errors.internal_error()
        self._append(entry)
        return True

    def _stored(self, message: Message, *, keeps_deaths: bool) -> _Entry:
        has_annotations = self.host.profile.streams_have_annotations
        return _Entry(
            message,
            stored_properties(
                message.decoded(), has_annotations=has_annotations, keeps_deaths=keeps_deaths
            ),
        )

    def _append(self, entry: _Entry) -> None:
        now = self.host.clock.timestamp()
        first_offset = self._segments.first_offset
        self._log_offsets.append(self._segments.append(_size_of(entry.message), now))
        self._log.append(entry)
        self._times.append(now)
        if self._segments.first_offset != first_offset:
            self._remove_dropped()
        if self._segments.may_become_too_old and self._age_timer is None:
            self._watch_age()
        for consumer in list(self._readers):
            self._deliver_to(consumer)

    def copy_messages(self, source: Self, copying: Copying) -> None:
        self._segments = source._segments.copy(later=copying.calendar_seconds)
        self._log = [
            entry._replace(message=copying.message(entry.message)) for entry in source._log
        ]
        self._log_offsets = source._log_offsets.copy()
        self._times = [moment + copying.calendar_seconds for moment in source._times]

    def come_up(self) -> None:
        super().come_up()
        if self._segments.may_become_too_old and self._age_timer is None:
            self._watch_age()

    def _remove_dropped(self) -> None:
        count = bisect_left(self._log_offsets, self._segments.first_offset)
        for column in (self._log, self._log_offsets, self._times):
            del column[:count]

    def _watch_age(self) -> None:
        """Check for old segments at regular intervals, if the release does so."""
        if self.host.profile.streams_watch_age:
            self._age_timer = self.host.clock.call_later(AGE_CHECK, self._drop_old, only_looks=True)

    def _drop_old(self) -> None:
        self._age_timer = None
        self._segments.drop_old(self.host.clock.timestamp())
        self._remove_dropped()
        if self._segments.may_become_too_old:
            self._watch_age()

    def stop_timers(self) -> None:
        super().stop_timers()
        self._cancel_age_timer()

    def _cancel_age_timer(self) -> None:
        if self._age_timer is not None:
            self._age_timer.cancel()
            self._age_timer = None

    def add_consumer(self, consumer: Consumer) -> None:
        """Add a consumer at the offset that it asks for; by default, at the next message."""
        offset = self._first_offset(consumer.arguments.get("x-stream-offset"))
        wanted = stream_filter(consumer.arguments, self.host.profile)
        self._readers[consumer] = _Reader(offset, wanted)
        super().add_consumer(consumer)
        self._deliver_to(consumer)

    def detach(self, consumers: Iterable[Consumer]) -> None:
        for consumer in consumers:
            self._readers.pop(consumer, None)
        super().detach(consumers)

    def wake(self, *consumers: Consumer) -> None:
        for consumer in consumers:
            if consumer in self._readers:
                self._deliver_to(consumer)

    # -- what clients ask for ------------------------------------------------------------------

    def _check_consumer(self, consumer: Consumer) -> None:
        host, is_old = self.host.name, self.host.profile.streams_refuse_rejections
        if not consumer.limiter.limit:
            raise errors.stream_needs_prefetch(host, self.name, quoted=is_old)
        if consumer.no_ack:
            raise errors.stream_needs_acknowledgements(host, self.name, plural=is_old)
        if consumer.channel.limiter.limit:
            raise errors.global_qos_not_supported(host, self.name)
        check_stream_offset_is_one(consumer.arguments)

    def count_consumers(self, unacked: Iterable[Unacked]) -> int:
        """Return 0: RabbitMQ does not count a stream's consumers."""
        return 0

    @property
    def supports_rejection(self) -> bool:
        return self.is_deleted or not self.host.profile.streams_refuse_rejections

    def get(
        self,
        answer: Callable[[QueuedMessage], None],
        channel: ConsumerChannel,
        *,
        no_ack: bool,
    ) -> bool:
        raise errors.get_not_supported(self.host.name, self.name)

    def purge(self) -> int:
        raise errors.purge_not_supported(self.host.name, self.name)

    def check_deletion(self, *, if_unused: bool, if_empty: bool) -> int:
        """Return 0: RabbitMQ does not count a stream's messages, and ignores both flags."""
        return 0

    # -- settlements only make room for further deliveries: the log keeps every message ---------

    def acknowledge(self, queued: QueuedMessage) -> None:
        pass

    def requeue(self, returned: Iterable[QueuedMessage], *, failed: bool) -> None:
        pass

    def reject(self, returned: Iterable[QueuedMessage], *, failed: bool) -> None:
        pass

    def _take_back(self, unacked: Mapping[int, Unacked]) -> None:
        pass

    # -- the log -------------------------------------------------------------------------------

    def _first_offset(self, wanted: Any) -> int:
        end = self._segments.next_offset
        if wanted is None or wanted == "next":
            return end
        if wanted == "first":
            return self._segments.first_offset
        if wanted == "last":
            return self._log_offsets[-1] if self._log else end
        if isinstance(wanted, datetime):
            return self._offset_at(wanted.timestamp())
        if isinstance(wanted, Timestamp):
            return self._offset_at(float(wanted))
        if isinstance(wanted, str):
            age = age_milliseconds(wanted) or 0
            return self._offset_at(self.host.clock.timestamp() - age / 1000)
        return max(int(wanted), 0)

    def _offset_at(self, moment: float) -> int:
        """Return the offset of the first message at a time or later."""
        index = bisect_left(self._times, moment)
        return self._log_offsets[index] if index < len(self._log) else self._segments.next_offset

    def _deliver_to(self, consumer: Consumer) -> None:
        reader = self._readers[consumer]
        index = bisect_left(self._log_offsets, reader.offset)
        while index < len(self._log) and consumer.can_take():
            offset = self._log_offsets[index]
            reader.offset = offset + 1
            entry = self._log[index]
            value = entry.message.parsed.filter_value or ""
            if reader.filter is None or reader.filter.takes(value):
                consumer.deliver(QueuedMessage(entry.delivered_as(offset), offset, None))
            index += 1


def _size_of(message: Message) -> int:
    """Return about how many octets a message takes in RabbitMQ's log."""
    names = len(message.exchange_name) + len(message.routing_key)
    return len(message.body) + len(message.properties) + names + _CHUNK_SIZE

"""Classic queues: a message that comes back takes its old place, and priorities have levels.

See https://www.rabbitmq.com/docs/classic-queues
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ..messages.message import Message, QueuedMessage
from ..rabbitmq import errors
from ..rabbitmq.arguments import CLASSIC, QueueSettings
from .consumers import SingleActiveConsumer
from .fifo import FifoQueue
from .ready_messages import PrioritizedMessages, ReadyMessages

if TYPE_CHECKING:
    from .consumers import Consumer
    from .delivery import Unacked
    from .ports import QueueHost

__all__ = ["ClassicQueue"]


class _CountedMessage(QueuedMessage):
    """A message whose delivery count includes its failed deliveries in former queues."""

    __slots__ = ()

    def __init__(self, message: Message, position: int, deadline: float | None) -> None:
        # Not by super().__init__: that call would cost each publish 0.2 µs.
        self.message = message
        self.position = position
        self.deadline = deadline
        self.redelivered = False
        self.delivery_count = message.parsed.failed_deliveries


class ClassicQueue(FifoQueue):
    """A classic queue."""

    queue_type = CLASSIC
    is_replicated = False
    _expires_on_every_publish = False

    def __init__(self, name: str, host: QueueHost, **options: Any) -> None:
        super().__init__(name, host, **options)
        if host.profile.classic_queues_count_failures:
            self._queued_message = _CountedMessage

    def change_settings(self, settings: QueueSettings) -> None:
        """Apply other settings, new limits before a new overflow behaviour, as RabbitMQ does."""
        if self.settings.overflow == "drop-head":
            self._apply(settings._replace(overflow="drop-head"))
            self._drop_overflow()
        super().change_settings(settings)

    def _create_ready(self) -> ReadyMessages:
        if self.settings.max_priority:
            return PrioritizedMessages(self.settings.max_priority)
        return ReadyMessages()

    def _would_overflow(self, message: Message) -> bool:
        if self._limit is not None and len(self.ready) + 1 > self._limit:
            return True
        octets = self.ready.octets + len(message.body)
        return self._limit_octets is not None and octets > self._limit_octets

    def _check_consumer(self, consumer: Consumer) -> None:
        """Check that the queue has no exclusive consumer, and no other if the new one is exclusive."""
        consumers = self.consumers
        is_taken = consumers.has_exclusive or (
            consumer.exclusive and (len(consumers) or isinstance(consumers, SingleActiveConsumer))
        )
        if is_taken:
            raise errors.queue_in_exclusive_use(self.host.name, self.name)

    def check_deletion(self, *, if_unused: bool, if_empty: bool) -> int:
        if if_unused and len(self.consumers):
            raise errors.queue_in_use(self.host.name, self.name)
        if if_empty and self.message_count:
            raise errors.queue_not_empty(self.host.name, self.name)
        return self.message_count

    def _restore(self, returned: Iterable[QueuedMessage], *, failed: bool) -> None:
        for queued in returned:
            queued.delivery_count += failed
            self._put_back(queued)

    def _serve_returned(self) -> None:
        self._trim()
        self._dispatch()

    def _take_back(self, unacked: Mapping[int, Unacked]) -> None:
        self._restore((delivery.queued for delivery in unacked.values()), failed=True)
        self._serve_returned()

    def reject(self, returned: Iterable[QueuedMessage], *, failed: bool) -> None:
        """Dead-letter or drop messages that a client does not requeue, high priorities first."""
        if self.is_deleted:
            return
        for queued in sorted(returned, key=self._descending_priority):
            queued.delivery_count += failed
            self._discard(queued, "rejected")

    # -- restarts ------------------------------------------------------------------------------

    def go_down(self) -> None:
        super().go_down()
        if self.host.profile.restart_forgets_redelivery:
            for queued in self.ready:
                queued.redelivered = False

    def forget_transient(self) -> None:
        """Drop the messages that were not published as persistent."""
        ready = self.ready
        self.ready: ReadyMessages = self._create_ready()
        for queued in ready:
            if queued.message.parsed.is_persistent:
                self.ready.append(queued)

    def _dead_letter_of(self, queued: QueuedMessage) -> Message:
        if self._queued_message is not _CountedMessage or not queued.delivery_count:
            return queued.message
        parsed = queued.message.parsed
        return queued.message.with_parsed(parsed._replace(failed_deliveries=queued.delivery_count))

    def _descending_priority(self, queued: QueuedMessage) -> int:
        return -min(queued.message.parsed.priority or 0, self.settings.max_priority or 0)

"""What classic and quorum queues share: each message waits in order, and goes to one consumer.

This room has the delivery of ready messages, time-to-live, length limits and dead-lettering. The types
(`classic.py`, `quorum.py`) supply what happens to a message that comes back, and which messages are
over a limit.
See https://www.rabbitmq.com/docs/queues, /docs/ttl, /docs/maxlength
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, ClassVar, Self

from ..messages.message import MESSAGE_SIZE, Message, QueuedMessage
from ..rabbitmq.arguments import QueueSettings
from .consumers import QueueConsumers, SingleActiveConsumer
from .queue import Queue
from .ready_messages import ReadyMessages

if TYPE_CHECKING:
    from ..clocks.clock import Timer
    from ..messages.copying import Copying
    from .consumers import Consumer
    from .ports import ConsumerChannel, QueueHost

__all__ = ["FifoQueue"]


class FifoQueue(Queue):
    """A queue that delivers its messages in order, each to one of its consumers.

    Attributes:
        ready: The messages that wait for a consumer.
    """

    _queued_message: type[QueuedMessage] = QueuedMessage
    _expires_on_every_publish: ClassVar[bool]
    """Whether a publish looks for expired messages even if the first message was there before."""

    def __init__(self, name: str, host: QueueHost, **options: Any) -> None:
        super().__init__(name, host, **options)
        self._position = 0
        self._has_deadlines = False
        self._expiry_timer: Timer | None = None
        self._expiry_due = 0.0
        self._apply(self.settings)
        self.ready: ReadyMessages = self._create_ready()

    def _apply(self, settings: QueueSettings) -> None:
        """Use other settings from now on."""
        self.settings = settings
        self._limit = settings.max_length
        self._limit_octets = settings.max_length_bytes
        self._has_dead_letters = settings.dead_letter_exchange is not None
        is_limited = self._limit is not None or self._limit_octets is not None
        self._drops_overflow = is_limited and settings.overflow == "drop-head"
        self._rejects_overflow = is_limited and not self._drops_overflow

    def memory_size(self) -> int:
        ready = self.ready
        return ready.octets + MESSAGE_SIZE * len(ready)

    def change_settings(self, settings: QueueSettings) -> None:
        """Apply other settings: a policy has changed.

        Messages that are ready keep their time-to-live, and count for the new limits. The idle time
        starts anew.
        """
        self._apply(settings)
        self._trim()
        self._cancel_idle_timer()
        self.restart_idle_timer()

    def _create_consumers(self) -> QueueConsumers:
        if self.settings.single_active_consumer:
            return SingleActiveConsumer()
        return QueueConsumers()

    # -- what classic and quorum queues supply -------------------------------------------------

    @abstractmethod
    def _create_ready(self) -> ReadyMessages:
        """Create an empty collection of ready messages."""

    @abstractmethod
    def _would_overflow(self, message: Message) -> bool:
        """Return whether a queue that rejects publishes when it is full rejects this one."""

    @abstractmethod
    def _restore(self, returned: Iterable[QueuedMessage], *, failed: bool) -> None:
        """Put back messages that were delivered and not acknowledged."""

    @abstractmethod
    def _serve_returned(self) -> None:
        """Apply the limits, and deliver the messages that have come back."""

    def copy_messages(self, source: Self, copying: Copying) -> None:
        self.ready.fill(source.ready, copying.queued)
        self._position = source._position
        self.unacked_count: int = source.unacked_count
        self._has_deadlines = source._has_deadlines
        worker, other = self.dead_letter_worker, source.dead_letter_worker
        if worker is not None and other is not None:
            worker.copy_letters(other, copying)

    # -- messages come in ----------------------------------------------------------------------

    @property
    def message_count(self) -> int:
        return len(self.ready)

    def ready_messages(self) -> Iterable[QueuedMessage]:
        return self.ready

    def publish(self, message: Message) -> bool:
        if self._rejects_overflow and self._would_overflow(message):
            self._record_death(message, "maxlen")
            if self.settings.overflow == "reject-publish-dlx" and self._has_dead_letters:
                self._send_dead_letter(message, "maxlen")
            return False
        self._position = position = self._position + 1
        queued = self._queued_message(message, position, self._deadline_of(message))
        # If no other message is ready, a consumer gets the message at once: neither a length limit of
        # 0 nor a time-to-live of 0 prevents that.
        if not len(self.ready):
            consumer = self.consumers.next()
            if consumer is not None:
                self._deliver_directly(consumer, queued)
                return True
        if queued.delivery_count:
            queued.redelivered = True
        self.ready.append(queued)
        is_trimmed = self._drops_overflow and self._drop_overflow()
        if self._has_deadlines and (
            is_trimmed or len(self.ready) == 1 or self._expires_on_every_publish
        ):
            self._expire()
        return True

    def publish_again(self, message: Message) -> None:
        self._position = position = self._position + 1
        queued = self._queued_message(message, position, self._deadline_of(message))
        queued.redelivered = True
        self.ready.append(queued)
        self._trim()
        self._dispatch()

    def _deadline_of(self, message: Message) -> float | None:
        """Return the time at which a message expires: the sooner one of the queue's and its own."""
        own, given = self.settings.message_ttl, message.parsed.expiration
        if own is None and given is None:
            return None
        self._has_deadlines = True
        milliseconds = min(limit for limit in (own, given) if limit is not None)
        return self.host.clock.time() + milliseconds / 1000

    def _trim(self) -> None:
        """Drop messages over the length limit, and messages that have expired."""
        if self._drops_overflow:
            self._drop_overflow()
        self._drop_expired()

    def _drop_overflow(self) -> bool:
        """Drop messages from the front until the queue is within its limits (overflow drop-head).

        Returns:
            Whether a message was dropped.
        """
        ready = self.ready
        count = len(ready)
        while len(ready) and self._is_over_limit():
            self._dead_letter(ready.pop(), "maxlen")
        return len(ready) < count

    def _is_over_limit(self) -> bool:
        """Return whether more messages are ready than the length limits allow."""
        if self._limit is not None and len(self.ready) > self._limit:
            return True
        return self._limit_octets is not None and self.ready.octets > self._limit_octets

    # -- messages go out -----------------------------------------------------------------------

    def wake(self, *consumers: Consumer) -> None:
        for consumer in consumers:
            if consumer in self.consumers:
                self.consumers.unblock(consumer)
        if len(self.ready):
            self._dispatch()

    def _dispatch(self) -> None:
        """Deliver ready messages while there are consumers that can take them."""
        self._expire_overdue()
        ready = self.ready
        while len(ready):
            consumer = self.consumers.next()
            if consumer is None:
                return
            self._deliver(consumer, ready.pop())
            if self._has_deadlines:
                self._expire()

    def _deliver_directly(self, consumer: Consumer, queued: QueuedMessage) -> None:
        """Deliver a message that was never ready."""
        self._deliver(consumer, queued)

    def _deliver(self, consumer: Consumer, queued: QueuedMessage) -> None:
        if not consumer.no_ack:
            self.unacked_count += 1
        consumer.deliver(queued)

    def get(
        self,
        answer: Callable[[QueuedMessage], None],
        channel: ConsumerChannel,
        *,
        no_ack: bool,
    ) -> bool:
        self.restart_idle_timer()
        self._expire_overdue()
        if not len(self.ready):
            return False
        queued = self.ready.pop()
        if not no_ack:
            self.unacked_count += 1
        self._got(queued, no_ack=no_ack)
        answer(queued)
        self._drop_expired()
        return True

    def _got(self, queued: QueuedMessage, *, no_ack: bool) -> None:
        """Prepare the answer to basic.get, which states how many messages are left."""
        self._drop_expired()

    def purge(self) -> int:
        self._expire_overdue()
        count = len(self.ready)
        self.ready = self._create_ready()
        return count

    # -- messages are settled ------------------------------------------------------------------

    def acknowledge(self, queued: QueuedMessage) -> None:
        self.unacked_count -= 1

    def requeue(self, returned: Iterable[QueuedMessage], *, failed: bool) -> None:
        if self.is_deleted:
            return
        self._restore(returned, failed=failed)
        self._serve_returned()

    def _put_back(self, queued: QueuedMessage) -> None:
        """Make a message ready again, marked as redelivered."""
        self.unacked_count -= 1
        queued.redelivered = True
        self.ready.restore(queued)

    def _discard(self, queued: QueuedMessage, reason: str) -> None:
        """Dead-letter or drop a message that was delivered."""
        self.unacked_count -= 1
        self._dead_letter(queued, reason)

    def _dead_letter(self, queued: QueuedMessage, reason: str) -> None:
        self._record_death(queued.message, reason)
        if self._has_dead_letters:
            self._send_dead_letter(self._dead_letter_of(queued), reason)

    def _dead_letter_of(self, queued: QueuedMessage) -> Message:
        """Return a message as it leaves the queue for the dead-letter exchange."""
        return queued.message

    def _send_dead_letter(self, message: Message, reason: str) -> None:
        self.host.dead_letters.send(message, self, reason)

    def _record_death(self, message: Message, reason: str) -> None:
        """Record why a message has left the queue; the channel has recorded a rejection."""
        if reason != "rejected":
            self.record("expired" if reason == "expired" else "dropped", message, reason=reason)

    # -- time ----------------------------------------------------------------------------------

    def _drop_expired(self) -> None:
        """Drop expired messages at the front."""
        if self._has_deadlines:
            self._expire()

    def _expire(self) -> None:
        """Drop expired messages at the front, and look again when the next one expires.

        An expired message behind one that has not expired stays, and counts as ready.
        """
        ready = self.ready
        now = self.host.clock.time()
        while len(ready):
            deadline = ready.peek().deadline
            if deadline is None:
                return
            if deadline > now:
                self._expire_at(deadline)
                return
            self._dead_letter(ready.pop(), "expired")

    def _expire_overdue(self) -> None:
        """Drop expired messages whose timer has not fired yet.

        A queue with priorities does not: a message that has overtaken others has no timer, and
        RabbitMQ delivers it although it has expired.
        """
        if self._has_deadlines and not self.settings.max_priority:
            self._expire()

    def _expire_at(self, deadline: float) -> None:
        """Look again at `deadline`, unless an earlier look is planned, which will plan the next one."""
        if self._expiry_timer is not None:
            if self._expiry_due <= deadline:
                return
            self._expiry_timer.cancel()
        self._expiry_due = deadline
        clock = self.host.clock
        self._expiry_timer = clock.call_later(deadline - clock.time(), self._expire_now)

    def _expire_now(self) -> None:
        """Drop expired messages."""
        self._expiry_timer = None
        if not self.is_deleted:
            self._expire()

    def come_up(self) -> None:
        super().come_up()
        self._drop_expired()

    def close(self) -> None:
        super().close()
        self.ready = self._create_ready()

    def stop_timers(self) -> None:
        super().stop_timers()
        if self._expiry_timer is not None:
            self._expiry_timer.cancel()
            self._expiry_timer = None

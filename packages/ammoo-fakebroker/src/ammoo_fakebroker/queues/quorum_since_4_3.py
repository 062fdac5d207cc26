"""Quorum queues since RabbitMQ 4.3.

They distinguish failed deliveries (basic.reject, a closed channel) from returned ones (basic.nack with
requeue), and only failed deliveries count for the delivery limit. A retry may be delayed. The queue
takes back deliveries that a consumer does not settle in time.
See https://www.rabbitmq.com/docs/quorum-queues, /docs/consumers#acknowledgement-timeout
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from ..messages.message import Message, QueuedMessage
from ..rabbitmq.arguments import consumer_timeout
from .delayed_retries import DelayedRetries
from .delivery_limit import FailureCountingMessage, has_exceeded_limit
from .quorum import QuorumQueue, age_of_holder
from .quorum_messages import LeveledMessages

if TYPE_CHECKING:
    from ..clocks.clock import Timer
    from ..messages.copying import Copying
    from .consumers import Consumer
    from .delivery import Unacked
    from .ports import ConsumerChannel, QueueHost

__all__ = ["QuorumQueueSince43"]


class _Lock(NamedTuple):
    """A delivery with a consumer timeout."""

    deadline: float
    """The time at which the queue takes the delivery back."""
    channel: ConsumerChannel
    consumer: Consumer | None
    """The consumer that got it; None after basic.get."""


class QuorumQueueSince43(QuorumQueue):
    """A quorum queue of a release since 4.3."""

    _queued_message = FailureCountingMessage
    unacked_count: int

    def __init__(self, name: str, host: QueueHost, **options: Any) -> None:
        self._delayed = DelayedRetries(host.clock, self._end_delays)
        self._locks: dict[QueuedMessage, _Lock] = {}
        self._lock_timer: Timer | None = None
        self._lock_due = 0.0
        self._timed_out: dict[QueuedMessage, Consumer | None] = {}
        super().__init__(name, host, **options)

    def _create_ready(self) -> LeveledMessages:
        self._levels = LeveledMessages()
        return self._levels

    def copy_messages(self, source: Self, copying: Copying) -> None:
        super().copy_messages(source, copying)
        self._delayed.copy_messages(source._delayed, copying)

    def all_messages(self) -> Iterator[Message]:
        yield from super().all_messages()
        yield from self._delayed.messages()

    def come_up(self) -> None:
        super().come_up()
        self._delayed.await_next()

    # -- limits and time -----------------------------------------------------------------------

    def _would_overflow(self, message: Message) -> bool:
        return self._is_over_limit()

    def _is_over_limit(self) -> bool:
        """Return whether the queue is over a limit; delayed messages and dead letters count."""
        worker = self.dead_letter_worker
        count = len(self.ready) + len(self._delayed) + (0 if worker is None else len(worker))
        octets = self.ready.octets + self._delayed.octets + (0 if worker is None else worker.octets)
        if self._limit is not None and count > self._limit:
            return True
        return self._limit_octets is not None and octets > self._limit_octets

    def _expire(self) -> None:
        """Drop expired messages at the front of each priority; look again when the next one expires."""
        for queued in self._levels.pop_expired(self.host.clock.time()):
            self._dead_letter(queued, "expired")
        deadline = self._levels.next_deadline()
        if deadline is not None:
            self._expire_at(deadline)

    def purge(self) -> int:
        """Drop ready and delayed messages, and dead letters that have not arrived."""
        worker = self.dead_letter_worker
        count = super().purge() + len(self._delayed)
        self._delayed.clear()
        if worker is not None:
            count += worker.purge()
        return count

    def stop_timers(self) -> None:
        super().stop_timers()
        self._delayed.stop()
        if self._lock_timer is not None:
            self._lock_timer.cancel()
            self._lock_timer = None

    # -- messages come back --------------------------------------------------------------------

    def requeue(self, returned: Iterable[QueuedMessage], *, failed: bool) -> None:
        """Count the deliveries, and put the messages before all others."""
        super().requeue(self._still_locked(returned, wakes=False), failed=failed)

    def reject(self, returned: Iterable[QueuedMessage], *, failed: bool) -> None:
        refused = self._still_locked(returned)
        if self.is_deleted:
            return
        for queued in refused:
            queued.delivery_count += failed
            self._discard(queued, "rejected")

    def acknowledge(self, queued: QueuedMessage) -> None:
        self._locks.pop(queued, None)
        if not self._timed_out or not self._is_late(queued):
            self.unacked_count -= 1

    def _take_back(self, unacked: Mapping[int, Unacked]) -> None:
        """Put messages before all others, consumer by consumer."""
        returned = [each.queued for _, each in sorted(unacked.items(), key=age_of_holder)]
        self._restore(self._still_locked(returned), failed=True)
        self._serve_returned()

    def _restore(self, returned: Iterable[QueuedMessage], *, failed: bool) -> None:
        """Count deliveries; dead-letter, delay or put back each message."""
        limit = self.settings.delivery_limit
        for queued in returned:
            assert isinstance(queued, FailureCountingMessage)
            queued.count_return(failed=failed)
            if has_exceeded_limit(queued, limit):
                self._discard(queued, "delivery_limit")
                continue
            delay = self._delay_of(queued, failed=failed)
            self.unacked_count -= 1
            queued.redelivered = True
            if delay:
                self._delayed.add(queued, delay)
            else:
                self._levels.restore(queued)

    def _dead_letter_of(self, queued: QueuedMessage) -> Message:
        message = super()._dead_letter_of(queued)
        if not queued.delivery_count:
            return message
        return message.with_parsed(message.parsed._replace(failed_deliveries=queued.delivery_count))

    # -- delayed retries -----------------------------------------------------------------------

    def _delay_of(self, queued: QueuedMessage, *, failed: bool) -> float:
        """Return after how many seconds a message that has come back is ready again."""
        retry = self.settings.delayed_retry
        if retry is None or not (retry.failed if failed else retry.returned):
            return 0.0
        return min(retry.shortest * max(queued.delivery_count, 1), retry.longest) / 1000

    def _end_delays(self) -> None:
        """Make messages ready whose delay before another delivery is over."""
        if self.is_deleted:
            return
        for queued in self._delayed.take_due():
            self._levels.restore(queued)
        self._drop_expired()
        self._serve_returned()
        self._delayed.await_next()

    # -- consumer timeouts ---------------------------------------------------------------------

    def get(
        self,
        answer: Callable[[QueuedMessage], None],
        channel: ConsumerChannel,
        *,
        no_ack: bool,
    ) -> bool:
        def lock_and_answer(queued: QueuedMessage) -> None:
            if not no_ack:
                self._lock(queued, channel, None)
            answer(queued)

        return super().get(lock_and_answer, channel, no_ack=no_ack)

    def _deliver(self, consumer: Consumer, queued: QueuedMessage) -> None:
        if not consumer.no_ack:
            self._lock(queued, consumer.channel, consumer)
        super()._deliver(consumer, queued)

    def _lock(
        self, queued: QueuedMessage, channel: ConsumerChannel, consumer: Consumer | None
    ) -> None:
        """Start the consumer timeout of a delivery."""
        timeout = self._timeout_of(consumer)
        if timeout is None:
            return
        deadline = self.host.clock.time() + timeout / 1000
        self._locks[queued] = _Lock(deadline, channel, consumer)
        if self._lock_timer is None or deadline < self._lock_due:
            self._await_locks(deadline)

    def _timeout_of(self, consumer: Consumer | None) -> int | None:
        """Return the consumer's own timeout, or the queue's, or the node's, in milliseconds."""
        own = None if consumer is None else consumer_timeout(consumer.arguments)
        if own is not None:
            return own
        timeout = self.settings.consumer_timeout
        return self.host.consumer_timeout if timeout is None else timeout

    def _await_locks(self, deadline: float) -> None:
        if self._lock_timer is not None:
            self._lock_timer.cancel()
        self._lock_due = deadline
        delay = max(deadline - self.host.clock.time(), 0)
        self._lock_timer = self.host.clock.call_later(delay, self._end_locks, only_looks=True)

    def _end_locks(self) -> None:
        """Take back what was not settled in time, and notify the clients."""
        self._lock_timer = None
        if self.is_deleted:
            return
        now = self.host.clock.time()
        overdue: dict[tuple[ConsumerChannel, Consumer | None], list[QueuedMessage]] = {}
        for queued, (deadline, channel, consumer) in self._locks.items():
            if deadline <= now:
                overdue.setdefault((channel, consumer), []).append(queued)
        for (channel, consumer), late in overdue.items():
            self._time_out(channel, consumer, late)
        self._serve_returned()
        if self._locks and self._lock_timer is None:
            self._await_locks(min(lock.deadline for lock in self._locks.values()))

    def _time_out(
        self, channel: ConsumerChannel, consumer: Consumer | None, late: list[QueuedMessage]
    ) -> None:
        """Take back overdue deliveries; the consumer gets no others until it has settled them."""
        returned = []
        for queued in late:
            assert isinstance(queued, FailureCountingMessage)
            del self._locks[queued]
            self._timed_out[queued] = consumer
            returned.append(queued.copy())
            self.record("requeued", queued.message, reason="consumer timeout")
        if consumer is not None:
            consumer.limiter.suspend()
            self.consumers.suspend(consumer)
        self._restore(returned, failed=False)
        channel.time_out(consumer)

    def _still_locked(
        self, settled: Iterable[QueuedMessage], *, wakes: bool = True
    ) -> list[QueuedMessage]:
        """Release the locks of messages, and return the messages that were not taken back.

        Args:
            settled: The messages.
            wakes: Whether a consumer gets messages again when it settles its last late delivery.
        """
        kept = []
        for queued in settled:
            self._locks.pop(queued, None)
            if not self._timed_out or not self._is_late(queued, wakes=wakes):
                kept.append(queued)
        return kept

    def is_held(self, delivered: QueuedMessage) -> bool:
        return delivered not in self._timed_out

    def _is_late(self, queued: QueuedMessage, *, wakes: bool = True) -> bool:
        """Return whether a delivery was taken back; if it is the consumer's last one, resume.

        RabbitMQ 4.3.6 delivers nothing to a consumer that has requeued its last late delivery.
        """
        if queued not in self._timed_out:
            return False
        consumer = self._timed_out.pop(queued)
        if consumer is None or consumer in self._timed_out.values():
            return True
        if not wakes:
            consumer.limiter.outstanding += 1  # never counted down
        elif consumer in self.consumers:
            consumer.limiter.resume()
            self.consumers.resume(consumer)
            self.wake(consumer)
        return True

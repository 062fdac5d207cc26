"""Classic queues: messages wait in order, consumers take turns, each message goes to one of them.

A queue knows its messages, its consumers and its settings: time-to-live, length limits, priorities,
expiry, dead-lettering. It is told when something happens (a publish, a get, a settlement, a
consumer coming or going) and does all that follows from it before it returns.
It knows nothing of methods, frames or sockets; consumers send for themselves.

Quorum queues (`quorum.py`) and streams (`stream.py`) are variations of it.
See https://www.rabbitmq.com/docs/queues
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from ..exchanges.exchange import Destination
from ..messages.message import Message, QueuedMessage
from ..rabbitmq.arguments import CLASSIC, QueueSettings
from .consumers import ConsumerRounds, SingleActiveConsumer
from .delivery import Settlement
from .ready_messages import PrioritizedMessages, ReadyMessages

if TYPE_CHECKING:
    from ..clock import Timer
    from .consumers import Consumer
    from .dead_letter_worker import DeadLetterWorker
    from .delivery import Unacked
    from .ports import QueueHost

__all__ = ["Queue"]

_ages = itertools.count()


class Queue(Destination):
    """A classic queue.

    Attributes:
        name, durable, auto_delete, arguments: As declared.
        host: The virtual host that it lives in.
        owner: The connection that declared it, if it is exclusive.
        settings: What the arguments and the policies say.
        ready: The messages that wait.
        unacknowledged: How many are with clients.
        consumers: Who wants them.
        incoming: The bindings that lead here.
        enrols_publishers: Whether a channel's first publish waits until the queue knows the channel.
        dead_letter_worker: What keeps dead letters until they have arrived, if they must.
        age: How many queues were created before it, wherever.
        is_deleted: Whether it is gone; acknowledgements may still come in for it.
    """

    queue_type: ClassVar[str] = CLASSIC
    dead_letter_worker: DeadLetterWorker | None = None
    _queued_message = QueuedMessage
    _minds_what_overtakes = False
    _minds_limits_before_overflow = True
    enrols_publishers = False
    minds_global_prefetch = True

    def __init__(
        self,
        name: str,
        host: QueueHost,
        *,
        durable: bool = False,
        owner: object | None = None,
        auto_delete: bool = False,
        arguments: Mapping[str, Any] | None = None,
        settings: QueueSettings | None = None,
    ) -> None:
        self.name = name
        self.host = host
        self.age = next(_ages)
        self.durable = durable
        self.owner = owner
        self.auto_delete = auto_delete
        self.arguments = dict(arguments or {})
        self._adopt(settings or QueueSettings())
        self.ready = self._create_ready()
        self.unacknowledged = 0
        self.consumers = self._create_consumers()
        self.incoming = {}
        self.is_deleted = False
        self._position = 0
        self._has_deadlines = False
        self._expiry_timer: Timer | None = None
        self._expiry_due = 0.0
        self._idle_timer: Timer | None = None
        self.touch()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r} in {self.host.name!r}>"

    def _adopt(self, settings: QueueSettings) -> None:
        """Go by these settings in whatever comes next."""
        self.settings = settings
        self._limit = settings.max_length
        self._limit_octets = settings.max_length_bytes
        is_limited = self._limit is not None or self._limit_octets is not None
        self._drops_overflow = is_limited and settings.overflow == "drop-head"
        self._rejects_overflow = is_limited and not self._drops_overflow

    def take_settings(self, settings: QueueSettings) -> None:
        """Go by other settings from now on, because a policy has changed.

        What waits already keeps the time that it has, and counts for the new limits; time without
        use begins anew.
        """
        drops_anyway = self._minds_limits_before_overflow and self.settings.overflow == "drop-head"
        self._adopt(settings)
        if drops_anyway:  # RabbitMQ's classic queues take one setting up after the other
            self._drop_overflow()
        self._trim()
        self._rest_from_idling()
        self.touch()

    def _create_ready(self) -> ReadyMessages:
        if self.settings.max_priority:
            return PrioritizedMessages(self.settings.max_priority)
        return ReadyMessages()

    def _create_consumers(self) -> ConsumerRounds:
        if self.settings.single_active_consumer:
            return SingleActiveConsumer()
        return ConsumerRounds()

    @property
    def message_count(self) -> int:
        """How many messages are ready; those with clients do not count."""
        return len(self.ready)

    def count_consumers(self, held: Iterable[Unacked]) -> int:
        """Tell how many consumers queue.declare-ok speaks of.

        Args:
            held: The unsettled deliveries of all queues; to some types of queues they matter.
        """
        return len(self.consumers)

    def waiting_messages(self) -> Iterable[QueuedMessage]:
        """Give the ready messages in order, and leave them where they are."""
        return self.ready

    # -- messages come in ----------------------------------------------------------------------

    def publish(self, message: Message) -> bool:
        """Take a message that was routed here.

        Returns:
            False if the queue is full and refuses it (the publisher gets a basic.nack).
        """
        if self._rejects_overflow and self._would_overflow(message):
            if self.settings.overflow == "reject-publish-dlx":
                self._dead_letter(message, "maxlen")
            return False
        self._position = position = self._position + 1
        queued = self._queued_message(message, position, self._deadline_of(message))
        # Without a message waiting in front, a consumer that is ready gets it at once: neither
        # a length limit of 0 nor a time-to-live of 0 stands in the way.
        if not len(self.ready):
            consumer = self.consumers.next()
            if consumer is not None:
                self._hand_over(consumer, queued)
                return True
        self.ready.append(queued)
        is_trimmed = self._drops_overflow and self._drop_overflow()
        # RabbitMQ looks for expired messages only if there is another one in front now, and a
        # classic queue does not think of a message that overtakes others by its priority.
        if self._has_deadlines and (
            is_trimmed or len(self.ready) == 1 or self._minds_what_overtakes
        ):
            self._expire()
        return True

    def _would_overflow(self, message: Message) -> bool:
        if self._limit is not None and len(self.ready) + 1 > self._limit:
            return True
        octets = self.ready.octets + len(message.body)
        return self._limit_octets is not None and octets > self._limit_octets

    def _deadline_of(self, message: Message) -> float | None:
        """Give the time at which a message will have expired: the sooner of the two limits."""
        own, given = self.settings.message_ttl, message.facts.expiration
        if own is None and given is None:
            return None
        self._has_deadlines = True
        milliseconds = min(limit for limit in (own, given) if limit is not None)
        return self.host.clock.time() + milliseconds / 1000

    def _serve_returned(self) -> None:
        """Do what is due when messages have come back: limits first, as RabbitMQ does."""
        self._trim()
        self.dispatch()

    def _trim(self) -> None:
        """Drop what is too much or too old."""
        if self._drops_overflow:
            self._drop_overflow()
        if self._has_deadlines:
            self._expire()

    def _drop_overflow(self) -> bool:
        """Drop messages from the front until the limits are kept (overflow drop-head).

        Returns:
            Whether any had to go.
        """
        ready = self.ready
        count = len(ready)
        while len(ready) and (
            (self._limit is not None and len(ready) > self._limit)
            or (self._limit_octets is not None and ready.octets > self._limit_octets)
        ):
            self._dead_letter(ready.pop().message, "maxlen")
        return len(ready) < count

    # -- messages go out -----------------------------------------------------------------------

    def dispatch(self) -> None:
        """Deliver waiting messages while there are consumers that can take them."""
        self._expire_overdue()
        ready = self.ready
        while len(ready):
            consumer = self.consumers.next()
            if consumer is None:
                return
            self._deliver(consumer, ready.pop())
            if self._has_deadlines:
                self._expire()

    def _hand_over(self, consumer: Consumer, queued: QueuedMessage) -> None:
        """Deliver a message that never had to wait."""
        self._deliver(consumer, queued)

    def _deliver(self, consumer: Consumer, queued: QueuedMessage) -> None:
        if not consumer.no_ack:
            self.unacknowledged += 1
        consumer.deliver(queued)

    def get(self, *, no_ack: bool) -> QueuedMessage | None:
        """Take the message in front (basic.get), or None if there is none.

        What has expired behind it is dropped by `drop_expired`.
        """
        self.touch()
        self._expire_overdue()
        if not len(self.ready):
            return None
        queued = self.ready.pop()
        if not no_ack:
            self.unacknowledged += 1
        return queued

    def drop_expired(self) -> None:
        """Drop what is in front and has expired."""
        if self._has_deadlines:
            self._expire()

    def purge(self) -> int:
        """Throw the waiting messages away.

        Returns:
            How many there were.
        """
        self._expire_overdue()
        count = len(self.ready)
        self.ready = self._create_ready()
        return count

    # -- messages are settled ------------------------------------------------------------------

    def settle(self, settlement: Settlement, settled: list[QueuedMessage]) -> None:
        """Settle messages that one consumer had, or that one basic.get fetched."""
        if settlement is Settlement.REQUEUE:
            self.requeue(settled)
        elif settlement is Settlement.REJECT:
            self.reject(settled)
        else:
            for queued in settled:
                self.acknowledge(queued)

    def acknowledge(self, queued: QueuedMessage) -> None:
        """Forget a message that a client is done with."""
        self.unacknowledged -= 1

    def requeue(self, returned: Iterable[QueuedMessage]) -> None:
        """Put messages back in their places; they count as redelivered from now on."""
        if self.is_deleted:
            return
        self._restore(returned)
        self._serve_returned()

    def _restore(self, returned: Iterable[QueuedMessage]) -> None:
        for queued in returned:
            self.unacknowledged -= 1
            queued.redelivered = True
            self.ready.restore(queued)

    def reject(self, returned: Iterable[QueuedMessage]) -> None:
        """Dead-letter messages that a client refused for good."""
        if self.is_deleted:
            return
        for queued in sorted(returned, key=self._urgency):
            self.unacknowledged -= 1
            self._dead_letter(queued.message, "rejected")

    def _urgency(self, queued: QueuedMessage) -> int:
        """Give a number that is lower for messages of higher priority."""
        highest = self.settings.max_priority or 0
        return -min(queued.message.facts.priority, highest)

    def _dead_letter(self, message: Message, reason: str) -> None:
        if self.settings.dead_letter_exchange is not None:
            self.host.dead_letters.send(message, self, reason)

    # -- consumers -----------------------------------------------------------------------------

    def add_consumer(self, consumer: Consumer) -> None:
        """Take a consumer up; it may get messages before this returns."""
        self.consumers.add(consumer)
        self._rest_from_idling()
        self.dispatch()

    def remove_consumer(self, consumer: Consumer) -> None:
        """Forget a consumer; an auto-delete queue goes with its last one."""
        if consumer not in self.consumers:
            return
        self.consumers.remove(consumer)
        if len(self.consumers):
            self.dispatch()
        elif self.auto_delete:
            self.host.delete_queue(self)
        else:
            self.touch()

    def abandon(self, consumers: Collection[Consumer], deliveries: Mapping[int, Unacked]) -> None:
        """Note that a channel is gone: forget its consumers, and put back all that it held.

        Nothing is delivered before both is done, least of all to another consumer of the channel.

        Args:
            consumers: Those of the channel.
            deliveries: What it held of this queue, by delivery tag, oldest first.
        """
        self.forget(consumers)
        if self.is_deleted:
            return
        if not len(self.consumers):
            if consumers and self.auto_delete:
                self.host.delete_queue(self)
                return
            self.touch()
        self._take_back(deliveries)
        self._serve_returned()

    def forget(self, consumers: Iterable[Consumer]) -> None:
        """Forget consumers, and do nothing about it yet."""
        for consumer in consumers:
            if consumer in self.consumers:
                self.consumers.remove(consumer)

    def _take_back(self, deliveries: Mapping[int, Unacked]) -> None:
        """Put back what a channel held that is gone."""
        self._restore(delivery.queued for delivery in deliveries.values())

    def settled(self, *, requeued: bool) -> None:
        """Note that something was settled for which a consumer may have waited."""
        self.consumers.settled(requeued=requeued)
        if len(self.ready):
            self.dispatch()

    def wake(self, *consumers: Consumer) -> None:
        """Note that consumers, in this order, may be able to take messages again."""
        for consumer in consumers:
            if consumer in self.consumers:
                self.consumers.activate(consumer)
        if len(self.ready):
            self.dispatch()

    # -- time ----------------------------------------------------------------------------------

    def _expire(self) -> None:
        """Drop expired messages at the front, and come back when the next one is due.

        One that stands behind a message which has not expired stays, and is counted.
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
            self._dead_letter(ready.pop().message, "expired")

    def _expire_overdue(self) -> None:
        """Drop what should have gone by now, although the timer that sees to it is late.

        Not where there are priorities: a message that has overtaken others has no timer, and
        RabbitMQ gives it to who comes for it.
        """
        if self._has_deadlines and not self.settings.max_priority:
            self._expire()

    def _expire_at(self, deadline: float) -> None:
        """Look again at `deadline`, unless a look is due before: it will ask for the next."""
        if self._expiry_timer is not None:
            if self._expiry_due <= deadline:
                return
            self._expiry_timer.cancel()
        self._expiry_due = deadline
        clock = self.host.clock
        self._expiry_timer = clock.call_later(deadline - clock.time(), self._expire_now)

    def _expire_now(self) -> None:
        self._expiry_timer = None
        if not self.is_deleted:
            self._expire()

    def touch(self) -> None:
        """Note that the queue was used: one with x-expires goes after that long without."""
        if self.settings.expires is None:
            return
        self._rest_from_idling()
        if not len(self.consumers):
            self._idle_timer = self.host.clock.call_later(
                self.settings.expires / 1000, self._expire_unused
            )

    def _rest_from_idling(self) -> None:
        if self._idle_timer is not None:
            self._idle_timer.cancel()
            self._idle_timer = None

    def _expire_unused(self) -> None:
        self._idle_timer = None
        if not self.is_deleted:
            self.host.delete_queue(self)

    def close(self) -> None:
        """Stop everything: the queue is being deleted, its messages vanish."""
        self.is_deleted = True
        self.ready = self._create_ready()
        self.stop_timers()

    def stop_timers(self) -> None:
        """Let nothing happen by itself any more."""
        for timer in (self._expiry_timer, self._idle_timer):
            if timer is not None:
                timer.cancel()
        self._expiry_timer = self._idle_timer = None

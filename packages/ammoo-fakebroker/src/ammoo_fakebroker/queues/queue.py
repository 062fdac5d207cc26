"""The base of all queues, and the methods that a type of queue must supply.

Each operation (a publish, a settlement, a new consumer) completes all its effects before it returns.
Channels and method handlers ask a queue for its capabilities, or call it; they never ask for its type.
A queue refuses with RabbitMQ's error what its type does not support.

The types are in `classic.py` and `quorum.py`, which share `fifo.py`, and in `stream.py`; `types.py`
lists them. A queue knows no method, no frame and no socket: its consumers send.
See https://www.rabbitmq.com/docs/queues
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self

from ..exchanges.exchange import Destination
from ..rabbitmq.arguments import QueueSettings, validate_consumer_arguments
from ..rabbitmq.errors import queue_in
from .consumers import QueueConsumers
from .delivery import Settlement

if TYPE_CHECKING:
    from ..clocks.clock import Timer
    from ..exchanges.exchange import Binding
    from ..history.ports import EventRecorder
    from ..messages.copying import Copying
    from ..messages.message import Message, QueuedMessage
    from .consumers import Consumer
    from .dead_letter_worker import DeadLetterWorker
    from .delivery import Unacked
    from .ports import ConsumerChannel, QueueHost

__all__ = ["Queue"]


class Queue(Destination, ABC):
    """A queue of any type.

    Attributes:
        name, durable, auto_delete, arguments: As declared.
        host: The virtual host that it lives in.
        owner: The connection that declared it, if it is exclusive.
        settings: Its arguments, merged with the policies.
        consumers: Its consumers; they choose which one is next.
        unacked_count: How many messages are delivered and not settled.
        incoming: The bindings that lead to it.
        dead_letter_worker: Keeps dead letters until they have arrived; None if dead-lettering is at
            most once.
        is_deleted: Whether it is deleted; clients may still settle its messages.
        recorder: What records events: the history, statistics or both; None for neither.
    """

    queue_type: ClassVar[str]
    supports_server_named: ClassVar[bool] = True
    """Whether queue.declare with an empty name may create a queue of this type."""
    supports_global_prefetch: ClassVar[bool] = True
    """Whether a global prefetch, which the consumers of a channel share, limits its deliveries."""
    is_replicated: ClassVar[bool] = True
    """Whether it is durable, never exclusive and never auto-delete."""
    dead_letter_worker: DeadLetterWorker | None = None

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
        self.durable = durable
        self.owner = owner
        self.auto_delete = auto_delete
        self.arguments: dict[str, Any] = dict(arguments or {})
        self.settings: QueueSettings = settings or QueueSettings()
        self.consumers: QueueConsumers = self._create_consumers()
        self.unacked_count: int = 0
        self.incoming: dict[Binding, None] = {}
        self.is_deleted: bool = False
        self.recorder: EventRecorder | None = host.recorder
        self._idle_timer: Timer | None = None
        self.restart_idle_timer()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r} in {self.host.name!r}>"

    def _create_consumers(self) -> QueueConsumers:
        return QueueConsumers()

    # -- what a type must supply ---------------------------------------------------------------

    @property
    @abstractmethod
    def message_count(self) -> int:
        """How many messages are ready; unacknowledged ones do not count."""

    @abstractmethod
    def ready_messages(self) -> Iterable[QueuedMessage]:
        """Return the messages that are ready, in order; they stay in the queue."""

    @abstractmethod
    def publish(self, message: Message) -> bool:
        """Take a message that was routed to the queue.

        Returns:
            False if the queue is full and refuses it (the publisher gets a basic.nack).
        """

    def publish_again(self, message: Message) -> None:
        """Take another copy of a message, and mark it as redelivered."""
        self.publish(message)

    @abstractmethod
    def get(
        self,
        answer: Callable[[QueuedMessage], None],
        channel: ConsumerChannel,
        *,
        no_ack: bool,
    ) -> bool:
        """Take the first message (basic.get) for a channel, and pass it to `answer`.

        Returns:
            False if the queue is empty.

        Raises:
            ProtocolError: The queue does not support basic.get.
        """

    @abstractmethod
    def purge(self) -> int:
        """Drop all messages that are ready.

        Returns:
            How many there were.

        Raises:
            ProtocolError: 540, the type does not support queue.purge.
        """

    @abstractmethod
    def check_deletion(self, *, if_unused: bool, if_empty: bool) -> int:
        """Check that the queue may be deleted.

        Returns:
            How many messages queue.delete-ok says are deleted.

        Raises:
            ProtocolError: 406, the queue is used or not empty; 540, the type does not support the flag.
        """

    @abstractmethod
    def acknowledge(self, queued: QueuedMessage) -> None:
        """Remove a message that a client has acknowledged."""

    @abstractmethod
    def requeue(self, returned: Iterable[QueuedMessage], *, failed: bool) -> None:
        """Take back messages that are to be delivered again.

        Args:
            returned: The messages.
            failed: Whether their delivery counts as failed (basic.reject).
        """

    @abstractmethod
    def reject(self, returned: Iterable[QueuedMessage], *, failed: bool) -> None:
        """Dead-letter or drop messages that a client does not requeue.

        Args:
            returned, failed: As for `requeue`.
        """

    @abstractmethod
    def wake(self, *consumers: Consumer) -> None:
        """Unblock consumers, in this order, and deliver the messages that consumers can take."""

    @abstractmethod
    def change_settings(self, settings: QueueSettings) -> None:
        """Apply other settings: a policy has changed."""

    @abstractmethod
    def _check_consumer(self, consumer: Consumer) -> None:
        """Check a new consumer whose arguments are valid.

        Raises:
            ProtocolError: The queue cannot serve it.
        """

    @abstractmethod
    def _take_back(self, unacked: Mapping[int, Unacked]) -> None:
        """Take back what a closed channel had not settled, by delivery tag, and deliver it again."""

    @abstractmethod
    def copy_messages(self, source: Self, copying: Copying) -> None:
        """Take copies of the messages of another queue; those that its clients hold come back later.

        Args:
            source: A queue of the same type, as it was declared and with the same settings.
            copying: Makes the copies.
        """

    @abstractmethod
    def memory_size(self) -> int:
        """Return about how much memory the ready messages take, in octets.

        A message in several queues counts in each.
        """

    # -- what all types share ------------------------------------------------------------------

    @property
    def supports_rejection(self) -> bool:
        """Whether its deliveries may be rejected and requeued."""
        return True

    def all_messages(self) -> Iterator[Message]:
        """Yield the messages that no client has, with dead letters that have not arrived."""
        for queued in self.ready_messages():
            yield queued.message

    def is_held(self, delivered: QueuedMessage) -> bool:
        """Return whether the client has a message that it has not settled, and the queue has not."""
        return True

    def count_consumers(self, unacked: Iterable[Unacked]) -> int:
        """Return the number of consumers that queue.declare-ok states.

        Args:
            unacked: The unsettled deliveries of all queues; some types count their own ones.
        """
        return len(self.consumers)

    def settle(
        self, settlement: Settlement, settled: list[QueuedMessage], consumer: Consumer | None
    ) -> None:
        """Settle messages, and deliver what there is room for now.

        Args:
            settlement: What the client does with the messages.
            settled: The messages.
            consumer: The consumer that got all of them; None after basic.get.
        """
        consumers = self.consumers
        if consumer is not None:
            consumer.limiter.outstanding -= len(settled)
            if consumer in consumers:
                consumers.unblock(consumer)
        if settlement is Settlement.ACKNOWLEDGE:
            for queued in settled:
                self.acknowledge(queued)
        elif settlement.requeues:
            self.requeue(settled, failed=settlement.is_failure)
        else:
            self.reject(settled, failed=settlement.is_failure)
        if consumers.is_handing_over:
            self.hand_over(requeued=settlement.requeues)
        if consumer is not None:
            self.wake(consumer)

    def hand_over(self, *, requeued: bool) -> None:
        """Let the next single active consumer take over if the active one has settled everything."""
        self.consumers.hand_over(requeued=requeued)
        self.wake()

    def record(self, kind: str, message: Message, **details: Any) -> None:
        """Record in the history what the queue has done with a message."""
        if self.recorder is not None:
            self.recorder.record(
                kind, message=message, queue_name=self.name, virtualhost=self.host.name, **details
            )

    # -- consumers -----------------------------------------------------------------------------

    def check_consumer(self, consumer: Consumer) -> None:
        """Check a new consumer (basic.consume).

        Raises:
            ProtocolError: Its arguments are not valid, or the queue cannot serve it.
        """
        validate_consumer_arguments(
            consumer.arguments,
            queue_in(self.host.name, self.name),
            self.queue_type,
            self.host.profile,
        )
        self._check_consumer(consumer)

    def add_consumer(self, consumer: Consumer) -> None:
        """Add a consumer; it may get messages before this returns."""
        self.consumers.add(consumer)
        self._cancel_idle_timer()
        self.wake()

    def remove_consumer(self, consumer: Consumer) -> None:
        """Remove a consumer; an auto-delete queue is deleted with its last one."""
        if consumer not in self.consumers:
            return
        self.detach((consumer,))
        if len(self.consumers):
            self.wake()
        elif self.auto_delete:
            self.host.delete_queue(self)
        else:
            self.restart_idle_timer()

    def detach(self, consumers: Iterable[Consumer]) -> None:
        """Remove consumers; deliver nothing."""
        for consumer in consumers:
            if consumer in self.consumers:
                self.consumers.remove(consumer)

    def detach_channel(
        self, consumers: Collection[Consumer], unacked: Mapping[int, Unacked]
    ) -> None:
        """Remove the consumers of a closed channel, and take back what it had not settled.

        Nothing is delivered before both are done, so no consumer of the channel gets a message.

        Args:
            consumers: The channel's consumers of this queue.
            unacked: Its deliveries from this queue, by delivery tag, oldest first.
        """
        self.detach(consumers)
        if self.is_deleted:
            return
        if not len(self.consumers):
            if consumers and self.auto_delete:
                self.host.delete_queue(self)
                return
            self.restart_idle_timer()
        self._take_back(unacked)

    # -- lifetime ------------------------------------------------------------------------------

    def restart_idle_timer(self) -> None:
        """Start the idle time anew, after which a queue with x-expires is deleted."""
        if self.settings.expires is None:
            return
        self._cancel_idle_timer()
        if not len(self.consumers):
            self._idle_timer = self.host.clock.call_later(
                self.settings.expires / 1000, self._expire_unused
            )

    def _cancel_idle_timer(self) -> None:
        if self._idle_timer is not None:
            self._idle_timer.cancel()
            self._idle_timer = None

    def _expire_unused(self) -> None:
        """Delete the queue, because it was unused for the time in x-expires."""
        self._idle_timer = None
        if not self.is_deleted:
            self.host.delete_queue(self)

    def go_down(self) -> None:
        """Prepare for a restart, before connections are closed: stop the idle time."""
        self._cancel_idle_timer()

    def forget_transient(self) -> None:
        """Drop the messages that do not survive a restart."""

    def come_up(self) -> None:
        """Continue after a restart: start the idle time anew."""
        self.restart_idle_timer()

    def close(self) -> None:
        """Mark the queue as deleted, and cancel its timers."""
        self.is_deleted = True
        self.stop_timers()

    def stop_timers(self) -> None:
        """Cancel all timers."""
        self._cancel_idle_timer()

"""A channel: the state that one method leaves for the next ones.

The state is the unacknowledged deliveries, the consumers, prefetch, confirms, a transaction and the
name of the queue that was declared last. The handlers in `methods/` use it.
See https://www.rabbitmq.com/docs/channels
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from ammoo_wire import BasicCancelParameters

from ..messages.message import MESSAGE_SIZE
from ..queues.delivery import Settlement, Unacked
from ..queues.prefetch import PrefetchLimiter
from ..rabbitmq import errors
from .confirms import Confirms
from .transaction import Transaction

if TYPE_CHECKING:
    from ..messages.message import QueuedMessage
    from ..node.virtual_host import VirtualHost
    from ..queues.consumers import Consumer
    from ..queues.queue import Queue
    from .ports import ChannelConnection, DirectReplyConsumer

__all__ = ["Channel"]


class _Group(NamedTuple):
    """Deliveries that are settled together: those of a consumer, or the one of a basic.get."""

    queue: Queue
    fetched: int
    """The delivery tag if basic.get fetched it; 0 if a consumer got it."""
    consumer: Consumer | None

    def names(self) -> tuple[str, bool, int, str]:
        """Return the sort key, as in RabbitMQ: the number of a basic.get or the tag of a consumer."""
        tag = "" if self.consumer is None else self.consumer.tag
        return self.queue.name, self.consumer is not None, self.fetched, tag


class Channel:
    """One open channel.

    Attributes:
        number: Its number on the connection.
        connection: Its connection.
        consumers: Its consumers by tag.
        unacked: The deliveries that are not settled, by delivery tag, oldest first.
        limiter: The global prefetch, which all its consumers share.
        prefetch_count: The prefetch of consumers that are started from now on.
        confirms: Its publisher confirms; None before confirm.select.
        transaction: Its open transaction; None before tx.select.
        last_delivery_tag: The number of the last delivery; 0 before the first one.
        last_queue_name: The queue that was declared last; an empty queue name stands for it.
        reply_consumer: Its consumer of direct replies.
        withheld: The deliveries that a fault keeps: unacknowledged, but without a delivery tag yet.
        is_open: Whether neither the client nor the broker has closed it.
    """

    def __init__(self, number: int, connection: ChannelConnection) -> None:
        self.number = number
        self.connection = connection
        self.consumers: dict[str, Consumer] = {}
        self.unacked: dict[int, Unacked] = {}
        self.limiter: PrefetchLimiter = PrefetchLimiter()
        self.prefetch_count = 0
        self.confirms: Confirms | None = None
        self.transaction: Transaction | None = None
        self.last_queue_name = ""
        self.reply_consumer: DirectReplyConsumer | None = None
        self.last_delivery_tag: int = 0
        self.withheld: dict[QueuedMessage, Unacked] = {}
        self.is_open: bool = True
        self._settled_below = 1  # no smaller tag is unacknowledged
        self._requeued: set[int] = set()  # the tags of deliveries that a test has requeued

    def __repr__(self) -> str:
        return f"<Channel {self.number} of {self.connection!r}>"

    @property
    def virtualhost(self) -> VirtualHost:
        """The virtual host that the connection has opened."""
        return self.connection.virtualhost

    def send(self, parameters: tuple[Any, ...]) -> None:
        """Send a method to the client."""
        self.connection.send(self.number, parameters)

    def record(self, kind: str, **details: Any) -> None:
        """Record an event of the channel in the history."""
        recorder = self.virtualhost.recorder
        if recorder is not None:
            recorder.record(kind, channel=self, **details)

    # -- deliveries ----------------------------------------------------------------------------

    def next_delivery_tag(self) -> int:
        """Return the delivery tag of a delivery that needs no acknowledgement."""
        self.last_delivery_tag += 1
        return self.last_delivery_tag

    def await_acknowledgement(
        self, queue: Queue, queued: QueuedMessage, consumer: Consumer | None
    ) -> int:
        """Return the delivery tag of a delivery, and keep the delivery until it is settled."""
        self.last_delivery_tag = delivery_tag = self.last_delivery_tag + 1
        self.unacked[delivery_tag] = Unacked(queue, queued, consumer)
        return delivery_tag

    def memory_size(self) -> int:
        """Return how much memory unacked and uncommitted messages take, in octets."""
        unacked = sum(
            MESSAGE_SIZE + len(delivery.queued.message.body)
            for delivery in (*self.unacked.values(), *self.withheld.values())
        )
        return unacked + (0 if self.transaction is None else self.transaction.memory_size())

    # -- settlements ---------------------------------------------------------------------------

    def take(self, delivery_tag: int, *, multiple: bool) -> dict[int, Unacked]:
        """Remove and return the unacknowledged deliveries that a settlement names.

        Args:
            delivery_tag: The delivery tag; with `multiple`, that of the last delivery, or 0.
            multiple: Whether to take all deliveries up to this one; for 0, all deliveries.

        Raises:
            ProtocolError: 406, there is no such delivery. No delivery was removed.
        """
        unacked = self.unacked
        if not multiple:
            delivery = unacked.pop(delivery_tag, None)
            if delivery is None:
                self._check_requeued(delivery_tag)
                return {}
            return {delivery_tag: delivery}
        if delivery_tag == 0:
            return self.take_all()
        if delivery_tag not in unacked:
            self._check_requeued(delivery_tag)
        return {tag: unacked.pop(tag) for tag in self._tags_up_to(delivery_tag)}

    def take_all(self) -> dict[int, Unacked]:
        """Remove all unacknowledged deliveries, and return them, oldest first."""
        everything, self.unacked = self.unacked, {}
        return everything

    def requeue_from(self, queue: Queue) -> int:
        """Requeue all unacknowledged deliveries of a queue for a test; return how many there were.

        Later settlements of these deliveries by the client are ignored.
        """
        taken = {tag: each for tag, each in self.unacked.items() if each.queue is queue}
        self.unacked = {tag: each for tag, each in self.unacked.items() if tag not in taken}
        self._requeued.update(taken)
        self.settle(Settlement.REQUEUE, taken)
        return len(taken)

    def _check_requeued(self, delivery_tag: int) -> None:
        """Check that a test has requeued a delivery, which the client now settles.

        Raises:
            ProtocolError: 406, there is no such delivery.
        """
        if delivery_tag not in self._requeued:
            raise errors.unknown_delivery_tag(delivery_tag)
        self._requeued.discard(delivery_tag)

    def restore(self, deliveries: dict[int, Unacked]) -> None:
        """Make deliveries unacknowledged again: a transaction was rolled back."""
        everything = {**self.unacked, **deliveries}
        self.unacked = {tag: everything[tag] for tag in sorted(everything)}
        self._settled_below = 1

    def _tags_up_to(self, delivery_tag: int) -> list[int]:
        """List the unacknowledged tags up to `delivery_tag`.

        This iterates over the numbers from the lowest one that can be unacknowledged, so each number
        is passed once in the life of the channel. Iterating over the dictionary would pass the
        deleted entries at its front again and again.
        """
        unacked = self.unacked
        numbers: Iterable[int] = range(self._settled_below, delivery_tag + 1)
        if delivery_tag - self._settled_below > 2 * len(unacked):
            numbers = list(unacked)
        self._settled_below = delivery_tag + 1
        return [tag for tag in numbers if tag in unacked and tag <= delivery_tag]

    def acknowledge_one(self, delivery_tag: int) -> None:
        """Acknowledge one delivery.

        Most settlements are of this kind. Here they cost a tenth less than in `settle`.

        Raises:
            ProtocolError: 406, there is no such delivery.
        """
        delivery = self.unacked.pop(delivery_tag, None)
        if delivery is None:
            self._check_requeued(delivery_tag)
            return
        queue, queued, consumer = delivery
        if queue.recorder is not None:
            queue.recorder.settled("acknowledged", self, queued.message, queue.name, delivery_tag)
        queue.acknowledge(queued)
        if consumer is not None:
            self._return_credit(consumer)

    def settle(self, settlement: Settlement, deliveries: Mapping[int, Unacked]) -> None:
        """Settle deliveries that were removed from the unacknowledged ones.

        RabbitMQ settles queue by queue and consumer by consumer, in the order of their names. A queue
        delivers again before the next consumer regains its credit. The consumers regain their shared
        credit when everything is settled.
        """
        recorder = self.virtualhost.recorder
        if recorder is not None:
            for tag, delivery in deliveries.items():
                message, queue_name = delivery.queued.message, delivery.queue.name
                recorder.settled(settlement.past_tense, self, message, queue_name, tag)
        groups: dict[_Group, list[QueuedMessage]] = {}
        for delivery_tag, (queue, queued, consumer) in deliveries.items():
            group = _Group(queue, delivery_tag if consumer is None else 0, consumer)
            groups.setdefault(group, []).append(queued)
        for group in sorted(groups, key=_Group.names):
            queue, _, consumer = group
            queue.settle(settlement, groups[group], consumer)
        shared = self.limiter
        shared.release(sum(len(groups[group]) for group in groups if group.consumer is not None))
        if shared.limit:
            self.wake_consumers()

    def _return_credit(self, consumer: Consumer) -> None:
        """Return the credit of one delivery, and deliver again if a prefetch limit allows it now."""
        own, shared = consumer.limiter, self.limiter
        own_was_exhausted, shared_was_exhausted = own.is_exhausted, shared.is_exhausted
        own.outstanding -= 1
        shared.release(1)
        if shared_was_exhausted and not shared.is_exhausted:
            self.wake_consumers()
        elif consumer.queue.consumers.is_handing_over:
            consumer.queue.hand_over(requeued=False)
        elif own_was_exhausted and not own.is_exhausted:
            consumer.queue.wake(consumer)

    def wake_consumers(self) -> None:
        """Let the queues of all consumers that can take messages deliver.

        The queue that has waited longest comes first, so queues that share a prefetch take turns. In
        RabbitMQ the order is random. A consumer that can take nothing stays blocked; when it is
        unblocked, it comes behind the active consumers.
        """
        by_queue: dict[Queue, list[Consumer]] = {}
        for consumer in sorted(self.consumers.values(), key=lambda consumer: consumer.blocked_at):
            if consumer.can_take():
                by_queue.setdefault(consumer.queue, []).append(consumer)
        for queue, waiting in by_queue.items():
            if any(consumer.can_take() for consumer in waiting):
                queue.wake(*waiting)

    # -- consumers -----------------------------------------------------------------------------

    def notify_cancelled(self, consumer: Consumer) -> None:
        """Remove a consumer whose queue is deleted, and notify the client if it supports that."""
        if self.consumers.pop(consumer.tag, None) is None:
            return
        self._record_cancelled(consumer, "queue deleted")
        if self.connection.client_can("consumer_cancel_notify"):
            self.send(BasicCancelParameters(consumer.tag, True))

    def time_out(self, consumer: Consumer | None) -> None:
        """Notify the client that a queue has taken back deliveries that were not settled in time.

        The client gets a basic.cancel for a consumer. The tag stays in use until the client cancels
        the consumer as well.
        """
        is_consuming = consumer is not None and self.consumers.get(consumer.tag) is consumer
        if (
            consumer is not None
            and is_consuming
            and self.connection.client_can("consumer_cancel_notify")
        ):
            self.send(BasicCancelParameters(consumer.tag, True))
        else:
            error = errors.acknowledgement_timed_out(self.number, -1)
            self.connection.fail_channel(self.number, error)

    # -- the end -------------------------------------------------------------------------------

    def flush_confirms(self) -> None:
        """Send the acks and nacks that are due."""
        assert self.confirms is not None
        for payload in self.confirms.take():
            self.connection.send_method(self.number, payload)

    def close(self) -> None:
        """Remove all consumers, and return unacknowledged messages to their queues."""
        self.is_open = False
        self._cancel_reply_consumer()
        consumed = {consumer.queue: None for consumer in self.consumers.values()}
        unsettled = {delivery.queue: None for delivery in self.all_unacked().values()}
        self._detach_from(consumed | unsettled)

    def start_closing(self) -> None:
        """Remove all consumers, and return the unacknowledged messages of consumed classic queues.

        The broker does this when it closes the channel because of an error. When the client has
        answered, `close` returns the messages of basic.get and of quorum queues.
        """
        self.is_open = False
        self._cancel_reply_consumer()
        consumed = {consumer.queue: None for consumer in self.consumers.values()}
        self._detach_from({queue: None for queue in consumed if not queue.is_replicated})
        for consumer in self.consumers.values():
            self._record_cancelled(consumer, "channel closed")
            consumer.queue.detach((consumer,))

    def _cancel_reply_consumer(self) -> None:
        if self.reply_consumer is not None:
            self.reply_consumer.cancel()

    def _detach_from(self, queues: Mapping[Queue, None]) -> None:
        """Leave queues: remove the channel's consumers there, and return its deliveries.

        Dead letters wait until the channel has left all queues, so none reaches its consumers.
        """
        unacked = self.all_unacked()
        self._record_detached(queues, unacked)
        with self.virtualhost.dead_letters.deferred():
            for queue in queues:
                queue.detach_channel(
                    [consumer for consumer in self.consumers.values() if consumer.queue is queue],
                    {tag: delivery for tag, delivery in unacked.items() if delivery.queue is queue},
                )
            self.consumers = {tag: c for tag, c in self.consumers.items() if c.queue not in queues}
            self.transaction = None  # its settlements are dropped
            self.unacked = {tag: d for tag, d in unacked.items() if d.queue not in queues}
            self.withheld = {}

    def _record_detached(
        self, queues: Mapping[Queue, None], unacked: Mapping[int, Unacked]
    ) -> None:
        """Record which consumers end with the channel, and which deliveries are requeued."""
        if self.virtualhost.recorder is None:
            return
        for consumer in self.consumers.values():
            if consumer.queue in queues and consumer in consumer.queue.consumers:
                self._record_cancelled(consumer, "channel closed")
        for tag, (queue, queued, _) in unacked.items():
            if queue in queues and not queue.is_deleted:
                self.record(
                    "requeued",
                    message=queued.message,
                    queue_name=queue.name,
                    delivery_tag=tag,
                    reason="channel closed",
                )

    def _record_cancelled(self, consumer: Consumer, reason: str) -> None:
        self.record(
            "consumer_cancelled",
            consumer_tag=consumer.tag,
            queue_name=consumer.queue.name,
            reason=reason,
        )

    def all_unacked(self) -> dict[int, Unacked]:
        """Return the unsettled deliveries, including those whose settlement waits for tx.commit."""
        if self.transaction is None and not self.withheld:
            return self.unacked
        settled = {} if self.transaction is None else self.transaction.settled
        withheld = dict(enumerate(self.withheld.values(), self.last_delivery_tag + 1))
        return {**dict(sorted({**self.unacked, **settled}.items())), **withheld}
